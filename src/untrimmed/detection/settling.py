"""Suppression of candidates that keep arriving: each pick is given out as soon as nothing to come can change it."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from untrimmed.models.suppression import SuppressConfig, Suppressed
from untrimmed.timeline import tiou

_WAITING, _PICKED, _SPENT = 0, 1, 2
# A candidate of one class: seconds, class index, its score and the most that suppression can have left of it, the end
# of the window that it comes from, what became of it, and whether hard NMS is known to leave it.
_ROW = np.dtype(
    [
        ("start", float),
        ("end", float),
        ("label", int),
        ("raw", float),
        ("bound", float),
        ("seen", float),
        ("fate", np.int8),
        ("survives", bool),
    ]
)
Rows = np.ndarray
"""Of `_ROW`, in the order of arrival."""


class Settler:
    """What `suppress` does to all candidates of a video, done to candidates as they come, in bounded memory.

    Scores only fall, so what is picked with `least` or more depends on nothing that scores less, and on no candidate
    that does not overlap it, be it by way of others. A pick is settled when neither a candidate to come nor one that
    hangs on those can be picked before it and overlap it; it then is what `suppress` picks, with the same score. All
    picks are equal to those of `suppress` that score `least` or more, up to rounding and but for `keep`, where

    - no candidate begins before the time at which the caller says that those to come begin, and
    - none had to be settled early: one that is not settled `latency` seconds after its end (or after the end of its
      window, where it reaches beyond) is settled as things stand.

    What was given out stays. A candidate that comes later is suppressed by it, and counted in `late` where it is
    better, for then `suppress` would have said otherwise. Of what is settled, the last `memory` seconds are kept.
    """

    def __init__(self, config: SuppressConfig, least: float, latency: float, memory: float) -> None:
        self.config, self.latency, self.memory = config, latency, memory
        # A score of 0 is that of none: hard suppression leaves it.
        self.enters, self.least = max(config.floor, least), max(config.end_floor, least, np.finfo(float).tiny)
        self.late = 0
        self._future = -np.inf
        self._groups: dict[int, Rows] = {}
        self._voters: dict[int, Rows] = {}

    @property
    def held(self) -> int:
        """How many candidates are in memory."""
        return sum(map(len, (*self._groups.values(), *self._voters.values())))

    def add(
        self,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        seen: float,
    ) -> None:
        """Take the candidates, in seconds, of a window that ends at `seen` seconds."""
        entering = _rows(segments, scores, seen, self.config.per_class, self.enters)
        for group, rows in self._by_group(entering):
            before = self._groups.get(group, entering[:0])
            self._bow(rows, before[before["fate"] == _PICKED])
            self._groups[group] = np.concatenate([before, rows])
        if self.config.vote is not None:
            every = _rows(segments, scores, seen, self.config.per_class, self.config.floor)
            for group, rows in self._by_group(every):
                self._voters[group] = np.concatenate([self._voters.get(group, every[:0]), rows])

    def settle(self, now: float, future: float) -> Suppressed:
        """What is settled anew, by start, when `now` seconds were seen and candidates to come begin at `future`."""
        cut = now - self.latency
        # Between two windows nothing changes but that some have waited for too long.
        moved, self._future = future != self._future, future
        changed = [group for group, rows in self._groups.items() if moved or _due(rows, cut).any()]
        found = [self._settle(group, now, future) for group in changed]
        horizon = min(future, cut) - self.memory
        self._groups = _kept(self._groups, lambda rows: (rows["fate"] == _WAITING) | (rows["end"] > horizon))
        self._voters = _kept(self._voters, lambda rows: rows["end"] > horizon)
        rows = np.concatenate([*found, np.zeros(0, _ROW)])
        rows = rows[np.argsort(rows["start"], kind="stable")]
        return Suppressed(_segments(rows), rows["label"], rows["bound"])

    def _settle(self, group: int, now: float, future: float) -> Rows:
        rows = self._groups[group]
        due = _due(rows, now - self.latency)
        touched = _touched(rows, future)
        hidden, doubtful, stands = self._hard(rows, due, touched)
        waiting = (rows["fate"] == _WAITING) & ~hidden
        # A vote is not closed while it may be joined, and what reaches beyond the video so far is cut at its end.
        doubtful |= (touched > 0) & (touched >= min(self._soft, self.config.vote or self._soft)) | (rows["end"] > now)
        new = self._as_things_stand(rows, waiting & stands, due) if (waiting & due).any() else []
        new = [*new, *self._certain(rows, waiting & ~due, doubtful & ~due)]
        rows["fate"][waiting & (rows["fate"] == _WAITING) & (due | (rows["bound"] < self.least))] = _SPENT
        picked = rows[new]
        # What will not be picked can still hide others, but only from hard NMS.
        gone = hidden | ((rows["fate"] == _SPENT) & (self.config.nms is None))
        self._groups[group] = rows[~gone]
        return picked if self.config.vote is None else _voted(picked, self._voters[group], self.config.vote)

    @property
    def _soft(self) -> float:
        """The least overlap at which `method` acts; 2 is never."""
        return 2.0 if self.config.method == "none" else self.config.tiou

    def _hard(
        self, rows: Rows, due: Bool[np.ndarray, " rows"], touched: Float[np.ndarray, " rows"]
    ) -> tuple[Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
        """Which rows hard NMS hides for certain, of which it cannot say, and which it leaves as things stand."""
        hidden, doubtful, stands = np.zeros((3, len(rows)), bool)
        if (nms := self.config.nms) is None:
            return hidden, doubtful, ~stands
        sure = np.zeros(len(rows), bool)
        for row in np.lexsort((-rows["raw"], rows["fate"] != _PICKED)).tolist():
            near = _overlaps(rows, row) >= nms
            stands[row] = not (near & stands).any()
            if rows["survives"][row] or rows["fate"][row] == _PICKED:
                stands[row] = sure[row] = True
            elif (near & sure).any() or (due[row] and not stands[row]):
                hidden[row], stands[row] = True, False
            elif not due[row] and (touched[row] >= nms or (near & doubtful).any()):
                doubtful[row] = True
            else:
                sure[row] = True
        rows["survives"] |= sure
        return hidden, doubtful, stands

    def _as_things_stand(
        self, rows: Rows, active: Bool[np.ndarray, " rows"], due: Bool[np.ndarray, " rows"]
    ) -> list[int]:
        """Pick the due rows as if no candidate were to come."""
        scores, new = np.where(active, rows["bound"], -1.0), []
        while len(scores) and scores[best := int(scores.argmax())] >= self.least:
            score, scores[best] = scores[best], -1.0
            factors = self._factors(_overlaps(rows, best))
            if due[best]:
                # What stands before it is not suppressed by it, also if that falls back later.
                rows["bound"][scores >= 0] *= factors[scores >= 0]
                rows["bound"][best], rows["fate"][best] = score, _PICKED
                new.append(best)
            scores[scores >= 0] *= factors[scores >= 0]
        return new

    def _certain(
        self, rows: Rows, active: Bool[np.ndarray, " rows"], doubtful: Bool[np.ndarray, " rows"]
    ) -> list[int]:
        """Pick what no candidate to come can change, in the order of the most that each can score."""
        new, doubtful = [], doubtful.copy()
        while active.any():
            best = int(np.where(active, rows["bound"], -1.0).argmax())
            if rows["bound"][best] < self.least:
                break
            active[best] = False
            factors = self._factors(_overlaps(rows, best))
            if doubtful[best]:
                # It may be picked before those that it overlaps, or after them.
                doubtful |= factors < 1
            else:
                rows["bound"][active] *= factors[active]
                rows["fate"][best] = _PICKED
                new.append(best)
        return new

    def _bow(self, rows: Rows, picked: Rows) -> None:
        """Suppress rows that are new by what was given out, in place."""
        for pick in picked:
            overlaps = tiou(_segments(pick[None]), _segments(rows))[0]
            factors = self._factors(overlaps)
            hides = overlaps >= (2.0 if self.config.nms is None else self.config.nms)
            self.late += int((((factors < 1) | hides) & (rows["raw"] > pick["bound"])).sum())
            rows["bound"] *= factors

    def _factors(self, overlaps: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """What a pick leaves of the scores of rows that it overlaps."""
        left: dict[Literal["gaussian", "linear", "hard", "none"], np.ndarray] = {
            "gaussian": np.exp(-overlaps * overlaps / self.config.sigma),
            "linear": 1 - overlaps,
            "hard": np.zeros(len(overlaps)),
            "none": np.ones(len(overlaps)),
        }
        return np.where((overlaps > 0) & (overlaps >= self._soft), left[self.config.method], 1.0)

    def _by_group(self, rows: Rows) -> list[tuple[int, Rows]]:
        groups = rows["label"] if self.config.per_class else np.zeros(len(rows), int)
        return [(int(group), rows[groups == group]) for group in np.unique(groups)]


def _rows(
    segments: Float[np.ndarray, "candidates 2"],
    scores: Float[np.ndarray, "candidates classes"],
    seen: float,
    per_class: bool,
    floor: float,
) -> Rows:
    """The pairs of segment and class that reach the floor, by segment and then by class."""
    reach = scores >= floor
    if not per_class:
        reach &= np.arange(scores.shape[1]) == scores.argmax(1)[:, None]
    boxes, labels = np.nonzero(reach)
    rows = np.zeros(len(boxes), _ROW)
    rows["start"], rows["end"], rows["label"], rows["seen"] = *segments[boxes].T, labels, seen
    rows["raw"] = rows["bound"] = scores[boxes, labels]
    return rows


def _due(rows: Rows, cut: float) -> Bool[np.ndarray, " rows"]:
    """The rows that have waited long enough."""
    return (rows["fate"] == _WAITING) & (np.minimum(rows["end"], rows["seen"]) <= cut)


def _kept(groups: dict[int, Rows], wanted: Callable[[Rows], Bool[np.ndarray, " rows"]]) -> dict[int, Rows]:
    left = {group: rows[wanted(rows)] for group, rows in groups.items()}
    return {group: rows for group, rows in left.items() if len(rows)}


def _segments(rows: Rows) -> Float[np.ndarray, "rows 2"]:
    return np.stack([rows["start"], rows["end"]], 1)


def _overlaps(rows: Rows, row: int) -> Float[np.ndarray, " rows"]:
    return tiou(_segments(rows[row : row + 1]), _segments(rows))[0]


def _touched(rows: Rows, future: float) -> Float[np.ndarray, " rows"]:
    """The most that a segment which begins at `future` seconds or later can overlap each row."""
    length = rows["end"] - rows["start"]
    late = np.clip(rows["end"] - future, 0, length)
    return np.divide(late, length, out=np.zeros(len(rows)), where=length > 0)


def _voted(picked: Rows, voters: Rows, least: float) -> Rows:
    """The picks, each moved to the mean of all around it, weighed as `suppress` does; without length it stays."""
    picked = picked.copy()
    overlaps = tiou(_segments(picked), _segments(voters))
    shares = np.where(overlaps >= least, voters["raw"] * overlaps, 0)
    total = shares.sum(1)
    for name in ("start", "end"):
        np.divide(shares @ voters[name], total, out=picked[name], where=total > 0)
    return picked
