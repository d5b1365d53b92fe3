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
_MOST_STRETCHES = 10_000
TELLING = 0.05
"""Share of a video's best score from which a detection that a limit leaves out is missed."""
COUNTED = 1000
"""Up to so many that are left out are counted, and then one of each class that was not: each takes time."""


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
    cut: Int[np.ndarray, " classes"]
    """Detections of each class that the limit alone left out and that are telling, as far as they are `COUNTED`."""


class _Lanes(NamedTuple):
    """A lane for each pair, those of a group and a stretch of time.

    A stretch is longer than any segment, so that one overlaps others of its own and the two adjacent ones only.
    """

    numbers: Int[np.ndarray, " pairs"]
    stretches: int
    """Lanes of a group."""
    total: int


class _Rules(NamedTuple):
    """The settings as kernels take them."""

    apart: bool
    """Whether each class is a group."""
    shared: bool
    """Whether `limit` is that of all classes together."""
    limit: int
    telling: float
    nms: float
    method: int
    sigma: float
    tiou: float
    end_floor: float


def suppress(
    segments: Float[np.ndarray, "candidates 2"],
    scores: Float[np.ndarray, "candidates classes"],
    config: SuppressConfig,
    *,
    seconds: float = 0.0,
    telling: float | None = None,
) -> Suppressed:
    """Suppress the candidates of one video of so many seconds: start and end in any unit, a score for every class.

    Soft-NMS is that of Bodla et al., ICCV 2017. The result is exactly that of running every class to its end
    and keeping the best. What scores `telling` or more, by default `TELLING` times the best, is missed where a limit
    leaves it out. Raises ValueError when a number is not finite.
    """
    if not (np.isfinite(segments).all() and np.isfinite(scores).all()):
        raise ValueError("segments and scores must be finite numbers")
    limit = compute_limit(config, seconds)
    telling = TELLING * float(scores.max(initial=0.0)) if telling is None else telling
    if not (config.per_class and config.keep_per_class):
        return _suppress_pairs(segments, scores, *_list_pairs(scores, config), config, limit, telling)
    # Nothing that happens in one class matters to another: of hours of video, only one at a time is in memory.
    cut, parts = np.zeros(scores.shape[1], np.int64), []
    for label in range(scores.shape[1]):
        candidates = np.flatnonzero(scores[:, label] >= config.floor)
        if len(candidates):
            labels = np.full(len(candidates), label)
            part = _suppress_pairs(segments, scores, candidates, labels, config, limit, telling)
            cut[label] = part.cut[label]
            parts.append(part[:4])
    if not parts:
        return Suppressed(np.zeros((0, 2)), np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.intp), cut)
    segments, labels, scores, candidates = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort((labels, candidates, -scores))
    return Suppressed(segments[order], labels[order], scores[order], candidates[order], cut)


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


def _suppress_pairs(
    segments: Float[np.ndarray, "candidates 2"],
    scores: Float[np.ndarray, "candidates classes"],
    candidates: Indices,
    labels: Indices,
    config: SuppressConfig,
    limit: int,
    telling: float,
) -> Suppressed:
    """Suppress pairs of candidate and class, those of one class only where each class has a limit to itself."""
    segments = np.ascontiguousarray(segments[candidates], np.float64)
    first_scores = scores[candidates, labels].astype(np.float64)
    last_scores, cut = first_scores.copy(), np.zeros(scores.shape[1], np.int64)
    alone = config.per_class and config.keep_per_class
    lanes = _assign_lanes(segments, labels if config.per_class and not alone else np.zeros_like(labels))
    rules = _Rules(
        config.per_class,
        alone or not config.keep_per_class,
        limit,
        telling,
        _NEVER if config.nms is None else config.nms,
        _METHODS[config.method],
        config.sigma,
        _NEVER if config.method == "none" else config.tiou,
        config.end_floor,
    )
    picks = _pick(segments, last_scores, labels, lanes, rules, cut)
    voted = segments[picks] if config.vote is None else _vote(segments, first_scores, lanes, picks, config.vote)
    return Suppressed(voted, labels[picks], last_scores[picks], candidates[picks], cut)


def _assign_lanes(segments: Segments, groups: Indices) -> _Lanes:
    """Assign lanes to pairs by their groups and starts."""
    if not len(segments):
        return _Lanes(np.zeros(0, np.int32), 1, 1)
    starts, longest = segments[:, 0], float((segments[:, 1] - segments[:, 0]).max())
    first, span = float(starts.min()), float(np.ptp(starts))
    length = max(1.01 * longest, span / _MOST_STRETCHES)
    stretches = int(span / length) + 1 if length > 0 else 1
    numbers = groups * stretches + (((starts - first) / length).astype(np.int32) if stretches > 1 else 0)
    return _Lanes(numbers.astype(np.int32), stretches, (int(groups.max()) + 1) * stretches)


