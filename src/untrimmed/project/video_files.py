"""The videos in folders, and what their files say of themselves."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from untrimmed.io import BadInput, missing
from untrimmed.video.containers import opened, packets
from untrimmed.video.sampling import ENDINGS, VideoInfo, probe

READERS = 4
"""Files that are looked into at a time; most of it is waiting for the disk."""
LOOKED_AT = 240
"""Packets of a video by which its rate is called steady or not."""
REORDERED = 16
"""The last of these packets may lack neighbours, as frames are not stored in the order of showing."""
UNSTEADY = 0.25
"""Share of the usual interval by which the intervals of a steady rate may differ."""
ROUNDING = 0.0021
"""Seconds: Matroska and others round times to a millisecond, which makes intervals two apart."""


@dataclass(frozen=True)
class Footage:
    """Videos by their files' names without ending: `infos` of those that can be read, `faults` of the others."""

    files: Mapping[str, Path]
    infos: Mapping[str, VideoInfo]
    faults: Mapping[str, str]

    @property
    def lengths(self) -> dict[str, float]:
        """Seconds of the videos that can be read."""
        return {video: info.duration for video, info in self.infos.items()}


def look_at(files: Iterable[Path]) -> Footage:
    """Open every video and decode its first frame. Raises BadInput where two have one name."""
    named: dict[str, Path] = {}
    for file in files:
        if named.setdefault(file.stem, file) != file:
            raise BadInput(f"{named[file.stem]} and {file} would both be called {file.stem}; rename one of them")
    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(named, pool.map(_probed, named.values()), strict=True))
    infos = {video: info for video, info in found.items() if isinstance(info, VideoInfo)}
    faults = {video: fault for video, fault in found.items() if isinstance(fault, str)}
    return Footage(named, infos, faults)


def videos_under(folder: Path) -> list[Path]:
    """The files with the ending of a video in a folder and in the folders inside it, sorted; BadInput for none."""
    if not Path(folder).is_dir():
        raise missing(Path(folder), "folder of videos")
    found = [file for file in files_under(folder) if file.suffix.lower() in ENDINGS]
    if not found:
        raise BadInput(f"{folder}: holds no video; files that end in {', '.join(ENDINGS)} were looked for")
    return found


def files_under(folder: Path) -> Iterator[Path]:
    """Every file of a folder and of the folders inside it, in order of their names; hidden ones are passed over."""
    entries = sorted(entry for entry in Path(folder).iterdir() if entry.name[0] != ".")
    yield from (entry for entry in entries if entry.is_file())
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from files_under(entry)


def is_steady(path: Path) -> bool:
    """Whether frames follow one another at one rate, by the times of the first packets; nothing is decoded."""
    times = []
    with opened(path) as source:
        base = float(source.stream.time_base or 0)
        for packet in packets(source):
            if packet.pts is not None:
                times.append(packet.pts * base)
            if len(times) >= LOOKED_AT:
                break
    intervals = np.diff(np.sort(times)[: max(3, len(times) - REORDERED)])
    if len(intervals) < 2:
        return True
    low, usual, high = np.percentile(intervals, (5, 50, 95))
    return bool(high - low <= max(ROUNDING, UNSTEADY * usual))


def _probed(path: Path) -> VideoInfo | str:
    try:
        return probe(path)
    except BadInput as error:
        return str(error)
