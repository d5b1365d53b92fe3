"""The stretches of a video that were annotated, and those that train or test: read, checked, intersected."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as short
from typing import Any

from untrimmed.annotations.annotations import Annotations, Spans, format_count
from untrimmed.annotations.formats.json_parts import to_number
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

ANNOTATED, PARTS = "annotated", "parts"
"""Keys of a video in JSON: the stretches that were annotated, and those of each subset, in seconds always."""
ELSEWHERE = "outside of what is annotated"
ROUNDING = 0.05
"""Seconds by which a span may reach beyond its video without a word: a frame's rounding."""


@dataclass(frozen=True)
class StatedSpans:
    """Spans in seconds by video as a file has them: of all that is annotated, and of each subset; see `settle`."""

    annotated: Mapping[str, Spans]
    parts: Mapping[str, Mapping[str, Spans]]

    @property
    def videos(self) -> tuple[str, ...]:
        """The videos of which something is stated."""
        return tuple(dict.fromkeys((*self.annotated, *self.parts)))

    def find_last(self, video: str) -> float:
        """Return the latest end of the spans of a video, in seconds; 0 without any."""
        stated = (self.annotated.get(video, ()), *self.parts.get(video, {}).values())
        return max((end for spans in stated for _, end in spans), default=0.0)

    def rename(self, names: Mapping[str, str]) -> "StatedSpans":
        """Rename some of the videos."""
        return StatedSpans(
            {names.get(video, video): spans for video, spans in self.annotated.items()},
            {names.get(video, video): parts for video, parts in self.parts.items()},
        )

    def settle(self, path: object, lengths: Mapping[str, float]) -> tuple["StatedSpans", tuple[str, ...]]:
        """Merge spans that overlap, clip those that leave a video of `lengths` seconds, and say so.

        Raises BadInput for a span beyond its video, and where two subsets have the same seconds of a video.
        """
        clipped: list[str] = []
        merged: list[str] = []

        def fit(video: str, spans: Spans) -> Spans:
            return _fit_spans(path, video, spans, lengths.get(video, math.inf), clipped, merged)

        annotated = {video: fit(video, spans) for video, spans in self.annotated.items()}
        parts = {
            video: {name: fit(video, spans) for name, spans in by_subset.items()}
            for video, by_subset in self.parts.items()
        }
        for video, by_subset in parts.items():
            _refuse_shared_seconds(path, video, by_subset)
        notes = [f"{format_count(len(clipped), 'span')} clipped to the video: {clipped[0]}"] if clipped else []
        if merged:
            notes.append(f"spans that overlap are one, in {format_count(len(merged), 'video')}: {merged[0]}")
        return StatedSpans(annotated, parts), tuple(notes)


def parse_spans(place: str, value: Any) -> Spans:
    """Parse a list of `[start, end]`. Raises BadInput with the place for anything else, and for reversed ones."""
    if not isinstance(value, list):
        raise BadInput(f"{place} is {short(value)}; a list of spans in seconds was expected, as in [[0, 600]]")
    return tuple(_parse_span(place, item) for item in value)


def _parse_span(place: str, item: Any) -> tuple[float, float]:
    ends = [to_number(end) for end in item] if isinstance(item, list) and len(item) == 2 else []
    numbers = [end for end in ends if end is not None and math.isfinite(end)]
    if len(numbers) != 2:
        raise BadInput(f"{place} has {short(item)} for a span; [start, end] in seconds was expected, as in [0, 600]")
    return check_span(place, numbers[0], numbers[1])


def check_span(place: str, start: float, end: float) -> tuple[float, float]:
    """Return a span. Raises BadInput with the place for one that is reversed or empty, before 0, or no number."""
    if not (math.isfinite(start) and math.isfinite(end)):
        value = end if math.isfinite(start) else start
        raise BadInput(
            f"{place} has {value:g} for an end of a span, which is no number; write the time, or take it out"
        )
    if not start < end:
        raise BadInput(f"{place} has the span [{start:g}, {end:g}], which ends before it has begun; turn it round")
    if end <= 0:
        raise BadInput(f"{place} has the span [{start:g}, {end:g}], which ends before the video begins; take it out")
    return float(start), float(end)


