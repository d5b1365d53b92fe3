"""Tables that stand as JSON: an object a line (`.jsonl`, `.ndjson`), or a list of objects, each a row."""

import json
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

from untrimmed.annotations.formats.columns import is_start
from untrimmed.annotations.formats.text import read_any_text
from untrimmed.io import BadInput, parse_json

ENDINGS = (".jsonl", ".ndjson")


class JsonRows(NamedTuple):
    """The keys of all objects, in the order in which they come, and the objects by their numbers from 1."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def holds_json_rows(path: Path) -> bool:
    """Return whether a file is called as JSON."""
    return path.name.lower().removesuffix(".gz").endswith((".json", *ENDINGS))


def are_json_rows(content: Any) -> bool:
    """Return whether JSON is a list of flat objects, of which the first has a start."""
    rows = isinstance(content, list) and all(isinstance(item, dict) for item in content)
    flat = rows and not any(isinstance(value, dict | list) for item in content for value in item.values())
    return flat and bool(content) and any(map(is_start, content[0]))


def read_json_rows(path: Path) -> JsonRows:
    """Read the rows as text cell by cell. Raises BadInput for what is no object of texts and numbers."""
    text = read_any_text(path)
    if path.name.lower().removesuffix(".gz").endswith(ENDINGS):
        items = [(number, _parse_line(path, number, line)) for number, line in enumerate(text.split("\n"), start=1)]
    else:
        items = list(enumerate(parse_json(path, text.encode()), start=1))
    rows = [(number, _check_row(path, number, item)) for number, item in items if item is not None]
    columns = tuple(dict.fromkeys(key for _, row in rows for key in row))
    cells = ((number, tuple(_write_cell(row.get(key)) for key in columns)) for number, row in rows)
    return JsonRows(columns, tuple(cells))


def _parse_line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line) if line.strip() else None
    except (ValueError, RecursionError):
        raise BadInput(
            f"{path}: line {number} is not JSON but {line[:40]!r}; one object a line was expected"
        ) from None


def _check_row(path: Path, number: int, item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise BadInput(
            f"{path}: line {number} is {short(item)}; an object with a start, an end and a label was expected"
        )
    if key := next((key for key, value in item.items() if isinstance(value, dict | list)), None):
        raise BadInput(
            f"{path}: holds one JSON object a line, and {key!r} in line {number} is {short(item[key])}; write a line "
            "for each action, with its video, start, end and label, or one JSON file of another format"
        )
    return item


def _write_cell(value: Any) -> str:
    return "" if value is None else str(value).encode("utf-8", "replace").decode().strip()
