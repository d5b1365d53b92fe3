"""What every model is: a network, its loss and its decoding, over windows of snippets."""

import copy
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from untrimmed.features.windows import Window

M = TypeVar("M", bound="Model")
NORMS = nn.BatchNorm1d | nn.BatchNorm2d


class Targets(NamedTuple):
    """The actions of one window: segments in positions, labels as class indices from 0."""

    segments: Float[Tensor, "n 2"]
    labels: Int[Tensor, " n"]


class Batch(NamedTuple):
    """Windows stacked: the mask is True where a snippet is real."""

    x: Float[Tensor, "batch channels time"]
    mask: Bool[Tensor, "batch time"]
    targets: list[Targets]


class Truth(NamedTuple):
    """The targets of a batch, padded to the window that has most."""

    segments: Float[Tensor, "batch truths 2"]
    labels: Int[Tensor, "batch truths"]
    real: Bool[Tensor, "batch truths"]


class Proposals(NamedTuple):
    """What a model says of one window before suppression: segments in positions, scores in [0, 1] per class."""

    segments: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n classes"]


class Level(NamedTuple):
    """One scale of a model: its cells, and the snippets that one cell sees along the bottom-up path."""

    cells: int
    receptive_field: int


class Standardize(nn.Module):
    """Brings every channel to mean 0 and deviation 1 of the training videos, and padding to exactly 0."""

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def forward(
        self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels time"]:
        x = (x - self.mean[:, None]) * self.scale[:, None]
        return masked(x, mask)


class Model(nn.Module, ABC):
    """A network with its loss and decoding. `length` is the window that it takes, in snippets.

    `loss` and `decode` own no parameters, so that a wrapper around `forward` alone is enough to distribute it.
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
        """Candidates that one window gives."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Any:
        """Raw outputs of windows; the mask is True where a snippet is real."""

    @abstractmethod
    def loss(self, outputs: Any, targets: list[Targets]) -> dict[str, Tensor]:
        """Named, weighted terms; their sum is minimised."""

    @abstractmethod
    def decode(self, outputs: Any) -> list[Proposals]:
        """Candidates of each window before suppression; their number may vary."""

    def folded(self: M) -> M:
        """A copy for inference alone, with every batch norm made part of the convolution before it.

        Its outputs are the model's in `eval` up to rounding. It has other weights and is never saved; what it did
        not have to change it shares with the model, and it does not follow the model's later training.
        """
        shared = {id(tensor): tensor for tensor in (*self.parameters(), *self.buffers())}
        result = copy.deepcopy(self, shared).eval()
        for layers in [module for module in result.modules() if isinstance(module, nn.Sequential)]:
            for place in range(len(layers) - 1):
                convolution, norm = layers[place], layers[place + 1]
                if isinstance(convolution, nn.Conv1d | nn.Conv2d) and isinstance(norm, NORMS):
                    layers[place], layers[place + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
        return result

    def quick(self: M) -> M:
        """A copy that detects fastest in float32 where the model is; as `folded`, and for inference alone as that."""
        return self.folded()


def masked(x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Tensor:
    """The real cells alone; padding becomes 0, as what lies beside a window's end is."""
    # Not a product with the mask: under it a value may be NaN, and NaN times 0 is NaN.
    return x.masked_fill(~mask[:, None], 0)


def pad(targets: list[Targets], device: torch.device) -> Truth:
    """Stack the targets of windows; `real` is False for padding."""
    sequence = nn.utils.rnn.pad_sequence
    counts = torch.tensor([len(target.labels) for target in targets])
    segments = sequence([target.segments for target in targets], batch_first=True)
    labels = sequence([target.labels for target in targets], batch_first=True)
    real = torch.arange(segments.shape[1]) < counts[:, None]
    return Truth(segments.to(device), labels.to(device), real.to(device))


def stack(several: list[Window]) -> Batch:
    """Windows as one batch without targets."""
    x = torch.from_numpy(np.stack([window.values for window in several]))
    real = torch.tensor([window.real for window in several])
    return Batch(x, torch.arange(x.shape[2]) < real[:, None], [])
