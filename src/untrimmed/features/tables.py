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
from untrimmed.features.side_columns import (
    LABELLED,
    LABELS,
    VIDEOS,
    FeatureColumn,
    check_clock,
    check_one_video,
    fold_title,
    is_side_column,
    parse_times,
)
from untrimmed.io import BadInput, read_bytes

KEYPOINT_HEADERS = ("scorer", "individuals", "bodyparts", "coords")
"""How the header rows of DeepLabCut's tables begin."""
CERTAIN = 4
"""Columns from which a row 0, 1, 2, ... of a table of whole numbers is a header."""
MOST_HEADERS = 8
_COMMA = re.compile(r"[+-]?\d*(,\d+)?([eE][+-]?\d+)?|nan", re.IGNORECASE)
"""A number with a decimal comma, if with any."""
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+(?:\.\d*)|(?:\.\d{3})+(?:,\d*)|(?:,\d{3}){2,}|(?:\.\d{3}){2,})")
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
    table = _split(file, decode_table(read_bytes(file)))
    if not table.lines:
        raise BadInput(f"{file}: holds no row of numbers; replace it")
    notes: dict[str, str] = {}
    values, titles = _read_numbers(file, table, notes)
    if axes == "ct":
        return Reading(check_array(_narrow(values), str(file), axes), notes)
    if _has_column_numbers(table, values):
        notes["a first row 0, 1, 2, ... was taken for the names of columns"] = f"{values.shape[1]} columns"
        return Reading(_narrow(values[1:]), notes)
    is_pose = any(fold_title(row[0]) in KEYPOINT_HEADERS for row in table.headers)
    channels = _find_channels(file, values, titles, is_pose, notes)
    values, titles = _narrow(values[:, channels]), tuple(titles[channel] for channel in channels) if titles else ()
    if is_pose:
        count = sum(fold_title(cell) == "likelihood" for cell in table.headers[-1])
        if count:
            notes["likelihoods of tracked points are channels too"] = f"{count} of {values.shape[1]}"
        return fill_gaps(values, str(file), notes)
    _note_empty_cells(values, titles, notes)
    return Reading(values, notes, titles)


def _note_empty_cells(values: np.ndarray, titles: Sequence[str], notes: dict[str, str]) -> None:
    """Note how many cells are no finite numbers, and where the first one is."""
    bad = ~np.isfinite(values)
    if bad.any():
        row, channel = np.argwhere(bad)[0]
        title = f"column {titles[channel]!r}" if titles else f"channel {channel}"
        notes["cells are empty or no finite numbers"] = f"{bad.sum():,}, the first in row {row + 1}, {title}"


def check_table(file: Path) -> None:
    """Raise BadInput for a table with a column of videos that has several; other faults are told when it is read."""
    table = _split(file, decode_table(read_bytes(file)))
    for index, title in enumerate(table.headers[-1] if table.headers else ()):
        if fold_title(title) in VIDEOS:
            rows = [_cut(line, table.delimiter) for line in table.lines]
            check_one_video(str(file), repr(title), [row[index] for row in rows if len(row) > index])


def decode_table(content: bytes) -> str:
    """Decode the text of a table, of UTF-8 or of UTF-16 that says so."""
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # as Excel writes "Unicode text"
    return content.decode("utf-16" if is_wide else "utf-8-sig", "replace")


