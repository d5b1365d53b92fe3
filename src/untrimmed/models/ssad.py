"""SSAD: default boxes of fixed widths on three layers of cells, each with its classes, overlap, centre and width.

Lin, Zhao and Shou, "Single Shot Temporal Action Detection" (ACM Multimedia 2017). Its code was never published; what
the paper leaves open is read from the authors' loss as Huang et al. ("Decoupling Localization and Classification in
Single Shot Temporal Action Detection", ICMEW 2019) released it, and docs/fidelity.md has each choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from untrimmed.models.anchors import apply_offsets, cell_anchors, to_segments
from untrimmed.models.base import Level, Model, ModelConfig, Proposals, Standardize, Targets, mask_padding
from untrimmed.models.matching import count_negatives, masked_mean, match, select_negatives

# The network and the loss, as in the paper and in Decouple-SSAD.
BASE_KERNEL = 9
POOL_SIZE = 4
RATIOS = (0.5, 0.75, 1.0, 1.5, 2.0)
# A refined box that overlaps an action by more answers for it; one that overlaps all by less is background.
POSITIVE = 0.5
# Background that predicts a larger overlap is always learned from.
HARD_OVERLAP = 0.5
LOCATION_WEIGHT = OVERLAP_WEIGHT = 10.0
# What an offset of 1 moves a centre by, in widths of its default box, and a width by, in its logarithm.
STEP = 0.1


@dataclass(frozen=True, kw_only=True)
class SSADConfig(ModelConfig):
    """The network, its boxes and its loss. Defaults are the paper's network.

    The improved one of Decouple-SSAD is `length=128, base=(512, 512), pool_stride=2, layers=(1024, 1024, 1024)`
    with all five ratios as `finest_ratios`.
    """

    name: Literal["ssad"] = "ssad"
    length: int = 512
    base: tuple[int, ...] = (256, 256)
    """Channels of the base convolutions, each with a max-pooling after it."""
    pool_stride: Literal[2, 4] = 4
    """What a max-pooling divides the cells by; two of 4 leave 1/16 of the window's."""
    layers: tuple[int, ...] = (512, 512, 512)
    """Channels of the anchor layers, finest first, each of half the cells of the one before."""
    width: float = 1.0
    """Multiplies all channels."""
    finest_ratios: tuple[float, ...] = (1.0, 1.5, 2.0)
    """Widths of a cell's boxes in the finest anchor layer, relative to the cell's own; coarser layers have five."""
    overlap_unit: Literal["score", "sigmoid"] = "score"
    """What the loss compares with the overlap, and thresholds judge: the bare prediction, or its sigmoid."""
    negatives: float = 1.0
    """Background boxes for each that answers for an action; random ones fill up what the hard ones leave."""
    most_background: float = 0.98
    """Boxes whose probability of background reaches this are not detected."""
    least_overlap: float = 0.1
    """Boxes that predict no more overlap than this are not detected."""
    labels: int = 3
    """The best classes of a box that are detected."""

    retired: ClassVar[dict[str, Any]] = {
        "base_kernel": BASE_KERNEL,
        "pool_size": POOL_SIZE,
        "ratios": list(RATIOS),
        "threshold": POSITIVE,
        "hard_overlap": HARD_OVERLAP,
        "location_weight": LOCATION_WEIGHT,
        "overlap_weight": OVERLAP_WEIGHT,
    }

    def __post_init__(self) -> None:
        sizes = (*self.finest_ratios, *self.base, *self.layers, self.width)
        if not (self.base and self.layers and self.finest_ratios) or min(sizes) <= 0:
            raise ValueError(
                "model: base, layers, finest_ratios and width are above 0, and there is at least one of each"
            )
        least = self.pool_stride ** len(self.base) * 2 ** len(self.layers)
        if self.length < least or self.length % least:
            raise ValueError(f"model.length = {self.length}: these layers need a multiple of {least} snippets")
        if not (self.negatives >= 0 and self.labels >= 1):
            raise ValueError("model: negatives is at least 0, labels at least 1")

    def build(self, channels: int, classes: int) -> "SSAD":
        return SSAD(self, channels, classes)


class SSADOutputs(NamedTuple):
    """Raw outputs of a batch. Boxes lie layer by layer, cell by cell, ratio by ratio."""

    logits: Float[Tensor, "batch boxes classes_and_background"]
    """The background is class 0."""
    overlaps: Float[Tensor, "batch boxes"]
    """Predicted tIoU of the refined box with the action that it is closest to, as `overlap_unit` has it."""
    offsets: Float[Tensor, "batch boxes 2"]
    """Of centre and width."""
    valid: Bool[Tensor, "batch boxes"]
    """False for padding."""


