"""What a run is trained and tested on: a data set and its features, matched and checked."""

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from untrimmed.annotations.annotations import Hints, Spans
from untrimmed.annotations.datasets.dataset import WHOLE, Dataset, count_dropped_rows, refuse_dropped_rows
from untrimmed.annotations.datasets.table import DATASETS
from untrimmed.annotations.spans import intersect_spans
from untrimmed.annotations.subsets import describe_loose_subsets, describe_missing_subset, match_subsets
from untrimmed.annotations.units import check_rate, doubt_units
from untrimmed.features.archives import part_path
from untrimmed.features.layouts import find_layout
from untrimmed.features.shapes import Axes
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput, Config, missing
from untrimmed.timeline import Action, Timeline
from untrimmed.video.names import describe_loose_matches, normalize_name, suggest_name

RATE_VIDEOS = 16
RATE_LEEWAY = 0.1
"""Share of a video's length by which its features may end too soon or too late."""
ROUND = 1e-6
"""Snippets by which a span may miss a snippet's ends."""
SECTIONS = (b"[data]", b"[data.source]", b"[windows]", b"[model]", b"[train]")
"""Lines of every recipe, and of no annotations."""
DEFAULT_BACKBONE = "efficientnet-lite0"
"""What `untrimmed extract` uses unless it is told another."""


@dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Where annotations and features lie, and which videos are for what.

    Paths are relative to the working folder; `~` and `$VARIABLES` in them are filled in when they are opened.
    """

    dataset: str = "activitynet"
    """A row of the table of data sets; `activitynet` reads annotations of any format."""
    annotations: str = ""
    """File or folder of annotations."""
    unit: Literal["", "s", "ms", "us", "frames", "share"] = ""
    """What the times in the annotations are, where their file does not state it: seconds, or as `units.UNITS`."""
    fps: float | None = None
    """Frames a second of annotations that count frames."""
    tiers: tuple[str, ...] = ()
    """The tiers to read of annotations that have several, or the observations, channels, columns; all, when empty."""
    annotated: str = ""
    """A table of the stretches that were annotated: `video`, `start` and `end` in seconds, and `subset` where a
    stretch is of one, as of a video that is split in time. Nothing outside them is learned or judged."""
    videos: str | tuple[str, ...] = ""
    """Folder of the videos themselves, or several: training does not open it, `untrimmed doctor` does."""
    features: str | tuple[str, ...] = ""
    """Folder of feature files, or one `.npz` or HDF5 file; or a list of such, a stream each, to be put side by side.

    With a `*` in it, a path stands for all the folders that it matches. Of a file in which each video has several
    streams, `features.h5/rgb` means one; all that `source.streams` names are read where an HDF5 file has them.
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
    axes: Axes = "tc"
    """The order of the axes in feature files: `tc` for time x channels, `ct` for channels x time."""
    unusable: Literal["refuse", "drop"] = "refuse"
    """What to do about bad annotations and videos without features: stop, or go on without them and say so."""

    def __post_init__(self) -> None:
        if self.average < 1:
            raise ValueError(f"data.average = {self.average}: must be at least 1")
        for first, last in self.columns:
            if not 0 <= first < last:
                raise ValueError(
                    f"data.columns = {[first, last]}: must be from one channel, 0 or more, to a later one"
                )


@dataclass(frozen=True)
class Corpus:
    """A data set with features, and its videos to train and to test on. `notes` say what was dropped.

    `train_spans` and `test_spans` are the stretches, in seconds, of videos of which only a part is used.
    """

    dataset: Dataset
    features: Mapping[str, VideoFeatures]
    train: tuple[str, ...]
    test: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    train_spans: Mapping[str, Spans] = field(default_factory=dict)
    test_spans: Mapping[str, Spans] = field(default_factory=dict)

    @property
    def source(self) -> FeatureSource:
        """The source of the features, which all share."""
        return self.features[self.train[0]].source

    def list_train_recordings(self, video: str) -> list["Recording"]:
        """List what is learned from of a video: each of its stretches, or all of it."""
        return cut_recordings(self.features[video], self.train_spans.get(video))

    def list_test_recordings(self, video: str) -> list["Recording"]:
        """List what is tested on of a video, in the same way."""
        return cut_recordings(self.features[video], self.test_spans.get(video))


