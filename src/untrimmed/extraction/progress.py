"""How far the extraction of several videos is, in seconds of video, as a bar on standard error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from untrimmed.io import BadInput
from untrimmed.video import sampling as video


class Tally:
    """Adds up the seconds that are done of several videos, and shows the share of all; nothing without a display."""

    def __init__(self, videos: Sequence[Path], display: Progress | None) -> None:
        self.display = display
        self.lengths = {path: _length(path) for path in videos} if display else {}
        self.done = dict.fromkeys(self.lengths, 0.0)
        self.task = display.add_task("extracting", total=sum(self.lengths.values())) if display else None

    def reached(self, path: Path, seconds: float) -> None:
        if self.display and self.task is not None:
            self.done[path] = seconds
            self.display.update(self.task, completed=sum(self.done.values()))

    def finished(self, path: Path) -> None:
        self.reached(path, self.lengths.get(path, 0.0))


@contextmanager
def tally(videos: Sequence[Path], quiet: bool) -> Iterator[Tally]:
    if quiet:
        yield Tally(videos, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as display:
        yield Tally(videos, display)


def _length(path: Path) -> float:
    try:
        return video.probe(path).duration
    except BadInput:
        return 0.0  # extraction will meet it again, and report it
