"""What the reader of one file hands over before anything is checked, and how that becomes annotations."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from untrimmed.annotations.annotations import (
    Annotations,
    Dropped,
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
from untrimmed.annotations.formats.text import describe_encoding
from untrimmed.annotations.spans import StatedSpans, state_spans
from untrimmed.annotations.units import read_in_seconds
from untrimmed.io import BadInput, missing
from untrimmed.video.names import describe_twins, name_files, name_locations


@dataclass(frozen=True)
class FileContent:
    """Rows by video as a file has them, lengths in seconds and subsets where it states them.

    `dropped` never became a row, such as an event without an end; `notes` say what was guessed or skipped. `unit` is
    what the file says of its times, which are in seconds then; empty where it says nothing, and they are as they are.
    `annotated` are the stretches that were annotated, in seconds, of videos of which only a part was.
    """

    rows: Mapping[str, Sequence[Row]]
    durations: Mapping[str, float] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    unit: str = ""
    annotated: Mapping[str, Spans] = field(default_factory=dict)


def read_files(
    read: Callable[[Path, Hints], FileContent], endings: Sequence[str], path: Path, hints: Hints, deep: bool = False
) -> Annotations:
    """Read a file, or all files of a folder that `list_files` lists, each of other videos.

    Where files in several folders share a name, the videos that are called as they are called by their paths.
    Raises BadInput where two files are of one video, and as `build_annotations` does.
    """
    files = list_files(path, endings, deep)
    contents = {file: read(file, hints) for file in files}
    moved: list[str] = []
    for name, file in name_files(files).items():
        if "/" in name and file.stem in contents[file].rows:
            contents[file] = _rename_video(contents[file], file.stem, name)
            moved.append(name)
    owner: dict[str, Path] = {}
    for file, content in contents.items():
        for video in content.rows:
            if (first := owner.setdefault(video, file)) != file:
                raise BadInput(f"{file}: is of video {video!r}, and so is {first.name}; leave one of them out")
    notes = [note for file, content in contents.items() for note in (*describe_encoding(file), *content.notes)]
    if moved:
        count = format_count(len(moved), "video is", "videos are")
        notes.append(f"{count} called by folder too, as files in several folders share a name, such as {moved[0]!r}")
    merged = FileContent(
        {video: rows for content in contents.values() for video, rows in content.rows.items()},
        {video: length for content in contents.values() for video, length in content.durations.items()},
        {video: subset for content in contents.values() for video, subset in content.subsets.items()},
        tuple(row for content in contents.values() for row in content.dropped),
        tuple(_merge_notes(notes)),
        next(iter(contents.values())).unit if all(content.unit for content in contents.values()) else "",
        {video: spans for content in contents.values() for video, spans in content.annotated.items()},
    )
    return build_annotations(path, merged, hints)


def _rename_video(content: FileContent, video: str, name: str) -> FileContent:
    """Rename one video of a file."""
    rows, durations, subsets, annotated = (
        {name if key == video else key: value for key, value in values.items()}
        for values in (content.rows, content.durations, content.subsets, content.annotated)
    )
    dropped = tuple(replace(row, video=name) if row.video == video else row for row in content.dropped)
    return replace(content, rows=rows, durations=durations, subsets=subsets, dropped=dropped, annotated=annotated)


def _merge_notes(notes: Sequence[str]) -> Iterator[str]:
    """Yield each note once, with how many files have it, with the same names and numbers or others."""
    groups: dict[str, list[str]] = {}
    for note in notes:
        groups.setdefault(re.sub(r"'[^']*'|\[[^]]*\]|\d[\d.,]*", "#", note), []).append(note)
    for same in groups.values():
        first, count = same[0], len(same)
        details = "" if same == [first] * count else ", with other names or numbers"
        yield first if count == 1 else f"{first} (so in {count} files{details})"


def list_files(path: Path, endings: Sequence[str], deep: bool = False) -> list[Path]:
    """List a file itself, or the files of a folder with one of the endings, sorted and without hidden ones.

    Where it has none itself, or if `deep`, those in the folders inside it too.
    """
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if not path.is_dir():
        return [path]
    fitting = [file for file in walk_files(path) if file.suffix.lower() in endings]
    direct = [file for file in fitting if file.parent == path]
    files = fitting if deep or not direct else direct
    if not files:
        raise BadInput(f"{path}: holds no file that ends in {' or '.join(endings)}; name the file or another folder")
    return files


def walk_files(folder: Path) -> list[Path]:
    """List the files of a folder and of the folders inside it, sorted and without hidden ones."""
    files = (file for file in folder.rglob("*") if not any(p[0] == "." for p in file.relative_to(folder).parts))
    return sorted(file for file in files if file.is_file())


def build_annotations(path: Path, content: FileContent, hints: Hints) -> Annotations:
    """Build annotations from the usable rows; of a video of unknown length, up to the end of its last action.

    A video without length and action is dropped. Both are noted. Raises BadInput where no video remains.
    """
    rows = {video: tuple(video_rows) for video, video_rows in content.rows.items()}
    stated = {video: length for video, length in content.durations.items() if length and video in rows}
    times = read_in_seconds(path, rows, stated, hints._replace(unit="s") if content.unit else hints)
    rows, durations = times.rows, times.durations
    if not durations and all(find_last_end(video_rows) is None for video_rows in rows.values()):
        raise _refuse_all(path, content.dropped, rows)
    guesses = {video: _find_last_time(video_rows) for video, video_rows in rows.items() if video not in durations}
    empty = [video for video, last in guesses.items() if last is None]
    usable = {video: video_rows for video, video_rows in rows.items() if video not in empty}
    dropped = (*content.dropped, *(row for video in empty for row in split_usable(video, rows[video]).dropped))
    lengths = {**{video: last for video, last in guesses.items() if last is not None}, **durations}
    timelines, unusable = build_timelines(path, usable, lengths)
    notes = [*content.notes, *times.notes]
    notes += (*describe_guessed_lengths(timelines, durations), *describe_repeats(usable))
    if empty:
        notes.append(f"{format_videos(empty)} of unknown length and without any action: left out")
    notes += filter(None, [describe_twins(rows)])
    subsets = {video: subset for video, subset in content.subsets.items() if video in timelines}
    annotations = Annotations(timelines, subsets, (*dropped, *unusable), rows, notes=tuple(notes))
    spans = StatedSpans({video: spans for video, spans in content.annotated.items() if video in timelines}, {})
    return state_spans(annotations, spans, path) if spans.videos else annotations


def _refuse_all(path: Path, dropped: Sequence[Dropped], rows: Mapping[str, Sequence[Row]]) -> BadInput:
    """Say that no row can be used, and why the first cannot; where all are reversed, how to turn them."""
    dropped = [*dropped, *(row for video in rows for row in split_usable(video, rows[video]).dropped)]
    reason = f"; the first of {len(dropped)} dropped is {dropped[0]}" if dropped else ""
    remedy = "add one, or give the videos' lengths"
    if dropped and all(row.start > row.end for row in dropped):
        remedy = "all end before they start, so see whether start and end are the other way round"
    return BadInput(f"{path}: has no action that can be used{reason}; {remedy}")


def _find_last_time(rows: Sequence[Row]) -> float | None:
    """Find the end of the last usable row in seconds, or, where none is usable, the last time of any."""
    times = (time for row in rows for time in (row.start, row.end) if 0 < time < math.inf)
    return find_last_end(rows) or max(times, default=None)


def format_videos(names: Sequence[str]) -> str:
    """Say how many videos there are, and the first: `3 videos (the first is 'clip')`."""
    return f"video {names[0]!r}" if len(names) == 1 else f"{len(names)} videos (the first is {names[0]!r})"


def shorten_locations(path: Path, locations: Iterable[str], videos: Mapping[str, float] = {}) -> dict[str, str]:
    """Return the video's name for each of several locations, see `name_locations`.

    `videos` are those of which something is known. Raises BadInput where two would get the same name.
    """
    names = name_locations(locations, videos)
    owner: dict[str, str] = {}
    for location, name in names.items():
        if owner.setdefault(name, location) != location:
            raise BadInput(
                f"{path}: {owner[name]!r} and {location!r} would both be video {name!r}; rename one of them"
            )
    return names
