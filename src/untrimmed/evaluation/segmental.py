"""Segmental F1, edit score and frame accuracy of dense labels, as the literature on action segmentation has them."""

from dataclasses import dataclass
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances, index_names
from untrimmed.evaluation.judged import cut_to_spans
from untrimmed.evaluation.matching import Segments, compute_tiou
from untrimmed.evaluation.notes import ToJson, format_counts, list_names
from untrimmed.evaluation.protocols import check_tious
from untrimmed.io import BadInput

_BACKGROUND = -1
_FAR = 1e15
"""Frames; beyond every video, and still exact as a float."""


@dataclass(frozen=True, kw_only=True)
class SegmentalProtocol:
    """How detections are judged as dense labels: F1 and edit score of Lea et al., CVPR 2017, and frame accuracy.

    Frame i is labelled by what covers its centre, (i + 0.5) / rate: of several detections the best scored, of equals
    the earlier in the file; so too of several annotated actions. Uncovered frames are background, and equal
    neighbours make one segment. For F1 every detected segment, in the order of time, looks at the segment of the
    ground truth of its label with the largest tIoU, of equals the earlier: it hits if that is at least the threshold
    and the segment was not hit before, and has no second choice. Hits and misses are summed over all videos. The edit
    score is 1 - (Levenshtein distance of the sequences of labels) / (length of the longer), mean over the videos.
    Accuracy is the share of all frames of all videos that have the right label.
    """

    name: str
    rate: float = 15.0
    """Frames a second. 15 is the rate of the features that ED-TCN's successors share for 50 Salads, GTEA and
    Breakfast; a frame of 1/15 s is shorter than annotators agree, so a higher rate changes little."""
    overlaps: tuple[float, ...] = (0.1, 0.25, 0.5)
    """Thresholds of F1, each in (0, 1]."""
    floor: float | None = None
    """Detections that score less are dropped."""
    background_segments: bool = False
    """Whether stretches of background are segments of F1 and edit score, of a label of their own, too."""
    background_frames: bool = True
    """Whether accuracy runs over frames without an annotated action, too."""

    def __post_init__(self) -> None:
        if not 0 < self.rate < np.inf:
            raise ValueError(f"rate {self.rate} is not a positive number of frames a second")
        check_tious(self.overlaps)


SEGMENTAL = SegmentalProtocol(name="segmental")


@dataclass(frozen=True)
class SegmentalScores(ToJson):
    """What dense labels score; all are fractions."""

    protocol: str
    subset: str | None
    f1: dict[str, float]
    """F1 by threshold in percent."""
    edit: float
    accuracy: float
    per_class: dict[str, dict[str, float]]
    """Of each class of the ground truth: `f1@10`, ... by threshold in percent, and `accuracy`, the share of its
    frames that have the right label."""
    counts: dict[str, int]
    """Of `videos` and `frames` judged, `classes` of the ground truth, its dense segments (`truth`), `detections` that
    cover a frame, and the `segments` that they make."""
    notes: list[str]
    """Sentences on whatever in the files bears on the figures."""


class _Axis(NamedTuple):
    """The frames of all judged videos, one video after another."""

    videos: tuple[str, ...]
    """The judged videos."""
    bounds: Int[np.ndarray, " bounds"]
    """The frames of video v are `bounds[v]:bounds[v + 1]`."""


class _Segments(NamedTuple):
    """Runs of equal labels, in the order of videos and time."""

    label: Int[np.ndarray, " segments"]
    span: Segments
    """In frames of the axis; the last one is not included."""
    bounds: Int[np.ndarray, " bounds"]
    """The segments of video v are `bounds[v]:bounds[v + 1]`."""


class _Side(NamedTuple):
    """Ground truth or detections as dense labels."""

    frames: Int[np.ndarray, " frames"]
    """Index into the labels of both sides, or background."""
    segments: _Segments
    row: Int[np.ndarray, " used"]
    """Rows in judged videos and above the floor."""
    empty: Bool[np.ndarray, " used"]
    """Whether a row covers no frame."""
    cut: int
    """Rows cut at an end of their video."""


