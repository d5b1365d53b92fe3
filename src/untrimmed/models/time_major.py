"""C-TCN's pyramid for detection on a CPU: the same numbers from fewer multiplications and shorter ways to memory.

Concepts share their filters and meet only in the last layer of a head. So the network can take some of them at once,
few enough that their maps stay in the cache, and with time as the outermost dimension every layer is a product of
matrices that lie in one piece. Kernels of 3 make four neighbouring cells by six products in place of twelve, by the
F(4, 3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from untrimmed.models.pyramid import CTC, STEM_STRIDE, Backbone, Bottleneck, ConceptHead, MergedHead, Pyramid

# Values of the widest map of a chunk: 8 MiB, what a core finds in its caches.
ROOM = 2**21

# What Winograd's F(4, 3) makes of six cells, of three taps, and back: four cells of six products.
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


class Convolution:
    """A convolution along time, batch norm folded into it, as products of matrices."""

    def __init__(self, layer: nn.Conv2d) -> None:
        taps = layer.weight.detach()[:, :, 0].permute(2, 1, 0).contiguous()
        self.kernel, _, self.outputs = taps.shape
        self.stride = layer.stride[1]
        self.bias = taps.new_zeros(self.outputs) if layer.bias is None else layer.bias.detach()
        self.matrix = taps.flatten(0, 1)
        # In double precision, of which one rounding is left.
        fast = self.kernel == 3 and self.stride == 1
        self.winograd = torch.tensordot(TAPS, taps.double(), 1).to(taps) if fast else None

    def __call__(self, x: Map) -> Map:
        if self.winograd is not None and len(x) % TILE == 0:
            return self._by_tiles(x, self.winograd)
        padding = self.kernel // 2
        if padding:
            cells = (len(x) + 2 * padding - self.kernel) // self.stride + 1
            x = _padded(x, padding)
            last = self.stride * (cells - 1) + 1
            x = torch.cat([x[tap : tap + last : self.stride] for tap in range(self.kernel)], 2)
        else:
            x = x[:: self.stride]
        return torch.addmm(self.bias, x.flatten(0, 1), self.matrix).unflatten(0, x.shape[:2])

    def onto(self, sums: Map, x: Map) -> Map:
        """Of a kernel of 1: its output is added to `sums`, which it then is."""
        sums.flatten(0, 1).addmm_(x.flatten(0, 1), self.matrix)
        return sums.add_(self.bias)

    def _by_tiles(self, x: Map, weights: Float[Tensor, "6 inputs outputs"]) -> Map:
        time, rows, inputs = x.shape
        tiles, row = time // TILE, rows * inputs
        # Six cells a tile, of which two are the next tile's as well.
        six = _padded(x, 1).as_strided((tiles, 6, row), (TILE * row, row, 1))
        made = (CELLS @ six).unflatten(2, (rows, inputs)).transpose(0, 1).reshape(6, tiles * rows, inputs)
        products = torch.bmm(made, weights).view(6, -1)
        four = (BACK @ products).view(TILE, tiles, rows, self.outputs)
        return four.transpose(0, 1).reshape(time, rows, self.outputs).add_(self.bias)


class Block:
    """A residual block."""

    def __init__(self, block: nn.Module) -> None:
        assert isinstance(block, Bottleneck)
        self.first, self.middle, self.last = (_convolution(layers) for layers in block.residual.children())
        self.shortcut = None if isinstance(block.shortcut, nn.Identity) else _convolution(block.shortcut)

    def __call__(self, x: Map) -> Map:
        inside = self.middle(self.first(x).relu_()).relu_()
        # A block that keeps its input's shape follows another of its stage, and nothing else needs that one's output.
        return self.last.onto(x if self.shortcut is None else self.shortcut(x), inside).relu_()


class HeadRows:
    """A head's part that one chunk of rows has a say in."""

    def __init__(self, head: ConceptHead | MergedHead, rows: int) -> None:
        merged = isinstance(head, MergedHead)
        self.hidden = None if merged else Convolution(head.hidden)
        self.relu = not merged and isinstance(head.relu, nn.ReLU)
        weight = head.weight if merged else head.predict.weight
        # [rows, potentials, outputs]: the order in which a map's cells hold them.
        self.weight = weight.detach()[..., 0].unflatten(1, (-1, rows)).permute(2, 1, 0).contiguous()
        bias = head.bias if merged else head.predict.bias
        assert bias is not None
        self.bias = bias.detach()

    def __call__(self, maps: Sequence[Map], first: int) -> Float[Tensor, "cells outputs"]:
        """What the rows from `first` on add to the scores."""
        if self.hidden is not None:
            hidden = [self.hidden(x) for x in maps]
            maps = [x.relu_() for x in hidden] if self.relu else hidden
        cells = torch.cat([x.flatten(1) for x in maps])
        return cells @ self.weight[first : first + maps[0].shape[1]].flatten(0, 1)

    def finish(self, sums: Float[Tensor, "cells said"], levels: Sequence[int]) -> Float[Tensor, "cells outputs"]:
        """Bias, and for a merged head its three taps, which stay within a level."""
        if self.hidden is not None:
            return sums + self.bias
        taps = sums.unflatten(1, (3, -1)).split(list(levels))
        cells = [F.pad(t[:-1, 0], (0, 0, 1, 0)) + t[:, 1] + F.pad(t[1:, 2], (0, 0, 0, 1)) for t in taps]
        return torch.cat(cells) + self.bias


