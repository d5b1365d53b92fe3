"""Which videos train and which test: a split of whole videos with every class on both sides, where that can be."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from untrimmed.annotations.annotations import Spans
from untrimmed.annotations.spans import cut_timeline, intersect_spans, join_spans, select_actions
from untrimmed.annotations.subsets import TESTING, TRAINING, VALIDATION, find_role
from untrimmed.timeline import Timeline

SHARE = 0.25
"""Of the videos, what is held out."""
MOST_EXHAUSTIVE = 12
"""So many videos are few enough to try every way of splitting them."""

Labels = Mapping[str, Collection[str]]
"""The labels in each video, by its name."""


class Split(NamedTuple):
    """The subset of every video, and which subsets a recipe trains and tests on."""

    subsets: Mapping[str, str]
    train: tuple[str, ...]
    test: tuple[str, ...]
    proposed: bool
    """Whether it was made here; else the annotations had it."""
    parts: Mapping[str, Mapping[str, Spans]] = {}
    """Of each video that is split in time, the stretches of each subset; such a video is not in `subsets`."""
    annotated: Mapping[str, Spans] = {}
    """The stretches of each video of which only a part was annotated."""

    def select(self, timelines: Mapping[str, Timeline], names: Collection[str]) -> dict[str, Timeline]:
        """Select the videos of some subsets, with the actions that are theirs."""
        spans = {video: self._find_spans(video, names) for video in timelines}
        return {video: select_actions(timelines[video], spans[video]) for video in timelines if spans[video] != ()}

    def cut(self, timelines: Mapping[str, Timeline], names: Collection[str]) -> list[Timeline]:
        """Cut the videos of some subsets into what is used of each, as if every stretch were a recording."""
        recordings: list[Timeline] = []
        for video, timeline in timelines.items():
            spans = self._find_spans(video, names)
            recordings += [timeline] if spans is None else [cut_timeline(timeline, span) for span in spans]
        return recordings

    def _find_spans(self, video: str, names: Collection[str]) -> Spans | None:
        """Find the stretches of a video that are of some subsets; None for all of it."""
        annotated = self.annotated.get(video)
        if video not in self.parts:
            return annotated if self.subsets[video] in names else ()
        part = join_spans(self.parts[video], [name for name in names if name in self.parts[video]])
        return part if annotated is None else intersect_spans(part, annotated)


def split_videos(labels: Labels, stated: Mapping[str, str]) -> Split:
    """Return the annotations' own subsets where they part the videos, else a proposal.

    Subsets named otherwise than training, validation and testing are folds: the first is held out. A video without
    a stated subset trains. Raises ValueError for fewer than two videos.
    """
    subsets = {video: name_subset(name) for video, name in stated.items() if video in labels}
    sides = choose_sides(subsets.values())
    if sides is None:
        return Split(propose_split(labels), (TRAINING,), (VALIDATION,), True)
    return Split({video: subsets.get(video, sides.train[0]) for video in labels}, *sides, False)


class SplitSides(NamedTuple):
    """The subsets to train and to test on."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def name_subset(name: str) -> str:
    """Return the usual name of a subset that is for training, validation or testing; any other name as it is."""
    role = find_role(name)
    return role if role in (TRAINING, VALIDATION, TESTING) else name


def choose_sides(names: Iterable[str]) -> SplitSides | None:
    """Choose which subsets train and which test; None where they do not part the two."""
    names = sorted(set(names))
    held_out = next((name for name in (VALIDATION, TESTING) if name in names), None)
    if TRAINING in names and held_out:
        return SplitSides((TRAINING,), (held_out,))
    return SplitSides(tuple(names[1:]), (names[0],)) if len(names) > 1 and TRAINING not in names else None


def propose_split(labels: Labels) -> dict[str, str]:
    """Propose training or validation for every video; the order of the videos does not matter.

    As many classes as possible are in both, which is certain for up to `MOST_EXHAUSTIVE` videos and sought beyond;
    then about a quarter of the videos is held out; and a digest of the names decides between equal splits.
    """
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} videos cannot be split; give at least two")
    order = sorted(labels, key=lambda video: hashlib.sha256(video.encode()).hexdigest())
    if len(order) > MOST_EXHAUSTIVE:
        held_out = _search_greedily(order, labels)
    else:
        share = max(1, round(SHARE * len(order)))
        # Sizes nearest to the share come first: of equally good splits, `max` returns the first.
        sizes = sorted(range(1, len(order)), key=lambda size: (abs(size - share), size))
        splits = (set(videos) for size in sizes for videos in combinations(order, size))

        def score(videos: set[str]) -> tuple[int, int]:
            return count_shared_classes(labels, videos), len(_classes_in(labels, labels.keys() - videos))

        held_out = max(splits, key=score)
    return {video: VALIDATION if video in held_out else TRAINING for video in labels}


def count_shared_classes(labels: Labels, held_out: Collection[str]) -> int:
    """Count the classes that are in a video that is held out and in one that is not."""
    return len(_classes_in(labels, held_out) & _classes_in(labels, labels.keys() - set(held_out)))


def _classes_in(labels: Labels, videos: Collection[str]) -> set[str]:
    return {label for video in videos for label in labels[video]}


def _search_greedily(order: list[str], labels: Labels) -> set[str]:
    """Hold out one video after another: for the rarest class first, never the last one that trains a class."""
    training = Counter(label for video in order for label in set(labels[video]))
    held_out: set[str] = set()
    covered: set[str] = set()

    def can_hold_out(video: str) -> bool:
        return video not in held_out and all(training[label] > 1 for label in labels[video])

    def hold_out(video: str) -> None:
        held_out.add(video)
        covered.update(labels[video])
        training.subtract(set(labels[video]))

    for label in sorted(training, key=lambda label: (training[label], label)):
        videos = [video for video in order if label in labels[video] and can_hold_out(video)]
        if label not in covered and videos:
            hold_out(max(videos, key=lambda video: len(set(labels[video]) - covered)))
    for video in order:
        if len(held_out) < round(SHARE * len(order)) and can_hold_out(video):
            hold_out(video)
    return held_out or {order[0]}
