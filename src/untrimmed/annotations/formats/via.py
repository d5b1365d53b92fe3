"""VIA 3 (VGG's video annotator) projects: segments of files, with attributes that name them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Row, format_count
from untrimmed.annotations.formats.coded import list_counts
from untrimmed.annotations.formats.content import FileContent, shorten_locations
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text, to_number, to_positive
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import classes_of

SEGMENTS = "TEMPORAL-SEGMENTS"
"""The attribute that VIA gives every new project."""

SCORE, DURATION = "score", "duration"
"""Attributes of a segment, and of a file, in which we keep what VIA has no place for."""

TEXT, CHECKBOX, SELECT = 1, 2, 4

REGIONS = "regions and moments"
"""What is counted beside the names of attributes."""


class Attribute(NamedTuple):
    """An attribute of segments or files: its name, whether it is of segments, and what its options mean."""

    name: str
    temporal: bool
    multiple: bool
    options: Mapping[str, str]

    def split(self, value: str) -> list[str]:
        """Split a value into the options that are chosen, or the text that is written; nothing where it is blank."""
        return [option for option in (value.split(",") if self.multiple else [value]) if option.strip()]


def read_via(path: Path, hints: Hints) -> FileContent:
    """Read the segments of a project, labelled by the first of their attributes that has a value.

    Regions in single frames are skipped with a note. Raises BadInput where the structure is broken.
    """
    project = as_object(f"{path}: the project", read_json(path))
    attributes = read_attributes(path, project.get("attribute"))
    videos = _read_videos(path, project)
    rows: dict[str, list[Row]] = {video: [] for video in videos.values()}
    durations: dict[str, float] = {}
    dropped: list[Dropped] = []
    unused: Counter[str] = Counter()
    missing: list[str] = []
    for name, item in as_object(f"{path}: 'metadata'", project.get("metadata")).items():
        place = f"{path}: metadata {name!r}"
        view = str(as_object(place, item).get("vid"))
        if view not in videos:
            raise BadInput(f"{place} is of view {view!r}, which the project lacks; open and save it in VIA")
        values = {k: str(v) for k, v in as_object(f"{place}: 'av'", item.get("av") or {}).items()}
        times = [as_number(f"{place}: a time", time) for time in as_list(f"{place}: 'z'", item.get("z"))]
        video = videos[view]
        if not times and (length := to_positive(_find_value(attributes, values, DURATION))):
            durations[video] = length
        elif len(times) == 2 and not item.get("xy"):
            (start, end), labels = times, find_labels(attributes, values)
            score = to_number(_find_value(attributes, values, SCORE))
            rows[video] += [Row(start, end, tidy_label(label), 1.0 if score is None else score) for label in labels]
            unused.update(list_further(attributes, values))
            missing += list_missing_options(attributes, values)
            if not labels:
                dropped.append(Dropped(video, start, end, "", "has no label"))
        elif times:
            unused[REGIONS] += 1
    return FileContent(rows, durations, dropped=tuple(dropped), notes=tuple(list_via_notes(unused, missing)))


def write_via(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a project with one view a video; lengths, and scores if any is not 1, as attributes of text."""
    timelines = annotations.timelines
    classes = classes_of(timelines.values())
    options = {str(number): label for number, label in enumerate(classes)}
    numbers = {label: number for number, label in options.items()}
    scored = any(action.score != 1 for timeline in timelines.values() for action in timeline.actions)
    attribute = {
        "1": _write_attribute(SEGMENTS, "FILE1_Z2_XY0", SELECT, options),
        "2": _write_attribute(DURATION, "FILE1_Z0_XY0", TEXT, {}),
    }
    if scored:
        attribute["3"] = _write_attribute(SCORE, "FILE1_Z2_XY0", TEXT, {})
    files, views, metadata = {}, {}, {}
    for key, (video, timeline) in zip(map(str, range(1, len(timelines) + 1)), timelines.items(), strict=True):
        files[key] = {"fid": key, "fname": video, "type": 4, "loc": 1, "src": ""}
        views[key] = {"fid_list": [key]}
        metadata[f"{key}_duration"] = _write_metadata(key, [], {"2": repr(float(timeline.duration))})
        for number, action in enumerate(timeline.actions):
            values = {"1": numbers[action.label]} | ({"3": repr(float(action.score))} if scored else {})
            metadata[f"{key}_{number}"] = _write_metadata(key, [float(action.start), float(action.end)], values)
    project = {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": path.stem,
        "creator": "untrimmed",
        "created": 0,
        "vid_list": list(views),
    }
    config = {
        "file": {"loc_prefix": dict.fromkeys("1234", "")},
        "ui": {
            "file_content_align": "center",
            "file_metadata_editor_visible": True,
            "spatial_metadata_editor_visible": False,
            "temporal_segment_metadata_editor_visible": True,
            "spatial_region_label_attribute_id": "",
            "gtimeline_visible_row_count": str(max(4, len(classes))),
        },
    }
    parts = {"attribute": attribute, "file": files, "metadata": metadata, "view": views}
    write_json(path, {"project": project, "config": config, **parts})


