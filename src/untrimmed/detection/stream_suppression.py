"""Suppression of candidates that keep arriving: each detection is emitted once, when it ended long enough ago."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.models.suppression import SuppressConfig, Suppressed, compute_limit, suppress
from untrimmed.timeline import tiou

SAME_ACTION = 0.5
"""tIoU from which a candidate is an emitted action seen again."""
MINUTE = 60.0
"""Seconds; of no stretch so long is more emitted than a video of that length may keep."""
_UNLIMITED = 2**31


class StreamSuppression:
    """Suppress the candidates of the last seconds of a stream whenever some arrive, and emit what can hardly change.

    A detection is emitted once candidates to come begin after its end, or at the latest `latency` seconds after its
    end. With a latency of a window's length or more, emitted are the detections that `suppress` leaves of the whole
    video with a score of `least` or more (docs/video.md has the figures), as far as no minute has more of them than a
    video of a minute may keep; others are counted by class in `cut`. What was emitted stays: a candidate that arrives
    later, of the same label and place, is dropped, and counted in `late` where it scores higher. Candidates that
    ended `memory` seconds before what may still be emitted are forgotten.
    """

    def __init__(self, config: SuppressConfig, classes: int, least: float, latency: float, memory: float) -> None:
        self.config, self.least = replace(config, keep=_UNLIMITED), max(least, config.end_floor)
        self.limit, self.cut = compute_limit(config, MINUTE), np.zeros(classes, np.int64)
        # The ends of what was emitted lately, of each class that has a limit to itself.
        self._ends: dict[int, np.ndarray] = {}
        self.latency, self.memory, self.late = latency, memory, 0
        self.segments, self.scores = np.zeros((0, 2)), np.zeros((0, classes))
        self.emitted = np.zeros((0, classes), bool)
        self.pending = np.zeros(0, bool)

    def __len__(self) -> int:
        """The number of candidates in memory."""
        return len(self.segments)

    def add(
        self, segments: Float[np.ndarray, "candidates 2"], scores: Float[np.ndarray, "candidates classes"]
    ) -> None:
        """Add the candidates of a window, in seconds."""
        reaching = (scores >= self.config.floor).any(1)
        segments, scores = segments[reaching], scores[reaching].copy()
        for candidate, label in np.argwhere(self.emitted):
            again = tiou(self.segments[candidate, None], segments)[0] >= SAME_ACTION
            self.late += int((scores[again, label] > self.scores[candidate, label]).sum())
            scores[again, label] = 0
        self.segments = np.concatenate([self.segments, segments])
        self.scores = np.concatenate([self.scores, scores])
        self.emitted = np.concatenate([self.emitted, np.zeros(scores.shape, bool)])
        self.pending = np.concatenate([self.pending, np.ones(len(scores), bool)])

    def emit(self, now: float, future: float) -> Suppressed:
        """Emit by start what is due when `now` seconds have passed and candidates to come begin at `future`."""
        ends, cut = self.segments[:, 1], max(future, now - self.latency)
        due = self.pending & (ends <= cut)
        # Only labels of which something may be emitted are suppressed: mostly none, whenever little time has passed.
        labels = (self.scores[due] >= self.least).any(0)
        scores = np.where(labels, self.scores, -1.0) if self.config.per_class else self.scores
        count = len(scores) if labels.any() else 0
        picks = suppress(self.segments[:count], scores[:count], self.config)
        emitted = due[picks.candidates] & (picks.scores >= self.least)
        self.emitted[picks.candidates[emitted], picks.labels[emitted]] = True
        # What could have been emitted and was not stays suppressed, also when those that suppressed it are forgotten.
        self.pending &= ends > cut
        remembered = ends > min(future, now - self.latency) - self.memory
        self.segments, self.scores = self.segments[remembered], self.scores[remembered]
        self.emitted, self.pending = self.emitted[remembered], self.pending[remembered]
        has_room = self._find_room(*(array[emitted] for array in picks[:3]))
        left_out = np.bincount(picks.labels[emitted][~has_room], minlength=len(self.cut))
        self.cut += left_out
        emitted[emitted] = has_room
        self._ends = {label: ends[ends > cut - self.memory - MINUTE] for label, ends in self._ends.items()}
        order = np.flatnonzero(emitted)[np.argsort(picks.segments[emitted, 0], kind="stable")]
        segments, labels, scores, candidates = (array[order] for array in picks[:4])
        return Suppressed(segments, labels, scores, candidates, left_out)

    def _find_room(
        self,
        segments: Float[np.ndarray, "detections 2"],
        labels: Int[np.ndarray, " detections"],
        scores: Float[np.ndarray, " detections"],
    ) -> Bool[np.ndarray, " detections"]:
        """Find which detections may be emitted, best first, so that no minute has more ends than the limit."""
        has_room = np.zeros(len(labels), bool)
        for place in np.argsort(-scores, kind="stable"):
            group, end = int(labels[place]) if self.config.keep_per_class else 0, segments[place, 1]
            ends = np.append(self._ends.get(group, ()), end)
            nearby = np.sort(ends[np.abs(ends - end) < MINUTE])
            has_room[place] = (nearby[self.limit :] - nearby[: -self.limit] >= MINUTE).all()
            if has_room[place]:
                self._ends[group] = ends
        return has_room
