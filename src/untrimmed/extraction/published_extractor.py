"""The extractor of published networks: clips, or the frames about single moments, as RGB and as optical flow."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from untrimmed.extraction.backbones import video_transformers, zoo
from untrimmed.extraction.backbones.preprocessing import PictureSize, Preprocessing, preprocess_clip, resize
from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.settings import ExtractConfig, FlowMethod, hash_weights
from untrimmed.video.clips import FrameClip, cut_clips, cut_stacks
from untrimmed.video.decoding import DecodedFrame
from untrimmed.video.flow import Search, compute_dis_flow, quantise_flow, to_grey
from untrimmed.video.sampling import Frame, PictureConverter
from untrimmed.video.tvl1 import compute_tvl1_flow

# A batch has a quarter as many clips as single moments.
_CLIP_SHARE = 4

Picture = UInt8[np.ndarray, "height width channels"]


class Stream(NamedTuple):
    """A network on its device, and the preprocessing that it needs."""

    network: nn.Module
    preprocessing: Preprocessing


class PublishedExtractor(Extractor):
    """One or more published networks, whose features are concatenated."""

    def __init__(self, config: ExtractConfig) -> None:
        self.config = config
        self.streams = [
            _load_stream(name, Path(weights), hash_weights(name, Path(weights)), config.device)
            for name, weights in zip(config.backbones, config.weights, strict=True)
        ]
        preprocessings = [stream.preprocessing for stream in self.streams]
        self._stacks = preprocessings[0].layout == "stack"
        # A flow picture needs the frame after its own.
        self._frames = max(each.frames + (each.stream == "flow") for each in preprocessings)
        self.batch_size = max(1, config.batch // (1 if self._stacks else _CLIP_SHARE))
        # Only pictures that all streams resize alike can be resized once, while they are decoded or just after.
        sizes = {each.resize for each in preprocessings}
        size = sizes.pop() if len(sizes) == 1 else None
        self.size = size if isinstance(size, int) else None
        self._fixed_size = size if isinstance(size, PictureSize) else None

    def sample_snippets(self, frames: Iterator[DecodedFrame], pictures: PictureConverter) -> Iterator[FrameClip]:
        fps = self.config.resolved_fps
        if self._stacks:
            snippets = cut_stacks(frames, fps, self._frames, pictures)
        else:
            snippets = cut_clips(frames, self._frames, self.config.stride or 1, fps, pictures)
        return map(ClipResizer(self._fixed_size), snippets) if self._fixed_size else snippets

    def compute_features(self, batches: Iterable[list[FrameClip]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        flows = FlowCache(self.config.flow_method or "tvl1", self.config.device)
        for batch in batches:
            yield np.concatenate([self._embed(stream, batch, flows) for stream in self.streams], axis=1)

    def _embed(
        self, stream: Stream, batch: list[FrameClip], flows: "FlowCache"
    ) -> Float32[np.ndarray, "batch channels"]:
        pictures = self._select_pictures(stream.preprocessing, batch, flows)
        inputs = torch.stack([preprocess_clip(stream.preprocessing, clip) for clip in pictures])
        return zoo.embed_clips(stream.network, inputs)

    def _select_pictures(
        self, preprocessing: Preprocessing, batch: list[FrameClip], flows: "FlowCache"
    ) -> list[UInt8[np.ndarray, "time height width channels"]]:
        if preprocessing.stream == "flow":
            return flows.compute([clip.frames[: preprocessing.frames + 1] for clip in batch], preprocessing)
        if self._stacks:
            return [clip.frames[(len(clip.frames) - 1) // 2].image[None] for clip in batch]
        return [np.stack([frame.image for frame in clip.frames[: preprocessing.frames]]) for clip in batch]


class ClipResizer:
    """Resizes the frames of successive clips to the size that a network needs; as decoded they take more memory."""

    def __init__(self, size: PictureSize) -> None:
        self.size = size
        self._cache: dict[float, Picture] = {}

    def __call__(self, clip: FrameClip) -> FrameClip:
        # Clips share frames: those of the last clip are in the cache.
        images: dict[float, Picture] = {}
        for time, image in clip.frames:
            if time not in images:
                images[time] = self._cache[time] if time in self._cache else resize(image, self.size)
        self._cache = images
        return clip._replace(frames=tuple(frame._replace(image=images[frame.time]) for frame in clip.frames))


class FlowCache:
    """Quantised flow between successive frames of one video, each computed once though clips share it."""

    def __init__(self, method: FlowMethod, device: str) -> None:
        self._compute: Callable[[list[np.ndarray], list[np.ndarray]], np.ndarray] = (
            partial(_compute_tvl1, device=device) if method == "tvl1" else partial(_compute_dis, search=method)
        )
        self._cache: dict[tuple[float, float, PictureSize], Picture] = {}

    def compute(
        self, batch: Sequence[Sequence[Frame]], preprocessing: Preprocessing
    ) -> list[UInt8[np.ndarray, "time height width 2"]]:
        """Compute, for each row of frames, the flow from each to the next, on frames of the size before the crop."""
        size = preprocessing.compute_size(*batch[0][0].image.shape[:2])
        pairs = {(a.time, b.time, size): (a, b) for row in batch for a, b in pairwise(row)}
        flows = {key: flow for key, flow in self._cache.items() if key in pairs}
        if missing := {key: pair for key, pair in pairs.items() if key not in flows}:
            first, second = (
                [to_grey(resize(frame.image, size)) for frame in side] for side in zip(*missing.values(), strict=True)
            )
            flows |= zip(missing, quantise_flow(self._compute(first, second)), strict=True)
        self._cache = flows
        return [np.stack([flows[a.time, b.time, size] for a, b in pairwise(row)]) for row in batch]


def _compute_tvl1(
    first: list[np.ndarray], second: list[np.ndarray], device: str
) -> Float32[np.ndarray, "pairs height width 2"]:
    first_frames, second_frames = (torch.from_numpy(np.stack(side)).to(device) for side in (first, second))
    return compute_tvl1_flow(first_frames, second_frames).permute(0, 2, 3, 1).cpu().numpy()


def _compute_dis(
    first: list[np.ndarray], second: list[np.ndarray], search: Search
) -> Float32[np.ndarray, "pairs height width 2"]:
    return np.stack([compute_dis_flow(a, b, search) for a, b in zip(first, second, strict=True)])


@cache
def _load_stream(name: str, weights: Path, digest: str, device: str) -> Stream:
    """Load a network once for all videos; `digest` tells one content of its file from another."""
    if name == video_transformers.TRANSFORMERS:
        network = video_transformers.load_video_transformer(weights)
        return Stream(network.to(device), network.preprocessing)
    backbone = zoo.find_backbone(name)
    return Stream(zoo.load_backbone(backbone, weights).to(device), backbone.preprocessing)
