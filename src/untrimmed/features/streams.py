"""Opens features whose streams, such as RGB and flow, lie in one place or several; joins and selects them."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from untrimmed.features.archives import Archive
from untrimmed.features.contents import HDF5_ENDINGS
from untrimmed.features.folder import MANIFEST, FeatureFolder, no_features
from untrimmed.features.layouts import Layout, find_layout
from untrimmed.features.listing import is_feature_file
from untrimmed.features.shapes import Axes
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput, missing

logger = logging.getLogger(__name__)

LEEWAY = 8
"""Snippets by which the streams of a video may differ in length; they are cut to the shorter."""

CACHE_BYTES = 2**29
"""The latest features that had to be unpacked are cached up to so many bytes."""

# Axes without names: named ones would have to be the same numbers before and after columns are selected.
Values = Float[np.ndarray, "_ _"]


def read_features(
    path: str | Path,
    source: FeatureSource | None = None,
    *,
    layout: str = "",
    streams: Sequence[str] = (),
    durations: Mapping[str, float] | None = None,
    axes: Axes = "tc",
) -> "FeatureStreams":
    """Open the features of many videos as a mapping by video: a folder, one feature file, or an archive.

    A folder that was extracted here says how its snippets lie in time. For any other, name the public `layout` that
    it has, such as `actionformer-i3d` (`features.layouts.LAYOUTS`), or give its `source`. `streams` selects those of
    a layout, `durations` are the videos' lengths in seconds, `axes` the order of the axes in the files: `tc` for time
    x channels, `ct` for channels x time. Each video is read when it is looked up. Raises
    BadInput for features that cannot be read, and where nothing says how they lie in time.
    """
    public_layout = find_layout(layout) if layout else None
    return FeatureStreams(
        [Path(path)], source, layout=public_layout, streams=tuple(streams), durations=durations, axes=axes
    )


class FeatureStreams(Mapping[str, VideoFeatures]):
    """The features of many videos, read lazily, from one path or from one for each stream.

    A path is what `FeatureFolder` opens. With a `*` in it, it means all the folders that it matches, such as one for
    the training videos and one for the test videos, and all feature files. A folder that holds a folder for each
    stream, named as in the source, means these; so does an HDF5 file that has these streams of each video. The
    streams of a video are cut to the shorter where they differ by up to `LEEWAY` snippets.

    `layout`, `source` or the manifests say how snippets lie in time. `streams` are those of the layout to use (all,
    when empty), `columns` half-open ranges of channels to select after joining, `average` the number of snippets to
    average into one, `durations` the videos' lengths in seconds, `axes` the order of the axes in files. Raises
    BadInput for unreadable files, and for channels or lengths that do not fit.
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
        axes: Axes = "tc",
    ) -> None:
        if layout:
            if source:
                raise BadInput("data.layout and data.source both say what the features are; give one of them")
            source = replace(layout.source, streams=streams or layout.source.streams)
        elif streams:
            raise BadInput("data.streams chooses among those of a data.layout, and none is given; use data.columns")
        self.layout, self.columns, self.average = layout, columns, average
        stream_folders = find_stream_folders(paths[0], source.streams if source else ()) if len(paths) == 1 else []
        self.paths = stream_folders or list(paths)
        self._cache: OrderedDict[str, VideoFeatures] = OrderedDict()
        self._guesses = _Guesses()
        options = {"durations": durations, "axes": axes, "tell": self._guesses.tell}
        open_path = partial(_open, source=source, single=len(self.paths) == 1, options=options)
        self._folders = [_open_all(path, open_path) for path in self.paths]
        self._stored_source = source or _join_sources([folders[0].source for folders in self._folders], self.paths)
        if layout and len(self.paths) not in (1, len(self._stored_source.streams)):
            raise BadInput(
                f"data.features names {len(self.paths)} paths for {len(self._stored_source.streams)} streams "
                f"({', '.join(self._stored_source.streams)}); give one of each, or choose with data.streams"
            )

    @property
    def source(self) -> FeatureSource:
        """The source of these features, averaging included."""
        return self._stored_source.average(self.average)

    def find(self, video: str) -> str | None:
        """Find the name that a video has at the first path; None where it is absent."""
        return next(filter(None, (folder.find(video) for folder in self._folders[0])), None)

    def hold_notes(self) -> AbstractContextManager[list[str]]:
        """Gather what is guessed about files meanwhile, which is logged otherwise, and before an error."""
        return self._guesses.hold()

    def describe(self) -> str:
        """Describe what lies at the paths, in words, for sentences about what does not."""
        folders = [folder for folders in self._folders for folder in folders]
        if len(folders) == 1:
            return folders[0].describe()
        return ", ".join(f"{folder.describe()} in {folder.path}" for folder in folders)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, video: object) -> bool:
        return all(any(video in folder for folder in folders) for folders in self._folders)

    def __getitem__(self, video: str) -> VideoFeatures:
        if video in self._cache:
            self._cache.move_to_end(video)
            return self._cache[video]
        features = self._read(video)
        # A memory-mapped file costs nothing to read again; features that were unpacked, joined or averaged do.
        if not isinstance(features.values, np.memmap):
            features.values.flags.writeable = False
            self._cache[video] = features
        while len(self._cache) > 1 and sum(entry.values.nbytes for entry in self._cache.values()) > CACHE_BYTES:
            self._cache.popitem(last=False)
        return features

    def _read(self, video: str) -> VideoFeatures:
        folders = [_find(video, folders, path) for folders, path in zip(self._folders, self.paths, strict=True)]
        duration = next(filter(None, (folder.duration(video) for folder in folders)), None)
        values = self._join(video, folders, duration)
        widest = max((last for _, last in self.columns), default=0)
        if widest > values.shape[1]:
            raise BadInput(f"{self.paths[0]}: {video} has {values.shape[1]} channels, but columns reach to {widest}")
        if self.columns:
            values = _select_columns(values, self.columns)
        if len(values) < self.average:
            raise BadInput(
                f"{self.paths[0]}: {video} has {len(values)} snippets, fewer than {self.average} to average"
            )
        name = folders[0].find(video) or video
        grid = self.layout.grid(name, len(values), duration) if self.layout else self._stored_source.grid
        # Without a stated length, a video ends where its last snippet does.
        duration = duration or grid.end(len(values))
        return VideoFeatures(values, grid, duration, self._stored_source).average(self.average)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        prefix = self.layout.prefix if self.layout else ""
        names = [name for folder in self._folders[0] for name in folder if name in self]
        return tuple(dict.fromkeys(name.removeprefix(prefix) for name in names))

    def _join(self, video: str, folders: list[FeatureFolder], duration: float | None) -> Values:
        """Join the streams of a video side by side, cut to the shorter."""
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
            parts = self._check_channels(self.layout, video, folders, parts)
        return parts[0] if len(parts) == 1 else np.concatenate([part[: min(lengths)] for part in parts], 1)

    def _check_channels(
        self, layout: Layout, video: str, folders: list[FeatureFolder], parts: list[Values]
    ) -> list[Values]:
        """Return the parts if they have the channels of their streams; of a file of all streams, select these."""
        streams = self._stored_source.streams
        widths = [self._channels(layout)] if len(parts) == 1 else [layout.width(stream) for stream in streams]
        if len(parts) == 1 and widths[0] < parts[0].shape[1] == sum(layout.widths):
            return [_select_columns(parts[0], layout.columns(streams))]
        for folder, part, width in zip(folders, parts, widths, strict=True):
            if len(part) == width != part.shape[1]:
                raise BadInput(
                    f"{folder.path}: {video} has {part.shape[1]} channels, but {self._stored_source.summary} has "
                    f"{width}, which its {width} snippets would fit: are the axes swapped? then set data.axes"
                )
            if part.shape[1] != width:
                raise BadInput(
                    f"{folder.path}: {video} has {part.shape[1]} channels, but {self._stored_source.summary} has "
                    f"{width}; set data.layout, data.streams or the paths of data.features to fit"
                )
        return parts

    def _channels(self, layout: Layout) -> int:
        return sum(layout.width(stream) for stream in self._stored_source.streams)


