"""Annotated and detected actions of many videos as columns of raw numbers, which is what evaluation reads.

Readers for training drop a segment without length; here it stays, because each protocol decides on its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.annotations.annotations import Spans
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline


@dataclass(frozen=True, eq=False)
class Instances:
    """Actions, one a row, in the order of the file. Segments may be reversed, without length, or repeated."""

    videos: tuple[str, ...]
    """Every video of the file, also those without actions, in its order."""
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
    """1 for annotated actions."""
    subset: str | None = None
    """The part of a data set that was read; None for all of it."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by video, where the file states them."""
    marks: Mapping[str, Float[np.ndarray, "marks 2"]] = field(default_factory=dict)
    """Stretches in seconds by video that may or may not be an action (THUMOS'14's Ambiguous)."""
    annotated: Mapping[str, Spans] = field(default_factory=dict)
    """Of each video that is judged in part, the stretches in seconds that are; nothing outside them is judged."""
    unit: Literal["seconds", "frames"] = "seconds"
    """The unit of starts and ends; tables of THUMOS'14 proposals count frames, the last one included."""
    other_subsets: Mapping[str, str] = field(default_factory=dict)
    """The subsets of the videos that the file has outside `subset`."""
    notes: tuple[str, ...] = ()
    """Sentences on what was guessed or left out in reading."""

    def __len__(self) -> int:
        return len(self.start)

    def select_rows(self, rows: Bool[np.ndarray, " rows"] | Int[np.ndarray, " selected"]) -> "Instances":
        """Select rows by mask or index; `videos` and `labels` stay, so indices keep their meaning."""
        columns = {name: getattr(self, name)[rows] for name in ("video", "label", "start", "end", "score")}
        return replace(self, **columns)

    def select_videos(self, videos: Collection[str]) -> "Instances":
        """Select the rows of some videos; the others leave `videos` and `marks` too."""
        names = tuple(name for name in self.videos if name in videos)
        index = index_names(self.videos, names)
        rows = self.select_rows(index[self.video] >= 0)
        marks = {video: marks for video, marks in self.marks.items() if video in videos}
        annotated = {video: spans for video, spans in self.annotated.items() if video in videos}
        return replace(rows, videos=names, video=index[rows.video], marks=marks, annotated=annotated)

    def rename(self, videos: Mapping[str, str], labels: Mapping[str, str]) -> "Instances":
        """Rename some videos and labels, no two to one name; rows keep their order."""
        names = [labels.get(label, label) for label in self.labels]
        ordered = tuple(sorted(names))
        return replace(
            self,
            videos=tuple(videos.get(video, video) for video in self.videos),
            labels=ordered,
            label=index_names(names, ordered)[self.label],
            durations={videos.get(video, video): seconds for video, seconds in self.durations.items()},
            annotated={videos.get(video, video): spans for video, spans in self.annotated.items()},
        )

    def add_labels(self, labels: Collection[str]) -> "Instances":
        """Add labels that no row has: what would have been annotated, and never happened.

        Detections of a label that the ground truth lacks are ignored; of one that it has, they are false alarms.
        """
        ordered = tuple(sorted({*self.labels, *labels}))
        return replace(self, labels=ordered, label=index_names(self.labels, ordered)[self.label])

    def scale(self, factors: Float[np.ndarray, " videos"]) -> "Instances":
        """Turn times into seconds: multiply them by a factor for each of `videos`."""
        factor = factors[self.video]
        return replace(self, start=self.start * factor, end=self.end * factor, unit="seconds")

    def find_flat(self) -> Bool[np.ndarray, " rows"]:
        """Find the segments without length or reversed."""
        return self.end <= self.start


def from_columns(
    videos: tuple[str, ...],
    video: Int[np.ndarray, " rows"],
    names: Sequence[str],
    start: Float[np.ndarray, " rows"],
    end: Float[np.ndarray, " rows"],
    score: Float[np.ndarray, " rows"],
) -> Instances:
    """Build instances of rows whose labels are given by name."""
    labels = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(labels)}
    label = np.fromiter((index[name] for name in names), np.int64, len(names))
    return Instances(videos, labels, video, label, start, end, score)


def from_rows(rows: Mapping[str, Sequence[Any]]) -> Instances:
    """Build instances of the rows of each video, which have `start`, `end`, `label` and `score`, in their order."""
    listed = [action for actions in rows.values() for action in actions]
    counts = np.array([len(actions) for actions in rows.values()], np.int64)
    return from_columns(
        tuple(rows),
        np.repeat(np.arange(len(rows)), counts),
        [action.label for action in listed],
        np.array([action.start for action in listed], np.float64),
        np.array([action.end for action in listed], np.float64),
        np.array([action.score for action in listed], np.float64),
    )


def from_timelines(
    timelines: Mapping[str, Timeline], subset: str | None = None, annotated: Mapping[str, Spans] | None = None
) -> Instances:
    """Build instances of the actions of timelines, annotated or detected, in their order.

    `annotated` are the stretches of the videos that are judged in part.
    """
    instances = from_rows({video: timeline.actions for video, timeline in timelines.items()})
    durations = {video: timeline.duration for video, timeline in timelines.items()}
    return replace(instances, subset=subset, durations=durations, annotated=annotated or {})


def index_names(names: Sequence[str], known: Sequence[str]) -> Int[np.ndarray, " names"]:
    """Find the index of each name among the known names; -1 where it is not among them."""
    index = {name: number for number, name in enumerate(known)}
    return np.array([index.get(name, -1) for name in names], np.int64)


def index_videos(results: Instances, ground_truth: Instances) -> Int[np.ndarray, " rows"]:
    """Find the video of each row of the results among the videos of the ground truth; -1 where it is not there."""
    return index_names(results.videos, ground_truth.videos)[results.video]


def index_all_videos(results: Instances, ground_truth: Instances) -> Int[np.ndarray, " rows"]:
    """Find the video of each row as `index_videos`; videos that only the results have are numbered from there on."""
    videos = tuple(dict.fromkeys((*ground_truth.videos, *results.videos)))
    return index_names(results.videos, videos)[results.video]


def check_not_empty(ground_truth: Instances, content: str = "action") -> None:
    """Raise BadInput when the ground truth is empty."""
    if not len(ground_truth):
        raise BadInput(f"the annotations hold no {content}, so nothing can be judged; choose another subset or file")
