"""How sure a figure is: resampled videos, the difference of two detectors, and the order among equal scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from untrimmed.evaluation.detection import Interval, Judged, Spread, judge
from untrimmed.io import BadInput

RESAMPLES = 1000
LEVEL = 0.95


def confidence(judged: Judged, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> Spread:
    """Intervals of every figure over resamples of the truth's videos, drawn with replacement.

    Matching is not done anew, since no detection of one video bears on another. In a resample without any truth of a
    class, the mean runs over the other classes. A video drawn twice brings its hits twice in a row, which makes the
    figures of resamples a little too high; so each interval is moved until the resamples' mean is the figure itself.
    It says how far the figure would move with as many other videos; that AP itself is higher where there are fewer
    videos is another matter, which no resampling of them shows.
    """
    figures, sampled = judged.precisions(), judged.precisions(_draws(len(judged.truth.videos), resamples, seed))
    return _spread(judged, sampled, level, figures)


def tie_range(judged: Judged, orders: int = 16, seed: int = 0) -> Spread:
    """The lowest and highest figures found over orders among equal scores.

    Tried are the order of the file and its reverse, what hits before and after what does not (which come near the
    extremes), and `orders` at random. Every order is matched anew.
    """
    results, protocol = judged.results, replace(judged.protocol, equal_scores="file order")
    rows = np.arange(len(results))
    hits = np.zeros(len(results))
    hits[judged.ranked.row] = (judged.ranked.truth >= 0).sum(axis=1)
    random = np.random.default_rng(seed)
    tried = [rows, rows[::-1], np.argsort(-hits, kind="stable"), np.argsort(hits, kind="stable")]
    tried += [random.permutation(len(results)) for _ in range(orders)]
    found = [judge(judged.truth, results.rows(order), protocol).precisions() for order in tried]
    return _spread(judged, np.concatenate([judged.precisions(), *found]), 1.0)


class Difference(NamedTuple):
    """By how much the second of two detectors is ahead, and how sure that is."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided: twice the smaller share of resamples in which the difference is not on its side of 0."""


@dataclass(frozen=True)
class Comparison:
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

    def to_json(self) -> dict[str, Any]:
        """The fields under their names; a difference is {"value", "low", "high", "p"}."""
        return {
            "protocol": self.protocol,
            "tious": list(self.tious),
            "level": self.level,
            "resamples": self.resamples,
            "maps": [list(figures) for figures in self.maps],
            "map": [difference._asdict() for difference in self.map],
            "average_map": self.average_map._asdict(),
            "per_class": {name: [d._asdict() for d in its] for name, its in self.per_class.items()},
        }


def compare(
    first: Judged, second: Judged, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Comparison:
    """The paired bootstrap of a difference: both detectors are judged on the same resampled videos.

    Raises BadInput where they were not judged by one protocol on one truth.
    """
    if first.protocol != second.protocol or not _same_truth(first, second):
        raise BadInput("the two were not judged by the same protocol on the same annotations; judge them alike")
    videos, classes = len(first.truth.videos), first.classes
    sampled = [judged.precisions(_draws(videos, resamples, seed))[:, classes] for judged in (first, second)]
    whole = [judged.precisions()[0, classes] for judged in (first, second)]
    gain, gains = whole[1] - whole[0], sampled[1] - sampled[0]
    means, mean = np.nanmean(gains, axis=1), gain.mean(axis=0)
    return Comparison(
        protocol=first.protocol.name,
        tious=first.protocol.tious,
        level=level,
        resamples=resamples,
        maps=tuple(tuple(precisions.mean(axis=0).tolist()) for precisions in whole),
        map=tuple(_differences(mean, means, level)),
        average_map=_differences(mean.mean(keepdims=True), means.mean(axis=1, keepdims=True), level)[0],
        per_class={
            first.truth.labels[label]: _differences(gain[place], gains[:, place], level)
            for place, label in enumerate(classes)
        },
    )


def _same_truth(first: Judged, second: Judged) -> bool:
    columns = ("video", "label", "start", "end")
    return (first.truth.videos, first.truth.labels) == (second.truth.videos, second.truth.labels) and all(
        np.array_equal(getattr(first.truth, name), getattr(second.truth, name)) for name in columns
    )


def _draws(videos: int, resamples: int, seed: int) -> Iterator[Int[np.ndarray, " videos"]]:
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, videos, videos), minlength=videos)


def _spread(
    judged: Judged,
    precisions: Float[np.ndarray, "draws classes tious"],
    level: float,
    centre: Float[np.ndarray, "1 classes tious"] | None = None,
) -> Spread:
    """The middle `level` of all draws of every figure, moved to a centre where one is given."""
    classes = judged.classes
    means, mean = (
        np.nanmean(precisions[:, classes], axis=1),
        None if centre is None else centre[0, classes].mean(axis=0),
    )
    figures = (
        (means, mean),
        (means.mean(axis=1), None if mean is None else mean.mean()),
        (precisions[:, classes], None if centre is None else centre[0, classes]),
    )
    by_tiou, average, by_class = (_paired(*_range(values, level, middle, (0, 1))) for values, middle in figures)
    labels = [judged.truth.labels[label] for label in classes]
    return Spread(tuple(by_tiou), average, dict(zip(labels, by_class, strict=True)))


def _range(values: np.ndarray, level: float, middle: Any = None, bounds: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """The lower and the upper end of the middle `level` over the first axis, moved until the mean is `middle`."""
    ends = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends if middle is None else (ends + middle - np.nanmean(values, axis=0)).clip(*bounds)


def _paired(lows: Any, highs: Any) -> Any:
    """An Interval of each figure, in lists nested as the figures are."""
    if not np.ndim(lows):
        return Interval(float(lows), float(highs))
    return [_paired(low, high) for low, high in zip(lows, highs, strict=True)]


def _differences(
    gain: Float[np.ndarray, " figures"], gains: Float[np.ndarray, "draws figures"], level: float
) -> list[Difference]:
    lows, highs = _range(gains, level, gain)
    moved = gains + gain - np.nanmean(gains, axis=0)
    drawn = np.isfinite(gains).sum(axis=0)
    # One is added so that no finite number of resamples gives certainty.
    against = np.minimum((moved <= 0).sum(axis=0), (moved >= 0).sum(axis=0)) + 1
    p = np.minimum(1, 2 * against / (drawn + 1))
    return [Difference(*map(float, figures)) for figures in zip(gain, lows, highs, p, strict=True)]
