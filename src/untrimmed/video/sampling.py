"""Samples the frames of a video at the centres of snippets, by the time at which they are shown, as pictures."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from math import ceil, inf
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from untrimmed.video.containers import EQUAL
from untrimmed.video.decoding import DecodedFrame, DecodingReport, decode_complete

Picture = UInt8[np.ndarray, "height width 3"]

# Seconds. Matroska, for one, rounds times to a millisecond, and that must not decide which frame is on show.
ROUNDING = 1e-3


class Frame(NamedTuple):
    """An RGB picture and when it is shown, in seconds from the first frame of its video."""

    time: float
    image: Picture


AnyFrame = TypeVar("AnyFrame", Frame, DecodedFrame)


@dataclass(frozen=True, slots=True)
class FramePair(Generic[AnyFrame]):
    """The frame on show at the centre of a snippet, and the two frames to see motion between.

    `frame` is one of the two: `earlier`, or `later` at the end of a video.
    """

    frame: AnyFrame
    earlier: AnyFrame
    later: AnyFrame


def sample_frames(
    path: str | Path,
    fps: float,
    size: int | None = None,
    *,
    start: float = 0.0,
    end: float = inf,
    allow_truncated: bool = False,
) -> Iterator[Frame]:
    """Yield the frame for each snippet of a grid of `fps` touching snippets a second, in order.

    Snippet i covers [i / fps, (i + 1) / fps) seconds from the first frame, and its frame is the one that is on show
    at its centre, (i + 0.5) / fps: the last that begins then or before, give or take a millisecond. There is one for
    every snippet whose centre the video reaches, and at least one. `size` is the shorter side to scale to, in pixels;
    None keeps that of the file. All pictures have the size of the first, also where the file changes it.

    `start` and `end` select the snippets with their centre in [start, end) seconds. Frames before them are not
    decoded where the container allows it: `decode_frames` says where, and how broken times are fixed. Memory is
    that of a few frames, however long the video is.

    Raises BadInput for an unusable file; for a file that ends early, when all of it is decoded and unless
    `allow_truncated`.
    """
    first, converter = find_first_snippet(start, fps), PictureConverter(size)
    length = None if end == inf else max(0, find_first_snippet(end, fps) - first)
    first_time = snippet_centre(first, fps) if first else 0.0
    frames = decode_complete(Path(path), converter.report, allow_truncated, first_time)
    for pair in islice(pair_frames(frames, fps, 0.0, first), length):
        yield converter.convert(pair.frame)


class PictureConverter:
    """Converts the decoded frames of one file to upright RGB pictures of one size.

    That is the size of the first frame, scaled to a shorter side of `size` pixels unless that is None.
    """

    def __init__(self, size: int | None) -> None:
        self.size, self.report = size, DecodingReport()
        self._scaler = VideoReformatter()

    def convert(self, decoded: DecodedFrame) -> Frame:
        """Convert a frame; its file must have been decoded with this converter's `report`."""
        height, width, turns = self.report.height, self.report.width, self.report.turns
        scale = self.size / min(height, width) if self.size else 1.0
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        # Videos are read side by side, a core each.
        image = self._scaler.reformat(decoded.frame, width, height, "rgb24", threads=1).to_ndarray()
        return Frame(decoded.time, np.ascontiguousarray(np.rot90(image, turns)) if turns else image)

    def convert_pair(self, pair: FramePair[DecodedFrame]) -> FramePair[Frame]:
        """Convert the frames of a pair; one that it has twice is converted once."""
        earlier = self.convert(pair.earlier)
        later = earlier if pair.later is pair.earlier else self.convert(pair.later)
        return FramePair(earlier if pair.frame is pair.earlier else later, earlier, later)


def pair_frames(
    frames: Iterator[DecodedFrame], fps: float, gap: float, first: int = 0
) -> Iterator[FramePair[DecodedFrame]]:
    """Yield the frames of `sample_frames`, from snippet `first` on, each with a frame `gap` seconds or more later.

    That is the first such frame. At the end of a video it is the last one at least `gap` seconds before instead. A
    gap of 0 pairs a frame with itself. Each pair is yielded as soon as no frame to come can change it; nothing is
    where there are no frames.
    """
    check_frame_rate(fps)
    recent, snippet, centre = deque[DecodedFrame](), first, snippet_centre(first, fps)
    for frame in frames:
        recent.append(frame)
        current = recent[find_on_show(recent, centre)]
        # Neither this centre nor a later one can need these.
        while recent[0] is not current and recent[1].time <= current.time - gap:
            recent.popleft()
        # As long as frames still to come cannot change the pair of a centre.
        while frame.time > centre + ROUNDING and frame.time >= current.time + gap - EQUAL:
            yield _select_pair(recent, centre, gap)
            snippet, centre = snippet + 1, snippet_centre(snippet + 1, fps)
            current = recent[find_on_show(recent, centre)]
    while recent and (snippet == 0 or centre <= recent[-1].end + ROUNDING):
        yield _select_pair(recent, centre, gap)
        snippet, centre = snippet + 1, snippet_centre(snippet + 1, fps)


def snippet_centre(snippet: int, fps: float) -> float:
    """Compute the middle of a snippet of a grid of touching ones, in seconds."""
    return (snippet + 0.5) / fps


def find_first_snippet(start: float, fps: float) -> int:
    """Find the first snippet whose centre is at `start` seconds or later."""
    check_frame_rate(fps)
    if not -inf < start < inf:
        raise ValueError(f"start {start} is no time; give seconds")
    guess = max(0, ceil(start * fps - 0.5) - 1)
    # By the very sum that the times are: of two stretches that touch, exactly one must have a snippet.
    return next(snippet for snippet in count(guess) if snippet_centre(snippet, fps) >= start)


def find_on_show(frames: Sequence[DecodedFrame], time: float) -> int:
    """Find the frame on show at a time: the index of the last that begins then or before, 0 where none does."""
    indices = range(len(frames) - 1, 0, -1)
    return next((index for index in indices if frames[index].time <= time + ROUNDING), 0)


def check_frame_rate(fps: float) -> None:
    """Raise ValueError for a rate that is not positive and finite."""
    if not 0 < fps < inf:
        raise ValueError(f"{fps} frames a second is no rate; give a positive one")


def _select_pair(recent: Sequence[DecodedFrame], time: float, gap: float) -> FramePair[DecodedFrame]:
    frame = recent[find_on_show(recent, time)]
    for later in recent:
        if later.time >= frame.time + gap - EQUAL:
            return FramePair(frame, frame, later)
    for earlier in reversed(recent):
        if earlier.time <= frame.time - gap + EQUAL:
            return FramePair(frame, earlier, frame)
    return FramePair(frame, frame, recent[-1]) if frame is recent[0] else FramePair(frame, recent[0], frame)
