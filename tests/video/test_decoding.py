"""Every container and codec that PyAV can write, seeks, damage and broken times: by frames that say their number."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from barcodes import number_of, numbers_of, on_show, steady_times, write_barcodes, write_long, write_stamped
from snippets import read_pairs
from untrimmed.io import BadInput
from untrimmed.video import containers, decoding
from untrimmed.video.containers import FrameClock
from untrimmed.video.decoding import DecodingReport
from untrimmed.video.probe import probe_video
from untrimmed.video.sampling import Frame, sample_frames

RATE = Fraction(1, 25)
WRITTEN = [
    ("mp4", "libx264", {"bf": 3, "g": 60}),
    ("mp4", "mpeg4", {"bf": 2}),
    ("mov", "mpeg4", {}),
    ("m4v", "mpeg4", {"bf": 2}),
    ("mkv", "libx264", {"bf": 3, "g": 60}),
    ("webm", "libvpx", {}),
    ("webm", "libvpx-vp9", {}),
    ("ts", "libx264", {"bf": 3, "g": 60}),
    ("ts", "mpeg2video", {"bf": 2}),
    ("mpg", "mpeg2video", {"bf": 2}),
    ("avi", "libx264", {"bf": 3}),
    ("avi", "mpeg4", {}),
    ("avi", "mpeg4", {"bf": 2}),
    ("avi", "mjpeg", {"pixels": "yuvj420p"}),
    ("flv", "flv", {}),
    ("wmv", "wmv2", {}),
    ("3gp", "h263", {"size": (96, 128)}),
    ("h264", "libx264", {"bf": 3}),
    ("mjpeg", "mjpeg", {"pixels": "yuvj420p"}),
]


def times_of(frames: list[Frame]) -> list[float]:
    return [frame.time for frame in frames]


@pytest.mark.parametrize(("ending", "codec", "options"), WRITTEN, ids=lambda value: str(value))
def test_every_container_gives_every_frame_at_its_time(
    ending: str, codec: str, options: dict, tmp_path: Path
) -> None:
    file = write_barcodes(tmp_path / f"video.{ending}", steady_times(50), codec, base=RATE, **options)
    frames = list(sample_frames(file, 25.0))
    assert numbers_of(frames) == list(range(50))
    assert times_of(frames) == pytest.approx(steady_times(50), abs=1.1e-3)
    assert numbers_of(sample_frames(file, 7.0)) == on_show(steady_times(50), [(i + 0.5) / 7 for i in range(14)])
    info = probe_video(file)
    assert (info.duration, info.fps) == pytest.approx((2.0, 25.0), abs=0.05)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "webm", "ts"])
def test_a_variable_rate_with_b_frames_and_a_late_start_is_exact(ending: str, tmp_path: Path) -> None:
    gaps = np.random.default_rng(2).choice([0.01, 0.033, 0.04, 0.4], 80)
    times = (1.7 + np.cumsum(gaps)).round(3).tolist()
    codec = ("libvpx", {}) if ending == "webm" else ("libx264", {"bf": 3, "g": 30})
    file = write_barcodes(tmp_path / f"video.{ending}", times, codec[0], **codec[1])
    frames = list(sample_frames(file, 6.0))
    assert numbers_of(frames) == on_show(times, [(i + 0.5) / 6 for i in range(len(frames))])
    assert times_of(frames) == pytest.approx([times[number] - times[0] for number in numbers_of(frames)], abs=1e-3)


SOUGHT = [
    ("mp4", "libx264", {"bf": 3, "g": 60}),
    ("mkv", "libx264", {"bf": 3, "g": 60}),
    ("mp4", "libx264", {"bf": 3, "g": 24, "x264_params": "open-gop=1:scenecut=0"}),
    ("mkv", "libx264", {"bf": 3, "g": 24, "x264_params": "open-gop=1:scenecut=0"}),
    ("mov", "mpeg4", {"bf": 2, "g": 20}),
    ("webm", "libvpx", {"g": 30}),
    ("ts", "libx264", {"bf": 3, "g": 60}),
    ("avi", "libx264", {"bf": 3, "g": 30}),
    ("h264", "libx264", {"bf": 3, "g": 30}),
]


def varied_times(count: int) -> list[float]:
    """A late start, and a rate that changes, in milliseconds."""
    return (1.5 + np.cumsum(np.random.default_rng(3).choice([0.02, 0.04, 0.06], count))).round(3).tolist()


@pytest.mark.parametrize(("ending", "codec", "options"), SOUGHT, ids=lambda value: str(value))
def test_a_stretch_is_what_the_whole_gives_there(ending: str, codec: str, options: dict, tmp_path: Path) -> None:
    steadily = ending in ("avi", "h264")
    times = steady_times(240, 25.0) if steadily else varied_times(240)
    file = write_barcodes(
        tmp_path / f"video.{ending}", times, codec, base=RATE if steadily else Fraction(1, 1000), **options
    )
    whole = list(sample_frames(file, 10.0, 16))
    generator = np.random.default_rng(4)
    for start, length in zip(generator.uniform(0, 10, 12), generator.uniform(0, 2, 12), strict=True):
        inside = [i for i in range(len(whole)) if start <= (i + 0.5) / 10 < start + length]
        part = list(sample_frames(file, 10.0, 16, start=start, end=start + length))
        assert [(f.time, number_of(f.image)) for f in part] == [
            (pytest.approx(whole[i].time, abs=1e-9), number_of(whole[i].image)) for i in inside
        ]
        assert all(np.array_equal(f.image, whole[i].image) for f, i in zip(part, inside, strict=True))


def test_stretches_that_touch_make_up_the_whole(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", varied_times(200), bf=3, g=40)
    whole = numbers_of(sample_frames(file, 5.0))
    borders = [-1.0, *(number * 0.1 for number in range(0, 70, 3)), 100.0]  # 0.3 and 0.30000000000000004
    parts = (sample_frames(file, 5.0, start=start, end=end) for start, end in pairwise(borders))
    assert numbers_of(chain.from_iterable(parts)) == whole


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_what_comes_before_a_stretch_is_not_decoded(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_barcodes(tmp_path / f"video.{ending}", steady_times(600, start=2.0), bf=3, g=60)
    read = []

    def counted(source: containers.OpenVideo) -> Iterator[av.Packet]:
        for packet in containers.read_packets(source):
            read.append(packet)
            yield packet

    monkeypatch.setattr(decoding, "read_packets", counted)
    assert numbers_of(sample_frames(file, 25.0, start=20.0, end=20.2)) == [500, 501, 502, 503, 504]
    assert len(read) < 150


def test_a_stretch_of_a_file_without_an_index_is_still_exact(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mkv", steady_times(200), bf=3, g=20)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 3 // 4])  # the index stands at the end
    whole = list(sample_frames(file, 10.0, allow_truncated=True))
    assert len(whole) > 40
    part = list(sample_frames(file, 10.0, start=3.0, end=4.0, allow_truncated=True))
    assert numbers_of(part) == numbers_of(whole[30:40])
    assert list(sample_frames(file, 10.0, start=7.5, allow_truncated=True)) == []
    with pytest.raises(BadInput, match="allow_truncated"):
        list(sample_frames(file, 10.0, start=7.5))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "avi", "ts"])
def test_a_file_that_is_cut_gives_what_it_has_or_says_how_much(ending: str, tmp_path: Path) -> None:
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(ending, "libx264")
    options = {"movflags": "faststart"} if ending == "mp4" else {}
    file = write_barcodes(
        tmp_path / f"video.{ending}", steady_times(100), codec, base=RATE, grain=100, container_options=options
    )
    content, found = file.read_bytes(), []
    for tenth in range(1, 10):
        file.write_bytes(content[: len(content) * tenth // 10])
        try:
            frames = list(sample_frames(file, 25.0, allow_truncated=True))
        except BadInput as error:
            assert tenth <= 3 and str(file) in str(error)
            continue
        found.append(len(frames))
        # The last one that is stored can be half a picture, and three B-frames are shown before it.
        assert numbers_of(frames)[:-4] == list(range(len(frames)))[:-4]
        assert times_of(frames)[:-4] == pytest.approx(steady_times(len(frames))[:-4], abs=1.1e-3)
        if ending == "ts":  # which states no length
            assert len(list(sample_frames(file, 25.0))) == len(frames)
        elif len(frames) < 75:
            with pytest.raises(BadInput, match=r"of its 4\.0 seconds .* allow_truncated") as caught:
                list(sample_frames(file, 25.0))
            said = float(str(caught.value).split(": only ")[1].split()[0])
            assert said == pytest.approx(len(frames) / 25, abs=0.1)
    assert found == sorted(found) and len(found) >= 6
    assert found[0] < 50 and found[-1] >= 70


def test_an_index_at_the_end_that_is_cut_off_is_a_clear_refusal(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(50))
    file.write_bytes(file.read_bytes()[:-200])
    for allow in (False, True):
        with pytest.raises(BadInput, match="cannot be read as a video"):
            list(sample_frames(file, 25.0, allow_truncated=allow))


def test_a_file_without_one_picture_is_refused(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(20), container_options={"movflags": "faststart"})
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"mdat") + 8])
    none = write_barcodes(tmp_path / "none.avi", [], "mpeg4", base=RATE)
    for empty in (file, none):
        for read in (probe_video, lambda name: list(sample_frames(name, 5.0, allow_truncated=True))):
            with pytest.raises(BadInput, match="not one picture") as caught:
                read(empty)
            assert str(empty) in str(caught.value)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_is_no_video_and_its_cover_is_none_either(cover: bool, tmp_path: Path) -> None:
    file = tmp_path / "song.mp4"
    with av.open(file, "w") as container:
        sound = container.add_stream("aac", 44100)
        if cover:
            picture = container.add_stream("mjpeg", 25)
            picture.width, picture.height, picture.pix_fmt = 48, 32, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8), "rgb24")))
            container.mux(picture.encode())
        for number in range(20):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 44100, number * 1024
            container.mux(sound.encode(samples))
        container.mux(sound.encode())
    for read in (probe_video, lambda name: list(sample_frames(name, 5.0))):
        with pytest.raises(BadInput, match="has no video stream"):
            read(file)


def test_a_codec_that_is_not_known_is_named_as_the_reason(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.avi", steady_times(5), "mjpeg", base=RATE, pixels="yuvj420p")
    file.write_bytes(file.read_bytes().replace(b"MJPG", b"zzzz"))
    for read in (probe_video, lambda name: list(sample_frames(name, 5.0))):
        with pytest.raises(BadInput, match="a codec that is not known"):
            read(file)


def test_a_raw_stream_has_the_rate_that_it_says(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.h264", steady_times(30, 10), base=Fraction(1, 10), bf=2)
    frames = list(sample_frames(file, 10.0))
    assert (numbers_of(frames), times_of(frames)) == (list(range(30)), pytest.approx(steady_times(30, 10)))
    assert (probe_video(file).duration, probe_video(file).fps) == pytest.approx((3.0, 10.0))


def test_frames_that_an_avi_leaves_out_stay_on_show(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.24, 0.6]
    file = write_barcodes(tmp_path / "video.avi", times, "mjpeg", base=RATE, pixels="yuvj420p")
    frames = list(sample_frames(file, 25.0))
    assert numbers_of(frames) == on_show(times, [(i + 0.5) / 25 for i in range(16)])
    assert sorted({frame.time for frame in frames}) == pytest.approx(times)


def decode_numbers(file: Path) -> list[tuple[int, float]]:
    """Numbers and times, in milliseconds."""
    shown = decoding.decode_frames(file, DecodingReport())
    return [(number_of(one.frame.to_ndarray(format="rgb24")), round(one.time * 1000)) for one in shown]


BROKEN = {
    "repeated": ([0, 40, 40, 120, 160], [0, 40, 80, 120, 160]),
    "all the same": ([100] * 5, [0, 40, 80, 120, 160]),
    "one goes back": ([0, 40, 80, 20, 160, 200], [0, 40, 80, 120, 160, 200]),
    "joined": ([1000, 1040, 1080, 10, 60, 100], [0, 40, 80, 120, 170, 210]),
    "a long still": ([0, 40, 100_000, 100_040], [0, 40, 100_000, 100_040]),
    "a start before zero": ([-80, -40, 0, 40], [0, 40, 80, 120]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_times_are_fixed_and_no_frame_is_lost(name: str) -> None:
    stamps, expected = BROKEN[name]
    clock = FrameClock(0.04, np.inf)
    times = np.array([clock.advance(stamp / 1000) for stamp in stamps])
    assert times - times[0] == pytest.approx(np.array(expected) / 1000)


@pytest.mark.parametrize("name", ["repeated", "one goes back", "joined", "a long still"])
def test_broken_times_in_a_file_are_fixed(name: str, tmp_path: Path) -> None:
    stamps, expected = BROKEN[name]
    assert decode_numbers(write_stamped(tmp_path / "video.mkv", stamps)) == list(enumerate(expected))


def test_a_clock_without_times_counts_and_no_step_beyond_its_longest_is_trusted() -> None:
    clock = FrameClock(0.04, 10.0)
    stamps = [None, None, 5.0, None, 95_000.0, 95_000.1, 7.0]
    assert [clock.advance(stamp) for stamp in stamps] == pytest.approx([0.0, 0.04, 5.0, 5.04, 5.08, 5.18, 7.0])


def test_broadcasts_that_are_joined_are_one_video_of_one_size(tmp_path: Path) -> None:
    first = write_barcodes(tmp_path / "first.ts", steady_times(40, start=50.0), base=RATE, bf=2)
    second = write_barcodes(
        tmp_path / "second.ts", steady_times(40, start=3.0), base=RATE, bf=2, first=40, size=(64, 96)
    )
    third = write_barcodes(tmp_path / "third.ts", steady_times(40, start=900.0), base=RATE, bf=2, first=80)
    file = tmp_path / "joined.ts"
    file.write_bytes(first.read_bytes() + second.read_bytes() + third.read_bytes())
    frames = list(sample_frames(file, 25.0))
    assert numbers_of(frames) == list(range(120))
    assert times_of(frames) == pytest.approx(steady_times(120), abs=0.002)
    assert {frame.image.shape for frame in frames} == {(32, 48, 3)}
    assert probe_video(file).duration == pytest.approx(4.8, abs=0.05)
    assert numbers_of(sample_frames(file, 25.0, start=3.0, end=3.2)) == [75, 76, 77, 78, 79]


MEASURED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from snippets import read_clips, read_pairs, read_stacks
from untrimmed.video.sampling import sample_frames
file = Path(sys.argv[1])
def peak():
    # Not getrusage, which begins with the peak of the process that started this one.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
next(read_pairs(file, 1.0, 0.1, 32))
before, counts = peak(), []
for read in (
    sample_frames(file, 0.01), read_pairs(file, 5.0, 0.4), read_clips(file, 16, 8), read_stacks(file, 0.5, 11)
):
    counts.append(sum(1 for _ in read))
print(peak() - before, *counts)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was used")
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path: Path) -> None:
    file = write_long(tmp_path / "long.mkv", 20_000)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        check=True,
    )
    growth, *counts = (float(word) for word in done.stdout.split())
    assert counts == [8, 4000, 2500, 400]
    assert growth < 20  # megabytes; all the frames take 160


def test_pairs_of_a_joined_broadcast_look_across_the_join(tmp_path: Path) -> None:
    first = write_barcodes(tmp_path / "first.ts", steady_times(25, start=50.0), base=RATE)
    second = write_barcodes(tmp_path / "second.ts", steady_times(25), base=RATE, first=25)
    (tmp_path / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
    found = list(read_pairs(tmp_path / "joined.ts", 25.0, 0.08))
    pairs = [(number_of(moment.earlier.image), number_of(moment.later.image)) for moment in found]
    assert pairs[:48] == [(i, i + 2) for i in range(48)]
