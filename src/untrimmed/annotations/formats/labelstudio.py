"""Label Studio's JSON: tasks of a video each, with labels on its timeline, in frames or in seconds."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from untrimmed.annotations.formats.base import Annotations, Row
from untrimmed.annotations.formats.content import Content, Hints, media_name
from untrimmed.annotations.formats.json_parts import (
    list_at,
    number_at,
    number_or_none,
    positive_or_none,
    table_at,
    text_at,
)
from untrimmed.annotations.formats.labels import ticks, tidy
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline

MEDIA = ("video", "video_url", "audio", "url", "file_upload")
"""The fields of a task that may name its recording, the likeliest first."""

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def read_labelstudio(path: Path, hints: Hints) -> Content:
    """The regions of each task's annotation: the agreed one where it is marked, else the first not cancelled.

    Ranges of `timelinelabels` are frames counted from 1, both ends in; regions of `labels` are seconds. Where no
    task is annotated, predictions are read. The short form of export (JSON_MIN) is read too. Raises BadInput where
    the structure is broken, and for frames of which nobody states how many a second there are.
    """
    tasks = [
        table_at(f"{path}: task {n}", task) for n, task in enumerate(list_at(f"{path}: the file", read_json(path)))
    ]
    predicted = not any(_made(task) for task in tasks) and any(task.get("predictions") for task in tasks)
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    notes: Counter[str] = Counter()
    for number, task in enumerate(tasks):
        place = f"{path}: task {task.get('id', number)}"
        video = _video(place, task)
        if video in rows:
            raise BadInput(f"{place} is of video {video!r}, as another is; leave one of them out")
        results = list(_results(place, task, predicted, notes))
        lengths = map(positive_or_none, (_data(task).get("duration"), *map(_length, results)))
        if length := next(filter(None, lengths), None):
            durations[video] = length
        rate = hints.fps or _stated_rate(task, results)
        rows[video] = [row for result in results for row in _rows(place, result, rate, notes)]
    said = [note if count == 1 else f"{note} ({count} times)" for note, count in notes.items()]
    if predicted:
        said.append("no task is annotated: predictions are read")
    return Content(rows, durations, notes=tuple(said))


def write_labelstudio(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write tasks: labels on timelines where frames a second are given, else regions in seconds with all digits."""
    tasks = []
    for number, (video, timeline) in enumerate(annotations.timelines.items(), start=1):
        result = _regions(timeline) if fps is None else _ranges(timeline, fps)
        data = {"video": video, "duration": float(timeline.duration)} | ({"fps": fps} if fps else {})
        tasks.append(
            {"id": number, "data": data, "annotations": [{"id": number, "result": result}], "predictions": []}
        )
    write_json(path, tasks)


def _regions(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "id": f"region{number}",
            "type": "labels",
            "from_name": "label",
            "to_name": "video",
            "original_length": float(timeline.duration),
            "score": float(action.score),
            "value": {"start": float(action.start), "end": float(action.end), "channel": 0, "labels": [action.label]},
        }
        for number, action in enumerate(timeline.actions)
    ]


def _ranges(timeline: Timeline, fps: float) -> list[dict[str, Any]]:
    return [
        {
            "id": f"region{number}",
            "type": "timelinelabels",
            "from_name": "videoLabels",
            "to_name": "video",
            "score": float(row.score),
            "value": {"ranges": [{"start": int(row.start) + 1, "end": int(row.end)}], "timelinelabels": [row.label]},
        }
        for number, row in enumerate(ticks(timeline, fps))
    ]


def _made(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What annotators made of a task and did not cancel."""
    made = task.get("annotations") or task.get("completions")
    made = made if isinstance(made, list) else []
    return [one for one in made if isinstance(one, dict) and not one.get("was_cancelled")]


def _results(
    place: str, task: Mapping[str, Any], predicted: bool, notes: Counter[str]
) -> Iterator[Mapping[str, Any]]:
    """Regions in the form of a full export."""
    if "annotations" not in task and "completions" not in task and "predictions" not in task:
        for value in task.values():
            parts = value if isinstance(value, list) else []
            yield from ({"value": part} for part in parts if isinstance(part, dict) and _labels(part))
        return
    made = list_at(f"{place}: 'predictions'", task.get("predictions") or []) if predicted else _made(task)
    if len(made) > 1:
        notes["several annotations of one task: the agreed one is read, else the first"] += 1
    chosen = next((one for one in made if table_at(place, one).get("ground_truth")), made[0] if made else None)
    if chosen:
        results = list_at(f"{place}: 'result'", chosen.get("result"))
        yield from (table_at(f"{place}: region {n}", result) for n, result in enumerate(results))


def _labels(value: Mapping[str, Any]) -> list[Any]:
    """The labels of a region in time; none for one that is not."""
    if isinstance(value.get("ranges"), list) and isinstance(value.get("timelinelabels"), list):
        return value["timelinelabels"]
    timed = "start" in value and "end" in value and "text" not in value
    return value["labels"] if timed and isinstance(value.get("labels"), list) else []


def _rows(place: str, result: Mapping[str, Any], rate: float | None, notes: Counter[str]) -> Iterator[Row]:
    value = table_at(f"{place}: 'value'", result.get("value") or {})
    labels = [tidy(text_at(f"{place}: a label", label)) for label in _labels(value)]
    if not labels:
        notes["regions that are no labelled stretch of time are left aside"] += 1
    score = number_or_none(result.get("score"))
    in_frames = "ranges" in value
    if in_frames and labels and rate is None:
        raise BadInput(f"{place} counts in frames and states no rate; give frames a second, as in --fps 25")
    for label in labels:
        for part in value["ranges"] if in_frames else [value]:
            ends = table_at(f"{place}: a range", part)
            start, end = (number_at(f"{place}: a region's {name}", ends.get(name)) for name in ("start", "end"))
            if in_frames and rate:
                start, end = (start - 1) / rate, end / rate
            yield Row(start, end, label, 1.0 if score is None else score)


def _stated_rate(task: Mapping[str, Any], results: list[Mapping[str, Any]]) -> float | None:
    """Frames a second as the task's data say, or as follows from the length and frames of a tracked box."""
    data = _data(task)
    for name in ("fps", "frame_rate", "framerate", "frameRate"):
        if rate := positive_or_none(data.get(name)):
            return rate
    for result in results:
        value = result.get("value")
        value = value if isinstance(value, dict) else {}
        frames, length = positive_or_none(value.get("framesCount")), positive_or_none(value.get("duration"))
        if frames and length:
            return frames / length
    return None


def _length(result: Mapping[str, Any]) -> Any:
    """Seconds that a region says its recording has."""
    value = result.get("value")
    return result.get("original_length") or (value.get("duration") if isinstance(value, dict) else None)


def _data(task: Mapping[str, Any]) -> Mapping[str, Any]:
    data = task.get("data")
    return data if isinstance(data, dict) else task


def _video(place: str, task: Mapping[str, Any]) -> str:
    """The name of the recording; of an upload, without the eight digits that Label Studio puts before it."""
    data = _data(task)
    location = next((data[name] for name in MEDIA if isinstance(data.get(name), str)), task.get("file_upload"))
    if not isinstance(location, str) or not location:
        raise BadInput(f"{place} names no recording; one was expected under {', '.join(map(repr, MEDIA))}")
    # A file of the server's own disk is called `/data/local-files/?d=folder/clip.mp4`.
    path, _, local = location.partition("?d=")
    name = media_name(text_at(f"{place}: its recording", unquote(local) or path))
    return _UPLOADED.sub("", name) if "/upload/" in location else name
