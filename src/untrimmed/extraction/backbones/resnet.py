"""ResNet-50 (He et al., CVPR 2016) with its stride in the 3x3 convolutions, the picture network of later TSNs."""

from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 2048
"""The width of a feature vector."""
_BLOCKS = (3, 4, 6, 3)


class ResNetBlock(nn.Module):
    """A bottleneck (Fig. 5): narrow by 1x1, filter by 3x3, widen by 1x1, and add the input."""

    def __init__(self, channels: int, inner: int, stride: int, widens: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        # The paper strides in the first 1x1 convolution; torchvision and its weights do so here.
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * inner)
        self.downsample = nn.Identity()
        if widens:
            shortcut = nn.Conv2d(channels, 4 * inner, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * inner))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.downsample(x)).relu()


class ResNet50(nn.Module):
    """The network up to its pooled features. The names of the parts are torchvision's."""

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        width = 64
        for stage, count in enumerate(_BLOCKS):
            inner, blocks = 64 << stage, []
            for number in range(count):
                stride = 2 if stage and number == 0 else 1
                blocks.append(ResNetBlock(width, inner, stride, widens=number == 0))
                width = 4 * inner
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 2048"]:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(1, len(_BLOCKS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean((2, 3))
