"""Pictures out of a video file by the time at which they are shown, and pictures into one."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count
from math import ceil, inf
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from untrimmed.io import BadInput, whole
from untrimmed.video import containers, decoding
from untrimmed.video.decoding import Reading, Shown

ENDINGS = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")

Picture = UInt8[np.ndarray, "height width 3"]

# Seconds. Matroska, for one, rounds times to a millisecond, and which frame is on show must not be settled by that.
ROUNDING = 1e-3
# Seconds. Times are sums and quotients, and what is equal must not differ by that.
_EQUAL = 1e-6


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its video: seconds, frames a second on average, and the size as shown, in pixels.

    `frames` is the stated number of frames, None where the container does not state one.
    """

    duration: float
    fps: float
    width: int
    height: int
    frames: int | None


class Frame(NamedTuple):
    """An RGB picture and when it is shown, in seconds from the first frame of its video."""

    time: float
    image: Picture


class Moment(NamedTuple):
    """The frame on show at the centre of a snippet, and the two frames to see motion between.

    `frame` is one of the two: `before`, or `after` at the end of a video.
    """

    frame: Frame
    before: Frame
    after: Frame


def probe(path: Path) -> VideoInfo:
    """What a video file says of itself; its first frame is decoded, to know that there is one.

    A file that states no length, or can but guess it (MPEG streams), is read through without decoding. Raises
    BadInput for an unusable file.
    """
    with containers.opened(path) as source:
        first = decoding.first_frame(source)
        if first is None:
            raise decoding.empty(path)
        height, width = first.height, first.width
        if decoding.quarter_turns(first) % 2:
            height, width = width, height
        frames, fps = source.stream.frames or None, source.rate
        duration = containers.stated_duration(source)
    duration = duration or containers.counted_duration(path)
    if duration <= 0:
        raise BadInput(f"{path}: its video has no length; record or convert it again")
    return VideoInfo(duration, fps, width, height, frames)


def sample(
    path: Path,
    fps: float,
    size: int | None = None,
    *,
    start: float = 0.0,
    end: float = inf,
    allow_truncated: bool = False,
) -> Iterator[Frame]:
    """The frame for each snippet of a grid of `fps` touching snippets a second, in order.

    Snippet i covers [i / fps, (i + 1) / fps) seconds from the first frame, and its frame is the one that is on show
    at its centre, (i + 0.5) / fps: the last that begins then or before, give or take a millisecond. There is one for
    every snippet whose centre the video reaches, and at least one. `size` is the shorter side to scale to, in pixels;
    None leaves it. All pictures have the size of the first, also where the file changes it.

    Of these frames, `start` and `end` choose those of the snippets with their centre in [start, end) seconds. What
    comes before is not decoded where the container allows it: `decoding.frames` says where, and how broken times are
    mended. Memory is that of a few frames, however long the video is.

    Raises BadInput for an unusable file; for a file that ends early, after the last frame that it has and
    unless `allow_truncated`.
    """
    pictures = Pictures(size)
    first = first_from(start, fps)
    for one in chosen(path, fps, 0.0, pictures.reading, allow_truncated, first, end):
        yield pictures.of(one.frame)


def moments(
    path: Path, fps: float, gap: float, size: int | None = None, *, allow_truncated: bool = False
) -> Iterator[Moment]:
    """As `sample`, each frame with the first one that is shown at least `gap` seconds after it.

    At the end of a video it is paired with the last one at least `gap` seconds before it instead. A gap of 0 pairs
    it with itself.
    """
    pictures = Pictures(size)
    for one in chosen(path, fps, gap, pictures.reading, allow_truncated):
        yield pictures.moment(one)


def write_video(path: Path, frames: Iterable[Picture], fps: float) -> None:
    """Encode pictures of one even size as H.264 (yuv420p) that a browser plays; whole or not at all.

    The same pictures give the same bytes. Raises ValueError for no picture or an odd or changing size.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path}: there are no pictures to write")
    height, width, _ = first.shape
    if height % 2 or width % 2:
        raise ValueError(f"pictures of {width}x{height} have an odd side; H.264 wants even ones")
    movable = Path(path).suffix.lower() in (".mp4", ".m4v", ".mov")
    options = {"movflags": "+faststart"} if movable else {}
    with whole(path) as temporary, av.open(temporary, "w", options=options) as container:
        # One thread: x264 divides its work by the number of threads, and the bytes with it. No look ahead: with it,
        # one file in some hundreds has other bytes.
        alike = {"threads": "1", "x264-params": "rc-lookahead=0:mbtree=0"}
        stream = container.add_stream(
            "libx264",
            Fraction(fps).limit_denominator(100_000),
            options={"crf": "23", "preset": "veryfast", **alike},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in chain([first], pictures):
            if picture.shape != first.shape:
                raise ValueError(f"a picture of shape {picture.shape} follows one of {first.shape}")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


class Pictures:
    """Turns decoded frames into upright RGB pictures of the size of a file's first frame, or `size` pixels across."""

    def __init__(self, size: int | None) -> None:
        self.size, self.reading = size, Reading()
        self._scaler = VideoReformatter()

    def of(self, shown: Shown) -> Frame:
        """The picture of a frame; `reading` must be what its file was read with."""
        height, width, turns = self.reading.height, self.reading.width, self.reading.turns
        scale = self.size / min(height, width) if self.size else 1.0
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        # Videos are read side by side, a core each.
        image = self._scaler.reformat(shown.frame, width, height, "rgb24", threads=1).to_ndarray()
        return Frame(shown.time, np.ascontiguousarray(np.rot90(image, turns)) if turns else image)

    def moment(self, one: "Chosen") -> Moment:
        """The pictures of a moment; a frame that it has twice is converted once."""
        before = self.of(one.before)
        after = before if one.after is one.before else self.of(one.after)
        return Moment(before if one.frame is one.before else after, before, after)


