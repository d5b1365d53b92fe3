"""Runs a review: the state of every video, changed one edit at a time, and the annotations written of it."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.annotations import Spans
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.io import BadInput
from untrimmed.review.edits import UNREVIEWED, ReviewItem, Snapshot, VideoState, apply_edit
from untrimmed.review.journal import Journal
from untrimmed.review.ranking import Doubts
from untrimmed.timeline import Timeline


class PriorAnnotations(NamedTuple):
    """What is written of a video until it is done."""

    timeline: Timeline
    subset: str


class ReviewVideo(NamedTuple):
    """One video before the first edit, and what the page shows beside its items.

    `subset` is where it is put when it is done. `rows` are the timelines of further detectors by name. `media_type`
    is empty where browsers do not play the file, `note` says why a file is not played. `annotated` and `parts` are
    the stretches that files state of it, which are written again.
    """

    name: str
    duration: float
    items: tuple[ReviewItem, ...]
    subset: str
    prior: PriorAnnotations | None = None
    doubts: Doubts = Doubts(0, "")
    rows: Mapping[str, Timeline] = {}
    file: Path | None = None
    media_type: str = ""
    note: str = ""
    annotated: Spans | None = None
    parts: Mapping[str, Spans] = {}


class EditConflict(Exception):
    """An edit was made on a version of a video that is no longer the latest; `state` is the latest."""

    def __init__(self, state: VideoState, number: int) -> None:
        super().__init__("the video was changed since, in another tab")
        self.state, self.number = state, number


class ReviewSession:
    """The videos of a review and their edits, for any number of threads.

    Edits go into the journal beside `out` first, then into the state, then, where a video is done, into `out`. A
    review that was begun earlier goes on where it was. Raises BadInput where `out` exists without a journal: it is
    somebody's file.
    """

    def __init__(self, videos: Sequence[ReviewVideo], out: Path) -> None:
        self.out, self.videos = out, tuple(videos)
        path = journal_path(out)
        if out.exists() and not path.exists():
            raise BadInput(f"{out}: is there already and of no review; give --out a new name, or it as --truth")
        self._lock = threading.Lock()
        self._states = [VideoState(v.duration, (Snapshot(v.items, False, v.subset),)) for v in self.videos]
        self._order: list[int] = []  # the video of each edit
        self._journal = Journal(path, _compute_digest(self.videos))
        try:
            self._replay()
            self._save()
        except BaseException:
            self._journal.close()
            raise

    def states(self) -> tuple[int, list[VideoState]]:
        """The number of edits, and the state of every video after them."""
        with self._lock:
            return len(self._order), list(self._states)

    def find_changes(self, number: int) -> tuple[int, dict[int, VideoState]]:
        """Return the number of edits, and the videos that were changed after the first `number` of them."""
        with self._lock:
            changes = sorted(set(self._order[max(number, 0) :]))
            return len(self._order), {video: self._states[video] for video in changes}

    def edit(self, video: int, version: int, change: Mapping[str, Any]) -> tuple[int, VideoState]:
        """Apply a change that was decided on at a version of a video; return the number of edits and its new state.

        Raises EditConflict where another edit came first, BadInput for a change that cannot be made, IndexError for
        no such video. When it returns, the edit is on the disk.
        """
        if video < 0:
            raise IndexError(video)
        with self._lock:
            state = self._states[video]
            if state.version != version:
                raise EditConflict(state, len(self._order))
            changed = apply_edit(state, change)
            self._journal.append({"video": self.videos[video].name, "version": version, "change": dict(change)})
            self._states[video] = changed
            self._order.append(video)
            if state.now.done or changed.now.done:
                self._save()
            return len(self._order), changed

    def close(self) -> None:
        """Wait for the edit that is being made, and close the journal."""
        with self._lock:
            self._journal.close()

    def summarize(self) -> str:
        """Return one sentence on what is saved where."""
        number, states = self.states()
        return (
            f"{sum(state.now.done for state in states)} of {len(self.videos)} videos are done and written to "
            f"{self.out}; every edit ({number} so far) is kept in {self._journal.path.name} beside it, "
            "and the same command goes on from there"
        )

    def _replay(self) -> None:
        index = {video.name: i for i, video in enumerate(self.videos)}
        for line, edit in enumerate(self._journal.edits, start=2):
            try:
                video = index[edit["video"]]
                if self._states[video].version != edit["version"]:
                    raise BadInput("out of order")
                self._states[video] = apply_edit(self._states[video], edit["change"])
            except (KeyError, TypeError, AttributeError, BadInput):
                raise BadInput(
                    f"{self._journal.path}: line {line} cannot be made again; fix it or move the file away"
                ) from None
            self._order.append(video)

    def _save(self) -> None:
        timelines: dict[str, Timeline] = {}
        subsets: dict[str, str] = {}
        # By name: the order of the list is by doubts, and a data set has no such order.
        for video, state in sorted(zip(self.videos, self._states, strict=True), key=lambda pair: pair[0].name):
            if state.now.done:
                timelines[video.name], subsets[video.name] = state.timeline, state.now.subset
            elif video.prior is not None:
                timelines[video.name], subsets[video.name] = video.prior
        written = [video for video in self.videos if video.name in timelines]
        annotated = {video.name: video.annotated for video in written if video.annotated is not None}
        parts = {v.name: v.parts for v in written if v.parts and subsets[v.name] != UNREVIEWED}
        write_activitynet(self.out, timelines, subsets, annotated, parts)


def journal_path(out: Path) -> Path:
    """The journal beside the annotations that a review writes."""
    return out.with_name(out.name + ".edits.jsonl")


def _compute_digest(videos: Sequence[ReviewVideo]) -> str:
    """Compute a digest of what a review began with, whatever the order of its videos."""
    text = json.dumps([[v.name, v.duration, v.items] for v in sorted(videos, key=lambda video: video.name)])
    return hashlib.sha256(text.encode()).hexdigest()
