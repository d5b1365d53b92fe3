"""Statistics of a data set for people: lengths of actions as bars of text, and the actions of each class."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from untrimmed.project.split import Split
from untrimmed.timeline import Timeline

BAR = 40
"""Letters of the longest bar."""
MOST_BARS = 10
FACTORS = (1.0, 2.0, 5.0)
"""Bounds are these times powers of ten."""


class ClassRow(NamedTuple):
    """One class: its actions and videos in all, its actions on each side, and their median length in seconds."""

    label: str
    actions: int
    videos: int
    train: int
    test: int
    median: float


def draw_histogram(lengths: Sequence[float]) -> list[str]:
    """Draw a bar for every range of lengths in seconds, as long as its count; ranges grow as on a slide rule."""
    bounds = choose_bounds(min(lengths), max(lengths))
    counts, _ = np.histogram(lengths, bounds)
    most = max(counts.max(), 1)
    width = max(len(f"{bound:g}") for bound in bounds)
    return [
        f"{low:>{width}g} to {high:<{width}g} s {'#' * math.ceil(BAR * count / most):<{BAR}} {count:,}"
        for low, high, count in zip(bounds, bounds[1:], counts, strict=False)
    ]


def choose_bounds(low: float, high: float) -> list[float]:
    """Choose round bounds from at most `low` to above `high`, each about twice the one before; few, at least two."""
    steps = [factor * 10.0**power for power in range(-3, 7) for factor in FACTORS]
    first = max((place for place, step in enumerate(steps) if step <= low), default=0)
    last = next((place for place, step in enumerate(steps) if step > high), len(steps) - 1)
    bounds = steps[first : max(last, first + 1) + 1]
    return bounds if len(bounds) <= MOST_BARS + 1 else [bounds[0], *bounds[-MOST_BARS:]]


def count_classes(timelines: Mapping[str, Timeline], split: Split) -> list[ClassRow]:
    """Count the actions and videos of every class, the most frequent first."""
    actions: dict[str, list[tuple[str, float]]] = {}
    for video, timeline in timelines.items():
        for action in timeline:
            actions.setdefault(action.label, []).append((video, action.length))
    sides = [split.select(timelines, names).values() for names in (split.train, split.test)]
    counts = [Counter(action.label for timeline in side for action in timeline) for side in sides]
    rows = []
    for label, members in actions.items():
        train, test = (side[label] for side in counts)
        median = float(np.median([length for _, length in members]))
        rows.append(ClassRow(label, len(members), len({video for video, _ in members}), train, test, median))
    return sorted(rows, key=lambda row: (-row.actions, row.label))


def note_one_sided_classes(rows: Sequence[ClassRow]) -> list[str]:
    """Return a sentence on the classes that are not learned, and one on those that are not tested."""
    unlearned = [row for row in rows if row.test and not row.train]
    untested = [row for row in rows if row.train and not row.test]
    remedy = "annotate more videos with them"
    notes = []
    for one_sided, words in (
        (unlearned, "in test videos alone and cannot be learned ({} of them in one video of all); " + remedy),
        (untested, "in training videos alone and not tested ({} in one video of all)"),
    ):
        if one_sided:
            first, count = min(row.label for row in one_sided), len(one_sided)
            subject = f"class {first!r} is" if count == 1 else f"{count} classes (the first is {first!r}) are"
            notes.append(f"{subject} {words.format(sum(row.videos == 1 for row in one_sided))}")
    return notes
