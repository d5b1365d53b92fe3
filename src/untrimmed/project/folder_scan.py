"""What lies in a folder: its videos, the actions in each, and everything that was left out, with the reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Spans, split_usable
from untrimmed.annotations.convert import read_as
from untrimmed.annotations.formats.content import format_videos
from untrimmed.annotations.renaming import join_annotations, rename_videos
from untrimmed.annotations.sniff import BY_CONTENT, BY_ENDING, sniff_format
from untrimmed.annotations.spans import StatedSpans
from untrimmed.features.folder import MANIFEST
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput
from untrimmed.project.video_files import (
    TOLERANCE,
    VideoFiles,
    match_annotations,
    probe_videos,
)
from untrimmed.timeline import Action, Timeline
from untrimmed.video.folders import list_videos
from untrimmed.video.names import NamedValues, describe_loose_matches, describe_rivals, suggest_name

RESULTS = "activitynet-results"
RUN = "log.jsonl"
"""A file of every folder of a training run."""
NAME_ONE = "name their file (annotations=..., --annotations ...)"
MOST_NAMED = 7
"""Files that an error names where more than one would do."""
EXAMPLES = 3


class KnownFeatures(NamedTuple):
    """Features that are there already: whether a manifest states their source, and what it was taken from."""

    path: Path
    source: FeatureSource
    stated: bool
    reason: str


Candidate = tuple[Path, str]
"""A file or folder that may hold annotations, and its format."""


@dataclass(frozen=True)
class FolderScan:
    """Annotated videos by the names of their files without ending, in the order of these names.

    `subsets` are as the annotations have them, empty where they have none. `notes` are sentences on what was
    guessed, and on what was left out.
    """

    folders: tuple[Path, ...]
    annotations: Path
    format: str
    timelines: Mapping[str, Timeline]
    rates: Mapping[str, float]
    """Frames a second of each video."""
    subsets: Mapping[str, str]
    notes: tuple[str, ...]
    features: KnownFeatures | None = None
    """None where `untrimmed extract` is yet to make them, of the videos."""
    annotated: Mapping[str, Spans] = field(default_factory=dict)
    """The stretches of each video of which only a part was annotated, in seconds."""
    parts: Mapping[str, Mapping[str, Spans]] = field(default_factory=dict)
    """The stretches of each subset of a video that the annotations split in time."""

    @property
    def actions(self) -> list[Action]:
        """All actions of all videos."""
        return [action for timeline in self.timelines.values() for action in timeline]


class AnnotationFile(NamedTuple):
    """Annotations, and the file or folder and the format that they were in."""

    path: Path
    format: str
    annotations: Annotations


def scan_folder(
    folder: Path,
    annotations: Path | None = None,
    format: str | None = None,
    hints: Hints = Hints(),
    skip: Collection[Path] = (),
) -> FolderScan:
    """Scan a folder for videos, and for annotations unless they are named; files in `skip` are none.

    `format` is that of the annotations that are named, sniffed where it is None.
    Lengths are those of the files, whatever the annotations say. Raises BadInput where there is no video that can be
    read, no annotation of any, or no action.
    """
    videos = probe_videos(list_videos(folder))
    lengths = videos.lengths
    if not lengths:
        fault = next(iter(videos.faults.values()))
        raise BadInput(f"{folder}: none of its {len(videos.paths)} videos can be read: {fault}")
    hints = hints._replace(durations=NamedValues(lengths))
    if annotations:
        file = _read_file(annotations, format or sniff_format(annotations), lengths, hints)
    else:
        file = find_annotations(folder, lengths, hints, skip)
    names = match_annotations(file.annotations.timelines, lengths, _find_folder(file.path))
    if not names:
        first = next(iter(file.annotations.timelines))
        near = suggest_name(first, lengths)
        example = f"is it {near!r}?" if near else f"the first there is {min(lengths)!r}"
        example = describe_rivals(first, lengths) or example
        raise BadInput(
            f"{file.path}: annotates {format_videos(list(file.annotations.timelines))}, and no video of {folder} is "
            f"called so ({example}); rename one or the other"
        )
    return _combine(folder, file, videos, names)


def _combine(folder: Path, file: AnnotationFile, videos: VideoFiles, names: Mapping[str, str]) -> FolderScan:
    """Combine annotations with the files of videos; `names` are the videos by their names in the annotations."""
    annotations = file.annotations
    timelines: dict[str, Timeline] = {}
    read = {(name, row.start, row.end, row.label) for name in names for row in annotations.rows.get(name, ())}
    # What never became a row, such as an event without an end, is dropped too.
    dropped = [
        event
        for event in annotations.dropped
        if event.video in names and (event.video, event.start, event.end, event.label) not in read
    ]
    for name, video in sorted(names.items(), key=lambda pair: pair[1]):
        # Split again: the length that a file of annotations states may be wrong, and the video's own is not.
        length = videos.infos[video].duration
        rows = split_usable(video, annotations.rows.get(name, ()), length, annotations.classes)
        timelines[video] = Timeline(length, rows.actions)
        dropped += rows.dropped
    refuse_no_action(file.path, timelines, dropped)
    stated, notes = settle_spans(file, timelines, {name: names[name] for name in names})
    return FolderScan(
        (folder,),
        file.path,
        file.format,
        timelines,
        {video: videos.infos[video].fps for video in timelines},
        {names[name]: subset for name, subset in annotations.subsets.items() if name in names},
        (*_notes(annotations, videos, names, dropped), *notes),
        annotated=stated.annotated,
        parts=stated.parts,
    )


def settle_spans(
    file: AnnotationFile, timelines: Mapping[str, Timeline], names: Mapping[str, str]
) -> tuple[StatedSpans, tuple[str, ...]]:
    """Fit the spans of annotations to videos of known length; `names` are the videos by their names there."""
    annotations = file.annotations
    spans = StatedSpans(
        {video: stretches for video, stretches in annotations.annotated.items() if video in names},
        {video: stretches for video, stretches in annotations.parts.items() if video in names},
    )
    lengths = {video: timeline.duration for video, timeline in timelines.items()}
    return spans.rename(names).settle(file.path, lengths)


def refuse_no_action(path: Path, timelines: Mapping[str, Timeline], dropped: Sequence[Dropped]) -> None:
    """Raise BadInput where no video has an action, with the first of the rows that were dropped."""
    if not any(timeline.actions for timeline in timelines.values()):
        reason = f"; the first of {len(dropped)} that were dropped is {dropped[0]}" if dropped else ""
        raise BadInput(f"{path}: has no action that can be used{reason}; add one")


def describe_dropped_rows(dropped: Sequence[Dropped]) -> list[str]:
    """Say which rows are left out; nothing where none is."""
    if not dropped:
        return []
    examples = "; ".join(map(str, dropped[:EXAMPLES]))
    more = f"; and {len(dropped) - EXAMPLES} more" if len(dropped) > EXAMPLES else ""
    return [f"left out, as they cannot be used ({len(dropped)}): {examples}{more}"]


def find_annotations(folder: Path, videos: Collection[str], hints: Hints, skip: Collection[Path]) -> AnnotationFile:
    """Find the only file or folder below `folder` that annotates some of the videos; files in `skip` are skipped.

    Files of one format in several folders are one where each is of other videos. Raises BadInput where there is none,
    with what was wrong with the first that might have been one, and where there is more than one.
    """
    files: list[AnnotationFile] = []
    faults: list[str] = []
    for group in _group_candidates(folder, skip):
        results = [_read_candidate(*group[0], videos, hints)]
        # A folder is one candidate where its files go together, else each of them is one.
        if len(group) > 1 and not isinstance(results[0], AnnotationFile):
            results = [_read_candidate(*candidate, videos, hints) for candidate in group[1:]]
        files += [result for result in results if isinstance(result, AnnotationFile)]
        faults += [result for result in results if isinstance(result, str)]
    if len(files) > 1 and (joined := _join_files(folder, files, videos)):
        return joined
    if len(files) > 1:
        names = ", ".join(str(file.path) for file in files[:MOST_NAMED])
        raise BadInput(f"{folder}: {len(files)} hold annotations of its videos: {names}; {NAME_ONE}")
    if not files:
        reason = f" ({faults[0]})" if faults else ""
        raise BadInput(f"{folder}: holds no annotations of its videos{reason}; {NAME_ONE}")
    return files[0]


def _read_candidate(path: Path, format: str, videos: Collection[str], hints: Hints) -> AnnotationFile | str | None:
    """Return annotations of some of the videos, None where they are of others, a sentence where they are broken."""
    try:
        file = _read_file(path, format, videos, hints)
        annotated = list(file.annotations.timelines)
        is_theirs = match_annotations(annotated, videos, _find_folder(path))
        return file if is_theirs else _describe_strangers(path, annotated, videos)
    except BadInput as error:
        return str(error)


def _describe_strangers(path: Path, annotated: list[str], videos: Collection[str]) -> str | None:
    """Say which video a file of annotations is nearly of, or could be of; None where it is of none."""
    rivals = describe_rivals(annotated[0], videos)
    near = suggest_name(annotated[0], videos)
    hint = rivals or (f"is the first {near!r}?" if near else None)
    return f"{path}: annotates {format_videos(annotated)}, and no video is called so: {hint}" if hint else None


def _read_file(path: Path, format: str, videos: Collection[str], hints: Hints) -> AnnotationFile:
    """Read annotations, again where their names turn out to be those of videos whose lengths are in the hints."""
    annotations = read_as(format, path, hints)
    names = match_annotations(annotations.timelines, videos, _find_folder(path))
    found_lengths = {name: hints.durations[video] for name, video in names.items() if video in hints.durations}
    if any(name not in hints.durations for name in found_lengths):
        annotations = read_as(format, path, hints._replace(durations=found_lengths))
    return AnnotationFile(path, format, annotations)


def _join_files(folder: Path, files: Sequence[AnnotationFile], videos: Collection[str]) -> AnnotationFile | None:
    """Join files of one format, each in another folder and of other videos; None where they are not such."""
    matches = [match_annotations(file.annotations.timelines, videos, _find_folder(file.path)) for file in files]
    named_videos = [video for names in matches for video in names.values()]
    apart = len({file.path.parent for file in files}) == len(files)
    if not apart or len({file.format for file in files}) > 1 or len({*named_videos}) < len(named_videos):
        return None
    parts = [rename_videos(file.annotations, names) for file, names in zip(files, matches, strict=True)]
    joined = join_annotations(parts)
    if len(joined.timelines) < sum(len(part.timelines) for part in parts):
        return None
    note = f"annotations are in {len(files)} files of different videos, the first is {files[0].path}"
    return AnnotationFile(folder, files[0].format, replace(joined, notes=(note, *joined.notes)))


def _find_folder(path: Path) -> Path:
    """Find the folder of a file; a folder is its own."""
    return path if path.is_dir() else path.parent


def _group_candidates(folder: Path, skip: Collection[Path]) -> Iterator[list[Candidate]]:
    """Group the files of each folder by format, with the folder itself before two files or more."""
    if (folder / MANIFEST).exists() or (folder / RUN).exists():
        return
    if _sniff(folder) == "thumos":
        yield [(folder, "thumos")]
        return
    entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != ".")
    skipped = {path.resolve() for path in skip}
    groups: dict[str, list[Candidate]] = {}
    for file in entries:
        ending = Path(file.name.lower().removesuffix(".gz")).suffix
        if ending not in (*BY_ENDING, *BY_CONTENT) or not file.is_file() or file.resolve() in skipped:
            continue
        if file.stat().st_size and (name := _sniff(file)) and name != RESULTS:
            groups.setdefault(name, []).append((file, name))
    for name, files in groups.items():
        yield [(folder, name), *files] if len(files) > 1 else files
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _group_candidates(entry, skip)


def _sniff(path: Path) -> str | None:
    try:
        return sniff_format(path)
    except BadInput:
        return None


def _notes(
    annotations: Annotations, videos: VideoFiles, names: Mapping[str, str], dropped: Sequence[Dropped]
) -> Iterator[str]:
    lengths = videos.lengths
    loose = describe_loose_matches(names)
    if absent := [name for name in annotations.timelines if name not in names]:
        yield f"annotated, but no such file that can be read: {format_videos(absent)}"
        rivals = (describe_rivals(name, lengths) for name in absent[:EXAMPLES])
        yield from filter(None, rivals)
    if bare := sorted(lengths.keys() - set(names.values())):
        yield f"left out, as the annotations do not name it: {format_videos(bare)}"
    yield from ([loose] if loose else [])
    yield from annotations.notes
    yield from videos.notes
    for fault in videos.faults.values():
        yield f"left out, as it cannot be read: {fault}"
    stated = {name: annotations.timelines[name].duration for name in names}
    if odd := [name for name, video in names.items() if stated[name] > lengths[video] + TOLERANCE]:
        seconds = f"{lengths[names[odd[0]]]:.1f} s, not {stated[odd[0]]:.1f} s"
        yield f"shorter than the annotations say: {format_videos(odd)}, {seconds}; the files are believed"
    yield from describe_dropped_rows(dropped)
