"""A sheet of pixels to draw a chart on with matplotlib, once for light pages and once for dark ones."""

import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Affine2D

from untrimmed.visualization.page import Chart, Hint
from untrimmed.visualization.text import fit_text, replace_unprintable, text_width

# The first four are Okabe and Ito's ("Color Universal Design", 2008) that stand out from white and from near black;
# the others were searched for: 3 to 1 against both, and apart from all others with every common colour blindness.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7b3ff2", "#d00f48", "#e838d2", "#a04682")

# All lengths are in pixels.
TEXT = 13
"""The size of letters, as in `chart.mplstyle`."""
DASHED = (0, (4, 3))
_LEGEND_LINE, _SWATCH = 22, 26
# The letters are the browser's; quoted in `font`, `system-ui` would be a font of that name.
_FONT_STYLE = (
    "text {font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif !important}"
)


class Theme(NamedTuple):
    """Colours of a page: of words and lines, of softer words, and of the card below the chart."""

    ink: str
    soft: str
    card: str


_THEMES = (Theme("#1b1f24", "#59636e", "#ffffff"), Theme("#e8eaee", "#9aa4b1", "#15181e"))


class Axis(NamedTuple):
    """What an axis counts, and from where to where; None leaves an end to the numbers."""

    name: str
    low: float | None = None
    high: float | None = None


class LegendKey(NamedTuple):
    """One entry of a legend: a line when `line` says how it is dashed (in matplotlib's words), else a square.

    Without a colour it is drawn in the theme's ink.
    """

    name: str
    colour: str = ""
    line: Any = None
    alpha: float = 1.0


class Sheet:
    """A figure of `width` by `height` pixels, measured from its upper left corner, in the colours of a theme.

    What is given as `hint` is shown where the mouse rests on what was drawn.
    """

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.width, self.height, self.theme = width, height, theme
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._figure.patch.set_visible(False)
        self._pixels = Affine2D().scale(1, -1).translate(0, height)
        self._hints: list[tuple[Patch | Line2D, str]] = []

    def add_axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes with grid lines whose inside has this upper left corner and this size."""
        low = self.height - y - height
        box = (x / self.width, low / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(box)
        axes.patch.set_visible(False)
        for spine in axes.spines.values():
            spine.set_alpha(0.45)
        return axes

    def label_axes(self, axes: Axes, x: Axis, y: Axis, most: tuple[int, int] = (5, 5)) -> None:
        """Set limits, at most so many steps between round ticks along x and y, and names: of y above, of x below."""
        axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high))
        sides = ((axes.xaxis, axes.get_xlim(), most[0]), (axes.yaxis, axes.get_ylim(), most[1]))
        for axis, limits, count in sides:
            axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
            if max(limits) >= 10_000:
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value else "0"))
        corners = axes.get_position()
        bottom, middle = (1 - corners.y0) * self.height, (corners.x0 + corners.x1) / 2 * self.width
        self.write(4, (1 - corners.y1) * self.height - 14, y.name, color=self.theme.soft)
        self.write(middle, bottom + 40, x.name, color=self.theme.soft, ha="center")

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write text whose base line begins at a place, unless `style` (in matplotlib's words) says otherwise."""
        self._figure.text(x, y, replace_unprintable(text), **{"transform": self._pixels, **style})

    def draw_bar(self, axes: Axes, bar: Rectangle, colour: str, hint: str, alpha: float = 1.0) -> None:
        """Draw a rectangle with a thin edge in the colour of the page, which parts it from its neighbours."""
        bar.set(facecolor=colour, alpha=alpha, edgecolor=self.theme.card, linewidth=0.6)
        self._hint(axes.add_patch(bar), hint)

    def draw_line(self, axes: Axes, x: Any, y: Any, hint: str, **style: Any) -> None:
        """Draw a line through points, as matplotlib's `plot` does."""
        self._hint(axes.plot(x, y, **style)[0], hint)

    def draw_mark(self, axes: Axes, x: float, y: float, colour: str, hint: str) -> None:
        """Draw a point, whole on the edge of the axes too."""
        edge: dict[str, Any] = {"markeredgecolor": self.theme.card, "clip_on": False, "zorder": 3}
        self.draw_line(axes, [x], [y], hint, color=colour, marker="o", markersize=8, **edge)

    def draw_overall(self, axes: Axes, value: float, *, upright: bool) -> None:
        """Draw a dashed line across the axes at a value."""
        style: dict[str, Any] = {"color": self.theme.ink, "alpha": 0.8, "linestyle": DASHED, "linewidth": 1.4}
        line = axes.axvline(value, **style) if upright else axes.axhline(value, **style)
        self._hint(line, f"overall {format_digits(value)}")

    def draw_legend(self, rows: Sequence[Sequence[LegendKey]], indent: float, top: float) -> None:
        """Draw rows of entries, as `_arrange_legend` lays them."""
        for i, row in enumerate(rows):
            x, y = indent, top + i * _LEGEND_LINE + 11
            for key in row:
                colour, style = key.colour or self.theme.ink, {"alpha": key.alpha, "transform": self._pixels}
                if key.line is None:
                    swatch = Rectangle((x + 3, y - 6), 12, 12, facecolor=colour, linewidth=0, **style)
                else:
                    swatch = Line2D([x, x + 18], [y, y], color=colour, linestyle=key.line, linewidth=2, **style)
                self._figure.add_artist(swatch)
                self.write(x + _SWATCH, y + 4.5, _legend_text(key))
                x += _legend_width(key)

    def write_svg(self) -> str:
        """Write the sheet as an SVG file; the same figure gives the same text."""
        stream = StringIO()
        with warnings.catch_warnings():
            # matplotlib measures with its own font, but the letters are the browser's, which has them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            about = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            FigureCanvasSVG(self._figure).print_svg(stream, metadata=about)
        # The first style of the file is matplotlib's own, before any text.
        return stream.getvalue().replace("</style>", f"{_FONT_STYLE}</style>", 1)

    def trace_hints(self) -> list[Hint]:
        """Trace the outlines of what has a hint, in pixels."""
        hints = []
        for artist, text in self._hints:
            (outline,) = artist.get_path().to_polygons(artist.get_transform(), closed_only=False)
            points = [f"{x:.1f} {self.height - y:.1f}" for x, y in np.asarray(outline)]
            # A point on its own is only drawn where its path is closed.
            is_area = isinstance(artist, Rectangle)
            hints.append(Hint(f"M{'L'.join(points)}{'Z' if is_area or len(points) == 1 else ''}", text, is_area))
        return hints

    def _hint(self, artist: Patch | Line2D, text: str) -> None:
        artist.set_gid(f"hint-{len(self._hints)}")
        self._hints.append((artist, text))


