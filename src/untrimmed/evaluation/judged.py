"""What is judged of videos that were annotated in part: nothing outside their spans, by one rule everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.annotations.annotations import Spans
from untrimmed.evaluation.instances import Instances, index_videos
from untrimmed.evaluation.matching import Segments, find_candidates, find_touching
from untrimmed.io import BadInput

OUTSIDE = "outside the stretches that are judged"


class Judged(NamedTuple):
    """Ground truth and results of which nothing is left that is not judged, and how much that was, by what it is."""

    ground_truth: Instances
    results: Instances
    dropped: dict[str, int]


def find_inside(
    annotated: Mapping[str, Spans],
    videos: Sequence[str],
    video: Int[np.ndarray, " rows"],
    start: Float[np.ndarray, " rows"],
    end: Float[np.ndarray, " rows"],
) -> Bool[np.ndarray, " rows"]:
    """Find the segments that are judged: those whose middle lies in a span, its ends included.

    All are of a video that is not in `annotated`, also beyond its ends, and none of a video of index -1.
    """
    inside, middle = video >= 0, (start + end) / 2
    for name, spans in annotated.items():
        if name in videos:
            rows = np.flatnonzero(video == list(videos).index(name))
            pairs = np.asarray(spans, np.float64).reshape(-1, 2)
            inside[rows] = ((middle[rows, None] >= pairs[:, 0]) & (middle[rows, None] <= pairs[:, 1])).any(axis=1)
    return inside


def find_judged_actions(ground_truth: Instances) -> Bool[np.ndarray, " rows"]:
    """Find the annotated actions that are judged."""
    truth = ground_truth
    return find_inside(truth.annotated, truth.videos, truth.video, truth.start, truth.end)


def select_judged_rows(ground_truth: Instances, results: Instances) -> Judged:
    """Select the annotated actions whose middle lies in a span, and the detections that can hit one of them or whose
    middle does.

    Of a detection that hits none of them and has its middle outside, `Matches.counted` knows.
    """
    if not ground_truth.annotated:
        return Judged(ground_truth, results, {})
    if "frames" in (ground_truth.unit, results.unit):
        raise BadInput("only spans of videos are annotated, and times are in frames; give the frames a second")
    inside = find_judged_actions(ground_truth)
    actions = ground_truth.select_rows(inside)
    video = index_videos(results, ground_truth)
    near = find_inside(ground_truth.annotated, ground_truth.videos, video, results.start, results.end)
    touching = find_touching(
        Segments(results.start, results.end).turn(),
        Segments(actions.start, actions.end).turn(),
        find_candidates(actions.video, video),
    )
    judged = near | touching | (video < 0)
    dropped = {
        f"annotated actions {OUTSIDE}": int((~inside).sum()),
        f"detections {OUTSIDE}": int((~judged).sum()),
    }
    return Judged(actions, results.select_rows(judged), dropped)


def cut_to_spans(ground_truth: Instances, results: Instances) -> Judged:
    """Make each span of a video that is judged in part a recording of its own: times from its start, cut at its ends.

    For measures that look at every moment, such as dense labels.
    """
    if not ground_truth.annotated:
        return Judged(ground_truth, results, {})
    lengths: dict[str, float] = {}
    for name in ground_truth.videos:
        spans = ground_truth.annotated.get(name)
        if spans is not None:
            lengths |= {_name_recording(name, span): span[1] - span[0] for span in spans}
        elif name in ground_truth.durations:
            lengths[name] = ground_truth.durations[name]
    actions, lost = _cut(ground_truth, ground_truth.annotated)
    detections, unseen = _cut(results, ground_truth.annotated)
    dropped = {f"annotated actions {OUTSIDE}": lost, f"detections {OUTSIDE}": unseen}
    return Judged(replace(actions, durations=lengths), detections, dropped)


def leave_out_parts(ground_truth: Instances, results: Instances) -> Judged:
    """Leave out the videos that are judged in part, for measures of whole videos, whose labels may lie outside."""
    partly = set(ground_truth.annotated) & set(ground_truth.videos)
    if not partly:
        return Judged(ground_truth, results, {})
    whole = ground_truth.select_videos(set(ground_truth.videos) - partly)
    if not whole.videos:
        raise BadInput(
            "every video is annotated in part, so nobody knows what happens in a whole one; judge detections instead"
        )
    dropped = {"videos annotated in part, whose labels may lie elsewhere, left out": len(partly)}
    return Judged(whole, results.select_videos(set(results.videos) - partly), dropped)


def _cut(instances: Instances, annotated: Mapping[str, Spans]) -> tuple[Instances, int]:
    """Cut the rows of one side at the ends of the spans, and count those outside; one of several becomes several."""
    names, rows, starts, ends, shifts = [], [], [], [], []
    for number, name in enumerate(instances.videos):
        row = np.flatnonzero(instances.video == number)
        for span in annotated.get(name, (None,)):
            low, high = span or (-np.inf, np.inf)
            inside = row[(instances.start[row] < high) & (instances.end[row] > low)] if span else row
            rows.append(inside)
            shifts.append(np.full(len(inside), len(names)))
            starts.append(instances.start[inside].clip(low, high) - (low if span else 0.0))
            ends.append(instances.end[inside].clip(low, high) - (low if span else 0.0))
            names.append(_name_recording(name, span) if span else name)
    order = np.argsort(np.concatenate(rows), kind="stable") if rows else np.zeros(0, np.int64)
    if not rows:
        return replace(instances, annotated={}, durations={}, marks={}), 0
    row, start, end, video = (np.concatenate(parts)[order] for parts in (rows, starts, ends, shifts))
    cut = replace(instances.select_rows(row), videos=tuple(names), video=video, start=start, end=end)
    return replace(cut, annotated={}, durations={}, marks={}), len(instances) - len(np.unique(row))


def _name_recording(video: str, span: tuple[float, float]) -> str:
    return f"{video} [{span[0]:g}, {span[1]:g}] s"
