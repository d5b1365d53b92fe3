"""Draws one step of Gaussian kernel grouping as SVG: two kernels, their boxes, and what they are merged into."""

from collections.abc import Iterator
from typing import NamedTuple

from untrimmed.visualization.kernels import Kernel, draw_curve, gaussian_path
from untrimmed.visualization.svg import build_element, build_svg, read_svg_style

_WIDTH, _MARGIN, _CURVE, _BOX, _TEXT = 720, 24, 96, 13, 13  # pixels


def grouping_svg(first: Kernel, second: Kernel, merged: Kernel | None, tiou: float) -> str:
    """Draw Fig. 3 of the GTAN paper from values: `merged` is what the grouping made of both, None if nothing.

    Places and widths are in any one unit. `tiou` is the overlap above which kernels merge. Raises ValueError where
    the boxes do not meet.
    """
    intersection = max(first.start, second.start), min(first.end, second.end)
    union = min(first.start, second.start), max(first.end, second.end)
    if intersection[0] >= intersection[1]:
        raise ValueError(f"boxes {first.start:g}-{first.end:g} and {second.start:g}-{second.end:g} do not meet")
    overlap = (intersection[1] - intersection[0]) / (union[1] - union[0])
    decision = "above" if overlap > tiou else "not above"
    verdict = f"H / L = {overlap:.2f}, {decision} {tiou:g}: {'merged into one' if merged else 'both stay alone'}"
    kernels = [first, second, *([merged] if merged else [])]
    low, high = min(k.centre - 3 * k.sigma for k in kernels), max(k.centre + 3 * k.sigma for k in kernels)
    scale = _Scale(low, high, max(kernel.end for kernel in kernels))
    body = [
        *_draw_pair(scale, first, second),
        _draw_measure(scale, "H, what both cover", intersection, 222),
        _draw_measure(scale, "L, what either covers", union, 246),
        _draw_text(_WIDTH / 2, 282, verdict, "middle", weight=600),
    ]
    if merged:
        body.append(_draw_kernel(scale, "merged", merged, 304 + _CURVE, 314 + _CURVE))
        words = f"merged: sigma = L / 2 = {merged.sigma:.3g}, centre {merged.centre:.3g} halfway between both"
        body.append(_draw_text(_WIDTH / 2, 354 + _CURVE, words, "middle"))
    about = [build_element("title", "Gaussian kernel grouping"), build_element("desc", verdict)]
    style = read_svg_style("kernels") + read_svg_style("grouping")
    return build_svg(_WIDTH, 476 if merged else 306, verdict, body, about=about, style=style)


class _Scale(NamedTuple):
    """The places that lie at the margins, and that where the last box ends."""

    low: float
    high: float
    last: float

    @property
    def beside(self) -> float:
        """Where the words beside the boxes begin, in pixels."""
        return self.x(self.last) + 14

    def x(self, place: float) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * (place - self.low) / (self.high - self.low)


def _draw_pair(scale: _Scale, first: Kernel, second: Kernel) -> Iterator[str]:
    base = 56 + _CURVE
    for i, (kind, kernel) in enumerate((("own", first), ("second", second)), start=1):
        yield _draw_kernel(scale, kind, kernel, base, base - 8 + 18 * i)
        yield _draw_text(scale.beside, base + 3 + 18 * i, f"box of kernel {i}, 2 sigma = {2 * kernel.sigma:.3g}")
    ranked = sorted(((first, 1), (second, 2)))
    for (kernel, i), (anchor, shift) in zip(ranked, (("end", -8), ("start", 8)), strict=True):
        words = f"kernel {i}, sigma = {kernel.sigma:.3g}"
        yield _draw_text(scale.x(kernel.centre) + shift, 44, words, anchor)


def _draw_measure(scale: _Scale, words: str, span: tuple[float, float], y: int) -> str:
    start, end = map(scale.x, span)
    return (
        f'<path class="untrimmed-drop" d="M{start:.1f} 156V{y}M{end:.1f} 156V{y}"/>\n'
        f'<path class="untrimmed-measure" d="M{start:.1f} {y - 5}v10m0 -5H{end:.1f}m0 -5v10"/>\n'
        + _draw_text(scale.beside, y + 4, f"{words} = {span[1] - span[0]:.3g}")
    )


def _draw_kernel(scale: _Scale, kind: str, kernel: Kernel, base: float, top: float) -> str:
    x, start, end = scale.x(kernel.centre), scale.x(kernel.start), scale.x(kernel.end)
    curve = draw_curve(gaussian_path(x, base, end - x, _CURVE), 0.1, 1.8)
    box = {"x": start, "y": top, "width": end - start, "height": _BOX, "rx": 3}
    return f'<g class="untrimmed-{kind}">{curve}{build_element("rect", **box, fill="currentColor")}</g>'


def _draw_text(x: float, y: float, words: str, anchor: str = "start", weight: int = 400) -> str:
    font = {"font_size": _TEXT, "font_weight": weight, "text_anchor": anchor}
    return build_element("text", words, class_="untrimmed-text", x=x, y=y, **font)
