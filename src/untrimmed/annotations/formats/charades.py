"""Charades' CSV: a line a video, with a list of actions like `c092 11.90 21.20;c147 0.00 12.60`."""

from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Hints, Row
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import read_delimited_table, write_table
from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number
from untrimmed.io import BadInput

COLUMNS = (
    *("id", "subject", "scene", "quality", "relevance", "verified", "script", "objects"),
    *("descriptions", "actions", "length"),
)


def read_charades(path: Path, hints: Hints) -> FileContent:
    """Read the actions of each video; labels are the codes of classes, as the file has them.

    Raises BadInput where a column is missing, for a video on two lines, and for an action that is not of that form.
    """
    table = read_delimited_table(path)
    columns = [table.find(name) for name in ("id", "actions", "length")]
    for name, column in zip(("id", "actions"), columns, strict=False):
        if column is None:
            raise BadInput(f"{path}: has no column {name!r}; a file of Charades was expected")
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    for line in table.lines:
        video, actions, seconds = map(line.read_text, columns)
        if not video or video in rows:
            raise BadInput(f"{path}: line {line.number} has the id {video!r}; every line needs one of its own")
        rows[video] = [_read_action(path, line.number, item) for item in actions.split(";") if item.strip()]
        if length := to_positive(parse_number(seconds)):
            durations[video] = length
    return FileContent(rows, durations)


def write_charades(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a line a video, times and lengths with all digits."""
    lines = []
    for video, timeline in annotations.timelines.items():
        actions = ";".join(f"{a.label} {float(a.start)!r} {float(a.end)!r}" for a in timeline.actions)
        lines.append((video, *[""] * 8, actions, float(timeline.duration)))
    write_table(path, COLUMNS, lines)


def _read_action(path: Path, number: int, item: str) -> Row:
    words = item.rsplit(None, 2)
    start, end = map(parse_number, words[1:]) if len(words) == 3 else (None, None)
    if start is None or end is None:
        raise BadInput(
            f"{path}: line {number} has the action {item[:40]!r}; a class, a start and an end were expected"
        )
    return Row(start, end, tidy_label(words[0]))