def _narrow(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _split(file: Path, text: str) -> _Table:
    lines = [line for line in text.splitlines() if _is_row(line)]
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
        return [cell.strip('"') for cell in line.split()]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_header(row: list[str]) -> bool:
    """Whether a row names columns: none of its cells is a number, or it begins as DeepLabCut's do."""
    if fold_title(row[0]) in KEYPOINT_HEADERS or (not row[0] and _are_column_numbers(row[1:])):
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


def _read_numbers(file: Path, table: _Table, notes: dict[str, str]) -> tuple[np.ndarray, list[str]]:
    """Read the columns of numbers and their titles, if they have any; what is left out of texts is noted."""
    first = _cut(table.lines[0], table.delimiter)
    # Of several rows of titles, such as one of units, the one with the most different ones.
    titles = max(reversed(table.headers), key=lambda row: len(set(row)), default=[])
    if titles and len(titles) == len(first) - 1:
        # Names of rows have none in what R writes, nor has what follows a comma at the end of rows.
        titles = ["", *titles] if first[-1] else [*titles, ""]
    columns = _select_numbers(file, table, first, titles, notes)
    options = {"delimiter": table.delimiter, "ndmin": 2, "quotechar": '"', "dtype": float, "usecols": columns}
    if len(columns) == len(first):
        options.pop("usecols")  # then rows of different lengths are an error
    try:
        try:
            values = np.loadtxt(table.lines, **options)
        except ValueError:
            values = np.loadtxt(table.lines, converters=_read_cell, **options)
    except ValueError as error:
        reason = _find_fault(file, table) or str(error).removesuffix(".")
        raise BadInput(f"{file}: is not a table of numbers ({reason}); fix or replace it") from None
    return values, [titles[column] for column in columns] if len(titles) == len(first) else []


def _find_fault(file: Path, table: _Table) -> str:
    """Find the first row of another length, or the first number with marks of thousands, as the file has it."""
    lines = decode_table(read_bytes(file)).splitlines()
    rows = [(number, line) for number, line in enumerate(lines, 1) if _is_row(line)][len(table.headers) :]
    width = len(_cut(table.lines[0], table.delimiter))
    for number, line in rows:
        cells = _cut(line, table.delimiter)
        if thousands := next(filter(_THOUSANDS.fullmatch, cells), None):
            return f"line {number} has {thousands!r}: write numbers without marks of thousands"
        if len(cells) != width:
            return f"line {number} has {len(cells)} cells, the first row of numbers {width}"
    return ""


def _is_row(line: str) -> bool:
    return bool(line.strip(" ,;\t")) and not line.lstrip().startswith("#")


def _select_numbers(
    file: Path, table: _Table, first: Sequence[str], titles: Sequence[str], notes: dict[str, str]
) -> list[int]:
    """Select the columns that are not of times in words, nor first ones of texts, such as names of pictures."""
    numbers = [index for index, cell in enumerate(first) if _is_number(cell) or cell.lower() in _BLANK]
    leading = numbers[0] if numbers else 1
    selected = set(numbers)
    for index in sorted(set(range(len(first))) - selected):
        title = titles[index] if index < len(titles) == len(first) else ""
        cells = [row[index] for row in (_cut(line, table.delimiter) for line in table.lines) if len(row) > index]
        times = parse_times(cells)
        column = FeatureColumn(title, np.zeros(0) if times is None else times, cells=cells)
        if len(first) == 1:
            selected.add(index)
        elif times is not None:
            check_clock(str(file), column, notes)
        elif column.folded in LABELS:
            notes[LABELLED] = column.quoted
        elif index < leading or column.folded in VIDEOS:
            check_one_video(str(file), column.quoted, cells)
            notes["a first column of texts was taken for names of rows"] = f"such as {first[index]!r}"
        else:
            selected.add(index)
    return sorted(selected)


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


def _find_channels(
    file: Path, values: np.ndarray, titles: Sequence[str], is_pose: bool, notes: dict[str, str]
) -> list[int]:
    """Find the columns that are channels. Raises BadInput where one says that rows are missing or not in order."""
    everything = range(values.shape[1])
    if len(everything) < 2 or len(values) < 2:
        return list(everything)
    if is_pose:
        is_side_column(str(file), FeatureColumn("frame", values[:, 0], True), True, notes)
        return list(everything[1:])
    columns = [FeatureColumn(titles[index] if titles else "", values[:, index], index == 0) for index in everything]
    last = values.shape[1] - 1
    if not (titles and titles[last]) and np.isnan(values[:, last]).all():
        notes["a last column that is empty was left out"] = f"column {last + 1}"
        everything = range(last)
    told = dict(notes)
    channels = [index for index in everything if not is_side_column(str(file), columns[index], len(titles) > 0, told)]
    if not channels:
        return list(everything)  # where all columns count, they are features
    notes.update(told)
    return channels


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
