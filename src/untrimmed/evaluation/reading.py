"""Annotations and results in every form that published ones have, read raw: nothing is dropped, clipped or sorted."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import numpy as np

from untrimmed.annotations.datasets.thumos14 import CLASSES
from untrimmed.annotations.formats.activitynet import PROPOSAL
from untrimmed.annotations.formats.thumos import (
    AMBIGUOUS,
    CLASS_IDS,
    SUBSETS,
    Line,
    read_frames,
    read_kit,
    read_lines,
)
from untrimmed.evaluation.instances import Instances, from_columns
from untrimmed.io import BadInput, parse_json, read_bytes, read_json


class _Segment(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    start: float
    end: float


# Entries are decoded straight into these, which takes a third of the time and half the memory of dictionaries. Only
# where that fails does `judged` look at a dictionary: for numbers given as text, and for the sentence of refusal.
class _Detection(msgspec.Struct, gc=False):
    label: str
    score: float
    segment: _Segment

    @classmethod
    def judged(cls, place: str, entry: dict[str, Any]) -> "_Detection":
        if entry.get("label") is None:
            raise BadInput(
                f"{place} has a segment without a label, so these are proposals; "
                "detection is judged on labelled results"
            )
        return cls(_label(place, entry), _score(place, entry), _segment(place, entry))


class _Proposal(msgspec.Struct, gc=False):
    score: float
    segment: _Segment
    label: ClassVar[str] = PROPOSAL

    @classmethod
    def judged(cls, place: str, entry: dict[str, Any]) -> "_Proposal":
        return cls(_score(place, entry), _segment(place, entry))


class _Tag(msgspec.Struct, gc=False):
    label: str
    score: float
    segment: _Segment = _Segment(0.0, 0.0)

    @classmethod
    def judged(cls, place: str, entry: dict[str, Any]) -> "_Tag":
        segment = {"segment": _segment(place, entry)} if "segment" in entry else {}
        return cls(_label(place, entry), _score(place, entry), **segment)


_Result = TypeVar("_Result", bound=_Detection | _Proposal | _Tag)


class _Results(msgspec.Struct, Generic[_Result]):
    results: dict[str, list[_Result]]


def read_truth(path: Path, subset: str | None = None) -> Instances:
    """The annotated actions of a file or folder, in its order and as they stand.

    Known are ActivityNet's JSON, `{"database": {video: {"subset", "duration", "annotations"}}}`; THUMOS'14's folder
    of text annotations, whose subsets are `validation` and `test`, and whose `Ambiguous` lines become `marks`, also
    of videos without an action; and a `.csv` table of THUMOS'14's proposals (see `read_proposals`), where each row
    is labelled `proposal`. All but the folder may end in `.gz`. With `subset`, only its videos are read. Raises
    BadInput when the file cannot be used, has no such subset, or annotates no action in it.
    """
    path = Path(path)
    if path.is_dir():
        truth = _read_folder(path, subset)
    elif _kind(path) == ".csv":
        if subset is not None:
            raise BadInput(f"{path}: a table has no subsets such as {subset!r}; leave the subset out")
        truth = replace(_from_lines(read_frames(path)), unit="frames")
    elif _kind(path) == ".txt":
        raise BadInput(f"{path}: is one file of text annotations; give the folder that has them all")
    else:
        truth = _read_database(path, subset)
    if len(truth) == 0:
        where = "it" if subset is None else f"subset {subset!r}"
        raise BadInput(f"{path}: no action is annotated in {where}; choose a subset or a file with annotations")
    return truth


def read_results(path: Path, classes: tuple[str, ...] | None = None) -> Instances:
    """The detected actions of a file, in its order and as they stand.

    Known are ActivityNet's JSON, `{"results": {video: [{"label", "score", "segment"}]}}`, and, in files that end in
    `.txt`, the lines of THUMOS'14's kit: video, start, end, class id, score. Its ids are the official ones or 1 to
    20, whichever fits every line, and the official ones where both do; with `classes` they count these from 1.
    Either may end in `.gz`. Raises BadInput when the file cannot be used, and when it holds proposals.
    """
    path = Path(path)
    if _kind(path) == ".csv":
        raise BadInput(
            f"{path}: is a table, so these are proposals without labels; detection is judged on labelled results"
        )
    return _read_kit(path, classes) if _kind(path) == ".txt" else _read_entries(path, _Detection)


def read_proposals(path: Path) -> Instances:
    """The proposals of a file: results whose labels, if there are any, make no difference; all are `proposal`.

    Known are ActivityNet's JSON of results, and `.csv` tables with columns `video-name`, `f-init`, `f-end` and
    `score` among others, separated by commas, tabs or spaces, as in the literature on THUMOS'14. Their starts and
    ends stay frames. Either may end in `.gz`. Raises BadInput when the file cannot be used.
    """
    path = Path(path)
    if _kind(path) == ".csv":
        return replace(_from_lines(read_frames(path, scored=True)), unit="frames")
    return _read_entries(path, _Proposal)


def read_tags(path: Path) -> Instances:
    """What happens anywhere in each video, `{"results": {video: [{"label", "score"}]}}`; segments are [0, 0].

    A segment that an entry has is read. Raises BadInput when the file cannot be used.
    """
    return _read_entries(Path(path), _Tag)


def _kind(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


# ActivityNet's JSON


def _read_entries(path: Path, form: type[_Result]) -> Instances:
    content = read_bytes(path)
    try:
        found = msgspec.json.decode(content, type=_Results[form]).results
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        section = _section(path, parse_json(path, content), "results")
        found = {video: _judged(f"{path}: video {video!r}", its, form.judged) for video, its in section.items()}
    return _instances(found)


def _read_database(path: Path, subset: str | None) -> Instances:
    found: dict[str, list[_Detection]] = {}
    durations: dict[str, float] = {}
    for video, entry in _chosen(path, _section(path, read_json(path), "database"), subset).items():
        place = f"{path}: video {video!r}"
        found[video] = _judged(place, _value(place, entry, "annotations"), _annotation)
        duration = _number(entry.get("duration"))
        if 0 < duration < math.inf:
            durations[video] = duration
    return replace(_instances(found), subset=subset, durations=durations)


def _instances(found: Mapping[str, list[_Result]]) -> Instances:
    entries = [entry for listed in found.values() for entry in listed]
    counts = np.array([len(listed) for listed in found.values()], np.int64)
    return from_columns(
        tuple(found),
        np.repeat(np.arange(len(counts)), counts),
        [entry.label for entry in entries],
        np.array([entry.segment.start for entry in entries], np.float64),
        np.array([entry.segment.end for entry in entries], np.float64),
        np.array([entry.score for entry in entries], np.float64),
    )


def _section(path: Path, content: Any, name: str) -> dict[str, Any]:
    """The object that a file is about."""
    if isinstance(content, dict) and isinstance(content.get(name), dict):
        return content[name]
    other = {"database": "results", "results": "database"}[name]
    if isinstance(content, dict) and other in content:
        kind = {"database": "a file of annotations", "results": "a file of detections"}
        raise BadInput(f"{path}: has {other!r}, so it is {kind[other]}; {kind[name]} was expected here")
    raise BadInput(f"{path}: has no object {name!r}; a file in the form of ActivityNet was expected")


def _chosen(path: Path, database: dict[str, Any], subset: str | None) -> dict[str, Any]:
    """The videos of a subset."""
    subsets = {}
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: video {video!r} is {_shown(entry)}, not an object; mend or remove it")
        if subset is not None:
            subsets[video] = _value(f"{path}: video {video!r}", entry, "subset")
    if subset is None:
        return database
    if subset not in subsets.values():
        raise _no_subset(path, subset, subsets.values())
    return {video: entry for video, entry in database.items() if subsets[video] == subset}


def _no_subset(path: Path, subset: str, there: Iterable[Any]) -> BadInput:
    names = ", ".join(sorted(set(map(repr, there)))) or "none"
    return BadInput(f"{path}: no video of subset {subset!r}; there are {names}")


def _judged(place: str, listed: Any, judge: Callable[[str, dict[str, Any]], _Result]) -> list[_Result]:
    """The entries of one video, which must be a list of objects."""
    if not isinstance(listed, list):
        raise BadInput(f"{place} has {_shown(listed)} where a list of actions belongs; mend it")
    for entry in listed:
        if not isinstance(entry, dict):
            raise BadInput(f"{place} lists {_shown(entry)}, not an object; mend it")
    return [judge(place, entry) for entry in listed]


def _annotation(place: str, entry: dict[str, Any]) -> _Detection:
    return _Detection(_label(place, entry), 1.0, _segment(place, entry))


def _value(place: str, entry: dict[str, Any], name: str) -> Any:
    if name not in entry:
        raise BadInput(f"{place} has {_shown(entry)} without {name!r}; add it")
    return entry[name]


def _label(place: str, entry: dict[str, Any]) -> str:
    label = _value(place, entry, "label")
    if not isinstance(label, str):
        raise BadInput(f"{place} has the label {_shown(label)}, not text; mend it")
    return label


def _score(place: str, entry: dict[str, Any]) -> float:
    return _finite(place, _value(place, entry, "score"), "a score")


def _segment(place: str, entry: dict[str, Any]) -> _Segment:
    segment = _value(place, entry, "segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise BadInput(f"{place} has the segment {_shown(segment)}; [start, end] in seconds was expected")
    start, end = segment
    return _Segment(_finite(place, start, "a segment"), _finite(place, end, "a segment"))


def _finite(place: str, value: Any, what: str) -> float:
    """A finite number; a known file of THUMOS'14 annotations writes its seconds as text."""
    number = value if type(value) is float else _number(value)
    if not math.isfinite(number):
        raise BadInput(f"{place} has {_shown(value)} in {what}; a finite number was expected")
    return number


