"""The Gaussian kernels of one layer between truth and detections, as one SVG picture on one time axis."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from untrimmed.timeline import Timeline, classes_of, tiou

# The rows of kernels stand between rows of timelines, so both are laid and coloured by the same hand.
from untrimmed.visualization.timelines import (
    MARGIN,
    ROW_GAP,
    Plot,
    action_row,
    class_legend,
    fitted,
    lanes,
    palette,
    plan,
    printable,
    svg_frame,
    time_axis,
)

TRUTH = "truth"
"""The row above the kernels; all others stand below them."""
OWN, MERGED = "kernels", "merged"
"""The rows of kernels: one a cell, and those that grouping made of several."""

_CURVE, _TALLEST_BOX, _LOWEST_BOX, _BOXES = 64, 9, 2.5, 80  # pixels
_AXIS, _LINE, _TEXT = 26, 17, 11
_FAINTEST = 0.22
_NEARLY = 0.9
STYLE = """
.untrimmed-own { color: #59636e }
.untrimmed-merged { color: #7b3ff2 }
@media (prefers-color-scheme: dark) {
.untrimmed-own { color: #9aa4b1 }
.untrimmed-merged { color: #b79cff }
}
"""


class Kernel(NamedTuple):
    """One Gaussian kernel of a video, in seconds; its default box of ratio 1 reaches one sigma to both sides."""

    centre: float
    sigma: float
    members: int = 1
    """Of how many kernels it was merged; 1 for a cell's own."""
    score: float = 0.0
    """The best score of a class that any of its boxes has, in [0, 1]."""

    @property
    def start(self) -> float:
        """Where its default box begins, in seconds; before 0 where the box reaches out of the video."""
        return self.centre - self.sigma

    @property
    def end(self) -> float:
        """Where its default box ends, in seconds."""
        return self.centre + self.sigma


@dataclass(frozen=True)
class KernelLayer:
    """The kernels of one anchor layer over a whole video; layers are counted from 1, finest first.

    `cell` is the seconds from one cell to the next. Where widths are not `learned`, every box is as wide as a cell
    and there are no curves. Raises ValueError for a kernel without a width.
    """

    number: int
    cell: float
    kernels: tuple[Kernel, ...]
    learned: bool = True

    def __post_init__(self) -> None:
        for kernel in self.kernels:
            if not (math.isfinite(kernel.centre) and 0 < kernel.sigma < math.inf):
                raise ValueError(f"layer {self.number}: kernel at {kernel.centre} s has sigma {kernel.sigma} s")

    @property
    def rows(self) -> dict[str, tuple[Kernel, ...]]:
        """The kernels of each row: of cells, and below them those that were merged, where there are any."""
        own = tuple(kernel for kernel in self.kernels if kernel.members == 1)
        merged = tuple(kernel for kernel in self.kernels if kernel.members > 1)
        return {OWN if self.learned else "boxes": own, **({MERGED: merged} if merged else {})}

    @property
    def title(self) -> str:
        """One line that tells layers apart."""
        rows = self.rows
        merged = f", {len(rows[MERGED])} merged" if MERGED in rows else ""
        return f"layer {self.number}: cells of {self.cell:.3g} s, {len(next(iter(rows.values())))} kernels{merged}"

    @property
    def words(self) -> str:
        """What a reader sees, in words."""
        if not self.learned:
            return "Boxes of fixed scale: every default box is as wide as a cell; nothing was learned or merged."
        return (
            "Each curve is a learned Gaussian, all drawn to one height; the box under it is its default box, one "
            "sigma to both sides. The stronger its colour, the higher the best score that it gives."
        )


def fitting_layer(layers: Sequence[KernelLayer], rows: Mapping[str, Timeline]) -> KernelLayer:
    """The coarsest layer whose boxes fit the true actions nearly as well as any layer's do.

    How well they fit is the best overlap of every action, summed; nearly is nine tenths, for a fine layer has so many
    boxes that some always fit. Without truth the detections count, each by its score. ValueError without a layer.
    """
    actions = [a for row in ([rows[TRUTH]] if TRUTH in rows else rows.values()) for a in row.actions]
    segments = np.array([[a.start, a.end] for a in actions], float).reshape(-1, 2)
    weights = np.array([a.score for a in actions], float)
    boxes = [np.array([[k.start, k.end] for k in layer.kernels], float).reshape(-1, 2) for layer in layers]
    fits = [float(weights @ tiou(segments, each).max(1, initial=0.0)) for each in boxes]
    good = [layer for layer, fit in zip(layers, fits, strict=True) if fit >= _NEARLY * max(fits)]
    return max(good, key=lambda layer: layer.number)


def kernels_svg(
    duration: float,
    rows: Mapping[str, Timeline],
    layer: KernelLayer,
    *,
    width: int = 960,
    colours: Mapping[str, str] | None = None,
) -> str:
    """One standalone SVG, `width` pixels wide: Fig. 6 of the GTAN paper for a video of `duration` seconds.

    On one time axis: the row `truth` where `rows` has it, the layer's kernels with their default boxes, its merged
    kernels, then all other rows. Curves have one height, though narrow ones weigh their cells more. What reaches out
    of the video is cut off. Raises ValueError for a duration that is not a positive number.
    """
    if not 0 < duration < math.inf:
        raise ValueError(f"duration {duration} is not a positive number of seconds")
    labels = classes_of(rows.values())
    shown = {**rows, **{name: Timeline(duration) for name in layer.rows}}
    plot = plan(duration, shown, width, {**palette(labels), **(colours or {})})
    body, height = [], float(MARGIN)
    for name in sorted(rows, key=lambda name: name != TRUTH)[: TRUTH in rows]:
        picture, row_height = action_row(plot, name, rows[name], height)
        body, height = [*body, *picture], height + row_height + ROW_GAP
    surest = max((kernel.score for kernel in layer.kernels), default=0.0)
    for name, kernels in layer.rows.items():
        picture, row_height = _kernel_row(plot, name, kernels, height, surest, layer.learned)
        body, height = [*body, *picture], height + row_height + ROW_GAP
    for name, timeline in rows.items():
        if name != TRUTH:
            picture, row_height = action_row(plot, printable(name), timeline, height)
            body, height = [*body, *picture], height + row_height + ROW_GAP
    # Grid lines lie under everything.
    body[:0] = time_axis(plot, MARGIN, height - ROW_GAP)
    height += _AXIS
    legend, legend_height = class_legend(plot, labels, height - 6)
    height += legend_height
    words, words_height = _words(plot, layer, height + 6)
    height += words_height + MARGIN
    return "\n".join([*_opening(width, height, rows, layer), *body, *legend, *words, "</svg>", ""])


def _opening(width: int, height: float, rows: Mapping[str, Timeline], layer: KernelLayer) -> Iterator[str]:
    counts = ", ".join(f"{printable(name)}: {len(timeline.actions)} actions" for name, timeline in rows.items())
    svg, *rest = svg_frame(width, height, f"{layer.title}; {counts}")
    yield svg
    yield f"<title>{escape(f'Gaussian kernels, {layer.title}')}</title>"
    yield f"<desc>{escape(f'{layer.words} {counts}.')}</desc>"
    yield f"<style>{STYLE}</style>"
    yield from rest


def _kernel_row(
    plot: Plot, name: str, kernels: Sequence[Kernel], top: float, surest: float, learned: bool
) -> tuple[list[str], float]:
    """Curves, and under them their boxes in lanes; the surer on top."""
    ranked = sorted(kernels, key=lambda kernel: -kernel.score)
    spans = [(plot.x(kernel.start), plot.x(kernel.end)) for kernel in ranked]
    chosen = lanes(spans)
    lane = max(_LOWEST_BOX, min(_TALLEST_BOX, _BOXES / (max(chosen, default=0) + 1)))
    base = top + (_CURVE if learned else 3)
    height = base - top + lane * (max(chosen, default=0) + 1) + 5
    box = f'x="{plot.left:.2f}" y="{top:.2f}" width="{plot.right - plot.left:.2f}" height="{height:.2f}"'
    shown = fitted(name, _TEXT + 1, plot.left - MARGIN - 10)
    picture = [
        f'<rect class="untrimmed-track" {box} rx="5"/>',
        f'<text class="untrimmed-text" x="{MARGIN}" y="{top + 18:.2f}" font-size="{_TEXT + 1}" '
        f'font-weight="500">{escape(shown)}</text>',
        # A picture in the picture cuts off what reaches out of the video, and needs no name for it.
        f'<svg {box} viewBox="{plot.left:.2f} {top:.2f} {plot.right - plot.left:.2f} {height:.2f}">',
    ]
    # Many lines close together are thin, or they would be one dark band.
    line = max(0.5, min(1.3, (plot.right - plot.left) / max(1, len(ranked)) / 7))
    for i in reversed(range(len(ranked))):
        opacity = _FAINTEST + (1 - _FAINTEST) * (ranked[i].score / surest if surest > 0 else 1.0)
        kind = "merged" if ranked[i].members > 1 else "own"
        picture.append(f'<g class="untrimmed-{kind}" opacity="{opacity:.2f}"><title>{described(ranked[i])}</title>')
        if learned:
            curve = bell(plot.x(ranked[i].centre), base - 2, (spans[i][1] - spans[i][0]) / 2, _CURVE - 12)
            look = f'fill="currentColor" fill-opacity=".08" stroke="currentColor" stroke-width="{line:.2f}"'
            picture.append(f'<path d="{curve}" {look}/>')
        picture.append(_box(spans[i], base + 1 + chosen[i] * lane, lane - 1) + "</g>")
    return [*picture, "</svg>"], height


def _box(span: tuple[float, float], top: float, height: float) -> str:
    start, end = span
    return (
        f'<rect x="{start:.2f}" y="{top:.2f}" width="{max(end - start, 1):.2f}" height="{height:.2f}" '
        f'rx="{min(2.0, height / 3):.2f}" fill="currentColor"/>'
    )


def described(kernel: Kernel) -> str:
    """A kernel in words."""
    kind = f"merged of {kernel.members}" if kernel.members > 1 else "kernel"
    return (
        f"{kind}: centre {kernel.centre:.1f} s, sigma {kernel.sigma:.1f} s, "
        f"box {kernel.start:.1f}-{kernel.end:.1f} s, best score {kernel.score:.2f}"
    )


def bell(x: float, base: float, sigma: float, height: float) -> str:
    """The path of a Gaussian over a base line, three sigmas to both sides, in pixels; true to 1 % of its height.

    Cubic Hermite pieces of one sigma, with the curve's own slopes at their ends.
    """
    knots = [(at, math.exp(-(at**2) / 2), -at * math.exp(-(at**2) / 2)) for at in range(-3, 4)]
    path = f"M{x - 3 * sigma:.2f} {base - height * knots[0][1]:.2f}"
    for (left, low, rise), (right, high, fall) in pairwise(knots):
        controls = ((left + 1 / 3, low + rise / 3), (right - 1 / 3, high - fall / 3), (right, high))
        path += "C" + " ".join(f"{x + sigma * u:.2f} {base - height * v:.2f}" for u, v in controls)
    return path


def _words(plot: Plot, layer: KernelLayer, top: float) -> tuple[list[str], float]:
    """The legend of the kernels, in lines as wide as the picture."""
    letters = int((plot.right - MARGIN) / (0.52 * _TEXT))
    text = [layer.title[0].upper() + layer.title[1:] + ".", layer.words]
    lines = [line for sentence in text for line in textwrap.wrap(sentence, letters)]
    picture = [
        f'<text class="untrimmed-{"soft" if i else "text"}" x="{MARGIN}" y="{top + (i + 1) * _LINE:.2f}" '
        f'font-size="{_TEXT}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    ]
    return picture, len(lines) * _LINE + 6
