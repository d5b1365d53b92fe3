"""THUMOS'14's text files: annotations in a folder, the results that its kit reads, and tables of proposals."""

import csv
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import NamedTuple

from untrimmed.annotations.formats.activitynet import PROPOSAL
from untrimmed.annotations.formats.base import Annotations, Row, collect, judge
from untrimmed.annotations.formats.folders import file_in, whole_folder
from untrimmed.io import BadInput, missing, read_text
from untrimmed.timeline import Action

SUBSETS = {"val": "validation", "test": "test"}
AMBIGUOUS = "Ambiguous"

CLASS_IDS = (7, 9, 12, 21, 22, 23, 24, 26, 31, 33, 36, 40, 45, 51, 68, 79, 85, 92, 93, 97)
"""The official numbers, out of UCF101's 101, of the 20 classes in alphabetical order, as in `detclasslist.txt`."""


class Line(NamedTuple):
    """One line of annotations or results, with its file and number for whoever has to refuse it."""

    file: Path
    number: int
    video: str
    row: Row
    subset: str = ""


def read_thumos(path: Path, durations: Mapping[str, float], classes: Collection[str] = ()) -> Annotations:
    """The annotations in a folder of `<class>_val.txt` and `<class>_test.txt`, lines of video, start, end in seconds.

    Subsets are `validation` and `test`, after the files' names. `Ambiguous_*.txt` goes to `ambiguous`, as it is, also
    for videos without any action. A video outside `durations` ends with its last action; labels outside `classes`
    are dropped, where any are given. Raises BadInput for a folder without such files and for a broken line.
    """
    rows: dict[str, list[Row]] = {}
    marks: dict[str, list[Row]] = {}
    subsets: dict[str, str] = {}
    for file, _, video, row, subset in read_lines(path):
        if row.label == AMBIGUOUS:
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