def read_stated_spans(place: str, entry: Mapping[str, Any]) -> tuple[Spans | None, dict[str, Spans]]:
    """Read the spans of one video's entry in JSON: those annotated, None where it says nothing, and each subset's."""
    value, parts = entry.get(ANNOTATED), entry.get(PARTS, {})
    if not isinstance(parts, dict):
        raise BadInput(
            f"{place}: its {PARTS!r} is {short(parts)}; spans by subset were expected, as in "
            '{"training": [[0, 600]], "validation": [[660, 900]]}'
        )
    by_subset = {name: parse_spans(f"{place}: its {PARTS!r}: {name!r}", spans) for name, spans in parts.items()}
    return None if value is None else parse_spans(f"{place}: its {ANNOTATED!r}", value), by_subset


def merge_spans(spans: Iterable[tuple[float, float]]) -> Spans:
    """Merge spans that overlap or touch; sorted."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        elif end > start:
            merged.append((start, end))
    return tuple(merged)


def intersect_spans(first: Spans, second: Spans) -> Spans:
    """Return what two lists of spans have in common."""
    common = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return merge_spans((start, end) for start, end in common if start < end)


def measure_spans(spans: Spans) -> float:
    """Measure the seconds of spans that do not overlap."""
    return sum(end - start for start, end in spans)


def is_inside(spans: Spans, time: float) -> bool:
    """Whether a time lies in one of the spans, their ends included: the rule for what is judged, by its middle."""
    return any(start <= time <= end for start, end in spans)


def select_actions(timeline: Timeline, spans: Spans | None) -> Timeline:
    """Select the actions whose middle lies in one of the spans; all where there are none to go by (None)."""
    if spans is None:
        return timeline
    return replace(timeline, actions=tuple(a for a in timeline.actions if is_inside(spans, (a.start + a.end) / 2)))


def cut_timeline(timeline: Timeline, span: tuple[float, float]) -> Timeline:
    """Cut a timeline to a span as if that were a recording of its own: its actions, see `select_actions`, from there.

    What reaches out of it is cut off.
    """
    start, end = max(span[0], 0.0), min(span[1], timeline.duration)
    inside = select_actions(timeline, ((start, end),))
    actions = (replace(a, start=max(a.start - start, 0.0), end=min(a.end, end) - start) for a in inside)
    return Timeline(end - start, tuple(actions))


def select_touching_actions(timeline: Timeline, spans: Spans) -> Timeline:
    """Select the actions of which at least a part lies in one of the spans."""
    touching = (a for a in timeline.actions if any(a.start < end and start < a.end for start, end in spans))
    return replace(timeline, actions=tuple(touching))


def describe_actions_outside(timelines: Mapping[str, Timeline], annotated: Mapping[str, Spans]) -> tuple[str, ...]:
    """Say how many actions lie outside of what is annotated of their videos, with an example; nothing without."""
    outside = [
        (video, action)
        for video, spans in annotated.items()
        if video in timelines
        for action in timelines[video].actions
        if not is_inside(spans, (action.start + action.end) / 2)
    ]
    if not outside:
        return ()
    video, action = outside[0]
    count = format_count(len(outside), "action lies", "actions lie")
    everything = sum(len(timelines[video]) for video in annotated if video in timelines)
    doubt = f", most of the {everything:,}; check the unit of the spans" if len(outside) * 2 > everything else ""
    return (
        f"{count} {ELSEWHERE}, where nothing is learned or judged: the first is {action.label!r} at "
        f"[{action.start:g}, {action.end:g}] s of video {video!r}{doubt}",
    )


def describe_spans(annotated: Mapping[str, Spans], videos: Collection[str]) -> tuple[str, ...]:
    """Say how many of these videos are annotated in part, and how much of them."""
    partly = [video for video in annotated if video in videos]
    if not partly:
        return ()
    minutes = sum(measure_spans(annotated[video]) for video in partly) / 60
    return (
        f"{format_count(len(partly), 'video is', 'videos are')} annotated in part, {minutes:.3g} minutes in all, "
        f"such as {partly[0]!r}: nothing is learned or judged outside",
    )


def state_spans(
    annotations: Annotations, stated: StatedSpans, path: object, measured: Collection[str] = ()
) -> Annotations:
    """Return annotations of which these spans are known; a video of guessed length ends no sooner than its spans.

    Those of `stated` go before what the annotations state of the same videos. The lengths of videos that were
    `measured` are no guess, even where they end with their last action.
    """
    lengths = {video: timeline.duration for video, timeline in annotations.timelines.items()}
    guessed = {
        video
        for video, length in lengths.items()
        if video not in measured and length == _find_end(annotations.timelines[video])
    }
    timelines = {
        video: replace(timeline, duration=max(timeline.duration, stated.find_last(video)))
        if video in guessed
        else timeline
        for video, timeline in annotations.timelines.items()
    }
    lengths = {video: timeline.duration for video, timeline in timelines.items()}
    settled, notes = stated.settle(path, lengths)
    partly = {
        video: spans
        for video, spans in settled.annotated.items()
        if video in guessed or measure_spans(spans) < lengths[video] - ROUNDING
    }
    whole = settled.annotated.keys() - partly.keys()
    subsets = {video: subset for video, subset in annotations.subsets.items() if video not in settled.parts}
    notes += describe_spans(partly, lengths)
    return replace(
        annotations,
        timelines=timelines,
        subsets=subsets,
        annotated={
            video: spans for video, spans in {**annotations.annotated, **partly}.items() if video not in whole
        },
        parts={**annotations.parts, **settled.parts},
        notes=(*annotations.notes, *notes, *describe_actions_outside(timelines, partly)),
    )


def list_subsets(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """List the subsets of each video that has any: one, or those of its parts."""
    whole = {video: (subset,) for video, subset in annotations.subsets.items()}
    return {**whole, **{video: tuple(parts) for video, parts in annotations.parts.items()}}


def _find_end(timeline: Timeline) -> float:
    return max((action.end for action in timeline.actions), default=timeline.duration)


def _fit_spans(path: object, video: str, spans: Spans, length: float, clipped: list[str], merged: list[str]) -> Spans:
    fitting = []
    for start, end in spans:
        place = f"[{start:g}, {end:g}] s of video {video!r}, which ends at {length:g} s"
        if start >= length:
            raise BadInput(
                f"{path}: the span {place}, lies beyond it; take it out, or fix its unit, or the length of the video"
            )
        if start < -ROUNDING or end > length + ROUNDING:
            clipped.append(place)
        fitting.append((max(start, 0.0), min(end, length)))
    result = merge_spans(fitting)
    if any(first[1] > second[0] for first, second in zip(sorted(fitting), sorted(fitting)[1:], strict=False)):
        merged.append(f"video {video!r} has {len(result)} for {len(spans)}")
    return result


def _refuse_shared_seconds(path: object, video: str, parts: Mapping[str, Spans]) -> None:
    names = list(parts)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            if common := intersect_spans(parts[first], parts[second]):
                raise BadInput(
                    f"{path}: video {video!r} has [{common[0][0]:g}, {common[0][1]:g}] s in {first!r} and in "
                    f"{second!r}; part them, or nothing is tested on what was not learned from"
                )


def join_spans(parts: Mapping[str, Spans], names: Sequence[str]) -> Spans:
    """Join the spans of some subsets of a video."""
    return merge_spans(span for name in names for span in parts.get(name, ()))
