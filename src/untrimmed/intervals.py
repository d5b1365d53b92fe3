"""Arithmetic on segments `[start, end]`, for numpy arrays; any unit, so long as it is one unit."""

import numpy as np
from jaxtyping import Float, Shaped


def tiou(a: Shaped[np.ndarray, "n 2"], b: Shaped[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    """Temporal intersection over union of every pair; 0 where two segments do not meet or have no length."""
    overlap = intersection(a, b)
    lengths = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None]
    union = lengths - overlap
    return np.divide(overlap, union, out=np.zeros(overlap.shape, float), where=union > 0)


def intersection(a: Shaped[np.ndarray, "n 2"], b: Shaped[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    """The length that every pair has in common."""
    start = np.maximum(a[:, None, 0], b[None, :, 0])
    end = np.minimum(a[:, None, 1], b[None, :, 1])
    return np.clip(end - start, 0, None).astype(float)
