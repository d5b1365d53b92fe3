"""One HTML file of sections with text, pictures and tables, that loads nothing and runs nothing."""

import base64
import hashlib
import html
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from untrimmed.io import write_text
from untrimmed.visualization.timelines import printable

# A picture wider than this is not shrunk to the width of a phone, but scrolls.
_WIDE = 600  # pixels
_FEW_SECTIONS = 3
_SVG = "{http://www.w3.org/2000/svg}"
_DRAWN = ("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "image", "use")
_AROUND = ("svg", "g", "defs", "clipPath", "style", "title", "linearGradient", "stop")
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header class="masthead">
<h1>{title}</h1>
{notes}
</header>
{contents}<main>"""


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


@dataclass(frozen=True)
class Figure:
    """An SVG picture under its caption, with a note below; `svg` is as the functions of this folder make it.

    Raises ValueError for what is no SVG, and for one that holds a script, a link or what a page forbids.
    """

    caption: str
    svg: str
    note: str = ""

    def __post_init__(self) -> None:
        # Comments and kin are read otherwise in HTML than in XML.
        if "<!" in self.svg or "<?" in self.svg:
            raise ValueError(f"figure {self.caption!r}: has a comment, a declaration or CDATA; leave it out")
        try:
            root = ElementTree.fromstring(self.svg)
        except ElementTree.ParseError as error:
            raise ValueError(f"figure {self.caption!r}: is not XML ({error})") from None
        if root.tag != _SVG + "svg":
            raise ValueError(f"figure {self.caption!r}: begins with {root.tag!r}, not with an svg element")
        for element in root.iter():
            _refuse_active(self.caption, element)

    @property
    def is_wide(self) -> bool:
        """Whether the picture would be too small to read on a phone."""
        return float(ElementTree.fromstring(self.svg).get("width", "0")) > _WIDE

    @property
    def styles(self) -> list[str]:
        """The text of each style element in the picture."""
        return [element.text or "" for element in ElementTree.fromstring(self.svg).iter(_SVG + "style")]


@dataclass(frozen=True)
class Section:
    """A title, paragraphs parted by empty lines, pictures, then tables."""

    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


def write_page(path: Path, title: str, sections: Sequence[Section], notes: Sequence[str] = ()) -> None:
    """Write one HTML file that needs nothing else; with more than three sections it begins with their list.

    Raises BadInput when `path` cannot be written.
    """
    style = part("report.css")
    figures = [figure for section in sections for figure in section.figures]
    styles = dict.fromkeys([style, *(each for figure in figures for each in figure.styles)])
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {' '.join(map(digest, styles))}"
    )
    pictures = iter(_distinct([figure.svg for figure in figures]))
    body = [
        _section(i, section, [next(pictures) for _ in section.figures]) for i, section in enumerate(sections, start=1)
    ]
    head = _HEAD.format(
        policy=policy, title=escaped(title), style=style, notes=write_notes(notes), contents=_contents(sections)
    )
    write_text(Path(path), "\n".join([head, *body, "</main>\n</body>\n</html>\n"]))


def write_notes(notes: Sequence[str]) -> str:
    """A paragraph for each note."""
    return "\n".join(f'<p class="note">{escaped(note)}</p>' for note in notes)


def write_tables(tables: Sequence[Table]) -> str:
    """All tables as one section of a page, or nothing."""
    if not tables:
        return ""
    # A report has one group of tables, a landmark of its own.
    return '<section class="tables" aria-label="Results">\n' + "\n".join(map(_table, tables)) + "\n</section>"


def _refuse_active(caption: str, element: ElementTree.Element) -> None:
    name = element.tag.removeprefix(_SVG)
    if name not in (*_DRAWN, *_AROUND):
        raise ValueError(f"figure {caption!r}: has a {name!r} element; only what is drawn can stand in a page")
    for key, value in element.attrib.items():
        key = key.rpartition("}")[2]
        leads_out = key == "href" and not value.startswith(("#", "data:image/"))
        if key == "style" or key.startswith("on") or leads_out or re.search(r"url\((?!#)", value):
            raise ValueError(
                f"figure {caption!r}: has {key}={value[:40]!r}; use attributes that load and run nothing"
            )


def _distinct(pictures: Sequence[str]) -> list[str]:
    """The same picture a second time names its parts anew: names in a page are unique."""
    seen: Counter[str] = Counter()
    made = []
    for picture in pictures:
        again = seen[picture]
        made.append(re.sub(r"(?<=[\"#])c[0-9a-f]{12}-", rf"\g<0>{again}-", picture) if again else picture)
        seen[picture] += 1
    return made


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) <= _FEW_SECTIONS:
        return ""
    rows = (f'<li><a href="#section-{i}">{escaped(each.title)}</a></li>' for i, each in enumerate(sections, start=1))
    return '<nav class="contents" aria-label="Contents">\n<ol>\n' + "\n".join(rows) + "\n</ol>\n</nav>\n"


def _section(i: int, section: Section, pictures: Sequence[str]) -> str:
    paragraphs = (f"<p>{escaped(each)}</p>" for each in re.split(r"\n\s*\n", section.text) if each.strip())
    figures = "\n".join(map(_figure, section.figures, pictures))
    tables = "\n".join(map(_table, section.tables))
    return "\n".join(
        [
            f'<section class="part" id="section-{i}" aria-labelledby="title-{i}">',
            f'<h2 id="title-{i}">{escaped(section.title)}</h2>',
            *paragraphs,
            f'<div class="charts">\n{figures}\n</div>' if figures else "",
            f'<div class="tables">\n{tables}\n</div>' if tables else "",
            "</section>",
        ]
    )


def _figure(figure: Figure, picture: str) -> str:
    caption = escaped(figure.caption)
    # A wide picture scrolls on a phone, and what scrolls must be within reach of the keyboard.
    room = f'role="region" tabindex="0" aria-label="{caption}"' if figure.is_wide else ""
    note = f'<p class="quiet">{escaped(figure.note)}</p>\n' if figure.note else ""
    return (
        f'<figure class="chart{" wide" if figure.is_wide else ""}">\n<figcaption>{caption}</figcaption>\n'
        f'<div class="room" {room}>{picture}</div>\n{note}</figure>'
    )


def _table(table: Table) -> str:
    numeric = [all(_is_number(row[i]) for row in table.rows) and bool(table.rows) for i in range(len(table.header))]
    head = "".join(_cell("th", name, number, "col") for name, number in zip(table.header, numeric, strict=True))
    body = "\n".join(f"<tr>{_body_row(row, numeric)}</tr>" for row in table.rows)
    # A wide table scrolls, and what scrolls must be within reach of the keyboard.
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escaped(table.caption)}">\n<table>\n'
        f"<caption>{escaped(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _body_row(row: Sequence[str | float], numeric: Sequence[bool]) -> str:
    cells = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
    first, *rest = (_cell("td", cell, number) for cell, number in zip(cells, numeric, strict=True))
    if not numeric[0]:
        first = _cell("th", cells[0], False, "row")
    return "".join([first, *rest])


def _cell(tag: str, text: str, number: bool, scope: str = "") -> str:
    attributes = (f' scope="{scope}"' if scope else "") + (' class="number"' if number else "")
    return f"<{tag}{attributes}>{escaped(text)}</{tag}>"


def _is_number(cell: str | float) -> bool:
    try:
        float(str(cell).strip().removesuffix("%"))
    except ValueError:
        return False
    return True


def escaped(text: str) -> str:
    """Text as it stands in HTML, in quotes too."""
    return html.escape(printable(text))


def digest(text: str) -> str:
    """What names a style or a script in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def part(name: str) -> str:
    """One of the files that pages are made of."""
    return files("untrimmed.visualization").joinpath(name).read_text(encoding="utf-8")
