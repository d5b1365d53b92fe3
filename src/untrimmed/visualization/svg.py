"""Builds SVG pictures of the package's look, for pages light and dark."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from untrimmed.visualization.templates import read_asset

# The track that bars lie on, by day and by night, as in svg.css.
TRACKS = ("#f3f4f6", "#1f242c")


def read_svg_style(name: str) -> str:
    """Read the style of a kind of picture, such as `kernels`, as it stands in an SVG."""
    return "\n" + read_asset(f"{name}.css")


def build_element(name: str, text: str | None = None, /, **attributes: str | float) -> str:
    """Build an element without children; the attribute `fill_opacity` is `fill-opacity`, and `class_` is `class`."""
    values = {key: f"{value:.2f}" if isinstance(value, float) else str(value) for key, value in attributes.items()}
    pairs = "".join(f" {key.rstrip('_').replace('_', '-')}={quoteattr(value)}" for key, value in values.items())
    return f"<{name}{pairs}/>" if text is None else f"<{name}{pairs}>{escape(text)}</{name}>"


def build_svg(
    width: int, height: float, summary: str, body: Iterable[str], *, about: Iterable[str] = (), style: str = ""
) -> str:
    """Build one standalone SVG on a card; `summary` is for a screen reader.

    `about` are elements that nothing is drawn of, such as a title, and `style` comes before that of all pictures.
    """
    card = {"x": "0.5", "y": "0.5", "width": width - 1, "height": f"{height - 1:g}", "rx": 10, "stroke_width": 1}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" '
            f'height="{height:g}" role="img" aria-label={quoteattr("Timeline. " + summary)} '
            "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif\">",
            *about,
            *([f"<style>{style}</style>"] if style else []),
            f"<style>{read_svg_style('svg')}</style>",
            build_element("rect", class_="untrimmed-card", **card),
            *body,
            "</svg>\n",
        ]
    )
