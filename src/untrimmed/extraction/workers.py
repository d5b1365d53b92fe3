"""Extraction of videos on this machine: one after the other, or in worker processes that take a video each."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import cycle
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from traceback import format_exc
from typing import NamedTuple

import torch

from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.video import extract_video
from untrimmed.features.folder import FileFingerprint, compute_fingerprint
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput, DiskFault, Progress
from untrimmed.video.probe import probe_video


class ExtractionProgress:
    """Sums the seconds that are done of several videos, and reports them to a callback, if there is one."""

    def __init__(self, videos: Sequence[Path], progress: Progress | None) -> None:
        self._progress = progress
        self._durations: dict[Path, float] = {}
        self._seconds: dict[Path, float] = {}
        for path in videos if progress else ():  # opening each video takes time, which only a callback is worth
            with suppress(BadInput):  # extraction meets the same fault, and reports it
                self._durations[path] = probe_video(path).duration

    def update(self, path: Path, seconds: float) -> None:
        """Report that `seconds` of a video are done."""
        self._seconds[path] = seconds
        if self._progress:
            self._progress("extracting", sum(self._seconds.values()), sum(self._durations.values()), "")

    def finish(self, path: Path) -> None:
        """Report that a video is done, also one that failed."""
        self.update(path, self._durations.get(path, 0.0))


class VideoResult(NamedTuple):
    """The features of a video, and the file that they were made of."""

    features: VideoFeatures
    origin: FileFingerprint


VideoResults = Generator[tuple[Path, VideoResult | str], None, None]
"""Each video with its result, or with the reason why it failed, in the order in which they are done."""


def try_extract(
    path: Path, config: ExtractConfig, report: Callable[[float], object] | None = None, part: Path | None = None
) -> VideoResult | str:
    """Extract a video, or return why it cannot be used; `report` is called with the seconds that are done.

    What is done of it is kept in the file `part`. Raises DiskFault where that cannot be.
    """
    try:
        return VideoResult(extract_video(path, config, report, part), compute_fingerprint(path))
    except DiskFault:
        raise
    except BadInput as error:
        return str(error)


def extract_here(
    parts: Mapping[Path, Path], config: ExtractConfig, workers: int, tracker: ExtractionProgress
) -> VideoResults:
    """Extract videos one after the other, or in worker processes where there are several of both.

    `parts` are the files in which what is done of each of them is kept. Workers get one path at a time over a pipe,
    and send progress and the result. With the device `cuda`, they get the GPUs in turn.
    """
    if workers == 1 or len(parts) < 2:
        for path, part in parts.items():
            yield path, try_extract(path, config, partial(tracker.update, path), part)
        return
    devices = [config.device]
    if config.device == "cuda":
        devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    context = multiprocessing.get_context("spawn")
    waiting, next_device = deque(parts.items()), cycle(devices)
    running: dict[Connection, _Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _start(context, replace(config, device=next(next_device)))
                running[worker.pipe] = _assign(worker, *waiting.popleft())
            ready = connection.wait(list(running))
            for pipe in [pipe for pipe in running if pipe in ready]:
                worker = running.pop(pipe)
                message = _receive(worker)
                if isinstance(message, float | int):
                    tracker.update(worker.path, message)
                    running[pipe] = worker
                    continue
                if waiting and worker.process.is_alive():
                    running[pipe] = _assign(worker, *waiting.popleft())
                yield worker.path, message
    finally:
        for worker in running.values():
            worker.process.terminate()


class _Worker(NamedTuple):
    """A process, the pipe to it and the video that it extracts."""

    process: SpawnProcess
    pipe: Connection
    path: Path


def _start(context: SpawnContext, config: ExtractConfig) -> _Worker:
    pipe, worker_pipe = context.Pipe()
    process = context.Process(target=_work, args=(worker_pipe, config), daemon=True)
    process.start()
    worker_pipe.close()  # so that this end hears when the worker is gone
    return _Worker(process, pipe, Path())


def _assign(worker: _Worker, path: Path, part: Path) -> _Worker:
    worker.pipe.send((path, part))
    return worker._replace(path=path)


def _receive(worker: _Worker) -> VideoResult | str | float:
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return f"{worker.path}: its worker was killed, perhaps for want of memory; run again with fewer workers"
    if isinstance(message, Exception):
        raise message
    return message


def _work(pipe: Connection, config: ExtractConfig) -> None:
    """Extract the videos that come over the pipe, each with the place of its part, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the process that started the workers ends them
    while True:
        try:
            path, part = pipe.recv()
            pipe.send(try_extract(path, config, pipe.send, part))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except DiskFault as error:
            pipe.send(error)
        except Exception:
            pipe.send(RuntimeError(f"extraction failed in a worker:\n{format_exc()}"))
