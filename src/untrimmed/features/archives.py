"""Finds the videos in files that hold arrays under names: `.npz`, HDF5, pickles, tensors, JSON."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from untrimmed.features.contents import CONTENT_ENDINGS, FAULTS, PICKLE_ENDINGS, Entry, Tree, open_content
from untrimmed.features.keypoints import fill_gaps, flatten_points
from untrimmed.features.shapes import Axes, Reading, check_array
from untrimmed.io import BadInput

SCORES = "scores"
"""The entry of a pickled dict that holds its snippets, as in the files that C-TCN's authors released."""
KEYS = ("features", "feats", "feature", "feat", "video_features", "embeddings", "embedding", "keypoints", SCORES)
"""Names under which files of one video have its features, the likeliest first."""
UNNAMED = ("", "arr_0", "data", "x", "array", "values", "tensor", "table")
"""Names of an array that say nothing of the video."""
COLLECTIONS = ("train", "training", "val", "valid", "validation", "test", "testing", "all", "videos", "data", *KEYS)
"""Names of groups and files that are of many videos, however many there are."""
_BLOCK = re.compile(r"block\d+_values")
"""Names of the columns of one type in a table that pandas wrote."""
MOST_STREAMS = 4
"""Arrays, folders or endings of the same names that may be the streams of videos."""


class _Video(NamedTuple):
    """Where the features of a video are, and what was not used beside them."""

    path: tuple[str, ...]
    load: Callable[[], np.ndarray]
    is_pose: bool = False
    unused: tuple[str, ...] = ()


class Archive:
    """An open file of features, whose videos are `names`, sorted. `content` names all that is in it, for sentences.

    A video is an array, or a group with one array, or with one under a usual name such as `feats` in it; in groups
    of these too. A file that has only the arrays of one video is named by its own name. `streams` are the names under
    which each video has an array, such as `flow` and `rgb`; with one of them as `stream`, only these arrays are read.
    Raises BadInput where the file has no such stream.
    """

    def __init__(self, path: Path, stream: str = "") -> None:
        self.path = path
        self._tree, self._handle = open_content(path)
        self.content = tuple(sorted(self._tree))
        keys = (SCORES, *KEYS) if path.suffix.lower() in PICKLE_ENDINGS else KEYS
        videos = _find_videos(self._tree, (), keys)
        by_stream = _part_streams(videos)
        self.streams = tuple(sorted(by_stream))
        if stream and stream not in by_stream:
            raise BadInput(
                f"{path}: not every video in it has {stream!r}; it holds {_list_some(self.streams or self.content)}"
            )
        self._videos = _name_videos(by_stream[stream] if stream else videos, path)
        self.names = sorted(self._videos)

    def advise(self) -> str:
        """Say what to write instead, where the only array may be of several videos, or none is of numbers."""
        wish = "write one array of time x channels a video, under its name, such as np.savez(file, **arrays))"
        if not self.names:
            held = _list_some([name for name in self.content if name] or ["a list"])
            return f" (it holds {held}, none as numbers: {wish}"
        values = self._tree.get(next((key for key in self.content if key.lower() in (*KEYS, *UNNAMED)), ""))
        if len(self.names) == 1 and isinstance(values, Entry) and sum(length > 1 for length in values.shape) > 2:
            return f" (its array is {' x '.join(map(str, values.shape))}, perhaps of several videos: {wish}"
        return ""

    def close(self) -> None:
        """Close the file."""
        with self._handle:
            pass

    def read(self, name: str, axes: Axes = "tc") -> Reading:
        """Read the snippets of a video, perhaps none. Raises BadInput unless they are time x channels of numbers."""
        if name not in self._videos:
            raise BadInput(f"{self.path}: {name} is no array of features; it holds {_list_some(self.content)}")
        video, where = self._videos[name], f"{self.path}: {name}" if len(self.names) > 1 else str(self.path)
        try:
            values = video.load()
        except BadInput:
            raise
        except FAULTS as error:
            raise BadInput(f"{self.path}: {name} cannot be read ({error}); write the file again") from None
        notes = {"of several arrays only one was used": ", ".join(video.unused) + " not"} if video.unused else {}
        values = check_array(values, where, axes)
        return fill_gaps(values, where, notes) if video.is_pose else Reading(values, notes)

    def read_only(self, axes: Axes = "tc") -> Reading:
        """Read the one video in the file. Raises BadInput where there is none, or where several arrays may be it."""
        if len(self.names) == 1:
            return self.read(self.names[0], axes)
        held = _list_some(self.names or self.content)
        if not self.names:
            raise BadInput(f"{self.path}: holds {held}; an array of time x channels was expected, named {KEYS[0]!r}")
        raise BadInput(
            f"{self.path}: holds {held}; one array a video was expected, so keep one of them or name it {KEYS[0]!r}"
        )


def part_path(path: Path) -> tuple[Path, str]:
    """Part a path such as `features.h5/rgb` into the file and a stream in it; of any other, the latter is empty."""
    is_inner = path.parent.suffix.lower() in CONTENT_ENDINGS and path.parent.is_file()
    return (path.parent, path.name) if is_inner else (path, "")


