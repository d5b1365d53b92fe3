"""Average precision of detected actions, by the rules of the official ActivityNet detection program."""

from dataclasses import dataclass
from typing import Any, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Int
from numba import njit

from untrimmed.errors import BadInput
from untrimmed.evaluate.instances import Instances

# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.


@dataclass(frozen=True)
class Protocol:
    """How detections are judged: the rules of the ActivityNet program, at these temporal overlaps.

    The detections of a class over all videos take their turn by score, of equal scores in the order of the
    file. Each hits the free truth of its video and class that it overlaps most, if by `tious` or more, and
    takes it; else it is a false positive. That is decided for every threshold apart. AP is the area under
    precision, made monotone, over recall at every point (as in PASCAL VOC since 2010); the mean runs over the
    classes of the truth.
    """

    name: str
    tious: tuple[float, ...]
    """Thresholds, each in (0, 1]."""

    def __post_init__(self) -> None:
        if not self.tious or not all(0 < tiou <= 1 for tiou in self.tious):
            raise ValueError(f"thresholds {self.tious} are not one or more numbers in (0, 1]")


# As np.linspace makes them, so that an overlap on the edge falls as it does in the official program.
ACTIVITYNET = Protocol("activitynet", tuple(np.linspace(0.5, 0.95, 10).tolist()))
THUMOS14 = Protocol("thumos14", tuple(np.linspace(0.3, 0.7, 5).tolist()))
# For small sets that come with no program of their own.
SEGMENTS = Protocol("segments", (0.1, 0.3, 0.5, 0.7))
PROTOCOLS = {protocol.name: protocol for protocol in (ACTIVITYNET, THUMOS14, SEGMENTS)}


def parse_tious(text: str) -> tuple[float, ...]:
    """Thresholds from words: `0.5`, `0.3,0.5,0.7`, or `first:last:step` with the last one in, as `0.3:0.7:0.1`."""
    try:
        if ":" in text:
            first, last, step = map(float, text.split(":"))
            # As np.linspace makes them, like the official programs.
            tious = tuple(np.linspace(first, last, round((last - first) / step) + 1).tolist())
        else:
            tious = tuple(map(float, text.split(",")))
        Protocol("", tious)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise BadInput(f"tIoU {text!r}: give numbers in (0, 1] as 0.5 or 0.3,0.5 or 0.3:0.7:0.1") from None
    return tious


@dataclass(frozen=True)
class DetectionScores:
    """What a set of detections scores; every AP is in [0, 1]."""

    protocol: str
    subset: str | None
    tious: tuple[float, ...]
    map: tuple[float, ...]
    """Mean AP over the classes, one a threshold."""
    average_map: float
    """Mean of `map`."""
    per_class: dict[str, list[float]]
    """AP of each class of the truth, one a threshold."""
    counts: dict[str, int]
    """Of `videos`, `classes` and `truth` segments judged on; of `detections` judged, and `ignored`."""
    notes: list[str]
    """Sentences on whatever in the files bears on the numbers."""

    def rows(self) -> list[tuple[str, list[float]]]:
        """AP of each class and then of all together: one a threshold, and their mean."""
        named = [*self.per_class.items(), ("all classes", list(self.map))]
        return [(name, [*precisions, sum(precisions) / len(precisions)]) for name, precisions in named]

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return {
            "protocol": self.protocol,
            "subset": self.subset,
            "tious": list(self.tious),
            "map": list(self.map),
            "average_map": self.average_map,
            "per_class": self.per_class,
            "counts": self.counts,
            "notes": self.notes,
        }


class Ranked(NamedTuple):
    """Detections of the classes of the truth, class by class and best first, and what each of them hit."""

    row: Int[np.ndarray, " detections"]
    """Row in the results."""
    label: Int[np.ndarray, " detections"]
    """Class, as an index into the labels of the truth."""
    hit: Bool[np.ndarray, "detections tious"]
    """Whether it hit a truth, at each threshold."""


def detection_map(truth: Instances, results: Instances, protocol: Protocol = ACTIVITYNET) -> DetectionScores:
    """Judge detections: AP of every class at every threshold, and their means.

    Equal to the official program to rounding, except among equal scores, whose order there is arbitrary, and in
    two places where it stops with an error: a class without detections has AP 0, and detections of a class that
    the truth does not have are ignored and noted. Raises BadInput when the truth is empty.
    """
    if not len(truth):
        raise BadInput("the annotations hold no action, so nothing can be judged; choose another subset or file")
    ranked = match(truth, results, protocol.tious)
    truths = np.bincount(truth.label, minlength=len(truth.labels))
    bounds = np.searchsorted(ranked.label, np.arange(len(truth.labels) + 1))
    precisions = _average_precisions(ranked.hit, bounds, truths)
    present = np.flatnonzero(truths)
    means = precisions[present].mean(axis=0)
    return DetectionScores(
        protocol=protocol.name,
        subset=truth.subset,
        tious=protocol.tious,
        map=tuple(means.tolist()),
        average_map=float(means.mean()),
        per_class={truth.labels[label]: precisions[label].tolist() for label in present},
        counts={
            "videos": len(truth.videos),
            "classes": len(present),
            "truth": len(truth),
            "detections": len(ranked.row),
            "ignored": len(results) - len(ranked.row),
        },
        notes=_notes(truth, results, ranked),
    )


