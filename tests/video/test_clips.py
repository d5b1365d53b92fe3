"""Windows of frames: which frames, around which time, and what happens at the two ends of a video."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from barcodes import numbers_of, on_show, steady_times, write_barcodes
from snippets import read_clips, read_stacks
from untrimmed.features.grid import Grid
from untrimmed.io import BadInput
from untrimmed.video.clips import FrameClip
from untrimmed.video.sampling import sample_frames

RATE = Fraction(1, 25)


def numbers(found: list[FrameClip]) -> list[list[int]]:
    return [numbers_of(clip.frames) for clip in found]


def windows(count: int, length: int, stride: int) -> list[list[int]]:
    """Frame numbers by plain counting: every clip whose middle is reached, and at least one."""
    starts = [0, *(s for s in range(stride, count, stride) if s + length / 2 <= count)]
    return [[min(number, count - 1) for number in range(s, s + length)] for s in starts]


@pytest.mark.parametrize(("length", "stride"), [(16, 4), (16, 8), (16, 16), (5, 12), (1, 1), (1, 7)])
@pytest.mark.parametrize("count", [1, 7, 16, 50])
def test_a_clip_is_successive_frames_and_the_middle_of_what_they_cover(
    length: int, stride: int, count: int, tmp_path: Path
) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(count), base=RATE, bf=2)
    found = list(read_clips(file, length, stride))
    assert numbers(found) == windows(count, length, stride)
    grid = Grid.from_frames(stride, length, 25.0)
    assert [clip.time for clip in found] == pytest.approx([grid.seconds(i + 0.5) for i in range(len(found))])
    assert [frame.time for frame in found[-1].frames] == pytest.approx([n / 25 for n in numbers(found)[-1]])


@pytest.mark.parametrize(("length", "stride"), [(16, 4), (8, 8), (3, 10)])
def test_clips_at_a_rate_are_windows_of_what_sample_gives(length: int, stride: int, tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(70, 30), base=Fraction(1, 30), bf=2)
    seen = numbers_of(sample_frames(file, 12.0))
    found = list(read_clips(file, length, stride, 12.0))
    assert numbers(found) == [[seen[place] for place in row] for row in windows(len(seen), length, stride)]
    grid = Grid.from_frames(stride, length, 12.0)
    assert [clip.time for clip in found] == pytest.approx([grid.seconds(i + 0.5) for i in range(len(found))])


@pytest.mark.parametrize("length", [1, 2, 6, 11])
@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
def test_a_stack_is_the_frames_about_the_one_on_show(length: int, fps: float, tmp_path: Path) -> None:
    times = (np.cumsum(np.random.default_rng(6).choice([0.02, 0.04, 0.2], 60)) + 1).round(3).tolist()
    file = write_barcodes(tmp_path / "video.mkv", times, bf=2)
    found = list(read_stacks(file, fps, length))
    centres = [(i + 0.5) / fps for i in range(len(list(sample_frames(file, fps))))]
    before = (length - 1) // 2
    expected = [
        [min(max(number, 0), 59) for number in range(place - before, place - before + length)]
        for place in on_show(times, centres)
    ]
    assert numbers(found) == expected
    assert [clip.time for clip in found] == pytest.approx(centres)


def test_frames_between_clips_are_not_made_into_pictures_and_shared_ones_once(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(40), base=RATE)
    overlapping = list(read_clips(file, 16, 8))
    assert overlapping[0].frames[8] is overlapping[1].frames[0]
    about = list(read_stacks(file, 12.5, 5))
    assert about[3].frames[2] is about[4].frames[0]


@pytest.mark.parametrize(
    "read", [lambda file, allow: read_clips(file, 16, 8, allow_truncated=allow),
             lambda file, allow: read_clips(file, 8, 4, 10.0, allow_truncated=allow),
             lambda file, allow: read_stacks(file, 5.0, 6, allow_truncated=allow)]
)  # fmt: skip
def test_half_a_file_is_refused_unless_that_is_allowed(read: Callable, tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mkv", steady_times(150), base=RATE)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"of its 6\.0 seconds"):
        list(read(file, False))
    assert len(list(read(file, True))) > 3


def test_clips_without_sense_are_refused(tmp_path: Path) -> None:
    file = write_barcodes(tmp_path / "video.mp4", steady_times(5))
    for read in (
        lambda: read_clips(file, 0, 4),
        lambda: read_clips(file, 16, 0),
        lambda: read_clips(file, 16, 4, 0.0),
        lambda: read_stacks(file, 5.0, 0),
        lambda: read_stacks(file, -1.0, 6),
        lambda: sample_frames(file, 5.0, start=float("nan")),
        lambda: sample_frames(file, float("inf")),
    ):
        with pytest.raises(ValueError):
            next(read())
