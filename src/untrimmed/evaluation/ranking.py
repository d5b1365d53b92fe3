"""Truth and detections brought together: which truth counts, how detections rank, what each of them hits."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matching import by_detections, by_truths, found_among_best, repeated, touching
from untrimmed.evaluation.protocols import DetectionProtocol


class Ranked(NamedTuple):
    """Detections of the classes of the truth, class by class and best first, and what each of them hit."""

    row: Int[np.ndarray, " detections"]
    """Row in the results."""
    label: Int[np.ndarray, " detections"]
    """Class, as an index into the labels of the truth."""
    truth: Int[np.ndarray, "detections tious"]
    """Row in the truth that it hit at each threshold, -1 for none."""
    counted: Bool[np.ndarray, " detections"]
    """Whether it is a false positive where it hits nothing."""


def kept(truth: Instances, protocol: DetectionProtocol) -> tuple[Instances, dict[str, int]]:
    """The truth that a protocol counts, and how many it drops, by reason."""
    length = truth.end - truth.start
    flat = (length <= 0) if protocol.zero_length == "dropped" else np.zeros(len(truth), bool)
    short = (length < protocol.shortest) & ~flat if protocol.shortest else np.zeros(len(truth), bool)
    left = truth.rows(~(flat | short))
    again = np.zeros(len(left), bool)
    if protocol.repeats is not None:
        group = left.label * len(left.videos) + left.video
        order = np.argsort(group, kind="stable")
        again[order] = repeated(left.start[order], left.end[order], group[order], protocol.repeats)
    dropped = {
        "annotated segments without length or reversed, dropped": flat.sum(),
        f"annotated segments shorter than {protocol.shortest:g} s, dropped": short.sum(),
        "annotated segments that repeat another, dropped": again.sum(),
    }
    return left.rows(~again), {reason: int(count) for reason, count in dropped.items()}


def match(truth: Instances, results: Instances, protocol: DetectionProtocol) -> Ranked:
    """Rank the detections and find what each of them hits, at each threshold."""
    label = places(results.labels, truth.labels, strangers=False)[results.label]
    video = places(results.videos, truth.videos, strangers=False)[results.video]
    judged = (label >= 0) & ((video >= 0) | (protocol.outside == "false positives"))
    row = np.flatnonzero(judged)
    if protocol.equal_scores == "by video":
        row = row[
            np.argsort(places(results.videos, tuple(sorted(results.videos)))[results.video[row]], kind="stable")
        ]
    row = row[np.lexsort((-results.score[row], label[row]))]
    label = label[row]
    pair = _Pair(truth, results, row, label, protocol)
    chosen = pair.detections_choose() if protocol.matching == "detections choose" else pair.truths_choose()
    counted = np.ones(len(row), bool) if protocol.marks == "not read" else ~_touching(truth, results, row)
    return Ranked(row, label, chosen, counted)


class _Pair:
    """Truth and ranked detections, sorted so that those of one class and video stand together."""

    def __init__(
        self,
        truth: Instances,
        results: Instances,
        row: Int[np.ndarray, " detections"],
        label: Int[np.ndarray, " detections"],
        protocol: DetectionProtocol,
    ) -> None:
        video = places(results.videos, truth.videos, strangers=False)[results.video[row]]
        turn = protocol.reversed_segments == "turned round"
        self.tious = np.array(protocol.tious, np.float64)
        self.rule = (0.0 if protocol.zero_length == "never hit" else np.inf, protocol.test == ">")
        self.starts, self.ends = _ends(results.start[row], results.end[row], turn)
        self.place = np.where(video >= 0, label * len(truth.videos) + video, -1)
        place = truth.label * len(truth.videos) + truth.video
        # Stable, so that truths of one place keep the order of the file.
        self.order = np.argsort(place, kind="stable")
        self.truth_place = place[self.order]
        self.truth_starts, self.truth_ends = _ends(truth.start[self.order], truth.end[self.order], turn)

    def detections_choose(self) -> Int[np.ndarray, "detections tious"]:
        first, last = _ranges(self.truth_place, self.place)
        truths = (self.truth_starts, self.truth_ends)
        return self._rows(by_detections(self.starts, self.ends, first, last, *truths, self.tious, *self.rule))

    def truths_choose(self) -> Int[np.ndarray, "detections tious"]:
        order, first, last = self._candidates()
        truths = (self.truth_starts, self.truth_ends)
        return self._rows(by_truths(self.starts, self.ends, first, last, order, *truths, self.tious, *self.rule))

    def found_among_best(self, shares: Sequence[int]) -> Bool[np.ndarray, "truth tious shares"]:
        """For the truths in the order of `order`."""
        order, first, last = self._candidates()
        limits = (np.array(shares, np.int64), self.tious, self.rule[0])
        truths = (self.truth_starts, self.truth_ends)
        return found_among_best(self.starts, self.ends, first, last, order, *truths, *limits)

    def _candidates(self) -> tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"], Int[np.ndarray, "_"]]:
        """The detections place by place, and between where those of each truth lie."""
        # Stable: within a place the detections stay best first.
        order = np.argsort(self.place, kind="stable")
        return order, *_ranges(self.place[order], self.truth_place)

    def _rows(self, chosen: Int[np.ndarray, "detections tious"]) -> Int[np.ndarray, "detections tious"]:
        return np.where(chosen >= 0, self.order[chosen], -1)


def recall_among_best(
    truth: Instances, results: Instances, ranked: Ranked, protocol: DetectionProtocol
) -> dict[str, list[float]]:
    """Recall@kx of ActionFormer's program: the share of truth that one of the best detections overlaps enough.

    Looked at are the best k * n of each class and video that has n truths, for each k of the protocol's `recall_at`;
    several truths may be found by one detection. One figure a threshold, the mean over classes.
    """
    if not protocol.recall_at:
        return {}
    pair, shares = _Pair(truth, results, ranked.row, ranked.label, protocol), sorted(protocol.recall_at)
    found, label = pair.found_among_best(shares), truth.label[pair.order]
    recall = np.stack([found[label == present].mean(axis=0) for present in np.unique(label)]).mean(axis=0)
    return {f"{share}x": recall[:, place].tolist() for place, share in enumerate(shares)}


def _touching(
    truth: Instances, results: Instances, row: Int[np.ndarray, " detections"]
) -> Bool[np.ndarray, " detections"]:
    """Which detections overlap a mark of their video."""
    marked = [video for video in truth.marks if len(truth.marks[video])]
    if not marked:
        return np.zeros(len(row), bool)
    marks = np.concatenate([truth.marks[video] for video in marked])
    place = np.repeat(np.arange(len(marked)), [len(truth.marks[video]) for video in marked])
    video = places(results.videos, tuple(marked), strangers=False)[results.video[row]]
    first, last = _ranges(place, video)
    starts, ends = _ends(results.start[row], results.end[row], True)
    return touching(starts, ends, first, last, *_ends(marks[:, 0], marks[:, 1], True))


def places(names: tuple[str, ...], known: tuple[str, ...], strangers: bool = True) -> Int[np.ndarray, " names"]:
    """The index of each name among the known ones; strangers are numbered on from there, or else are -1."""
    index = {name: number for number, name in enumerate(known)}
    if strangers:
        for name in names:
            index.setdefault(name, len(index))
    return np.array([index.get(name, -1) for name in names], np.int64)


def _ranges(
    places: Int[np.ndarray, " sorted"], wanted: Int[np.ndarray, " wanted"]
) -> tuple[Int[np.ndarray, " wanted"], Int[np.ndarray, " wanted"]]:
    """Where each wanted place begins and ends among sorted ones."""
    return np.searchsorted(places, wanted, side="left"), np.searchsorted(places, wanted, side="right")


def _ends(
    start: Float[np.ndarray, " rows"], end: Float[np.ndarray, " rows"], turn: bool
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    return (np.minimum(start, end), np.maximum(start, end)) if turn else (start, end)
