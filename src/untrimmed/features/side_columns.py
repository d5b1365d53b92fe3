"""Finds the columns of a table that are no channels: times, numbers of frames and rows, labels, names of videos."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.io import BadInput

FRAMES = ("frame", "frames", "framenumber", "frameno", "framenum", "frameid", "frameidx", "frameindex")
"""Titles of columns that count frames; all without what is no letter or digit, as those that follow."""
ROWS = ("", "unnamed0", "index", "idx", "id", "row", "rows", "rownames", "snippet", "step", "t", "s")
"""Titles of first columns that count rows, where they rise."""
COUNTERS = ("", "unnamed0", "index", "idx", "id", "row", *FRAMES)
"""Titles of columns whose steps are all alike; times may be rounded."""
_WORDS = ("time", "times", "timestamp", "timestamps", "epoch", "unixtime", "unixtimestamp", "epochtime", "elapsed")
_UNITS = ("", "s", "sec", "secs", "seconds", "ms", "msec", "millis", "milliseconds", "us", "ns", "utc")
TIMES = (*(word + unit for word in _WORDS for unit in _UNITS), "datetime", "dateandtime", "sec", "secs", "second")
TIMES += ("seconds", "ms", "millisecond", "milliseconds", "systemtime", "sampletime", "recordingtime")
LABELS = ("label", "labels", "class", "classid", "target", "targets", "behavior", "behaviour", "event", "groundtruth")
VIDEOS = ("video", "videos", "videoid", "videoname", "videofile", "file", "filename", "recording", "recordingid")
VIDEOS += ("sequence", "sequenceid", "session", "sessionid", "clip", "clipid", "clipname")
RAMP = 8
"""Rows from which a column that rises evenly in all of them is a time or an index, whatever its title."""
GAP = 2.5
"""Usual steps of a time from which a step is a gap; a longer one than 1.5 is noted."""
_FORMATS = ("%m/%d/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%H:%M:%S.%f")
LEFT_OUT = "a column that only counts rows or time was left out"

LABELLED = "a column that is called as labels are was left out"


class FeatureColumn(NamedTuple):
    """A column of numbers: its title as written, where it has one, and without what is no letter or digit."""

    title: str
    values: Float[np.ndarray, " rows"]
    first: bool = False
    cells: Sequence[str] = ()
    """The values as written, where they are no numbers."""

    def show(self, row: int) -> str:
        """Return a value for sentences."""
        return self.cells[row] if self.cells else f"{self.values[row]:.12g}"

    @property
    def folded(self) -> str:
        """The title in small letters, without what is no letter or digit."""
        return fold_title(self.title)

    @property
    def quoted(self) -> str:
        """The title for sentences."""
        return repr(self.title) if self.title else "without a name"


def fold_title(name: str) -> str:
    """Return a title in small letters, without what is no letter or digit."""
    return "".join(character for character in name.lower() if character.isalnum())


def is_side_column(where: str, column: FeatureColumn, titled: bool, notes: dict[str, str]) -> bool:
    """Whether a column is no channel, which is noted.

    Raises BadInput for one that says that rows are missing, twice there or out of order, or of several videos.
    """
    folded = column.folded if titled else ""
    if titled and folded in LABELS:
        notes[LABELLED] = column.quoted
        return True
    if titled and folded in VIDEOS and (column.values == column.values.round()).all():
        check_one_video(where, column.quoted, column.values.tolist())
        notes["a column that is the same in all rows was left out"] = column.quoted
        return len(set(column.values.tolist())) == 1
    if titled and folded in (*FRAMES, *TIMES):
        return check_clock(where, column, notes)
    steps = np.diff(column.values)
    is_index = column.first and titled and folded in ROWS and bool((steps > 0).all())
    if is_index and folded in COUNTERS:
        _check_even(where, column, steps)
    if is_index or _rises_evenly(column.values):
        note_left_out(column.quoted, notes)
        return True
    return False


def check_one_video(where: str, title: str, cells: Sequence[str | float]) -> None:
    """Raise BadInput for a column that parts rows into several videos, as one with a name for each row does not."""
    distinct = list(dict.fromkeys(cells))
    if 1 < len(distinct) <= len(cells) / 2:
        first = distinct[0] if isinstance(distinct[0], str) else f"{distinct[0]:g}"
        raise BadInput(
            f"{where}: its column {title} has {len(distinct):,} values, such as {first!r}, so it is of several "
            "videos; write a file for each, without that column"
        )


def note_left_out(title: str, notes: dict[str, str]) -> None:
    """Note that a column that counts rows or time is left out, after those before it."""
    notes[LEFT_OUT] = ", ".join(filter(None, (notes.get(LEFT_OUT, ""), title)))


def check_clock(where: str, column: FeatureColumn, notes: dict[str, str]) -> bool:
    """Check a column of frames or times, and note that it is left out; always true.

    Raises BadInput where it is empty in a row, goes back, has gaps, or has a frame twice.
    """
    values = column.values
    steps = np.diff(values)
    if np.isnan(values).any():
        row = int(np.flatnonzero(np.isnan(values))[0])
        raise BadInput(f"{where}: its column {column.quoted} is empty in row {row + 1}; fill it in, or remove it")
    if column.folded in FRAMES and len(np.unique(values)) < len(values):
        kinds, counts = np.unique(values, return_counts=True)
        raise BadInput(
            f"{where}: its column {column.quoted} has {kinds[counts > 1][0]:.12g} {counts.max()} times; a row a "
            "frame was expected, so put all of a frame side by side in one row"
        )
    if (steps < 0).any():
        row = int(np.flatnonzero(steps < 0)[0])
        raise BadInput(
            f"{where}: its column {column.quoted} goes back from {column.show(row)} to {column.show(row + 1)} after "
            f"row {row + 1}; sort the rows by it, or write a file for each recording"
        )
    if column.folded in FRAMES:
        _check_even(where, column, steps)
    _check_gaps(where, column, notes)
    # Said, so that somebody may see whether it is the rate that features are taken to have.
    step = f", {steps.mean():.4g} a row" if column.folded not in FRAMES and len(steps) else ""
    note_left_out(f"{column.quoted}{step}", notes)
    return True


def _check_even(where: str, column: FeatureColumn, steps: np.ndarray) -> None:
    """Raise BadInput where numbers of frames or rows do not go up by one and the same number."""
    uneven = np.flatnonzero(steps != np.median(steps))
    if len(uneven):
        first, second = column.values[uneven[0]], column.values[uneven[0] + 1]
        raise BadInput(
            f"{where}: its column {column.quoted} goes from {first:.12g} to {second:.12g}, though by "
            f"{np.median(steps):g} elsewhere: rows are missing; add them, or remove the column"
        )


def _check_gaps(where: str, column: FeatureColumn, notes: dict[str, str]) -> None:
    """Raise BadInput where one step of times that rise is much longer than is usual; note one that is longer."""
    steps = np.diff(column.values)
    # Where times are rounded, several rows have the same.
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    row = int(steps.argmax()) if len(steps) else 0
    if usual and steps[row] > GAP * usual:
        raise BadInput(
            f"{where}: its column {column.quoted} goes from {column.show(row)} to {column.show(row + 1)} after row "
            f"{row + 1}, a step of {steps[row]:.6g}, though of {usual:.6g} elsewhere: rows are missing; add them, or "
            "remove the column"
        )
    if usual and steps[row] > 1.5 * usual:
        count = int((steps > 1.5 * usual).sum())
        notes["rows are not even in time, and are taken to be"] = (
            f"{count:,} steps of column {column.quoted} are of up to {steps[row]:.6g}, {usual:.6g} elsewhere"
        )


def _rises_evenly(values: np.ndarray) -> bool:
    """Whether numbers rise by the same step in all of many rows, but for rounding."""
    if len(values) < RAMP or not np.isfinite(values).all():
        return False
    steps = np.diff(values)
    step = (values[-1] - values[0]) / (len(values) - 1)
    return bool(step > 0 and (np.abs(steps - step) <= 1e-6 * step + 4 * np.spacing(np.abs(values).max())).all())


def parse_times(cells: Sequence[str]) -> Float[np.ndarray, " rows"] | None:
    """Read dates with times, or times of day, as seconds; None where one is neither."""
    seconds: list[float] = []
    for cell in cells:
        second = _parse_time(cell)
        if second is None:
            return None
        seconds.append(second)
    return np.array(seconds)


def _parse_time(cell: str) -> float | None:
    try:
        return datetime.fromisoformat(cell).replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    for form in (*_FORMATS, "%H:%M:%S"):
        try:
            return datetime.strptime(cell, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None
