"""The contract of every model: settings, a network, its loss and its decoding, over windows of snippets."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from untrimmed.features.windows import Window
from untrimmed.io import Config

M = TypeVar("M", bound="Model")
NORMS = nn.BatchNorm1d | nn.BatchNorm2d


class Targets(NamedTuple):
    """The actions of one window: segments in positions, labels as class indices from 0."""

    segments: Float[Tensor, "n 2"]
    labels: Int[Tensor, " n"]


class Batch(NamedTuple):
    """Windows stacked; the mask is False for padding."""

    x: Float[Tensor, "batch channels time"]
    mask: Bool[Tensor, "batch time"]
    targets: list[Targets]


class Proposals(NamedTuple):
    """The candidates of one window before suppression: segments in positions, scores in [0, 1] per class."""

    segments: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n classes"]


class Level(NamedTuple):
    """One scale of a model: its cells, and the snippets in the bottom-up receptive field of a cell."""

    cells: int
    receptive_field: int


class Standardize(nn.Module):
    """Scale every channel to mean 0 and deviation 1 over the training videos; set padding to exactly 0."""

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def forward(
        self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels time"]:
        # The scale is 1 / deviation, and 0 where a channel never changes.
        x = (x - self.mean[:, None]) * self.scale[:, None]
        return mask_padding(x, mask)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config, ABC):
    """The settings of a model; each model has a frozen subclass beside its network."""

    name: str
    """What a recipe calls the model."""
    length: int
    """Snippets of a window."""

    retired: ClassVar[dict[str, Any]] = {}
    """Settings of older files that are gone, with the only value that they may still have."""

    @abstractmethod
    def build(self, channels: int, classes: int) -> "Model":
        """Build the network for features of `channels` channels and `classes` classes.

        Raises ValueError where settings and channels do not fit together.
        """


class Model(nn.Module, ABC):
    """A network with its loss and decoding. `length` is the window that it takes, in snippets.

    `loss` and `decode` own no parameters, so that wrapping `forward` alone is enough to distribute a model.
    """

    length: int
    standardize: Standardize

    @property
    @abstractmethod
    def levels(self) -> tuple[Level, ...]:
        """The scales, finest first."""

    @property
    @abstractmethod
    def anchor_count(self) -> int:
        """The number of candidates of one window."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Any:
        """Compute the raw outputs of windows; the mask is False for padding."""

    @abstractmethod
    def loss(self, outputs: Any, targets: list[Targets]) -> dict[str, Tensor]:
        """Compute the named, weighted terms whose sum is minimised."""

    @abstractmethod
    def decode(self, outputs: Any) -> list[Proposals]:
        """Decode the candidates of each window before suppression; their number may vary."""

    def fuse_batch_norm(self: M) -> M:
        """Copy the model for inference, with every batch norm fused into the convolution before it.

        Its outputs are those of the model in `eval`, up to rounding. It shares the tensors that did not change, is
        never saved, and does not follow later training of the model.
        """
        # A copy that shares its tensors: what deepcopy finds in this memo it takes as copied already.
        shared = {id(tensor): tensor for tensor in (*self.parameters(), *self.buffers())}
        network = copy.deepcopy(self, shared).eval()
        for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
            for place in range(len(layers) - 1):
                convolution, norm = layers[place], layers[place + 1]
                if isinstance(convolution, nn.Conv1d | nn.Conv2d) and isinstance(norm, NORMS):
                    layers[place], layers[place + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
        return network

    def optimize_for_inference(self: M) -> M:
        """Copy the model in the form that detects fastest in float32 on its device; as `fuse_batch_norm` else."""
        return self.fuse_batch_norm()


def mask_padding(x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Tensor:
    """Set padding to 0, as convolutions pad a whole window."""
    # Not a product with the mask: padding may hold NaN, and NaN times 0 is NaN.
    return x.masked_fill(~mask[:, None], 0)


def stack_windows(windows: list[Window]) -> Batch:
    """Stack windows into a batch without targets."""
    # What lies past `real` snippets is padding.
    x = torch.from_numpy(np.stack([window.values for window in windows]))
    lengths = torch.tensor([window.valid_length for window in windows])
    return Batch(x, torch.arange(x.shape[2]) < lengths[:, None], [])
