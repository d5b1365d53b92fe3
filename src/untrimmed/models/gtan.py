"""GTAN: default boxes as wide as Gaussian kernels, which the network learns cell by cell, and merges.

Long et al., "Gaussian Temporal Awareness Networks for Action Localization" (CVPR 2019). Where the paper leaves a
choice, docs/fidelity.md has it with its reasons, and the setting that chooses otherwise.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from untrimmed.models.anchors import apply_offsets, to_anchors, to_segments
from untrimmed.models.base import Level, Model, ModelConfig, Proposals, Standardize, Targets, mask_padding
from untrimmed.models.gaussian_kernels import (
    Kernels,
    Pooling,
    compute_cell_centres,
    compute_default_boxes,
    group_kernels,
    merge_sigmas,
    pool_features,
    slice_groups,
)
from untrimmed.models.matching import NegativeChoice, count_negatives, masked_mean, match, select_negatives

# A default box that overlaps every action by less is background (section 3.5).
BACKGROUND = 0.3
# The narrowest a kernel can become, in cells.
LEAST_SIGMA = 1e-3


@dataclass(frozen=True, kw_only=True)
class GTANConfig(ModelConfig):
    """The network, its kernels and its loss. Defaults are the paper's, as docs/fidelity.md reads it."""

    name: Literal["gtan"] = "gtan"
    length: int = 512
    base: tuple[int, int] = (4096, 2048)
    """Channels of conv1 and conv2, which the paper does not give."""
    layers: tuple[int, ...] = (512, 512, 1024, 1024, 2048, 2048, 4096, 4096)
    """Channels of the anchor layers (Table 1), finest first; fewer make Fig. 7."""
    width: float = 1.0
    """Multiplies all channels."""
    kernels: Literal["fixed", "gaussian", "grouped"] = "grouped"
    """Boxes as wide as a cell and no pooling; learned kernels; learned and merged ones (the rows of Table 3)."""
    group_tiou: float = 0.7
    """Neighbouring kernels merge when they overlap by more than this."""
    keep_members: bool = True
    """Kernels that were merged stay beside the merged one; else only it remains, as Algorithm 1 returns them."""
    sigma_unit: Literal["video", "cell"] = "video"
    """What a sigma in (0, 1) is a fraction of: the window (Eq. 1), or a cell of its layer (Eq. 2)."""
    sigma_step: float = 1.0
    """Multiplies what the branch of widths adds to their start: below 1 boxes change slower than the rest learns."""
    sigma_from: Literal["all", "boxes"] = "all"
    """What widths learn from: from what their curves pool and from their boxes, or from their boxes alone."""
    pooling: Pooling = "mean"
    ratios: tuple[float, ...] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
    """Widths of a kernel's boxes, relative to the kernel's own."""
    head_kernel: Literal[1, 3] = 1
    """Kernels that a prediction sees: its own, or its two neighbours too, which merged ones have not."""
    one_label: bool = True
    """A box stands for its best class alone (Eq. 10); else for every class with that class's score."""
    dropout: float = 0.0
    """Share of a pooled feature's values that is dropped in training; the paper has none."""
    foreground: float = 0.8
    """A default box that overlaps an action by more answers for it."""
    force_match: bool = False
    """Every action gets at least one box, however small the overlap."""
    negatives: float = 1.0
    """Background boxes for each foreground box."""
    negative_choice: NegativeChoice = "hardest"
    overlap_boxes: Literal["touching", "all"] = "touching"
    """Boxes that the overlap score learns from: those that touch an action, or every one."""
    location_unit: Literal["box", "cell", "snippet", "video"] = "box"
    """What errors of centre and width are measured in (Eq. 8): widths of the default box, cells of its layer,
    snippets, or windows."""
    location_weight: float = 2.0
    """beta of Eq. 6."""
    overlap_weight: float = 75.0
    """gamma of Eq. 6."""

    retired: ClassVar[dict[str, Any]] = {
        "class_per_box": True,
        "norm": "none",
        "background": BACKGROUND,
        "centre_step": 1.0,
        "width_step": 1.0,
    }

    def __post_init__(self) -> None:
        if not self.layers or not self.ratios or min(*self.ratios, *self.base, *self.layers, self.width) <= 0:
            raise ValueError("model: base, layers, ratios and width are above 0, and there is at least one of each")
        least = 2 ** (len(self.layers) + 1)
        if self.length < least or self.length % least:
            raise ValueError(
                f"model.length = {self.length}: {len(self.layers)} layers need a multiple of {least} snippets"
            )
        if self.head_kernel == 3 and self.kernels == "grouped":
            raise ValueError(
                "model.head_kernel = 3: a merged kernel has no neighbours; set model.kernels = 'gaussian'"
            )
        if not BACKGROUND <= self.foreground <= 1:
            raise ValueError(f"model.foreground = {self.foreground}: must lie between {BACKGROUND} and 1")
        if not (0 <= self.dropout < 1 and self.negatives >= 0 and self.sigma_step >= 0):
            raise ValueError("model: dropout lies in [0, 1), negatives and sigma_step are at least 0")

    def build(self, channels: int, classes: int) -> "GTAN":
        return GTAN(self, channels, classes)

    def scale_channels(self, number: int) -> int:
        """Compute a layer's channels after the width multiplier."""
        return max(1, round(number * self.width))


