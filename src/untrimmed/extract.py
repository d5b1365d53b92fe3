"""Videos to features: sampled frames through a backbone, a description of their motion beside it, file by file."""

import math
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from traceback import format_exc
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import torch
from jaxtyping import Float32
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from untrimmed import video
from untrimmed.backbones import efficientnet_lite
from untrimmed.config import Config
from untrimmed.errors import BadInput, missing
from untrimmed.feature_folder import FeatureWriter
from untrimmed.features import FeatureSource, VideoFeatures
from untrimmed.features import describe as name_of
from untrimmed.flow import GAP, Preset, describe, displacement

# Pixels of the shorter side at which frames are decoded: what the backbone sees, and about the size at which
# dense inverse search was measured.
_SIZE = 224


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How videos become features."""

    backbone: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    """The network that sees the frames."""
    fps: float = 5.0
    """Snippets a second; the backbone sees one frame of each."""
    flow: bool = True
    """Whether a description of the motion (optical flow) stands after the backbone's features."""
    flow_preset: Preset = "medium"
    """`fast` takes a fifth of the time of `medium` and is three times as far off."""
    batch: int = 16
    """Frames that the backbone sees at a time."""
    allow_truncated: bool = False
    """Whether to use what can be decoded of a file that ends early, rather than refuse it."""

    def __post_init__(self) -> None:
        if not 0 < self.fps < math.inf:
            raise BadInput(f"extract.fps={self.fps} is no frame rate; give a positive number")
        if self.batch < 1:
            raise BadInput(f"extract.batch={self.batch} is no number of frames; give 1 or more")


class Extracted(NamedTuple):
    """What became of some videos: extracted now, there already, or refused, each with its sentence."""

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: Mapping[Path, str]


def source_of(config: ExtractConfig) -> FeatureSource:
    """Where the features of these settings come from: what a detector that is trained on them asks for."""
    motion = {"medium": "dis-flow", "fast": "dis-fast-flow"}[config.flow_preset]
    return FeatureSource(
        backbone=config.backbone, fps=config.fps, streams=("rgb", motion) if config.flow else ("rgb",)
    )


def config_of(source: FeatureSource) -> ExtractConfig:
    """The settings that make features of a source: the inverse of `source_of`. BadInput where none do."""
    presets: tuple[Preset, ...] = get_args(Preset)
    for preset, flow in product(presets, (True, False)):
        config = ExtractConfig(fps=source.fps, flow=flow, flow_preset=preset)
        if source_of(config) == source:
            return config
    raise BadInput(
        f"features from {name_of(source)} cannot be made of a video here; give feature files instead of videos"
    )


