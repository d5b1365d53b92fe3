"""ActivityNet's JSON in and out: annotations (three shapes of the same thing) and detections."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from reprlib import repr as short
from typing import Any, NoReturn

from untrimmed.annotations.formats.base import Annotations, Row, collect, judge, last_end
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Action, Timeline

VERSION = "VERSION 1.3"
"""What the official programs expect in a file; nothing in the format depends on it."""

PROPOSAL = "proposal"
"""The label of a detection that has none, as in files of proposals."""


def read_annotations(
    path: Path, *, durations: Mapping[str, float] | None = None, classes: Collection[str] = ()
) -> Annotations:
    """The annotations in a JSON file, `.gz` too.

    Three shapes are known: ActivityNet's `{"database": {video: entry}}`, the same without `database`, and one
    video's `{"video": "name.mp4", "duration": ..., "annotations": [...]}`, whose name loses its ending. An entry
    holds `annotations`, each a `label` and a `segment` of two seconds (numbers, or numbers as text), and may hold
    `duration` and `subset`. A video without a duration takes the one in `durations`, or else ends with its last
    action. Labels outside `classes`, or outside the list that the file itself has under `classes`, are dropped.
    Raises BadInput where the structure is broken; segments that cannot be used are listed in `dropped`.
    """
    content = read_json(path)
    rows: dict[str, tuple[Row, ...]] = {}
    known: dict[str, float] = {}
    subsets: dict[str, str] = {}
    for video, entry in _entries(path, content).items():
        place = f"{path}: video {_text(f'{path}: video', video)!r}"
        if not isinstance(entry, dict) or not isinstance(entry.get("annotations"), list):
            raise BadInput(f"{place} has no list of annotations; add one, empty if nothing happens in it")
        rows[video] = tuple(_row(place, number, item, None) for number, item in enumerate(entry["annotations"]))
        stated = entry["duration"] if entry.get("duration") is not None else (durations or {}).get(video)
        if stated is not None:
            known[video] = _duration(place, stated)
        if entry.get("subset") is not None:
            subsets[video] = _text(f"{place}: its subset", entry["subset"])
    stated_classes = _classes(path, content)
    timelines, dropped = collect(path, rows, known, tuple(classes) or stated_classes)
    return Annotations(timelines, subsets, dropped, rows, stated_classes)


def write_annotations(
    path: Path, timelines: Mapping[str, Timeline], subsets: Mapping[str, str] | None = None
) -> None:
    """Write annotations as ActivityNet does, with all digits; scores are left out, as an annotation is certain."""
    database = {}
    for video, timeline in timelines.items():
        annotations = [{"label": action.label, "segment": _segment(action)} for action in timeline.actions]
        subset = {"subset": subsets[video]} if subsets and video in subsets else {}
        database[video] = {**subset, "duration": float(timeline.duration), "annotations": annotations}
    write_json(path, {"version": VERSION, "database": database})


def read_detections(path: Path) -> Annotations:
    """The detections in a JSON file `{"results": {video: [{"label", "score", "segment"}]}}`, `.gz` too.

    A detection without a label gets the label `proposal`. Lengths stand under `durations` where we wrote the file;
    any other video ends with its last detection, and one without any is left out. Ends are never clipped.
    Raises BadInput where the structure is broken; detections that cannot be used are listed in `dropped`.
    """
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        _refuse(path, content, "results", "detections")
    stated = content.get("durations", {})
    if not isinstance(stated, dict):
        raise BadInput(f"{path}: 'durations' is {short(stated)}; seconds by video were expected")
    rows, timelines, dropped = {}, {}, []
    for video, items in results.items():
        place = f"{path}: video {_text(f'{path}: video', video)!r}"
        if not isinstance(items, list):
            raise BadInput(f"{place} has {short(items)} for results; a list of detections was expected")
        rows[video] = tuple(_row(place, number, item, PROPOSAL) for number, item in enumerate(items))
        judged = judge(video, rows[video])
        dropped += judged.dropped
        duration = _duration(place, stated[video]) if video in stated else last_end(rows[video])
        if duration is not None:
            timelines[video] = Timeline(duration, judged.actions)
    return Annotations(timelines, {}, tuple(dropped), rows)


def read_results(path: Path) -> dict[str, Timeline]:
    """The detections in a JSON file, a timeline a video; BadInput where one of them cannot be used."""
    detections = read_detections(path)
    if detections.dropped:
        raise BadInput(
            f"{path}: {len(detections.dropped)} detections cannot be used, the first in {detections.dropped[0]}; "
            "leave them out or clip them to the video"
        )
    return dict(detections.timelines)


def write_results(path: Path, timelines: Mapping[str, Timeline]) -> None:
    """Write detections in the form that ActivityNet's server takes, with all digits, and the videos' lengths."""
    results = {
        video: [
            {"label": action.label, "score": float(action.score), "segment": _segment(action)}
            for action in timeline.actions
        ]
        for video, timeline in timelines.items()
    }
    durations = {video: float(timeline.duration) for video, timeline in timelines.items()}
    external = {"used": False, "details": ""}
    write_json(path, {"version": VERSION, "results": results, "external_data": external, "durations": durations})


def _entries(path: Path, content: Any) -> dict[str, Any]:
    if isinstance(content, dict) and isinstance(content.get("database"), dict):
        return content["database"]
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        name = PurePath(_text(f"{path}: 'video'", content.get("video"))).stem
        return {name: content}
    flat = (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(entry, dict) and "annotations" in entry for entry in content.values())
    )
    if not flat:
        _refuse(path, content, "database", "annotations")
    return content


def _refuse(path: Path, content: Any, key: str, what: str) -> NoReturn:
    keys = ", ".join(map(repr, list(content)[:5])) if isinstance(content, dict) else type(content).__name__
    raise BadInput(f"{path}: has no {key!r} but {keys or 'nothing'}; a file of {what} was expected")


def _row(place: str, number: int, item: Any, unlabelled: str | None) -> Row:
    """A row of annotations (`unlabelled` is None: a label is due) or of detections (a score is due)."""
    where = f"{place}: {'annotation' if unlabelled is None else 'detection'} {number}"
    if not isinstance(item, dict) or "segment" not in item:
        raise BadInput(f"{where} is {short(item)}, without a 'segment'; give it [start, end]")
    start, end = _pair(item["segment"])
    if start is None or end is None:
        raise BadInput(f"{where} has segment {short(item['segment'])}; [start, end] in seconds was expected")
    label = _text(f"{where}: its label", item.get("label", unlabelled))
    if unlabelled is None:
        return Row(start, end, label)
    score = _number(item.get("score"))
    if score is None:
        raise BadInput(f"{where} has score {short(item.get('score'))}; a number was expected")
    return Row(start, end, label, score)


def _pair(segment: Any) -> tuple[float | None, float | None]:
    if not isinstance(segment, list) or len(segment) != 2:
        return None, None
    return _number(segment[0]), _number(segment[1])


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def _text(place: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # A lone surrogate can stand in JSON, but no text file could be written with it.
    if not isinstance(value, str) or not value or value.encode("utf-8", "replace").decode() != value:
        raise BadInput(f"{place} is {short(value)}; text was expected")
    return value


def _duration(place: str, value: Any) -> float:
    duration = _number(value)
    if duration is None or not 0 < duration < math.inf:
        raise BadInput(f"{place}: its duration is {short(value)}; a positive number of seconds was expected")
    return duration


def _classes(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    classes = content.get("classes", [])
    if isinstance(classes, dict):
        return ()  # without `database`, it is a video of that name
    if not isinstance(classes, list) or len(set(map(str, classes))) != len(classes):
        raise BadInput(f"{path}: 'classes' is {short(classes)}; a list of different labels was expected")
    return tuple(_text(f"{path}: a class", label) for label in classes)


def _segment(action: Action) -> list[float]:
    return [float(action.start), float(action.end)]