def _number(value: Any) -> float:
    """The number that a value is or says; else not a number."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _shown(value: Any) -> str:
    """A value, short enough for one sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# THUMOS'14's text files


def _read_folder(path: Path, subset: str | None) -> Instances:
    if subset is not None and subset not in SUBSETS.values():
        raise _no_subset(path, subset, SUBSETS.values())
    lines = [line for line in read_lines(path) if subset in (None, line.subset)]
    truth = _from_lines([line for line in lines if line.row.label != AMBIGUOUS])
    found = _from_lines([line for line in lines if line.row.label == AMBIGUOUS])
    segments = np.stack((found.start, found.end), axis=1)
    marks = {video: segments[found.video == number] for number, video in enumerate(found.videos)}
    return replace(truth, subset=subset, marks=marks)


def _read_kit(path: Path, classes: tuple[str, ...] | None) -> Instances:
    counted = dict(enumerate(classes or CLASSES, start=1))
    official = dict[int, str](zip(CLASS_IDS, CLASSES, strict=True))
    return _from_lines(read_kit(path, [counted] if classes else [official, counted]))


def _from_lines(lines: list[Line]) -> Instances:
    """Instances of rows whose videos stand in any order."""
    index = {video: number for number, video in enumerate(dict.fromkeys(line.video for line in lines))}
    video = np.array([index[line.video] for line in lines], np.int64)
    numbers = np.array([(row.start, row.end, row.score) for *_, row, _ in lines], np.float64).reshape(-1, 3)
    for row, column in np.argwhere(~np.isfinite(numbers)):
        place = f"{lines[row].file}: line {lines[row].number}"
        raise BadInput(f"{place} has {numbers[row, column]} for a number; a finite one was expected")
    start, end, score = numbers.T.copy()
    return from_columns(tuple(index), video, [line.row.label for line in lines], start, end, score)
