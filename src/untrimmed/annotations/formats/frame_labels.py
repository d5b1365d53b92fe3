"""A label for every frame: lines of text, tables of frames and labels, tables of zeros and ones, a column a label."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Hints, Row, format_count
from untrimmed.annotations.formats.columns import OFF, ON, VIDEOS, Column, find_label, normalize_column
from untrimmed.annotations.formats.content import FileContent, format_videos, read_files
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine, read_delimited_table, split_lines
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, parse_seconds, read_any_text
from untrimmed.annotations.units import DAY, find_scale
from untrimmed.io import BadInput, read_text
from untrimmed.video.names import media_name

ENDINGS = (".txt", ".csv", ".tsv", "")
"""Of files of labels; MS-TCN's results have none."""

FOLDERS = ("groundTruth", "groundtruth", "ground_truth")
"""Where MS-TCN's releases keep the labels, beside a `mapping.txt` and `splits`."""

NO_ACTION = ("", "-", "background", "bg", "nan", "no_action", "none", "null", "sil", "silence")
"""Labels of frames in which nothing happens, in lower case."""

RESULT = "### Frame level recognition: ###"
"""The first line of MS-TCN's results; all labels stand in the second."""

FRAMES = (
    *("", "frame", "frames", "frame_id", "frame_index", "frame_no", "frame_number", "frameid", "index"),
    "unnamed_0",
)
TIMES = ("time", "time_s", "time_sec", "timestamp", "seconds", "second", "sec")
LABELS = (
    *("phase", "label", "class", "action", "activity", "behavior", "behaviour", "gesture", "state", "step"),
    "stage",
)
BINARY = (*ON, *OFF, "-1", "-1.0")
"""What a cell of a table of zeros and ones holds, in lower case; -1 is a frame that nobody labelled."""

SUFFIX = re.compile(r"[-_](phases?|labels?|tools?|framelabels|annotations?)$", re.IGNORECASE)
"""What such tables have behind the video's name in theirs."""

RANGE = re.compile(r"(\d+)(?:\s*-\s*|\s+)(\d+)\s+(\S.*)")
"""A line of Breakfast's, `30-150 take_cup`, or of JIGSAWS', `30 150 G2`: the first and the last frame, from 1 on."""

TIMESTAMPS = "activityannotation"
"""What 50 Salads' original files end with, in lower case: lines of the same form, but of timestamps."""

_SPLIT = re.compile(r"(train|val|valid|validation|test)\.?_?(split_?\d+)?\.(bundle|txt)", re.IGNORECASE)
_SAMPLE = 200
_LEEWAY, _REMAINDER = 0.1, 5.0


class FrameTable(NamedTuple):
    """The labels of frames: where each line lies, in frames or seconds, and what goes on there."""

    positions: Sequence[float]
    labels: Sequence[Sequence[str]]
    in_seconds: bool = False
    unlabelled: int = 0


def holds_frame_labels(path: Path) -> bool:
    """Say whether a file, or a folder by its first file, holds a label for every frame."""
    if path.is_dir():
        folder = _find_folder(path)
        files = (file for file in sorted(folder.iterdir()) if file.is_file() and not _is_beside(file))
        first = next((file for file in files if file.suffix.lower() in ENDINGS), None)
        return first is not None and holds_frame_labels(first)
    lines = [line for line in islice(read_any_text(path).split("\n"), _SAMPLE) if line.strip()]
    return bool(lines) and (lines[0] == RESULT or _holds_lines(lines) or _find_kind(lines) != "")


def holds_frame_ranges(path: Path) -> bool:
    """Say whether every line of a file, or of a folder's first, is a range of frames and its label."""
    if path.is_dir():
        files = (file for file in sorted(path.iterdir()) if file.is_file() and not _is_beside(file))
        first = next((file for file in files if file.suffix.lower() == ".txt"), None)
        return first is not None and holds_frame_ranges(first)
    lines = [line.strip() for line in islice(read_any_text(path).split("\n"), _SAMPLE) if line.strip()]
    return bool(lines) and "\t" not in lines[0] and all(map(RANGE.fullmatch, lines))


def read_frame_labels(path: Path, hints: Hints) -> Annotations:
    """Read a label for every frame, of one video a file: runs of one label become actions.

    `path` is a file, a folder of such, or a folder with `groundTruth` in it, as for MS-TCN: then `mapping.txt` names
    the labels that are numbers, and `splits` the subsets. Frames whose label is in `NO_ACTION` are no action, and
    this is noted. Raises BadInput without `hints.fps`, frames a second, unless a column has times.
    """
    folder = _find_folder(path) if path.is_dir() else path.parent
    names = _read_mapping(folder)
    silence: dict[str, Counter[str]] = defaultdict(Counter)
    place = folder if path.is_dir() else path
    annotations = read_files(partial(_read_file, names, silence), ENDINGS, place, hints)
    subsets, notes = _read_splits(folder, annotations.timelines)
    notes = (*annotations.notes, *_describe_silence(silence), *notes)
    return replace(annotations, subsets=subsets, notes=notes)


