"""The blocks of C-TCN and of the conventional and grouped networks that it is compared with.

A map is [batch, potentials, groups, time]. Filters that all groups share run along time over the rows of the map;
filters of a group's own are a grouped convolution over a map of one row, whose potentials lie group by group.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Depth = Literal[15, 30, 45, 60]

# Residual blocks of C2..C5. Three convolutions a block and three more give 15, 30 and 45; the paper's 60 counts
# the stem, P6-P9, the laterals and the heads as well (docs/fidelity.md).
BLOCKS: dict[Depth, tuple[int, int, int, int]] = {
    15: (1, 1, 1, 1),
    30: (2, 2, 3, 2),
    45: (3, 4, 4, 3),
    60: (3, 4, 6, 3),
}
STEM_STRIDE = 4
STAGES = 4


@dataclass(frozen=True)
class Filters:
    """What every convolution of a network sees: its own group, and how much of the groups beside it."""

    groups: int = 1
    """Groups with filters of their own; 1 where all share."""
    square_kernels: bool = False
    """Kernels of 3 span three groups too (Table 5)."""
    square_strides: bool = False
    """Strides thin out the groups as they do time (Table 5)."""

    def build(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
        """Build a convolution along time that, at stride 1, leaves the length as it is."""
        # Rows are groups: a kernel of height 1 keeps them apart. The stem's 1 x 7 never become square.
        height = kernel if self.square_kernels and kernel == 3 else 1
        strides = (stride if self.square_strides else 1, stride)
        padding = (height // 2, kernel // 2)
        convolution = PointwiseConv2d if kernel == 1 else nn.Conv2d
        return convolution(inputs, outputs, (height, kernel), strides, padding, groups=self.groups, bias=bias)


class PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 convolution that drops what its stride skips before it multiplies.

    Left to oneDNN, which torch 2.13 calls on a CPU, the weight gradient of a strided 1 x 1 convolution of fewer than
    16 inputs in the channels_last layout writes past its memory, and the process dies there or somewhere later.
    """

    def forward(self, input: Float[Tensor, "batch inputs groups time"]) -> Float[Tensor, "batch outputs _ _"]:
        rows, time = self.stride
        return F.conv2d(input[:, :, ::rows, ::time], self.weight, self.bias, groups=self.groups)


class CTC(nn.Sequential):
    """A concept-wise temporal convolution with batch norm and, unless it ends a residual, ReLU (section 3.2)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True, filters: Filters = Filters()
    ) -> None:
        # Batch norm has the bias.
        convolution = filters.build(inputs, outputs, kernel, stride, bias=False)
        layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs)]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Bottleneck(nn.Module):
    """The residual block of Table A: 1 x 1, 1 x 3 with the stride, 1 x 1, and a shortcut."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, filters: Filters) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            CTC(inputs, inner, 1, filters=filters),
            CTC(inner, inner, 3, stride, filters=filters),
            CTC(inner, outputs, 1, relu=False, filters=filters),
        )
        # A projection where the shape changes, as in ResNet; it has no ReLU, because the sum has one.
        unchanged = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if unchanged else CTC(inputs, outputs, 1, stride, relu=False, filters=filters)

    def forward(self, x: Float[Tensor, "batch potentials groups time"]) -> Float[Tensor, "batch p g t"]:
        # In place: the sum is the largest map of a block, and nothing else holds it.
        return self.residual(x).add_(self.shortcut(x)).relu_()


