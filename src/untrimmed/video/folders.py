"""Finds the videos in folders and in the folders inside them, and says what was passed over there."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.io import BadInput, missing
from untrimmed.video.names import VIDEO_ENDINGS, name_files

OTHER_ENDINGS = frozenset(
    (
        *(".boris", ".csv", ".eaf", ".etf", ".gz", ".h5", ".hdf5", ".html", ".json", ".jsonl", ".log", ".md", ".npy"),
        *(".npz", ".onnx", ".pdf", ".pfsx", ".pickle", ".pkl", ".pt", ".pth", ".py", ".safetensors", ".srt", ".svg"),
        *(".textgrid", ".toml", ".tsv", ".txt", ".vtt", ".xlsx", ".xml", ".yaml", ".yml"),
    )
)
"""What annotations, features and papers beside videos end with: nobody expects these to be videos."""
COMMON = ".mp4, .mov, .mkv, .avi, .MTS, .mpg, .webm"


class VideoListing(NamedTuple):
    """Videos by name, see `name_files`; `passed_over` are files beside them with endings that no video has."""

    files: Mapping[str, Path]
    passed_over: tuple[Path, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on what was passed over; none without such."""
        if not self.passed_over:
            return ()
        files = "1 file" if len(self.passed_over) == 1 else f"{len(self.passed_over):,} files"
        return (f"passed over, as no video ends so: {files}, such as {self.passed_over[0]}",)


def list_videos(path: str | Path, *more: str | Path) -> VideoListing:
    """List a video file itself, or the files with the ending of a video in a folder and in the folders inside it.

    With `more` paths, the videos of all. Hidden files and folders are skipped. Raises BadInput for a path that is
    not there, and for a folder without videos.
    """
    files: list[Path] = []
    passed_over: list[Path] = []
    for place in map(Path, (path, *more)):
        inner = _list_files(place)
        videos = [file for file in inner if place.is_file() or file.suffix.lower() in VIDEO_ENDINGS]
        if not videos:
            raise _no_videos(place, inner)
        files += videos
        remaining = sorted({*inner} - {*videos})
        passed_over += [file for file in remaining if file.suffix.lower() not in OTHER_ENDINGS]
    return VideoListing(name_files(files), tuple(passed_over))


def _list_files(path: Path) -> list[Path]:
    """List a file itself, or all files below a folder but hidden ones, such as the `._` files of macOS."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise missing(path, "video or folder of videos")
    files: list[Path] = []
    for parent, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        files += [file for name in sorted(names) if name[0] != "." and (file := Path(parent, name)).is_file()]
    return files


def _no_videos(folder: Path, files: Sequence[Path]) -> BadInput:
    suspects = [file for file in files if file.suffix.lower() not in OTHER_ENDINGS] or files
    content = f"of its {len(files):,} files the first is {suspects[0]}" if files else "it holds no file"
    return BadInput(f"{folder}: holds no video; {content}; files such as {COMMON} were looked for")
