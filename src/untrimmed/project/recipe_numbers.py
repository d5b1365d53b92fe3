"""The numbers of a recipe that suit a data set: snippet rate, windows, levels, size of the network, steps."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from untrimmed.features.windows import window_starts
from untrimmed.models.suppression import SuppressConfig
from untrimmed.project.split import Split
from untrimmed.timeline import Timeline

RATES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0)
"""Snippets a second to choose from; more cost time and disk, and add little."""
SNIPPETS = 4
"""Of a short action: one cell of the finest level."""
FEWEST = 2
"""Of a short action where long ones must fit into a window too."""
SHORT, LONG = 5, 99
"""Percentiles of the lengths of actions that count as the shortest and the longest."""
MARGIN = 2
"""Windows are so many times as long as the longest action, for it to lie inside with something around it."""
WINDOWS = (32, 1024)
"""Snippets of the smallest and the largest window."""
LEVELS = 4
"""Levels that the network has at least."""
OVERLAP = 0.75
"""Of one training window with the next."""
DENSE = 0.8
"""From this share of time with an action on, there is too little background to move actions about in."""
STEPS = (200, 20_000)
KEEP, KEEP_PER_MINUTE = SuppressConfig().keep, SuppressConfig().keep_per_minute
"""Detections of a class that are kept of a video, and of each minute of a longer one, at least."""
KEEP_SHARE = 2
"""Detections that are kept for every action of the class that has most: some are wrong."""


class NetworkSize(NamedTuple):
    """A network and how it learns, for so many training actions or fewer."""

    actions: float
    concepts: int
    depth: int
    width: float
    decay: float
    batch: int
    passes: int
    """Looks at every window."""


SIZES = (
    NetworkSize(500, 64, 15, 0.1875, 2.0, 8, 60),
    NetworkSize(5_000, 64, 15, 0.25, 0.5, 8, 30),
    NetworkSize(math.inf, 128, 30, 0.5, 0.05, 16, 15),
)


class RecipeNumbers(NamedTuple):
    """What a recipe needs to know of a data set. Lengths of actions are in seconds, windows in snippets."""

    fps: float
    short: float
    long: float
    longest: float
    length: int
    levels: int
    size: NetworkSize
    windows: int
    """Training windows with an action."""
    steps: int
    random_move: bool
    busy: float
    """Share of the time with an action."""
    training_actions: int
    average: int = 1
    """Snippets of the features that are there to average into one."""
    most: int = 0
    """Actions of one class in one video, at the most."""
    keep: int = KEEP
    """Detections of a class that are kept of a video."""
    most_per_minute: float = 0.0
    """Actions of one class a minute of one video, at the most."""
    keep_per_minute: float = KEEP_PER_MINUTE
    """Detections of a class that are kept of a minute of a longer video."""


def propose_numbers(
    timelines: Mapping[str, Timeline], rates: Mapping[str, float], split: Split, snippet_rate: float | None = None
) -> RecipeNumbers:
    """Propose numbers for videos; `rates` are their frames a second. Raises ValueError without any action.

    `snippet_rate` is snippets a second of features that are there, some of which may be averaged into one.
    """
    lengths = np.array([action.length for timeline in timelines.values() for action in timeline])
    if not len(lengths):
        raise ValueError("no action; a recipe cannot be proposed")
    short, long = map(float, np.percentile(lengths, (SHORT, LONG)))
    average = choose_average(short, long, snippet_rate) if snippet_rate else 1
    slowest = min(rates[video] for video in timelines)
    fps = snippet_rate / average if snippet_rate else choose_rate(short, long, slowest)
    training = split.cut(timelines, split.train)
    recordings = [*training, *split.cut(timelines, split.test)]
    length = choose_length(long * fps, max(timeline.duration for timeline in recordings) * fps)
    training_actions = sum(map(len, training))
    size = next(size for size in SIZES if training_actions <= size.actions)
    windows = sum(count_windows(timeline, fps, length) for timeline in training)
    busy = float(np.mean([compute_busy_share(timeline) for timeline in recordings]))
    return RecipeNumbers(
        fps=fps,
        short=short,
        long=long,
        longest=float(lengths.max()),
        length=length,
        levels=choose_levels(long * fps, length),
        size=size,
        windows=windows,
        steps=choose_steps(windows, size),
        random_move=busy < DENSE,
        busy=busy,
        training_actions=training_actions,
        average=average,
        most=max(map(count_most, timelines.values())),
        keep=choose_keep(timelines.values()),
        most_per_minute=max(map(count_most_per_minute, timelines.values())),
        keep_per_minute=choose_keep_per_minute(timelines.values()),
    )


def choose_rate(short: float, long: float, fps: float) -> float:
    """Choose snippets a second: `SNIPPETS` in a short action, fewer where a long one would not fit into a window.

    Never more than `fps`, the frames a second of the slowest video, as far as the choice of `RATES` goes.
    """
    ideal = compute_ideal_rate(short, long)
    rates = [rate for rate in RATES if rate <= fps] or [RATES[0]]
    return next((rate for rate in rates if rate >= ideal - 1e-9), rates[-1])


def choose_average(short: float, long: float, snippet_rate: float) -> int:
    """Choose how many snippets to average into one, so that the rate is the lowest that suits the actions."""
    return max(1, math.floor(snippet_rate / compute_ideal_rate(short, long) + 1e-9))


def compute_ideal_rate(short: float, long: float) -> float:
    """Compute the snippets a second that suit actions whose shortest and longest last so many seconds."""
    return min(SNIPPETS / short, max(WINDOWS[1] / long, FEWEST / short))


def choose_length(longest: float, video: float) -> int:
    """Choose snippets of a window: a power of 2 with room for the longest action, no longer than any video needs."""
    needed = min(MARGIN * longest, video)
    return int(min(WINDOWS[1], max(WINDOWS[0], 2 ** math.ceil(math.log2(max(needed, 1))))))


def choose_levels(longest: float, length: int) -> int:
    """Choose levels of the pyramid, so that the widest anchor is as long as the longest action."""
    needed = math.ceil(math.log2(max(longest, 1)) - 1e-9) - 1
    return min(int(math.log2(length)) - 1, max(LEVELS, needed))


def widest_anchor(levels: int) -> int:
    """Return the snippets of the coarsest level's widest anchor, which is its cell."""
    return 2 ** (levels + 1)


