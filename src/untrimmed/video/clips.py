"""Cuts the frames of a video into clips and stacks, for networks that see motion in them."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from untrimmed.video.decoding import DecodedFrame
from untrimmed.video.sampling import (
    ROUNDING,
    Frame,
    PictureConverter,
    check_frame_rate,
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


def cut_clips(
    frames: Iterator[DecodedFrame], length: int, stride: int, fps: float, pictures: PictureConverter, first: int = 0
) -> Iterator[FrameClip]:
    """Yield windows of `length` frames, one every `stride` frames, for I3D, C3D, P3D (16 frames, one every 4 or 8).

    The frames are those on show at the centres of a grid of `fps` a second, as in `sample_frames`; each clip is
    yielded once they have arrived. Clip i has frames i * stride to i * stride + length - 1, and its time is
    (i * stride + length / 2) / fps, as `Grid.from_frames(stride, length, fps)` has it.

    There is a clip for every i from `first` on whose middle the video reaches, and at least one unless there are no
    frames. At the end of the video, where frames are missing from the second half of a clip (or from a video shorter
    than that), the last one is repeated, as if it stayed on show; published features usually leave such clips out. No
    more than `length` pictures are in memory.
    """
    if length < 1 or stride < 1:
        raise ValueError(f"clips of {length} frames every {stride} frames: both must be 1 or more")
    recent, count, clip = deque[Frame](maxlen=length), first * stride, first

    def build(parts: list[Frame]) -> FrameClip:
        return FrameClip((clip * stride + length / 2) / fps, (*parts, *[parts[-1]] * (length - len(parts))))

    for pair in pair_frames(frames, fps, 0.0, count):
        count += 1
        if (count - 1) % stride >= length:
            continue  # between two clips
        recent.append(pictures.convert(pair.frame))
        if count == clip * stride + length:
            yield build(list(recent))
            clip += 1
    while recent and (clip == 0 or clip * stride + length / 2 <= count):
        yield build(list(recent)[clip * stride - count :])
        clip += 1


def cut_stacks(
    frames: Iterator[DecodedFrame], fps: float, length: int, pictures: PictureConverter, first: int = 0
) -> Iterator[FrameClip]:
    """Yield for each snippet, `fps` a second, `length` successive frames of the video around the one on show.

    For two-stream networks (TSN), whose flow is between neighbours in the video however far apart its snippets are:
    a stack of 5 flow pictures needs 6 frames. (length - 1) // 2 of them come before the one that `sample_frames`
    gives; where the video has no more, its first or last one is repeated. A clip's time is the centre of its snippet.
    The first is that of snippet `first`. There is no clip where there are no frames. No more than the frames around
    one centre are in memory.
    """
    check_frame_rate(fps)
    if length < 1:
        raise ValueError(f"stacks of {length} frames: there must be 1 or more")
    recent, snippet, centre = deque[DecodedFrame](), first, snippet_centre(first, fps)
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
    while recent and (snippet == 0 or centre <= recent[-1].end + ROUNDING):
        index = find_on_show(recent, centre)
        yield build()
        snippet, centre = snippet + 1, snippet_centre(snippet + 1, fps)
