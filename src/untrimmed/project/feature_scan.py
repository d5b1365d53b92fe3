"""What features and annotations alone say, without videos: which videos, how long they are, at which rate."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Hints, find_last_end, split_usable
from untrimmed.annotations.convert import read_as
from untrimmed.annotations.formats.content import format_videos
from untrimmed.annotations.sniff import sniff_format
from untrimmed.annotations.span_table import add_span_table
from untrimmed.annotations.spans import StatedSpans
from untrimmed.features.folder import MANIFEST, read_source
from untrimmed.features.listing import explain_no_features, holds_feature_files, is_archive, is_feature_file
from untrimmed.features.streams import FeatureStreams, read_features
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput
from untrimmed.project.feature_rate import (
    LEAST_LEEWAY,
    LEEWAY,
    SnippetRate,
    build_rate_source,
    describe_disagreement,
    find_short_features,
    guess_snippet_rate,
    refuse_short_features,
)
from untrimmed.project.folder_scan import (
    AnnotationFile,
    FolderScan,
    KnownFeatures,
    describe_dropped_rows,
    find_annotations,
    refuse_no_action,
    settle_spans,
)
from untrimmed.timeline import Timeline
from untrimmed.video.containers import VIDEO_ENDINGS
from untrimmed.video.names import suggest_name

UNKNOWN = FeatureSource(backbone="unknown", fps=1)
UNKNOWN_RATE = (
    "nothing says how many snippets a second these are, as the annotations state no lengths; give the rate (fps=25, "
    "--fps 25), or the lengths in the annotations"
)
USUAL_NAMES = ("features", "feature", "feats", "data")
"""Names of files and folders that say nothing of what is in them."""


def scan_features(
    path: Path,
    annotations: Path | None = None,
    format: str | None = None,
    hints: Hints = Hints(),
    skip: Collection[Path] = (),
    folder: Path | None = None,
) -> FolderScan:
    """Scan features, and annotations, which are searched for in `folder` unless they are named, without any video.

    A manifest says how many snippets a second there are, or the lengths that the annotations state, or `hints.fps`.
    Lengths are those of the annotations where the features agree with them. Raises BadInput where the features cannot
    be opened, where no annotation is of any, and where nothing says their rate.
    """
    stated = read_source(path)
    unmatched = read_features(path, stated or UNKNOWN)
    with unmatched.hold_notes():  # the features that are opened below tell of the same
        names = list(unmatched)
    if not names:
        raise BadInput(f"{explain_no_features(path)}, or name another folder (features=..., --features ...)")
    bare = hints._replace(annotated=None)  # the table of spans is read when it is known where the features end
    if annotations:
        format = format or sniff_format(annotations)
        file = AnnotationFile(annotations, format, read_as(format, annotations, bare))
    else:
        file = find_annotations(folder or path.parent, names, bare, skip)
    lengths = {video: timeline.duration for video, timeline in file.annotations.timelines.items()}
    features = read_features(path, stated or UNKNOWN, durations=lengths)
    counts = {video: len(features[video]) for video in lengths if video in features}
    if not counts:
        near = suggest_name(next(iter(lengths)), names) or names[0]
        raise BadInput(
            f"{file.path}: annotates {format_videos(list(lengths))}, and no features in {path} are called so (there "
            f"are {len(names)}, such as {near!r}, in {features.describe()}); rename one or the other"
        )
    source, reason = _find_source(path, stated, file.annotations, counts, hints.fps)
    return _build_scan(hints, file, features, counts, KnownFeatures(path, source, stated is not None, reason))


def find_features(folder: Path) -> Path | None:
    """Find the features in a folder: an only archive in it or one called so, the folder itself, or one in it."""
    if (folder / MANIFEST).exists():
        return folder
    entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != ".")
    archives = [entry for entry in entries if is_archive(entry)]
    usual = [entry for entry in archives if entry.stem.lower() in USUAL_NAMES]
    if len(archives) == 1 or len(usual) == 1:
        return (usual or archives)[0]
    inner = [entry for entry in entries if entry.is_dir() and holds_feature_files(entry)]
    if len(inner) == 1 and not any(is_feature_file(entry) for entry in entries if entry.suffix != ".csv"):
        return inner[0]
    return folder if holds_feature_files(folder) else None


def holds_videos(folder: Path) -> bool:
    """Say whether a video lies in a folder or in the folders inside it."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in VIDEO_ENDINGS)
    return any(not any(part[0] == "." for part in file.relative_to(folder).parts) for file in files)