class Recording(NamedTuple):
    """A stretch of a video that is used as if it were a recording of its own: its snippets from `first` to before
    `last`, and its seconds."""

    first: int
    last: int
    start: float
    end: float

    def cut(self, features: VideoFeatures) -> VideoFeatures:
        """Cut the features of the whole video to the recording, with times from its start."""
        if self.start == 0 and self.last == len(features):
            return features
        part = features[self.first : self.last]
        grid = replace(part.grid, start=part.grid.start - self.start)
        return replace(part, grid=grid, duration=self.end - self.start)

    def restore(self, timeline: Timeline, duration: float) -> tuple[Action, ...]:
        """Give actions that were found in the recording their times in the whole video of `duration` seconds."""
        moved = (replace(a, start=a.start + self.start, end=min(a.end + self.start, self.end)) for a in timeline)
        return timeline.actions if self.start == 0 and self.end == duration else tuple(moved)


def cut_recordings(features: VideoFeatures, spans: Spans | None) -> list[Recording]:
    """Cut a video into the recordings of its spans: the snippets that lie wholly in each; one where it has none.

    A span that has no whole snippet gives no recording.
    """
    if spans is None:
        return [Recording(0, len(features), 0.0, features.duration)]
    grid, recordings = features.grid, []
    for start, end in spans:
        # What begins with the video has its first snippet, and what ends with it its last, however they lie.
        first = 0 if start <= 0 else math.ceil((start - grid.start) / grid.step - ROUND)
        last = math.floor((end - grid.span - grid.start) / grid.step + ROUND) + 1
        last = len(features) if end >= features.duration else min(last, len(features))
        if max(first, 0) < last:
            recordings.append(Recording(max(first, 0), last, max(start, 0.0), min(end, features.duration)))
    return recordings


def open_corpus(config: DataConfig) -> Corpus:
    """Read annotations, open features, and match them; nothing is dropped without a note.

    Raises BadInput where annotations or features are missing, unusable or do not fit each other.
    """
    dataset = open_dataset(config)
    matches = match_splits(config, dataset)
    train, test = dataset.split(*config.train), dataset.split(*config.test)
    train_spans, test_spans = dataset.find_spans(*config.train), dataset.find_spans(*config.test)
    if shared := find_shared_videos(train, test, train_spans, test_spans):
        raise BadInput(
            f"{config.annotations}: {min(shared)!r} and {len(shared) - 1} more videos are in both data.train = "
            f"{list(config.train)} and data.test = {list(config.test)}; train and test on different subsets"
        )
    features = open_features(config, {video: t.duration for video, t in dataset.ground_truth.items()})
    notes = [*dataset.notes, *describe_loose_subsets(matches), *_list_dropped_notes(config, dataset)]
    with features.hold_notes() as guesses:
        notes += check_missing_features(config, features, (*train, *test))
        notes += note_loose_names(config, features, (*train, *test))
        train, test = (tuple(v for v in videos if v in features) for videos in (train, test))
        train, test = (
            _drop_empty(videos, features, spans, notes)
            for videos, spans in ((train, train_spans), (test, test_spans))
        )
        learned = dataset.select(*config.train)
        if not any(learned[video].actions for video in train):
            raise BadInput(
                f"{config.annotations}: no action in any video of data.train = {list(config.train)} that has "
                "features, so there is nothing to learn; annotate some, or name other subsets"
            )
        refuse_swapped_axes(features, dataset.ground_truth, train)
        if not config.unit:
            ends = {video: features[video].end for video in _sample(train)}
            actions = {video: dataset.ground_truth[video] for video in ends}
            notes += doubt_units(config.annotations, actions, ends, config.fps)
        refuse_wrong_rate(features, dataset.ground_truth, train, dataset.annotated)
    spans = {"train_spans": train_spans, "test_spans": test_spans}
    return Corpus(dataset, features, train, test, (*notes, *guesses), **spans)


