"""Delimited text whose line of names may stand below a preamble, or be missing: cells as they stand."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.text import parse_seconds
from untrimmed.io import BadInput

PARTED_BY = "\t;,"
"""What may stand between cells; the earlier of two that fit equally well."""

SAMPLE = 100
"""How many lines decide on what stands between cells."""


class SheetLine(NamedTuple):
    """The cells of one line, without blanks around them, and its number in the file, the first being 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """The lines below a line of names, whose columns are found by name in lower case."""

    path: Path
    names: tuple[str, ...]
    lines: tuple[SheetLine, ...]

    def find(self, *names: str) -> int | None:
        """Find the column with the first of these names that there is."""
        return next((self.names.index(name) for name in names if name in self.names), None)

    def read(self, line: SheetLine, column: int | None) -> str:
        """Read a cell; nothing for no column, and behind the end of a short line."""
        return line.cells[column] if column is not None and column < len(line.cells) else ""

    def read_seconds(self, line: SheetLine, column: int | None) -> float:
        """Read seconds, or a time of a clock. Raises BadInput with the line for anything else."""
        text = self.read(line, column)
        seconds = parse_seconds(text)
        if seconds is None:
            name = self.names[column] if column is not None else "the time"
            raise BadInput(
                f"{self.path}: line {line.number} has {text[:40]!r} for {name!r}; "
                "seconds, or a time like 00:01:02.5, were expected"
            )
        return seconds


def split_lines(text: str, *, quoted: bool = True) -> list[SheetLine]:
    """Split text into the lines that hold something, and these into cells at whatever parts most of them.

    A text that cannot be split gives no lines. `quoted` says that cells may stand in quotation marks.
    """
    delimiter = find_delimiter(text)
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    lines = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append(SheetLine(reader.line_num, tuple(cell.strip() for cell in cells)))
    except csv.Error:
        return []
    return lines


def find_delimiter(text: str) -> str:
    """Find what parts the cells: what stands in most of the first lines, and among equals most often."""
    lines = [line for line in text.split("\n", SAMPLE)[:SAMPLE] if line.strip()]
    counts = {mark: [line.count(mark) for line in lines] for mark in PARTED_BY}
    return max(PARTED_BY, key=lambda mark: (sum(map(bool, counts[mark])), sum(counts[mark])))


def find_names(lines: Sequence[SheetLine], needed: Sequence[Sequence[str]], within: int = 60) -> int | None:
    """Find the first of the lines that has, of each group of names in lower case, at least one."""
    for index, line in enumerate(lines[:within]):
        names = {cell.lower() for cell in line.cells}
        if all(names & set(group) for group in needed):
            return index
    return None


def cut_sheet(path: Path, lines: Sequence[SheetLine], heading: int) -> Sheet:
    """Cut the sheet that begins with the line of names of that index."""
    names = tuple(" ".join(name.lower().split()) for name in lines[heading].cells)
    return Sheet(path, names, tuple(lines[heading + 1 :]))
