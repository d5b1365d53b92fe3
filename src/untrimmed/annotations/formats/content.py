"""What the reader of one file found before anything is judged, and how that becomes annotations."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from untrimmed.annotations.formats.base import Annotations, Dropped, Row, collect, judge, last_end
from untrimmed.io import BadInput, missing
from untrimmed.video.sampling import ENDINGS

MEDIA = (*ENDINGS, ".aac", ".flac", ".m4a", ".mp3", ".mpe", ".mts", ".ogg", ".ogv", ".opus", ".wav")
"""What the name of a recording ends with, and the name of a video here does not."""


class Hints(NamedTuple):
    """What a user may say of a file: frames a second, the columns of the label, and seconds by video.

    `label` joins several columns by `+`, as in `verb+noun`. `durations` is asked where a file states no length.
    """

    fps: float | None = None
    label: str | None = None
    durations: Mapping[str, float] = {}


@dataclass(frozen=True)
class Content:
    """Rows by video as a file has them, lengths in seconds and subsets where it states them.

    `dropped` never became a row, such as an event without an end; `notes` say what was guessed or left aside.
    """

    rows: Mapping[str, Sequence[Row]]
    durations: Mapping[str, float] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()


ReadFile = Callable[[Path, Hints], Content]


def read_files(read: ReadFile, endings: Sequence[str], path: Path, hints: Hints) -> Annotations:
    """The annotations in a file, or in all files of a folder that end so, each of other videos.

    Raises BadInput where two files are of one video, and as `annotate` does.
    """
    contents = {file: read(file, hints) for file in files_of(path, endings)}
    owner: dict[str, Path] = {}
    for file, content in contents.items():
        for video in content.rows:
            if (other := owner.setdefault(video, file)) != file:
                raise BadInput(f"{file}: is of video {video!r}, and so is {other.name}; leave one of them out")
    counted = Counter(note for content in contents.values() for note in content.notes)
    notes = (note if count == 1 else f"{note} (so in {count} files)" for note, count in counted.items())
    merged = Content(
        {video: rows for content in contents.values() for video, rows in content.rows.items()},
        {video: length for content in contents.values() for video, length in content.durations.items()},
        {video: subset for content in contents.values() for video, subset in content.subsets.items()},
        tuple(row for content in contents.values() for row in content.dropped),
        tuple(notes),
    )
    return annotate(path, merged, hints)


def files_of(path: Path, endings: Sequence[str]) -> list[Path]:
    """A file itself, or the files of a folder that end so, sorted; hidden ones are passed over."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in endings and file.name[0] != ".")
    if not found:
        raise BadInput(f"{path}: holds no file that ends in {' or '.join(endings)}; name the file or another folder")
    return found


def annotate(path: Path, content: Content, hints: Hints) -> Annotations:
    """Judge what was read. A video of unknown length ends with its last action, and without one it is left out.

    Both are noted. Raises BadInput where no video is left.
    """
    rows = {video: tuple(its_rows) for video, its_rows in content.rows.items()}
    asked = {video: content.durations.get(video) or hints.durations.get(video) for video in rows}
    known = {video: length for video, length in asked.items() if length}
    bare = [video for video in rows if video not in known and last_end(rows[video]) is None]
    usable = {video: its_rows for video, its_rows in rows.items() if video not in bare}
    lost = tuple(row for video in bare for row in judge(video, rows[video]).dropped)
    if not usable:
        dropped = (*content.dropped, *lost)
        reason = f"; the first of {len(dropped)} dropped is {dropped[0]}" if dropped else ""
        raise BadInput(f"{path}: has no action that can be used{reason}; add one, or give the videos' lengths")
    timelines, dropped = collect(path, usable, known)
    notes = (*content.notes, *_guessed_lengths(bare, [video for video in usable if video not in known]))
    subsets = {video: subset for video, subset in content.subsets.items() if video in timelines}
    return Annotations(timelines, subsets, (*content.dropped, *lost, *dropped), rows, notes=notes)


def _guessed_lengths(bare: Sequence[str], guessed: Sequence[str]) -> Iterable[str]:
    if guessed:
        yield f"{videos_of(guessed)} of unknown length: taken to end with the last action"
    if bare:
        yield f"{videos_of(bare)} of unknown length and without any action: left out"


def videos_of(names: Sequence[str]) -> str:
    """How many, and the first: `3 videos (the first is 'clip')`."""
    return f"video {names[0]!r}" if len(names) == 1 else f"{len(names)} videos (the first is {names[0]!r})"


def media_name(location: str) -> str:
    """The name of the video in a path or address of a recording: its last part, without a recording's ending."""
    name = location
    if "://" in location:
        path = re.sub(r"[?#].*", "", location.partition("://")[2])
        name = unquote(path)
    name = PurePosixPath(name.replace("\\", "/")).name
    return name[: -len(PurePosixPath(name).suffix)] if is_media(name) else name


def is_media(name: str) -> bool:
    """Whether a name ends as a recording's does."""
    return PurePosixPath(name).suffix.lower() in MEDIA


def short_names(path: Path, locations: Iterable[str]) -> dict[str, str]:
    """The name of the video for each of several locations; one that is no recording's stays as it is.

    Raises BadInput where two would be called alike.
    """
    owner: dict[str, str] = {}
    for location in dict.fromkeys(locations):
        name = media_name(location) if is_media(location) else location
        if owner.setdefault(name, location) != location:
            raise BadInput(
                f"{path}: {owner[name]!r} and {location!r} would both be video {name!r}; rename one of them"
            )
    return {location: name for name, location in owner.items()}
