"""Label Studio's JSON: tasks of a video each, with labels on its timeline, in frames or in seconds."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from untrimmed.annotations.annotations import Annotations, Hints, Row, format_count
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text, to_number, to_positive
from untrimmed.annotations.formats.labels import round_to_ticks, tidy_label
from untrimmed.annotations.formats.video_entries import RATES
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline
from untrimmed.video.names import media_name

MEDIA = ("video", "video_url", "audio", "url", "file_upload")
"""The fields of a task that may name its recording, the likeliest first."""

Oddities = dict[tuple[str, str], list[str]]
"""Where something odd is found, by the words for one such place and for several."""

_UNANNOTATED = (
    "task that nobody annotated is read as a video without actions",
    "tasks that nobody annotated are read as videos without actions",
)
_CANCELLED = (
    "task whose annotations were all cancelled is read as a video without actions",
    "tasks whose annotations were all cancelled are read as videos without actions",
)
_SEVERAL = (
    "task has several annotations, of which the agreed one is read, else the first",
    "tasks have several annotations, of which the agreed one is read, else the first",
)
_NO_STRETCH = (
    "region that is no labelled stretch of time is left aside",
    "regions that are no labelled stretch of time are left aside",
)

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def read_labelstudio(path: Path, hints: Hints) -> FileContent:
    """Read the regions of each task's annotation: the agreed one where it is marked, else the first not cancelled.

    Ranges of `timelinelabels` are frames counted from 1, both ends in; regions of `labels` are seconds. Where no
    task is annotated, predictions are read. The short form of export (JSON_MIN) is read too. Raises BadInput where
    the structure is broken, and for frames of which nobody states how many a second there are.
    """
    listed = as_list(f"{path}: the file", read_json(path))
    tasks = [as_object(f"{path}: task {number}", task) for number, task in enumerate(listed)]
    predicted = not any(map(_list_annotations, tasks)) and any(task.get("predictions") for task in tasks)
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    oddities: Oddities = {}
    for number, task in enumerate(tasks):
        place = f"{path}: task {task.get('id', number)}"
        video = _find_video(place, task)
        if video in rows:
            raise BadInput(f"{place} is of video {video!r}, as another is; leave one of them out")
        results = list(_read_results(place, task, predicted, oddities))
        # A task may state the seconds of its recording, and so may each of its regions.
        lengths = [_find_data(task).get("duration")]
        lengths += [result.get("original_length") or _find_value(result).get("duration") for result in results]
        if length := next(filter(None, map(to_positive, lengths)), None):
            durations[video] = length
        rate = hints.fps or _find_rate(task, results)
        rows[video] = [row for result in results for row in _read_rows(place, result, rate, oddities)]
    notes = [
        f"{format_count(len(places), *words)}: {'' if len(places) == 1 else 'the first is '}{places[0]}"
        for words, places in oddities.items()
    ]
    if predicted:
        notes.append("no task is annotated: predictions are read")
    return FileContent(rows, durations, notes=tuple(notes))


def write_labelstudio(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write tasks: labels on timelines where frames a second are given, else regions in seconds with all digits."""
    tasks = []
    for number, (video, timeline) in enumerate(annotations.timelines.items(), start=1):
        result = _write_regions(timeline, fps)
        data = {"video": video, "duration": float(timeline.duration)} | ({"fps": fps} if fps else {})
        tasks.append(
            {"id": number, "data": data, "annotations": [{"id": number, "result": result}], "predictions": []}
        )
    write_json(path, tasks)


def _write_regions(timeline: Timeline, fps: float | None) -> list[dict[str, Any]]:
    values: list[tuple[float, dict[str, Any]]]
    if fps is None:
        kind = {
            "type": "labels",
            "from_name": "label",
            "to_name": "video",
            "original_length": float(timeline.duration),
        }
        values = [
            (a.score, {"start": float(a.start), "end": float(a.end), "channel": 0, "labels": [a.label]})
            for a in timeline.actions
        ]
    else:
        kind = {"type": "timelinelabels", "from_name": "videoLabels", "to_name": "video"}
        values = [
            (r.score, {"ranges": [{"start": int(r.start) + 1, "end": int(r.end)}], "timelinelabels": [r.label]})
            for r in round_to_ticks(timeline, fps)
        ]
    return [
        {"id": f"region{n}", **kind, "score": float(score), "value": value} for n, (score, value) in enumerate(values)
    ]


