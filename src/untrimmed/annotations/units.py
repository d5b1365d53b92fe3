"""The unit of a file's times: turned into seconds where somebody says it, doubted where seconds cannot be meant."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import numpy as np

from untrimmed.annotations.annotations import EARLIEST, OVERRUN, Hints, Row
from untrimmed.annotations.formats.json_parts import to_number
from untrimmed.io import BadInput
from untrimmed.timeline import Action

UNITS = ("s", "ms", "us", "frames", "share")
"""Seconds, milliseconds, microseconds, frames, shares of the video's length from 0 to 1."""

CLOCK = "clock"
"""The unit of times like `00:01:02.5`, which nobody needs to say."""

PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
"""Of the units that a file may state; the last three nobody needs to say."""

PERCENT = "percent"
"""The unit of a table's hundredths of the videos' lengths."""

USUAL_RATES = (10.0, 15.0, 25.0, 30.0, 50.0, 60.0, 100.0, 120.0, 240.0)
"""Frames a second that a doubt names where nobody knows the videos' own."""

SLOWEST = 4.0
"""How many times the length of a video frames must reach: fewer may be ends that are wrong."""

FEW = 3
"""Actions from which times within 0 to 1 are doubted where no length is known; one fewer where lengths are."""

SHORT = 5.0
"""Seconds: in a shorter video all actions may well end within the first."""

LONG, SHIFT, DAY = 7200.0, 28800.0, 86400.0
"""Seconds: whole numbers up to `LONG` are believed without any length, up to `DAY` with a stated whole length; and
decimals up to `SHIFT`."""

ODD = 1000.0
"""Seconds: whole numbers from here on, and decimals from `LONG` on, are noted where no length is known."""

CLOCKS = 1e9, 2.2e9
"""Seconds since 1970: the years 2001 to 2039, in which a time that begins is the clock of a computer's."""

LEAST = 0.02
"""Share of the videos that a unit must reach in order to fit: actions fill more than their first seconds."""

SAMPLE = 16
"""Videos whose own lengths are looked up where the file states lengths."""

UNIT_NAMES = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "min": "minutes",
    "h": "hours",
    "frames": "frames",
    CLOCK: "clock times",
    PERCENT: "percent of the videos' lengths",
}
"""How sentences call the units that a file may state."""


Numbers = Sequence[float] | np.ndarray
"""One number an action."""


class TimesInSeconds(NamedTuple):
    """Rows and, as far as they are known, lengths by video, in seconds, and sentences on what was guessed."""

    rows: dict[str, tuple[Row, ...]]
    durations: dict[str, float]
    notes: tuple[str, ...]


def check_unit(unit: str | None) -> str | None:
    """Return the unit, None for none. Raises BadInput for one that is none of `UNITS`."""
    if unit and unit not in UNITS:
        raise BadInput(f"unit {unit!r}: there are {', '.join(UNITS)}, as in unit='ms' or --unit ms")
    return unit or None


def check_rate(fps: float | str | None) -> float | None:
    """Return frames a second, also from text. Raises BadInput for what is no rate."""
    rate = to_number(fps)
    if fps is not None and not (rate and 0 < rate <= 1e6):
        text = repr(fps) if rate is None else f"{rate:g}"
        raise BadInput(f"{text} frames a second: a positive number was expected, as in fps=25 or --fps 25")
    return rate


def refuse_other_unit(path: object, unit: str | None, stated: str, what: str) -> None:
    """Raise BadInput where a unit is given and another one is stated; `what` states it."""
    if unit and unit != stated and (unit, stated) != ("s", CLOCK):
        raise BadInput(f"{path}: {what} states {UNIT_NAMES[stated]}, so the unit {unit!r} cannot hold; leave it out")


def find_scale(path: object, unit: str, fps: float | None) -> float:
    """Return how many of a unit are one second. Raises BadInput for frames without `fps`, frames a second."""
    if unit == "frames" and not fps:
        raise BadInput(f"{path}: unit 'frames' needs frames a second; give them (fps=25, --fps 25)")
    return fps if unit == "frames" and fps else PER_SECOND[unit]


