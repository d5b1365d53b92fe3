"""I3D: Inception inflated to three dimensions (Carreira and Zisserman, CVPR 2017), for Kinetics weights."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 1024
"""The width of a feature vector."""

# (1x1, before the first 3x3x3, first 3x3x3, before the second, second 3x3x3, after pooling): Fig. 3 of the paper,
# with the widths of GoogLeNet.
_MODULES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Pooling comes before these: its kernel and its stride.
_POOLS = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}


class I3DUnit(nn.Module):
    """A convolution with TensorFlow's padding, batch norm and ReLU."""

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel, kernel, kernel), (stride, stride, stride)
        self.conv3d = nn.Conv3d(channels, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch outputs steps rows columns"]:
        return self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))).relu()


class I3DModule(nn.Module):
    """An Inception module (Fig. 3): four branches side by side, joined along the channels."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        # The branch of 5x5 kernels has 3x3 in TensorFlow's Inception-V1, and so in the weights.
        self.b0 = I3DUnit(channels, widths[0], 1)
        self.b1a = I3DUnit(channels, widths[1], 1)
        self.b1b = I3DUnit(widths[1], widths[2], 3)
        self.b2a = I3DUnit(channels, widths[3], 1)
        self.b2b = I3DUnit(widths[3], widths[4], 3)
        self.b3b = I3DUnit(channels, widths[5], 1)
        self.outputs = widths[0] + widths[2] + widths[4] + widths[5]

    def forward(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch outputs time height width"]:
        pooled = pool_max(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3D(nn.Module):
    """The network up to its pooled features, for clips of any length and size."""

    def __init__(self, channels: int = 3, classes: int = 400) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = I3DUnit(channels, 64, 7, 2)
        self.Conv3d_2b_1x1 = I3DUnit(64, 64, 1)
        self.Conv3d_2c_3x3 = I3DUnit(64, 192, 3)
        width = 192
        for name, widths in _MODULES.items():
            module = I3DModule(width, widths)
            self.add_module(name, module)
            width = module.outputs
        # The classifier, a 1x1x1 convolution as in the published weights; features do not use it.
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(WIDTH, classes, 1)})

    def forward(self, x: Float[Tensor, "batch channels time height width"]) -> Float[Tensor, "batch 1024"]:
        for name, layer in self.named_children():
            if name in _POOLS:
                x = pool_max(x, *_POOLS[name])
            if name != "logits":
                x = layer(x)
        x = x.mean((3, 4))
        # The published head averages over two steps at a time before it averages over time: of a long clip, the
        # steps at its two ends count half. Clips of 16 frames have two steps.
        return x.mean(2) if x.shape[2] < 2 else ((x[:, :, 1:] + x[:, :, :-1]) / 2).mean(2)


def pool_max(
    x: Float[Tensor, "batch channels time height width"], kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> Float[Tensor, "batch channels steps rows columns"]:
    """Pool the maximum with TensorFlow's padding; its zeros change no maximum after a ReLU."""
    return nn.functional.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


def pad_same(
    x: Float[Tensor, "batch channels time height width"], kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> Float[Tensor, "batch channels deep high wide"]:
    """Pad by zeros as TensorFlow's "same" does: by as much as the input's size needs, an odd one at the end."""
    padding: list[int] = []
    for length, wide, step in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        # The last cell of ceil(length / step) begins at a multiple of the step.
        total = max((-(-length // step) - 1) * step + wide - length, 0)
        padding += [total // 2, total - total // 2]
    return nn.functional.pad(x, padding) if any(padding) else x
