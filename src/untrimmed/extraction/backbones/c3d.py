"""C3D: eight convolutions of space and time, three linear layers (Tran et al., ICCV 2015), for Sports-1M weights."""

from jaxtyping import Float
from torch import Tensor, nn

WIDTH = 4096
"""The width of a feature vector."""

# Each name is that of the published weights, with its channels.
_CONVOLUTIONS = {
    "conv1": 64,
    "conv2": 128,
    "conv3a": 256,
    "conv3b": 256,
    "conv4a": 512,
    "conv4b": 512,
    "conv5a": 512,
    "conv5b": 512,
}
_POOLED = ("conv1", "conv2", "conv3b", "conv4b", "conv5b")


class C3D(nn.Module):
    """The network up to fc6 and its ReLU, for clips of 16 frames of 112x112 pixels; of fc7 and fc8, weights alone."""

    def __init__(self, channels: int = 3, classes: int = 487) -> None:
        super().__init__()
        # Kernels of 3x3x3 throughout (Section 3.2), padded so that only pooling changes the size.
        for name, outputs in _CONVOLUTIONS.items():
            self.add_module(name, nn.Conv3d(channels, outputs, 3, padding=1))
            channels = outputs
        self.fc6 = nn.Linear(512 * 1 * 4 * 4, WIDTH)
        self.fc7 = nn.Linear(WIDTH, WIDTH)
        self.fc8 = nn.Linear(WIDTH, classes)

    def forward(self, x: Float[Tensor, "batch channels 16 112 112"]) -> Float[Tensor, "batch 4096"]:
        return self.fc6(self.convolve(x).flatten(1)).relu()

    def convolve(
        self, x: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch 512 steps rows columns"]:
        """Compute pool5, the input of fc6; clips of any size are taken here."""
        for name in _CONVOLUTIONS:
            x = self.get_submodule(name)(x).relu()
            if name in _POOLED:
                # Section 3.1: the first pooling keeps time, so as not to merge it early. The last one pads, and so
                # makes 4x4 of 7x7.
                window = (1, 2, 2) if name == "conv1" else (2, 2, 2)
                x = nn.functional.max_pool3d(x, window, window, (0, 1, 1) if name == "conv5b" else 0)
        return x
