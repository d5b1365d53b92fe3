"""How many snippets a second features have, from how many there are and how long the videos are said to be."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from untrimmed.annotations.corpus import RATE_LEEWAY
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput

FITTING = 0.8
"""Share of the videos whose lengths must agree on one rate."""
LEEWAY = 0.03
"""Share of a video's length by which it may disagree with the rate of all."""
LEAST_LEEWAY = 1.0
"""Seconds that it may always disagree by, as lengths are rounded to whole ones, and two snippets."""
USUAL_RATES = (*range(1, 61), 7.5, 12.5, 24_000 / 1001, 30_000 / 1001, 60_000 / 1001, 90, 100, 120, 200)
"""Snippets a second to choose from, the likeliest of near ones first."""


class SnippetRate(NamedTuple):
    """Snippets a second, and a sentence on what they were taken from."""

    rate: float
    reason: str


def guess_snippet_rate(
    counts: Mapping[str, int], lengths: Mapping[str, float], fps: float | None
) -> SnippetRate | None:
    """Guess snippets a second from the snippets of each video and its length in seconds; None where they disagree.

    `fps` is frames a second: a whole number of them to a snippet is likelier than another.
    """
    number = np.array([counts[video] for video in counts], float)
    seconds = np.array([lengths[video] for video in counts], float)
    order = np.argsort(number / seconds)
    weights = np.cumsum(seconds[order])  # of two lengths that are rounded, the longer one is the exacter
    middle = float((number / seconds)[order][np.searchsorted(weights, weights[-1] / 2)])
    strides = [fps / stride for stride in range(1, 65)] if fps else []
    exact = float(f"{middle:.3g}")

    def disagree(rate: float) -> float:
        return float(np.median(np.abs(number - rate * seconds)))

    bound = max(1.0, 1.5 * disagree(middle))
    rate = next((rate for rate in (*strides, *USUAL_RATES, exact) if disagree(rate) <= bound), middle)
    apart = np.abs(number / rate - seconds)
    if np.mean(apart <= np.maximum(LEEWAY * seconds, LEAST_LEEWAY + 2 / rate)) < FITTING:
        return None
    video = list(counts)[int(np.abs(number - rate * seconds).argmin())]
    sentence = f"{counts[video]:,} snippets over {lengths[video]:.1f} s in {video!r} = {rate:.4g} a second"
    return SnippetRate(float(rate), f"guessed from the lengths in the annotations: {sentence}")


def describe_disagreement(counts: Mapping[str, int], lengths: Mapping[str, float]) -> str:
    """Say between which rates the videos lie where they have no one rate."""
    rates = {video: count / lengths[video] for video, count in counts.items()}
    hint = " (all videos have as many: were they resized to one length, there is no rate)"
    low, high = min(rates, key=lambda video: rates[video]), max(rates, key=lambda video: rates[video])
    resized = hint if len(set(counts.values())) == 1 else ""
    return (
        f"the lengths in the annotations do not say how many snippets a second these are: "
        f"{counts[low]:,} over {lengths[low]:.1f} s in {low!r} would be {rates[low]:.3g}, "
        f"{counts[high]:,} over {lengths[high]:.1f} s in {high!r} {rates[high]:.3g}{resized}; give the rate "
        "(fps=25, --fps 25) or the videos' lengths in the annotations"
    )


def build_rate_source(backbone: str, rate: float, fps: float | None) -> FeatureSource:
    """Build the source of features of so many snippets a second, made of `fps` frames a second where known."""
    if not fps or fps == rate:
        return FeatureSource(backbone=backbone, fps=rate)
    stride = round(fps / rate) if abs(fps / rate - round(fps / rate)) < 1e-6 else fps / rate
    return FeatureSource(backbone=backbone, fps=fps, stride=stride, window=stride)


def find_short_features(ends: Mapping[str, float], lengths: Mapping[str, float], remainder: float) -> list[str]:
    """Return the videos whose features end, in seconds, before a share of their length that training bears.

    What does not fill a snippet, up to `remainder` seconds, is left out at the end of features.
    """
    return [
        video for video, end in ends.items() if lengths[video] - end > max(RATE_LEEWAY * lengths[video], remainder)
    ]


def refuse_short_features(path: object, counts: Mapping[str, int], lengths: Mapping[str, float], rate: float) -> None:
    """Raise BadInput where features at a rate that somebody gave end before the actions of most videos.

    By how much they may, `train` says, which would refuse them too.
    """
    short = find_short_features({video: count / rate for video, count in counts.items()}, lengths, 3 / rate)
    if len(short) * 2 > len(counts):
        video = short[0]
        end = counts[video] / rate
        raise BadInput(
            f"{path}: {counts[video]:,} snippets of {video!r} at {rate:g} a second end at {end:.1f} s, but "
            f"its actions at {lengths[video]:.1f} s; give the rate of the snippets, or the videos' lengths"
        )
