"""Guards a run: nobody else trains in its folder, and it does not end in the middle of a step."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from untrimmed.io import BadInput

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two trainings out of one folder
    fcntl = None

logger = logging.getLogger(__name__)

LOCK = ".lock"
LOCK_PATIENCE = 6.0
"""Seconds: the processes that prepare windows notice only after five that the run which they belong to was killed."""


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Keep every other process, and every other call, out of a folder; made where it is missing.

    The system takes the lock back from a process that ends, however it ends. Raises BadInput where another one has
    it, and where the folder cannot be written.
    """
    file = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = _lock(file)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    if stream is None:
        raise BadInput(
            f"{folder}: another training writes into it just now{_name_owner(file)}; "
            "wait until it ends, or choose another folder"
        )
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()
        stream.close()
        with suppress(OSError):  # it stays only with something in it
            folder.rmdir()


def _lock(file: Path) -> TextIO | None:
    """Lock a file and write into it who has it; None where another still has it after some patience."""
    last = time.monotonic() + LOCK_PATIENCE
    while True:
        stream = file.open("a+", encoding="utf-8")
        if _try_lock(stream):
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            return stream
        stream.close()
        if time.monotonic() >= last:
            return None
        time.sleep(0.1)


def _try_lock(stream: TextIO) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems have no locks
        logger.warning("%s: cannot be locked (%s); see that no other training uses this folder", stream.name, error)
    # Whoever had it may have removed the file meanwhile; then the lock is one of a file that nobody finds.
    return os.fstat(stream.fileno()).st_nlink > 0


def _name_owner(file: Path) -> str:
    with suppress(OSError):
        return f" (process {file.read_text(encoding='utf-8')})"
    return ""


class Interrupts:
    """Whether the process was told to stop, by Ctrl-C or SIGTERM; a second time stops it at once."""

    def __init__(self) -> None:
        self.pending = False

    def receive(self, *_: Any) -> None:
        """Remember a signal; raise KeyboardInterrupt for another one."""
        if self.pending:
            raise KeyboardInterrupt
        self.pending = True


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