def read_frame_ranges(path: Path, hints: Hints) -> Annotations:
    """Read ranges of frames with their label, `30-150 take_cup`, of one video a file.

    Frames count from 1, and the last belongs to the range. Raises BadInput as `read_frame_labels` does.
    """
    silence: dict[str, Counter[str]] = defaultdict(Counter)
    annotations = read_files(partial(_read_ranges, silence), (".txt",), path, hints)
    return replace(annotations, notes=(*annotations.notes, *_describe_silence(silence)))


def _read_ranges(silence: Mapping[str, Counter[str]], path: Path, hints: Hints) -> FileContent:
    if _is_beside(path):
        return FileContent({}, unit="s")
    scale = _find_rate(path, hints)
    rows: list[Row] = []
    for number, line in enumerate(read_any_text(path).split("\n"), start=1):
        match = RANGE.fullmatch(line.strip())
        if match:
            rows.append(Row((int(match[1]) - 1) / scale, int(match[2]) / scale, tidy_label(match[3])))
        elif line.strip():
            raise BadInput(f"{path}: line {number} is {line[:40]!r}; a range of frames and a label were expected")
    length = max((row.end for row in rows), default=0.0)
    if length > DAY or path.stem.lower().endswith(TIMESTAMPS):
        raise BadInput(
            f"{path}: as frames at {scale:g} a second its ranges go on for {length / 3600:.1f} hours; numbers like "
            "50 Salads' activityAnnotation are timestamps of its sensors, so use MS-TCN's groundTruth, or a table of "
            "seconds"
        )
    notes = (f"ranges of frames at {scale:g} a second, the first frame being 1",)
    return FileContent(
        {path.stem: _drop_silence(path.stem, rows, silence)}, {path.stem: length}, notes=notes, unit="frames"
    )


def _read_file(
    names: Mapping[str, str], silence: Mapping[str, Counter[str]], path: Path, hints: Hints
) -> FileContent:
    """Read the labels of one video, or of those that a column names; a file that only stands beside gives none."""
    if _is_beside(path):
        return FileContent({}, unit="s")
    text = read_any_text(path).rstrip()
    lines = [line for line in text.split("\n") if line.strip()]
    kind = _find_kind(lines)
    video = path.stem if path.suffix.lower() in ENDINGS else path.name
    notes: list[str] = []
    if lines and lines[0] == RESULT:
        tables = {video: _as_table([word for line in lines[1:] for word in line.split()], names)}
    elif kind:
        shorter = SUFFIX.sub("", video)
        tables = _read_tables(path, kind, names, hints, shorter)
        if shorter != video and shorter in tables:
            notes.append(f"videos are called as the files without '{video[len(shorter) :]}'")
    elif _holds_lines(lines):
        _refuse_gap(path, [number for number, line in enumerate(text.split("\n"), start=1) if line.strip()], 1)
        tables = {video: _as_table(lines, names)}
    else:
        raise BadInput(f"{path}: has no label for every frame, on a line each or in a column; fix or remove it")
    return _join_tables(path, tables, silence, hints, notes)


def _join_tables(
    path: Path,
    tables: Mapping[str, FrameTable],
    silence: Mapping[str, Counter[str]],
    hints: Hints,
    notes: Sequence[str],
) -> FileContent:
    """Join the frames of every video into actions; `notes` come after that on the rate."""
    unit = hints.unit or ("s" if any(table.in_seconds for table in tables.values()) else "frames")
    scale = _find_rate(path, hints) if unit == "frames" else find_scale(path, unit, hints.fps)
    notes = [
        f"a label for every frame, {scale:g} frames a second" if unit == "frames" else "labels at their times",
        *notes,
    ]
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    for video, table in tables.items():
        joined, durations[video] = _join_frames(table, scale)
        _refuse_other_length(path, durations[video], hints.durations.get(video), hints.fps)
        rows[video] = _drop_silence(video, joined, silence)
        if table.unlabelled:
            count = format_count(table.unlabelled, "frame")
            notes.append(f"{count} of {video!r} with -1, for not labelled: taken as without action")
    return FileContent(rows, durations, notes=tuple(notes), unit=unit)


