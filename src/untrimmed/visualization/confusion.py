"""Draws a confusion matrix: which class is taken for which, up to two hundred of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from untrimmed.visualization.charts import MOST_CLASSES, check_count
from untrimmed.visualization.page import Chart
from untrimmed.visualization.sheet import COLOURS, TEXT, LegendKey, Sheet, draw_chart, format_digits
from untrimmed.visualization.text import fit_text, summarize_names, text_width

_MOST_WITH_NUMBERS = 25
# The strongest cell of a matrix is no stronger than this, so that words on it can have the colour of the page's text.
_STRONGEST = 0.8
_ABOVE = 26  # pixels


def draw_confusion_matrix(name: str, labels: Sequence[str], counts: np.ndarray) -> Chart:
    """Draw a confusion matrix, `counts[annotated, detected]`, for up to 200 labels.

    A cell is as strong as the root of its share of its row, so that a rare confusion is seen too. Up to 25 labels
    there are numbers in the cells; of many labels only some are written. Raises ValueError for counts that are
    negative, not finite, or not a square with a side for each label.
    """
    size = check_count(labels, MOST_CLASSES, "labels")
    counts = np.asarray(counts, float)
    if counts.shape != (size, size) or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"counts of shape {counts.shape} for {size} labels: must be a square of numbers from 0 on")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    cell = 34.0 if size <= _MOST_WITH_NUMBERS else max(4.0, 600 / size)
    gutter = min(max(text_width(label, TEXT - 1) for label in labels) + 12, 150)
    side, apart = cell * size, math.ceil(14 / cell)
    words = {1: "1%", 10: "10%", 50: "50%", 100: "100% of annotated"}
    keys = [LegendKey(text, COLOURS[0], alpha=_opacity(percent / 100)) for percent, text in words.items()]

    def draw(sheet: Sheet) -> None:
        axes = sheet.add_axes(gutter, _ABOVE, side, side)
        axes.set(xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[])
        if size <= _MOST_WITH_NUMBERS:
            _draw_cells(sheet, axes, labels, counts, shares)
        else:
            image = np.tile(to_rgba(COLOURS[0]), (size, size, 1))
            image[..., 3] = _opacity(shares)
            axes.imshow(image, interpolation="none", extent=(0, size, size, 0), aspect="auto")
        few_written = f"; one label of {apart} is written" if apart > 1 else ""
        sheet.write(4, 14, f"annotated (down), detected (across){few_written}", color=sheet.theme.soft)
        for i in range(0, size, apart):
            _write_label(sheet, labels[i], (i + 0.5) * cell, gutter, _ABOVE + side)

    alt = f"{name}: annotated against detected; {summarize_names(labels)}"
    return draw_chart(max(gutter + side + 8, 370), _ABOVE + side + gutter, alt, draw, keys)


def _draw_cells(
    sheet: Sheet,
    axes: Axes,
    labels: Sequence[str],
    counts: Float[np.ndarray, "size size"],
    shares: Float[np.ndarray, "size size"],
) -> None:
    below: dict[str, Any] = {"textcoords": "offset points", "ha": "center"}
    for row, column in np.argwhere(counts).tolist():
        count, share = float(counts[row, column]), float(shares[row, column])
        hint = f"{labels[row]} as {labels[column]}: {format_digits(count)} ({100 * share:.1f}%)"
        sheet.draw_bar(axes, Rectangle((column, row), 1, 1), COLOURS[0], hint, alpha=_opacity(share))
        number = format_digits(count) if count < 999.5 else f"{count / 1000:.2g}k"
        axes.annotate(number, (column + 0.5, row + 0.5), (0, -4), **below)


def _opacity(share: Any) -> Any:
    return _STRONGEST * share**0.5


def _write_label(sheet: Sheet, label: str, middle: float, gutter: float, bottom: float) -> None:
    """Write a label beside its row and below its column, `middle` pixels from the corner of the matrix."""
    size = TEXT - 1
    shortened, middle = fit_text(label, size, gutter - 10), middle + size * 0.36
    sheet.write(gutter - 6, _ABOVE + middle, shortened, fontsize=size, ha="right")
    upright: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "right"}
    sheet.write(gutter + middle, bottom + 6, shortened, fontsize=size, **upright)
