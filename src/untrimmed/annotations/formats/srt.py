"""SRT subtitles in and out: one video a file, a cue an action, to the millisecond."""

from pathlib import Path

from untrimmed.annotations.formats.content import Content, Hints
from untrimmed.annotations.formats.cues import read_cues, rows_of
from untrimmed.annotations.formats.labels import ticks, tidy
from untrimmed.annotations.formats.text import clock_of, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline


def read_srt(path: Path, hints: Hints) -> Content:
    """The cues of a file, which gives the video its name; their text is the label, as it stands."""
    text = read_any_text(path)
    rows = rows_of(list(read_cues(path, text)))
    if text.strip() and not rows:
        raise BadInput(f"{path}: has no cue with a text; lines like '00:00:01,000 --> 00:00:02,000' were expected")
    return Content({path.stem: [row._replace(label=tidy(row.label)) for row in rows]})


def write_cues(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions as cues that hold the label alone, so that reading gives it back."""
    blocks = [
        f"{number}\n{clock_of(int(row.start), ',')} --> {clock_of(int(row.end), ',')}\n{row.label}\n"
        for number, row in enumerate(ticks(timeline, 1000), start=1)
    ]
    write_text(path, "\n".join(blocks))