def read_attributes(path: Path, listed: Any) -> dict[str, Attribute]:
    """Read attributes by their numbers. Raises BadInput where the structure is broken."""
    attributes = {}
    for number, item in as_object(f"{path}: 'attribute'", listed or {}).items():
        place = f"{path}: attribute {number!r}"
        options = as_object(f"{place}: 'options'", as_object(place, item).get("options") or {})
        options = {key: as_text(f"{place}: an option", value) for key, value in options.items()}
        name = as_text(f"{place}: its name", item.get("aname", number))
        temporal = "_Z2_" in str(item.get("anchor_id", "_Z2_"))
        attributes[number] = Attribute(name, temporal, item.get("type") == CHECKBOX, options)
    return attributes


def _read_videos(path: Path, project: Mapping[str, Any]) -> dict[str, str]:
    """Read the video of each view."""
    files = as_object(f"{path}: 'file'", project.get("file"))
    locations = {}
    for view, item in as_object(f"{path}: 'view'", project.get("view")).items():
        place = f"{path}: view {view!r}"
        keys = as_list(f"{place}: 'fid_list'", as_object(place, item).get("fid_list"))
        if keys:
            place = f"file {keys[0]!r}"
            file = as_object(f"{path}: {place}", files.get(str(keys[0])))
            locations[view] = as_text(f"{path}: the name of {place}", file.get("fname") or file.get("src"))
    names = shorten_locations(path, locations.values())
    return {view: names[location] for view, location in locations.items()}


def find_labels(attributes: Mapping[str, Attribute], values: Mapping[str, str]) -> list[str]:
    """Find the labels of the first attribute of segments that has some; an unknown one counts as text."""
    for number, value in values.items():
        attribute = attributes.get(number, Attribute(number, True, False, {}))
        labels = [attribute.options.get(option, option) for option in attribute.split(value)]
        if attribute.temporal and attribute.name != SCORE and labels:
            return labels
    return []


def list_missing_options(attributes: Mapping[str, Attribute], values: Mapping[str, str]) -> list[str]:
    """List the options of a segment that its attributes of segments lack; a text may be anything."""
    pairs = [(attributes[number], value) for number, value in values.items() if number in attributes]
    return [
        f"{option!r} of {attribute.name!r}"
        for attribute, value in pairs
        if attribute.temporal and attribute.options
        for option in attribute.split(value)
        if option not in attribute.options and option not in attribute.options.values()
    ]


def list_further(attributes: Mapping[str, Attribute], values: Mapping[str, str]) -> list[str]:
    """List the names of the attributes of a segment that have a value and are no part of its label."""
    items = ((attributes.get(number, Attribute(number, True, False, {})), value) for number, value in values.items())
    names = [item.name for item, value in items if item.temporal and item.name != SCORE and value.strip(" ,")]
    return names[1:]


def list_via_notes(unused: Mapping[str, int], missing: Sequence[str]) -> Iterator[str]:
    """Yield a sentence on each thing that was left aside, with how often; `unused` has attributes by name.

    `missing` are options that the project has no text for, which stand for themselves.
    """
    if missing:
        options = format_count(len(missing), "option", "options")
        yield f"the project lacks {options} of its segments, such as {missing[0]}: taken as labels as they stand"
    if regions := unused.get(REGIONS):
        words = format_count(
            regions, "region or moment, which is no segment, is", "regions and moments, no segments, are"
        )
        yield f"{words} left aside"
    if further := {name: count for name, count in unused.items() if name != REGIONS}:
        yield f"attributes that are no part of the labels are left aside: {list_counts(further)} segments"


def _find_value(attributes: Mapping[str, Attribute], values: Mapping[str, str], name: str) -> str | None:
    return next((v for n, v in values.items() if n in attributes and attributes[n].name == name), None)


def _write_attribute(name: str, anchor: str, kind: int, options: Mapping[str, str]) -> dict[str, Any]:
    return {
        "aname": name,
        "anchor_id": anchor,
        "type": kind,
        "desc": "",
        "options": dict(options),
        "default_option_id": "",
    }


def _write_metadata(view: str, times: list[float], values: Mapping[str, str]) -> dict[str, Any]:
    return {"vid": view, "flg": 0, "z": times, "xy": [], "av": dict(values)}
