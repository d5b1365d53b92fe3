"""Which classes a suppression starves, so that none of those is picked by tuning."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from untrimmed.annotations.annotations import format_count
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.instances import Instances, index_names, index_videos
from untrimmed.models.suppression import SuppressConfig

ROOM = 2
"""Detections for every action: some are wrong."""


class Outcome(NamedTuple):
    """What a suppression leaves, and how good that is."""

    scores: DetectionScores
    counts: Int[np.ndarray, "videos classes"]
    """Detections in each video of each class, as the ground truth has them."""


def count_by_video(instances: Instances, ground_truth: Instances) -> Int[np.ndarray, "videos classes"]:
    """Count the actions of each class of the ground truth in each of its videos."""
    video = index_videos(instances, ground_truth)
    label = index_names(instances.labels, ground_truth.labels)[instances.label]
    counts = np.zeros((len(ground_truth.videos), len(ground_truth.labels)), np.int64)
    rows = (video >= 0) & (label >= 0)
    np.add.at(counts, (video[rows], label[rows]), 1)
    return counts


def make_room(config: SuppressConfig, ground_truth: Instances, seconds: Sequence[float]) -> SuppressConfig:
    """Raise the limits of a suppression to what the actions of videos of so many seconds need, or to the usual ones.

    Each class has a limit to itself then.
    """
    counts, usual = count_by_video(ground_truth, ground_truth), SuppressConfig()
    # A video of less than a minute counts as one.
    rates = ROOM * counts * 60 / np.maximum(60, seconds)[:, None]
    return replace(
        config,
        keep=max(config.keep, usual.keep, ROOM * int(counts.max(initial=0))),
        keep_per_minute=max(config.keep_per_minute, usual.keep_per_minute, math.ceil(rates.max(initial=0.0))),
        keep_per_class=True,
    )


def describe_starvation(ground_truth: Instances, outcome: Outcome, roomy: Outcome) -> str:
    """Say which class a suppression starves; empty where none.

    It does where it keeps fewer detections of a class in a video than the video has actions of it, although with the
    limits of `roomy` there are more; and where the class has no average precision any more.
    """
    actions = count_by_video(ground_truth, ground_truth)
    lacking = np.minimum(actions, roomy.counts) - outcome.counts
    if (lacking > 0).any():
        video, label = np.unravel_index(lacking.argmax(), lacking.shape)
        counts = (int(array[video, label]) for array in (outcome.counts, actions, roomy.counts))
        detections, annotated, candidates = map(format_count, counts, ("detection", "such action", "candidate"))
        name = ground_truth.videos[video]
        return f"{detections} of {ground_truth.labels[label]!r} in {name!r}, which has {annotated} (and {candidates})"
    for label, precisions in outcome.scores.per_class.items():
        if not any(precisions) and any(roomy.scores.per_class[label]):
            return f"no average precision of {label!r}"
    return ""
