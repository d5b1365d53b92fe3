"""VIA 3's CSV: a line a segment, region or moment, below comments that name the columns and the attributes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Dropped, Hints, Row
from untrimmed.annotations.formats.content import FileContent, shorten_locations
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine, split_lines
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import read_any_text
from untrimmed.annotations.formats.via import (
    REGIONS,
    Attribute,
    find_labels,
    list_further,
    list_missing_options,
    list_via_notes,
    read_attributes,
)
from untrimmed.io import BadInput

HEADING = "CSV_HEADER"
"""The comment that names the columns; `ATTRIBUTE` has the attributes, their options too."""


def holds_via_segments(text: str) -> bool:
    """Say whether a text has the comments of VIA 3."""
    return any(_read_comment(line)[0] == HEADING for line in text.split("\n", 100)[:100])


def read_via_csv(path: Path, hints: Hints) -> FileContent:
    """Read the segments, labelled by the first of their attributes that has a value; the rest is said.

    Raises BadInput where the columns are not named, and for a line that cannot be read.
    """
    lines = read_any_text(path).split("\n")
    comments = dict(_read_comment(line) for line in lines if _read_comment(line)[0])
    if HEADING not in comments:
        raise BadInput(f"{path}: has no comment {HEADING!r} that names the columns; export it from VIA 3 again")
    names = tuple(name.strip().lower() for name in comments[HEADING].replace("\t", ",").split(",") if name.strip())
    attributes = _read_options(path, comments)
    data = [line if line.strip() and not _is_comment(line) else "" for line in lines]
    table = DelimitedTable(path, names, tuple(split_lines("\n".join(data), path)), "")
    files = [_read_file(table, line) for line in table.lines]
    videos = shorten_locations(path, files, hints.durations)
    rows: dict[str, list[Row]] = {videos[file]: [] for file in files}
    dropped: list[Dropped] = []
    unused: Counter[str] = Counter()
    missing: list[str] = []
    for file, line in zip(files, table.lines, strict=True):
        times = _read_times(table, line)
        metadata = as_object(f"{path}: line {line.number}: its metadata", _parse(table, line, "metadata") or {})
        values = {key: _to_text(value) for key, value in metadata.items()}
        if len(times) != 2 or _parse(table, line, "spatial_coordinates"):
            unused[REGIONS] += bool(times)
            continue
        labels = find_labels(attributes, values)
        unused.update(list_further(attributes, values))
        missing += list_missing_options(attributes, values)
        rows[videos[file]] += [Row(times[0], times[1], tidy_label(label)) for label in labels]
        if not labels:
            dropped.append(Dropped(videos[file], times[0], times[1], "", "has no label"))
    return FileContent(rows, dropped=tuple(dropped), notes=tuple(list_via_notes(unused, missing)))


def _is_comment(line: str) -> bool:
    return line.lstrip(' "').startswith("#")


def _read_comment(line: str) -> tuple[str, str]:
    """Read the name and value of a comment `# NAME = value`; two empty texts for any other line."""
    if not _is_comment(line):
        return "", ""
    name, mark, value = line.lstrip(' "#').partition("=")
    return (name.strip(), value.strip().rstrip(",")) if mark else ("", "")


def _read_options(path: Path, comments: dict[str, str]) -> dict[str, Attribute]:
    """Read what numbers of attributes and options mean; older exports have the names of attributes alone."""
    try:
        listed = json.loads(comments.get("ATTRIBUTE", "{}").strip('"').replace('""', '"') or "{}")
    except ValueError:
        raise BadInput(f"{path}: the comment 'ATTRIBUTE' is not JSON; export it from VIA 3 again") from None
    return read_attributes(path, listed)


def _parse(table: DelimitedTable, line: TableLine, name: str) -> Any:
    """Parse the JSON in a cell; None for an empty one."""
    text = line.read_text(table.find(name))
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise BadInput(
            f"{table.path}: line {line.number} has {text[:40]!r} for {name!r}; JSON was expected"
        ) from None


def _read_file(table: DelimitedTable, line: TableLine) -> str:
    place = f"{table.path}: line {line.number}: its file"
    files = _parse(table, line, "file_list")
    listed = as_list(place, [files] if isinstance(files, str) else files)
    return as_text(place, listed[0] if listed else None, empty=False)


def _read_times(table: DelimitedTable, line: TableLine) -> list[float]:
    """Read the times of a line, in one cell or, as older exports have them, in two."""
    place = f"{table.path}: line {line.number}: a time"
    if table.find("temporal_coordinates") is not None:
        return [as_number(place, time) for time in as_list(place, _parse(table, line, "temporal_coordinates") or [])]
    texts = [line.read_text(table.find(f"temporal_segment_{end}")) for end in ("start", "end")]
    return [as_number(place, text) for text in texts if text]


def _to_text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()
