"""What SRT and WebVTT have in common: blocks of lines, one of which says from when to when."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.base import Row
from untrimmed.annotations.formats.text import seconds_in
from untrimmed.io import BadInput

_PERCENT = re.compile(r" \((\d{1,3}) %\)$")


class Cue(NamedTuple):
    """Seconds, and the lines of text below."""

    start: float
    end: float
    text: str


def read_cues(path: Path, text: str) -> Iterator[Cue]:
    """The cues of a text whose blocks are parted by empty lines; a block without an arrow is none.

    Raises BadInput for a time that is none.
    """
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        place = next((number for number, line in enumerate(lines[:2]) if "-->" in line), None)
        if place is None:
            continue
        start, _, rest = lines[place].partition("-->")
        # Behind the end there may be settings of where to show the cue.
        words = rest.split()
        times = [seconds_in(word) for word in (start, words[0] if words else "")]
        if times[0] is None or times[1] is None:
            raise BadInput(f"{path}: has {lines[place][:60]!r}; two times like 00:01:02.500 were expected")
        yield Cue(times[0], times[1], "\n".join(lines[place + 1 :]))


def rows_of(cues: list[Cue]) -> list[Row]:
    """Rows of the cues that say something; where each ends like `(87 %)`, as we write detections, that is a score."""
    told = [cue for cue in cues if cue.text.strip()]
    found = [_PERCENT.search(cue.text) for cue in told]
    if not all(found):
        return [Row(cue.start, cue.end, cue.text.strip()) for cue in told]
    scored = zip(told, found, strict=True)
    return [Row(c.start, c.end, c.text[: f.start()].strip(), int(f[1]) / 100) for c, f in scored if f]
