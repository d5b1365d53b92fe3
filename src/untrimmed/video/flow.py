"""Optical flow between two nearby frames, and a short description of it."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

CELLS = 6
"""The description divides a picture into CELLS x CELLS cells."""
CHANNELS = 3 * CELLS * CELLS + 2
"""The length of a description."""
GAP = 1 / 15
"""Seconds between the two frames, at least: in footage that shows each picture twice, neighbours do not move."""

Search = Literal["dis", "dis-fast"]
_PRESETS = {"dis": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, "dis-fast": cv2.DISOPTICAL_FLOW_PRESET_FAST}


def displacement(
    before: UInt8[np.ndarray, "height width *colours"],
    after: UInt8[np.ndarray, "height width *colours"],
    search: Search = "dis",
) -> Float32[np.ndarray, "height width 2"]:
    """How far each pixel moves, right and down, in pixels (dense inverse search; Kroeger et al., ECCV 2016).

    Pictures are grey or RGB. `dis-fast` takes a fifth of the time of `dis` and is three times as far off.
    """
    method = cv2.DISOpticalFlow.create(_PRESETS[search])
    first, second = grey(before), grey(after)
    # Started from zeros: OpenCV leaves an array that it makes itself as it finds it where nothing matches.
    return method.calc(first, second, np.zeros((*first.shape, 2), np.float32))


def grey(image: UInt8[np.ndarray, "height width *colours"]) -> UInt8[np.ndarray, "height width"]:
    """The brightness of a picture."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def describe(flow: Float32[np.ndarray, "height width 2"], seconds: float) -> Float32[np.ndarray, " channels"]:
    """Where a picture moves and how fast, whatever its size and frame rate.

    The unit is the shorter side of the picture a second. The motion of most of the picture, its median, is taken
    to be the camera's: it is subtracted, and stands in the last two channels. Before them come, each row by row
    over the cells, the mean motion to the right, the mean motion down and the mean speed of what is left.
    No time between the frames means no motion.
    """
    if seconds <= 0:
        return np.zeros(CHANNELS, np.float32)
    velocity = flow / (min(flow.shape[:2]) * seconds)
    camera = np.median(velocity.reshape(-1, 2), axis=0)
    left = velocity - camera
    speed = np.sqrt(np.square(left).sum(-1, keepdims=True))
    # INTER_AREA to 6x6 is the mean over each cell, also where the cells divide a pixel.
    cells = cv2.resize(np.concatenate([left, speed], -1), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return np.concatenate([cells.transpose(2, 0, 1).ravel(), camera]).astype(np.float32)