class GTANOutputs(NamedTuple):
    """Raw outputs of a batch. Boxes lie layer by layer, kernel by kernel, ratio by ratio; merged kernels last."""

    logits: Float[Tensor, "batch boxes classes_and_background"]
    """The background is class 0."""
    offsets: Float[Tensor, "batch boxes 2"]
    overlaps: Float[Tensor, "batch boxes"]
    """Predicted tIoU of the default box with the action that it is closest to."""
    boxes: Float[Tensor, "batch boxes 2"]
    """Default boxes: centre and width in windows, with the gradient of the kernel's width."""
    valid: Bool[Tensor, "batch boxes"]
    """False for padding and for places that no kernel uses."""


class GTAN(Model):
    """The detector of Fig. 2: a base network, anchor layers, a kernel a cell, and three predictions a box."""

    ratios: Tensor
    steps: Tensor
    """Of every box, the width of a cell of its layer in windows."""

    def __init__(self, config: GTANConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        self.standardize = Standardize(channels)
        # The base network of Table 1: two convolutions and a max-pooling.
        first, second = (config.scale_channels(number) for number in config.base)
        self.conv1 = build_kaiming_convolution(channels, first)
        self.conv2 = build_kaiming_convolution(first, second)
        self.pool1 = nn.MaxPool1d(3, stride=2, padding=1)
        # Anchor layers, each of half the cells of the one before.
        widths = [second, *(config.scale_channels(number) for number in config.layers)]
        self.layers = nn.ModuleList(build_kaiming_convolution(a, b, stride=2) for a, b in pairwise(widths))
        # A sigma for every cell (section 3.2). All start at 0, so that every cell begins with one width.
        self.sigmas = nn.ModuleList()
        if config.kernels != "fixed":
            self.sigmas.extend(nn.Conv1d(b, 1, 3, padding=1) for b in widths[1:])
        for parameter in self.sigmas.parameters():
            nn.init.zeros_(parameter)
        self.heads = nn.ModuleList(BoxHead(config, b, classes) for b in widths[1:])
        # Not saved: settings make them again.
        self.register_buffer("ratios", torch.tensor(config.ratios), persistent=False)
        step = torch.cat([torch.full((cells + self._count_groups(cells),), 1 / cells) for cells in self._cells])
        self.register_buffer("steps", step.repeat_interleave(len(config.ratios)), persistent=False)

    def _count_groups(self, cells: int) -> int:
        """Count the places for merged kernels of a layer: two cells make one at least."""
        return cells // 2 if self.config.kernels == "grouped" else 0

    @property
    def _cells(self) -> list[int]:
        return [self.length // 2 ** (layer + 2) for layer in range(len(self.config.layers))]

    @property
    def levels(self) -> tuple[Level, ...]:
        # Two kernels of 3, a pooling of 3 and stride 2, and a kernel of 3 and stride 2 a layer: 11, 19, 35, ...
        return tuple(Level(cells, 2 ** (layer + 3) + 3) for layer, cells in enumerate(self._cells))

    @property
    def anchor_count(self) -> int:
        """The number of default boxes of a window; with grouping, the most there can be."""
        return len(self.steps)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> GTANOutputs:
        return self.predict_boxes(*self.compute_feature_maps(x, mask))

    def compute_feature_maps(
        self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> tuple[list[Tensor], list[Tensor], list[Kernels]]:
        """Compute each anchor layer's map [batch, channels, cells], valid cells [batch, cells] and kernels."""
        x = mask_padding(self.conv1(self.standardize(x, mask)), mask)
        x = self.pool1(mask_padding(self.conv2(x), mask))
        # A cell is valid when its centre lies inside the video.
        ends = mask.sum(1, keepdim=True) / self.length
        maps, valid = [], []
        for layer, cells in zip(self.layers, self._cells, strict=True):
            valid.append(compute_cell_centres(cells, x.device) < ends)
            x = mask_padding(layer(x), valid[-1])
            maps.append(x)
        return maps, valid, self._build_kernels(maps, valid)

    def _build_kernels(self, maps: list[Tensor], valid: list[Tensor]) -> list[Kernels]:
        """Build each layer's kernels, one a cell, and with grouping the merged ones after them."""
        centres = [compute_cell_centres(cells.shape[1], cells.device).expand(cells.shape) for cells in valid]
        # A fixed box is as wide as its cell: sigma is half of that (Eq. 2, ratio 1).
        if self.config.kernels == "fixed":
            sigmas = [torch.full_like(centre, 1 / (2 * centre.shape[1])) for centre in centres]
        else:
            sigmas = [self._compute_sigmas(branch(x)[:, 0]) for branch, x in zip(self.sigmas, maps, strict=True)]
        kernels = [Kernels(*parts) for parts in zip(centres, sigmas, valid, strict=True)]
        return self._merge_kernels(kernels) if self.config.kernels == "grouped" else kernels

    def _compute_sigmas(self, logits: Float[Tensor, "batch cells"]) -> Float[Tensor, "batch cells"]:
        """Compute sigma in windows from the outputs of its branch; where those are 0, boxes are as wide as a cell."""
        cells, video = logits.shape[1], self.config.sigma_unit == "video"
        unit = 1.0 if video else 1 / cells
        # Never so narrow that a curve has no weight; not clamped, because from there no gradient would lead back.
        least = LEAST_SIGMA / cells / unit
        # sigma = least + (1 - 2 least) sigmoid(logit(start) + step * output), so that it starts at half a cell.
        start = (0.5 / cells / unit - least) / (1 - 2 * least)
        free = (math.log(start / (1 - start)) + self.config.sigma_step * logits.float()).sigmoid()
        return unit * (least + (1 - 2 * least) * free)

    def _merge_kernels(self, kernels: list[Kernels]) -> list[Kernels]:
        """Append the merged kernels of each layer to those of its cells (section 3.3)."""
        cells = self._cells
        counts = torch.stack([layer.valid.sum(1) for layer in kernels], 1)
        sigma = torch.cat([layer.sigma for layer in kernels], 1)
        groups = group_kernels(sigma, cells, counts, self.config.group_tiou)
        # An unused place has a width of 0, which no curve can have.
        merged = torch.where(groups.valid, merge_sigmas(sigma, groups), 1.0)
        layers = []
        for layer, alone, at in zip(kernels, (groups.group < 0).split(cells, 1), slice_groups(cells), strict=True):
            valid = layer.valid if self.config.keep_members else layer.valid & alone
            pairs = (layer.centre, groups.centre), (layer.sigma, merged), (valid, groups.valid)
            layers.append(Kernels(*(torch.cat([of_cells, of_groups[:, at]], 1) for of_cells, of_groups in pairs)))
        return layers

    def predict_boxes(self, maps: list[Tensor], valid: list[Tensor], kernels: list[Kernels]) -> GTANOutputs:
        """Predict every box from what `compute_feature_maps` gives."""
        layers = zip(self.heads, maps, valid, kernels, strict=True)
        outputs = [head(self._pool_features(x, cells, layer)) for head, x, cells, layer in layers]
        logits, offsets, overlaps = (torch.cat(parts, 1) for parts in zip(*outputs, strict=True))
        boxes = torch.cat([compute_default_boxes(layer, self.ratios) for layer in kernels], 1)
        valid_boxes = torch.cat([layer.valid for layer in kernels], 1).repeat_interleave(len(self.ratios), 1)
        return GTANOutputs(
            logits.float(), offsets.float(), overlaps.float().squeeze(-1).sigmoid(), boxes, valid_boxes
        )

    def _pool_features(self, features: Tensor, valid: Tensor, kernels: Kernels) -> Tensor:
        """Compute the features of every kernel (section 3.4); a fixed box has those of its cell."""
        if self.config.kernels == "fixed":
            return features
        # What a curve pools may pull its box away from the action: then widths learn from their boxes alone.
        if self.config.sigma_from == "boxes":
            kernels = kernels._replace(sigma=kernels.sigma.detach())
        return pool_features(features, valid, kernels, self.config.pooling)

    def loss(self, outputs: GTANOutputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Compute Eq. 6: cross-entropy (Eq. 7), smooth L1 of centre and width (Eq. 8), squared overlap error (Eq. 9).

        Each is a mean over its boxes. Which boxes are positive is decided at every step, because boxes move; the
        decision and the overlap to predict have no gradient.
        """
        config = self.config
        # Default boxes are matched where the kernels laid them, before their offsets.
        segments = to_segments(outputs.boxes.detach())
        matches = match(segments, outputs.valid, targets, unit=self.length, force=config.force_match)
        positive = matches.forced | (matches.overlap > config.foreground)
        negative = outputs.valid & ~positive & (matches.overlap < BACKGROUND)
        # Eq. 7, over positives and as many negatives as `negatives` says.
        labels = torch.where(positive, matches.labels + 1, 0)
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), labels, reduction="none")
        number = count_negatives(positive, config.negatives)
        learned = positive | select_negatives(entropy, negative, number, config.negative_choice)
        # Eq. 8, over positives.
        unit = self._location_unit(outputs.boxes)
        refined, expected = self._refine_boxes(outputs) / unit, to_anchors(matches.segments) / unit
        errors = F.smooth_l1_loss(refined, expected, reduction="none").sum(-1)
        # Eq. 9, over boxes that touch an action.
        touching = matches.overlap > 0 if config.overlap_boxes == "touching" else outputs.valid
        misses = (outputs.overlaps - matches.overlap) ** 2
        return {
            "class": masked_mean(entropy, learned),
            "location": config.location_weight * masked_mean(errors, positive),
            "overlap": config.overlap_weight * masked_mean(misses, touching),
        }

    def _refine_boxes(self, outputs: GTANOutputs) -> Float[Tensor, "batch boxes 2"]:
        """Compute the refined centre and width of Eq. 5, in windows."""
        return apply_offsets(outputs.boxes, outputs.offsets)

    def _location_unit(self, boxes: Float[Tensor, "batch boxes 2"]) -> Tensor:
        """Return the unit of location errors, in windows."""
        return {
            # Were its gradient followed, a box could lower its loss by growing.
            "box": boxes.detach()[..., 1:],
            "cell": self.steps[:, None],
            "snippet": boxes.new_full((1,), 1 / self.length),
            "video": boxes.new_ones(1),
        }[self.config.location_unit]

    def decode(self, outputs: GTANOutputs) -> list[Proposals]:
        """Score valid boxes by Eq. 10, class probability times predicted overlap, and refine their segments."""
        # Eq. 10 ranks a box by its best action class; the background is class 0.
        scores = outputs.logits.softmax(-1)[..., 1:] * outputs.overlaps[..., None]
        if self.config.one_label:
            scores = torch.where(scores == scores.amax(-1, keepdim=True), scores, 0)
        segments = to_segments(self._refine_boxes(outputs)) * self.length
        return [Proposals(s[valid], p[valid]) for s, p, valid in zip(segments, scores, outputs.valid, strict=True)]


class BoxHead(nn.Module):
    """Class scores, offsets and overlap of every box of a layer's kernels: three convolutions (section 3.5)."""

    def __init__(self, config: GTANConfig, channels: int, classes: int) -> None:
        super().__init__()
        boxes, kernel = len(config.ratios), config.head_kernel
        self.boxes = boxes
        self.dropout = nn.Dropout(config.dropout)
        self.score, self.move, self.overlap = (
            nn.Conv1d(channels, outputs, kernel, padding=kernel // 2)
            for outputs in (boxes * (classes + 1), boxes * 2, boxes)
        )
        for layer in (self.score, self.move, self.overlap):
            # Predictions begin near 0, so that no term of the loss drowns the others.
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Float[Tensor, "batch channels kernels"]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute [batch, boxes, classes and background], [batch, boxes, 2] and [batch, boxes, 1]."""
        x = self.dropout(x)
        scores, offsets, overlaps = (
            # Kernel by kernel, ratio by ratio.
            layer(x).transpose(1, 2).unflatten(2, (self.boxes, -1)).flatten(1, 2)
            for layer in (self.score, self.move, self.overlap)
        )
        return scores, offsets, overlaps


def build_kaiming_convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Build a convolution of kernel 3 with ReLU, its weights scaled for ReLU (He et al., 2015)."""
    layer = nn.Conv1d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return nn.Sequential(layer, nn.ReLU())
