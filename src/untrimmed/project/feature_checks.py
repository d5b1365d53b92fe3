"""What is wrong with features: absent, unreadable, of another length, not finite, dead, older than their video."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from untrimmed.annotations.corpus import (
    DataConfig,
    advise_missing_features,
    build_extract_commands,
    has_swapped_axes,
    join_feature_paths,
    open_features,
)
from untrimmed.features.folder import FeatureWriter, read_source
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput
from untrimmed.project.annotation_checks import check_units
from untrimmed.project.findings import Finding
from untrimmed.project.video_files import TOLERANCE, VideoFiles
from untrimmed.timeline import Timeline

MOST_BYTES = 4 * 2**30
"""Bytes of features whose every value is looked at; of the remaining videos only the length is."""
ABSURD = 1000.0
"""So many times what a channel, or the usual channel, reaches in the usual video are no measurement."""
FEW = 3
"""Videos from which one says what is usual."""
MANY_DEAD = 0.5
"""Share of dead channels from which something is wrong with the extraction rather than with the channel."""


def check_features(
    data: DataConfig, ground_truth: Mapping[str, Timeline], videos: Sequence[str]
) -> Iterator[Finding]:
    """Check the features of the videos that a recipe uses."""
    try:
        features = open_features(data, {video: timeline.duration for video, timeline in ground_truth.items()})
    except BadInput as error:
        yield Finding("error", "features that cannot be opened", str(error))
        return
    commands = " && ".join(build_extract_commands(data))
    remedy = f"run {commands}" if commands else 'extract them, or set data.unusable = "drop"'
    severity = "error" if data.unusable == "refuse" else "warning"
    absent = [video for video in videos if video not in features]
    if absent and len(absent) == len(videos) and len(features):
        remedy = advise_missing_features(data, features, absent[0])
    for video in absent:
        yield Finding(severity, "video without features", f"{join_feature_paths(data)}: none of {video}", remedy)
    present = [video for video in videos if video in features]
    yield from _check_values(present, features, ground_truth)
    if not data.videos:
        yield from check_units(data, ground_truth, _read_ends(present, features))


def check_origins(data: DataConfig, videos: VideoFiles) -> Iterator[Finding]:
    """Find features that were made of another file than the one that now has their name, by its size."""
    folder = Path(os.path.expandvars(data.features)).expanduser() if isinstance(data.features, str) else None
    try:
        source = read_source(folder) if folder else None
    except BadInput:
        return  # opening the features says so
    if folder is None or source is None:
        return
    writer = FeatureWriter(folder, source)
    for video, file in videos.paths.items():
        origin, size = writer.fingerprint(video) if video in writer else None, file.stat().st_size
        if origin and origin.bytes != size:
            sentence = f"{file}: has {size:,} bytes, its features were made of {origin.bytes:,}"
            remedy = f"remove {folder / video}.npy and extract again"
            yield Finding("error", "features older than their video", sentence, remedy)


def _read_ends(videos: Sequence[str], features: FeatureStreams) -> dict[str, float]:
    """Read when features end, in seconds, as far as they can be read."""
    ends = {}
    for video in videos:
        with suppress(BadInput):
            ends[video] = features[video].end
    return ends


def _check_values(
    videos: Sequence[str], features: FeatureStreams, ground_truth: Mapping[str, Timeline]
) -> Iterator[Finding]:
    low = high = np.full(1, np.nan, np.float32)
    peaks: dict[str, np.ndarray] = {}
    checked, unread = 0, MOST_BYTES
    for video in videos:
        try:
            stream = features[video]
        except BadInput as error:
            yield Finding("error", "features that cannot be read", str(error))
            continue
        duration, leeway = ground_truth[video].duration, TOLERANCE + 2 * stream.grid.step + stream.grid.span
        if abs(stream.end - duration) > leeway:
            sentence = f"{video}: {len(stream):,} snippets end at {stream.end:.1f} s, the video at {duration:.1f} s"
            remedy = "extract again, or set data.source to the rate at which they were"
            if has_swapped_axes(stream, duration):
                remedy = f'{stream.channels} would fit: are the axes swapped? then change data.axes ("tc" or "ct")'
            yield Finding("warning", "features that end before or after their video", sentence, remedy)
        if checked and stream.channels != len(low):
            sentence = f"{video}: {stream.channels} channels, {len(low)} in the videos before it"
            yield Finding("error", "features of several widths", sentence, "extract them all alike")
        elif unread > 0:
            yield from _check_finite(video, stream)
            # A NaN must not hide that a channel is alive or dead elsewhere.
            least, most = np.fmin.reduce(stream.values, 0), np.fmax.reduce(stream.values, 0)
            low, high = np.fmin(low, least), np.fmax(high, most)
            peaks[video] = np.fmax(np.abs(least), np.abs(most)).astype(np.float64)
            checked, unread = checked + 1, unread - stream.values.nbytes
    if checked < len(videos) and unread <= 0:
        sentence = f"the values of {checked:,} of {len(videos):,} videos were looked at"
        yield Finding("note", "many features", sentence, "of the others, the lengths were")
    yield from _check_absurd(peaks, features)
    yield from _check_dead(low, high)


def _check_finite(video: str, features: VideoFeatures) -> Iterator[Finding]:
    faults = np.argwhere(~np.isfinite(features.values))
    if len(faults):
        snippet, channel = faults[0]
        value = features.values[snippet, channel]
        sentence = f"{video}: {len(faults):,} values, the first is {value} at snippet {snippet}, channel {channel}"
        yield Finding("error", "features that are not finite", sentence, "extract again, or leave the video out")


def _check_absurd(peaks: Mapping[str, np.ndarray], features: FeatureStreams) -> Iterator[Finding]:
    """Find videos in which a channel reaches far beyond what it reaches in the usual video; `peaks` are absolute."""
    if len(peaks) < FEW:
        return
    table = np.nan_to_num(np.stack(list(peaks.values())), posinf=0)  # what is not finite is a finding of its own
    usual = np.median(table, axis=0)
    bound = ABSURD * np.maximum(usual, np.median(usual))
    for video, row in zip(peaks, table, strict=True):
        if not (absurd := np.flatnonzero((row > bound) & (bound > 0))).size:
            continue
        channel, stream = int(absurd[(row / np.where(bound > 0, bound, np.inf))[absurd].argmax()]), features[video]
        values = np.nan_to_num(np.abs(np.asarray(stream.values[:, channel], np.float64)), posinf=0)
        second = float(stream.grid.seconds(int(values.argmax()) + 0.5))
        sentence = (
            f"{video}: {row[channel]:.3g} at {second:.1f} s in channel {channel}, which reaches {usual[channel]:.3g} "
            f"in the usual video ({len(absurd):,} of {len(row):,} channels are so)"
        )
        remedy = "correct them: training scales a channel by its spread, in which all else of it would be lost"
        yield Finding("warning", "features of absurd size", sentence, remedy)


def _check_dead(low: np.ndarray, high: np.ndarray) -> Iterator[Finding]:
    """Find channels whose least and greatest value over all videos are the same."""
    dead = np.flatnonzero(low == high)
    if len(dead):
        many = len(dead) >= MANY_DEAD * len(low)
        sentence = f"{len(dead):,} of {len(low):,} never change in any video, the first is channel {dead[0]}"
        remedy = "extract again" if many else "fine, if few: training sets them to 0"
        yield Finding("warning" if many else "note", "dead channels", sentence, remedy)
