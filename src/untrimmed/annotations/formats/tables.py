"""Tables in and out: a line an action, for spreadsheets and other programs."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row, format_count
from untrimmed.annotations.formats.columns import OFF, ON, Column, Columns, find_durations, guess_columns
from untrimmed.annotations.formats.content import FileContent, shorten_locations
from untrimmed.annotations.formats.csv_table import (
    DELIMITERS,
    MISSING,
    DelimitedTable,
    TableLine,
    read_delimited_table,
    refuse_ambiguous_numbers,
    split_ranges,
    write_table,
)
from untrimmed.annotations.formats.events import EITHER, POINT, START, STOP, Event, pair_events
from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.label_columns import describe_negatives, is_negative, settle_label
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import describe_encoding, parse_number, parse_seconds
from untrimmed.annotations.units import CLOCK, PER_SECOND, PERCENT, UNIT_NAMES, refuse_other_unit, spread_shares
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

logger = logging.getLogger(__name__)

COLUMNS = ("video", "start", "end", "label", "score")

TOTALS = (
    *("total", "totals", "grand total", "subtotal", "sum", "mean", "average", "median", "std", "sd"),
    *("summe", "gesamt", "gesamtergebnis", "mittelwert", "total general", "somme", "moyenne", "suma", "media"),
)
"""How the first cell of a line of totals reads, in lower case."""

SILENCE = ("background", "bg", "no_action", "no action", "sil", "silence")
"""Labels, in lower case, that name the lack of an action where every frame has one; see `frame_labels.NO_ACTION`."""

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
    table = split_ranges(read_delimited_table(path, hints.columns))
    columns = guess_columns(path, table.columns, hints.label, _find_marks(table))
    columns = settle_label(table, columns, hints.label)
    table = _drop_totals(table, columns)
    _refuse_odd_cells(table, columns)
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
            if not _lacks_label(line, columns):
                events[video].append(_read_event(line, columns, hints))
        elif columns.holds_samples:
            samples[video].append(line)
        elif not is_negative(line, columns) and not _lacks_label(line, columns):
            rows[video] += _read_rows(line, columns, hints)
    for video in events:
        pairs, unpaired = pair_events(video, events[video])
        rows[video] += pairs
        dropped += unpaired
    for video in samples:
        rows[video] += _join_samples(samples[video], columns, hints)
    durations, subsets = _read_video_columns(videos, table.lines, columns)
    if unit == PERCENT:
        lengths = {video: durations.get(video) or hints.durations.get(video) for video in rows}
        rows = {video: [*spread_shares(path, video, rows[video], lengths[video])] for video in rows}
    return FileContent(rows, durations, subsets, tuple(dropped), _list_notes(table, columns, hints), unit)


def read_video_numbers(path: Path, find: Callable[[Path, Sequence[str]], tuple[Column, Column]]) -> dict[str, float]:
    """Read a positive number by video, seconds if it is a time, from the two columns that `find` finds.

    Raises BadInput for a number that is none or not positive, and for two numbers of one video.
    """
    table = read_delimited_table(path)
    video, column = find(path, table.columns)
    refuse_ambiguous_numbers(table, [column])
    names = shorten_locations(path, [line.read_text(video) for line in table.lines])
    numbers: dict[str, float] = {}
    for line in table.lines:
        name, expected = names[line.read_text(video)], "a positive number was expected"
        number = line.read_seconds(column) if column.unit else line.read_number(column, expected, clock=True)
        if not to_positive(number):
            raise BadInput(
                f"{path}: line {line.number} has {number:g} for {column.name!r} of video {name!r}; {expected}"
            )
        if numbers.setdefault(name, number) != number:
            raise _refuse_second(line, name, column, numbers[name], number)
    return numbers


def read_duration_table(path: Path) -> dict[str, float]:
    """Read seconds by video from a table with columns for a video and its duration."""
    durations = read_video_numbers(path, find_durations)
    for note in describe_encoding(path):
        logger.warning("%s: %s", path, note)
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
    columns = zip(*(line.cells for line in table.lines), strict=True)
    values = [{cell.lower() for cell in cells if cell not in MISSING} for cells in columns]
    return [index for index, marks in enumerate(values) if marks and marks <= {*OFF, *ON}]


def _refuse_odd_cells(table: DelimitedTable, columns: Columns) -> None:
    """Raise BadInput for numbers of which there are two readings, and for what is no mark in a column of marks.

    Where columns are classes, one that is mostly of 0 and 1, both of them, is meant to be one.
    """
    refuse_ambiguous_numbers(table, columns.times)
    for index in sorted(set(range(len(table.columns))) - columns.indices) if columns.classes else ():
        lines = [line for line in table.lines if line.cells[index] not in MISSING]
        odd = [line for line in lines if line.cells[index].lower() not in (*OFF, *ON)]
        marks = {line.cells[index].lower() for line in lines if line not in odd}
        if marks & {*OFF} and marks & {*ON} and 2 * len(odd) < len(lines):
            raise BadInput(
                f"{table.path}: line {odd[0].number} has {odd[0].cells[index]!r} in {table.columns[index]!r}, where "
                "0 or 1 stands in most lines; write 0 or 1, nothing where it is not known, or remove the column"
            )


def _drop_totals(table: DelimitedTable, columns: Columns) -> DelimitedTable:
    """Leave out, and note, the last lines if they begin with a word like `Total` that no other line has there."""
    lines, dropped = list(table.lines), []
    while lines and (first := _read_first(lines[-1])) in TOTALS and first not in map(_read_first, lines[:-1]):
        dropped.append(lines.pop())
    if not dropped:
        return table
    count = format_count(len(dropped), "line is left out as a total", "lines are left out as totals")
    words = ", ".join(filter(None, dropped[-1].cells))
    note = f"{count} at the end: the first is line {dropped[-1].number}, {words[:60]!r}"
    return replace(table, lines=tuple(lines), notes=(*table.notes, note))


def _read_first(line: TableLine) -> str:
    return next(filter(None, line.cells), "").lower().rstrip(":")


def _lacks_label(line: TableLine, columns: Columns) -> bool:
    """Whether a line has times, and nothing in the columns of the label."""
    return any(map(line.holds, columns.times)) and bool(columns.label) and not any(map(line.holds, columns.label))


def _refuse_second(line: TableLine, video: str, column: Column | None, first: object, second: object) -> BadInput:
    name = column.name if column else ""
    return BadInput(
        f"{line.path}: line {line.number} has {second!r} for {name!r} of video {video!r}, and a line above has "
        f"{first!r}; one of them was expected"
    )


def _settle_unit(path: Path, table: DelimitedTable, columns: Columns, unit: str | None) -> tuple[Columns, str]:
    """Return the columns with their units, and the unit that the table states, empty where it states none.

    A unit in the name of a column, or a time of a clock, states it; frames of a table with rates are those of the
    line. Raises BadInput where another `unit` is given, and where some columns have a unit and others none.
    """
    times = columns.times
    units = {column.unit for column in times}
    if unit in units:
        columns = _set_unit(columns, unit)
    bare = [column for column in columns.times if not column.unit and _holds_plain_numbers(table, column)]
    odd = next((column for column in times if column.unit not in ("", "s", CLOCK)), None)
    if odd and (bare or (PERCENT in units and len(units) > 1)):
        column = (bare or [column for column in times if column.unit != PERCENT])[0]
        raise BadInput(
            f"{path}: {odd.name!r} is in {UNIT_NAMES[odd.unit]} and {column.name!r} is not said to be; name the unit "
            f"of both, as in '{column.name} ({odd.unit})' or '{column.name} (s)'"
        )
    stated = next((column.unit for column in times if column.unit), "")
    if any(line.holds_clock(column) for line in table.lines for column in times):
        stated = CLOCK
    if stated:
        refuse_other_unit(path, unit, stated, f"the column {times[0].name!r}")
    elif unit == "frames" and columns.fps:
        return _set_unit(columns, unit), unit
    return columns, stated


def _set_unit(columns: Columns, unit: str) -> Columns:
    """Give the columns of times without a unit this one."""
    times = columns.list_times().items()
    return replace(columns, **{field: replace(column, unit=column.unit or unit) for field, column in times if column})


def _holds_plain_numbers(table: DelimitedTable, column: Column) -> bool:
    return any(line.holds(column) and not line.holds_clock(column) for line in table.lines)


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
            seconds = length / PER_SECOND.get(columns.video_length.unit, 1.0)
            if durations.setdefault(video, seconds) != seconds:
                raise _refuse_second(line, video, columns.video_length, durations[video], seconds)
        subset = line.read_text(columns.subset)
        if subset and subsets.setdefault(video, subset) != subset:
            raise _refuse_second(line, video, columns.subset, subsets[video], subset)
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
    notes += _describe_cells(table, columns)
    if hints.fps and any(column.unit == "frames" for column in columns.times):
        notes.append(f"frames at {hints.fps:g} a second")
    return tuple(notes)


def _describe_cells(table: DelimitedTable, columns: Columns) -> Iterator[str]:
    """Say which lines have no label, which labels read as if nothing went on, and which marks are missing."""
    bare = [line for line in table.lines if _lacks_label(line, columns)]
    if bare:
        count = format_count(
            len(bare), "line has times and no label, and is", "lines have times and no label, and are"
        )
        text = " ".join(map(bare[0].read_text, columns.label))
        yield f"{count} left out: the first is line {bare[0].number}, with {text!r} for {columns.label[0].name!r}"
    silent = [line for line in table.lines if columns.label and _read_label(line, columns).lower() in SILENCE]
    if silent:
        count = format_count(len(silent), "action is", "actions are")
        label = _read_label(silent[0], columns)
        yield (
            f"{count} called {label!r} or the like, a class as any other in a table; remove the lines if nothing "
            "goes on then"
        )
    cells = [(line, column) for column in columns.classes for line in table.lines if line.read_text(column)]
    missing = [(line, column) for line, column in cells if not line.holds(column)]
    if missing:
        line, column = missing[0]
        count = format_count(len(missing), "cell counts", "cells count")
        yield f"{count} as 0: the first is {line.read_text(column)!r} for {column.name!r} in line {line.number}"
