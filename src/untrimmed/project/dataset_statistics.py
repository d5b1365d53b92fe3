"""Lengths of actions as bars of text, and classes as rows of a table."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from untrimmed.project.split import Split
from untrimmed.timeline import Timeline

BARS = 40
"""Letters of the longest bar."""
BINS = 10
"""Bars at most."""
FACTORS = (1.0, 2.0, 5.0)
"""Bounds are these times powers of ten."""


class ClassRow(NamedTuple):
    """One class: how many actions and videos it has in all, actions on each side, and the usual length in seconds."""

    label: str
    actions: int
    videos: int
    train: int
    test: int
    median: float


def histogram(lengths: Sequence[float]) -> list[str]:
    """A line for every range of lengths in seconds, ranges as on a slide rule, bars as long as counts are."""
    bounds = bounds_for(min(lengths), max(lengths))
    counts, _ = np.histogram(lengths, bounds)
    most = max(counts.max(), 1)
    width = max(len(f"{bound:g}") for bound in bounds)
    return [
        f"{low:>{width}g} to {high:<{width}g} s {'#' * math.ceil(BARS * count / most):<{BARS}} {count:,}"
        for low, high, count in zip(bounds, bounds[1:], counts, strict=False)
    ]


def bounds_for(low: float, high: float) -> list[float]:
    """Round bounds from at most `low` to above `high`, each about twice the one before; few of them, at least two."""
    steps = [factor * 10.0**power for power in range(-3, 7) for factor in FACTORS]
    first = max((place for place, step in enumerate(steps) if step <= low), default=0)
    last = next((place for place, step in enumerate(steps) if step > high), len(steps) - 1)
    chosen = steps[first : max(last, first + 1) + 1]
    return chosen if len(chosen) <= BINS + 1 else [*chosen[:1], *chosen[-BINS:]]


def class_rows(timelines: Mapping[str, Timeline], split: Split) -> list[ClassRow]:
    """A row a class, the most frequent first."""
    lengths: dict[str, list[float]] = {}
    videos: dict[str, list[str]] = {}
    for video, timeline in timelines.items():
        for action in timeline.actions:
            lengths.setdefault(action.label, []).append(action.length)
            videos.setdefault(action.label, []).append(video)
    rows = [
        ClassRow(
            label,
            len(lengths[label]),
            len(set(videos[label])),
            _within(videos[label], split, split.train),
            _within(videos[label], split, split.test),
            float(np.median(lengths[label])),
        )
        for label in lengths
    ]
    return sorted(rows, key=lambda row: (-row.actions, row.label))


def _within(videos: Sequence[str], split: Split, subsets: Collection[str]) -> int:
    return sum(split.subsets[video] in subsets for video in videos)
