"""Keeps the detections of finished videos while others are to come, so that an interrupted detection goes on."""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from untrimmed import __version__
from untrimmed.features.video_features import DIGITS, VideoFeatures, digest_features
from untrimmed.features.work_log import WorkLog, hold_path
from untrimmed.timeline import Timeline

logger = logging.getLogger(__name__)

TIMELINES = "timelines"


class _Entry(NamedTuple):
    video: str
    state: str
    timeline: Timeline


class DetectionJournal:
    """The timelines of finished videos, and files for what is done of the next, in a folder of its own.

    `settings` are what decides on a timeline besides its video, in values of JSON; where they are others than in the
    folder, all begins anew, and `difference` says why. One process alone may have it open; close it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder, self._settings = folder, {"version": __version__, **settings}
        self._log = WorkLog(folder / TIMELINES, self._settings)
        self.difference = self._log.difference
        entries = [msgspec.json.decode(record, type=_Entry) for record in self._log]
        self._entries = {entry.video: entry for entry in entries}

    @property
    def count(self) -> int:
        """How many videos are done."""
        return len(self._entries)

    def recall(self, video: str, state: str, detect: Callable[[], Timeline]) -> Timeline:
        """Return the timeline that is here of a video in the same `state`, or detect and keep it."""
        entry = self._entries.get(video)
        if entry is None or entry.state != state:
            entry = _Entry(video, state, detect())
            self._log.append(msgspec.json.encode(entry))
            self._entries[video] = entry
            shutil.rmtree(self._place(video), ignore_errors=True)
        return entry.timeline

    def place_features(self, video: str, number: int) -> Path:
        """Return where what is extracted of a video is kept, for the detector of a `number`."""
        return self._place(video) / f"features{number}"

    @contextmanager
    def hold_candidates(self, video: str, features: VideoFeatures, floor: float) -> Iterator[WorkLog]:
        """Open what is kept of the candidates of a video, of those that reach `floor`."""
        key = {**self._settings, "features": digest_features(features), "floor": str(floor)}
        with WorkLog(self._place(video) / "candidates", key) as log:
            yield log

    def close(self) -> None:
        """Close the files; where nothing is done yet, none is left."""
        self._log.close()
        if not self._entries and [*self.folder.glob("*")] == [self.folder / TIMELINES]:
            self.clear()

    def _place(self, video: str) -> Path:
        """Return the folder for what is done of a video, whose name may be no name of a file."""
        return self.folder / hashlib.sha256(video.encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]

    def clear(self) -> None:
        """Remove everything: what was to be written is written."""
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def hold_journal(out: Path, settings: Mapping[str, Any]) -> Iterator[DetectionJournal]:
    """Open the journal of what will be written to `out`, beside it; it stays until it is cleared.

    Raises BadInput where another process has it open.
    """
    folder = place_journal(out)
    with hold_path(folder, f"{out}: another process detects for it just now; wait until it ends"):
        journal = DetectionJournal(folder, settings)
        if journal.difference:
            logger.info("%s: what it holds cannot be used, as %s; detection begins anew", folder, journal.difference)
        elif journal.count:
            logger.info("%s: detection goes on after %d videos", folder, journal.count)
        try:
            yield journal
        finally:
            journal.close()


def place_journal(out: Path) -> Path:
    """Return the hidden folder beside a file to come in which what is done of it is kept."""
    return out.with_name(f".{out.name}.unfinished")
