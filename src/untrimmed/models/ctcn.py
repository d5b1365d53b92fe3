"""C-TCN: concept-wise temporal convolution on a feature pyramid.

Li et al., "Deep Concept-wise Temporal Convolutional Networks for Action Localization" (ACM MM 2020), with the
readings of the released code that docs/fidelity.md lists. A map is [batch, potentials, concepts, time]; every
kernel is 1 x k, so concepts never mix, and all share one set of filters, until the prediction layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from untrimmed.config import Config
from untrimmed.models import anchors as boxes
from untrimmed.models.base import Level, Model, Proposals, Standardize, Targets

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


@dataclass(frozen=True, kw_only=True)
class CTCNConfig(Config):
    """The network, its anchors and its loss. Defaults are the released code's, with the paper's concepts."""

    name: Literal["ctcn"] = "ctcn"
    length: int = 512
    """Snippets of a window."""
    levels: int = 8
    """Scales of the pyramid from P2 on; the coarsest has length / 2^(levels + 1) cells."""
    concepts: int = 256
    """Concepts that a learned linear layer makes of the features; 0 takes the features as the concepts."""
    depth: Depth = 60
    width: float = 1.0
    """Multiplies the potentials of every layer."""
    class_head: int = 256
    """Potentials of the class head's hidden layer (the released code has 512)."""
    box_head: int = 256
    """Potentials of the box head's hidden layer."""
    dropout: float = 0.5
    """Share of a pyramid map's values that each head drops in training."""
    anchors: int = 7
    """Anchors a cell."""
    anchor_rule: boxes.AnchorRule = "release"
    coder: boxes.Coder = "release"
    bound: float = 5.0
    """Regressed offsets stay within plus and minus this; 0 leaves them free, as in the paper."""
    match_tiou: float = 0.5
    """An anchor that overlaps a truth so much is positive."""
    force_match: bool = True
    """Every truth gets at least one anchor, however small the overlap."""
    negatives: float = 3.0
    """Hardest negatives for each positive."""
    box_weight: float = 2.0
    """Weight of the localisation loss."""

    def __post_init__(self) -> None:
        least = 2 ** (self.levels + 1)
        if self.levels < STAGES:
            raise ValueError(f"model.levels = {self.levels}: the backbone alone has {STAGES}")
        if self.length < least or self.length % least:
            raise ValueError(
                f"model.length = {self.length}: {self.levels} levels need a multiple of {least} snippets"
            )
        if min(self.concepts, self.dropout, self.bound, self.negatives) < 0 or min(self.width, self.anchors) <= 0:
            raise ValueError(
                "model: concepts, dropout, bound and negatives are at least 0, width and anchors above 0"
            )

    def build(self, channels: int, classes: int) -> "CTCN":
        """The network for features of `channels` channels and `classes` action classes."""
        return CTCN(self, channels, classes)

    def potentials(self, number: int) -> int:
        """A layer's potentials after the width multiplier."""
        return max(1, round(number * self.width))


class Outputs(NamedTuple):
    """Raw outputs of a batch: class logits with the background first, coded boxes, and which anchors are real."""

    logits: Float[Tensor, "batch anchors classes_and_background"]
    offsets: Float[Tensor, "batch anchors 2"]
    real: Bool[Tensor, "batch anchors"]


class CTC(nn.Sequential):
    """A concept-wise temporal convolution with batch norm and, unless it ends a residual, ReLU (section 3.2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True) -> None:
        convolution = temporal(inputs, outputs, kernel, stride, bias=False)
        layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs)]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Bottleneck(nn.Module):
    """The residual block of Table A: 1 x 1, 1 x 3 with the stride, 1 x 1, and a shortcut."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            CTC(inputs, inner, 1), CTC(inner, inner, 3, stride), CTC(inner, outputs, 1, relu=False)
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else CTC(inputs, outputs, 1, stride, relu=False)

    def forward(self, x: Float[Tensor, "batch potentials concepts time"]) -> Float[Tensor, "batch p concepts t"]:
        return F.relu(self.residual(x) + self.shortcut(x))