def _list_annotations(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List a task's annotations that were not cancelled."""
    annotations = task.get("annotations") or task.get("completions")
    items = annotations if isinstance(annotations, list) else []
    return [item for item in items if isinstance(item, dict) and not item.get("was_cancelled")]


def _read_results(
    place: str, task: Mapping[str, Any], predicted: bool, oddities: Oddities
) -> Iterator[Mapping[str, Any]]:
    """Yield regions in the form of a full export."""
    if not task.keys() & {"annotations", "completions", "predictions"}:
        for value in task.values():
            items = value if isinstance(value, list) else []
            yield from ({"value": item} for item in items if isinstance(item, dict) and _find_labels(item))
        return
    if predicted:
        annotations = as_list(f"{place}: 'predictions'", task.get("predictions") or [])
    else:
        annotations = _list_annotations(task)
        if not annotations:
            cancelled = task.get("annotations") or task.get("completions")
            _note(oddities, _CANCELLED if cancelled else _UNANNOTATED, place)
    if len(annotations) > 1:
        _note(oddities, _SEVERAL, f"{place} with {len(annotations)}")
    agreed = (item for item in annotations if as_object(place, item).get("ground_truth"))
    if annotation := next(agreed, annotations[0] if annotations else None):
        results = as_list(f"{place}: 'result'", annotation.get("result"))
        yield from (as_object(f"{place}: region {n}", result) for n, result in enumerate(results))


def _note(oddities: Oddities, words: tuple[str, str], place: str) -> None:
    """Note something odd with where it is, without the path."""
    oddities.setdefault(words, []).append(place.rpartition(": ")[2])


def _find_labels(value: Mapping[str, Any]) -> list[Any]:
    """Find the labels of a region in time; none for a region of another kind."""
    if isinstance(value.get("ranges"), list) and isinstance(value.get("timelinelabels"), list):
        return value["timelinelabels"]
    timed = "start" in value and "end" in value and "text" not in value
    return value["labels"] if timed and isinstance(value.get("labels"), list) else []


def _read_rows(place: str, result: Mapping[str, Any], rate: float | None, oddities: Oddities) -> Iterator[Row]:
    value = as_object(f"{place}: 'value'", result.get("value") or {})
    labels = [tidy_label(as_text(f"{place}: a label", label)) for label in _find_labels(value)]
    if not labels:
        _note(oddities, _NO_STRETCH, f"{result.get('type') or 'a region'!s} in {place.rpartition(': ')[2]}")
    score = to_number(result.get("score"))
    in_frames = "ranges" in value
    if in_frames and labels and rate is None:
        raise BadInput(f"{place} counts in frames and states no rate; give frames a second, as in --fps 25")
    for label in labels:
        for item in value["ranges"] if in_frames else [value]:
            ends = as_object(f"{place}: a range", item)
            start, end = (as_number(f"{place}: a region's {name}", ends.get(name)) for name in ("start", "end"))
            if in_frames and rate:
                start, end = (start - 1) / rate, end / rate
            yield Row(start, end, label, 1.0 if score is None else score)


def _find_rate(task: Mapping[str, Any], results: list[Mapping[str, Any]]) -> float | None:
    """Find frames a second in the task's data, or compute them from the length and frames of a tracked box."""
    data = _find_data(task)
    if rate := next(filter(None, (to_positive(data[name]) for name in data if name.lower() in RATES)), None):
        return rate
    for result in results:
        value = _find_value(result)
        frames, length = to_positive(value.get("framesCount")), to_positive(value.get("duration"))
        if frames and length:
            return frames / length
    return None


def _find_value(result: Mapping[str, Any]) -> Mapping[str, Any]:
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _find_data(task: Mapping[str, Any]) -> Mapping[str, Any]:
    data = task.get("data")
    return data if isinstance(data, dict) else task


def _find_video(place: str, task: Mapping[str, Any]) -> str:
    """Find the name of the recording; of an upload, without the eight digits that Label Studio puts before it."""
    data = _find_data(task)
    location = next((data[name] for name in MEDIA if isinstance(data.get(name), str)), task.get("file_upload"))
    if not isinstance(location, str) or not location:
        raise BadInput(f"{place} names no recording; one was expected under {', '.join(map(repr, MEDIA))}")
    # A file of the server's own disk is called `/data/local-files/?d=folder/clip.mp4`.
    path, _, local = location.partition("?d=")
    name = media_name(as_text(f"{place}: its recording", unquote(local) or path))
    return _UPLOADED.sub("", name) if "/upload/" in location else name
