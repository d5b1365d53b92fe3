"""What JSON states of a video under any usual key: its length, its subset; and which keys nobody reads."""

import re
from collections import defaultdict
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any, NamedTuple

from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.text import parse_seconds
from untrimmed.io import BadInput

DURATIONS = (
    *("duration", "duration_second", "duration_seconds", "duration_sec", "duration_secs", "duration_s"),
    *("video_duration", "video_duration_sec", "video_duration_seconds", "video_length", "length", "length_second"),
    *("length_seconds", "length_sec", "video_length_sec", "total_duration", "media_duration", "seconds"),
)
"""Keys of a length in seconds, the usual first; a clock's `00:01:02.5` is a length too."""

FRAMES = (
    *("duration_frame", "duration_frames", "num_frames", "num_frame", "n_frames", "nframes", "frame_num"),
    *("frame_count", "frames", "total_frames", "frame_length", "video_frames"),
)
RATES = ("fps", "frame_rate", "framerate", "rfps", "video_fps", "original_fps")
SUBSETS = ("subset", "split")

LEEWAY = 1.0
"""Seconds, besides a hundredth, by which two lengths of one video may differ."""

_IMPORTANT = re.compile("dura|length|second|sec$|fps|rate|frame|unit|offset|start|end|time|subset|split|partition")
"""Words in a key that somebody would want to be read."""


class StatedLength(NamedTuple):
    """Seconds of a video, and the keys that agree on them."""

    seconds: float
    keys: tuple[str, ...]


def find_length(place: str, entry: Mapping[str, Any]) -> StatedLength | None:
    """Find the length of a video under the first usual key, or as frames at their rate; None where none is stated.

    Raises BadInput with the place for a length that is no positive number of seconds.
    """
    stated = [key for key in DURATIONS if entry.get(key) is not None]
    if stated:
        seconds = parse_length(f"{place}: its {stated[0]}", entry[stated[0]])
        values = {key: _to_length(entry[key]) for key in stated}
        agreeing = (key for key, value in values.items() if value and abs(value - seconds) <= LEEWAY + seconds / 100)
        return StatedLength(seconds, tuple(agreeing))
    pairs = [(to_positive(entry.get(key)), to_positive(entry.get(rate))) for key in FRAMES for rate in RATES]
    return next((StatedLength(frames / rate, ()) for frames, rate in pairs if frames and rate), None)


def parse_length(place: str, value: Any) -> float:
    """Parse a positive number of seconds, or a time of a clock. Raises BadInput with its place for anything else."""
    seconds = _to_length(value)
    if seconds is None:
        raise BadInput(f"{place} is {short(value)}; a positive number of seconds was expected")
    return seconds


def find_subset(entry: Mapping[str, Any]) -> str | None:
    """Return the key under which an entry states the subset of its video; None where it states none."""
    return next((key for key in SUBSETS if entry.get(key) is not None), None)


def describe_unread(entries: Mapping[str, Any], unused: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Say in a sentence which keys with times, lengths or subsets were not read; `unused` are keys by video."""
    videos: dict[str, list[str]] = defaultdict(list)
    for video, keys in unused.items():
        for key in sorted(keys):
            if _IMPORTANT.search(key.lower()):
                videos[key].append(video)
    parts = [
        f"{key!r} of {len(names)} of {len(entries)} videos, such as {names[0]!r}" for key, names in videos.items()
    ]
    return (f"keys that are not read: {'; '.join(parts)}",) if parts else ()


def list_unread_keys(entry: Mapping[str, Any], length: StatedLength | None) -> set[str]:
    """List the keys of an entry that are not read; where its `length` is known, frames and their rate may go."""
    read = {"annotations", "annotated", "parts", find_subset(entry), *(length.keys if length else ())}
    sizes = {*FRAMES, *RATES, "feature_frame", "feature_frames"} if length else set()
    items = (item for item in entry.get("annotations") or () if isinstance(item, dict))
    inner = {f"annotations: {key}" for item in items for key in item if key not in ("segment", "label")}
    return ({key for key, value in entry.items() if key not in read and value is not None} | inner) - sizes


def _to_length(value: Any) -> float | None:
    return to_positive(parse_seconds(value) if isinstance(value, str) else value)