def compute_segmental_scores(
    ground_truth: Instances, results: Instances, protocol: SegmentalProtocol = SEGMENTAL
) -> SegmentalScores:
    """Judge detections as dense labels.

    A video is as long as `ground_truth.durations` says, or else ends with its last annotated action; one with neither
    is skipped. Whatever reaches beyond is cut there. A video without detections is all background: its actions are
    missed, its edit score is 0 (1 if it has no action either), and its frames without an action are right. Detections
    in videos outside the annotations are ignored, because nothing is known of their frames; those of a class that the
    ground truth lacks are false positives. Segments without length or reversed cover no frame. Raises BadInput when
    no annotated action covers a frame. Each span of a video that is annotated in part is a video of its own here.
    """
    for rows, name in ((ground_truth, "annotations"), (results, "detections")):
        if rows.unit != "seconds":
            raise BadInput(f"the {name} are in {rows.unit}; dense labels are made of seconds")
    ground_truth, results, outside = cut_to_spans(ground_truth, results)
    axis = _build_axis(ground_truth, protocol.rate)
    labels = tuple(dict.fromkeys((*ground_truth.labels, *results.labels)))
    annotated = _label_frames(ground_truth, axis, labels, protocol, None)
    detected = _label_frames(results, axis, labels, protocol, protocol.floor)
    if not (annotated.frames >= 0).any():
        raise BadInput("no annotated action covers a frame, so nothing can be judged; choose another subset or rate")
    hits = _find_hits(detected.segments, annotated.segments, np.array(protocol.overlaps))
    actions, segments = len(annotated.segments.label), len(detected.segments.label)
    right = annotated.frames == detected.frames
    judged = right if protocol.background_frames else right[annotated.frames != _BACKGROUND]
    return SegmentalScores(
        protocol=protocol.name,
        subset=ground_truth.subset,
        f1=_compute_f1(hits.sum(axis=0), segments + actions, protocol),
        edit=float(_compute_edit_scores(detected.segments, annotated.segments).mean()),
        accuracy=float(judged.mean()),
        per_class=_score_classes(labels, annotated, detected, hits, protocol),
        counts={
            "videos": len(axis.videos),
            "frames": int(axis.bounds[-1]),
            "classes": len(np.unique(annotated.frames[annotated.frames >= 0])),
            "truth": actions,
            "detections": int((~detected.empty).sum()),
            "segments": segments,
        },
        notes=format_counts(outside) + _write_notes(ground_truth, results, axis, annotated, detected, protocol),
    )


def _build_axis(ground_truth: Instances, rate: float) -> _Axis:
    """Line up the frames of every video whose length is known."""
    videos = ground_truth.videos
    ends = np.zeros(len(videos))
    np.maximum.at(ends, ground_truth.video, ground_truth.end)
    seconds = np.array([ground_truth.durations.get(video, end) for video, end in zip(videos, ends, strict=True)])
    frames = np.maximum(_find_frame(seconds, rate), 0)
    judged = np.flatnonzero(frames)
    return _Axis(tuple(videos[video] for video in judged), np.append(0, np.cumsum(frames[judged])))


def _find_frame(seconds: Float[np.ndarray, " times"], rate: float) -> Int[np.ndarray, " times"]:
    """Find the first frame whose centre is not before each time."""
    return np.ceil(np.clip(seconds * rate, -_FAR, _FAR) - 0.5).astype(np.int64)


def _label_frames(
    instances: Instances, axis: _Axis, labels: tuple[str, ...], protocol: SegmentalProtocol, floor: float | None
) -> _Side:
    """Make dense labels of the rows that score at least `floor`."""
    video = index_names(instances.videos, axis.videos)[instances.video]
    row = np.flatnonzero(video >= 0 if floor is None else (video >= 0) & (instances.score >= floor))
    begin, end = axis.bounds[video[row]], axis.bounds[video[row] + 1]
    first = begin + _find_frame(instances.start[row], protocol.rate)
    last = begin + _find_frame(instances.end[row], protocol.rate)
    cut = int(((first < begin) | (last > end)).sum())
    first, last = np.maximum(first, begin), np.minimum(last, end)
    label = index_names(instances.labels, labels)[instances.label[row]]
    order = np.argsort(-instances.score[row], kind="stable")
    frames = _cover(first[order], last[order], label[order], axis.bounds[-1])
    return _Side(frames, _split(frames, axis.bounds, protocol.background_segments), row, last <= first, cut)


@njit(cache=True)
@no_type_check
def _cover(first: np.ndarray, last: np.ndarray, label: np.ndarray, count: int) -> np.ndarray:
    """Give each of `count` frames the label of the first row that covers it, in time that hardly grows with the rows.

    Row i covers the frames `first[i]:last[i]`.
    """
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


def _split(frames: Int[np.ndarray, " frames"], bounds: Int[np.ndarray, " bounds"], background: bool) -> _Segments:
    """Split frames into runs of equal labels, which end with their video; with or without those of background."""
    begins = np.ones(len(frames), bool)
    begins[1:] = frames[1:] != frames[:-1]
    begins[bounds[:-1]] = True
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(frames))
    selected = np.ones(len(first), bool) if background else frames[first] != _BACKGROUND
    first, last = first[selected], last[selected]
    return _Segments(frames[first], Segments(first, last), np.searchsorted(first, bounds))


