"""Features of one video: a thread decodes the next frames while the backbone sees the last ones."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir

import numpy as np
from jaxtyping import Float32

from untrimmed.extraction.extractors import create_extractor
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import name_disk_faults
from untrimmed.video.prefetch import prefetch
from untrimmed.video.probe import probe_video
from untrimmed.video.threads import ONE_CV2_THREAD, ONE_TORCH_THREAD

# Batches that are decoded in advance.
_PREFETCH = 2
# Bytes of features that stay in memory.
_SPILL = 64 * 2**20


def extract_video(
    path: str | Path, config: ExtractConfig, report: Callable[[float], object] | None = None
) -> VideoFeatures:
    """Compute the features of one video, single precision.

    `report` is called with the seconds that are done after each batch. Raises BadInput for an unusable file.
    """
    path = Path(path)
    info = probe_video(path)
    config = resolve_config(config, [path])
    source = build_source(config)
    extractor = create_extractor(config)

    batches = prefetch(extractor.read_batches(path), _PREFETCH)
    with ONE_CV2_THREAD, ONE_TORCH_THREAD, closing(batches):
        chunks = extractor.compute_features(batches)
        values = join_chunks(_report_seconds(chunks, source.grid, info.duration, report) if report else chunks)
    # Of a file that ends early, the time that its snippets show.
    duration = min(info.duration, float(source.grid.seconds(len(values) + 0.5)))
    return VideoFeatures(values, source.grid, duration, source)


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
