"""Checks that arrays are time x channels of numbers, and brings those that nearly are into that shape."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from untrimmed.io import BadInput

Axes = Literal["tc", "ct"]
"""The order of the axes in files: time then channels, or channels then time."""


@dataclass(frozen=True)
class Reading:
    """The snippets of a video as they are read, and what was done to them: for each kind of change, its details."""

    values: Float[np.ndarray, "time channels"]
    notes: dict[str, str] = field(default_factory=dict)
    titles: tuple[str, ...] = ()
    """The names of channels, where the file has them."""


def check_array(values: np.ndarray, where: str, axes: Axes = "tc") -> Float[np.ndarray, "time channels"]:
    """Return the values as time x channels of floats; none at all become 0 x 0.

    Whole numbers become floats, and of more than two axes those of length 1 are left out. Raises BadInput for
    anything else.
    """
    kind = values.dtype.kind
    if kind not in "fiub" or (values.ndim < 2 and values.size):
        expected = "time x channels of numbers was expected"
        hint = (
            f"; if it is one channel, store it as {values.shape[0]} x 1, if one snippet, stack all of the video"
            if kind in "fiub" and values.ndim
            else ""
        )
        raise BadInput(f"{where}: has shape {values.shape} of {values.dtype}; {expected}{hint}")
    if not values.size:
        return np.zeros((0, 0), np.float32)
    values = _squeeze(values, where)
    values = values.T if axes == "ct" else values
    return values if kind == "f" else values.astype(np.float32)


def _squeeze(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim == 2:
        return values
    long = [axis for axis, length in enumerate(values.shape) if length > 1]
    if len(long) > 2:
        raise BadInput(
            f"{where}: has shape {values.shape} of {values.dtype}; time x channels of numbers was expected: average "
            "crops or places of a picture, or put them side by side as channels"
        )
    if len(long) == 2:
        return values.reshape([values.shape[axis] for axis in long])
    # One snippet of many channels, or many snippets of one.
    return values.reshape(1, -1) if long == [values.ndim - 1] else values.reshape(-1, 1)
