"""Measures besides mAP that papers' tables are about, from the detections on the test videos."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from papers.tables import Measure
from untrimmed.annotations.corpus import Corpus
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.proposals import ACTIVITYNET_PROPOSALS, compute_proposal_scores
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.timeline import Timeline


def long_actions(share: float, tiou: float = 0.5) -> Measure:
    """Measure mAP at one threshold on long actions alone (Table 4 of Long et al., CVPR 2019).

    Long are those at least as long as the quantile `share` of the training actions' lengths. Shorter detections are
    dropped like shorter actions of the ground truth. Classes without long actions do not count.
    """

    def score(results: Mapping[str, Timeline], corpus: Corpus) -> float:
        limit = compute_length_quantile(corpus, share)
        ground_truth = {video: drop_short(corpus.dataset.ground_truth[video], limit) for video in results}
        detections = {video: drop_short(timeline, limit) for video, timeline in results.items()}
        protocol = replace(DETECTION_PROTOCOLS[corpus.dataset.protocol], tious=(tiou,))
        return compute_detection_scores(from_timelines(ground_truth), from_timelines(detections), protocol).map[0]

    return Measure(f"mAP@{tiou:g} of long actions".replace("@0.", "@."), score)


def proposal_area() -> Measure:
    """Measure the area under AR over AN of detections as proposals, by ActivityNet's rules (Fig. 7a of the paper)."""

    def score(results: Mapping[str, Timeline], corpus: Corpus) -> float:
        ground_truth = from_timelines({video: corpus.dataset.ground_truth[video] for video in results})
        return compute_proposal_scores(ground_truth, from_timelines(results), ACTIVITYNET_PROPOSALS).auc

    return Measure("AUC", score)


def compute_length_quantile(corpus: Corpus, share: float) -> float:
    """Compute the quantile `share` of the training actions' lengths, in seconds."""
    lengths = [action.length for video in corpus.train for action in corpus.dataset.ground_truth[video].actions]
    return float(np.quantile(lengths, share))


def drop_short(timeline: Timeline, seconds: float) -> Timeline:
    """Drop the actions that are shorter."""
    return replace(timeline, actions=tuple(action for action in timeline.actions if action.length >= seconds))
