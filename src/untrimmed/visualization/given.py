"""What a chart is given, as arrays of the right length, or refused in one sentence."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

Numbers = Sequence[float] | np.ndarray
Pairs = Sequence[tuple[float, float]] | np.ndarray

MOST_CLASSES = 200
"""More bars or cells than this are no picture any more."""


def counted(some: Collection[Any] | np.ndarray, most: int, what: str) -> int:
    """How many there are: at least one, and no more than a picture can hold."""
    if not 0 < len(some) <= most:
        raise ValueError(f"{len(some)} {what}: must be from 1 to {most}")
    return len(some)


def numbers(values: Numbers, what: str, count: int) -> Float[np.ndarray, " count"]:
    """As many finite numbers as are asked for."""
    array = np.asarray(values, float)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{what} of shape {array.shape}: must be {count} finite numbers")
    return array


def shares(values: Numbers, what: str, counts: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " full"]:
    """The values in [0, 1] of those bins that count something; those of the others do not matter."""
    array = np.asarray(values, float)
    if array.shape != counts.shape:
        raise ValueError(f"{what} of shape {array.shape}: must be one for each of {len(counts)} bins")
    full = array[counts > 0]
    if not ((full >= 0) & (full <= 1)).all():
        raise ValueError(f"{what} {full.tolist()}: must be in [0, 1] where there are detections")
    return full


def pairs(some: Pairs | None, count: int) -> Float[np.ndarray, "count 2"] | None:
    """As many pairs of finite numbers as are asked for, or None if none are given."""
    if some is None:
        return None
    array = np.asarray(some, float)
    if count == 0 == array.size:
        return array.reshape(0, 2)
    if array.shape != (count, 2) or not np.isfinite(array).all():
        raise ValueError(f"pairs of shape {array.shape}: must be {count} pairs of finite numbers")
    return array


def few(names: Sequence[str]) -> str:
    """The first of some names, and how many there are; a screen reader shall not read two hundred."""
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:6])} and {len(names) - 6} more"
