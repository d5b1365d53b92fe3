"""Holds the feature vectors of a video on a grid of snippets, and where they come from."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float

from untrimmed.features.grid import Grid
from untrimmed.io import BadInput, Config

# Snippets that are checked together.
_CHUNK = 4096
DIGITS = 16
"""Hexadecimal digits of the digest of one video: enough against chance, and a checkpoint holds thousands."""

Resampling = Literal["linear", "nearest", "cubic", "area"]
_INTERPOLATION = {
    "linear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSource(Config):
    """Where features come from. A detector only understands features of the source that it was trained on."""

    backbone: str
    """The network or sensor, such as `efficientnet-lite0`."""
    fps: float
    """Frames (or samples) a second that the backbone was given."""
    stride: float = 1
    """Frames from one snippet to the next."""
    window: float = 1
    """Frames that one snippet covers."""
    streams: tuple[str, ...] = ()
    """What is concatenated, in order, such as `rgb`, `flow`."""
    start: float = 0.0
    """Seconds at which the first snippet begins."""
    weights: tuple[str, ...] = ()
    """The first digits of the SHA-256 of each backbone's weights; empty where unknown."""

    def __post_init__(self) -> None:
        for name in ("fps", "stride", "window"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"source.{name} = {getattr(self, name)}: must be above 0")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FeatureSource":
        """Build a source from the JSON of its `asdict`. Raises TypeError for unknown keys."""
        lists = {key: tuple(value[key]) for key in ("streams", "weights") if key in value}
        return cls(**{**value, **lists})

    @property
    def grid(self) -> Grid:
        """How the snippets of a whole video lie in time."""
        return Grid.from_frames(self.stride, self.window, self.fps, self.start)

    @property
    def summary(self) -> str:
        """One line that tells sources apart."""
        streams = "+".join(self.streams) or "one stream"
        weights = f", weights {'+'.join(self.weights)}" if self.weights else ""
        rate = f"{self.fps:g} fps, stride {self.stride:g}, window {self.window:g}"
        return f"{self.backbone} ({streams}, {rate}{weights})"

    def average(self, count: int) -> "FeatureSource":
        """Return the source when `count` snippets at a time are averaged into one."""
        if count == 1:
            return self
        return replace(self, stride=self.stride * count, window=self.window + (count - 1) * self.stride)


@dataclass(frozen=True, slots=True)
class VideoFeatures:
    """Feature vectors of a video or of a part of it, and how they lie in time.

    `duration` is that of the whole video in seconds, also where this is a slice of it.
    """

    values: Float[np.ndarray, "time channels"]
    grid: Grid
    duration: float
    source: FeatureSource

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, snippets: slice) -> "VideoFeatures":
        """Consecutive snippets, `features[a:b]`, with their time."""
        first, last, step = snippets.indices(len(self))
        if step != 1:
            raise ValueError(f"snippets [{first}:{last}:{step}] are not consecutive; use resize for another rate")
        return replace(self, values=self.values[first:last], grid=self.grid.from_snippet(first))

    @property
    def channels(self) -> int:
        """The width of a feature vector."""
        return self.values.shape[1]

    @property
    def end(self) -> float:
        """When the last snippet ends, in seconds."""
        return self.grid.end(len(self))

    def resize(self, count: int, resampling: Resampling = "linear") -> "VideoFeatures":
        """Interpolate to `count` snippets that cover the same time."""
        return replace(
            self, values=resample(self.values, count, resampling), grid=self.grid.resample(len(self), count)
        )

    def average(self, count: int) -> "VideoFeatures":
        """Average every `count` snippets into one; a shorter remainder at the end is dropped."""
        if count == 1:
            return self
        length = len(self) // count
        if length == 0:
            raise ValueError(f"{len(self)} snippets are fewer than the {count} to average")
        groups = np.asarray(self.values[: length * count], np.float32).reshape(length, count, -1)
        grid = Grid(self.grid.step * count, self.grid.span + (count - 1) * self.grid.step, self.grid.start)
        return replace(self, values=groups.mean(1), grid=grid, source=self.source.average(count))


def digest_features(features: VideoFeatures) -> str:
    """Digest the values of a video's features, their source and how they lie in time."""
    values = np.ascontiguousarray(features.values)
    form = [values.shape, values.dtype.str, asdict(features.source), asdict(features.grid)]
    digest = hashlib.sha256(json.dumps(form).encode())
    digest.update(values.data if values.size else b"")
    return digest.hexdigest()[:DIGITS]


def resample(
    values: Float[np.ndarray, "time channels"], count: int, resampling: Resampling = "linear"
) -> Float[np.ndarray, "count channels"]:
    """Interpolate along time to `count` snippets; positions scale with what a snippet covers."""
    if len(values) == count:
        return values
    # A picture with one row a snippet: rows are resized, columns are not.
    picture = np.ascontiguousarray(values, np.float32)
    return cv2.resize(picture, (values.shape[1], count), interpolation=_INTERPOLATION[resampling])


def check_finite(video: str, features: VideoFeatures) -> None:
    """Raise BadInput for features with a NaN or infinity in them."""
    first, count = None, 0
    # Chunk by chunk: those of many hours are a file, which need not be in memory as a whole.
    for start in range(0, len(features), _CHUNK):
        bad = ~np.isfinite(features.values[start : start + _CHUNK])
        if bad.any():
            count += bad.sum()
            first = first or (start + int(np.argwhere(bad)[0][0]), int(np.argwhere(bad)[0][1]))
    if first:
        raise BadInput(
            f"features of {video}: {count} values are not finite, the first is {features.values[first]} at snippet "
            f"{first[0]}, channel {first[1]}, at {features.grid.seconds(first[0]):.2f} s of the video; extract them "
            "again or leave the video out"
        )
