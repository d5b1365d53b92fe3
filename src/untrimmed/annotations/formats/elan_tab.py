"""ELAN's tab-delimited export: a line an annotation, with or without a line of names, in several kinds of time."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints, Row
from untrimmed.annotations.formats.columns import Column
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine, cut_table, find_names, split_lines
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, parse_seconds, read_any_text
from untrimmed.annotations.formats.tiers import choose_tiers
from untrimmed.io import BadInput
from untrimmed.video.names import media_name

BEGIN, END, LENGTH = "begin time", "end time", "duration"

KINDS = ("ss.msec", "msec", "hh:mm:ss.ms")
"""The kinds of time that are read, the exactest first; ELAN writes frames of film and television too."""

TIER, FILES = "tier", ("file path", "file name")

KNOWN = (TIER, "participant", "annotator", "parent tier", "linguistic type", *FILES)
"""Columns, in lower case, that hold no annotations; all others that are no times do."""

NEEDED = (
    tuple(f"{BEGIN} - {kind}" for kind in KINDS),
    tuple(f"{what} - {kind}" for what in (END, LENGTH) for kind in KINDS),
)

_ROUNDING = 0.0021
"""Seconds: a begin, an end and a duration that are rounded to milliseconds may be so little off."""


class Spoken(NamedTuple):
    """One annotation: its video, its tier, both ends in seconds, and its value."""

    video: str
    tier: str
    start: float
    end: float
    value: str


def holds_elan_export(text: str) -> bool:
    """Say whether a text is such an export."""
    return find_names(split_lines(text), NEEDED) is not None or _find_times(_split_bare(text)) is not None


def read_elan_export(path: Path, hints: Hints) -> FileContent:
    """Read the annotations of all tiers, or of those that `hints.tiers` names; one without a value is its tier's.

    Without a line of names, columns of times are told by a begin, an end and, as long, a duration. The file gives the
    video its name unless a column does. Raises BadInput where no times can be told, and for a line without them.
    """
    text = read_any_text(path)
    lines = split_lines(text, path)
    notes = []
    if (heading := find_names(lines, NEEDED)) is not None:
        spoken = list(_read_lines(cut_table(lines, heading)))
    else:
        bare = _split_bare(text)
        if (columns := _find_times(bare)) is None:
            raise BadInput(f"{path}: has no times that are surely a begin and an end; export it with column headers")
        spoken = [_read_bare(path, line, columns) for line in bare]
        notes.append(
            f"no line names the columns: begin is taken from column {columns[0] + 1}, end from {columns[1] + 1}"
        )
    tiers = dict.fromkeys(item.tier for item in spoken)
    counts = {tier: sum(item.tier == tier for item in spoken) for tier in tiers}
    names, tier_notes = choose_tiers(path, "tier", counts, hints.tiers)
    notes += tier_notes
    if all(item.video == path.stem for item in spoken):
        notes.append("no column names the video: it is called as the file")
    rows: dict[str, list[Row]] = {item.video: [] for item in spoken}
    for item in spoken:
        if item.tier in names:
            rows[item.video].append(Row(item.start, item.end, tidy_label(item.value or item.tier)))
    return FileContent(rows or {path.stem: []}, notes=tuple(notes))


def _read_lines(table: DelimitedTable) -> Iterator[Spoken]:
    """Yield the annotations of a table with names: a column of values, or one for each tier."""
    times = (BEGIN, END, LENGTH)
    columns = [
        Column(index, table.columns[index])
        for index, name in enumerate(table.names)
        if name and name not in KNOWN and not name.startswith(tuple(f"{time} - " for time in times))
    ]
    tier, file = table.find(TIER), table.find(*FILES)
    for line in table.lines:
        start = _read_time(table, line, BEGIN)
        end = _read_time(table, line, END)
        if end is None and start is not None:
            end = start + (_read_time(table, line, LENGTH) or 0.0)
        if start is None or end is None:
            raise BadInput(f"{table.path}: line {line.number} has no begin and end that can be read")
        video = _name_video(line.read_text(file)) or table.path.stem
        values = {column.name: value for column in columns if (value := line.read_text(column))}
        if tier and len(values) < 2:
            yield Spoken(video, line.read_text(tier), start, end, next(iter(values.values()), ""))
        else:
            for name, value in values.items():
                yield Spoken(video, name, start, end, value)


def _name_video(file: str) -> str:
    """Return the video's name from that of a file of ELAN."""
    name = media_name(file)
    return name[:-4] if name.lower().endswith(".eaf") else name


def _read_time(table: DelimitedTable, line: TableLine, what: str) -> float | None:
    """Read a time in seconds from the first of its columns that holds one."""
    for kind in KINDS:
        if text := line.read_text(table.find(f"{what} - {kind}")):
            seconds = parse_number(text) if kind != KINDS[2] else parse_seconds(text)
            if seconds is not None:
                return seconds / 1000 if kind == "msec" else seconds
    return None


def _split_bare(text: str) -> list[TableLine]:
    """Split lines at tabs, and keep blanks within: values may hold quotation marks."""
    lines = ((number, line.split("\t")) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    return [TableLine(Path(), number, tuple(cell.strip() for cell in cells)) for number, cells in lines]


def _parse_time(text: str) -> float | None:
    """Parse a time of a table without names: a whole number without a point is milliseconds."""
    seconds = parse_seconds(text)
    if seconds is None or not math.isfinite(seconds):
        return None
    return seconds / 1000 if text.isdigit() else seconds


def _find_times(lines: Sequence[TableLine]) -> tuple[int, int] | None:
    """Find the columns of the begin and the end; None where no columns are surely these.

    They stand together, first all kinds of the begin, then of the end, then of the duration; the value is behind.
    """
    widths = {len(line.cells) for line in lines}
    if len(widths) != 1 or (width := widths.pop()) < 4:
        return None
    kinds = [all(_parse_time(line.cells[column]) is not None for line in lines) for column in range(width)]
    for first in range(width - 3):
        for count in range((width - 1 - first) // 3, 0, -1):
            columns = (first, first + count, first + 2 * count)
            if all(kinds[first : first + 3 * count]) and all(_add_up(line.cells, columns) for line in lines):
                return columns[0], columns[1]
    return None


def _add_up(cells: Sequence[str], columns: Sequence[int]) -> bool:
    """Say whether a begin and a duration are an end."""
    begin, end, length = (_parse_time(cells[column]) or 0.0 for column in columns)
    return length > 0 and abs(begin + length - end) <= _ROUNDING


def _read_bare(path: Path, line: TableLine, columns: tuple[int, int]) -> Spoken:
    start, end = (_parse_time(line.cells[column]) or 0.0 for column in columns)
    tier = line.cells[0] if columns[0] else "annotations"
    return Spoken(path.stem, tier, start, end, line.cells[-1])