def find_videos(path: Path) -> list[Path]:
    """A video file itself, or the files in a folder with the ending of a video, sorted."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise missing(path, "video or folder of videos")
    videos = sorted(file for file in path.iterdir() if file.suffix.lower() in video.ENDINGS and file.is_file())
    if not videos:
        raise BadInput(f"{path}: holds no video; files that end in {', '.join(video.ENDINGS)} were looked for")
    return videos


def extract_video(
    path: Path, config: ExtractConfig, reached: Callable[[float], object] | None = None
) -> VideoFeatures:
    """The features of one video, single precision. Raises BadInput for an unusable file.

    `reached` is told the seconds that are done from time to time.
    """
    info = video.probe(path)
    chunks = []
    with _one_thread():
        for chunk in _batches(_moments(path, config), config.batch):
            chunks.append(_vectors(chunk, config))
            if reached:
                reached(min(chunk[-1].frame.time, info.duration))
    values = np.concatenate(chunks)
    source = source_of(config)
    # Of a file that ends early, the time that its snippets show.
    duration = min(info.duration, (len(values) + 0.5) / config.fps)
    return VideoFeatures(values, source.grid, duration, source)


def extract(
    videos: Sequence[Path],
    out: Path,
    config: ExtractConfig,
    workers: int = 1,
    quiet: bool = True,
) -> Extracted:
    """Extract videos into a feature folder, each under its file name without ending.

    What the folder holds already is left as it is, so a run that was stopped goes on where it was. `workers`
    processes take a video each; with one, nothing is started. Unless `quiet`, a bar on standard error shows the
    time that is left. A video that cannot be used does not stop the
    others. Raises BadInput when two videos have one name, or the folder holds features of another source.
    """
    if workers < 1:
        raise BadInput(f"workers={workers} is no number of processes; give 1 or more")
    _check_names(videos)
    writer = FeatureWriter(Path(out), source_of(config))
    skipped = tuple(path for path in videos if path.stem in writer)
    waiting = [path for path in videos if path.stem not in writer]
    done, failed = set(), {}
    with _tally(waiting, quiet) as tally, closing(_results(waiting, config, workers, tally)) as results:
        for path, result in results:
            if isinstance(result, str):
                failed[path] = result
            else:
                writer.write(path.stem, result)
                done.add(path)
            tally.finished(path)
    return Extracted(
        tuple(path for path in videos if path in done),
        skipped,
        {path: failed[path] for path in videos if path in failed},
    )


class _Tally:
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
def _tally(videos: Sequence[Path], quiet: bool) -> Iterator[_Tally]:
    if quiet:
        yield _Tally(videos, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as display:
        yield _Tally(videos, display)


def _length(path: Path) -> float:
    try:
        return video.probe(path).duration
    except BadInput:
        return 0.0  # extraction will meet it again, and report it


def _check_names(videos: Sequence[Path]) -> None:
    named: dict[str, Path] = {}
    for path in videos:
        if path.stem in named:
            raise BadInput(f"{named[path.stem]} and {path} would both be called {path.stem}; rename one of them")
        named[path.stem] = path


def _moments(path: Path, config: ExtractConfig) -> Iterator[video.Moment]:
    """The decoding half of extraction. Without flow there is no second frame to wait for."""
    gap = GAP if config.flow else 0.0
    return video.moments(path, config.fps, gap, _SIZE, allow_truncated=config.allow_truncated)


def _vectors(moments: list[video.Moment], config: ExtractConfig) -> Float32[np.ndarray, "time channels"]:
    """The computing half of extraction."""
    seen = efficientnet_lite.embed(_network(), [moment.frame.image for moment in moments])
    if not config.flow:
        return seen
    return np.concatenate([seen, [_motion(moment, config) for moment in moments]], axis=1)


def _motion(moment: video.Moment, config: ExtractConfig) -> Float32[np.ndarray, " channels"]:
    pixels = displacement(moment.before.image, moment.after.image, config.flow_preset)
    return describe(pixels, moment.after.time - moment.before.time)


def _batches(moments: Iterator[video.Moment], size: int) -> Iterator[list[video.Moment]]:
    while batch := list(islice(moments, size)):
        yield batch


@cache
def _network() -> efficientnet_lite.EfficientNetLite0:
    return efficientnet_lite.pretrained()


@contextmanager
def _one_thread() -> Iterator[None]:
    # Videos run side by side instead; and flow, which is computed in one stripe a thread, gives the same everywhere.
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


_Reached = Callable[[Path, float], object]
_Results = Generator[tuple[Path, VideoFeatures | str]]


def _results(videos: Sequence[Path], config: ExtractConfig, workers: int, tally: _Tally) -> _Results:
    """Each video with its features, or the sentence why there are none, as they come."""
    if workers > 1 and len(videos) > 1:
        yield from _in_processes(videos, config, workers, tally)
        return
    for path in videos:
        yield path, _attempt(path, config, tally.reached)


def _attempt(path: Path, config: ExtractConfig, reached: _Reached) -> VideoFeatures | str:
    try:
        return extract_video(path, config, lambda seconds: reached(path, seconds))
    except BadInput as error:
        return str(error)


def _in_processes(videos: Sequence[Path], config: ExtractConfig, workers: int, tally: _Tally) -> _Results:
    """A worker is given one video at a time over a pipe, and sends back how far it is, and last the result."""
    context = multiprocessing.get_context("spawn")
    waiting = deque(videos)
    crew: dict[Connection, _Worker] = {}
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                worker = _start(context, config)
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


def _received(worker: _Worker) -> VideoFeatures | str | float:
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
            pipe.send(_attempt(path, config, lambda _, seconds: pipe.send(float(seconds))))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except Exception:
            pipe.send(RuntimeError(f"extraction failed in a worker:\n{format_exc()}"))
