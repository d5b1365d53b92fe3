"""The interface of backbones: one half reads snippets of a video, the other computes their features."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from untrimmed.extraction.settings import ExtractConfig
from untrimmed.video.decoding import DecodedFrame, decode_complete
from untrimmed.video.sampling import PictureConverter


class Extractor(ABC):
    """A backbone with its settings, which `resolve_config` has filled in.

    The two halves are apart so that they may overlap: decoding in a thread, the network outside of it.
    """

    config: ExtractConfig
    size: int | None
    """Pixels of the shorter side at which frames are decoded; None keeps that of the file."""
    batch_size: int
    """Snippets that the network sees at a time."""

    @abstractmethod
    def sample_snippets(self, frames: Iterator[DecodedFrame], pictures: PictureConverter) -> Iterator[Any]:
        """Yield the network's input for each snippet while the frames of a video arrive; nothing without frames."""

    @abstractmethod
    def compute_features(self, batches: Iterable[list[Any]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        """Yield the feature vectors of each batch of one video's snippets."""

    def read_batches(self, path: Path) -> Generator[list[Any], None, None]:
        """Yield the snippets of a video file, `batch_size` at a time. Raises BadInput for an unusable file."""
        pictures = self.create_pictures()
        frames = decode_complete(path, pictures.report, self.config.allow_truncated)
        snippets = self.sample_snippets(frames, pictures)
        while batch := list(islice(snippets, self.batch_size)):
            yield batch

    def create_pictures(self) -> PictureConverter:
        """Create the converter from the frames of one video to pictures of the size that the network needs."""
        return PictureConverter(self.size)
