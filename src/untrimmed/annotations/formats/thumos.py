"""THUMOS'14's text files: annotations in a folder, the results that its kit reads, and tables of proposals."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as short
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Hints, Row, build_timelines, split_usable
from untrimmed.annotations.formats.activitynet import PROPOSAL
from untrimmed.annotations.formats.columns import find_durations, find_rates
from untrimmed.annotations.formats.content import FileContent, build_annotations
from untrimmed.annotations.formats.folders import build_file_path, fill_folder
from untrimmed.annotations.formats.json_parts import to_number
from untrimmed.annotations.formats.tables import read_video_numbers
from untrimmed.annotations.formats.text import describe_encoding, read_any_text
from untrimmed.annotations.units import read_in_seconds
from untrimmed.io import BadInput, missing, read_text
from untrimmed.timeline import Action

SUBSETS = {"val": "validation", "test": "test"}
AMBIGUOUS = "Ambiguous"
SAMPLE = 100
"""Lines of each file by which a folder is recognized."""

CLASS_IDS = (7, 9, 12, 21, 22, 23, 24, 26, 31, 33, 36, 40, 45, 51, 68, 79, 85, 92, 93, 97)
"""The official numbers, out of UCF101's 101, of the 20 classes in alphabetical order, as in `detclasslist.txt`."""


class ThumosLine(NamedTuple):
    """One line of annotations or results, with its file and number for error messages."""

    file: Path
    number: int
    video: str
    row: Row
    subset: str = ""


def read_thumos(path: str | Path, hints: Hints = Hints(), classes: Collection[str] = ()) -> Annotations:
    """Read a folder of `<class>_val.txt` and `<class>_test.txt`, lines of video, start, end in seconds.

    Subsets are `validation` and `test`, after the files' names. `Ambiguous_*.txt` goes to `ambiguous`, as it is, also
    for videos without any action. A video outside `hints.durations` ends with its last action. Labels outside
    `classes` are dropped; without `classes`, any label is used. Raises BadInput for a folder without such files and
    for a broken line.
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    marks: dict[str, list[Row]] = defaultdict(list)
    subsets: dict[str, str] = {}
    for file, _, video, row, subset in read_thumos_lines(path):
        if row.label == AMBIGUOUS:
            marks[video].append(row)
            continue
        rows[video].append(row)
        if subsets.setdefault(video, subset) != subset:
            raise BadInput(f"{file}: video {video!r} is in the {subsets[video]} subset too; leave it in one")
    times = read_in_seconds(path, rows, {}, hints)
    timelines, dropped = build_timelines(path, times.rows, times.durations, classes)
    ambiguous = {}
    mark_rows = read_in_seconds(path, marks, {}, hints).rows if hints.unit else marks
    for video, video_marks in mark_rows.items():
        ambiguous[video], unusable = split_usable(video, video_marks)
        dropped += unusable
    return Annotations(timelines, subsets, dropped, times.rows, ambiguous=ambiguous, notes=times.notes)


def holds_class_files(path: Path) -> bool:
    """Say whether a file, or every one of a folder, holds lines of video, start and end, as MultiTHUMOS' do."""
    files = _list_class_files(path)
    lines = [line.split() for file in files for line in read_any_text(file).split("\n")[:SAMPLE] if line.strip()]
    return bool(lines) and all(len(words) == 3 and None not in map(to_number, words[1:]) for words in lines)


