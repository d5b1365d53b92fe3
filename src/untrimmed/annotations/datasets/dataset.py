"""What a data set is: classes, the ground truth of each video, splits, and the protocol of its evaluation."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Dropped, Hints, Spans
from untrimmed.annotations.convert import read_as
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.annotations.sniff import sniff_format
from untrimmed.annotations.span_table import add_span_table
from untrimmed.annotations.spans import (
    cut_timeline,
    intersect_spans,
    join_spans,
    list_subsets,
    merge_spans,
    select_actions,
    select_touching_actions,
)
from untrimmed.annotations.subsets import describe_missing_subset, match_subsets
from untrimmed.io import BadInput, missing
from untrimmed.timeline import Timeline, classes_of

WHOLE = "all"
"""The one split of annotations that name no subset."""


@dataclass(frozen=True)
class Dataset:
    """Annotated videos. `classes` are in the order of the indices that a model gives them.

    A video that is split in time, by `parts`, is in the split of each of its parts. `annotated` are the stretches of
    each video of which only a part was annotated. `protocol` names how it is usually evaluated: `activitynet` (tIoU
    .5:.05:.95), `thumos14` (.3:.1:.7) or `segments` (.1, .3, .5, .7). `dropped` are annotations that `ground_truth`
    could not hold, see `refuse_dropped_rows`, and `notes` sentences on what the reader guessed or skipped. Raises
    ValueError where a split names a video without ground truth.
    """

    classes: tuple[str, ...]
    ground_truth: Mapping[str, Timeline]
    splits: Mapping[str, tuple[str, ...]]
    protocol: str
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    annotated: Mapping[str, Spans] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Spans]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, videos in self.splits.items():
            strangers = [video for video in videos if video not in self.ground_truth]
            if strangers:
                raise ValueError(
                    f"split {name!r} has {len(strangers)} videos without ground truth, such as {strangers[0]!r}"
                )

    def split(self, *names: str) -> tuple[str, ...]:
        """Return the videos of one split or of several together, by any usual spelling, see `match_subsets`.

        Raises BadInput for an unknown name.
        """
        matches = match_subsets(names, self.splits)
        for name in names:
            if name not in matches:
                raise BadInput(f"no split {name!r}: {describe_missing_subset(name, self.splits)}")
        # dict.fromkeys keeps the order, and a video of two splits once
        return tuple(dict.fromkeys(video for name in names for video in self.splits[matches[name]]))

    def find_spans(self, *names: str) -> dict[str, Spans]:
        """Find the stretches, in seconds, of the videos of some splits that count in part: nothing else is used.

        Those annotated, of the parts that are of these splits. Raises BadInput for an unknown name.
        """
        matches = match_subsets(names, self.splits)
        spans = {}
        for video in self.split(*names):
            everything: Spans = ((-math.inf, math.inf),)
            part, annotated = self.parts.get(video), self.annotated.get(video, everything)
            if part is not None:
                spans[video] = intersect_spans(join_spans(part, [matches[name] for name in names]), annotated)
            elif video in self.annotated:
                spans[video] = self.annotated[video]
        return spans

    def select(self, *names: str) -> dict[str, Timeline]:
        """Select the timelines of some splits, with the actions that lie in what is annotated and of these splits."""
        spans = self.find_spans(*names)
        return {video: select_actions(self.ground_truth[video], spans.get(video)) for video in self.split(*names)}

    def cut(self, *names: str) -> dict[str, Timeline]:
        """Cut the videos of some splits into what is used of each, by name, as if every stretch were a recording."""
        spans, recordings = self.find_spans(*names), {}
        for video in self.split(*names):
            timeline = self.ground_truth[video]
            if video not in spans:
                recordings[video] = timeline
            else:
                stretches = merge_spans((max(a, 0.0), min(b, timeline.duration)) for a, b in spans[video])
                recordings |= {f"{video} [{a:g}, {b:g}] s": cut_timeline(timeline, (a, b)) for a, b in stretches}
        return recordings

    def only(self, videos: Collection[str]) -> "Dataset":
        """Return the data set without any video outside `videos`; splits may become empty, classes stay."""
        return replace(
            self,
            ground_truth={video: timeline for video, timeline in self.ground_truth.items() if video in videos},
            splits={name: tuple(v for v in members if v in videos) for name, members in self.splits.items()},
            dropped=tuple(row for row in self.dropped if row.video in videos),
            annotated={video: spans for video, spans in self.annotated.items() if video in videos},
            parts={video: parts for video, parts in self.parts.items() if video in videos},
        )


def refuse_dropped_rows(path: Path, dropped: tuple[Dropped, ...]) -> None:
    """Raise BadInput where annotations cannot be used, for a run that may not go on without them."""
    if dropped:
        raise BadInput(
            f"{path}: {count_dropped_rows(dropped)} cannot be used: {dropped[0]}; "
            'fix the file, or set data.unusable = "drop"'
        )


def count_dropped_rows(dropped: tuple[Dropped, ...]) -> str:
    """Say how many annotations were dropped."""
    return "1 annotation" if len(dropped) == 1 else f"{len(dropped)} annotations"


def read_json_dataset(
    path: str | Path, protocol: str, classes: tuple[str, ...] = (), hints: Hints = Hints()
) -> Dataset:
    """Read the data set in an annotation file, or in the `annotations.json` of a folder; splits are its subsets.

    Without `classes`, they are the file's own list, or else its labels, sorted. `hints` say what the times are.
    """
    path = find_annotation_file(path)
    annotations = add_span_table(read_activitynet(path, classes=classes, hints=hints), hints.annotated, hints.fps)
    return build_dataset(path, annotations, protocol, classes)


def read_any_dataset(path: str | Path, protocol: str, hints: Hints = Hints()) -> Dataset:
    """Read the data set in annotations of any format; a folder's `annotations.json` goes before its other files."""
    path = Path(path)
    if not path.is_dir() or (path / "annotations.json").exists():
        path = find_annotation_file(path)
    name = sniff_format(path)
    if name in ("activitynet", "activitynet-results"):
        return read_json_dataset(path, protocol, hints=hints)
    return build_dataset(path, read_as(name, path, hints), protocol)


