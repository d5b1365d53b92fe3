"""Audacity's label tracks: one recording a file, lines of start, end and label separated by tabs."""

from pathlib import Path
from reprlib import repr as short

from untrimmed.annotations.annotations import Hints, Row
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline


def read_audacity(path: Path, hints: Hints) -> FileContent:
    """Read the labels of a file, which gives the video its name; seconds. Lines of frequencies (`\\`) are skipped.

    A label at one point in time has no length and is dropped. Raises BadInput for any other line.
    """
    rows = []
    for number, line in enumerate(read_any_text(path).split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        first, second, label = (*line.split("\t", 2), "", "")[:3]
        start, end = parse_number(first), parse_number(second)
        if start is None or end is None:
            raise BadInput(f"{path}: line {number} is {short(line)}; a start, an end and a label were expected")
        rows.append(Row(start, end, tidy_label(label)))
    return FileContent({path.stem: rows})


def write_audacity(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions with all digits."""
    lines = [f"{float(a.start)!r}\t{float(a.end)!r}\t{a.label}\n" for a in timeline.actions]
    write_text(path, "".join(lines))
