"""Cuts the features of a video into windows of one length, the input of models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.features.grid import Grid
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import Config


@dataclass(frozen=True, kw_only=True)
class WindowConfig(Config):
    """How a video becomes windows."""

    mode: Literal["whole", "slide"] = "whole"
    """`whole` resizes every video to one window, as C-TCN does; `slide` cuts windows at the features' own rate."""
    train_overlap: float = 0.75
    """Share of a training window that the next one covers too."""
    test_overlap: float = 0.5
    """The same for detection."""
    coverage: float = 0.75
    """An action belongs to a training window when this share of its length lies inside."""
    background: float = 0.3
    """Share of the windows of a training step that hold no action, not even a part of one, beside the `train.batch`
    that do; 0 leaves such out, as the papers do. Where the training videos have no such window it changes nothing."""
    mining: int = 3
    """How many times in a training a sample of the windows without an action is scored: half of those drawn are then
    of the tenth in which the model sees most. 0 draws all alike."""

    def __post_init__(self) -> None:
        for name in ("train_overlap", "test_overlap", "background"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"windows.{name} = {getattr(self, name)}: must lie in [0, 1)")
        if not 0 <= self.coverage <= 1:
            raise ValueError(f"windows.coverage = {self.coverage}: must lie in [0, 1]")
        if self.mining < 0:
            raise ValueError(f"windows.mining = {self.mining}: must be at least 0")


class Window(NamedTuple):
    """One input of a model: features in float32 and how they lie in time, padded after `valid_length` snippets."""

    values: Float[np.ndarray, "channels length"]
    valid_length: int
    grid: Grid


def window_starts(snippets: int, length: int, overlap: float) -> range:
    """Return the first snippets of windows that cover a video; the last one ends no sooner than the video."""
    stride = max(1, round(length * (1 - overlap)))
    return range(0, max(1, snippets - length + stride), stride)


def cut_windows(features: VideoFeatures, config: WindowConfig, length: int) -> Iterator[Window]:
    """Yield the windows of a video for detection, in order."""
    if config.mode == "whole":
        whole = features.resize(length)
        yield pad_window(np.asarray(whole.values), whole.grid, length)
        return
    for first in window_starts(len(features), length, config.test_overlap):
        part = features[first : first + length]
        yield pad_window(np.asarray(part.values), part.grid, length)


def pad_window(values: Float[np.ndarray, "time channels"], grid: Grid, length: int) -> Window:
    """Transpose snippets to channels x time, and pad them with zeros to a window."""
    padded = np.zeros((values.shape[1], length), np.float32)
    padded[:, : len(values)] = values.T
    return Window(padded, len(values), grid)
