"""Where to set the score threshold, what precision and recall follow, and whether scores serve as confidence."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.matching import MISS
from untrimmed.evaluation.notes import Interval
from untrimmed.evaluation.protocols import DetectionProtocol

PRECISIONS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Precisions that people ask for."""


@dataclass(frozen=True)
class Point:
    """Precision and recall of the detections that score at least so much."""

    score: float
    precision: float
    recall: float
    f1: float
    """Harmonic mean of precision and recall."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall at every score that a detection has, highest first; equal scores come together."""

    actions: int
    """The number of annotated actions, at least 1."""
    score: Float[np.ndarray, " points"]
    precision: Float[np.ndarray, " points"]
    recall: Float[np.ndarray, " points"]

    def point(self, index: int) -> Point:
        """Return one point of the curve."""
        precision, recall = float(self.precision[index]), float(self.recall[index])
        f1 = 2 * precision * recall / (precision + recall) if precision else 0.0
        return Point(float(self.score[index]), precision, recall, f1)

    def find_best(self) -> Point | None:
        """Find the point of highest F1, of equals the one of highest score; None without a hit."""
        if not self.recall.size or not self.recall[-1]:
            return None
        total = self.precision + self.recall
        f1 = np.divide(self.precision * self.recall, total, out=np.zeros(total.shape), where=total > 0)
        return self.point(int(f1.argmax()))

    def find_reaching(self, precision: float) -> Point | None:
        """Find the point of lowest score, thus highest recall, that has the precision; None if there is none."""
        reached = np.flatnonzero(self.precision >= precision)
        return self.point(int(reached[-1])) if reached.size else None

    def thin(self, tolerance: float = 1e-3) -> "Curve":
        """Drop points for drawing; both lines, in recall and precision, lie within `tolerance` of each other."""
        corners = np.flatnonzero(find_corners(self.recall, self.precision, tolerance))
        return Curve(self.actions, self.score[corners], self.precision[corners], self.recall[corners])


@dataclass(frozen=True)
class Reliability:
    """Detections of scores that lie close together."""

    above: float
    """The lower edge, excluded except in the first bin."""
    upto: float
    """The upper edge, included."""
    count: int
    score: float | None
    """Mean; None without detections."""
    precision: float | None
    """Share of hits; None without detections."""

    @property
    def gap(self) -> float:
        """Mean score and share of hits differ by so much; 0 without detections."""
        return abs((self.score or 0.0) - (self.precision or 0.0))

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the share of hits (Wilson, 1927); from 0 to 1 without detections."""
        return find_share_interval((self.precision or 0.0) * self.count, self.count)


@dataclass(frozen=True)
class Calibration:
    """How far scores are from the share of hits, by bins (Guo et al., On Calibration, ICML 2017, Eqs. 3 and 5)."""

    bins: tuple[Reliability, ...]
    expected_error: float
    """Mean over the detections of the difference between mean score and precision of their bin (ECE)."""
    largest_error: float
    """The largest such difference (MCE)."""

    def find_largest(self, least: int = 30) -> Reliability | None:
        """Find the bin of the largest difference among those of `least` detections or more; None without any."""
        return max((part for part in self.bins if part.count >= least), key=lambda part: part.gap, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the fields under their names, with the interval of each bin, for `write_json`."""
        bins = [{**asdict(part), "interval": list(part.interval)} for part in self.bins]
        largest = self.find_largest()
        return {
            "bins": bins,
            "expected_error": self.expected_error,
            "largest_error": self.largest_error,
            "largest_error_of_30_or_more": largest.gap if largest else None,
        }


@dataclass(frozen=True)
class OperatingPoints:
    """What thresholds on the score give, at one tIoU."""

    tiou: float
    pooled: Curve
    """Over the detections of all classes."""
    classes: dict[str, Curve]
    """By label of the ground truth."""
    equal_width: Calibration | None
    """Over bins of one width; None where `notes` says why."""
    equal_mass: Calibration | None
    """Over bins of about equal numbers of detections; equal scores stay together."""
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Confusion:
    """What the annotated actions of each label were detected as."""

    tiou: float
    floor: float
    """Detections of a lower score are dropped."""
    labels: tuple[str, ...]
    """Those of the ground truth."""
    counts: Int[np.ndarray, "actions_and_background labels_and_missed"]
    """Actions by label (row) and label of the detection that matches them (column). The last column counts actions
    without a detection, the last row detections without an action."""


def find_operating_points(
    ground_truth: Instances, results: Instances, tiou: float = 0.5, bins: int = 15
) -> OperatingPoints:
    """Find what each score threshold gives, matched by the rules of the ActivityNet program at one tIoU.

    Raises BadInput when the ground truth is empty, ValueError when the tIoU is not in (0, 1].
    """
    matches = match_detections(ground_truth, results, DetectionProtocol(name="one tIoU", tious=(tiou,)))
    ground_truth, judged = matches.ground_truth, (matches.hit[0] != MISS) | matches.inside
    score, hits, of_label = matches.score[judged], matches.hit[0, judged] != MISS, matches.label[judged]
    classes = {}
    for label in matches.classes:
        rows = of_label == label
        classes[ground_truth.labels[label]] = build_curve(score[rows], hits[rows], int(matches.positives[label]))
    obstacle = _find_obstacle(score)
    return OperatingPoints(
        tiou=tiou,
        pooled=build_curve(score, hits, len(ground_truth)),
        classes=classes,
        equal_width=None if obstacle else measure_calibration(score, hits, bins),
        equal_mass=None if obstacle else measure_calibration(score, hits, bins, equal_mass=True),
        notes=(obstacle,) if obstacle else (),
    )


