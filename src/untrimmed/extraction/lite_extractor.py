"""The default extractor: EfficientNet-Lite0 sees one frame a snippet; a descriptor of the optical flow follows."""

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from jaxtyping import Float32

from untrimmed.extraction.backbones import efficientnet_lite
from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.video.decoding import DecodedFrame
from untrimmed.video.flow import GAP, compute_dis_flow, describe_flow
from untrimmed.video.sampling import FramePair, PictureConverter, pair_frames


class LiteExtractor(Extractor):
    """The backbone that comes with the package."""

    # What the network sees, and about the size at which dense inverse search was measured.
    size = efficientnet_lite.SIZE

    def __init__(self, config: ExtractConfig) -> None:
        self.config, self.batch_size = config, config.batch
        self.network = _load_network(config.device)
        # Without flow there is no second frame to wait for.
        self._gap = GAP if config.flow else 0.0

    def sample_snippets(self, frames: Iterator[DecodedFrame], pictures: PictureConverter) -> Iterator[FramePair]:
        return map(pictures.convert_pair, pair_frames(frames, self.config.resolved_fps, self._gap))

    def compute_features(self, batches: Iterable[list[FramePair]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        for pairs in batches:
            features = efficientnet_lite.embed_pictures(self.network, [pair.frame.image for pair in pairs])
            if self.config.flow:
                features = np.concatenate([features, [self.describe_motion(pair) for pair in pairs]], axis=1)
            yield features

    def describe_motion(self, pair: FramePair) -> Float32[np.ndarray, " channels"]:
        """Compute the descriptor of the optical flow at a snippet."""
        search = "dis-fast" if self.config.flow_method == "dis-fast" else "dis"
        flow = compute_dis_flow(pair.earlier.image, pair.later.image, search)
        return describe_flow(flow, pair.later.time - pair.earlier.time)


@cache
def _load_network(device: str) -> efficientnet_lite.EfficientNetLite0:
    return efficientnet_lite.load_efficientnet_lite0().to(device)
