"""SSAD: default boxes of fixed widths on three layers of cells, each with its classes, overlap, centre and width.

Lin, Zhao and Shou, "Single Shot Temporal Action Detection" (ACM Multimedia 2017). Its code was never published; what
the paper leaves open is read from the authors' loss as Huang et al. ("Decoupling Localization and Classification in
Single Shot Temporal Action Detection", ICMEW 2019) released it, and docs/fidelity.md has each choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from untrimmed.io import Config
from untrimmed.models import anchors
from untrimmed.models.base import Level, Model, Proposals, Standardize, Targets, masked, pad
from untrimmed.models.default_boxes import assign, background_number, goals, mean_of, moved, sample

# What an offset of 1 moves a centre by, in widths of its default box, and a width by, in its logarithm.
STEP = 0.1


@dataclass(frozen=True, kw_only=True)
class SSADConfig(Config):
    """The network, its boxes and its loss. Defaults are the paper's network.

    The improved one of Decouple-SSAD is `length=128, base=(512, 512), pool_stride=2, layers=(1024, 1024, 1024)`
    with all five ratios as `finest_ratios`.
    """

    name: Literal["ssad"] = "ssad"
    length: int = 512
    """Snippets of a window."""
    base: tuple[int, ...] = (256, 256)
    """Channels of the base convolutions, each with a max-pooling after it."""
    base_kernel: int = 9
    """Kernel of the base convolutions."""
    pool_size: int = 4
    """Cells that a max-pooling sees."""
    pool_stride: int = 4
    """What a max-pooling divides the cells by; two of 4 leave 1/16 of the window's."""
    layers: tuple[int, ...] = (512, 512, 512)
    """Channels of the anchor layers, finest first, each of half the cells of the one before."""
    width: float = 1.0
    """Multiplies all channels."""
    ratios: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0)
    """Widths of a cell's boxes, relative to the cell's own."""
    finest_ratios: tuple[float, ...] = (1.0, 1.5, 2.0)
    """The same in the finest anchor layer."""
    overlap_unit: Literal["score", "sigmoid"] = "score"
    """What the loss compares with the overlap, and thresholds judge: the bare prediction, or its sigmoid."""
    threshold: float = 0.5
    """A moved box that overlaps a truth by more answers for it; one that overlaps all by less is background."""
    hard_overlap: float = 0.5
    """Background that predicts a larger overlap is always learned from."""
    negatives: float = 1.0
    """Background boxes for each that answers for a truth; random ones fill up what the hard ones leave."""
    location_weight: float = 10.0
    overlap_weight: float = 10.0
    most_background: float = 0.98
    """Boxes whose probability of background reaches this are not detected."""
    least_overlap: float = 0.1
    """Boxes that predict no more overlap than this are not detected."""
    labels: int = 3
    """The best classes of a box that are detected."""

    def __post_init__(self) -> None:
        sizes = (*self.ratios, *self.finest_ratios, *self.base, *self.layers, self.width)
        if not (self.base and self.layers and self.ratios and self.finest_ratios) or min(sizes) <= 0:
            raise ValueError("model: base, layers, ratios and width are above 0, and there is at least one of each")
        if self.base_kernel < 1 or self.base_kernel % 2 == 0:
            raise ValueError(f"model.base_kernel = {self.base_kernel}: must be odd, so that a cell is its middle")
        if not 1 <= self.pool_stride <= self.pool_size or (self.pool_size - self.pool_stride) % 2:
            raise ValueError(
                f"model.pool_size = {self.pool_size}, pool_stride = {self.pool_stride}: "
                "the size is the stride or an even number more"
            )
        least = self.pool_stride ** len(self.base) * 2 ** len(self.layers)
        if self.length < least or self.length % least:
            raise ValueError(f"model.length = {self.length}: these layers need a multiple of {least} snippets")
        if not (0 <= self.threshold < 1 and self.negatives >= 0 and self.labels >= 1):
            raise ValueError("model: threshold lies in [0, 1), negatives is at least 0, labels at least 1")

    def build(self, channels: int, classes: int) -> "SSAD":
        """The network for features of `channels` channels and `classes` classes."""
        return SSAD(self, channels, classes)


class Outputs(NamedTuple):
    """Raw outputs of a batch. Boxes lie layer by layer, cell by cell, ratio by ratio."""

    logits: Float[Tensor, "batch boxes classes_and_background"]
    """The background is class 0."""
    overlaps: Float[Tensor, "batch boxes"]
    """Predicted tIoU of the moved box with what it is closest to, as `overlap_unit` has it."""
    offsets: Float[Tensor, "batch boxes 2"]
    """Of centre and width."""
    real: Bool[Tensor, "batch boxes"]


