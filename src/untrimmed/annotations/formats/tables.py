"""Tables in and out: a line an action, for spreadsheets and other programs."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row
from untrimmed.annotations.formats.columns import OFF, ON, Columns, find_durations, guess_columns
from untrimmed.annotations.formats.content import FileContent, shorten_locations
from untrimmed.annotations.formats.csv_table import (
    DELIMITERS,
    DelimitedTable,
    TableLine,
    read_delimited_table,
    write_table,
)
from untrimmed.annotations.formats.events import EITHER, POINT, START, STOP, Event, pair_events
from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.label_columns import describe_negatives, is_negative, settle_label
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import describe_encoding, parse_number, parse_seconds
from untrimmed.annotations.units import CLOCK, PER_SECOND, refuse_other_unit
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

logger = logging.getLogger(__name__)

COLUMNS = ("video", "start", "end", "label", "score")

MOST_NAMED = 10
"""Unused columns that a note names."""

KINDS = {"start": START, "stop": STOP, "state start": START, "state stop": STOP, "point": POINT, "state": EITHER}
"""How tables of events call them."""


def read_tabular(path: Path, hints: Hints) -> FileContent:
    """Read a table with an action on each line, with a start or stop on each, or with a time and marks of classes.

    See `guess_columns`. A line that has neither start nor end but a video says that there is such a video. The
    meaning that was guessed for the columns is noted, and which mean nothing. Raises BadInput where columns are
    missing, for a cell that is not what its column holds, and for a unit other than the one that columns state.
    """
    table = read_delimited_table(path, hints.columns)
    columns = guess_columns(path, table.columns, hints.label, _find_marks(table))
    columns = settle_label(table, columns, hints.label)
    locations = [line.read_text(columns.video) if columns.video else path.stem for line in table.lines]
    if "" in locations:
        raise BadInput(f"{path}: line {table.lines[locations.index('')].number} names no video; fill it in")
    names = shorten_locations(path, locations, hints.durations)
    videos = [names[location] for location in locations]
    columns, unit = _settle_unit(path, table, columns, hints.unit)
    rows: dict[str, list[Row]] = {video: [] for video in videos}
    dropped: list[Dropped] = []
    events: dict[str, list[Event]] = defaultdict(list)
    samples: dict[str, list[TableLine]] = defaultdict(list)
    for video, line in zip(videos, table.lines, strict=True):
        if columns.holds_events:
            events[video].append(_read_event(line, columns, hints))
        elif columns.holds_samples:
            samples[video].append(line)
        elif not is_negative(line, columns):
            rows[video] += _read_rows(line, columns, hints)
    for video in events:
        pairs, unpaired = pair_events(video, events[video])
        rows[video] += pairs
        dropped += unpaired
    for video in samples:
        rows[video] += _join_samples(samples[video], columns, hints)
    durations, subsets = _read_video_columns(videos, table.lines, columns)
    return FileContent(rows, durations, subsets, tuple(dropped), _list_notes(table, columns, hints), unit)


def read_duration_table(path: Path) -> dict[str, float]:
    """Read seconds by video from a table with columns for a video and its duration."""
    table = read_delimited_table(path)
    video, length = find_durations(path, table.columns)
    names = shorten_locations(path, [line.read_text(video) for line in table.lines])
    durations = {names[line.read_text(video)]: line.read_seconds(length, None) for line in table.lines}
    for note in describe_encoding(path):
        logger.warning("%s: %s", path, note)
    for name, seconds in durations.items():
        if not to_positive(seconds):
            raise BadInput(f"{path}: video {name!r} has the length {seconds:g}; a positive number was expected")
    return durations


def write_csv(path: str | Path, timelines: Mapping[str, Timeline]) -> None:
    """Write every action with its video; start and end in seconds with all digits."""
    rows = ((video, *cells) for video, timeline in timelines.items() for cells in _list_actions(timeline))
    write_table(Path(path), COLUMNS, rows)


def write_tabular(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a table that loses nothing: lengths, subsets where there are some, and videos without actions too.

    Cells are separated by tabs where the path ends in `.tsv`, else by commas.
    """
    subsets = annotations.subsets
    columns = (*COLUMNS, "video_duration", *(["subset"] if subsets else []))
    rows: list[tuple[object, ...]] = []
    for video, timeline in annotations.timelines.items():
        video_cells = (float(timeline.duration), *([subsets.get(video, "")] if subsets else []))
        rows += [(video, *cells, *video_cells) for cells in _list_actions(timeline) or [("", "", "", "")]]
    write_table(path, columns, rows, "\t" if path.suffix.lower() == ".tsv" else ",")


def _list_actions(timeline: Timeline) -> list[tuple[object, ...]]:
    return [(float(a.start), float(a.end), a.label, float(a.score)) for a in timeline.actions]


def _find_marks(table: DelimitedTable) -> list[int]:
    """Find the columns that hold 0 and 1 alone, or nothing."""
    columns = zip(*(map(str.lower, line.cells) for line in table.lines), strict=True)
    return [
        index for index, values in enumerate(map(set, columns)) if values <= {"", *OFF, *ON} and values & {*OFF, *ON}
    ]


