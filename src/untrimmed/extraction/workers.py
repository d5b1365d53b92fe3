"""Several videos at a time on this machine: processes that are given a video each, and say how far they are."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import cycle
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from traceback import format_exc
from typing import NamedTuple

import torch

from untrimmed.extraction.progress import Tally
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.video import extract_video
from untrimmed.features.folder import Origin, origin_of
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput


class Made(NamedTuple):
    """The features of a video and the file that they were made of."""

    features: VideoFeatures
    origin: Origin


Results = Generator[tuple[Path, Made | str], None, None]
"""Each video with what was made of it, or the sentence why that is nothing, as they come."""


def attempt(path: Path, config: ExtractConfig, reached: Callable[[Path, float], object] | None = None) -> Made | str:
    """What is made of a video, or why it cannot be used; `reached` is told the seconds that are done."""
    try:
        features = extract_video(path, config, (lambda seconds: reached(path, seconds)) if reached else None)
        return Made(features, origin_of(path))
    except BadInput as error:
        return str(error)


def one_by_one(videos: Sequence[Path], config: ExtractConfig, tally: Tally) -> Results:
    """Here, in turn."""
    for path in videos:
        yield path, attempt(path, config, tally.reached)


def in_processes(videos: Sequence[Path], config: ExtractConfig, workers: int, tally: Tally) -> Results:
    """A worker is given one video at a time over a pipe, and sends back how far it is, and last the result.

    Where the settings name no particular one of several GPUs, workers have them in turn.
    """
    context = multiprocessing.get_context("spawn")
    waiting, places = deque(videos), cycle(places_of(config.device))
    crew: dict[Connection, _Worker] = {}
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                worker = _start(context, replace(config, device=next(places)))
                crew[worker.pipe] = _given(worker, waiting.popleft())
            ready = connection.wait(list(crew))
            for pipe in [pipe for pipe in crew if pipe in ready]:
                worker = crew.pop(pipe)
                message = _received(worker)
                if isinstance(message, float | int):
                    tally.reached(worker.path, message)
                    crew[pipe] = worker
                    continue
                if waiting and worker.process.is_alive():
                    crew[pipe] = _given(worker, waiting.popleft())
                yield worker.path, message
    finally:
        for worker in crew.values():
            worker.process.terminate()


def places_of(device: str) -> list[str]:
    """The devices that workers have in turn: every GPU for `cuda`, else just the one that is named."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())] if device == "cuda" else [device]


class _Worker(NamedTuple):
    """A process, the pipe to it and the video that it has now."""

    process: SpawnProcess
    pipe: Connection
    path: Path


def _start(context: SpawnContext, config: ExtractConfig) -> _Worker:
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, config), daemon=True)
    process.start()
    there.close()  # so that this end hears when the worker is gone
    return _Worker(process, here, Path())


def _given(worker: _Worker, path: Path) -> _Worker:
    worker.pipe.send(path)
    return worker._replace(path=path)


def _received(worker: _Worker) -> Made | str | float:
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return f"{worker.path}: its worker was killed, perhaps for want of memory; run again with fewer workers"
    if isinstance(message, RuntimeError):
        raise message
    return message


def _work(pipe: Connection, config: ExtractConfig) -> None:
    """What a worker does until the process that started it hangs up, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who started the workers ends them
    while True:
        try:
            path = pipe.recv()
            pipe.send(attempt(path, config, lambda _, seconds: pipe.send(float(seconds))))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except Exception:
            pipe.send(RuntimeError(f"extraction failed in a worker:\n{format_exc()}"))
