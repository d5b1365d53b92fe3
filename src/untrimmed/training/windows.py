"""Training windows: annotated features cut to one length, augmented, and stacked into batches."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from untrimmed.annotations.corpus import Corpus
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import VideoFeatures, check_finite
from untrimmed.features.windows import Window, WindowConfig, pad_window, window_starts
from untrimmed.models.base import Batch, Targets, stack_windows
from untrimmed.recipe import AugmentConfig
from untrimmed.timeline import Timeline
from untrimmed.training.augment import Clip, augment
from untrimmed.training.run_data import digest_features


def annotate_clip(features: VideoFeatures, timeline: Timeline, classes: tuple[str, ...], coverage: float) -> Clip:
    """Annotate snippets with the actions of which a share of `coverage` lies inside, clipped, in positions."""
    actions = [action for action in timeline.actions if action.label in classes]
    seconds = np.array([[action.start, action.end] for action in actions], float).reshape(-1, 2)
    labels = np.array([classes.index(action.label) for action in actions], int)
    segments = features.grid.position(seconds)
    inside = np.clip(segments, 0, len(features))
    length = inside[:, 1] - inside[:, 0]
    enough = (length >= coverage * (segments[:, 1] - segments[:, 0])) & (length > 0)
    return Clip(np.asarray(features.values, np.float32), inside[enough], labels[enough])


class TrainingWindows(torch.utils.data.Dataset):
    """Every window of the training videos that holds an action. Augmentation is drawn from (seed, step, index).

    Randomness depends on nothing else, so a run that is resumed draws what it would have drawn.
    """

    def __init__(
        self, corpus: Corpus, config: WindowConfig, augmentation: AugmentConfig, length: int, seed: int
    ) -> None:
        self.corpus, self.config, self.augmentation = corpus, config, augmentation
        self.length, self.seed = length, seed
        self.places = [place for video in corpus.train for place in self._list_places(video)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Window, Targets]:
        step, index = key
        video, first, last = self.places[index]
        clip = self._load_clip(video, first, last)
        random = np.random.default_rng([self.seed, step, index])
        # A window is as long as the model's, or shorter where the video is; only a whole video is stretched.
        length = self.length if self.config.mode == "whole" else len(clip.values)
        clip = augment(clip, self.augmentation, length, random)
        targets = Targets(torch.from_numpy(clip.segments).float(), torch.from_numpy(clip.labels))
        return pad_window(clip.values, Grid(1, 1), self.length), targets

    def _list_places(self, video: str) -> list[tuple[str, int, int]]:
        snippets = len(self.corpus.features[video])
        if self.config.mode == "whole":
            places = [(video, 0, snippets)]
        else:
            firsts = window_starts(snippets, self.length, self.config.train_overlap)
            places = [(video, first, min(snippets, first + self.length)) for first in firsts]
        return [place for place in places if len(self._load_clip(*place).labels)]

    def _load_clip(self, video: str, first: int, last: int) -> Clip:
        features = self.corpus.features[video][first:last]
        dataset = self.corpus.dataset
        return annotate_clip(features, dataset.ground_truth[video], dataset.classes, self.config.coverage)


def collate(items: list[tuple[Window, Targets]]) -> Batch:
    """Stack the items of a step."""
    batch = stack_windows([window for window, _ in items])
    return batch._replace(targets=[targets for _, targets in items])


class ChannelStatistics(NamedTuple):
    """Mean and deviation of every channel over the training videos, and a digest of the features of each video."""

    mean: Float[np.ndarray, " channels"]
    deviation: Float[np.ndarray, " channels"]
    digests: dict[str, str]


def compute_channel_statistics(corpus: Corpus) -> ChannelStatistics:
    """Compute mean and deviation of every channel over the training videos. Raises BadInput for NaN."""
    count, total, squares, digests = 0, np.float64(0), np.float64(0), {}
    for video in corpus.train:
        features = corpus.features[video]
        check_finite(video, features)
        digests[video] = digest_features(features)
        values = np.asarray(features.values, np.float64)
        count += len(values)
        total = total + values.sum(0)
        squares = squares + (values**2).sum(0)
    mean = np.asarray(total / count)
    return ChannelStatistics(mean, np.sqrt(np.clip(squares / count - mean**2, 0, None)), digests)
