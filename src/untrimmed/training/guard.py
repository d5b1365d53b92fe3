"""Guards a run: nobody else trains in its folder, and it does not end in the middle of a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from untrimmed.io import BadInput

LOCK = ".lock"
LOCK_PATIENCE = 6.0
"""Seconds: the processes that prepare windows notice only after five that the run which they belong to was killed."""


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Keep every other process, and every other call, out of a folder; made where it is missing.

    The system takes the lock back from a process that ends, however it ends. Raises BadInput where another one has
    it, and where the folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=LOCK_PATIENCE, poll_interval=0.1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (Timeout, RuntimeError):  # of another process, or of this one
        raise BadInput(
            f"{folder}: another training writes into it just now; wait until it ends, or choose another folder"
        ) from None
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):  # it stays only with something in it
            folder.rmdir()


class Interrupts:
    """Whether the process was told to stop, by Ctrl-C or SIGTERM; a second time stops it at once."""

    def __init__(self) -> None:
        self.pending, self._admitted = False, False

    def receive(self, *_: Any) -> None:
        """Remember a signal; raise KeyboardInterrupt for another one, and for one that is admitted."""
        if self.pending or self._admitted:
            raise KeyboardInterrupt
        self.pending = True

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Let signals stop what is done meanwhile at once, as it may take long and nothing is lost by it."""
        self._admitted = True
        try:
            yield
        finally:
            self._admitted = False


@contextmanager
def defer_interrupts() -> Iterator[Interrupts]:
    """Let Ctrl-C and SIGTERM wait for a good moment: look at `pending`. Outside the main thread nothing changes."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    usual = {number: signal.signal(number, interrupts.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler or signal.SIG_DFL)


def ignore_interrupts(_: int = 0) -> None:
    """Leave it to the process that trains to end those which prepare its windows; called at the start of each."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
