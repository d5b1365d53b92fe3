"""Turns scores into the share of detections that are right, by a strictly increasing map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.detection.card import CalibrationError, CalibrationFit, VideoCount
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.judged import find_judged_actions
from untrimmed.evaluation.reliability import ScoredHits, score_hits, weigh_idle

TIOU = 0.5
"""tIoU from which a detection is right."""
EDGE = 1e-6
"""Added to a score and to what it lacks to 1, so that 0 and 1 have a logit."""
SLOPE = 0.05
"""The least slope of the fit, of logits over logits."""
SPREAD = (1.0, 2.0)
"""Standard deviations of slope and shift around those of the identity, before any detection is seen."""
PART = 10.0
"""Information, in p (1 - p) summed over detections, that a part of the fit needs to be bent away from the line."""
PARTS = 12
"""The most such parts."""
PULL = 7.5
"""Information that holds a part to the line: that of 30 detections of which half are right."""
OWN = 1e-3
"""Share of the score itself in what is made of it, so that the map increases everywhere."""
FOLDS = 5
BINS = 10
FAIR = 30
"""Bins of fewer detections say little of the largest gap."""
FEW_HITS = 100
STEPS = 50


@dataclass(frozen=True)
class ScoreMap:
    """A strictly increasing map of scores in [0, 1], linear between points; values beyond stay at the ends.

    Raises ValueError for points that do not begin at a score of 0, end at 1, and rise on both sides within [0, 1].
    """

    raw: tuple[float, ...]
    """Scores as suppression leaves them."""
    calibrated: tuple[float, ...]
    """The share of detections of that score which are right."""

    def __post_init__(self) -> None:
        raw, calibrated = np.array(self.raw, np.float64), np.array(self.calibrated, np.float64)
        if raw.shape != calibrated.shape or len(raw) < 2 or raw[0] != 0 or raw[-1] != 1:
            raise ValueError(f"points of a map of scores: {len(raw)} raw, {len(calibrated)} calibrated, from 0 to 1")
        rising = (np.diff(raw) > 0).all() and (np.diff(calibrated) > 0).all()
        if not (rising and calibrated[0] >= 0 and calibrated[-1] <= 1):
            raise ValueError("points of a map of scores must rise within [0, 1]")

    def apply(self, scores: Float[np.ndarray, " scores"]) -> Float[np.ndarray, " scores"]:
        """Map scores; their order stays, and equal ones stay equal."""
        return np.interp(scores, self.raw, self.calibrated)

    def invert(self, score: float) -> float:
        """Return the raw score that is mapped to `score`; 0 below all that are, infinite beyond."""
        return float(np.interp(score, self.calibrated, self.raw, right=np.inf))


IDENTITY = ScoreMap((0.0, 1.0), (0.0, 1.0))


def parse_score_map(tree: Mapping[str, Sequence[float]]) -> ScoreMap:
    """Parse a map from plain values by name. Raises KeyError, TypeError or ValueError for what is none."""
    return ScoreMap(tuple(map(float, tree["raw"])), tuple(map(float, tree["calibrated"])))


class Calibrated(NamedTuple):
    """What calibrating a detector gives."""

    score_map: ScoreMap | None
    """None where nothing can be said."""
    fit: CalibrationFit


def calibrate(
    ground_truth: Instances,
    results: Instances,
    classes: Sequence[str],
    on: VideoCount,
    annotations: str,
    action_share: float | None = None,
) -> Calibrated:
    """Calibrate the scores of detections, of any of the `classes`, in the videos of the ground truth.

    With an `action_share`, as for a use in which so much of the time is action, see `weigh_idle`. `on` and
    `annotations` are for the card.
    """
    judged = find_judged_actions(ground_truth).any()
    hits = score_hits(ground_truth.add_labels(classes), results, TIOU) if judged else None
    obstacle = _find_obstacle(hits)
    fit = CalibrationFit(
        on=on,
        annotations=annotations,
        tiou=TIOU,
        detections=len(hits.score) if hits else 0,
        hits=int(hits.hit.sum()) if hits else 0,
        action_share=action_share,
    )
    if obstacle or hits is None:
        return Calibrated(None, replace(fit, notes=(f"scores are not calibrated: {obstacle}",)))
    weight = weigh_idle(hits, action_share)
    score_map = fit_score_map(hits.score, hits.hit, weight)
    few = f"scores are calibrated on {fit.hits} hits, which are few: they may be off by more than .05"
    fit = replace(
        fit,
        judged_share=hits.action_share,
        before=measure_error(hits.score, hits.hit, weight),
        after=measure_error(score_map.apply(hits.score), hits.hit, weight),
        unseen=cross_validate_map(hits, weight),
        notes=(few,) if fit.hits < FEW_HITS else (),
    )
    return Calibrated(score_map, fit)


def fit_score_map(
    score: Float[np.ndarray, " detections"],
    hit: Bool[np.ndarray, " detections"],
    weight: Float[np.ndarray, " detections"] | None = None,
) -> ScoreMap:
    """Fit a map to detections, which count `weight` times each.

    A line in logits (Platt, 1999), held near the identity while detections are few, and bent in parts where there are
    many (isotonic, each part held to the line). It is the identity where all are hits or none is. Scores must lie in
    [0, 1].
    """
    if hit.all() or not hit.any():
        return IDENTITY
    weight = np.ones(len(score)) if weight is None else weight
    logit = to_logit(score)
    slope, shift = _fit_line(logit, hit, weight)
    centre, offset = _fit_bends(slope * logit + shift, hit, weight)
    raw = np.concatenate([[0.0], to_share(np.linspace(-12, 12, 97)), [1.0]])
    line = slope * to_logit(raw) + shift
    fitted = to_share(line + np.interp(line, centre, offset)).clip(EDGE, 1 - EDGE)
    calibrated = (1 - OWN) * fitted + OWN * raw
    return ScoreMap(tuple(raw.tolist()), tuple(calibrated.tolist()))


def cross_validate_map(hits: ScoredHits, weight: Float[np.ndarray, " detections"]) -> CalibrationError | None:
    """Measure the error on detections that the map was not fitted to: a fifth of the blocks after the other.

    None where all lie in one block.
    """
    blocks = int(hits.block.max()) + 1
    if blocks < 2:
        return None
    fold, calibrated = hits.block % min(FOLDS, blocks), np.zeros(len(hits.score))
    for number in range(min(FOLDS, blocks)):
        inside, unseen = fold != number, fold == number
        fitted = fit_score_map(hits.score[inside], hits.hit[inside], weight[inside])
        calibrated[unseen] = fitted.apply(hits.score[unseen])
    return measure_error(calibrated, hits.hit, weight)


def measure_error(
    score: Float[np.ndarray, " detections"],
    hit: Bool[np.ndarray, " detections"],
    weight: Float[np.ndarray, " detections"],
) -> CalibrationError:
    """Measure how far scores are from the share of hits; there must be a detection."""
    place = np.clip(np.ceil(score * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count, total = np.bincount(place, minlength=BINS), np.bincount(place, weight, BINS)
    off = np.abs(np.bincount(place, weight * (score - hit), BINS))
    gaps = (off / np.where(total > 0, total, 1))[count >= FAIR]
    return CalibrationError(float(off.sum() / weight.sum()), float(gaps.max()) if len(gaps) else None)


def blend_maps(maps: Sequence[ScoreMap | None], weights: Sequence[float]) -> ScoreMap | None:
    """Average several maps; None where one is missing."""
    present = [item for item in maps if item is not None]
    if len(present) < len(maps):
        return None
    raw = np.unique(np.concatenate([item.raw for item in present]))
    calibrated = np.average([item.apply(raw) for item in present], 0, weights)
    return ScoreMap(tuple(raw.tolist()), tuple(calibrated.tolist()))


def to_logit(score: Float[np.ndarray, " scores"]) -> Float[np.ndarray, " scores"]:
    """Compute logits of scores in [0, 1], finite ones."""
    return np.log((score + EDGE) / (1 - score + EDGE))


def to_share(logit: Float[np.ndarray, " scores"]) -> Float[np.ndarray, " scores"]:
    """Compute the logistic function."""
    return 1 / (1 + np.exp(-np.clip(logit, -700, 700)))


def _find_obstacle(hits: ScoredHits | None) -> str:
    """Find why scores cannot be calibrated; empty where they can."""
    if hits is None:
        return "the videos hold no action"
    outside = (hits.score < 0) | (hits.score > 1)
    if outside.any():
        return f"{int(outside.sum()):,} scores lie outside [0, 1], such as {hits.score[outside][0]:g}"
    if hits.hit.all() or not hits.hit.any():
        return f"{int(hits.hit.sum())} of {len(hits.hit)} detections are hits, which says nothing of scores"
    return ""


def _fit_line(
    logit: Float[np.ndarray, " rows"], hit: Bool[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "2"]:
    """Fit slope and shift by Newton's method with halved steps: logistic regression, with a prior."""
    columns, identity = np.stack([logit, np.ones(len(logit))], axis=1), np.array([1.0, 0.0])
    prior = np.diag(1 / np.square(SPREAD))

    def measure(line: np.ndarray) -> float:
        value, off = columns @ line, line - identity
        return float(weight @ (np.logaddexp(0, value) - hit * value) + off @ prior @ off / 2)

    line = identity
    for _ in range(STEPS):
        share = to_share(columns @ line)
        gradient = columns.T @ (weight * (share - hit)) + prior @ (line - identity)
        curvature = (columns * (weight * share * (1 - share))[:, None]).T @ columns + prior
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while size > EDGE and measure(line - size * step) > measure(line):
            size /= 2
        line = line - size * step
        if np.abs(step).max() < 1e-9:
            break
    if line[0] < SLOPE:  # sure scores are wrong more often than others
        return np.array([SLOPE, _fit_offset(SLOPE * logit, hit, weight)])
    return line


