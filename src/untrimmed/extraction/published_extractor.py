"""What published networks see of a video: clips, or the frames about single moments, as pictures and as flow."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn

from untrimmed.extraction.backbones import video_transformers, zoo
from untrimmed.extraction.backbones.preprocessing import Preprocessing, Size, clip_of, scaled
from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.settings import ExtractConfig, FlowMethod, stamp_of
from untrimmed.video.clips import Clip, clips, clips_of, stacks, stacks_of
from untrimmed.video.decoding import Shown
from untrimmed.video.flow import Search, displacement, grey
from untrimmed.video.flow_images import quantised
from untrimmed.video.sampling import Frame, Pictures
from untrimmed.video.tvl1 import displacements

# A batch has a quarter as many clips as single moments.
_SHARE = 4

Picture = UInt8[np.ndarray, "height width channels"]


@dataclass(frozen=True)
class Stream:
    """A network, where it is, and what it expects."""

    network: nn.Module
    preprocessing: Preprocessing

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "time height width channels"]]) -> np.ndarray:
        """A feature vector of each clip."""
        return zoo.embed(self.network, torch.stack([clip_of(self.preprocessing, clip) for clip in pictures]))


class Published(Extractor):
    """The streams of settled settings, side by side."""

    def __init__(self, config: ExtractConfig) -> None:
        self.config = config
        self.streams = [
            _stream(name, Path(weights), stamp_of(name, Path(weights)), config.device)
            for name, weights in zip(config.backbones, config.weights, strict=True)
        ]

    def batches(self, path: Path) -> Generator[list[Clip], None, None]:
        """The decoding half."""
        found = self._squeezed(self._clips(path))
        while batch := list(islice(found, max(1, self.config.batch // (1 if self._stacked else _SHARE)))):
            yield batch

    def pictures(self) -> Pictures:
        return Pictures(self._size)

    def arriving(self, frames: Iterator[Shown], pictures: Pictures) -> Iterator[Clip]:
        rate = _open_rate(self.config)
        if self._stacked:
            return self._squeezed(stacks_of(frames, rate, self._frames, pictures))
        return self._squeezed(clips_of(frames, self._frames, self.config.stride or 1, rate, pictures))

    def vectors(self, batches: Iterable[list[Clip]]) -> Iterator[Float32[np.ndarray, "batch channels"]]:
        """The computing half."""
        flows = Flows(self.config.flow_method or "tvl1", self.config.device)
        for batch in batches:
            parts = [stream.embed(self._pictures(stream.preprocessing, batch, flows)) for stream in self.streams]
            yield np.concatenate(parts, axis=1)

    @property
    def _stacked(self) -> bool:
        return self.streams[0].preprocessing.layout == "stack"

    @property
    def _frames(self) -> int:
        """The frames of a clip: a flow picture needs the frame after its own."""
        return max(one.preprocessing.frames + (one.preprocessing.stream == "flow") for one in self.streams)

    def _clips(self, path: Path) -> Iterator[Clip]:
        config, size = self.config, self._size
        if self._stacked:
            return stacks(path, _open_rate(config), self._frames, size, allow_truncated=config.allow_truncated)
        return clips(path, self._frames, config.stride or 1, config.fps, size, allow_truncated=config.allow_truncated)

    def _squeezed(self, found: Iterator[Clip]) -> Iterator[Clip]:
        size = self.streams[0].preprocessing.resize
        return map(Squeezed(size), found) if isinstance(size, Size) and self._alike else found

    @property
    def _alike(self) -> bool:
        """Whether all streams bring pictures to one size."""
        return len({one.preprocessing.resize for one in self.streams}) == 1

    @property
    def _size(self) -> int | None:
        """The shorter side to decode to, in pixels; None is that of the file."""
        size = self.streams[0].preprocessing.resize
        return size if self._alike and isinstance(size, int) else None

    def _pictures(self, wanted: Preprocessing, batch: list[Clip], flows: "Flows") -> list[np.ndarray]:
        if wanted.stream == "flow":
            return flows.of([clip.frames[: wanted.frames + 1] for clip in batch], wanted)
        if self._stacked:
            return [clip.frames[(len(clip.frames) - 1) // 2].image[None] for clip in batch]
        return [np.stack([frame.image for frame in clip.frames[: wanted.frames]]) for clip in batch]


class Squeezed:
    """Frames in the size that a network is given, whatever their aspect; as decoded they take more memory."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._last: dict[float, Picture] = {}

    def __call__(self, clip: Clip) -> Clip:
        # Clips share frames: those of the last one are at hand.
        images: dict[float, Picture] = {}
        for time, image in clip.frames:
            if time not in images:
                images[time] = self._last[time] if time in self._last else scaled(image, self.size)
        self._last = images
        return clip._replace(frames=tuple(frame._replace(image=images[frame.time]) for frame in clip.frames))


class Flows:
    """Quantised flow between successive frames of one video, each computed once though clips share it."""

    def __init__(self, method: FlowMethod, device: str) -> None:
        self._between = partial(_tvl1, device=device) if method == "tvl1" else partial(_dis, search=method)
        self._last: dict[tuple[float, float, Size], Picture] = {}

    def of(
        self, batch: Sequence[Sequence[Frame]], wanted: Preprocessing
    ) -> list[UInt8[np.ndarray, "time height width 2"]]:
        """For each row of frames, the flow from each to the next, on frames of the size before the crop."""
        size = wanted.resized(*batch[0][0].image.shape[:2])
        pairs = {(a.time, b.time, size): (a, b) for row in batch for a, b in pairwise(row)}
        made = {key: picture for key, picture in self._last.items() if key in pairs}
        if new := {key: pair for key, pair in pairs.items() if key not in made}:
            before, after = (
                [grey(scaled(one.image, size)) for one in side] for side in zip(*new.values(), strict=True)
            )
            made |= zip(new, quantised(self._between(before, after)), strict=True)
        self._last = made
        return [np.stack([made[a.time, b.time, size] for a, b in pairwise(row)]) for row in batch]


def _tvl1(before: list[np.ndarray], after: list[np.ndarray], device: str) -> Float32[np.ndarray, "pairs h w 2"]:
    first, second = (torch.from_numpy(np.stack(side)).to(device) for side in (before, after))
    return displacements(first, second).permute(0, 2, 3, 1).cpu().numpy()


def _dis(before: list[np.ndarray], after: list[np.ndarray], search: Search) -> Float32[np.ndarray, "pairs h w 2"]:
    return np.stack([displacement(a, b, search) for a, b in zip(before, after, strict=True)])


def _open_rate(config: ExtractConfig) -> float:
    if config.fps is None:
        raise ValueError("the frame rate is open; settle the settings first")
    return config.fps


@cache
def _stream(name: str, weights: Path, stamp: str, device: str) -> Stream:
    """A network is loaded once for all videos; `stamp` tells one content of its file from another."""
    if name == video_transformers.TRANSFORMERS:
        made = video_transformers.pretrained(weights)
        return Stream(made.network.to(device), made.preprocessing)
    published = zoo.backbone(name)
    return Stream(zoo.load(published, weights).to(device), published.preprocessing)
