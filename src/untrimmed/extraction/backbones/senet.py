"""SENet-154 and SE-ResNet-152 (Hu et al., CVPR 2018): residual networks that weigh channels by the whole picture.

Papers of temporal localization say "SENet-152"; PyTorch weights are in circulation for these two. PaddlePaddle's
SE-ResNeXt-152, with which the authors of C-TCN seem to have worked, is a third network, and its files are not read.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 2048
"""The width of a feature vector."""
_BLOCKS = (3, 8, 36, 3)
_REDUCTION = 16


@dataclass(frozen=True, kw_only=True)
class Design:
    """In what the two networks differ. Widths count in units of the stage's, which is a quarter of its outputs."""

    first: int
    """Width after the first convolution of a block."""
    second: int
    """Width after the second, of 3x3 cells."""
    groups: int
    """Groups of the second."""
    strides_first: bool
    """Whether the first convolution of a stage halves the picture; otherwise its second."""
    shortcut: int
    """Cells on a side of the convolution beside the first block of a stage that halves."""
    deep: bool
    """Whether three small convolutions stand at the entrance; otherwise one of 7x7 cells."""


SENET154 = Design(first=2, second=4, groups=64, strides_first=False, shortcut=3, deep=True)
SE_RESNET152 = Design(first=1, second=1, groups=1, strides_first=True, shortcut=1, deep=False)


class Weighing(nn.Module):
    """Squeeze and excitation: each channel times a share, 0 to 1, that the means of all channels decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // _REDUCTION, channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        means = x.mean((2, 3), keepdim=True)
        return x * self.fc2(self.fc1(means).relu()).sigmoid()


class Block(nn.Module):
    """A bottleneck whose outputs are weighed before what came in is added."""

    def __init__(self, design: Design, channels: int, unit: int, stride: int, widens: bool) -> None:
        super().__init__()
        first, second, outputs = design.first * unit, design.second * unit, 4 * unit
        strides = (stride, 1) if design.strides_first else (1, stride)
        self.conv1 = nn.Conv2d(channels, first, 1, strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, strides[1], 1, groups=design.groups, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se_module = Weighing(outputs)
        self.downsample = nn.Identity()
        if widens:
            kernel = design.shortcut if stride > 1 else 1
            shortcut = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.se_module(self.bn3(self.conv3(y)))
        return (y + self.downsample(x)).relu()


class SENet(nn.Module):
    """The network up to its pooled features; `classify` gives logits. The names are Cadene's."""

    def __init__(self, design: Design, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.layer0 = _entrance(design, channels)
        width = 128 if design.deep else 64
        for stage, count in enumerate(_BLOCKS):
            unit, blocks = 64 << stage, []
            for number in range(count):
                stride = 2 if stage and number == 0 else 1
                blocks.append(Block(design, width, unit, stride, widens=number == 0))
                width = 4 * unit
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.last_linear = nn.Linear(width, classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 2048"]:
        x = nn.functional.max_pool2d(self.layer0(x), 3, 2, ceil_mode=True)
        for stage in range(1, len(_BLOCKS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean((2, 3))

    def classify(self, features: Float[Tensor, "batch 2048"]) -> Float[Tensor, "batch classes"]:
        """Logits of pooled features: to check that weights and pictures fit each other."""
        return self.last_linear(features)


def senet154(channels: int = 3, classes: int = 1000) -> SENet:
    """The network that won ILSVRC 2017."""
    return SENet(SENET154, channels, classes)


def se_resnet152(channels: int = 3, classes: int = 1000) -> SENet:
    """ResNet-152 with weighed channels."""
    return SENet(SE_RESNET152, channels, classes)


def _entrance(design: Design, channels: int) -> nn.Sequential:
    # (channels, kernel, stride) of each convolution.
    plan = ((64, 3, 2), (64, 3, 1), (128, 3, 1)) if design.deep else ((64, 7, 2),)
    entrance = nn.Sequential()
    for number, (outputs, kernel, stride) in enumerate(plan, 1):
        entrance.add_module(f"conv{number}", nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, bias=False))
        entrance.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        entrance.add_module(f"relu{number}", nn.ReLU())
        channels = outputs
    return entrance
