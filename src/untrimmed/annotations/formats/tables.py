"""Tables in and out: a line an action, for spreadsheets and other programs."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row
from untrimmed.annotations.formats.columns import FRAMES, MILLISECONDS, Columns, find_durations, guess_columns
from untrimmed.annotations.formats.content import Content, shorten_names
from untrimmed.annotations.formats.csv_table import DELIMITERS, DelimitedTable, TableLine, read_table, write_table
from untrimmed.annotations.formats.events import EITHER, POINT, START, STOP, Event, pair_events
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, parse_seconds
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

COLUMNS = ("video", "start", "end", "label", "score")

KINDS = {"start": START, "stop": STOP, "state start": START, "state stop": STOP, "point": POINT, "state": EITHER}
"""How tables of events call them."""


def read_tabular(path: Path, hints: Hints) -> Content:
    """Read a table with an action on each line, or with a start or stop on each; see `guess_columns`.

    A line that has neither start nor end but a video says that there is such a video. The meaning that was guessed
    for the columns is noted. Raises BadInput where columns are missing and for a cell that is not what its column
    holds.
    """
    table = read_table(path)
    columns = guess_columns(path, table.columns, hints.label)
    locations = [line.read_text(columns.video) if columns.video else path.stem for line in table.lines]
    if "" in locations:
        raise BadInput(f"{path}: line {table.lines[locations.index('')].number} names no video; fill it in")
    names = shorten_names(path, locations)
    videos = [names[location] for location in locations]
    rows: dict[str, list[Row]] = {video: [] for video in videos}
    dropped: list[Dropped] = []
    events: dict[str, list[Event]] = defaultdict(list)
    durations, subsets = _read_video_columns(videos, table.lines, columns)
    for video, line in zip(videos, table.lines, strict=True):
        if columns.holds_events:
            events[video].append(_read_event(line, columns, hints))
        else:
            rows[video] += _read_row(line, columns, hints)
    for video in events:
        pairs, unpaired = pair_events(video, events[video])
        rows[video] += pairs
        dropped += unpaired
    return Content(rows, durations, subsets, tuple(dropped), _list_notes(table, columns, hints))


def read_duration_table(path: Path) -> dict[str, float]:
    """Read seconds by video from a table with columns for a video and its duration."""
    table = read_table(path)
    video, length = find_durations(path, table.columns)
    names = shorten_names(path, [line.read_text(video) for line in table.lines])
    durations = {names[line.read_text(video)]: line.read_seconds(length, None) for line in table.lines}
    for name, seconds in durations.items():
        if not 0 < seconds < math.inf:
            raise BadInput(f"{path}: video {name!r} has the length {seconds:g}; a positive number was expected")
    return durations


def write_csv(path: str | Path, timelines: Mapping[str, Timeline]) -> None:
    """Write every action with its video; start and end in seconds with all digits."""
    rows = ((video, *cells) for video, timeline in timelines.items() for cells in _list_actions(timeline))
    write_table(Path(path), COLUMNS, rows)


def write_tabular(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a table that loses nothing: lengths, subsets where there are some, and videos without actions too.

    Cells are separated by tabs where the path ends in `.tsv`, else by commas.
    """
    subsets = annotations.subsets
    columns = (*COLUMNS, "video_duration", *(["subset"] if subsets else []))
    rows: list[tuple[object, ...]] = []
    for video, timeline in annotations.timelines.items():
        video_cells = (float(timeline.duration), *([subsets.get(video, "")] if subsets else []))
        rows += [(video, *cells, *video_cells) for cells in _list_actions(timeline) or [("", "", "", "")]]
    write_table(path, columns, rows, "\t" if path.suffix.lower() == ".tsv" else ",")


def _list_actions(timeline: Timeline) -> list[tuple[object, ...]]:
    return [(float(a.start), float(a.end), a.label, float(a.score)) for a in timeline.actions]


def _read_row(line: TableLine, columns: Columns, hints: Hints) -> Iterator[Row]:
    begin, end = columns.start, columns.end or columns.length
    if begin is None or end is None or not (line.read_text(begin) or line.read_text(end)):
        return
    rate = _find_rate(line, columns, hints)
    start, stop = line.read_seconds(begin, rate), line.read_seconds(end, rate)
    scored = columns.score and line.read_text(columns.score)
    score = line.read_number(columns.score, "a score was expected") if scored and columns.score else 1.0
    yield Row(start, stop if columns.end else start + stop, _read_label(line, columns), score)


def _read_event(line: TableLine, columns: Columns, hints: Hints) -> Event:
    status = line.read_text(columns.status).lower()
    if columns.time is None or status not in KINDS:
        raise BadInput(f"{line.path}: line {line.number} has the status {status!r}; START or STOP was expected")
    key = tuple(map(line.read_text, columns.subjects))
    time = line.read_seconds(columns.time, _find_rate(line, columns, hints))
    return Event(time, _read_label(line, columns), KINDS[status], key)


def _read_label(line: TableLine, columns: Columns) -> str:
    return tidy_label(" ".join(filter(None, map(line.read_text, columns.label))))


def _find_rate(line: TableLine, columns: Columns, hints: Hints) -> float | None:
    rate = parse_number(line.read_text(columns.fps))
    return hints.fps or (rate if rate and 0 < rate < math.inf else None)


def _read_video_columns(
    videos: Sequence[str], lines: Sequence[TableLine], columns: Columns
) -> tuple[dict[str, float], dict[str, str]]:
    """Read lengths in seconds and subsets of the videos whose lines state them."""
    durations, subsets = {}, {}
    for video, line in zip(videos, lines, strict=True):
        length = parse_seconds(line.read_text(columns.video_length)) if columns.video_length else None
        if length is not None and 0 < length < math.inf and columns.video_length:
            durations[video] = length / 1000 if columns.video_length.unit == MILLISECONDS else length
        if subset := line.read_text(columns.subset):
            subsets[video] = subset
    return durations, subsets


def _list_notes(table: DelimitedTable, columns: Columns, hints: Hints) -> tuple[str, ...]:
    notes = [f"columns, parted by {DELIMITERS[table.delimiter]}: {columns}"]
    if columns.video is None:
        notes.append("no column names the video: it is called as the file")
    times = (columns.start, columns.end, columns.time)
    if hints.fps and any(column and column.unit == FRAMES for column in times):
        notes.append(f"frames at {hints.fps:g} a second")
    return tuple(notes)