def choose_keep(timelines: Iterable[Timeline]) -> int:
    """Choose how many detections of a class to keep of a video: in hundreds, with room for those of the densest."""
    most = max(map(count_most, timelines), default=0)
    return max(KEEP, 100 * math.ceil(KEEP_SHARE * most / 100))


def choose_keep_per_minute(timelines: Iterable[Timeline]) -> float:
    """Choose how many detections of a class to keep of a minute of a longer video, in tens, with the same room."""
    most = max(map(count_most_per_minute, timelines), default=0.0)
    return max(KEEP_PER_MINUTE, 10.0 * math.ceil(KEEP_SHARE * most / 10))


def count_most(timeline: Timeline) -> int:
    """Count the actions of the class that has most of them."""
    return max(Counter(action.label for action in timeline).values(), default=0)


def count_most_per_minute(timeline: Timeline) -> float:
    """Count the same a minute; a shorter video counts as one."""
    return count_most(timeline) / max(1.0, timeline.duration / 60)


def choose_steps(windows: int, size: NetworkSize) -> int:
    """Choose the number of updates: so many looks at every window, in tens, between the least and the most."""
    return int(min(STEPS[1], max(STEPS[0], round(size.passes * windows / size.batch, -1))))


def count_windows(timeline: Timeline, fps: float, length: int) -> int:
    """Count the training windows of a video in which the middle of some action lies."""
    middles = np.array([(action.start + action.end) / 2 * fps for action in timeline])
    starts = window_starts(max(1, round(timeline.duration * fps)), length, OVERLAP)
    return sum(bool(((middles >= start) & (middles < start + length)).any()) for start in starts)


def compute_busy_share(timeline: Timeline) -> float:
    """Compute the share of a video in which some action goes on."""
    total, reached = 0.0, 0.0
    for action in timeline:
        total += max(0.0, action.end - max(action.start, reached))
        reached = max(reached, action.end)
    return total / timeline.duration
