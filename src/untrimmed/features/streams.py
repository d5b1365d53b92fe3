"""The features of videos whose streams, such as RGB and flow, lie in one place or several: joined and chosen."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from untrimmed.features.folder import MANIFEST, FeatureFolder, reach
from untrimmed.features.layouts import Layout
from untrimmed.features.video_features import FeatureSource, VideoFeatures, describe
from untrimmed.io import BadInput, missing

LEEWAY = 8
"""Snippets by which the streams of a video may differ in length; they are cut to the shorter."""

KEPT_BYTES = 2**29
"""Features that had to be unpacked are kept for the next look up to so many bytes, the latest ones."""

# Not by the names of their axes: those would have to be the same numbers before and after columns are chosen.
Values = Float[np.ndarray, "_ _"]


class FeatureStreams(Mapping[str, VideoFeatures]):
    """The features of many videos, read when asked for, from one path or from one for each stream.

    A path is what `FeatureFolder` opens. With a `*` in it, it stands for all the folders that it matches, one for
    the training videos and one for the others, say. A folder that holds a folder for each stream, named as the
    source names them, stands for these. The streams of a video are cut to the shorter where they differ by up to
    `LEEWAY` snippets.

    How snippets lie in time is said by `layout`, by `source`, or by the manifests. `streams` are those of the
    layout to use (all, when empty), `columns` half-open ranges of channels to keep of what is joined, `average` the
    number of snippets to average into one, `durations` the videos' lengths in seconds. Raises BadInput for what is
    unreadable, and where channels or lengths are not what they should be.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        source: FeatureSource | None = None,
        *,
        layout: Layout | None = None,
        streams: tuple[str, ...] = (),
        columns: tuple[tuple[int, int], ...] = (),
        average: int = 1,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        if layout:
            if source:
                raise BadInput("data.layout and data.source both say what the features are; give one of them")
            source = replace(layout.source, streams=streams or layout.source.streams)
        elif streams:
            raise BadInput("data.streams chooses among those of a data.layout, and none is given; use data.columns")
        self.layout, self.columns, self.average = layout, columns, average
        self.paths = _per_stream(paths, source.streams if source else ())
        self._kept: OrderedDict[str, VideoFeatures] = OrderedDict()
        self._stands = [_Stand(path, source, durations or {}, alone=len(self.paths) == 1) for path in self.paths]
        self._stored_source = source or _joined([stand.source for stand in self._stands], self.paths)
        if layout and len(self.paths) not in (1, len(self._stored_source.streams)):
            raise BadInput(
                f"data.features names {len(self.paths)} paths for {len(self._stored_source.streams)} streams "
                f"({', '.join(self._stored_source.streams)}); give one of each, or choose with data.streams"
            )

    @property
    def source(self) -> FeatureSource:
        """The source of what this gives, averaging included."""
        return self._stored_source.averaged(self.average)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, video: object) -> bool:
        return isinstance(video, str) and all(video in stand for stand in self._stands)

    def __getitem__(self, video: str) -> VideoFeatures:
        if video in self._kept:
            self._kept.move_to_end(video)
            return self._kept[video]
        features = self._read(video)
        # A memory-mapped file costs nothing to look at again; what was unpacked, joined or averaged does.
        if not isinstance(features.values, np.memmap):
            self._keep(video, features)
        return features

    def _keep(self, video: str, features: VideoFeatures) -> None:
        features.values.flags.writeable = False
        self._kept[video] = features
        while len(self._kept) > 1 and sum(kept.values.nbytes for kept in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)

    def _read(self, video: str) -> VideoFeatures:
        folders = [stand.folder(video) for stand in self._stands]
        duration = next(filter(None, (folder.duration(video) for folder in folders)), None)
        values = self._select(video, self._join(video, folders, duration))
        if len(values) < self.average:
            raise BadInput(
                f"{self.paths[0]}: {video} has {len(values)} snippets, fewer than {self.average} to average"
            )
        name = folders[0].find(video) or video
        grid = self.layout.grid(name, len(values), duration) if self.layout else self._stored_source.grid
        # Without a stated length, a video ends where its last snippet does.
        seen = VideoFeatures(values, grid, duration or reach(grid, len(values)), self._stored_source)
        return seen.averaged(self.average)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        prefix = self.layout.prefix if self.layout else ""
        names = [name for name in self._stands[0] if name in self]
        return tuple(dict.fromkeys(name.removeprefix(prefix) for name in names))

    def _join(self, video: str, folders: list[FeatureFolder], duration: float | None) -> Values:
        """The streams of a video side by side, cut to the shorter."""
        parts = [folder.read(video) for folder in folders]
        lengths = [len(part) for part in parts]
        if self.layout and self.layout.lenient and not min(lengths):
            rate = self._stored_source.fps / self._stored_source.stride
            count = round(duration * rate) if duration else max(lengths)
            return np.zeros((max(1, count), self._channels(self.layout)), np.float32)
        for folder, part in zip(folders, parts, strict=True):
            if not len(part):
                raise BadInput(f"{folder.path}: {video} has no snippets; extract it again or leave it out")
        if max(lengths) - min(lengths) > LEEWAY and not (self.layout and self.layout.lenient):
            raise BadInput(
                f"{video}: has {' and '.join(map(str, lengths))} snippets in {' and '.join(map(str, self.paths))}, "
                f"more than {LEEWAY} apart; extract both at one rate, or again"
            )
        if self.layout:
            parts = self._checked(self.layout, video, folders, parts)
        return parts[0] if len(parts) == 1 else np.concatenate([part[: min(lengths)] for part in parts], 1)

    def _checked(self, layout: Layout, video: str, folders: list[FeatureFolder], parts: list[Values]) -> list[Values]:
        """The parts, if they have the channels of their streams; of a file of all streams, those chosen."""
        streams = self._stored_source.streams
        widths = [self._channels(layout)] if len(parts) == 1 else [layout.width(stream) for stream in streams]
        if len(parts) == 1 and widths[0] < parts[0].shape[1] == sum(layout.widths):
            return [_columns(parts[0], layout.columns(streams))]
        for folder, part, width in zip(folders, parts, widths, strict=True):
            if part.shape[1] != width:
                raise BadInput(
                    f"{folder.path}: {video} has {part.shape[1]} channels, but {describe(self._stored_source)} has "
                    f"{width}; set data.layout, data.streams or the paths of data.features to fit"
                )
        return parts

    def _channels(self, layout: Layout) -> int:
        return sum(layout.width(stream) for stream in self._stored_source.streams)

    def _select(self, video: str, values: Values) -> Values:
        if not self.columns:
            return values
        widest = max(last for _, last in self.columns)
        if widest > values.shape[1]:
            raise BadInput(f"{self.paths[0]}: {video} has {values.shape[1]} channels, but columns reach to {widest}")
        return _columns(values, self.columns)


