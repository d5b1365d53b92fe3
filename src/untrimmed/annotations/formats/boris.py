"""BORIS projects (`.boris`): observations of videos, whose state events come in pairs of a start and a stop."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row
from untrimmed.annotations.formats.content import Content, media_name
from untrimmed.annotations.formats.events import EITHER, POINT, Event, pair_events
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text, to_positive
from untrimmed.annotations.formats.labels import assign_lanes, tidy_label
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline, classes_of

FIRST = "1"
"""The player whose files are the videos; further ones show the same from elsewhere."""


class MediaPart(NamedTuple):
    """One file of an observation, which begins where the previous one ends; seconds."""

    video: str
    begin: float
    length: float | None


class Observation(NamedTuple):
    """One observation: its files, put end to end, and its events on their common clock."""

    parts: tuple[MediaPart, ...]
    events: tuple[Event, ...]

    def find_part(self, time: float) -> MediaPart:
        """Return the file that plays at that time in seconds; the first file for an earlier time."""
        return next((part for part in reversed(self.parts) if part.begin <= time), self.parts[0])


def read_boris(path: Path, hints: Hints) -> Content:
    """Read the state events of all observations, paired by subject, behaviour and modifiers; points are dropped.

    A video is called as the file in the first player, and an observation without one (live) as itself. Raises
    BadInput where the structure is broken, and where two observations are of one video.
    """
    project = as_object(f"{path}: the project", read_json(path))
    points = _find_points(path, project)
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    dropped: list[Dropped] = []
    owner: dict[str, str] = {}
    for name, item in as_object(f"{path}: 'observations'", project.get("observations")).items():
        place = f"{path}: observation {name!r}"
        observation = _read_observation(place, name, as_object(place, item), points)
        pairs, unpaired = pair_events(name, observation.events)
        dropped += [replace(row, video=observation.find_part(row.start).video) for row in unpaired]
        for part in observation.parts:
            if first := owner.get(part.video):
                raise BadInput(f"{place} is of video {part.video!r}, and so is {first!r}; leave one of them out")
            owner[part.video] = name
            rows[part.video] = [
                row._replace(start=row.start - part.begin, end=row.end - part.begin)
                for row in pairs
                if observation.find_part(row.start) == part
            ]
            if part.length:
                durations[part.video] = part.length
    return Content(rows, durations, dropped=tuple(dropped))


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
    if not all(seconds[:-1]):
        raise BadInput(f"{place} has several files of which one has no length; open it in BORIS, and save it")
    begins = accumulate((length or 0.0 for length in seconds[:-1]), initial=0.0)
    files_in_time = zip(files, begins, seconds, strict=False)
    parts = tuple(MediaPart(media_name(file), begin, length) for file, begin, length in files_in_time)
    return Observation(parts or (MediaPart(name, 0.0, None),), events)


def _read_event(place: str, event: Any, offset: float, points: set[str]) -> Event:
    cells = as_list(place, event)
    if len(cells) < 3:
        raise BadInput(f"{place} has {len(cells)} cells; a time, a subject and a behaviour were expected")
    code = as_text(f"{place}: its behaviour", cells[2])
    time = as_number(f"{place}: its time", cells[0]) - offset
    return Event(time, tidy_label(code), POINT if code in points else EITHER, (str(cells[1]), str(cells[3:4])))


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
