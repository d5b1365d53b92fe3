"""Detections ranked and matched to the ground truth by a protocol, and the AP that follows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.average_precision import RankedHits, compute_average_precisions
from untrimmed.evaluation.instances import Instances, check_not_empty, index_all_videos, index_names, index_videos
from untrimmed.evaluation.judged import find_inside, select_judged_rows
from untrimmed.evaluation.matching import (
    Rule,
    Segments,
    compute_largest_overlaps,
    find_candidates,
    find_recalled,
    find_repeats,
    find_touching,
    match_by_actions,
    match_by_detections,
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
    dropped: dict[str, int]
    """How many annotated actions the protocol dropped, by reason."""
    results: Instances
    row: Int[np.ndarray, " detections"]
    """Row in the results."""
    label: Int[np.ndarray, " detections"]
    """Index into the labels of the ground truth."""

    @cached_property
    def score(self) -> Float[np.ndarray, " detections"]:
        """The score of each detection."""
        return self.results.score[self.row]

    @cached_property
    def hit(self) -> Int[np.ndarray, "tious detections"]:
        """Row of the ground truth that each detection hit at each threshold, or MISS."""
        protocol, (detections, actions) = self.protocol, self._groups
        if protocol.matching == "truths choose":
            return match_by_actions(*self._segments, find_candidates(detections, actions), self._rule)
        free = np.ones((len(self.ground_truth), len(protocol.tious)), bool)
        return match_by_detections(*self._segments, find_candidates(actions, detections), free, self._rule)

    @cached_property
    def counted(self) -> Bool[np.ndarray, " detections"]:
        """Whether each detection is a false positive where it hits nothing."""
        ground_truth, results = self.ground_truth, self.results
        inside = self.inside
        marked = [video for video, marks in ground_truth.marks.items() if len(marks)]
        if self.protocol.marks == "not read" or not marked:
            return inside
        marks = np.concatenate([ground_truth.marks[video] for video in marked])
        video = np.repeat(np.arange(len(marked)), [len(ground_truth.marks[video]) for video in marked])
        candidates = find_candidates(video, index_names(results.videos, marked)[results.video[self.row]])
        detections = Segments(results.start[self.row], results.end[self.row]).turn()
        return inside & ~find_touching(detections, Segments(marks[:, 0], marks[:, 1]).turn(), candidates)

    @cached_property
    def inside(self) -> Bool[np.ndarray, " detections"]:
        """Whether the middle of each detection lies in what is annotated; True too in videos that are no one's."""
        video = index_videos(self.results, self.ground_truth)[self.row]
        start, end = self.results.start[self.row], self.results.end[self.row]
        return (video < 0) | find_inside(self.ground_truth.annotated, self.ground_truth.videos, video, start, end)

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

    def compute_recall_among_best(self) -> dict[str, list[float]]:
        """Compute Recall@kx of ActionFormer's program: the share of actions that one of the best detections overlaps.

        The best are k * n detections of each class and video that has n actions, for each k of the protocol's
        `recall_at`; one detection may recall several actions. One figure a threshold, the mean over classes.
        """
        if not self.protocol.recall_at:
            return {}
        factors, (detections, actions) = np.sort(np.array(self.protocol.recall_at, np.int64)), self._groups
        _, inverse, counts = np.unique(actions, return_inverse=True, return_counts=True)
        limits, candidates = counts[inverse][:, None] * factors, find_candidates(detections, actions)
        recalled = find_recalled(*self._segments, candidates, limits, self._rule)
        by_class = [recalled[self.ground_truth.label == label].mean(axis=0) for label in self.classes]
        recall = np.stack(by_class).mean(axis=0)
        return {f"{factor}x": recall[:, place].tolist() for place, factor in enumerate(factors)}

    def compute_overlaps(self) -> tuple[Float[np.ndarray, " detections"], Float[np.ndarray, " detections"]]:
        """Compute the largest overlap of each detection with actions of its own label, and with those of others.

        An overlap of 0 / 0 is infinite, as hits are judged by default.
        """
        candidates = find_candidates(self.ground_truth.video, index_videos(self.results, self.ground_truth)[self.row])
        return compute_largest_overlaps(*self._segments, candidates, self.label, self.ground_truth.label)

    def match_to_free(
        self, detections: Int[np.ndarray, " selected"], free: Bool[np.ndarray, " actions"], tiou: float
    ) -> Int[np.ndarray, " selected"]:
        """Match detections, in this order, to the free action of whatever label that each overlaps most, or MISS.

        Overlaps below `tiou` do not count; an action that an earlier detection took is no longer free.
        """
        video = index_videos(self.results, self.ground_truth)[self.row[detections]]
        candidates = find_candidates(self.ground_truth.video, video)
        selected, actions = Segments(*(ends[detections] for ends in self._segments[0])), self._segments[1]
        rule = Rule(np.array([tiou]), False, np.inf)
        return match_by_detections(selected, actions, candidates, free[:, None].copy(), rule)[0]

    @property
    def _rule(self) -> Rule:
        flat_overlap = 0.0 if self.protocol.zero_length == "never hit" else np.inf
        return Rule(np.array(self.protocol.tious, np.float64), self.protocol.test == ">", flat_overlap)

    @cached_property
    def _segments(self) -> tuple[Segments, Segments]:
        """Detections and annotated actions, for the kernels."""
        results, ground_truth = self.results, self.ground_truth
        segments = (
            Segments(results.start[self.row], results.end[self.row]),
            Segments(ground_truth.start, ground_truth.end),
        )
        return (
            segments if self.protocol.reversed_segments == "as they are" else (segments[0].turn(), segments[1].turn())
        )

    @cached_property
    def _groups(self) -> tuple[Int[np.ndarray, " detections"], Int[np.ndarray, " actions"]]:
        """Label and video of detections and of annotated actions as one number; -1 in a video without ground
        truth."""
        videos, video = len(self.ground_truth.videos), index_videos(self.results, self.ground_truth)[self.row]
        actions = self.ground_truth.label * videos + self.ground_truth.video
        return np.where(video >= 0, self.label * videos + video, -1), actions


def match_detections(
    ground_truth: Instances, results: Instances, protocol: DetectionProtocol = ACTIVITYNET
) -> Matches:
    """Rank detections and match them to the ground truth at each threshold; nothing outside its `annotated` spans.

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
    ground_truth, results, outside = select_judged_rows(ground_truth, results)
    ground_truth, dropped = drop_ground_truth(ground_truth, protocol)
    check_not_empty(ground_truth)
    label = index_names(results.labels, ground_truth.labels)[results.label]
    inside = index_videos(results, ground_truth) >= 0
    row = np.flatnonzero((label >= 0) & (inside | (protocol.outside == "false positives")))
    if protocol.equal_scores == "by video":
        by_name = index_names(results.videos, sorted(results.videos))[results.video[row]]
        row = row[np.argsort(by_name, kind="stable")]
    row = row[np.lexsort((-results.score[row], label[row]))]
    return Matches(protocol, ground_truth, outside | dropped, results, row, label[row])


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
