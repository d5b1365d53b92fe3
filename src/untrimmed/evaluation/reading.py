"""Ground truth and results read raw from every published form: nothing is dropped, clipped or sorted."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import numpy as np

from untrimmed.annotations.annotations import Annotations, Row
from untrimmed.annotations.datasets.thumos14 import CLASSES
from untrimmed.annotations.formats.activitynet import PROPOSAL
from untrimmed.annotations.formats.thumos import (
    AMBIGUOUS,
    CLASS_IDS,
    SUBSETS,
    ThumosLine,
    read_frame_table,
    read_thumos_lines,
    read_thumos_results,
)
from untrimmed.evaluation.instances import Instances, from_columns, from_rows
from untrimmed.io import BadInput, parse_json, read_bytes, read_json


class _Segment(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    start: float
    end: float


# Entries are decoded straight into these, which takes a third of the time and half the memory of dictionaries. Only
# where that fails does `_parse_row` look at a dictionary: for numbers given as text, and for the sentence of refusal.
class _Entry(msgspec.Struct, gc=False):
    segment: _Segment

    @property
    def start(self) -> float:
        return self.segment.start

    @property
    def end(self) -> float:
        return self.segment.end


class _Detection(_Entry, gc=False):
    label: str
    score: float


class _Proposal(_Entry, gc=False):
    score: float
    label: ClassVar[str] = PROPOSAL


class _Tag(_Entry, gc=False, kw_only=True):
    segment: _Segment = _Segment(0.0, 0.0)
    label: str
    score: float


_Result = TypeVar("_Result", bound=_Entry)


class _Results(msgspec.Struct, Generic[_Result]):
    results: dict[str, list[_Result]]


def read_ground_truth(path: str | Path, subset: str | None = None) -> Instances:
    """Read the annotated actions of a file or folder, in its order and as they stand.

    Known are ActivityNet's JSON, `{"database": {video: {"subset", "duration", "annotations"}}}`; THUMOS'14's folder
    of text annotations, whose subsets are `validation` and `test`, and whose `Ambiguous` lines become `marks`, also
    of videos without an action; and a `.csv` table of THUMOS'14's proposals (see `read_proposals`), where each row
    is labelled `proposal`. All but the folder may end in `.gz`. With `subset`, only its videos are read. Raises
    BadInput when the file cannot be used, has no such subset, or annotates no action in it.
    """
    path = Path(path)
    if path.is_dir():
        ground_truth = _read_folder(path, subset)
    elif _ending(path) == ".csv":
        if subset is not None:
            raise BadInput(f"{path}: a table has no subsets such as {subset!r}; leave the subset out")
        ground_truth = replace(_from_lines(read_frame_table(path)), unit="frames")
    elif _ending(path) == ".txt":
        raise BadInput(f"{path}: is one file of text annotations; give the folder that has them all")
    else:
        ground_truth = _read_database(path, subset)
    if len(ground_truth) == 0:
        where = "it" if subset is None else f"subset {subset!r}"
        raise BadInput(f"{path}: no action is annotated in {where}; choose a subset or a file with annotations")
    return ground_truth


def from_annotations(annotations: Annotations, subset: str | None = None) -> Instances:
    """Build instances of the rows of annotations as their file has them, or of the actions where no rows are known.

    With `subset`, only of its videos. Raises BadInput when there is none, and for a number that is not finite.
    """
    if subset is not None and subset not in annotations.subsets.values():
        raise _no_subset("annotations", subset, annotations.subsets.values())
    videos = [video for video in annotations.timelines if subset in (None, annotations.subsets.get(video))]
    instances = from_rows({v: annotations.rows.get(v, annotations.timelines[v].actions) for v in videos})
    if not all(np.isfinite(column).all() for column in (instances.start, instances.end, instances.score)):
        raise BadInput(
            "annotations hold a number that is not finite, so nothing can be judged; fix or remove the row"
        )
    marks = {
        video: np.array([(mark.start, mark.end) for mark in annotations.ambiguous[video]], np.float64)
        for video in annotations.ambiguous
        if subset in (None, annotations.subsets.get(video))
    }
    durations = {video: annotations.timelines[video].duration for video in videos}
    return replace(instances, subset=subset, durations=durations, marks=marks)


def read_results(path: str | Path, classes: tuple[str, ...] | None = None) -> Instances:
    """Read the detected actions of a file, in its order and as they stand.

    Known are ActivityNet's JSON, `{"results": {video: [{"label", "score", "segment"}]}}`, and, in files that end in
    `.txt`, the lines of THUMOS'14's kit: video, start, end, class id, score. Its ids are the official ones or 1 to
    20, whichever fits every line, and the official ones where both do; with `classes` they count these from 1.
    Either may end in `.gz`. Raises BadInput when the file cannot be used, and when it holds proposals.
    """
    path = Path(path)
    if _ending(path) == ".csv":
        raise BadInput(
            f"{path}: is a table, so these are proposals without labels; detection is judged on labelled results"
        )
    return _read_kit(path, classes) if _ending(path) == ".txt" else _read_entries(path, _Detection)


def read_proposals(path: str | Path) -> Instances:
    """Read the proposals of a file: results whose labels, if there are any, make no difference; all are `proposal`.

    Known are ActivityNet's JSON of results, and `.csv` tables with columns `video-name`, `f-init`, `f-end` and
    `score` among others, separated by commas, tabs or spaces, as in the literature on THUMOS'14. Their starts and
    ends stay frames. Either may end in `.gz`. Raises BadInput when the file cannot be used.
    """
    path = Path(path)
    if _ending(path) == ".csv":
        return replace(_from_lines(read_frame_table(path, scored=True)), unit="frames")
    return _read_entries(path, _Proposal)


def read_tags(path: str | Path) -> Instances:
    """Read what happens anywhere in each video, `{"results": {video: [{"label", "score"}]}}`; segments are [0, 0].

    Where an entry has a segment, it is read. Raises BadInput when the file cannot be used.
    """
    return _read_entries(Path(path), _Tag)


def _ending(path: Path) -> str:
    """The ending of a file's name, but for `.gz`."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


