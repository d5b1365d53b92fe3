"""Audacity's label tracks: one recording a file, lines of start, end and label parted by tabs."""

from pathlib import Path
from reprlib import repr as short

from untrimmed.annotations.formats.base import Row
from untrimmed.annotations.formats.content import Content, Hints
from untrimmed.annotations.formats.labels import tidy
from untrimmed.annotations.formats.text import number_in, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline


def read_audacity(path: Path, hints: Hints) -> Content:
    """The labels of a file, which gives the video its name; seconds. Lines of frequencies (`\\`) are passed over.

    A label at one point in time has no length and is dropped. Raises BadInput for any other line.
    """
    rows = []
    for number, line in enumerate(read_any_text(path).split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        start, end, label = (*line.split("\t", 2), "", "")[:3]
        times = number_in(start), number_in(end)
        if times[0] is None or times[1] is None:
            raise BadInput(f"{path}: line {number} is {short(line)}; a start, an end and a label were expected")
        rows.append(Row(times[0], times[1], tidy(label)))
    return Content({path.stem: rows})


def write_audacity(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions with all digits."""
    lines = [f"{float(a.start)!r}\t{float(a.end)!r}\t{a.label}\n" for a in timeline.actions]
    write_text(path, "".join(lines))