class _Guesses:
    """Logs what is guessed about files, or holds it for who says it otherwise."""

    def __init__(self) -> None:
        self._held: list[str] | None = None

    def tell(self, sentence: str) -> None:
        if self._held is None:
            logger.info("%s", sentence)
        else:
            self._held.append(sentence)

    @contextmanager
    def hold(self) -> Iterator[list[str]]:
        self._held = held = []
        try:
            yield held
        except BadInput:
            for sentence in held:
                logger.info("%s", sentence)
            raise
        finally:
            self._held = None


def find_stream_folders(path: Path, streams: Sequence[str]) -> list[Path]:
    """Find what is named as the streams in a folder or an HDF5 file; nothing unless there is one for each."""
    inner = [path / stream for stream in streams]
    if len(inner) < 2 or not (path.is_dir() or path.suffix.lower() in HDF5_ENDINGS):
        return []
    if path.is_file():
        with closing(Archive(path)) as archive:
            return inner if set(streams) <= set(archive.streams) else []
    return inner if all(folder.is_dir() for folder in inner) else []


def _open_all(path: Path, open_path: Callable[..., FeatureFolder]) -> list[FeatureFolder]:
    """Open the path, or all that a name with `*` in it matches; they must have one source."""
    matches = [path]
    if any(character in str(path) for character in "*?[") and not path.exists():
        anchor = Path(path.anchor)
        matches = sorted(anchor.glob(str(path.relative_to(anchor))))
        files = [match for match in matches if match.is_file()]
        if not any((file.parent / MANIFEST).exists() for file in files):
            files = [file for file in files if is_feature_file(file)] or files
            folders = [open_path(match) for match in matches if match.is_dir()]
            return _check_sources([*folders, open_path(path, files=files)] if files else folders, path)
    return _check_sources([open_path(match) for match in matches], path)


