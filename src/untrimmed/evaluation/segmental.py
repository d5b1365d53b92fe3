"""Segmental F1, edit score and frame accuracy of dense labels, as the literature on action segmentation has them."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances
from untrimmed.io import BadInput

# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.

_BACKGROUND = -1
_FAR = 1e15
"""Frames; beyond every video, and still exact as a float."""


@dataclass(frozen=True, kw_only=True)
class SegmentalProtocol:
    """How detections are judged as dense labels: F1 and edit score of Lea et al., CVPR 2017, and frame accuracy.

    Frame i is labelled by what covers its centre, (i + 0.5) / rate: of several detections the best scored, of equals
    the earlier in the file; so too of several truths. Uncovered frames are background, and equal neighbours make one
    segment. For F1 every detected segment, in the order of time, looks at the truth of its label with the largest
    tIoU, of equals the earlier: it hits if that is at least the threshold and the truth was not hit before, and has
    no second choice. Hits and misses are summed over all videos. The edit score is 1 - (Levenshtein distance of the
    sequences of labels) / (length of the longer), mean over the videos. Accuracy is the share of all frames of all
    videos that have the right label.
    """

    name: str
    rate: float = 15.0
    """Frames a second. 15 is the rate of the features that ED-TCN's successors share for 50 Salads, GTEA and
    Breakfast; a frame of 1/15 s is shorter than annotators agree, so a higher rate changes little."""
    overlaps: tuple[float, ...] = (0.1, 0.25, 0.5)
    """Thresholds of F1, each in (0, 1]."""
    floor: float | None = None
    """Detections that score less are left out."""
    background_segments: bool = False
    """Whether stretches of background are segments of F1 and edit score, of a label of their own, too."""
    background_frames: bool = True
    """Whether accuracy runs over frames without truth, too."""

    def __post_init__(self) -> None:
        if not 0 < self.rate < np.inf:
            raise ValueError(f"rate {self.rate} is not a positive number of frames a second")
        if not self.overlaps or not all(0 < overlap <= 1 for overlap in self.overlaps):
            raise ValueError(f"thresholds {self.overlaps} are not one or more numbers in (0, 1]")


SEGMENTAL = SegmentalProtocol(name="segmental")


@dataclass(frozen=True)
class SegmentalScores:
    """What dense labels score; all are fractions."""

    protocol: str
    subset: str | None
    f1: dict[str, float]
    """F1 by threshold in percent."""
    edit: float
    accuracy: float
    per_class: dict[str, dict[str, float]]
    """Of each class of the truth: `f1@10`, ... by threshold in percent, and `accuracy`, the share of its frames that
    have the right label."""
    counts: dict[str, int]
    """Of `videos` and `frames` judged, `classes` of the truth, segments of dense `truth`, `detections` painted, and
    the `segments` that they make."""
    notes: list[str]
    """Sentences on whatever in the files bears on the numbers."""

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return asdict(self)


class _Axis(NamedTuple):
    """The frames of all judged videos, one video after another."""

    places: dict[str, int]
    """Of the judged videos, by name."""
    bounds: Int[np.ndarray, " bounds"]
    """The frames of video v are `bounds[v]:bounds[v + 1]`."""


class _Painted(NamedTuple):
    """One side, truth or detections, as dense labels."""

    frames: Int[np.ndarray, " frames"]
    """Index into the labels of both sides, or background."""
    used: Int[np.ndarray, " used"]
    """Rows in judged videos and above the floor."""
    first: Int[np.ndarray, " used"]
    """Where each row begins on the axis."""
    last: Int[np.ndarray, " used"]
    """Where it ends; not after `first` when it covers no frame."""
    beyond: int
    """Rows cut at an end of their video."""


class _Segments(NamedTuple):
    """Runs of equal labels, in the order of videos and time."""

    label: Int[np.ndarray, " segments"]
    first: Int[np.ndarray, " segments"]
    last: Int[np.ndarray, " segments"]
    bounds: Int[np.ndarray, " bounds"]
    """The segments of video v are `bounds[v]:bounds[v + 1]`."""


def segmental_scores(
    truth: Instances, results: Instances, protocol: SegmentalProtocol = SEGMENTAL
) -> SegmentalScores:
    """Judge detections as dense labels.

    A video is as long as `truth.durations` says, or else ends with its last truth; one with neither is left out.
    Whatever reaches beyond is cut there. A video without detections is all background: its truth is missed, its edit
    score 0 (1 if it has no truth either), and its frames without truth are right. Detections in videos outside the
    annotations are ignored, for nothing is known of their frames; those of a class that the truth does not have are
    false positives. Segments without length or reversed cover no frame. Raises BadInput when no frame has truth.
    """
    for rows, name in ((truth, "annotations"), (results, "detections")):
        if rows.unit != "seconds":
            raise BadInput(f"the {name} are in {rows.unit}; dense labels are made of seconds")
    axis = _axis(truth, protocol.rate)
    labels = tuple(dict.fromkeys((*truth.labels, *results.labels)))
    painted = _paint(truth, axis, labels, protocol.rate, None)
    detected = _paint(results, axis, labels, protocol.rate, protocol.floor)
    if not (painted.frames >= 0).any():
        raise BadInput("no annotated action covers a frame, so nothing can be judged; choose another subset or rate")
    theirs = _segments(painted.frames, axis.bounds, protocol.background_segments)
    ours = _segments(detected.frames, axis.bounds, protocol.background_segments)
    hits = _hits(*ours, *theirs, np.array(protocol.overlaps))
    return SegmentalScores(
        protocol=protocol.name,
        subset=truth.subset,
        f1=_f1(hits.sum(axis=0), len(ours.label), len(theirs.label), protocol),
        edit=float(_edit_scores(ours.label, ours.bounds, theirs.label, theirs.bounds).mean()),
        accuracy=_accuracy(painted.frames, detected.frames, protocol),
        per_class=_per_class(labels, painted.frames, detected.frames, theirs, ours, hits, protocol),
        counts={
            "videos": len(axis.places),
            "frames": int(axis.bounds[-1]),
            "classes": len(np.unique(painted.frames[painted.frames >= 0])),
            "truth": len(theirs.label),
            "detections": int((detected.last > detected.first).sum()),
            "segments": len(ours.label),
        },
        notes=_notes(truth, results, axis, painted, detected, theirs, protocol),
    )


def _axis(truth: Instances, rate: float) -> _Axis:
    """The frames of every video whose length is known."""
    ends = np.zeros(len(truth.videos))
    np.maximum.at(ends, truth.video, truth.end)
    seconds = np.array([truth.durations.get(video, end) for video, end in zip(truth.videos, ends, strict=True)])
    frames = np.maximum(_frame(seconds, rate), 0)
    judged = np.flatnonzero(frames)
    places = {truth.videos[video]: place for place, video in enumerate(judged)}
    return _Axis(places, np.append(0, np.cumsum(frames[judged])))


def _frame(seconds: Float[np.ndarray, " times"], rate: float) -> Int[np.ndarray, " times"]:
    """The first frame whose centre is not before each time."""
    return np.ceil(np.clip(seconds * rate, -_FAR, _FAR) - 0.5).astype(np.int64)


def _paint(instances: Instances, axis: _Axis, labels: tuple[str, ...], rate: float, floor: float | None) -> _Painted:
    """The dense labels that rows make."""
    video = np.array([axis.places.get(name, -1) for name in instances.videos], np.int64)[instances.video]
    used = np.flatnonzero(video >= 0 if floor is None else (video >= 0) & (instances.score >= floor))
    begin, end = axis.bounds[video[used]], axis.bounds[video[used] + 1]
    first = begin + _frame(instances.start[used], rate)
    last = begin + _frame(instances.end[used], rate)
    beyond = int(((first < begin) | (last > end)).sum())
    first, last = np.maximum(first, begin), np.minimum(last, end)
    index = {name: number for number, name in enumerate(labels)}
    label = np.array([index[name] for name in instances.labels], np.int64)[instances.label[used]]
    order = np.argsort(-instances.score[used], kind="stable")
    frames = _covered(first[order], last[order], label[order], axis.bounds[-1])
    return _Painted(frames, used, first, last, beyond)


@njit(cache=True)
@no_type_check
def _covered(first, last, label, count):
    """The label of each frame: of the first row that covers it, in time that hardly grows with how many do."""
    frames = np.full(count, _BACKGROUND)
    # From frame i on, none before `free[i]` is free; what was passed is remembered, as in union-find.
    free = np.arange(count + 1)
    for row in range(label.size):
        i = first[row]
        while i < last[row]:
            if free[i] == i:
                frames[i] = label[row]
                free[i] = i + 1
            following = free[free[i]]
            free[i] = following
            i = following
    return frames


def _segments(frames: Int[np.ndarray, " frames"], bounds: Int[np.ndarray, " bounds"], background: bool) -> _Segments:
    """The runs of equal labels, which end with their video; without those of background unless asked for."""
    begins = np.ones(len(frames), bool)
    begins[1:] = frames[1:] != frames[:-1]
    begins[bounds[:-1]] = True
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(frames))
    chosen = np.ones(len(first), bool) if background else frames[first] != _BACKGROUND
    first, last = first[chosen], last[chosen]
    return _Segments(frames[first], first, last, np.searchsorted(first, bounds))


@njit(cache=True)
@no_type_check
def _hits(label, first, last, bounds, truth_label, truth_first, truth_last, truth_bounds, overlaps):
    """Whether each segment hits, at each threshold."""
    hit = np.zeros((label.size, overlaps.size), np.bool_)
    taken = np.zeros((truth_label.size, overlaps.size), np.bool_)
    for video in range(bounds.size - 1):
        for i in range(bounds[video], bounds[video + 1]):
            best, largest = -1, 0.0
            for j in range(truth_bounds[video], truth_bounds[video + 1]):
                shared = min(last[i], truth_last[j]) - max(first[i], truth_first[j])
                if label[i] != truth_label[j] or shared <= 0:
                    continue
                overlap = shared / (last[i] - first[i] + truth_last[j] - truth_first[j] - shared)
                if overlap > largest:
                    best, largest = j, overlap
            for k in range(overlaps.size):
                if best >= 0 and largest >= overlaps[k] and not taken[best, k]:
                    hit[i, k] = taken[best, k] = True
    return hit


@njit(cache=True)
@no_type_check
def _edit_scores(label, bounds, truth_label, truth_bounds):
    """1 - Levenshtein distance of the labels of each video / length of the longer one; 1 where both are empty."""
    scores = np.ones(bounds.size - 1)
    for video in range(scores.size):
        ours = label[bounds[video] : bounds[video + 1]]
        theirs = truth_label[truth_bounds[video] : truth_bounds[video + 1]]
        row = np.arange(theirs.size + 1)
        for i in range(ours.size):
            diagonal, row[0] = row[0], i + 1
            for j in range(theirs.size):
                changed = diagonal + (ours[i] != theirs[j])
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, diagonal + 1)
        longer = max(ours.size, theirs.size)
        if longer:
            scores[video] = 1 - row[-1] / longer
    return scores


def _f1(hits: Int[np.ndarray, " overlaps"], found: int, true: int, protocol: SegmentalProtocol) -> dict[str, float]:
    """F1 by threshold in percent: 2 TP / (2 TP + FP + FN); 0 where nothing is there."""
    values = 2 * hits / max(found + true, 1)
    return {f"{100 * overlap:g}": float(value) for overlap, value in zip(protocol.overlaps, values, strict=True)}


def _accuracy(
    true: Int[np.ndarray, " frames"], found: Int[np.ndarray, " frames"], protocol: SegmentalProtocol
) -> float:
    """Share of frames with the right label."""
    right = true == found
    return float((right if protocol.background_frames else right[true != _BACKGROUND]).mean())


def _per_class(
    labels: tuple[str, ...],
    true: Int[np.ndarray, " frames"],
    found: Int[np.ndarray, " frames"],
    theirs: _Segments,
    ours: _Segments,
    hits: Bool[np.ndarray, "segments overlaps"],
    protocol: SegmentalProtocol,
) -> dict[str, dict[str, float]]:
    """F1 and accuracy of each class that the dense truth has."""
    frames, right = (
        np.bincount(true[chosen], minlength=len(labels)) for chosen in (true >= 0, (true >= 0) & (true == found))
    )
    figures = {}
    for label in np.flatnonzero(frames):
        mine = ours.label == label
        f1 = _f1(hits[mine].sum(axis=0), int(mine.sum()), int((theirs.label == label).sum()), protocol)
        figures[labels[label]] = {f"f1@{name}": value for name, value in f1.items()}
        figures[labels[label]]["accuracy"] = float(right[label] / frames[label])
    return figures


def _notes(
    truth: Instances,
    results: Instances,
    axis: _Axis,
    painted: _Painted,
    detected: _Painted,
    theirs: _Segments,
    protocol: SegmentalProtocol,
) -> list[str]:
    """What a reader of the numbers should know of the two files."""
    known = {truth.labels[label] for label in np.unique(truth.label)}
    strange = [label for label in range(len(results.labels)) if results.labels[label] not in known]
    names = ", ".join(results.labels[label] for label in strange[:5]) + (", ..." if len(strange) > 5 else "")
    outside = [video for video in range(len(results.videos)) if results.videos[video] not in axis.places]
    elsewhere = np.isin(results.video, outside).sum()
    silent = len(axis.places) - len({results.videos[video] for video in np.unique(results.video[detected.used])})
    visible = int((painted.last > painted.first).sum())
    segments = int((theirs.label != _BACKGROUND).sum())
    found = {
        "annotated videos left out because neither a duration nor an action gives their length": (
            len(truth.videos) - len(axis.places)
        ),
        "annotated videos whose length is taken from their last action": (
            sum(video not in truth.durations for video in axis.places)
        ),
        "annotated videos without a detection, all background": silent,
        "detections in videos outside the annotations, ignored": elsewhere,
        f"detections that score less than {protocol.floor}, left out": len(results) - elsewhere - len(detected.used),
        f"detections of classes that the annotations lack, counted ({names})": (
            np.isin(results.label[detected.used], strange).sum()
        ),
        "annotated segments that cover no frame": len(painted.used) - visible,
        "detected segments that cover no frame": (detected.last <= detected.first).sum(),
        "annotated segments cut at an end of their video": painted.beyond,
        "detected segments cut at an end of their video": detected.beyond,
    }
    notes = [f"{what}: {count}" for what, count in found.items() if count]
    merged = f"annotated segments that cover a frame are {visible}, and make this many of dense labels: {segments}"
    return notes + ([merged] if visible != segments else [])
