"""Ground truth and results read raw from every form: nothing is clipped or sorted, and what is dropped is noted."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import numpy as np

from untrimmed.annotations.annotations import Annotations, Row, Spans
from untrimmed.annotations.convert import read_as
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
from untrimmed.annotations.sniff import sniff_format
from untrimmed.annotations.spans import StatedSpans, list_subsets
from untrimmed.annotations.subsets import describe_loose_subsets, describe_missing_subset, match_subsets
from untrimmed.evaluation.instances import Instances, from_columns, from_rows
from untrimmed.evaluation.judged_spans import describe_coverage, describe_split_videos, read_spans, select_spans
from untrimmed.evaluation.times import Times, convert_times
from untrimmed.io import BadInput, parse_json, read_bytes, read_json, read_text


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
    durations: Any = None


def read_ground_truth(
    path: str | Path, subset: str | None = None, times: Times = Times(), annotated: Path | None = None
) -> Instances:
    """Read the annotated actions of a file or folder, in its order and as they stand.

    Known are ActivityNet's JSON, `{"database": {video: {"subset", "duration", "annotations"}}}`; THUMOS'14's folder
    of text annotations, whose subsets are `validation` and `test`, and whose `Ambiguous` lines become `marks`, also
    of videos without an action; a `.csv` table of THUMOS'14's proposals (see `read_proposals`), where each row is
    labelled `proposal`; and every format that `untrimmed convert` reads. All but folders may end in `.gz`. With
    `subset`, only its videos are read: without regard to case, and by the usual synonyms; of a video that is split in
    time, its part. `annotated` is a table of the stretches that were annotated, see `read_span_table`. Raises
    BadInput when the file cannot be used, has no such subset, or annotates no action in it.
    """
    path = Path(path)
    if path.is_dir() and _is_thumos(path):
        ground_truth = _read_folder(path, subset)
    elif _ending(path) == ".csv" and _is_frame_table(path):
        if subset is not None:
            raise BadInput(f"{path}: a table has no subsets such as {subset!r}; leave the subset out")
        ground_truth = replace(_from_lines(read_frame_table(path)), unit="frames")
    elif _ending(path) == ".txt" and Path(path.name.removesuffix(".gz")).stem.rpartition("_")[2] in SUBSETS:
        raise BadInput(f"{path}: is one file of text annotations; give the folder that has them all")
    elif _is_other(path):
        return _refuse_empty(path, _read_other(path, times, subset, annotated))
    else:
        content = read_json(path)
        if not _is_activitynet(content):
            return _refuse_empty(path, _read_other(path, times, subset, annotated))
        return _refuse_empty(path, convert_times(path, _read_database(path, content, subset, annotated), times))
    if annotated is not None:
        raise BadInput(f"{annotated}: spans beside {path.name} are not read; `untrimmed convert` adds them to a file")
    return _refuse_empty(path, convert_times(path, ground_truth, times))


def from_annotations(annotations: Annotations, subset: str | None = None, name: object = "annotations") -> Instances:
    """Build instances of the rows of annotations as their file has them, or of the actions where no rows are known.

    With `subset`, only of its videos. Raises BadInput when there is none, and for a number that is not finite; `name`
    says where.
    """
    subsets, notes = list_subsets(annotations), [*annotations.notes]
    if subset is not None:
        subset, loose = _find_subset(name, subset, chain.from_iterable(subsets.values()))
        notes += loose
    videos = [video for video in annotations.timelines if subset is None or subset in subsets.get(video, ())]
    rows = {video: annotations.rows.get(video, annotations.timelines[video].actions) for video in videos}
    lost = [row for row in annotations.dropped if row.video not in annotations.rows]
    if lost:
        notes.append(f"{len(lost):,} rows that cannot be actions are left out, the first: {lost[0]}")
    instances = from_rows(rows)
    if not all(np.isfinite(column).all() for column in (instances.start, instances.end, instances.score)):
        raise BadInput(f"{name} hold a number that is not finite, so nothing can be judged; fix or remove the row")
    marks = {
        video: np.array([(mark.start, mark.end) for mark in annotations.ambiguous[video]], np.float64)
        for video in annotations.ambiguous
        if subset is None or subset in subsets.get(video, ())
    }
    spans = select_spans(StatedSpans(annotations.annotated, annotations.parts), videos, subset)
    notes += describe_split_videos(name, annotations.parts, subset)
    return replace(
        instances,
        subset=subset,
        durations={video: annotations.timelines[video].duration for video in videos},
        marks=marks,
        annotated=spans,
        other_subsets=_list_other_subsets(subsets, subset),
        notes=tuple(notes),
    )


def read_results(
    path: str | Path, classes: tuple[str, ...] | None = None, times: Times = Times(), folder: Path | None = None
) -> Instances:
    """Read the detected actions of a file, in its order and as they stand.

    Known are ActivityNet's JSON, `{"results": {video: [{"label", "score", "segment"}]}}`; in files that end in
    `.txt`, the lines of THUMOS'14's kit: video, start, end, class id, score; and every format that `untrimmed
    convert` reads. The kit's ids are those in the `detclasslist.txt` of `folder`, that of the ground truth, if there
    is one; or the official ones or 1 to 20, whichever fits every line, and the official ones where both do; with
    `classes` they count these from 1. Files may end in `.gz`. Raises BadInput when the file cannot be used, and when
    it holds proposals.
    """
    path = Path(path)
    if _ending(path) == ".csv" and _is_frame_table(path):
        raise BadInput(
            f"{path}: is a table of proposals in frames, without labels; detection is judged on labelled results, "
            "and proposals by a protocol such as 'thumos14-proposals'"
        )
    if _ending(path) == ".txt" and _is_kit(path):
        return convert_times(path, _read_kit(path, classes, folder), times)
    return _read_entries(path, _Detection, times)


def read_proposals(path: str | Path, times: Times = Times()) -> Instances:
    """Read the proposals of a file: results whose labels, if there are any, make no difference; all are `proposal`.

    Known are `.csv` tables with columns `video-name`, `f-init`, `f-end` and `score` among others, separated by
    commas, tabs or spaces, as in the literature on THUMOS'14, whose starts and ends stay frames; and all that
    `read_results` knows. Raises BadInput when the file cannot be used.
    """
    path = Path(path)
    if _ending(path) == ".csv" and _is_frame_table(path):
        return convert_times(path, replace(_from_lines(read_frame_table(path, scored=True)), unit="frames"), times)
    if _ending(path) == ".txt" and _is_kit(path):
        proposals = convert_times(path, _read_kit(path), times)
    else:
        proposals = _read_entries(path, _Proposal, times)
    return replace(proposals, labels=(PROPOSAL,)[: len(proposals)], label=np.zeros(len(proposals), np.int64))


def read_tags(path: str | Path) -> Instances:
    """Read what happens anywhere in each video, `{"results": {video: [{"label", "score"}]}}`; segments are [0, 0].

    Where an entry has a segment, it is read. Also known is all that `read_results` knows. Raises BadInput when the
    file cannot be used.
    """
    path = Path(path)
    if _ending(path) == ".txt" and _is_kit(path):
        return _read_kit(path)
    return _read_entries(path, _Tag, Times())


# Any other form


def _ending(path: Path) -> str:
    """The ending of a file's name, but for `.gz`."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


