"""What each published network expects of its pictures, as a value, and the tensor that is made of a clip by it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class Size(NamedTuple):
    """The height and the width of a picture, in pixels."""

    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """How the pictures of one clip become what a network was trained on: resize, crop the middle, normalise, lay out.

    Pictures are RGB frames of three channels, or flow of two, quantised by `flow_images.quantised`.
    """

    stream: Literal["rgb", "flow"]
    """What a picture shows."""
    frames: int
    """Pictures in a clip. A flow picture needs two frames, so a flow clip needs one frame more."""
    resize: int | Size
    """Pixels of the shorter side, the aspect kept; or the height and width that every picture is squeezed to."""
    crop: int
    """Pixels on each side of the square that is cut from the middle."""
    mean: tuple[float, ...]
    """Subtracted from values of 0 to 255, one a channel, in the order that the network sees."""
    std: tuple[float, ...]
    """Divided by after that."""
    order: Literal["RGB", "BGR"] = "RGB"
    """The order of the colours that the network sees."""
    layout: Literal["clip", "stack", "frames"] = "clip"
    """`clip`: channels, time, rows, columns. `frames`: time before channels. `stack`: both as one, time outside."""

    def __post_init__(self) -> None:
        channels = 3 if self.stream == "rgb" else 2
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean {self.mean} and std {self.std}: {self.stream} has {channels} channels")
        shorter = self.resize if isinstance(self.resize, int) else min(self.resize)
        if not 0 < self.crop <= shorter:
            raise ValueError(f"crop={self.crop}: must be above 0 and fit in pictures resized to {self.resize}")

    @property
    def channels(self) -> int:
        """The channels that the first layer of the network has."""
        return len(self.mean) * (self.frames if self.layout == "stack" else 1)

    def resized(self, height: int, width: int) -> Size:
        """The size before the crop of a picture of this size. Flow is to be computed on frames of it."""
        if not isinstance(self.resize, int):
            return self.resize
        scale = self.resize / min(height, width)
        return Size(round(height * scale), round(width * scale))


def clip_of(
    preprocessing: Preprocessing, pictures: UInt8[np.ndarray, "time height width channels"]
) -> Float[Tensor, "..."]:
    """One clip as the network expects it, without a batch axis, in the layout of `preprocessing`.

    Raises ValueError when the number of pictures or of their channels is another.
    """
    wanted = (preprocessing.frames, len(preprocessing.mean))
    if (pictures.shape[0], pictures.shape[3]) != wanted:
        raise ValueError(f"pictures of shape {pictures.shape}: a clip has {wanted[0]} of {wanted[1]} channels")
    cut = np.stack([_cut(picture, preprocessing) for picture in pictures])
    values = cut[..., ::-1] if preprocessing.order == "BGR" else cut
    clip = torch.from_numpy((values - _numbers(preprocessing.mean)) / _numbers(preprocessing.std))
    if preprocessing.layout == "clip":
        return clip.permute(3, 0, 1, 2).contiguous()
    clip = clip.permute(0, 3, 1, 2).contiguous()
    return clip.flatten(0, 1) if preprocessing.layout == "stack" else clip


def scaled(
    picture: UInt8[np.ndarray, "height width channels"], size: Size
) -> UInt8[np.ndarray, "rows columns channels"]:
    """The picture in this size, bilinear; itself where it has that size."""
    if size == picture.shape[:2]:
        return picture
    return cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_LINEAR)


def _numbers(values: tuple[float, ...]) -> Float[np.ndarray, " channels"]:
    return np.array(values, np.float32)


def _cut(
    picture: UInt8[np.ndarray, "height width channels"], preprocessing: Preprocessing
) -> UInt8[np.ndarray, "rows columns channels"]:
    size = preprocessing.resized(*picture.shape[:2])
    picture = scaled(picture, size)
    top, left = (size.height - preprocessing.crop) // 2, (size.width - preprocessing.crop) // 2
    return picture[top : top + preprocessing.crop, left : left + preprocessing.crop]
