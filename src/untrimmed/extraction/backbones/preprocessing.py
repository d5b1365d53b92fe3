"""The preprocessing of each published network, as a value, and the tensor that it makes of a clip."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class PictureSize(NamedTuple):
    """The height and the width of a picture, in pixels."""

    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """The steps from the pictures of one clip to a network's input: resize, crop the middle, normalise, lay out.

    Pictures are RGB frames of three channels, or flow of two, quantised by `quantise_flow`.
    """

    stream: Literal["rgb", "flow"]
    """The content of a picture."""
    frames: int
    """Pictures in a clip. A flow picture needs two frames, so a flow clip needs one frame more."""
    resize: int | PictureSize
    """Pixels of the shorter side, the aspect kept; or the height and width that every picture is squeezed to."""
    crop: int
    """Pixels on each side of the square that is cut from the middle."""
    mean: tuple[float, ...]
    """Subtracted from values of 0 to 255, one a channel, in the order that the network sees."""
    std: tuple[float, ...]
    """The divisor after that."""
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
        """The input channels of the first layer of the network."""
        return len(self.mean) * (self.frames if self.layout == "stack" else 1)

    def compute_size(self, height: int, width: int) -> PictureSize:
        """Compute the size before the crop of a picture of this size. Flow is computed on frames of that size."""
        if not isinstance(self.resize, int):
            return self.resize
        scale = self.resize / min(height, width)
        return PictureSize(round(height * scale), round(width * scale))


def preprocess_clip(
    preprocessing: Preprocessing, pictures: UInt8[np.ndarray, "time height width channels"]
) -> Float[Tensor, "..."]:
    """Build the network's input for one clip, without a batch axis, in the layout of `preprocessing`.

    Raises ValueError when the number of pictures or of their channels does not fit.
    """
    expected = (preprocessing.frames, len(preprocessing.mean))
    if (pictures.shape[0], pictures.shape[3]) != expected:
        raise ValueError(f"pictures of shape {pictures.shape}: a clip has {expected[0]} of {expected[1]} channels")
    size, side = preprocessing.compute_size(*pictures.shape[1:3]), preprocessing.crop
    top, left = (size.height - side) // 2, (size.width - side) // 2
    cropped = np.stack([resize(picture, size)[top : top + side, left : left + side] for picture in pictures])
    values = cropped[..., ::-1] if preprocessing.order == "BGR" else cropped
    mean, std = np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32)
    clip = torch.from_numpy((values - mean) / std)
    if preprocessing.layout == "clip":
        return clip.permute(3, 0, 1, 2).contiguous()
    clip = clip.permute(0, 3, 1, 2).contiguous()
    return clip.flatten(0, 1) if preprocessing.layout == "stack" else clip


def resize(
    picture: UInt8[np.ndarray, "height width channels"], size: PictureSize
) -> UInt8[np.ndarray, "rows columns channels"]:
    """Resize a picture, bilinear; one that has the size already is returned itself."""
    if size == picture.shape[:2]:
        return picture
    return cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
