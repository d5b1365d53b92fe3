"""Draws the Gaussian kernels of one layer between ground truth and detections, as SVG on one time axis."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from untrimmed.timeline import Timeline, classes_of, tiou
from untrimmed.visualization.svg import build_element, build_svg, read_svg_style
from untrimmed.visualization.timelines import GROUND_TRUTH, MARGIN, TEXT, RowDrawing, count_actions, pack_lanes

_OWN, _MERGED = "kernels", "merged"  # the rows of kernels: one a cell, and those that grouping made of several

_CURVE, _TALLEST_BOX, _LOWEST_BOX, _BOXES, _LINE = 64, 9, 2.5, 80, 17  # pixels
_FAINTEST = 0.22
_NEARLY = 0.9


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
        single = tuple(kernel for kernel in self.kernels if kernel.members == 1)
        merged = tuple(kernel for kernel in self.kernels if kernel.members > 1)
        return {_OWN if self.learned else "boxes": single, **({_MERGED: merged} if merged else {})}

    @property
    def title(self) -> str:
        """One line that tells layers apart."""
        rows = self.rows
        merged = f", {len(rows[_MERGED])} merged" if _MERGED in rows else ""
        return f"layer {self.number}: cells of {self.cell:.3g} s, {len(next(iter(rows.values())))} kernels{merged}"

    @property
    def description(self) -> str:
        """A description of what is drawn."""
        if not self.learned:
            return "Boxes of fixed scale: every default box is as wide as a cell; nothing was learned or merged."
        return (
            "Each curve is a learned Gaussian, all drawn to one height; the box under it is its default box, one "
            "sigma to both sides. The stronger its colour, the higher the best score that it gives."
        )


def choose_layer(layers: Sequence[KernelLayer], rows: Mapping[str, Timeline]) -> KernelLayer:
    """Choose the coarsest layer whose boxes fit the annotated actions nearly as well as any layer's do.

    How well they fit is the best tIoU of every action, summed; nearly is nine tenths, because a fine layer has so
    many boxes that some always fit. Without ground truth the detections count, each by its score. Raises ValueError
    without a layer.
    """
    timelines = [rows[GROUND_TRUTH]] if GROUND_TRUTH in rows else rows.values()
    actions = [action for timeline in timelines for action in timeline]
    segments = np.array([[action.start, action.end] for action in actions], float).reshape(-1, 2)
    weights = np.array([action.score for action in actions], float)
    boxes = [np.array([[k.start, k.end] for k in layer.kernels], float).reshape(-1, 2) for layer in layers]
    fits = [float(weights @ tiou(segments, layer_boxes).max(1, initial=0.0)) for layer_boxes in boxes]
    good = [layer for layer, fit in zip(layers, fits, strict=True) if fit >= _NEARLY * max(fits)]
    return max(good, key=lambda layer: layer.number)


def kernels_svg(duration: float, rows: Mapping[str, Timeline], layer: KernelLayer, *, width: int = 960) -> str:
    """Draw one standalone SVG, `width` pixels wide: Fig. 6 of the GTAN paper for a video of `duration` seconds.

    On one time axis: the row `truth` where `rows` has it, the layer's kernels with their default boxes, its merged
    kernels, then all other rows. Curves have one height, though narrow ones weigh their cells more. What reaches out
    of the video is cut off. Raises ValueError for a duration that is not a positive number.
    """
    drawing = RowDrawing(duration, {**rows, **dict.fromkeys(layer.rows, Timeline(duration))}, width)
    if GROUND_TRUTH in rows:
        drawing.draw_actions(GROUND_TRUTH, rows[GROUND_TRUTH])
    for name, kernels in layer.rows.items():
        _draw_kernels(drawing, name, kernels, layer)
    for name, timeline in rows.items():
        if name != GROUND_TRUTH:
            drawing.draw_actions(name, timeline)
    drawing.draw_time_axis()
    drawing.draw_legend(classes_of(rows.values()))
    _write_description(drawing, layer)
    counts = count_actions(rows)
    about = [
        build_element("title", f"Gaussian kernels, {layer.title}"),
        build_element("desc", f"{layer.description} {counts}."),
    ]
    summary = f"{layer.title}; {counts}"
    return build_svg(width, drawing.top + MARGIN, summary, drawing.body, about=about, style=read_svg_style("kernels"))


def _draw_kernels(drawing: RowDrawing, name: str, kernels: Sequence[Kernel], layer: KernelLayer) -> None:
    """Draw curves, and under them their boxes in lanes; the surer on top."""
    ranked = sorted(kernels, key=lambda kernel: -kernel.score)
    spans = [(drawing.x(kernel.start), drawing.x(kernel.end)) for kernel in ranked]
    lanes = pack_lanes(spans)
    count = max(lanes, default=0) + 1
    lane_height = max(_LOWEST_BOX, min(_TALLEST_BOX, _BOXES / count))
    above, width = _CURVE if layer.learned else 3.0, drawing.right - drawing.left
    height = above + lane_height * count + 5
    top = drawing.add_row(name, height, 18)
    base = top + above
    # A picture in the picture cuts off what reaches out of the video, and needs no name for it.
    box = f'x="{drawing.left:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}"'
    drawing.body.append(f'<svg {box} viewBox="{drawing.left:.2f} {top:.2f} {width:.2f} {height:.2f}">')
    surest = max((kernel.score for kernel in layer.kernels), default=0.0)
    # Many lines close together are thin, or they would be one dark band.
    thickness = max(0.5, min(1.3, width / max(1, len(ranked)) / 7))
    for kernel, (start, end), lane in reversed(list(zip(ranked, spans, lanes, strict=True))):
        opacity = _FAINTEST + (1 - _FAINTEST) * (kernel.score / surest if surest > 0 else 1.0)
        kind = "merged" if kernel.members > 1 else "own"
        drawing.body.append(f'<g class="untrimmed-{kind}" opacity="{opacity:.2f}">')
        drawing.body.append(build_element("title", describe_kernel(kernel)))
        if layer.learned:
            curve = gaussian_path(drawing.x(kernel.centre), base - 2, (end - start) / 2, _CURVE - 12)
            drawing.body.append(draw_curve(curve, 0.08, thickness))
        place = {"x": start, "y": base + 1 + lane * lane_height, "width": max(end - start, 1.0)}
        place |= {"height": lane_height - 1, "rx": min(2.0, (lane_height - 1) / 3)}
        drawing.body.append(build_element("rect", **place, fill="currentColor") + "</g>")
    drawing.body.append("</svg>")


def draw_curve(path: str, opacity: float, thickness: float) -> str:
    """Draw a curve of a kernel in the colour of its group, faintly filled."""
    line = {"stroke": "currentColor", "stroke_width": thickness}
    return build_element("path", d=path, fill="currentColor", fill_opacity=opacity, **line)


def describe_kernel(kernel: Kernel) -> str:
    """Describe a kernel in words."""
    kind = f"merged of {kernel.members}" if kernel.members > 1 else "kernel"
    return (
        f"{kind}: centre {kernel.centre:.1f} s, sigma {kernel.sigma:.1f} s, "
        f"box {kernel.start:.1f}-{kernel.end:.1f} s, best score {kernel.score:.2f}"
    )


def gaussian_path(x: float, base: float, sigma: float, height: float) -> str:
    """Return the path of a Gaussian over a base line, in pixels: three sigmas to both sides, true to 1 % in height.

    Cubic Hermite pieces of one sigma, with the curve's own slopes at their ends.
    """
    knots = [(u, math.exp(-(u**2) / 2), -u * math.exp(-(u**2) / 2)) for u in range(-3, 4)]
    path = f"M{x - 3 * sigma:.2f} {base - height * knots[0][1]:.2f}"
    for (left, low, rise), (right, high, fall) in pairwise(knots):
        controls = ((left + 1 / 3, low + rise / 3), (right - 1 / 3, high - fall / 3), (right, high))
        path += "C" + " ".join(f"{x + sigma * u:.2f} {base - height * v:.2f}" for u, v in controls)
    return path


def _write_description(drawing: RowDrawing, layer: KernelLayer) -> None:
    """Write the legend of the kernels, in lines as wide as the picture."""
    letters = int((drawing.right - MARGIN) / (0.52 * TEXT))
    sentences = [layer.title[0].upper() + layer.title[1:] + ".", layer.description]
    for i, line in enumerate(line for sentence in sentences for line in textwrap.wrap(sentence, letters)):
        drawing.top += _LINE
        place = {"x": MARGIN, "y": drawing.top + 6, "font_size": TEXT}
        drawing.body.append(build_element("text", line, class_=f"untrimmed-{'soft' if i else 'text'}", **place))
    drawing.top += 6
