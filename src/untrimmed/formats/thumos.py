"""THUMOS'14's official text annotations: a file a class and subset, and a line an instance."""

import csv
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from untrimmed.errors import BadInput, missing
from untrimmed.files import read_text
from untrimmed.formats.base import Annotations, Row, collect, judge

SUBSETS = {"val": "validation", "test": "test"}
AMBIGUOUS = "Ambiguous"


def read_thumos(path: Path, durations: Mapping[str, float], classes: Collection[str] = ()) -> Annotations:
    """The annotations in a folder of `<class>_val.txt` and `<class>_test.txt`, lines of video, start, end in seconds.

    Subsets are `validation` and `test`, after the files' names. `Ambiguous_*.txt` goes to `ambiguous`, as it is, also
    for videos without any action. A video outside `durations` ends with its last action; labels outside `classes`
    are dropped, where any are given. Raises BadInput for a folder without such files and for a broken line.
    """
    path = Path(path)
    if not path.is_dir():
        raise missing(path, "folder of THUMOS'14 annotations")
    rows: dict[str, list[Row]] = {}
    marks: dict[str, list[Row]] = {}
    subsets: dict[str, str] = {}
    for file, label, subset in _files(path):
        for video, row in _rows(file, label):
            if label == AMBIGUOUS:
                marks.setdefault(video, []).append(row)
                continue
            rows.setdefault(video, []).append(row)
            if subsets.setdefault(video, subset) != subset:
                raise BadInput(f"{file}: video {video!r} is in the {subsets[video]} subset too; leave it in one")
    timelines, dropped = collect(path, _frozen(rows), durations, classes)
    judged = {video: judge(video, its_marks) for video, its_marks in marks.items()}
    dropped += tuple(row for its in judged.values() for row in its.dropped)
    ambiguous = {video: its.actions for video, its in judged.items()}
    return Annotations(timelines, subsets, dropped, _frozen(rows), ambiguous=ambiguous)


def read_durations(file: Path) -> dict[str, float]:
    """Seconds by video, from a table whose columns include `filename` and `video-duration`."""
    lines = csv.DictReader(read_text(file).splitlines())
    if not {"filename", "video-duration"} <= set(lines.fieldnames or ()):
        raise BadInput(f"{file}: has no columns 'filename' and 'video-duration'; name them so")
    durations = {}
    for line in lines:
        duration = _number(line["video-duration"] or "")
        if duration is None or not 0 < duration < math.inf:
            raise BadInput(
                f"{file}: line {lines.line_num} has duration {line['video-duration']!r}; "
                "a positive number of seconds was expected"
            )
        durations[Path(line["filename"] or "").stem] = duration
    return durations


def _files(path: Path) -> list[tuple[Path, str, str]]:
    """Every annotation file with its label and subset, in the order of names."""
    found = []
    for file in sorted(path.glob("*.txt")):
        label, _, ending = file.stem.rpartition("_")
        if label and ending in SUBSETS:
            found.append((file, label, SUBSETS[ending]))
    if not found:
        raise BadInput(
            f"{path}: has no files like Diving_val.txt or Diving_test.txt; give THUMOS'14's folder of them"
        )
    return found


def _rows(file: Path, label: str) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        start, end = (_number(word) for word in words[1:]) if len(words) == 3 else (None, None)
        if start is None or end is None:
            raise BadInput(f"{file}: line {number} is {line!r}; a video, a start and an end were expected")
        yield words[0], Row(start, end, label)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _frozen(rows: Mapping[str, list[Row]]) -> dict[str, tuple[Row, ...]]:
    return {video: tuple(its_rows) for video, its_rows in rows.items()}
