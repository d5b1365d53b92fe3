"""What is wrong with features: absent, unreadable, of another length, not finite, dead, older than their video."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from untrimmed.annotations.corpus import DataConfig, extract_commands, named, open_features
from untrimmed.features.folder import FeatureWriter, reach, stated_source
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput
from untrimmed.project.finding import Finding
from untrimmed.project.footage import Footage
from untrimmed.timeline import Timeline

APART = 1.0
"""Seconds by which features may end before or after their video, beside a snippet or two."""
READ_THROUGH = 4 * 2**30
"""Bytes of features whose every value is looked at; of the rest only the length is."""
MANY_DEAD = 0.5
"""Share of dead channels from which something is wrong with the extraction rather than with the channel."""


class Seen(NamedTuple):
    """The least and the greatest value of every channel, over the videos looked at so far."""

    low: np.ndarray
    high: np.ndarray


def check_features(data: DataConfig, truth: Mapping[str, Timeline], videos: Sequence[str]) -> Iterator[Finding]:
    """The features of the videos that a recipe uses."""
    try:
        features = open_features(data, {video: timeline.duration for video, timeline in truth.items()})
    except BadInput as error:
        yield Finding("error", "features that cannot be opened", str(error))
        return
    commands = " && ".join(extract_commands(data))
    remedy = f"run {commands}" if commands else 'extract them, or set data.unusable = "drop"'
    for video in videos:
        if video not in features:
            severity = "error" if data.unusable == "refuse" else "warning"
            yield Finding(severity, "video without features", f"{named(data)}: none of {video}", remedy)
    yield from _values([video for video in videos if video in features], features, truth)


def check_stale(data: DataConfig, footage: Footage) -> Iterator[Finding]:
    """Features that were made of another file than the one that now has their name, told by its size."""
    if not isinstance(data.features, str):
        return
    folder = Path(os.path.expandvars(data.features)).expanduser()
    if not folder.is_dir():
        return
    try:
        source = stated_source(folder)
    except BadInput:
        return  # opening the features says so
    if source is None:
        return
    writer = FeatureWriter(folder, source)
    for video, file in footage.files.items():
        origin = writer.origin(video) if video in writer else None
        if origin and origin.bytes != file.stat().st_size:
            sentence = f"{file}: has {file.stat().st_size:,} bytes, its features were made of {origin.bytes:,}"
            yield Finding(
                "error",
                "features older than their video",
                sentence,
                f"remove {folder / video}.npy and extract again",
            )


def _values(videos: Sequence[str], features: FeatureStreams, truth: Mapping[str, Timeline]) -> Iterator[Finding]:
    seen: Seen | None = None
    looked_at, left = 0, READ_THROUGH
    for video in videos:
        try:
            one = features[video]
        except BadInput as error:
            yield Finding("error", "features that cannot be read", str(error))
            continue
        yield from _length(video, one, truth[video].duration)
        if seen is not None and one.channels != len(seen.low):
            sentence = f"{video}: {one.channels} channels, {len(seen.low)} in the videos before it"
            yield Finding("error", "features of several widths", sentence, "extract them all alike")
        elif left > 0:
            looked_at, left = looked_at + 1, left - one.values.nbytes
            yield from _not_finite(video, one)
            seen = _widened(seen, one)
    if looked_at < len(videos) and left <= 0:
        sentence = f"the values of {looked_at:,} of {len(videos):,} videos were looked at"
        yield Finding("note", "many features", sentence, "of the others, the lengths were")
    yield from _dead(seen)


def _length(video: str, one: VideoFeatures, duration: float) -> Iterator[Finding]:
    end = reach(one.grid, len(one))
    if abs(end - duration) > APART + 2 * one.grid.step + one.grid.span:
        sentence = f"{video}: {len(one):,} snippets end at {end:.1f} s, the video at {duration:.1f} s"
        remedy = "extract again, or set data.source to the rate at which they were"
        yield Finding("warning", "features that end before or after their video", sentence, remedy)


def _not_finite(video: str, one: VideoFeatures) -> Iterator[Finding]:
    bad = ~np.isfinite(one.values)
    if bad.any():
        snippet, channel = np.argwhere(bad)[0]
        sentence = (
            f"{video}: {int(bad.sum()):,} values, the first is {one.values[snippet, channel]} at snippet {snippet}, "
            f"channel {channel}"
        )
        yield Finding("error", "features that are not finite", sentence, "extract again, or leave the video out")


def _widened(seen: Seen | None, one: VideoFeatures) -> Seen:
    # A NaN must not hide that a channel is alive or dead elsewhere.
    low, high = np.fmin.reduce(one.values, 0), np.fmax.reduce(one.values, 0)
    return Seen(low, high) if seen is None else Seen(np.fmin(seen.low, low), np.fmax(seen.high, high))


def _dead(seen: Seen | None) -> Iterator[Finding]:
    if seen is None:
        return
    dead = np.flatnonzero(seen.low == seen.high)
    if len(dead):
        many = len(dead) >= MANY_DEAD * len(seen.low)
        sentence = f"{len(dead):,} of {len(seen.low):,} never change in any video, the first is channel {dead[0]}"
        remedy = "extract again" if many else "fine, if few: training sets them to 0"
        yield Finding("warning" if many else "note", "dead channels", sentence, remedy)
