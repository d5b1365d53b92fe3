"""Numbers on the terminal."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from untrimmed.io import BadInput

if TYPE_CHECKING:
    from untrimmed.evaluation.detection import DetectionScores
    from untrimmed.io import Progress


class _Output(io.TextIOWrapper):
    """Standard output or error that neither another encoding, nor a reader who left, nor a full disk makes crash.

    What the encoding lacks is printed as `\\u8d70`. Where the reader is gone, as of
    `| head`, the work goes on unheard.
    """

    def __init__(self, stream: TextIO, *, strict: bool) -> None:
        super().__init__(
            stream.buffer, stream.encoding, "backslashreplace", line_buffering=getattr(stream, "line_buffering", True)
        )
        self._strict = strict

    def write(self, text: str, /) -> int:
        with self._mend():
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._mend():
            super().flush()

    @contextmanager
    def _mend(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What Python still holds must go somewhere, also when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self._strict and not isinstance(error, BrokenPipeError):
                raise BadInput(
                    f"standard output: cannot be written ({error.strerror}); print somewhere else"
                ) from None


@contextmanager
def open_output() -> Iterator[None]:
    """Print to standard output and error in a way that neither their encoding nor a closed pipe can break."""
    streams = sys.stdout, sys.stderr
    outputs = [
        _Output(stream, strict=stream is sys.stdout) if hasattr(stream, "buffer") else None for stream in streams
    ]
    sys.stdout, sys.stderr = (output or stream for output, stream in zip(outputs, streams, strict=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for output in filter(None, outputs):
            output.detach()  # flushes, and leaves the buffer open to its owner


_NUMBERS: ContextVar[TextIO] = ContextVar("where --json - prints")


@contextmanager
def divert_tables(path: Path | None) -> Iterator[None]:
    """Leave standard output to the numbers where they are asked for there (`--json -`): tables go elsewhere."""
    if path is None or str(path) != "-":
        yield
        return
    _NUMBERS.set(sys.stdout)
    with redirect_stdout(sys.stderr):
        yield


def write_numbers(path: Path | None, value: Any) -> None:
    """Write numbers as JSON to a file, or to standard output for `-`; nothing without a path."""
    from untrimmed.io import write_json

    if path is None:
        return
    if str(path) == "-":
        print(json.dumps(value, indent=1), file=_NUMBERS.get(), flush=True)
    else:
        write_json(path, value)


def show_scores(scores: "DetectionScores") -> None:
    """Print mean average precision, in percent, and AP of each class."""
    from untrimmed.evaluation.tables import detection_tables

    for table in detection_tables(scores):
        show_table(table.caption, table.header, table.rows)
    show_notes(scores.notes)


def show_notes(notes: Iterable[str]) -> None:
    """Print what bears on the numbers, unless the command is quiet."""
    for note in notes:
        logging.getLogger("untrimmed").info("%s", note)


def fail_for(reasons: Iterable[str]) -> None:
    """Print on standard error what could not be used, and end with exit code 2 if there is anything."""
    reasons = list(reasons)
    for reason in reasons:
        print(f"untrimmed: {reason}", file=sys.stderr)
    if reasons:
        sys.exit(2)


def show_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print a table; the first column holds words, the others numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # as it stands: a label may hold what rich reads as markup

    # Eleven columns and the longest label fit into 80 characters.
    table = Table(box=box.SIMPLE_HEAD, show_header=any(header), padding=(0, 1, 0, 0), show_edge=False)
    for place, name in enumerate(header):
        table.add_column(Text(name), justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*(Text(_replace_unprintable(str(cell))) for cell in row))
    if caption:
        print(caption)
    console = Console()
    # A number that is cut is worse than a line that wraps.
    room = console.options.update(max_width=10_000)
    console.width = max(console.width, console.measure(table, options=room).maximum)
    console.print(table)


def _replace_unprintable(text: str) -> str:
    """Write as it will be printed what standard output cannot encode, so that columns stay straight."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def format_number(value: Any) -> str:
    """A number with separators, a list with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value:,}"


@contextmanager
def progress_bar(quiet: bool) -> "Iterator[Progress | None]":
    """Bars on standard error, one a task, with words on it and the time that is left; None when quiet."""
    if quiet:
        yield None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=20),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[detail]}", markup=False),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    bars = progress.Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, progress.TaskID] = {}

    def draw(task: str, completed: float, total: float | None, detail: str) -> None:
        if not tasks:
            bars.start()  # not before: an empty display leaves an empty line
        if task not in tasks:
            tasks[task] = bars.add_task(task, total=total, detail=detail)
        bars.update(tasks[task], completed=completed, total=total, detail=detail)

    try:
        yield draw
    finally:
        if tasks:
            bars.stop()
