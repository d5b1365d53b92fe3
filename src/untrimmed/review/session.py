"""A review as it goes on: the state of every video, changed one edit at a time, and the annotations written of it."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.io import BadInput
from untrimmed.review.edits import Item, Snapshot, State, applied
from untrimmed.review.journal import Journal
from untrimmed.timeline import Timeline


class Standing(NamedTuple):
    """What is written of a video while it is not done."""

    timeline: Timeline
    subset: str


class Start(NamedTuple):
    """One video before the first edit; `subset` is where it is put when it is done."""

    name: str
    duration: float
    items: tuple[Item, ...]
    subset: str
    standing: Standing | None = None


class Conflict(Exception):
    """An edit was made on a version of a video that is no longer the last; `state` is the last."""

    def __init__(self, state: State, number: int) -> None:
        super().__init__("the video was changed since, in another tab")
        self.state, self.number = state, number


class Review:
    """The videos of a review and their edits, for any number of threads.

    Edits go into the journal beside `out` first, then into the state, then, where a video is done, into `out`. A
    review that was begun before goes on where it was. Raises BadInput where `out` is there but no journal of it: it
    is somebody's file.
    """

    def __init__(self, videos: Sequence[Start], out: Path) -> None:
        self.out, self.videos = out, tuple(videos)
        journal = journal_of(out)
        if out.exists() and not journal.exists():
            raise BadInput(f"{out}: is there already and of no review; give --out a new name, or it as --truth")
        self._lock = threading.Lock()
        self._states = [State(each.duration, Snapshot(each.items, False, each.subset)) for each in self.videos]
        self._order: list[int] = []  # the video of each edit
        self._journal = Journal(journal, _digest(self.videos))
        try:
            self._replay()
            self._save()
        except BaseException:
            self._journal.close()
            raise

    @property
    def number(self) -> int:
        """How many edits there were."""
        return len(self._order)

    def states(self) -> tuple[int, list[State]]:
        """The number of edits, and every video as it is after them."""
        with self._lock:
            return len(self._order), list(self._states)

    def since(self, number: int) -> tuple[int, dict[int, State]]:
        """The number of edits, and the videos that were changed after the first `number` of them."""
        with self._lock:
            changed = sorted(set(self._order[max(number, 0) :]))
            return len(self._order), {video: self._states[video] for video in changed}

    def edit(self, video: int, version: int, change: Mapping[str, Any]) -> tuple[int, State]:
        """Make a change that was decided on at a version of a video; the number of edits and its new state.

        Raises Conflict where another edit came before, BadInput for a change that cannot be made, IndexError for no
        such video. When it returns, the edit is on the disk.
        """
        if video < 0:
            raise IndexError(video)
        with self._lock:
            before = self._states[video]
            if before.version != version:
                raise Conflict(before, len(self._order))
            after = applied(before, change)
            self._journal.add({"video": self.videos[video].name, "version": version, "change": dict(change)})
            self._states[video] = after
            self._order.append(video)
            if before.now.done or after.now.done:
                self._save()
            return len(self._order), after

    def close(self) -> str:
        """Wait for the edit that is being made, let go of the journal, and say what is saved where."""
        with self._lock:
            self._journal.close()
            return self._summary()

    def summary(self) -> str:
        """One sentence on what is saved where."""
        with self._lock:
            return self._summary()

    def _summary(self) -> str:
        done = sum(state.now.done for state in self._states)
        return (
            f"{done} of {len(self.videos)} videos are done and written to {self.out}; every edit "
            f"({len(self._order)} so far) is kept in {self._journal.path.name} beside it, "
            "and the same command goes on from there"
        )

    def _replay(self) -> None:
        index = {each.name: i for i, each in enumerate(self.videos)}
        for line, edit in enumerate(self._journal.edits, start=2):
            try:
                video = index[edit["video"]]
                if self._states[video].version != edit["version"]:
                    raise BadInput("out of order")
                self._states[video] = applied(self._states[video], edit["change"])
            except (KeyError, TypeError, AttributeError, BadInput):
                raise BadInput(
                    f"{self._journal.path}: line {line} cannot be made again; mend it or move the file away"
                ) from None
            self._order.append(video)

    def _save(self) -> None:
        timelines: dict[str, Timeline] = {}
        subsets: dict[str, str] = {}
        for start, state in zip(self.videos, self._states, strict=True):
            if state.now.done:
                timelines[start.name], subsets[start.name] = state.timeline, state.now.subset
            elif start.standing is not None:
                timelines[start.name], subsets[start.name] = start.standing
        # In the order of names: the order of the list is by what is worth a look, and a data set has no such order.
        write_activitynet(self.out, {name: timelines[name] for name in sorted(timelines)}, subsets)


def journal_of(out: Path) -> Path:
    """The journal beside the annotations that a review writes."""
    return out.with_name(out.name + ".edits.jsonl")


def _digest(videos: Sequence[Start]) -> str:
    """What a review began with, whatever the order of its videos."""
    text = json.dumps([[each.name, each.duration, each.items] for each in sorted(videos, key=lambda v: v.name)])
    return hashlib.sha256(text.encode()).hexdigest()