_OPTIONS = {"--unit", "--fps"}
"""What a remedy may name that who judges a file can give."""


def _read_other(path: Path, times: Times, subset: str | None = None, annotated: Path | None = None) -> Instances:
    """Read any format of annotations or detections."""
    try:
        annotations = read_as(sniff_format(path), path, times.to_hints()._replace(annotated=annotated))
    except BadInput as error:
        if set(re.findall(r"--[a-z-]+", str(error))) <= _OPTIONS:
            raise
        raise BadInput(f"{error}; `untrimmed convert` takes that, and what it writes can be judged") from None
    # Lengths bear on dense labels alone, whose notes say so themselves; and nobody can give them here.
    notes = (re.sub(r"; give the lengths .*", "", note) for note in annotations.notes)
    sentences = tuple(note if str(path) in note else f"{path}: {note}" for note in notes)
    return from_annotations(replace(annotations, notes=sentences), subset, f"{path}: its rows")


def _is_other(path: Path) -> bool:
    """Whether a file or folder is of a format that `untrimmed convert` reads, and that is not told by its JSON."""
    if path.is_dir() or _ending(path) in (".csv", ".txt"):
        return True
    name = "" if _ending(path) == ".json" else _sniff(path)
    return bool(name) and not name.startswith("activitynet")


def _is_activitynet(content: Any) -> bool:
    """Whether JSON is in ActivityNet's form, or in none."""
    return not content or (isinstance(content, dict) and not content.keys().isdisjoint(("database", "results")))


def _is_thumos(path: Path) -> bool:
    """Whether a folder is of THUMOS'14's text annotations, or of nothing that is known."""
    name = _sniff(path)
    return name == "thumos" or (not name and all(file.suffix in (".txt", "") for file in path.iterdir()))


