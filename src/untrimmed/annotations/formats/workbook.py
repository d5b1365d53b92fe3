"""Sheets of Excel's workbooks, as text cell by cell."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from untrimmed.annotations.formats.columns import is_known
from untrimmed.annotations.formats.text import format_clock
from untrimmed.io import BadInput, import_optional, read_bytes

ENDINGS = (".xlsx", ".xlsm")
SAMPLE = 60
"""Lines among which the names of the columns are."""

ZIP = b"PK\x03\x04"


class WorkbookSheet(NamedTuple):
    """The lines of a sheet that hold something, by their numbers, and a sentence on which sheet it is."""

    rows: list[tuple[int, tuple[str, ...]]]
    note: str


def holds_workbook(path: Path) -> bool:
    """Return whether a file is called as a workbook of Excel."""
    return path.suffix.lower() in ENDINGS


def read_workbook(path: Path) -> WorkbookSheet:
    """Read the first sheet that names columns, or else the first that holds anything.

    Raises BadInput without `openpyxl`, for what is no workbook, and for a formula that has no value. Times of day and
    durations become times of a clock.
    """
    if not read_bytes(path).startswith(ZIP):
        raise BadInput(f"{path}: is no Excel workbook, whatever its ending says; save it again as .xlsx or CSV")
    openpyxl = import_optional("openpyxl", "excel", f"{path}: an Excel workbook, unless it is saved as CSV,")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: _list_rows(sheet) for sheet in book.worksheets}
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadInput(f"{path}: cannot be read as an Excel workbook ({error}); save it again, or as CSV") from None
    title = next(filter(lambda title: _names_columns(sheets[title]), sheets), None)
    title = title or next((title for title, rows in sheets.items() if rows), None)
    if title is None:
        raise BadInput(f"{path}: is empty; a line that names columns was expected")
    _refuse_formulas(path, book[title], openpyxl.load_workbook(path, read_only=True)[title])
    unread = [name for name, rows in sheets.items() if rows and name != title]
    more = f"; not read: {', '.join(map(repr, unread))}" if unread else ""
    return WorkbookSheet(sheets[title], f"read from sheet {title!r}{more}")


def _names_columns(rows: list[tuple[int, tuple[str, ...]]]) -> bool:
    return any(sum(map(is_known, cells)) > 1 for _, cells in rows[:SAMPLE])


def _refuse_formulas(path: Path, values: Any, formulas: Any) -> None:
    """Raise BadInput where all formulas of a sheet were saved without a value, as scripts save them."""
    sheets = (sheet.iter_rows(values_only=True) for sheet in (values, formulas))
    cells = [
        (number, formula, value)
        for number, rows in enumerate(zip(*sheets, strict=False), start=1)
        for value, formula in zip(*rows, strict=False)
        if isinstance(formula, str) and formula.startswith("=")
    ]
    if cells and all(value is None for *_, value in cells):
        raise BadInput(
            f"{path}: line {cells[0][0]} has the formula {cells[0][1][:40]!r} without its value; open the file in "
            "Excel or LibreOffice and save it, or write the values"
        )


def _list_rows(sheet: Any) -> list[tuple[int, tuple[str, ...]]]:
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    lines = [(number, tuple(map(_write_cell, cells))) for number, cells in rows]
    filled = [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]
    width = max((index + 1 for _, cells in filled for index, cell in enumerate(cells) if cell.strip()), default=0)
    return [(number, cells[:width] + ("",) * (width - len(cells))) for number, cells in filled]


def _write_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return format_clock(value.total_seconds())
    if isinstance(value, time):
        return format_clock(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value).strip()
