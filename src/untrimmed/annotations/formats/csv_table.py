"""Delimited text and workbooks: a line that names the columns, cells between commas, tabs, bars, blanks and more."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import format_count
from untrimmed.annotations.formats.columns import Column, find_unit, is_known, is_start
from untrimmed.annotations.formats.json_rows import holds_json_rows, read_json_rows
from untrimmed.annotations.formats.text import parse_number, parse_seconds, read_any_text
from untrimmed.annotations.formats.workbook import holds_workbook, read_workbook
from untrimmed.annotations.units import CLOCK, PER_SECOND, PERCENT
from untrimmed.io import BadInput, write_text
from untrimmed.video.names import is_media

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
BLANKS = " "
"""What parts the cells where none of `DELIMITERS` does: any number of blanks."""

SAMPLE = 60
"""Lines by which the delimiter and the line of names are found."""

COMMENTS = ("#", "%", "//")
MISSING = ("", "nan", "NaN", "<NA>", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "none", "-")
"""How programs write that a cell is empty."""


_RANGE = re.compile(r"(\d[\d:.,]*)\s*(?:-|\N{EN DASH}|\bto\b)\s*(\d[\d:.,]*)")
_COMMA, _POINT = re.compile(r"\d+,\d+"), re.compile(r"\d+\.\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_BLANK_CELLS = re.compile(r'"((?:[^"]|"")*)"(?!\S)|(\S+)')


class TableLine(NamedTuple):
    """One line of the table at `path`, by its number in the file, the first being 1; no blanks around its cells."""

    path: Path
    number: int
    cells: tuple[str, ...]

    def read_text(self, column: Column | None) -> str:
        """Read the text in a column; nothing for no column, and behind the end of a short line."""
        return self.cells[column.index] if column and column.index < len(self.cells) else ""

    def holds(self, column: Column | None) -> bool:
        """Return whether there is something in a column."""
        return self.read_text(column) not in MISSING

    def read_number(self, column: Column | None, what: str, clock: bool = False) -> float:
        """Read the number, or the time of a clock, in a column. Raises BadInput with the line for anything else."""
        text = self.read_text(column)
        value = parse_seconds(text) if clock else parse_number(text)
        if value is None:
            raise self._refuse_cell(column, what)
        return value

    def read_seconds(self, column: Column | None, rate: float | None = None) -> float:
        """Read the time in a column in seconds, whatever its unit, or as a share; `rate` is frames a second."""
        if self.holds_clock(column):
            return self.read_number(column, "a time like 00:01:02.5 was expected", clock=True)
        if column and column.unit == "frames":
            if rate is None:
                raise BadInput(f"{self.path}: {column.name!r} counts frames; give frames a second (fps=25, --fps 25)")
            return self.read_number(column, "a number of frames was expected") / rate
        if column and column.unit == CLOCK:
            raise self._refuse_cell(column, "a time like 00:01:02.5 was expected")
        value = self.read_number(column, "seconds, or a time like 00:01:02.5, were expected", clock=True)
        unit = column.unit if column else ""
        return value / (100.0 if unit == PERCENT else PER_SECOND.get(unit, 1.0))

    def _refuse_cell(self, column: Column | None, what: str) -> BadInput:
        name = column.name if column else "the time"
        return BadInput(f"{self.path}: line {self.number} has {self.read_text(column)[:40]!r} for {name!r}; {what}")

    def count_known(self) -> int:
        """Count the cells that would mean something as names of columns."""
        return sum(is_known(cell) for cell in self.cells if parse_seconds(cell) is None)

    def holds_clock(self, column: Column | None) -> bool:
        """Return whether a column has a time like `00:01:02.5`, which is in seconds whatever the column is called."""
        return ":" in self.read_text(column)


@dataclass(frozen=True)
class DelimitedTable:
    """The table in the file at `path` as it stands; `notes` say what was skipped, `above` is above the names."""

    path: Path
    columns: tuple[str, ...]
    lines: tuple[TableLine, ...]
    delimiter: str
    notes: tuple[str, ...] = ()
    above: tuple[TableLine, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns in lower case, with single blanks."""
        return tuple(" ".join(name.lower().split()) for name in self.columns)

    def find(self, *names: str) -> Column | None:
        """Find the column with the first of these names, in lower case, that there is."""
        indices = (self.names.index(name) for name in names if name in self.names)
        return next((Column(index, self.columns[index]) for index in indices), None)