# ActivityNet's JSON


def _read_entries(path: Path, form: type[_Entry]) -> Instances:
    content = read_bytes(path)
    try:
        return from_rows(msgspec.json.decode(content, type=_Results[form]).results)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        section = _find_section(path, parse_json(path, content), "results")
        return from_rows({video: _parse_rows(path, video, entries, form) for video, entries in section.items()})


def _read_database(path: Path, subset: str | None) -> Instances:
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    database = _find_section(path, read_json(path), "database")
    for video, entry in _select_subset(path, database, subset).items():
        annotations = _require(f"{path}: video {video!r}", entry, "annotations")
        rows[video] = _parse_rows(path, video, annotations, None)
        duration = _parse_number(entry.get("duration"))
        if 0 < duration < math.inf:
            durations[video] = duration
    return replace(from_rows(rows), subset=subset, durations=durations)


def _find_section(path: Path, content: Any, name: str) -> dict[str, Any]:
    """Find the object that a file is about."""
    if isinstance(content, dict) and isinstance(content.get(name), dict):
        return content[name]
    opposite = {"database": "results", "results": "database"}[name]
    if isinstance(content, dict) and opposite in content:
        kind = {"database": "a file of annotations", "results": "a file of detections"}
        raise BadInput(f"{path}: has {opposite!r}, so it is {kind[opposite]}; {kind[name]} was expected here")
    raise BadInput(f"{path}: has no object {name!r}; a file in the form of ActivityNet was expected")


def _select_subset(path: Path, database: dict[str, Any], subset: str | None) -> dict[str, Any]:
    """Select the videos of a subset."""
    subsets = {}
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: video {video!r} is {_shorten(entry)}, not an object; fix or remove it")
        if subset is not None:
            subsets[video] = _require(f"{path}: video {video!r}", entry, "subset")
    if subset is None:
        return database
    if subset not in subsets.values():
        raise _no_subset(path, subset, subsets.values())
    return {video: entry for video, entry in database.items() if subsets[video] == subset}


def _no_subset(path: object, subset: str, subsets: Iterable[Any]) -> BadInput:
    names = ", ".join(sorted(set(map(repr, subsets)))) or "none"
    return BadInput(f"{path}: no video of subset {subset!r}; there are {names}")


