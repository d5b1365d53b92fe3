"""Training windows: annotated features cut to one length, augmented, and stacked into batches."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from untrimmed.annotations.corpus import Corpus
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import VideoFeatures, check_finite, digest_features, resample
from untrimmed.features.windows import Window, WindowConfig, pad_window, window_starts
from untrimmed.models.base import Batch, Targets, stack_windows
from untrimmed.recipe import AugmentConfig
from untrimmed.timeline import Timeline
from untrimmed.training.augment import Clip, augment


def annotate_clip(features: VideoFeatures, timeline: Timeline, classes: tuple[str, ...], coverage: float) -> Clip:
    """Annotate snippets with the actions of which a share of `coverage` lies inside, clipped, in positions."""
    segments, labels = locate_actions(features, timeline, classes, coverage)
    return Clip(np.asarray(features.values, np.float32), segments, labels)


def locate_actions(
    features: VideoFeatures, timeline: Timeline, classes: tuple[str, ...], coverage: float
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, " n"]]:
    """Locate the actions of which a share of `coverage` lies inside: segments in positions, clipped, and classes."""
    actions = [action for action in timeline.actions if action.label in classes]
    seconds = np.array([[action.start, action.end] for action in actions], float).reshape(-1, 2)
    labels = np.array([classes.index(action.label) for action in actions], int)
    segments = features.grid.position(seconds)
    inside = np.clip(segments, 0, len(features))
    length = inside[:, 1] - inside[:, 0]
    enough = (length >= coverage * (segments[:, 1] - segments[:, 0])) & (length > 0)
    return inside[enough], labels[enough]


class Place(NamedTuple):
    """Where a window lies: in the snippets of a video from `first` to before `last`."""

    video: str
    first: int
    last: int


class TrainingWindows(torch.utils.data.Dataset):
    """The windows of the training videos: `places`, which hold an action, and then `backgrounds`, which hold none.

    Of a video that is used in part, each stretch has its own: none reaches out of it. A window that holds a part of
    an action only, too little to belong to it, is neither. Augmentation is drawn from (seed, step, index). Randomness
    depends on nothing else, so a run that is resumed draws what it would have drawn.
    """

    def __init__(
        self, corpus: Corpus, config: WindowConfig, augmentation: AugmentConfig, length: int, seed: int
    ) -> None:
        self.corpus, self.config, self.augmentation = corpus, config, augmentation
        self.length, self.seed = length, seed
        places = [place for video in corpus.train for place in self._list_places(video)]
        self.places = [place for place in places if self._count_actions(place, config.coverage)]
        self.backgrounds = [place for place in places if not self._count_actions(place, 0)]

    def __len__(self) -> int:
        return len(self.places) + len(self.backgrounds)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Window, Targets]:
        step, index = key
        actions = len(self.places)
        place = self.places[index] if index < actions else self.backgrounds[index - actions]
        clip = self._annotate(place)
        random = np.random.default_rng([self.seed, step, index])
        # A window is as long as the model's, or shorter where the video is; only a whole video is stretched.
        length = self.length if self.config.mode == "whole" else len(clip.values)
        clip = augment(clip, self.augmentation, length, random)
        targets = Targets(torch.from_numpy(clip.segments).float(), torch.from_numpy(clip.labels))
        return pad_window(clip.values, Grid(1, 1), self.length), targets

    def cut_window(self, place: Place) -> Window:
        """Cut the window of a place as a detector would see it."""
        clip = self._annotate(place)
        values = resample(clip.values, self.length, "linear") if self.config.mode == "whole" else clip.values
        return pad_window(values, Grid(1, 1), self.length)

    def _list_places(self, video: str) -> list[Place]:
        recordings = self.corpus.list_train_recordings(video)
        if self.config.mode == "whole":
            return [Place(video, recording.first, recording.last) for recording in recordings]
        return [
            Place(video, recording.first + first, min(recording.last, recording.first + first + self.length))
            for recording in recordings
            for first in window_starts(recording.last - recording.first, self.length, self.config.train_overlap)
        ]

    def _annotate(self, place: Place) -> Clip:
        dataset = self.corpus.dataset
        timeline = dataset.ground_truth[place.video]
        return annotate_clip(self._load(place), timeline, dataset.classes, self.config.coverage)

    def _count_actions(self, place: Place, coverage: float) -> int:
        dataset = self.corpus.dataset
        timeline = dataset.ground_truth[place.video]
        return len(locate_actions(self._load(place), timeline, dataset.classes, coverage)[1])

    def _load(self, place: Place) -> VideoFeatures:
        return self.corpus.features[place.video][place.first : place.last]


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
    """Compute mean and deviation of every channel over what is used of the training videos.

    Raises BadInput for NaN.
    """
    count, total, squares, digests = 0, np.float64(0), np.float64(0), {}
    for video in corpus.train:
        features = corpus.features[video]
        check_finite(video, features)
        digests[video] = digest_features(features)
        for recording in corpus.list_train_recordings(video):
            values = np.asarray(features.values[recording.first : recording.last], np.float64)
            count += len(values)
            total = total + values.sum(0)
            squares = squares + (values**2).sum(0)
    mean = np.asarray(total / count)
    return ChannelStatistics(mean, np.sqrt(np.clip(squares / count - mean**2, 0, None)), digests)