def _settle_unit(path: Path, table: DelimitedTable, columns: Columns, unit: str | None) -> tuple[Columns, str]:
    """Return the columns with their units, and the unit that the table states, empty where it states none.

    A unit in the name of a column, or a time of a clock, states it; frames of a table with rates are those of the
    line. Raises BadInput where another `unit` is given.
    """
    times = columns.times
    stated = next((column.unit for column in times if column.unit), "")
    if any(line.holds_clock(column) for line in table.lines for column in times):
        stated = CLOCK
    if stated:
        refuse_other_unit(path, unit, stated, f"the column {times[0].name!r}")
    elif unit == "frames" and columns.fps:
        frames = {field: column and replace(column, unit="frames") for field, column in columns.list_times().items()}
        return replace(columns, **frames), unit
    return columns, stated


def _read_rows(line: TableLine, columns: Columns, hints: Hints) -> Iterator[Row]:
    begin, end = columns.start, columns.end or columns.length
    if begin is None or end is None or not (line.holds(begin) or line.holds(end)):
        return
    rate = _find_rate(line, columns, hints)
    start, stop = line.read_seconds(begin, rate), line.read_seconds(end, rate)
    scored = columns.score and line.read_text(columns.score)
    score = line.read_number(columns.score, "a score was expected") if scored and columns.score else 1.0
    for label in _read_labels(line, columns):
        yield Row(start, stop if columns.end else start + stop, label, score)


def _read_labels(line: TableLine, columns: Columns) -> list[str]:
    if columns.classes:
        return [tidy_label(column.name) for column in columns.classes if line.read_text(column).lower() in ON]
    return [_read_label(line, columns)]


def _join_samples(lines: Sequence[TableLine], columns: Columns, hints: Hints) -> Iterator[Row]:
    """Join the marks of one class in lines that follow each other, up to the time of the next line.

    The last line lasts as long as a line usually does.
    """
    if columns.time is None:
        return
    times = np.array([line.read_seconds(columns.time, _find_rate(line, columns, hints)) for line in lines])
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    borders = np.append(times[order], times[order][-1] + (np.median(steps) if len(steps) else 0.0))
    for column in columns.classes:
        marks = [lines[index].read_text(column).lower() in ON for index in order]
        edges = np.flatnonzero(np.diff([False, *marks, False]))
        for first, last in edges.reshape(-1, 2):
            yield Row(float(borders[first]), float(borders[last]), tidy_label(column.name))


def _read_event(line: TableLine, columns: Columns, hints: Hints) -> Event:
    status = line.read_text(columns.status).lower()
    if columns.time is None or status not in KINDS:
        raise BadInput(f"{line.path}: line {line.number} has the status {status!r}; START or STOP was expected")
    key = tuple(map(line.read_text, columns.subjects))
    time = line.read_seconds(columns.time, _find_rate(line, columns, hints))
    return Event(time, _read_label(line, columns), KINDS[status], key)


def _read_label(line: TableLine, columns: Columns) -> str:
    return tidy_label(" ".join(line.read_text(column) for column in columns.label if line.holds(column)))


def _find_rate(line: TableLine, columns: Columns, hints: Hints) -> float | None:
    return hints.fps or to_positive(parse_number(line.read_text(columns.fps)))


def _read_video_columns(
    videos: Sequence[str], lines: Sequence[TableLine], columns: Columns
) -> tuple[dict[str, float], dict[str, str]]:
    """Read lengths in seconds and subsets of the videos whose lines state them."""
    durations, subsets = {}, {}
    for video, line in zip(videos, lines, strict=True):
        length = to_positive(parse_seconds(line.read_text(columns.video_length)))
        if length and columns.video_length:
            durations[video] = length / PER_SECOND.get(columns.video_length.unit, 1.0)
        if subset := line.read_text(columns.subset):
            subsets[video] = subset
    return durations, subsets


def _list_notes(table: DelimitedTable, columns: Columns, hints: Hints) -> tuple[str, ...]:
    parted = f", parted by {DELIMITERS.get(table.delimiter, 'blanks')}" if table.delimiter else ""
    notes = [*table.notes, f"columns{parted}: {columns}"]
    unused = [name for index, name in enumerate(table.columns) if index not in columns.indices and name]
    if unused:
        more = f" and {len(unused) - MOST_NAMED} more" if len(unused) > MOST_NAMED else ""
        notes.append(f"columns that are not used: {', '.join(map(repr, unused[:MOST_NAMED]))}{more}")
    notes += describe_negatives(table, columns)
    if columns.video is None:
        notes.append("no column names the video: it is called as the file")
    begin, end = columns.start, columns.end or columns.length
    bare = [line.number for line in table.lines if begin and not (line.holds(begin) or line.holds(end))]
    if bare:
        notes.append(
            f"lines without times ({len(bare)}, the first is line {bare[0]}) only say that there is such a video"
        )
    if hints.fps and any(column.unit == "frames" for column in columns.times):
        notes.append(f"frames at {hints.fps:g} a second")
    return tuple(notes)