def _refuse_beyond_one(path: object, rows: Mapping[str, Sequence[Row]]) -> None:
    """Raise BadInput for shares of which some end after the video does by more than rounding."""
    pairs = [(video, row) for video, video_rows in rows.items() for row in video_rows if _is_usable(row)]
    beyond = [pair for pair in pairs if pair[1].end > 1 + LEAST]
    if beyond:
        raise BadInput(
            f"{path}: {len(beyond):,} of {len(pairs):,} times go beyond 1, which no share of a video's length does: "
            f"{_describe(*beyond[0])}; divide percent by 100, fix the row, or give another unit"
        )


def spread_shares(path: object, video: str, rows: Sequence[Row], duration: float | None) -> tuple[Row, ...]:
    """Turn shares of a video's length (seconds) into seconds. Raises BadInput where that is not known."""
    if rows and not duration:
        raise BadInput(
            f"{path}: shares of video {video!r} need its length in seconds; give it in the file, or the folder of "
            "the videos or a table of their lengths (durations=..., --durations)"
        )
    length = duration or math.nan
    return tuple(row._replace(start=row.start * length, end=row.end * length) for row in rows)


def read_in_seconds(
    path: object, rows: Mapping[str, Iterable[Row]], stated: Mapping[str, float], hints: Hints
) -> TimesInSeconds:
    """Turn the rows of a file, whose unit it does not state, into seconds by `hints.unit`; without one, doubt them.

    `stated` are the lengths that the file has, in seconds or, where all rows lie within them as they stand, in the
    unit of the rows. Raises BadInput as `doubt_units` does, for frames without `hints.fps`, and for shares of a video
    of unknown length.
    """
    unit = check_unit(hints.unit)
    lists = {video: tuple(video_rows) for video, video_rows in rows.items()}
    looked_up = _look_up((video for video in lists if video not in stated), hints.durations)
    if unit is None:
        checked = looked_up or _look_up(lists, hints.durations, SAMPLE) or stated
        notes = doubt_units(path, lists, checked, hints.fps, stated=checked is stated and bool(stated))
        return TimesInSeconds(lists, {**stated, **looked_up}, notes)
    if unit == "s":
        return TimesInSeconds(lists, {**stated, **looked_up}, ())
    notes = [f"times are read as {unit}" + (f" at {hints.fps:g} a second" if unit == "frames" and hints.fps else "")]
    if unit == "share":
        lengths = {**stated, **looked_up}
        scaled = {
            video: spread_shares(path, video, video_rows, lengths.get(video)) for video, video_rows in lists.items()
        }
        _refuse_beyond_one(path, lists)
        return TimesInSeconds(scaled, lengths, tuple(notes))
    scale = find_scale(path, unit, hints.fps)
    lengths = dict(stated)
    if stated and _share_unit(lists, stated):
        lengths = {video: length / scale for video, length in stated.items()}
        notes.append(f"the lengths in the file are read as {unit} too, as all times lie within them")
    divided = {video: tuple(_divide(row, scale) for row in video_rows) for video, video_rows in lists.items()}
    return TimesInSeconds(divided, {**lengths, **looked_up}, tuple(notes))


def suggest_units(ends: Numbers, durations: Numbers) -> tuple[str, ...]:
    """Say in which units these ends would fit videos of these lengths (seconds, one an end), the best first.

    Seconds are not among them: it is them who are doubted. Nothing where no unit fits.
    """
    reach = _find_reach(ends, durations)
    if reach <= 0:
        return ()
    whole = bool(np.all(np.mod(ends, 0.5) == 0))
    shares = {"ms": reach / PER_SECOND["ms"], "us": reach / PER_SECOND["us"]}
    if whole and SLOWEST <= reach <= USUAL_RATES[-1]:
        shares["frames"] = reach / guess_rate(reach)
    fitting = [unit for unit in shares if LEAST <= shares[unit] <= 1.02]
    fitting.sort(key=lambda unit: -shares[unit])
    within = float(np.max(ends)) <= 1 and float(np.median(durations)) > SHORT
    return ("share",) if within else tuple(fitting)


