"""Reads and writes folders of features: a file a video or one archive, with a manifest."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.features.archives import Archive, part_path
from untrimmed.features.contents import holds_names
from untrimmed.features.files import read_array
from untrimmed.features.listing import (
    FilePlace,
    Listing,
    advise_streams,
    describe_files,
    is_archive,
    list_places,
    shorten_names,
)
from untrimmed.features.shapes import Axes
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput, missing, read_json, whole, write_json
from untrimmed.video.names import NameIndex, is_inner_path, match_names

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
CONVENTION = (
    "snippet i covers [start + i * stride / fps, + window / fps) seconds of the video from its first frame; "
    "position i + 0.5 is the middle of that"
)
"""How snippets lie in time, for readers of a manifest."""


class FeatureFolder:
    """The feature files of many videos by name, read lazily: a folder of them, one file, or an archive.

    A folder without such files stands for those in the folders in it; `files` are those to use, where not all are. A
    folder that `FeatureWriter` wrote has a manifest. Any other (or a `.npz` or HDF5 archive) needs `source`, to say
    how its snippets lie in time. Of a file in which each video has several streams, a path such as `features.h5/rgb`
    means one. `axes` is the order of the axes in the files. What is guessed about files is told to `tell`, which logs
    it unless it is another, once for each kind of guess. `durations` are the videos' lengths in seconds where a
    manifest does not give them; of their videos no two get one file. A video is found by the name of its file, exact
    or not, see `video.names.match_names`: with a `v_` before it, as ActivityNet's files have it, a video's ending
    after it, or in other cases of letters, or with an ending after it that all files have, such as `_rgb`. Raises
    BadInput, with its name, for an unreadable file.
    """

    def __init__(
        self,
        path: str | Path,
        source: FeatureSource | None = None,
        *,
        durations: Mapping[str, float] | None = None,
        files: Sequence[Path] = (),
        axes: Axes = "tc",
        tell: Callable[[str], None] = logger.info,
    ) -> None:
        self.path, self._stream = part_path(Path(path))
        self._selected, self._tell = files, tell
        self._axes: Axes = axes
        self._noted: set[str] = set()
        self._titled: tuple[Path, tuple[str, ...]] | None = None
        self._shaped: tuple[str, tuple[int, ...]] | None = None
        if not files and not self.path.exists():
            raise missing(self.path, "file or folder of features")
        manifest = _read_manifest(self.path)
        self._files = {video: self.path / entry["file"] for video, entry in manifest.videos.items()}
        stated = {video: entry["duration"] for video, entry in manifest.videos.items()}
        self._durations = {**stated, **(durations or {})}
        self._videos = tuple(durations or ())
        if manifest.source and source and manifest.source != source:
            raise BadInput(
                f"{self.path}: its features come from {manifest.source.summary}, "
                f"but {source.summary} was asked for; extract again or change the source"
            )
        source = manifest.source or source
        if source is None:
            raise BadInput(
                f"{self.path}: has no {MANIFEST}, so its frame rate is unknown; give data.layout or data.source"
            )
        self.source = source

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, video: object) -> bool:
        return isinstance(video, str) and self.find(video) is not None

    def find(self, video: str) -> str | None:
        """Find the name that a video has here; None where it is absent."""
        exact = self._matches[video] if video in self._matches else self._index.find(video)
        if exact and exact not in (video, f"v_{video}"):
            self._note("alike", f"{self.path}: {exact} was taken for the features of {video}, as were those alike")
        return exact or self._find_without_ending(video)

    def duration(self, video: str) -> float | None:
        """Return the length of a video in seconds; None where it is unknown."""
        return self._durations.get(video) or self._durations.get(self.find(video) or video)

    def read(self, video: str) -> Float[np.ndarray, "time channels"]:
        """Read the snippets of a video as they are stored, perhaps none."""
        name = self.find(video)
        if name is None:
            raise no_features(self.path, video)
        place = self._names[name]
        archive = self._listing.archives.get(place.file)
        if archive and place.entry is not None:
            reading = archive.read(place.entry, self._axes)
        else:
            reading = read_array(place.file, self._axes)
        for kind, detail in reading.notes.items():
            self._note(kind, f"{place.file}: {kind} ({detail})")
        self._check_titles(place.file, reading.titles)
        self._check_axes(name, reading.values.shape)
        return reading.values

    def describe(self) -> str:
        """Describe what lies here, in words, for sentences about what does not."""
        archive = self._listing.archives.get(self.path)
        if archive is None and self.path.is_file() and holds_names(self.path):
            with closing(Archive(self.path)) as opened:
                return describe_files(self.path) + opened.advise()
        streams = [f"{self.path.as_posix()}/{stream}" for stream in archive.streams] if archive else []
        return describe_files(self.path, self._selected) + (
            advise_streams(streams) if streams else archive.advise() if archive else ""
        )

    def _check_titles(self, file: Path, titles: tuple[str, ...]) -> None:
        """Raise BadInput where a file has the columns of the first one that was read in another order."""
        if not titles or len(set(titles)) < len(titles):
            return
        first, order = self._titled = self._titled or (file, titles)
        if order != titles and sorted(order) == sorted(titles):
            place = next(index for index, title in enumerate(titles) if title != order[index])
            raise BadInput(
                f"{file}: its columns are in another order than those of {first.name}: channel {place} is "
                f"{titles[place]!r}, and {order[place]!r} there; write all files in one order"
            )

    def _check_axes(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise BadInput where it is the channels in which videos differ, and not the fewer snippets."""
        first, (count, channels) = self._shaped = self._shaped or (name, shape)
        if shape[0] == count < min(channels, shape[1]) and shape[1] != channels:
            other_order = "ct" if self._axes == "tc" else "tc"
            raise BadInput(
                f"{self.path}: {name} has {count} snippets of {shape[1]} channels, {first} as many of {channels}: "
                f'are the axes swapped? then set data.axes = "{other_order}"; else extract all alike'
            )

    def _note(self, kind: str, sentence: str) -> None:
        """Tell of a guess, unless one of its kind was told of."""
        if kind not in self._noted:
            self._noted.add(kind)
            self._tell(sentence)

    @cached_property
    def _names(self) -> dict[str, FilePlace]:
        for note in self._listing.notes:
            self._note(note, f"{self.path}: {note}")
        return self._listing.places

    @cached_property
    def _listing(self) -> Listing:
        if self._files and self.path.is_dir():
            return Listing({video: FilePlace(file) for video, file in self._files.items()}, {})
        return list_places(self.path, self._selected, self._stream)

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self._names)

    @cached_property
    def _matches(self) -> dict[str, str | None]:
        """The names here of the videos whose lengths were given."""
        return {**dict.fromkeys(self._videos), **match_names(self._videos, self._names)}

    @cached_property
    def _by_ending(self) -> "list[_Shortened]":
        """What remains of the names without an ending that all have, and the names here of the videos known by it."""
        unknown = [video for video in self._videos if self._matches[video] is None]
        taken = set(self._matches.values())
        shortened = []
        for shorter in shorten_names(self._names):
            free = {short: name for short, name in shorter.items() if name not in taken}
            matches = {video: free[short] for video, short in match_names(unknown, free).items()}
            shortened.append(_Shortened(NameIndex(shorter), shorter, {**dict.fromkeys(unknown), **matches}))
        return shortened

    def _find_without_ending(self, video: str) -> str | None:
        for finder, names, matches in self._by_ending:
            name = matches[video] if video in matches else names.get(finder.find(video) or "")
            if name is not None:
                self._note(
                    "ending", f"{self.path}: {name} was taken for the features of {video}, as were those alike"
                )
                return name
        return None


