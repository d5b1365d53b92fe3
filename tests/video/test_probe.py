"""What files state about their video: length, rate and size."""

from pathlib import Path

import av
import pytest

from barcodes import barcode, write_barcodes
from untrimmed.video.probe import probe_video
from untrimmed.video.writer import write_video


def test_a_file_says_its_length_rate_and_size(tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", (barcode(i) for i in range(50)), 25)
    info = probe_video(tmp_path / "video.mp4")
    assert (info.duration, info.fps, info.width, info.height, info.frames) == (2.0, 25.0, 48, 32, 50)


def test_the_length_counts_from_the_first_frame(tmp_path: Path) -> None:
    for ending in ("mkv", "mp4"):
        file = write_barcodes(tmp_path / f"late.{ending}", [1.5 + i * 0.04 for i in range(60)])
        assert probe_video(file).duration == pytest.approx(2.4, abs=0.06)


def test_a_file_that_states_no_length_is_measured(tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", (barcode(i) for i in range(50)), 25)
    with (
        av.open(tmp_path / "video.mp4") as source,
        av.open(tmp_path / "live.mkv", "w", options={"live": "1"}) as live,
    ):
        stream = live.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                live.mux(packet)
    with av.open(tmp_path / "live.mkv") as container:
        assert container.duration is None
    assert probe_video(tmp_path / "live.mkv").duration == pytest.approx(2.0, abs=0.05)