def _fit_bends(
    line: Float[np.ndarray, " rows"], hit: Bool[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, " parts"], Float[np.ndarray, " parts"]]:
    """Fit what is added to the line in parts of equal information: where each part lies on it, and how much."""
    part, information = _split_parts(line)
    centres = np.bincount(part, information * line) / np.bincount(part, information)
    offsets = [_fit_offset(line[part == n], hit[part == n], weight[part == n]) for n in range(len(centres))]
    if len(centres) == 1:
        return centres, np.zeros(1)
    values = _pool_falling(centres + offsets)
    least = SLOPE * centres
    return centres, np.maximum.accumulate(values - least) + least - centres


def _split_parts(
    line: Float[np.ndarray, " rows"],
) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """Split rows by their value into parts of about equal information, equal values together; and that of each."""
    share = to_share(line)
    information = np.maximum(share * (1 - share), EDGE)
    order = np.argsort(line, kind="stable")
    passed = np.cumsum(information[order])
    count = int(np.clip(passed[-1] // PART, 1, PARTS))
    below = np.concatenate([[0.0], passed])[np.searchsorted(line[order], line, side="left")]
    place = np.minimum(below / passed[-1] * count, count - 1).astype(np.int64)
    return np.unique(place, return_inverse=True)[1].reshape(-1), information


def _fit_offset(
    line: Float[np.ndarray, " rows"], hit: Bool[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"]
) -> float:
    """Fit one shift of a part by Newton's method, held to 0 as by `PULL` of detections of the part's mean weight."""
    offset, weight = 0.0, weight / weight.mean()
    for _ in range(STEPS):
        share = to_share(line + offset)
        step = (weight @ (share - hit) + PULL * offset) / (weight @ (share * (1 - share)) + PULL)
        offset -= float(np.clip(step, -1, 1))
        if abs(step) < 1e-9:
            break
    return offset


def _pool_falling(values: Float[np.ndarray, " parts"]) -> Float[np.ndarray, " parts"]:
    """Average neighbours that fall until none does: the isotonic fit of parts of equal weight."""
    pools: list[list[float]] = []
    for value in values.tolist():
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) >= np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