def _read_tables(path: Path, kind: str, names: Mapping[str, str], hints: Hints, video: str) -> dict[str, FrameTable]:
    """Read the labels of frames by the video that a column names; without one, all are of `video`."""
    table = read_delimited_table(path)
    if table.lines and not _find_column(table.columns, (*FRAMES, *TIMES)):
        _refuse_gap(path, [line.number for line in table.lines], table.lines[0].number)
    column = _find_column(table.columns, VIDEOS)
    parts: dict[str, list[TableLine]] = defaultdict(list)
    for line in table.lines:
        parts[media_name(line.read_text(column)) if column else video].append(line)
    return {
        name: _read_lines(replace(table, lines=tuple(lines)), kind, names, hints) for name, lines in parts.items()
    }


def _refuse_gap(path: Path, numbers: Sequence[int], first: int) -> None:
    """Raise BadInput for an empty line between those of these numbers, where the next would be a frame early."""
    gap = next((place for place, number in enumerate(numbers, start=first) if place != number), None)
    if gap is not None:
        raise BadInput(
            f"{path}: line {gap} is empty, and every line is a frame; write its label ('background' if nothing goes "
            "on), or remove the line"
        )


def _read_lines(table: DelimitedTable, kind: str, names: Mapping[str, str], hints: Hints) -> FrameTable:
    path, lines, column = table.path, table.lines, _find_column(table.columns, (*FRAMES, *TIMES))
    positions, in_seconds = list(map(float, range(len(lines)))), False
    if column:
        in_seconds = normalize_column(column.name) in TIMES
        positions = [line.read_number(column, "a frame or a time was expected", clock=True) for line in lines]
        for line, (first, second) in zip(lines[1:], pairwise(positions), strict=True):
            if second <= first:
                raise BadInput(f"{path}: line {line.number} goes back to {second:g} from {first:g}; sort its lines")
    if kind == "labels":
        guess = _find_column(table.columns, LABELS)
        parts = find_label(path, table.columns, hints.label) if hints.label else (guess,)
        cells = [tidy_label(text) if (text := " ".join(map(line.read_text, parts))).strip() else "" for line in lines]
        return FrameTable(positions, [[name] for name in _translate(cells, names)], in_seconds)
    place = column.index if column else None
    classes = [(index, tidy_label(name)) for index, name in enumerate(table.columns) if index != place]
    labels, unlabelled = [], 0
    for line in lines:
        cells = [line.cells[index].lower() for index, _ in classes]
        if strange := next((cell for cell in cells if cell not in BINARY), None):
            raise BadInput(f"{path}: line {line.number} has {strange!r} where 0 or 1 was expected; fix it")
        unlabelled += any(cell.startswith("-") for cell in cells)
        labels.append([name for (_, name), cell in zip(classes, cells, strict=True) if cell in ON])
    return FrameTable(positions, labels, in_seconds, unlabelled)


def _join_frames(table: FrameTable, scale: float) -> tuple[list[Row], float]:
    """Join frames that follow each other under one label into rows in seconds; also the length of the video."""
    positions = table.positions
    step = Counter(round(b - a, 9) for a, b in pairwise(positions)).most_common(1)[0][0] if len(positions) > 1 else 1
    begun: dict[str, float] = {}
    rows: list[Row] = []
    end = 0.0
    for position, labels in zip(positions, table.labels, strict=True):
        follows = position - end <= step / 2
        for label in [label for label in begun if label not in labels or not follows]:
            rows.append(Row(begun.pop(label) / scale, end / scale, label))
        for label in labels:
            begun.setdefault(label, position)
        end = position + step
    rows += (Row(start / scale, end / scale, label) for label, start in begun.items())
    return sorted(rows), end / scale


def _refuse_other_length(path: Path, length: float, duration: float | None, fps: float | None) -> None:
    """Raise BadInput where the frames at `fps` a second are far from filling the video of `duration` seconds."""
    if duration and fps and abs(length - duration) > _LEEWAY * duration + _REMAINDER:
        raise BadInput(
            f"{path}: at {fps:g} frames a second the labels end at {length:.1f} s, the video at {duration:.1f} s; "
            f"{fps * length / duration:.3g} would fit (fps=..., --fps)"
        )


def _drop_silence(video: str, rows: Iterable[Row], silence: Mapping[str, Counter[str]]) -> list[Row]:
    """Return the rows that are actions, and count the others in `silence`, by label and video."""
    actions = []
    for row in rows:
        if row.label.lower() in NO_ACTION:
            silence[row.label][video] += 1
        else:
            actions.append(row)
    return actions


def _describe_silence(silence: Mapping[str, Counter[str]]) -> tuple[str, ...]:
    return tuple(
        f"{label!r} counts as no action: "
        f"{format_count(sum(videos.values()), 'stretch', 'stretches')} of {format_videos(list(videos))}"
        for label, videos in silence.items()
    )