def write_thumos(path: Path, annotations: Annotations) -> None:
    """Write a new folder of such files, with all digits; videos of no subset, or of another, count as validation.

    Raises BadInput for a label that cannot be the name of a file, or is `Ambiguous`, and for a video with blanks.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for label, marked in _by_label(annotations):
        for video, action in marked:
            if not video or video.split() != [video]:
                raise BadInput(f"video {video!r} cannot stand in THUMOS'14's lines, which blanks part; rename it")
            ending = "test" if annotations.subsets.get(video, "").startswith("test") else "val"
            texts[f"{label}_{ending}"].append(f"{video} {float(action.start)!r} {float(action.end)!r}\n")
    with whole_folder(path) as folder:
        for name, lines in texts.items():
            file_in(folder, name, ".txt", "label").write_text("".join(lines), encoding="utf-8")


def _by_label(annotations: Annotations) -> Iterator[tuple[str, list[tuple[str, Action]]]]:
    """Each label with its actions, and the ambiguous marks under theirs."""
    found: dict[str, list[tuple[str, Action]]] = defaultdict(list)
    for video, timeline in annotations.timelines.items():
        for action in timeline.actions:
            found[action.label].append((video, action))
    if AMBIGUOUS in found:
        raise BadInput(f"label {AMBIGUOUS!r} means stretches to pass over in THUMOS'14's files; rename it")
    marks = [(video, mark) for video, its_marks in annotations.ambiguous.items() for mark in its_marks]
    yield from found.items()
    if marks:
        yield AMBIGUOUS, marks


def read_lines(path: Path) -> Iterator[Line]:
    """Every line of a folder's annotation files as it stands, `Ambiguous` among the labels, in the order of names.

    Raises BadInput for a folder without such files and for a broken line.
    """
    path = Path(path)
    if not path.is_dir():
        raise missing(path, "folder of THUMOS'14 annotations")
    for file, label, subset in _files(path):
        yield from _lines(file, label, subset)


def read_kit(path: Path, numberings: Sequence[Mapping[int, str]]) -> list[Line]:
    """The lines of a file of results for the kit, `.gz` too: video, start, end, class id, score, in the file's order.

    Labels follow the first numbering that has the ids of all lines. Raises BadInput for an empty file, a broken line,
    and ids that no numbering has.
    """
    numbered = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), start=1)]
    found = [_result(path, number, words) for number, words in numbered if words]
    if not found:
        raise BadInput(f"{path}: is empty; lines of a video, a start, an end, a class id and a score were expected")
    names = _numbering(path, found, numberings)
    return [line._replace(row=line.row._replace(label=names[line.row.label])) for line in found]


def read_frames(path: Path, *, scored: bool = False) -> list[Line]:
    """The rows of a table of proposals, or of truth for them, with starts and ends in frames and one label for all.

    Its first line names columns, parted by commas, tabs or spaces: `video-name`, `f-init`, `f-end`, when `scored`
    also `score`, and any others. Raises BadInput where one is missing or a row is broken.
    """
    header, *lines = read_text(path).splitlines() or [""]
    if not header.strip():
        raise BadInput(f"{path}: begins with an empty line; one that names the columns was expected")
    mark = next((mark for mark in (",", "\t") if mark in header), None)
    columns = _cells(header, mark)
    wanted = ("video-name", "f-init", "f-end", "score")[: 3 + scored]
    for name in wanted:
        if name not in columns:
            raise BadInput(f"{path}: has no column {name!r} in its first line, {short(header)}; name it there")
    places = [columns.index(name) for name in wanted]
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = _cells(line, mark)
        if len(cells) == len(columns):
            rows.append(_frames(path, number, [cells[place] for place in places]))
        elif line.strip():
            raise BadInput(f"{path}: line {number} has {len(cells)} cells for {len(columns)} columns; mend it")
    return rows


def read_durations(file: Path) -> dict[str, float]:
    """Seconds by video, from a table whose columns include `filename` and `video-duration`."""
    return _positive(file, "video-duration", "seconds")


def read_rates(file: Path) -> dict[str, float]:
    """Frames a second by video, from a table whose columns include `filename` and `fps`."""
    return _positive(file, "fps", "frames a second")


def _positive(file: Path, column: str, unit: str) -> dict[str, float]:
    """A positive number by video, whose name loses its ending."""
    lines = csv.DictReader(read_text(file).splitlines())
    if not {"filename", column} <= set(lines.fieldnames or ()):
        raise BadInput(f"{file}: has no columns 'filename' and {column!r}; name them so")
    found = {}
    for line in lines:
        value = _number(line[column] or "")
        if value is None or not 0 < value < math.inf:
            raise BadInput(
                f"{file}: line {lines.line_num} has {column} {line[column]!r}; "
                f"a positive number of {unit} was expected"
            )
        found[Path(line["filename"] or "").stem] = value
    return found


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


def _lines(file: Path, label: str, subset: str) -> Iterator[Line]:
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        start, end = (_number(word) for word in words[1:]) if len(words) == 3 else (None, None)
        if start is None or end is None:
            raise BadInput(f"{file}: line {number} is {line!r}; a video, a start and an end were expected")
        yield Line(file, number, words[0], Row(start, end, label), subset)


def _result(path: Path, number: int, words: list[str]) -> Line:
    """A line whose label is still the class id."""
    start, end, score = (_number(words[place]) for place in (1, 2, 4)) if len(words) == 5 else (None, None, None)
    if start is None or end is None or score is None:
        line = short(" ".join(words))
        raise BadInput(
            f"{path}: line {number} is {line}; a video, a start, an end, a class id and a score were expected"
        )
    return Line(path, number, words[0], Row(start, end, words[3], score))


def _numbering(path: Path, lines: list[Line], numberings: Sequence[Mapping[int, str]]) -> dict[str, str]:
    """The class of each id, as it is written."""
    strays = []
    for numbering in numberings:
        names = {str(number): label for number, label in numbering.items()}
        stray = next((line for line in lines if line.row.label not in names), None)
        if stray is None:
            return names
        strays.append(
            f"line {stray.number} has the class id {stray.row.label!r}, which is none of {', '.join(names)}"
        )
    raise BadInput(f"{path}: {', and '.join(strays)}; number the classes of all lines alike")


def _cells(line: str, mark: str | None) -> list[str]:
    return [cell.strip(' "') for cell in line.split(mark)]


def _frames(path: Path, number: int, cells: list[str]) -> Line:
    video, *words = cells
    start, end, score = (_number(word) for word in (*words, "1")[:3])  # what is annotated has score 1
    if start is None or end is None or score is None:
        raise BadInput(f"{path}: line {number} has {', '.join(map(repr, words))}; numbers were expected")
    return Line(path, number, video, Row(start, end, PROPOSAL, score))


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _frozen(rows: Mapping[str, list[Row]]) -> dict[str, tuple[Row, ...]]:
    return {video: tuple(its_rows) for video, its_rows in rows.items()}
