"""Stretches that are judged: read beside the ground truth, selected by subset, clipped to what is there, and told."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Spans
from untrimmed.annotations.span_table import match_spans, read_span_table
from untrimmed.annotations.spans import StatedSpans, describe_spans, intersect_spans, read_stated_spans
from untrimmed.evaluation.instances import Instances


def read_spans(
    path: Path, database: Mapping[str, Any], lengths: Mapping[str, float], table: Path | None
) -> tuple[StatedSpans, tuple[str, ...]]:
    """Read the spans that the videos' entries or a table beside the file state; the table goes first.

    `lengths` are those of the videos, in seconds, as far as they are known.
    """
    annotated: dict[str, Spans] = {}
    parts: dict[str, Mapping[str, Spans]] = {}
    for video, entry in database.items():
        stretches, by_subset = read_stated_spans(f"{path}: video {video!r}", entry)
        annotated |= {} if stretches is None else {video: stretches}
        parts |= {video: by_subset} if by_subset else {}
    notes: tuple[str, ...] = ()
    if table is not None:
        spans, notes = match_spans(table, read_span_table(table), database, {*annotated, *parts})
        annotated, parts = {**annotated, **spans.annotated}, {**parts, **spans.parts}
    settled, more = StatedSpans(annotated, parts).settle(table or path, lengths)
    return settled, (*notes, *(f"{table or path}: {note}" for note in more))


def select_spans(stated: StatedSpans, videos: Iterable[str], subset: str | None) -> dict[str, Spans]:
    """Select the stretches that are judged of the videos of which a part is."""
    spans: dict[str, Spans] = {}
    for video in videos:
        part = stated.parts[video].get(subset) if subset is not None and video in stated.parts else None
        annotated = stated.annotated.get(video)
        if part is not None:
            spans[video] = part if annotated is None else intersect_spans(part, annotated)
        elif annotated is not None:
            spans[video] = annotated
    return spans


def clip_spans(ground_truth: Instances, results: Instances, name: object) -> tuple[Instances, tuple[str, ...]]:
    """Clip annotated stretches to the lengths that the results state, where the ground truth states none, and say so.

    A second beyond may be rounding. Raises BadInput for a stretch that begins where its video has ended.
    """
    ends = {video: spans[-1][1] for video, spans in ground_truth.annotated.items() if spans}
    # A length that is guessed ends with the last stretch.
    guessed = [video for video, end in ends.items() if ground_truth.durations.get(video, end) == end]
    lengths = {video: results.durations[video] for video in guessed if video in results.durations}
    lengths = {video: length for video, length in lengths.items() if ends[video] > length + 1}
    stated = StatedSpans({video: ground_truth.annotated[video] for video in lengths}, {})
    settled, notes = stated.settle(name, lengths)
    annotated = {**ground_truth.annotated, **settled.annotated}
    too_long = "".join(describe_spans(ground_truth.annotated, ground_truth.videos))
    minutes = "".join(describe_spans(annotated, ground_truth.videos))
    sentences = tuple(note.replace(too_long, minutes) if too_long else note for note in ground_truth.notes)
    clipped = replace(ground_truth, annotated=annotated, notes=sentences)
    return clipped, tuple(f"{name}: {note}" for note in notes)


def describe_coverage(path: Path, spans: StatedSpans, videos: Collection[str]) -> list[str]:
    """Say how much of the videos was annotated, where that is not all."""
    return [f"{path}: {note}" for note in describe_spans(spans.annotated, videos)]


def describe_split_videos(name: object, parts: Mapping[str, Mapping[str, Spans]], subset: str | None) -> list[str]:
    """Say that videos are split in time where no part of them is named, so that all of each is judged."""
    if subset is not None or not parts:
        return []
    video = next(iter(parts))
    return [
        f"{name}: {len(parts)} of the videos, such as {video!r}, are split in time into {', '.join(parts[video])}; "
        "all of each is judged, so name a part (subset=..., --subset) where results are of one"
    ]
