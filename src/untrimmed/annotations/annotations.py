"""What every annotation format is read into, and the one rule for which rows can be used."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

EARLIEST = -0.05
"""Seconds: a start so little before the video is a frame's rounding, and clipped to 0; -1 often means unknown."""

OVERRUN = 1.0
"""Seconds: an end this little after the video is clipped to it; durations are often whole seconds, rounded down."""


Spans = tuple[tuple[float, float], ...]
"""Stretches of one video: starts and ends in seconds, sorted, none of which overlap."""


class Row(NamedTuple):
    """One annotation or detection as its file has it, in seconds; nothing is checked yet, NaN included."""

    start: float
    end: float
    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that cannot be an action, with its numbers as the file has them, and the reason."""

    video: str
    start: float
    end: float
    label: str
    reason: str

    def __str__(self) -> str:
        return f"video {self.video!r}, {self.label!r} at [{self.start:g}, {self.end:g}] s, {self.reason}"


@dataclass(frozen=True)
class Annotations:
    """The content of a file of annotations or detections: timelines of the usable rows, and everything else.

    `subsets` lacks a video that the file puts in none. `dropped` are the rows that no timeline holds: the caller
    decides to refuse or to go on. `rows` has every row untouched and in the file's order, for evaluators whose
    official programs count what a timeline cannot hold. `classes` is the file's own list, empty where it has none.
    `ambiguous` are stretches (of THUMOS'14) that may or may not be an action, and that evaluators ignore.
    `annotated` are the stretches of each video of which only a part was annotated: nothing is known outside them.
    `parts` are the stretches of a video that is split in time, by subset; such a video is not in `subsets`.
    `notes` are sentences on what the reader guessed or skipped.
    """

    timelines: Mapping[str, Timeline]
    subsets: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[Action, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    annotated: Mapping[str, Spans] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Spans]] = field(default_factory=dict)


class Hints(NamedTuple):
    """What a user may say of a file: frames a second, the columns of the label, seconds by video, and more.

    `label` joins several columns by `+`, as in `verb+noun`. `durations` is used where a file states no length.
    `unit` is that of times which the file leaves open, one of `units.UNITS`. `tiers` are those to read of a file that
    has several, all when empty. `columns` are the names of a table's columns where it has no line of names.
    `annotated` is a table of the stretches that were annotated, see `span_table`.
    """

    fps: float | None = None
    label: str | None = None
    durations: Mapping[str, float] = {}
    unit: str | None = None
    tiers: Sequence[str] = ()
    columns: Sequence[str] = ()
    annotated: Path | None = None


class SplitRows(NamedTuple):
    """The rows of one video: those that are actions, and those that cannot be."""

    actions: tuple[Action, ...]
    dropped: tuple[Dropped, ...]


def split_usable(video: str, rows: Iterable[Row], end: float = math.inf, classes: Collection[str] = ()) -> SplitRows:
    """Split rows into actions and dropped ones, for a video that ends at `end` seconds.

    A segment is clipped where it leaves the video by no more than `EARLIEST` and `OVERRUN`. Rows are dropped that
    are not finite, reversed, without length, or leave the video by more, and labels outside `classes`. Without
    `classes`, any label is used.
    """
    actions, dropped = [], []
    for row in rows:
        reason = _find_fault(row, end, classes)
        if reason is None:
            actions.append(Action(max(row.start, 0.0), min(row.end, end), row.label, row.score))
        else:
            dropped.append(Dropped(video, row.start, row.end, row.label, reason))
    return SplitRows(tuple(actions), tuple(dropped))


def find_last_end(rows: Iterable[Row]) -> float | None:
    """Return the latest end of a usable row, in seconds: the length of a video whose file states none."""
    return max((row.end for row in rows if _find_fault(row, math.inf, ()) is None), default=None)


def build_timelines(
    path: object, rows: Mapping[str, Sequence[Row]], durations: Mapping[str, float], classes: Collection[str] = ()
) -> tuple[dict[str, Timeline], tuple[Dropped, ...]]:
    """Build a timeline a video, and list all dropped rows. A video outside `durations` ends with its last action.

    Raises BadInput with the file's name for a video of neither a duration nor a usable row.
    """
    timelines: dict[str, Timeline] = {}
    dropped: list[Dropped] = []
    for video, video_rows in rows.items():
        duration = durations.get(video) or find_last_end(video_rows)
        if duration is None:
            raise BadInput(f"{path}: video {video!r} has neither a duration nor a usable segment; give its duration")
        split = split_usable(video, video_rows, duration, classes)
        timelines[video] = Timeline(duration, split.actions)
        dropped += split.dropped
    return timelines, tuple(dropped)


def describe_guessed_lengths(
    timelines: Mapping[str, Timeline], durations: Mapping[str, float], noun: str = "action"
) -> tuple[str, ...]:
    """Say which timelines end with their last action because `durations`, in seconds, has no length for them.

    `noun` is what its rows are called.
    """
    guessed = [video for video in timelines if not durations.get(video)]
    if not guessed:
        return ()
    first = f"the first is {guessed[0]!r}: {timelines[guessed[0]].duration:g} s"
    count = format_count(len(guessed), "video")
    return (
        f"length guessed from the last {noun} for {count}, {first}; give the lengths (durations=..., --durations)",
    )


def describe_repeats(rows: Mapping[str, Sequence[Row]], noun: str = "annotation") -> tuple[str, ...]:
    """Say how many rows stand more than once in the same video, equal in everything; all are kept."""
    repeats = [
        (video, row, count - 1)
        for video, video_rows in rows.items()
        if len(set(video_rows)) < len(video_rows)
        for row, count in Counter(video_rows).items()
        if count > 1
    ]
    if not repeats:
        return ()
    video, row, _ = repeats[0]
    words = format_count(sum(count for *_, count in repeats), f"{noun} repeats", f"{noun}s repeat")
    return (
        f"{words} another of the same label and times, and {'counts' if words[:2] == '1 ' else 'count'} as well: the "
        f"first is {row.label!r} at [{row.start:g}, {row.end:g}] s of video {video!r}",
    )


def format_count(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, and a verb if need be: `1 video`, `2 videos`; `1 label is`, `2 labels are`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _find_fault(row: Row, end: float, classes: Collection[str]) -> str | None:
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
