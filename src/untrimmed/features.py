"""What was seen in a video, and when: feature vectors on a grid of snippets, and folders of them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float

from untrimmed.config import Config
from untrimmed.errors import BadInput, missing
from untrimmed.files import read_bytes, read_json, whole, write_json

MANIFEST = "manifest.json"
ENDINGS = (".npy", ".csv", ".csv.gz")

Resampling = Literal["linear", "nearest", "cubic", "area"]
_INTERPOLATION = {
    "linear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """How snippets lie in time: snippet i covers `[start + i * step, start + i * step + span)` seconds.

    Positions are floats counted in snippets: snippet i reaches from position i to i + 1, and the middle of
    what it covers is position i + 0.5, whether snippets overlap (`span > step`), touch or leave gaps.
    """

    step: float
    span: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.step < math.inf and 0 < self.span < math.inf and math.isfinite(self.start)):
            raise ValueError(f"grid of step {self.step} s, span {self.span} s, start {self.start} s: not a grid")

    @classmethod
    def from_frames(cls, stride: float, window: float, fps: float, start: float = 0.0) -> "Grid":
        """Snippets of `window` frames, one every `stride` frames, at `fps` frames a second."""
        return cls(stride / fps, window / fps, start)

    @classmethod
    def spread(cls, duration: float, count: int) -> "Grid":
        """A whole video of `duration` seconds divided into `count` touching snippets."""
        return cls(duration / count, duration / count)

    @property
    def origin(self) -> float:
        """The time of position 0, in seconds."""
        return self.start + (self.span - self.step) / 2

    def seconds(self, position: Any) -> Any:
        """The time of a position (or an array of positions), in seconds."""
        return self.origin + position * self.step

    def position(self, seconds: Any) -> Any:
        """The position of a time (or an array of times)."""
        return (seconds - self.origin) / self.step

    def from_snippet(self, first: int) -> "Grid":
        """The grid of the same snippets counted from `first`."""
        return replace(self, start=self.start + first * self.step)

    def resampled(self, before: int, after: int) -> "Grid":
        """The grid when `before` snippets are resized to `after`: positions scale, times stay."""
        step = self.step * before / after
        return Grid(step, step, self.origin)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSource(Config):
    """Where features come from: what a detector must be given again to understand them."""

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

    @property
    def grid(self) -> Grid:
        """How the snippets of a whole video lie in time."""
        return Grid.from_frames(self.stride, self.window, self.fps, self.start)

    def averaged(self, count: int) -> "FeatureSource":
        """The source when `count` snippets at a time are averaged into one."""
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
            raise ValueError(f"snippets [{first}:{last}:{step}] are not consecutive; use resized for another rate")
        return replace(self, values=self.values[first:last], grid=self.grid.from_snippet(first))

    @property
    def channels(self) -> int:
        """The width of a feature vector."""
        return self.values.shape[1]

    def resized(self, count: int, resampling: Resampling = "linear") -> "VideoFeatures":
        """The same stretch of time in `count` snippets."""
        return replace(
            self, values=resample(self.values, count, resampling), grid=self.grid.resampled(len(self), count)
        )

    def averaged(self, count: int) -> "VideoFeatures":
        """The mean of every `count` snippets; a rest at the end that is shorter is left out."""
        if count == 1:
            return self
        whole_ones = len(self) // count
        if whole_ones == 0:
            raise ValueError(f"{len(self)} snippets are fewer than the {count} to average")
        groups = np.asarray(self.values[: whole_ones * count], np.float32).reshape(whole_ones, count, -1)
        grid = Grid(self.grid.step * count, self.grid.span + (count - 1) * self.grid.step, self.grid.start)
        return replace(self, values=groups.mean(1), grid=grid, source=self.source.averaged(count))


def resample(
    values: Float[np.ndarray, "time channels"], count: int, resampling: Resampling = "linear"
) -> Float[np.ndarray, "count channels"]:
    """Resize along time to `count` snippets; what a snippet covers scales, so positions do."""
    if len(values) == count:
        return values
    # A picture with one row a snippet: rows are resized, columns are not.
    picture = np.ascontiguousarray(values, np.float32)
    return cv2.resize(picture, (values.shape[1], count), interpolation=_INTERPOLATION[resampling])


def check_finite(video: str, features: VideoFeatures) -> None:
    """Refuse features with a NaN or infinity in them."""
    bad = ~np.isfinite(features.values)
    if bad.any():
        snippet, channel = np.argwhere(bad)[0]
        value = features.values[snippet, channel]
        raise BadInput(
            f"features of {video}: {bad.sum()} values are not finite, the first is {value} at snippet {snippet}, "
            f"channel {channel}; extract them again or leave the video out"
        )


class FeatureFolder(Mapping[str, VideoFeatures]):
    """The features of many videos, read when asked for: a folder of `.npy` or `.csv` files, or one `.npz`.

    A folder that `FeatureWriter` made carries a manifest. Any other needs `source`, to say how its snippets lie
    in time. `columns` are half-open ranges of channels to keep (all, when empty), `average` the number of
    snippets to average into one, `durations` the videos' lengths in seconds where a manifest does not give them.
    Raises BadInput with the file's name for anything unreadable.
    """

    def __init__(
        self,
        path: Path,
        source: FeatureSource | None = None,
        *,
        columns: tuple[tuple[int, int], ...] = (),
        average: int = 1,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        self.path = Path(path)
        self.columns = columns
        self.average = average
        if not self.path.exists():
            raise missing(self.path, "file or folder of features")
        manifest = _read_manifest(self.path)
        self._durations = {**manifest.durations, **(durations or {})}
        if manifest.source and source and manifest.source != source:
            raise BadInput(
                f"{self.path}: its features come from {describe(manifest.source)}, "
                f"but {describe(source)} was asked for; extract again or change the source"
            )
        chosen = manifest.source or source
        if chosen is None:
            raise BadInput(f"{self.path}: has no {MANIFEST}, so its frame rate is unknown; give data.source")
        self._stored_source = chosen
        self._files = manifest.files

    @property
    def source(self) -> FeatureSource:
        """The source of what this folder gives, averaging included."""
        return self._stored_source.averaged(self.average)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, video: object) -> bool:
        return video in self._names

    def __getitem__(self, video: str) -> VideoFeatures:
        if video not in self._names:
            raise BadInput(f"{self.path}: has no features of {video!r}; extract it or leave it out")
        values = self._select(video, self._read(video))
        grid = self._stored_source.grid
        # Without a stated length, a video ends where its last snippet does.
        duration = self._durations.get(video) or grid.start + (len(values) - 1) * grid.step + grid.span
        return VideoFeatures(values, grid, duration, self._stored_source).averaged(self.average)

    @cached_property
    def _names(self) -> dict[str, Path]:
        if self.path.suffix == ".npz":
            return dict.fromkeys(sorted(self._archive.files), self.path)
        if self._files:
            return {video: self.path / file for video, file in self._files.items()}
        if self.path.is_file():
            return {_video_of(self.path): self.path}
        files = sorted(file for file in self.path.iterdir() if file.name.endswith(ENDINGS))
        return {_video_of(file): file for file in files}

    @cached_property
    def _archive(self) -> Any:
        try:
            return np.load(self.path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BadInput(f"{self.path}: is not a readable .npz file ({error}); write it again") from None

    def _read(self, video: str) -> np.ndarray:
        file = self._names[video]
        if file.suffix == ".npz":
            values = self._archive[video]
        elif file.suffix == ".npy":
            values = read_array(file)
        else:
            values = _read_csv(file)
        if values.ndim != 2 or 0 in values.shape or not np.issubdtype(values.dtype, np.floating):
            raise BadInput(
                f"{file}: {video} has shape {values.shape} of {values.dtype}; time x channels of floats was expected"
            )
        return values

    def _select(self, video: str, values: np.ndarray) -> np.ndarray:
        if not self.columns:
            return values
        widest = max(last for _, last in self.columns)
        if widest > values.shape[1]:
            raise BadInput(f"{self.path}: {video} has {values.shape[1]} channels, but columns reach to {widest}")
        return np.concatenate([values[:, first:last] for first, last in self.columns], axis=1)


class FeatureWriter:
    """Writes a feature folder, one whole file a video, and its manifest; going on with what is there already.

    Raises BadInput when the folder holds features of another source.
    """

    def __init__(self, path: Path, source: FeatureSource) -> None:
        self.path = Path(path)
        self.source = source
        manifest = _read_manifest(self.path) if self.path.exists() else _Manifest()
        if manifest.source is not None and manifest.source != source:
            raise BadInput(
                f"{self.path}: holds features from {describe(manifest.source)}, not {describe(source)}; "
                "choose another folder"
            )
        self._videos = {
            video: {"file": file, "duration": manifest.durations[video]}
            for video, file in manifest.files.items()
            if (self.path / file).exists()
        }

    def __contains__(self, video: str) -> bool:
        return video in self._videos

    def write(self, video: str, features: VideoFeatures) -> None:
        """Store one video as half-precision floats, and enter it in the manifest."""
        file = self.path / f"{video}.npy"
        with whole(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.asarray(features.values, np.float16))
        self._videos[video] = {"file": file.name, "duration": features.duration}
        manifest = {"source": asdict(self.source), "videos": dict(sorted(self._videos.items()))}
        write_json(self.path / MANIFEST, manifest)


def read_array(file: Path) -> np.ndarray:
    """A memory-mapped `.npy` file, its length checked against its header."""
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(file, "file") from None
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{file}: is not a readable .npy file ({error}); write it again") from None


def describe(source: FeatureSource) -> str:
    """One line that tells two sources apart."""
    streams = "+".join(source.streams) or "one stream"
    return f"{source.backbone} ({streams}, {source.fps:g} fps, stride {source.stride:g}, window {source.window:g})"


@dataclass(frozen=True)
class _Manifest:
    source: FeatureSource | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)


def _read_manifest(path: Path) -> _Manifest:
    file = (path if path.is_dir() else path.parent) / MANIFEST
    if path.suffix == ".npz" or not file.exists():
        return _Manifest()
    content = read_json(file)
    try:
        source = FeatureSource(**{**content["source"], "streams": tuple(content["source"]["streams"])})
        videos = content["videos"]
        files = {video: str(entry["file"]) for video, entry in videos.items()}
        durations = {video: float(entry["duration"]) for video, entry in videos.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{file}: is not a manifest of features ({error!r}); extract the folder again") from None
    if path.is_file():
        files = {video: name for video, name in files.items() if name == path.name}
        return _Manifest(source, {}, {video: durations[video] for video in files})
    return _Manifest(source, files, durations)


def _read_csv(file: Path) -> np.ndarray:
    lines = read_bytes(file).decode("utf-8", "replace").splitlines()
    first = lines[0].replace(",", " ").split() if lines else []
    header = 0 if all(map(_is_number, first)) else 1
    try:
        return np.loadtxt(lines[header:], delimiter=",", ndmin=2, dtype=np.float32)
    except ValueError as error:
        raise BadInput(f"{file}: is not a table of numbers ({error}); mend or replace it") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _video_of(file: Path) -> str:
    for ending in ENDINGS:
        if file.name.endswith(ending):
            return file.name.removesuffix(ending)
    raise BadInput(f"{file}: is no feature file; {', '.join(ENDINGS)} or .npz was expected")