def read_delimited_table(path: Path, names: Sequence[str] = ()) -> DelimitedTable:
    """Read the table in a file, text, JSON or a workbook of Excel, with the delimiter that fits most lines.

    Comments and other lines above that of the columns' names are skipped, and noted. `names` are the columns where
    no line names them. Raises BadInput for an empty file and for a line of fewer or more cells than columns.
    """
    if holds_workbook(path):
        sheet = read_workbook(path)
        lines = [TableLine(path, number, cells) for number, cells in sheet.rows]
        return _build_table(path, lines, "", [sheet.note], names)
    if holds_json_rows(path):
        columns, rows = read_json_rows(path)
        return DelimitedTable(path, columns, tuple(TableLine(path, *row) for row in rows), "")
    text = read_any_text(path)
    notes: list[str] = []
    comments, body, skipped = _skip_comments(text)
    delimiter = find_delimiter(body)
    lines = split_lines(body, path, delimiter, skipped)
    for heading in split_lines(comments[-1].lstrip("#%/ "), path, delimiter, skipped - 1) if comments else ():
        if lines and len(heading.cells) == len(lines[0].cells) and heading.count_known() > 1 > lines[0].count_known():
            lines.insert(0, heading)
            comments.pop()
    if comments:
        notes.append(
            f"comments above the table are skipped ({format_count(len(comments), 'line')}): {comments[0][:60]!r}"
        )
    return _build_table(path, lines, delimiter, notes, names)


def read_below_names(path: Path, needed: Sequence[Sequence[str]], fault: str) -> DelimitedTable:
    """Read the table below the first line that has a name of each group, see `find_names`; lines may be short.

    Raises BadInput with the `fault` where there is no such line.
    """
    text = read_any_text(path)
    delimiter = find_delimiter(text)
    lines = split_lines(text, path, delimiter)
    heading = find_names(lines, needed)
    if heading is None:
        raise BadInput(f"{path}: {fault}")
    return cut_table(lines, heading, delimiter)


def find_names(lines: Sequence[TableLine], needed: Sequence[Sequence[str]]) -> int | None:
    """Find the first of the lines that has, of each group of names in lower case, at least one."""
    for index, line in enumerate(lines[:SAMPLE]):
        names = {cell.lower() for cell in line.cells}
        if all(names & set(group) for group in needed):
            return index
    return None


def cut_table(lines: Sequence[TableLine], heading: int, delimiter: str = "") -> DelimitedTable:
    """Cut the table that begins with the line of names of that index."""
    names = lines[heading]
    return DelimitedTable(
        names.path, names.cells, tuple(lines[heading + 1 :]), delimiter, above=tuple(lines[:heading])
    )


def find_delimiter(text: str) -> str:
    """Find what parts the cells: what gives most of the first lines one number of cells, and then the most cells."""
    counts = {mark: _count_cells(text, mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    return best if counts[best] > (0.0, 0) or _count_cells(text, BLANKS)[1] < 3 else BLANKS


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a table; cells are quoted where they need it."""
    table = io.StringIO()
    csv.writer(table, delimiter=delimiter, lineterminator="\n").writerows([columns, *rows])
    write_text(path, table.getvalue())


def _count_cells(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of the first lines that have the most usual number of cells, and that number; 0 for one."""
    try:
        if delimiter == BLANKS:
            rows = [line.split() for line in islice(text.split("\n"), SAMPLE)]
        else:
            rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), SAMPLE))
    except csv.Error:
        return (0.0, 0)
    counts = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    if not counts:
        return (0.0, 0)
    width = max(counts, key=lambda count: (counts[count], count))
    return (counts[width] / counts.total(), width) if width > 1 else (0.0, 0)


def _skip_comments(text: str) -> tuple[list[str], str, int]:
    """Part the comments above a table, and Excel's line `sep=;`, from the table; with the number of lines skipped."""
    comments: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        plain = line.strip().strip('"')
        if plain and not plain.startswith(COMMENTS) and not plain.lower().startswith("sep="):
            return comments, "\n".join(lines[number:]), number
        comments += [plain] if plain.startswith(COMMENTS) else []
    return comments, "", len(lines)


def _build_table(
    path: Path, lines: list[TableLine], delimiter: str, notes: list[str], names: Sequence[str]
) -> DelimitedTable:
    """Build a table of lines: the line of names, and below it the others."""
    if not lines:
        raise BadInput(f"{path}: is empty; a line that names columns was expected")
    heading = _find_heading(lines)
    above = lines[:heading]
    if above and heading is not None:
        notes.append(
            f"lines above the columns' names are skipped, the first is {above[0].cells[0][:60]!r} ({len(above)})"
        )
    if names:
        columns, body = tuple(names), lines if heading is None else lines[heading + 1 :]
    elif heading is not None:
        columns, body = _read_names(lines[heading]), lines[heading + 1 :]
        if body and (joined := _join_names(columns, body[0])):
            columns, body = joined, body[1:]
            notes.append(f"the columns' names stand in two lines, read as {', '.join(columns)}")
        if all(len(line.cells) == len(columns) + 1 for line in body) and _counts_lines(
            [line.cells[0] for line in body]
        ):
            body = [line._replace(cells=line.cells[1:]) for line in body]
            notes.append("lines have one cell more than there are names: the first, a running number, is not used")
    else:
        counted = _is_count(lines[0].cells)
        body = lines[1:] if counted else lines
        columns = guess_names(path, body, indexed=counted and not lines[0].cells[0])
        notes.append(f"no line names the columns: taken as {', '.join(name or '(not used)' for name in columns)}")
    return DelimitedTable(
        path, columns, tuple(_fit_cells(line, columns, delimiter) for line in body), delimiter, tuple(notes)
    )


