"""A long video split in time: one stretch to learn from and one to test on, with a gap where nothing happens."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import NamedTuple

from untrimmed.annotations.annotations import Spans, format_count
from untrimmed.annotations.spans import intersect_spans, measure_spans, merge_spans, select_actions
from untrimmed.annotations.subsets import TRAINING, VALIDATION
from untrimmed.project.folder_scan import FolderScan
from untrimmed.project.span_checks import UNUSED, describe_unused_subsets
from untrimmed.project.split import SHARE, Split, choose_sides, name_subset, split_videos
from untrimmed.timeline import Timeline

GAP = 0.005
"""Of a video, between what trains and what tests."""
FEW = 3
"""So many videos may be too few to be parted, where they are long."""
LONG = 600.0
"""Seconds from which a video is long."""


class Border(NamedTuple):
    """A gap in seconds between two stretches: the actions that it cuts, and the classes before and after it."""

    start: float
    end: float
    cut: int
    early: frozenset[str]
    late: frozenset[str]
    share: float
    """Of the actions that are not cut, those after it."""


def choose_split(scan: FolderScan) -> Split:
    """Choose what trains and what tests: as the annotations have it, or videos, or stretches of each video.

    One video is split in time, and so are a few long ones where whole videos would leave more classes on one side
    alone. Raises ValueError where there is one video that cannot be split either.
    """
    labels = {video: timeline.labels for video, timeline in scan.timelines.items()}
    if scan.parts and (stated := _keep_parts(scan)):
        return stated
    few = len(labels) <= FEW and all(timeline.duration >= LONG for timeline in scan.timelines.values())
    by_video = split_videos(labels, scan.subsets)._replace(annotated=scan.annotated) if len(labels) > 1 else None
    if by_video and not (by_video.proposed and few):
        return by_video
    parts = propose_parts(scan.timelines, scan.annotated)
    in_time = Split({}, (TRAINING,), (VALIDATION,), True, parts, scan.annotated)
    if by_video is None and not parts:
        raise ValueError("one video, with too few actions to be split in time")
    if by_video and (
        len(parts) < len(labels) or _count_shared_classes(in_time, scan) <= _count_shared_classes(by_video, scan)
    ):
        return by_video
    return in_time


def propose_parts(
    timelines: Mapping[str, Timeline], annotated: Mapping[str, Spans] = {}
) -> dict[str, dict[str, Spans]]:
    """Propose for each video which stretches train and which test; one with too few actions is left out."""
    parts = {video: split_timeline(timeline, annotated.get(video)) for video, timeline in timelines.items()}
    return {video: stretches for video, stretches in parts.items() if stretches}


def split_timeline(timeline: Timeline, annotated: Spans | None = None) -> dict[str, Spans]:
    """Split a video into a stretch that trains and one that tests, about a quarter of the actions; none if it cannot.

    Between them is a gap, in the middle of a stretch without actions where there is one, so that none is cut. Most
    classes are in both, then most are learned; then the gap is wide, the share near a quarter, and the end tests.
    """
    everything = annotated if annotated is not None else ((0.0, timeline.duration),)
    options = [
        (border, late) for border in list_borders(select_actions(timeline, annotated)) for late in (True, False)
    ]
    if not options:
        return {}
    border, late = max(options, key=lambda option: _rate(*option, GAP * timeline.duration))
    early = intersect_spans(everything, ((0.0, border.start),))
    later = intersect_spans(everything, ((border.end, timeline.duration),))
    return {TRAINING: early, VALIDATION: later} if late else {TRAINING: later, VALIDATION: early}


def list_borders(timeline: Timeline) -> list[Border]:
    """List the gaps with actions on both sides: stretches without any, and, of no width, the ends of actions."""
    gap = GAP * timeline.duration
    busy = merge_spans((action.start, action.end) for action in timeline)
    idle = [(first[1], second[0]) for first, second in pairwise(busy)]
    gaps = [(max(s, (s + e - gap) / 2), min(e, (s + e + gap) / 2)) for s, e in idle]
    gaps += [(action.end, action.end) for action in timeline]
    return [border for border in _weigh_gaps(timeline, gaps) if border.early and border.late]


def describe_parts(split: Split, timelines: Mapping[str, Timeline]) -> list[str]:
    """Say which stretches of the videos train and test, and how much is in neither, by subset and outside of all."""
    if not split.parts:
        return []
    notes = []
    if parted := [video for video, stretches in split.parts.items() if len(stretches) > 1]:
        sides = "; ".join(f"{name} {_format_spans(spans)}" for name, spans in split.parts[parted[0]].items())
        count = format_count(len(parted), "video is", "videos are")
        origin = "as proposed here" if split.proposed else "as the annotations have it"
        notes.append(f"{count} split in time, {origin}: of {parted[0]!r} {sides}; no snippet is seen by both")
    unused = describe_unused_subsets(split.parts, timelines, (*split.train, *split.test), split.annotated)
    notes += [f"{UNUSED}: {sentence}" for _, sentence in unused]
    parts = {name for stretches in split.parts.values() for name in stretches}
    in_a_part = split.select(timelines, {*parts, *split.subsets.values()}).values()
    if lost := sum(map(len, timelines.values())) - sum(map(len, in_a_part)):
        notes.append(f"{format_count(lost, 'action lies', 'actions lie')} in none of these stretches, and left out")
    return notes


def _weigh_gaps(timeline: Timeline, gaps: Iterable[tuple[float, float]]) -> list[Border]:
    """Find what lies before and after each gap."""
    actions = timeline.actions
    by_end = sorted(actions, key=lambda action: action.end)
    ends, starts = [action.end for action in by_end], [action.start for action in actions]
    early = list(accumulate(by_end, lambda labels, action: labels | {action.label}, initial=frozenset[str]()))
    late = list(accumulate(actions[::-1], lambda labels, action: labels | {action.label}, initial=frozenset[str]()))
    borders = []
    for start, end in gaps:
        # A gap begins where an action ends, and ends where one starts, up to rounding.
        ahead, behind = bisect_left(ends, start + 1e-9), len(actions) - bisect_left(starts, end - 1e-9)
        share = behind / max(ahead + behind, 1)
        borders.append(Border(start, end, len(actions) - ahead - behind, early[ahead], late[behind], share))
    return borders


def _rate(border: Border, late: bool, gap: float) -> tuple[float, ...]:
    """Rate a border and whether what is after it tests: whatever comes first decides."""
    train, share = (border.early, border.share) if late else (border.late, 1 - border.share)
    wide = border.end - border.start >= gap * (1 - 1e-9)
    return -border.cut, len(border.early & border.late), len(train), wide, -round(abs(share - SHARE), 6), late


def _count_shared_classes(split: Split, scan: FolderScan) -> int:
    """Count the classes that are both in what trains and in what tests."""
    sides = [split.select(scan.timelines, names).values() for names in (split.train, split.test)]
    train, test = ({label for timeline in side for label in timeline.labels} for side in sides)
    return len(train & test)


def _format_spans(spans: Spans) -> str:
    stretches = " and ".join(f"{start:.1f} to {end:.1f} s" for start, end in spans)
    return f"{stretches} ({measure_spans(spans) / 60:.3g} minutes)"


def _keep_parts(scan: FolderScan) -> Split | None:
    """Keep the stretches that the annotations state, where they part training from test."""
    parts = {
        video: {name_subset(name): spans for name, spans in stretches.items()}
        for video, stretches in scan.parts.items()
    }
    subsets = {video: name_subset(name) for video, name in scan.subsets.items()}
    sides = choose_sides([*subsets.values(), *(name for stretches in parts.values() for name in stretches)])
    if sides is None:
        return None
    whole = {video: subsets.get(video, sides.train[0]) for video in scan.timelines if video not in parts}
    return Split(whole, *sides, False, parts, scan.annotated)
