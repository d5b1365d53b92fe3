"""Colours of labels and of the text on them."""

import re
from collections.abc import Iterable

# Okabe and Ito, "Color Universal Design" (2008), without black: told apart with every common colour blindness.
_HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")


def palette(labels: Iterable[str]) -> dict[str, str]:
    """A colour `#rrggbb` for every label, the same for the same set of labels in any order.

    The first seven are safe for colour-blind readers; then come the same hues darker, then lighter, then again.
    """
    darker = [blend("#000000", hue, 0.42) for hue in _HUES]
    lighter = [blend("#ffffff", hue, 0.5) for hue in _HUES]
    shades = [*_HUES, *darker, *lighter]
    return {label: shades[i % len(shades)] for i, label in enumerate(sorted(set(labels)))}


def parse_colour(colour: str) -> tuple[int, ...]:
    """Parse `#rrggbb` into red, green and blue in 0 to 255. Raises ValueError for another form."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"colour {colour!r} is not of the form #rrggbb")
    return tuple(bytes.fromhex(colour[1:]))


def blend(over: str, under: str, opacity: float) -> str:
    """Compute the colour that one colour of some opacity makes over another."""
    pairs = zip(parse_colour(over), parse_colour(under), strict=True)
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def choose_text_colour(background: str) -> str:
    """Choose `black` or `white`, whichever is read better on the colour: never under 4.5 to 1."""
    shares = [channel / 255 for channel in parse_colour(background)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    # Relative luminance of WCAG 2.2; at 0.179 black and white are equally far.
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"
