"""Annotated and detected actions of many videos as columns of raw numbers, which is what evaluation reads.

Readers for training drop a segment without length; here it stays, since each protocol decides for itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.timeline import Timeline


@dataclass(frozen=True, eq=False)
class Instances:
    """One row an action, in the order of the file. Segments may be reversed, without length, or repeated."""

    videos: tuple[str, ...]
    """Every video that was read, also those without actions, in the order of the file."""
    labels: tuple[str, ...]
    """The labels of the rows, sorted."""
    video: Int[np.ndarray, " rows"]
    """Index into `videos`."""
    label: Int[np.ndarray, " rows"]
    """Index into `labels`."""
    start: Float[np.ndarray, " rows"]
    """In `unit`."""
    end: Float[np.ndarray, " rows"]
    """In `unit`."""
    score: Float[np.ndarray, " rows"]
    """1 for what is annotated."""
    subset: str | None = None
    """The part of a data set that was read; None for all of it."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by video, where they are known."""
    marks: Mapping[str, Float[np.ndarray, "marks 2"]] = field(default_factory=dict)
    """Stretches in seconds by video that may or may not be an action (THUMOS'14's Ambiguous)."""
    unit: Literal["seconds", "frames"] = "seconds"
    """What starts and ends are counted in; tables of THUMOS'14 proposals count frames, the last one included."""

    def __len__(self) -> int:
        return len(self.start)

    def rows(self, chosen: Bool[np.ndarray, " rows"] | Int[np.ndarray, " chosen"]) -> "Instances":
        """Some of the rows, by mask or index; videos and labels stay, so their indices keep their meaning."""
        columns = {name: getattr(self, name)[chosen] for name in ("video", "label", "start", "end", "score")}
        return replace(self, **columns)

    def of(self, videos: Collection[str]) -> "Instances":
        """The rows of some videos, without the others."""
        index = {name: number for number, name in enumerate(name for name in self.videos if name in videos)}
        places = np.array([index.get(name, -1) for name in self.videos], np.int64)
        kept = self.rows(places[self.video] >= 0)
        marks = {video: its for video, its in self.marks.items() if video in videos}
        return replace(kept, videos=tuple(index), video=places[kept.video], marks=marks)


def from_columns(
    videos: tuple[str, ...],
    video: Int[np.ndarray, " rows"],
    names: Sequence[str],
    start: Float[np.ndarray, " rows"],
    end: Float[np.ndarray, " rows"],
    score: Float[np.ndarray, " rows"],
) -> Instances:
    """Instances of rows whose labels are given by name."""
    labels = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(labels)}
    label = np.fromiter((index[name] for name in names), np.int64, len(names))
    return Instances(videos, labels, video, label, start, end, score)


def from_timelines(timelines: Mapping[str, Timeline], subset: str | None = None) -> Instances:
    """The actions of timelines, annotated or detected, in their order."""
    actions = [action for timeline in timelines.values() for action in timeline.actions]
    counts = np.array([len(timeline.actions) for timeline in timelines.values()], np.int64)
    instances = from_columns(
        tuple(timelines),
        np.repeat(np.arange(len(counts)), counts),
        [action.label for action in actions],
        np.array([action.start for action in actions], np.float64),
        np.array([action.end for action in actions], np.float64),
        np.array([action.score for action in actions], np.float64),
    )
    durations = {video: timeline.duration for video, timeline in timelines.items()}
    return replace(instances, subset=subset, durations=durations)
