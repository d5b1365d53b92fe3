"""Recall of proposals as more and more of them are looked at: AR over AN, its area, and recall over tIoU."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from untrimmed.evaluation.instances import Instances, check_not_empty, index_videos
from untrimmed.evaluation.judged import select_judged_rows
from untrimmed.evaluation.matching import Segments, compute_tiou
from untrimmed.evaluation.notes import ToJson, count_repeats, count_ties, format_counts
from untrimmed.evaluation.protocols import check_tious, space_tious
from untrimmed.io import BadInput

_POINTS = 100
_NEVER = np.iinfo(np.int64).max

FrameRates = float | Mapping[str, float]
"""Frames a second: one number for all videos, or one by video."""


@dataclass(frozen=True, kw_only=True)
class ProposalProtocol:
    """How proposals are judged.

    The proposals of a video rank by score, equal ones in the order of the file. An annotated action is recalled when
    any proposal that is looked at overlaps it enough; one proposal may recall many. Recall is the share of all
    actions in the judged videos, AR its mean over the thresholds. At point k of 1 to 100 of the curve every video
    shows the same share of its proposals, rounded down, so that all together are k % of the budget: AN proposals a
    video on average.
    """

    name: str
    tious: tuple[float, ...]
    """Thresholds, each in (0, 1]."""
    videos: Literal["annotated", "proposed"] = "annotated"
    """Whose actions count: those of every video that has any, and proposals elsewhere use up the budget too; or only
    those of the videos that also have a proposal, and proposals elsewhere are left out."""
    budget: float | None = None
    """Proposals a video, on average, at the end of the curve: of more each video keeps its share of the best, with
    fewer the curve is level at its end. None: as many as there are."""
    unit: Literal["seconds", "frames"] = "seconds"
    """Overlap of lengths in seconds; or of numbers of frames, both ends of a segment in it."""
    test: Literal[">=", ">"] = ">="
    """How an overlap is compared with a threshold. One of 0 / 0 passes none."""
    area_from: Literal["first point", "zero"] = "first point"
    """Where the area under AR over AN begins: at k = 1, or at no proposals and no recall."""
    area_by: Literal["last AN", "length"] = "last AN"
    """What the area is divided by: the AN at its end, or the length from where it begins."""
    marks: tuple[float, ...] = ()
    """AN at which AR is read off the curve, linearly between its points."""

    def __post_init__(self) -> None:
        check_tious(self.tious)
        if self.budget is not None and not 0 < self.budget < math.inf:
            raise ValueError(f"budget {self.budget} is not a positive number of proposals a video")
        if not all(0 < mark < math.inf for mark in self.marks):
            raise ValueError(f"marks {self.marks} are not positive numbers of proposals a video")


ACTIVITYNET_PROPOSALS = ProposalProtocol(
    name="activitynet-proposals",
    tious=space_tious(0.5, 0.95, 10),
    budget=100.0,
    marks=(1, 5, 10, 50, 100),
)
# As DAPs, SST, TURN and BSN measured it; the area is ours, since they draw the curve only.
THUMOS14_PROPOSALS = ProposalProtocol(
    name="thumos14-proposals",
    tious=space_tious(0.5, 1.0, 11),
    videos="proposed",
    unit="frames",
    marks=(50, 100, 200, 500, 1000),
)
PROPOSAL_PROTOCOLS = {protocol.name: protocol for protocol in (ACTIVITYNET_PROPOSALS, THUMOS14_PROPOSALS)}


@dataclass(frozen=True)
class ProposalScores(ToJson):
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
    """Of `videos` and annotated actions (`truth`) judged on, `proposals` in those videos, `kept` of these within the
    budget, and proposals `outside`."""
    notes: list[str]
    """Sentences on whatever in the files bears on the figures."""


class _Pairing(NamedTuple):
    """Annotated actions and proposals of the judged videos, in the unit of the protocol, video by video."""

    actions: Segments
    proposals: Segments
    """Of each video, best first."""
    bounds: Int[np.ndarray, " videos_and_one"]
    """The proposals of judged video v are `bounds[v]:bounds[v + 1]`."""
    video: Int[np.ndarray, " actions"]
    """Judged video of each action."""
    within: Int[np.ndarray, " videos"]
    """How many proposals of each judged video are within the budget."""
    total: float
    """Proposals, all videos together, at the end of the curve."""
    counts: dict[str, int]
    notes: list[str]


def compute_proposal_scores(
    ground_truth: Instances,
    results: Instances,
    protocol: ProposalProtocol = ACTIVITYNET_PROPOSALS,
    frame_rates: FrameRates | None = None,
) -> ProposalScores:
    """Compute AR over AN, the area under it, and recall at every threshold; labels of the results are not looked at.

    A protocol in frames turns seconds into `round(seconds * rate)`, and takes frames as they are. Where the official
    ActivityNet program divides by zero, because no proposal is there, recall is 0. Raises BadInput when the ground
    truth is empty, or when frame rates are missing.
    """
    pairing = _pair(ground_truth, results, protocol, frame_rates)
    # In this order of operations, as the programs have it, because rounding decides how many a video shows.
    shares = np.arange(1, _POINTS + 1) / _POINTS
    recall = _compute_recall(
        pairing, protocol, shares * (pairing.total / max(pairing.within.sum(), 1)), protocol.tious
    )
    an = np.arange(1, _POINTS + 1) * pairing.total / (_POINTS * max(pairing.counts["videos"], 1))
    ar = recall.mean(axis=0)
    ar_at = {
        f"{mark:g}": float(np.interp(mark, an, ar)) if an[0] <= mark <= an[-1] else None for mark in protocol.marks
    }
    missing = ", ".join(mark for mark, value in ar_at.items() if value is None)
    reach = (
        f"AR is null where the curve, from {an[0]:.4g} to {an[-1]:.4g} proposals a video, does not reach: {missing}"
    )
    return ProposalScores(
        protocol=protocol.name,
        subset=ground_truth.subset,
        tious=protocol.tious,
        an=tuple(an.tolist()),
        ar=tuple(ar.tolist()),
        recall=tuple(map(tuple, recall.tolist())),
        auc=_compute_area(an, ar, protocol),
        ar_at=ar_at,
        counts=pairing.counts,
        notes=pairing.notes + ([reach] if missing else []),
    )


def compute_recall_by_tiou(
    ground_truth: Instances,
    results: Instances,
    protocol: ProposalProtocol,
    an: float,
    tious: tuple[float, ...],
    frame_rates: FrameRates | None = None,
) -> tuple[float, ...]:
    """Compute recall at each threshold with `an` proposals a video on average (Fig. 5 of Long et al., CVPR 2019).

    Every video shows the same share of its proposals, as on the curve, and all of them where there are fewer than
    `an` a video. Otherwise as `compute_proposal_scores`.
    """
    check_tious(tious)
    if not 0 < an < math.inf:
        raise BadInput(f"average number of proposals {an}: give a positive number")
    pairing = _pair(ground_truth, results, protocol, frame_rates)
    share = pairing.counts["videos"] * an / max(pairing.counts["kept"], 1)
    return tuple(_compute_recall(pairing, protocol, np.array([share]), tious)[:, 0].tolist())


def _pair(
    ground_truth: Instances, results: Instances, protocol: ProposalProtocol, frame_rates: FrameRates | None
) -> _Pairing:
    """Select the judged videos, and rank their proposals."""
    ground_truth, results, outside = select_judged_rows(ground_truth, results)
    check_not_empty(ground_truth)
    everywhere = protocol.videos == "annotated"
    video = index_videos(results, ground_truth)
    annotated = np.unique(ground_truth.video)
    silent = np.setdiff1d(annotated, video)
    judged = annotated if everywhere else np.setdiff1d(annotated, silent)
    row = np.flatnonzero(np.isin(video, annotated))
    row = row[np.lexsort((-results.score[row], video[row]))]
    actions, proposals = ground_truth.select_rows(np.isin(ground_truth.video, judged)), results.select_rows(row)
    bounds = np.append(np.searchsorted(video[row], judged), len(row))
    shown = np.diff(bounds)
    available = len(results) if everywhere else len(row)
    total = float(available) if protocol.budget is None else protocol.budget * len(judged)
    # In the order of the official program, because rounding decides how many of its proposals a video keeps.
    within = np.minimum((shown * (total / max(available, 1))).astype(np.int64), shown)
    counts = {
        "videos": len(judged),
        "truth": len(actions),
        "proposals": len(row),
        "kept": int(within.sum()),
        "outside": len(results) - len(row),
    }
    notes = format_counts(outside)
    notes += _write_notes(actions, proposals, protocol, counts, len(silent), len(ground_truth) - len(actions))
    if protocol.unit == "frames":
        notes += _write_frame_notes(actions, proposals, frame_rates)
    return _Pairing(
        _convert(actions, protocol, frame_rates),
        _convert(proposals, protocol, frame_rates),
        bounds,
        np.searchsorted(judged, actions.video),
        within,
        total,
        counts,
        notes,
    )


def _convert(instances: Instances, protocol: ProposalProtocol, frame_rates: FrameRates | None) -> Segments:
    """Convert segments to the unit of the protocol; ends in frames move past the last frame, which is included."""
    start, end = instances.start, instances.end
    if instances.unit != protocol.unit:
        if protocol.unit == "seconds":
            raise BadInput(f"protocol {protocol.name} is judged in seconds and these are frames; give seconds")
        rates = np.ones(len(instances.videos))
        for video in np.unique(instances.video):
            rates[video] = _find_rate(instances.videos[video], frame_rates, protocol.name)
        rate = rates[instances.video]
        start, end = np.round(start * rate), np.round(end * rate)
    return Segments(start, end + 1.0 if protocol.unit == "frames" else end)


def _find_rate(video: str, frame_rates: FrameRates | None, protocol: str) -> float:
    """Find the frames a second of one video."""
    if frame_rates is None:
        raise BadInput(f"protocol {protocol} is judged in frames and these are seconds; give frame rates")
    rate = frame_rates.get(video) if isinstance(frame_rates, Mapping) else frame_rates
    if rate is None:
        raise BadInput(f"video {video!r} has no frame rate; give one for every video that is judged")
    if not 0 < rate < math.inf:
        raise BadInput(f"frame rate {rate} of video {video!r} is not a positive number; give frames a second")
    return float(rate)


def _compute_recall(
    pairing: _Pairing, protocol: ProposalProtocol, shares: Float[np.ndarray, " points"], tious: tuple[float, ...]
) -> Float[np.ndarray, "tious points"]:
    """Compute recall when every video shows these shares of its proposals within the budget; a share may pass 1."""
    order, within = np.argsort(tious), pairing.within[:, None]
    thresholds, strict = np.array(tious, np.float64)[order], protocol.test == ">"
    ranks = np.empty((len(pairing.video), len(tious)), np.int64)
    ranks[:, order] = _find_first_ranks(
        pairing.actions, pairing.proposals, pairing.bounds, pairing.video, thresholds, strict
    )
    shown = np.minimum((within * shares).astype(np.int64), within)
    recalled = [(ranks < count[pairing.video, None]).sum(axis=0) for count in shown.T]
    return np.stack(recalled, axis=1) / max(len(ranks), 1)


@njit(cache=True)
@no_type_check
def _find_first_ranks(
    actions: Segments, proposals: Segments, bounds: np.ndarray, video: np.ndarray, tious: np.ndarray, strict: bool
) -> np.ndarray:
    """Find the rank in its video of the first proposal that overlaps each action by each threshold; `tious` ascend.

    The proposals of video v are `bounds[v]:bounds[v + 1]`. Returns [actions, thresholds].
    """
    ranks = np.full((video.size, tious.size), _NEVER)
    for i in range(video.size):
        first, last = bounds[video[i]], bounds[video[i] + 1]
        reached = 0
        for j in range(first, last):
            overlap = compute_tiou(proposals, j, actions, i, 0.0)
            while reached < tious.size and (overlap > tious[reached] or (overlap == tious[reached] and not strict)):
                ranks[i, reached] = j - first
                reached += 1
            if reached == tious.size:
                break
    return ranks


def _compute_area(
    an: Float[np.ndarray, " points"], ar: Float[np.ndarray, " points"], protocol: ProposalProtocol
) -> float:
    """Compute the area under AR over AN; 0 where the axis has no length."""
    if protocol.area_from == "zero":
        an, ar = np.append(0, an), np.append(0, ar)
    length = an[-1] if protocol.area_by == "last AN" else an[-1] - an[0]
    area = ((ar[1:] + ar[:-1]) / 2 * np.diff(an)).sum()
    return float(area / length) if length else 0.0


def _write_notes(
    actions: Instances,
    proposals: Instances,
    protocol: ProposalProtocol,
    counts: dict[str, int],
    silent: int,
    skipped: int,
) -> list[str]:
    """Write what bears on the figures of two files; `silent` videos have no proposal, `skipped` actions are there."""
    everywhere = protocol.videos == "annotated"
    missed, spent = ("all missed", "part of the budget") if everywhere else ("left out", "left out")
    notes = format_counts(
        {
            f"annotated videos without a proposal, {missed}": silent,
            "annotated segments in those videos, left out": skipped,
            f"proposals outside the annotated videos, {spent}": counts["outside"],
            "annotated segments without length or reversed, counted": actions.find_flat().sum(),
            "proposed segments without length or reversed, counted": proposals.find_flat().sum(),
            "annotated segments that repeat another, counted": count_repeats(
                actions.video, actions.start, actions.end
            ),
            "proposals that tie in score with the one before, ranked as in the file": count_ties(
                proposals.score, proposals.video
            ),
        }
    )
    if protocol.budget is not None and counts["kept"] < protocol.budget * counts["videos"]:
        mean = counts["kept"] / counts["videos"]
        notes.append(
            f"the curve runs to {protocol.budget:g} proposals a video; there are this many to show: {mean:.4g}"
        )
    return notes


def _write_frame_notes(actions: Instances, proposals: Instances, frame_rates: FrameRates | None) -> list[str]:
    """Write whose seconds become frames."""
    sides = (("truth", actions), ("proposals", proposals))
    in_seconds = " and the ".join(name for name, rows in sides if rows.unit == "seconds" and len(rows))
    if not in_seconds:
        return []
    rate = f"{frame_rates:g} a second" if isinstance(frame_rates, int | float) else "the rate of each video"
    return [f"seconds of the {in_seconds} rounded to frames, at {rate}"]
