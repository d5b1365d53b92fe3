"""Writes pages of sections with text, charts and tables, that load nothing and run nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from untrimmed.io import write_text
from untrimmed.visualization.templates import csp_hash, read_asset, render


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; numbers are written with four digits, text as it is.

    Raises ValueError for a row that is longer or shorter than the header.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | float]]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"row {list(row)} has {len(row)} cells, but the header has {len(self.header)}")

    @property
    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Whether a column holds numbers only, for each column."""
        columns = zip(*self.cells, strict=True) if self.rows else [("",)] * len(self.header)
        return [all(map(_is_number, column)) for column in columns]


class Hint(NamedTuple):
    """Text that is shown where the mouse rests on a path, or on the area within it, in pixels of a chart."""

    path: str
    text: str
    is_area: bool


class Chart(NamedTuple):
    """A chart of `width` by `height` pixels as two SVG files, for light pages and for dark ones.

    A page embeds them as images, in which no script runs and nothing is loaded. `alt` is for a screen reader.
    """

    alt: str
    width: int
    height: int
    light: str
    dark: str
    hints: Sequence[Hint] = ()


class Figure(NamedTuple):
    """A chart under its caption, with a note below."""

    caption: str
    chart: Chart
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A title, paragraphs parted by empty lines, charts, then tables."""

    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of the text."""
        return [paragraph for paragraph in re.split(r"\n\s*\n", self.text) if paragraph.strip()]


def write_page(path: str | Path, title: str, sections: Sequence[Section], notes: Sequence[str] = ()) -> None:
    """Write one HTML file that needs nothing else; with more than three sections it begins with their list.

    Raises BadInput when `path` cannot be written.
    """
    style = read_asset("report.css")
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src {csp_hash(style)}"
    page = render("page.html", title=title, sections=sections, notes=notes, style=style, policy=policy)
    write_text(Path(path), page)


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().removesuffix("%"))
    except ValueError:
        return False
    return True
