"""What makes features of a video: a half that decodes and a half that computes, so that they may overlap."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from untrimmed.video.decoding import Shown
from untrimmed.video.sampling import Pictures


class Extractor(ABC):
    """A backbone with its settings."""

    @abstractmethod
    def batches(self, path: Path) -> Generator[list[Any], None, None]:
        """What is to be seen of a video, snippet by snippet in order. Raises BadInput for an unusable file."""

    @abstractmethod
    def pictures(self) -> Pictures:
        """What turns the frames of one video into pictures as large as the backbone needs them."""

    @abstractmethod
    def arriving(self, frames: Iterator[Shown], pictures: Pictures) -> Iterator[Any]:
        """What is to be seen of a video while its frames still come, one snippet each; none of no frames."""

    @abstractmethod
    def vectors(self, batches: Iterable[list[Any]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        """The feature vectors of the batches of one video."""
