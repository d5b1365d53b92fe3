"""What files state about their video: length, rate and size."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from barcodes import barcode, write_barcodes
from untrimmed.io import BadInput
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


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tiff", "a.webp"])
def test_a_picture_is_no_video_whatever_its_name(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / name).rename(tmp_path / f"{name}.mp4")
    with pytest.raises(BadInput, match=r"is a single picture, not a video; give the video"):
        probe_video(tmp_path / f"{name}.mp4")


def test_pictures_of_motion_jpeg_in_a_row_are_a_video(tmp_path: Path) -> None:
    pictures = [cv2.imencode(".jpg", np.full((64, 64, 3), value, np.uint8))[1].tobytes() for value in (9, 99, 199)]
    (tmp_path / "a.mjpeg").write_bytes(b"".join(pictures))
    assert probe_video(tmp_path / "a.mjpeg").width == 64
