"""What the columns of a stranger's table mean, guessed from their names."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from untrimmed.annotations.units import CLOCK, PERCENT, UNIT_NAMES
from untrimmed.io import BadInput

STARTS = (
    *("start", "begin", "beginning", "onset", "from", "init", "t0", "first", "starts", "starting", "started"),
    *("starttime", "timestart", "tstart", "begintime", "startframe", "startsec", "in", "entry"),
)
ENDS = (
    *("end", "stop", "finish", "to", "until", "t1", "last", "ends", "ending", "ended", "stops"),
    *("endtime", "timeend", "tend", "stoptime", "tstop", "endframe", "endsec", "out", "finished", "exit"),
)
VIDEOS = (
    *("video", "video_id", "video_name", "videoid", "videoname", "vid", "video_file", "video_filename", "video_path"),
    *("media_file_name", "media_file_path", "media_file", "media", "filename", "file_name", "file", "path", "clip"),
    *("clip_id", "clip_name", "recording", "recording_id", "observation", "observation_id", "youtube_id", "ytid"),
    *("videos", "media_path", "media_name", "video_uid", "video_title", "source_file", "name", "id"),
)
LABELS = (
    *("label", "class", "action", "category", "activity", "behavior", "behaviour", "event", "gesture", "tag"),
    *("class_name", "classname", "label_name", "labelname", "action_label", "action_class", "action_name"),
    *("activity_name", "annotation"),
    *("narration", "verb", "caption", "sentence", "description", "text", "type", "label_id", "class_id"),
    *("labels", "classes", "actions", "behaviors", "behaviours", "events", "behavior_name", "behaviour_name"),
    *("event_name", "category_name", "event_label", "code", "codes", "phase", "step", "state", "tag_name", "title"),
    *("trial_type", "name"),
)
SENTENCES = ("narration", "caption", "sentence", "description", "text", "type", "title", "name", "annotation", "code")
"""Of these, what says more, or less, than a class."""
SCORES = ("score", "confidence", "conf", "probability", "prob")
VIDEO_LENGTHS = ("video_duration", "video_length", "total_length", "media_duration", "media_length")
LENGTHS = ("duration", "length", "dur")
SUBSETS = ("subset", "split", "partition")
RATES = ("fps", "frame_rate", "framerate", "fps_frame_s")
STATUS = ("status", "behavior_type", "event_type")
SUBJECTS = ("subject", "modifiers", "modifier", "modifier_1")

ON, OFF = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
"""The marks of a class in its own column, in lower case."""

_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "startsec", "endsec"), "s"),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "usec", "usecs", "\N{MICRO SIGN}s", "\N{GREEK SMALL LETTER MU}s"), "us"),
    **dict.fromkeys(("micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("percent", "pct", "percentage"), PERCENT),
    **dict.fromkeys(("f", "frame", "frames", "startframe", "endframe"), "frames"),
}

_TIMES = ("time", "times", "timestamp", "timecode", "tc", "temporal", "segment", "t", "point", "hh", "mm", "ss")
_MOMENTS = {"timestamp", "timecode", "frame", "frames", "second", "seconds", "ms", "t"}
_THINGS = ("action", "event", "activity", "annotation", "behavior", "behaviour", "interval", "label", "clip")
"""Words beside `start` and `end` that say of what."""

_PLAIN = {"start", "begin", "onset", "end", "stop", "offset"}
"""Words that a start or an end surely has, whatever its unit."""

_PREFERENCE = ("s", "", CLOCK, "ms", "us", "ns", "min", "h", "frames", PERCENT)


@dataclass(frozen=True)
class Column:
    """A column by its index and name; `unit` is one of `units.UNIT_NAMES`, empty where its name states none."""

    index: int
    name: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name!r} in {UNIT_NAMES[self.unit]}" if self.unit else repr(self.name)


@dataclass(frozen=True)
class Columns:
    """The columns of each meaning; None where there is none.

    `time` and `status` are of tables of events, each a start or a stop; `subjects` tell apart who does it. `classes`
    are of tables with a column a class, 1 where it goes on. `negative` says where the label does not go on.
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
    classes: tuple[Column, ...] = ()
    negative: Column | None = None

    def __str__(self) -> str:
        meanings = []
        for meaning in fields(self):
            if columns := self._list(meaning.name):
                meanings.append(f"{meaning.name.replace('_', ' ')} {' and '.join(map(str, columns))}")
        return ", ".join(meanings)

    @property
    def indices(self) -> set[int]:
        """The indices of all columns that mean something."""
        return {column.index for meaning in fields(self) for column in self._list(meaning.name)}

    @property
    def times(self) -> tuple[Column, ...]:
        """The columns of starts, ends, lengths of actions and moments."""
        return tuple(filter(None, self.list_times().values()))

    @property
    def holds_events(self) -> bool:
        """Whether each line is one moment."""
        return self.end is None and self.length is None and self.time is not None and self.status is not None

    @property
    def holds_samples(self) -> bool:
        """Whether each line is one time, with a mark for every class that goes on then."""
        return self.start is None and self.time is not None and bool(self.classes)

    def list_times(self) -> dict[str, Column | None]:
        """List the columns of starts, ends, lengths of actions and moments by their meaning."""
        return {"start": self.start, "end": self.end, "time": self.time, "length": self.length}

    def _list(self, meaning: str) -> tuple[Column, ...]:
        value = getattr(self, meaning)
        return value if isinstance(value, tuple) else (value,) if value else ()