class SSAD(Model):
    """Base convolutions that shorten the window, anchor layers that halve it, and one prediction layer on each."""

    anchors: Tensor
    """Default boxes: centre and width in snippets."""

    def __init__(self, config: SSADConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        self.standardize = Standardize(channels)
        # Base convolutions, each with a max-pooling after it.
        base = [max(1, round(number * config.width)) for number in config.base]
        layers = [max(1, round(number * config.width)) for number in config.layers]
        self.base = nn.ModuleList(build_xavier_convolution(a, b, BASE_KERNEL) for a, b in pairwise([channels, *base]))
        stride = config.pool_stride
        self.pool = nn.MaxPool1d(POOL_SIZE, stride, padding=(POOL_SIZE - stride) // 2)
        # Anchor layers, each of half the cells of the one before.
        self.layers = nn.ModuleList(build_xavier_convolution(a, b, 3, 2) for a, b in pairwise([base[-1], *layers]))
        # Classes, background, overlap, centre and width of every box.
        values = classes + 4
        ratios = [config.finest_ratios, *[RATIOS] * (len(layers) - 1)]
        self.heads = nn.ModuleList(
            build_xavier_convolution(width, len(widths) * values, 3)[0]
            for width, widths in zip(layers, ratios, strict=True)
        )
        boxes = [
            cell_anchors(self.length, level.cells, widths) for level, widths in zip(self.levels, ratios, strict=True)
        ]
        self.register_buffer("anchors", torch.cat(boxes), persistent=False)

    @property
    def levels(self) -> tuple[Level, ...]:
        config, levels = self.config, []
        # A layer of kernel k widens the receptive field by (k - 1) steps; a stride widens the steps after it.
        field, step = 1, 1
        for _ in config.base:
            field += (BASE_KERNEL + POOL_SIZE - 2) * step
            step *= config.pool_stride
        for _ in config.layers:
            field, step = field + 2 * step, 2 * step
            levels.append(Level(self.length // step, field))
        return tuple(levels)

    @property
    def anchor_count(self) -> int:
        return len(self.anchors)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> SSADOutputs:
        outputs, valid = [], []
        for (features, cells), head in zip(self._compute_feature_maps(x, mask), self.heads, strict=True):
            values = head(features).transpose(1, 2).unflatten(2, (-1, self.classes + 4))
            valid.append(cells.repeat_interleave(values.shape[2], 1))
            outputs.append(values.flatten(1, 2))
        logits, overlaps, offsets = torch.cat(outputs, 1).float().split([self.classes + 1, 1, 2], -1)
        overlaps = overlaps.squeeze(-1)
        if self.config.overlap_unit == "sigmoid":
            overlaps = overlaps.sigmoid()
        return SSADOutputs(logits, overlaps, offsets, torch.cat(valid, 1))

    def _compute_feature_maps(self, x: Tensor, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Compute every anchor layer's map [batch, channels, cells] and its valid cells [batch, cells]."""
        ends = mask.sum(1, keepdim=True) / self.length
        x, valid = self.standardize(x, mask), mask
        for layer in self.base:
            x = self.pool(mask_padding(layer(x), valid))
            # Again, because a max-pooling that is wider than its stride looks across the end.
            valid = find_valid_cells(x.shape[2], ends)
            x = mask_padding(x, valid)
        for layer in self.layers:
            x = layer(x)
            valid = find_valid_cells(x.shape[2], ends)
            x = mask_padding(x, valid)
            yield x, valid

    def loss(self, outputs: SSADOutputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Compute cross-entropy, and smooth L1 of ends (in windows) and of overlaps, each a mean over its boxes.

        Boxes are matched where their offsets move them; the matching and the overlap to predict have no gradient.
        """
        segments = to_segments(self._refine_boxes(outputs) / self.length)
        matches = match(segments.detach(), outputs.valid, targets, unit=self.length)
        positive = matches.overlap > POSITIVE
        negative = outputs.valid & (matches.overlap < POSITIVE)
        # Every hard negative, and as many random ones of the whole batch as they are too few.
        hard = negative & (outputs.overlaps > HARD_OVERLAP)
        missing = count_negatives(positive, self.config.negatives) - hard.sum()
        learned = positive | hard | select_negatives(outputs.overlaps, negative & ~hard, missing, "random")
        labels = torch.where(positive, matches.labels + 1, 0)
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), labels, reduction="none")
        # Of both ends, in windows, over positives; and of the predicted overlap, over all that is learned from.
        errors = F.smooth_l1_loss(segments, matches.segments, reduction="none").sum(-1)
        misses = F.smooth_l1_loss(outputs.overlaps, matches.overlap, reduction="none")
        return {
            "class": masked_mean(entropy, learned),
            "location": LOCATION_WEIGHT * masked_mean(errors, positive),
            "overlap": OVERLAP_WEIGHT * masked_mean(misses, learned),
        }

    def _refine_boxes(self, outputs: SSADOutputs) -> Float[Tensor, "batch boxes 2"]:
        """Compute the refined centre and width, in snippets."""
        return apply_offsets(self.anchors.expand_as(outputs.offsets), outputs.offsets, STEP)

    def decode(self, outputs: SSADOutputs) -> list[Proposals]:
        """Score valid boxes by class probability times the sigmoid of the overlap; 0 for what is not detected.

        It is 0 rather than dropped because late fusion averages detectors box by box.
        """
        config, overlaps = self.config, outputs.overlaps
        probabilities = outputs.logits.softmax(-1)
        # Both limits are those of Decouple-SSAD, which drops such boxes.
        detected = (probabilities[..., 0] < config.most_background) & (overlaps > config.least_overlap)
        # The sigmoid alone is wanted at detection: thresholds and loss take the prediction as it is.
        overlaps = overlaps if config.overlap_unit == "sigmoid" else overlaps.sigmoid()
        scores = probabilities[..., 1:] * (overlaps * detected)[..., None]
        # The best `labels` classes of a box; 0 for the others.
        best = scores.topk(min(config.labels, self.classes), -1)
        scores = torch.zeros_like(scores).scatter(-1, best.indices, best.values)
        segments = to_segments(self._refine_boxes(outputs))
        return [Proposals(s[valid], p[valid]) for s, p, valid in zip(segments, scores, outputs.valid, strict=True)]


def build_xavier_convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Build a convolution with ReLU, its weights scaled as Glorot and Bengio (2010) do."""
    layer = nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return nn.Sequential(layer, nn.ReLU())


def find_valid_cells(cells: int, ends: Float[Tensor, "batch 1"]) -> Bool[Tensor, "batch cells"]:
    """Find the cells whose centre lies before the end of the video, which is in windows.

    The first is always valid, or the shortest videos would have none.
    """
    index = torch.arange(cells, device=ends.device)
    return ((index + 0.5) / cells < ends) | (index == 0)
