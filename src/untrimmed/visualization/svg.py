"""Builds SVG pictures of the package's look, for pages light and dark."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

# The track that bars lie on, by day and by night.
TRACKS = ("#f3f4f6", "#1f242c")

# Class names are prefixed because an SVG inside a page shares that page's style.
_STYLE = f"""
.untrimmed-card {{ fill: #ffffff; stroke: #dfe3e8 }}
.untrimmed-track {{ fill: {TRACKS[0]} }}
.untrimmed-text {{ fill: #1b1f24 }}
.untrimmed-soft {{ fill: #59636e }}
.untrimmed-line {{ stroke: #1b1f24; stroke-opacity: .1 }}
.untrimmed-edge {{ fill: none; stroke: #1b1f24; stroke-opacity: .32 }}
.untrimmed-end {{ stroke: #1b1f24; stroke-opacity: .6; stroke-dasharray: 3 3 }}
.untrimmed-day-black {{ fill: #000000 }}
.untrimmed-day-white {{ fill: #ffffff }}
@media (prefers-color-scheme: dark) {{
.untrimmed-card {{ fill: #15181e; stroke: #2b313b }}
.untrimmed-track {{ fill: {TRACKS[1]} }}
.untrimmed-text {{ fill: #e8eaee }}
.untrimmed-soft {{ fill: #9aa4b1 }}
.untrimmed-line {{ stroke: #ffffff }}
.untrimmed-edge {{ stroke: #ffffff; stroke-opacity: .28 }}
.untrimmed-end {{ stroke: #ffffff }}
.untrimmed-night-black {{ fill: #000000 }}
.untrimmed-night-white {{ fill: #ffffff }}
}}
"""


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
            f"<style>{_STYLE}</style>",
            build_element("rect", class_="untrimmed-card", **card),
            *body,
            "</svg>\n",
        ]
    )
