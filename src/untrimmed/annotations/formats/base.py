"""What every annotation format is read into, and the one place that judges whether a segment can be used."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

EARLIEST = -0.05
"""Seconds: a start so little before the video is a frame's rounding, and clipped to 0; -1 often means unknown."""

OVERRUN = 1.0
"""Seconds: an end this little after the video is clipped to it; durations are often whole seconds, rounded down."""


class Row(NamedTuple):
    """One annotation or detection as its file gives it, in seconds; nothing is judged yet, NaN included."""

    start: float
    end: float
    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that cannot be an action, with its numbers as the file has them, and why."""

    video: str
    start: float
    end: float
    label: str
    reason: str

    def __str__(self) -> str:
        return f"video {self.video!r}, {self.label!r} at [{self.start:g}, {self.end:g}] s, {self.reason}"


@dataclass(frozen=True)
class Annotations:
    """What a file says of its videos: timelines of the usable rows, and everything else that it says.

    `dropped` are the rows that no timeline holds: whoever reads decides to refuse or to go on. `rows` has every row
    untouched and in the file's order, for evaluators whose official programs count what a timeline cannot hold.
    `subsets` lacks a video that the file puts in none. `classes` is the file's own list, empty where it has none.
    `ambiguous` are stretches (of THUMOS'14) that may or may not be an action, and that evaluators pass over.
    `notes` are sentences on what the reader guessed, and on what it left aside.
    """

    timelines: Mapping[str, Timeline]
    subsets: Mapping[str, str]
    dropped: tuple[Dropped, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[Action, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Judged(NamedTuple):
    """The rows of one video, parted into actions and what cannot be one."""

    actions: tuple[Action, ...]
    dropped: tuple[Dropped, ...]


def judge(video: str, rows: Iterable[Row], end: float = math.inf, classes: Collection[str] = ()) -> Judged:
    """Part rows into actions and dropped ones, for a video that ends at `end` seconds.

    A segment is clipped where it leaves the video by no more than `EARLIEST` and `OVERRUN`. Dropped are those that
    are not finite, reversed, without length, or leave it by more, and labels outside `classes` (any, when empty).
    """
    actions, dropped = [], []
    for row in rows:
        reason = _fault(row, end, classes)
        if reason is None:
            actions.append(Action(max(row.start, 0.0), min(row.end, end), row.label, row.score))
        else:
            dropped.append(Dropped(video, row.start, row.end, row.label, reason))
    return Judged(tuple(actions), tuple(dropped))


def last_end(rows: Iterable[Row]) -> float | None:
    """The latest end in seconds that a usable row has: the least length of a video that nobody stated."""
    return max((row.end for row in rows if _fault(row, math.inf, ()) is None), default=None)


def collect(
    path: object, rows: Mapping[str, tuple[Row, ...]], durations: Mapping[str, float], classes: Collection[str] = ()
) -> tuple[dict[str, Timeline], tuple[Dropped, ...]]:
    """A timeline a video, and all that was dropped; a video outside `durations` ends with its last action.

    Raises BadInput with the file's name for a video of neither a duration nor a usable row.
    """
    timelines: dict[str, Timeline] = {}
    dropped: list[Dropped] = []
    for video, its_rows in rows.items():
        duration = durations.get(video) or last_end(its_rows)
        if duration is None:
            raise BadInput(f"{path}: video {video!r} has neither a duration nor a usable segment; give its duration")
        judged = judge(video, its_rows, duration, classes)
        timelines[video] = Timeline(duration, judged.actions)
        dropped += judged.dropped
    return timelines, tuple(dropped)


def _fault(row: Row, end: float, classes: Collection[str]) -> str | None:
    if not all(map(math.isfinite, (row.start, row.end, row.score))):
        return "is not finite"
    if row.start >= row.end:
        return "has no length" if row.start == row.end else "is reversed"
    if row.start < EARLIEST:
        return f"starts {-row.start:g} s before the video does"
    if row.end <= 0:
        return "ends before the video starts"
    if row.start >= end:
        return f"starts after the video ends at {end:g} s"
    if row.end > end + OVERRUN:
        return f"ends {row.end - end:g} s after the video does at {end:g} s"
    if classes and row.label not in classes:
        return f"has a label that is none of the {len(classes)} classes"
    return None
