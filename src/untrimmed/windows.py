"""Cuts annotated features into windows of one length, and stacks windows into batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from untrimmed.augment import AugmentConfig, Clip, augment
from untrimmed.config import Config
from untrimmed.corpus import Corpus
from untrimmed.features import Grid, VideoFeatures, check_finite
from untrimmed.models.base import Targets
from untrimmed.timeline import Timeline


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

    def __post_init__(self) -> None:
        for name in ("train_overlap", "test_overlap"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"windows.{name} = {getattr(self, name)}: must lie in [0, 1)")


class Window(NamedTuple):
    """One input of a model: features in float32 and how they lie in time; what lies past `real` is padding."""

    values: Float[np.ndarray, "channels length"]
    real: int
    grid: Grid


class Batch(NamedTuple):
    """Windows stacked: the mask is True where a snippet is real."""

    x: Float[Tensor, "batch channels time"]
    mask: Bool[Tensor, "batch time"]
    targets: list[Targets]


def starts(snippets: int, length: int, overlap: float) -> range:
    """The first snippets of windows that cover a video, the last one ending no sooner than the video."""
    stride = max(1, round(length * (1 - overlap)))
    return range(0, max(1, snippets - length + stride), stride)


def windows(features: VideoFeatures, config: WindowConfig, length: int) -> Iterator[Window]:
    """The windows of a video for detection, in order."""
    if config.mode == "whole":
        whole = features.resized(length)
        yield _window(np.asarray(whole.values), whole.grid, length)
        return
    for first in starts(len(features), length, config.test_overlap):
        part = features[first : first + length]
        yield _window(np.asarray(part.values), part.grid, length)


def annotate(features: VideoFeatures, timeline: Timeline, classes: tuple[str, ...], coverage: float) -> Clip:
    """The snippets with those actions of which enough lies inside, clipped to them, in positions."""
    actions = [action for action in timeline.actions if action.label in classes]
    seconds = np.array([[action.start, action.end] for action in actions], float).reshape(-1, 2)
    labels = np.array([classes.index(action.label) for action in actions], int)
    segments = features.grid.position(seconds)
    inside = np.clip(segments, 0, len(features))
    length = inside[:, 1] - inside[:, 0]
    kept = (length >= coverage * (segments[:, 1] - segments[:, 0])) & (length > 0)
    return Clip(np.asarray(features.values, np.float32), inside[kept], labels[kept])


class TrainingWindows(torch.utils.data.Dataset):
    """Every window of the training videos that holds an action; an item is drawn anew from (seed, step, index).

    Randomness depends on nothing else, so a run that is resumed draws what it would have drawn.
    """

    def __init__(
        self, corpus: Corpus, config: WindowConfig, augmentation: AugmentConfig, length: int, seed: int
    ) -> None:
        self.corpus, self.config, self.augmentation = corpus, config, augmentation
        self.length, self.seed = length, seed
        self.places = [place for video in corpus.train for place in self._places(video)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Window, Targets]:
        step, index = key
        video, first, last = self.places[index]
        clip = self._clip(video, first, last)
        random = np.random.default_rng([self.seed, step, index])
        # A window is as long as the model's, or shorter where the video is; only a whole video is stretched.
        length = self.length if self.config.mode == "whole" else len(clip.values)
        clip = augment(clip, self.augmentation, length, random)
        targets = Targets(torch.from_numpy(clip.segments).float(), torch.from_numpy(clip.labels))
        return _window(clip.values, Grid(1, 1), self.length), targets

    def _places(self, video: str) -> list[tuple[str, int, int]]:
        snippets = len(self.corpus.features[video])
        if self.config.mode == "whole":
            places = [(video, 0, snippets)]
        else:
            firsts = starts(snippets, self.length, self.config.train_overlap)
            places = [(video, first, min(snippets, first + self.length)) for first in firsts]
        return [place for place in places if len(self._clip(*place).labels)]

    def _clip(self, video: str, first: int, last: int) -> Clip:
        features = self.corpus.features[video][first:last]
        dataset = self.corpus.dataset
        return annotate(features, dataset.truth[video], dataset.classes, self.config.coverage)


def collate(items: list[tuple[Window, Targets]]) -> Batch:
    """Stack the items of a step."""
    batch = stack([window for window, _ in items])
    return batch._replace(targets=[targets for _, targets in items])


def stack(several: list[Window]) -> Batch:
    """Windows as one batch without targets."""
    x = torch.from_numpy(np.stack([window.values for window in several]))
    real = torch.tensor([window.real for window in several])
    return Batch(x, torch.arange(x.shape[2]) < real[:, None], [])


def channel_statistics(corpus: Corpus) -> tuple[Float[np.ndarray, " channels"], Float[np.ndarray, " channels"]]:
    """Mean and deviation of every channel over the snippets of the training videos; refuses NaN."""
    count, total, squares = 0, np.float64(0), np.float64(0)
    for video in corpus.train:
        features = corpus.features[video]
        check_finite(video, features)
        values = np.asarray(features.values, np.float64)
        count += len(values)
        total = total + values.sum(0)
        squares = squares + (values**2).sum(0)
    mean = np.asarray(total / count)
    return mean, np.sqrt(np.clip(squares / count - mean**2, 0, None))


def _window(values: Float[np.ndarray, "time channels"], grid: Grid, length: int) -> Window:
    padded = np.zeros((values.shape[1], length), np.float32)
    padded[:, : len(values)] = values.T
    return Window(padded, len(values), grid)
