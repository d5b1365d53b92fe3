"""What kind of action each annotated one is: coverage, length, instances and context.

After DETAD (Alwassel, Caba Heilbron, Escorcia, Ghanem, Diagnosing Error in Temporal Action Detectors, ECCV 2018).
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from untrimmed.evaluation.instances import Instances, index_videos


class Characteristics(NamedTuple):
    """Figures of every annotated action."""

    coverage: Float[np.ndarray, " actions"]
    """Length over the duration of the video; a video of unknown duration ends with its last action or detection."""
    length: Float[np.ndarray, " actions"]
    """In seconds."""
    instances: Float[np.ndarray, " actions"]
    """The number of annotated actions of its label in its video."""
    context: Float[np.ndarray, " actions"]
    """The background around it, up to the neighbouring action of any label or the end of the video, as the mean of
    both sides in lengths of the action. DETAD's context is another thing: how much of the surrounding video people
    judged telling of the action, annotated by hand, which most data sets lack."""


def measure_characteristics(ground_truth: Instances, results: Instances) -> tuple[Characteristics, tuple[str, ...]]:
    """Measure the characteristics of every annotated action, and note what was guessed."""
    duration, notes = _find_durations(ground_truth, results)
    videos, video = len(ground_truth.videos), ground_truth.video
    length = np.maximum(ground_truth.end - ground_truth.start, 0.0)
    group = ground_truth.label * videos + video
    _, inverse, instances = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(video, kind="stable")
    bounds = np.searchsorted(video[order], np.arange(videos + 1))
    around = np.empty(len(ground_truth))
    around[order] = _measure_background(ground_truth.start[order], ground_truth.end[order], bounds, duration)
    coverage, context = _divide(length, duration[video]), _divide(around / 2, length)
    return Characteristics(coverage, length, instances[inverse].astype(np.float64), context), notes


def _divide(part: Float[np.ndarray, " n"], whole: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Compute part / whole; 0 for 0 / 0, and infinite for anything else over 0."""
    return np.divide(part, whole, out=np.where(part > 0, np.inf, 0.0), where=whole > 0)


def _find_durations(
    ground_truth: Instances, results: Instances
) -> tuple[Float[np.ndarray, " videos"], tuple[str, ...]]:
    """Find the seconds of every video of the ground truth, and note where they are a guess."""
    videos = ground_truth.videos
    stated = np.array([ground_truth.durations.get(video, np.nan) for video in videos], np.float64)
    ends = np.zeros(len(videos))
    np.maximum.at(ends, ground_truth.video, ground_truth.end)
    video = index_videos(results, ground_truth)
    np.maximum.at(ends, video[video >= 0], results.end[video >= 0])
    guessed = int(np.isnan(stated).sum())
    note = f"videos of unknown duration, taken to end with their last action or detection: {guessed}"
    return np.where(np.isnan(stated), ends, stated), (note,) if guessed else ()


# The kernel carries `no_type_check` because numba compiles the function itself, not a wrapper that checks its shapes.
@njit(cache=True)
@no_type_check
def _measure_background(
    starts: np.ndarray, ends: np.ndarray, bounds: np.ndarray, durations: np.ndarray
) -> np.ndarray:
    """Measure the seconds of background on both sides of each action; those of video v are `bounds[v]:bounds[v + 1]`.

    A neighbour stands before when it starts earlier and after when it ends later, so a twin is neither.
    """
    around = np.zeros(starts.size)
    for video in range(durations.size):
        for i in range(bounds[video], bounds[video + 1]):
            previous_end, next_start = 0.0, max(durations[video], ends[i])
            for j in range(bounds[video], bounds[video + 1]):
                if starts[j] < starts[i]:
                    previous_end = max(previous_end, ends[j])
                if ends[j] > ends[i]:
                    next_start = min(next_start, starts[j])
            around[i] = max(starts[i] - previous_end, 0.0) + max(next_start - ends[i], 0.0)
    return around
