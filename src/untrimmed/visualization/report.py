"""Writes the report: one HTML file that plays videos above their timelines, with no network."""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from untrimmed.io import Config, missing, whole
from untrimmed.visualization.page import Table
from untrimmed.visualization.panels import NOT_PLAYED, Panel, VideoSource, build_page_data, media_type
from untrimmed.visualization.stills import make_stills
from untrimmed.visualization.templates import csp_hash, generate, read_asset

_SCRIPTS = ("agreement.js", "picture.js", "player.js", "kernels.js", "curve.js", "panel.js")
_EDITOR_SCRIPTS = ("edits.js", "editor.js")
# The first scripts that do anything.
_START = ("page.js", "keys.js")
_CHUNK = 3 * 2**18  # bytes; a multiple of 3, so that the base64 of chunks joins without padding


@dataclass(frozen=True, kw_only=True)
class Embedding(Config):
    """Which videos are put into the report itself; the others are linked by their relative path."""

    per_video: int = 25_000_000
    """The largest video, in bytes."""
    total: int = 150_000_000
    """All videos together, in bytes."""
    stills: int = 1_500_000
    """All small pictures of actions together, in bytes; none with 0."""


class ServedPage(NamedTuple):
    """A page for a server to send, and the Content-Security-Policy to send with it."""

    html: str
    policy: str


def write_report(
    path: str | Path,
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
    paths = dict.fromkeys(panel.video for panel in panels if panel.video is not None)
    videos = _place_videos(list(paths), path.parent, embedding)
    sources = {video: placed.source for video, placed in videos.items()}
    data = build_page_data(panels, sources, make_stills(panels, embedding.stills))
    # Nothing from a network but linked videos.
    loads = "img-src data: blob:; connect-src data:; media-src 'self' file: blob:"
    values = _page_values(title, data, notes, (*_SCRIPTS, *_START), loads)
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(generate("report.html", **values, tables=tables, videos=list(videos.values())))


def render_served_page(title: str, data: Mapping[str, Any], notes: Sequence[str] = ()) -> ServedPage:
    """Render the same page for a server that answers its edits.

    `data` is what `build_page_data` returns, with `review` besides.
    """
    loads = "img-src 'self'; connect-src 'self'; media-src 'self'"
    values = _page_values(title, data, notes, (*_SCRIPTS, *_EDITOR_SCRIPTS, *_START), loads)
    page = "".join(generate("report.html", **values, tables=(), videos=()))
    return ServedPage(page, values["policy"] + "; frame-ancestors 'none'")


class _PlacedVideo(NamedTuple):
    """A video, its media type (empty when browsers do not play it), and where the page finds it."""

    file: Path
    media_type: str
    source: VideoSource

    def read_data_url(self) -> Iterator[Markup]:
        """Read the video as a data URL, in pieces."""
        yield Markup(f"data:{self.media_type};base64,")
        with self.file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield Markup(base64.b64encode(chunk).decode())


def _place_videos(videos: Sequence[Path], folder: Path, embedding: Embedding) -> dict[Path, _PlacedVideo]:
    placed, room = {}, embedding.total
    for video in videos:
        if not video.is_file():
            raise missing(video, "video")
        size, kind = video.stat().st_size, media_type(video)
        if kind and size <= min(embedding.per_video, room):
            source = VideoSource(video.name, True, f"video-{len(placed)}", "", "")
            room -= size
        else:
            note = "Not inside this file: keep the video where it is." if kind else NOT_PLAYED
            try:
                address = quote(os.fsencode(os.path.relpath(video, folder)).replace(os.sep.encode(), b"/"))
            except ValueError:  # on another drive
                address = video.resolve().as_uri()
            source = VideoSource(video.name, bool(kind), "", address, note)
        placed[video] = _PlacedVideo(video, kind, source)
    return placed


def _page_values(
    title: str, data: Mapping[str, Any], notes: Sequence[str], scripts: Sequence[str], loads: str
) -> dict[str, Any]:
    """What both kinds of page have; `loads` is the part of the policy that says what the page may load."""
    style = read_asset("report.css")
    # The scripts are one block: they share their names with each other and with nothing else.
    script = Markup('"use strict";\n{\n' + "\n".join(map(read_asset, scripts)) + "}\n")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {csp_hash(style)}; "
        f"script-src {csp_hash(script)}; {loads}"
    )
    return {"title": title, "data": data, "notes": notes, "style": style, "script": script, "policy": policy}