def _find_source(
    path: Path, stated: FeatureSource | None, annotations: Annotations, counts: Mapping[str, int], fps: float | None
) -> tuple[FeatureSource, str]:
    """Find how the snippets lie in time, and say what that was taken from."""
    if stated:
        return stated, f"stated by {path / MANIFEST}"
    lengths = {video: annotations.timelines[video].duration for video in counts}
    # A recording goes on after its last action: an end of that is no length.
    known = {video: length for video, length in lengths.items() if length != _find_last_time(annotations, video)}
    guess = guess_snippet_rate({video: counts[video] for video in known}, known, fps) if known else None
    if guess is None and fps is None:
        raise BadInput(f"{path}: {describe_disagreement(counts, known) if known else UNKNOWN_RATE}")
    if guess is None and fps:
        actions = {video: find_last_end(annotations.rows[video]) or 0.0 for video in counts}
        refuse_short_features(path, counts, {**actions, **known}, fps)
        guess = SnippetRate(fps, "as given")
    assert guess
    return build_rate_source(_name_backbone(path), guess.rate, fps), guess.reason


def _find_last_time(annotations: Annotations, video: str) -> float | None:
    """Find the end of the last action or of the last annotated stretch: a length that is this is a guess."""
    spans = StatedSpans(annotations.annotated, annotations.parts).find_last(video)
    return max(filter(None, (find_last_end(annotations.rows[video]), spans)), default=None)


def _name_backbone(path: Path) -> str:
    """Name what made the features after their file, or its folder where that is called as all are."""
    names = (name for name in (path.stem, path.resolve().parent.name) if name.lower() not in USUAL_NAMES)
    return next(names, path.stem)


def _build_scan(
    hints: Hints, file: AnnotationFile, features: FeatureStreams, counts: Mapping[str, int], origin: KnownFeatures
) -> FolderScan:
    annotations = file.annotations
    timelines: dict[str, Timeline] = {}
    longer, dropped = [], list(annotations.dropped)
    for video in sorted(counts):
        length, end = annotations.timelines[video].duration, origin.source.grid.end(counts[video])
        rows = annotations.rows[video]
        if length == _find_last_time(annotations, video):
            if end > length + max(LEEWAY * length, LEAST_LEEWAY):
                longer.append(video)
            if video in longer or hints.annotated or video in (*annotations.annotated, *annotations.parts):
                # Spans are no proof that a recording goes on, as actions are.
                length = max(end, find_last_end(rows) or 0.0)
        timelines[video] = Timeline(length, split_usable(video, rows, length, annotations.classes).actions)
    measured = replace(annotations, timelines={**annotations.timelines, **timelines})
    annotations = add_span_table(measured, hints.annotated, hints.fps, timelines)
    file = file._replace(annotations=annotations)
    refuse_no_action(file.path, timelines, dropped)
    ends = {video: origin.source.grid.end(count) for video, count in counts.items()}
    remainder = 2 * origin.source.grid.step + origin.source.grid.span
    short = find_short_features(ends, {video: timelines[video].duration for video in ends}, remainder)
    notes = [*annotations.notes, f"{origin.source.fps / origin.source.stride:.4g} snippets a second, {origin.reason}"]
    if longer:
        notes.append(
            f"ends with its features, after its last action, as no length is stated: {format_videos(longer)}"
        )
    if short:
        worst = min(short, key=lambda video: ends[video] / timelines[video].duration)
        notes.append(
            f"features end before their video or its last action: {format_videos(short)}; those of {worst!r} at "
            f"{ends[worst]:.1f} s of {timelines[worst].duration:.1f} s; check them, or the rate"
        )
    if absent := [video for video in annotations.timelines if video not in counts]:
        notes.append(f"annotated, but without features: {format_videos(absent)}")
    if bare := len(features) - len(counts):
        notes.append(
            f"left out, as the annotations do not name them: features of {bare:,} of {len(features):,} videos"
        )
    notes += describe_dropped_rows(dropped)
    rate = origin.source.fps / origin.source.stride
    subsets = {video: subset for video, subset in annotations.subsets.items() if video in counts}
    rates = dict.fromkeys(timelines, rate)
    stated, more = settle_spans(file, timelines, {video: video for video in timelines})
    return FolderScan(
        (),
        file.path,
        file.format,
        timelines,
        rates,
        subsets,
        (*notes, *more),
        origin,
        annotated=stated.annotated,
        parts=stated.parts,
    )