def _find_rate(path: Path, hints: Hints) -> float:
    if not hints.fps:
        raise BadInput(
            f"{path}: holds labels of frames; give how many frames there are a second (fps=25, --fps 25, or data.fps)"
        )
    return hints.fps


def _as_table(lines: Iterable[str], names: Mapping[str, str]) -> FrameTable:
    labels = _translate([tidy_label(line) for line in lines], names)
    return FrameTable(list(map(float, range(len(labels)))), [[label] for label in labels])


def _translate(labels: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Name the labels that are numbers, where all of them have a name."""
    return [names[label] for label in labels] if all(label in names for label in labels) else list(labels)


def _holds_lines(lines: Sequence[str]) -> bool:
    """Whether lines are labels of frames: without columns, and the next line is mostly the same."""
    if any("\t" in line or ";" in line or line.count(",") > 1 for line in lines):
        return False
    follows = sum(a == b for a, b in pairwise(lines))
    return len(lines) > 1 and 2 * follows >= len(lines) - 1


def _find_kind(lines: Sequence[str]) -> str:
    """Return what a table holds, `labels` or `ones`; empty where it is another, or none."""
    table = split_lines("\n".join(lines[:_SAMPLE]), delimiter=max(",;\t", key=lines[0].count)) if lines else []
    if len(table) < 4:
        return ""
    names, body = table[0].cells, [line for line in table[1:] if len(line.cells) == len(table[0].cells)]
    if len(names) < 2 or len(body) < 3 or all(parse_number(name) is not None for name in names):
        return ""
    column, plain = _find_column(names, (*FRAMES, *TIMES)), list(map(normalize_column, names))
    place = column.index if column else None
    words = {cell.lower() for line in body for index, cell in enumerate(line.cells) if index != place}
    if words <= set(BINARY) and not any(re.search("start|begin|end|stop|score|video", name) for name in plain):
        return "ones"
    if column is None or len(names) > 3 or not set(plain) & set(LABELS):
        return ""
    video = _find_column(names, VIDEOS)
    positions = [
        parse_seconds(line.read_text(column)) for line in body if line.read_text(video) == body[0].read_text(video)
    ]
    steps = Counter(round(b - a, 6) for a, b in pairwise(positions) if a is not None and b is not None)
    return "labels" if steps and steps.most_common(1)[0][1] * 2 > len(positions) else ""


def _find_column(names: Sequence[str], meanings: Sequence[str]) -> Column | None:
    """Find the first column whose name is one of some."""
    columns = (Column(index, name) for index, name in enumerate(names))
    return next((column for column in columns if normalize_column(column.name) in meanings), None)


def _find_folder(path: Path) -> Path:
    return next((path / name for name in FOLDERS if (path / name).is_dir()), path)


def _is_beside(file: Path) -> bool:
    """Whether a file only stands beside those of labels: hidden, a mapping, a list of videos, words to the reader."""
    name = file.name.lower()
    return name.startswith((".", "mapping", "readme", "actions.", "classes.", "license")) or bool(
        _SPLIT.fullmatch(name)
    )


def _read_mapping(folder: Path) -> dict[str, str]:
    """Read the names of labels that are numbers, lines like `0 SIL` in a folder's or its parent's `mapping.txt`."""
    file = next((file for file in (folder / "mapping.txt", folder.parent / "mapping.txt") if file.is_file()), None)
    pairs = (line.split(maxsplit=1) for line in (read_text(file).splitlines() if file else ()))
    return {pair[0]: tidy_label(pair[1]) for pair in pairs if len(pair) == 2 and pair[0].isdigit()}


def _read_splits(folder: Path, videos: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the subset of each video from the lists in `splits`; of several splits, the one that tests on it."""
    places = (folder / "splits", folder.parent / "splits")
    place = next((place for place in places if place.is_dir()), None)
    lists: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for file in sorted(place.iterdir()) if place else ():
        if match := _SPLIT.fullmatch(file.name):
            names = [Path(line.strip()).name for line in read_text(file).splitlines() if line.strip()]
            lists[(match[2] or "").lower()][match[1].lower()] = [name.removesuffix(".txt") for name in names]
    tests = {split: subsets["test"] for split, subsets in lists.items() if "test" in subsets}
    if len(tests) > 1:
        subsets = {name: split for split, names in tests.items() for name in names}
        note = f"each video is in the split of {place} that tests on it: {', '.join(tests)}"
        if sum(map(len, tests.values())) > len(subsets):
            note += "; some are tested on in several, and count in the last"
    else:
        subsets = {name: subset for part in lists.values() for subset, names in part.items() for name in names}
        note = f"subsets are those of {place}"
    subsets = {video: subsets[video] for video in videos if video in subsets}
    return subsets, ((note,) if subsets else ())
