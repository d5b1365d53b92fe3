"""The videos in folders: what their files say of themselves, and which one a name in annotations means."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from untrimmed.io import BadInput
from untrimmed.video.containers import open_video, read_packets
from untrimmed.video.folders import VideoListing
from untrimmed.video.names import NameIndex, match_affixes, match_names
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
    """Videos by name, see `name_files`: `infos` of those that can be read, `faults` of the others.

    `notes` say what was passed over in their folders.
    """

    paths: Mapping[str, Path]
    infos: Mapping[str, VideoInfo]
    faults: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def lengths(self) -> dict[str, float]:
        """Seconds of the videos that can be read."""
        return {video: info.duration for video, info in self.infos.items()}


def probe_videos(listing: VideoListing) -> VideoFiles:
    """Open every video and decode its first frame."""
    with ThreadPoolExecutor(READERS) as pool:
        results = dict(zip(listing.files, pool.map(_probe, listing.files.values()), strict=True))
    infos = {video: info for video, info in results.items() if isinstance(info, VideoInfo)}
    faults = {video: fault for video, fault in results.items() if isinstance(fault, str)}
    return VideoFiles(listing.files, infos, faults, listing.notes)


def match_annotations(names: Iterable[str], videos: Iterable[str], folder: Path | None = None) -> dict[str, str]:
    """Return the video that each name in annotations means, of those that mean one, see `match_names`.

    A name that could mean two is looked for in `folder`, in which the annotations lie. Where no name is a video's,
    they may have a text in common that the videos lack, such as `_annotations`. Raises BadInput where two names mean
    one video.
    """
    names, videos = tuple(names), tuple(videos)
    matches, index = match_names(names, videos), NameIndex(videos)
    owners = {video: name for name, video in matches.items()}
    for name in names:
        video = None if name in matches else index.find(name)
        if video is not None and owners.setdefault(video, name) != name:
            raise BadInput(f"{owners[video]!r} and {name!r} in the annotations both mean video {video!r}; rename one")
    if folder is not None:
        beside = {f"{Path(os.path.abspath(folder)).as_posix()}/{name}": name for name in names if name not in matches}
        remaining = [video for video in videos if video not in owners]
        matches |= {beside[path]: video for path, video in match_names(beside, videos).items() if video in remaining}
    return matches or match_affixes(names, videos)


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