def _find_videos(tree: Tree, path: tuple[str, ...], keys: tuple[str, ...]) -> list[_Video]:
    """Find the videos in a group: one, if the names of its arrays say so, or one for each array and group."""
    if video := _find_pose(tree, path) or _pick(tree, path, keys):
        return [video]
    groups = {name: node for name, node in tree.items() if isinstance(node, dict)}
    # Where a file has nothing else, arrays of one axis are read, to say that they are no features.
    arrays = _select_arrays(tree) or ({} if path or groups else _select_arrays(tree, 1))
    videos = [_Video((*path, name), entry.load) for name, entry in arrays.items()]
    for name, group in groups.items():
        videos += _find_videos(group, (*path, name), keys)
    is_video = path and path[-1].lower() not in COLLECTIONS
    if len(videos) == 1 and arrays and (is_video or next(iter(arrays)).lower() in UNNAMED):
        return [videos[0]._replace(path=path)]
    return videos


def _part_streams(videos: Sequence[_Video]) -> dict[str, list[_Video]]:
    """Part videos by streams, the last or the first part of each path; none unless each video has them all."""
    choices = []
    for place in (-1, 0) if all(len(video.path) > 1 for video in videos) else ():
        streams: dict[str, dict[tuple[str, ...], _Video]] = {}
        for video in videos:
            path = video.path[1:] if place == 0 else video.path[:-1]
            streams.setdefault(video.path[place], {})[path] = video._replace(path=path)
        if 1 < len(streams) <= MOST_STREAMS and len(set(map(frozenset, streams.values()))) == 1:
            choices.append({stream: list(parts.values()) for stream, parts in streams.items()})
    return min(choices, key=len, default={})


def _select_arrays(tree: Tree, axes: int = 2) -> dict[str, Entry]:
    """Select the arrays of so many axes or more."""
    return {name: node for name, node in tree.items() if isinstance(node, Entry) and len(node.shape) >= axes}


def _pick(tree: Tree, path: tuple[str, ...], keys: tuple[str, ...]) -> _Video | None:
    """Pick the features of one video by the usual names; None where no name says so."""
    arrays = _select_arrays(tree)
    folded = {name.lower(): name for name in arrays}
    usual = [folded[key] for key in keys if key in folded]
    ending = [name for name in arrays if name.lower().endswith(("_features", "_feats", "_feat"))]
    if not usual and len(ending) != 1:
        return None
    name = (usual or ending)[0]
    unused = tuple(array for array in arrays if array != name)
    if name.lower() == "keypoints" and len(arrays[name].shape) > 2:
        return _Video(path, partial(_load_points, arrays[name].load, 0), True, unused)
    return _Video(path, arrays[name].load, False, unused)


def _find_pose(tree: Tree, path: tuple[str, ...]) -> _Video | None:
    """Find the tracked points of SLEAP's analysis files, or of the tables that DeepLabCut has pandas write."""
    tracks, names, occupied = (tree.get(name) for name in ("tracks", "node_names", "track_occupancy"))
    if isinstance(tracks, Entry) and len(tracks.shape) == 4 and isinstance(names, Entry | dict):
        # Frames are the last axis of four, or in newer files the first; then points are the last.
        frames = max(occupied.shape) if isinstance(occupied, Entry) and occupied.shape else tracks.shape[3]
        axis = 3 if tracks.shape[3] == frames else 0
        return _Video(path, partial(_load_points, tracks.load, axis), True)
    frames = {name: inner for name, inner in tree.items() if isinstance(inner, dict) and _find_frame(name, inner)}
    if path:
        frames[path[-1]] = tree
    # Of several tables, each is a video.
    if len(frames) - bool(path) > 1:
        return None
    for name, inner in frames.items():
        if block := _find_frame(name, inner):
            unused = tuple(sorted(key for key in inner if _BLOCK.fullmatch(key) and inner[key] is not block))
            return _Video(path, block.load, name == "df_with_missing", unused)
    return None


def _find_frame(name: str, group: Tree) -> Entry | None:
    """Find the numbers of a table that pandas wrote as a group of this name."""
    block = group.get("block0_values") or (group.get("table") if name == "df_with_missing" else None)
    return block if isinstance(block, Entry) else None


def _load_points(load: Callable[[], np.ndarray], time_axis: int) -> np.ndarray:
    return flatten_points(load(), time_axis)


def _name_videos(videos: list[_Video], file: Path) -> dict[str, _Video]:
    """Name videos by the last part of where they are, by all of it where two share that, or by the file."""
    lasts = ["".join(video.path[-1:]) for video in videos]
    if file.suffix.lower() != ".npz":
        lasts = [last.rsplit("/", 1)[-1] for last in lasts]
    counts = Counter(lasts)
    names = [last if counts[last] == 1 else "/".join(video.path) for video, last in zip(videos, lasts, strict=True)]
    return {name or file.stem: video for name, video in zip(names, videos, strict=True)}


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more or "nothing"