def guess_rate(reach: float) -> float:
    """Return the lowest usual rate, in frames a second, at which ends fit that reach `reach` times the lengths."""
    return next((rate for rate in USUAL_RATES if rate >= 0.98 * reach), USUAL_RATES[-1])


def doubt_units(
    path: object,
    rows: Mapping[str, Iterable[Row | Action]],
    durations: Mapping[str, float],
    fps: float | None = None,
    *,
    stated: bool = False,
) -> tuple[str, ...]:
    """Raise BadInput where times that were read as seconds can hardly be seconds; else note what is odd.

    `durations` are lengths of videos in seconds, as far as they are known; `stated` says that they are the file's
    own, and may be in the same odd unit. `fps` is the videos' frames a second, if it is known. Doubted are times of
    which more than half lie beyond the videos' ends while another unit would fit, times that all lie within 0 to 1
    though videos are longer, times of the clock of a computer, and times of hours that no length supports.
    """
    times = _collect_times(rows, durations)
    if not times.pairs:
        return ()
    _doubt_beyond(path, times, fps)
    _doubt_clock(path, times)
    return (*_doubt_shares(path, times), *_doubt_hours(path, times, stated))


def describe_unit(unit: str, fps: float | None = None) -> str:
    """Say how to give a unit, in Python and on the command line."""
    if unit != "frames":
        return f"unit={unit!r} (--unit {unit})"
    return f"unit='frames', fps={fps or 25:g} (--unit frames --fps {fps or 25:g})"


class _Times(NamedTuple):
    """Usable rows with their videos; their ends, and the lengths of their videos, NaN where one is not known."""

    pairs: list[tuple[str, Row | Action]]
    ends: np.ndarray
    lengths: np.ndarray


def _collect_times(rows: Mapping[str, Iterable[Row | Action]], durations: Mapping[str, float]) -> _Times:
    usable = [(video, row) for video, video_rows in rows.items() for row in video_rows if _is_usable(row)]
    lengths = {video: durations.get(video) or math.nan for video in {video for video, _ in usable}}
    ends = np.array([row.end for _, row in usable], float)
    return _Times(usable, ends, np.array([lengths[video] for video, _ in usable], float))


def _doubt_clock(path: object, times: _Times) -> None:
    """Doubt times that count from 1970, in seconds or parts of them, as the clocks of computers do."""
    first = min(row.start for _, row in times.pairs)
    since = next((first / parts for parts in (1.0, 1e3, 1e6, 1e9) if CLOCKS[0] < first / parts < CLOCKS[1]), None)
    if since is not None:
        date = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M}"
        raise BadInput(
            f"{path}: {_describe(*times.pairs[0])}: the times are those of a computer's clock, which counts from "
            f"1970 and was there at {date}; take off when each video begins; {describe_unit('s')} says that these "
            "are seconds"
        )


def _doubt_beyond(path: object, times: _Times, fps: float | None) -> None:
    """Doubt times of which more than half lie beyond the videos' ends, if another unit would fit."""
    measured = np.isfinite(times.lengths)
    beyond = np.flatnonzero(measured & (times.ends > times.lengths + OVERRUN))
    if len(beyond) * 2 <= measured.sum():
        return
    ends, lengths = times.ends[measured], times.lengths[measured]
    if units := suggest_units(ends, lengths):
        place = f"{_describe(*times.pairs[beyond[0]])}, whose length is {times.lengths[beyond[0]]:.6g} s"
        finding = f"{len(beyond):,} of {len(ends):,} times lie beyond the videos' ends: {place}"
        raise _refuse(path, finding, units, fps or guess_rate(_find_reach(ends, lengths)))


