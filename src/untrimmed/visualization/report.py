"""One HTML file that shows what was found where: tables, and each video with its timelines, with no network."""

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from untrimmed.io import Config, missing, whole
from untrimmed.visualization.page import Table, digest, escaped, part, write_notes, write_tables
from untrimmed.visualization.panels import NO_BROWSER, Panel, Source, contents, kind_of
from untrimmed.visualization.stills import stills

__all__ = ["Embedding", "Panel", "Served", "Table", "served_page", "write_report"]

_SCRIPTS = ("agreement.js", "picture.js", "player.js", "kernels.js", "curve.js", "panel.js", "page.js")
# What the page of a review has besides: the last of its parts is the first to do anything.
_REVIEW_SCRIPTS = (*_SCRIPTS[:-1], "edits.js", "editor.js", "page.js")
_START = "keys.js"
_LEGEND = {
    "matched": "✓ matched, found",
    "partly": "◐ found by some of the detectors",
    "false": "✗ false: no true action of its class that it overlaps enough",
    "missed": "○ missed",
}
_REVIEW_LEGEND = {
    "accepted": "✓ annotation",
    "open": "? suggested",
    "covered": "= suggested, and annotated already",
    "rejected": "✗ rejected; an added detector's: not annotated",
}
_VIDEOS_GO_HERE = "<!-- videos -->\n"
_CHUNK = 3 * 2**18  # bytes; a multiple of 3, so that the base64 of chunks joins without padding


@dataclass(frozen=True, kw_only=True)
class Embedding(Config):
    """Which videos are put into the report itself; the others are linked by their relative path."""

    each: int = 25_000_000
    """The largest video, in bytes."""
    total: int = 150_000_000
    """All videos together, in bytes."""
    stills: int = 1_500_000
    """All small pictures of actions together, in bytes; none with 0."""


class Served(NamedTuple):
    """A page to be sent by a server, and the Content-Security-Policy to send with it."""

    html: str
    policy: str


def write_report(
    path: Path,
    title: str,
    panels: Sequence[Panel],
    tables: Sequence[Table],
    notes: Sequence[str] = (),
    embedding: Embedding = Embedding(),
) -> None:
    """Write one HTML file that needs nothing else: it loads nothing but the videos that are linked.

    A video is embedded when browsers play its kind and `embedding` has room for it. Raises BadInput when a video
    does not exist or `path` cannot be written.
    """
    path = Path(path)
    # In the order of the panels, which decides what finds room; a video of two panels is placed once.
    videos = dict.fromkeys(panel.video for panel in panels if panel.video is not None)
    placed = _place(list(videos), path.parent, embedding)
    data = contents(panels, {video: each.source for video, each in placed.items()}, stills(panels, embedding.stills))
    style, script = part("report.css"), _script((*_SCRIPTS, _START))
    # Nothing from a network but linked videos.
    loads = "img-src data: blob:; connect-src data:; media-src 'self' file: blob:"
    head, tail = _filled(title, style, script, _policy(style, script, loads), data, notes, tables, _LEGEND)
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(head)
        for video in placed.values():
            stream.writelines(_embedded(video))
        stream.write(tail)


def served_page(title: str, data: Mapping[str, Any], notes: Sequence[str] = ()) -> Served:
    """The same page for a server that answers its edits; `data` is as `contents` makes it, with `review` besides."""
    style, script = part("report.css"), _script((*_REVIEW_SCRIPTS, _START))
    loads = "img-src 'self'; connect-src 'self'; media-src 'self'"
    policy = _policy(style, script, loads)
    head, tail = _filled(title, style, script, policy, data, notes, (), _REVIEW_LEGEND)
    return Served(head + tail, policy + "; frame-ancestors 'none'")


class _Placed(NamedTuple):
    """A video, its media type (empty when browsers do not play it), and where the page finds it."""

    file: Path
    kind: str
    source: Source


def _place(videos: Sequence[Path], folder: Path, embedding: Embedding) -> dict[Path, _Placed]:
    placed, room = {}, embedding.total
    for video in videos:
        if not video.is_file():
            raise missing(video, "video")
        size, kind = video.stat().st_size, kind_of(video)
        if kind and size <= min(embedding.each, room):
            source = Source(video.name, True, f"video-{len(placed)}", "", "")
            room -= size
        else:
            note = "Not inside this file: keep the video where it is." if kind else NO_BROWSER
            source = Source(video.name, bool(kind), "", _address(video, folder), note)
        placed[video] = _Placed(video, kind, source)
    return placed


def _address(video: Path, folder: Path) -> str:
    """A link from a page in `folder`: relative, except to another drive."""
    try:
        return quote(os.fsencode(os.path.relpath(video, folder)).replace(os.sep.encode(), b"/"))
    except ValueError:
        return video.resolve().as_uri()


def _embedded(video: _Placed) -> Iterator[str]:
    """The video as a data URL in pieces, in an element that browsers leave alone until the page reads it."""
    if not video.source.element:
        return
    yield f'<script type="text/plain" id="{video.source.element}">data:{video.kind};base64,'
    with video.file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield base64.b64encode(chunk).decode()
    yield "</script>\n"


def _filled(
    title: str,
    style: str,
    script: str,
    policy: str,
    data: Mapping[str, Any],
    notes: Sequence[str],
    tables: Sequence[Table],
    legend: Mapping[str, str],
) -> tuple[str, str]:
    """What stands before and after the embedded videos."""
    head, _, tail = part("report.html").partition(_VIDEOS_GO_HERE)
    values = {
        "policy": policy,
        "title": escaped(title),
        "style": style,
        "script": script,
        "notes": write_notes(notes),
        "tables": write_tables(tables),
        "data": _inert(data),
        "legend": "\n".join(
            f'<p class="key"><span class="sample" data-verdict="{name}"></span> {words}</p>'
            for name, words in legend.items()
        ),
    }
    return Template(head).substitute(values), Template(tail).substitute(values)


def _inert(value: Any) -> str:
    """JSON that can stand in a script element: no `<`, so nothing in it ends the element or begins a comment."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _policy(style: str, script: str, loads: str) -> str:
    """A Content-Security-Policy: only this style and this script, and what the page may load."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {digest(style)}; "
        f"script-src {digest(script)}; {loads}"
    )


def _script(names: Sequence[str]) -> str:
    # One block, so that the parts share their names with each other and with nothing else.
    return '"use strict";\n{\n' + "\n".join(map(part, names)) + "}\n"
