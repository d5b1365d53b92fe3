"""A sheet for the pictures of the documentation: bars, lines and words, for light and dark pages."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from untrimmed.io import write_text
from untrimmed.visualization.colours import choose_text_colour, palette
from untrimmed.visualization.svg import build_svg

WIDTH, LEFT, RIGHT = 680, 24, 656  # pixels
BLUE, ORANGE, GREEN, PINK, SKY = palette("abcde").values()
_STYLE = """
.doc-line { stroke: #59636e; fill: none } .doc-ghost { fill: #59636e; fill-opacity: .16 }
.doc-frame { stroke: #59636e; fill: none; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
.doc-line { stroke: #9aa4b1 } .doc-ghost { fill: #9aa4b1; fill-opacity: .2 } .doc-frame { stroke: #9aa4b1 }
}
"""


class Sheet:
    """One picture; x is in pixels, or in the unit of `scale` once that is set."""

    def __init__(self, title: str) -> None:
        self.title, self._body, self._low, self._unit, self._left = title, [], 0.0, 1.0, 0.0

    def scale(self, low: float, high: float, left: float = LEFT, right: float = RIGHT) -> None:
        """Set the scale: from here on `low` to `high` lies between two pixels."""
        self._low, self._unit, self._left = low, (right - left) / (high - low), left

    def x(self, place: float) -> float:
        return self._left + (place - self._low) * self._unit

    def text(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str = "start",
        soft: bool = False,
        size: int = 13,
        bold: bool = False,
    ) -> None:
        """Write words at a pixel."""
        kind, weight = "untrimmed-soft" if soft else "untrimmed-text", 600 if bold else 400
        self._body.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>'
        )

    def bar(
        self, span: Sequence[float], y: float, height: float, colour: str = "", words: str = "", opacity: float = 1
    ) -> None:
        """Draw a bar over a span of the scale, a faint one without a colour."""
        start, end = self.x(span[0]), self.x(span[1])
        fill = f'fill="{colour}" fill-opacity="{opacity:.2f}"' if colour else 'class="doc-ghost"'
        box = f'x="{start:.2f}" y="{y:.1f}" width="{max(end - start, 0.6):.2f}" height="{height:.1f}"'
        self._body.append(f'<rect {box} rx="{min(3, height / 4, (end - start) / 3):.2f}" {fill}/>')
        if words and colour and opacity == 1:
            self._body.append(
                f'<text x="{(start + end) / 2:.1f}" y="{y + height / 2 + 4:.1f}" font-size="12" '
                f'text-anchor="middle" fill="{choose_text_colour(colour)}">{escape(words)}</text>'
            )
        elif words:
            self.text((start + end) / 2, y + height / 2 + 4, words, "middle", size=12)

    def line(
        self, points: Sequence[tuple[float, float]], colour: str = "", dashed: bool = False, width: float = 1.2
    ) -> None:
        """Draw straight lines from pixel to pixel."""
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        paint = f'stroke="{colour}" fill="none"' if colour else f'class="{"doc-frame" if dashed else "doc-line"}"'
        self._body.append(f'<path d="{path}" {paint} stroke-width="{width}"/>')

    def ruler(self, y: float, places: Sequence[float], words: Sequence[str], name: str) -> None:
        """Draw a line with ticks below it, at places of the scale."""
        self.line([(self.x(places[0]), y), (self.x(places[-1]), y)])
        for place, word in zip(places, words, strict=True):
            self.line([(self.x(place), y), (self.x(place), y + 5)])
            anchor = "start" if place == places[0] and len(word) > 5 else "middle"
            self.text(self.x(place), y + 18, word, anchor, soft=True, size=12)
        self.text(LEFT, y + 38, name, bold=True)

    def write(self, path: Path, height: float) -> None:
        """Write the picture to a file."""
        write_text(path, build_svg(WIDTH, height, self.title, self._body, style=_STYLE))
