"""Suppression of overlapping candidates of one video: NMS, soft-NMS, score floors, a limit."""

import heapq
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from untrimmed.io import Config

# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.
Segments = Float[np.ndarray, "pairs 2"]
Scores = Float[np.ndarray, " pairs"]
Indices = Int[np.ndarray, " pairs"]

_METHODS = {"gaussian": 0, "linear": 1, "hard": 2, "none": 3}
_GAUSSIAN, _LINEAR = 0, 1
# No overlap reaches this.
_NEVER = 2.0
_NEW = -1
TELLING = 0.05
"""Share of a video's best score from which a detection that `keep` leaves out is missed."""
COUNTED = 1000
"""Up to so many that are left out are counted: each takes time."""


@dataclass(frozen=True, kw_only=True)
class SuppressConfig(Config):
    """How overlapping candidates of one video suppress each other. Overlap is temporal intersection over union.

    C-TCN's release: `nms=0.8, sigma=0.9, end_floor=0.004`. GTAN: `sigma=0.8, tiou=0.75, per_class=False`.
    """

    floor: float = 0.001
    """Candidates that score less are dropped first."""
    nms: float | None = None
    """Hard NMS before `method`: of two candidates that overlap by this or more, the better one remains."""
    method: Literal["gaussian", "linear", "hard", "none"] = "gaussian"
    """What a better candidate of overlap o does to a score: times exp(-o^2 / sigma), times 1 - o, gone, nothing."""
    sigma: float = 0.5
    """Width of the Gaussian; smaller suppresses more."""
    tiou: float = 0.0
    """`method` acts at this overlap or more, and never on candidates that do not overlap at all."""
    end_floor: float = 0.001
    """Candidates that score less after `method` are dropped."""
    vote: float | None = None
    """Each segment that remains becomes the mean of all candidates of its class that overlap it by this or more,
    weighed by score times overlap; None leaves it as it is."""
    keep: int = 200
    """The most that remain of one video, best first."""
    keep_per_minute: float = 60.0
    """A longer video may keep so many for each of its minutes where that is more than `keep`; 0 is none."""
    keep_per_class: bool = True
    """Whether each class may keep so many; else all classes together, and a busy one may leave no room for a rare."""
    per_class: bool = True
    """Whether only candidates of one class suppress each other; else each segment has one label, its best."""

    def __post_init__(self) -> None:
        if not (self.floor >= 0 and self.end_floor >= 0):
            raise ValueError(f"floor {self.floor} or end_floor {self.end_floor} is not 0 or more")
        if not self.sigma > 0:
            raise ValueError(f"sigma {self.sigma} is not above 0")
        if not 0 <= self.tiou <= 1:
            raise ValueError(f"tiou {self.tiou} is not in [0, 1]")
        if self.nms is not None and not 0 < self.nms <= 1:
            raise ValueError(f"nms {self.nms} is not in (0, 1]; leave it out for none")
        if self.vote is not None and not 0 < self.vote <= 1:
            raise ValueError(f"vote {self.vote} is not in (0, 1]; leave it out for none")
        if self.keep < 1:
            raise ValueError(f"keep {self.keep} is less than 1")
        if not 0 <= self.keep_per_minute < math.inf:
            raise ValueError(f"keep_per_minute {self.keep_per_minute} is not a number of 0 or more")


def compute_limit(config: SuppressConfig, seconds: float) -> int:
    """Compute how many detections a video of so many seconds may keep, of each class where `keep_per_class` is on."""
    return max(config.keep, math.ceil(config.keep_per_minute * seconds / 60))


class Suppressed(NamedTuple):
    """The detections of one video, best first; of equal scores the earlier candidate, then the lower class."""

    segments: Float[np.ndarray, "detections 2"]
    """In the unit of the candidates."""
    labels: Int[np.ndarray, " detections"]
    """Class indices."""
    scores: Float[np.ndarray, " detections"]
    """After suppression."""
    candidates: Int[np.ndarray, " detections"]
    """The index of the candidate that each detection was."""
    cut: int = 0
    """Detections that `keep` alone left out and that score `TELLING` times the best or more, up to `COUNTED`."""


def suppress(
    segments: Float[np.ndarray, "candidates 2"],
    scores: Float[np.ndarray, "candidates classes"],
    config: SuppressConfig,
) -> Suppressed:
    """Suppress the candidates of one video: start and end in any unit, a score for every class.

    Soft-NMS is that of Bodla et al., ICCV 2017. The result is exactly that of running every class to its end
    and keeping the best. Raises ValueError when a number is not finite.
    """
    if not (np.isfinite(segments).all() and np.isfinite(scores).all()):
        raise ValueError("segments and scores must be finite numbers")
    candidates, labels = _list_pairs(scores, config)
    segments = np.ascontiguousarray(segments[candidates], np.float64)
    first_scores = scores[candidates, labels].astype(np.float64)
    last_scores = first_scores.copy()
    groups = labels if config.per_class else np.zeros_like(labels)
    picks, cut = _pick(
        segments,
        last_scores,
        groups,
        scores.shape[1] if config.per_class else 1,
        config.keep,
        _NEVER if config.nms is None else config.nms,
        _METHODS[config.method],
        config.sigma,
        _NEVER if config.method == "none" else config.tiou,
        config.end_floor,
    )
    if config.vote is None:
        detections = segments[picks]
    else:
        detections = _vote(segments, first_scores, groups, picks, config.vote)
    return Suppressed(detections, labels[picks], last_scores[picks], candidates[picks], int(cut))