def _doubt_shares(path: object, times: _Times) -> tuple[str, ...]:
    """Doubt, or note of a single action, times that all lie within 0 to 1, unless the videos are that short."""
    lengths = times.lengths[np.isfinite(times.lengths)]
    few = FEW - 1 if len(lengths) == len(times.ends) else FEW
    if times.ends.max() > 1 or np.all(np.mod(times.ends, 1) == 0) or (len(lengths) and np.median(lengths) <= SHORT):
        return ()
    if len(times.ends) < few:
        if len(lengths) < len(times.ends):
            return ()
        return (
            f"{_describe(*times.pairs[0])} is read as seconds; if it is not, {describe_unit('share')} or another",
        )
    longer = f", and the videos are longer, up to {lengths.max():.6g} s" if len(lengths) else ""
    finding = f"all {len(times.ends):,} times lie within 0 to 1: {_describe(*times.pairs[0])}{longer}"
    if len(lengths) and times.ends.max() < LEAST and times.ends.max() * DAY <= lengths.max() + OVERRUN:
        raise BadInput(
            f"{path}: {finding}; as fractions of a day, which is how spreadsheets hold clock times, they would fit: "
            f"write them as 00:01:02.5, or as seconds; {describe_unit('s')} says that these are seconds"
        )
    raise _refuse(path, finding, ("share",))


def _doubt_hours(path: object, times: _Times, stated: bool) -> tuple[str, ...]:
    """Doubt times of hours, and note large whole numbers, where no length says that seconds are right."""
    lengths = times.lengths[np.isfinite(times.lengths)]
    if len(lengths) and not (stated and np.all(np.mod(lengths, 1) == 0)):
        return ()
    whole = all(row.start % 1 == 0 == row.end % 1 for _, row in times.pairs)
    if len(lengths) and not whole:
        return ()
    believed, noted = (DAY, LONG) if len(lengths) else (LONG, ODD) if whole else (SHIFT, LONG)
    most, last = float(np.quantile(times.ends, 0.95, method="higher")), times.ends.max()
    if most > believed:
        hours = f"as seconds go on for {float(f'{last / 3600:.4g}'):g} hours"
        finding = f"{_describe_all(times)} whole numbers, which {hours}" if whole else f"its times {hours}"
        units = ("ms", "frames") if whole else ("ms",)
        raise _refuse(path, f"{finding}: {_describe(*times.pairs[int(times.ends.argmax())])}", units)
    if most <= noted:
        return ()
    words = f"{'whole numbers' if whole else 'times'} up to {last:,.0f} are read as seconds"
    return (f"{words}; if they are not, {describe_unit('ms')} or another",)


def _describe_all(times: _Times) -> str:
    return "its only time is of" if len(times.ends) == 1 else f"all {len(times.ends):,} times are"


def _refuse(path: object, finding: str, units: Sequence[str], fps: float | None = None) -> BadInput:
    remedies = " or ".join(describe_unit(unit, fps) for unit in units)
    lengths = ", with the videos' lengths" if "share" in units else ""
    return BadInput(
        f"{path}: {finding}; {remedies} would fit{lengths}, and {describe_unit('s')} says that these are seconds; "
        "a recipe has data.unit for it"
    )


def _describe(video: str, row: Row | Action) -> str:
    return f"{row.label!r} at [{row.start:.10g}, {row.end:.10g}] in video {video!r}"


def _is_usable(row: Row | Action) -> bool:
    return math.isfinite(row.start) and math.isfinite(row.end) and EARLIEST <= row.start < row.end


def _find_reach(ends: Numbers, durations: Numbers) -> float:
    """Find the largest ratio of an end and its video's length, but for a few ends that stand out."""
    ratios = np.asarray(ends, float) / np.asarray(durations, float)
    if not len(ratios):
        return 0.0
    most = float(np.quantile(ratios, 0.95, method="higher"))
    return float(ratios.max()) if ratios.max() <= 2 * most else most


def _look_up(videos: Iterable[str], durations: Mapping[str, float], most: int | None = None) -> dict[str, float]:
    """Look up the lengths of videos, or of the first few; each may open a file."""
    return dict(islice(((video, durations[video]) for video in videos if video in durations), most))


def _share_unit(rows: Mapping[str, Sequence[Row]], lengths: Mapping[str, float]) -> bool:
    """Return whether all ends lie within the lengths as both stand in the file."""
    ends = ((row.end, lengths[video]) for video, video_rows in rows.items() if video in lengths for row in video_rows)
    return all(end <= length + OVERRUN for end, length in ends if math.isfinite(end))


def _divide(row: Row, scale: float) -> Row:
    return row._replace(start=row.start / scale, end=row.end / scale)