def measure_reliability(matches: Matches, tiou: float = 0.5, bins: int = 10) -> Calibration | None:
    """Measure how far scores are from the share of hits at one tIoU, by the matches' own rules and bins of one width.

    None without detections, and for scores outside [0, 1].
    """
    if tiou not in matches.protocol.tious:
        protocol = replace(matches.protocol, tious=(tiou,))
        matches = match_detections(matches.ground_truth, matches.results, protocol)
    hit = matches.hit[matches.protocol.tious.index(tiou)] != MISS
    judged = hit | matches.counted
    score = matches.score[judged]
    return None if _find_obstacle(score) else measure_calibration(score, hit[judged], bins)


def find_share_interval(hits: float, count: int) -> Interval:
    """Find the 95 % interval of a share of `hits` among `count` (Wilson, JASA 1927)."""
    if not count:
        return Interval(0.0, 1.0)
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    width = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return Interval(max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale))


def build_curve(
    score: Float[np.ndarray, " detections"], hits: Bool[np.ndarray, " detections"], actions: int
) -> Curve:
    """Compute precision and recall at every score, from the hits and the number of annotated actions."""
    order = np.argsort(-score)
    score, true = score[order], np.cumsum(hits[order])
    last = np.flatnonzero(np.append(score[1:] != score[:-1], [True] * (score.size > 0)))
    return Curve(actions, score[last], true[last] / (last + 1), true[last] / actions)


def measure_calibration(
    score: Float[np.ndarray, " detections"],
    hits: Bool[np.ndarray, " detections"],
    bins: int = 15,
    equal_mass: bool = False,
) -> Calibration:
    """Compare mean score with share of hits, over bins of equal width in [0, 1] or of about equal numbers.

    There must be a detection, and every score in [0, 1].
    """
    inner = np.arange(1, bins) / bins
    if equal_mass:
        inner = np.unique(np.quantile(score, inner, method="inverted_cdf"))
        # A score of 0 lies in the first bin, whose edges must differ.
        inner = inner[(inner > 0) & (inner < score.max())]
    place = np.searchsorted(inner, score, side="left")
    count, total, hit = (np.bincount(place, weight, len(inner) + 1) for weight in (None, score, hits))
    gaps = np.abs(total - hit) / np.maximum(count, 1)
    means = [
        (s / n, h / n) if n else (None, None)
        for n, s, h in zip(*(c.tolist() for c in (count, total, hit)), strict=True)
    ]
    edges = [0.0, *inner.tolist(), 1.0]
    parts = tuple(Reliability(edges[n], edges[n + 1], int(count[n]), *pair) for n, pair in enumerate(means))
    return Calibration(parts, float((gaps * count).sum() / len(score)), float(gaps.max()))


def count_confusions(ground_truth: Instances, results: Instances, floor: float, tiou: float = 0.5) -> Confusion:
    """Match annotated actions and detections of score `floor` or more one to one, and count by label.

    Detections that hit keep what they hit, so the diagonal counts the hits of the curves. The others, best score
    first, then take the free action that they overlap most, if by `tiou` or more; it has another label, else they
    had hit it. Raises BadInput when the ground truth is empty.
    """
    matches = match_detections(ground_truth, results, DetectionProtocol(name="one tIoU", tious=(tiou,)))
    ground_truth, hit = matches.ground_truth, matches.hit[0].copy()
    enough = (matches.score >= floor) & ((hit != MISS) | matches.inside)
    free = np.ones(len(ground_truth), bool)
    free[hit[enough & (hit != MISS)]] = False
    unmatched = np.flatnonzero(enough & (hit == MISS))
    unmatched = unmatched[np.lexsort((matches.row[unmatched], -matches.score[unmatched]))]
    hit[unmatched] = matches.match_to_free(unmatched, free, tiou)
    hit, label, classes = hit[enough], matches.label[enough], len(ground_truth.labels)
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    np.add.at(counts, (np.where(hit == MISS, classes, ground_truth.label[hit]), label), 1)
    missed = np.ones(len(ground_truth), bool)
    missed[hit[hit != MISS]] = False
    counts[:, classes] = np.bincount(ground_truth.label[missed], minlength=classes + 1)
    return Confusion(tiou, floor, ground_truth.labels, counts)


def _find_obstacle(score: Float[np.ndarray, " detections"]) -> str:
    """Find why scores cannot be read as confidence; empty where they can."""
    if not score.size:
        return "no calibration: there is no detection of a class of the annotations"
    outside = int(((score < 0) | (score > 1)).sum())
    return f"no calibration: scores outside [0, 1]: {outside}" if outside else ""


@njit(cache=True)
@no_type_check
def find_corners(x: np.ndarray, y: np.ndarray, tolerance: float) -> np.ndarray:
    """Find the points that a line needs to stay within `tolerance` of all: the rule of Douglas and Peucker."""
    corners = np.zeros(x.size, np.bool_)
    if not x.size:
        return corners
    corners[0] = corners[-1] = True
    stack = [(0, x.size - 1)]
    while stack:
        first, last = stack.pop()
        across, up = x[last] - x[first], y[last] - y[first]
        square = across * across + up * up
        farthest, where = tolerance * tolerance, -1
        for i in range(first + 1, last):
            along = ((x[i] - x[first]) * across + (y[i] - y[first]) * up) / square if square > 0 else 0.0
            along = min(max(along, 0.0), 1.0)
            right, high = x[i] - x[first] - along * across, y[i] - y[first] - along * up
            distance = right * right + high * high
            if distance > farthest:
                farthest, where = distance, i
        if where >= 0:
            corners[where] = True
            stack.append((first, where))
            stack.append((where, last))
    return corners
