"""C-TCN's pyramid for detection on a CPU: the same numbers with fewer multiplications and better use of caches.

Concepts share their filters and meet only in the last layer of a head. So the network can run some of them at a time,
few enough that their maps stay in the cache, and with time as the outermost dimension every layer is a product of
contiguous matrices. Kernels of 3 compute four neighbouring cells by six products, not twelve, by the F(4, 3) of
Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from untrimmed.models.pyramid import CTC, STEM_STRIDE, Bottleneck, ConceptBackbone, ConceptHead, MergedHead, Pyramid

# Values of the widest map of a chunk: 8 MiB, about the caches of a core.
CHUNK = 2**21

# The transforms of Winograd's F(4, 3): of six cells, of three taps, and of their six products back to four cells.
CELLS = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float32,
)
TAPS = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
BACK = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], dtype=torch.float32
)
TILE = len(BACK)

# [time, rows, potentials].
Map = Float[Tensor, "_ _ _"]


class TimeMajorConvolution:
    """A convolution along time, with its batch norm fused, as products of matrices."""

    def __init__(self, layer: nn.Conv2d) -> None:
        taps = layer.weight.detach()[:, :, 0].permute(2, 1, 0).contiguous()
        self.kernel, _, self.outputs = taps.shape
        self.stride = layer.stride[1]
        self.bias = taps.new_zeros(self.outputs) if layer.bias is None else layer.bias.detach()
        self.matrix = taps.flatten(0, 1)
        # In double precision, so that it is rounded once.
        applies = self.kernel == 3 and self.stride == 1
        self.winograd = torch.tensordot(TAPS, taps.double(), 1).to(taps) if applies else None

    def __call__(self, x: Map) -> Map:
        if self.winograd is not None and len(x) % TILE == 0:
            return self._convolve_tiles(x, self.winograd)
        padding = self.kernel // 2
        if padding:
            cells = (len(x) + 2 * padding - self.kernel) // self.stride + 1
            x = _pad_time(x, padding)
            last = self.stride * (cells - 1) + 1
            x = torch.cat([x[tap : tap + last : self.stride] for tap in range(self.kernel)], 2)
        else:
            x = x[:: self.stride]
        return torch.addmm(self.bias, x.flatten(0, 1), self.matrix).unflatten(0, x.shape[:2])

    def add_to(self, sums: Map, x: Map) -> Map:
        """Add the output of a kernel of 1 to `sums`, in place."""
        sums.flatten(0, 1).addmm_(x.flatten(0, 1), self.matrix)
        return sums.add_(self.bias)

    def _convolve_tiles(self, x: Map, weights: Float[Tensor, "6 inputs outputs"]) -> Map:
        """Convolve by F(4, 3), four cells at a time."""
        time, rows, inputs = x.shape
        tiles, row = time // TILE, rows * inputs
        # Six cells a tile, of which the next tile has the last two as well.
        six = _pad_time(x, 1).as_strided((tiles, 6, row), (TILE * row, row, 1))
        cells = (CELLS @ six).unflatten(2, (rows, inputs)).transpose(0, 1).reshape(6, tiles * rows, inputs)
        products = torch.bmm(cells, weights).view(6, -1)
        four = (BACK @ products).view(TILE, tiles, rows, self.outputs)
        return four.transpose(0, 1).reshape(time, rows, self.outputs).add_(self.bias)


class TimeMajorBlock:
    """A residual block."""

    def __init__(self, block: nn.Module) -> None:
        assert isinstance(block, Bottleneck)
        self.first, self.middle, self.last = (_convert(layers) for layers in block.residual.children())
        self.shortcut = None if isinstance(block.shortcut, nn.Identity) else _convert(block.shortcut)

    def __call__(self, x: Map) -> Map:
        inside = self.middle(self.first(x).relu_()).relu_()
        # Without a projection the sum is taken in place: nothing else needs the output of the block before it.
        return self.last.add_to(x if self.shortcut is None else self.shortcut(x), inside).relu_()


class HeadRows:
    """A head, applied to one chunk of rows at a time."""

    def __init__(self, head: ConceptHead | MergedHead, rows: int) -> None:
        merged = isinstance(head, MergedHead)
        self.hidden = None if merged else TimeMajorConvolution(head.hidden)
        self.relu = not merged and isinstance(head.relu, nn.ReLU)
        weight = head.weight if merged else head.predict.weight
        # [rows, potentials, outputs]: the order in which a map's cells hold them.
        self.weight = weight.detach()[..., 0].unflatten(1, (-1, rows)).permute(2, 1, 0).contiguous()
        bias = head.bias if merged else head.predict.bias
        assert bias is not None
        self.bias = bias.detach()

    def __call__(self, maps: Sequence[Map], first: int) -> Float[Tensor, "cells outputs"]:
        """Compute what the rows from `first` on add to the scores."""
        if self.hidden is not None:
            hidden = [self.hidden(x) for x in maps]
            maps = [x.relu_() for x in hidden] if self.relu else hidden
        cells = torch.cat([x.flatten(1) for x in maps])
        return cells @ self.weight[first : first + maps[0].shape[1]].flatten(0, 1)

    def finish(self, sums: Float[Tensor, "cells sums"], levels: Sequence[int]) -> Float[Tensor, "cells outputs"]:
        """Add the biases, and for a merged head its three taps, which stay within a level."""
        if self.hidden is not None:
            return sums + self.bias
        taps = sums.unflatten(1, (3, -1)).split(list(levels))
        cells = [F.pad(t[:-1, 0], (0, 0, 1, 0)) + t[:, 1] + F.pad(t[1:, 2], (0, 0, 0, 1)) for t in taps]
        return torch.cat(cells) + self.bias


class TimeMajor:
    """Backbone, pyramid and heads of a fused C-TCN whose groups share their filters and levels their heads.

    It holds copies of the weights in its own layout, on the CPU, in float32; it computes no gradients.
    """

    def __init__(
        self,
        backbone: ConceptBackbone,
        pyramid: Pyramid,
        heads: Sequence[ConceptHead | MergedHead],
        rows: int,
        dropped: int,
    ) -> None:
        """`dropped` of the finest scales are not used."""
        self.stem = [_convert(layers) for layers in backbone.stem.children()]
        self.stages = [[TimeMajorBlock(block) for block in stage.children()] for stage in backbone.stages]
        self.dropped = dropped
        self.laterals = [_convert(layer) for layer in pyramid.laterals]
        self.smoothings = [_convert(layer) for layer in pyramid.smoothings]
        self.coarser = [_convert(layer) for layer in pyramid.coarser]
        self.top_down = pyramid.top_down
        self.heads = [HeadRows(head, rows) for head in heads]
        self.widest = max(backbone.widths[0], self.laterals[0].outputs)

    def __call__(
        self, concepts: Float[Tensor, "batch inputs rows time"]
    ) -> list[Float[Tensor, "batch outputs cells"]]:
        """Compute the output of each head, as the modules would."""
        windows = [self._run_window(window.permute(2, 1, 0)) for window in concepts.float()]
        return [torch.stack(head).transpose(1, 2) for head in zip(*windows, strict=True)]

    def _run_window(self, x: Map) -> list[Float[Tensor, "cells outputs"]]:
        """Run one window, chunk by chunk of its rows."""
        time, rows, _ = x.shape
        chunk = max(1, STEM_STRIDE * CHUNK // (time * self.widest))
        sums: list[Tensor] = []
        levels: list[int] = []
        for first in range(0, rows, chunk):
            maps = self._compute_maps(x[:, first : first + chunk].contiguous())
            parts = [head(maps, first) for head in self.heads]
            sums = [total.add_(part) for total, part in zip(sums, parts, strict=True)] if sums else parts
            levels = [len(level) for level in maps]
        return [head.finish(total, levels) for head, total in zip(self.heads, sums, strict=True)]

    def _compute_maps(self, x: Map) -> list[Map]:
        """Compute the maps of the pyramid, finest first."""
        for convolution in self.stem:
            x = convolution(x).relu_()
        maps = []
        for stage in self.stages:
            for block in stage:
                x = block(x)
            maps.append(x)
        maps = maps[self.dropped :]
        pyramid = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        if self.top_down:
            for finer, coarser in zip(reversed(pyramid[:-1]), reversed(pyramid[1:]), strict=True):
                stretch = build_upsampling(len(coarser), len(finer)).to(coarser)
                finer.flatten(1).addmm_(stretch, coarser.flatten(1))
            for level, smoothing in enumerate(self.smoothings):
                pyramid[level] = smoothing(pyramid[level])
        x = maps[-1]
        for level, convolution in enumerate(self.coarser):
            x = convolution(x if level == 0 else x.relu())
            pyramid.append(x)
        return pyramid


def _convert(layer: nn.Module) -> TimeMajorConvolution:
    """Convert a convolution, or a CTC whose batch norm is fused."""
    layer = layer[0] if isinstance(layer, CTC) else layer
    assert isinstance(layer, nn.Conv2d)
    return TimeMajorConvolution(layer)


def _pad_time(x: Map, cells: int) -> Map:
    """Pad both ends with zeros."""
    return F.pad(x, (0, 0, 0, 0, cells, cells))


def build_upsampling(coarse: int, fine: int) -> Float[Tensor, "fine coarse"]:
    """Build the matrix of linear interpolation in time, ends on ends."""
    return F.interpolate(torch.eye(coarse)[None], size=fine, mode="linear", align_corners=True)[0].t()
