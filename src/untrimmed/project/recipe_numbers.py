"""The numbers of a recipe that suit a data set, each with the sentence that says why."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from untrimmed.features.windows import starts
from untrimmed.project.split import Split
from untrimmed.timeline import Timeline

RATES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0)
"""Snippets a second to choose from; more cost time and disk, and say little more."""
SNIPPETS = 4
"""Of a short action: one cell of the finest scale."""
FEWEST = 2
"""Of a short action where long ones must fit into a window too."""
SHORT, LONG = 5, 99
"""Percentiles of the lengths of actions that count as the shortest and the longest."""
MARGIN = 2
"""Windows are so many times as long as the longest action, for it to lie inside with something around it."""
WINDOWS = (32, 1024)
"""Snippets of the smallest and the largest window."""
LEVELS = 4
"""Scales that the network has at least."""
OVERLAP = 0.75
"""Of one training window with the next."""
DENSE = 0.8
"""From this share of time with an action on, there is too little background to move actions about in."""
STEPS = (200, 20_000)
AVERAGED = 1000
"""From so many steps on the average of weights looks back further."""


class Size(NamedTuple):
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
    Size(500, 64, 15, 0.1875, 2.0, 8, 60),
    Size(5_000, 64, 15, 0.25, 0.5, 8, 30),
    Size(math.inf, 128, 30, 0.5, 0.05, 16, 15),
)


class Proposal(NamedTuple):
    """What a recipe needs to know of a data set. Lengths are in seconds, windows in snippets."""

    fps: float
    short: float
    long: float
    shortest: float
    longest: float
    length: int
    levels: int
    size: Size
    windows: int
    """Training windows with an action."""
    steps: int
    random_move: bool
    busy: float
    """Share of the time with an action."""
    training_actions: int


def propose_numbers(timelines: Mapping[str, Timeline], rates: Mapping[str, float], split: Split) -> Proposal:
    """The numbers for these videos; `rates` are their own frames a second. Raises ValueError without any action."""
    lengths = np.array([action.length for timeline in timelines.values() for action in timeline.actions])
    if not len(lengths):
        raise ValueError("no action; a recipe cannot be proposed")
    short, long = np.percentile(lengths, (SHORT, LONG))
    training = [timelines[video] for video in timelines if split.subsets[video] in split.train]
    fps = rate_for(float(short), float(long), min(rates[video] for video in timelines))
    length = window_for(float(long) * fps, max(timeline.duration for timeline in timelines.values()) * fps)
    count = sum(len(timeline.actions) for timeline in training)
    size = next(size for size in SIZES if count <= size.actions)
    windows = sum(windows_with_action(timeline, fps, length) for timeline in training)
    busy = float(np.mean([share_busy(timeline) for timeline in timelines.values()]))
    return Proposal(
        fps,
        float(short),
        float(long),
        float(lengths.min()),
        float(lengths.max()),
        length,
        levels_for(float(long) * fps, length),
        size,
        windows,
        steps_for(windows, size),
        busy < DENSE,
        busy,
        count,
    )


def rate_for(short: float, long: float, own: float) -> float:
    """Snippets a second: `SNIPPETS` in a short action, fewer where a long one would not fit into a window.

    Never more than the slowest video's own frames, `own` a second, as far as the choice of `RATES` goes.
    """
    fits = WINDOWS[1] / long
    wanted = min(SNIPPETS / short, max(fits, FEWEST / short))
    able = [rate for rate in RATES if rate <= own] or [RATES[0]]
    return next((rate for rate in able if rate >= wanted - 1e-9), able[-1])


def window_for(longest: float, video: float) -> int:
    """Snippets of a window: a power of two with room for the longest action, no longer than any video needs."""
    needed = min(MARGIN * longest, video)
    return int(min(WINDOWS[1], max(WINDOWS[0], 2 ** math.ceil(math.log2(max(needed, 1))))))


def levels_for(longest: float, length: int) -> int:
    """Scales of the pyramid: anchors of the coarsest are 2^(levels + 1) snippets, as long as the longest action."""
    wanted = math.ceil(math.log2(max(longest, 1)) - 1e-9) - 1
    return min(int(math.log2(length)) - 1, max(LEVELS, wanted))


def widest_anchor(levels: int) -> int:
    """Snippets of the coarsest scale's widest anchor, which is its cell."""
    return 2 ** (levels + 1)


def steps_for(windows: int, size: Size) -> int:
    """Updates: so many looks at every window, in tens, between the least and the most."""
    wanted = round(size.passes * windows / size.batch, -1)
    return int(min(STEPS[1], max(STEPS[0], wanted)))


def windows_with_action(timeline: Timeline, fps: float, length: int) -> int:
    """Training windows of a video in which the middle of some action lies."""
    middles = np.array([(action.start + action.end) / 2 * fps for action in timeline.actions])
    firsts = starts(max(1, round(timeline.duration * fps)), length, OVERLAP)
    return sum(bool(((middles >= first) & (middles < first + length)).any()) for first in firsts)


def share_busy(timeline: Timeline) -> float:
    """The share of a video in which some action goes on."""
    total, reached = 0.0, 0.0
    for action in timeline.actions:
        total += max(0.0, action.end - max(action.start, reached))
        reached = max(reached, action.end)
    return total / timeline.duration


def anchors_in_seconds(proposal: Proposal) -> Sequence[float]:
    """The shortest and the longest anchor, in seconds: 0.7 of a finest cell of four snippets, and a coarsest cell."""
    return 0.7 * SNIPPETS / proposal.fps, widest_anchor(proposal.levels) / proposal.fps
