"""Folders of features: read lazily from `.npy`, `.csv` or `.npz`, written whole, with a manifest."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from untrimmed.errors import BadInput, missing
from untrimmed.features import FeatureSource, VideoFeatures, describe
from untrimmed.files import read_bytes, read_json, whole, write_json

MANIFEST = "manifest.json"
ENDINGS = (".npy", ".csv", ".csv.gz")


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
        if len(values) < self.average:
            raise BadInput(f"{self.path}: {video} has {len(values)} snippets, fewer than {self.average} to average")
        return VideoFeatures(values, grid, duration, self._stored_source).averaged(self.average)

    @cached_property
    def _names(self) -> dict[str, Path]:
        if self.path.suffix == ".npz":
            return dict.fromkeys(sorted(self._archive.files), self.path)
        if self._files:
            return {video: self.path / file for video, file in self._files.items()}
        if self.path.is_file():
            return {_video_of(self.path): self.path}
        names: dict[str, Path] = {}
        for file in sorted(file for file in self.path.iterdir() if file.name.endswith(ENDINGS)):
            if (video := _video_of(file)) in names:
                raise BadInput(f"{self.path}: {names[video].name} and {file.name} are both of {video}; remove one")
            names[video] = file
        return names

    @cached_property
    def _archive(self) -> Any:
        try:
            if not zipfile.is_zipfile(self.path):
                raise zipfile.BadZipFile("no .npz inside")
            return np.load(self.path, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(f"{self.path}: is not a readable .npz file ({error}); write it again") from None

    def _read(self, video: str) -> np.ndarray:
        file = self._names[video]
        if file.suffix == ".npz":
            values = self._from_archive(video)
        elif file.suffix == ".npy":
            values = read_array(file)
        else:
            values = _read_csv(file)
        if values.ndim != 2 or 0 in values.shape or not np.issubdtype(values.dtype, np.floating):
            raise BadInput(
                f"{file}: {video} has shape {values.shape} of {values.dtype}; time x channels of floats was expected"
            )
        return values

    def _from_archive(self, video: str) -> np.ndarray:
        try:
            return self._archive[video]
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise BadInput(f"{self.path}: {video} cannot be read ({error}); write the file again") from None

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
        """Store one video in half precision where its values allow, and enter it in the manifest."""
        file = self.path / f"{video}.npy"
        if file.parent != self.path or video in ("", ".", ".."):
            raise BadInput(f"video {video!r}: cannot be the name of a file; rename it")
        # Half precision reaches to 65,504 only; what lies beyond must not become infinite.
        precise = np.abs(features.values).max() > np.finfo(np.float16).max
        with whole(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.asarray(features.values, np.float32 if precise else np.float16))
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
    if len(lines) <= header:
        raise BadInput(f"{file}: holds no row of numbers; replace it")
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