class Backbone(nn.Module):
    """Stem and four residual stages; gives C2..C5 (Table A, with the widths of its output column)."""

    def __init__(self, config: CTCNConfig) -> None:
        super().__init__()
        stem = [config.potentials(32), config.potentials(64)]
        self.stem = nn.Sequential(CTC(1, stem[0], 7, 2), CTC(stem[0], stem[1], 7, 2))
        self.widths = [config.potentials(256 * 2**stage) for stage in range(STAGES)]
        self.stages = nn.ModuleList()
        inputs = stem[1]
        for stage, blocks in enumerate(BLOCKS[config.depth]):
            inner, outputs = config.potentials(64 * 2**stage), self.widths[stage]
            strides = [1 if stage == 0 else 2] + [1] * (blocks - 1)
            layers = [Bottleneck(inputs if i == 0 else outputs, inner, outputs, s) for i, s in enumerate(strides)]
            self.stages.append(nn.Sequential(*layers))
            inputs = outputs

    def forward(self, x: Float[Tensor, "batch 1 concepts time"]) -> list[Float[Tensor, "batch _ concepts _"]]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Pyramid(nn.Module):
    """P2 and up: lateral and top-down connections down to P2, strided convolutions up from P6 (Table B)."""

    def __init__(self, widths: Sequence[int], width: int, levels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(temporal(inputs, width, 1) for inputs in widths)
        self.smoothings = nn.ModuleList(temporal(width, width, 3) for _ in widths[:-1])
        above = [widths[-1]] + [width] * (levels - len(widths))
        self.coarser = nn.ModuleList(temporal(inputs, width, 3, 2) for inputs in above[: levels - len(widths)])

    def forward(self, maps: list[Float[Tensor, "batch _ concepts _"]]) -> list[Float[Tensor, "batch _ concepts _"]]:
        merged = [self.laterals[-1](maps[-1])]
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            merged.append(lateral(finer) + upsample(merged[-1], finer.shape[-1]))
        # P5 is not smoothed, and it is the unsmoothed maps that go down.
        pyramid = [smoothing(x) for smoothing, x in zip(self.smoothings, reversed(merged[1:]), strict=True)]
        pyramid.append(merged[0])
        x = maps[-1]
        for level, convolution in enumerate(self.coarser):
            x = convolution(x if level == 0 else F.relu(x))
            pyramid.append(x)
        return pyramid


class Head(nn.Module):
    """A hidden concept-wise layer, then one that sees all concepts; shared by all levels (Table C)."""

    def __init__(self, width: int, hidden: int, concepts: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = temporal(width, hidden, 3)
        self.predict = nn.Conv1d(hidden * concepts, outputs, 1)

    def forward(self, x: Float[Tensor, "batch w concepts t"]) -> Float[Tensor, "batch outputs t"]:
        return self.predict(self.hidden(self.dropout(x)).flatten(1, 2))


class CTCN(Model):
    """The detector of Fig. 3: concepts, backbone, pyramid, and two heads over all levels."""

    anchors: Tensor

    def __init__(self, config: CTCNConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        self.standardize = Standardize(channels)
        self.concepts = nn.Conv1d(channels, config.concepts, 1) if config.concepts else nn.Identity()
        concepts = config.concepts or channels
        width = config.potentials(512)
        self.backbone = Backbone(config)
        self.pyramid = Pyramid(self.backbone.widths, width, config.levels)
        outputs = config.anchors * (classes + 1)
        self.class_head = Head(width, config.potentials(config.class_head), concepts, outputs, config.dropout)
        self.box_head = Head(width, config.potentials(config.box_head), concepts, config.anchors * 2, config.dropout)
        anchors = boxes.pyramid_anchors(config.length, self._cells, config.anchors, config.anchor_rule)
        self.register_buffer("anchors", anchors, persistent=False)
        self.apply(initialize)

    @property
    def _cells(self) -> tuple[int, ...]:
        return tuple(self.length // STEM_STRIDE // 2**level for level in range(self.config.levels))

    @property
    def levels(self) -> tuple[Level, ...]:
        field, step = 1 + 6 * (1 + 2), STEM_STRIDE  # two kernels of 7, strides 2 and 2
        fields = []
        for stage, blocks in enumerate(BLOCKS[self.config.depth]):
            for block in range(blocks):
                field += 2 * step
                step *= 2 if stage and block == 0 else 1
            fields.append(field)
        for _ in range(self.config.levels - STAGES):
            field, step = field + 2 * step, step * 2
            fields.append(field)
        return tuple(Level(cells, field) for cells, field in zip(self._cells, fields, strict=True))

    @property
    def anchor_count(self) -> int:
        return len(self.anchors)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Outputs:
        concepts = self.concepts(self.standardize(x, mask)).masked_fill(~mask[:, None], 0)
        maps = self.pyramid(self.backbone(concepts[:, None]))
        logits = torch.cat([per_anchor(self.class_head(level), self.classes + 1) for level in maps], 1).float()
        offsets = torch.cat([per_anchor(self.box_head(level), 2) for level in maps], 1).float()
        if bound := self.config.bound:
            offsets = 2 * bound * offsets.sigmoid() - bound
        # An anchor is real when its centre lies inside the video.
        real = self.anchors[None, :, 0] < mask.sum(1, keepdim=True)
        return Outputs(logits, offsets, real)

    def loss(self, outputs: Outputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Eqs. 5-8: cross-entropy on positives and mined negatives, smooth L1 on the boxes of positives.

        Both are divided by the number of positives in the batch, as released; Eq. 8 has a plain sum.
        """
        truth = pad(targets, outputs.logits.device)
        config = self.config
        threshold, force = config.match_tiou, config.force_match
        matched = boxes.match(
            self.anchors, truth.segments, truth.real, outputs.real, threshold=threshold, force=force
        )
        positive = matched >= 0
        chosen = matched.clamp(min=0)
        labels = truth.labels.gather(1, chosen) if truth.labels.shape[1] else torch.zeros_like(chosen)
        classes = torch.where(positive, labels + 1, 0)  # class 0 is the background
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), classes, reduction="none")
        negative = boxes.hardest_negatives(entropy.detach(), positive, outputs.real & ~positive, config.negatives)
        count = positive.sum().clamp(min=1)
        batch, anchor = positive.nonzero(as_tuple=True)
        segments = truth.segments[batch, chosen[batch, anchor]]
        goal = boxes.encode(segments, self.anchors[anchor], config.coder)
        box = F.smooth_l1_loss(outputs.offsets[batch, anchor], goal, reduction="sum")
        return {
            "class": (entropy * (positive | negative)).sum() / count,
            "box": config.box_weight * box / count,
        }

    def decode(self, outputs: Outputs) -> list[Proposals]:
        """Eq. 4 without the background, and the regressed segments of the real anchors."""
        scores = outputs.logits.softmax(-1)[..., 1:]
        segments = boxes.decode(outputs.offsets, self.anchors.expand_as(outputs.offsets), self.config.coder)
        return [Proposals(s[real], p[real]) for s, p, real in zip(segments, scores, outputs.real, strict=True)]


class Truth(NamedTuple):
    """The targets of a batch, padded to the window that has most."""

    segments: Float[Tensor, "batch truths 2"]
    labels: Int[Tensor, "batch truths"]
    real: Bool[Tensor, "batch truths"]


def pad(targets: list[Targets], device: torch.device) -> Truth:
    """Stack the targets of windows; `real` is False for padding."""
    sequence = nn.utils.rnn.pad_sequence
    counts = torch.tensor([len(target.labels) for target in targets])
    segments = sequence([target.segments for target in targets], batch_first=True)
    labels = sequence([target.labels for target in targets], batch_first=True)
    real = torch.arange(segments.shape[1]) < counts[:, None]
    return Truth(segments.to(device), labels.to(device), real.to(device))


def temporal(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A 1 x kernel convolution that leaves concepts apart and, at stride 1, the length as it is."""
    return nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), (0, kernel // 2), bias=bias)


def upsample(x: Float[Tensor, "batch p concepts t"], length: int) -> Float[Tensor, "batch p concepts length"]:
    """Linear interpolation along time."""
    return F.interpolate(x, size=(x.shape[2], length), mode="bilinear", align_corners=True)


def per_anchor(x: Float[Tensor, "batch outputs t"], values: int) -> Float[Tensor, "batch anchors values"]:
    """A head's map as rows: cell by cell, anchor by anchor."""
    return x.transpose(1, 2).unflatten(2, (-1, values)).flatten(1, 2)


def initialize(module: nn.Module) -> None:
    """Weights uniform in ± sqrt(1 / fan_in), biases zero, as released."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        bound = module.weight[0].numel() ** -0.5
        nn.init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
