"""What the columns of a stranger's table mean, guessed from their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from untrimmed.io import BadInput

STARTS = ("start", "begin", "beginning", "onset", "from", "init", "t0")
ENDS = ("end", "stop", "finish", "to", "until", "t1")
VIDEOS = (
    *("video", "video_id", "video_name", "videoid", "videoname", "vid", "video_file", "video_filename", "video_path"),
    *("media_file_name", "media_file_path", "media_file", "media", "filename", "file_name", "file", "path", "clip"),
    *("clip_id", "recording", "observation_id", "youtube_id", "name", "id"),
)
LABELS = (
    *("label", "class", "action", "category", "activity", "behavior", "behaviour", "event", "gesture", "tag"),
    *("class_name", "label_name", "action_label", "action_class", "action_name", "activity_name", "annotation"),
    *("narration", "verb", "caption", "sentence", "description", "text", "type", "label_id", "class_id"),
)
SCORES = ("score", "confidence", "conf", "probability", "prob")
VIDEO_LENGTHS = ("video_duration", "video_length", "total_length", "media_duration", "media_length")
LENGTHS = ("duration", "length", "dur")
SUBSETS = ("subset", "split", "partition")
RATES = ("fps", "frame_rate", "framerate", "fps_frame_s")
STATUS = ("status", "behavior_type", "event_type")
SUBJECTS = ("subject", "modifiers", "modifier", "modifier_1")

SECONDS, MILLISECONDS, FRAMES = "seconds", "milliseconds", "frames"
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), SECONDS),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), MILLISECONDS),
    **dict.fromkeys(("f", "frame", "frames"), FRAMES),
}
_TIMES = ("time", "timestamp", "temporal", "segment", "t")
_PREFERENCE = (SECONDS, "", MILLISECONDS, FRAMES)


@dataclass(frozen=True)
class Column:
    """A column by its index and name; `unit` is empty where its name states none."""

    index: int
    name: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name!r} in {self.unit}" if self.unit else repr(self.name)


@dataclass(frozen=True)
class Columns:
    """The columns of each meaning; None where there is none.

    `time` and `status` are of tables of events, each a start or a stop; `subjects` tell apart who does it.
    """

    label: tuple[Column, ...]
    video: Column | None
    start: Column | None
    end: Column | None
    time: Column | None
    status: Column | None
    length: Column | None
    score: Column | None
    video_length: Column | None
    subset: Column | None
    fps: Column | None
    subjects: tuple[Column, ...]

    def __str__(self) -> str:
        meanings = []
        for meaning in fields(self):
            value = getattr(self, meaning.name)
            columns = value if isinstance(value, tuple) else (value,) if value else ()
            if columns:
                meanings.append(f"{meaning.name.replace('_', ' ')} {' and '.join(map(str, columns))}")
        return ", ".join(meanings)

    @property
    def holds_events(self) -> bool:
        """Whether each line is one moment."""
        return self.end is None and self.length is None and self.time is not None and self.status is not None


def guess_columns(path: Path, names: Sequence[str], label: str | None = None) -> Columns:
    """Guess the meaning of columns by their names; `label` names those of the label, joined by `+`.

    Raises BadInput where there is no label or no time, with the names that there are.
    """
    labels = _find_label(path, names, label) if label else _find_columns(names, [LABELS])
    start, end = _find_time(names, STARTS), _find_time(names, ENDS)
    if end is None and start and "onset" in start.name.lower():
        end = _find_time(names, ("offset",))
    length = _find_time(names, LENGTHS)
    columns = Columns(
        label=labels,
        video=_find_column(names, VIDEOS),
        start=start,
        end=end,
        time=_find_time(names, ("",), needed="time") if start is None else None,
        status=_find_column(names, STATUS) if start is None else None,
        length=length if end is None else None,
        score=_find_column(names, SCORES),
        video_length=_find_time(names, VIDEO_LENGTHS),
        subset=_find_column(names, SUBSETS),
        fps=_find_column(names, RATES),
        subjects=_find_columns(names, [(name,) for name in SUBJECTS]) if start is None else (),
    )
    listed = ", ".join(names)
    if not labels:
        raise BadInput(f"{path}: has no column that is surely the label, of {listed}; name it with --label")
    if not columns.holds_events and (start is None or (end is None and length is None)):
        raise BadInput(f"{path}: has no columns for start and end, of {listed}; call them 'start' and 'end'")
    return columns


def find_durations(path: Path, names: Sequence[str]) -> tuple[Column, Column]:
    """Find the columns of the video and of its length in seconds. Raises BadInput where one of them is missing."""
    video = _find_column(names, VIDEOS)
    length = _find_time(names, VIDEO_LENGTHS) or _find_time(names, LENGTHS) or _find_time(names, ("",))
    if video is None or length is None or length.unit == FRAMES:
        raise BadInput(f"{path}: has no columns for video and duration, of {', '.join(names)}; call them so")
    return video, length


def _split_words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())


def _find_label(path: Path, names: Sequence[str], label: str) -> tuple[Column, ...]:
    """Find the columns that a user named."""
    labels = [label] if label in names else label.split("+")
    for name in labels:
        if name not in names:
            raise BadInput(f"{path}: has no column {name!r} for the label, of {', '.join(names)}; name one of them")
    return tuple(Column(names.index(name), name) for name in labels)


def _find_columns(names: Sequence[str], meanings: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    return tuple(filter(None, (_find_column(names, candidates) for candidates in meanings)))


def _find_column(names: Sequence[str], candidates: Sequence[str]) -> Column | None:
    """Find the column whose name stands earliest in `candidates`."""
    plain = ["_".join(_split_words(name)) for name in names]
    indices = (plain.index(name) for name in candidates if name in plain)
    return next((Column(index, names[index]) for index in indices), None)


def _find_time(names: Sequence[str], candidates: Sequence[str], needed: str = "") -> Column | None:
    """Find a column of time whose name, without units and words like `time`, is in `candidates`; seconds first."""
    columns: list[tuple[Column, str]] = []
    for index, name in enumerate(names):
        words = _split_words(name)
        if needed in words or not needed:
            unit = next((_UNITS[word] for word in words if word in _UNITS), "")
            plain = "_".join(word for word in words if word not in _UNITS and word not in _TIMES)
            columns.append((Column(index, name, unit), plain))
    for unit in _PREFERENCE:
        for candidate in candidates:
            for column, name in columns:
                if column.unit == unit and name == candidate:
                    return column
    return None
