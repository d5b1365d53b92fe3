"""What is wrong with annotations themselves: times, doubles, overlaps, labels, balance."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isfinite

from untrimmed.annotations.annotations import Dropped
from untrimmed.annotations.corpus import DataConfig
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.project.findings import Finding, Severity
from untrimmed.timeline import Action, Timeline

ALIKE = 0.9
"""tIoU from which two actions of one class are one, annotated twice."""
TOUCHING = 0.05
"""Seconds by which actions of one class may overlap as their ends are rounded."""
WHOLE = 0.95
"""Share of a video from which an action is all of it."""
FEW = 5
"""Training actions below which a class is hardly learned."""
UNBALANCED = 20
"""Times that the most frequent class may have more training actions than the rarest."""
LEAST_LETTERS = 4
"""Shorter labels may well differ by one letter."""


def check_times(data: DataConfig, dataset: Dataset) -> Iterator[Finding]:
    """Annotations that no timeline holds, and actions that are all of their video."""
    severity: Severity = "error" if data.unusable == "refuse" else "warning"
    remedy = 'mend the times, or set data.unusable = "drop" to go on without such'
    for row in dataset.dropped:
        yield Finding(severity, _fault(row), f"{data.annotations}: {row}", remedy)
    for video, timeline in dataset.ground_truth.items():
        for action in timeline.actions:
            if action.length >= WHOLE * timeline.duration:
                sentence = f"{video}: {_named(action)} is all of the {timeline.duration:.1f} s of its video"
                yield Finding(
                    "warning",
                    "action as long as its video",
                    sentence,
                    "nothing shows where it begins and ends: give longer videos, or check the times",
                )


def check_doubles(truth: Mapping[str, Timeline]) -> Iterator[Finding]:
    """Actions annotated twice, exactly or nearly so, and actions of one class that overlap."""
    for video, timeline in truth.items():
        for label in timeline.labels:
            actions = [action for action in timeline.actions if action.label == label]
            yield from _doubles(video, actions)


def check_labels(dataset: Dataset) -> Iterator[Finding]:
    """Labels that are one but for case, blanks or a letter."""
    counts = Counter(action.label for timeline in dataset.ground_truth.values() for action in timeline.actions)
    spellings: dict[str, list[str]] = {}
    for label in counts:
        spellings.setdefault(plain(label), []).append(label)
    for several in spellings.values():
        if len(several) > 1:
            named = " and ".join(f"{label!r} ({counts[label]:,} times)" for label in sorted(several))
            yield Finding(
                "warning",
                "labels that differ by case or blanks alone",
                named,
                "write them alike, or they are classes",
            )
    for first, second in combinations(sorted(spellings), 2):
        if is_typo(first, second):
            named = " and ".join(
                f"{spellings[name][0]!r} ({counts[spellings[name][0]]:,})" for name in (first, second)
            )
            yield Finding("note", "labels that differ by one letter", named, "if one is a slip of the pen, mend it")


def check_balance(dataset: Dataset, train: Sequence[str], test: Sequence[str]) -> Iterator[Finding]:
    """Classes that are not learned, hardly learned, or not tested; and videos without action."""
    learned, tested = (_counts(dataset, videos) for videos in (train, test))
    for label in dataset.classes:
        if learned[label] == 0:
            if tested[label]:
                yield Finding(
                    "warning",
                    "class in test videos that no training video has",
                    f"{label!r}: {_times(tested[label])} in test, none in training",
                    "annotate training videos with it, or move a video over",
                )
            else:
                yield Finding("note", "class without any action", repr(label), "take it out of the list of classes")
        elif learned[label] < FEW:
            sentence = f"{label!r}: {_times(learned[label])} in training"
            yield Finding("warning", "class with very few examples", sentence, f"annotate {FEW} or more; dozens help")
        if learned[label] and not tested[label]:
            yield Finding("note", "class that is not tested", repr(label), "its average precision is not counted")
    ranked = [(label, count) for label, count in learned.most_common() if count]
    if len(ranked) > 1 and ranked[0][1] > UNBALANCED * ranked[-1][1]:
        most, least = ranked[0], ranked[-1]
        sentence = f"{most[0]!r} has {most[1]:,} training actions, {least[0]!r} has {least[1]:,}"
        yield Finding("note", "classes of very different size", sentence, "annotate more of the rare ones")
    empty = [video for video in (*train, *test) if not dataset.ground_truth[video].actions]
    if empty:
        sentence = f"{len(empty)} of {len(train) + len(test)} videos, the first is {empty[0]}"
        yield Finding("note", "videos without any action", sentence, "fine, if nothing happens in them")


def plain(label: str) -> str:
    """A label without what people write now this way, now that: case, blanks, hyphens, underscores."""
    return re.sub(r"[\s_-]+", " ", label).strip().casefold()


def is_typo(first: str, second: str) -> bool:
    """Whether one letter was added, left out or exchanged; numbers differ on purpose."""
    if min(len(first), len(second)) < LEAST_LETTERS or abs(len(first) - len(second)) > 1 or first == second:
        return False
    short, long = sorted((first, second), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = short[at:] if len(short) < len(long) else short[at + 1 :]
    changed = long[at] + (short[at] if len(short) == len(long) else "")
    return rest == long[at + 1 :] and changed.isalpha()


def _doubles(video: str, actions: Sequence[Action]) -> Iterator[Finding]:
    """What is wrong between actions of one label, sorted by their start: at most one finding an action."""
    going_on: list[Action] = []
    for action in actions:
        going_on = [one for one in going_on if one.end > action.start]
        if going_on:
            yield from _against(video, max(going_on, key=lambda one: _tiou(one, action)), action)
        going_on.append(action)


def _against(video: str, earlier: Action, action: Action) -> Iterator[Finding]:
    if (earlier.start, earlier.end) == (action.start, action.end):
        yield Finding("warning", "action annotated twice", f"{video}: {_named(action)}", "leave one of them out")
        return
    sentence = f"{video}: {_named(earlier)} and at {_times_of(action)}"
    if _tiou(earlier, action) >= ALIKE:
        yield Finding("warning", "action annotated twice, nearly alike", sentence, "leave one of them out")
    elif min(earlier.end, action.end) - action.start > TOUCHING:
        remedy = "part them, or make them one"
        yield Finding("warning", "action that overlaps one of its own class", sentence, remedy)


def _fault(row: Dropped) -> str:
    if not (isfinite(row.start) and isfinite(row.end)):
        return "annotation with a time that is no number"
    if row.start == row.end:
        return "annotation without length"
    if row.start > row.end:
        return "annotation that ends before it starts"
    if "after" in row.reason:
        return "annotation beyond the video's end"
    return "annotation before the video's start" if "before" in row.reason else "annotation that cannot be used"


def _tiou(a: Action, b: Action) -> float:
    overlap = max(0.0, min(a.end, b.end) - max(a.start, b.start))
    return overlap / (a.length + b.length - overlap)


def _counts(dataset: Dataset, videos: Sequence[str]) -> Counter[str]:
    return Counter(action.label for video in videos for action in dataset.ground_truth[video].actions)


def _times(count: int) -> str:
    return "1 action" if count == 1 else f"{count:,} actions"


def _times_of(action: Action) -> str:
    return f"{action.start:.2f} to {action.end:.2f} s"


def _named(action: Action) -> str:
    return f"{action.label!r} at {_times_of(action)}"
