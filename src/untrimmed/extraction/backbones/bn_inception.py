"""BN-Inception (Ioffe and Szegedy, ICML 2015), the picture network of TSN (Wang et al., ECCV 2016)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 1024
"""The width of a feature vector."""


class InceptionWidths(NamedTuple):
    """The widths of one Inception module; one without a 1x1 branch halves the picture and projects no pool."""

    single: int
    reduce: int
    triple: int
    double_reduce: int
    double: int
    pool: Literal["average", "max"]
    project: int


# The appendix of Ioffe and Szegedy; "double 3x3" replaces the 5x5 branch of GoogLeNet.
_MODULES = {
    "3a": InceptionWidths(64, 64, 64, 64, 96, "average", 32),
    "3b": InceptionWidths(64, 64, 96, 64, 96, "average", 64),
    "3c": InceptionWidths(0, 128, 160, 64, 96, "max", 0),
    "4a": InceptionWidths(224, 64, 96, 96, 128, "average", 128),
    "4b": InceptionWidths(192, 96, 128, 96, 128, "average", 128),
    "4c": InceptionWidths(160, 128, 160, 128, 160, "average", 128),
    "4d": InceptionWidths(96, 128, 192, 160, 192, "average", 128),
    "4e": InceptionWidths(0, 128, 192, 192, 256, "max", 0),
    "5a": InceptionWidths(352, 192, 320, 160, 224, "average", 128),
    "5b": InceptionWidths(352, 192, 320, 192, 224, "max", 128),
}


class BNInception(nn.Module):
    """The network up to its pooled features; of the classifier, only the weights are loaded.

    The layers have the flat names of the published weights, and their convolutions have biases.
    """

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self._add("conv1_7x7_s2", channels, 64, 7, 2)
        self._add("conv2_3x3_reduce", 64, 64, 1)
        self._add("conv2_3x3", 64, 192, 3)
        width = 192
        for name, module in _MODULES.items():
            width = self._add_module(f"inception_{name}", width, module)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1024"]:
        x = _halve(self._convolve("conv1_7x7_s2", x))
        x = _halve(self._convolve("conv2_3x3", self._convolve("conv2_3x3_reduce", x)))
        for name, module in _MODULES.items():
            x = self._compute_module(f"inception_{name}", module, x)
        return x.mean((2, 3))

    def _compute_module(
        self, name: str, module: InceptionWidths, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch outputs rows columns"]:
        triple = self._convolve(f"{name}_3x3", self._convolve(f"{name}_3x3_reduce", x))
        double = self._convolve(f"{name}_double_3x3_1", self._convolve(f"{name}_double_3x3_reduce", x))
        double = self._convolve(f"{name}_double_3x3_2", double)
        if not module.single:
            return torch.cat([triple, double, _halve(x)], 1)
        pool = nn.functional.avg_pool2d if module.pool == "average" else nn.functional.max_pool2d
        pooled = self._convolve(f"{name}_pool_proj", pool(x, 3, 1, 1))
        return torch.cat([self._convolve(f"{name}_1x1", x), triple, double, pooled], 1)

    def _convolve(
        self, name: str, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch outputs rows columns"]:
        return self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)).relu()

    def _add_module(self, name: str, channels: int, module: InceptionWidths) -> int:
        """Add the layers of one module, and return its output channels."""
        stride = 1 if module.single else 2
        if module.single:
            self._add(f"{name}_1x1", channels, module.single, 1)
            self._add(f"{name}_pool_proj", channels, module.project, 1)
        self._add(f"{name}_3x3_reduce", channels, module.reduce, 1)
        self._add(f"{name}_3x3", module.reduce, module.triple, 3, stride)
        self._add(f"{name}_double_3x3_reduce", channels, module.double_reduce, 1)
        self._add(f"{name}_double_3x3_1", module.double_reduce, module.double, 3)
        self._add(f"{name}_double_3x3_2", module.double, module.double, 3, stride)
        return module.single + module.triple + module.double + (module.project if module.single else channels)

    def _add(self, name: str, channels: int, outputs: int, kernel: int, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(channels, outputs, kernel, stride, kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(outputs))


def _halve(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels rows columns"]:
    # Networks from Caffe round sizes up.
    return nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
