"""A sheet of pixels to draw a chart on: axes, bars, points, words and a legend, each where it is put."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Affine2D

from untrimmed.visualization.inline import GAP, INK, SOFT, TEXT, inline
from untrimmed.visualization.timelines import fitted, printable, text_width

# The first four are Okabe and Ito's ("Color Universal Design", 2008) that stand out from white and from near black;
# the others were searched for: 3 to 1 against both, and apart from all others with every common colour blindness.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7b3ff2", "#d00f48", "#e838d2", "#a04682")

LEGEND_LINE = 22
"""The height of a row of a legend, in pixels."""
DASHED = (0, (4, 3))
_SWATCH = 26


class Axis(NamedTuple):
    """What an axis counts, and from where to where; None leaves an end to the numbers."""

    name: str
    low: float | None = None
    high: float | None = None


class Key(NamedTuple):
    """One entry of a legend: a line when `line` says how it is dashed (in matplotlib's words), else a square."""

    name: str
    colour: str
    line: Any = None
    alpha: float = 1.0


class Box(NamedTuple):
    """A rectangle in the units of its axes."""

    left: float
    bottom: float
    width: float
    height: float


class Sheet:
    """A figure of `width` by `height` pixels, measured from its upper left corner.

    Words that are given as `tip` are shown where a mouse rests on what was drawn.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._figure.patch.set_visible(False)
        self._pixels = Affine2D().scale(1, -1).translate(0, height)
        self._tips: dict[str, str] = {}

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes with grid lines whose inside has this corner and this size."""
        low = self.height - top - height
        box = (left / self.width, low / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(box)
        axes.patch.set_visible(False)
        for spine in axes.spines.values():
            spine.set_alpha(0.45)
        return axes

    def frame(self, axes: Axes, x: Axis, y: Axis, most: tuple[int, int] = (5, 5)) -> None:
        """Limits, at most so many steps between round ticks along x and y, and names: of y above, of x below."""
        axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high))
        sides = ((axes.xaxis, axes.get_xlim(), most[0]), (axes.yaxis, axes.get_ylim(), most[1]))
        for axis, limits, count in sides:
            axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
            if max(limits) >= 10_000:
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value else "0"))
        place = axes.get_position()
        bottom, middle = (1 - place.y0) * self.height, (place.x0 + place.x1) / 2 * self.width
        self.write(4, (1 - place.y1) * self.height - 14, y.name, color=SOFT)
        self.write(middle, bottom + 40, x.name, color=SOFT, ha="center")

    def write(self, x: float, y: float, text: str, **look: Any) -> None:
        """Text whose base line begins at a place, unless `look` (in matplotlib's words) says otherwise."""
        self._figure.text(x, y, printable(text), **{"color": INK, "transform": self._pixels, **look})

    def bar(self, axes: Axes, box: Box, colour: str, tip: str, alpha: float = 1.0) -> None:
        """A rectangle with a thin edge in the colour of the page, which parts it from its neighbours."""
        look: dict[str, Any] = {"facecolor": colour, "alpha": alpha, "edgecolor": GAP, "linewidth": 0.6}
        axes.add_patch(Rectangle((box.left, box.bottom), box.width, box.height, gid=self._gid(tip), **look))

    def line(self, axes: Axes, x: Any, y: Any, tip: str, **look: Any) -> None:
        """A line through points, as matplotlib's `plot` draws it."""
        axes.plot(x, y, gid=self._gid(tip), **look)

    def mark(self, axes: Axes, at: tuple[float, float], colour: str, tip: str) -> None:
        """A point, whole on the edge of the axes too."""
        look: dict[str, Any] = {"marker": "o", "markersize": 8, "markeredgecolor": GAP, "clip_on": False, "zorder": 3}
        self.line(axes, [at[0]], [at[1]], tip, color=colour, **look)

    def overall(self, axes: Axes, value: float, *, upright: bool) -> None:
        """A dashed line across the axes at a value."""
        draw = axes.axvline if upright else axes.axhline
        draw(value, color=INK, alpha=0.8, linestyle=DASHED, linewidth=1.4, gid=self._gid(f"overall {digits(value)}"))

    def legend(self, rows: Sequence[Sequence[Key]], left: float, top: float) -> None:
        """Rows of entries, as `legend_rows` lays them."""
        for i, row in enumerate(rows):
            x, y = left, top + i * LEGEND_LINE + 11
            for key in row:
                self._swatch(key, x, y)
                shown = _legend_text(key)
                self.write(x + _SWATCH, y + 4.5, shown)
                x += _legend_room(shown)

    def svg(self, name: str) -> str:
        """The picture; `name` is what a screen reader says of it."""
        return inline(self._figure, name, self._tips)

    def _swatch(self, key: Key, x: float, y: float) -> None:
        look: dict[str, Any] = {"alpha": key.alpha, "transform": self._pixels}
        if key.line is not None:
            line = Line2D([x, x + 18], [y, y], color=key.colour, linestyle=key.line, linewidth=2, **look)
            self._figure.add_artist(line)
            return
        self._figure.add_artist(Rectangle((x + 3, y - 6), 12, 12, facecolor=key.colour, linewidth=0, **look))

    def _gid(self, tip: str) -> str:
        gid = f"tip-{len(self._tips)}"
        self._tips[gid] = tip
        return gid


def legend_rows(keys: Sequence[Key], room: float) -> list[list[Key]]:
    """Entries of a legend in rows that are no wider than `room`."""
    rows: list[list[Key]] = []
    left = room
    for key in keys:
        needed = _legend_room(_legend_text(key))
        if not rows or left + needed > room:
            rows.append([])
            left = 0.0
        rows[-1].append(key)
        left += needed
    return rows


def digits(value: float) -> str:
    """Three digits of a small number, all those before the point of a large one."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _legend_text(key: Key) -> str:
    return fitted(printable(key.name), TEXT, 240)


def _legend_room(shown: str) -> float:
    return _SWATCH + text_width(shown, TEXT) + 14