def find_shared_videos(
    train: Sequence[str], test: Sequence[str], train_spans: Mapping[str, Spans], test_spans: Mapping[str, Spans]
) -> set[str]:
    """Find the videos of which some seconds are both to train and to test on."""
    everything: Spans = ((-math.inf, math.inf),)
    return {
        video
        for video in set(train) & set(test)
        if intersect_spans(train_spans.get(video, everything), test_spans.get(video, everything))
    }


def _drop_empty(
    videos: tuple[str, ...], features: Mapping[str, VideoFeatures], spans: Mapping[str, Spans], notes: list[str]
) -> tuple[str, ...]:
    """Drop the videos of whose stretches none has a whole snippet, and note them."""
    empty = [video for video in videos if video in spans and not cut_recordings(features[video], spans[video])]
    if empty:
        are = "video has" if len(empty) == 1 else "videos have"
        notes.append(f"{len(empty)} {are} no whole snippet in what is annotated, and left out, such as {empty[0]!r}")
    return tuple(video for video in videos if video not in empty)


def match_splits(config: DataConfig, dataset: Dataset) -> dict[str, str]:
    """Return the subset that each name in `data.train` and `data.test` means, see `match_subsets`.

    Raises BadInput, with the file, the setting and what is there, for a name that means none.
    """
    matches = match_subsets((*config.train, *config.test), dataset.splits)
    for key, names in {"data.train": config.train, "data.test": config.test}.items():
        for name in names:
            if name not in matches:
                raise BadInput(f"{config.annotations}: {describe_missing_split(key, name, dataset)}")
    return matches


def describe_missing_split(key: str, name: str, dataset: Dataset) -> str:
    """Say what is there, and what to do, where the setting `key` names a subset that the annotations lack."""
    if set(dataset.splits) == {WHOLE}:
        return (
            f"no video has a subset, so nothing says which are for {key} = {name!r}; give each a 'subset', training "
            "or validation, or let `untrimmed init` propose them and write a file that has them"
        )
    return f"{key} = {name!r} is no subset: {describe_missing_subset(name, dataset.splits)}; set {key} to one that is"


def check_missing_features(
    config: DataConfig, features: Mapping[str, VideoFeatures], videos: Sequence[str]
) -> list[str]:
    """Return a note on the videos without features, none where all have some.

    Raises BadInput, with what is there instead, unless the recipe says to drop such videos.
    """
    absent = [video for video in videos if video not in features]
    if not absent:
        return []
    sentence = f"{len(absent)} of {len(videos)} videos have no features, the first is {absent[0]}"
    if config.unusable == "drop" and len(absent) < len(videos):
        return [sentence]
    remedy = advise_missing_features(config, features, absent[0])
    raise BadInput(f"{join_feature_paths(config)}: {sentence}; {remedy}")


def note_loose_names(config: DataConfig, features: FeatureStreams, videos: Sequence[str]) -> list[str]:
    """Return a note on the features under another form of their video's name than the layout says; none without."""
    prefix = find_layout(config.layout).prefix if config.layout else ""
    stored = {video: features.find(video) or video for video in videos}
    loose = {
        video: name
        for video, name in stored.items()
        if name != prefix + video and normalize_name(name) == normalize_name(video)
    }
    sentence = describe_loose_matches(loose)
    return [f"{join_feature_paths(config)}: {sentence}"] if sentence else []


