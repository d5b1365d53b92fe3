"""Annotated and detected actions of many videos as columns of raw numbers, which is what evaluation reads.

Readers for training drop a segment without length; here it stays, since each protocol decides for itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from untrimmed.errors import BadInput
from untrimmed.files import read_json
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
    """Seconds."""
    end: Float[np.ndarray, " rows"]
    """Seconds."""
    score: Float[np.ndarray, " rows"]
    """1 for what is annotated."""
    subset: str | None = None
    """The part of a data set that was read; None for all of it."""

    def __len__(self) -> int:
        return len(self.start)


class _Entries(NamedTuple):
    """The entries of every video of a file, one after another."""

    path: Path
    videos: tuple[str, ...]
    video: list[int]
    entries: list[dict[str, Any]]

    def refused(self, row: int, what: str) -> BadInput:
        """The sentence on one entry."""
        return BadInput(f"{self.path}: video {self.videos[self.video[row]]!r} has {what}")


def read_truth(path: Path, subset: str | None = None) -> Instances:
    """The annotated actions of an ActivityNet-form file, `{"database": {video: {"subset", "annotations"}}}`.

    With `subset`, only of videos whose `subset` is exactly that. Raises BadInput when the file cannot be used,
    has no such subset, or annotates no action in it.
    """
    database = _section(path, read_json(path), "database")
    chosen = _chosen(path, database, subset)
    found = _entries(path, chosen)
    if not found.entries:
        where = "it" if subset is None else f"subset {subset!r}"
        raise BadInput(f"{path}: no action is annotated in {where}; choose a subset or a file with annotations")
    start, end = _segments(found)
    return _instances(found.videos, found.video, _labels(found), start, end, np.ones(len(start)), subset)


def read_results(path: Path) -> Instances:
    """The detected actions of an ActivityNet-form file, `{"results": {video: [{"label", "score", "segment"}]}}`.

    Raises BadInput when the file cannot be used, and when it holds proposals, which have no label.
    """
    found = _entries(path, _section(path, read_json(path), "results"))
    for row, entry in enumerate(found.entries):
        if entry.get("label") is None:
            raise found.refused(
                row, "a segment without a label, so these are proposals; detection is judged on labelled results"
            )
    start, end = _segments(found)
    score = _numbers(found, _values(found, "score"), "score")
    return _instances(found.videos, found.video, _labels(found), start, end, score)


def from_timelines(timelines: Mapping[str, Timeline], subset: str | None = None) -> Instances:
    """The actions of timelines, annotated or detected, in their order."""
    rows = [(video, action) for video, timeline in enumerate(timelines.values()) for action in timeline.actions]
    return _instances(
        tuple(timelines),
        [video for video, _ in rows],
        [action.label for _, action in rows],
        np.array([action.start for _, action in rows], np.float64),
        np.array([action.end for _, action in rows], np.float64),
        np.array([action.score for _, action in rows], np.float64),
        subset,
    )


def _instances(
    videos: tuple[str, ...],
    video: list[int],
    names: list[str],
    start: Float[np.ndarray, " rows"],
    end: Float[np.ndarray, " rows"],
    score: Float[np.ndarray, " rows"],
    subset: str | None = None,
) -> Instances:
    labels = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(labels)}
    label = np.array([index[name] for name in names], np.int64)
    return Instances(videos, labels, np.array(video, np.int64), label, start, end, score, subset)


def _section(path: Path, content: Any, name: str) -> dict[str, Any]:
    """The object that a file is about."""
    if isinstance(content, dict) and isinstance(content.get(name), dict):
        return content[name]
    other = {"database": "results", "results": "database"}[name]
    if isinstance(content, dict) and other in content:
        kind = {"database": "a file of annotations", "results": "a file of detections"}
        raise BadInput(f"{path}: has {other!r}, so it is {kind[other]}; {kind[name]} was expected here")
    raise BadInput(f"{path}: has no object {name!r}; a file in the form of ActivityNet was expected")


def _chosen(path: Path, database: dict[str, Any], subset: str | None) -> dict[str, Any]:
    """The annotations of each video of a subset."""
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: video {video!r} is {_shown(entry)}, not an object; mend or remove it")
        if subset is not None and "subset" not in entry:
            raise BadInput(f"{path}: video {video!r} is {_shown(entry)} without 'subset'; add it")
    chosen = {video: entry for video, entry in database.items() if subset is None or entry["subset"] == subset}
    if not chosen and subset is not None:
        there = ", ".join(sorted({repr(entry["subset"]) for entry in database.values()})) or "none"
        raise BadInput(f"{path}: no video of subset {subset!r}; there are {there}")
    for video, entry in chosen.items():
        if "annotations" not in entry:
            raise BadInput(f"{path}: video {video!r} is {_shown(entry)} without 'annotations'; add it")
    return {video: entry["annotations"] for video, entry in chosen.items()}


def _entries(path: Path, found: dict[str, Any]) -> _Entries:
    """The entries of each video, which must be a list of objects."""
    video, entries = [], []
    for index, (name, listed) in enumerate(found.items()):
        if not isinstance(listed, list):
            raise BadInput(f"{path}: video {name!r} has {_shown(listed)} where a list of actions belongs; mend it")
        for entry in listed:
            if not isinstance(entry, dict):
                raise BadInput(f"{path}: video {name!r} lists {_shown(entry)}, not an object with a segment; mend it")
        video += [index] * len(listed)
        entries += listed
    return _Entries(path, tuple(found), video, entries)


def _values(found: _Entries, name: str) -> list[Any]:
    """What every entry has under a name."""
    for row, entry in enumerate(found.entries):
        if name not in entry:
            raise found.refused(row, f"{_shown(entry)} without {name!r}; add it")
    return [entry[name] for entry in found.entries]


def _labels(found: _Entries) -> list[str]:
    labels = _values(found, "label")
    for row, label in enumerate(labels):
        if not isinstance(label, str):
            raise found.refused(row, f"the label {_shown(label)}, not text; mend it")
    return labels


def _segments(found: _Entries) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """Starts and ends."""
    segments = _values(found, "segment")
    for row, segment in enumerate(segments):
        if not isinstance(segment, list) or len(segment) != 2:
            raise found.refused(row, f"the segment {_shown(segment)}; [start, end] in seconds was expected")
    starts, ends = ([segment[side] for segment in segments] for side in (0, 1))
    return _numbers(found, starts, "segment"), _numbers(found, ends, "segment")


def _numbers(found: _Entries, values: list[Any], name: str) -> Float[np.ndarray, " rows"]:
    """Finite numbers; a known file of THUMOS'14 annotations writes its seconds as text."""
    numbers = np.array([value if type(value) is float else _number(value) for value in values], np.float64)
    for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
        raise found.refused(row, f"{_shown(values[row])} in a {name}; a finite number was expected")
    return numbers


def _number(value: Any) -> float:
    """The number that a value is or says; else not a number."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _shown(value: Any) -> str:
    """A value, short enough for one sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
