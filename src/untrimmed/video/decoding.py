"""The frames of a video file, each with the time at which it is shown, whatever the container and the damage."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError, InvalidDataError

from untrimmed.io import BadInput
from untrimmed.video.containers import Source, clock, opened, packets, stated_duration

# Seconds. Times come as floats, and what is equal must not differ by that.
_EQUAL = 1e-6


class Shown(NamedTuple):
    """A decoded frame, when it is shown and when it is gone, in seconds from the first of its video."""

    time: float
    end: float
    frame: av.VideoFrame


@dataclass
class Reading:
    """What is learned of a file while its frames are read.

    `stated` seconds are promised, None where nothing is; `lost` seconds lay in packets that could not be decoded;
    `height`, `width` (pixels) and `turns` (quarter turns, counter-clockwise, to be upright) are of the first frame;
    `origin` is the time that the source gives it, in seconds, and all other times count from there.
    """

    stated: float | None = None
    lost: float = 0.0
    height: int = 0
    width: int = 0
    turns: int = 0
    origin: float = 0.0

    def note(self, first: Shown) -> None:
        """Learn what the first frame tells."""
        frame = first.frame
        self.height, self.width, self.turns = frame.height, frame.width, quarter_turns(frame)
        self.origin = first.time

    def check_complete(self, path: Path, end: float) -> None:
        """Raises BadInput where the last frame is gone, `end`, much before the time that was stated."""
        decoded = end - self.lost
        # A second, or a fifth of a clip that is shorter than five: streams of one file end that far apart.
        if self.stated and self.stated - decoded > min(1.0, self.stated / 5):
            raise BadInput(
                f"{path}: only {decoded:.1f} of its {self.stated:.1f} seconds can be decoded; "
                "fetch the file again, or set allow_truncated to use what there is"
            )


def frames(path: Path, reading: Reading, after: float = 0.0) -> Iterator[Shown]:
    """Every frame in order, from the one that is on show `after` seconds from the first, or from an earlier one.

    Of MP4, QuickTime, Matroska and WebM only the stretch from the keyframe before is decoded; other containers are
    read from their start. Times are those of presentation, moved so that the first is 0. Where they are broken:

    - a frame without a time (raw streams), or with one that is not after that of the frame before it, is shown one
      frame interval after that; the following ones keep their distance to it, unless their own times fit again;
    - times that run on from another point (recordings that were joined) are so joined; in MPEG streams, whose clock
      may start anew, a step of more than ten seconds is one of these; elsewhere a step ahead, however long, is
      believed, and the frame before it stays on show;
    - in AVI, which has no times of presentation, the frames take its times of decoding in turn.

    A stretch of a file that is mended so before `after` has the times of the file instead. Raises BadInput for an
    unusable file, and where not one frame can be decoded.
    """
    yield from _with_ends(_from(Path(path), reading, after))


def arriving(source: Source, reading: Reading) -> Iterator[Shown]:
    """Every frame of an open source as it comes, with times mended as in `frames`; none where none can be decoded."""
    read = _timed(source, reading)
    if first := next(read, None):
        reading.note(first)
        yield from _with_ends(_since(first.time, chain([first], read)))


def first_frame(source: Source) -> av.VideoFrame | None:
    """The first frame that can be decoded, None where none can."""
    first = next(_timed(source, Reading()), None)
    return first and first.frame


def quarter_turns(frame: av.VideoFrame) -> int:
    """Counter-clockwise quarter turns that bring a frame upright."""
    return round(frame.rotation / 90) % 4


def empty(path: Path) -> BadInput:
    """The sentence for a file without a picture."""
    return BadInput(f"{path}: not one picture of it can be decoded; fetch or convert the file again")


def _from(path: Path, reading: Reading, after: float) -> Iterator[Shown]:
    with opened(path) as source:
        reading.stated = stated_duration(source)
        read = _timed(source, reading)
        first = next(read, None)
        if first is None:
            raise empty(path)
        reading.note(first)
        sought = _sought(source, reading, first.time, after) if source.can_be_sought else None
        if sought or after <= 0 or not source.can_be_sought:
            yield from _since(first.time, sought or chain([first], read))
            return
    # Seeking left the container somewhere else; opened anew it is at its start for certain.
    reading.lost = 0.0
    with opened(path) as source:
        yield from _since(first.time, _timed(source, reading))


def _sought(source: Source, reading: Reading, origin: float, after: float) -> Iterator[Shown] | None:
    """The frames from a keyframe that is shown at `after` or before, in the file's own time; None without one."""
    back = 0.0
    while after - back > 0 and source.stream.time_base:
        reading.lost = 0.0
        try:
            source.container.seek(int((origin + after - back) / source.stream.time_base), stream=source.stream)
        except FFmpegError:
            return None
        read = _timed(source, reading)
        # What comes before the keyframe is shown before it, and may need frames that were not read.
        key = next((shown for shown in read if shown.frame.key_frame), None)
        if key and origin <= key.time <= origin + after + _EQUAL:
            return chain([key], read)
        # Containers look for a keyframe by its time of decoding, which can be before that of its showing.
        back = max(1.0, 4 * back)
    return None


def _since(origin: float, read: Iterator[Shown]) -> Iterator[Shown]:
    for time, end, frame in read:
        yield Shown(time - origin, end - origin, frame)


def _with_ends(read: Iterator[Shown]) -> Iterator[Shown]:
    """The same frames, each gone when the next one is shown."""
    held = next(read, None)
    for following in read:
        if held:
            yield held._replace(end=following.time)
        held = following
    if held:
        yield held


def _timed(source: Source, reading: Reading) -> Iterator[Shown]:
    times = clock(source)
    for stamp, frame in _decoded(source, reading):
        base = float(frame.time_base or source.stream.time_base or 0)
        time = times.time(None if stamp is None else stamp * base)
        yield Shown(time, time + ((frame.duration or 0) * base or times.interval), frame)


def _decoded(source: Source, reading: Reading) -> Iterator[tuple[int | None, av.VideoFrame]]:
    """Every frame in the order of showing with the time that it says, in units of its time base."""
    order: deque[int] = deque()
    for packet in packets(source):
        if source.stores_order_alone and packet.dts is not None:
            order.append(packet.dts)
        try:
            decoded = packet.decode()
        except InvalidDataError:
            reading.lost += float((packet.duration or 0) * (source.stream.time_base or 0))
            if source.stores_order_alone and packet.dts is not None:
                order.pop()
            continue
        for frame in decoded:
            yield order.popleft() if order else frame.pts, frame
