"""Detections ranked and matched to the ground truth by a protocol, and the AP that follows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.average_precision import RankedHits, compute_average_precisions
from untrimmed.evaluation.instances import (
    Instances,
    check_not_empty,
    index_all_videos,
    index_names,
    index_videos,
)
from untrimmed.evaluation.matching import (
    Segments,
    compute_largest_overlaps,
    find_candidates,
    find_recalled,
    find_repeats,
    find_touching,
    match_by_actions,
    match_by_detections,
    match_free_actions,
)
from untrimmed.evaluation.protocols import ACTIVITYNET, DetectionProtocol
from untrimmed.io import BadInput

# MATLAB's 0:0.1:1, whose fourth number is not quite 0.3.
_ELEVEN = np.array([0.0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 0.6, 1 - 3 * 0.1, 0.8, 0.9, 1.0])
# The recalls at which precision is read, as `compute_average_precisions` takes them.
_POINTS = {"all points": np.empty(0), "11 points": _ELEVEN, "none": np.array([np.nan])}


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections of the classes of the ground truth, class by class and best first, and what each of them hit."""

    protocol: DetectionProtocol
    ground_truth: Instances
    """What the protocol counts of it."""
    results: Instances
    row: Int[np.ndarray, " detections"]
    """Row in the results."""
    label: Int[np.ndarray, " detections"]
    """Index into the labels of the ground truth."""
    score: Float[np.ndarray, " detections"]
    hit: Int[np.ndarray, "tious detections"]
    """Row of the ground truth that was hit at each threshold, or MISS."""
    counted: Bool[np.ndarray, " detections"]
    """Whether the detection is a false positive where it hits nothing."""
    dropped: dict[str, int]
    """How many annotated actions the protocol dropped, by reason."""

    @cached_property
    def positives(self) -> Int[np.ndarray, " classes"]:
        """The number of annotated actions of each label."""
        return np.bincount(self.ground_truth.label, minlength=len(self.ground_truth.labels))

    @property
    def classes(self) -> Int[np.ndarray, " present"]:
        """The labels of the ground truth, as indices, that have any action."""
        return np.flatnonzero(self.positives)

    @cached_property
    def bounds(self) -> Int[np.ndarray, " classes_and_one"]:
        """The detections of class c are `bounds[c]:bounds[c + 1]`."""
        return np.searchsorted(self.label, np.arange(len(self.ground_truth.labels) + 1))

    def find_top(self, factor: int) -> Bool[np.ndarray, " detections"]:
        """Find the `factor` times G best detections of each class, where G is its number of annotated actions."""
        rank = np.arange(len(self.label)) - self.bounds[self.label]
        return rank < factor * self.positives[self.label]

    def compute_precisions(
        self,
        draws: Iterable[Int[np.ndarray, " videos"]] | None = None,
        *,
        included: Bool[np.ndarray, " actions"] | None = None,
        removed: Bool[np.ndarray, "tious detections"] | None = None,
        norm: float | None = None,
    ) -> Float[np.ndarray, "draws classes tious"]:
        """Compute AP of every class of the ground truth, once or for every draw; NaN where a class has no action.

        A draw says how often each video of the ground truth counts; videos that only the results have count once.
        Detections that hit an action which is not `included` are neither hits nor false positives, nor is such an
        action missed. Detections `removed` are as if never made; they must be no hits. With `norm` N the precision is
        R N / (R N + F), where R is the recall and F the number of false positives (Hoiem et al., ECCV 2012, Sec.
        2.2), so that classes and parts of unequal size compare; without, N is the number of actions.
        """
        ranked = self._rank_hits(included, removed)
        ground_truth, points = self.ground_truth, _POINTS[self.protocol.interpolation]
        actions = ground_truth if included is None else ground_truth.select_rows(included)
        weights = np.ones(len(ground_truth.videos) + len(self.results.videos))
        precisions = []
        for draw in [np.ones(len(ground_truth.videos), np.int64)] if draws is None else draws:
            weights[: len(draw)] = draw
            positives = np.bincount(actions.label, draw[actions.video], len(ground_truth.labels))
            scale = np.nan if norm is None else norm
            precisions.append(compute_average_precisions(ranked, weights, positives, points, scale))
        return np.stack(precisions)

    def _rank_hits(
        self, included: Bool[np.ndarray, " actions"] | None, removed: Bool[np.ndarray, "tious detections"] | None
    ) -> RankedHits:
        place, hits = self._hits
        counted = self.counted[None] if removed is None else self.counted & ~removed
        if included is not None:
            tiou = place % len(self.hit)
            outside = ~included[self.hit[tiou, hits]]
            counted = np.tile(counted, (len(self.hit) // len(counted), 1))
            counted[tiou[outside], hits[outside]] = False
            place, hits = place[~outside], hits[~outside]
        pointers = np.searchsorted(place, np.arange(len(self.ground_truth.labels) * len(self.hit) + 1))
        return RankedHits(self.bounds, hits, pointers, counted, self._anchor, self._video)

    @cached_property
    def _hits(self) -> tuple[Int[np.ndarray, " hits"], Int[np.ndarray, " hits"]]:
        """Class and threshold of each hit as one ascending number, and the detection that hit."""
        tiou, detection = np.nonzero(self.hit >= 0)
        place = self.label[detection] * len(self.hit) + tiou
        order = np.argsort(place, kind="stable")
        return place[order], detection[order]

    @cached_property
    def _video(self) -> Int[np.ndarray, " detections"]:
        return index_all_videos(self.results, self.ground_truth)[self.row]

    @cached_property
    def _anchor(self) -> Int[np.ndarray, " detections"]:
        """The detection before which false positives outrank each detection."""
        rank = np.arange(len(self.row))
        if self.protocol.equal_scores != "hits first":
            return rank
        begins = np.ones(len(rank), bool)
        begins[1:] = (self.score[1:] != self.score[:-1]) | (self.label[1:] != self.label[:-1])
        return np.maximum.accumulate(np.where(begins, rank, 0))


def match_detections(
    ground_truth: Instances, results: Instances, protocol: DetectionProtocol = ACTIVITYNET
) -> Matches:
    """Rank detections and match them to the ground truth at each threshold.

    Raises BadInput when the protocol counts no action of the ground truth, when the two differ in unit, and for
    classes that only the detections have where the protocol refuses them.
    """
    if ground_truth.unit != results.unit:
        raise BadInput(
            f"the annotations are in {ground_truth.unit} and the detections in {results.unit}; give both in one"
        )
    unknown = sorted(set(results.labels) - set(ground_truth.labels))
    if unknown and protocol.unknown_classes == "refused":
        raise BadInput(f"the detections hold class {unknown[0]!r}, which the annotations lack; rename or remove it")
    ground_truth, dropped = drop_ground_truth(ground_truth, protocol)
    check_not_empty(ground_truth)
    row, label = _rank(ground_truth, results, protocol)
    segments = _segments(results, row, protocol), _segments(ground_truth, None, protocol)
    groups = _group(ground_truth, results, row, label)
    limits = np.array(protocol.tious, np.float64), protocol.flat_overlap, protocol.test == ">"
    if protocol.matching == "detections choose":
        hit = match_by_detections(*segments, find_candidates(groups[1], groups[0]), *limits)
    else:
        hit = match_by_actions(*segments, find_candidates(groups[0], groups[1]), *limits)
    counted = np.ones(len(row), bool) if protocol.marks == "not read" else ~_find_marked(ground_truth, results, row)
    return Matches(protocol, ground_truth, results, row, label, results.score[row], hit, counted, dropped)


def drop_ground_truth(ground_truth: Instances, protocol: DetectionProtocol) -> tuple[Instances, dict[str, int]]:
    """Drop the annotated actions that a protocol does not count; with how many were dropped, by reason."""
    length = ground_truth.end - ground_truth.start
    flat = (length <= 0) & (protocol.zero_length == "dropped")
    short = (length < protocol.shortest) & ~flat & (protocol.shortest > 0)
    remaining = ground_truth.select_rows(~(flat | short))
    repeats = np.zeros(len(remaining), bool)
    if protocol.repeats is not None:
        group = remaining.label * len(remaining.videos) + remaining.video
        order = np.argsort(group, kind="stable")
        segments = Segments(remaining.start[order], remaining.end[order])
        repeats[order] = find_repeats(segments, group[order], protocol.repeats)
    dropped = {
        "annotated segments without length or reversed, dropped": flat,
        f"annotated segments shorter than {protocol.shortest:g} s, dropped": short,
        "annotated segments that repeat another, dropped": repeats,
    }
    return remaining.select_rows(~repeats), {reason: int(mask.sum()) for reason, mask in dropped.items()}


def compute_recall_among_best(matches: Matches) -> dict[str, list[float]]:
    """Compute Recall@kx of ActionFormer's program: the share of actions that one of the best detections overlaps.

    The best are k * n detections of each class and video that has n actions, for each k of the protocol's
    `recall_at`; one detection may recall several actions. One figure a threshold, the mean over classes.
    """
    ground_truth, results, protocol = matches.ground_truth, matches.results, matches.protocol
    if not protocol.recall_at:
        return {}
    segments = _segments(results, matches.row, protocol), _segments(ground_truth, None, protocol)
    groups = _group(ground_truth, results, matches.row, matches.label)
    factors = np.sort(np.array(protocol.recall_at, np.int64))
    _, inverse, counts = np.unique(groups[1], return_inverse=True, return_counts=True)
    limits, tious = counts[inverse][:, None] * factors, np.array(protocol.tious, np.float64)
    recalled = find_recalled(*segments, find_candidates(*groups), limits, tious, protocol.flat_overlap)
    recall = np.stack([recalled[ground_truth.label == label].mean(axis=0) for label in matches.classes]).mean(axis=0)
    return {f"{factor}x": recall[:, place].tolist() for place, factor in enumerate(factors)}


class Overlaps(NamedTuple):
    """The largest overlap of each detection with actions of its video; infinite for 0 / 0, as hits are judged."""

    same: Float[np.ndarray, " detections"]
    """With an action of its label."""
    other: Float[np.ndarray, " detections"]
    """With an action of another label."""


def compute_overlaps(matches: Matches) -> Overlaps:
    """Compute how far the detections overlap actions of their own label, and of others."""
    ground_truth, results, row = matches.ground_truth, matches.results, matches.row
    candidates = find_candidates(ground_truth.video, index_videos(results, ground_truth)[row])
    labels, segments = (matches.label, ground_truth.label), (_segments(results, row), _segments(ground_truth))
    return Overlaps(*compute_largest_overlaps(*segments, candidates, *labels))


def match_to_free(
    matches: Matches,
    detections: Int[np.ndarray, " selected"],
    free: Bool[np.ndarray, " actions"],
    tiou: float,
) -> Int[np.ndarray, " selected"]:
    """Match some detections, in this order, to the free action of whatever label that each overlaps most, or MISS.

    Overlaps below `tiou` do not count; an action that an earlier detection took is no longer free.
    """
    ground_truth, results, row = matches.ground_truth, matches.results, matches.row[detections]
    candidates = find_candidates(ground_truth.video, index_videos(results, ground_truth)[row])
    segments = _segments(results, row), _segments(ground_truth)
    return match_free_actions(*segments, candidates, free.copy(), tiou)


def _rank(
    ground_truth: Instances, results: Instances, protocol: DetectionProtocol
) -> tuple[Int[np.ndarray, " detections"], Int[np.ndarray, " detections"]]:
    """Rank the rows of the results to be judged, class by class and best first; with their labels."""
    label = index_names(results.labels, ground_truth.labels)[results.label]
    inside = index_videos(results, ground_truth) >= 0
    row = np.flatnonzero((label >= 0) & (inside | (protocol.outside == "false positives")))
    if protocol.equal_scores == "by video":
        by_name = index_names(results.videos, sorted(results.videos))[results.video[row]]
        row = row[np.argsort(by_name, kind="stable")]
    row = row[np.lexsort((-results.score[row], label[row]))]
    return row, label[row]


def _group(
    ground_truth: Instances,
    results: Instances,
    row: Int[np.ndarray, " detections"],
    label: Int[np.ndarray, " detections"],
) -> tuple[Int[np.ndarray, " detections"], Int[np.ndarray, " actions"]]:
    """Number label and video of detections and of annotated actions; -1 in a video that the ground truth lacks."""
    videos, video = len(ground_truth.videos), index_videos(results, ground_truth)[row]
    return np.where(video >= 0, label * videos + video, -1), ground_truth.label * videos + ground_truth.video


def _segments(
    instances: Instances,
    row: Int[np.ndarray, " rows"] | None = None,
    protocol: DetectionProtocol | None = None,
) -> Segments:
    """Take the segments of some rows or of all; reversed ones are turned round where the protocol says so."""
    start, end = (column if row is None else column[row] for column in (instances.start, instances.end))
    if protocol is None or protocol.reversed_segments == "as they are":
        return Segments(start, end)
    return Segments(np.minimum(start, end), np.maximum(start, end))


def _find_marked(
    ground_truth: Instances, results: Instances, row: Int[np.ndarray, " detections"]
) -> Bool[np.ndarray, " detections"]:
    """Find the detections that overlap a mark of their video."""
    marked = [video for video in ground_truth.marks if len(ground_truth.marks[video])]
    if not marked:
        return np.zeros(len(row), bool)
    marks = np.concatenate([ground_truth.marks[video] for video in marked])
    video = np.repeat(np.arange(len(marked)), [len(ground_truth.marks[video]) for video in marked])
    candidates = find_candidates(video, index_names(results.videos, marked)[results.video[row]])
    start, end = results.start[row], results.end[row]
    detections = Segments(np.minimum(start, end), np.maximum(start, end))
    return find_touching(detections, Segments(marks.min(axis=1), marks.max(axis=1)), candidates)
