"""Detections one by one, right or wrong, and where they lie: what scores are compared with and calibrated by."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.annotations.spans import measure_spans, merge_spans
from untrimmed.evaluation.false_alarms import BLOCK, FEW
from untrimmed.evaluation.instances import Instances, index_videos
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.matching import MISS
from untrimmed.evaluation.protocols import DetectionProtocol


class ScoredHits(NamedTuple):
    """Detections that are judged at one tIoU, and how much of the judged time is action."""

    score: Float[np.ndarray, " detections"]
    hit: Bool[np.ndarray, " detections"]
    """A second detection of one action is no hit."""
    idle: Bool[np.ndarray, " detections"]
    """Whether a detection meets no annotated action of any label."""
    block: Int[np.ndarray, " detections"]
    """Which detections lie together: numbers from 0, of videos, or of ten minutes each where videos are few."""
    action_share: float
    """Share of the judged time that is action, in [0, 1]."""


def score_hits(ground_truth: Instances, results: Instances, tiou: float = 0.5) -> ScoredHits:
    """Judge the detections in the videos of the ground truth by the rules of the ActivityNet program at one tIoU.

    Left out are those of labels that the ground truth does not know, see `Instances.add_labels`, and those that hit
    nothing and whose middle lies outside what is annotated. Raises BadInput for a ground truth without actions.
    """
    protocol = DetectionProtocol(name="one tIoU", tious=(tiou,), outside="ignored")
    matches = match_detections(ground_truth, results, protocol)
    hit = matches.hit[0] != MISS
    judged = hit | matches.inside
    idle = np.maximum(*matches.compute_overlaps()) <= 0
    return ScoredHits(
        matches.score[judged], hit[judged], idle[judged], _number_blocks(matches)[judged], _measure_share(matches)
    )


def weigh_idle(hits: ScoredHits, action_share: float | None) -> Float[np.ndarray, " detections"]:
    """Weigh detections as they would come where `action_share` of the time is action; all 1 for None.

    Assumed is that false alarms which meet no action come as often in an hour without action, and all others as often
    for an action, as in what was judged.
    """
    if action_share is None or hits.action_share >= 1:
        return np.ones(len(hits.score))
    judged, in_use = ((1 - share) / share for share in (hits.action_share, action_share))
    return np.where(hits.idle, in_use / judged, 1.0)


def _number_blocks(matches: Matches) -> Int[np.ndarray, " detections"]:
    video = index_videos(matches.results, matches.ground_truth)[matches.row]
    if len(matches.ground_truth.videos) < FEW:
        middle = (matches.results.start[matches.row] + matches.results.end[matches.row]) / 2
        place = np.stack([video, (middle // BLOCK).astype(np.int64)], axis=1)
    else:
        place = video[:, None]
    return np.unique(place, axis=0, return_inverse=True)[1].reshape(-1)


def _measure_share(matches: Matches) -> float:
    """Measure which share of the judged time has at least one action."""
    truth, busy, judged = matches.ground_truth, 0.0, 0.0
    for number, name in enumerate(truth.videos):
        rows = truth.video == number
        busy += measure_spans(merge_spans(zip(truth.start[rows].tolist(), truth.end[rows].tolist(), strict=True)))
        judged += measure_spans(truth.annotated.get(name, ((0.0, truth.durations[name]),)))
    return min(busy / judged, 1.0)
