"""Backbones as extractors: one half reads snippets of a video, the other computes their features."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from untrimmed.extraction.backbones import efficientnet_lite, video_transformers, zoo
from untrimmed.extraction.backbones.preprocessing import PictureSize, Preprocessing, preprocess_clip, resize
from untrimmed.extraction.settings import ExtractConfig, FlowMethod, hash_weights
from untrimmed.video.clips import FrameClip, cut_clips, cut_stacks
from untrimmed.video.decoding import DecodedFrame, DecodingReport, decode_complete
from untrimmed.video.flow import GAP, compute_dis_flow, describe_flow, quantise_flow, to_grey
from untrimmed.video.sampling import Frame, FramePair, PictureConverter, pair_frames
from untrimmed.video.tvl1 import compute_tvl1_flow

# A batch has a quarter as many clips as single moments.
_CLIP_SHARE = 4

# Seconds of frames before a snippet that it may need: those around its own, for motion.
_LEAD = 2.0
_MARK = 16

Picture = UInt8[np.ndarray, "height width channels"]


class SnippetBatch(NamedTuple):
    """Snippets that the network sees at a time, and the mark of the last one, see `mark_snippet`."""

    snippets: list[Any]
    mark: bytes


def mark_snippet(snippet: FramePair[Frame] | FrameClip | None, report: DecodingReport) -> bytes:
    """Digest the times and pictures of a snippet; nothing where there is none, or after damage in the file."""
    if snippet is None or report.lost:
        return b""
    digest = blake2b(digest_size=_MARK)
    for time, image in snippet.frames if isinstance(snippet, FrameClip) else (snippet.earlier, snippet.later):
        digest.update(np.float64(time).tobytes())
        digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


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
    def sample_snippets(
        self, frames: Iterator[DecodedFrame], pictures: PictureConverter, first: int = 0
    ) -> Iterator[Any]:
        """Yield the network's input for each snippet from `first` on while the frames of a video arrive.

        Nothing without frames.
        """

    @abstractmethod
    def compute_features(self, batches: Iterable[list[Any]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        """Yield the feature vectors of each batch of one video's snippets."""

    def read_batches(self, path: Path, first: int = 0, mark: bytes = b"") -> Generator["SnippetBatch", None, None]:
        """Yield the snippets of a video file from `first` on, `batch_size` at a time.

        Decoding begins at a keyframe shortly before; where the snippet before `first` then has another mark than
        `mark`, which it had before, at the start of the file. Raises BadInput for an unusable file.
        """
        report, snippets = self._read_snippets(path, max(first - 1, 0))
        if first and mark_snippet(next(snippets, None), report) != mark:
            report, snippets = self._read_snippets(path, 0)
            next(islice(snippets, first - 1, first), None)
        while batch := list(islice(snippets, self.batch_size)):
            yield SnippetBatch(batch, mark_snippet(batch[-1], report))

    def _read_snippets(self, path: Path, first: int) -> tuple[DecodingReport, Iterator[Any]]:
        """Read snippets from `first` on, decoding from the keyframe before it where the container allows it."""
        pictures = PictureConverter(self.size)
        start = max(0.0, first * (self.config.stride or 1) / self.config.resolved_fps - _LEAD) if first else 0.0
        frames = decode_complete(path, pictures.report, self.config.allow_truncated, start)
        return pictures.report, self.sample_snippets(frames, pictures, first)


def create_extractor(config: ExtractConfig) -> Extractor:
    """Create the backbone of resolved settings. Raises BadInput for absent weights or those of another network."""
    return LiteExtractor(config) if config.is_lite else PublishedExtractor(config)


class LiteExtractor(Extractor):
    """The default: EfficientNet-Lite0 sees one frame a snippet; a descriptor of the optical flow follows."""

    # What the network sees, and about the size at which dense inverse search was measured.
    size = efficientnet_lite.SIZE

    def __init__(self, config: ExtractConfig) -> None:
        self.config, self.batch_size = config, config.batch
        self.network = _load_lite(config.device)
        # Without flow there is no second frame to wait for.
        self._gap = GAP if config.flow else 0.0

    def sample_snippets(
        self, frames: Iterator[DecodedFrame], pictures: PictureConverter, first: int = 0
    ) -> Iterator[FramePair]:
        return map(pictures.convert_pair, pair_frames(frames, self.config.resolved_fps, self._gap, first))

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
def _load_lite(device: str) -> efficientnet_lite.EfficientNetLite0:
    return efficientnet_lite.load_efficientnet_lite0().to(device)


