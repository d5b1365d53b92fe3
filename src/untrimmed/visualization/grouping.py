"""One step of Gaussian kernel grouping as an SVG picture: two kernels, their boxes, and what they are merged into."""

from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from untrimmed.visualization.kernels import STYLE, Kernel, bell
from untrimmed.visualization.timelines import svg_frame

_WIDTH, MARGIN, _CURVE, _BOX, _TEXT = 720, 24, 96, 13, 13  # pixels
_STYLE = """
.untrimmed-second { color: #d55e00 }
.untrimmed-measure { fill: none; stroke: #1b1f24; stroke-width: 1.3 }
.untrimmed-drop { fill: none; stroke: #59636e; stroke-dasharray: 3 4 }
@media (prefers-color-scheme: dark) {
.untrimmed-second { color: #ff9d5c }
.untrimmed-measure { stroke: #e8eaee }
.untrimmed-drop { stroke: #9aa4b1 }
}
"""


def grouping_svg(first: Kernel, second: Kernel, merged: Kernel | None, tiou: float) -> str:
    """Fig. 3 of the GTAN paper, drawn from values: `merged` is what the grouping made of both, None if nothing.

    Places and widths are in any one unit. `tiou` is the overlap above which kernels merge. Raises ValueError where
    the boxes do not meet.
    """
    shared = _Span(max(first.start, second.start), min(first.end, second.end))
    either = _Span(min(first.start, second.start), max(first.end, second.end))
    if shared.length <= 0:
        raise ValueError(f"boxes {first.start:g}-{first.end:g} and {second.start:g}-{second.end:g} do not meet")
    overlap = shared.length / either.length
    decision = "above" if overlap > tiou else "not above"
    verdict = f"H / L = {overlap:.2f}, {decision} {tiou:g}: {'merged into one' if merged else 'both stay alone'}"
    plot = _plan([first, second, *([merged] if merged else [])])
    body = [*_both(plot, first, second), *_measures(plot, shared, either)]
    body.append(_text(_WIDTH / 2, 282, verdict, "middle", weight=600))
    body += _merged(plot, merged) if merged else []
    svg, *rest = svg_frame(_WIDTH, 476 if merged else 306, verdict)
    title = f"<title>Gaussian kernel grouping</title>\n<desc>{escape(verdict)}</desc>"
    return "\n".join([svg, title, f"<style>{STYLE}{_STYLE}</style>", *rest, *body, "</svg>", ""])


class _Span(NamedTuple):
    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


class Plot(NamedTuple):
    """What lies between the margins, and where the words beside the boxes begin, in pixels."""

    low: float
    high: float
    beside: float

    def x(self, place: float) -> float:
        return MARGIN + (_WIDTH - 2 * MARGIN) * (place - self.low) / (self.high - self.low)


def _plan(kernels: list[Kernel]) -> Plot:
    low = min(kernel.centre - 3 * kernel.sigma for kernel in kernels)
    high = max(kernel.centre + 3 * kernel.sigma for kernel in kernels)
    plot = Plot(low, high, 0)
    return plot._replace(beside=plot.x(max(kernel.end for kernel in kernels)) + 14)


def _both(plot: Plot, first: Kernel, second: Kernel) -> Iterator[str]:
    base = 56 + _CURVE
    for i, (kind, kernel) in enumerate((("own", first), ("second", second)), start=1):
        yield _kernel(plot, kind, kernel, base, base - 8 + 18 * i)
        yield _text(plot.beside, base + 3 + 18 * i, f"box of kernel {i}, 2 sigma = {2 * kernel.sigma:.3g}")
    ranked = sorted(((first, 1), (second, 2)))
    for (kernel, i), (anchor, shift) in zip(ranked, (("end", -8), ("start", 8)), strict=True):
        words = f"kernel {i}, sigma = {kernel.sigma:.3g}"
        yield _text(plot.x(kernel.centre) + shift, 44, words, anchor)


def _measures(plot: Plot, shared: _Span, either: _Span) -> Iterator[str]:
    for words, span, y in (("H, what both cover", shared, 222), ("L, what either covers", either, 246)):
        start, end = plot.x(span.start), plot.x(span.end)
        yield f'<path class="untrimmed-drop" d="M{start:.1f} 156V{y}M{end:.1f} 156V{y}"/>'
        yield f'<path class="untrimmed-measure" d="M{start:.1f} {y - 5}v10m0 -5H{end:.1f}m0 -5v10"/>'
        yield _text(plot.beside, y + 4, f"{words} = {span.length:.3g}")


def _merged(plot: Plot, merged: Kernel) -> Iterator[str]:
    base = 304 + _CURVE
    yield _kernel(plot, "merged", merged, base, base + 10)
    words = f"merged: sigma = L / 2 = {merged.sigma:.3g}, centre {merged.centre:.3g} halfway between both"
    yield _text(_WIDTH / 2, base + 50, words, "middle")


def _kernel(plot: Plot, kind: str, kernel: Kernel, base: float, top: float) -> str:
    x, start, end = plot.x(kernel.centre), plot.x(kernel.start), plot.x(kernel.end)
    return (
        f'<g class="untrimmed-{kind}"><path d="{bell(x, base, end - x, _CURVE)}" fill="currentColor" '
        f'fill-opacity=".1" stroke="currentColor" stroke-width="1.8"/><rect x="{start:.1f}" y="{top}" '
        f'width="{end - start:.1f}" height="{_BOX}" rx="3" fill="currentColor"/></g>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text class="untrimmed-text" x="{x:.1f}" y="{y}" font-size="{_TEXT}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )
