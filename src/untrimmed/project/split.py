"""Who trains and who tests: a split of whole videos in which every class is on both sides, where that can be."""

import hashlib
from collections.abc import Collection, Mapping
from itertools import combinations
from typing import NamedTuple

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"
SHARE = 0.25
"""Of the videos, what is held out."""
TRIED = 12
"""So many videos are few enough to try every way of splitting them."""
SPELLINGS = {
    **dict.fromkeys(("train", "training", "trn", "learn"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "eval"), TESTING),
}
"""Usual names of subsets, in small letters."""


class Split(NamedTuple):
    """The subset of every video, and which subsets a recipe trains and tests on."""

    subsets: Mapping[str, str]
    train: tuple[str, ...]
    test: tuple[str, ...]
    proposed: bool
    """Whether it was made here; else the annotations had it."""


def split_videos(labels: Mapping[str, Collection[str]], stated: Mapping[str, str]) -> Split:
    """The annotations' own subsets where they part the videos, else a proposal; `labels` are those in each video.

    Subsets named otherwise than training, validation and testing are folds: the first is held out. A video without
    one of its own trains. Raises ValueError for fewer than two videos.
    """
    own = {video: SPELLINGS.get(name.strip().lower(), name) for video, name in stated.items() if video in labels}
    names = sorted(set(own.values()))
    held_out = next((name for name in (VALIDATION, TESTING) if name in names), None)
    if TRAINING in names and held_out:
        return Split({video: own.get(video, TRAINING) for video in labels}, (TRAINING,), (held_out,), False)
    if len(names) > 1 and TRAINING not in names:
        rest = tuple(name for name in names[1:])
        return Split({video: own.get(video, rest[0]) for video in labels}, rest, (names[0],), False)
    return Split(propose(labels), (TRAINING,), (VALIDATION,), True)


def propose(labels: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Training or validation for every video; the same names and labels give the same split, in whatever order.

    As many classes as possible are in both, which is certain for up to `TRIED` videos and sought beyond; then about
    a quarter of the videos is held out; and a digest of the names decides the rest.
    """
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} videos cannot be split; give at least two")
    order = sorted(labels, key=_digest)
    held_out = _best_of_all(order, labels) if len(order) <= TRIED else _grown(order, labels)
    return {video: VALIDATION if video in held_out else TRAINING for video in labels}


def on_both_sides(labels: Mapping[str, Collection[str]], held_out: Collection[str]) -> int:
    """How many classes are in a video that is held out and in one that is not."""
    sides = [
        {label for video in labels if (video in held_out) is side for label in labels[video]}
        for side in (False, True)
    ]
    return len(sides[0] & sides[1])


def _best_of_all(order: list[str], labels: Mapping[str, Collection[str]]) -> set[str]:
    wanted = max(1, round(SHARE * len(order)))
    # Sizes nearest to the wanted one first, so that of equally good splits the first is the one to take.
    sizes = sorted(range(1, len(order)), key=lambda size: (abs(size - wanted), size))
    tries = (set(chosen) for size in sizes for chosen in combinations(order, size))
    return max(tries, key=lambda held_out: _score(labels, held_out))


def _score(labels: Mapping[str, Collection[str]], held_out: Collection[str]) -> tuple[int, int]:
    """Classes on both sides; and, of those that cannot be on both, how many are where they are learned."""
    learned = {label for video in labels if video not in held_out for label in labels[video]}
    return on_both_sides(labels, held_out), len(learned)


def _grown(order: list[str], labels: Mapping[str, Collection[str]]) -> set[str]:
    """Videos held out one after another: for the rarest class first, never the last one that trains a class."""
    left = {label: sum(label in labels[video] for video in order) for labels_ in labels.values() for label in labels_}
    held_out: set[str] = set()
    covered: set[str] = set()

    def hold_out(video: str) -> None:
        held_out.add(video)
        covered.update(labels[video])
        for label in set(labels[video]):
            left[label] -= 1

    for label in sorted(left, key=lambda label: (left[label], label)):
        able = [v for v in order if v not in held_out and label in labels[v] and _spared(labels[v], left)]
        if label not in covered and able:
            hold_out(max(able, key=lambda video: len(set(labels[video]) - covered)))
    for video in order:
        if len(held_out) >= round(SHARE * len(order)):
            break
        if video not in held_out and _spared(labels[video], left):
            hold_out(video)
    return held_out or {order[0]}


def _spared(its_labels: Collection[str], left: Mapping[str, int]) -> bool:
    """Whether all classes of a video are learned from others too."""
    return all(left[label] > 1 for label in its_labels)


def _digest(video: str) -> str:
    return hashlib.sha256(video.encode()).hexdigest()
