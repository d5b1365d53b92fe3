"""WebVTT in and out: one video a file, a cue an action, to the millisecond."""

import html
import re
from pathlib import Path

from untrimmed.annotations.formats.content import Content, Hints
from untrimmed.annotations.formats.cues import read_cues, rows_of
from untrimmed.annotations.formats.labels import ticks, tidy
from untrimmed.annotations.formats.text import clock_of, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

_TAG = re.compile(r"<[^>]*>")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;"})


def read_vtt(path: Path, hints: Hints) -> Content:
    """The cues of a file, which gives the video its name; tags such as `<v Anna>` are taken out of their text."""
    text = read_any_text(path)
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise BadInput(f"{path}: does not begin with WEBVTT; a file of WebVTT was expected")
    rows = rows_of(list(read_cues(path, text)))
    bare = (row._replace(label=html.unescape(_TAG.sub("", row.label)).strip()) for row in rows)
    return Content({path.stem: [row._replace(label=tidy(row.label)) for row in bare if row.label]})


def write_vtt(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions; whatever means something to WebVTT is escaped, line ends too."""
    blocks = ["WEBVTT\n"]
    for row in ticks(timeline, 1000):
        times = f"{clock_of(int(row.start))} --> {clock_of(int(row.end))}"
        blocks.append(f"{times}\n{row.label.translate(_ESCAPES)}\n")
    write_text(path, "\n".join(blocks))
