"""Average precision of detected actions, by any of the detection protocols."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matching import average_precisions
from untrimmed.evaluation.protocols import ACTIVITYNET, DetectionProtocol
from untrimmed.evaluation.ranking import Ranked, kept, match, places, recall_among_best
from untrimmed.io import BadInput

# MATLAB's 0:0.1:1, whose fourth number is not quite 0.3.
_ELEVEN = np.array([0.0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 0.6, 1 - 3 * 0.1, 0.8, 0.9, 1.0])
# The recalls at which precision is read, as `average_precisions` takes them.
_POINTS = {"all points": np.empty(0), "11 points": _ELEVEN, "none": np.array([np.nan])}


class Interval(NamedTuple):
    """From the lowest to the highest value; fractions."""

    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """A range for every figure: of bootstrap resamples, or of orders among equal scores."""

    map: tuple[Interval, ...]
    """One a threshold."""
    average_map: Interval
    per_class: dict[str, list[Interval]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields under their names; an interval is [low, high]."""
        value = {"map": [list(pair) for pair in self.map], "average_map": list(self.average_map)}
        per_class = {label: [list(pair) for pair in pairs] for label, pairs in self.per_class.items()}
        return value | ({"per_class": per_class} if per_class else {})


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
    recall_at: dict[str, list[float]] = field(default_factory=dict)
    """Recall at k times the number of truths, by `1x`, `5x`; one a threshold, mean over the classes."""
    confidence: Spread | None = None
    """95 % intervals over bootstrap resamples of the videos, where they were asked for."""
    ties: Spread | None = None
    """The range over orders among equal scores, where it was asked for."""

    def rows(self) -> list[tuple[str, list[float]]]:
        """AP of each class and then of all together: one a threshold, and their mean."""
        named = [*self.per_class.items(), ("all classes", list(self.map))]
        return [(name, [*precisions, sum(precisions) / len(precisions)]) for name, precisions in named]

    def _repr_html_(self) -> str:
        """How a notebook shows it: AP in percent, a class a row, a threshold a column."""
        header = ["AP (%)", *(f"{tiou:g}" for tiou in self.tious), "mean"]
        rows = [[name, *(f"{100 * value:.1f}" for value in values)] for name, values in self.rows()]
        lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`; those that were not asked for are left out."""
        value: dict[str, Any] = {
            "protocol": self.protocol,
            "subset": self.subset,
            "tious": list(self.tious),
            "map": list(self.map),
            "average_map": self.average_map,
            "per_class": self.per_class,
            "counts": self.counts,
            "notes": self.notes,
        }
        if self.recall_at:
            value["recall_at"] = self.recall_at
        for name, spread in (("confidence", self.confidence), ("ties", self.ties)):
            if spread:
                value[name] = spread.to_json()
        return value


@dataclass(frozen=True, eq=False)
class Judged:
    """Detections held against truth: everything that AP and its uncertainty are made of."""

    protocol: DetectionProtocol
    truth: Instances
    """What the protocol left of the truth."""
    results: Instances
    ranked: Ranked
    dropped: dict[str, int]
    """How many truths the protocol dropped, by reason."""

    def precisions(
        self, draws: Iterable[Int[np.ndarray, " videos"]] | None = None
    ) -> Float[np.ndarray, "draws classes tious"]:
        """AP of every class of the truth, once or for every draw.

        A draw says how often each video of the truth counts. Videos that only the results have count once always.
        NaN for a class without truth in a draw.
        """
        truth, ranked = self.truth, self.ranked
        bounds = np.searchsorted(ranked.label, np.arange(len(truth.labels) + 1))
        pointers, hits = _hits_by_class(ranked.truth >= 0, bounds)
        video = places(self.results.videos, truth.videos)[self.results.video[ranked.row]]
        anchors, points = self._anchors(), _POINTS[self.protocol.interpolation]
        weights = np.ones(len(truth.videos) + len(self.results.videos))
        made = []
        for draw in [np.ones(len(truth.videos), np.int64)] if draws is None else draws:
            weights[: len(draw)] = draw
            positives = np.bincount(truth.label, draw[truth.video], len(truth.labels))
            made.append(
                average_precisions(pointers, hits, anchors, ranked.counted, video, bounds, weights, positives, points)
            )
        return np.stack(made)

    @property
    def classes(self) -> Int[np.ndarray, " present"]:
        """The labels of the truth, as indices, that have any action."""
        return np.flatnonzero(np.bincount(self.truth.label, minlength=len(self.truth.labels)))

    def _anchors(self) -> Int[np.ndarray, " detections"]:
        """For each detection, the one before which false positives outrank it."""
        rank = np.arange(len(self.ranked.row))
        if self.protocol.equal_scores != "hits first":
            return rank
        score, label = self.results.score[self.ranked.row], self.ranked.label
        begins = np.ones(len(rank), bool)
        begins[1:] = (score[1:] != score[:-1]) | (label[1:] != label[:-1])
        return np.maximum.accumulate(np.where(begins, rank, 0))


def detection_map(truth: Instances, results: Instances, protocol: DetectionProtocol = ACTIVITYNET) -> DetectionScores:
    """AP of every class at every threshold, and their means.

    By `ACTIVITYNET` equal to the official program to rounding, except among equal scores, whose order there is
    arbitrary, and in two places where it stops with an error: a class without detections has AP 0, and detections of
    a class that the truth does not have are ignored and noted. Raises BadInput when the truth is empty.
    """
    return scores_of(judge(truth, results, protocol))


def judge(truth: Instances, results: Instances, protocol: DetectionProtocol = ACTIVITYNET) -> Judged:
    """Hold detections against truth; BadInput when no truth is there, or a class is unknown that may not be."""
    if truth.unit != results.unit:
        raise BadInput(f"the annotations are in {truth.unit} and the detections in {results.unit}; give both in one")
    unknown = sorted(set(results.labels) - set(truth.labels))
    if unknown and protocol.unknown_classes == "refused":
        raise BadInput(f"the detections hold class {unknown[0]!r}, which the annotations lack; rename or remove it")
    counted, dropped = kept(truth, protocol)
    if not len(counted):
        raise BadInput("the annotations hold no action, so nothing can be judged; choose another subset or file")
    return Judged(protocol, counted, results, match(counted, results, protocol), dropped)


def scores_of(judged: Judged) -> DetectionScores:
    """The figures of judged detections."""
    truth, protocol, ranked = judged.truth, judged.protocol, judged.ranked
    precisions = judged.precisions()[0, judged.classes]
    means = precisions.mean(axis=0)
    return DetectionScores(
        protocol=protocol.name,
        subset=truth.subset,
        tious=protocol.tious,
        map=tuple(means.tolist()),
        average_map=float(means.mean()),
        per_class={truth.labels[c]: row.tolist() for c, row in zip(judged.classes, precisions, strict=True)},
        counts={
            "videos": len(truth.videos),
            "classes": len(judged.classes),
            "truth": len(truth),
            "detections": len(ranked.row),
            "ignored": len(judged.results) - len(ranked.row),
        },
        notes=_notes(judged),
        recall_at=recall_among_best(truth, judged.results, ranked, protocol),
    )


def _hits_by_class(
    hit: Bool[np.ndarray, "detections tious"], bounds: Int[np.ndarray, " bounds"]
) -> tuple[Int[np.ndarray, "classes pointers"], Int[np.ndarray, " hits"]]:
    """The detections that hit, threshold by threshold, and where those of each class begin and end among them.

    Of class c at threshold k: from `pointers[c, k]` to `pointers[c, k + 1]`.
    """
    label = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    detection, tiou = np.nonzero(hit)
    place = label[detection] * hit.shape[1] + tiou
    order = np.argsort(place, kind="stable")
    until = np.searchsorted(place[order], np.arange((len(bounds) - 1) * hit.shape[1] + 1))
    pointers = until[np.arange(len(bounds) - 1)[:, None] * hit.shape[1] + np.arange(hit.shape[1] + 1)]
    return pointers, detection[order]


def _notes(judged: Judged) -> list[str]:
    """What a reader of the numbers should know of the two files."""
    truth, results, ranked, protocol = judged.truth, judged.results, judged.ranked, judged.protocol
    unknown = sorted(set(results.labels) - set(truth.labels))
    names = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    strange = np.isin(results.label, [place for place, label in enumerate(results.labels) if label in set(unknown)])
    video = places(results.videos, truth.videos, strangers=False)[results.video]
    outside = video < 0
    silent = len(np.setdiff1d(truth.video, video[video >= 0]))
    segments = np.stack([truth.video, truth.label, truth.start, truth.end])
    score = results.score[ranked.row]
    ties = (score[1:] == score[:-1]) & (ranked.label[1:] == ranked.label[:-1])
    hit = {"hit by its equal": "counted; the same detected is a hit", "never hit": "counted and never hit"}
    found = judged.dropped | {
        f"detections ignored because the annotations lack their class ({names})": strange.sum(),
        f"detections in videos outside the annotations, {protocol.outside}": (outside & ~strange).sum(),
        "annotated videos without a detection, all missed (was a subset meant?)": silent,
        "classes without a detection, AP 0": len(np.setdiff1d(truth.label, ranked.label)),
        f"annotated segments without length or reversed, {hit.get(protocol.zero_length)}": _flat(truth).sum(),
        "detected segments without length or reversed, counted": _flat(results)[ranked.row].sum(),
        "annotated segments that repeat another, counted": len(truth) - np.unique(segments, axis=1).shape[1],
        "detections that touch an Ambiguous mark, no false positives": (~ranked.counted).sum(),
        f"detections that tie in score with the one before, ranked {_TIES[protocol.equal_scores]}": ties.sum(),
    }
    return [f"{what}: {count}" for what, count in found.items() if count]


_TIES = {"file order": "as in the file", "by video": "by the name of the video", "hits first": "hits first"}


def _flat(instances: Instances) -> Bool[np.ndarray, " rows"]:
    return instances.end <= instances.start
