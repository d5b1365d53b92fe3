"""Several frames of a video at a time, for networks that see motion in them."""

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from untrimmed.video import decoding
from untrimmed.video.decoding import Shown
from untrimmed.video.sampling import ROUNDING, Chosen, Frame, Pictures, around, centre, check_rate, chosen, first_from


class Clip(NamedTuple):
    """Frames in order, and the time of the middle of what they cover, in seconds from the video's first frame.

    Clips that overlap share their frames: copy a picture before you write to it.
    """

    time: float
    frames: tuple[Frame, ...]


def clips(
    path: Path,
    length: int,
    stride: int,
    fps: float | None = None,
    size: int | None = None,
    *,
    start: float = 0.0,
    end: float = inf,
    allow_truncated: bool = False,
) -> Iterator[Clip]:
    """Windows of `length` frames, one every `stride` frames, for I3D, C3D, P3D (16 frames, one every 4 or 8).

    Frames are the video's own or, given `fps`, the ones that `sample` gives at that rate. Clip i has frames
    i * stride to i * stride + length - 1. Its time is the middle between the showing of its first frame and the
    end of its last; with `fps`, (i * stride + length / 2) / fps, as `Grid.from_frames(stride, length, fps)` has it.

    There is a clip for every i whose middle the video reaches, and at least one. At the end of the video, where
    frames are missing from the second half of a clip (or from a video shorter than that), the last one is repeated,
    as if it stayed on show; published features usually leave such clips out.

    `start` and `end` choose the clips with their time in [start, end). With `fps`, what comes before is not decoded
    where the container allows it; without, it is, for frames must be counted. No more than `length` pictures are
    held. `size`, BadInput and `allow_truncated` are as in `sample`.
    """
    if length < 1 or stride < 1:
        raise ValueError(f"clips of {length} frames every {stride} frames: both must be 1 or more")
    pictures, first = Pictures(size), 0
    if fps is None:
        spans = _own(path, pictures, allow_truncated)
    else:
        first = max(0, first_from(start, fps, stride, length / 2) - 1)
        spans = _resampled(path, fps, first * stride, pictures, allow_truncated)
    for clip in _windows(spans, length, stride, first, pictures):
        if clip.time >= end:
            return
        if clip.time >= start:
            yield clip


def clips_of(frames: Iterator[Shown], length: int, stride: int, fps: float, pictures: Pictures) -> Iterator[Clip]:
    """The clips that `clips` gives at a rate, out of frames as they come; none where none come."""
    return _windows(_at_rate(around(frames, fps, 0.0), fps), length, stride, 0, pictures)


def stacks(
    path: Path, fps: float, length: int, size: int | None = None, *, allow_truncated: bool = False
) -> Iterator[Clip]:
    """For each snippet of a grid of `fps` a second, `length` successive frames of the video about the one on show.

    For two-stream networks (TSN), whose flow is between neighbours in the video however far apart its snippets are:
    a stack of 5 flow pictures needs 6 frames. (length - 1) // 2 of them come before the one that `sample` gives;
    where the video has no more, its first or last one is repeated. A clip's time is the centre of its snippet. No
    more than the frames about one centre are held. `size`, BadInput and `allow_truncated` are as in `sample`.
    """
    pictures = Pictures(size)
    ended = yield from stacks_of(decoding.frames(path, pictures.reading), fps, length, pictures)
    if not allow_truncated:
        pictures.reading.check_complete(path, ended)


def stacks_of(frames: Iterator[Shown], fps: float, length: int, pictures: Pictures) -> Generator[Clip, None, float]:
    """The same out of frames as they come, none where none come; returns when the last of them is gone."""
    check_rate(fps)
    if length < 1:
        raise ValueError(f"stacks of {length} frames: there must be 1 or more")
    recent, snippet = deque[_Seen](), 0
    for shown in frames:
        recent.append(_Seen(shown))
        while (place := _on_show(recent, centre(snippet, fps))) + length // 2 < len(recent) - 1:
            yield Clip(centre(snippet, fps), _about(recent, place, length, pictures))
            snippet += 1
        for _ in range(place - (length - 1) // 2):
            recent.popleft()
    ended = recent[-1].shown.end if recent else -inf
    while (recent and snippet == 0) or centre(snippet, fps) <= ended + ROUNDING:
        place = _on_show(recent, centre(snippet, fps))
        yield Clip(centre(snippet, fps), _about(recent, place, length, pictures))
        snippet += 1
    return ended


class _Span(NamedTuple):
    """The seconds that a frame of a clip stands for."""

    start: float
    end: float
    shown: Shown


@dataclass
class _Seen:
    """A frame that becomes a picture once, when it is first needed."""

    shown: Shown
    frame: Frame | None = None

    def picture(self, pictures: Pictures) -> Frame:
        self.frame = self.frame or pictures.of(self.shown)
        return self.frame


def _own(path: Path, pictures: Pictures, allow_truncated: bool) -> Iterator[_Span]:
    ended = 0.0
    for shown in decoding.frames(path, pictures.reading):
        ended = shown.end
        yield _Span(shown.time, shown.end, shown)
    if not allow_truncated:
        pictures.reading.check_complete(path, ended)


def _resampled(path: Path, fps: float, first: int, pictures: Pictures, allow_truncated: bool) -> Iterator[_Span]:
    return _at_rate(chosen(path, fps, 0.0, pictures.reading, allow_truncated, first), fps, first)


def _at_rate(found: Iterator[Chosen], fps: float, first: int = 0) -> Iterator[_Span]:
    for snippet, one in enumerate(found, first):
        yield _Span(snippet / fps, (snippet + 1) / fps, one.frame)


def _windows(spans: Iterator[_Span], length: int, stride: int, clip: int, pictures: Pictures) -> Iterator[Clip]:
    """Clips from number `clip`; the first of the spans is that of its first frame."""
    held: deque[tuple[_Span, Frame]] = deque(maxlen=length)
    count = clip * stride
    for span in spans:
        count += 1
        if (count - 1) % stride >= length:
            continue  # between two clips
        held.append((span, pictures.of(span.shown)))
        if count == clip * stride + length:
            yield _clip(list(held), length)
            clip += 1
    while count and (clip == 0 or clip * stride + length / 2 <= count):
        yield _clip(list(held)[clip * stride - count :], length)
        clip += 1


def _clip(parts: list[tuple[_Span, Frame]], length: int) -> Clip:
    (first, _), (last, still) = parts[0], parts[-1]
    absent = length - len(parts)
    ended = last.end + absent * (last.end - last.start)
    return Clip((first.start + ended) / 2, tuple(frame for _, frame in parts) + (still,) * absent)


def _on_show(recent: deque[_Seen], time: float) -> int:
    places = range(len(recent) - 1, 0, -1)
    return next((place for place in places if recent[place].shown.time <= time + ROUNDING), 0)


def _about(recent: deque[_Seen], place: int, length: int, pictures: Pictures) -> tuple[Frame, ...]:
    first = place - (length - 1) // 2
    places = (min(max(number, 0), len(recent) - 1) for number in range(first, first + length))
    return tuple(recent[number].picture(pictures) for number in places)
