"""Numbers as pictures for a page: curves, bars, stacks, groups, confusion and calibration, each as inline SVG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from untrimmed.visualization.confusion import matrix
from untrimmed.visualization.given import MOST_CLASSES, Numbers, Pairs, counted, few, numbers, pairs, shares
from untrimmed.visualization.inline import INK, SOFT, TEXT, settled
from untrimmed.visualization.sheet import COLOURS, DASHED, LEGEND_LINE, Axis, Box, Key, Sheet, digits, legend_rows
from untrimmed.visualization.timelines import fitted, printable, text_width

__all__ = ["Axis", "Line", "bars", "curves", "grouped", "matrix", "reliability", "stacked"]

# All lengths are in pixels.
_WIDTH, _ABOVE, _BELOW, _LEFT, _RIGHT = 480, 32, 50, 46, 14


class Line(NamedTuple):
    """One curve; `low` and `high` are the edges of a band of confidence around `y`, `marks` are points `(x, y)`."""

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    marks: Pairs = ()


def curves(
    name: str,
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    steps: bool = False,
    highlighted: Iterable[str] | None = None,
    width: int = _WIDTH,
    height: int = 300,
) -> str:
    """Lines over two axes; `height` is that of the plot without its legend.

    With `steps` a value holds from the point before to its own, as interpolated precision does over recall.
    `highlighted` names the lines in colour, eight at most; the others are thin and grey. Without it all are in
    colour when there are up to eight, and none when there are more. Raises ValueError for lines without points,
    of unequal lengths, with numbers that are not finite, and for a highlighted name that no line has.
    """
    counted(lines, 1000, "lines")
    checked = [_checked(line) for line in lines]
    keys = _highlighted([line.name for line in lines], highlighted)
    grey = sum(line.name not in keys for line in lines)
    others = [Key(f"{'the other' if keys else 'all'} {grey}", INK, "-", 0.3)] if grey else []
    legend = legend_rows([*keys.values(), *others], width - _LEFT)
    with settled():
        sheet = Sheet(width, _ABOVE + height + _BELOW + len(legend) * LEGEND_LINE)
        axes = sheet.axes(_LEFT, _ABOVE, width - _LEFT - _RIGHT, height)
        # What is highlighted lies over what is not.
        for line in sorted(checked, key=lambda line: line.name in keys):
            _draw(sheet, axes, line, keys.get(line.name), steps)
        axes.margins(x=0)
        sheet.frame(axes, x, y)
        sheet.legend(legend, _LEFT, _ABOVE + height + _BELOW)
        return sheet.svg(f"{name}: {y.name} over {x.name}; {few([line.name for line in lines])}")


def bars(
    name: str,
    names: Sequence[str],
    values: Numbers,
    x: Axis,
    *,
    intervals: Pairs | None = None,
    overall: float | None = None,
    width: int = _WIDTH,
) -> str:
    """A horizontal bar for each of up to 200 names, in their order, with the value beside it.

    `intervals` are the ends of a line over each bar, such as a confidence interval; `overall` is a dashed line.
    Raises ValueError for no names or too many, unequal lengths and numbers that are not finite.
    """
    count = counted(names, MOST_CLASSES, "names")
    lengths, spans = numbers(values, "values", count), pairs(intervals, count)
    pitch, size, above = (24, TEXT, 12) if count <= 30 else (18, TEXT - 1, 30)
    left = min(max(text_width(printable(each), size) for each in names) + 14, width * 0.42)
    legend = [] if overall is None else [[_overall_key(overall)]]
    with settled():
        sheet = Sheet(width, above + count * pitch + _BELOW + len(legend) * LEGEND_LINE)
        axes = sheet.axes(left, above, width - left - 54, count * pitch)
        for i, (each, value) in enumerate(zip(names, lengths, strict=True)):
            sheet.bar(axes, Box(0, i - 0.38, value, 0.76), COLOURS[0], _bar_tip(each, value, spans, i))
            middle = above + (i + 0.5) * pitch + size * 0.36
            sheet.write(left - 8, middle, fitted(printable(each), size, left - 12), fontsize=size, ha="right")
            sheet.write(width - 4, middle, digits(value), fontsize=size, color=SOFT, ha="right")
        if spans is not None:
            axes.hlines(range(count), spans[:, 0], spans[:, 1], color=INK, alpha=0.75, linewidth=1.4)
        if overall is not None:
            sheet.overall(axes, overall, upright=True)
        reach = [0.0, *lengths, *(() if spans is None else spans.flat), overall or 0.0]
        low, high = min(reach) if x.low is None else x.low, (max(reach) or 1.0) if x.high is None else x.high
        sheet.frame(axes, Axis(x.name, low, high), Axis("", count - 0.5, -0.5), most=(4, 1))
        axes.set(yticks=[])
        # The end of many bars is out of sight from their beginning.
        axes.tick_params(labeltop=above > 12)
        sheet.legend(legend, 4, above + count * pitch + _BELOW)
        return sheet.svg(f"{name}: {x.name} of {few(names)}")


def stacked(
    name: str, names: Sequence[str], parts: Mapping[str, Numbers], x: str, y: str, *, width: int = _WIDTH
) -> str:
    """A column for each name, made of parts that sum to 1, the first at the bottom: a false positive profile.

    `parts` has up to eight kinds, each with one share for each column; a column may be empty. Raises ValueError
    for shares that are negative or sum to something else, and for unequal lengths.
    """
    count, height, across = counted(names, 60, "columns"), 260, width - _LEFT - _RIGHT
    counted(parts, len(COLOURS), "parts")
    heights = np.stack([numbers(part, f"shares of {kind!r}", count) for kind, part in parts.items()])
    sums = heights.sum(axis=0)
    if (heights < 0).any() or ((np.abs(sums - 1) > 1e-6) & (sums != 0)).any():
        raise ValueError(f"parts of the columns sum to {sums.tolist()}: must be shares that sum to 1")
    bases = np.cumsum(heights, axis=0) - heights
    keys = [Key(kind, colour) for kind, colour in zip(parts, COLOURS, strict=False)]
    legend = legend_rows(keys, width - _LEFT)
    with settled():
        sheet = Sheet(width, _ABOVE + height + _BELOW + len(legend) * LEGEND_LINE)
        axes = sheet.axes(_LEFT, _ABOVE, across, height)
        for key, part, base in zip(keys, heights, bases, strict=True):
            for i in np.flatnonzero(part).tolist():
                tip = f"{names[i]}, {key}: {100 * part[i]:.1f}%"
                sheet.bar(axes, Box(i - 0.4, base[i], 0.8, part[i]), key.colour, tip)
        sheet.frame(axes, Axis(x, -0.5, count - 0.5), Axis(y, 0, 1))
        axes.set_xticks(range(count), [fitted(printable(each), TEXT - 1, across / count) for each in names])
        axes.xaxis.grid(False)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        sheet.legend(legend, _LEFT, _ABOVE + height + _BELOW)
        return sheet.svg(f"{name}: {y} over {few(names)}; {few(list(parts))}")


def grouped(
    name: str,
    groups: Mapping[str, Mapping[str, float]],
    y: Axis,
    *,
    overall: float | None = None,
    high_is_good: bool = True,
    pitch: int = 36,
) -> str:
    """A bar for each bin of each group, `pitch` pixels apart: a sensitivity analysis, or what is missed by bin.

    `overall` is a dashed line, and bars on the worse side of it are of another colour. NaN is a bin without
    instances: a dash instead of a bar. Raises ValueError for no groups, a group without bins, and values that are
    negative or infinite.
    """
    counted(groups, 20, "groups")
    counts = [counted(bins, 60, f"bins of {group!r}") for group, bins in groups.items()]
    values = [float(value) for bins in groups.values() for value in bins.values()]
    if any(math.isinf(value) or value < 0 for value in values):
        raise ValueError(f"values {values}: must be at least 0, or NaN for an empty bin")
    # One place is left free between two groups.
    places = np.concatenate([np.arange(float(n)) + sum(counts[:i]) + i for i, n in enumerate(counts)])
    room, height, top = (places[-1] + 1.6) * pitch, 220, max([0.0, overall or 0.0, *(v for v in values if v >= 0)])
    keys = [] if overall is None else [_overall_key(overall), Key("better", COLOURS[0]), Key("worse", COLOURS[1])]
    legend = legend_rows(keys, max(room, 300 - _LEFT))
    with settled():
        sheet = Sheet(max(_LEFT + room + _RIGHT, 300), _ABOVE + height + _BELOW + len(legend) * LEGEND_LINE)
        axes = sheet.axes(_LEFT, _ABOVE, room, height)
        high = (top or 1.0) * 1.12 if y.high is None else y.high
        sheet.frame(axes, Axis("", -0.8, places[-1] + 0.8), Axis(y.name, y.low or 0.0, high))
        axes.set(xticks=[])
        tips = [f"{group}, {each}" for group, bins in groups.items() for each in bins]
        for place, value, tip in zip(places, values, tips, strict=True):
            worse = overall is not None and (value < overall if high_is_good else value > overall)
            _group_bar(sheet, axes, place, value, tip, COLOURS[worse])
        if overall is not None:
            sheet.overall(axes, overall, upright=False)
        _group_names(sheet, groups, places, pitch, _ABOVE + height)
        sheet.legend(legend, _LEFT, _ABOVE + height + _BELOW)
        return sheet.svg(f"{name}: {y.name} for {few(list(groups))}")


def reliability(
    name: str,
    edges: Numbers,
    scores: Numbers,
    precisions: Numbers,
    counts: Numbers,
    *,
    intervals: Pairs | None = None,
    width: int = _WIDTH,
) -> str:
    """Calibration: the observed precision over the mean score of each bin, and below how many detections it has.

    Bin i reaches from `edges[i]` to `edges[i + 1]`; one without detections has any score and precision, NaN too.
    On the dashed diagonal scores mean what they say. Raises ValueError for unequal lengths, edges that do not
    rise, negative counts, and scores or precisions of a bin with detections outside [0, 1].
    """
    many = numbers(counts, "counts", counted(counts, 1000, "bins"))
    borders, spans = numbers(edges, "edges", len(many) + 1), pairs(intervals, len(many))
    if (np.diff(borders) <= 0).any() or (many < 0).any():
        raise ValueError(f"edges {borders.tolist()} must rise and counts {many.tolist()} must not be negative")
    full = np.flatnonzero(many)
    score, precision = shares(scores, "scores", many), shares(precisions, "precisions", many)
    side, height, low = width - _LEFT - _RIGHT, 300, 80
    with settled():
        sheet = Sheet(width, _ABOVE + height + 46 + low + _BELOW)
        axes = sheet.axes(_LEFT, _ABOVE, side, height)
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.5, linestyle=DASHED, linewidth=1.4)
        if spans is not None:
            axes.vlines(score, spans[full, 0], spans[full, 1], color=COLOURS[0], alpha=0.6, linewidth=1.6)
        axes.plot(score, precision, color=COLOURS[0], linewidth=1.6)
        below = sheet.axes(_LEFT, _ABOVE + height + 46, side, low)
        for i, across, up in zip(full, score, precision, strict=True):
            tip = f"{digits(many[i])} detections from {borders[i]:g} to {borders[i + 1]:g}"
            sheet.mark(axes, (across, up), COLOURS[0], f"score {digits(across)}, precision {digits(up)}, {tip}")
            sheet.bar(below, Box(borders[i], 0, borders[i + 1] - borders[i], many[i]), COLOURS[0], tip)
        sheet.frame(axes, Axis("", 0, 1), Axis("observed precision", 0, 1))
        axes.tick_params(labelbottom=False)
        sheet.frame(below, Axis("score", 0, 1), Axis("detections", 0, max(many.max() * 1.05, 1)), most=(5, 3))
        return sheet.svg(f"{name}: observed precision over score, {digits(many.sum())} detections")


def _checked(line: Line) -> Line:
    x = numbers(line.x, f"x of {line.name!r}", counted(line.x, 10_000_000, f"points of {line.name!r}"))
    y = numbers(line.y, f"y of {line.name!r}", len(x))
    if (line.low is None) != (line.high is None):
        raise ValueError(f"the band of {line.name!r} has one edge: give low and high, or neither")
    low = None if line.low is None else numbers(line.low, f"low of {line.name!r}", len(x))
    high = None if line.high is None else numbers(line.high, f"high of {line.name!r}", len(x))
    marks = pairs(line.marks, len(line.marks))
    return Line(line.name, x, y, low, high, () if marks is None else marks)


def _highlighted(names: Sequence[str], wanted: Iterable[str] | None) -> dict[str, Key]:
    if wanted is None:
        wanted = names if len(names) <= len(COLOURS) else ()
    chosen = list(dict.fromkeys(wanted))
    if strange := [name for name in chosen if name not in names]:
        raise ValueError(f"highlighted {strange}: no such line; there are {', '.join(names)}")
    if len(chosen) > len(COLOURS):
        raise ValueError(f"{len(chosen)} highlighted lines: at most {len(COLOURS)} can be told apart")
    # Colours of the second half are dashed, so that it is not colour alone that tells lines apart.
    return {name: Key(name, COLOURS[i], "-" if i < 4 else DASHED) for i, name in enumerate(chosen)}


def _draw(sheet: Sheet, axes: Axes, line: Line, key: Key | None, steps: bool) -> None:
    style: dict[str, Any] = {"drawstyle": "steps-pre" if steps else "default"}
    if key is None:
        sheet.line(axes, line.x, line.y, line.name, color=INK, alpha=0.3, linewidth=1, **style)
        return
    if line.low is not None and line.high is not None:
        band: dict[str, Any] = {"step": "pre" if steps else None, "alpha": 0.18, "linewidth": 0}
        axes.fill_between(*_envelope(line.x, line.low, line.high), color=key.colour, **band)
    sheet.line(axes, line.x, line.y, line.name, color=key.colour, linestyle=key.line, linewidth=2, **style)
    for across, up in line.marks:
        sheet.mark(axes, (across, up), key.colour, f"{line.name}: {digits(across)}, {digits(up)}")


def _envelope(x: Any, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The widest of a band in each half pixel, since matplotlib thins out lines but no bands."""
    if len(x) < 2 * _WIDTH or (np.diff(x) < 0).any() or x[0] == x[-1]:
        return x, low, high
    columns = np.ceil((x - x[0]) / (x[-1] - x[0]) * 2 * _WIDTH)
    firsts = np.flatnonzero(np.diff(columns, prepend=-1))
    lasts = np.append(firsts[1:], len(x)) - 1
    return x[lasts], np.minimum.reduceat(low, firsts), np.maximum.reduceat(high, firsts)


