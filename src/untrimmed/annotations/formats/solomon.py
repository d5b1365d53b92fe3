"""Solomon Coder's sheets: a line every so many seconds, and a column for each thing that is watched."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from untrimmed.annotations.annotations import Hints, Row
from untrimmed.annotations.formats.columns import Column
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine, cut_table, split_lines
from untrimmed.annotations.formats.frame_labels import LABELS
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, parse_seconds, read_any_text
from untrimmed.annotations.formats.tiers import choose_tiers
from untrimmed.io import BadInput

MARKS = ("1", "x", "+", "true", "yes")
"""What says that a column's behaviour goes on, where a column has no other words."""

NOTHING = ("", "0", "-", "na", "nan")
"""What says that nothing goes on; beside marks, `NO` too."""

NO = ("false", "no")

OTHERS = {"label", "class", "action", "phase", "video", "subject", "score", "id", "frame", "start", "end", "status"}
"""Names of columns, in lower case, that say that a table is of another kind."""

_TIME = re.compile(r"time( ?\(s(ec)?\)|[ _]s(ec)?)?")
_SPREAD = 0.2
"""How much, of the usual step, two times may be apart more or less: they are rounded."""


def holds_solomon_columns(text: str) -> bool:
    """Say whether a text is a sheet of words at times that are evenly apart."""
    lines = split_lines(text)
    if len(lines) < 3 or len(lines[0].cells) < 2 or not _TIME.fullmatch(lines[0].cells[0].lower()):
        return False
    if _find_step(lines[1:]) is None:
        return False
    names = {name.lower() for name in lines[0].cells[1:]}
    if names & OTHERS or (len(names) == 1 and names & set(LABELS)):
        return False
    cells = {cell.lower() for line in lines[1:] for cell in line.cells[1:]}
    return any(parse_number(cell) is None for cell in cells - set(NOTHING))


def read_solomon(path: Path, hints: Hints) -> FileContent:
    """Read a row for each run of lines with the same word in a column; the file gives the video its name.

    A column of marks alone is a behaviour itself. `hints.tiers` names the columns to read. Raises BadInput where the
    lines are not evenly apart.
    """
    lines = split_lines(read_any_text(path), path)
    if len(lines) < 3 or (step := _find_step(lines[1:])) is None:
        raise BadInput(f"{path}: has no lines at times that are evenly apart, as Solomon Coder writes them")
    table = cut_table(lines, 0)
    columns = (Column(index, name) for index, name in enumerate(table.columns) if index and name)
    runs = {column.name: list(_find_runs(table, column, step)) for column in columns}
    counts = {name: len(listed) for name, listed in runs.items()}
    names, tier_notes = choose_tiers(path, "column", counts, hints.tiers)
    notes = [
        "the file names no video: it is called as the file",
        f"a line is {step:g} s; a run of equal words is one action",
        *tier_notes,
    ]
    rows = [row for name in names for row in runs[name]]
    return FileContent({path.stem: rows}, notes=tuple(notes))


def _find_step(lines: Sequence[TableLine]) -> float | None:
    """Find how many seconds lines are apart; None where they are not evenly."""
    times = [seconds for line in lines if (seconds := parse_seconds(line.cells[0])) is not None]
    if len(times) < max(2, len(lines)):
        return None
    gaps = [second - first for first, second in pairwise(times)]
    step = median(gaps)
    even = step > 0 and all(abs(gap - step) <= _SPREAD * step for gap in gaps)
    return round(step, 9) if even else None


def _find_runs(table: DelimitedTable, column: Column, step: float) -> Iterator[Row]:
    """Yield a row for each run of lines with one word, up to the time of the first line without it."""
    words = [line.read_text(column) for line in table.lines]
    times = [line.read_seconds(Column(0, table.columns[0])) for line in table.lines]
    marks = {word.lower() for word in words} <= {*MARKS, *NOTHING, *NO}
    pauses = (*NOTHING, *NO) if marks else NOTHING
    begin = 0
    for place in range(1, len(words) + 1):
        if place < len(words) and words[place] == words[begin]:
            continue
        word = words[begin]
        if word.lower() not in pauses:
            end = times[place] if place < len(words) else round(times[-1] + step, 9)
            yield Row(times[begin], end, tidy_label(column.name if marks else word))
        begin = place
