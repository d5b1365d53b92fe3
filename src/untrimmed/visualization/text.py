"""Text in pictures and pages: what XML can hold, how wide it is, and what of it fits."""

import re
from collections.abc import Sequence
from unicodedata import east_asian_width


def replace_unprintable(text: str) -> str:
    """Replace what XML and UTF-8 cannot hold: control characters and halves of surrogate pairs."""
    text = re.sub(r"[\t\n\r]", " ", text)
    return re.sub("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text in pixels; no font can be measured here, so a little more than most need."""
    return size * sum(1.05 if east_asian_width(letter) in "WF" else 0.6 for letter in text)


def fit_text(text: str, size: float, width: float) -> str:
    """Cut a text to a width in pixels: all of it, its beginning and an ellipsis, or nothing under three letters.

    What cannot be printed is replaced.
    """
    text = replace_unprintable(text)
    if text_width(text, size) <= width:
        return text
    length = min(len(text), int(width / (0.6 * size)) + 1)
    while length and text_width(text[:length], size) + size > width:
        length -= 1
    return text[:length].rstrip() + "…" if length >= 3 else ""


def summarize_names(names: Sequence[str]) -> str:
    """Join the first of some names, and say how many more there are; a screen reader shall not read two hundred."""
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:6])} and {len(names) - 6} more"
