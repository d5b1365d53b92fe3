"""What the columns of a stranger's table mean, guessed from their names."""

import re
from collections.abc import Iterator, Sequence
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
    """A column by its place and name; `unit` is empty where its name states none."""

    place: int
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
        told = []
        for item in fields(self):
            value = getattr(self, item.name)
            columns = value if isinstance(value, tuple) else (value,) if value else ()
            told += [f"{item.name.replace('_', ' ')} {' and '.join(map(str, columns))}"] if columns else []
        return ", ".join(told)

    @property
    def of_events(self) -> bool:
        """Whether each line is one moment."""
        return self.end is None and self.length is None and self.time is not None and self.status is not None


def guess_columns(path: Path, names: Sequence[str], label: str | None = None) -> Columns:
    """The meaning of columns by their names; `label` names those of the label, joined by `+`.

    Raises BadInput where there is no label or no time, with the names that there are.
    """
    listed = ", ".join(names)
    labels = _asked(path, names, label) if label else _first(names, LABELS)
    time = _timed(names, ("",), needed="time")
    status = _one(names, STATUS)
    start, end = _timed(names, STARTS), _timed(names, ENDS)
    if end is None and start and "onset" in start.name.lower():
        end = _timed(names, ("offset",))
    lengths = _timed(names, LENGTHS)
    found = Columns(
        label=labels,
        video=_one(names, VIDEOS),
        start=start,
        end=end,
        time=time if start is None else None,
        status=status if start is None else None,
        length=lengths if end is None else None,
        score=_one(names, SCORES),
        video_length=_timed(names, VIDEO_LENGTHS),
        subset=_one(names, SUBSETS),
        fps=_one(names, RATES),
        subjects=tuple(column for name in SUBJECTS for column in _first(names, (name,))) if start is None else (),
    )
    if not labels:
        raise BadInput(f"{path}: has no column that is surely the label, of {listed}; name it with --label")
    if not found.of_events and (start is None or (end is None and lengths is None)):
        raise BadInput(f"{path}: has no columns for start and end, of {listed}; call them 'start' and 'end'")
    return found


def find_lengths(path: Path, names: Sequence[str]) -> tuple[Column, Column]:
    """The columns of the video and of its length in seconds; BadInput where one of them is missing."""
    video = _one(names, VIDEOS)
    length = _timed(names, VIDEO_LENGTHS) or _timed(names, LENGTHS) or _timed(names, ("",))
    if video is None or length is None or length.unit == FRAMES:
        listed = ", ".join(names)
        raise BadInput(f"{path}: has no columns for video and duration, of {listed}; call them so")
    return video, length


def _words(name: str) -> list[str]:
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[^\W_]+", parted.lower())


def _asked(path: Path, names: Sequence[str], label: str) -> tuple[Column, ...]:
    wanted = [label] if label in names else label.split("+")
    for name in wanted:
        if name not in names:
            raise BadInput(f"{path}: has no column {name!r} for the label, of {', '.join(names)}; name one of them")
    return tuple(Column(names.index(name), name) for name in wanted)


def _first(names: Sequence[str], known: Sequence[str]) -> tuple[Column, ...]:
    column = _one(names, known)
    return (column,) if column else ()


def _one(names: Sequence[str], known: Sequence[str]) -> Column | None:
    """The column whose name stands earliest in `known`."""
    plain = ["_".join(_words(name)) for name in names]
    return next((Column(plain.index(name), names[plain.index(name)]) for name in known if name in plain), None)


def _timed(names: Sequence[str], known: Sequence[str], needed: str = "") -> Column | None:
    """A column of time, whose name is in `known` once units and words like `time` are left out; seconds first."""
    found = list(_stripped(names, needed))
    for unit in _PREFERENCE:
        for name in known:
            for column, rest in found:
                if column.unit == unit and rest == name:
                    return column
    return None


def _stripped(names: Sequence[str], needed: str) -> Iterator[tuple[Column, str]]:
    for place, name in enumerate(names):
        words = _words(name)
        unit = next((_UNITS[word] for word in words if word in _UNITS), "")
        if needed in words or not needed:
            rest = "_".join(word for word in words if word not in _UNITS and word not in _TIMES)
            yield Column(place, name, unit), rest
