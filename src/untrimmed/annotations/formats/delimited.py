"""Delimited text: a first line that names the columns, cells parted by commas, semicolons or tabs."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.text import read_any_text
from untrimmed.io import BadInput

MARKS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class Line(NamedTuple):
    """One line of a table, by its number in the file, the first being 1."""

    number: int
    cells: tuple[str, ...]


class Table(NamedTuple):
    """A table as it stands; every line has as many cells as there are columns."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    mark: str


def read_table(path: Path) -> Table:
    """The table in a file, whose mark is the one that parts the first line into the most columns.

    Raises BadInput for an empty file and for a line of fewer or more cells than columns.
    """
    text = read_any_text(path)
    first = text.lstrip("\n").partition("\n")[0]
    mark = max(MARKS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), ())))
    lines = _lines(path, text, mark)
    if (heading := next(lines, None)) is None:
        raise BadInput(f"{path}: is empty; a line that names columns was expected")
    columns = tuple(" ".join(cell.split()) for cell in heading.cells)
    return Table(columns, tuple(_checked(path, line, len(columns)) for line in lines), mark)


def _lines(path: Path, text: str, mark: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Line(reader.line_num, tuple(cells))
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num} cannot be parted into cells ({error}); mend it") from None


def _checked(path: Path, line: Line, width: int) -> Line:
    """A line, without empty cells behind its end and with those that a spreadsheet left out."""
    cells = line.cells
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != width:
        raise BadInput(f"{path}: line {line.number} has {len(cells)} cells for {width} columns; mend it")
    return line._replace(cells=cells)
