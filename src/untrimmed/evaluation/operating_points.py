"""Where to set the score threshold, what precision and recall follow, and whether scores serve as confidence."""

from dataclasses import asdict, dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.overlaps import MISS, judge, take_free

PRECISIONS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Precisions that people ask for."""


@dataclass(frozen=True)
class Point:
    """What keeping the detections of a score or more gives."""

    score: float
    precision: float
    recall: float
    f1: float
    """Harmonic mean of precision and recall."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall at every score that a detection has, highest first; equal scores come together."""

    truths: int
    """At least 1."""
    score: Float[np.ndarray, " points"]
    precision: Float[np.ndarray, " points"]
    recall: Float[np.ndarray, " points"]

    def point(self, index: int) -> Point:
        """One point of it."""
        precision, recall = float(self.precision[index]), float(self.recall[index])
        f1 = 2 * precision * recall / (precision + recall) if precision else 0.0
        return Point(float(self.score[index]), precision, recall, f1)

    def best(self) -> Point | None:
        """The point of highest F1, of equals the highest score; None where nothing was hit."""
        if not self.recall.size or not self.recall[-1]:
            return None
        total = self.precision + self.recall
        f1 = np.divide(self.precision * self.recall, total, out=np.zeros(total.shape), where=total > 0)
        return self.point(int(f1.argmax()))

    def reaching(self, precision: float) -> Point | None:
        """The point of lowest score, thus highest recall, whose precision is that or more; None where none is."""
        reached = np.flatnonzero(self.precision >= precision)
        return self.point(int(reached[-1])) if reached.size else None

    def thin(self, tolerance: float = 1e-3) -> "Curve":
        """Fewer points for drawing: no point of the one line, in recall and precision, is farther from the other."""
        kept = np.flatnonzero(_corners(self.recall, self.precision, tolerance))
        return Curve(self.truths, self.score[kept], self.precision[kept], self.recall[kept])

    def to_json(self) -> dict[str, Any]:
        """The points, thinned, for `write_json`."""
        thin = self.thin()
        columns = {name: getattr(thin, name).tolist() for name in ("score", "precision", "recall")}
        return {"truths": self.truths, **columns}


@dataclass(frozen=True)
class Reliability:
    """Detections of scores that lie close together."""

    above: float
    """The lower edge, which is not in, but for that of the first bin."""
    upto: float
    """The upper edge, which is in."""
    count: int
    score: float | None
    """Mean; None without detections."""
    precision: float | None
    """Share of hits; None without detections."""


@dataclass(frozen=True)
class Calibration:
    """How far scores are from the share of hits, by bins (Guo et al., On Calibration, ICML 2017, Eqs. 3 and 5)."""

    bins: tuple[Reliability, ...]
    expected_error: float
    """Mean over the detections of the difference between mean score and precision of their bin (ECE)."""
    largest_error: float
    """The largest such difference (MCE)."""


@dataclass(frozen=True)
class Operation:
    """One curve and the points of it that one may want to work at."""

    curve: Curve
    best: Point | None
    """The best F1."""
    reaching: dict[float, Point | None]
    """The lowest threshold that reaches each wanted precision; None where none does."""

    def to_json(self) -> dict[str, Any]:
        """The fields under their names; precisions as text."""
        reaching = {f"{wanted:g}": point and asdict(point) for wanted, point in self.reaching.items()}
        return {"curve": self.curve.to_json(), "best": self.best and asdict(self.best), "reaching": reaching}


