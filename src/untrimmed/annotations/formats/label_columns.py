"""Which of a table's columns is the label, by what is in them: words go before numbers, which may mark negatives."""

from collections import defaultdict
from dataclasses import replace

from untrimmed.annotations.annotations import format_count
from untrimmed.annotations.formats.columns import Column, Columns, find_class_columns
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine
from untrimmed.annotations.formats.text import parse_number

NEGATIVE, POSITIVE = -1.0, 1.0
"""How HACS' table of clips marks whether the class of a line goes on in it."""


def settle_label(table: DelimitedTable, columns: Columns, label: str | None) -> Columns:
    """Take a column of words for the label before one of numbers, unless somebody names the `label`.

    A column of the numbers -1 and 1 beside the label then says where the class does not go on; so does one of 0 and
    1, where one class has both.
    """
    candidates = [column for column in find_class_columns(table.columns) if column.index not in columns.indices]
    if not label and len(columns.label) == 1 and _holds_numbers(table, columns.label[0]):
        words = next((column for column in candidates if _holds_words(table, column)), None)
        if words:
            candidates = [columns.label[0], *(column for column in candidates if column != words)]
            columns = replace(columns, label=(words,))
    marks = next((column for column in candidates if _holds_marks(table, column, columns)), None)
    return replace(columns, negative=marks)


def is_negative(line: TableLine, columns: Columns) -> bool:
    """Whether a line says that its class does not go on in it."""
    value = parse_number(line.read_text(columns.negative)) if columns.negative else None
    return value is not None and value <= 0


def describe_negatives(table: DelimitedTable, columns: Columns) -> tuple[str, ...]:
    """Say how many lines are left out as negatives, and the first."""
    lines = [line for line in table.lines if is_negative(line, columns)]
    if not lines or not columns.negative:
        return ()
    words = " ".join(map(lines[0].read_text, columns.label))
    mark = lines[0].read_text(columns.negative)
    count = format_count(len(lines), "line is", "lines are")
    return (
        f"{count} left out as negative, {columns.negative.name!r} being {mark}: "
        f"the first is line {lines[0].number}, {words!r}",
    )


def _list_values(table: DelimitedTable, column: Column) -> list[str]:
    return [text for text in (line.read_text(column) for line in table.lines) if text]


def _holds_numbers(table: DelimitedTable, column: Column) -> bool:
    values = _list_values(table, column)
    return bool(values) and all(parse_number(text) is not None for text in values)


def _holds_words(table: DelimitedTable, column: Column) -> bool:
    values = _list_values(table, column)
    return len(values) == len(table.lines) and not any(parse_number(text) is not None for text in values)


def _holds_marks(table: DelimitedTable, column: Column, columns: Columns) -> bool:
    """Whether a column holds -1 and 1, or 0 and 1 of which one class has both."""
    values = {parse_number(text) for text in _list_values(table, column)}
    if NEGATIVE in values:
        return values <= {NEGATIVE, POSITIVE}
    by_class: dict[tuple[str, ...], set[float | None]] = defaultdict(set)
    for line in table.lines:
        by_class[tuple(map(line.read_text, columns.label))].add(parse_number(line.read_text(column)))
    return values == {0.0, POSITIVE} and any(len(marks) > 1 for marks in by_class.values())
