"""Reads tables of numbers as features: any usual delimiter, with or without header rows and an index column."""

import csv
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from untrimmed.features.keypoints import fill_gaps
from untrimmed.features.shapes import Axes, Reading, check_array
from untrimmed.io import BadInput, read_bytes

KEYPOINT_HEADERS = ("scorer", "individuals", "bodyparts", "coords")
"""How the header rows of DeepLabCut's tables begin."""
FRAMES = ("frame", "frames", "framenumber", "frameid", "frameidx", "frameindex")
INDEXES = ("", "unnamed0", "index", "idx", "id", "row", "rows", "rownames", "snippet", "time", "times", "timestamp")
INDEXES += (*FRAMES, "t", "s", "sec", "secs", "second", "seconds", "ms", "millisecond", "milliseconds", "step")
"""First columns that count rows, where they rise; names without what is no letter or digit."""
RAMP = 8
"""Rows from which a column without a name that counts 0, 1, 2, ... is an index and no channel."""
CERTAIN = 4
"""Columns from which a row 0, 1, 2, ... of a table of whole numbers is a header."""
MOST_HEADERS = 8
_COMMA = re.compile(r"[+-]?\d*(,\d+)?([eE][+-]?\d+)?|nan", re.IGNORECASE)
"""A number with a decimal comma, if with any."""
_WHOLE = re.compile(r"\d+")
_BLANK = ("", "na", "n/a", "nan", "null", "none", "-nan", "#n/a")


class _Table(NamedTuple):
    """Header rows, and lines of numbers not yet read."""

    headers: list[list[str]]
    lines: list[str]
    delimiter: str | None


def read_table(file: Path, axes: Axes = "tc") -> Reading:
    """Read a table of numbers, a row a snippet, parted by commas, semicolons, tabs or blanks.

    Header rows and an index column are no features: what was taken for one is noted. A comma within numbers that
    are parted otherwise is a decimal comma. Gaps in DeepLabCut's tables are filled along time, and that is noted.
    Raises BadInput for a table that has other texts in it, and for one whose frames are not all there.
    """
    table = _split(file, read_bytes(file).decode("utf-8-sig", "replace"))
    if not table.lines:
        raise BadInput(f"{file}: holds no row of numbers; replace it")
    notes: dict[str, str] = {}
    values = _read_numbers(file, table, notes)
    if axes == "ct":
        return Reading(check_array(values, str(file), axes), notes)
    if _has_column_numbers(table, values):
        notes["a first row 0, 1, 2, ... was taken for the names of columns"] = f"{values.shape[1]} columns"
        return Reading(values[1:], notes)
    values = _drop_index(file, table, values, notes)
    is_pose = any(_fold(row[0]) in KEYPOINT_HEADERS for row in table.headers)
    return fill_gaps(values, str(file), notes) if is_pose else Reading(values, notes)


def _split(file: Path, text: str) -> _Table:
    lines = [line for line in text.splitlines() if line.strip(" ,;\t") and not line.lstrip().startswith("#")]
    delimiter = _find_delimiter(lines[-1]) if lines else ","
    headers = []
    for row in itertools.islice(map(lambda line: _cut(line, delimiter), lines), MOST_HEADERS):
        if not _is_header(row):
            break
        headers.append(row)
    body = lines[len(headers) :]
    if delimiter != "," and any("," in line for line in body[:64]):
        body = [line.replace(",", ".") for line in body]
    return _Table(headers, body, delimiter)


def _find_delimiter(line: str) -> str | None:
    """Find what parts the cells of a row; None for blanks."""
    for delimiter in ("\t", ";"):
        if delimiter in line:
            return delimiter
    words = line.split()
    # "1,5 2,5" has decimal commas; "1, 2, 3" and "1,2" have cells.
    if "," in line and not (len(words) > 1 and all(map(_COMMA.fullmatch, words))):
        return ","
    return None if len(words) > 1 else ","


