"""Counts what is doubtful in a video: where a detector hesitates, and where two sources disagree."""

from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import NamedTuple

import numpy as np

from untrimmed.timeline import Action, Timeline, tiou

# Shares of the highest score of all videos.
_MIDDLING = (0.25, 0.75)
_SURE = 0.5
_AGREES = 0.5  # tIoU


class Doubts(NamedTuple):
    """How many actions of a video there are to decide about, and the reasons in words."""

    total: int
    reason: str


def count_doubts(
    suggestions: Timeline | None, other_results: Mapping[str, Timeline], annotated: Timeline | None, highest: float
) -> Doubts:
    """Count what there is to decide about in one video.

    `suggestions` are the detections under review, `other_results` those of further detectors by name, `highest` is
    the highest score of all videos. Counted are suggestions of middling score, sure detections that another detector
    does not have, sure suggestions that are not annotated, and annotations that no detector has.
    """
    detectors = [timeline for timeline in (suggestions, *other_results.values()) if timeline is not None]
    low, high = (share * highest for share in _MIDDLING)
    counts = {
        "{} detection{} of middling score": sum(low <= action.score <= high for action in suggestions or ()),
        "{} on which detectors disagree": sum(
            _count_without_match(first.above(_SURE * highest), second) for first, second in permutations(detectors, 2)
        ),
    }
    if annotated is not None and detectors:
        sure = suggestions.above(_SURE * highest) if suggestions else ()
        detections = [action for timeline in detectors for action in timeline]
        counts["{} sure detection{} not annotated"] = _count_without_match(sure, annotated)
        counts["{} annotation{} that no detector has"] = _count_without_match(annotated, detections)
    reasons = [words.format(count, "" if count == 1 else "s") for words, count in counts.items() if count]
    return Doubts(sum(counts.values()), ", ".join(reasons) or "nothing doubtful")


def _count_without_match(actions: Iterable[Action], candidates: Iterable[Action]) -> int:
    """Count the actions that no candidate of the same label overlaps enough."""
    segments, candidate_segments = _group_segments(actions), _group_segments(candidates)
    empty = np.empty((0, 2))
    overlaps = (tiou(rows, candidate_segments.get(label, empty)) for label, rows in segments.items())
    return sum(int((~(tious >= _AGREES).any(axis=1)).sum()) for tious in overlaps)


def _group_segments(actions: Iterable[Action]) -> dict[str, np.ndarray]:
    """Return starts and ends in seconds [actions, 2] by label."""
    groups: dict[str, list[tuple[float, float]]] = {}
    for action in actions:
        groups.setdefault(action.label, []).append((action.start, action.end))
    return {label: np.array(rows, float) for label, rows in groups.items()}
