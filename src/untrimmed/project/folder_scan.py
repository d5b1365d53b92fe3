"""What lies in a folder: its videos, the actions in each, and everything that was left out, with the reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, split_usable
from untrimmed.annotations.formats.content import format_videos
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.project.annotation_files import AnnotationFile, read_annotation_file, search_annotations
from untrimmed.project.names import match_names, spellings
from untrimmed.project.video_files import TOLERANCE, VideoFiles, find_nested_videos, probe_videos
from untrimmed.timeline import Action, Timeline

EXAMPLES = 3


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
        file = read_annotation_file(annotations, format or sniff_format(annotations), hints)
    else:
        file = search_annotations(folder, lengths, hints, skip)
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
    dropped = list(_dropped_before_rows(annotations, names))
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


def _dropped_before_rows(annotations: Annotations, names: Mapping[str, str]) -> Iterator[Dropped]:
    """What never became a row, such as an event without an end."""
    for event in annotations.dropped:
        rows = {(row.start, row.end, row.label) for row in annotations.rows.get(event.video, ())}
        if event.video in names and (event.start, event.end, event.label) not in rows:
            yield event


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
