"""Video files that are open: what a container knows of its video, and how far its times can be trusted."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.format import Flags
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from untrimmed.io import BadInput, missing

# Seconds. Times come as floats, and what is equal must not differ by that.
_EQUAL = 1e-6
# Seconds. The clock of a broadcast may start anew; FFmpeg does not believe a longer step of it either.
_BELIEVED = 10.0
# Their index knows the keyframes. Times of others can start anew or be those of decoding: they are read through.
_SOUGHT = ("mov", "matroska")


class Source(NamedTuple):
    """A video file that is open, and the one stream of it that is read."""

    container: InputContainer
    stream: VideoStream

    @property
    def rate(self) -> float:
        """Frames a second on average; 25 where the file says nothing."""
        # FFmpeg calls a raw stream 25 frames a second, also where the stream itself says otherwise.
        rate = self.stream.guessed_rate if self._has(Flags.no_timestamps) else self.stream.average_rate
        return float(rate or 25)

    @property
    def restarts(self) -> bool:
        """Whether the container's clock may start anew, or has none: what it states of its length is a guess."""
        return self._has(Flags.ts_discont) or self._has(Flags.no_timestamps)

    @property
    def stores_order_alone(self) -> bool:
        """Whether a packet has the time of its decoding alone, from which FFmpeg guesses wrongly."""
        return self.container.format.name == "avi"

    @property
    def can_be_sought(self) -> bool:
        """Whether reading may begin at any keyframe, with the times that reading from the start gives."""
        return self.container.format.name.split(",")[0] in _SOUGHT

    def _has(self, flag: Flags) -> bool:
        return bool(self.container.format.flags & flag.value)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The first video stream of a file that is no cover picture. Raises BadInput, also for what goes wrong later."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "video")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a video; name a file in it")
    try:
        with av.open(path) as container:
            yield source_in(path, container)
    except (FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read as a video ({reason}); check or convert the file") from None


def source_in(name: Path | str, container: InputContainer) -> Source:
    """The first video stream of an open container that is no cover picture. Raises BadInput where there is none."""
    return Source(container, _stream(name, container))


def stated_duration(source: Source) -> float | None:
    """Seconds of video that a container promises; None where it does not say, or guesses."""
    container, stream = source
    if source.restarts:
        return None
    if source.stores_order_alone and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # FFmpeg shortens the duration to what the file has left
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    end = _clock_seconds(stream.metadata.get("DURATION", "")) or (container.duration or 0) / av.time_base
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return end - start if end > start else None


def counted_duration(path: Path) -> float:
    """Seconds of video by the packets of a file, which is read through without decoding."""
    start, end = inf, -inf
    with opened(path) as source:
        own, base = clock(source), float(source.stream.time_base or 0)
        for packet in packets(source):
            if source.restarts and packet.size:
                # Times of decoding advance as those of showing do, but for where the clock starts anew.
                time = own.time(None if packet.dts is None else packet.dts * base)
                start, end = min(start, time), time + own.interval
            elif packet.pts is not None:
                start, end = min(start, packet.pts * base), max(end, (packet.pts + (packet.duration or 0)) * base)
    return max(end - start, 0.0)


class Clock:
    """Turns the times that frames say into times that advance; `decoding.frames` says how. All in seconds."""

    def __init__(self, interval: float, believed: float) -> None:
        self.interval, self.believed = interval, believed
        self.latest: float | None = None
        self.offset = 0.0

    def time(self, stamp: float | None) -> float:
        """When the next frame is shown that says `stamp`."""
        if self.latest is None:
            self.latest = stamp or 0.0
            return self.latest
        if stamp is not None:
            for time in (stamp, stamp + self.offset):
                if _EQUAL < time - self.latest <= self.believed:
                    self.latest = time
                    return time
        self.latest += self.interval
        if stamp is not None:
            self.offset = self.latest - stamp
        return self.latest


def clock(source: Source) -> Clock:
    """A clock as a container needs it."""
    return Clock(1 / source.rate, _BELIEVED if source.restarts else inf)


def packets(source: Source) -> Iterator[Packet]:
    """The packets of the stream, as far as they can be found, and the empty one that ends it."""
    found = source.container.demux(source.stream)
    while True:
        try:
            packet = next(found, None)
        except InvalidDataError:
            return  # what follows cannot be found; the stated length tells how much that is
        if packet is None:
            return
        # An empty one within a stream says that the frame before it stays; a decoder takes it for the end.
        if packet.size or packet.dts is None:
            yield packet


def _stream(path: Path | str, container: InputContainer) -> VideoStream:
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures:
        raise BadInput(f"{path}: has no video stream; give a file with pictures")
    stream = pictures[0]
    if stream.codec_context is None:
        raise BadInput(f"{path}: its video has a codec that is not known here; convert it to H.264, for example")
    # Many videos at a time are faster than many threads a video, and need less memory.
    stream.codec_context.thread_count = 1
    return stream


def _clock_seconds(text: str) -> float | None:
    """Seconds of `hours:minutes:seconds`, as Matroska's tags have it."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