def _cut(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_header(row: list[str]) -> bool:
    """Whether a row names columns: none of its cells is a number, or it begins as DeepLabCut's do."""
    if _fold(row[0]) in KEYPOINT_HEADERS or (not row[0] and _are_column_numbers(row[1:])):
        return True
    return not any(_is_number(cell.replace(",", ".")) for cell in row) and any(
        cell.lower() not in _BLANK for cell in row
    )


def _are_column_numbers(cells: Sequence[str]) -> bool:
    """Whether cells beside an empty one are pandas' numbers of columns: whole, and each one another."""
    return len(cells) > 0 and all(map(_WHOLE.fullmatch, cells)) and len(set(cells)) == len(cells)


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells are the whole numbers from 0 or 1 up, in order and as such."""
    if not cells or cells[0] not in ("0", "1"):
        return False
    return list(cells) == [str(number) for number in range(int(cells[0]), int(cells[0]) + len(cells))]


def _read_numbers(file: Path, table: _Table, notes: dict[str, str]) -> np.ndarray:
    """Read the lines as float32; first columns of texts, such as names of pictures, are left out and noted."""
    first = _cut(table.lines[0], table.delimiter)
    columns = range(len(first))
    if len(first) > 1 and not _is_number(first[0]) and first[0].lower() not in _BLANK:
        numbers = [index for index in columns if _is_number(first[index]) or first[index].lower() in _BLANK]
        skipped = numbers[0] if numbers else 1
        notes["a first column of texts was taken for names of rows"] = f"such as {first[0]!r}"
        columns = range(skipped, len(first))
    options = {"delimiter": table.delimiter, "ndmin": 2, "quotechar": '"', "dtype": np.float32, "usecols": columns}
    if len(columns) == len(first):
        options.pop("usecols")  # then rows of different lengths are an error
    try:
        try:
            return np.loadtxt(table.lines, **options)
        except ValueError:
            return np.loadtxt(table.lines, converters=_read_cell, **options)
    except ValueError as error:
        reason = str(error).removesuffix(".")
        raise BadInput(f"{file}: is not a table of numbers ({reason}); fix or replace it") from None


def _read_cell(text: str) -> float:
    """Read a number, a truth value, or nothing at all."""
    word = text.strip().lower()
    if word in _BLANK:
        return np.nan
    return float(word in ("true", "t")) if word in ("true", "false") else float(word)


def _has_column_numbers(table: _Table, values: np.ndarray) -> bool:
    """Whether the first row is pandas' names of columns without names."""
    row = _cut(table.lines[0], table.delimiter)
    if table.headers or len(table.lines) < 2 or len(row) != values.shape[1] or not _counts(row):
        return False
    return len(row) >= CERTAIN or not all(_WHOLE.fullmatch(cell) for cell in _cut(table.lines[1], table.delimiter))


def _drop_index(file: Path, table: _Table, values: np.ndarray, notes: dict[str, str]) -> np.ndarray:
    """Leave out a first column that only counts rows. Raises BadInput where it says that frames are missing."""
    if values.shape[1] < 2 or len(values) < 2:
        return values
    names = [_fold(row[0]) for row in table.headers]
    steps = np.diff(values[:, 0])
    if names:
        is_index = any(n in KEYPOINT_HEADERS for n in names) or (names[-1] in INDEXES and bool((steps > 0).all()))
    else:
        is_index = len(values) >= RAMP and values[0, 0] in (0, 1) and bool((steps == 1).all())
    if not is_index:
        return values
    title = repr(table.headers[-1][0]) if names and table.headers[-1][0] else "without a name"
    # Steps of frames are all alike; times may be rounded.
    if names and names[-1] in (*FRAMES, *INDEXES[:6], *KEYPOINT_HEADERS) and (steps != np.median(steps)).any():
        place = int(np.flatnonzero(steps != np.median(steps))[0])
        raise BadInput(
            f"{file}: its column {title} goes from {values[place, 0]:g} to {values[place + 1, 0]:g}, though by "
            f"{np.median(steps):g} elsewhere: rows are missing; add them, or remove the column"
        )
    notes["a first column that only counts rows was left out"] = title
    return values[:, 1:]


def _fold(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
