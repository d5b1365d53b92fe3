"""Which videos are most worth a look, and why: where a detector hesitates, and where two sources disagree."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from untrimmed.timeline import Action, Timeline, tiou

_MIDDLING = (0.25, 0.75)  # shares of the highest score of all
_SURE = 0.5  # a share of it too
_AGREES = 0.5  # tIoU


class Worth(NamedTuple):
    """How much a video is worth a look: places in it to decide about, and the reason in words."""

    places: int
    reason: str


def worth(
    suggested: Mapping[str, Timeline], others: Mapping[str, Timeline], annotated: Timeline | None, highest: float
) -> Worth:
    """What there is to decide about in one video, by the name of each detector; `highest` is the score of all videos.

    Counted are detections of middling score, sure ones that another detector does not have, sure ones that are not
    annotated, and annotations that no detector has.
    """
    rows = {**suggested, **others}
    middling = sum(_is_middling(action, highest) for line in suggested.values() for action in line.actions)
    parts = {_some(middling, "detection of middling score", "detections of middling score"): middling}
    sure = {name: tuple(a for a in line.actions if a.score >= _SURE * highest) for name, line in rows.items()}
    names = list(sure)
    alone = sum(_lonely(sure[a], rows[b].actions) for a in names for b in names if a != b)
    parts[_some(alone, "on which detectors disagree", "on which detectors disagree")] = alone
    if annotated is not None and rows:
        every = tuple(action for line in rows.values() for action in line.actions)
        unknown = sum(_lonely(sure[name], annotated.actions) for name in list(suggested)[:1])
        unseen = _lonely(annotated.actions, every)
        parts[_some(unknown, "sure detection not annotated", "sure detections not annotated")] = unknown
        parts[_some(unseen, "annotation that no detector has", "annotations that no detector has")] = unseen
    words = [words for words, number in parts.items() if number]
    return Worth(sum(parts.values()), ", ".join(words) or "nothing doubtful")


def highest_score(several: Mapping[str, Timeline]) -> float:
    """The highest score of all detections; 1 where there are none."""
    return max((action.score for line in several.values() for action in line.actions), default=1.0)


def _is_middling(action: Action, highest: float) -> bool:
    return _MIDDLING[0] * highest <= action.score <= _MIDDLING[1] * highest


def _lonely(actions: tuple[Action, ...], among: tuple[Action, ...]) -> int:
    """How many actions none of the others overlaps enough under the same label."""
    count = 0
    for label in {action.label for action in actions}:
        mine, theirs = (_segments(tuple(a for a in some if a.label == label)) for some in (actions, among))
        met = (tiou(mine, theirs) >= _AGREES).any(axis=1) if len(theirs) else np.zeros(len(mine), bool)
        count += int((~met).sum())
    return count


def _segments(actions: tuple[Action, ...]) -> np.ndarray:
    return np.array([[action.start, action.end] for action in actions], float).reshape(-1, 2)


def _some(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