@dataclass(frozen=True)
class Operating:
    """What thresholds on the score give, at one tIoU."""

    tiou: float
    pooled: Operation
    """Over the detections of all classes."""
    classes: dict[str, Operation]
    """By label of the truth."""
    equal_width: Calibration | None
    """Over bins of one width; None where `notes` says why."""
    equal_mass: Calibration | None
    """Over bins of as many detections, but that equal scores stay together."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`; curves are thinned."""
        return {
            "tiou": self.tiou,
            "pooled": self.pooled.to_json(),
            "classes": {label: operation.to_json() for label, operation in self.classes.items()},
            "equal_width": self.equal_width and asdict(self.equal_width),
            "equal_mass": self.equal_mass and asdict(self.equal_mass),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class Confusion:
    """What the truths of each label were detected as."""

    tiou: float
    floor: float
    """Detections of a lower score are left out."""
    labels: tuple[str, ...]
    """Those of the truth."""
    counts: Int[np.ndarray, "truth_and_background labels_and_missed"]
    """Truths by label (row) and label of the detection they were given (column). The last column counts truths that
    were given none, the last row detections that were given to none."""

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        values = {"tiou": self.tiou, "floor": self.floor, "labels": list(self.labels)}
        return {**values, "counts": self.counts.tolist()}


def operating(
    truth: Instances,
    results: Instances,
    tiou: float = 0.5,
    precisions: tuple[float, ...] = PRECISIONS,
    bins: int = 15,
) -> Operating:
    """What each score threshold gives, matched by the rules of the ActivityNet program at one tIoU.

    Raises BadInput when the truth is empty, ValueError when the tIoU is not in (0, 1].
    """
    judged = judge(truth, results, (tiou,))
    hits, bounds = judged.hit[0] != MISS, judged.bounds
    classes = {
        name: _operation(curve(judged.score[here], hits[here], int(judged.truths[label])), precisions)
        for label, name in enumerate(truth.labels)
        if judged.truths[label] and (here := slice(bounds[label], bounds[label + 1]))
    }
    why_not = _uncalibrated(judged.score)
    return Operating(
        tiou=tiou,
        pooled=_operation(curve(judged.score, hits, len(truth)), precisions),
        classes=classes,
        equal_width=None if why_not else calibration(judged.score, hits, bins),
        equal_mass=None if why_not else calibration(judged.score, hits, bins, equal_mass=True),
        notes=(why_not,) if why_not else (),
    )


def curve(score: Float[np.ndarray, " detections"], hits: Bool[np.ndarray, " detections"], truths: int) -> Curve:
    """Precision and recall at every score, from what hit."""
    order = np.argsort(-score)
    score, found = score[order], np.cumsum(hits[order])
    last = np.flatnonzero(np.append(score[1:] != score[:-1], [True] * (score.size > 0)))
    return Curve(truths, score[last], found[last] / (last + 1), found[last] / truths)


def calibration(
    score: Float[np.ndarray, " detections"],
    hits: Bool[np.ndarray, " detections"],
    bins: int = 15,
    equal_mass: bool = False,
) -> Calibration:
    """Mean score against share of hits, over bins of equal width in [0, 1] or of about equal numbers.

    There must be a detection, and every score in [0, 1].
    """
    inner = np.arange(1, bins) / bins
    if equal_mass:
        inner = np.unique(np.quantile(score, inner, method="inverted_cdf"))
        inner = inner[inner < score.max()]
    place = np.searchsorted(inner, score, side="left")
    count, total, hit = (np.bincount(place, weight, len(inner) + 1) for weight in (None, score, hits))
    gaps = np.abs(total - hit) / np.maximum(count, 1)
    means = [
        (s / n, h / n) if n else (None, None)
        for n, s, h in zip(*(c.tolist() for c in (count, total, hit)), strict=True)
    ]
    edges = [0.0, *inner.tolist(), 1.0]
    found = tuple(Reliability(edges[n], edges[n + 1], int(count[n]), *pair) for n, pair in enumerate(means))
    return Calibration(found, float((gaps * count).sum() / len(score)), float(gaps.max()))


def confusion(truth: Instances, results: Instances, floor: float, tiou: float = 0.5) -> Confusion:
    """Give the truths to the detections of score `floor` or more, one to one, and count by label.

    Detections that hit keep what they hit, so the diagonal counts the hits of the curves. Those left, best score
    first, then take the free truth that they overlap most, if by `tiou` or more; it has another label, else they
    had hit it. Raises BadInput when the truth is empty.
    """
    judged = judge(truth, results, (tiou,))
    hit, enough = judged.hit[0].copy(), judged.score >= floor
    taken = np.zeros(len(truth), bool)
    taken[hit[enough & (hit != MISS)]] = True
    left = np.flatnonzero(enough & (hit == MISS))
    left = left[np.lexsort((judged.row[left], -judged.score[left]))]
    hit[left] = take_free(truth, results, judged.row[left], taken, tiou)
    classes = len(truth.labels)
    given = np.where(hit == MISS, classes, truth.label[hit])[enough]
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    np.add.at(counts, (given, judged.label[enough]), 1)
    missed = np.ones(len(truth), bool)
    missed[hit[enough & (hit != MISS)]] = False
    counts[:, classes] = np.bincount(truth.label[missed], minlength=classes + 1)
    return Confusion(tiou, floor, truth.labels, counts)


def _operation(curve: Curve, precisions: tuple[float, ...]) -> Operation:
    return Operation(curve, curve.best(), {wanted: curve.reaching(wanted) for wanted in precisions})


def _uncalibrated(score: Float[np.ndarray, " detections"]) -> str:
    """Why scores cannot be read as confidence; empty where they can."""
    if not score.size:
        return "no calibration: there is no detection of a class of the annotations"
    outside = int(((score < 0) | (score > 1)).sum())
    return f"no calibration: scores outside [0, 1]: {outside}" if outside else ""


@njit(cache=True)
@no_type_check
def _corners(x, y, tolerance):
    """Which points of a line must stay for the rest to lie within `tolerance`: the rule of Douglas and Peucker."""
    kept = np.zeros(x.size, np.bool_)
    if not x.size:
        return kept
    kept[0] = kept[-1] = True
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
            kept[where] = True
            stack.append((first, where))
            stack.append((where, last))
    return kept
