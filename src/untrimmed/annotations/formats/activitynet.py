"""ActivityNet's JSON in and out: annotations (three shapes of the same thing) and detections."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import Any, NoReturn

from untrimmed.annotations.annotations import (
    Annotations,
    Hints,
    Row,
    Spans,
    build_timelines,
    describe_guessed_lengths,
    describe_repeats,
    find_last_end,
    format_count,
    split_usable,
)
from untrimmed.annotations.formats.json_parts import as_text, to_number
from untrimmed.annotations.formats.video_entries import (
    describe_unread,
    find_length,
    find_subset,
    list_unread_keys,
    parse_length,
)
from untrimmed.annotations.spans import ANNOTATED, PARTS, StatedSpans, read_stated_spans, state_spans
from untrimmed.annotations.units import read_in_seconds
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import Timeline
from untrimmed.video.names import describe_twins, media_name

VERSION = "VERSION 1.3"
"""What the official programs expect in a file; nothing in the format depends on it."""

PROPOSAL = "proposal"
"""The label of a detection that has none, as in files of proposals."""


def read_activitynet(path: str | Path, *, classes: Collection[str] = (), hints: Hints = Hints()) -> Annotations:
    """Read the annotations in a JSON file, `.gz` too.

    Three shapes are known: ActivityNet's `{"database": {video: entry}}`, the same without `database`, and one video's
    `{"video": "name.mp4", "duration": ..., "annotations": [...]}`, whose name loses its ending. An entry holds
    `annotations`, each a `label` and a `segment` of two seconds (numbers, or numbers as text), and may hold a length
    under any usual key, see `find_length`, and `subset` or `split`; `annotated`, where only some stretches were, and
    `parts`, the stretches of each subset of a video that is split in time, in seconds. A video without a length takes
    the one in `hints.durations`, or else ends with its last action, which is noted. Labels outside `classes`, or
    outside the list that the file itself has under `classes`, are dropped. Raises BadInput where the structure is
    broken; segments that cannot be used are listed in `dropped`.
    """
    path = Path(path)
    content = read_json(path)
    rows: dict[str, tuple[Row, ...]] = {}
    lengths: dict[str, float] = {}
    subsets: dict[str, str] = {}
    unused: dict[str, set[str]] = {}
    annotated: dict[str, Spans] = {}
    parts: dict[str, dict[str, Spans]] = {}
    entries = _find_entries(path, content)
    for video, entry in entries.items():
        place = _name_video(path, video)
        if not isinstance(entry, dict) or not isinstance(entry.get("annotations"), list):
            raise BadInput(f"{place} has no list of annotations; add one, empty if nothing happens in it")
        rows[video] = tuple(_read_row(place, number, item, None) for number, item in enumerate(entry["annotations"]))
        if length := find_length(place, entry):
            lengths[video] = length.seconds
        if key := find_subset(entry):
            subsets[video] = as_text(f"{place}: its {key}", entry[key], empty=False)
        unused[video] = list_unread_keys(entry, length)
        stretches, named = read_stated_spans(place, entry)
        if stretches is not None:
            annotated[video] = stretches
        if named:
            parts[video] = named
    stated_classes = _read_classes(path, content)
    times = read_in_seconds(path, rows, lengths, hints)
    timelines, dropped = build_timelines(path, times.rows, times.durations, tuple(classes) or stated_classes)
    notes = (
        *times.notes,
        *_describe_blanks(rows),
        *describe_guessed_lengths(timelines, times.durations),
        *describe_repeats(times.rows),
        *describe_unread(entries, unused),
        *filter(None, [describe_twins(rows)]),
    )
    annotations = Annotations(timelines, subsets, dropped, times.rows, stated_classes, notes=notes)
    spans = StatedSpans(annotated, parts)
    return state_spans(annotations, spans, path) if spans.videos else annotations


def write_activitynet(
    path: str | Path,
    timelines: Mapping[str, Timeline],
    subsets: Mapping[str, str] | None = None,
    annotated: Mapping[str, Spans] | None = None,
    parts: Mapping[str, Mapping[str, Spans]] | None = None,
) -> None:
    """Write annotations as ActivityNet does, with all digits and without scores, as an annotation is certain.

    `annotated` are the stretches of videos that were annotated in part, and `parts` those of each subset of a video
    that is split in time.
    """
    database = {}
    for video, timeline in timelines.items():
        annotations = [{"label": a.label, "segment": [float(a.start), float(a.end)]} for a in timeline.actions]
        subset = {"subset": subsets[video]} if subsets and video in subsets else {}
        spans = {ANNOTATED: list(map(list, annotated[video]))} if annotated and video in annotated else {}
        if parts and video in parts:
            subset = {PARTS: {name: list(map(list, stretches)) for name, stretches in parts[video].items()}}
        length = {"duration": float(timeline.duration)}
        database[video] = {**subset, **length, **spans, "annotations": annotations}
    write_json(Path(path), {"version": VERSION, "database": database})


def read_activitynet_results(path: str | Path, hints: Hints = Hints()) -> Annotations:
    """Read the detections in a JSON file `{"results": {video: [{"label", "score", "segment"}]}}`, `.gz` too.

    A detection without a label gets the label `proposal`. Lengths stand under `durations` where we wrote the file;
    any other video has that in `hints.durations` or ends with its last detection, and one without any is dropped.
    Ends are never clipped.
    Raises BadInput where the structure is broken; detections that cannot be used are listed in `dropped`.
    """
    path = Path(path)
    content = read_json(path)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, dict):
        _refuse(path, content, "results", "detections")
    durations = content.get("durations", {})
    if not isinstance(durations, dict):
        raise BadInput(f"{path}: 'durations' is {short(durations)}; seconds by video were expected")
    rows, timelines, dropped = {}, {}, []
    lengths: dict[str, float] = {}
    for video, items in results.items():
        place = _name_video(path, video)
        if not isinstance(items, list):
            raise BadInput(f"{place} has {short(items)} for results; a list of detections was expected")
        rows[video] = tuple(_read_row(place, number, item, PROPOSAL) for number, item in enumerate(items))
        if video in durations:
            lengths[video] = parse_length(f"{place}: its duration", durations[video])
    times = read_in_seconds(path, rows, lengths, hints)
    for video, video_rows in times.rows.items():
        split = split_usable(video, video_rows)
        dropped += split.dropped
        duration = times.durations.get(video) or find_last_end(video_rows)
        if duration is not None:
            timelines[video] = Timeline(duration, split.actions)
    notes = (
        *times.notes,
        *_describe_blanks(rows),
        *describe_guessed_lengths(timelines, times.durations, "detection"),
        *describe_repeats(times.rows, "detection"),
        *filter(None, [describe_twins(rows)]),
    )
    return Annotations(timelines, {}, tuple(dropped), times.rows, notes=notes)


def write_activitynet_results(path: str | Path, timelines: Mapping[str, Timeline], notes: Sequence[str] = ()) -> None:
    """Write detections in the form that ActivityNet's server takes, with all digits, and the videos' lengths.

    The `notes` stand under that key, such as what was left out; the official tools pass over keys of other names.
    """
    results = {
        video: [
            {"label": a.label, "score": float(a.score), "segment": [float(a.start), float(a.end)]}
            for a in timeline.actions
        ]
        for video, timeline in timelines.items()
    }
    durations = {video: float(timeline.duration) for video, timeline in timelines.items()}
    external = {"used": False, "details": ""}
    content = {"version": VERSION, "results": results, "external_data": external, "durations": durations}
    write_json(Path(path), content | ({"notes": list(notes)} if notes else {}))


def _find_entries(path: Path, content: Any) -> dict[str, Any]:
    if isinstance(content, dict) and isinstance(content.get("database"), dict):
        return content["database"]
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        return {media_name(as_text(f"{path}: 'video'", content.get("video"), empty=False)): content}
    flat = (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(entry, dict) for entry in content.values())
        and any("annotations" in entry for entry in content.values())
    )
    if not flat:
        _refuse(path, content, "database", "annotations")
    return content


def _refuse(path: Path, content: Any, key: str, what: str) -> NoReturn:
    if isinstance(content, dict) and isinstance(content.get(key), list):
        raise BadInput(f"{path}: its {key!r} is a list; an object of videos was expected, as in {{'a': [...]}}")
    keys = ", ".join(map(repr, list(content)[:5])) if isinstance(content, dict) else type(content).__name__
    raise BadInput(f"{path}: has no {key!r} but {keys or 'nothing'}; a file of {what} was expected")


def _name_video(path: Path, video: str) -> str:
    return f"{path}: video {as_text(f'{path}: video', video, empty=False)!r}"


def _read_row(place: str, number: int, item: Any, unlabelled: str | None) -> Row:
    """Read a row of annotations (`unlabelled` is None: a label is due) or of detections (a score is due)."""
    where = f"{place}: {'annotation' if unlabelled is None else 'detection'} {number}"
    if not isinstance(item, dict) or "segment" not in item:
        raise BadInput(f"{where} is {short(item)}, without a 'segment'; give it [start, end]")
    segment = item["segment"]
    start, end = map(to_number, segment) if isinstance(segment, list) and len(segment) == 2 else (None, None)
    if start is None or end is None:
        raise BadInput(f"{where} has segment {short(segment)}; [start, end] in seconds was expected")
    label = as_text(f"{where}: its label", item.get("label", unlabelled), empty=False)
    if unlabelled is None:
        return Row(start, end, label)
    score = to_number(item.get("score"))
    if score is None:
        raise BadInput(f"{where} has score {short(item.get('score'))}; a number was expected")
    return Row(start, end, label, score)


def _describe_blanks(rows: Mapping[str, Sequence[Row]]) -> tuple[str, ...]:
    """Say how many labels have blanks around them, which stay."""
    labels = {row.label for video_rows in rows.values() for row in video_rows if row.label != row.label.strip()}
    if not labels:
        return ()
    count = format_count(len(labels), "label has", "labels have")
    return (
        f"{count} blanks at an end, such as {min(labels)!r}; they are kept, so take them out if they mean nothing",
    )


def _read_classes(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    classes = content.get("classes", [])
    if isinstance(classes, dict):
        return ()  # without `database`, it is a video of that name
    if not isinstance(classes, list) or len(set(map(str, classes))) != len(classes):
        raise BadInput(f"{path}: 'classes' is {short(classes)}; a list of different labels was expected")
    return tuple(as_text(f"{path}: a class", label, empty=False) for label in classes)
