"""The Observer's exported event log: lines of states that start and stop, and of points."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from untrimmed.annotations.annotations import Dropped, Hints, Row
from untrimmed.annotations.formats.coded import Coded, clean_name, list_unused, parse_parts
from untrimmed.annotations.formats.content import Content
from untrimmed.annotations.formats.events import POINT, START, STOP, pair_events
from untrimmed.annotations.formats.sheet import Sheet, SheetLine, cut_sheet, find_names, split_lines
from untrimmed.annotations.formats.text import parse_number, read_any_text
from untrimmed.annotations.formats.tiers import choose_tiers, list_tier_notes
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


def read_observer(path: Path, hints: Hints) -> Content:
    """Read the states, paired by observation, subject, behaviour and modifiers; points are dropped.

    An observation is a video. Where no line stops a state, the length that is stated with its start does.
    `hints.tiers` names the observations to read, `hints.label` what labels are made of, as in `behavior+subject`.
    Raises BadInput for a file that is no such log, and a line that cannot be read.
    """
    lines = split_lines(read_any_text(path))
    heading = find_names(lines, NEEDED)
    if heading is None:
        raise BadInput(f"{path}: has no line of The Observer's names, such as 'Time_Relative_sf' and 'Event_Type'")
    sheet = cut_sheet(path, lines, heading)
    label_parts = parse_parts(path, hints.label)
    clock = sheet.find(*CLOCKS)
    if clock is None and hints.fps is None:
        raise BadInput(f"{path}: {FRAMES!r} counts frames; give frames a second (fps=25, --fps 25)")
    events: dict[str, list[Coded]] = defaultdict(list)
    stops = any(_read_type(sheet, line) == "state stop" for line in sheet.lines)
    for line in sheet.lines:
        name = media_name(sheet.read(line, sheet.find("observation"))) or path.stem
        events[name] += _read_events(sheet, line, stops, hints.fps)
    counts = {name: len(listed) for name, listed in events.items()}
    read = choose_tiers(path, "observation", counts, hints.tiers)
    rows: dict[str, list[Row]] = {}
    dropped: list[Dropped] = []
    for name in read:
        rows[name], unpaired = pair_events(name, (event.to_event(label_parts) for event in events[name]))
        dropped += unpaired
    notes = list_tier_notes("observation", counts, read, hints.tiers) if hints.tiers else []
    if sheet.names[clock or 0].endswith("_hms"):
        notes.append("times are whole seconds: export 'Time_Relative_sf' for more")
    coded = [event for name in read for event in events[name]]
    notes += ["the file names no video: observations are taken as videos", *list_unused(coded, label_parts)]
    return Content(rows, dropped=tuple(dropped), notes=tuple(notes))


def _read_type(sheet: Sheet, line: SheetLine) -> str:
    return " ".join(sheet.read(line, sheet.find("event_type")).lower().split())


def _read_events(sheet: Sheet, line: SheetLine, stops: bool, fps: float | None) -> Iterator[Coded]:
    """Read the event of a line; with it that of its end, where no line stops a state."""
    word = _read_type(sheet, line)
    if word not in KINDS:
        raise BadInput(
            f"{sheet.path}: line {line.number} has the event type {word!r}; "
            "state start, state stop or point was expected"
        )
    clock = sheet.find(*CLOCKS)
    time = sheet.read_seconds(line, clock if clock is not None else sheet.find(FRAMES))
    if clock is None and fps:
        time /= fps
    behavior = sheet.read(line, sheet.find("behavior", "behaviour"))
    subject = clean_name(sheet.read(line, sheet.find("subject")))
    columns = [index for index, name in enumerate(sheet.names) if re.fullmatch(r"modifiers?(_\d+)?", name)]
    modifiers = "|".join(filter(None, (clean_name(sheet.read(line, column)) for column in columns)))
    comment = sheet.read(line, sheet.find("comment"))
    bout = 0 if stops else line.number
    yield Coded(time, behavior, KINDS[word], subject, modifiers, comment, bout)
    length = parse_number(sheet.read(line, sheet.find("duration_sf"))) if not stops and KINDS[word] == START else None
    if length is not None:
        yield Coded(time + length, behavior, STOP, subject, modifiers, "", bout)
