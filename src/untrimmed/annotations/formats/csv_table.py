"""Delimited text: a first line that names the columns, cells separated by commas, semicolons or tabs."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.columns import FRAMES, MILLISECONDS, Column
from untrimmed.annotations.formats.text import parse_number, parse_seconds, read_any_text
from untrimmed.io import BadInput, write_text

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class TableLine(NamedTuple):
    """One line of the table at `path`, by its number in the file, the first being 1."""

    path: Path
    number: int
    cells: tuple[str, ...]

    def read_text(self, column: Column | None) -> str:
        """Read the text in a column, without blanks around it; nothing for no column."""
        return self.cells[column.index].strip() if column else ""

    def read_number(self, column: Column, what: str, clock: bool = False) -> float:
        """Read the number, or the time of a clock, in a column. Raises BadInput with the line for anything else."""
        text = self.read_text(column)
        value = parse_seconds(text) if clock else parse_number(text)
        if value is None:
            raise BadInput(f"{self.path}: line {self.number} has {text[:40]!r} for {column.name!r}; {what}")
        return value

    def read_seconds(self, column: Column, rate: float | None) -> float:
        """Read the time in a column in seconds, whatever its unit; `rate` is frames a second."""
        if column.unit == FRAMES:
            if rate is None:
                raise BadInput(f"{self.path}: {column.name!r} counts frames; give frames a second, as in --fps 25")
            return self.read_number(column, "a number of frames was expected") / rate
        value = self.read_number(column, "seconds, or a time like 00:01:02.5, were expected", clock=True)
        return value / 1000 if column.unit == MILLISECONDS else value


class DelimitedTable(NamedTuple):
    """A table as it stands; every line has as many cells as there are columns."""

    columns: tuple[str, ...]
    lines: tuple[TableLine, ...]
    delimiter: str


def read_table(path: Path) -> DelimitedTable:
    """Read the table in a file, with the delimiter that splits the first line into the most columns.

    Raises BadInput for an empty file and for a line of fewer or more cells than columns.
    """
    text = read_any_text(path)
    first = text.lstrip("\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([first], delimiter=delimiter), ())))
    lines = _split_lines(path, text, delimiter)
    if (heading := next(lines, None)) is None:
        raise BadInput(f"{path}: is empty; a line that names columns was expected")
    columns = tuple(" ".join(cell.split()) for cell in heading.cells)
    rows = []
    for line in lines:
        cells = line.cells
        # Empty cells behind the last column are nothing.
        while len(cells) > len(columns) and not cells[-1].strip():
            cells = cells[:-1]
        if len(cells) != len(columns):
            raise BadInput(f"{path}: line {line.number} has {len(cells)} cells for {len(columns)} columns; fix it")
        rows.append(line._replace(cells=cells))
    return DelimitedTable(columns, tuple(rows), delimiter)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a table; cells are quoted where they need it."""
    table = io.StringIO()
    csv.writer(table, delimiter=delimiter, lineterminator="\n").writerows([columns, *rows])
    write_text(path, table.getvalue())


def _split_lines(path: Path, text: str, delimiter: str) -> Iterator[TableLine]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield TableLine(path, reader.line_num, tuple(cells))
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num} cannot be parted into cells ({error}); fix it") from None
