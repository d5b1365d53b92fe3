"""SENet-154 and SE-ResNet-152 (Hu et al., CVPR 2018): residual networks that scale channels by the whole picture.

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
class SENetDesign:
    """The differences between the two networks. Widths are multiples of a quarter of the stage's outputs."""

    first: int
    """Width after the first convolution of a block."""
    second: int
    """Width after the second, of 3x3."""
    groups: int
    """Groups of the second."""
    strides_first: bool
    """Whether the first convolution of a stage halves the picture; otherwise its second."""
    shortcut: int
    """Kernel of the shortcut of a block that halves the picture."""
    deep: bool
    """Whether the stem is three 3x3 convolutions; otherwise one of 7x7."""


SENET154 = SENetDesign(first=2, second=4, groups=64, strides_first=False, shortcut=3, deep=True)
"""The network that won ILSVRC 2017."""
SE_RESNET152 = SENetDesign(first=1, second=1, groups=1, strides_first=True, shortcut=1, deep=False)
"""ResNet-152 with squeeze and excitation."""


class SqueezeExcitation(nn.Module):
    """Squeeze and excitation (Eq. 2 to 4): scales each channel by a gate, 0 to 1, from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // _REDUCTION, channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        # Squeeze to one mean a channel (Eq. 2), excite by a bottleneck of two layers (Eq. 3), scale (Eq. 4).
        means = x.mean((2, 3), keepdim=True)
        return x * self.fc2(self.fc1(means).relu()).sigmoid()


class SENetBlock(nn.Module):
    """A bottleneck whose outputs are scaled by squeeze and excitation before the input is added."""

    def __init__(self, design: SENetDesign, channels: int, unit: int, stride: int, widens: bool) -> None:
        super().__init__()
        first, second, outputs = design.first * unit, design.second * unit, 4 * unit
        strides = (stride, 1) if design.strides_first else (1, stride)
        self.conv1 = nn.Conv2d(channels, first, 1, strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, strides[1], 1, groups=design.groups, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se_module = SqueezeExcitation(outputs)
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
    """The network up to its pooled features. The names of the parts are Cadene's."""

    def __init__(self, design: SENetDesign, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        # (channels, kernel, stride) of each convolution of the stem.
        stem = ((64, 3, 2), (64, 3, 1), (128, 3, 1)) if design.deep else ((64, 7, 2),)
        self.layer0 = nn.Sequential()
        for number, (outputs, kernel, stride) in enumerate(stem, 1):
            convolution = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2, bias=False)
            self.layer0.add_module(f"conv{number}", convolution)
            self.layer0.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
            self.layer0.add_module(f"relu{number}", nn.ReLU())
            channels = outputs
        width = channels
        for stage, count in enumerate(_BLOCKS):
            unit, blocks = 64 << stage, []
            for number in range(count):
                stride = 2 if stage and number == 0 else 1
                blocks.append(SENetBlock(design, width, unit, stride, widens=number == 0))
                width = 4 * unit
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.last_linear = nn.Linear(width, classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 2048"]:
        x = nn.functional.max_pool2d(self.layer0(x), 3, 2, ceil_mode=True)
        for stage in range(1, len(_BLOCKS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean((2, 3))
