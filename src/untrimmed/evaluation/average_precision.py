"""Average precision from ranked hits: one kernel for all detection protocols, for the bootstrap and the diagnosis."""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Int
from numba import njit


class RankedHits(NamedTuple):
    """Detections of all classes, class by class and best first, and the hits among them."""

    bounds: Int[np.ndarray, " classes_and_one"]
    """The detections of class c are `bounds[c]:bounds[c + 1]`."""
    hits: Int[np.ndarray, " hits"]
    """The detections that hit, as indices, by class and threshold and best first within both."""
    pointers: Int[np.ndarray, " classes_times_tious_and_one"]
    """The hits of class c at threshold k of K are `hits[pointers[c * K + k]:pointers[c * K + k + 1]]`."""
    counted: Bool[np.ndarray, "one_or_tious detections"]
    """Whether a detection is a false positive where it hits nothing; one row for all thresholds, or one for each."""
    anchor: Int[np.ndarray, " detections"]
    """The detection before which false positives outrank each detection: itself, or the first of equal score."""
    video: Int[np.ndarray, " detections"]
    """Index into the weights of the videos."""


# The kernels carry `no_type_check` because numba compiles the function itself, not a wrapper that checks its shapes.


@njit(cache=True)
@no_type_check
def compute_average_precisions(
    ranked: RankedHits, weights: np.ndarray, positives: np.ndarray, points: np.ndarray, norm: float
) -> np.ndarray:
    """Compute AP of every class at every threshold, each video counted `weights[video]` times: [classes, thresholds].

    `positives` are the weighted numbers of annotated actions by class: 0 gives NaN. `points` are the recalls at which
    precision is read; none of them (size 0) means the area under the whole curve, a single NaN the mean precision of
    the hits. `norm` N makes precision R N / (R N + F), where R is the recall and F the number of false positives; NaN
    leaves the ordinary precision.
    """
    bounds, all_hits, pointers, counted_rows, anchors, video = ranked
    tious = (pointers.size - 1) // positives.size
    precisions = np.full((positives.size, tious), np.nan)
    counted, counted_above = counted_rows[0], np.zeros(video.size + 1)  # the weight of counted detections above each
    for k in range(tious):
        if k < counted_rows.shape[0]:
            counted = counted_rows[k]
            for i in range(video.size):
                counted_above[i + 1] = counted_above[i] + counted[i] * weights[video[i]]
        for label in range(positives.size):
            if positives[label] <= 0:
                continue
            place = label * tious + k
            hits = all_hits[pointers[place] : pointers[place + 1]]
            weight, false = np.empty(hits.size), np.empty(hits.size)  # of each hit, and the false positives above it
            hits_above, hits_at_anchor, anchor = 0.0, 0.0, -1
            for n in range(hits.size):
                i = hits[n]
                if anchors[i] != anchor:
                    anchor, hits_at_anchor = anchors[i], hits_above
                weight[n] = weights[video[i]]
                false[n] = counted_above[anchor] - counted_above[bounds[label]] - hits_at_anchor
                hits_above += counted[i] * weight[n]
            scale = 1.0 if np.isnan(norm) else norm / positives[label]
            precisions[label, k] = _average_precision(weight, false, positives[label], points, scale)
    return precisions


@njit(cache=True)
@no_type_check
def _average_precision(
    weight: np.ndarray, false: np.ndarray, positives: float, points: np.ndarray, scale: float
) -> float:
    """Compute AP of one class at one threshold from the weight of each hit and the false positives above it."""
    precision, recall = np.empty(weight.size), np.empty(weight.size)
    true, mean = 0.0, 0.0
    for n in range(weight.size):
        # A video drawn several times is several hits, one after another.
        for copy in range(int(weight[n])):
            mean += (true + copy + 1) / (true + copy + 1 + false[n])
        true += weight[n]
        precision[n] = true * scale / (true * scale + false[n]) if true > 0 else 0.0
        recall[n] = true / positives
    if points.size == 1 and np.isnan(points[0]):
        return mean / positives
    # From the last hit up, so that `best` is the highest precision at this recall or beyond.
    best, total, point = 0.0, 0.0, points.size - 1
    for n in range(weight.size - 1, -1, -1):
        while point >= 0 and recall[n] < points[point]:
            total += best
            point -= 1
        best = max(best, precision[n])
        total += 0.0 if points.size else best * weight[n]
    return (total + (point + 1) * best) / points.size if points.size else total / positives
