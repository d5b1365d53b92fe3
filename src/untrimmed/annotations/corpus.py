"""What a run learns from and is tested on: a data set and its features, matched and checked."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from untrimmed.annotations.datasets.base import Dataset, refuse_dropped
from untrimmed.annotations.datasets.table import DATASETS
from untrimmed.features.folder import reach
from untrimmed.features.layouts import find_layout
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import FeatureSource, VideoFeatures, describe
from untrimmed.io import BadInput, Config
from untrimmed.timeline import Timeline

RATE_VIDEOS = 16
RATE_LEEWAY = 0.1
"""Share of a video's length by which its features may end too soon or too late."""
DEFAULT_BACKBONE = "efficientnet-lite0"
"""What `untrimmed extract` uses unless it is told another."""


@dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Where annotations and features lie, and which videos are for what.

    Paths are relative to the working folder; `~` and `$VARIABLES` in them are filled in when they are opened.
    """

    dataset: str = "activitynet"
    """A row of the table of data sets; `activitynet` reads any file of ActivityNet's JSON form."""
    annotations: str = ""
    """File or folder of annotations."""
    videos: str | tuple[str, ...] = ""
    """Folder of the videos themselves, or several: training does not open it, `untrimmed doctor` does."""
    features: str | tuple[str, ...] = ""
    """Folder of feature files, or one `.npz` or HDF5 file; or a list of such, a stream each, to be put side by side.

    With a `*` in it, a path stands for all the folders that it matches.
    """
    layout: str = ""
    """The name of a public set of feature files, which says where they come from: `actionformer-i3d`, `tsp`, ..."""
    streams: tuple[str, ...] = ()
    """Which of the layout's streams to use, such as `rgb`; all, when empty."""
    source: FeatureSource | None = None
    """Where the features come from, if their folder has no manifest and no layout fits."""
    columns: tuple[tuple[int, int], ...] = ()
    """Half-open ranges of channels to use, counted over all paths; all, when empty."""
    average: int = 1
    """Consecutive snippets to average into one."""
    train: tuple[str, ...] = ("training",)
    """Splits to train on."""
    test: tuple[str, ...] = ("validation",)
    """Splits to test on."""
    unusable: Literal["refuse", "drop"] = "refuse"
    """What to do about bad annotations and videos without features: stop, or go on without them and say so."""


@dataclass(frozen=True)
class Corpus:
    """A data set with the features of its videos, and who trains and who tests. `notes` say what was dropped."""

    dataset: Dataset
    features: Mapping[str, VideoFeatures]
    train: tuple[str, ...]
    test: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def source(self) -> FeatureSource:
        """The source that all features share."""
        return self.features[self.train[0]].source


def open_corpus(config: DataConfig) -> Corpus:
    """Read annotations, open features, and match them; nothing is dropped without a note."""
    dataset = open_dataset(config)
    features = open_features(config, {video: t.duration for video, t in dataset.truth.items()})
    notes = []
    if dataset.dropped:
        if config.unusable == "refuse":
            refuse_dropped(_filled_in("annotations", config.annotations), dataset.dropped)
        count = "1 annotation" if len(dataset.dropped) == 1 else f"{len(dataset.dropped)} annotations"
        notes.append(f"{count} left out, the first in {dataset.dropped[0]}")
    train, test = dataset.split(*config.train), dataset.split(*config.test)
    if shared := set(train) & set(test):
        raise BadInput(f"{min(shared)} and {len(shared) - 1} more videos are in both data.train and data.test")
    if lost := [video for video in (*train, *test) if video not in features]:
        sentence = f"{len(lost)} of {len(train) + len(test)} videos have no features, the first is {lost[0]}"
        if config.unusable == "refuse":
            remedy = f'extract them{_by_command(config)} or set data.unusable = "drop"'
            raise BadInput(f"{named(config)}: {sentence}; {remedy}")
        notes.append(sentence)
    train, test = (tuple(v for v in videos if v in features) for videos in (train, test))
    if not any(dataset.truth[video].actions for video in train):
        raise BadInput(f"{config.annotations}: no action in any video of {', '.join(config.train)}; nothing to learn")
    refuse_wrong_rate(features, dataset.truth, train)
    return Corpus(dataset, features, train, test, tuple(notes))


