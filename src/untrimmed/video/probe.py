"""Probes a video file: its length, rate and size, without decoding more than one frame."""

from dataclasses import dataclass
from pathlib import Path

from untrimmed.io import BadInput
from untrimmed.video import decoding
from untrimmed.video.containers import measure_duration, open_video


@dataclass(frozen=True)
class VideoInfo:
    """What a file states about its video: seconds, frames a second on average, and the size as shown, in pixels.

    `frames` is the stated number of frames, None where the container does not state one.
    """

    duration: float
    fps: float
    width: int
    height: int
    frames: int | None


def probe_video(path: str | Path) -> VideoInfo:
    """Read what a video file states about itself, and decode its first frame to know that there is one.

    A file that states no length, or can only guess it (MPEG streams), is read through without decoding. Raises
    BadInput for an unusable file.
    """
    path = Path(path)
    with open_video(path) as video:
        first = decoding.decode_first_frame(video)
        if first is None:
            raise decoding.undecodable(path)
        height, width = first.height, first.width
        if decoding.count_quarter_turns(first) % 2:
            height, width = width, height
        frames, fps, duration = video.stream.frames or None, video.rate, video.stated_duration
    duration = duration or measure_duration(path)
    if duration <= 0:
        raise BadInput(f"{path}: its video has no length; record or convert it again")
    return VideoInfo(duration, fps, width, height, frames)
