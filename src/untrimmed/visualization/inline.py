"""A matplotlib figure as SVG that stands inside a page: it takes the page's colours and clashes with no other."""

import hashlib
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from untrimmed.visualization.timelines import printable

# matplotlib knows no colours of a page; these stand for them until the picture is written.
INK, SOFT, GAP = "#010203", "#010204", "#010205"
_OF_THE_PAGE = {INK: "currentColor", SOFT: "var(--soft, currentColor)", GAP: "var(--card, none)"}

TEXT = 13
"""The size of letters, in pixels."""

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "untrimmed",
    "text.parse_math": False,  # a dollar in a class name is a dollar
    "font.size": TEXT,
    "axes.edgecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 7),
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 1,
    "lines.solid_capstyle": "round",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": TEXT - 1,
    "ytick.labelsize": TEXT - 1,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


@contextmanager
def settled() -> Iterator[None]:
    """The same settings on every machine while a picture is made; matplotlib's are as they were afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def inline(figure: Figure, name: str, tips: Mapping[str, str]) -> str:
    """The figure as one `svg` element without style, script or namespace; a point of the figure is a pixel.

    `name` is what a screen reader says of it, and `tips` what a mouse is told by the `gid` of an artist. The same
    figure gives the same text, and names within it are of use to no other picture.
    """
    stream = StringIO()
    with warnings.catch_warnings():
        # matplotlib measures with its own font, but the letters are the browser's, which has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.text = (element.text or "") if element.tag == "text" else ""
        element.tail = ""
        _plain(element)
    _explain(root, tips)
    _thin(root)
    width, height = (root.attrib[side].removesuffix("pt") for side in ("width", "height"))
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
        "aria-label": printable(name),
        "font-family": _FONTS,
        "stroke-linejoin": "round",
    }
    _rename(root)
    return ElementTree.tostring(root, encoding="unicode")


def _plain(element: ElementTree.Element) -> None:
    """Attributes instead of style, which the policy of a page forbids; short numbers; links without a namespace."""
    styles = element.attrib.pop("style", "")
    for part in filter(None, styles.split(";")):
        key, value = part.split(":")
        element.set(key.strip(), _OF_THE_PAGE.get(value.strip(), value.strip()))
    element.attrib.pop("font-family", None)  # the picture's own is set once, at its root
    for key, value in list(element.attrib.items()):
        if key.endswith("}href"):
            element.set("href", re.sub(r"\s", "", element.attrib.pop(key)))
        elif key in ("d", "x", "y", "width", "height", "transform"):
            element.set(key, _short(value, 4 if key == "transform" else 2))
    if element.get("transform", "").startswith("rotate(0 "):
        del element.attrib["transform"]


def _short(numbers: str, digits: int) -> str:
    """Hundredths of a pixel are enough for a place, not for the scale of an image."""
    numbers = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.{digits}f}".rstrip("0").rstrip("."), numbers)
    return re.sub(r"\s*([MLCQZz])\s*", r"\1", numbers.replace("-0 ", "0 ")).replace("\n", " ").strip()


def _explain(root: ElementTree.Element, tips: Mapping[str, str]) -> None:
    for element in root.iter():
        tip = tips.get(element.get("id", ""))
        if tip is not None:
            title = ElementTree.Element("title")
            title.text = printable(tip)
            element.insert(0, title)


def _thin(parent: ElementTree.Element) -> None:
    """Leave out what draws nothing: groups that say nothing, and what matplotlib tells about itself and its style."""
    kept: list[ElementTree.Element] = []
    for child in parent:
        _thin(child)
        if child.tag in ("metadata", "style") or (child.tag in ("g", "defs") and len(child) == 0):
            continue
        says_nothing = child.tag == "g" and not set(child.attrib) - {"id"} and child[0].tag != "title"
        kept += list(child) if says_nothing else [child]
    parent[:] = kept


def _rename(root: ElementTree.Element) -> None:
    """Only names that something refers to remain; they begin with a hash of the whole picture."""
    text = ElementTree.tostring(root, encoding="unicode")
    salt = "c" + hashlib.sha256(text.encode()).hexdigest()[:12]
    used = dict.fromkeys(
        match[1]
        for element in root.iter()
        for key, value in element.attrib.items()
        if key in ("href", "clip-path") and (match := re.search(r"#([\w-]+)", value))
    )
    names = {old: f"{salt}-{i}" for i, old in enumerate(used)}
    for element in root.iter():
        old = element.attrib.pop("id", "")
        if old in names:
            element.set("id", names[old])
        for key in ("href", "clip-path"):
            if match := re.fullmatch(r"(url\()?#([\w-]+)(\)?)", element.get(key, "")):
                element.set(key, f"{match[1] or ''}#{names[match[2]]}{match[3]}")
