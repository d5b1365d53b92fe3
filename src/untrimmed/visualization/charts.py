"""Draws numbers as charts for a page: curves, bars, stacks, groups and calibration."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, PercentFormatter

from untrimmed.visualization.page import Chart
from untrimmed.visualization.sheet import COLOURS, DASHED, TEXT, Axis, LegendKey, Sheet, draw_chart, format_digits
from untrimmed.visualization.text import fit_text, summarize_names, text_width

Numbers = Sequence[float] | np.ndarray
Pairs = Sequence[tuple[float, float]] | np.ndarray

MOST_CLASSES = 200
"""More bars or cells than this are no picture any more."""

# All lengths are in pixels.
_WIDTH, _ABOVE, _BELOW, _LEFT, _RIGHT = 480, 32, 50, 46, 14
_ACROSS = _WIDTH - _LEFT - _RIGHT  # from one end of an axis to the other
_PITCH = 36  # from one bar of a group to the next


class Series(NamedTuple):
    """One curve; `marks` are points `(x, y)` on it."""

    name: str
    x: Numbers
    y: Numbers
    marks: Pairs = ()


def draw_curves(
    name: str, series: Sequence[Series], x: Axis, y: Axis, *, highlighted: Iterable[str] | None = None
) -> Chart:
    """Draw lines over two axes.

    `highlighted` names the lines in colour, eight at most; the others are thin and grey. Without it all are in
    colour when there are up to eight, and none when there are more. Raises ValueError for lines without points,
    of unequal lengths, with numbers that are not finite, and for a highlighted name that no line has.
    """
    check_count(series, 1000, "lines")
    height = 300
    names, curves = [line.name for line in series], [_check_series(line) for line in series]
    keys = _choose_keys(names, highlighted)
    grey = sum(name not in keys for name in names)
    grey_keys = [LegendKey(f"{'the other' if keys else 'all'} {grey}", line="-", alpha=0.3)] if grey else []

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(_LEFT, _ABOVE, _ACROSS, height)
        # What is highlighted lies over what is not.
        for line in sorted(curves, key=lambda line: line.name in keys):
            _draw_series(sheet, axes, line, keys.get(line.name))
        axes.margins(x=0)
        sheet.label_axes(axes, x, y)

    alt, legend = f"{name}: {y.name} over {x.name}; {summarize_names(names)}", [*keys.values(), *grey_keys]
    return draw_chart(_WIDTH, _ABOVE + height + _BELOW, alt, draw, legend, _LEFT)


def draw_bars(
    name: str,
    names: Sequence[str],
    values: Numbers,
    x: Axis,
    *,
    intervals: Pairs | None = None,
    overall: float | None = None,
) -> Chart:
    """Draw a horizontal bar for each of up to 200 names, in their order, with the value beside it.

    `intervals` are the ends of a line over each bar, such as a confidence interval; `overall` is a dashed line.
    Raises ValueError for no names or too many, unequal lengths and numbers that are not finite.
    """
    count = check_count(names, MOST_CLASSES, "names")
    lengths = check_numbers(values, "values", count)
    spans = None if intervals is None else check_pairs(intervals, count)
    pitch, size, above = (24, TEXT, 12) if count <= 30 else (18, TEXT - 1, 30)
    gutter = min(max(text_width(label, size) for label in names) + 14, _WIDTH * 0.42)
    legend = [] if overall is None else [_overall_key(overall)]
    ends = [0.0, *lengths, *(() if spans is None else spans.flat), overall or 0.0]
    low, high = min(ends) if x.low is None else x.low, (max(ends) or 1.0) if x.high is None else x.high

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(gutter, above, _WIDTH - gutter - 54, count * pitch)
        for i, (label, value) in enumerate(zip(names, lengths, strict=True)):
            interval = "" if spans is None else " ({} to {})".format(*map(format_digits, spans[i]))
            hint = f"{label}: {format_digits(value)}{interval}"
            sheet.draw_bar(axes, Rectangle((0, i - 0.38), value, 0.76), COLOURS[0], hint)
            middle = above + (i + 0.5) * pitch + size * 0.36
            shortened = fit_text(label, size, gutter - 12)
            sheet.write(gutter - 8, middle, shortened, fontsize=size, ha="right")
            soft = sheet.theme.soft
            sheet.write(_WIDTH - 4, middle, format_digits(value), fontsize=size, color=soft, ha="right")
        if spans is not None:
            ink = sheet.theme.ink
            axes.hlines(range(count), spans[:, 0], spans[:, 1], color=ink, alpha=0.75, linewidth=1.4)
        if overall is not None:
            sheet.draw_overall(axes, overall, upright=True)
        sheet.label_axes(axes, Axis(x.name, low, high), Axis("", count - 0.5, -0.5), most=(4, 1))
        axes.set(yticks=[])
        # The end of many bars is out of sight from their beginning.
        axes.tick_params(labeltop=above > 12)

    alt = f"{name}: {x.name} of {summarize_names(names)}"
    return draw_chart(_WIDTH, above + count * pitch + _BELOW, alt, draw, legend)


def draw_stacks(name: str, names: Sequence[str], parts: Mapping[str, Numbers], x: str, y: str) -> Chart:
    """Draw a column for each name, made of parts that sum to 1, the first at the bottom: a false positive profile.

    `parts` has up to eight kinds, each with one share for each column; a column may be empty. Raises ValueError
    for shares that are negative or sum to something else, and for unequal lengths.
    """
    count, height = check_count(names, 60, "columns"), 260
    check_count(parts, len(COLOURS), "parts")
    heights = np.stack([check_numbers(part, f"shares of {kind!r}", count) for kind, part in parts.items()])
    sums = heights.sum(axis=0)
    if (heights < 0).any() or ((np.abs(sums - 1) > 1e-6) & (sums != 0)).any():
        raise ValueError(f"parts of the columns sum to {sums.tolist()}: must be shares that sum to 1")
    bases = np.cumsum(heights, axis=0) - heights
    keys = [LegendKey(kind, colour) for kind, colour in zip(parts, COLOURS, strict=False)]

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(_LEFT, _ABOVE, _ACROSS, height)
        for key, part, base in zip(keys, heights, bases, strict=True):
            for i in np.flatnonzero(part).tolist():
                hint = f"{names[i]}, {key.name}: {100 * part[i]:.1f}%"
                sheet.draw_bar(axes, Rectangle((i - 0.4, base[i]), 0.8, part[i]), key.colour, hint)
        sheet.label_axes(axes, Axis(x, -0.5, count - 0.5), Axis(y, 0, 1))
        labels = [fit_text(label, TEXT - 1, _ACROSS / count) for label in names]
        axes.set_xticks(range(count), labels)
        axes.xaxis.grid(False)
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    alt = f"{name}: {y} over {summarize_names(names)}; {summarize_names(list(parts))}"
    return draw_chart(_WIDTH, _ABOVE + height + _BELOW, alt, draw, keys, _LEFT)


def draw_groups(
    name: str,
    groups: Mapping[str, Mapping[str, float]],
    y: Axis,
    *,
    overall: float | None = None,
    high_is_good: bool = True,
) -> Chart:
    """Draw a bar for each bin of each group: a sensitivity analysis, or what is missed by bin.

    `overall` is a dashed line, and bars on the worse side of it are of another colour. NaN is a bin without
    instances: a dash instead of a bar. Raises ValueError for no groups, a group without bins, and values that are
    negative or infinite.
    """
    check_count(groups, 20, "groups")
    counts = [check_count(bins, 60, f"bins of {group!r}") for group, bins in groups.items()]
    values = [float(value) for bins in groups.values() for value in bins.values()]
    if any(math.isinf(value) or value < 0 for value in values):
        raise ValueError(f"values {values}: must be at least 0, or NaN for an empty bin")
    # One place is left free between two groups.
    places = np.concatenate([np.arange(float(n)) + sum(counts[:i]) + i for i, n in enumerate(counts)])
    room, height, top = (places[-1] + 1.6) * _PITCH, 220, max([0.0, overall or 0.0, *(v for v in values if v >= 0)])
    sides = [LegendKey("better", COLOURS[0]), LegendKey("worse", COLOURS[1])]
    legend = [] if overall is None else [_overall_key(overall), *sides]

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(_LEFT, _ABOVE, room, height)
        high = (top or 1.0) * 1.12 if y.high is None else y.high
        sheet.label_axes(axes, Axis("", -0.8, places[-1] + 0.8), Axis(y.name, y.low or 0.0, high))
        axes.set(xticks=[])
        hints = [f"{group}, {label}" for group, bins in groups.items() for label in bins]
        for place, value, hint in zip(places, values, hints, strict=True):
            worse = overall is not None and (value < overall if high_is_good else value > overall)
            _draw_group_bar(sheet, axes, place, value, hint, COLOURS[worse])
        if overall is not None:
            sheet.draw_overall(axes, overall, upright=False)
        _write_group_names(sheet, groups, places, _ABOVE + height)

    alt = f"{name}: {y.name} for {summarize_names(list(groups))}"
    return draw_chart(max(_LEFT + room + _RIGHT, 300), _ABOVE + height + _BELOW, alt, draw, legend, _LEFT)


def draw_reliability(
    name: str,
    edges: Numbers,
    scores: Numbers,
    precisions: Numbers,
    counts: Numbers,
    intervals: Pairs | None = None,
) -> Chart:
    """Draw calibration: the observed precision over the mean score of each bin, and below its number of detections.

    `intervals` are the ends of a line through each point. Bin i reaches from `edges[i]` to `edges[i + 1]`; one
    without detections has any score and precision, NaN too. On the dashed diagonal scores mean what they say. Raises
    ValueError for unequal lengths, edges that do not rise, negative counts, and scores or precisions of a bin with
    detections outside [0, 1].
    """
    numbers = check_numbers(counts, "counts", check_count(counts, 1000, "bins"))
    borders = check_numbers(edges, "edges", len(numbers) + 1)
    if (np.diff(borders) <= 0).any() or (numbers < 0).any():
        raise ValueError(f"edges {borders.tolist()} must rise and counts {numbers.tolist()} must not be negative")
    score, precision = check_shares(scores, "scores", numbers), check_shares(precisions, "precisions", numbers)
    spans = None if intervals is None else check_pairs(intervals, len(numbers))[numbers > 0]
    height, low = 300, 80

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(_LEFT, _ABOVE, _ACROSS, height)
        axes.plot([0, 1], [0, 1], color=sheet.theme.ink, alpha=0.5, linestyle=DASHED, linewidth=1.4)
        axes.plot(score, precision, color=COLOURS[0], linewidth=1.6)
        if spans is not None:
            axes.vlines(score, spans[:, 0], spans[:, 1], color=COLOURS[0], alpha=0.6, linewidth=1.4)
        below = sheet.add_axes(_LEFT, _ABOVE + height + 46, _ACROSS, low)
        for i, x, y in zip(np.flatnonzero(numbers), score, precision, strict=True):
            hint = f"{format_digits(numbers[i])} detections from {borders[i]:g} to {borders[i + 1]:g}"
            point = f"score {format_digits(x)}, precision {format_digits(y)}"
            sheet.draw_mark(axes, x, y, COLOURS[0], f"{point}, {hint}")
            column = Rectangle((borders[i], 0), borders[i + 1] - borders[i], numbers[i])
            sheet.draw_bar(below, column, COLOURS[0], hint)
        sheet.label_axes(axes, Axis("", 0, 1), Axis("observed precision", 0, 1))
        axes.tick_params(labelbottom=False)
        highest = max(numbers.max() * 1.05, 1)
        sheet.label_axes(below, Axis("score", 0, 1), Axis("detections", 0, highest), most=(5, 3))

    alt = f"{name}: observed precision over score, {format_digits(numbers.sum())} detections"
    return draw_chart(_WIDTH, _ABOVE + height + 46 + low + _BELOW, alt, draw)


class ReliabilityLine(NamedTuple):
    """One of several scorers: for each bin the mean score, the observed precision with its interval, the count."""

    name: str
    scores: Numbers
    precisions: Numbers
    intervals: Pairs
    counts: Numbers


def draw_reliabilities(name: str, edges: Numbers, lines: Sequence[ReliabilityLine]) -> Chart:
    """Draw the calibration of up to four scorers over the same bins, such as one before and after calibration.

    As `draw_reliability`, with a line and an interval at each point for every one; counts are drawn by their
    logarithm, side by side. Raises ValueError as that does, and for no lines or more than four.
    """
    check_count(lines, 4, "lines")
    width = check_count(edges, 101, "edges") - 1
    borders = check_numbers(edges, "edges", width + 1)
    counts = [check_numbers(line.counts, f"counts of {line.name!r}", width) for line in lines]
    if (np.diff(borders) <= 0).any() or min(count.min() for count in counts) < 0:
        raise ValueError(f"edges {borders.tolist()} must rise and counts must not be negative")
    keys = [LegendKey(line.name, colour, "-") for line, colour in zip(lines, COLOURS, strict=False)]
    points = [_check_reliability(line, count) for line, count in zip(lines, counts, strict=True)]
    height, low, highest = 300, 80, max(2.0, *(float(count.max()) for count in counts))

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(_LEFT, _ABOVE, _ACROSS, height)
        axes.plot([0, 1], [0, 1], color=sheet.theme.ink, alpha=0.5, linestyle=DASHED, linewidth=1.4)
        bottom = sheet.add_axes(_LEFT, _ABOVE + height + 46, _ACROSS, low)
        for key, point, count in zip(keys, points, counts, strict=True):
            _draw_reliability_points(sheet, axes, key, point, count)
        for i, edge in enumerate(borders[:-1]):
            room = (borders[i + 1] - edge) / len(lines)
            for n, (key, count) in enumerate(zip(keys, counts, strict=True)):
                column = Rectangle((edge + n * room, 0.5), room, max(count[i] - 0.5, 0))
                sheet.draw_bar(bottom, column, key.colour, f"{key.name}: {format_digits(count[i])} detections")
        sheet.label_axes(axes, Axis("", 0, 1), Axis("observed precision", 0, 1))
        axes.tick_params(labelbottom=False)
        sheet.label_axes(bottom, Axis("score", 0, 1), Axis("detections", 0.5, highest * 1.2))
        bottom.set_yscale("log")
        bottom.yaxis.set_major_locator(LogLocator(numticks=4))
        bottom.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_digits(value)))
        bottom.minorticks_off()

    alt = f"{name}: observed precision over score, {summarize_names([line.name for line in lines])}"
    return draw_chart(_WIDTH, _ABOVE + height + 46 + low + _BELOW, alt, draw, keys, _LEFT)


class _ReliabilityPoints(NamedTuple):
    score: Float[np.ndarray, " full"]
    precision: Float[np.ndarray, " full"]
    spans: Float[np.ndarray, "full 2"]


def _check_reliability(line: ReliabilityLine, counts: Float[np.ndarray, " bins"]) -> _ReliabilityPoints:
    return _ReliabilityPoints(
        check_shares(line.scores, f"scores of {line.name!r}", counts),
        check_shares(line.precisions, f"precisions of {line.name!r}", counts),
        check_pairs(line.intervals, len(counts))[counts > 0],
    )


def _draw_reliability_points(
    sheet: Sheet, axes: Axes, key: LegendKey, points: _ReliabilityPoints, counts: Float[np.ndarray, " bins"]
) -> None:
    axes.plot(points.score, points.precision, color=key.colour, linewidth=1.6)
    axes.vlines(points.score, points.spans[:, 0], points.spans[:, 1], color=key.colour, alpha=0.6, linewidth=1.4)
    for x, y, count in zip(points.score, points.precision, counts[counts > 0], strict=True):
        hint = (
            f"{key.name}: score {format_digits(x)}, precision {format_digits(y)}, {format_digits(count)} detections"
        )
        sheet.draw_mark(axes, x, y, key.colour, hint)


def check_count(items: Collection[Any] | np.ndarray, most: int, what: str) -> int:
    """Count the items: at least one, and no more than a picture can hold."""
    if not 0 < len(items) <= most:
        raise ValueError(f"{len(items)} {what}: must be from 1 to {most}")
    return len(items)


def check_numbers(values: Numbers, what: str, count: int) -> Float[np.ndarray, " count"]:
    """Return the values as an array: `count` finite numbers."""
    array = np.asarray(values, float)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{what} of shape {array.shape}: must be {count} finite numbers")
    return array


def check_shares(values: Numbers, what: str, counts: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " full"]:
    """Return the values of those bins that count something, in [0, 1]; those of empty bins do not matter."""
    array = np.asarray(values, float)
    if array.shape != counts.shape:
        raise ValueError(f"{what} of shape {array.shape}: must be one for each of {len(counts)} bins")
    shares = array[counts > 0]
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"{what} {shares.tolist()}: must be in [0, 1] where there are detections")
    return shares


def check_pairs(pairs: Pairs, count: int) -> Float[np.ndarray, "count 2"]:
    """Return the pairs as an array: `count` pairs of finite numbers."""
    array = np.asarray(pairs, float)
    if count == 0 == array.size:
        return array.reshape(0, 2)
    if array.shape != (count, 2) or not np.isfinite(array).all():
        raise ValueError(f"pairs of shape {array.shape}: must be {count} pairs of finite numbers")
    return array


def _check_series(line: Series) -> Series:
    x = check_numbers(line.x, f"x of {line.name!r}", check_count(line.x, 10_000_000, f"points of {line.name!r}"))
    y = check_numbers(line.y, f"y of {line.name!r}", len(x))
    return Series(line.name, x, y, check_pairs(line.marks, len(line.marks)))


def _choose_keys(names: Sequence[str], highlighted: Iterable[str] | None) -> dict[str, LegendKey]:
    """Give a colour to each of the highlighted lines."""
    if highlighted is None:
        highlighted = names if len(names) <= len(COLOURS) else ()
    coloured = list(dict.fromkeys(highlighted))
    if strange := [name for name in coloured if name not in names]:
        raise ValueError(f"highlighted {strange}: no such line; there are {', '.join(names)}")
    if len(coloured) > len(COLOURS):
        raise ValueError(f"{len(coloured)} highlighted lines: at most {len(COLOURS)} can be told apart")
    # Colours of the second half are dashed, so that it is not colour alone that tells lines apart.
    return {name: LegendKey(name, COLOURS[i], "-" if i < 4 else DASHED) for i, name in enumerate(coloured)}


def _draw_series(sheet: Sheet, axes: Axes, line: Series, key: LegendKey | None) -> None:
    if key is None:
        sheet.draw_line(axes, line.x, line.y, line.name, color=sheet.theme.ink, alpha=0.3, linewidth=1)
        return
    sheet.draw_line(axes, line.x, line.y, line.name, color=key.colour, linestyle=key.line, linewidth=2)
    for x, y in line.marks:
        sheet.draw_mark(axes, x, y, key.colour, f"{line.name}: {format_digits(x)}, {format_digits(y)}")


def _overall_key(value: float) -> LegendKey:
    if not math.isfinite(value):
        raise ValueError(f"overall {value} is not finite")
    return LegendKey(f"overall {format_digits(value)}", line=DASHED, alpha=0.8)


def _draw_group_bar(sheet: Sheet, axes: Axes, x: float, value: float, hint: str, colour: str) -> None:
    empty = math.isnan(value)
    number = "–" if empty else format_digits(value)
    if not empty:
        sheet.draw_bar(axes, Rectangle((x - 0.42, 0), 0.84, value), colour, f"{hint}: {number}")
    above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": TEXT - 2}
    axes.annotate(number, (x, 0 if empty else value), (0, 4), **above)


def _write_group_names(
    sheet: Sheet, groups: Mapping[str, Mapping[str, float]], places: Float[np.ndarray, " bars"], bottom: float
) -> None:
    first = 0
    for group, bins in groups.items():
        middles = _LEFT + (places[first : first + len(bins)] + 0.8) * _PITCH
        first += len(bins)
        for x, label in zip(middles, bins, strict=True):
            shortened = fit_text(label, TEXT - 1, _PITCH)
            sheet.write(x, bottom + 17, shortened, fontsize=TEXT - 1, ha="center")
        shortened = fit_text(group, TEXT, (len(bins) + 0.8) * _PITCH)
        sheet.write(middles.mean(), bottom + 39, shortened, color=sheet.theme.soft, ha="center")
