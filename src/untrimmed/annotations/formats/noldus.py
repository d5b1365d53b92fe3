"""The Observer's exported event log: lines of states that start and stop, and of points."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from untrimmed.annotations.annotations import Dropped, Hints, Row
from untrimmed.annotations.formats.coded import Coded, clean_name, describe_unused_codes, parse_parts, read_modifiers
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import (
    DelimitedTable,
    TableLine,
    find_names,
    read_below_names,
    split_lines,
)
from untrimmed.annotations.formats.events import POINT, START, STOP, pair_events
from untrimmed.annotations.formats.text import parse_number
from untrimmed.annotations.formats.tiers import OBSERVATION, choose_tiers
from untrimmed.io import BadInput
from untrimmed.video.names import media_name

CLOCKS = ("time_relative_sf", "time_relative_hmsf", "time_relative_s", "time_relative_hms")
"""Columns of the time since the observation began, the exactest first."""

FRAMES = "time_relative_f"

NEEDED = ((*CLOCKS, FRAMES), ("behavior", "behaviour"), ("event_type",))

KINDS = {"state start": START, "state stop": STOP, "point": POINT, "state point": POINT}


def holds_observer_events(text: str) -> bool:
    """Say whether a text is an event log of The Observer."""
    return find_names(split_lines(text), NEEDED) is not None


def read_observer(path: Path, hints: Hints) -> FileContent:
    """Read the states, paired by observation, subject, behaviour and modifiers; points are dropped.

    An observation is a video. Where no line stops a state, the length that is stated with its start does.
    `hints.tiers` names the observations to read, `hints.label` what labels are made of, as in `behavior+subject`.
    Raises BadInput for a file that is no such log, and a line that cannot be read.
    """
    fault = "has no line of The Observer's names, such as 'Time_Relative_sf' and 'Event_Type'"
    table = read_below_names(path, NEEDED, fault)
    label_parts = parse_parts(path, hints.label)
    clock = table.find(*CLOCKS)
    if clock is None and hints.fps is None:
        raise BadInput(f"{path}: {FRAMES!r} counts frames; give frames a second (fps=25, --fps 25)")
    events: dict[str, list[Coded]] = defaultdict(list)
    stops = any(_read_type(table, line) == "state stop" for line in table.lines)
    for line in table.lines:
        name = media_name(line.read_text(table.find("observation"))) or path.stem
        events[name] += _read_events(table, line, stops, hints.fps)
    counts = {name: len(listed) for name, listed in events.items()}
    names, notes = choose_tiers(path, OBSERVATION, counts, hints.tiers)
    rows: dict[str, list[Row]] = {}
    dropped: list[Dropped] = []
    for name in names:
        rows[name], unpaired = pair_events(name, (event.to_event(label_parts) for event in events[name]))
        dropped += unpaired
    if clock and clock.name.lower().endswith("_hms"):
        notes = (*notes, "times are whole seconds: export 'Time_Relative_sf' for more")
    coded = [event for name in names for event in events[name]]
    notes = (
        *notes,
        "the file names no video: observations are taken as videos",
        *describe_unused_codes(coded, label_parts),
    )
    return FileContent(rows, dropped=tuple(dropped), notes=notes)


def _read_type(table: DelimitedTable, line: TableLine) -> str:
    return " ".join(line.read_text(table.find("event_type")).lower().split())


def _read_events(table: DelimitedTable, line: TableLine, stops: bool, fps: float | None) -> Iterator[Coded]:
    """Read the event of a line; with it that of its end, where no line stops a state."""
    word = _read_type(table, line)
    if word not in KINDS:
        raise BadInput(
            f"{table.path}: line {line.number} has the event type {word!r}; "
            "state start, state stop or point was expected"
        )
    clock = table.find(*CLOCKS)
    time = line.read_seconds(clock or table.find(FRAMES))
    if clock is None and fps:
        time /= fps
    behavior = line.read_text(table.find("behavior", "behaviour"))
    subject = clean_name(line.read_text(table.find("subject")))
    modifiers = read_modifiers(table, line)
    comment = line.read_text(table.find("comment"))
    bout = 0 if stops else line.number
    yield Coded(time, behavior, KINDS[word], subject, modifiers, comment, bout)
    length = parse_number(line.read_text(table.find("duration_sf"))) if not stops and KINDS[word] == START else None
    if length is not None:
        yield Coded(time + length, behavior, STOP, subject, modifiers, "", bout)