class ConceptBackbone(nn.Module):
    """Stem and four residual stages, whose maps are C2..C5 (Table A)."""

    def __init__(
        self, inputs: int, stem: Sequence[int], inner: Sequence[int], depth: Depth, filters: Filters, recompute: bool
    ) -> None:
        """`stem` are the potentials of the two first layers, `inner` those inside the blocks of each stage."""
        super().__init__()
        self.recompute = recompute
        # The finest map keeps every group: square strides begin above it.
        stem_filters = replace(filters, square_strides=False)
        self.stem = nn.Sequential(
            CTC(inputs, stem[0], 7, 2, filters=stem_filters), CTC(stem[0], stem[1], 7, 2, filters=stem_filters)
        )
        # A block's last 1 x 1 widens its inside four times, as in ResNet.
        self.widths = [4 * width for width in inner]
        self.stages = nn.ModuleList()
        channels = stem[1]
        for stage, blocks in enumerate(BLOCKS[depth]):
            strides = [1 if stage == 0 else 2] + [1] * (blocks - 1)
            layers = []
            for stride in strides:
                layers.append(Bottleneck(channels, inner[stage], self.widths[stage], stride, filters))
                channels = self.widths[stage]
            self.stages.append(nn.Sequential(*layers))

    def forward(self, x: Float[Tensor, "batch inputs groups time"]) -> list[Float[Tensor, "batch _ _ _"]]:
        x = self._run(self.stem, x)
        maps = []
        for stage in self.stages:
            for block in stage.children():
                x = self._run(block, x)
            maps.append(x)
        return maps

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        """Run a block; with `recompute` its inside is not stored but computed again for the gradient."""
        if not (self.recompute and self.training and torch.is_grad_enabled()):
            return block(x)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _freeze_statistics(block)

        return checkpoint(block, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


@contextmanager
def _freeze_statistics(block: nn.Module) -> Iterator[None]:
    """Let batch norms normalise without counting, so that a batch which is computed twice counts once."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    settings = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, settings, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


class Pyramid(nn.Module):
    """Lateral and top-down connections below P5, strided convolutions up from P6 (Table B)."""

    def __init__(self, widths: Sequence[int], width: int, coarser: int, filters: Filters, top_down: bool) -> None:
        """`widths` are the potentials of the backbone's maps, finest first; `coarser` scales lie above them."""
        super().__init__()
        self.laterals = nn.ModuleList(filters.build(inputs, width, 1) for inputs in widths)
        smoothings = len(widths) - 1 if top_down else 0
        self.smoothings = nn.ModuleList(filters.build(width, width, 3) for _ in range(smoothings))
        # P6 is computed from C5, and each coarser one from the one below it.
        inputs = [widths[-1]] + [width] * coarser
        self.coarser = nn.ModuleList(filters.build(number, width, 3, 2) for number in inputs[:coarser])
        self.top_down = top_down

    def forward(self, maps: list[Float[Tensor, "batch _ _ _"]]) -> list[Float[Tensor, "batch _ _ _"]]:
        # P2 to P5: C2 to C5 brought to one width.
        pyramid = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        if self.top_down:
            # P5 is not smoothed, and it is the unsmoothed maps that go down.
            for finer, coarser in zip(reversed(pyramid[:-1]), reversed(pyramid[1:]), strict=True):
                finer.add_(upsample(coarser, finer))
            for level, smoothing in enumerate(self.smoothings):
                pyramid[level] = smoothing(pyramid[level])
        # P6 to P9, from C5 upwards; it has had its ReLU.
        x = maps[-1]
        for level, convolution in enumerate(self.coarser):
            x = convolution(x if level == 0 else F.relu(x))
            pyramid.append(x)
        return pyramid


class ConceptHead(nn.Module):
    """A hidden layer within groups, then one that sees all of them (Table C); for maps of equally many groups."""

    def __init__(
        self, width: int, hidden: int, rows: int, outputs: int, dropout: float, filters: Filters, relu: bool
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = filters.build(width, hidden, 3)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.predict = nn.Conv1d(hidden * rows, outputs, 1)

    def forward(self, maps: list[Float[Tensor, "batch w groups _"]]) -> Float[Tensor, "batch outputs cells"]:
        """Predict every cell, the levels in a row, finest first."""
        hidden = [self.relu(self.hidden(self.dropout(x))).flatten(1, 2) for x in maps]
        # The weights over all concepts are by far the largest of the network: they are read once, not once a level.
        return self.predict(torch.cat(hidden, 2))

    def fuse_layers(self) -> "ConceptHead | MergedHead":
        """For inference, make both layers one where that is the same function and takes fewer multiplications."""
        hidden, width, *kernel = self.hidden.weight.shape
        outputs = self.predict.out_channels
        linear = isinstance(self.relu, nn.Identity) and self.hidden.groups == 1 and kernel == [1, 3]
        # Multiplications a row and cell: three taps of width times outputs, against the hidden layer and the next.
        return MergedHead(self) if linear and 3 * width * outputs < hidden * (3 * width + outputs) else self


class MergedHead(nn.Module):
    """A head without ReLU, multiplied out: one product over all concepts for each of the three taps along time."""

    @torch.no_grad()
    def __init__(self, head: ConceptHead) -> None:
        super().__init__()
        # Without ReLU between them the layers are one linear map: predict (o, h r) times hidden (h, w), for each tap.
        taps, rows = head.hidden.weight[:, :, 0], head.predict.in_channels // head.hidden.out_channels
        predict = head.predict.weight[..., 0].unflatten(1, (-1, rows))
        weight = torch.einsum("ohr,hwk->kowr", predict, taps).flatten(2).flatten(0, 1)
        self.weight = nn.Parameter(weight[..., None].contiguous(), requires_grad=False)
        # The output of an empty map is the biases of both layers.
        zeros = taps.new_zeros(1, taps.shape[1], rows, 1)
        self.bias = nn.Parameter(head.predict(head.hidden(zeros).flatten(1, 2))[0, :, 0], requires_grad=False)

    def forward(self, maps: list[Float[Tensor, "batch w groups _"]]) -> Float[Tensor, "batch outputs cells"]:
        taps = F.conv1d(torch.cat([x.flatten(1, 2) for x in maps], 2), self.weight).unflatten(1, (3, -1))
        levels = taps.split([x.shape[3] for x in maps], 3)
        # A cell takes its left neighbour's first tap and its right neighbour's last; past a level's ends lies 0.
        sums = [F.pad(t[:, 0, :, :-1], (1, 0)) + t[:, 1] + F.pad(t[:, 2, :, 1:], (0, 1)) for t in levels]
        return torch.cat(sums, 2) + self.bias[:, None]


class LevelHeads(nn.Module):
    """A head for each level."""

    def __init__(self, heads: Sequence[ConceptHead | MergedHead]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, maps: list[Float[Tensor, "batch w _ _"]]) -> Float[Tensor, "batch outputs cells"]:
        # Levels may differ in groups, so each head sees its level alone.
        return torch.cat([head([x]) for head, x in zip(self.heads, maps, strict=True)], 2)

    def fuse_layers(self) -> "LevelHeads":
        """Fuse the layers of each head where that is cheaper."""
        return LevelHeads([head.fuse_layers() for head in self.heads if isinstance(head, ConceptHead)])


def upsample(
    x: Float[Tensor, "batch p coarse_groups coarse_time"], to: Float[Tensor, "batch p groups time"]
) -> Float[Tensor, "batch p groups time"]:
    """Interpolate linearly to the size of a finer map."""
    return F.interpolate(x, size=to.shape[2:], mode="bilinear", align_corners=True)


def initialize_weights(module: nn.Module) -> None:
    """Draw weights uniformly from ± sqrt(1 / fan_in), as released; biases are zero."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        # fan_in: the inputs of one output, over all taps.
        bound = module.weight[0].numel() ** -0.5
        nn.init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
