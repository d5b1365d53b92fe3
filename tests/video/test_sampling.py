"""Frames by the time at which they are shown, against a plain computation on videos whose frames show a number."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barcodes import barcode, number_of, numbers_of, on_show, rotate_video, steady_times, write_barcodes
from snippets import read_pairs
from untrimmed.io import BadInput
from untrimmed.video.probe import probe_video
from untrimmed.video.sampling import pair_frames, sample_frames
from untrimmed.video.writer import write_video

CASES = {
    "constant rate": [i * 0.04 for i in range(100)],
    "a rate below the sampling rate": [i * 0.5 for i in range(12)],
    "variable rate": np.cumsum([0.0, *np.random.default_rng(1).choice([0.02, 0.033, 0.1, 0.7], 60)])
    .round(3)
    .tolist(),
    "a start at 1.5 s": [1.5 + i * 0.04 for i in range(60)],
    "one frame": [0.0],
}


def centres(count: int, fps: float) -> list[float]:
    return [(snippet + 0.5) / fps for snippet in range(count)]


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize("bframes", [0, 3])
@pytest.mark.parametrize("times", CASES.values(), ids=CASES.keys())
def test_each_snippet_has_the_frame_that_is_on_show_at_its_centre(
    times: list[float], bframes: int, ending: str, tmp_path: Path
) -> None:
    file = write_barcodes(tmp_path / f"video.{ending}", times, bf=bframes, g=12)
    frames = list(sample_frames(file, 5.0))
    assert numbers_of(frames) == on_show(times, centres(len(frames), 5.0))
    assert [frame.time for frame in frames] == pytest.approx(
        [times[number] - times[0] for number in numbers_of(frames)], abs=1e-3
    )


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_frame_that_begins_at_a_centre_is_taken_though_its_time_is_rounded(ending: str, tmp_path: Path) -> None:
    """Thirty frames a second at fifteen: Matroska has 0.167 for the centre 0.1666..."""
    file = write_barcodes(tmp_path / f"video.{ending}", steady_times(60, 30), base=Fraction(1, 30))
    assert numbers_of(sample_frames(file, 15.0)) == list(range(1, 60, 2))


def test_there_is_a_frame_for_every_snippet_whose_centre_the_video_reaches(tmp_path: Path) -> None:
    for count in (1, 2, 3, 7, 25, 26, 28):
        write_video(tmp_path / "video.mp4", (barcode(i) for i in range(count)), 25)
        assert len(list(sample_frames(tmp_path / "video.mp4", 5.0))) == max(1, int(count / 25 * 5 + 0.5))


@settings(max_examples=15, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.02, 0.033, 0.04, 0.1, 0.9]), min_size=1, max_size=40),
    fps=st.sampled_from([0.7, 5.0, 12.5]),
    gap=st.sampled_from([0.0, 1 / 15, 0.5]),
)
def test_a_frame_is_paired_with_the_first_one_a_gap_later(
    gaps: list[float], fps: float, gap: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    times = np.cumsum([0.0, *gaps]).round(3)
    file = write_barcodes(tmp_path_factory.mktemp("moments") / "video.mkv", times.tolist(), bf=2, g=12)
    found = list(read_pairs(file, fps, gap))
    assert [number_of(moment.frame.image) for moment in found] == on_show(times.tolist(), centres(len(found), fps))
    for moment in found:
        first = number_of(moment.frame.image)
        later = [i for i in range(first, len(times)) if times[i] - times[first] >= gap - 1e-6]
        earlier = [i for i in range(first) if times[first] - times[i] >= gap - 1e-6]
        if later:
            pair = first, later[0]
        elif earlier:
            pair = earlier[-1], first
        else:
            pair = (0, len(times) - 1) if first in (0, len(times) - 1) else (0, first)
        assert (number_of(moment.earlier.image), number_of(moment.later.image)) == pair


def test_the_last_pair_looks_back_by_the_gap(tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", (barcode(i) for i in range(90)), 25)
    last = list(read_pairs(tmp_path / "video.mp4", 1.0, 0.4))[-1]
    assert (number_of(last.earlier.image), number_of(last.later.image)) == (77, 87)
    assert last.frame is last.later


def test_a_frame_is_scaled_to_its_shorter_side_and_odd_sizes_are_read(tmp_path: Path) -> None:
    for ending in ("mkv", "mp4"):
        file = write_barcodes(tmp_path / f"video.{ending}", [0.0, 0.04], size=(33, 161), pixels="yuv444p")
        assert next(sample_frames(file, 5.0)).image.shape == (33, 161, 3)
        assert next(sample_frames(file, 5.0, 20)).image.shape == (20, 98, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_upright(degrees: int, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mp4", (barcode(0b0011_0000_1100_0111) for _ in range(10)), 25)
    plain = next(sample_frames(tmp_path / "video.mp4", 5.0)).image
    file = rotate_video(tmp_path / "video.mp4", degrees)
    upright = np.rot90(plain, -degrees // 90)  # clockwise
    assert np.array_equal(next(sample_frames(file, 5.0)).image, upright)
    assert next(sample_frames(file, 5.0, 16)).image.shape == (upright.shape[0] // 2, upright.shape[1] // 2, 3)
    assert (probe_video(file).height, probe_video(file).width) == upright.shape[:2]


def test_a_file_that_is_no_video_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("a letter\n" * 50)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "words.mp4").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    for name, reason in (
        ("text.mp4", "cannot be read as a video"),
        ("empty.mp4", "cannot be read as a video"),
        ("words.mp4", "no video stream"),
        ("absent.mp4", "no such video"),
        ("", "is a folder"),
    ):
        for read in (probe_video, lambda file: list(sample_frames(file, 5.0))):
            with pytest.raises(BadInput, match=reason) as caught:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)


@pytest.mark.data
def test_a_real_video_is_sampled_to_its_end(data: Path) -> None:
    frames = list(sample_frames(data / "videos/asl_untrimmed.mp4", 5.0, 32))
    assert len(frames) == 221
    assert [frame.time for frame in frames] == pytest.approx([i / 5 + 0.1 for i in range(220)] + [44.0667], abs=1e-3)


def test_where_no_frame_arrives_there_is_no_pair() -> None:
    assert list(pair_frames(iter([]), 5.0, 0.1)) == []