def _find_heading(lines: Sequence[TableLine]) -> int | None:
    """Find the line of names: the first with two known ones or more, else the first if it holds no number."""
    for index, line in enumerate(lines[:SAMPLE]):
        if line.count_known() > 1:
            return index
    return None if any(parse_seconds(cell) is not None for cell in lines[0].cells) else 0


def _read_names(line: TableLine) -> tuple[str, ...]:
    names = [" ".join(cell.split()) for cell in line.cells]
    while len(names) > 1 and not names[-1]:
        names.pop()
    return tuple(names)


def _join_names(names: tuple[str, ...], below: TableLine) -> tuple[str, ...]:
    """Join names with the line below them, if that has names or units alone and leaves some empty; else nothing."""
    cells = [cell for cell in below.cells if cell]
    if len(below.cells) != len(names) or not 0 < len(cells) < len(names):
        return ()
    if not all(is_known(cell) or (find_unit(cell) and parse_seconds(cell) is None) for cell in cells):
        return ()
    return tuple(" ".join(filter(None, pair)) for pair in zip(names, below.cells, strict=True))


def split_ranges(table: DelimitedTable) -> DelimitedTable:
    """Part the only column of ranges like `1:15-1:20` into a start and an end, where no column is a start."""
    if any(map(is_start, table.columns)):
        return table
    for index, name in enumerate(table.columns):
        pairs = [_RANGE.fullmatch(line.cells[index]) for line in table.lines if line.cells[index] not in MISSING]
        if not pairs or not all(pair and _rise([pair[1]], [pair[2]]) and _are_times(pair.groups()) for pair in pairs):
            continue
        unit = f" ({find_unit(name)})" if find_unit(name) else ""
        lines = []
        for line in table.lines:
            pair = _RANGE.fullmatch(line.cells[index])
            ends = pair.groups() if pair else ("", "")
            lines.append(line._replace(cells=(*line.cells[:index], *ends, *line.cells[index + 1 :])))
        columns = (*table.columns[:index], f"start{unit}", f"end{unit}", *table.columns[index + 1 :])
        return replace(
            table, columns=columns, lines=tuple(lines), notes=(*table.notes, f"{name!r} holds start and end")
        )
    return table


def refuse_ambiguous_numbers(table: DelimitedTable, columns: Iterable[Column]) -> None:
    """Raise BadInput where no telling if a comma or a point in the columns' numbers parts thousands or decimals.

    So it is where both stand before three digits or beside the other, and where every comma does, unless semicolons
    part the cells, as in countries whose decimal sign is a comma.
    """
    cells = [(line, column, line.read_text(column)) for column in columns for line in table.lines]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell[2])]
    points = [cell for cell in cells if _POINT.fullmatch(cell[2])]
    doubtful = [cell for cell in (*commas, *points) if _THOUSANDS.fullmatch(cell[2])]
    if not commas or not doubtful or (not points and (table.delimiter == ";" or len(doubtful) < len(commas))):
        return
    line, column, text = doubtful[0]
    pair = commas[0] if points and doubtful[0] in points else points[0] if points else None
    beside = f", and line {pair[0].number} has {pair[2]!r}" if pair else ""
    raise BadInput(
        f"{table.path}: line {line.number} has {text!r} for {column.name!r}{beside}, so there is no telling whether "
        f"{text[-4]!r} parts thousands or decimals; write all numbers like 1234.5"
    )


def _is_count(cells: Sequence[str]) -> bool:
    """Return whether cells are the numbers that pandas gives to columns without names."""
    numbers = [cell for cell in cells if cell]
    return len(numbers) > 1 and numbers == list(map(str, range(len(numbers))))


