"""Which detection hits which annotated action, by either of the two rules in use, and what that is worth."""

from typing import no_type_check

import numpy as np
from numba import njit

# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.


@njit(cache=True)
@no_type_check
def by_detections(starts, ends, first, last, truth_starts, truth_ends, tious, flat_overlap, strict):
    """The truth that each detection takes at each threshold, -1 for none: detections choose, best score first.

    The candidates of detection i are truths `first[i]:last[i]`. Each detection takes the free one that it overlaps
    most, of equal overlaps the later one (which is what a reversed ascending sort puts first).
    """
    taken_by = np.full((truth_starts.size, tious.size), -1)
    chosen = np.full((starts.size, tious.size), -1)
    overlaps = np.empty(truth_starts.size)
    for i in range(starts.size):
        for j in range(first[i], last[i]):
            overlaps[j] = tiou(starts[i], ends[i], truth_starts[j], truth_ends[j], flat_overlap)
        for k in range(tious.size):
            best = -1
            for j in range(first[i], last[i]):
                enough = overlaps[j] > tious[k] if strict else overlaps[j] >= tious[k]
                if enough and taken_by[j, k] < 0 and (best < 0 or overlaps[j] >= overlaps[best]):
                    best = j
            if best >= 0:
                taken_by[best, k] = i
                chosen[i, k] = best
    return chosen


@njit(cache=True)
@no_type_check
def by_truths(starts, ends, first, last, order, truth_starts, truth_ends, tious, flat_overlap, strict):
    """The truth that each detection takes at each threshold, -1 for none: truths choose, in the order of the file.

    The candidates of truth j are detections `order[first[j]:last[j]]`, best score first. Each truth looks at the free
    one of largest overlap, of equals the better scored, and takes it where the overlap passes the threshold.
    """
    chosen = np.full((starts.size, tious.size), -1)
    overlaps = np.empty(starts.size)
    for j in range(truth_starts.size):
        for p in range(first[j], last[j]):
            i = order[p]
            overlaps[i] = tiou(starts[i], ends[i], truth_starts[j], truth_ends[j], flat_overlap)
        for k in range(tious.size):
            best = -1
            for p in range(first[j], last[j]):
                i = order[p]
                if chosen[i, k] < 0 and (best < 0 or overlaps[i] > overlaps[best]):
                    best = i
            if best >= 0 and (overlaps[best] > tious[k] or (overlaps[best] == tious[k] and not strict)):
                chosen[best, k] = j
    return chosen


@njit(cache=True)
@no_type_check
def touching(starts, ends, first, last, mark_starts, mark_ends):
    """Whether each detection overlaps any of the marks `first[i]:last[i]`, by however little."""
    touches = np.zeros(starts.size, np.bool_)
    for i in range(starts.size):
        for j in range(first[i], last[i]):
            if min(ends[i], mark_ends[j]) > max(starts[i], mark_starts[j]):
                touches[i] = True
    return touches


@njit(cache=True)
@no_type_check
def found_among_best(starts, ends, first, last, order, truth_starts, truth_ends, shares, tious, flat_overlap):
    """Whether each truth overlaps enough with one of the best detections of its class in its video.

    Looked at are the first `share * truths of the class in the video` of `order[first[j]:last[j]]`, for every share:
    truths x thresholds x shares. `first` and `last` are equal for all truths of one class and video, which stand
    one after another.
    """
    found = np.zeros((truth_starts.size, tious.size, shares.size), np.bool_)
    begin = 0
    for j in range(truth_starts.size):
        if j > 0 and (first[j] != first[j - 1] or last[j] != last[j - 1]):
            begin = j
        end = j + 1
        while end < truth_starts.size and first[end] == first[j] and last[end] == last[j]:
            end += 1
        best, position = -np.inf, first[j]
        for s in range(shares.size):  # ascending
            until = min(last[j], first[j] + shares[s] * (end - begin))
            while position < until:
                i = order[position]
                best = max(best, tiou(starts[i], ends[i], truth_starts[j], truth_ends[j], flat_overlap))
                position += 1
            for k in range(tious.size):
                found[j, k, s] = best >= tious[k]
    return found


