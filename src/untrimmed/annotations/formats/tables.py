"""Tables in and out: a line an action, for spreadsheets and other programs."""

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.base import Annotations, Dropped, Row
from untrimmed.annotations.formats.columns import FRAMES, MILLISECONDS, Column, Columns, find_lengths, guess_columns
from untrimmed.annotations.formats.content import Content, Hints, short_names
from untrimmed.annotations.formats.delimited import MARKS, Line, Table, read_table
from untrimmed.annotations.formats.labels import tidy
from untrimmed.annotations.formats.pairing import EITHER, POINT, START, STOP, Event, paired
from untrimmed.annotations.formats.text import number_in, seconds_in
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

COLUMNS = ("video", "start", "end", "label", "score")

KINDS = {"start": START, "stop": STOP, "state start": START, "state stop": STOP, "point": POINT, "state": EITHER}
"""How tables of events call them."""


class Cells(NamedTuple):
    """One line by the meaning of its columns."""

    path: Path
    line: Line

    def text(self, column: Column | None) -> str:
        """What stands in a column, without blanks around it; nothing for no column."""
        return self.line.cells[column.place].strip() if column else ""

    def number(self, column: Column, what: str, clock: bool = False) -> float:
        """The number, or the time of a clock, in a column; BadInput with the line for anything else."""
        text = self.text(column)
        value = seconds_in(text) if clock else number_in(text)
        if value is None:
            raise BadInput(f"{self.path}: line {self.line.number} has {text[:40]!r} for {column.name!r}; {what}")
        return value

    def seconds(self, column: Column, rate: float | None) -> float:
        """A time in seconds, whatever the unit of its column."""
        if column.unit == FRAMES:
            if rate is None:
                raise BadInput(f"{self.path}: {column.name!r} counts frames; give frames a second, as in --fps 25")
            return self.number(column, "a number of frames was expected") / rate
        value = self.number(column, "seconds, or a time like 00:01:02.5, were expected", clock=True)
        return value / 1000 if column.unit == MILLISECONDS else value


def read_tabular(path: Path, hints: Hints) -> Content:
    """The actions in a table with one on each line, or with one start or stop on each; see `guess_columns`.

    A line that has neither start nor end but a video says that there is such a video. What the columns were taken
    for is noted. Raises BadInput where columns are missing and for a cell that is not what its column holds.
    """
    table = read_table(path)
    columns = guess_columns(path, table.columns, hints.label)
    cells = [Cells(path, line) for line in table.lines]
    places = [one.text(columns.video) if columns.video else path.stem for one in cells]
    if nameless := next((one.line.number for one, place in zip(cells, places, strict=True) if not place), None):
        raise BadInput(f"{path}: line {nameless} names no video; fill it in")
    names = short_names(path, places)
    videos = [names[place] for place in places]
    durations, subsets = _stated(videos, cells, columns)
    rows: dict[str, list[Row]] = {video: [] for video in videos}
    dropped: list[Dropped] = []
    events: dict[str, list[Event]] = defaultdict(list)
    for video, one in zip(videos, cells, strict=True):
        if columns.of_events:
            events[video].append(_event(one, columns, hints))
        else:
            rows[video] += _row(one, columns, hints)
    for video in events:
        pairs = paired(video, events[video])
        rows[video] += pairs.rows
        dropped += pairs.dropped
    return Content(rows, durations, subsets, tuple(dropped), _notes(table, columns, hints))


def read_lengths(path: Path) -> dict[str, float]:
    """Seconds by video, from a table with columns for a video and its duration."""
    table = read_table(path)
    video, length = find_lengths(path, table.columns)
    cells = [Cells(path, line) for line in table.lines]
    names = short_names(path, [one.text(video) for one in cells])
    found = {names[one.text(video)]: one.seconds(length, None) for one in cells}
    for name, seconds in found.items():
        if not 0 < seconds < math.inf:
            raise BadInput(f"{path}: video {name!r} has the length {seconds:g}; a positive number was expected")
    return found


def write_csv(path: Path, timelines: Mapping[str, Timeline]) -> None:
    """Write every action with its video; start and end in seconds, all digits kept, quoted where a label needs it."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video, timeline in timelines.items():
        for action in timeline.actions:
            writer.writerow((video, float(action.start), float(action.end), action.label, float(action.score)))
    write_text(path, table.getvalue())


def write_tabular(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a table that loses nothing: lengths, subsets where there are some, and videos without actions too.

    Cells are parted by tabs where the path ends in `.tsv`, else by commas.
    """
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    subsets = annotations.subsets
    writer.writerow((*COLUMNS, "video_duration", *(["subset"] if subsets else [])))
    for video, timeline in annotations.timelines.items():
        of_video = (float(timeline.duration), *([subsets.get(video, "")] if subsets else []))
        actions = [(float(a.start), float(a.end), a.label, float(a.score)) for a in timeline.actions]
        writer.writerows((video, *action, *of_video) for action in actions or [("", "", "", "")])
    write_text(path, table.getvalue())


def _row(one: Cells, columns: Columns, hints: Hints) -> Iterator[Row]:
    begin, end = columns.start, columns.end or columns.length
    if begin is None or end is None or not (one.text(begin) or one.text(end)):
        return
    rate = _rate(one, columns, hints)
    start, stop = one.seconds(begin, rate), one.seconds(end, rate)
    score = one.number(columns.score, "a score was expected") if one.text(columns.score) and columns.score else 1.0
    yield Row(start, stop if columns.end else start + stop, _label(one, columns), score)


def _event(one: Cells, columns: Columns, hints: Hints) -> Event:
    status = one.text(columns.status).lower()
    if columns.time is None or status not in KINDS:
        raise BadInput(f"{one.path}: line {one.line.number} has the status {status!r}; START or STOP was expected")
    key = tuple(one.text(column) for column in columns.subjects)
    time = one.seconds(columns.time, _rate(one, columns, hints))
    return Event(time, _label(one, columns), KINDS[status], key)


def _label(one: Cells, columns: Columns) -> str:
    return tidy(" ".join(filter(None, map(one.text, columns.label))))


def _rate(one: Cells, columns: Columns, hints: Hints) -> float | None:
    stated = number_in(one.text(columns.fps))
    return hints.fps or (stated if stated and 0 < stated < math.inf else None)


def _stated(videos: list[str], cells: list[Cells], columns: Columns) -> tuple[dict[str, float], dict[str, str]]:
    """Lengths and subsets of the videos whose lines state them."""
    durations, subsets = {}, {}
    for video, one in zip(videos, cells, strict=True):
        length = seconds_in(one.text(columns.video_length)) if columns.video_length else None
        if length is not None and 0 < length < math.inf and columns.video_length:
            durations[video] = length / 1000 if columns.video_length.unit == MILLISECONDS else length
        if subset := one.text(columns.subset):
            subsets[video] = subset
    return durations, subsets


def _notes(table: Table, columns: Columns, hints: Hints) -> tuple[str, ...]:
    used = str(columns)
    notes = [f"columns, parted by {MARKS[table.mark]}: {used}"]
    if columns.video is None:
        notes.append("no column names the video: it is called as the file")
    timed = (columns.start, columns.end, columns.time)
    if hints.fps and any(column and column.unit == FRAMES for column in timed):
        notes.append(f"frames at {hints.fps:g} a second")
    return tuple(notes)
