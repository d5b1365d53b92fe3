"""Checks the names and numbers that a chart is drawn from, and refuses them in one sentence."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

Numbers = Sequence[float] | np.ndarray
Pairs = Sequence[tuple[float, float]] | np.ndarray

MOST_CLASSES = 200
"""More bars or cells than this are no picture any more."""


def check_count(items: Collection[Any] | np.ndarray, most: int, what: str) -> int:
    """Count the items: at least one, and no more than a picture can hold."""
    if not 0 < len(items) <= most:
        raise ValueError(f"{len(items)} {what}: must be from 1 to {most}")
    return len(items)


def check_numbers(values: Numbers, what: str, count: int) -> Float[np.ndarray, " count"]:
    """Return the values as an array: `count` finite numbers."""
    array = np.asarray(values, float)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{what} of shape {array.shape}: must be {count} finite numbers")
    return array


def check_shares(values: Numbers, what: str, counts: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " full"]:
    """Return the values of those bins that count something, in [0, 1]; those of empty bins do not matter."""
    array = np.asarray(values, float)
    if array.shape != counts.shape:
        raise ValueError(f"{what} of shape {array.shape}: must be one for each of {len(counts)} bins")
    shares = array[counts > 0]
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"{what} {shares.tolist()}: must be in [0, 1] where there are detections")
    return shares


def check_pairs(pairs: Pairs, count: int) -> Float[np.ndarray, "count 2"]:
    """Return the pairs as an array: `count` pairs of finite numbers."""
    array = np.asarray(pairs, float)
    if count == 0 == array.size:
        return array.reshape(0, 2)
    if array.shape != (count, 2) or not np.isfinite(array).all():
        raise ValueError(f"pairs of shape {array.shape}: must be {count} pairs of finite numbers")
    return array