class TimeMajor:
    """Backbone, pyramid and heads of a folded C-TCN whose groups share their filters and levels their heads.

    It holds copies of the weights in its own layout, on the CPU, in float32; it computes no gradients.
    """

    def __init__(
        self, backbone: Backbone, pyramid: Pyramid, heads: Sequence[ConceptHead | MergedHead], rows: int, dropped: int
    ) -> None:
        """`dropped` of the finest scales are not used."""
        self.stem = [_convolution(layers) for layers in backbone.stem.children()]
        self.stages = [[Block(block) for block in stage.children()] for stage in backbone.stages]
        self.dropped = dropped
        self.laterals = [_convolution(layer) for layer in pyramid.laterals]
        self.smoothings = [_convolution(layer) for layer in pyramid.smoothings]
        self.coarser = [_convolution(layer) for layer in pyramid.coarser]
        self.top_down = pyramid.top_down
        self.heads = [HeadRows(head, rows) for head in heads]
        self.widest = max(backbone.widths[0], self.laterals[0].outputs)

    def __call__(
        self, concepts: Float[Tensor, "batch inputs rows time"]
    ) -> list[Float[Tensor, "batch outputs cells"]]:
        """What each head says, as the modules would."""
        windows = [self._window(window.permute(2, 1, 0)) for window in concepts.float()]
        return [torch.stack(head).transpose(1, 2) for head in zip(*windows, strict=True)]

    def _window(self, x: Map) -> list[Float[Tensor, "cells outputs"]]:
        time, rows, _ = x.shape
        few = max(1, STEM_STRIDE * ROOM // (time * self.widest))
        sums: list[Tensor] = []
        levels: list[int] = []
        for first in range(0, rows, few):
            maps = self._maps(x[:, first : first + few].contiguous())
            parts = [head(maps, first) for head in self.heads]
            sums = [total.add_(part) for total, part in zip(sums, parts, strict=True)] if sums else parts
            levels = [len(level) for level in maps]
        return [head.finish(total, levels) for head, total in zip(self.heads, sums, strict=True)]

    def _maps(self, x: Map) -> list[Map]:
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
                stretch = upsampling(len(coarser), len(finer)).to(coarser)
                finer.flatten(1).addmm_(stretch, coarser.flatten(1))
            for level, smoothing in enumerate(self.smoothings):
                pyramid[level] = smoothing(pyramid[level])
        x = maps[-1]
        for level, convolution in enumerate(self.coarser):
            x = convolution(x if level == 0 else x.relu())
            pyramid.append(x)
        return pyramid


def _convolution(layer: nn.Module) -> Convolution:
    """Of a convolution, or of a CTC whose batch norm is folded."""
    layer = layer[0] if isinstance(layer, CTC) else layer
    assert isinstance(layer, nn.Conv2d)
    return Convolution(layer)


def _padded(x: Map, cells: int) -> Map:
    return F.pad(x, (0, 0, 0, 0, cells, cells))


def upsampling(coarse: int, fine: int) -> Float[Tensor, "fine coarse"]:
    """Linear interpolation in time, ends on ends, as a matrix."""
    return F.interpolate(torch.eye(coarse)[None], size=fine, mode="linear", align_corners=True)[0].t()