def advise_missing_features(config: DataConfig, features: Mapping[str, VideoFeatures], video: str) -> str:
    """Say what is there instead of a video's features, and what to do."""
    extract, drop = f"extract them{_advise_extraction(config)}", 'set data.unusable = "drop"'
    names = list(features)
    content = features.describe() if isinstance(features, FeatureStreams) else "nothing"
    if not names:
        return f"found {content}, nothing that is read as features; {extract}"
    near = suggest_name(video, names)
    nearest = f"the nearest name is {near!r}" if near else f"the first of them is {names[0]!r}"
    remedy = f"rename one or the other, {extract} or {drop}"
    return f"found {content}, with features of {len(names)} videos, {nearest}; {remedy}"


def _list_dropped_notes(config: DataConfig, dataset: Dataset) -> list[str]:
    """Return a note on annotations that cannot be used. Raises BadInput unless the recipe says to drop such."""
    if not dataset.dropped:
        return []
    if config.unusable == "refuse":
        refuse_dropped_rows(_expand("annotations", config.annotations), dataset.dropped)
    return [f"{count_dropped_rows(dataset.dropped)} left out, the first in {dataset.dropped[0]}"]


def open_dataset(config: DataConfig) -> Dataset:
    """Read the annotations that a recipe names."""
    if config.dataset not in DATASETS:
        raise BadInput(f"data.dataset = {config.dataset!r}: there are {', '.join(DATASETS)}")
    if not config.annotations:
        raise BadInput('data.annotations is empty: set it to the file or folder of annotations, as "labels.json"')
    path = _expand("annotations", config.annotations)
    if is_recipe(path):
        raise BadInput(f"data.annotations = {config.annotations}: is a recipe; set it to the file of annotations")
    table = _expand("annotated", config.annotated) if config.annotated else None
    hints = Hints(check_rate(config.fps), unit=config.unit or None, tiers=config.tiers, annotated=table)
    return DATASETS[config.dataset](path, hints)


def is_recipe(path: Path) -> bool:
    """Say whether a file is a recipe, by its ending or by its beginning with a section or a comment of TOML."""
    if not path.is_file() or path.suffix.lower() == ".toml":
        return path.suffix.lower() == ".toml"
    with path.open("rb") as file:
        beginning = file.read(4096)
    return any(line.strip() in SECTIONS for line in beginning.splitlines())


def open_features(
    config: DataConfig, durations: Mapping[str, float] | None = None, path: Path | None = None
) -> FeatureStreams:
    """Open the features that a recipe names, or those at `path` in the same way; `durations` are seconds by video."""
    if not (path or config.features):
        raise BadInput('data.features is empty: set it to the folder or file of features, as "features"')
    layout = find_layout(config.layout) if config.layout else None
    if layout and layout.spread and durations is None:
        durations = {video: timeline.duration for video, timeline in open_dataset(config).ground_truth.items()}
    paths = [path] if path else [_expand("features", text) for text in _as_tuple(config.features)]
    if path is None and not part_path(paths[0])[0].exists() and (advice := _advise_extraction(config)):
        raise BadInput(f"{missing(paths[0], 'folder of features')}, or make it{advice}")
    return FeatureStreams(
        paths,
        config.source,
        layout=layout,
        streams=config.streams,
        columns=config.columns,
        average=config.average,
        durations=durations,
        axes=config.axes,
    )


def refuse_wrong_rate(
    features: Mapping[str, VideoFeatures],
    ground_truth: Mapping[str, Timeline],
    videos: Sequence[str],
    annotated: Mapping[str, Spans] = {},
) -> None:
    """Raise BadInput for features that end, in most of some videos, long before or after the video: a wrong rate.

    Single videos may well differ, as ActivityNet's with missing frames do. The length of a video that is `annotated`
    in part may be that of the part.
    """
    sample = [v for v in _sample(videos) if v not in annotated or features[v].end < ground_truth[v].duration]
    odd = [v for v in sample if not _do_fit(features[v], features[v].end, ground_truth[v].duration)]
    if len(odd) * 2 <= len(sample):
        return
    first, duration = features[odd[0]], ground_truth[odd[0]].duration
    raise BadInput(
        f"{odd[0]}: {len(first)} snippets of {first.source.summary} end at {first.end:.1f} s, "
        f"but the video at {duration:.1f} s, and {len(odd)} of {len(sample)} videos are like it; set data.layout or "
        "data.source to the rate at which they were extracted, or data.unit to the unit of the annotations"
    )