def _sniff(path: Path) -> str:
    """Tell the format of a file or folder by its content; nothing where it is none that is known."""
    try:
        return sniff_format(path)
    except BadInput:
        return ""


def _is_frame_table(path: Path) -> bool:
    """Whether the first line of a table names the columns of THUMOS'14's proposals."""
    first = read_text(path).partition("\n")[0].strip()
    columns = {cell.strip(' "') for cell in re.split(r"[,\t;]" if re.search(r"[,\t;]", first) else r"\s+", first)}
    return not first or not columns.isdisjoint(("video-name", "f-init", "f-end"))


def _is_kit(path: Path) -> bool:
    """Whether a text file has lines of THUMOS'14's kit, or of nothing else that is known."""
    first = next((line for line in read_text(path).splitlines() if line.strip()), "")
    words = [] if re.search(r"[,;]", first) else first.split()
    is_line = len(words) == 5 and not any(math.isnan(_parse_number(words[place])) for place in (1, 2, 4))
    return not first or is_line or (len(words) > 3 and words[3].isdecimal()) or not _sniff(path)


def _refuse_empty(path: Path, ground_truth: Instances) -> Instances:
    """Return a ground truth that has an action, and no scores. Raises BadInput for one without."""
    if len(ground_truth) == 0:
        where = "it" if ground_truth.subset is None else f"subset {ground_truth.subset!r}"
        raise BadInput(f"{path}: no action is annotated in {where}; choose a subset or a file with annotations")
    return ground_truth


def _find_subset(name: object, subset: str, existing: Iterable[Any]) -> tuple[str, list[str]]:
    """Find the subset that is meant, and say where it is spelled otherwise. Raises BadInput where none is."""
    names = sorted(set(map(str, existing)))
    matched = match_subsets([subset], names)
    if subset not in matched:
        existing_names = describe_missing_subset(subset, names) if names else "there are none"
        raise BadInput(f"{name}: no video of subset {subset!r}; {existing_names}")
    return matched[subset], describe_loose_subsets(matched)


# ActivityNet's JSON


def _read_entries(path: Path, form: type[_Entry], times: Times) -> Instances:
    if _is_other(path):
        return _note_missing_scores(path, drop_guessed_lengths(_read_other(path, times)))
    content = read_bytes(path)
    try:
        decoded = msgspec.json.decode(content, type=_Results[form])
        results = _add_durations(from_rows(decoded.results), decoded.durations)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        results = None
    # Of two equal keys a decoder keeps the last in silence; then some score is missing.
    if results is None or len(results) != content.count(b'"score"'):
        value = parse_json(path, content)
        lists = isinstance(value, dict) and value and all(isinstance(entries, list) for entries in value.values())
        if lists and not _is_activitynet(value):
            value = {"results": value}  # the videos alone, with nothing around them
        if not _is_activitynet(value):
            results = _note_missing_scores(path, drop_guessed_lengths(_read_other(path, times)))
            if not len(results):
                raise BadInput(f"{path}: has no segment of any form that is known; 'results' by video was expected")
            return results
        if isinstance(value, dict) and isinstance(value.get("database"), dict) and "results" not in value:
            return _note_missing_scores(path, convert_times(path, _read_database(path, value), times))
        section = _find_section(path, value, "results")
        rows = {video: _parse_rows(path, video, entries, form) for video, entries in section.items()}
        results = _add_durations(from_rows(rows), value.get("durations"))
    return convert_times(path, results, times)


def _add_durations(results: Instances, stated: Any) -> Instances:
    """Add the lengths that stand beside results; whatever is no length in seconds is none."""
    lengths = {video: _parse_number(value) for video, value in stated.items()} if isinstance(stated, dict) else {}
    return replace(results, durations={video: length for video, length in lengths.items() if 0 < length < math.inf})


def drop_guessed_lengths(results: Instances) -> Instances:
    """Drop the lengths of videos that end with their last row, as those are guessed where nothing states them."""
    last = np.zeros(len(results.videos))
    np.maximum.at(last, results.video, results.end)
    guesses = dict(zip(results.videos, last.tolist(), strict=True))
    return replace(results, durations={v: length for v, length in results.durations.items() if length != guesses[v]})


def _note_missing_scores(path: Path, results: Instances) -> Instances:
    """Say that results rank alike where they are annotations."""
    if len(results) < 2 or (results.score != 1).any():
        return results
    return replace(
        results, notes=(*results.notes, f"{path}: has no scores; all rank alike, in the order of the file")
    )


