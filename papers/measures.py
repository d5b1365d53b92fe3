"""Figures besides mAP that papers' tables are about, from the detections on the test videos."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from papers.tables import Measure
from untrimmed.annotations.corpus import Corpus
from untrimmed.evaluation.detection import detection_map
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.proposals import ACTIVITYNET_PROPOSALS, proposal_scores
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.timeline import Timeline


def long_actions(share: float, tiou: float = 0.5) -> Measure:
    """MAP at one threshold on long actions alone (Table 4 of Long et al., CVPR 2019).

    Long are those at least as long as the quantile `share` of the training actions' lengths. Shorter detections are
    left out like shorter truth: they speak of other actions. Classes without long actions do not count.
    """

    def score(results: Mapping[str, Timeline], corpus: Corpus) -> float:
        limit = long_from(corpus, share)
        truth = {video: at_least(corpus.dataset.truth[video], limit) for video in results}
        found = {video: at_least(timeline, limit) for video, timeline in results.items()}
        protocol = replace(DETECTION_PROTOCOLS[corpus.dataset.protocol], tious=(tiou,))
        return detection_map(from_timelines(truth), from_timelines(found), protocol).map[0]

    return Measure(f"mAP@{tiou:g} of long actions".replace("@0.", "@."), score)


def proposal_area() -> Measure:
    """The area under AR over AN of detections as proposals, by ActivityNet's rules (Fig. 7a of Long et al.)."""

    def score(results: Mapping[str, Timeline], corpus: Corpus) -> float:
        truth = {video: corpus.dataset.truth[video] for video in results}
        return proposal_scores(from_timelines(truth), from_timelines(results), ACTIVITYNET_PROPOSALS).auc

    return Measure("AUC", score)


def long_from(corpus: Corpus, share: float) -> float:
    """The quantile `share` of the training actions' lengths, in seconds."""
    lengths = [action.length for video in corpus.train for action in corpus.dataset.truth[video].actions]
    return float(np.quantile(lengths, share))


def at_least(timeline: Timeline, seconds: float) -> Timeline:
    """The actions that are so long or longer."""
    return replace(timeline, actions=tuple(action for action in timeline.actions if action.length >= seconds))
