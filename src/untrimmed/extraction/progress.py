"""The progress of an extraction: the seconds of all videos that are done, out of the seconds that they last."""

from collections.abc import Sequence
from pathlib import Path

from untrimmed.io import BadInput, Progress
from untrimmed.video.probe import probe_video


class ExtractionProgress:
    """Sums the seconds that are done of several videos, and reports them to a callback, if there is one."""

    def __init__(self, videos: Sequence[Path], progress: Progress | None) -> None:
        self._progress = progress
        # Opening each video takes time, which only a callback is worth.
        self._durations = {path: _probe_duration(path) for path in videos} if progress else {}
        self._seconds: dict[Path, float] = {}

    def update(self, path: Path, seconds: float) -> None:
        """Report that `seconds` of a video are done."""
        self._seconds[path] = seconds
        if self._progress:
            self._progress("extracting", sum(self._seconds.values()), sum(self._durations.values()), "")

    def finish(self, path: Path) -> None:
        """Report that a video is done, also one that failed."""
        self.update(path, self._durations.get(path, 0.0))


def _probe_duration(path: Path) -> float:
    try:
        return probe_video(path).duration
    except BadInput:
        return 0.0  # extraction meets the same fault, and reports it
