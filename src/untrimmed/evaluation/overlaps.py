"""Detections judged against the truth they meet: what each one hit, how far it overlaps, and the AP that follows.

Diagnosis and operating points both start here.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matching import tiou
from untrimmed.evaluation.protocols import DetectionProtocol
from untrimmed.evaluation.ranking import match, places
from untrimmed.io import BadInput

MISS = -1
"""In `Judged.hit`: the detection hit nothing."""
REMOVED = -2
"""In a changed `Judged.hit`: as if the detection had never been made."""
CHARACTERISTICS = ("coverage", "length", "instances", "context")
"""What is known of every truth beside its label: see `characteristics`."""


class Judged(NamedTuple):
    """Detections of the classes of the truth, class by class and best first, and the truth that each of them hit."""

    tious: tuple[float, ...]
    row: Int[np.ndarray, " detections"]
    """Row in the results."""
    label: Int[np.ndarray, " detections"]
    """Index into the labels of the truth."""
    score: Float[np.ndarray, " detections"]
    bounds: Int[np.ndarray, " classes_and_one"]
    """The detections of class c are `bounds[c]:bounds[c + 1]`."""
    hit: Int[np.ndarray, "tious detections"]
    """Row of the truth that was hit at each threshold, or MISS."""
    truths: Int[np.ndarray, " classes"]
    """How many truths each class has."""

    def top(self, factor: int) -> Bool[np.ndarray, " detections"]:
        """Those among the `factor` times G best of their class, where G is the number of truths of the class."""
        rank = np.arange(len(self.label)) - self.bounds[self.label]
        return rank < factor * self.truths[self.label]


class Met(NamedTuple):
    """The largest overlap of each detection with the truths of its video; infinite for 0 / 0, as hits are judged."""

    own: Float[np.ndarray, " detections"]
    """With a truth of its label."""
    other: Float[np.ndarray, " detections"]
    """With a truth of another label."""


def judge(truth: Instances, results: Instances, tious: tuple[float, ...]) -> Judged:
    """Rank the detections of the truth's classes and find what they hit, by the rule of the ActivityNet program.

    Of equal scores the earlier in the file goes first; each takes the free truth of its video and label that it
    overlaps most, if by the threshold or more. Raises BadInput when the truth is empty.
    """
    if not len(truth):
        raise BadInput("the annotations hold no action, so nothing can be judged; choose another subset or file")
    ranked = match(truth, results, DetectionProtocol(name="diagnosis", tious=tious))
    bounds = np.searchsorted(ranked.label, np.arange(len(truth.labels) + 1))
    truths = np.bincount(truth.label, minlength=len(truth.labels))
    hit = np.ascontiguousarray(ranked.truth.T)
    return Judged(tious, ranked.row, ranked.label, results.score[ranked.row], bounds, hit, truths)


def meet(truth: Instances, results: Instances, judged: Judged) -> Met:
    """How far the judged detections overlap truths of their own label, and of others."""
    near = by_video(truth, results, judged.row)
    return Met(*_largest(judged.label, truth.label[near.order], *_segments(truth, results, judged.row, near)))


def take_free(
    truth: Instances,
    results: Instances,
    row: Int[np.ndarray, " detections"],
    taken: Bool[np.ndarray, " truths"],
    threshold: float,
) -> Int[np.ndarray, " detections"]:
    """The row of the free truth, of whatever label, that each detection, in this order, overlaps most, or MISS.

    Overlaps below the threshold do not count; a truth that is `taken`, or that an earlier one took, is not free.
    """
    near = by_video(truth, results, row)
    chosen = _free(taken[near.order], threshold, *_segments(truth, results, row, near))
    return np.where(chosen >= 0, near.order[chosen], MISS)


class ByVideo(NamedTuple):
    """The truths that share the video of each detection: `order[first[i]:last[i]]`."""

    order: Int[np.ndarray, " truths"]
    """Rows of the truth, video by video and otherwise in the order of the file."""
    first: Int[np.ndarray, " detections"]
    last: Int[np.ndarray, " detections"]


def by_video(truth: Instances, results: Instances, row: Int[np.ndarray, " detections"]) -> ByVideo:
    """The truths near some rows of the results; none for a video that the truth does not have."""
    order = np.argsort(truth.video, kind="stable")
    video = places(results.videos, truth.videos, strangers=False)[results.video[row]]
    bounds = np.searchsorted(truth.video[order], np.arange(len(truth.videos) + 1))
    # Video -1, the unknown, begins at the last bound and ends at the first: an empty range.
    return ByVideo(order, bounds[video], bounds[video + 1])


def _segments(
    truth: Instances, results: Instances, row: Int[np.ndarray, " detections"], near: ByVideo
) -> tuple[np.ndarray, ...]:
    """Detections, their candidates, and the truths: what the kernels end with."""
    detections = (results.start[row], results.end[row], near.first, near.last)
    return *detections, truth.start[near.order], truth.end[near.order]


def average_precisions(
    judged: Judged,
    truth: Instances,
    hit: Int[np.ndarray, "tious detections"],
    counted: Bool[np.ndarray, " truths"] | None = None,
    norm: float | None = None,
) -> Float[np.ndarray, "tious classes"]:
    """AP of each class, with the precision made monotone over all points; NaN where no truth is counted.

    Detections that hit a truth which is not `counted` are neither hits nor misses, nor is such a truth missed.
    With `norm` N the precision is R N / (R N + F), where R is the recall and F the number of false positives
    (Hoiem et al., ECCV 2012, Sec. 2.2), so that classes and parts of unequal size compare; without, N is the number
    of counted truths, which is the ordinary precision.
    """
    counted = np.ones(len(truth), bool) if counted is None else counted
    truths = np.bincount(truth.label[counted], minlength=len(truth.labels))
    return _areas(hit, judged.bounds, counted, truths, np.nan if norm is None else norm)


def characteristics(
    truth: Instances, results: Instances
) -> tuple[dict[str, Float[np.ndarray, " truths"]], tuple[str, ...]]:
    """Coverage, length, instances and context of every truth, and notes on how they were found.

    `coverage` is length over duration of the video, where a video of unknown duration ends with its last truth or
    detection; `length` is in seconds; `instances` is the number of truths of its label in its video; `context` is the
    background around it, up to the neighbouring action of any label or the end of the video, as the mean of both
    sides in lengths of the truth. DETAD's context is another thing: how much of the surrounding video people found
    telling of the action, annotated by hand, which most data sets lack.
    """
    duration, notes = _durations(truth, results)
    length = np.maximum(truth.end - truth.start, 0.0)
    place = truth.label * len(truth.videos) + truth.video
    _, where, instances = np.unique(place, return_inverse=True, return_counts=True)
    order = np.argsort(truth.video, kind="stable")
    bounds = np.searchsorted(truth.video[order], np.arange(len(truth.videos) + 1))
    around = np.empty(len(truth))
    around[order] = _around(truth.start[order], truth.end[order], bounds, duration)
    values = {
        "coverage": _ratio(length, duration[truth.video]),
        "length": length,
        "instances": instances[where].astype(np.float64),
        "context": _ratio(around / 2, length),
    }
    return values, notes


def _ratio(part: Float[np.ndarray, " n"], whole: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """part / whole; 0 for 0 / 0, and infinite for anything else over 0."""
    ratio = np.where(part > 0, np.inf, 0.0)
    return np.divide(part, whole, out=ratio, where=whole > 0)


def _durations(truth: Instances, results: Instances) -> tuple[Float[np.ndarray, " videos"], tuple[str, ...]]:
    """Seconds of every video of the truth, and a note where it is a guess."""
    known = np.array([truth.durations.get(video, np.nan) for video in truth.videos], np.float64)
    ends = np.zeros(len(truth.videos))
    np.maximum.at(ends, truth.video, truth.end)
    video = places(results.videos, truth.videos, strangers=False)[results.video]
    np.maximum.at(ends, video[video >= 0], results.end[video >= 0])
    guessed = int(np.isnan(known).sum())
    note = f"videos of unknown duration, taken to end with their last action or detection: {guessed}"
    return np.where(np.isnan(known), ends, known), (note,) if guessed else ()


# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.


@njit(cache=True)
@no_type_check
def _free(taken, threshold, starts, ends, first, last, truth_starts, truth_ends):
    """The free truth that each detection takes in turn, -1 for none."""
    chosen = np.full(starts.size, -1)
    for i in range(starts.size):
        most = threshold
        for j in range(first[i], last[i]):
            if taken[j]:
                continue
            overlap = tiou(starts[i], ends[i], truth_starts[j], truth_ends[j], np.inf)
            # Of equal overlaps the later truth, as hits have it.
            if overlap >= most:
                chosen[i], most = j, overlap
        if chosen[i] >= 0:
            taken[chosen[i]] = True
    return chosen


@njit(cache=True)
@no_type_check
def _largest(labels, truth_labels, starts, ends, first, last, truth_starts, truth_ends):
    """The largest overlap with truths of the same and of another label."""
    own, other = np.zeros(starts.size), np.zeros(starts.size)
    for i in range(starts.size):
        for j in range(first[i], last[i]):
            overlap = tiou(starts[i], ends[i], truth_starts[j], truth_ends[j], np.inf)
            if truth_labels[j] == labels[i]:
                own[i] = max(own[i], overlap)
            else:
                other[i] = max(other[i], overlap)
    return own, other


@njit(cache=True)
@no_type_check
def _areas(hit, bounds, counted, truths, norm):
    """AP of each class at each threshold; `norm` NaN for the ordinary precision."""
    areas = np.full((hit.shape[0], truths.size), np.nan)
    for k in range(hit.shape[0]):
        for label in range(truths.size):
            if not truths[label]:
                continue
            weight = 1.0 if np.isnan(norm) else norm / truths[label]
            hits, false = 0, 0
            for i in range(bounds[label], bounds[label + 1]):
                hits += hit[k, i] >= 0 and counted[hit[k, i]]
                false += hit[k, i] == MISS
            # From the last rank up, so that `best` is the highest precision at this recall or beyond. At one recall
            # the first point, where the hit stands, has the highest.
            best, area = 0.0, 0.0
            for i in range(bounds[label + 1] - 1, bounds[label] - 1, -1):
                if hit[k, i] == MISS:
                    false -= 1
                elif hit[k, i] >= 0 and counted[hit[k, i]]:
                    best = max(best, hits * weight / (hits * weight + false))
                    area += best
                    hits -= 1
            areas[k, label] = area / truths[label]
    return areas


@njit(cache=True)
@no_type_check
def _around(starts, ends, bounds, durations):
    """Seconds of background on both sides of each truth; the truths of video v are `bounds[v]:bounds[v + 1]`.

    A neighbour stands before when it starts earlier and after when it ends later, so a twin is neither.
    """
    around = np.zeros(starts.size)
    for video in range(durations.size):
        for i in range(bounds[video], bounds[video + 1]):
            before, after = 0.0, max(durations[video], ends[i])
            for j in range(bounds[video], bounds[video + 1]):
                if starts[j] < starts[i]:
                    before = max(before, ends[j])
                if ends[j] > ends[i]:
                    after = min(after, starts[j])
            around[i] = max(starts[i] - before, 0.0) + max(after - ends[i], 0.0)
    return around