def guess_columns(path: Path, names: Sequence[str], label: str | None = None, marks: Collection[int] = ()) -> Columns:
    """Guess the meaning of columns by their names; `label` names those of the label, joined by `+`.

    `marks` are the indices of the columns that hold 0 and 1 alone: each is a class where no column is the label.
    Raises BadInput where there is no label or no time, with the names that there are.
    """
    if any(_DATAVYU.fullmatch(name) for name in names):
        return _guess_datavyu(path, names, label)
    video = _find_column(names, VIDEOS)
    labels = find_label(path, names, label) if label else _find_columns(names, [LABELS], video)
    if not labels and video and video.name.lower() == "name":
        labels, video = (video,), None
    start, end = _find_time(names, STARTS), _find_time(names, ENDS)
    if end is None and start and "onset" in start.name.lower():
        end = _find_time(names, ("offset",))
    length = _find_time(names, LENGTHS)
    columns = Columns(
        label=labels,
        video=video,
        start=start,
        end=end,
        time=_find_moment(names) if start is None else None,
        status=_find_column(names, STATUS) if start is None else None,
        length=length if end is None else None,
        score=_find_column(names, SCORES),
        video_length=_find_time(names, VIDEO_LENGTHS),
        subset=_find_column(names, SUBSETS),
        fps=_find_column(names, RATES),
        subjects=_find_columns(names, [(name,) for name in SUBJECTS]) if start is None else (),
    )
    if not labels:
        free = sorted(set(marks) - columns.indices)
        columns = replace(columns, classes=tuple(Column(index, names[index]) for index in free if names[index]))
    _check_columns(path, names, columns)
    return columns


def find_class_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """Find all columns whose names are those of labels, but for sentences."""
    return _find_columns(names, [(name,) for name in LABELS if name not in SENTENCES])


def is_known(name: str) -> bool:
    """Return whether a column of that name would mean something."""
    times = any(_find_time([name], group) for group in (STARTS, ENDS, LENGTHS, VIDEO_LENGTHS))
    groups = (VIDEOS, LABELS, SCORES, SUBSETS, RATES, STATUS)
    return times or _find_moment([name]) is not None or any(_find_column([name], group) for group in groups)


def find_unit(name: str) -> str:
    """Find the unit in a column's name: `ms` in `start (ms)`, `clock` in `start (min:sec)`; empty for none."""
    words = _split_words(name.replace("%", " percent "))
    units = list(dict.fromkeys(_UNITS[word] for word in words if word in _UNITS))
    return CLOCK if len(set(units) & {"s", "min", "h"}) > 1 else next(iter(units), "")


def is_start(name: str) -> bool:
    """Return whether a column of that name would be the start."""
    return _find_time([name], STARTS) is not None


def find_durations(path: Path, names: Sequence[str]) -> tuple[Column, Column]:
    """Find the columns of the video and of its length in seconds. Raises BadInput where one of them is missing."""
    video = _find_column(names, VIDEOS)
    length = _find_time(names, VIDEO_LENGTHS) or _find_time(names, LENGTHS) or _find_time(names, ("",))
    if video is None or length is None or length.unit in ("frames", PERCENT):
        raise BadInput(
            f"{path}: has no columns for video and duration in a unit of time, of {', '.join(names)}; give seconds, "
            "and call them 'video' and 'duration'"
        )
    return video, length


def find_span_columns(path: Path, names: Sequence[str]) -> tuple[Column | None, Column, Column, Column | None]:
    """Find the columns of the video, start, end and subset of spans. Raises BadInput without a start and an end."""
    start, end = _find_time(names, STARTS), _find_time(names, ENDS)
    if start is None or end is None or PERCENT in (start.unit, end.unit):
        raise BadInput(
            f"{path}: has no columns for start and end in a unit of time, of {', '.join(names)}; a table of what was "
            "annotated has a line a span, video,start,end in seconds, and a subset where it is of one"
        )
    return _find_column(names, VIDEOS), start, end, _find_column(names, SUBSETS)


def find_rates(path: Path, names: Sequence[str]) -> tuple[Column, Column]:
    """Find the columns of the video and of its frames a second. Raises BadInput where one of them is missing."""
    video, rate = _find_column(names, VIDEOS), _find_column(names, RATES)
    if video is None or rate is None:
        raise BadInput(
            f"{path}: has no columns for video and frames a second, of {', '.join(names)}; call "
            "them 'video' and 'fps'"
        )
    return video, rate


