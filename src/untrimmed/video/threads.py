"""Libraries that compute with one thread for a while, also where several Python threads ask for it at a time."""

from collections.abc import Callable
from threading import Lock

import cv2
import torch


class OneThread:
    """A context in which a library computes with one thread; it may be entered again before it is left.

    The first to enter reads the library's number of threads, because later ones would read 1; the last to leave
    restores it. Where the library keeps a number for each Python thread, which new ones inherit, each that leaves
    restores its own (`each_restores`).
    """

    def __init__(self, read: Callable[[], int], write: Callable[[int], object], *, each_restores: bool) -> None:
        self._read, self._write, self._each_restores = read, write, each_restores
        self._lock, self._entered, self._threads = Lock(), 0, 1

    def __enter__(self) -> None:
        with self._lock:
            if not self._entered:
                self._threads = self._read()
            self._entered += 1
            self._write(1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._entered -= 1
            if self._each_restores or not self._entered:
                self._write(self._threads)


ONE_CV2_THREAD = OneThread(cv2.getNumThreads, cv2.setNumThreads, each_restores=False)
"""Flow is computed in one stripe a thread, and the stripes show: with one thread it is the same everywhere."""
ONE_TORCH_THREAD = OneThread(torch.get_num_threads, torch.set_num_threads, each_restores=True)
"""Videos run side by side instead."""
