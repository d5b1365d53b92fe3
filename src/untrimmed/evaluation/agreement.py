"""Results matched to the ground truth by the names of videos and of labels; what differs is said, or refused."""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import numpy as np

from untrimmed.annotations.label_names import describe_loose_labels, match_labels, suggest_label
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.notes import list_names
from untrimmed.io import BadInput
from untrimmed.video.names import describe_loose_matches, match_names, match_videos, suggest_name

_TRIED = 50
"""Names for which a near one is looked for."""


class Sides(NamedTuple):
    """What the sentences call the ground truth and the results: their files, where they are in some."""

    ground_truth: object = "the ground truth"
    results: object = "the results"


class Agreement(NamedTuple):
    """Results that go by the names of the ground truth, and what was done to that end."""

    results: Instances
    notes: tuple[str, ...]


def match_results(
    ground_truth: Instances, results: Instances, sides: Sides = Sides(), *, labelled: bool = True
) -> Agreement:
    """Give the results the names of the ground truth's videos and, if they are `labelled`, of its classes.

    Equal names are one before similar ones, and no two of the results become one. Where no name agrees, what all have
    behind or before a video's name, such as `_i3d_rgb`, is no part of it. What is matched loosely is noted.
    Raises BadInput where the results have a row, but no video or no label of the ground truth.
    """
    candidates = dict.fromkeys((*ground_truth.videos, *ground_truth.marks, *ground_truth.other_subsets))
    videos = match_videos(results.videos, candidates)
    if len(results):
        _check_videos(ground_truth, results, videos, sides)
    labels = match_labels(results.labels, ground_truth.labels) if labelled else {}
    if len(results) and labelled and not labels:
        raise BadInput(
            f"{sides.results}: {_count_none(results.labels, 'label')} {sides.ground_truth}: "
            f"{_show_examples(results.labels, ground_truth.labels, suggest_label)}; name the labels alike"
        )
    notes = (describe_loose_matches(videos), describe_loose_labels(labels))
    sentences = tuple(f"{sides.results}: {note}" for note in notes if note)
    return Agreement(results.rename(videos, labels), sentences)


def leave_out_other_subsets(ground_truth: Instances, results: Instances, sides: Sides = Sides()) -> Agreement:
    """Leave out the results in videos of other subsets than that judged, and say so."""
    outside = ground_truth.other_subsets.keys() & set(results.videos)
    if not outside:
        return Agreement(results, ())
    remaining = results.select_videos(set(results.videos) - outside)
    subsets = sorted({ground_truth.other_subsets[video] for video in outside})
    note = (
        f"{sides.results}: {len(results) - len(remaining):,} segments in {_count(outside, 'video')} of other subsets "
        f"({', '.join(map(repr, subsets))}) are left out"
    )
    return Agreement(remaining, (note,))


def describe_differences(
    ground_truth: Instances, results: Instances, sides: Sides = Sides(), *, labelled: bool = True
) -> list[str]:
    """Say in one sentence which videos and labels only one of the two has, with counts and names; none if alike."""
    annotated = {ground_truth.videos[video] for video in np.unique(ground_truth.video)}
    parts = [
        _describe_surplus(
            set(results.videos) - set(ground_truth.videos) - ground_truth.marks.keys(), "video", "results"
        ),
        _describe_surplus(annotated - set(results.videos), "video", "ground truth"),
    ]
    if labelled:
        sides_labels = ({side.labels[label] for label in np.unique(side.label)} for side in (results, ground_truth))
        detected, expected = sides_labels
        parts += [_describe_surplus(detected - expected, "label", "results")]
        parts += [_describe_surplus(expected - detected, "label", "ground truth")]
    sentences = [part for part in parts if part]
    if not sentences or not len(results):
        return []
    return [f"{sides.results} and {sides.ground_truth} differ: {'; '.join(sentences)}"]


class Selection(NamedTuple):
    """Ground truth and results of some videos, and what of the list of them was odd."""

    ground_truth: Instances
    results: Instances
    notes: tuple[str, ...]


def select_from_list(
    ground_truth: Instances, results: Instances, listed: Collection[str], name: object, sides: Sides = Sides()
) -> Selection:
    """Select the videos that a list names, `name` being the list's. Raises BadInput where it names none."""
    matched = match_names(sorted(listed), ground_truth.videos)
    if not matched:
        raise BadInput(f"{name}: names no video of {sides.ground_truth}; one a line was expected")
    outside = match_names(listed, set(results.videos) - set(ground_truth.videos))
    notes = [f"{name}: {sentence}" for sentence in filter(None, [describe_loose_matches(matched)])]
    if unknown := set(listed) - matched.keys():
        notes.append(f"{name}: {_count(unknown, 'name')} of no video in {sides.ground_truth} ({list_names(unknown)})")
    videos = set(matched.values())
    judged = results.select_videos(videos | set(outside.values()))
    return Selection(ground_truth.select_videos(videos), judged, tuple(notes))


def _check_videos(ground_truth: Instances, results: Instances, videos: dict[str, str], sides: Sides) -> None:
    judged = {*ground_truth.videos, *ground_truth.marks}
    if judged & set(videos.values()):
        return
    if videos:
        subsets = sorted({ground_truth.other_subsets[video] for video in videos.values()})
        raise BadInput(
            f"{sides.results}: {_count_none(results.videos, 'video')} subset {ground_truth.subset!r} of "
            f"{sides.ground_truth}, but {len(videos):,} in {', '.join(map(repr, subsets))}; choose that subset"
        )
    raise BadInput(
        f"{sides.results}: {_count_none(results.videos, 'video')} {sides.ground_truth}: "
        f"{_show_examples(results.videos, ground_truth.videos, suggest_name)}; name the videos alike"
    )


def _count_none(names: Collection[str], thing: str) -> str:
    return f"its only {thing} is not in" if len(names) == 1 else f"none of its {len(names):,} {thing}s is in"


def _count(names: Collection[str], thing: str) -> str:
    return f"1 {thing}" if len(names) == 1 else f"{len(names):,} {thing}s"


def _show_examples(
    names: Iterable[str], truth: Collection[str], suggest: Callable[[str, Iterable[str]], str | None]
) -> str:
    """Show a name of the results beside one of the ground truth: the first pair that is alike, or the first two."""
    names = list(names)[:_TRIED]
    for name in names:
        if near := suggest(name, truth):
            return f"{name!r} in the results, and most like it {near!r} in the ground truth"
    return f"{names[0]!r} in the results, and {min(truth)!r} in the ground truth"


def _describe_surplus(names: Collection[str], thing: str, side: str) -> str:
    return f"{_count(names, thing)} only in the {side} ({list_names(names)})" if names else ""
