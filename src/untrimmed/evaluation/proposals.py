"""Recall of proposals as more and more of them are looked at: AR over AN, its area, and recall over tIoU."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.ranking import places
from untrimmed.io import BadInput

# Kernels carry `no_type_check` because numba compiles the function itself, not one that checks its shapes.

_POINTS = 100
_NEVER = np.iinfo(np.int64).max

FrameRates = float | Mapping[str, float]
"""Frames a second: one number for all videos, or one by video."""


def _check_tious(tious: tuple[float, ...]) -> None:
    if not tious or not all(0 < tiou <= 1 for tiou in tious):
        raise ValueError(f"thresholds {tious} are not one or more numbers in (0, 1]")


@dataclass(frozen=True, kw_only=True)
class ProposalProtocol:
    """How proposals are judged.

    The proposals of a video rank by score, equal ones in the order of the file. A truth counts as recalled when any
    proposal that is looked at overlaps it enough; one proposal may recall many. Recall is the share of all truth in
    the judged videos, AR its mean over the thresholds. At point k of 1 to 100 of the curve every video shows the same
    share of its proposals, rounded down, so that all together are k % of the budget: AN proposals a video on average.
    """

    name: str
    tious: tuple[float, ...]
    """Thresholds, each in (0, 1]."""
    videos: Literal["annotated", "proposed"] = "annotated"
    """Whose truth counts: that of every video with an action, and proposals elsewhere use up the budget too; or only
    that of those among them which have a proposal, and proposals elsewhere are left out."""
    budget: float | None = None
    """Proposals a video, on average, at the end of the curve: of more each video keeps its share of the best, with
    fewer the curve is level at its end. None: as many as there are."""
    unit: Literal["seconds", "frames"] = "seconds"
    """Overlap of lengths in seconds; or of numbers of frames, both ends of a segment in it."""
    test: Literal[">=", ">"] = ">="
    """How an overlap is held against a threshold. One of 0 / 0 passes none."""
    area_from: Literal["first point", "zero"] = "first point"
    """Where the area under AR over AN begins: at k = 1, or at no proposals and no recall."""
    area_by: Literal["last AN", "length"] = "last AN"
    """What the area is divided by: the AN at its end, or the length from where it begins."""
    marks: tuple[float, ...] = ()
    """AN at which AR is read off the curve, linearly between its points."""

    def __post_init__(self) -> None:
        _check_tious(self.tious)
        if self.budget is not None and not 0 < self.budget < math.inf:
            raise ValueError(f"budget {self.budget} is not a positive number of proposals a video")
        if not all(0 < mark < math.inf for mark in self.marks):
            raise ValueError(f"marks {self.marks} are not positive numbers of proposals a video")


# Thresholds as np.linspace makes them, so that an overlap on the edge falls as it does in the programs.
ACTIVITYNET_PROPOSALS = ProposalProtocol(
    name="activitynet-proposals",
    tious=tuple(np.linspace(0.5, 0.95, 10).tolist()),
    budget=100.0,
    marks=(1, 5, 10, 50, 100),
)
# As DAPs, SST, TURN and BSN measured it; the area is ours, since they draw the curve only.
THUMOS14_PROPOSALS = ProposalProtocol(
    name="thumos14-proposals",
    tious=tuple(np.linspace(0.5, 1.0, 11).tolist()),
    videos="proposed",
    unit="frames",
    marks=(50, 100, 200, 500, 1000),
)
PROPOSAL_PROTOCOLS = {protocol.name: protocol for protocol in (ACTIVITYNET_PROPOSALS, THUMOS14_PROPOSALS)}


@dataclass(frozen=True)
class ProposalScores:
    """What a set of proposals scores; recall and area are fractions."""

    protocol: str
    subset: str | None
    tious: tuple[float, ...]
    an: tuple[float, ...]
    """Proposals a video, on average, at the 100 points of the curve."""
    ar: tuple[float, ...]
    """Mean recall over the thresholds, one a point."""
    recall: tuple[tuple[float, ...], ...]
    """Recall at every point, one row a threshold."""
    auc: float
    """Area under AR over AN."""
    ar_at: dict[str, float | None]
    """AR by AN; None where the curve does not reach."""
    counts: dict[str, int]
    """Of `videos` and `truth` judged on, `proposals` in those videos, `kept` of these within the budget, and
    proposals `outside`."""
    notes: list[str]
    """Sentences on whatever in the files bears on the numbers."""

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return asdict(self)


@dataclass(frozen=True)
class RecallCurve:
    """Recall over tIoU at one average number of proposals a video."""

    protocol: str
    subset: str | None
    an: float
    tious: tuple[float, ...]
    recall: tuple[float, ...]
    """One a threshold."""
    counts: dict[str, int]
    """As in `ProposalScores`."""
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return asdict(self)


class _Held(NamedTuple):
    """Truth and proposals of the judged videos, in the unit of the protocol, video by video."""

    truth: Instances
    results: Instances
    """Of each video, best first."""
    bounds: Int[np.ndarray, " bounds"]
    """The proposals of judged video v are `bounds[v]:bounds[v + 1]`."""
    video: Int[np.ndarray, " truths"]
    """Judged video of each truth."""
    kept: Int[np.ndarray, " videos"]
    """How many of its proposals each judged video keeps."""
    target: float
    """Proposals, all videos together, at the end of the curve."""
    counts: dict[str, int]
    notes: list[str]


def proposal_scores(
    truth: Instances,
    results: Instances,
    protocol: ProposalProtocol = ACTIVITYNET_PROPOSALS,
    frame_rates: FrameRates | None = None,
) -> ProposalScores:
    """AR over AN, the area under it, and recall at every threshold; labels of the results are not looked at.

    A protocol in frames turns seconds into `round(seconds * rate)`, and takes what is in frames already as it is.
    Where the official ActivityNet program divides by zero, because no proposal is there, recall is 0. Raises BadInput
    when the truth is empty, or when frame rates are missing.
    """
    held = _held(truth, results, protocol, frame_rates)
    # In this order of operations, as the programs have it, since rounding decides how many a video shows.
    shares = np.arange(1, _POINTS + 1) / _POINTS
    recall = _recall(held, protocol, shares * (held.target / max(held.kept.sum(), 1)), protocol.tious)
    an = np.arange(1, _POINTS + 1) * held.target / (_POINTS * max(held.counts["videos"], 1))
    ar = recall.mean(axis=0)
    ar_at = {f"{mark:g}": _read_off(an, ar, mark) for mark in protocol.marks}
    missing = ", ".join(mark for mark, value in ar_at.items() if value is None)
    reach = (
        f"AR is null where the curve, from {an[0]:.4g} to {an[-1]:.4g} proposals a video, does not reach: {missing}"
    )
    return ProposalScores(
        protocol=protocol.name,
        subset=truth.subset,
        tious=protocol.tious,
        an=tuple(an.tolist()),
        ar=tuple(ar.tolist()),
        recall=tuple(tuple(row) for row in recall.tolist()),
        auc=_area(an, ar, protocol),
        ar_at=ar_at,
        counts=held.counts,
        notes=held.notes + ([reach] if missing else []),
    )


def recall_by_tiou(
    truth: Instances,
    results: Instances,
    protocol: ProposalProtocol,
    an: float,
    tious: tuple[float, ...],
    frame_rates: FrameRates | None = None,
) -> RecallCurve:
    """Recall at each threshold when a video shows `an` proposals on average (Fig. 5 of Long et al., CVPR 2019).

    Every video shows the same share of its proposals, as on the curve. Otherwise as `proposal_scores`; where there
    are fewer than `an` a video, all are shown, and `notes` says so.
    """
    _check_tious(tious)
    if not 0 < an < math.inf:
        raise BadInput(f"average number of proposals {an}: give a positive number")
    held = _held(truth, results, protocol, frame_rates)
    videos, kept = held.counts["videos"], held.counts["kept"]
    recall = _recall(held, protocol, np.array([videos * an / max(kept, 1)]), tious)[:, 0]
    short = f"proposals a video, all of them shown, where {an:g} are asked for: {kept / max(videos, 1):.4g}"
    notes = held.notes + ([short] if kept < an * videos else [])
    return RecallCurve(protocol.name, truth.subset, an, tious, tuple(recall.tolist()), held.counts, notes)


def _held(truth: Instances, results: Instances, protocol: ProposalProtocol, frame_rates: FrameRates | None) -> _Held:
    """Choose the judged videos, and rank their proposals."""
    if not len(truth):
        raise BadInput("the annotations hold no action, so nothing can be judged; choose another subset or file")
    video = places(results.videos, truth.videos, strangers=False)[results.video]
    annotated = np.unique(truth.video)
    inside = np.isin(video, annotated)
    silent = np.setdiff1d(annotated, video)
    judged = annotated if protocol.videos == "annotated" else np.setdiff1d(annotated, silent)
    row = np.flatnonzero(inside)
    row = row[np.lexsort((-results.score[row], video[row]))]
    chosen = np.isin(truth.video, judged)
    mine, theirs = truth.rows(chosen), results.rows(row)
    bounds = np.append(np.searchsorted(video[row], judged), len(row))
    kept, target = _within_budget(
        np.diff(bounds), len(results) if protocol.videos == "annotated" else len(row), protocol
    )
    counts = {
        "videos": len(judged),
        "truth": len(mine),
        "proposals": len(row),
        "kept": int(kept.sum()),
        "outside": len(results) - len(row),
    }
    notes = _notes(mine, theirs, protocol, counts, len(silent), len(truth) - len(mine))
    if protocol.unit == "frames":
        notes += _frame_notes(mine, theirs, frame_rates)
    return _Held(
        _in_unit(mine, protocol, frame_rates),
        _in_unit(theirs, protocol, frame_rates),
        bounds,
        np.searchsorted(judged, mine.video),
        kept,
        target,
        counts,
        notes,
    )


def _within_budget(
    found: Int[np.ndarray, " videos"], total: int, protocol: ProposalProtocol
) -> tuple[Int[np.ndarray, " videos"], float]:
    """How many proposals each video keeps, and how many there are, on the axis, at the end of the curve."""
    target = float(total) if protocol.budget is None else protocol.budget * len(found)
    # In the order of the official program, since rounding decides what a video keeps.
    return np.minimum((found * (target / max(total, 1))).astype(np.int64), found), target


def _in_unit(instances: Instances, protocol: ProposalProtocol, frame_rates: FrameRates | None) -> Instances:
    """The rows in the unit of the protocol."""
    if instances.unit == protocol.unit:
        return instances
    if protocol.unit == "seconds":
        raise BadInput(f"protocol {protocol.name} is judged in seconds and these are frames; give seconds")
    rates = np.ones(len(instances.videos))
    for video in np.unique(instances.video):
        rates[video] = _rate(instances.videos[video], frame_rates, protocol.name)
    rate = rates[instances.video]
    start, end = np.round(instances.start * rate), np.round(instances.end * rate)
    return replace(instances, start=start, end=end, unit="frames")


def _rate(video: str, frame_rates: FrameRates | None, protocol: str) -> float:
    """Frames a second of one video."""
    if frame_rates is None:
        raise BadInput(f"protocol {protocol} is judged in frames and these are seconds; give frame rates")
    rate = frame_rates.get(video) if isinstance(frame_rates, Mapping) else frame_rates
    if rate is None:
        raise BadInput(f"video {video!r} has no frame rate; give one for every video that is judged")
    if not 0 < rate < math.inf:
        raise BadInput(f"frame rate {rate} of video {video!r} is not a positive number; give frames a second")
    return float(rate)


def _recall(
    held: _Held, protocol: ProposalProtocol, shares: Float[np.ndarray, " points"], tious: tuple[float, ...]
) -> Float[np.ndarray, "tious points"]:
    """Recall when every video shows these shares of the proposals that it keeps; a share may pass 1."""
    order = np.argsort(tious)
    ranks = np.empty((len(held.truth), len(tious)), np.int64)
    ranks[:, order] = _first_ranks(
        held.results.start,
        held.results.end,
        held.bounds,
        held.truth.start,
        held.truth.end,
        held.video,
        np.array(tious, np.float64)[order],
        1.0 if protocol.unit == "frames" else 0.0,
        protocol.test == ">",
    )
    shown = np.minimum((held.kept[:, None] * shares).astype(np.int64), held.kept[:, None])
    recalled = [(ranks < count[held.video, None]).sum(axis=0) for count in shown.T]
    return np.stack(recalled, axis=1) / max(len(ranks), 1)


@njit(cache=True)
@no_type_check
def _first_ranks(starts, ends, bounds, truth_starts, truth_ends, video, tious, extra, strict):
    """Rank in its video of the first proposal that overlaps each truth by each threshold; `tious` ascend."""
    ranks = np.full((truth_starts.size, tious.size), _NEVER)
    for i in range(truth_starts.size):
        first, last = bounds[video[i]], bounds[video[i] + 1]
        length = truth_ends[i] - truth_starts[i] + extra
        reached = 0
        for j in range(first, last):
            shared = max(min(ends[j], truth_ends[i]) - max(starts[j], truth_starts[i]) + extra, 0.0)
            union = (ends[j] - starts[j] + extra) + length - shared
            if union == 0:
                continue
            overlap = shared / union
            while reached < tious.size and (overlap > tious[reached] or (overlap == tious[reached] and not strict)):
                ranks[i, reached] = j - first
                reached += 1
            if reached == tious.size:
                break
    return ranks


def _area(an: Float[np.ndarray, " points"], ar: Float[np.ndarray, " points"], protocol: ProposalProtocol) -> float:
    """Area under AR over AN; 0 where there is no axis."""
    if protocol.area_from == "zero":
        an, ar = np.append(0, an), np.append(0, ar)
    length = an[-1] if protocol.area_by == "last AN" else an[-1] - an[0]
    area = ((ar[1:] + ar[:-1]) / 2 * np.diff(an)).sum()
    return float(area / length) if length else 0.0


def _read_off(an: Float[np.ndarray, " points"], ar: Float[np.ndarray, " points"], mark: float) -> float | None:
    """AR at one AN, or None where the curve does not reach."""
    return float(np.interp(mark, an, ar)) if an[0] <= mark <= an[-1] else None


def _notes(
    truth: Instances,
    results: Instances,
    protocol: ProposalProtocol,
    counts: dict[str, int],
    silent: int,
    left_out: int,
) -> list[str]:
    """What a reader of the numbers should know of the two files."""
    everywhere = protocol.videos == "annotated"
    segments = np.stack([truth.video, truth.start, truth.end])
    ties = (results.score[1:] == results.score[:-1]) & (results.video[1:] == results.video[:-1])
    found = {
        f"annotated videos without a proposal, {'all missed' if everywhere else 'left out'}": silent,
        "annotated segments in those videos, left out": left_out,
        f"proposals outside the annotated videos, {'part of the budget' if everywhere else 'left out'}": counts[
            "outside"
        ],
        "annotated segments without length or reversed, counted": (truth.end <= truth.start).sum(),
        "proposed segments without length or reversed, counted": (results.end <= results.start).sum(),
        "annotated segments that repeat another, counted": len(truth) - np.unique(segments, axis=1).shape[1],
        "proposals that tie in score with the one before, ranked as in the file": ties.sum(),
    }
    notes = [f"{what}: {count}" for what, count in found.items() if count]
    if protocol.budget is not None and counts["kept"] < protocol.budget * counts["videos"]:
        mean = counts["kept"] / counts["videos"]
        notes.append(
            f"the curve runs to {protocol.budget:g} proposals a video; there are this many to show: {mean:.4g}"
        )
    return notes


def _frame_notes(truth: Instances, results: Instances, frame_rates: FrameRates | None) -> list[str]:
    """Whose seconds become frames."""
    sides = (("truth", truth), ("proposals", results))
    whose = " and the ".join(name for name, rows in sides if rows.unit == "seconds" and len(rows))
    if not whose:
        return []
    rate = f"{frame_rates:g} a second" if isinstance(frame_rates, int | float) else "the rate of each video"
    return [f"seconds of the {whose} rounded to frames, at {rate}"]
