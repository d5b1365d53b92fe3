"""BORIS' exported tables: events as they were logged, or aggregated to states, with or without a preamble."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints, format_count
from untrimmed.annotations.formats.boris import (
    FIRST,
    MediaPart,
    Observation,
    describe_offset,
    lay_parts,
    pair_observations,
)
from untrimmed.annotations.formats.coded import Coded, clean_name, read_modifiers
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import (
    DelimitedTable,
    TableLine,
    find_names,
    read_below_names,
    split_lines,
)
from untrimmed.annotations.formats.events import POINT, START, STOP
from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.text import parse_number
from untrimmed.annotations.formats.tiers import OBSERVATION, choose_tiers
from untrimmed.io import BadInput
from untrimmed.video.names import media_name

NEEDED = (
    ("behavior",),
    ("behavior type", "status"),
    ("time", "start (s)"),
    ("observation id", "media file name", "media file path", "media file", "total length"),
)
"""Of each of these, one is among the names of the columns."""

KINDS = {"START": START, "STOP": STOP, "POINT": POINT}


class ObservationInfo(NamedTuple):
    """What a line or a preamble says of its observation; `files` are of the first player, lengths in seconds."""

    name: str
    files: tuple[str, ...]
    lengths: tuple[float | None, ...]
    offset: float


def holds_boris_events(text: str) -> bool:
    """Say whether a text is a table of BORIS."""
    return find_names(split_lines(text), NEEDED) is not None


def read_boris_table(path: Path, hints: Hints) -> FileContent:
    """Read tabular or aggregated events. Times are without the offset, and of the file that played.

    `hints.tiers` names the observations to read, `hints.label` what labels are made of, as in `behavior+subject`.
    Raises BadInput for a table that is none of BORIS, a line that cannot be read, and two observations of one video.
    """
    fault = "has no line of BORIS' names, such as 'Behavior', 'Behavior type' and 'Time'"
    table = read_below_names(path, NEEDED, fault)
    preamble = _read_preamble(table)
    parts: dict[str, dict[str, MediaPart]] = {}
    events: dict[str, list[Coded]] = {}
    offsets: dict[str, float] = {}
    timeless = [line for line in table.lines if _is_timeless(table, line)]
    for line in (line for line in table.lines if not _is_timeless(table, line)):
        info = _read_info(table, line, preamble)
        events.setdefault(info.name, []).extend(_read_events(table, line, info.offset))
        offsets[info.name] = info.offset
        laid = lay_parts(f"{path}: observation {info.name!r}", [*map(media_name, info.files)], info.lengths)
        parts.setdefault(info.name, {}).update({part.video: part for part in laid})
    counts = {name: len(listed) for name, listed in events.items()}
    names, tier_notes = choose_tiers(path, OBSERVATION, counts, hints.tiers)
    notes = [*tier_notes, *(describe_offset(name, offsets[name]) for name in names if offsets[name])]
    if timeless:
        count = format_count(len(timeless), "event of pictures is", "events of pictures are")
        notes.append(f"{count} left out, as pictures have no time (the first is line {timeless[0].number})")
    observations = []
    for name in names:
        laid = tuple(parts[name].values())
        if len(laid) > 1 and any(part.begin == 0 for part in laid[1:]):
            raise BadInput(
                f"{path}: observation {name!r} is of several files, and the table does not say how long each is; "
                "use the project itself (.boris)"
            )
        observations.append(Observation(name, laid or (MediaPart(name, 0.0, None),), tuple(events[name])))
    content = pair_observations(path, observations, hints)
    return replace(content, notes=(*notes, *content.notes))


def _is_timeless(table: DelimitedTable, line: TableLine) -> bool:
    return line.read_text(table.find("start (s)", "time")).lower() in ("na", "nan")


def _read_preamble(table: DelimitedTable) -> ObservationInfo:
    """Read what stands above the line of names, as older versions write it."""
    words = [tuple(cell for cell in line.cells if cell) for line in table.above]
    values = {cells[0].lower(): cells[1] for cells in words if len(cells) > 1}
    files = tuple(cells[1] for cells in words if len(cells) > 1 and cells[0].lower() == f"player #{FIRST}")
    offset = parse_number(values.get("time offset (s)", "")) or 0.0
    return ObservationInfo(values.get("observation id", table.path.stem), files, (None,) * len(files), offset)


def _read_info(table: DelimitedTable, line: TableLine, preamble: ObservationInfo) -> ObservationInfo:
    """Read what a line says of its observation; what it does not say is that of the preamble."""
    name = line.read_text(table.find("observation id")) or preamble.name
    media = line.read_text(table.find("media file name", "media file path", "media file"))
    source = line.read_text(table.find("source"))
    stated = line.read_text(table.find("media duration (s)", "total length"))
    files = _read_first_player(source) or ((media,) if media and media.lower() not in ("na", "not found") else ())
    lengths = [to_positive(parse_number(word)) for word in stated.partition("|")[0].split(";")]
    offset = parse_number(line.read_text(table.find("time offset (s)")))
    files = files or preamble.files
    lengths = lengths if len(lengths) == len(files) else [None] * len(files)
    return ObservationInfo(name, files, tuple(lengths), preamble.offset if offset is None else offset)


def _read_first_player(source: str) -> tuple[str, ...]:
    """Read the files in `player #1:a.mp4;b.mp4|player #2:c.mp4`; none for anything else."""
    match = re.match(r"player #1:(.*?)(?:\|player #\d+:|$)", source, re.IGNORECASE)
    return tuple(file.strip() for file in match[1].split(";") if file.strip()) if match else ()


def _read_events(table: DelimitedTable, line: TableLine, offset: float) -> Iterator[Coded]:
    """Read the start, the stop or the point of a line, or both ends of an aggregated state."""
    behavior = line.read_text(table.find("behavior"))
    subject = clean_name(line.read_text(table.find("subject")))
    modifiers = read_modifiers(table, line)
    comment = line.read_text(table.find("comment", "comment start"))
    status = line.read_text(table.find("behavior type", "status")).upper()
    start = table.find("start (s)")
    if start is not None:
        begin, end = (line.read_seconds(column) - offset for column in (start, table.find("stop (s)")))
        if status == "POINT":
            yield Coded(begin, behavior, POINT, subject, modifiers, comment)
        else:
            yield Coded(begin, behavior, START, subject, modifiers, comment, line.number)
            yield Coded(end, behavior, STOP, subject, modifiers, "", line.number)
        return
    if status not in KINDS:
        raise BadInput(
            f"{table.path}: line {line.number} has the status {status!r}; START, STOP or POINT was expected"
        )
    time = line.read_seconds(table.find("time")) - offset
    yield Coded(time, behavior, KINDS[status], subject, modifiers, comment)
