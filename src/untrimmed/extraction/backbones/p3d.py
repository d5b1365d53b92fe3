"""P3D-199: ResNet-152 with each 3x3x3 convolution split into space and time (Qiu et al., ICCV 2017)."""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 2048
"""The width of a feature vector, pool5."""
_BLOCKS = (3, 8, 36, 3)


class P3DBlock(nn.Module):
    """A bottleneck that filters space and then time (A), adds both side by side (B), or adds space to A (C)."""

    def __init__(self, channels: int, inner: int, kind: Literal["A", "B", "C"], stride: int, widens: bool) -> None:
        super().__init__()
        steps = (1, stride, stride)
        self.kind = kind
        self.conv1 = nn.Conv3d(channels, inner, 1, steps, bias=False)
        self.bn1 = nn.BatchNorm3d(inner)
        self.conv2 = nn.Conv3d(inner, inner, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.bn2 = nn.BatchNorm3d(inner)
        self.conv3 = nn.Conv3d(inner, inner, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.bn3 = nn.BatchNorm3d(inner)
        self.conv4 = nn.Conv3d(inner, 4 * inner, 1, bias=False)
        self.bn4 = nn.BatchNorm3d(4 * inner)
        self.downsample = nn.Identity()
        if widens:
            shortcut = nn.Conv3d(channels, 4 * inner, 1, steps, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(4 * inner))

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch outputs time rows columns"]:
        # With S and T for the filters of space and time: A is T(S(y)), B is S(y) + T(y), C is S(y) + T(S(y)).
        y = self.bn1(self.conv1(x)).relu()
        space = self.bn2(self.conv2(y)).relu()
        time = self.bn3(self.conv3(y if self.kind == "B" else space)).relu()
        y = time if self.kind == "A" else space + time
        return (self.bn4(self.conv4(y)) + self.downsample(x)).relu()


class P3DFlatBlock(nn.Module):
    """A plain two-dimensional bottleneck, for the last stage, where no time is left to filter."""

    def __init__(self, channels: int, inner: int, stride: int, widens: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv_normal = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn_normal = nn.BatchNorm2d(inner)
        self.conv4 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn4 = nn.BatchNorm2d(4 * inner)
        self.downsample = nn.Identity()
        if widens:
            shortcut = nn.Conv2d(channels, 4 * inner, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * inner))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn_normal(self.conv_normal(y)).relu()
        return (self.bn4(self.conv4(y)) + self.downsample(x)).relu()


class P3D199(nn.Module):
    """The network up to pool5, for clips of 16 frames or more; weights are for 16 of 160x160 pixels.

    The kinds of blocks take turns, A, B, C, over the three stages that see time.
    """

    def __init__(self, channels: int = 3, classes: int = 400) -> None:
        super().__init__()
        self.conv1_custom = nn.Conv3d(channels, 64, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        kinds: Sequence[Literal["A", "B", "C"]] = ("A", "B", "C") * (sum(_BLOCKS[:3]) // 3 + 1)
        width, index = 64, 0
        for stage, count in enumerate(_BLOCKS[:3]):
            inner, blocks = 64 << stage, []
            for number in range(count):
                stride = 2 if stage and number == 0 else 1
                blocks.append(P3DBlock(width, inner, kinds[index], stride, widens=number == 0))
                width, index = 4 * inner, index + 1
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        flat = [P3DFlatBlock(width if not n else WIDTH, 512, 1 if n else 2, widens=not n) for n in range(_BLOCKS[3])]
        self.layer4 = nn.Sequential(*flat)
        self.fc = nn.Linear(WIDTH, classes)

    def forward(self, x: Float[Tensor, "batch channels time height width"]) -> Float[Tensor, "batch 2048"]:
        x = self.bn1(self.conv1_custom(x)).relu()
        x = nn.functional.max_pool3d(x, (2, 3, 3), 2, (0, 1, 1))
        for stage in ("layer1", "layer2", "layer3"):
            x = nn.functional.max_pool3d(self.get_submodule(stage)(x), (2, 1, 1))
        # 16 frames have become one step. Of longer clips, each step goes through the last stage by itself.
        steps = x.transpose(1, 2)
        features = self.layer4(steps.flatten(0, 1)).mean((2, 3))
        return features.unflatten(0, steps.shape[:2]).mean(1)