class _Shortened(NamedTuple):
    """Names without a common ending: found loosely, by what remains, and as matched to the videos that are known."""

    finder: NameIndex
    names: dict[str, str]
    matches: dict[str, str | None]


def no_features(path: Path, video: str) -> BadInput:
    """Return the error for a video whose features are absent."""
    return BadInput(f"{path}: has no features of {video!r}; extract it or leave it out")


class FileFingerprint(NamedTuple):
    """The size and hash of the video that features were extracted from, to recognize another one of its name."""

    bytes: int
    sha256: str


class FeatureWriter:
    """Writes a feature folder, one whole file a video, and its manifest; continues a folder that exists.

    Raises BadInput when the folder holds features of another source.
    """

    def __init__(self, path: str | Path, source: FeatureSource) -> None:
        self.path, self.source = Path(path), source
        stored, videos = _read_manifest(self.path)
        if stored is not None and stored != source:
            raise BadInput(
                f"{self.path}: holds features from {stored.summary}, not {source.summary}; choose another folder"
            )
        self._videos = {video: entry for video, entry in videos.items() if (self.path / entry["file"]).exists()}

    def __contains__(self, video: str) -> bool:
        return video in self._videos

    def fingerprint(self, video: str) -> FileFingerprint | None:
        """Return the fingerprint of the video that features were extracted from; None where the manifest has none."""
        entry = self._videos[video]
        return FileFingerprint(int(entry["bytes"]), str(entry["sha256"])) if "sha256" in entry else None

    def write(self, video: str, features: VideoFeatures, fingerprint: FileFingerprint | None = None) -> None:
        """Write one video, in half precision where its values allow, and add it to the manifest."""
        file = self.path / f"{video}.npy"
        if not is_inner_path(video):
            raise BadInput(f"video {video!r}: cannot be the name of a file; rename it")
        # Half precision reaches to 65,504 only; larger values must not become infinite.
        precise = np.abs(features.values).max() > np.finfo(np.float16).max
        values = np.asarray(features.values, np.float32 if precise else np.float16)
        with whole(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, values)
        entry = {
            "file": file.relative_to(self.path).as_posix(),
            "duration": features.duration,
            "snippets": len(values),
            "dtype": str(values.dtype),
        }
        self._videos[video] = {**entry, **(fingerprint._asdict() if fingerprint else {})}
        manifest = {
            "source": asdict(self.source),
            "convention": CONVENTION,
            "videos": dict(sorted(self._videos.items())),
        }
        write_json(self.path / MANIFEST, manifest)


class _Manifest(NamedTuple):
    source: FeatureSource | None
    videos: dict[str, dict[str, Any]]


def read_source(path: str | Path) -> FeatureSource | None:
    """Read the source in the manifest of a folder; None without a manifest. Raises BadInput for a broken one."""
    return _read_manifest(Path(path)).source if Path(path).is_dir() else None


def compute_fingerprint(path: str | Path) -> FileFingerprint:
    """Compute the fingerprint of a file, all of which is read."""
    with Path(path).open("rb") as file:
        return FileFingerprint(Path(path).stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _read_manifest(path: Path) -> _Manifest:
    file = (path if path.is_dir() else path.parent) / MANIFEST
    if is_archive(path) or not (path.exists() and file.exists()):
        return _Manifest(None, {})
    content = read_json(file)
    try:
        source = FeatureSource.from_json(content["source"])
        videos = {
            video: {**entry, "file": str(entry["file"]), "duration": float(entry["duration"])}
            for video, entry in content["videos"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{file}: is not a manifest of features ({error!r}); extract the folder again") from None
    if path.is_file():
        videos = {video: entry for video, entry in videos.items() if entry["file"] == path.name}
    return _Manifest(source, videos)