def match(truth: Instances, results: Instances, tious: tuple[float, ...]) -> Ranked:
    """Rank the detections and find which of them hit, at each threshold."""
    label = _translated(results.labels, truth.labels)[results.label]
    video = _translated(results.videos, truth.videos)[results.video]
    known = np.flatnonzero(label >= 0)
    row = known[np.lexsort((-results.score[known], label[known]))]
    order = np.lexsort((truth.video, truth.label))
    places = truth.label[order] * len(truth.videos) + truth.video[order]
    place = np.where(video[row] >= 0, label[row] * len(truth.videos) + video[row], -1)
    hit = _hits(
        results.start[row],
        results.end[row],
        np.searchsorted(places, place, side="left"),
        np.searchsorted(places, place, side="right"),
        truth.start[order],
        truth.end[order],
        np.array(tious, np.float64),
    )
    return Ranked(row, label[row], hit)


def _translated(names: tuple[str, ...], into: tuple[str, ...]) -> Int[np.ndarray, " names"]:
    """The index of each name among others; -1 where it is not there."""
    index = {name: number for number, name in enumerate(into)}
    return np.array([index.get(name, -1) for name in names], np.int64)


@njit(cache=True)
@no_type_check
def _hits(starts, ends, first, last, truth_starts, truth_ends, tious):
    """Which detections hit, at each threshold; the candidates of detection i are truths `first[i]:last[i]`."""
    hit = np.zeros((starts.size, tious.size), np.bool_)
    taken = np.zeros((truth_starts.size, tious.size), np.bool_)
    overlaps = np.empty(truth_starts.size)
    for i in range(starts.size):
        for j in range(first[i], last[i]):
            overlaps[j] = _tiou(starts[i], ends[i], truth_starts[j], truth_ends[j])
        for k in range(tious.size):
            best = -1
            for j in range(first[i], last[i]):
                # Of equal overlaps the later truth, which is what a reversed ascending sort puts first.
                if overlaps[j] >= tious[k] and not taken[j, k] and (best < 0 or overlaps[j] >= overlaps[best]):
                    best = j
            if best >= 0:
                hit[i, k] = taken[best, k] = True
    return hit


@njit(cache=True)
@no_type_check
def _tiou(start, end, other_start, other_end):
    """Temporal intersection over union; infinite for 0 / 0, which the official program counts as a hit."""
    overlap = max(min(end, other_end) - max(start, other_start), 0.0)
    union = (other_end - other_start) + (end - start) - overlap
    if union == 0:
        return np.inf
    return overlap / union


@njit(cache=True)
@no_type_check
def _average_precisions(hit, bounds, truths):
    """AP of each class at each threshold; the detections of class c are `bounds[c]:bounds[c + 1]`."""
    precisions = np.zeros((truths.size, hit.shape[1]))
    for label in range(truths.size):
        for k in range(hit.shape[1]):
            hits = 0
            for i in range(bounds[label], bounds[label + 1]):
                hits += hit[i, k]
            # From the last rank up, so that `best` is the highest precision at this recall or beyond.
            best, area = 0.0, 0.0
            for i in range(bounds[label + 1] - 1, bounds[label] - 1, -1):
                best = max(best, hits / (i - bounds[label] + 1))
                if hit[i, k]:
                    area += best
                    hits -= 1
            if truths[label]:
                precisions[label, k] = area / truths[label]
    return precisions


def _notes(truth: Instances, results: Instances, ranked: Ranked) -> list[str]:
    """What a reader of the numbers should know of the two files."""
    unknown = sorted(set(results.labels) - set(truth.labels))
    names = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    silent = len(np.setdiff1d(truth.label, ranked.label))
    outside = _translated(results.videos, truth.videos)[results.video[ranked.row]] < 0
    segments = np.stack([truth.video, truth.label, truth.start, truth.end])
    repeated = len(truth) - np.unique(segments, axis=1).shape[1]
    score = results.score[ranked.row]
    ties = (score[1:] == score[:-1]) & (ranked.label[1:] == ranked.label[:-1])
    found = {
        f"detections ignored because the annotations lack their class ({names})": len(results) - len(ranked.row),
        "classes without a detection, AP 0": silent,
        "detections in videos outside the annotations, false positives": outside.sum(),
        "annotated segments without length or reversed, counted; the same detected is a hit": _flat(truth).sum(),
        "detected segments without length or reversed, counted": _flat(results)[ranked.row].sum(),
        "annotated segments that repeat another, counted": repeated,
        "detections that tie in score with the one before, ranked as in the file": ties.sum(),
    }
    return [f"{what}: {count}" for what, count in found.items() if count]


def _flat(instances: Instances) -> Bool[np.ndarray, " rows"]:
    return instances.end <= instances.start