def read_class_files(path: Path, hints: Hints) -> Annotations:
    """Read `<class>.txt`, or a folder of such, with lines of video, start, end in seconds, as MultiTHUMOS has them.

    Videos called `video_validation_...` and `video_test_...`, as THUMOS'14 has them, are in those subsets. Raises
    BadInput for a broken line.
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    files = _list_class_files(path)
    for file in files:
        for number, line in enumerate(read_any_text(file).split("\n"), start=1):
            if words := line.split():
                rows[words[0]].append(_read_times(file, number, line, words, file.stem))
    subsets = {video: video.split("_")[1] for video in rows if video.startswith(("video_validation_", "video_test_"))}
    notes = ["labels are the names of the files", *(["subsets are in the names of the videos"] if subsets else [])]
    notes += (note for file in files for note in describe_encoding(file))
    return build_annotations(path, FileContent(rows, {}, subsets, notes=tuple(notes)), hints)


def _list_class_files(path: Path) -> list[Path]:
    """List a file itself, or those of a folder that may be of a class, or of its folder `annotations`."""
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if path.is_file():
        return [path]
    folder = path / "annotations" if (path / "annotations").is_dir() else path
    files = (file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".txt" and file.is_file())
    return [
        file for file in files if not file.name.lower().startswith((".", "readme", "class", "detclass", "license"))
    ]


def write_thumos(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write a new folder of such files, with all digits; videos of no subset, or of another, count as validation.

    Raises BadInput for a label that cannot be the name of a file, or is `Ambiguous`, and for a video with blanks.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for label, actions in _group_by_label(annotations).items():
        for video, action in actions:
            if not video or video.split() != [video]:
                raise BadInput(f"video {video!r} cannot stand in THUMOS'14's lines, which blanks part; rename it")
            ending = "test" if annotations.subsets.get(video, "").startswith("test") else "val"
            texts[f"{label}_{ending}"].append(f"{video} {float(action.start)!r} {float(action.end)!r}\n")
    with fill_folder(path) as folder:
        for name, lines in texts.items():
            build_file_path(folder, name, ".txt", "label").write_text("".join(lines), encoding="utf-8")


def _group_by_label(annotations: Annotations) -> dict[str, list[tuple[str, Action]]]:
    """Group the actions of all videos by label, and the ambiguous marks under theirs."""
    groups: dict[str, list[tuple[str, Action]]] = defaultdict(list)
    for video, timeline in annotations.timelines.items():
        for action in timeline.actions:
            groups[action.label].append((video, action))
    if AMBIGUOUS in groups:
        raise BadInput(f"label {AMBIGUOUS!r} means stretches to pass over in THUMOS'14's files; rename it")
    for video, marks in annotations.ambiguous.items():
        groups[AMBIGUOUS] += [(video, mark) for mark in marks]
    return groups


def read_thumos_lines(path: str | Path) -> Iterator[ThumosLine]:
    """Yield every line of a folder's annotation files as it stands, `Ambiguous` among the labels, by file name.

    Raises BadInput for a folder without such files and for a broken line.
    """
    path = Path(path)
    if not path.is_dir():
        raise missing(path, "folder of THUMOS'14 annotations")
    names = [(file, *file.stem.rpartition("_")) for file in sorted(path.glob("*.txt"))]
    files = [(file, label, SUBSETS[ending]) for file, label, _, ending in names if label and ending in SUBSETS]
    if not files:
        raise BadInput(
            f"{path}: has no files like Diving_val.txt or Diving_test.txt; give THUMOS'14's folder of them"
        )
    for file, label, subset in files:
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if not (words := line.split()):
                continue
            yield ThumosLine(file, number, words[0], _read_times(file, number, line, words, label), subset)


def _read_times(file: Path, number: int, line: str, words: Sequence[str], label: str) -> Row:
    start, end = map(to_number, words[1:]) if len(words) == 3 else (None, None)
    if start is None or end is None:
        raise BadInput(f"{file}: line {number} is {line!r}; a video, a start and an end were expected")
    return Row(start, end, label)


def read_thumos_results(path: str | Path, numberings: Sequence[Mapping[int, str]]) -> list[ThumosLine]:
    """Read a file of results for the kit, `.gz` too: lines of video, start, end, class id, score, in its order.

    Labels follow the first numbering that has the ids of all lines. Raises BadInput for an empty file, a broken line,
    and ids that no numbering has.
    """
    path = Path(path)
    lines = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not (words := line.split()):
            continue
        start, end, score = (to_number(words[i]) for i in (1, 2, 4)) if len(words) == 5 else (None, None, None)
        if start is None or end is None or score is None:
            raise BadInput(
                f"{path}: line {number} is {short(' '.join(words))}; "
                "a video, a start, an end, a class id and a score were expected"
            )
        # The label is still the class id.
        lines.append(ThumosLine(path, number, words[0], Row(start, end, words[3], score)))
    if not lines:
        raise BadInput(f"{path}: is empty; lines of a video, a start, an end, a class id and a score were expected")
    names = _choose_numbering(path, lines, numberings)
    return [line._replace(row=line.row._replace(label=names[line.row.label])) for line in lines]


def read_frame_table(path: str | Path, *, scored: bool = False) -> list[ThumosLine]:
    """Read a table of proposals, or of their ground truth, with starts and ends in frames and one label for all.

    Its first line names columns, separated by commas, tabs or spaces: `video-name`, `f-init`, `f-end`, when `scored`
    also `score`, and any others. Raises BadInput where one is missing or a row is broken.
    """
    path = Path(path)
    header, *lines = read_text(path).splitlines() or [""]
    if not header.strip():
        raise BadInput(f"{path}: begins with an empty line; one that names the columns was expected")
    delimiter = next((delimiter for delimiter in (",", "\t") if delimiter in header), None)
    columns = _split_cells(header, delimiter)
    needed = ("video-name", "f-init", "f-end", "score")[: 3 + scored]
    for name in needed:
        if name not in columns:
            raise BadInput(f"{path}: has no column {name!r} in its first line, {short(header)}; name it there")
    indices = [columns.index(name) for name in needed]
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = _split_cells(line, delimiter)
        if len(cells) == len(columns):
            rows.append(_read_frames(path, number, [cells[index] for index in indices]))
        elif line.strip():
            raise BadInput(f"{path}: line {number} has {len(cells)} cells for {len(columns)} columns; fix it")
    return rows


def read_durations(file: str | Path) -> dict[str, float]:
    """Read seconds by video, from a table with columns for a video and its length, one a video."""
    return read_video_numbers(Path(file), find_durations)


def read_rates(file: str | Path) -> dict[str, float]:
    """Read frames a second by video, from a table with columns for a video and its rate, one a video."""
    return read_video_numbers(Path(file), find_rates)


def _choose_numbering(path: Path, lines: list[ThumosLine], numberings: Sequence[Mapping[int, str]]) -> dict[str, str]:
    """Choose the first numbering that has the ids of all lines: the class of each id, as it is written."""
    faults = []
    for numbering in numberings:
        names = {str(number): label for number, label in numbering.items()}
        stray = next((line for line in lines if line.row.label not in names), None)
        if stray is None:
            return names
        faults.append(
            f"line {stray.number} has the class id {stray.row.label!r}, which is none of {', '.join(names)}"
        )
    raise BadInput(f"{path}: {', and '.join(faults)}; number the classes of all lines alike")


def _split_cells(line: str, delimiter: str | None) -> list[str]:
    return [cell.strip(' "') for cell in line.split(delimiter)]


def _read_frames(path: Path, number: int, cells: list[str]) -> ThumosLine:
    video, *words = cells
    start, end, score = map(to_number, (*words, "1")[:3])  # ground truth has score 1
    if start is None or end is None or score is None:
        raise BadInput(f"{path}: line {number} has {', '.join(map(repr, words))}; numbers were expected")
    return ThumosLine(path, number, video, Row(start, end, PROPOSAL, score))
