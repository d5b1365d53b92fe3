"""A confusion matrix as a picture: which class is taken for which, up to two hundred of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes

from untrimmed.visualization.given import MOST_CLASSES, counted, few
from untrimmed.visualization.inline import INK, SOFT, TEXT, settled
from untrimmed.visualization.sheet import COLOURS, LEGEND_LINE, Box, Key, Sheet, digits
from untrimmed.visualization.timelines import channels, fitted, printable, text_width

_MOST_WITH_NUMBERS = 25
# The strongest cell of a matrix is no stronger than this, so that words on it can have the colour of the page's text.
_STRONGEST = 0.8


def matrix(
    name: str, labels: Sequence[str], counts: np.ndarray, *, rows: str = "annotated", columns: str = "detected"
) -> str:
    """A confusion matrix, `counts[row, column]`, for up to 200 labels.

    A cell is as strong as the root of its share of its row, so that a rare confusion is seen too. Up to 25 labels
    there are numbers in the cells; of many labels only some are written. Raises ValueError for counts that are
    negative, not finite, or not a square with a side for each label.
    """
    size = counted(labels, MOST_CLASSES, "labels")
    counts = np.asarray(counts, float)
    if counts.shape != (size, size) or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"counts of shape {counts.shape} for {size} labels: must be a square of numbers from 0 on")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    cell = 34.0 if size <= _MOST_WITH_NUMBERS else max(4.0, 600 / size)
    gutter = min(max(text_width(printable(each), TEXT - 1) for each in labels) + 12, 150)
    side, keys = cell * size, [Key(f"{n}%", COLOURS[0], None, _opacity(n / 100)) for n in (1, 10, 50, 100)]
    with settled():
        sheet = Sheet(max(gutter + side + 8, 370), 26 + side + gutter + LEGEND_LINE)
        axes = sheet.axes(gutter, 26, side, side)
        axes.set(xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[])
        if size <= _MOST_WITH_NUMBERS:
            _cells(sheet, axes, labels, counts, shares)
        else:
            axes.imshow(_shaded(shares), interpolation="none", extent=(0, size, size, 0), aspect="auto")
        apart = math.ceil(14 / cell)
        few_of_them = f"; one label of {apart} is written" if apart > 1 else ""
        sheet.write(4, 14, f"{rows} (down), {columns} (across){few_of_them}", color=SOFT)
        _matrix_labels(sheet, labels, cell, gutter, apart)
        sheet.legend([[*keys[:-1], keys[-1]._replace(name=f"100% of {rows}")]], 4, 26 + side + gutter)
        return sheet.svg(f"{name}: {rows} against {columns}; {few(labels)}")


def _cells(
    sheet: Sheet,
    axes: Axes,
    labels: Sequence[str],
    counts: Float[np.ndarray, "size size"],
    shares: Float[np.ndarray, "size size"],
) -> None:
    for row, column in np.argwhere(counts).tolist():
        count, share = float(counts[row, column]), float(shares[row, column])
        tip = f"{labels[row]} as {labels[column]}: {digits(count)} ({100 * share:.1f}%)"
        sheet.bar(axes, Box(column, row, 1, 1), COLOURS[0], tip, alpha=_opacity(share))
        shown = digits(count) if count < 999.5 else f"{count / 1000:.2g}k"
        axes.annotate(shown, (column + 0.5, row + 0.5), (0, -4), textcoords="offset points", ha="center", color=INK)


def _opacity(share: Any) -> Any:
    return _STRONGEST * share**0.5


def _shaded(shares: Float[np.ndarray, "size size"]) -> UInt8[np.ndarray, "size size 4"]:
    opacity = np.round(255 * _opacity(shares))
    colour = np.broadcast_to(np.array(channels(COLOURS[0]), float), (*shares.shape, 3))
    return np.concatenate([colour, opacity[..., None]], axis=2).astype(np.uint8)


def _matrix_labels(sheet: Sheet, labels: Sequence[str], cell: float, gutter: float, apart: int) -> None:
    size, bottom = TEXT - 1, 26 + cell * len(labels)
    for i in range(0, len(labels), apart):
        shown = fitted(printable(labels[i]), size, gutter - 10)
        middle = (i + 0.5) * cell + size * 0.36
        sheet.write(gutter - 6, 26 + middle, shown, fontsize=size, ha="right")
        look: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "right"}
        sheet.write(gutter + middle, bottom + 6, shown, fontsize=size, **look)
