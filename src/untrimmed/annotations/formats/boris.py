"""BORIS projects (`.boris`): observations of videos, whose state events come in pairs of a start and a stop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.formats.base import Annotations, Dropped, Row
from untrimmed.annotations.formats.content import Content, Hints, media_name
from untrimmed.annotations.formats.json_parts import list_at, number_at, positive_or_none, table_at, text_at
from untrimmed.annotations.formats.labels import lanes, tidy
from untrimmed.annotations.formats.pairing import EITHER, POINT, Event, paired
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline, classes_of

FIRST = "1"
"""The player whose files are the videos; further ones show the same from elsewhere."""


class Part(NamedTuple):
    """One file of an observation, which begins where the one before it ends; seconds."""

    video: str
    begin: float
    length: float | None


class Observed(NamedTuple):
    """One observation: its files, put end to end, and its events on their common clock."""

    parts: tuple[Part, ...]
    events: tuple[Event, ...]

    def at(self, time: float) -> Part:
        """The file that is on at that time; the first for what comes before it."""
        return max((part for part in self.parts if part.begin <= time), key=_begin, default=self.parts[0])


def read_boris(path: Path, hints: Hints) -> Content:
    """The state events of all observations, paired by subject, behaviour and modifiers; point events are dropped.

    A video is called as the file in the first player, and an observation without one (live) as itself. Raises
    BadInput where the structure is broken, and where two observations are of one video.
    """
    project = table_at(f"{path}: the project", read_json(path))
    points = _points(path, project)
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    dropped: list[Dropped] = []
    owner: dict[str, str] = {}
    for name, observation in table_at(f"{path}: 'observations'", project.get("observations")).items():
        place = f"{path}: observation {name!r}"
        observed = _observed(place, name, table_at(place, observation), points)
        pairs = paired(name, observed.events)
        dropped += [replace(row, video=observed.at(row.start).video) for row in pairs.dropped]
        for part in observed.parts:
            if other := owner.get(part.video):
                raise BadInput(f"{place} is of video {part.video!r}, and so is {other!r}; leave one of them out")
            owner[part.video] = name
            rows[part.video] = [_moved(row, part.begin) for row in pairs.rows if observed.at(row.start) == part]
            if part.length:
                durations[part.video] = part.length
    return Content(rows, durations, dropped=tuple(dropped))


def write_boris(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a project of one observation a video; actions of one label that overlap get subjects of their own."""
    timelines = annotations.timelines
    behaviours = {str(number): _behaviour(label) for number, label in enumerate(classes_of(timelines.values()))}
    subjects: set[str] = set()
    observations = {}
    for video, timeline in timelines.items():
        events = _events(timeline)
        subjects |= {event[1] for event in events}
        observations[video] = _observation(video, timeline.duration, events)
    names = enumerate(sorted(subjects - {""}))
    project = {
        "time_format": "hh:mm:ss",
        "project_date": "1970-01-01T00:00:00",
        "project_name": "",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {str(number): {"key": "", "name": name, "description": ""} for number, name in names},
        "behaviors_conf": behaviours,
        "observations": observations,
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    write_json(path, project)


def _points(path: Path, project: Mapping[str, Any]) -> set[str]:
    """The behaviours that have no length."""
    behaviours = table_at(f"{path}: 'behaviors_conf'", project.get("behaviors_conf")).values()
    defined = [table_at(f"{path}: a behaviour", behaviour) for behaviour in behaviours]
    return {str(one.get("code")) for one in defined if "point" in str(one.get("type", "")).lower()}


def _observed(place: str, name: str, observation: Mapping[str, Any], points: set[str]) -> Observed:
    players = table_at(f"{place}: 'file'", observation.get("file") or {})
    media = [text_at(f"{place}: a file", file) for file in list_at(f"{place}: its files", players.get(FIRST) or [])]
    info = table_at(f"{place}: 'media_info'", observation.get("media_info") or {})
    lengths = table_at(f"{place}: 'length'", info.get("length") or {})
    known = tuple(positive_or_none(lengths.get(file)) for file in media)
    # BORIS adds both to every time that it logs.
    offset = number_at(f"{place}: 'time offset'", observation.get("time offset") or 0.0)
    if observation.get("media_creation_date_as_offset") and media:
        created = table_at(f"{place}: 'media_creation_time'", info.get("media_creation_time") or {})
        offset += number_at(f"{place}: the time of creation of {media[0]!r}", created.get(media[0]))
    listed = list_at(f"{place}: 'events'", observation.get("events"))
    events = tuple(_event(f"{place}: event {n}", event, offset, points) for n, event in enumerate(listed))
    return Observed(_parts(place, media, known) if media else (Part(name, 0.0, None),), events)


def _event(place: str, event: Any, offset: float, points: set[str]) -> Event:
    cells = list_at(place, event)
    if len(cells) < 3:
        raise BadInput(f"{place} has {len(cells)} cells; a time, a subject and a behaviour were expected")
    code = text_at(f"{place}: its behaviour", cells[2])
    kind = POINT if code in points else EITHER
    return Event(
        number_at(f"{place}: its time", cells[0]) - offset, tidy(code), kind, (str(cells[1]), str(cells[3:4]))
    )


def _parts(place: str, files: Sequence[str], lengths: Sequence[float | None]) -> tuple[Part, ...]:
    if not all(lengths[:-1]):
        raise BadInput(f"{place} has several files of which one has no length; open it in BORIS, and save it")
    begins = accumulate((length or 0.0 for length in lengths[:-1]), initial=0.0)
    together = zip(files, begins, lengths, strict=True)
    return tuple(Part(media_name(file), begin, length) for file, begin, length in together)


def _begin(part: Part) -> float:
    return part.begin


def _moved(row: Row, begin: float) -> Row:
    return row._replace(start=row.start - begin, end=row.end - begin) if begin else row


def _behaviour(label: str) -> dict[str, str]:
    empty = dict.fromkeys(("key", "description", "color", "category", "modifiers", "excluded", "coding map"), "")
    return {"type": "State event", "code": label, **empty}


def _events(timeline: Timeline) -> list[list[Any]]:
    """Starts and stops by time, at one time the stops first: time, subject, behaviour, modifier, comment, frame."""
    edges = []
    for label in timeline.labels:
        same = (Row(float(a.start), float(a.end), label) for a in timeline.actions if a.label == label)
        for number, lane in enumerate(lanes(same)):
            subject = f"subject {number + 1}" if number else ""
            edges += [(row.start, 1, subject, label) for row in lane] + [(row.end, 0, subject, label) for row in lane]
    return [[time, subject, label, "", "", "NA"] for time, _, subject, label in sorted(edges)]


def _observation(video: str, duration: float, events: list[list[Any]]) -> dict[str, Any]:
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
