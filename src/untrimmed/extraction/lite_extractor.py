"""What EfficientNet-Lite0 sees of a video, a frame a snippet, and beside it a description of the motion there."""

from collections.abc import Generator, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from untrimmed.extraction.backbones import efficientnet_lite
from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.settings import LITE_FPS, ExtractConfig
from untrimmed.video import sampling as video
from untrimmed.video.decoding import Shown
from untrimmed.video.flow import GAP, describe, displacement

# Pixels of the shorter side at which frames are decoded: what the backbone sees, and about the size at which
# dense inverse search was measured.
SIZE = 224


class Lite(Extractor):
    """The backbone that comes with the package."""

    def __init__(self, config: ExtractConfig) -> None:
        self.config = config
        self.network = _network(config.device)

    def batches(self, path: Path) -> Generator[list[video.Moment], None, None]:
        """The decoding half. Without flow there is no second frame to wait for."""
        config = self.config
        found = video.moments(path, self._fps, self._gap, SIZE, allow_truncated=config.allow_truncated)
        while batch := list(islice(found, config.batch)):
            yield batch

    def pictures(self) -> video.Pictures:
        return video.Pictures(SIZE)

    def arriving(self, frames: Iterator[Shown], pictures: video.Pictures) -> Iterator[video.Moment]:
        return map(pictures.moment, video.around(frames, self._fps, self._gap))

    def vectors(self, batches: Iterable[list[video.Moment]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        """The computing half."""
        for moments in batches:
            seen = efficientnet_lite.embed(self.network, [moment.frame.image for moment in moments])
            if self.config.flow:
                seen = np.concatenate([seen, [self.motion(moment) for moment in moments]], axis=1)
            yield seen

    @property
    def _fps(self) -> float:
        return self.config.fps or LITE_FPS

    @property
    def _gap(self) -> float:
        return GAP if self.config.flow else 0.0

    def motion(self, moment: video.Moment) -> Float32[np.ndarray, " channels"]:
        """The description of the motion at a snippet."""
        search = "dis-fast" if self.config.flow_method == "dis-fast" else "dis"
        pixels = displacement(moment.before.image, moment.after.image, search)
        return describe(pixels, moment.after.time - moment.before.time)


@cache
def _network(device: str) -> efficientnet_lite.EfficientNetLite0:
    return efficientnet_lite.pretrained().to(device)