@njit(cache=True)
@no_type_check
def _find_hits(detected: _Segments, annotated: _Segments, overlaps: np.ndarray) -> np.ndarray:
    """Find the detected segments that hit at each threshold: booleans [segments, thresholds]."""
    hit = np.zeros((detected.label.size, overlaps.size), np.bool_)
    free = np.ones((annotated.label.size, overlaps.size), np.bool_)
    for video in range(detected.bounds.size - 1):
        for i in range(detected.bounds[video], detected.bounds[video + 1]):
            best, largest = -1, 0.0
            for j in range(annotated.bounds[video], annotated.bounds[video + 1]):
                if detected.label[i] != annotated.label[j]:
                    continue
                overlap = compute_tiou(detected.span, i, annotated.span, j, 0.0)
                if overlap > largest:
                    best, largest = j, overlap
            for k in range(overlaps.size):
                if best >= 0 and largest >= overlaps[k] and free[best, k]:
                    hit[i, k], free[best, k] = True, False
    return hit


@njit(cache=True)
@no_type_check
def _compute_edit_scores(detected: _Segments, annotated: _Segments) -> np.ndarray:
    """Compute 1 - Levenshtein distance of the labels of each video / length of the longer; 1 where both are empty."""
    scores = np.ones(detected.bounds.size - 1)
    for video in range(scores.size):
        labels = detected.label[detected.bounds[video] : detected.bounds[video + 1]]
        expected = annotated.label[annotated.bounds[video] : annotated.bounds[video + 1]]
        row = np.arange(expected.size + 1)
        for i in range(labels.size):
            diagonal, row[0] = row[0], i + 1
            for j in range(expected.size):
                changed = diagonal + (labels[i] != expected[j])
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, diagonal + 1)
        longer = max(labels.size, expected.size)
        if longer:
            scores[video] = 1 - row[-1] / longer
    return scores


def _compute_f1(hits: Int[np.ndarray, " overlaps"], segments: int, protocol: SegmentalProtocol) -> dict[str, float]:
    """Compute F1 by threshold in percent: 2 TP / (segments of both sides); 0 where nothing is there."""
    values = 2 * hits / max(segments, 1)
    return {f"{100 * overlap:g}": float(value) for overlap, value in zip(protocol.overlaps, values, strict=True)}


def _score_classes(
    labels: tuple[str, ...],
    annotated: _Side,
    detected: _Side,
    hits: Bool[np.ndarray, "segments overlaps"],
    protocol: SegmentalProtocol,
) -> dict[str, dict[str, float]]:
    """Compute F1 and accuracy of each class that has a frame in the ground truth."""
    covered = annotated.frames >= 0
    frames, right = (
        np.bincount(annotated.frames[mask], minlength=len(labels))
        for mask in (covered, covered & (annotated.frames == detected.frames))
    )
    figures = {}
    for label in np.flatnonzero(frames):
        of_class = detected.segments.label == label
        segments = int(of_class.sum() + (annotated.segments.label == label).sum())
        f1 = _compute_f1(hits[of_class].sum(axis=0), segments, protocol)
        figures[labels[label]] = {f"f1@{name}": value for name, value in f1.items()}
        figures[labels[label]]["accuracy"] = float(right[label] / frames[label])
    return figures


def _write_notes(
    ground_truth: Instances,
    results: Instances,
    axis: _Axis,
    annotated: _Side,
    detected: _Side,
    protocol: SegmentalProtocol,
) -> list[str]:
    """Write what bears on the figures of two files."""
    classes = {ground_truth.labels[label] for label in np.unique(ground_truth.label)}
    unknown = [label for label, name in enumerate(results.labels) if name not in classes]
    names = list_names(results.labels[label] for label in unknown)
    elsewhere = int((index_names(results.videos, axis.videos)[results.video] < 0).sum())
    visible = int((~annotated.empty).sum())
    counts = {
        "annotated videos left out because neither a duration nor an action gives their length": (
            len(ground_truth.videos) - len(axis.videos)
        ),
        "annotated videos whose length is taken from their last action": (
            sum(video not in ground_truth.durations for video in axis.videos)
        ),
        "annotated videos without a detection, all background": (
            len(axis.videos) - len(np.unique(results.video[detected.row]))
        ),
        "detections in videos outside the annotations, ignored": elsewhere,
        f"detections that score less than {protocol.floor}, left out": len(results) - elsewhere - len(detected.row),
        f"detections of classes that the annotations lack, counted ({names})": (
            np.isin(results.label[detected.row], unknown).sum()
        ),
        "annotated segments that cover no frame": len(annotated.row) - visible,
        "detected segments that cover no frame": detected.empty.sum(),
        "annotated segments cut at an end of their video": annotated.cut,
        "detected segments cut at an end of their video": detected.cut,
    }
    segments = int((annotated.segments.label != _BACKGROUND).sum())
    merged = f"annotated segments that cover a frame are {visible}, and make this many of dense labels: {segments}"
    return format_counts(counts) + ([merged] if visible != segments else [])
