"""One video to features: it is decoded in a thread while the backbone sees what was decoded before."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.lite_extractor import Lite
from untrimmed.extraction.published_extractor import Published
from untrimmed.extraction.settings import ExtractConfig, settled, source_of
from untrimmed.features.video_features import VideoFeatures
from untrimmed.video import sampling as video
from untrimmed.video.prefetch import ahead

# Batches that are decoded before they are looked at.
_AHEAD = 2
# Bytes of features that stay in memory.
_SPILL = 64 * 2**20


def extract_video(
    path: Path, config: ExtractConfig, reached: Callable[[float], object] | None = None
) -> VideoFeatures:
    """The features of one video, single precision. Raises BadInput for an unusable file.

    `reached` is told the seconds that are done from time to time.
    """
    info = video.probe(path)
    config = settled(config, [path])
    source = source_of(config)
    extractor = extractor_of(config)
    rows, count = Rows(), 0
    with _one_thread(), closing(ahead(extractor.batches(path), _AHEAD)) as batches:
        for chunk in extractor.vectors(batches):
            rows.append(chunk)
            count += len(chunk)
            if reached:
                reached(min(float(source.grid.seconds(count)), info.duration))
    values = rows.joined()
    # Of a file that ends early, the time that its snippets show.
    duration = min(info.duration, float(source.grid.seconds(len(values) + 0.5)))
    return VideoFeatures(values, source.grid, duration, source)


def extractor_of(config: ExtractConfig) -> Extractor:
    """The backbone of settled settings. Raises BadInput for weights that are absent or of another network."""
    return Lite(config) if config.is_lite else Published(config)


class Rows:
    """Vectors as they come, joined at the end; many are kept in a temporary file, which goes when the array does."""

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []
        self._file = None
        self._shape = (0, 0)

    def append(self, chunk: Float32[np.ndarray, "time channels"]) -> None:
        self._chunks.append(chunk)
        self._shape = self._shape[0] + len(chunk), chunk.shape[1]
        if sum(one.nbytes for one in self._chunks) > _SPILL:
            self._file = self._file or TemporaryFile()  # noqa: SIM115  # `joined` closes it
            self._empty(self._file)

    def joined(self) -> Float32[np.ndarray, "time channels"]:
        if self._file is None:
            return np.concatenate(self._chunks)
        with self._file as file:
            self._empty(file)
            file.flush()
            return np.memmap(file, np.float32, "r", shape=self._shape)

    def _empty(self, file: IO[bytes]) -> None:
        for chunk in self._chunks:
            file.write(np.ascontiguousarray(chunk, np.float32).tobytes())
        self._chunks = []


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