@njit(cache=True)
@no_type_check
def repeated(starts, ends, group, tolerance):
    """Whether each segment has both ends within `tolerance` of an earlier one of its group that is not such itself.

    `group` ascends.
    """
    again = np.zeros(starts.size, np.bool_)
    begin = 0
    for j in range(starts.size):
        if group[j] != group[begin]:
            begin = j
        for i in range(begin, j):
            if again[i]:
                continue
            if abs(starts[j] - starts[i]) <= tolerance and abs(ends[j] - ends[i]) <= tolerance:
                again[j] = True
                break
    return again


@njit(cache=True)
@no_type_check
def tiou(start, end, other_start, other_end, flat_overlap):
    """Temporal intersection over union; `flat_overlap` where that is 0 / 0."""
    overlap = max(min(end, other_end) - max(start, other_start), 0.0)
    union = (other_end - other_start) + (end - start) - overlap
    if union == 0:
        return flat_overlap
    return overlap / union


@njit(cache=True)
@no_type_check
def average_precisions(pointers, hits, anchors, counted, videos, bounds, weights, truths, points):
    """AP of every class at every threshold, with every video counted `weights[video]` times.

    The detections of class c are `bounds[c]:bounds[c + 1]`, best first. What hits at threshold k are
    `hits[pointers[c, k]:pointers[c, k + 1]]`; a detection is a false positive unless it hits, or is not `counted`.
    `anchors[i]` is the detection before which false positives outrank detection i: itself, or the first of those with
    its score. `truths` are the weighed numbers of truth: 0 gives NaN. `points` are the recalls at which precision is
    read; none of them (size 0) means the area under all of the curve, a NaN the mean precision of the hits.
    """
    precisions = np.full((truths.size, pointers.shape[1] - 1), np.nan)
    for label in range(truths.size):
        if truths[label] <= 0:
            continue
        first, last = bounds[label], bounds[label + 1]
        before = np.empty(last - first + 1)  # detections above each rank that may be false positives
        before[0] = 0.0
        for i in range(first, last):
            before[i - first + 1] = before[i - first] + (weights[videos[i]] if counted[i] else 0.0)
        for k in range(pointers.shape[1] - 1):
            mine = hits[pointers[label, k] : pointers[label, k + 1]]
            precisions[label, k] = _precision(
                mine, anchors, counted, videos, weights, before, first, truths[label], points
            )
    return precisions


@njit(cache=True)
@no_type_check
def _precision(hits, anchors, counted, videos, weights, before, first, truths, points):
    """AP of one class at one threshold."""
    precision, recall, weighed = np.empty(hits.size), np.empty(hits.size), np.empty(hits.size)
    found, hits_before, anchor, total = 0.0, 0.0, -1, 0.0
    hits_at_anchor, mean = 0.0, 0.0
    for n in range(hits.size):
        i = hits[n]
        if anchors[i] != anchor:
            anchor, hits_at_anchor = anchors[i], hits_before
        false = before[anchor - first] - hits_at_anchor
        weight = weights[videos[i]]
        if counted[i]:
            hits_before += weight
        # A video drawn several times is several hits, one after another.
        for copy in range(int(weight)):
            mean += (found + copy + 1) / (found + copy + 1 + false)
        found += weight
        precision[n] = found / (found + false) if found > 0 else 0.0
        recall[n], weighed[n] = found / truths, weight
    if points.size == 1 and np.isnan(points[0]):
        return mean / truths
    # From the last hit up, so that `best` is the highest precision at this recall or beyond.
    best, point = 0.0, points.size - 1
    for n in range(hits.size - 1, -1, -1):
        while point >= 0 and recall[n] < points[point]:
            total += best
            point -= 1
        best = max(best, precision[n])
        total += 0.0 if points.size else best * weighed[n]
    if points.size:
        return (total + (point + 1) * best) / points.size
    return total / truths
