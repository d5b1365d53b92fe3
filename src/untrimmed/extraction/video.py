"""Features of one video: a thread decodes the next frames while the backbone sees the last ones."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Any

import numpy as np
from jaxtyping import Float32

from untrimmed import __version__
from untrimmed.extraction.extractors import Extractor, SnippetBatch, create_extractor
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import VideoFeatures
from untrimmed.features.work_log import WorkLog, hold_path, pack_arrays, unpack_arrays
from untrimmed.io import name_disk_faults
from untrimmed.video.prefetch import prefetch
from untrimmed.video.probe import probe_video
from untrimmed.video.threads import ONE_CV2_THREAD, ONE_TORCH_THREAD

# Batches that are decoded in advance.
_PREFETCH = 2
# Bytes of features that stay in memory.
_SPILL = 64 * 2**20


def extract_video(
    path: str | Path,
    config: ExtractConfig,
    report: Callable[[float], object] | None = None,
    part: Path | None = None,
) -> VideoFeatures:
    """Compute the features of one video, single precision.

    `report` is called with the seconds that are done after each batch. In the file `part`, what is done is kept batch
    by batch, so that another call goes on there; whoever has written the features removes it. Raises BadInput for an
    unusable file, and where another process extracts to the same part.
    """
    path = Path(path)
    info = probe_video(path)
    config = resolve_config(config, [path])
    source = build_source(config)
    extractor = create_extractor(config)

    with open_part(part, path, config) if part else nullcontext() as log:
        batches = prefetch(_read_further(extractor, path, log), _PREFETCH)
        with ONE_CV2_THREAD, ONE_TORCH_THREAD, closing(batches):
            chunks = _compute_chunks(extractor, batches, log)
            values = join_chunks(_report_seconds(chunks, source.grid, info.duration, report) if report else chunks)
    # Of a file that ends early, the time that its snippets show.
    duration = min(info.duration, float(source.grid.seconds(len(values) + 0.5)))
    return VideoFeatures(values, source.grid, duration, source)


@contextmanager
def open_part(part: Path, video: Path, config: ExtractConfig) -> Iterator[WorkLog]:
    """Open the file in which the batches of a video are kept, each with the mark of its last snippet."""
    sentence = f"{video}: another process extracts it to {part.parent} just now; wait until it ends"
    with hold_path(part, sentence), WorkLog(part, _build_key(video, config)) as log:
        yield log


def describe_start(part: Path, video: Path, config: ExtractConfig) -> str | None:
    """Say where the extraction of a video goes on, or why it begins anew; None where nothing of it is done yet."""
    if not part.exists():
        return None
    with open_part(part, video, config) as log:
        if log.difference:
            return f"{video}: what was done of it cannot be used, as {log.difference}; it begins anew"
        count = len(log) * len([*unpack_arrays(log[-1])][-1]) if log else 0
    seconds = float(build_source(config).grid.seconds(count))
    return f"{video}: goes on after {seconds:.0f} s" if count else None


def _build_key(video: Path, config: ExtractConfig) -> dict[str, Any]:
    """Build what decides on the features of a video; their batches are of one size."""
    status = video.stat()
    return {
        "file": [status.st_size, status.st_mtime_ns],
        "version": __version__,
        "source": asdict(build_source(config)),
        "batch": config.batch,
    }


def _read_further(extractor: Extractor, path: Path, log: WorkLog | None) -> Generator[SnippetBatch, None, None]:
    """Read what a log lacks of a video."""
    if not log:
        return extractor.read_batches(path)
    mark, _ = unpack_arrays(log[-1])
    return extractor.read_batches(path, len(log) * extractor.batch_size, mark.tobytes())


def _compute_chunks(
    extractor: Extractor, batches: Iterable[SnippetBatch], log: WorkLog | None
) -> Iterator[Float32[np.ndarray, "batch channels"]]:
    """Yield the features in a log, and compute and add the others; a last batch that is not full is no part of it."""
    marks = deque[bytes]()

    def list_snippets() -> Iterator[list[Any]]:
        for batch in batches:
            marks.append(batch.mark)
            yield batch.snippets

    for place in range(len(log or ())):
        yield from islice(unpack_arrays(log[place]), 1, None)  # pyright: ignore[reportOptionalSubscript]
    for chunk in extractor.compute_features(list_snippets()):
        mark = marks.popleft()
        if log is not None and len(chunk) == extractor.batch_size:
            log.append(pack_arrays(np.frombuffer(mark, np.uint8), np.asarray(chunk, np.float32)))
        yield chunk


def join_chunks(
    chunks: Iterable[Float32[np.ndarray, "batch channels"]],
) -> Float32[np.ndarray, "time channels"]:
    """Join feature vectors; above 64 MiB they are mapped from a temporary file, which goes when the array does."""
    width = 0
    with SpooledTemporaryFile(_SPILL) as file:
        for chunk in chunks:
            with name_disk_faults(Path(gettempdir())):
                file.write(np.ascontiguousarray(chunk, np.float32).data)
            width = chunk.shape[1]
        size = file.tell()
        if size > _SPILL:
            with name_disk_faults(Path(gettempdir())):
                file.flush()
            return np.memmap(file, np.float32, "r", shape=(size // (4 * width), width))
        file.seek(0)
        return np.frombuffer(bytearray(file.read()), np.float32).reshape(-1, width)


def _report_seconds(
    chunks: Iterable[np.ndarray], grid: Grid, duration: float, report: Callable[[float], object]
) -> Iterator[np.ndarray]:
    count = 0
    for chunk in chunks:
        yield chunk
        count += len(chunk)
        report(min(float(grid.seconds(count)), duration))
