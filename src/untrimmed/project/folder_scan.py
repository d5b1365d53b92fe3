"""What lies in a folder: its videos, the actions in each, and everything that was left out, with the reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, split_usable
from untrimmed.annotations.convert import find_format
from untrimmed.annotations.formats.content import format_videos
from untrimmed.annotations.sniff import BY_CONTENT, BY_ENDING, sniff_format
from untrimmed.features.folder import MANIFEST
from untrimmed.io import BadInput
from untrimmed.project.video_files import (
    TOLERANCE,
    VideoFiles,
    find_nested_videos,
    match_names,
    probe_videos,
    spellings,
)
from untrimmed.timeline import Action, Timeline

RESULTS = "activitynet-results"
RUN = "log.jsonl"
"""A file of every folder of a training run."""
MOST_NAMED = 7
"""Files that an error names where more than one would do."""
EXAMPLES = 3

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
    videos = probe_videos(find_nested_videos(folder))
    lengths = videos.lengths
    if not lengths:
        fault = next(iter(videos.faults.values()))
        raise BadInput(f"{folder}: none of its {len(videos.paths)} videos can be read: {fault}")
    spelled = {spelling: length for video, length in lengths.items() for spelling in spellings(video)[::-1]}
    hints = hints._replace(durations={**spelled, **lengths})
    if annotations:
        format = format or sniff_format(annotations)
        file = AnnotationFile(annotations, format, find_format(format).read(annotations, hints))
    else:
        file = _search_annotations(folder, lengths, hints, skip)
    names = match_names(file.annotations.timelines, lengths)
    if not names:
        raise BadInput(
            f"{file.path}: annotates {format_videos(list(file.annotations.timelines))}, and no video of {folder} is "
            f"called so (the first there is {min(lengths)!r}); rename one or the other"
        )
    return _combine(file, videos, names)


def _combine(file: AnnotationFile, videos: VideoFiles, names: Mapping[str, str]) -> FolderScan:
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
    if not any(timeline.actions for timeline in timelines.values()):
        reason = f"; the first of {len(dropped)} that were dropped is {dropped[0]}" if dropped else ""
        raise BadInput(f"{file.path}: has no action that can be used{reason}; add one")
    return FolderScan(
        tuple(dict.fromkeys(videos.paths[video].parent for video in sorted(videos.paths))),
        file.path,
        file.format,
        timelines,
        {video: videos.infos[video].fps for video in timelines},
        {names[name]: subset for name, subset in annotations.subsets.items() if name in names},
        tuple(_notes(annotations, videos, names, dropped)),
    )


def _search_annotations(
    folder: Path, videos: Collection[str], hints: Hints, skip: Collection[Path]
) -> AnnotationFile:
    """Find the only file or folder below `folder` that annotates some of the videos; files in `skip` are skipped.

    Raises BadInput where there is none, with what was wrong with the first that might have been one, and where
    there is more than one.
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
    if len(files) > 1:
        names = ", ".join(str(file.path) for file in files[:MOST_NAMED])
        raise BadInput(f"{folder}: {len(files)} hold annotations of its videos: {names}; choose with --annotations")
    if not files:
        reason = f" ({faults[0]})" if faults else ""
        raise BadInput(f"{folder}: holds no annotations of its videos{reason}; name their file with --annotations")
    return files[0]


def _read_candidate(path: Path, format: str, videos: Collection[str], hints: Hints) -> AnnotationFile | str | None:
    """Return annotations of some of the videos, None where they are of others, a sentence where they are broken."""
    try:
        annotations = find_format(format).read(path, hints)
        return AnnotationFile(path, format, annotations) if match_names(annotations.timelines, videos) else None
    except BadInput as error:
        return str(error)


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
    yield from annotations.notes
    for fault in videos.faults.values():
        yield f"left out, as it cannot be read: {fault}"
    if absent := [name for name in annotations.timelines if name not in names]:
        yield f"annotated, but no such file that can be read: {format_videos(absent)}"
    if bare := sorted(lengths.keys() - set(names.values())):
        yield f"left out, as the annotations do not name it: {format_videos(bare)}"
    stated = {name: annotations.timelines[name].duration for name in names}
    if odd := [name for name, video in names.items() if stated[name] > lengths[video] + TOLERANCE]:
        seconds = f"{lengths[names[odd[0]]]:.1f} s, not {stated[odd[0]]:.1f} s"
        yield f"shorter than the annotations say: {format_videos(odd)}, {seconds}; the files are believed"
    if dropped:
        examples = "; ".join(map(str, dropped[:EXAMPLES]))
        more = f"; and {len(dropped) - EXAMPLES} more" if len(dropped) > EXAMPLES else ""
        yield f"left out, as they cannot be used ({len(dropped)}): {examples}{more}"