@njit(cache=True)
@no_type_check
def _pick(segments: Segments, scores: Scores, labels: Indices, lanes: _Lanes, rules: _Rules, cut: Indices) -> Indices:
    """Pick the best pairs after suppression within each group, best first; `scores` and `cut` are changed in place.

    Scores only fall, so the score that a pair had when last updated bounds what it has now. The pair of the highest
    bound is updated with the picks around it since then; if it is still on top it is the next pick. A pair that
    never comes to the top is never compared with anything.
    """
    size = scores.size
    # The highest bound on top; of equal ones the earlier pair.
    heap = [(-scores[pair], pair) for pair in range(size)]
    heapq.heapify(heap)
    # The last survivor of hard NMS of each lane; `previous` leads from one to the one before.
    survivors, previous = np.full(lanes.total, -1, np.int32), np.empty(size, np.int32)
    # The picks that may overlap the pairs of a lane, and how far along these chains each pair was compared.
    chains, compared = _make_chains(lanes.total, size), np.full(size, _NEW, np.int32)
    picks, taken = np.empty(size, np.int64), np.zeros(cut.size, np.int64)
    entries, count, counted, least = lanes.total, 0, 0, rules.end_floor
    while len(heap) > 0 and -heap[0][0] >= least:
        pair = heap[0][1]
        label, lane = labels[pair], lanes.numbers[pair]
        if rules.apart and counted >= COUNTED and cut[label] > 0:
            # Nothing more of its class is kept or counted.
            heapq.heappop(heap)
        elif compared[pair] == _NEW:
            # Pairs come here in the order of their first scores, which is the order of hard NMS.
            if rules.nms <= 1 and _overlaps_survivor(segments, pair, lanes, survivors, previous, rules.nms):
                heapq.heappop(heap)
            else:
                previous[pair], survivors[lane] = survivors[lane], pair
                compared[pair] = lane
        elif chains.following[compared[pair]] != -1:
            # Picks around it came after the last update: its score may fall.
            compared[pair] = _update(segments, scores, pair, compared[pair], chains, rules)
            heapq.heapreplace(heap, (-scores[pair], pair))
        else:
            # Its score is its bound, and no other pair can come above it.
            heapq.heappop(heap)
            if rules.tiou <= 1:
                entries = _append(pair, lanes, chains, entries)
            if (count if rules.shared else taken[label]) < rules.limit:
                picks[count] = pair
                count, taken[label] = count + 1, taken[label] + 1
                if rules.shared and count == rules.limit:
                    least = max(least, rules.telling)
            elif scores[pair] >= rules.telling and (counted < COUNTED or cut[label] == 0):
                counted, cut[label] = counted + 1, cut[label] + 1
    return picks[:count].copy()


@njit(cache=True)
@no_type_check
def _vote(segments: Segments, scores: Scores, lanes: _Lanes, picks: Indices, least: float) -> Segments:
    """Move each picked segment to the weighted mean of those that overlap it; one without length stays."""
    means = segments[picks]
    chains, entries = _make_chains(lanes.total, scores.size), lanes.total
    for pair in range(scores.size):
        entries = _append(pair, lanes, chains, entries)
    for n in range(picks.size):
        pick, weight, start, end = picks[n], 0.0, 0.0, 0.0
        entry = chains.following[lanes.numbers[pick]]
        while entry != -1:
            pair = chains.pairs[entry]
            overlap = _compute_tiou(segments, pick, pair)
            if overlap >= least:
                share = scores[pair] * overlap
                start += share * segments[pair, 0]
                end += share * segments[pair, 1]
                weight += share
            entry = chains.following[entry]
        if weight > 0:
            means[n, 0], means[n, 1] = start / weight, end / weight
    return means


class _Chains(NamedTuple):
    """For each lane, the pairs that may overlap its own, oldest first; the first entries are heads, without a pair.

    There is room for each pair in three chains; what is not reached is never touched, and takes no memory.
    """

    pairs: Indices
    """Of each entry."""
    following: Indices
    """The next entry of the chain; -1 at its end."""
    tails: Indices
    """The last entry of each chain."""


@njit(cache=True)
@no_type_check
def _make_chains(lanes: int, size: int) -> _Chains:
    pairs, following = np.empty(lanes + 3 * size, np.int32), np.empty(lanes + 3 * size, np.int32)
    following[:lanes] = -1
    return _Chains(pairs, following, np.arange(lanes))


@njit(cache=True)
@no_type_check
def _append(pair: int, lanes: _Lanes, chains: _Chains, entries: int) -> int:
    """Append a pair to the chains of its lane and of the adjacent ones; the number of entries then."""
    first, last = _find_nearby(lanes.numbers[pair], lanes.stretches)
    for lane in range(first, last + 1):
        chains.pairs[entries], chains.following[entries] = pair, -1
        chains.following[chains.tails[lane]], chains.tails[lane] = entries, entries
        entries += 1
    return entries


@njit(cache=True)
@no_type_check
def _find_nearby(lane: int, stretches: int) -> tuple[int, int]:
    """Find the first and the last lane of a group in which something may overlap what is in a lane."""
    start = lane - lane % stretches
    return max(lane - 1, start), min(lane + 1, start + stretches - 1)


@njit(cache=True)
@no_type_check
def _overlaps_survivor(
    segments: Segments, pair: int, lanes: _Lanes, survivors: Indices, previous: Indices, nms: float
) -> bool:
    """Check whether a survivor of hard NMS, among those chained by `previous`, overlaps a pair too much."""
    first, last = _find_nearby(lanes.numbers[pair], lanes.stretches)
    for lane in range(first, last + 1):
        survivor = survivors[lane]
        while survivor != -1:
            if _compute_tiou(segments, pair, survivor) >= nms:
                return True
            survivor = previous[survivor]
    return False


@njit(cache=True)
@no_type_check
def _update(segments: Segments, scores: Scores, pair: int, entry: int, chains: _Chains, rules: _Rules) -> int:
    """Lower the score of a pair by the picks that follow an entry of its chain; the last entry."""
    while chains.following[entry] != -1:
        entry = chains.following[entry]
        overlap = _compute_tiou(segments, pair, chains.pairs[entry])
        scores[pair] = _decay(scores[pair], overlap, rules.method, rules.sigma, rules.tiou)
    return entry


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