def refuse_swapped_axes(
    features: Mapping[str, VideoFeatures], ground_truth: Mapping[str, Timeline], videos: Sequence[str]
) -> None:
    """Raise BadInput for features that, in most of some videos, have as many channels as snippets would fit."""
    sample = _sample(videos)
    swapped = [video for video in sample if has_swapped_axes(features[video], ground_truth[video].duration)]
    if len(swapped) * 2 <= len(sample):
        return
    first, duration = features[swapped[0]], ground_truth[swapped[0]].duration
    raise BadInput(
        f"{swapped[0]}: has {len(first)} snippets of {first.channels} channels; so many snippets end at "
        f"{first.end:.1f} s, the video at {duration:.1f} s, and {first.channels} would fit: are the axes swapped? "
        'then change data.axes ("tc" or "ct"); if not, set data.layout or data.source to their rate'
    )


def has_swapped_axes(features: VideoFeatures, duration: float) -> bool:
    """Whether the snippets of a video do not fit its length in seconds, and as many as it has channels would."""
    transposed = features.grid.end(features.channels)
    return _do_fit(features, transposed, duration) and not _do_fit(features, features.end, duration)


def _do_fit(features: VideoFeatures, end: float, duration: float) -> bool:
    """Whether features that end at `end` may be of a video of `duration`, in seconds."""
    remainder = 2 * features.grid.step + features.grid.span  # what does not fill a snippet is left out at the end
    return abs(end - duration) <= max(RATE_LEEWAY * duration, remainder)


def join_feature_paths(config: DataConfig) -> str:
    """Join the features' paths, as the recipe has them."""
    return ", ".join(_as_tuple(config.features))


def find_video_folders(config: DataConfig) -> tuple[Path, ...]:
    """Return the folders of `data.videos`; none where the recipe names none."""
    return tuple(_expand("videos", text) for text in _as_tuple(config.videos) if text)


def build_extract_commands(config: DataConfig) -> tuple[str, ...]:
    """Build the commands that extract features from `data.videos` with the default backbone, one a folder.

    None where the recipe names no videos, or features that another network makes.
    """
    source, features = config.source, _as_tuple(config.features)
    if not config.videos or len(features) != 1 or (source and source.backbone != DEFAULT_BACKBONE):
        return ()
    rate = ["--fps", f"{source.fps:g}"] if source else []
    folders = _as_tuple(config.videos)
    return tuple(shlex.join(["untrimmed", "extract", folder, "--out", features[0], *rate]) for folder in folders)


def hold_out(config: DataConfig, split: str) -> DataConfig:
    """Return the same data with one split to test on and all others that the recipe names to train on."""
    splits = sorted({*config.train, *config.test})
    match = match_subsets([split], splits).get(split)
    if match is None:
        raise BadInput(
            f"cannot hold out {split!r}: {describe_missing_subset(split, splits)} in data.train and data.test"
        )
    return replace(config, train=tuple(name for name in splits if name != match), test=(match,))


def _sample(videos: Sequence[str]) -> Sequence[str]:
    """Return some videos, spread over all."""
    return videos[:: max(1, len(videos) // RATE_VIDEOS)][:RATE_VIDEOS]


def _advise_extraction(config: DataConfig) -> str:
    commands = build_extract_commands(config)
    return f" with `{' && '.join(commands)}`" if commands else ""


def _as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _expand(key: str, text: str) -> Path:
    """Fill in `~` and variables in a path."""
    path = os.path.expanduser(os.path.expandvars(text))
    if "$" in path:
        raise BadInput(f"data.{key} = {text}: the variable is not set; export it or give the path")
    return Path(path)