def open_dataset(config: DataConfig) -> Dataset:
    """The annotations that a recipe names."""
    if config.dataset not in DATASETS:
        raise BadInput(f"data.dataset = {config.dataset!r}: there are {', '.join(DATASETS)}")
    if not config.annotations:
        raise BadInput("data.annotations is empty: give the file or folder of annotations")
    return DATASETS[config.dataset](_filled_in("annotations", config.annotations))


def open_features(
    config: DataConfig, durations: Mapping[str, float] | None = None, path: Path | None = None
) -> FeatureStreams:
    """The features that a recipe names, or those at `path` treated alike."""
    if not (path or config.features):
        raise BadInput("data.features is empty: give the folder or file of features")
    layout = find_layout(config.layout) if config.layout else None
    if layout and layout.spread and durations is None:
        durations = {video: timeline.duration for video, timeline in open_dataset(config).truth.items()}
    paths = [path] if path else [_filled_in("features", text) for text in _texts(config)]
    if path is None and not paths[0].exists() and (command := _by_command(config)):
        raise BadInput(f"{paths[0]}: no such folder of features; make it{command}")
    return FeatureStreams(
        paths,
        config.source,
        layout=layout,
        streams=config.streams,
        columns=config.columns,
        average=config.average,
        durations=durations,
    )


def refuse_wrong_rate(
    features: Mapping[str, VideoFeatures], truth: Mapping[str, Timeline], videos: Sequence[str]
) -> None:
    """Refuse features that end, in most of some videos, long before or after the video does: a wrong frame rate.

    Single videos may well differ, as ActivityNet's with missing frames do.
    """
    looked_at = videos[:: max(1, len(videos) // RATE_VIDEOS)][:RATE_VIDEOS]
    odd = [video for video in looked_at if not _ends_with(features[video], truth[video].duration)]
    if len(odd) * 2 <= len(looked_at):
        return
    seen, duration = features[odd[0]], truth[odd[0]].duration
    raise BadInput(
        f"{odd[0]}: {len(seen)} snippets of {describe(seen.source)} end at {reach(seen.grid, len(seen)):.1f} s, but "
        f"the video at {duration:.1f} s, and {len(odd)} of {len(looked_at)} videos are like it; set data.layout or "
        "data.source to the rate at which they were extracted"
    )


def named(config: DataConfig) -> str:
    """The features' paths as the recipe has them."""
    return ", ".join(_texts(config))


def folders_of_videos(config: DataConfig) -> tuple[Path, ...]:
    """The folders of `data.videos`; none where the recipe names none."""
    texts = (config.videos,) if isinstance(config.videos, str) else config.videos
    return tuple(_filled_in("videos", text) for text in texts if text)


def extract_commands(config: DataConfig) -> tuple[str, ...]:
    """What makes the features of `data.videos` with the default backbone, a command a folder.

    None where the recipe names no videos, or features that another network makes.
    """
    source, features = config.source, _texts(config)
    if not config.videos or len(features) != 1 or (source and source.backbone != DEFAULT_BACKBONE):
        return ()
    rate = ["--fps", f"{source.fps:g}"] if source else []
    videos = (config.videos,) if isinstance(config.videos, str) else config.videos
    return tuple(shlex.join(["untrimmed", "extract", folder, "--out", features[0], *rate]) for folder in videos)


def _by_command(config: DataConfig) -> str:
    commands = extract_commands(config)
    return f" with `{' && '.join(commands)}`" if commands else ""


def _texts(config: DataConfig) -> tuple[str, ...]:
    return (config.features,) if isinstance(config.features, str) else config.features


def _ends_with(features: VideoFeatures, duration: float) -> bool:
    grid = features.grid
    rest = 2 * grid.step + grid.span  # what does not fill a snippet is left out at the end
    return abs(reach(grid, len(features)) - duration) <= max(RATE_LEEWAY * duration, rest)


def hold_out(config: DataConfig, split: str) -> DataConfig:
    """The same data with one split to test on and all the others, as a recipe names them, to train on."""
    every = sorted({*config.train, *config.test})
    if split not in every:
        raise BadInput(f"cannot hold out {split!r}: the recipe names {', '.join(every)}")
    return replace(config, train=tuple(name for name in every if name != split), test=(split,))


def _filled_in(key: str, text: str) -> Path:
    path = os.path.expanduser(os.path.expandvars(text))
    if "$" in path:
        raise BadInput(f"data.{key} = {text}: the variable is not set; export it or give the path")
    return Path(path)