class Chosen(NamedTuple):
    """A Moment that is not converted to pictures yet."""

    frame: Shown
    before: Shown
    after: Shown


def chosen(
    path: Path,
    fps: float,
    gap: float,
    reading: Reading,
    allow_truncated: bool,
    first: int = 0,
    end: float = inf,
) -> Iterator[Chosen]:
    """What `moments` gives, from snippet `first` to the last with its centre before `end` seconds."""
    check_rate(fps)
    shown = decoding.frames(path, reading, centre(first, fps) if first else 0.0)
    ended = yield from around(shown, fps, gap, first, end)
    if ended is not None and not allow_truncated:
        reading.check_complete(path, ended)


def around(
    frames: Iterator[Shown], fps: float, gap: float, first: int = 0, end: float = inf
) -> Generator[Chosen, None, float | None]:
    """The same out of frames as they come; returns when the last of them is gone, None where `end` was before."""
    snippet, recent = first, deque[Shown]()
    for shown in frames:
        if centre(snippet, fps) >= end:
            return None
        recent.append(shown)
        _forget(recent, centre(snippet, fps), gap)
        while _is_settled(recent, centre(snippet, fps), gap) and centre(snippet, fps) < end:
            yield _around(recent, centre(snippet, fps), gap)
            snippet += 1
    while (snippet == 0 or centre(snippet, fps) <= recent[-1].end + ROUNDING) and centre(snippet, fps) < end:
        yield _around(recent, centre(snippet, fps), gap)
        snippet += 1
    return recent[-1].end if centre(snippet, fps) < end else None


def centre(snippet: int, fps: float) -> float:
    """The middle of a snippet of a grid of touching ones, in seconds."""
    return (snippet + 0.5) / fps


def first_from(start: float, fps: float, stride: int = 1, middle: float = 0.5) -> int:
    """The first of the windows 0, 1, ... every `stride` frames whose `middle` is at `start` seconds or later."""
    check_rate(fps)
    if not -inf < start < inf:
        raise ValueError(f"start {start} is no time; give seconds")
    guess = max(0, ceil((start * fps - middle) / stride) - 1)
    # By the very sum that the times are: of two stretches that touch, exactly one must have a window.
    return next(number for number in count(guess) if (number * stride + middle) / fps >= start)


def check_rate(fps: float) -> None:
    """Raises ValueError for a rate that is not positive and finite."""
    if not 0 < fps < inf:
        raise ValueError(f"{fps} frames a second is no rate; give a positive one")


def _is_settled(recent: deque[Shown], time: float, gap: float) -> bool:
    """Whether frames still to come cannot change what is chosen for a centre."""
    return recent[-1].time > time + ROUNDING and recent[-1].time >= _on_show(recent, time).time + gap - _EQUAL


def _forget(recent: deque[Shown], time: float, gap: float) -> None:
    """Drop frames that neither this centre nor a later one can need."""
    frame = _on_show(recent, time)
    while recent[0] is not frame and recent[1].time <= frame.time - gap:
        recent.popleft()


def _on_show(recent: deque[Shown], time: float) -> Shown:
    return next((shown for shown in reversed(recent) if shown.time <= time + ROUNDING), recent[0])


def _around(recent: deque[Shown], time: float, gap: float) -> Chosen:
    frame = _on_show(recent, time)
    for later in recent:
        if later.time >= frame.time + gap - _EQUAL:
            return Chosen(frame, frame, later)
    for earlier in reversed(recent):
        if earlier.time <= frame.time - gap + _EQUAL:
            return Chosen(frame, earlier, frame)
    return Chosen(frame, frame, recent[-1]) if frame is recent[0] else Chosen(frame, recent[0], frame)
