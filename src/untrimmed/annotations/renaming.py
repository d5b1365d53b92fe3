"""Annotations of which the videos get other names, and several that become one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from untrimmed.annotations.annotations import Annotations, Dropped

T = TypeVar("T")


def rename_videos(annotations: Annotations, names: Mapping[str, str]) -> Annotations:
    """Return annotations with other names of the videos in `names`, whose new names are no others' there."""

    def rename_all(values: Mapping[str, T]) -> dict[str, T]:
        return {names.get(video, video): value for video, value in values.items()}

    def rename_row(row: Dropped) -> Dropped:
        return replace(row, video=names.get(row.video, row.video))

    return replace(
        annotations,
        timelines=rename_all(annotations.timelines),
        subsets=rename_all(annotations.subsets),
        dropped=tuple(map(rename_row, annotations.dropped)),
        rows=rename_all(annotations.rows),
        ambiguous=rename_all(annotations.ambiguous),
        annotated=rename_all(annotations.annotated),
        parts=rename_all(annotations.parts),
    )


def join_annotations(parts: Sequence[Annotations]) -> Annotations:
    """Join annotations of different videos; a note that several have is one."""
    return Annotations(
        {video: timeline for part in parts for video, timeline in part.timelines.items()},
        {video: subset for part in parts for video, subset in part.subsets.items()},
        tuple(row for part in parts for row in part.dropped),
        {video: rows for part in parts for video, rows in part.rows.items()},
        tuple(dict.fromkeys(label for part in parts for label in part.classes)),
        {video: actions for part in parts for video, actions in part.ambiguous.items()},
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        {video: spans for part in parts for video, spans in part.annotated.items()},
        {video: spans for part in parts for video, spans in part.parts.items()},
    )
