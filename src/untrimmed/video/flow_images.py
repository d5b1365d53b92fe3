"""Optical flow as two-stream networks take it: quantised to bytes, and stacked over several moments."""

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

BOUND = 20.0
"""Pixels of motion beyond which the published flow networks were shown no difference."""


def quantised(flow: Float[np.ndarray, "*shape"], bound: float = BOUND) -> UInt8[np.ndarray, "*shape"]:
    """Flow in pixels as bytes: -bound and less is 0, bound and more is 255, linear between.

    No motion is 127.5, which is rounded to even, thus stored as 128. So do yjxiong's dense_flow, with which TSN's
    flow was made, and its successor, OpenMMLab's denseflow. (OpenMMLab's mmcv.quantize_flow differs: 255 steps,
    rounded down, no motion is 127.) Raises ValueError for a bound that is not above 0.
    """
    _check(bound)
    # In double precision, as they do: in single precision small motions near zero would all become 128.
    share = (np.clip(flow, -bound, bound).astype(np.float64) + bound) / (2 * bound)
    return np.rint(255 * share).astype(np.uint8)


def dequantised(pictures: UInt8[np.ndarray, "*shape"], bound: float = BOUND) -> Float32[np.ndarray, "*shape"]:
    """The flow in pixels that `quantised` bytes stand for, within bound / 255 of what was not clipped.

    The bytes have no place for zero: 128, which no motion became, is bound / 255 (0.078 pixels for a bound of 20).
    """
    _check(bound)
    return (pictures * (2 * bound / 255) - bound).astype(np.float32)


def stacked(
    flows: Shaped[np.ndarray, "time 2 height width"], first: int, count: int = 5
) -> Shaped[np.ndarray, "channels height width"]:
    """`count` flows in a row from `first` on, as 2 * count channels: x1, y1, x2, y2 and so on.

    TSN stacks 5 from a moment on (Wang et al., ECCV 2016; its program repeats the last flow where the video ends),
    the first two-stream network 10 (Simonyan and Zisserman, NeurIPS 2014). For a stack around a centre, as in
    MMAction2's features of untrimmed videos, `first` is the centre less count // 2; before the start of the video,
    the first flow is repeated. Raises ValueError where there is no flow, or `count` is below 1.
    """
    if not len(flows) or count < 1:
        raise ValueError(f"{count} of {len(flows)} flows: at least one is needed of both")
    moments = np.clip(np.arange(first, first + count), 0, len(flows) - 1)
    return flows[moments].reshape(2 * count, *flows.shape[2:])


def _check(bound: float) -> None:
    if not 0 < bound < np.inf:
        raise ValueError(f"bound={bound}: must be a number of pixels above 0")
