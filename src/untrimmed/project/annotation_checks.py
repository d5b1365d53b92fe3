"""What is wrong with annotations themselves: times, duplicates, overlaps, labels, balance."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isfinite

import numpy as np

from untrimmed.annotations.annotations import Dropped, format_count
from untrimmed.annotations.corpus import DataConfig
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.label_names import normalize_label
from untrimmed.annotations.units import doubt_units
from untrimmed.io import BadInput
from untrimmed.project.findings import Finding, Severity
from untrimmed.timeline import Action, Timeline, tiou

DUPLICATE = 0.9
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
    """Find annotations that no timeline holds, and actions that are all of their video."""
    severity: Severity = "error" if data.unusable == "refuse" else "warning"
    remedy = 'fix the times, or set data.unusable = "drop" to go on without such'
    for row in dataset.dropped:
        yield Finding(severity, _name_fault(row), f"{data.annotations}: {row}", remedy)
    remedy = "nothing shows where it begins and ends: give longer videos, or check the times"
    for video, timeline in dataset.ground_truth.items():
        for action in timeline:
            if action.length >= WHOLE * timeline.duration:
                sentence = f"{video}: {_describe(action)} is all of the {timeline.duration:.1f} s of its video"
                yield Finding("warning", "action as long as its video", sentence, remedy)


def check_units(
    data: DataConfig, ground_truth: Mapping[str, Timeline], lengths: Mapping[str, float]
) -> Iterator[Finding]:
    """Find times that another unit than seconds would fit, by the lengths of videos or features in seconds."""
    if data.unit:
        return
    try:
        doubt_units(data.annotations, ground_truth, lengths, data.fps)
    except BadInput as error:
        yield Finding("error", "times that are hardly seconds", str(error), 'set data.unit, as in data.unit = "ms"')


def check_duplicates(ground_truth: Mapping[str, Timeline]) -> Iterator[Finding]:
    """Find actions annotated twice, exactly or nearly so, and actions of one class that overlap."""
    for video, timeline in ground_truth.items():
        for label in timeline.labels:
            yield from _check_overlaps(video, [action for action in timeline if action.label == label])


def check_labels(dataset: Dataset) -> Iterator[Finding]:
    """Find labels that are the same but for case, blanks or a letter."""
    counts = _count_labels(dataset.ground_truth)
    spellings: dict[str, list[str]] = {}
    for label in counts:
        spellings.setdefault(normalize_label(label), []).append(label)
    kind, remedy = "labels that differ by case or blanks alone", "write them alike, or they are classes"
    for labels in spellings.values():
        if len(labels) > 1:
            names = " and ".join(f"{label!r} ({counts[label]:,} times)" for label in sorted(labels))
            yield Finding("warning", kind, names, remedy)
    for pair in combinations(sorted(spellings), 2):
        if is_typo(*pair):
            labels = [spellings[name][0] for name in pair]
            names = " and ".join(f"{label!r} ({counts[label]:,})" for label in labels)
            yield Finding("note", "labels that differ by one letter", names, "if one is a slip of the pen, fix it")


def check_balance(
    classes: Sequence[str], train: Mapping[str, Timeline], test: Mapping[str, Timeline]
) -> Iterator[Finding]:
    """Find classes that are not learned, hardly learned, or not tested; and videos without action."""
    learned, tested = _count_labels(train), _count_labels(test)
    for label in classes:
        yield from _check_class(label, learned[label], tested[label])
    ranked = [(label, count) for label, count in learned.most_common() if count]
    if len(ranked) > 1 and ranked[0][1] > UNBALANCED * ranked[-1][1]:
        most, least = ranked[0], ranked[-1]
        sentence = f"{most[0]!r} has {most[1]:,} training actions, {least[0]!r} has {least[1]:,}"
        yield Finding("note", "classes of very different size", sentence, "annotate more of the rare ones")
    empty = [video for side in (train, test) for video, timeline in side.items() if not timeline.actions]
    if empty:
        sentence = f"{len(empty)} of {len(train) + len(test)} videos, the first is {empty[0]}"
        yield Finding("note", "videos without any action", sentence, "fine, if nothing happens in them")


def is_typo(first: str, second: str) -> bool:
    """Return whether one letter was added, left out or exchanged; numbers differ on purpose."""
    if min(len(first), len(second)) < LEAST_LETTERS or abs(len(first) - len(second)) > 1 or first == second:
        return False
    short, long = sorted((first, second), key=len)
    at = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    exchanged = short[at] if len(short) == len(long) else ""
    return short[at + len(exchanged) :] == long[at + 1 :] and (long[at] + exchanged).isalpha()


def _check_overlaps(video: str, actions: Sequence[Action]) -> Iterator[Finding]:
    """Check actions of one label, sorted by their start: at most one finding an action."""
    segments = np.array([(action.start, action.end) for action in actions])
    running: list[int] = []
    for place, action in enumerate(actions):
        running = [earlier for earlier in running if actions[earlier].end > action.start]
        if running:
            overlaps = tiou(segments[running], segments[place : place + 1])[:, 0]
            earlier, remedy = actions[running[overlaps.argmax()]], "leave one of them out"
            sentence = f"{video}: {_describe(earlier)} and at {action.start:.2f} to {action.end:.2f} s"
            if (earlier.start, earlier.end) == (action.start, action.end):
                yield Finding("warning", "action annotated twice", f"{video}: {_describe(action)}", remedy)
            elif overlaps.max() >= DUPLICATE:
                yield Finding("warning", "action annotated twice, nearly alike", sentence, remedy)
            elif min(earlier.end, action.end) - action.start > TOUCHING:
                kind, remedy = "action that overlaps one of its own class", "part them, or make them one"
                yield Finding("warning", kind, sentence, remedy)
        running.append(place)


def _check_class(label: str, learned: int, tested: int) -> Iterator[Finding]:
    """Check a class with so many actions in training and in test videos."""
    if learned == 0 and tested == 0:
        yield Finding("note", "class without any action", repr(label), "take it out of the list of classes")
    elif learned == 0:
        sentence = f"{label!r}: {format_count(tested, 'action')} in test, none in training"
        remedy = "annotate training videos with it, or move a video over"
        yield Finding("warning", "class in test videos that no training video has", sentence, remedy)
    elif learned < FEW:
        sentence = f"{label!r}: {format_count(learned, 'action')} in training"
        yield Finding("warning", "class with very few examples", sentence, f"annotate {FEW} or more; dozens help")
    if learned and not tested:
        yield Finding("note", "class that is not tested", repr(label), "its average precision is not counted")


def _name_fault(row: Dropped) -> str:
    if not (isfinite(row.start) and isfinite(row.end)):
        return "annotation with a time that is no number"
    if row.start == row.end:
        return "annotation without length"
    if row.start > row.end:
        return "annotation that ends before it starts"
    if "after" in row.reason:
        return "annotation beyond the video's end"
    return "annotation before the video's start" if "before" in row.reason else "annotation that cannot be used"


def _count_labels(timelines: Mapping[str, Timeline]) -> Counter[str]:
    return Counter(action.label for timeline in timelines.values() for action in timeline)


def _describe(action: Action) -> str:
    return f"{action.label!r} at {action.start:.2f} to {action.end:.2f} s"
