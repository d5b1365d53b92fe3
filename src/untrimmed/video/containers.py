"""Opens video files: what a container states about its video, and how far its times can be trusted."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from untrimmed.video.names import VIDEO_ENDINGS as VIDEO_ENDINGS

EQUAL = 1e-6
"""Seconds. Times are sums and quotients of floats; equal ones must not differ by rounding."""
# Seconds. The clock of a broadcast may restart; FFmpeg does not trust a longer step of it either.
_LONGEST_STEP = 10.0
# Endings of single pictures in the containers of videos, and of rows of JPEG pictures, which look like one.
_PICTURE_ENDINGS, _MOTION_JPEG = (".avif", ".heic", ".heif"), (".mjpeg", ".mjpg")
# Their index knows the keyframes. Times of others can restart or be decoding times: they are read from the start.
_SEEKABLE = ("mov", "matroska")


class OpenVideo(NamedTuple):
    """An open video file, and the one stream of it that is read."""

    container: InputContainer
    stream: VideoStream

    @property
    def rate(self) -> float:
        """Frames a second on average; 25 where the file does not say."""
        # FFmpeg gives a raw stream 25 frames a second, even where the stream itself says otherwise.
        rate = self.stream.guessed_rate if self._has(Flags.no_timestamps) else self.stream.average_rate
        return float(rate or 25)

    @property
    def restarts(self) -> bool:
        """Whether the container's clock may restart, or it has none: the length that it states is a guess."""
        return self._has(Flags.ts_discont) or self._has(Flags.no_timestamps)

    @property
    def stores_order_alone(self) -> bool:
        """Whether a packet only has its decoding time, from which FFmpeg guesses wrongly."""
        return self.container.format.name == "avi"

    @property
    def is_seekable(self) -> bool:
        """Whether reading may begin at any keyframe, with the times that reading from the start gives."""
        return self.container.format.name.split(",")[0] in _SEEKABLE

    @property
    def stated_duration(self) -> float | None:
        """Seconds of video that the container promises; None where it does not say, or guesses."""
        container, stream = self
        if self.restarts:
            return None
        if self.stores_order_alone and stream.frames and stream.average_rate:
            return float(stream.frames / stream.average_rate)  # FFmpeg shortens the duration of a file that is cut
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        end = _parse_clock(stream.metadata.get("DURATION", "")) or (container.duration or 0) / av.time_base
        start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        return end - start if end > start else None

    def create_clock(self) -> "FrameClock":
        """Create the clock that the times of this container need."""
        return FrameClock(1 / self.rate, _LONGEST_STEP if self.restarts else inf)

    def _has(self, flag: Flags) -> bool:
        return bool(self.container.format.flags & flag.value)


@contextmanager
def open_video(path: str | Path) -> Iterator[OpenVideo]:
    """Open the first video stream of a file that is not a cover picture.

    Raises BadInput for a file that cannot be opened, for a picture, and for errors of FFmpeg inside the `with` block.
    """
    path = Path(path)
    if not path.exists():
        raise missing(path, "video")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a video; name a file in it")
    try:
        with av.open(path) as container:
            if _is_picture(path, container.format.name):
                raise BadInput(f"{path}: is a single picture, not a video; give the video that it was taken from")
            yield find_video_stream(path, container)
    except (FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read as a video ({reason}); check or convert the file") from None


def _is_picture(path: Path, format: str) -> bool:
    """Return whether a file is a single picture, which FFmpeg opens as a video of one frame, by its format there."""
    ending = path.suffix.lower()
    return ending in _PICTURE_ENDINGS or (
        ending not in _MOTION_JPEG and (format == "image2" or format.endswith("_pipe"))
    )


def find_video_stream(name: Path | str, container: InputContainer) -> OpenVideo:
    """Find the first video stream of an open container that is not a cover picture. Raises BadInput without one."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise BadInput(f"{name}: has no video stream; give a file with pictures")
    stream = streams[0]
    if stream.codec_context is None:
        raise BadInput(f"{name}: its video has a codec that is not known here; convert it to H.264, for example")
    # Many videos at a time are faster than many threads a video, and need less memory.
    stream.codec_context.thread_count = 1
    return OpenVideo(container, stream)


def measure_duration(path: Path) -> float:
    """Measure the seconds of video in a file by its packets, all of which are read but not decoded."""
    start, end = inf, -inf
    with open_video(path) as video:
        clock, base = video.create_clock(), float(video.stream.time_base or 0)
        for packet in read_packets(video):
            if video.restarts and packet.size:
                # Decoding times advance as presentation times do, except where the clock restarts.
                time = clock.advance(None if packet.dts is None else packet.dts * base)
                start, end = min(start, time), time + clock.interval
            elif packet.pts is not None:
                start, end = min(start, packet.pts * base), max(end, (packet.pts + (packet.duration or 0)) * base)
    return max(end - start, 0.0)


class FrameClock:
    """Turns the timestamps of frames into times that advance, as `decoding.decode_frames` describes. In seconds."""

    def __init__(self, interval: float, longest_step: float) -> None:
        self.interval, self.longest_step = interval, longest_step
        self.latest: float | None = None
        self.offset = 0.0

    def advance(self, stamp: float | None) -> float:
        """Return when the next frame is shown, whose timestamp is `stamp`."""
        if self.latest is None:
            self.latest = stamp or 0.0
            return self.latest
        if stamp is not None:
            for time in (stamp, stamp + self.offset):
                if EQUAL < time - self.latest <= self.longest_step:
                    self.latest = time
                    return time
        self.latest += self.interval
        if stamp is not None:
            self.offset = self.latest - stamp
        return self.latest


def read_packets(video: OpenVideo) -> Iterator[Packet]:
    """Yield the packets of the stream, as far as they can be found, and the empty one that ends it."""
    with suppress(InvalidDataError):  # no more packets can be found; the stated length tells how much that is
        for packet in video.container.demux(video.stream):
            # An empty packet inside a stream means that the frame before it stays; a decoder takes it for the end.
            if packet.size or packet.dts is None:
                yield packet


def _parse_clock(text: str) -> float | None:
    """Parse `hours:minutes:seconds`, as Matroska's tags have it, to seconds."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