def _list_pairs(
    scores: Float[np.ndarray, "candidates classes"], config: SuppressConfig
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """List the pairs of candidate and class that reach the floor, by candidate and then by class."""
    if config.per_class:
        candidates, labels = np.nonzero(scores >= config.floor)
        return candidates, labels
    if not scores.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    best = scores.argmax(axis=1)
    candidates = np.flatnonzero(scores[np.arange(len(scores)), best] >= config.floor)
    return candidates, best[candidates]


@njit(cache=True)
@no_type_check
def _pick(
    segments: Segments,
    scores: Scores,
    groups: Indices,
    group_count: int,
    keep: int,
    nms: float,
    method: int,
    sigma: float,
    tiou: float,
    end_floor: float,
) -> tuple[Indices, int]:
    """Pick the best `keep` pairs after suppression within each group, best first; `scores` is changed in place.

    Also how many more would have come, down to `TELLING` times the best score, up to `COUNTED`.

    Scores only fall, so the score that a pair had when last updated bounds what it has now. The pair of the highest
    bound is updated with the picks of its group since then; if it is still on top it is the next pick. A pair that
    never comes to the top is never compared with anything.
    """
    size = scores.size
    # The highest bound on top; of equal ones the earlier pair.
    heap = [(-scores[pair], pair) for pair in range(size)]
    heapq.heapify(heap)
    # The last survivor of hard NMS of each group; `previous` leads from one to the one before.
    survivors = np.full(group_count, -1)
    previous = np.full(size, -1)
    # The last pick of each group, and how many picks of all groups there were when a pair was last updated.
    latest = np.full(group_count, -1)
    updated = np.full(size, _NEW)
    # Picks beyond what is kept are counted alone.
    picks = np.empty(min(keep + COUNTED, size), np.int64)
    count, least = 0, end_floor
    while len(heap) > 0 and count < picks.size and -heap[0][0] >= least:
        pair = heap[0][1]
        group = groups[pair]
        if updated[pair] == _NEW:
            # Pairs come here in the order of their first scores, which is the order of hard NMS.
            if _overlaps_survivor(segments, pair, survivors[group], previous, nms):
                heapq.heappop(heap)
            else:
                previous[pair], survivors[group] = survivors[group], pair
                updated[pair] = 0
        elif updated[pair] <= latest[group]:
            # Picks of its group came after the last update: its score may fall.
            for pick in picks[updated[pair] : count]:
                if groups[pick] == group:
                    overlap = _compute_tiou(segments, pair, pick)
                    scores[pair] = _decay(scores[pair], overlap, method, sigma, tiou)
            updated[pair] = count
            heapq.heapreplace(heap, (-scores[pair], pair))
        else:
            # Its score is its bound, and no other pair can come above it.
            picks[count], latest[group] = pair, count
            count += 1
            heapq.heappop(heap)
            if count == keep:
                least = max(end_floor, TELLING * scores[picks[0]])
    return picks[:keep][:count], max(0, count - keep)


@njit(cache=True)
@no_type_check
def _vote(segments: Segments, scores: Scores, groups: Indices, picks: Indices, least: float) -> Segments:
    """Move each picked segment to the weighted mean of those that overlap it; one without length stays."""
    means = segments[picks]
    for n in range(picks.size):
        pick, weight, start, end = picks[n], 0.0, 0.0, 0.0
        for pair in range(scores.size):
            if groups[pair] != groups[pick]:
                continue
            overlap = _compute_tiou(segments, pick, pair)
            if overlap >= least:
                share = scores[pair] * overlap
                start += share * segments[pair, 0]
                end += share * segments[pair, 1]
                weight += share
        if weight > 0:
            means[n, 0], means[n, 1] = start / weight, end / weight
    return means


@njit(cache=True)
@no_type_check
def _overlaps_survivor(segments: Segments, pair: int, survivor: int, previous: Indices, nms: float) -> bool:
    """Check whether a survivor of hard NMS, among those chained by `previous`, overlaps a pair too much."""
    while survivor != -1:
        if _compute_tiou(segments, pair, survivor) >= nms:
            return True
        survivor = previous[survivor]
    return False


@njit(cache=True)
@no_type_check
def _decay(score: float, overlap: float, method: int, sigma: float, tiou: float) -> float:
    """Compute the score of a pair beside a better one that it overlaps; -1 drops it."""
    if overlap == 0 or overlap < tiou:
        return score
    if method == _GAUSSIAN:
        return score * math.exp(-overlap * overlap / sigma)
    if method == _LINEAR:
        return score * (1 - overlap)
    return -1.0


@njit(cache=True)
@no_type_check
def _compute_tiou(segments: Segments, a: int, b: int) -> float:
    """Compute temporal intersection over union; 0 for segments without length."""
    # In scalars: it runs for one pair at a time, and a call into numpy would cost more than the pair.
    overlap = min(segments[a, 1], segments[b, 1]) - max(segments[a, 0], segments[b, 0])
    if overlap <= 0:
        return 0.0
    return overlap / ((segments[a, 1] - segments[a, 0]) + (segments[b, 1] - segments[b, 0]) - overlap)
