"""How sure a figure is: resampled videos, the difference of two detectors, and the order among equal scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from untrimmed.evaluation.detection import Spread
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.notes import Interval, ToJson
from untrimmed.io import BadInput

RESAMPLES = 1000
LEVEL = 0.95


def estimate_confidence(matches: Matches, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> Spread:
    """Estimate an interval of every figure over resamples of the videos of the ground truth, with replacement.

    Detections are not matched again, because no detection of one video bears on another. In a resample without any
    action of a class, the mean runs over the other classes. A video drawn twice brings its hits twice in a row, which
    makes the figures of resamples a little too high; so each interval is moved until the resamples' mean is the
    figure itself. It says how far the figure would move with as many other videos; that AP itself is higher where
    there are fewer videos is another matter, which no resampling of them shows.
    """
    draws = _draw(len(matches.ground_truth.videos), resamples, seed)
    return _spread(matches, matches.compute_precisions(draws), level, matches.compute_precisions())


def find_tie_range(matches: Matches, orders: int = 16, seed: int = 0) -> Spread:
    """Find the lowest and highest figures over orders among equal scores.

    Tried are the order of the file and its reverse, hits before and after everything else (which come near the
    extremes), and `orders` at random. Every order is matched again.
    """
    results, protocol = matches.results, replace(matches.protocol, equal_scores="file order")
    rows = np.arange(len(results))
    hits = np.zeros(len(results))
    hits[matches.row] = (matches.hit >= 0).sum(axis=0)
    random = np.random.default_rng(seed)
    tried = [rows, rows[::-1], np.argsort(-hits, kind="stable"), np.argsort(hits, kind="stable")]
    tried += [random.permutation(len(results)) for _ in range(orders)]
    rematched = [match_detections(matches.ground_truth, results.select_rows(order), protocol) for order in tried]
    return _spread(matches, np.concatenate([ranking.compute_precisions() for ranking in (matches, *rematched)]), 1.0)


@dataclass(frozen=True)
class Difference:
    """By how much the second of two detectors is ahead, and how sure that is."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided: twice the smaller share of resamples in which the difference is not on its side of 0."""


@dataclass(frozen=True)
class Comparison(ToJson):
    """Two sets of detections of the same videos, the second less the first; AP in [0, 1]."""

    protocol: str
    tious: tuple[float, ...]
    level: float
    resamples: int
    maps: tuple[tuple[float, ...], ...]
    """Mean AP of the first and of the second, one a threshold."""
    map: tuple[Difference, ...]
    average_map: Difference
    per_class: dict[str, list[Difference]]
    notes: tuple[str, ...] = ()
    """Sentences on how the files were read and matched."""


def compare_matches(
    first: Matches, second: Matches, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """Compare two detectors by the paired bootstrap: both are judged on the same resampled videos.

    Raises BadInput where they were not judged by one protocol on one ground truth.
    """
    if first.protocol != second.protocol or not _have_same_ground_truth(first, second):
        raise BadInput("the two were not judged by the same protocol on the same annotations; judge them alike")
    ground_truth, classes = first.ground_truth, first.classes
    sides = (first, second)
    sampled = [
        side.compute_precisions(_draw(len(ground_truth.videos), resamples, seed))[:, classes] for side in sides
    ]
    figures = [side.compute_precisions()[0, classes] for side in sides]
    gain, gains = figures[1] - figures[0], sampled[1] - sampled[0]
    mean, means = gain.mean(axis=0), np.nanmean(gains, axis=1)
    return Comparison(
        protocol=first.protocol.name,
        tious=first.protocol.tious,
        level=level,
        resamples=resamples,
        maps=tuple(tuple(precisions.mean(axis=0).tolist()) for precisions in figures),
        map=tuple(_build_differences(mean, means, level)),
        average_map=_build_differences(mean.mean(keepdims=True), means.mean(axis=1, keepdims=True), level)[0],
        per_class={
            ground_truth.labels[label]: _build_differences(gain[place], gains[:, place], level)
            for place, label in enumerate(classes)
        },
    )


def _have_same_ground_truth(first: Matches, second: Matches) -> bool:
    a, b = first.ground_truth, second.ground_truth
    columns = ("video", "label", "start", "end")
    return (a.videos, a.labels) == (b.videos, b.labels) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in columns
    )


def _draw(videos: int, resamples: int, seed: int) -> Iterator[Int[np.ndarray, " videos"]]:
    """Draw as many videos as there are, with replacement, and count how often each was drawn."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, videos, videos), minlength=videos)


def _spread(
    matches: Matches,
    precisions: Float[np.ndarray, "draws classes tious"],
    level: float,
    centre: Float[np.ndarray, "1 classes tious"] | None = None,
) -> Spread:
    """Compute the middle `level` over all draws of every figure, moved to `centre` if there is one."""
    draws = _average(precisions[:, matches.classes])
    middles = [None] * 3 if centre is None else [figure[0] for figure in _average(centre[:, matches.classes])]
    by_tiou, average, by_class = (
        _nest_intervals(np.moveaxis(_compute_range(figures, level, middle, (0, 1)), 0, -1).tolist())
        for figures, middle in zip(draws, middles, strict=True)
    )
    labels = [matches.ground_truth.labels[label] for label in matches.classes]
    return Spread(tuple(by_tiou), average, dict(zip(labels, by_class, strict=True)))


def _average(precisions: Float[np.ndarray, "draws classes tious"]) -> tuple[np.ndarray, ...]:
    """Compute mAP by threshold and its average, beside AP: [draws, tious], [draws], [draws, classes, tious]."""
    means = np.nanmean(precisions, axis=1)
    return means, means.mean(axis=1), precisions


def _compute_range(
    values: np.ndarray, level: float, middle: Any = None, bounds: tuple[float, float] = (-1, 1)
) -> np.ndarray:
    """Compute the ends of the middle `level` over the first axis, moved until the mean is `middle`: [2, ...]."""
    ends = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends if middle is None else (ends + middle - np.nanmean(values, axis=0)).clip(*bounds)


def _nest_intervals(ends: list) -> Any:
    """Build an Interval of each innermost pair, in lists nested as the pairs are."""
    return [_nest_intervals(nested) for nested in ends] if isinstance(ends[0], list) else Interval(*ends)


def _build_differences(
    gain: Float[np.ndarray, " figures"], gains: Float[np.ndarray, "draws figures"], level: float
) -> list[Difference]:
    lows, highs = _compute_range(gains, level, gain)
    moved = gains + gain - np.nanmean(gains, axis=0)
    drawn = np.isfinite(gains).sum(axis=0)
    # One is added so that no finite number of resamples gives certainty.
    against = np.minimum((moved <= 0).sum(axis=0), (moved >= 0).sum(axis=0)) + 1
    p = np.minimum(1, 2 * against / (drawn + 1))
    return [Difference(*map(float, figures)) for figures in zip(gain, lows, highs, p, strict=True)]