class SSAD(Model):
    """Base convolutions that shorten the window, anchor layers that halve it, and one prediction layer on each."""

    def __init__(self, config: SSADConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        self.standardize = Standardize(channels)
        base, layers = (
            [max(1, round(c * config.width)) for c in several] for several in (config.base, config.layers)
        )
        kernel = config.base_kernel
        self.base = nn.ModuleList(convolution(a, b, kernel) for a, b in pairwise([channels, *base]))
        size, stride = config.pool_size, config.pool_stride
        self.pool = nn.MaxPool1d(size, stride, padding=(size - stride) // 2)
        self.layers = nn.ModuleList(convolution(a, b, 3, stride=2) for a, b in pairwise([base[-1], *layers]))
        # Classes, background, overlap, centre and width of every box.
        values = classes + 4
        ratios = [config.finest_ratios, *[config.ratios] * (len(layers) - 1)]
        self.heads = nn.ModuleList(
            convolution(width, len(each) * values, 3)[0] for width, each in zip(layers, ratios, strict=True)
        )
        boxes = [
            anchors.cell_anchors(self.length, level.cells, r) for level, r in zip(self.levels, ratios, strict=True)
        ]
        self.register_buffer("anchors", torch.cat(boxes), persistent=False)

    anchors: Tensor
    """Default boxes: centre and width in snippets."""

    @property
    def levels(self) -> tuple[Level, ...]:
        config, levels = self.config, []
        field, step = 1, 1
        for _ in config.base:
            field += (config.base_kernel + config.pool_size - 2) * step
            step *= config.pool_stride
        for _ in config.layers:
            field, step = field + 2 * step, 2 * step
            levels.append(Level(self.length // step, field))
        return tuple(levels)

    @property
    def anchor_count(self) -> int:
        return len(self.anchors)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Outputs:
        outputs, real = [], []
        for (features, cells), head in zip(self._maps(x, mask), self.heads, strict=True):
            values = head(features).transpose(1, 2).unflatten(2, (-1, self.classes + 4))
            real.append(cells.repeat_interleave(values.shape[2], 1))
            outputs.append(values.flatten(1, 2))
        logits, overlaps, offsets = torch.cat(outputs, 1).float().split([self.classes + 1, 1, 2], -1)
        overlaps = overlaps.squeeze(-1)
        if self.config.overlap_unit == "sigmoid":
            overlaps = overlaps.sigmoid()
        return Outputs(logits, overlaps, offsets, torch.cat(real, 1))

    def _maps(self, x: Tensor, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Every anchor layer's map [batch, channels, cells] and its real cells [batch, cells]."""
        ends = mask.sum(1, keepdim=True) / self.length
        x, real = self.standardize(x, mask), mask
        for layer in self.base:
            x = self.pool(masked(layer(x), real))
            # Again, for a max-pooling that is wider than its stride looks across the end.
            real = within(x.shape[2], ends)
            x = masked(x, real)
        for layer in self.layers:
            x = layer(x)
            real = within(x.shape[2], ends)
            x = masked(x, real)
            yield x, real

    def loss(self, outputs: Outputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Cross-entropy, and smooth L1 of ends (in windows) and of predicted overlaps, each a mean over its boxes.

        Which truth a box answers for is decided by the moved box; that decision and the overlap have no gradient.
        """
        config, truth = self.config, pad(targets, outputs.logits.device)
        truth = truth._replace(segments=truth.segments / self.length)
        boxes = self._moved(outputs) / self.length
        limits = {"foreground": config.threshold, "background": config.threshold, "force": False}
        found = assign(boxes.detach(), outputs.real, truth, **limits)
        segments = anchors.to_segments(boxes)
        goal = goals(found, truth, segments.detach())
        chosen = found.foreground | self._negatives(outputs.overlaps, found.foreground, found.background)
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), goal.labels, reduction="none")
        ends = F.smooth_l1_loss(segments, goal.segments, reduction="none").sum(-1)
        missed = F.smooth_l1_loss(outputs.overlaps, found.overlap, reduction="none")
        return {
            "class": mean_of(entropy, chosen),
            "location": config.location_weight * mean_of(ends, found.foreground),
            "overlap": config.overlap_weight * mean_of(missed, chosen),
        }

    def _negatives(
        self,
        overlaps: Float[Tensor, "batch boxes"],
        foreground: Bool[Tensor, "batch boxes"],
        background: Bool[Tensor, "batch boxes"],
    ) -> Bool[Tensor, "batch boxes"]:
        """All hard ones, and as many random others of the whole batch as they are too few."""
        hard = background & (overlaps > self.config.hard_overlap)
        number = background_number(foreground, self.config.negatives)
        return hard | sample(overlaps, background & ~hard, number - hard.sum(), "random")

    def _moved(self, outputs: Outputs) -> Float[Tensor, "batch boxes 2"]:
        """Adjusted centre and width, in snippets."""
        return moved(self.anchors.expand_as(outputs.offsets), outputs.offsets, STEP, STEP)

    def decode(self, outputs: Outputs) -> list[Proposals]:
        """Class probability times the sigmoid of the overlap, of the real boxes; 0 for what is not detected.

        It is 0 rather than gone because late fusion averages detectors box by box.
        """
        config, overlaps = self.config, outputs.overlaps
        likely = outputs.logits.softmax(-1)
        sure = overlaps if config.overlap_unit == "sigmoid" else overlaps.sigmoid()
        detected = (likely[..., 0] < config.most_background) & (overlaps > config.least_overlap)
        scores = likely[..., 1:] * (sure * detected)[..., None]
        best = scores.topk(min(config.labels, self.classes), -1)
        scores = torch.zeros_like(scores).scatter(-1, best.indices, best.values)
        segments = anchors.to_segments(self._moved(outputs))
        return [Proposals(s[real], p[real]) for s, p, real in zip(segments, scores, outputs.real, strict=True)]


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution and ReLU; weights start as Glorot and Bengio's."""
    layer = nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return nn.Sequential(layer, nn.ReLU())


def within(cells: int, ends: Float[Tensor, "batch 1"]) -> Bool[Tensor, "batch cells"]:
    """The real ones of a window's cells: their centre lies before the end of the video, which is in windows.

    The first always is, or the shortest videos would have none.
    """
    number = torch.arange(cells, device=ends.device)
    return ((number + 0.5) / cells < ends) | (number == 0)
