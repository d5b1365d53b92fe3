"""The videos in folders: what their files say of themselves, and which one a name in annotations means."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from untrimmed.annotations.formats.content import media_name
from untrimmed.features.folder import PREFIX
from untrimmed.io import BadInput, missing
from untrimmed.video.containers import VIDEO_ENDINGS, open_video, read_packets
from untrimmed.video.probe import VideoInfo, probe_video

TOLERANCE = 1.0
"""Seconds by which the length of a file may differ from that of its annotations or features."""
READERS = 4
"""Files that are opened at a time; most of it is waiting for the disk."""
RATE_PACKETS = 240
"""Packets of a video by which its rate is called steady or not."""
REORDERED = 16
"""The last of these packets may lack neighbours, as frames are not stored in the order of showing."""
UNSTEADY = 0.25
"""Share of the usual interval by which the intervals of a steady rate may differ."""
ROUNDING = 0.0021
"""Seconds: Matroska and others round times to a millisecond, which makes intervals two apart."""


@dataclass(frozen=True)
class VideoFiles:
    """Videos by their files' names without ending: `infos` of those that can be read, `faults` of the others."""

    paths: Mapping[str, Path]
    infos: Mapping[str, VideoInfo]
    faults: Mapping[str, str]

    @property
    def lengths(self) -> dict[str, float]:
        """Seconds of the videos that can be read."""
        return {video: info.duration for video, info in self.infos.items()}


def probe_videos(files: Iterable[Path]) -> VideoFiles:
    """Open every video and decode its first frame. Raises BadInput where two have one name."""
    paths: dict[str, Path] = {}
    for file in files:
        if paths.setdefault(file.stem, file) != file:
            raise BadInput(f"{paths[file.stem]} and {file} would both be called {file.stem}; rename one of them")
    with ThreadPoolExecutor(READERS) as pool:
        results = dict(zip(paths, pool.map(_probe, paths.values()), strict=True))
    infos = {video: info for video, info in results.items() if isinstance(info, VideoInfo)}
    faults = {video: fault for video, fault in results.items() if isinstance(fault, str)}
    return VideoFiles(paths, infos, faults)


def find_nested_videos(folder: Path) -> list[Path]:
    """Find the files with the ending of a video in a folder and in the folders inside it; hidden ones are skipped.

    Raises BadInput where there is none.
    """
    if not folder.is_dir():
        raise missing(folder, "folder of videos")
    videos: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        files = [Path(parent, name) for name in sorted(names) if name[0] != "."]
        videos += [file for file in files if file.suffix.lower() in VIDEO_ENDINGS and file.is_file()]
    if not videos:
        raise BadInput(f"{folder}: holds no video; files that end in {', '.join(VIDEO_ENDINGS)} were looked for")
    return videos


def match_names(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """Return the video that each name means, of those that mean one; `videos` are names of files without ending.

    A name is looked up as it is, then without a path and an ending, then with `v_` and without it, then in any case
    of its letters. Raises BadInput where two names mean one video.
    """
    videos = set(videos)
    lower = Counter(video.casefold() for video in videos)
    folded = {video.casefold(): video for video in videos if lower[video.casefold()] == 1}
    matches: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        exact = [spelling for spelling in spellings(name) if spelling in videos]
        similar = [folded.get(spelling.casefold()) for spelling in spellings(name)]
        video = next(filter(None, [*exact, *similar]), None)
        if video is None:
            continue
        if owners.setdefault(video, name) != name:
            raise BadInput(f"{owners[video]!r} and {name!r} in the annotations both mean video {video!r}; rename one")
        matches[name] = video
    return matches


def spellings(name: str) -> tuple[str, ...]:
    """Return how a video may be called, the likeliest first."""
    short = media_name(name)
    plain = short.removeprefix(PREFIX)
    return tuple(dict.fromkeys((name, short, plain, PREFIX + plain)))


def has_steady_rate(path: Path) -> bool:
    """Return whether frames follow one another at one rate, by the times of the first packets; nothing is decoded.

    True for a file that cannot be read, too.
    """
    try:
        with open_video(path) as source:
            base = float(source.stream.time_base or 0)
            stamps = (packet.pts * base for packet in read_packets(source) if packet.pts is not None)
            times = list(islice(stamps, RATE_PACKETS))
    except BadInput:
        return True
    intervals = np.diff(np.sort(times)[: max(3, len(times) - REORDERED)])
    if len(intervals) < 2:
        return True
    low, usual, high = np.percentile(intervals, (5, 50, 95))
    return bool(high - low <= max(ROUNDING, UNSTEADY * usual))


def _probe(path: Path) -> VideoInfo | str:
    try:
        return probe_video(path)
    except BadInput as error:
        return str(error)
