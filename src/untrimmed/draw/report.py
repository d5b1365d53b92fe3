"""One HTML file that shows what was found where: tables, and each video with its timelines, with no network."""

import base64
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

import av
from av.error import FFmpegError

from untrimmed.config import Config
from untrimmed.draw.kernels import Kernel, KernelLayer, fitting_layer
from untrimmed.draw.page import Table, digest, escaped, part, write_notes, write_tables
from untrimmed.draw.svg import palette, printable
from untrimmed.errors import missing
from untrimmed.files import whole
from untrimmed.timeline import Action, Timeline, classes_of

_SCRIPTS = ("agreement.js", "picture.js", "player.js", "kernels.js", "panel.js", "page.js")
_VIDEOS_GO_HERE = "<!-- videos -->\n"
# What Chromium, Firefox and Safari all play: media type and codecs by the file's ending.
_PLAYED = {
    ".mp4": ("video/mp4", ("h264", "av1", "vp9")),
    ".m4v": ("video/mp4", ("h264", "av1", "vp9")),
    ".webm": ("video/webm", ("vp8", "vp9", "av1")),
}
# Browsers decode no other sampling of H.264 than 4:2:0 with 8 bits.
_PLAYED_PIXELS = ("yuv420p", "yuvj420p")
_CHUNK = 3 * 2**18  # bytes; a multiple of 3, so that the base64 of chunks joins without padding


@dataclass(frozen=True)
class Panel:
    """One video of `duration` seconds and its timelines by the name of their row, drawn in order.

    The row `truth` is what all others are compared with. `kernels` are a GTAN detector's, layer by layer; they lie
    below the rows, one layer at a time, at first the one of `fitting_layer`. Raises ValueError for a duration that is
    not positive.
    """

    name: str
    duration: float
    rows: Mapping[str, Timeline]
    video: Path | None = None
    kernels: Sequence[KernelLayer] = ()

    def __post_init__(self) -> None:
        if not 0 < self.duration < math.inf:
            raise ValueError(f"duration {self.duration} of {self.name!r} is not a positive number of seconds")


@dataclass(frozen=True, kw_only=True)
class Embedding(Config):
    """Which videos are put into the report itself; the others are linked by their relative path."""

    each: int = 25_000_000
    """The largest video, in bytes."""
    total: int = 150_000_000
    """All videos together, in bytes."""


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
    head, _, tail = part("report.html").partition(_VIDEOS_GO_HERE)
    style, script = part("report.css"), _script()
    values = {
        "policy": _policy(style, script),
        "title": escaped(title),
        "style": style,
        "script": script,
        "notes": write_notes(notes),
        "tables": write_tables(tables),
        "data": _inert(_data(panels, placed)),
    }
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(Template(head).substitute(values))
        for video in placed.values():
            stream.writelines(_embedded(video))
        stream.write(Template(tail).substitute(values))


class _Placed(NamedTuple):
    """Where the page finds a video: in its own element of that name, or else at an address beside the page."""

    file: Path
    kind: str
    """The media type; empty when browsers do not play it."""
    element: str
    address: str
    note: str


def _place(videos: Sequence[Path], folder: Path, embedding: Embedding) -> dict[Path, _Placed]:
    placed, room = {}, embedding.total
    for video in videos:
        if not video.is_file():
            raise missing(video, "video")
        size = video.stat().st_size
        kind = _kind(video)
        if kind and size <= min(embedding.each, room):
            placed[video] = _Placed(video, kind, f"video-{len(placed)}", "", "")
            room -= size
            continue
        note = (
            "Not inside this file: keep the video where it is."
            if kind
            else "Browsers do not play this kind of video:"
        )
        placed[video] = _Placed(video, kind, "", _address(video, folder), note)
    return placed


def _kind(video: Path) -> str:
    """The media type of a video that browsers play, else nothing."""
    kind, codecs = _PLAYED.get(video.suffix.lower(), ("", ()))
    try:
        with av.open(str(video)) as container:
            codec = container.streams.video[0].codec_context
            plays = codec.name in codecs and (codec.name != "h264" or codec.pix_fmt in _PLAYED_PIXELS)
    except (FFmpegError, OSError, IndexError):
        return ""
    return kind if plays else ""


def _address(video: Path, folder: Path) -> str:
    """A link from a page in `folder`: relative, except to another drive."""
    try:
        return quote(os.fsencode(os.path.relpath(video, folder)).replace(os.sep.encode(), b"/"))
    except ValueError:
        return video.resolve().as_uri()


def _embedded(video: _Placed) -> Iterator[str]:
    """The video as a data URL in pieces, in an element that browsers leave alone until the page reads it."""
    if not video.element:
        return
    yield f'<script type="text/plain" id="{video.element}">data:{video.kind};base64,'
    with video.file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield base64.b64encode(chunk).decode()
    yield "</script>\n"


def _data(panels: Sequence[Panel], placed: Mapping[Path, _Placed]) -> dict[str, Any]:
    labels = classes_of(timeline for panel in panels for timeline in panel.rows.values())
    colours = palette(labels)
    return {
        "classes": [{"label": label, "colour": colours[label]} for label in labels],
        "panels": [
            {
                "name": panel.name,
                "duration": panel.duration,
                "rows": [
                    {"name": name, "actions": [_action(action) for action in timeline.actions]}
                    for name, timeline in panel.rows.items()
                ],
                "video": _video(placed[panel.video]) if panel.video is not None else None,
                "kernels": [_layer(layer) for layer in panel.kernels],
                "layer": fitting_layer(panel.kernels, panel.rows).number if panel.kernels else None,
            }
            for panel in panels
        ],
    }


def _action(action: Action) -> dict[str, Any]:
    return {"start": action.start, "end": action.end, "label": action.label, "score": action.score}


def _layer(layer: KernelLayer) -> dict[str, Any]:
    return {
        "number": layer.number,
        "title": layer.title,
        "words": layer.words,
        "learned": layer.learned,
        "rows": [{"name": name, "kernels": [_kernel(each) for each in row]} for name, row in layer.rows.items()],
    }


def _kernel(kernel: Kernel) -> list[float]:
    """Centre, sigma, members and score; milliseconds are enough, and there are hundreds of kernels a video."""
    return [round(kernel.centre, 3), max(round(kernel.sigma, 3), 0.001), kernel.members, round(kernel.score, 3)]


def _video(video: _Placed) -> dict[str, Any]:
    return {
        "name": printable(video.file.name),
        "plays": bool(video.kind),
        "element": video.element,
        "address": video.address,
        "note": video.note,
    }


def _inert(value: Any) -> str:
    """JSON that can stand in a script element: no `<`, so nothing in it ends the element or begins a comment."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy: only this style and this script, nothing from a network but linked videos."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {digest(style)}; "
        f"script-src {digest(script)}; img-src data: blob:; connect-src data:; media-src 'self' file: blob:"
    )


def _script() -> str:
    # One block, so that the parts share their names with each other and with nothing else.
    return '"use strict";\n{\n' + "\n".join(map(part, _SCRIPTS)) + "}\n"