class _Stand:
    """The folders that one path stands for, their videos together."""

    def __init__(
        self, path: Path, source: FeatureSource | None, durations: Mapping[str, float], *, alone: bool
    ) -> None:
        self.path = path
        self.folders = [_open(place, source, durations, alone=alone) for place in _matches(path)]
        self.source = self.folders[0].source
        for other in self.folders[1:]:
            if other.source != self.source:
                raise _apart(other.path, other.source, self.folders[0].path, self.source)

    def __iter__(self) -> Iterator[str]:
        return (name for folder in self.folders for name in folder)

    def __contains__(self, video: str) -> bool:
        return any(video in folder for folder in self.folders)

    def folder(self, video: str) -> FeatureFolder:
        """The one folder that has a video."""
        having = [folder for folder in self.folders if video in folder]
        if len(having) > 1:
            raise BadInput(f"{video}: is in {having[0].path} and in {having[1].path}; remove one")
        if not having:
            raise BadInput(f"{self.path}: has no features of {video!r}; extract it or leave it out")
        return having[0]


def stream_folders(path: Path, streams: Sequence[str]) -> list[Path]:
    """The folders in a folder that are named as its streams; none unless there is one for each."""
    inner = [path / stream for stream in streams]
    return inner if len(inner) > 1 and all(folder.is_dir() for folder in inner) else []


def _per_stream(paths: Sequence[Path], streams: Sequence[str]) -> list[Path]:
    return (stream_folders(paths[0], streams) if len(paths) == 1 else []) or [Path(path) for path in paths]


def _matches(path: Path) -> list[Path]:
    """The path itself, or all that a name with `*` in it matches."""
    if "*" not in str(path) or path.exists():
        return [path]
    anchor = Path(path.anchor)
    if not (found := sorted(anchor.glob(str(path.relative_to(anchor))))):
        raise missing(path, "file or folder of features")
    return found


def _open(path: Path, source: FeatureSource | None, durations: Mapping[str, float], *, alone: bool) -> FeatureFolder:
    """A folder of features; where it is one stream of several, its manifest knows only its own."""
    if alone or not (path / MANIFEST).exists():
        return FeatureFolder(path, source, durations=durations)
    folder = FeatureFolder(path, durations=durations)
    if source and folder.source.grid != source.grid:
        raise _apart(path, folder.source, Path("data.source"), source)
    return folder


def _joined(sources: list[FeatureSource], paths: list[Path]) -> FeatureSource:
    """The source of several streams side by side, which must lie in time alike."""
    first = sources[0]
    for other, path in zip(sources[1:], paths[1:], strict=True):
        if (other.fps, other.grid) != (first.fps, first.grid):
            raise _apart(path, other, paths[0], first)
    backbones = dict.fromkeys(source.backbone for source in sources)
    streams = tuple(stream for source in sources for stream in source.streams)
    weights = tuple(dict.fromkeys(one for source in sources for one in source.weights))
    return replace(first, backbone="+".join(backbones), streams=streams, weights=weights)


def _apart(path: Path, source: FeatureSource, other_path: Path, other: FeatureSource) -> BadInput:
    return BadInput(
        f"{path}: its features come from {describe(source)}, but those of {other_path} from {describe(other)}; "
        "extract both at one rate"
    )


def _columns(values: Values, columns: tuple[tuple[int, int], ...]) -> Values:
    return np.concatenate([values[:, first:last] for first, last in columns], axis=1)
