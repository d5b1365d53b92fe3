"""VIA 3 (VGG's video annotator) projects: segments of files, with attributes that name them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from untrimmed.annotations.formats.base import Annotations, Dropped, Row
from untrimmed.annotations.formats.content import Content, Hints, short_names
from untrimmed.annotations.formats.json_parts import (
    list_at,
    number_at,
    number_or_none,
    positive_or_none,
    table_at,
    text_at,
)
from untrimmed.annotations.formats.labels import tidy
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.timeline import classes_of

SEGMENTS = "TEMPORAL-SEGMENTS"
"""The attribute that VIA gives every new project."""

SCORE, DURATION = "score", "duration"
"""Attributes of a segment, and of a file, in which we keep what VIA has no place for."""

TEXT, CHECKBOX, SELECT = 1, 2, 4


class Attribute(NamedTuple):
    """What may be said of a segment or a file: its name, whether it is of segments, and what its options mean."""

    name: str
    temporal: bool
    several: bool
    options: Mapping[str, str]

    def labels(self, value: str) -> list[str]:
        """What a value says; of a checkbox, maybe several things."""
        chosen = value.split(",") if self.several else [value]
        return [self.options.get(one, one) for one in chosen if one.strip()]


def read_via(path: Path, hints: Hints) -> Content:
    """The segments of a project, labelled by the first of their attributes that has a value.

    Regions in single frames are left aside with a note. Raises BadInput where the structure is broken.
    """
    project = table_at(f"{path}: the project", read_json(path))
    attributes = _attributes(path, project)
    videos = _videos(path, project)
    rows: dict[str, list[Row]] = {video: [] for video in videos.values()}
    durations: dict[str, float] = {}
    dropped: list[Dropped] = []
    regions = 0
    for name, item in table_at(f"{path}: 'metadata'", project.get("metadata")).items():
        place = f"{path}: metadata {name!r}"
        view = str(table_at(place, item).get("vid"))
        if view not in videos:
            raise BadInput(f"{place} is of view {view!r}, which the project lacks; open and save it in VIA")
        values = {k: str(v) for k, v in table_at(f"{place}: 'av'", item.get("av") or {}).items()}
        times = [number_at(f"{place}: a time", time) for time in list_at(f"{place}: 'z'", item.get("z"))]
        video = videos[view]
        if not times and (length := positive_or_none(_value(attributes, values, DURATION))):
            durations[video] = length
        elif len(times) == 2 and not item.get("xy"):
            (start, end), labels = times, _labels(attributes, values)
            score = number_or_none(_value(attributes, values, SCORE))
            rows[video] += [Row(start, end, tidy(label), 1.0 if score is None else score) for label in labels]
            if not labels:
                dropped.append(Dropped(video, start, end, "", "has no label"))
        elif times:
            regions += 1
    notes = (f"{regions} regions and moments, which are no segments, are left aside",) if regions else ()
    return Content(rows, durations, dropped=tuple(dropped), notes=notes)


def write_via(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a project with one view a video; lengths, and scores if any is not 1, as attributes of text."""
    timelines = annotations.timelines
    classes = classes_of(timelines.values())
    options = {str(number): label for number, label in enumerate(classes)}
    numbers = {label: number for number, label in options.items()}
    scored = any(action.score != 1 for timeline in timelines.values() for action in timeline.actions)
    attribute = {
        "1": _attribute(SEGMENTS, "FILE1_Z2_XY0", SELECT, options),
        "2": _attribute(DURATION, "FILE1_Z0_XY0", TEXT, {}),
    }
    if scored:
        attribute["3"] = _attribute(SCORE, "FILE1_Z2_XY0", TEXT, {})
    files, views, metadata = {}, {}, {}
    for place, (video, timeline) in enumerate(timelines.items(), start=1):
        key = str(place)
        files[key] = {"fid": key, "fname": video, "type": 4, "loc": 1, "src": ""}
        views[key] = {"fid_list": [key]}
        metadata[f"{key}_duration"] = _metadata(key, [], {"2": repr(float(timeline.duration))})
        for number, action in enumerate(timeline.actions):
            said = {"1": numbers[action.label]} | ({"3": repr(float(action.score))} if scored else {})
            metadata[f"{key}_{number}"] = _metadata(key, [float(action.start), float(action.end)], said)
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


def _attributes(path: Path, project: Mapping[str, Any]) -> dict[str, Attribute]:
    found = {}
    for number, item in table_at(f"{path}: 'attribute'", project.get("attribute") or {}).items():
        place = f"{path}: attribute {number!r}"
        options = table_at(f"{place}: 'options'", table_at(place, item).get("options") or {})
        named = {key: text_at(f"{place}: an option", value) for key, value in options.items()}
        name = text_at(f"{place}: its name", item.get("aname", number))
        temporal = "_Z2_" in str(item.get("anchor_id", "_Z2_"))
        found[number] = Attribute(name, temporal, item.get("type") == CHECKBOX, named)
    return found


def _videos(path: Path, project: Mapping[str, Any]) -> dict[str, str]:
    """The video of each view."""
    files = table_at(f"{path}: 'file'", project.get("file"))
    first = {}
    for view, item in table_at(f"{path}: 'view'", project.get("view")).items():
        listed = list_at(
            f"{path}: view {view!r}: 'fid_list'", table_at(f"{path}: view {view!r}", item).get("fid_list")
        )
        if listed:
            file = table_at(f"{path}: file {listed[0]!r}", files.get(str(listed[0])))
            first[view] = text_at(f"{path}: the name of file {listed[0]!r}", file.get("fname") or file.get("src"))
    names = short_names(path, first.values())
    return {view: names[file] for view, file in first.items()}


def _labels(attributes: Mapping[str, Attribute], values: Mapping[str, str]) -> list[str]:
    """The labels of the first attribute of segments that has some; an unknown attribute counts as one of text."""
    for number, value in values.items():
        attribute = attributes.get(number, Attribute(number, True, False, {}))
        if attribute.temporal and attribute.name != SCORE and (labels := attribute.labels(value)):
            return labels
    return []


def _value(attributes: Mapping[str, Attribute], values: Mapping[str, str], name: str) -> str | None:
    return next((v for n, v in values.items() if n in attributes and attributes[n].name == name), None)


def _attribute(name: str, anchor: str, kind: int, options: Mapping[str, str]) -> dict[str, Any]:
    shared = {"aname": name, "anchor_id": anchor, "type": kind, "desc": ""}
    return {**shared, "options": dict(options), "default_option_id": ""}


def _metadata(view: str, times: list[float], values: Mapping[str, str]) -> dict[str, Any]:
    return {"vid": view, "flg": 0, "z": times, "xy": [], "av": dict(values)}
