"""Turns tracked points into features: one channel a coordinate, with gaps filled along time."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from untrimmed.features.shapes import Reading
from untrimmed.io import BadInput


def fill_gaps(values: Float[np.ndarray, "time channels"], where: str, notes: Mapping[str, str]) -> Reading:
    """Interpolate what is no number along time, channel by channel, and note how much that was.

    Before the first and after the last number of a channel, these are repeated; a channel without any becomes zeros.
    Trackers write such gaps where a point is hidden. Raises BadInput where there is not one number.
    """
    gaps = ~np.isfinite(values)
    if not gaps.any():
        return Reading(values, dict(notes))
    if gaps.all():
        raise BadInput(f"{where}: holds not one number; track it again or leave it out")
    filled = np.array(values, np.float32)
    rows = np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(0)):
        good = ~gaps[:, channel]
        filled[:, channel] = np.interp(rows, rows[good], filled[good, channel]) if good.any() else 0.0
    empty = int(gaps.all(0).sum())
    zeros = f", {empty} of {values.shape[1]} channels have none at all and became zeros" if empty else ""
    share = f"{100 * gaps.mean():.1f} % of its numbers{zeros}"
    return Reading(filled, {**notes, "gaps in tracked points were interpolated along time": share})


def flatten_points(values: np.ndarray, time_axis: int = 0) -> Float[np.ndarray, "time channels"]:
    """Put all coordinates of a moment side by side, in the order in which they are stored."""
    points = np.moveaxis(values, time_axis, 0)
    return np.ascontiguousarray(points.reshape(len(points), -1), np.float32)