def guess_names(path: Path, lines: Sequence[TableLine], *, indexed: bool = False) -> tuple[str, ...]:
    """Guess the names of columns that have none from their content: two times that rise, and what is beside them.

    A column that only counts the lines is not used, as the first is if they are `indexed`. Raises BadInput where more
    than one guess is possible.
    """
    columns = list(zip(*(line.cells for line in lines), strict=False))
    kinds = ["counts" if _counts_lines(cells) else "times" if _are_times(cells) else "text" for cells in columns]
    kinds[:indexed] = ["counts"] * indexed
    times, texts = ([index for index, kind in enumerate(kinds) if kind == what] for what in ("times", "text"))
    names = {}
    if len(times) == 2 and _rise(columns[times[0]], columns[times[1]]):
        names = {times[0]: "start", times[1]: "end", **_guess_texts(columns, times, texts)}
    if "label" not in names.values():
        number, cells = (lines[0].number, lines[0].cells) if lines else (1, ("nothing",))
        raise BadInput(
            f"{path}: no line names the columns, and line {number} has {_show_cells(cells)}; add such a line, or "
            "name them (columns=('video', 'start', 'end', 'label'), --columns video,start,end,label)"
        )
    return tuple(names.get(index, "") for index in range(len(columns)))


def _guess_texts(columns: Sequence[Sequence[str]], times: Sequence[int], texts: Sequence[int]) -> dict[int, str]:
    """Guess which column of text is the label, and which the video: the one of media files, or before the times."""
    if len(texts) == 1:
        return {texts[0]: "label"}
    if len(texts) != 2:
        return {}
    media = [index for index in texts if all(map(is_media, columns[index]))]
    if len(media) == 1:
        return {index: "video" if index in media else "label" for index in texts}
    return {texts[0]: "video", texts[1]: "label"} if texts[0] < times[0] < times[1] < texts[1] else {}


def _rise(starts: Sequence[str], ends: Sequence[str]) -> bool:
    return all(
        (parse_seconds(start) or 0) <= (parse_seconds(end) or 0) for start, end in zip(starts, ends, strict=True)
    )


def _are_times(cells: Sequence[str]) -> bool:
    return all(parse_seconds(cell) is not None for cell in cells)


def _counts_lines(cells: Sequence[str]) -> bool:
    """Return whether cells are the running numbers of their lines."""
    if len(cells) < 2 or cells[0] not in ("0", "1"):
        return False
    return list(cells) == [str(number + int(cells[0])) for number in range(len(cells))]


def _fit_cells(line: TableLine, columns: Sequence[str], delimiter: str) -> TableLine:
    """Return a line of as many cells as columns. Raises BadInput where it has fewer or more."""
    cells = line.cells
    while len(cells) > len(columns) and not cells[-1]:
        cells = cells[:-1]  # empty cells behind the last column are nothing
    if delimiter == BLANKS and len(cells) > len(columns):
        cells = (*cells[: len(columns) - 1], " ".join(cells[len(columns) - 1 :]))
    if len(cells) != len(columns):
        parted = f", parted by {DELIMITERS[delimiter]}" if delimiter in DELIMITERS else ""
        raise BadInput(
            f"{line.path}: line {line.number} has {len(cells)} cells ({_show_cells(cells)}) for "
            f"{len(columns)} columns ({', '.join(columns)[:80]}){parted}; "
            "quote a cell that holds what parts cells, or fix the line"
        )
    return line._replace(cells=cells)


def _show_cells(cells: Sequence[str]) -> str:
    """Show the first of some cells in one line."""
    return " ".join(", ".join(cells).split())[:60]


def split_lines(text: str, path: Path | None = None, delimiter: str = "", skipped: int = 0) -> list[TableLine]:
    """Split text into the lines that hold something, and these into cells, at whatever parts most of them by default.

    `path` is the text's file, of which so many lines were `skipped`. Raises BadInput with it where the text cannot be
    split; without a path, there are no lines then.
    """
    place = path or Path()
    delimiter = delimiter or find_delimiter(text)
    if delimiter == BLANKS:
        lines = enumerate(text.split("\n"), start=skipped + 1)
        return [TableLine(place, number, _split_blanks(line)) for number, line in lines if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    table: list[TableLine] = []
    raw, begin = text.split("\n"), 0
    try:
        for cells in reader:
            if reader.line_num > begin + 1:  # strictly: a quote that is open at its end has swallowed lines
                next(csv.reader(["\n".join(raw[begin : reader.line_num])], delimiter=delimiter, strict=True))
            begin = reader.line_num
            if any(cell.strip() for cell in cells):
                table.append(TableLine(place, skipped + reader.line_num, tuple(cell.strip() for cell in cells)))
    except csv.Error as error:
        if path is None:
            return []
        fault = "begins a cell with a quote and does not end it" if reader.line_num > begin + 1 else ""
        fault = fault or "cannot be parted into cells"
        raise BadInput(f"{path}: line {skipped + begin + 1} {fault} ({error}); fix it") from None
    return table


def _split_blanks(line: str) -> tuple[str, ...]:
    """Split a line at blanks that no quotes enclose."""
    return tuple(quoted.replace('""', '"').strip() or bare for quoted, bare in _BLANK_CELLS.findall(line))