def _parse_rows(path: Path, video: str, entries: Any, form: type[_Entry] | None) -> list[Row]:
    """Parse the entries of one video, which must be a list of objects; annotations without a form."""
    place = f"{path}: video {video!r}"
    if not isinstance(entries, list):
        raise BadInput(f"{place} has {_shorten(entries)} where a list of actions belongs; fix it")
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadInput(f"{place} lists {_shorten(entry)}, not an object; fix it")
    return [_parse_row(place, entry, form) for entry in entries]


def _parse_row(place: str, entry: dict[str, Any], form: type[_Entry] | None) -> Row:
    if form is _Detection and entry.get("label") is None:
        raise BadInput(
            f"{place} has a segment without a label, so these are proposals; detection is judged on labelled results"
        )
    label = PROPOSAL if form is _Proposal else _parse_label(place, entry)
    score = _parse_finite(place, _require(place, entry, "score"), "a score") if form else 1.0
    segment = (0.0, 0.0) if form is _Tag and "segment" not in entry else _parse_segment(place, entry)
    return Row(*segment, label, score)


def _require(place: str, entry: dict[str, Any], name: str) -> Any:
    if name not in entry:
        raise BadInput(f"{place} has {_shorten(entry)} without {name!r}; add it")
    return entry[name]


def _parse_label(place: str, entry: dict[str, Any]) -> str:
    label = _require(place, entry, "label")
    if not isinstance(label, str):
        raise BadInput(f"{place} has the label {_shorten(label)}, not text; fix it")
    return label


def _parse_segment(place: str, entry: dict[str, Any]) -> tuple[float, float]:
    segment = _require(place, entry, "segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise BadInput(f"{place} has the segment {_shorten(segment)}; [start, end] in seconds was expected")
    start, end = segment
    return _parse_finite(place, start, "a segment"), _parse_finite(place, end, "a segment")


def _parse_finite(place: str, value: Any, what: str) -> float:
    """Parse a finite number; a known file of THUMOS'14 annotations writes its seconds as text."""
    number = value if type(value) is float else _parse_number(value)
    if not math.isfinite(number):
        raise BadInput(f"{place} has {_shorten(value)} in {what}; a finite number was expected")
    return number


def _parse_number(value: Any) -> float:
    """Parse a number, also from text; NaN where it is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _shorten(value: Any) -> str:
    """Shorten a value for one sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# THUMOS'14's text files


def _read_folder(path: Path, subset: str | None) -> Instances:
    if subset is not None and subset not in SUBSETS.values():
        raise _no_subset(path, subset, SUBSETS.values())
    lines = [line for line in read_thumos_lines(path) if subset in (None, line.subset)]
    ground_truth = _from_lines([line for line in lines if line.row.label != AMBIGUOUS])
    ambiguous = _from_lines([line for line in lines if line.row.label == AMBIGUOUS])
    segments = np.stack((ambiguous.start, ambiguous.end), axis=1)
    marks = {video: segments[ambiguous.video == number] for number, video in enumerate(ambiguous.videos)}
    return replace(ground_truth, subset=subset, marks=marks)


def _read_kit(path: Path, classes: tuple[str, ...] | None) -> Instances:
    counted = dict(enumerate(classes or CLASSES, start=1))
    official = dict[int, str](zip(CLASS_IDS, CLASSES, strict=True))
    return _from_lines(read_thumos_results(path, [counted] if classes else [official, counted]))


def _from_lines(lines: list[ThumosLine]) -> Instances:
    """Build instances of lines whose videos stand in any order."""
    index = {video: number for number, video in enumerate(dict.fromkeys(line.video for line in lines))}
    video = np.array([index[line.video] for line in lines], np.int64)
    numbers = np.array([(row.start, row.end, row.score) for *_, row, _ in lines], np.float64).reshape(-1, 3)
    for row, column in np.argwhere(~np.isfinite(numbers)):
        place = f"{lines[row].file}: line {lines[row].number}"
        raise BadInput(f"{place} has {numbers[row, column]} for a number; a finite one was expected")
    start, end, score = numbers.T.copy()
    return from_columns(tuple(index), video, [line.row.label for line in lines], start, end, score)
