"""Pictures out of a video file by the time at which they are shown, and pictures into one."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.video.stream import VideoStream
from jaxtyping import UInt8

from untrimmed.errors import BadInput, missing
from untrimmed.files import whole

ENDINGS = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")

Picture = UInt8[np.ndarray, "height width 3"]

# Seconds. Containers round times to a microsecond or coarser, and a tie must not be settled by that.
_ROUNDING = 1e-6


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
    """The frame nearest to the centre of a snippet, and the two frames to see motion between.

    `frame` is one of the two: `before`, or `after` at the end of a video.
    """

    frame: Frame
    before: Frame
    after: Frame


def probe(path: Path) -> VideoInfo:
    """What a video file says of itself; its first frame is decoded, to know that there is one.

    A file that states no length is read through, without decoding. Raises BadInput for an unusable file.
    """
    with _opened(path) as (container, stream):
        first = next(_shown(container, stream, _Damage()), None)
        if first is None:
            raise _empty(path)
        height, width = _turned(first.frame.height, first.frame.width, first.frame.rotation)
        frames, fps = stream.frames or None, stream.average_rate
        duration = _stated_duration(container, stream)
    duration = duration or _counted_duration(path)
    if duration <= 0:
        raise BadInput(f"{path}: its video has no length; record or convert it again")
    return VideoInfo(duration, float(fps) if fps else (frames or 1) / duration, width, height, frames)


def sample(path: Path, fps: float, size: int | None = None, *, allow_truncated: bool = False) -> Iterator[Frame]:
    """The frame for each snippet of a grid of `fps` touching snippets a second, in order.

    Snippet i covers [i / fps, (i + 1) / fps) seconds from the first frame, and its frame is the one shown
    nearest to (i + 0.5) / fps; of two as near, the earlier. There is one for every snippet whose centre the
    video reaches, and at least one. `size` is the shorter side to scale to, in pixels; None leaves it.

    Raises BadInput for an unusable file; for a file that ends early, after the last frame that it has and
    unless `allow_truncated`.
    """
    for chosen in _chosen(path, fps, 0.0, allow_truncated):
        yield _converted(chosen.frame, size)


def moments(
    path: Path, fps: float, gap: float, size: int | None = None, *, allow_truncated: bool = False
) -> Iterator[Moment]:
    """As `sample`, each frame with the first one that is shown at least `gap` seconds after it.

    At the end of a video it is paired with the last one at least `gap` seconds before it instead. A gap of 0 pairs
    it with itself.
    """
    for chosen in _chosen(path, fps, gap, allow_truncated):
        before = _converted(chosen.before, size)
        after = before if chosen.after is chosen.before else _converted(chosen.after, size)
        yield Moment(before if chosen.frame is chosen.before else after, before, after)


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
        # One thread: x264 divides its work by the number of threads, and the bytes with it.
        stream = container.add_stream(
            "libx264",
            Fraction(fps).limit_denominator(100_000),
            options={"crf": "23", "preset": "veryfast", "threads": "1"},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in chain([first], pictures):
            if picture.shape != first.shape:
                raise ValueError(f"a picture of shape {picture.shape} follows one of {first.shape}")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


class _Shown(NamedTuple):
    """A decoded frame, when it is shown and when it is gone, in seconds from the first."""

    time: float
    end: float
    frame: av.VideoFrame


class _Chosen(NamedTuple):
    """A Moment that is not converted to pictures yet."""

    frame: _Shown
    before: _Shown
    after: _Shown


@dataclass
class _Damage:
    """Seconds of video in packets that could not be decoded."""

    seconds: float = 0.0


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    path = Path(path)
    if not path.exists():
        raise missing(path, "video")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a video; name a file in it")
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise BadInput(f"{path}: has no video stream; give a file with pictures")
            stream = container.streams.video[0]
            # Many videos at a time are faster than many threads a video, and need less memory.
            stream.codec_context.thread_count = 1
            yield container, stream
    except (FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read as a video ({reason}); check or convert the file") from None


def _shown(container: InputContainer, stream: VideoStream, damage: _Damage) -> Iterator[_Shown]:
    """Every frame in the order of showing. A frame that does not advance the time is left out."""
    interval = float(1 / stream.average_rate) if stream.average_rate else 0.04
    start, latest = None, None
    for frame in _decoded(container, stream, damage):
        if frame.pts is not None and frame.time_base is not None:
            time = float(frame.pts * frame.time_base)
        else:
            time = 0.0 if latest is None else latest + interval
        if latest is not None and time <= latest:
            continue
        start = time if start is None else start
        latest = time
        length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else interval
        yield _Shown(time - start, time - start + length, frame)


def _decoded(container: InputContainer, stream: VideoStream, damage: _Damage) -> Iterator[av.VideoFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except InvalidDataError:
            return  # what follows cannot be found; the stated length tells how much that is
        if packet is None:
            return
        try:
            frames = packet.decode()
        except InvalidDataError:
            damage.seconds += float((packet.duration or 0) * stream.time_base) if stream.time_base else 0.0
            continue
        yield from frames


def _chosen(path: Path, fps: float, gap: float, allow_truncated: bool) -> Iterator[_Chosen]:
    if not fps > 0:
        raise ValueError(f"{fps} frames a second is no rate; give a positive one")
    damage = _Damage()
    with _opened(path) as (container, stream):
        stated = _stated_duration(container, stream)
        recent: deque[_Shown] = deque()
        snippet = 0
        for shown in _shown(container, stream, damage):
            recent.append(shown)
            _forget(recent, (snippet + 0.5) / fps, gap)
            while _is_settled(recent, (snippet + 0.5) / fps, gap):
                yield _around(recent, (snippet + 0.5) / fps, gap)
                snippet += 1
        if not recent:
            raise _empty(path)
        decoded = recent[-1].end
        while snippet == 0 or (snippet + 0.5) / fps <= decoded + _ROUNDING:
            yield _around(recent, (snippet + 0.5) / fps, gap)
            snippet += 1
    if stated and not allow_truncated:
        _check_complete(path, decoded - damage.seconds, stated)


def _is_settled(recent: deque[_Shown], centre: float, gap: float) -> bool:
    """Whether frames still to come can change what is chosen for a centre."""
    if recent[-1].time < centre:
        return False
    return recent[-1].time >= _nearest(recent, centre).time + gap - _ROUNDING


def _forget(recent: deque[_Shown], centre: float, gap: float) -> None:
    """Drop frames that neither this centre nor a later one can need."""
    if recent[-1].time > centre:
        return
    while len(recent) > 2 and recent[1].time <= recent[-1].time - gap:
        recent.popleft()


def _nearest(recent: deque[_Shown], centre: float) -> _Shown:
    best = recent[0]
    for shown in recent:
        if abs(shown.time - centre) < abs(best.time - centre) - _ROUNDING:
            best = shown
    return best


def _around(recent: deque[_Shown], centre: float, gap: float) -> _Chosen:
    frame = _nearest(recent, centre)
    for later in recent:
        if later.time >= frame.time + gap - _ROUNDING:
            return _Chosen(frame, frame, later)
    for earlier in reversed(recent):
        if earlier.time <= frame.time - gap + _ROUNDING:
            return _Chosen(frame, earlier, frame)
    return _Chosen(frame, frame, recent[-1]) if frame is recent[0] else _Chosen(frame, recent[0], frame)


def _converted(shown: _Shown, size: int | None) -> Frame:
    frame = shown.frame
    scale = size / min(frame.height, frame.width) if size else 1.0
    image = frame.reformat(
        width=max(1, round(frame.width * scale)), height=max(1, round(frame.height * scale)), format="rgb24"
    ).to_ndarray()
    turns = _quarter_turns(frame.rotation)
    return Frame(shown.time, np.ascontiguousarray(np.rot90(image, turns)) if turns else image)


def _quarter_turns(rotation: int) -> int:
    """Counter-clockwise quarter turns that bring a frame upright."""
    return round(rotation / 90) % 4


def _turned(height: int, width: int, rotation: int) -> tuple[int, int]:
    return (width, height) if _quarter_turns(rotation) % 2 else (height, width)


def _stated_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of video that a container promises; None where it does not say."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)  # FFmpeg shortens the duration to what the file has left
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    end = _clock(stream.metadata.get("DURATION", "")) or (container.duration or 0) / av.time_base
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    return end - start if end > start else None


def _clock(text: str) -> float | None:
    """Seconds of `hours:minutes:seconds`, as Matroska's tags have it."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _counted_duration(path: Path) -> float:
    with _opened(path) as (container, stream):
        base = float(stream.time_base or 0)
        times = [
            (p.pts * base, (p.pts + (p.duration or 0)) * base) for p in container.demux(stream) if p.pts is not None
        ]
    return max(end for _, end in times) - min(start for start, _ in times) if times else 0.0


def _check_complete(path: Path, decoded: float, stated: float) -> None:
    # A second, or a fifth of a clip that is shorter than five: streams of one file end that far apart.
    if stated - decoded > min(1.0, stated / 5):
        raise BadInput(
            f"{path}: only {decoded:.1f} of its {stated:.1f} seconds can be decoded; "
            "fetch the file again, or set allow_truncated to use what there is"
        )


def _empty(path: Path) -> BadInput:
    return BadInput(f"{path}: not one picture of it can be decoded; fetch or convert the file again")