def _check_sources(folders: list[FeatureFolder], path: Path) -> list[FeatureFolder]:
    if not folders:
        raise missing(path, "file or folder of features")
    first, *more = folders
    for folder in more:
        if folder.source != first.source:
            raise _different_sources(folder.path, folder.source, first.path, first.source)
    return folders


def _open(
    path: Path,
    source: FeatureSource | None,
    *,
    single: bool,
    options: Mapping[str, Any],
    files: Sequence[Path] = (),
) -> FeatureFolder:
    """Open a folder of features; the manifest of one stream among several only describes that stream."""
    if single or not (path / MANIFEST).exists():
        return FeatureFolder(path, source, files=files, **options)
    folder = FeatureFolder(path, **options)
    if source and folder.source.grid != source.grid:
        raise _different_sources(path, folder.source, Path("data.source"), source)
    return folder


def _find(video: str, folders: list[FeatureFolder], path: Path) -> FeatureFolder:
    """Find the one folder that has a video. Raises BadInput where none or two have it."""
    matches = [folder for folder in folders if video in folder]
    if len(matches) > 1:
        raise BadInput(f"{video}: is in {matches[0].path} and in {matches[1].path}; remove one")
    if not matches:
        raise no_features(path, video)
    return matches[0]


def _join_sources(sources: list[FeatureSource], paths: list[Path]) -> FeatureSource:
    """Return the source of several streams side by side, whose grids must be equal."""
    first = sources[0]
    for source, path in zip(sources[1:], paths[1:], strict=True):
        if (source.fps, source.grid) != (first.fps, first.grid):
            raise _different_sources(path, source, paths[0], first)
    backbones = dict.fromkeys(source.backbone for source in sources)
    streams = tuple(stream for source in sources for stream in source.streams)
    weights = tuple(dict.fromkeys(digits for source in sources for digits in source.weights))
    return replace(first, backbone="+".join(backbones), streams=streams, weights=weights)


def _different_sources(path: Path, source: FeatureSource, first_path: Path, first: FeatureSource) -> BadInput:
    return BadInput(
        f"{path}: its features come from {source.summary}, but those of {first_path} from {first.summary}; "
        "extract both at one rate"
    )


def _select_columns(values: Values, columns: tuple[tuple[int, int], ...]) -> Values:
    return np.concatenate([values[:, first:last] for first, last in columns], axis=1)
