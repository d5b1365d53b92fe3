"""Decodes the frames of a video file, each with its true time, whatever the container and the damage."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError, InvalidDataError

from untrimmed.io import BadInput
from untrimmed.video.containers import EQUAL, OpenVideo, open_video, read_packets


class DecodedFrame(NamedTuple):
    """A decoded frame, and when it begins and ends, in seconds from the first frame of its video."""

    time: float
    end: float
    frame: av.VideoFrame


@dataclass
class DecodingReport:
    """What is learned about a file while its frames are decoded.

    The container promises `stated_duration` seconds, None where it does not say. `lost` seconds were in packets
    that cannot be decoded. `height`, `width` (pixels) and `turns` (quarter turns, counter-clockwise, to be upright)
    are of the first frame; `origin` is its time in the seconds of the source. All other times count from there.
    """

    stated_duration: float | None = None
    lost: float = 0.0
    height: int = 0
    width: int = 0
    turns: int = 0
    origin: float = 0.0

    def add_first_frame(self, first: DecodedFrame) -> None:
        """Store the size, rotation and time of the first frame."""
        frame = first.frame
        self.height, self.width, self.turns = frame.height, frame.width, count_quarter_turns(frame)
        self.origin = first.time

    def check_complete(self, path: Path, end: float) -> None:
        """Raise BadInput where the last frame ends, at `end` seconds, well before the stated duration."""
        stated, decoded = self.stated_duration, end - self.lost
        # A second, or a fifth of a clip that is shorter than five: streams of one file end that far apart.
        if stated and stated - decoded > min(1.0, stated / 5):
            raise BadInput(
                f"{path}: only {decoded:.1f} of its {stated:.1f} seconds can be decoded; "
                "fetch the file again, or set allow_truncated to use what there is"
            )


def decode_frames(path: str | Path, report: DecodingReport, start: float = 0.0) -> Iterator[DecodedFrame]:
    """Decode every frame in order, from the one on show `start` seconds after the first, or from an earlier one.

    Of MP4, QuickTime, Matroska and WebM, decoding begins at the keyframe before `start`; other containers are
    read from their beginning. Times are presentation times, moved so that the first is 0. Broken ones are fixed:

    - a frame without a time (raw streams), or with one that is not after that of the frame before it, is shown one
      frame interval after that; the following ones keep their distance to it, unless their own times fit again;
    - times that continue from another point (recordings that were joined) are joined; in MPEG streams, whose clock
      may restart, a step of more than ten seconds counts as one; elsewhere a step ahead, however long, is
      trusted, and the frame before it stays on show;
    - in AVI, which has no presentation times, the frames take its decoding times in turn.

    Times that would be fixed before `start` keep the values of the file instead. Raises BadInput for an unusable
    file, and where no frame can be decoded.
    """
    path = Path(path)
    with open_video(path) as video:
        report.stated_duration = video.stated_duration
        frames = _decode_with_times(video, report)
        first = next(frames, None)
        if first is None:
            raise undecodable(path)
        report.add_first_frame(first)
        from_keyframe = _seek(video, report, first.time, start) if video.is_seekable else None
        if from_keyframe or start <= 0 or not video.is_seekable:
            yield from _move_times(from_keyframe or chain([first], frames), first.time)
            return
    # Seeking left the container somewhere else; only opening it again brings it back to its start for certain.
    report.lost = 0.0
    with open_video(path) as video:
        yield from _move_times(_decode_with_times(video, report), first.time)


def decode_complete(
    path: Path, report: DecodingReport, allow_truncated: bool, start: float = 0.0
) -> Iterator[DecodedFrame]:
    """Decode as `decode_frames`. Raises BadInput at the end of a file that ends early, unless `allow_truncated`."""
    end = 0.0
    for frame in decode_frames(path, report, start):
        end = frame.end
        yield frame
    if not allow_truncated:
        report.check_complete(path, end)


def decode_live(video: OpenVideo, report: DecodingReport) -> Iterator[DecodedFrame]:
    """Decode every frame of an open source as it arrives, with times as in `decode_frames`; perhaps none."""
    frames = _decode_with_times(video, report)
    if first := next(frames, None):
        report.add_first_frame(first)
        yield from _move_times(chain([first], frames), first.time)


def decode_first_frame(video: OpenVideo) -> av.VideoFrame | None:
    """Decode the first frame that can be decoded; None where there is none."""
    first = next(_decode_with_times(video, DecodingReport()), None)
    return first and first.frame


def count_quarter_turns(frame: av.VideoFrame) -> int:
    """Count the counter-clockwise quarter turns that bring a frame upright."""
    return round(frame.rotation / 90) % 4


def undecodable(path: Path) -> BadInput:
    """Return the error for a file of which no frame can be decoded."""
    return BadInput(f"{path}: not one picture of it can be decoded; fetch or convert the file again")


def _seek(video: OpenVideo, report: DecodingReport, origin: float, start: float) -> Iterator[DecodedFrame] | None:
    """The frames from a keyframe that is shown at `start` or before, in the file's own time; None without one."""
    back = 0.0
    while start - back > 0 and video.stream.time_base:
        report.lost = 0.0
        try:
            video.container.seek(int((origin + start - back) / video.stream.time_base), stream=video.stream)
        except FFmpegError:
            return None
        frames = _decode_with_times(video, report)
        # Frames that come before the keyframe are shown before it, and may need frames that were not read.
        key = next((decoded for decoded in frames if decoded.frame.key_frame), None)
        if key and origin <= key.time <= origin + start + EQUAL:
            return chain([key], frames)
        # Containers look for a keyframe by its decoding time, which can be before its presentation time.
        back = max(1.0, 4 * back)
    return None


def _move_times(frames: Iterator[DecodedFrame], origin: float) -> Iterator[DecodedFrame]:
    """Yield the same frames with times from `origin` on, each ending when the next one is shown."""
    previous: DecodedFrame | None = None
    for time, end, frame in frames:
        if previous:
            yield previous._replace(end=time - origin)
        previous = DecodedFrame(time - origin, end - origin, frame)
    if previous:
        yield previous


def _decode_with_times(video: OpenVideo, report: DecodingReport) -> Iterator[DecodedFrame]:
    clock = video.create_clock()
    for stamp, frame in _decode_with_stamps(video, report):
        base = float(frame.time_base or video.stream.time_base or 0)
        time = clock.advance(None if stamp is None else stamp * base)
        yield DecodedFrame(time, time + ((frame.duration or 0) * base or clock.interval), frame)


def _decode_with_stamps(video: OpenVideo, report: DecodingReport) -> Iterator[tuple[int | None, av.VideoFrame]]:
    """Every frame in presentation order with its timestamp, in units of its time base."""
    order: deque[int] = deque()
    for packet in read_packets(video):
        if video.stores_order_alone and packet.dts is not None:
            order.append(packet.dts)
        try:
            frames = packet.decode()
        except InvalidDataError:
            report.lost += float((packet.duration or 0) * (video.stream.time_base or 0))
            if video.stores_order_alone and packet.dts is not None:
                order.pop()
            continue
        for frame in frames:
            yield order.popleft() if order else frame.pts, frame