def _bar_tip(name: str, value: float, spans: Float[np.ndarray, "n 2"] | None, i: int) -> str:
    return f"{name}: {digits(value)}" + (
        "" if spans is None else f" ({digits(spans[i, 0])} to {digits(spans[i, 1])})"
    )


def _overall_key(value: float) -> Key:
    if not math.isfinite(value):
        raise ValueError(f"overall {value} is not finite")
    return Key(f"overall {digits(value)}", INK, DASHED, 0.8)


def _group_bar(sheet: Sheet, axes: Axes, place: float, value: float, tip: str, colour: str) -> None:
    shown = "–" if math.isnan(value) else digits(value)
    if not math.isnan(value):
        sheet.bar(axes, Box(place - 0.42, 0, 0.84, value), colour, f"{tip}: {shown}")
    look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": TEXT - 2, "color": INK}
    axes.annotate(shown, (place, 0 if math.isnan(value) else value), (0, 4), **look)


def _group_names(
    sheet: Sheet, groups: Mapping[str, Mapping[str, float]], places: np.ndarray, pitch: int, bottom: float
) -> None:
    first = 0
    for group, bins in groups.items():
        here = _LEFT + (places[first : first + len(bins)] + 0.8) * pitch
        first += len(bins)
        for x, each in zip(here, bins, strict=True):
            sheet.write(x, bottom + 17, fitted(printable(each), TEXT - 1, pitch), fontsize=TEXT - 1, ha="center")
        shown = fitted(printable(group), TEXT, (len(bins) + 0.8) * pitch)
        sheet.write(here.mean(), bottom + 39, shown, color=SOFT, ha="center")
