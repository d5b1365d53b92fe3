"""A table of the stretches that were annotated, for annotations whose format has no place for them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Spans, format_count
from untrimmed.annotations.formats.columns import find_span_columns
from untrimmed.annotations.formats.content import format_videos, shorten_locations
from untrimmed.annotations.formats.csv_table import read_delimited_table, refuse_ambiguous_numbers, split_ranges
from untrimmed.annotations.spans import StatedSpans, check_span, state_spans
from untrimmed.io import BadInput, missing
from untrimmed.video.names import describe_loose_matches, match_names, suggest_name


def read_span_table(path: Path, fps: float | None = None) -> StatedSpans:
    """Read a table with a line a span: `video`, `start`, `end`, and `subset` where the span is of one.

    Without a column of videos, the spans are of the one video that is annotated. Times are seconds, or what their
    columns' names state; frames need `fps`. Raises BadInput for a cell that is no time, and for a reversed span.
    """
    if not path.is_file():
        raise missing(path, "table of what was annotated")
    table = split_ranges(read_delimited_table(path))
    video, start, end, subset = find_span_columns(path, table.columns)
    refuse_ambiguous_numbers(table, [start, end])
    locations = [line.read_text(video) for line in table.lines]
    if video and "" in locations:
        raise BadInput(f"{path}: line {table.lines[locations.index('')].number} names no video; fill it in")
    names = shorten_locations(path, locations) if video else {"": ""}
    annotated: dict[str, Spans] = {}
    parts: dict[str, dict[str, Spans]] = {}
    for line, location in zip(table.lines, locations, strict=True):
        place = f"{path}: line {line.number}"
        span = check_span(place, line.read_seconds(start, fps), line.read_seconds(end, fps))
        if line.holds(subset):
            by_subset = parts.setdefault(names[location], {})
            by_subset[line.read_text(subset)] = (*by_subset.get(line.read_text(subset), ()), span)
        else:
            annotated[names[location]] = (*annotated.get(names[location], ()), span)
    if not annotated and not parts:
        raise BadInput(f"{path}: names no span; write one a line, as in video,start,end")
    return StatedSpans(annotated, parts)


class MatchedSpans(NamedTuple):
    """Spans by the names of videos that are annotated, and sentences on how the names were matched."""

    spans: StatedSpans
    notes: tuple[str, ...]


def match_spans(
    path: Path, spans: StatedSpans, videos: Collection[str], stated: Collection[str] = ()
) -> MatchedSpans:
    """Give spans the names of the annotated `videos` that they mean; those of others are left out, and that is said.

    Said is also which videos the table does not name, but for those of which spans are `stated` elsewhere. Raises
    BadInput where the table means none.
    """
    if spans.videos == ("",):
        if len(videos) != 1:
            raise BadInput(f"{path}: has no column of videos, and {len(videos)} are annotated; add one, 'video'")
        return MatchedSpans(spans.rename({"": next(iter(videos))}), ())
    matches = match_names(spans.videos, videos)
    if not matches:
        near = suggest_name(spans.videos[0], videos) or next(iter(videos))
        raise BadInput(
            f"{path}: is of {format_videos(spans.videos)}, which the annotations do not name; they name {near!r}, so "
            "name the videos alike"
        )
    absent = [video for video in videos if video not in {*matches.values(), *stated}]
    sentences = [
        describe_loose_matches(matches),
        _describe_strangers([name for name in spans.videos if name not in matches], absent),
        _describe_absent(absent),
    ]
    notes = [f"{path}: {sentence}" for sentence in filter(None, sentences)]
    matched = StatedSpans(
        {video: stretches for video, stretches in spans.annotated.items() if video in matches},
        {video: by_subset for video, by_subset in spans.parts.items() if video in matches},
    )
    return MatchedSpans(matched.rename(matches), tuple(notes))


def _describe_strangers(strangers: Sequence[str], absent: Sequence[str]) -> str | None:
    """Say which names of the table are of no annotated video, and which of those that it lacks is spelled so."""
    if not strangers:
        return None
    near = {name: suggest_name(name, absent) for name in strangers}
    example = next((name for name in strangers if near[name]), strangers[0])
    count = format_count(len(strangers), "name is that", "names are those")
    remedy = f"; did you mean {near[example]!r}?" if near[example] else ""
    return f"{count} of no annotated video, and left out, such as {example!r}{remedy}"


def _describe_absent(absent: Sequence[str]) -> str | None:
    """Say which videos the table does not name."""
    if not absent:
        return None
    count = format_count(len(absent), "video is", "videos are")
    verb = "counts" if len(absent) == 1 else "count"
    return f"{count} not in the table and {verb} as annotated wholly, such as {absent[0]!r}"


def add_span_table(
    annotations: Annotations, path: Path | None, fps: float | None = None, measured: Collection[str] = ()
) -> Annotations:
    """Return annotations of which the table at `path` states what was annotated, and what is of which subset.

    `measured` are the videos whose lengths are no guess. Raises BadInput as `read_span_table` and `match_spans`, and
    for a span beyond its video.
    """
    if path is None:
        return annotations
    spans, notes = match_spans(
        path, read_span_table(path, fps), annotations.timelines, {*annotations.annotated, *annotations.parts}
    )
    return state_spans(replace(annotations, notes=(*annotations.notes, *notes)), spans, path, measured)
