"""What lies in a folder: its videos, the actions in each, and everything that was left out, with the reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Dropped, split_usable
from untrimmed.annotations.formats.content import count_videos
from untrimmed.io import BadInput, missing
from untrimmed.project.annotation_files import Found, Reading, find_annotations, read_annotations_at
from untrimmed.project.names import matched
from untrimmed.project.video_files import Footage, look_at, videos_under
from untrimmed.timeline import Action, Timeline

EXAMPLES = 3
APART = 1.0
"""Seconds by which a stated length may differ from the file's before it is said."""


@dataclass(frozen=True)
class Survey:
    """Annotated videos by the names of their files without ending, in the order of these names.

    `subsets` are as the annotations have them, empty where they have none. `notes` are sentences on what was
    guessed, and on what was left out.
    """

    folders: tuple[Path, ...]
    annotations: Path
    form: str
    timelines: Mapping[str, Timeline]
    rates: Mapping[str, float]
    """Frames a second of each video."""
    subsets: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def actions(self) -> list[Action]:
        """All actions of all videos."""
        return [action for timeline in self.timelines.values() for action in timeline.actions]


def survey(
    folder: Path, annotations: Path | None = None, reading: Reading = Reading(), without: Collection[Path] = ()
) -> Survey:
    """Look through a folder. Annotations are searched for in it unless named; files in `without` are none.

    Lengths are those of the files, whatever the annotations say. Raises BadInput where there is no video that can be
    read, no annotation of any, or no action.
    """
    folder = Path(folder)
    footage = look_at(videos_under(folder))
    if not footage.infos:
        raise BadInput(f"{folder}: none of its {len(footage.files)} videos can be read: {first(footage.faults)}")
    lengths = footage.lengths
    if annotations and not Path(annotations).exists():
        raise missing(Path(annotations), "file or folder of annotations")
    found = (
        read_annotations_at(Path(annotations), lengths, reading)
        if annotations
        else find_annotations(folder, lengths, reading, without)
    )
    names = matched(found.annotations.timelines, lengths)
    if not names:
        raise BadInput(
            f"{found.path}: annotates {count_videos(list(found.annotations.timelines))}, and no video of {folder} is "
            f"called so (the first there is {next(iter(sorted(lengths)))!r}); rename one or the other"
        )
    return _assembled(found, footage, names)


def first(faults: Mapping[str, str]) -> str:
    """The first sentence of several."""
    return next(iter(faults.values()))


def _assembled(found: Found, footage: Footage, names: Mapping[str, str]) -> Survey:
    lengths, annotations = footage.lengths, found.annotations
    timelines: dict[str, Timeline] = {}
    dropped = list(_never_rows(annotations, names))
    for name, video in sorted(names.items(), key=lambda pair: pair[1]):
        # Judged anew: what a file states of a length may be wrong, and the video itself is not.
        judged = split_usable(video, annotations.rows.get(name, ()), lengths[video], annotations.classes)
        timelines[video] = Timeline(lengths[video], judged.actions)
        dropped += judged.dropped
    if not any(timeline.actions for timeline in timelines.values()):
        reason = f"; the first of {len(dropped)} that were dropped is {dropped[0]}" if dropped else ""
        raise BadInput(f"{found.path}: has no action that can be used{reason}; add one")
    subsets = {names[name]: subset for name, subset in annotations.subsets.items() if name in names}
    return Survey(
        tuple(dict.fromkeys(footage.files[video].parent for video in sorted(footage.files))),
        found.path,
        found.form,
        timelines,
        {video: footage.infos[video].fps for video in timelines},
        subsets,
        tuple(_notes(found, footage, names, dropped)),
    )


def _never_rows(annotations: Annotations, names: Mapping[str, str]) -> Iterator[Dropped]:
    """What was dropped before it became a row, such as an event without an end."""
    for one in annotations.dropped:
        rows = {(row.start, row.end, row.label) for row in annotations.rows.get(one.video, ())}
        if one.video in names and (one.start, one.end, one.label) not in rows:
            yield one


def _notes(found: Found, footage: Footage, names: Mapping[str, str], dropped: Sequence[Dropped]) -> Iterator[str]:
    annotations, lengths = found.annotations, footage.lengths
    yield from annotations.notes
    for fault in footage.faults.values():
        yield f"left out, as it cannot be read: {fault}"
    if absent := [name for name in annotations.timelines if name not in names]:
        yield f"annotated, but no such file that can be read: {count_videos(absent)}"
    if bare := sorted(lengths.keys() - set(names.values())):
        yield f"left out, as the annotations do not name it: {count_videos(bare)}"
    stated = {name: annotations.timelines[name].duration for name in names}
    if odd := [name for name, video in names.items() if stated[name] > lengths[video] + APART]:
        seconds = f"{lengths[names[odd[0]]]:.1f} s, not {stated[odd[0]]:.1f} s"
        yield f"shorter than the annotations say: {count_videos(odd)}, {seconds}; the files are believed"
    if dropped:
        examples = "; ".join(map(str, dropped[:EXAMPLES]))
        more = f"; and {len(dropped) - EXAMPLES} more" if len(dropped) > EXAMPLES else ""
        yield f"left out, as they cannot be used ({len(dropped)}): {examples}{more}"
