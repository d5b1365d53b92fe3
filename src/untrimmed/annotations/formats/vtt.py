"""WebVTT in and out: one video a file, a cue an action, to the millisecond."""

import html
import re
from pathlib import Path

from untrimmed.annotations.annotations import Hints
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.labels import round_to_ticks, tidy_label
from untrimmed.annotations.formats.srt import read_cues
from untrimmed.annotations.formats.text import format_clock, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

_TAG = re.compile(r"<[^>]*>")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;"})


def read_vtt(path: Path, hints: Hints) -> FileContent:
    """Read the cues of a file, which gives the video its name; tags such as `<v Anna>` are removed."""
    text = read_any_text(path)
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise BadInput(f"{path}: does not begin with WEBVTT; a file of WebVTT was expected")
    cues = read_cues(path, text, _TAG, html.unescape)
    rows = [row._replace(label=tidy_label(row.label)) for row in cues.rows]
    return FileContent({path.stem: rows}, notes=cues.notes)


def write_vtt(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions; whatever means something to WebVTT is escaped, line ends too."""
    blocks = ["WEBVTT\n"]
    for row in round_to_ticks(timeline, 1000):
        times = f"{format_clock(row.start / 1000)} --> {format_clock(row.end / 1000)}"
        blocks.append(f"{times}\n{row.label.translate(_ESCAPES)}\n")
    write_text(path, "\n".join(blocks))