def draw_chart(
    width: float,
    height: float,
    alt: str,
    draw: Callable[[Sheet], None],
    legend: Sequence[LegendKey] = (),
    indent: float = 4,
) -> Chart:
    """Draw a chart on a sheet for light pages and on one for dark pages, with a legend below it.

    matplotlib's settings are the same on every machine meanwhile, and as they were afterwards.
    """
    rows = _arrange_legend(legend, width - indent)
    sheets = [Sheet(round(width), round(height + len(rows) * _LEGEND_LINE), theme) for theme in _THEMES]
    svgs = []
    for sheet in sheets:
        ink, soft = sheet.theme.ink, sheet.theme.soft
        colours = {"text.color": ink, "axes.edgecolor": ink, "grid.color": ink}
        colours |= {"xtick.color": soft, "ytick.color": soft}
        with matplotlib.style.context(["default", "untrimmed.visualization.chart", colours]):
            draw(sheet)
            sheet.draw_legend(rows, indent, height)
            svgs.append(sheet.write_svg())
    return Chart(alt, sheets[0].width, sheets[0].height, svgs[0], svgs[1], sheets[0].trace_hints())


def _arrange_legend(keys: Sequence[LegendKey], width: float) -> list[list[LegendKey]]:
    """Arrange the entries of a legend in rows that are no wider than `width`."""
    rows: list[list[LegendKey]] = []
    used = width
    for key in keys:
        if not rows or used + _legend_width(key) > width:
            rows.append([])
            used = 0.0
        rows[-1].append(key)
        used += _legend_width(key)
    return rows


def format_digits(value: float) -> str:
    """Format a small number with three digits, a large one with all those before its point."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _legend_text(key: LegendKey) -> str:
    return fit_text(key.name, TEXT, 240)


def _legend_width(key: LegendKey) -> float:
    return _SWATCH + text_width(_legend_text(key), TEXT) + 14