def build_dataset(path: Path, annotations: Annotations, protocol: str, classes: tuple[str, ...] = ()) -> Dataset:
    """Build a data set from annotations; where no video has a subset, all are in the split `all`.

    Videos of a split keep the file's order. Actions that lie outside of what is annotated are left out. Raises
    BadInput where only some videos have a subset.
    """
    timelines = {
        video: select_touching_actions(timeline, annotations.annotated[video])
        if video in annotations.annotated
        else timeline
        for video, timeline in annotations.timelines.items()
    }
    classes = classes or annotations.classes or classes_of(timelines.values())
    if not classes:
        raise BadInput(
            f"{path}: has no usable annotation in any of its {len(annotations.timelines)} videos; add some"
        )
    subsets = list_subsets(annotations)
    members: dict[str, list[str]] = {} if subsets else {WHOLE: []}
    for video in timelines:
        if subsets and video not in subsets:
            raise BadInput(f"{path}: video {video!r} has no 'subset', but other videos have; give it one")
        for subset in subsets.get(video, (WHOLE,)):
            members.setdefault(subset, []).append(video)
    splits = {name: tuple(members[name]) for name in sorted(members)}
    stretches = {"annotated": annotations.annotated, "parts": annotations.parts}
    return Dataset(classes, timelines, splits, protocol, annotations.dropped, annotations.notes, **stretches)


def find_annotation_file(path: str | Path) -> Path:
    """Return a file itself, or the `annotations.json` in a folder."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "annotation file or folder")
    return path / "annotations.json" if path.is_dir() else path
