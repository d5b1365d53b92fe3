"""BORIS projects (`.boris`): observations of videos, whose state events come in pairs of a start and a stop."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row, format_count
from untrimmed.annotations.formats.coded import Coded, clean_name, describe_unused_codes, parse_parts
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.events import EITHER, POINT, pair_events
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text, to_number, to_positive
from untrimmed.annotations.formats.labels import assign_lanes
from untrimmed.annotations.formats.tiers import OBSERVATION, choose_tiers
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline, classes_of
from untrimmed.video.names import media_name

FIRST = "1"
"""The player whose files are the videos; further ones show the same from elsewhere."""

IMAGES = "IMAGES"
"""The type of an observation of pictures."""


class MediaPart(NamedTuple):
    """One file of an observation, which begins where the previous one ends; seconds."""

    video: str
    begin: float
    length: float | None


class Observation(NamedTuple):
    """One observation: its files, put end to end, and its events on their common clock."""

    name: str
    parts: tuple[MediaPart, ...]
    events: tuple[Coded, ...]

    def find_part(self, time: float) -> MediaPart:
        """Return the file that plays at that time in seconds; the first file for an earlier time."""
        return next((part for part in reversed(self.parts) if part.begin <= time), self.parts[0])


def read_boris(path: Path, hints: Hints) -> FileContent:
    """Read the state events of all observations, paired by subject, behaviour and modifiers; points are dropped.

    A video is called as the file in the first player, and an observation without one (live) as itself; one of
    pictures is left out. `hints.tiers` names the observations to read, `hints.label` what labels are made of, as in
    `behavior+subject`. Raises BadInput where the structure is broken, and for two observations of one video.
    """
    project = as_object(f"{path}: the project", read_json(path))
    points = _find_points(path, project)
    listed = as_object(f"{path}: 'observations'", project.get("observations"))
    items = {name: as_object(f"{path}: observation {name!r}", item) for name, item in listed.items()}
    pictures = [name for name, item in items.items() if item.get("type") == IMAGES]
    items = {name: item for name, item in items.items() if name not in pictures}
    if pictures and not items:
        raise BadInput(
            f"{path}: has observations of pictures alone ({pictures[0]!r}), which have no times of a video"
        )
    counts = {name: len(item.get("events") or ()) for name, item in items.items()}
    names, notes = choose_tiers(path, OBSERVATION, counts, hints.tiers)
    if pictures:
        count = format_count(len(pictures), "observation of pictures is", "observations of pictures are")
        notes = (*notes, f"{count} left out, as pictures have no times: {', '.join(pictures)}")
    observations = []
    for name in names:
        place = f"{path}: observation {name!r}"
        observations.append(_read_observation(place, name, items[name], points))
        notes = (*notes, *_list_observation_notes(name, items[name]))
    content = pair_observations(path, observations, hints)
    return replace(content, notes=(*notes, *content.notes))


def pair_observations(path: Path, observations: Sequence[Observation], hints: Hints) -> FileContent:
    """Pair the events of observations into rows of their videos, each on the clock of its file.

    Raises BadInput where two observations are of one video: nobody merges two raters by accident.
    """
    label_parts = parse_parts(path, hints.label)
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    dropped: list[Dropped] = []
    owner: dict[str, str] = {}
    for observation in observations:
        for part in observation.parts:
            if first := owner.get(part.video):
                raise BadInput(
                    f"{path}: observation {observation.name!r} is of video {part.video!r}, and so is {first!r}; "
                    f"leave one of them out: name those to read (tiers=[{first!r}], convert --tier)"
                )
        pairs, unpaired = pair_events(observation.name, (event.to_event(label_parts) for event in observation.events))
        for row in unpaired:
            part = observation.find_part(row.start)
            dropped.append(replace(row, video=part.video, start=row.start - part.begin, end=row.end - part.begin))
        for part in observation.parts:
            owner[part.video] = observation.name
            rows[part.video] = [
                row._replace(start=row.start - part.begin, end=row.end - part.begin)
                for row in pairs
                if observation.find_part(row.start) == part
            ]
            if part.length:
                durations[part.video] = part.length
    coded = [event for observation in observations for event in observation.events]
    notes = [f"observation {name!r} is of video {video!r}" for video, name in owner.items() if name != video]
    if len(notes) > 1:
        notes = [f"{len(notes)} videos are called as the files of the observations: {notes[0]}, ..."]
    return FileContent(
        rows, durations, dropped=tuple(dropped), notes=(*notes, *describe_unused_codes(coded, label_parts))
    )


def write_boris(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a project of one observation a video; actions of one label that overlap get subjects of their own."""
    timelines = annotations.timelines
    empty = dict.fromkeys(("key", "description", "color", "category", "modifiers", "excluded", "coding map"), "")
    labels = enumerate(classes_of(timelines.values()))
    behaviours = {str(number): {"type": "State event", "code": label, **empty} for number, label in labels}
    events = {video: _write_events(timeline) for video, timeline in timelines.items()}
    subjects = sorted({subject for listed in events.values() for _, subject, *_ in listed if subject})
    project = {
        "time_format": "hh:mm:ss",
        "project_date": "1970-01-01T00:00:00",
        "project_name": "",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {str(n): {"key": "", "name": name, "description": ""} for n, name in enumerate(subjects)},
        "behaviors_conf": behaviours,
        "observations": {
            video: _write_observation(video, t.duration, events[video]) for video, t in timelines.items()
        },
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    write_json(path, project)


def _find_points(path: Path, project: Mapping[str, Any]) -> set[str]:
    """Find the behaviours that have no length."""
    behaviours = as_object(f"{path}: 'behaviors_conf'", project.get("behaviors_conf")).values()
    behaviours = [as_object(f"{path}: a behaviour", behaviour) for behaviour in behaviours]
    return {str(item.get("code")) for item in behaviours if "point" in str(item.get("type", "")).lower()}


def _read_observation(place: str, name: str, item: Mapping[str, Any], points: set[str]) -> Observation:
    players = as_object(f"{place}: 'file'", item.get("file") or {})
    listed = as_list(f"{place}: its files", players.get(FIRST) or [])
    files = [as_text(f"{place}: a file", file) for file in listed]
    info = as_object(f"{place}: 'media_info'", item.get("media_info") or {})
    lengths = as_object(f"{place}: 'length'", info.get("length") or {})
    # BORIS adds both to every time that it logs.
    offset = as_number(f"{place}: 'time offset'", item.get("time offset") or 0.0)
    if item.get("media_creation_date_as_offset") and files:
        created = as_object(f"{place}: 'media_creation_time'", info.get("media_creation_time") or {})
        offset += as_number(f"{place}: the time of creation of {files[0]!r}", created.get(files[0]))
    listed = as_list(f"{place}: 'events'", item.get("events"))
    events = tuple(_read_event(f"{place}: event {n}", event, offset, points) for n, event in enumerate(listed))
    seconds = [to_positive(lengths.get(file)) for file in files]
    parts = lay_parts(place, [media_name(file) for file in files], seconds)
    return Observation(name, parts or (MediaPart(name, 0.0, None),), events)


def lay_parts(place: str, videos: Sequence[str], seconds: Sequence[float | None]) -> tuple[MediaPart, ...]:
    """Lay the files of an observation end to end. Raises BadInput where one that others follow has no length."""
    if not all(seconds[:-1]):
        raise BadInput(f"{place} has several files of which one has no length; open it in BORIS, and save it")
    begins = accumulate((length or 0.0 for length in seconds[:-1]), initial=0.0)
    return tuple(MediaPart(*part) for part in zip(videos, begins, seconds, strict=False))


def _read_event(place: str, event: Any, offset: float, points: set[str]) -> Coded:
    cells = as_list(place, event)
    if len(cells) < 3:
        raise BadInput(f"{place} has {len(cells)} cells; a time, a subject and a behaviour were expected")
    code = as_text(f"{place}: its behaviour", cells[2])
    time = as_number(f"{place}: its time", cells[0]) - offset
    subject, modifiers, comment = ([*map(_to_text, cells), "", ""][column] for column in (1, 3, 4))
    return Coded(time, code, POINT if code in points else EITHER, clean_name(subject), clean_name(modifiers), comment)


def _to_text(cell: Any) -> str:
    return "" if cell is None else str(cell).encode("utf-8", "replace").decode()


def _list_observation_notes(name: str, item: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader of one observation should know: shifted times, other players, a part that was watched."""
    if offset := to_number(item.get("time offset")):
        yield describe_offset(name, offset)
    players = item["file"] if isinstance(item.get("file"), dict) else {}
    if further := [player for player, files in players.items() if player != FIRST and files]:
        players = format_count(len(further), "further player")
        yield f"observation {name!r}: the files of {players} show the same time, and are not read"
    info = item["media_info"] if isinstance(item.get("media_info"), dict) else {}
    offsets = info["offset"] if isinstance(info.get("offset"), dict) else {}
    if shift := to_number(offsets.get(FIRST)):
        yield (
            f"observation {name!r}: the offset of {shift:g} s of player 1 is not applied, as BORIS logs the times of "
            "that player itself"
        )
    interval = item.get("observation time interval")
    ends = [to_number(end) or 0.0 for end in interval] if isinstance(interval, list) else []
    if any(ends):
        until = f"{ends[1]:g} s" if len(ends) > 1 and ends[1] else "its end"
        yield f"observation {name!r} was watched from {ends[0]:g} s to {until} alone; nothing is known of the rest"


def describe_offset(name: str, offset: float) -> str:
    """Say that an observation's times are without its offset in seconds, which BORIS adds."""
    return f"observation {name!r}: times are those of BORIS less its time offset of {offset:g} s"


def _write_events(timeline: Timeline) -> list[list[Any]]:
    """List starts and stops by time, stops first: time, subject, behaviour, modifier, comment, frame."""
    edges = []
    for label in timeline.labels:
        rows = (Row(float(a.start), float(a.end), label) for a in timeline.actions if a.label == label)
        for number, lane in enumerate(assign_lanes(rows)):
            subject = f"subject {number + 1}" if number else ""
            edges += [(row.start, 1, subject, label) for row in lane] + [(row.end, 0, subject, label) for row in lane]
    return [[time, subject, label, "", "", "NA"] for time, _, subject, label in sorted(edges)]


def _write_observation(video: str, duration: float, events: list[list[Any]]) -> dict[str, Any]:
    players = {str(number): [video] if number == 1 else [] for number in range(1, 9)}
    info = {"length": {video: float(duration)}, "fps": {}, "hasVideo": {video: True}, "hasAudio": {video: False}}
    return {
        "file": players,
        "type": "MEDIA",
        "date": "1970-01-01T00:00:00",
        "description": "",
        "time offset": 0.0,
        "events": events,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "close_behaviors_between_videos": False,
        "media_info": {**info, "offset": {FIRST: 0.0}},
    }
