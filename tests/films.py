"""Small films for tests of extraction, one that nobody can read to its end, and waiting for what processes do."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from untrimmed.video.writer import write_video


def film(path: Path, seconds: float = 1.2, seed: int = 0) -> Path:
    path.unlink(missing_ok=True)  # of a pipe, which what is written would go into
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    picture = cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)
    write_video(path, (np.roll(picture, 2 * i, 1) for i in range(round(seconds * 25))), 25)
    return path


def endless_film(path: Path) -> Path:
    """A pipe in place of a video: who opens it is busy until `release`, however slow or fast the machine is."""
    os.mkfifo(path)
    return path


def release(path: Path) -> None:
    """End an endless film for the process that has opened it, or will."""
    opened: list[int] = []

    def open_it() -> bool:
        try:
            opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads it yet
            return False
        return True

    wait_until(open_it)
    os.close(opened[0])


def wait_until(condition: Callable[[], object], seconds: float = 600) -> None:
    """Wait for an event; the limit only ends a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited for {seconds} seconds"
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder; what a killed process was writing to is hidden, and no part of it."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.name[0] != "."}
