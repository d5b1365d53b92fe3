"""SRT subtitles in and out: one video a file, a cue an action, to the millisecond. WebVTT shares their cues."""

import re
from collections.abc import Iterator
from pathlib import Path

from untrimmed.annotations.annotations import Hints, Row
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.labels import UNNAMED, round_action, tidy_label
from untrimmed.annotations.formats.text import format_clock, parse_seconds, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

_PERCENT = re.compile(r" \((\d{1,3}) %\)$")
# Players read these as the marks of styles; `-->` would be read as a time.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})


def read_srt(path: Path, hints: Hints) -> FileContent:
    """Read the cues of a file, which gives the video its name; their text is the label, as it stands."""
    text = read_any_text(path)
    rows = read_cues(path, text)
    if text.strip() and not rows:
        raise BadInput(f"{path}: has no cue with a text; lines like '00:00:01,000 --> 00:00:02,000' were expected")
    return FileContent({path.stem: [row._replace(label=tidy_label(row.label)) for row in rows]})


def write_srt(
    path: str | Path, video: str, timeline: Timeline, fps: float | None = None, *, scores: bool = False
) -> None:
    """Write one video's actions as cues that hold the label alone, so that reading gives it back.

    With `scores` they are for people: `label (87 %)`, and nothing in a label can end a cue or style it.
    """
    # A cue without length would never be shown: rounding leaves each a millisecond at least.
    rows = [round_action(action, 1000) for action in timeline.actions]
    cues = map(_add_score, rows) if scores else sorted(rows)
    blocks = [
        f"{number}\n{format_clock(cue.start / 1000, ',')} --> {format_clock(cue.end / 1000, ',')}\n{cue.label}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    write_text(Path(path), "\n".join(blocks))


def _add_score(row: Row) -> Row:
    printable = "".join(letter if letter.isprintable() else " " for letter in row.label)
    label = " ".join(printable.translate(_HARMLESS).split()) or UNNAMED
    return row._replace(label=f"{label} ({100 * row.score:.0f} %)")


def read_cues(path: Path, text: str) -> list[Row]:
    """Read the cues that have a text; where each ends like `(87 %)`, as we write detections, that is its score.

    Raises BadInput for a time that cannot be read.
    """
    cues = [cue for cue in _parse_cues(path, text) if cue.label.strip()]
    percents = [_PERCENT.search(cue.label) for cue in cues]
    if not all(percents):
        return [cue._replace(label=cue.label.strip()) for cue in cues]
    scored = zip(cues, percents, strict=True)
    return [Row(c.start, c.end, c.label[: p.start()].strip(), int(p[1]) / 100) for c, p in scored if p]


def _parse_cues(path: Path, text: str) -> Iterator[Row]:
    """Parse blocks separated by empty lines; a block without an arrow is no cue."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        number = next((number for number, line in enumerate(lines[:2]) if "-->" in line), None)
        if number is None:
            continue
        first, _, second = lines[number].partition("-->")
        # Behind the end there may be settings of where to show the cue.
        start, end = parse_seconds(first), parse_seconds((second.split() or [""])[0])
        if start is None or end is None:
            raise BadInput(f"{path}: has {lines[number][:60]!r}; two times like 00:01:02.500 were expected")
        yield Row(start, end, "\n".join(lines[number + 1 :]))
