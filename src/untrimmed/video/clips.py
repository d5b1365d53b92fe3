"""Samples several frames of a video at a time, for networks that see motion in them."""

from collections import deque
from collections.abc import Generator, Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from untrimmed.video.decoding import DecodedFrame, decode_complete
from untrimmed.video.sampling import (
    ROUNDING,
    Frame,
    PictureConverter,
    check_frame_rate,
    decode_pairs,
    find_first_window,
    find_on_show,
    pair_frames,
    snippet_centre,
)


class FrameClip(NamedTuple):
    """Frames in order, and the middle of the time that they cover, in seconds from the video's first frame.

    Clips that overlap share their frames: copy a picture before you write to it.
    """

    time: float
    frames: tuple[Frame, ...]


def sample_clips(
    path: str | Path,
    length: int,
    stride: int,
    fps: float | None = None,
    size: int | None = None,
    *,
    start: float = 0.0,
    end: float = inf,
    allow_truncated: bool = False,
) -> Iterator[FrameClip]:
    """Yield windows of `length` frames, one every `stride` frames, for I3D, C3D, P3D (16 frames, one every 4 or 8).

    Frames are the video's own or, given `fps`, the ones that `sample_frames` gives at that rate. Clip i has frames
    i * stride to i * stride + length - 1. Its time is the middle between the beginning of its first frame and the
    end of its last; with `fps`, (i * stride + length / 2) / fps, as `Grid.from_frames(stride, length, fps)` has it.

    There is a clip for every i whose middle the video reaches, and at least one. At the end of the video, where
    frames are missing from the second half of a clip (or from a video shorter than that), the last one is repeated,
    as if it stayed on show; published features usually leave such clips out.

    `start` and `end` select the clips with their time in [start, end). With `fps`, frames before them are not decoded
    where the container allows it; without, they are, because frames must be counted. No more than `length` pictures
    are in memory. `size`, BadInput and `allow_truncated` are as in `sample_frames`.
    """
    if length < 1 or stride < 1:
        raise ValueError(f"clips of {length} frames every {stride} frames: both must be 1 or more")
    path, converter, first = Path(path), PictureConverter(size), 0
    if fps is None:
        frames = decode_complete(path, converter.report, allow_truncated)
    else:
        first = max(0, find_first_window(start, fps, stride, length / 2) - 1)
        pairs = decode_pairs(path, fps, 0.0, converter.report, allow_truncated, first * stride)
        frames = (pair.frame for pair in pairs)
    for clip in _cut(frames, length, stride, fps, converter, first):
        if clip.time >= end:
            return
        if clip.time >= start:
            yield clip


def cut_clips(
    frames: Iterator[DecodedFrame], length: int, stride: int, fps: float, pictures: PictureConverter
) -> Iterator[FrameClip]:
    """Yield the clips of `sample_clips` at a rate while frames arrive; nothing where there are none."""
    return _cut((pair.frame for pair in pair_frames(frames, fps, 0.0)), length, stride, fps, pictures)


def sample_stacks(
    path: str | Path, fps: float, length: int, size: int | None = None, *, allow_truncated: bool = False
) -> Iterator[FrameClip]:
    """Yield for each snippet, `fps` a second, `length` successive frames of the video around the one on show.

    For two-stream networks (TSN), whose flow is between neighbours in the video however far apart its snippets are:
    a stack of 5 flow pictures needs 6 frames. (length - 1) // 2 of them come before the one that `sample_frames`
    gives; where the video has no more, its first or last one is repeated. A clip's time is the centre of its snippet.
    No more than the frames around one centre are in memory. `size`, BadInput and `allow_truncated` are as in
    `sample_frames`.
    """
    converter = PictureConverter(size)
    frames = decode_complete(Path(path), converter.report, allow_truncated)
    return cut_stacks(frames, fps, length, converter)


def cut_stacks(
    frames: Iterator[DecodedFrame], fps: float, length: int, pictures: PictureConverter
) -> Generator[FrameClip, None, float]:
    """Yield the stacks of `sample_stacks` while frames arrive; nothing where there are none.

    Returns when the last frame ends, in seconds.
    """
    check_frame_rate(fps)
    if length < 1:
        raise ValueError(f"stacks of {length} frames: there must be 1 or more")
    recent, snippet, centre = deque[DecodedFrame](), 0, snippet_centre(0, fps)
    converted: dict[float, Frame] = {}

    def build() -> FrameClip:
        nonlocal converted
        first = index - (length - 1) // 2
        stack = [recent[min(max(i, 0), len(recent) - 1)] for i in range(first, first + length)]
        # Each stack shares frames with the one before it; none is converted twice.
        converted = {frame.time: converted.get(frame.time) or pictures.convert(frame) for frame in stack}
        return FrameClip(centre, tuple(converted[frame.time] for frame in stack))

    for frame in frames:
        recent.append(frame)
        while (index := find_on_show(recent, centre)) + length // 2 < len(recent) - 1:
            yield build()
            snippet, centre = snippet + 1, snippet_centre(snippet + 1, fps)
        for _ in range(index - (length - 1) // 2):
            recent.popleft()
    end = recent[-1].end if recent else -inf
    while (recent and snippet == 0) or centre <= end + ROUNDING:
        index = find_on_show(recent, centre)
        yield build()
        snippet, centre = snippet + 1, snippet_centre(snippet + 1, fps)
    return end


def _cut(
    frames: Iterator[DecodedFrame],
    length: int,
    stride: int,
    fps: float | None,
    pictures: PictureConverter,
    clip: int = 0,
) -> Iterator[FrameClip]:
    """Yield clips from number `clip` on; `frames` must begin with its first frame."""
    recent: deque[tuple[DecodedFrame, Frame]] = deque(maxlen=length)

    def build(parts: list[tuple[DecodedFrame, Frame]]) -> FrameClip:
        (first, _), (last, still) = parts[0], parts[-1]
        absent = length - len(parts)
        end = last.end + absent * (last.end - last.time)
        # By the very sum of `find_first_window`.
        time = (clip * stride + length / 2) / fps if fps else (first.time + end) / 2
        return FrameClip(time, tuple(picture for _, picture in parts) + (still,) * absent)

    count = clip * stride
    for frame in frames:
        count += 1
        if (count - 1) % stride >= length:
            continue  # between two clips
        recent.append((frame, pictures.convert(frame)))
        if count == clip * stride + length:
            yield build(list(recent))
            clip += 1
    while count and (clip == 0 or clip * stride + length / 2 <= count):
        yield build(list(recent)[clip * stride - count :])
        clip += 1