def _list_other_subsets(subsets: Mapping[str, tuple[str, ...]], subset: str | None) -> dict[str, str]:
    """List the subsets of the videos that are not of the one that is read; none where all are read."""
    return {} if subset is None else {v: " and ".join(names) for v, names in subsets.items() if subset not in names}


def _read_database(path: Path, content: Any, subset: str | None = None, annotated: Path | None = None) -> Instances:
    rows: dict[str, list[Row]] = {}
    database = _find_section(path, content, "database")
    _refuse_other_entries(path, database)
    lengths = {video: _parse_number(entry.get("duration")) for video, entry in database.items()}
    durations = {video: length for video, length in lengths.items() if 0 < length < math.inf}
    spans, notes = read_spans(path, database, durations, annotated)
    subsets = _read_subsets(path, database, spans.parts) if subset is not None else {}
    if subset is not None:
        subset, loose = _find_subset(path, subset, chain.from_iterable(subsets.values()))
        notes += tuple(loose)
    for video, entry in database.items():
        if subset is not None and subset not in subsets[video]:
            continue
        annotations = _require(f"{path}: video {video!r}", entry, "annotations")
        rows[video] = _parse_rows(path, video, annotations, None)
    return replace(
        from_rows(rows),
        subset=subset,
        durations={video: durations[video] for video in rows if video in durations},
        annotated=select_spans(spans, rows, subset),
        other_subsets=_list_other_subsets(subsets, subset),
        notes=(*notes, *describe_coverage(path, spans, rows), *describe_split_videos(path, spans.parts, subset)),
    )


def _find_section(path: Path, content: Any, name: str) -> dict[str, Any]:
    """Find the object that a file is about."""
    if isinstance(content, dict) and isinstance(content.get(name), dict):
        return content[name]
    opposite = {"database": "results", "results": "database"}[name]
    if isinstance(content, dict) and opposite in content:
        kind = {"database": "a file of annotations", "results": "a file of detections"}
        raise BadInput(f"{path}: has {opposite!r}, so it is {kind[opposite]}; {kind[name]} was expected here")
    if isinstance(content, dict) and isinstance(content.get(name), list):
        raise BadInput(f"{path}: its {name!r} is a list; an object of videos was expected, as in {{'a': [...]}}")
    raise BadInput(f"{path}: has no object {name!r}; a file in the form of ActivityNet was expected")


def _refuse_other_entries(path: Path, database: dict[str, Any]) -> None:
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: video {video!r} is {_shorten(entry)}, not an object; fix or remove it")


def _read_subsets(
    path: Path, database: dict[str, Any], parts: Mapping[str, Mapping[str, Spans]]
) -> dict[str, tuple[str, ...]]:
    """Read the subsets of every video: one, or those of its parts. Raises BadInput for a video that has none."""
    return {
        video: tuple(parts[video])
        if video in parts
        else (str(_require(f"{path}: video {video!r}", entry, "subset")),)
        for video, entry in database.items()
    }


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
    if isinstance(label, int) and not isinstance(label, bool):
        return str(label)  # as `convert` reads it
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
    notes: list[str] = []
    if subset is not None:
        subset, notes = _find_subset(path, subset, SUBSETS.values())
    all_lines = list(read_thumos_lines(path))
    lines = [line for line in all_lines if subset in (None, line.subset)]
    ground_truth = _from_lines([line for line in lines if line.row.label != AMBIGUOUS])
    ambiguous = _from_lines([line for line in lines if line.row.label == AMBIGUOUS])
    segments = np.stack((ambiguous.start, ambiguous.end), axis=1)
    marks = {video: segments[ambiguous.video == number] for number, video in enumerate(ambiguous.videos)}
    judged = {line.video for line in lines}
    other_subsets = {line.video: line.subset for line in all_lines if line.video not in judged}
    return replace(ground_truth, subset=subset, marks=marks, other_subsets=other_subsets, notes=tuple(notes))


def _read_kit(path: Path, classes: tuple[str, ...] | None = None, folder: Path | None = None) -> Instances:
    counted = dict(enumerate(classes or CLASSES, start=1))
    official = dict[int, str](zip(CLASS_IDS, CLASSES, strict=True))
    listed = _read_class_list(folder / "detclasslist.txt") if folder else {}
    numberings = [counted] if classes else [official, counted]
    return _from_lines(read_thumos_results(path, [listed, *numberings] if listed else numberings))


def _read_class_list(path: Path) -> dict[int, str]:
    """Read the lines of a number and a class that come with the kit's ground truth; none where they are no such."""
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()] if path.is_file() else []
    usable = all(len(words) == 2 and words[0].isdecimal() for words in lines)
    return {int(number): label for number, label in lines} if usable else {}


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