def _check_columns(path: Path, names: Sequence[str], columns: Columns) -> None:
    listed = ", ".join(names)
    if not columns.label and not columns.classes:
        raise BadInput(
            f"{path}: has no column that is surely the label, of {listed}; name it (label=..., --label), "
            "or call it 'label'"
        )
    if columns.holds_events or columns.holds_samples:
        return
    if columns.time and not (columns.end or columns.length):
        raise BadInput(
            f"{path}: has one time a line ({columns.time.name!r}) and no end, so these are moments, which "
            "are not read; give each an end or a duration, in a column called so"
        )
    if columns.start is None or not (columns.end or columns.length):
        free = [name for index, name in enumerate(names) if index not in columns.indices]
        odd = next((name for name in free if _PLAIN & set(_split_words(name))), None)
        if odd:
            raise BadInput(
                f"{path}: has no columns for start and end that can be read, of {listed}; {odd!r} has a word or a "
                "unit that says too little: give seconds ('start (s)', 'end (s)'), or ms, us, ns, min, h, percent or "
                "frames"
            )
        raise BadInput(
            f"{path}: has no columns for start and end, of {listed}; give seconds, and call them 'start' and 'end'"
        )


_DATAVYU = re.compile(r"(.+)\.onset")


def _guess_datavyu(path: Path, names: Sequence[str], label: str | None) -> Columns:
    """Guess the columns of Datavyu's table, `NAME.onset`, `NAME.offset`, `NAME.CODE`: milliseconds.

    Raises BadInput where several groups, or several codes, could be the label.
    """
    groups = [match[1] for match in map(_DATAVYU.fullmatch, names) if match and f"{match[1]}.offset" in names]
    codes = [
        name
        for name in names
        for group in groups
        if name.startswith(f"{group}.") and name.removeprefix(f"{group}.") not in ("ordinal", "onset", "offset")
    ]
    if label is None and len(codes) != 1:
        listed = ", ".join(codes) or "none"
        raise BadInput(f"{path}: has not one code of Datavyu but {listed}; name the label (label=..., --label)")
    labels = find_label(path, names, label or codes[0])
    group = next((group for group in groups if labels[0].name.startswith(f"{group}.")), None)
    if group is None:
        raise BadInput(f"{path}: {labels[0].name!r} has no onset and offset; name one of {', '.join(codes)}")
    start, end = (Column(names.index(f"{group}.{what}"), f"{group}.{what}", "ms") for what in ("onset", "offset"))
    video = _find_column(names, VIDEOS)
    return Columns(labels, video, start, end, None, None, None, None, None, None, None, ())


def normalize_column(name: str) -> str:
    """Return a column's name as words in lower case, joined by underscores, as the groups above have them."""
    return "_".join(_split_words(name))


def _split_words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())


def find_label(path: Path, names: Sequence[str], label: str) -> tuple[Column, ...]:
    """Find the columns that a user named."""
    labels = [label] if label in names else label.split("+")
    for name in labels:
        if name not in names:
            raise BadInput(f"{path}: has no column {name!r} for the label, of {', '.join(names)}; name one of them")
    return tuple(Column(names.index(name), name) for name in labels)


def _find_columns(
    names: Sequence[str], meanings: Sequence[Sequence[str]], taken: Column | None = None
) -> tuple[Column, ...]:
    return tuple(filter(None, (_find_column(names, candidates, taken) for candidates in meanings)))


def _find_column(names: Sequence[str], candidates: Sequence[str], taken: Column | None = None) -> Column | None:
    """Find the column whose name stands earliest in `candidates`, but for the one that is taken."""
    plain = list(map(normalize_column, names))
    if taken:
        plain[taken.index] = ""
    indices = (plain.index(name) for name in candidates if name in plain)
    return next((Column(index, names[index]) for index in indices), None)


def _find_moment(names: Sequence[str]) -> Column | None:
    """Find the column of the one time that a line is of: one called time, or a time in another word."""
    clocks = [name for name in names if "time" in _split_words(name)]
    column = _find_time(
        clocks or [name for name in names if set(_split_words(name)) & _MOMENTS], ("", "number", "no")
    )
    return column and replace(column, index=list(names).index(column.name))


def _find_time(names: Sequence[str], candidates: Sequence[str]) -> Column | None:
    """Find a column of time whose name, without units and words like `time`, is in `candidates`; seconds first."""
    columns: list[tuple[Column, set[str]]] = []
    for index, name in enumerate(names):
        words = _split_words(name.replace("%", " percent "))
        plain = [word for word in words if word not in _UNITS and word not in _TIMES]
        bare = [word for word in plain if word not in _THINGS]
        spellings = {"_".join(plain), "".join(words), *(["_".join(bare)] if bare else [])}
        columns.append((Column(index, name, find_unit(name)), spellings))
    for unit in _PREFERENCE:
        for candidate in candidates:
            for column, spellings in columns:
                if column.unit == unit and candidate in spellings:
                    return column
    return None