class Stream(NamedTuple):
    """A network on its device, and the preprocessing that it needs."""

    network: nn.Module
    preprocessing: Preprocessing


@cache
def _load_stream(name: str, weights: Path, digest: str, device: str) -> Stream:
    """Load a network once for all videos; `digest` tells one content of its file from another."""
    if name == video_transformers.TRANSFORMERS:
        network = video_transformers.load_video_transformer(weights)
        return Stream(network.to(device), network.preprocessing)
    backbone = zoo.find_backbone(name)
    return Stream(zoo.load_backbone(backbone, weights).to(device), backbone.preprocessing)


class PublishedExtractor(Extractor):
    """One or more published networks, whose features are concatenated.

    They see clips, or the frames about single moments, as RGB and as optical flow.
    """

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

    def sample_snippets(
        self, frames: Iterator[DecodedFrame], pictures: PictureConverter, first: int = 0
    ) -> Iterator[FrameClip]:
        fps = self.config.resolved_fps
        if self._stacks:
            snippets = cut_stacks(frames, fps, self._frames, pictures, first)
        else:
            snippets = cut_clips(frames, self._frames, self.config.stride or 1, fps, pictures, first)
        return resize_clips(snippets, self._fixed_size) if self._fixed_size else snippets

    def compute_features(self, batches: Iterable[list[FrameClip]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        flows = FlowCache(self.config.flow_method or "tvl1", self.config.device)
        for batch in batches:
            yield np.concatenate([self._embed(stream, batch, flows) for stream in self.streams], axis=1)

    def _embed(
        self, stream: Stream, batch: list[FrameClip], flows: "FlowCache"
    ) -> Float32[np.ndarray, "batch channels"]:
        preprocessing = stream.preprocessing
        if preprocessing.stream == "flow":
            pictures = flows.compute([clip.frames[: preprocessing.frames + 1] for clip in batch], preprocessing)
        elif self._stacks:
            pictures = [clip.frames[(len(clip.frames) - 1) // 2].image[None] for clip in batch]
        else:
            pictures = [np.stack([frame.image for frame in clip.frames[: preprocessing.frames]]) for clip in batch]
        inputs = torch.stack([preprocess_clip(preprocessing, clip) for clip in pictures])
        return zoo.embed_clips(stream.network, inputs)


def resize_clips(clips: Iterable[FrameClip], size: PictureSize) -> Iterator[FrameClip]:
    """Resize the frames of successive clips to the size that a network needs; as decoded they take more memory."""
    images: dict[float, Picture] = {}
    for clip in clips:
        # Clips share frames: those of the last clip are resized already.
        previous, images = images, {}
        for time, image in clip.frames:
            if time not in images:
                images[time] = previous[time] if time in previous else resize(image, size)
        yield clip._replace(frames=tuple(frame._replace(image=images[frame.time]) for frame in clip.frames))


class FlowCache:
    """Quantised flow between successive frames of one video, each computed once though clips share it."""

    def __init__(self, method: FlowMethod, device: str) -> None:
        self._method: FlowMethod = method
        self._device = device
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
            if self._method == "tvl1":
                first, second = (torch.from_numpy(np.stack(side)).to(self._device) for side in (first, second))
                motion = compute_tvl1_flow(first, second).permute(0, 2, 3, 1).cpu().numpy()
            else:
                motion = np.stack([compute_dis_flow(a, b, self._method) for a, b in zip(first, second, strict=True)])
            flows |= zip(missing, quantise_flow(motion), strict=True)
        self._cache = flows
        return [np.stack([flows[a.time, b.time, size] for a, b in pairwise(row)]) for row in batch]
