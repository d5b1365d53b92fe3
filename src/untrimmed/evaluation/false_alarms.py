"""False alarms per hour at a recall, and recall at false alarms per hour: for hours in which little happens."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.annotations.spans import merge_spans
from untrimmed.evaluation.instances import Instances, index_videos
from untrimmed.evaluation.judged import find_inside
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.matching import MISS
from untrimmed.evaluation.notes import Interval
from untrimmed.evaluation.operating_points import find_corners
from untrimmed.io import BadInput

RECALLS = (0.5, 0.7, 0.9)
"""Recalls at which people ask for the false alarms."""
RATES = (1.0, 6.0, 60.0)
"""False alarms per hour at which people ask for the recall."""
BLOCK = 600.0
"""Seconds: about how long the blocks are that are resampled where videos are few."""
FEW = 20
"""Fewer videos than this say too little about each other to be resampled."""


@dataclass(frozen=True, eq=False)
class AlarmCurve:
    """Recall and false alarms at every score that a detection has, highest first; equal scores come together."""

    actions: int
    """The number of annotated actions, at least 1."""
    hours: float
    """The length of what was judged."""
    threshold: Float[np.ndarray, " points"]
    """Detections of this score or more are alarms."""
    recall: Float[np.ndarray, " points"]
    """Share of the annotated actions that an alarm hits."""
    false_per_hour: Float[np.ndarray, " points"]
    """Alarms that hit nothing, in an hour; a second hit of one action is such an alarm too."""

    def recall_at(self, rate: float) -> float:
        """Return the recall at the lowest threshold that gives at most `rate` false alarms per hour."""
        return _find_recall(self.recall, self.false_per_hour, rate)

    def rate_at(self, recall: float) -> float:
        """Return the false alarms per hour at the highest threshold that gives the recall; infinite if none does."""
        return _find_rate(self.recall, self.false_per_hour, recall)

    def threshold_at(self, rate: float) -> float:
        """Return the lowest threshold that gives at most `rate` false alarms per hour; infinite if none does."""
        count = np.searchsorted(self.false_per_hour, rate, side="right")
        return float(self.threshold[count - 1]) if count else math.inf

    def list_rates(self) -> dict[str, float | None]:
        """List the false alarms per hour by `RECALLS`; None where a recall is not reached."""
        return {f"{mark:g}": _finite(self.rate_at(mark)) for mark in RECALLS}

    def list_recalls(self) -> dict[str, float]:
        """List the recalls by false alarms per hour, `RATES`."""
        return {f"{mark:g}": self.recall_at(mark) for mark in RATES}

    def trace(self, most: float) -> Float[np.ndarray, "2 points"]:
        """Return false alarms per hour, from 0 to `most`, and recalls, as few as a line needs to lie within a
        thousandth of its axes."""
        count = int(np.searchsorted(self.false_per_hour, most, side="right"))
        recall = np.concatenate([[0.0], self.recall[:count], [self.recall_at(most)]])
        rate = np.concatenate([[0.0], self.false_per_hour[:count], [most]])
        return np.stack([rate, recall])[:, find_corners(rate / most, recall, 1e-3)]

    def to_json(self) -> dict[str, Any]:
        """Return the figures that people ask for, without the curve; None where a recall is not reached."""
        return {
            "actions": self.actions,
            "false_per_hour_at_recall": self.list_rates(),
            "recall_at_false_per_hour": self.list_recalls(),
        }


@dataclass(frozen=True)
class AlarmIntervals:
    """How sure the figures of all classes together are."""

    level: float
    units: str
    """What was resampled: `60 videos`, or `12 blocks of about 10 minutes`."""
    false_per_hour_at_recall: dict[float, Interval]
    """Infinite where the recall is not reached."""
    recall_at_false_per_hour: dict[float, Interval]

    def to_json(self) -> dict[str, Any]:
        """Return the fields under their names; None for infinite ends."""
        rates, recalls = self.false_per_hour_at_recall, self.recall_at_false_per_hour
        return {
            "level": self.level,
            "resampled": self.units,
            "false_per_hour_at_recall": {f"{mark:g}": list(map(_finite, ends)) for mark, ends in rates.items()},
            "recall_at_false_per_hour": {f"{mark:g}": list(ends) for mark, ends in recalls.items()},
        }


@dataclass(frozen=True)
class FalseAlarms:
    """Recall and false alarms per hour at one tIoU."""

    tiou: float
    hours: float
    """The length of what was judged."""
    pooled: AlarmCurve
    """Of all classes together, with one threshold for all."""
    classes: dict[str, AlarmCurve]
    """By label of the ground truth."""
    intervals: AlarmIntervals | None
    """None where none were wanted, and where `notes` says why."""
    notes: tuple[str, ...]

    def recall_at(self, rate: float) -> float:
        """Return the recall of all classes together at `rate` false alarms per hour, see `AlarmCurve`."""
        return self.pooled.recall_at(rate)

    def rate_at(self, recall: float) -> float:
        """Return the false alarms per hour of all classes together at a recall, see `AlarmCurve`."""
        return self.pooled.rate_at(recall)

    def to_json(self) -> dict[str, Any]:
        """Return the figures that people ask for, for `write_json`."""
        return {
            "tiou": self.tiou,
            "hours": self.hours,
            **self.pooled.to_json(),
            "classes": {label: curve.to_json() for label, curve in self.classes.items()},
            **({"intervals": self.intervals.to_json()} if self.intervals else {}),
            "notes": list(self.notes),
        }


def measure_false_alarms(
    matches: Matches,
    tiou: float = 0.5,
    *,
    annotated: Mapping[str, Any] | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> FalseAlarms:
    """Measure recall and false alarms per hour at one tIoU, by the matches' own rules.

    Hours are those of the videos of the ground truth, or of their `annotated` spans (`[start, end]` in seconds by
    video; those of the ground truth without); a detection that hits nothing is judged where its middle lies in one.
    With `resamples` there are intervals over so many resamples of the videos, or of blocks of time where the videos
    are few. Raises BadInput where the length of a video is unknown.
    """
    if annotated is None:
        annotated = matches.ground_truth.annotated
    annotated = {name: tuple((float(start), float(end)) for start, end in spans) for name, spans in annotated.items()}
    judged = _list_judged(matches, annotated)
    if tiou not in matches.protocol.tious:
        protocol = replace(matches.protocol, tious=(tiou,))
        matches = match_detections(matches.ground_truth, matches.results, protocol)
    hit = matches.hit[matches.protocol.tious.index(tiou)]
    video = index_videos(matches.results, matches.ground_truth)[matches.row]
    start, end = matches.results.start[matches.row], matches.results.end[matches.row]
    middle, inside = (start + end) / 2, find_inside(annotated, matches.ground_truth.videos, video, start, end)
    alarms = _Alarms(matches.score, hit != MISS, (hit == MISS) & matches.counted & inside, matches.label)
    hours = sum(_measure(spans) for spans in judged) / 3600
    notes = _describe_outside(video, inside & (hit == MISS), hit == MISS)
    intervals = None
    if resamples:
        blocks = _cut_blocks(judged)
        units = _Units(blocks, hit, video, middle, matches)
        intervals = _estimate(alarms, units, resamples, seed, level) if len(blocks.hours) > 1 else None
        notes += _describe_units(blocks)
    labels = matches.ground_truth.labels
    return FalseAlarms(
        tiou,
        hours,
        alarms.build_curve(len(matches.ground_truth), hours),
        {labels[c]: alarms.select(c).build_curve(int(matches.positives[c]), hours) for c in matches.classes},
        intervals,
        notes,
    )


def has_hours(ground_truth: Instances) -> bool:
    """Whether the length of every video is known, so that `measure_false_alarms` can be asked."""
    durations, annotated = ground_truth.durations, ground_truth.annotated
    bounded = all(name in annotated or durations.get(name, 0) > 0 for name in ground_truth.videos)
    return ground_truth.unit == "seconds" and bounded


class _Alarms(NamedTuple):
    """Scored detections, and what each is: a hit, a false alarm, or neither."""

    score: Float[np.ndarray, " detections"]
    hit: Bool[np.ndarray, " detections"]
    false: Bool[np.ndarray, " detections"]
    label: Int[np.ndarray, " detections"]

    def select(self, label: int | np.integer) -> "_Alarms":
        rows = self.label == label
        return _Alarms(*(column[rows] for column in self))

    def rank(self) -> tuple["_Alarms", Int[np.ndarray, " points"], Int[np.ndarray, " detections"]]:
        """Return the detections best first, the last of each score, and the order."""
        order = np.argsort(-self.score, kind="stable")
        score = self.score[order]
        last = np.flatnonzero(np.append(score[1:] != score[:-1], [True] * (score.size > 0)))
        return _Alarms(*(column[order] for column in self)), last, order

    def build_curve(self, actions: int, hours: float) -> AlarmCurve:
        ranked, last, _ = self.rank()
        recall, false = np.cumsum(ranked.hit)[last] / actions, np.cumsum(ranked.false)[last] / hours
        return AlarmCurve(actions, hours, ranked.score[last], recall, false)


class _Blocks(NamedTuple):
    """What is resampled: videos, or equal parts of what is judged of each."""

    judged: list[Float[np.ndarray, "_ 2"]]
    first: Int[np.ndarray, " videos"]
    """The first block of each video."""
    parts: Int[np.ndarray, " videos"]
    hours: Float[np.ndarray, " blocks"]
    by_time: bool

    def locate(self, video: Int[np.ndarray, " rows"], time: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
        """Return the block in which each time of a video lies; -1 outside the videos of the ground truth."""
        if not self.by_time:
            return video
        block = np.full(len(video), -1)
        for n, spans in enumerate(self.judged):
            rows, length = video == n, _measure(spans)
            passed = np.clip(time[rows, None] - spans[:, 0], 0, spans[:, 1] - spans[:, 0]).sum(axis=1)
            place = (passed / length * self.parts[n]).astype(np.int64) if length else np.zeros(len(passed), np.int64)
            block[rows] = self.first[n] + np.clip(place, 0, self.parts[n] - 1)
        return block

    def describe(self) -> str:
        minutes = f"{BLOCK / 60:g} minutes"
        return f"{len(self.hours)} blocks of about {minutes}" if self.by_time else f"{len(self.hours)} videos"


class _Units:
    """The block of each detection and of each annotated action; a hit lies where its action does."""

    def __init__(
        self,
        blocks: _Blocks,
        hit: Int[np.ndarray, " detections"],
        video: Int[np.ndarray, " detections"],
        middle: Float[np.ndarray, " detections"],
        matches: Matches,
    ) -> None:
        truth = matches.ground_truth
        self.blocks = blocks
        self.action = blocks.locate(truth.video, (truth.start + truth.end) / 2)
        self.detection = np.where(hit != MISS, self.action[hit], blocks.locate(video, middle))


def _find_recall(recall: np.ndarray, rates: np.ndarray, rate: float) -> float:
    count = np.searchsorted(rates, rate * (1 + 1e-12), side="right")
    return float(recall[count - 1]) if count else 0.0


def _find_rate(recall: np.ndarray, rates: np.ndarray, goal: float) -> float:
    place = np.searchsorted(recall, goal - 1e-12)  # 7 of 10 are a recall of .7
    return float(rates[place]) if place < len(rates) else math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _list_judged(matches: Matches, spans: Mapping[str, Any]) -> list[Float[np.ndarray, "_ 2"]]:
    """List what is judged of each video of the ground truth, in seconds: its spans, or all of it."""
    truth = matches.ground_truth
    if truth.unit != "seconds":
        raise BadInput("the times are in frames, so there are no hours; give the frames a second (fps=25, --fps 25)")
    unknown = [name for name in truth.videos if name not in truth.durations and name not in spans]
    if unknown:
        raise BadInput(
            f"false alarms per hour need the length of every video, and {len(unknown)} of {len(truth.videos)} have "
            f"none in the annotations, such as {unknown[0]!r}; give them one"
        )
    judged = [
        _merge(spans[name]) if name in spans else np.array([[0.0, truth.durations[name]]]) for name in truth.videos
    ]
    if not sum(map(_measure, judged)) > 0:
        raise BadInput("nothing of the videos is annotated, so there are no hours to judge; widen the spans")
    return judged


def _merge(spans: Any) -> Float[np.ndarray, "merged 2"]:
    pairs = np.asarray(spans, np.float64).reshape(-1, 2).tolist()
    return np.array(merge_spans((start, end) for start, end in pairs), np.float64).reshape(-1, 2)


def _measure(spans: Float[np.ndarray, "spans 2"]) -> float:
    return float((spans[:, 1] - spans[:, 0]).sum())


def _describe_outside(
    video: Int[np.ndarray, " rows"], inside: Bool[np.ndarray, " rows"], missed: Bool[np.ndarray, " rows"]
) -> tuple[str, ...]:
    strange, outside = int(((video < 0) & missed).sum()), int((missed & ~inside & (video >= 0)).sum())
    sentences = {
        "detections in videos outside the annotations, no false alarms because their hours are unknown": strange,
        "detections whose middle lies outside what is annotated, no false alarms": outside,
    }
    return tuple(f"{sentence}: {count}" for sentence, count in sentences.items() if count)


def _cut_blocks(judged: list[Float[np.ndarray, "_ 2"]]) -> _Blocks:
    """Cut what is judged into what is resampled: videos, or where they are few, equal parts of about `BLOCK`."""
    lengths = np.array([_measure(spans) for spans in judged])
    parts = np.maximum(1, np.round(lengths / BLOCK)).astype(np.int64)
    by_time = len(judged) < FEW and parts.sum() > len(judged)
    count = parts if by_time else np.ones(len(judged), np.int64)
    return _Blocks(judged, np.cumsum(count) - count, count, np.repeat(lengths / count, count) / 3600, bool(by_time))


def _describe_units(blocks: _Blocks) -> tuple[str, ...]:
    if len(blocks.hours) < 2:
        return (f"no intervals of false alarms: there is one video of less than {1.5 * BLOCK / 60:g} minutes",)
    if not blocks.by_time:
        return ()
    return (
        f"intervals of false alarms resample {blocks.describe()}, because videos are few ({len(blocks.judged)}, not "
        f"{FEW} or more); blocks of one video are alike, so other videos may differ by more",
    )


def _estimate(alarms: _Alarms, units: _Units, resamples: int, seed: int, level: float) -> AlarmIntervals:
    """Estimate the middle `level` of every figure over resamples of the blocks."""
    ranked, last, order = alarms.rank()
    block, actions = units.detection[order], np.bincount(units.action, minlength=len(units.blocks.hours))
    hours, random = units.blocks.hours, np.random.default_rng(seed)
    rates, recalls = [], []
    for _ in range(resamples):
        weights = _draw_weights(actions, hours, random)
        total, length = weights @ actions, weights @ hours
        weight = weights[block]  # no hit or false alarm is of block -1
        recall = np.cumsum(weight * ranked.hit)[last] / total
        rate = np.cumsum(weight * ranked.false)[last] / length
        rates.append([_find_rate(recall, rate, mark) for mark in RECALLS])
        recalls.append([_find_recall(recall, rate, mark) for mark in RATES])
    least = -math.log((1 - level) / 2) / hours.sum()  # so many could be where none is seen: Poisson's law
    return AlarmIntervals(
        level,
        units.blocks.describe(),
        {mark: Interval(low, max(high, least)) for mark, (low, high) in _rank_middle(RECALLS, rates, level)},
        {mark: Interval(low, high) for mark, (low, high) in _rank_middle(RATES, recalls, level)},
    )


def _draw_weights(
    actions: Int[np.ndarray, " blocks"], hours: Float[np.ndarray, " blocks"], random: np.random.Generator
) -> Float[np.ndarray, " blocks"]:
    """Draw as many blocks as there are, with replacement, some with an action; how often each was drawn."""
    while True:
        weights = np.bincount(random.integers(0, len(hours), len(hours)), minlength=len(hours)).astype(np.float64)
        if weights @ actions and weights @ hours:
            return weights


def _rank_middle(
    marks: tuple[float, ...], figures: list[list[float]], level: float
) -> Iterable[tuple[float, tuple[float, float]]]:
    """Return the ends of the middle `level` of each mark's figures, which may be infinite."""
    ends = [(1 - level) / 2, (1 + level) / 2]
    for mark, column in zip(marks, zip(*figures, strict=True), strict=True):
        low, high = np.quantile(column, ends, method="inverted_cdf")
        yield mark, (float(low), float(high))
