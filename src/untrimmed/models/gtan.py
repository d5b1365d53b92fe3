"""GTAN: default boxes as wide as Gaussian kernels that the network learns, cell by cell, and merges.

Long et al., "Gaussian Temporal Awareness Networks for Action Localization" (CVPR 2019). Where the paper leaves a
choice, docs/fidelity.md has it with its reasons, and the setting that chooses otherwise.
"""

import math
from collections.abc import Sequence
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
from untrimmed.models.default_boxes import Choice, assign, background_number, goals, mean_of, moved, sample
from untrimmed.models.gaussian_kernels import (
    Kernels,
    Pooling,
    cell_centres,
    default_boxes,
    group,
    merged_sigma,
    places,
    pool,
)

# The narrowest a kernel can become, in cells.
LEAST = 1e-3


@dataclass(frozen=True, kw_only=True)
class GTANConfig(Config):
    """The network, its kernels and its loss. Defaults are the paper's, as docs/fidelity.md reads it."""

    name: Literal["gtan"] = "gtan"
    length: int = 512
    """Snippets of a window."""
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
    class_per_box: bool = True
    """Every box has class scores of its own; else those of a kernel share them."""
    one_label: bool = True
    """A box stands for its best class alone (Eq. 10); else for every class with that class's score."""
    norm: Literal["none", "group"] = "none"
    """Group normalisation after each convolution; the paper has none."""
    dropout: float = 0.0
    """Share of a pooled feature's values that is dropped in training; the paper has none."""
    foreground: float = 0.8
    """A default box that overlaps a truth by more answers for it."""
    background: float = 0.3
    """A default box that overlaps every truth by less is background."""
    force_match: bool = False
    """Every truth gets at least one box, however small the overlap."""
    negatives: float = 1.0
    """Background boxes for each foreground box."""
    negative_choice: Choice = "hardest"
    overlap_boxes: Literal["touching", "all"] = "touching"
    """Boxes that the overlap score learns from: those that touch a truth, or every one."""
    location_unit: Literal["box", "cell", "snippet", "video"] = "box"
    """What errors of centre and width are measured in (Eq. 8): widths of the default box, cells of its layer,
    snippets, or windows."""
    centre_step: float = 1.0
    """alpha 1 of Eq. 5."""
    width_step: float = 1.0
    """alpha 2 of Eq. 5."""
    location_weight: float = 2.0
    """beta of Eq. 6."""
    overlap_weight: float = 75.0
    """gamma of Eq. 6."""

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
        if not 0 <= self.background <= self.foreground <= 1:
            raise ValueError(
                f"model.background = {self.background}, foreground = {self.foreground}: must rise from 0 to 1"
            )
        if not (0 <= self.dropout < 1 and self.negatives >= 0 and self.sigma_step >= 0):
            raise ValueError("model: dropout lies in [0, 1), negatives and sigma_step are at least 0")

    def build(self, channels: int, classes: int) -> "GTAN":
        """The network for features of `channels` channels and `classes` classes."""
        return GTAN(self, channels, classes)

    def channels(self, number: int) -> int:
        """A layer's channels after the width multiplier; whole groups of 8 where they are normalised in groups."""
        many = max(1, round(number * self.width))
        return -(-many // 8) * 8 if self.norm == "group" else many


class Outputs(NamedTuple):
    """Raw outputs of a batch. Boxes lie layer by layer, kernel by kernel, ratio by ratio; merged kernels last."""

    logits: Float[Tensor, "batch boxes classes_and_background"]
    """The background is class 0."""
    offsets: Float[Tensor, "batch boxes 2"]
    overlaps: Float[Tensor, "batch boxes"]
    """Predicted tIoU of the default box with what it is closest to."""
    boxes: Float[Tensor, "batch boxes 2"]
    """Default boxes: centre and width in windows, with the gradient of the kernel's width."""
    real: Bool[Tensor, "batch boxes"]


class GTAN(Model):
    """The detector of Fig. 2: a base network, anchor layers, a kernel a cell, and three predictions a box."""

    def __init__(self, config: GTANConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        self.standardize = Standardize(channels)
        first, second = (config.channels(number) for number in config.base)
        widths = [second, *(config.channels(number) for number in config.layers)]
        self.conv1 = convolution(channels, first, config)
        self.conv2 = convolution(first, second, config)
        self.pool1 = nn.MaxPool1d(3, stride=2, padding=1)
        self.layers = nn.ModuleList(convolution(a, b, config, stride=2) for a, b in pairwise(widths))
        self.sigmas = nn.ModuleList()
        if config.kernels != "fixed":
            self.sigmas.extend(nn.Conv1d(b, 1, 3, padding=1) for b in widths[1:])
        for branch in self.sigmas.parameters():
            nn.init.zeros_(branch)
        self.heads = nn.ModuleList(Head(config, b, classes) for b in widths[1:])
        self.register_buffer("ratios", torch.tensor(config.ratios), persistent=False)
        step = torch.cat([torch.full((cells + self._merged(cells),), 1 / cells) for cells in self._cells])
        self.register_buffer("steps", step.repeat_interleave(len(config.ratios)), persistent=False)

    ratios: Tensor
    steps: Tensor
    """Of every box, the width of a cell of its layer in windows."""

    def _merged(self, cells: int) -> int:
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
        """Default boxes of a window; with grouping, the most there can be."""
        return len(self.steps)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Outputs:
        return self.predict(*self.look(x, mask))

    def predict(self, maps: list[Tensor], real: list[Tensor], kernels: list[Kernels]) -> Outputs:
        """The outputs of what `look` saw."""
        outputs = []
        for features, cells, found, head in zip(maps, real, kernels, self.heads, strict=True):
            outputs.append(head(self._pooled(features, cells, found)))
        logits, offsets, overlaps = (torch.cat(parts, 1) for parts in zip(*outputs, strict=True))
        boxes = torch.cat([default_boxes(found, self.ratios) for found in kernels], 1)
        real_boxes = torch.cat([found.real for found in kernels], 1).repeat_interleave(len(self.ratios), 1)
        return Outputs(logits.float(), offsets.float(), overlaps.float().squeeze(-1).sigmoid(), boxes, real_boxes)

    def _pooled(self, features: Tensor, real: Tensor, kernels: Kernels) -> Tensor:
        """The features of every kernel, section 3.4; a fixed box has those of its cell."""
        if self.config.kernels == "fixed":
            return features
        seen = kernels._replace(sigma=kernels.sigma.detach()) if self.config.sigma_from == "boxes" else kernels
        return pool(features, real, seen, self.config.pooling)

    def look(
        self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]
    ) -> tuple[list[Tensor], list[Tensor], list[Kernels]]:
        """Every anchor layer's map [batch, channels, cells], its real cells [batch, cells], and its kernels."""
        x = masked(self.conv1(self.standardize(x, mask)), mask)
        x = self.pool1(masked(self.conv2(x), mask))
        # A cell is real when its centre lies inside the video.
        ends = mask.sum(1, keepdim=True) / self.length
        maps, real = [], []
        for layer, cells in zip(self.layers, self._cells, strict=True):
            real.append(cell_centres(cells, x.device) < ends)
            x = masked(layer(x), real[-1])
            maps.append(x)
        return maps, real, self._kernels(maps, real)

    def _kernels(self, maps: list[Tensor], real: list[Tensor]) -> list[Kernels]:
        centres = [cell_centres(cells.shape[1], cells.device).expand(cells.shape) for cells in real]
        if self.config.kernels == "fixed":
            widths = [torch.full_like(centre, 1 / (2 * centre.shape[1])) for centre in centres]
            return [Kernels(*parts) for parts in zip(centres, widths, real, strict=True)]
        sigmas = [self._widths(branch(x)[:, 0]) for branch, x in zip(self.sigmas, maps, strict=True)]
        kernels = [Kernels(*parts) for parts in zip(centres, sigmas, real, strict=True)]
        return self._grouped(kernels) if self.config.kernels == "grouped" else kernels

    def _widths(self, said: Float[Tensor, "batch cells"]) -> Float[Tensor, "batch cells"]:
        """Sigma in windows, from what the branch says; where that is 0, boxes are as wide as a cell."""
        cells, video = said.shape[1], self.config.sigma_unit == "video"
        unit = 1.0 if video else 1 / cells
        # Never so narrow that a curve has no weight; not clamped, for from there no gradient would lead back.
        least = LEAST / cells / unit
        start = (0.5 / cells / unit - least) / (1 - 2 * least)
        free = (math.log(start / (1 - start)) + self.config.sigma_step * said.float()).sigmoid()
        return unit * (least + (1 - 2 * least) * free)

    def _grouped(self, kernels: list[Kernels]) -> list[Kernels]:
        """With the merged kernels of each layer after those of its cells (section 3.3)."""
        cells = self._cells
        counts = torch.stack([layer.real.sum(1) for layer in kernels], 1)
        sigma = torch.cat([layer.sigma for layer in kernels], 1)
        found = group(sigma, cells, counts, self.config.group_tiou)
        widths = merged_sigma(sigma, found)
        # An unused place has a width of 0, which no curve can have.
        widths = torch.where(found.real, widths, 1.0)
        joined = []
        for layer, alone, at in zip(kernels, (found.group < 0).split(cells, 1), places(cells), strict=True):
            own = layer.real if self.config.keep_members else layer.real & alone
            merged = found.centre[:, at], widths[:, at], found.real[:, at]
            pairs = zip((layer.centre, layer.sigma, own), merged, strict=True)
            joined.append(Kernels(*(torch.cat(pair, 1) for pair in pairs)))
        return joined

    def loss(self, outputs: Outputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Eqs. 6-9. Which boxes are foreground is decided anew each time, for boxes move; it has no gradient."""
        config, truth = self.config, pad(targets, outputs.logits.device)
        truth = truth._replace(segments=truth.segments / self.length)
        limits = {"foreground": config.foreground, "background": config.background, "force": config.force_match}
        found = assign(outputs.boxes.detach(), outputs.real, truth, **limits)
        goal = goals(found, truth, anchors.to_segments(outputs.boxes.detach()))
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), goal.labels, reduction="none")
        number = background_number(found.foreground, config.negatives)
        chosen = found.foreground | sample(entropy, found.background, number, config.negative_choice)
        boxes = self._moved(outputs), anchors.to_anchors(goal.segments)
        errors = F.smooth_l1_loss(*self._in_unit(*boxes, outputs.boxes), reduction="none").sum(-1)
        seen = found.overlap > 0 if config.overlap_boxes == "touching" else outputs.real
        missed = (outputs.overlaps - found.overlap) ** 2
        return {
            "class": mean_of(entropy, chosen),
            "location": config.location_weight * mean_of(errors, found.foreground),
            "overlap": config.overlap_weight * mean_of(missed, seen),
        }

    def _moved(self, outputs: Outputs) -> Float[Tensor, "batch boxes 2"]:
        """Eq. 5: the refined centre and width, in windows."""
        return moved(outputs.boxes, outputs.offsets, self.config.centre_step, self.config.width_step)

    def _in_unit(self, refined: Tensor, goal: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Both in the unit in which errors count."""
        unit = {
            "box": boxes.detach()[..., 1:],
            "cell": self.steps[:, None],
            "snippet": refined.new_full((1,), 1 / self.length),
            "video": refined.new_ones(1),
        }[self.config.location_unit]
        return refined / unit, goal / unit

    def decode(self, outputs: Outputs) -> list[Proposals]:
        """Eq. 10: class probability times predicted overlap, and the refined segments of the real boxes."""
        scores = outputs.logits.softmax(-1)[..., 1:] * outputs.overlaps[..., None]
        if self.config.one_label:
            scores = torch.where(scores == scores.amax(-1, keepdim=True), scores, 0)
        segments = anchors.to_segments(self._moved(outputs)) * self.length
        return [Proposals(s[real], p[real]) for s, p, real in zip(segments, scores, outputs.real, strict=True)]


class Head(nn.Module):
    """Class scores, offsets and overlap of every box of a layer's kernels, side by side (section 3.5)."""

    def __init__(self, config: GTANConfig, channels: int, classes: int) -> None:
        super().__init__()
        boxes, kernel = len(config.ratios), config.head_kernel
        self.boxes, self.class_per_box = boxes, config.class_per_box
        self.dropout = nn.Dropout(config.dropout)
        scores = (boxes if config.class_per_box else 1) * (classes + 1)
        self.score, self.move, self.overlap = (
            nn.Conv1d(channels, outputs, kernel, padding=kernel // 2) for outputs in (scores, boxes * 2, boxes)
        )
        for layer in (self.score, self.move, self.overlap):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Float[Tensor, "batch channels kernels"]) -> tuple[Tensor, Tensor, Tensor]:
        """[batch, boxes, classes and background], [batch, boxes, 2] and [batch, boxes, 1]."""
        x = self.dropout(x)
        scores, boxes = self.score(x).transpose(1, 2), self.boxes
        if self.class_per_box:
            scores = scores.unflatten(2, (boxes, -1)).flatten(1, 2)
        else:
            scores = scores.repeat_interleave(boxes, 1)
        return scores, self.move(x).transpose(1, 2).unflatten(2, (boxes, 2)).flatten(1, 2), per_box(self.overlap(x))


def per_box(x: Float[Tensor, "batch ratios kernels"]) -> Float[Tensor, "batch boxes 1"]:
    """A head's map as one value a box: kernel by kernel, ratio by ratio."""
    return x.transpose(1, 2).flatten(1)[..., None]


def convolution(inputs: int, outputs: int, config: GTANConfig, stride: int = 1) -> nn.Sequential:
    """A kernel of 3 and ReLU, its weights scaled for ReLU."""
    layer = nn.Conv1d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    norm: Sequence[nn.Module] = [nn.GroupNorm(8, outputs)] if config.norm == "group" else []
    return nn.Sequential(layer, *norm, nn.ReLU())
