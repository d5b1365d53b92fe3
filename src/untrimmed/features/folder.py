"""Folders of features: read lazily, a file a video or one archive, and written whole, with a manifest."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.features import archives
from untrimmed.features.files import ENDINGS, read_features, video_of
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import FeatureSource, VideoFeatures, describe
from untrimmed.io import BadInput, missing, read_json, whole, write_json
from untrimmed.video.sampling import ENDINGS as VIDEO_ENDINGS

MANIFEST = "manifest.json"
CONVENTION = (
    "snippet i covers [start + i * stride / fps, + window / fps) seconds of the video from its first frame; "
    "position i + 0.5 is the middle of that"
)
"""How snippets lie in time, for readers of a manifest."""
PREFIX = "v_"
"""What stands before a video's name in the files that go round for ActivityNet."""


class FeatureFolder:
    """The features of many videos by name, read when asked for: a folder of feature files, one file,
    or an archive (`.npz`, HDF5).

    A folder that `FeatureWriter` made carries a manifest. Any other needs `source`, to say how its snippets lie
    in time. `durations` are the videos' lengths in seconds where a manifest does not give them. A video is found
    by the name of its file, also where just one of the two has a `v_` before it, as ActivityNet's files do, or a
    video's ending after it. Raises BadInput with the file's name for anything unreadable.
    """

    def __init__(
        self, path: Path, source: FeatureSource | None = None, *, durations: Mapping[str, float] | None = None
    ) -> None:
        self.path = Path(path)
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
            raise BadInput(
                f"{self.path}: has no {MANIFEST}, so its frame rate is unknown; give data.layout or data.source"
            )
        self.source = chosen
        self._files = manifest.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, video: object) -> bool:
        return isinstance(video, str) and self.find(video) is not None

    def __getitem__(self, video: str) -> VideoFeatures:
        values = self.read(video)
        if not len(values):
            raise BadInput(f"{self.path}: {video} has no snippets; extract it again or leave it out")
        grid = self.source.grid
        return VideoFeatures(values, grid, self.duration(video) or reach(grid, len(values)), self.source)

    def find(self, video: str) -> str | None:
        """The name that a video has here, None where it has none."""
        for spelling in (video, PREFIX + video, video.removeprefix(PREFIX)):
            if spelling in self._names:
                return spelling
            if len(several := self._plain.get(_without_ending(spelling), ())) == 1:
                return several[0]
        return None

    def duration(self, video: str) -> float | None:
        """The length of a video in seconds, None where nobody said it."""
        return self._durations.get(video) or self._durations.get(self.find(video) or video)

    def read(self, video: str) -> Float[np.ndarray, "time channels"]:
        """The snippets of a video as they are stored, perhaps none."""
        name = self.find(video)
        if name is None:
            raise BadInput(f"{self.path}: has no features of {video!r}; extract it or leave it out")
        file = self._names[name]
        return self._archive.read(name) if file.suffix in archives.ENDINGS else read_features(file)

    @cached_property
    def _names(self) -> dict[str, Path]:
        if self.path.suffix in archives.ENDINGS:
            return dict.fromkeys(self._archive.names, self.path)
        if self._files:
            return {video: self.path / file for video, file in self._files.items()}
        if self.path.is_file():
            return {video_of(self.path): self.path}
        names: dict[str, Path] = {}
        for file in sorted(file for file in self.path.iterdir() if file.name.endswith(ENDINGS)):
            if (video := video_of(file)) in names:
                raise BadInput(f"{self.path}: {names[video].name} and {file.name} are both of {video}; remove one")
            names[video] = file
        return names

    @cached_property
    def _plain(self) -> dict[str, list[str]]:
        """Names by what they are without a video's ending."""
        plain: dict[str, list[str]] = {}
        for name in self._names:
            plain.setdefault(_without_ending(name), []).append(name)
        return plain

    @cached_property
    def _archive(self) -> archives.Archive:
        return archives.open_archive(self.path)


def reach(grid: Grid, count: int) -> float:
    """When the last of `count` snippets ends, in seconds: the end of a video whose length nobody said."""
    return grid.start + (count - 1) * grid.step + grid.span


class Origin(NamedTuple):
    """A file that features were made of, so that another one of the same name is told apart."""

    bytes: int
    sha256: str


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
            video: dict(manifest.entries[video])
            for video, file in manifest.files.items()
            if (self.path / file).exists()
        }

    def __contains__(self, video: str) -> bool:
        return video in self._videos

    def origin(self, video: str) -> "Origin | None":
        """The file that a video's features were made of, where the manifest says."""
        entry = self._videos[video]
        return Origin(int(entry["bytes"]), str(entry["sha256"])) if "sha256" in entry else None

    def write(self, video: str, features: VideoFeatures, origin: "Origin | None" = None) -> None:
        """Store one video in half precision where its values allow, and enter it in the manifest."""
        file = self.path / f"{video}.npy"
        if file.parent != self.path or video in ("", ".", ".."):
            raise BadInput(f"video {video!r}: cannot be the name of a file; rename it")
        # Half precision reaches to 65,504 only; what lies beyond must not become infinite.
        precise = np.abs(features.values).max() > np.finfo(np.float16).max
        values = np.asarray(features.values, np.float32 if precise else np.float16)
        with whole(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, values)
        entry = {
            "file": file.name,
            "duration": features.duration,
            "snippets": len(values),
            "dtype": str(values.dtype),
        }
        self._videos[video] = {**entry, **(origin._asdict() if origin else {})}
        manifest = {
            "source": asdict(self.source),
            "convention": CONVENTION,
            "videos": dict(sorted(self._videos.items())),
        }
        write_json(self.path / MANIFEST, manifest)


@dataclass(frozen=True)
class _Manifest:
    source: FeatureSource | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def stated_source(path: Path) -> FeatureSource | None:
    """What the manifest of a folder says of its features; None where there is none. BadInput for a broken one."""
    return _read_manifest(Path(path)).source if Path(path).is_dir() else None


def origin_of(path: Path) -> Origin:
    """The file at a path as it is now; it is read through."""
    with Path(path).open("rb") as file:
        return Origin(Path(path).stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _read_manifest(path: Path) -> _Manifest:
    file = (path if path.is_dir() else path.parent) / MANIFEST
    if path.suffix in archives.ENDINGS or not file.exists():
        return _Manifest()
    content = read_json(file)
    try:
        source = FeatureSource.from_json(content["source"])
        videos = content["videos"]
        files = {video: str(entry["file"]) for video, entry in videos.items()}
        durations = {video: float(entry["duration"]) for video, entry in videos.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{file}: is not a manifest of features ({error!r}); extract the folder again") from None
    if path.is_file():
        files = {video: name for video, name in files.items() if name == path.name}
        return _Manifest(source, {}, {video: durations[video] for video in files})
    return _Manifest(source, files, durations, videos)


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in VIDEO_ENDINGS else name
