"""C-TCN: concept-wise temporal convolution on a feature pyramid, and the family that it is compared with.

Li et al., "Deep Concept-wise Temporal Convolutional Networks for Action Localization" (ACM MM 2020), with the
readings of the released code that docs/fidelity.md lists. The concepts are split into groups that never mix until
the prediction layers. As many groups as concepts, with filters that all share, is C-TCN; one group is the
conventional temporal convolutional network (TCN); the paper's Tables 1 and D lie between.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from untrimmed.io import Config
from untrimmed.models import anchors as boxes
from untrimmed.models.base import Level, Model, Proposals, Standardize, Targets, pad
from untrimmed.models.pyramid import (
    BLOCKS,
    STAGES,
    STEM_STRIDE,
    Backbone,
    Depth,
    Filters,
    Head,
    LevelHeads,
    Pyramid,
    initialize,
)
from untrimmed.models.time_major import TimeMajor


@dataclass(frozen=True, kw_only=True)
class CTCNConfig(Config):
    """The network, its anchors and its loss. Defaults are the released code's, with the paper's concepts."""

    name: Literal["ctcn"] = "ctcn"
    length: int = 512
    """Snippets of a window."""
    levels: int = 8
    """Scales of the pyramid from P2 on; the coarsest has length / 2^(levels + 1) cells."""
    finest: Literal[2, 3] = 2
    """The finest scale; 3 leaves P2 out (Table 5, "reduce scale number")."""
    concepts: int = 256
    """Concepts that a learned linear layer makes of the features; 0 takes the features as the concepts."""
    groups: int = 0
    """Groups that the concepts are split into: 0 is one each (C-TCN), 1 the conventional TCN (Tables 1 and D)."""
    shared: bool = True
    """One set of filters for all groups; else each has its own, and the widths are split over the groups."""
    depth: Depth = 60
    width: float = 1.0
    """Multiplies the potentials of every layer."""
    inner: int = 64
    """Potentials inside the first stage's blocks, doubled from stage to stage; 128 is Table A's other column."""
    square_kernels: bool = False
    """Kernels of 3 along time span three concepts too (Table 5)."""
    square_strides: bool = False
    """From P3 up every scale has half the concepts of the one below (Table 5)."""
    top_down: bool = True
    """Coarser maps are added to finer ones; else P2..P5 are projections of C2..C5 alone (Table 5)."""
    class_head: int = 256
    """Potentials of the class head's hidden layer (the released code has 512)."""
    box_head: int = 256
    """Potentials of the box head's hidden layer."""
    head_relu: bool = False
    """ReLU between a head's two layers."""
    shared_heads: bool = True
    """One head for all scales; else one each."""
    dropout: float = 0.5
    """Share of a pyramid map's values that each head drops in training."""
    anchors: int = 7
    """Anchors a cell."""
    anchor_rule: boxes.AnchorRule = "release"
    anchor_scale: float = 1.0
    """Cells that an anchor of ratio 1 is long: 1 in the paper; with 2, actions are placed by cells half as long."""
    coder: boxes.Coder = "release"
    bound: float = 5.0
    """Regressed offsets stay within plus and minus this; 0 leaves them free, as in the paper."""
    regression: bool = True
    """Detections are anchors moved by their offsets; else the anchors themselves (Table 5; training is the same)."""
    match_tiou: float = 0.5
    """An anchor that overlaps a truth so much is positive."""
    force_match: bool = True
    """Every truth gets at least one anchor, however small the overlap."""
    negatives: float = 3.0
    """Hardest negatives for each positive."""
    box_weight: float = 2.0
    """Weight of the localisation loss."""
    checkpoint: bool = False
    """Training keeps only what lies between blocks and computes the rest again: less memory, a third more time."""

    def __post_init__(self) -> None:
        least = 2 ** (self.levels + 1)
        if self.levels < STAGES:
            raise ValueError(f"model.levels = {self.levels}: the backbone alone has {STAGES}")
        if self.length < least or self.length % least:
            raise ValueError(
                f"model.length = {self.length}: {self.levels} levels need a multiple of {least} snippets"
            )
        if min(self.concepts, self.groups, self.dropout, self.bound, self.negatives) < 0:
            raise ValueError("model: concepts, groups, dropout, bound and negatives are at least 0")
        if min(self.width, self.inner, self.anchors, self.anchor_scale) <= 0:
            raise ValueError("model: width, inner, anchors and anchor_scale are above 0")
        boxes.anchor_ratios(self.anchors, self.anchor_rule, coarsest=False)  # refuses what has no anchors
        if (self.square_kernels or self.square_strides) and not self.shared:
            raise ValueError("model.shared = false: square kernels and strides reach over groups; share the filters")
        if self.square_strides and self.shared_heads:
            raise ValueError("model.square_strides = true: scales differ in concepts; set model.shared_heads = false")
        if self.concepts:
            self.groups_of(self.concepts)

    def build(self, channels: int, classes: int) -> "CTCN":
        """The network for features of `channels` channels and `classes` classes; ValueError if groups do not fit."""
        return CTCN(self, channels, classes)

    def groups_of(self, concepts: int) -> int:
        """Groups that so many concepts are split into. Raises ValueError where they cannot be split evenly."""
        groups = self.groups or concepts
        if concepts % groups:
            raise ValueError(f"model.groups = {groups}: does not divide the {concepts} concepts; take a divisor")
        return groups

    def potentials(self, number: int, own: int = 1) -> int:
        """A layer's potentials after the width multiplier, rounded up to a multiple of the groups' own filters."""
        return -(-max(1, round(number * self.width)) // own) * own


# Released: the ActivityNet model, for which 31 % average mAP is reported. Its concepts are 402 class scores.
RELEASE = CTCNConfig(concepts=0, class_head=512)
# As the paper has it (Eqs. 2 and 5-8): offsets are free, and no truth is forced on an anchor.
PAPER = CTCNConfig(anchor_rule="paper", coder="paper", bound=0.0, force_match=False, box_weight=1.0)


class Outputs(NamedTuple):
    """Raw outputs of a batch: class logits with the background first, coded boxes, and which anchors are real."""

    logits: Float[Tensor, "batch anchors classes_and_background"]
    offsets: Float[Tensor, "batch anchors 2"]
    real: Bool[Tensor, "batch anchors"]


class CTCN(Model):
    """The detector of Fig. 3: concepts, backbone, pyramid, and two heads over all levels."""

    anchors: Tensor
    time_major: TimeMajor | None = None
    """What computes the pyramid and the heads in place of the modules."""

    def __init__(self, config: CTCNConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        concepts = config.concepts or channels
        self.groups = config.groups_of(concepts)
        own = 1 if config.shared else self.groups
        filters = Filters(own, config.square_kernels, config.square_strides)
        self.rows = self.groups if config.shared else 1
        self.standardize = Standardize(channels)
        self.concepts = nn.Conv1d(channels, concepts, 1) if config.concepts else nn.Identity()
        stem = [config.potentials(width, own) for width in (32, 64)]
        inner = [config.potentials(config.inner * 2**stage, own) for stage in range(STAGES)]
        self.backbone = Backbone(concepts // self.rows, stem, inner, config.depth, filters, config.checkpoint)
        width, dropped = config.potentials(512, own), config.finest - 2
        coarser = config.levels - STAGES
        self.pyramid = Pyramid(self.backbone.widths[dropped:], width, coarser, filters, config.top_down)
        hidden = config.potentials(config.class_head, own), config.potentials(config.box_head, own)
        self.class_head = self._head(width, hidden[0], config.anchors * (classes + 1), filters)
        self.box_head = self._head(width, hidden[1], config.anchors * 2, filters)
        anchors = boxes.pyramid_anchors(
            config.length, self._cells, config.anchors, config.anchor_rule, config.anchor_scale
        )
        self.register_buffer("anchors", anchors, persistent=False)
        self.apply(initialize)

    def _head(self, width: int, hidden: int, outputs: int, filters: Filters) -> Head | LevelHeads:
        """One head for all levels, or one a level, each for as many rows as the level has."""
        config = self.config
        thinned = range(config.finest - 2, config.levels) if config.square_strides else [0] * len(self._cells)
        heads = (
            Head(width, hidden, -(-self.rows // 2**times), outputs, config.dropout, filters, config.head_relu)
            for times in thinned
        )
        return next(heads) if config.shared_heads else LevelHeads(list(heads))

    @property
    def _cells(self) -> tuple[int, ...]:
        finest = self.config.finest - 2
        return tuple(self.length // STEM_STRIDE // 2**level for level in range(finest, self.config.levels))

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
        kept = fields[self.config.finest - 2 :]
        return tuple(Level(cells, field) for cells, field in zip(self._cells, kept, strict=True))

    @property
    def anchor_count(self) -> int:
        return len(self.anchors)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Outputs:
        concepts = self.concepts(self.standardize(x, mask)).masked_fill(~mask[:, None], 0)
        classes, boxes = self._heads(in_groups(concepts, self.rows))
        logits, offsets = per_anchor(classes, self.classes + 1).float(), per_anchor(boxes, 2).float()
        if bound := self.config.bound:
            offsets = 2 * bound * offsets.sigmoid() - bound
        # An anchor is real when its centre lies inside the video.
        real = self.anchors[None, :, 0] < mask.sum(1, keepdim=True)
        return Outputs(logits, offsets, real)

    def _heads(self, x: Float[Tensor, "batch inputs rows time"]) -> tuple[Tensor, Tensor]:
        if self.time_major:
            classes, boxes = self.time_major(x)
            return classes, boxes
        maps = self.pyramid(self.backbone(x)[self.config.finest - 2 :])
        return self.class_head(maps), self.box_head(maps)

    def folded(self) -> "CTCN":
        """A copy for inference: batch norms folded, and each head's two layers made one where that is cheaper."""
        result = super().folded()
        result.class_head, result.box_head = self.class_head.merged(), self.box_head.merged()
        return result.eval()

    def quick(self) -> "CTCN":
        """Folded; on a CPU, where groups share their filters and levels their heads, laid out with time first."""
        result, config = self.folded(), self.config
        on_cpu = result.anchors.device.type == "cpu"
        squares = config.square_kernels or config.square_strides
        # A single row would have to be read once more for each tap.
        if on_cpu and self.rows > 1 and config.shared_heads and not squares:
            heads = [head for head in (result.class_head, result.box_head) if not isinstance(head, LevelHeads)]
            result.time_major = TimeMajor(result.backbone, result.pyramid, heads, self.rows, config.finest - 2)
            # It has the weights in an order of its own.
            result.backbone = result.pyramid = result.class_head = result.box_head = nn.Identity()
        return result

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
        anchors = self.anchors.expand_as(outputs.offsets)
        moved = self.config.regression
        segments = boxes.decode(outputs.offsets, anchors, self.config.coder) if moved else boxes.to_segments(anchors)
        return [Proposals(s[real], p[real]) for s, p, real in zip(segments, scores, outputs.real, strict=True)]


def in_groups(x: Float[Tensor, "batch concepts time"], rows: int) -> Float[Tensor, "batch inputs rows time"]:
    """Concepts as the rows of a map, neighbours in one row when they outnumber the rows."""
    return x.unflatten(1, (rows, -1)).transpose(1, 2)


def per_anchor(x: Float[Tensor, "batch outputs t"], values: int) -> Float[Tensor, "batch anchors values"]:
    """A head's map as rows: cell by cell, anchor by anchor."""
    return x.transpose(1, 2).unflatten(2, (-1, values)).flatten(1, 2)
