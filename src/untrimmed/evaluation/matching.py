"""Kernels that match detections and annotated actions, by either of the two rules in use, and compute overlaps.

They carry `no_type_check` because numba compiles the function itself, not a wrapper that checks its shapes.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

MISS = -1
"""In place of a row: nothing was matched."""


class Segments(NamedTuple):
    """Starts and ends, in one unit."""

    start: Float[np.ndarray, " segments"]
    end: Float[np.ndarray, " segments"]

    def turn(self) -> "Segments":
        """Turn reversed segments round."""
        return Segments(np.minimum(self.start, self.end), np.maximum(self.start, self.end))


class Candidates(NamedTuple):
    """The rows that may match each of some segments: for segment i, `order[first[i]:last[i]]`."""

    order: Int[np.ndarray, " rows"]
    first: Int[np.ndarray, " segments"]
    last: Int[np.ndarray, " segments"]


class Rule(NamedTuple):
    """Which overlaps are enough."""

    tious: Float[np.ndarray, " tious"]
    strict: bool
    """Whether an overlap must exceed its threshold."""
    flat_overlap: float
    """The overlap where intersection and union are 0."""


def find_candidates(groups: Int[np.ndarray, " rows"], wanted: Int[np.ndarray, " segments"]) -> Candidates:
    """Find the rows of the same group as each segment; within a group they keep their order."""
    order = np.argsort(groups, kind="stable")
    ascending = groups[order]
    return Candidates(order, *(np.searchsorted(ascending, wanted, side=side) for side in ("left", "right")))


@njit(cache=True)
@no_type_check
def compute_tiou(a: Segments, i: int, b: Segments, j: int, flat_overlap: float) -> float:
    """Compute the temporal intersection over union of two segments; `flat_overlap` where it is 0 / 0."""
    overlap = max(min(a.end[i], b.end[j]) - max(a.start[i], b.start[j]), 0.0)
    union = (b.end[j] - b.start[j]) + (a.end[i] - a.start[i]) - overlap
    if union == 0:
        return flat_overlap
    return overlap / union


@njit(cache=True)
@no_type_check
def match_by_detections(
    detections: Segments, actions: Segments, candidates: Candidates, free: np.ndarray, rule: Rule
) -> np.ndarray:
    """Match detections, best score first: each takes the free action that it overlaps most, if by the threshold.

    The candidates of a detection are rows of `actions`; those taken are no longer `free` [actions, thresholds]. Of
    equal overlaps a detection takes the later one (which a reversed ascending sort puts first). Returns the row of
    the matched action or MISS: [thresholds, detections].
    """
    (order, first, last), (tious, strict, flat_overlap) = candidates, rule
    matched = np.full((tious.size, detections.start.size), MISS)
    overlaps = np.empty(actions.start.size)
    for i in range(detections.start.size):
        for p in range(first[i], last[i]):
            j = order[p]
            overlaps[j] = compute_tiou(detections, i, actions, j, flat_overlap)
        for k in range(tious.size):
            best = MISS
            for p in range(first[i], last[i]):
                j = order[p]
                enough = overlaps[j] > tious[k] if strict else overlaps[j] >= tious[k]
                if enough and free[j, k] and (best < 0 or overlaps[j] >= overlaps[best]):
                    best = j
            if best >= 0:
                free[best, k] = False
                matched[k, i] = best
    return matched


@njit(cache=True)
@no_type_check
def match_by_actions(detections: Segments, actions: Segments, candidates: Candidates, rule: Rule) -> np.ndarray:
    """Match annotated actions, in their order: each looks at the free detection that it overlaps most.

    The candidates of an action are rows of `detections`, best score first. Of equal overlaps it looks at the better
    scored one, and takes it where the overlap passes the threshold. Returns the row of the matched action or MISS:
    [thresholds, detections].
    """
    (order, first, last), (tious, strict, flat_overlap) = candidates, rule
    matched = np.full((tious.size, detections.start.size), MISS)
    overlaps = np.empty(detections.start.size)
    for j in range(actions.start.size):
        for p in range(first[j], last[j]):
            i = order[p]
            overlaps[i] = compute_tiou(detections, i, actions, j, flat_overlap)
        for k in range(tious.size):
            best = MISS
            for p in range(first[j], last[j]):
                i = order[p]
                if matched[k, i] < 0 and (best < 0 or overlaps[i] > overlaps[best]):
                    best = i
            if best >= 0 and (overlaps[best] > tious[k] or (overlaps[best] == tious[k] and not strict)):
                matched[k, best] = j
    return matched


@njit(cache=True)
@no_type_check
def compute_largest_overlaps(
    detections: Segments, actions: Segments, candidates: Candidates, labels: np.ndarray, action_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the largest tIoU of each detection with actions of its own label, and with those of other labels."""
    order, first, last = candidates
    same, other = np.zeros(labels.size), np.zeros(labels.size)
    for i in range(labels.size):
        for p in range(first[i], last[i]):
            j = order[p]
            overlap = compute_tiou(detections, i, actions, j, np.inf)
            if action_labels[j] == labels[i]:
                same[i] = max(same[i], overlap)
            else:
                other[i] = max(other[i], overlap)
    return same, other


@njit(cache=True)
@no_type_check
def find_touching(detections: Segments, marks: Segments, candidates: Candidates) -> np.ndarray:
    """Find the detections that overlap any of their candidates among the marks, by however little."""
    order, first, last = candidates
    touching = np.zeros(detections.start.size, np.bool_)
    for i in range(detections.start.size):
        for p in range(first[i], last[i]):
            j = order[p]
            if min(detections.end[i], marks.end[j]) > max(detections.start[i], marks.start[j]):
                touching[i] = True
    return touching


@njit(cache=True)
@no_type_check
def find_recalled(
    detections: Segments, actions: Segments, candidates: Candidates, limits: np.ndarray, rule: Rule
) -> np.ndarray:
    """Find the actions that one of their best candidates among the detections overlaps by each threshold.

    Of the candidates of action j, best first, the first `limits[j, s]` count; `limits` ascends along s. One detection
    may recall many actions. Returns booleans [actions, thresholds, limits].
    """
    (order, first, last), (tious, _, flat_overlap) = candidates, rule
    recalled = np.zeros((actions.start.size, tious.size, limits.shape[1]), np.bool_)
    for j in range(actions.start.size):
        best, position = -np.inf, first[j]
        for s in range(limits.shape[1]):
            while position < min(last[j], first[j] + limits[j, s]):
                i = order[position]
                overlap = compute_tiou(detections, i, actions, j, flat_overlap)
                best = max(best, overlap)
                position += 1
            for k in range(tious.size):
                recalled[j, k, s] = best >= tious[k]
    return recalled


@njit(cache=True)
@no_type_check
def find_repeats(segments: Segments, groups: np.ndarray, tolerance: float) -> np.ndarray:
    """Find the segments with both ends within `tolerance` of an earlier one of their group that is no repeat itself.

    `groups` ascends.
    """
    repeats = np.zeros(groups.size, np.bool_)
    begin = 0
    for j in range(groups.size):
        if groups[j] != groups[begin]:
            begin = j
        for i in range(begin, j):
            close = abs(segments.start[j] - segments.start[i]) <= tolerance
            if not repeats[i] and close and abs(segments.end[j] - segments.end[i]) <= tolerance:
                repeats[j] = True
                break
    return repeats
