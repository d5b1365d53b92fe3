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

from untrimmed.models.anchors import AnchorRule, Coder, anchor_ratios, decode, encode, pyramid_anchors, to_segments
from untrimmed.models.base import Level, Model, ModelConfig, Proposals, Standardize, Targets, mask_padding
from untrimmed.models.matching import match, select_highest
from untrimmed.models.pyramid import (
    BLOCKS,
    STAGES,
    STEM_STRIDE,
    ConceptBackbone,
    ConceptHead,
    Depth,
    Filters,
    LevelHeads,
    Pyramid,
    initialize_weights,
)
from untrimmed.models.time_major import TimeMajor


@dataclass(frozen=True, kw_only=True)
class CTCNConfig(ModelConfig):
    """The network, its anchors and its loss. Defaults are the released code's, with the paper's concepts."""

    name: Literal["ctcn"] = "ctcn"
    length: int = 512
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
    anchor_rule: AnchorRule = "release"
    anchor_scale: float = 1.0
    """Cells that an anchor of ratio 1 is long: 1 in the paper; with 2, actions are placed by cells half as long."""
    coder: Coder = "release"
    bound: float = 5.0
    """Regressed offsets stay within plus and minus this; 0 leaves them free, as in the paper."""
    regression: bool = True
    """Detections are anchors that their offsets move; else the anchors themselves (Table 5; training is the same)."""
    match_tiou: float = 0.5
    """An anchor that overlaps an action by this or more is positive."""
    force_match: bool = True
    """Every action gets at least one anchor, however small the overlap."""
    negatives: float = 3.0
    """Hardest negatives for each positive."""
    box_weight: float = 2.0
    """Weight of the localisation loss."""
    checkpoint: bool = False
    """Training stores only what lies between blocks and computes the inside again: less memory, a third more time."""

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
        if min(self.width, self.inner, self.anchors, self.anchor_scale, self.match_tiou) <= 0:
            raise ValueError("model: width, inner, anchors, anchor_scale and match_tiou are above 0")
        anchor_ratios(self.anchors, self.anchor_rule, coarsest=False)  # raises where a rule has not so many
        if (self.square_kernels or self.square_strides) and not self.shared:
            raise ValueError("model.shared = false: square kernels and strides reach over groups; share the filters")
        if self.square_strides and self.shared_heads:
            raise ValueError("model.square_strides = true: scales differ in concepts; set model.shared_heads = false")
        if self.concepts:
            self.count_groups(self.concepts)

    def build(self, channels: int, classes: int) -> "CTCN":
        return CTCN(self, channels, classes)

    def count_groups(self, concepts: int) -> int:
        """Count the groups of so many concepts. Raises ValueError where they cannot be split evenly."""
        groups = self.groups or concepts
        if concepts % groups:
            raise ValueError(f"model.groups = {groups}: does not divide the {concepts} concepts; take a divisor")
        return groups

    def scale_potentials(self, number: int, filter_sets: int = 1) -> int:
        """Compute a layer's potentials after the width multiplier, rounded up to a multiple of `filter_sets`."""
        return -(-max(1, round(number * self.width)) // filter_sets) * filter_sets


# Released: the ActivityNet model, for which 31 % average mAP is reported. Its concepts are 402 class scores.
RELEASE = CTCNConfig(concepts=0, class_head=512)
# As the paper has it (Eqs. 2 and 5-8): offsets are free, and no anchor is forced to answer for an action.
PAPER = CTCNConfig(anchor_rule="paper", coder="paper", bound=0.0, force_match=False, box_weight=1.0)


class CTCNOutputs(NamedTuple):
    """Raw outputs of a batch. Anchors lie level by level, cell by cell, ratio by ratio."""

    logits: Float[Tensor, "batch anchors classes_and_background"]
    """The background is class 0."""
    offsets: Float[Tensor, "batch anchors 2"]
    """Of centre and width, as `coder` has them."""
    valid: Bool[Tensor, "batch anchors"]
    """False for anchors in padding."""


class CTCN(Model):
    """The detector of Fig. 3: concepts, backbone, pyramid, and two heads over all levels."""

    anchors: Tensor
    """Centre and width in snippets."""
    time_major: TimeMajor | None = None
    """Computes the pyramid and the heads in place of the modules, where set."""

    def __init__(self, config: CTCNConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.length = config.length
        self.classes = classes
        concepts = config.concepts or channels
        self.groups = config.count_groups(concepts)
        # Shared filters run over the groups as the rows of a map. Unshared ones are a grouped convolution over a map
        # of one row, whose widths are the totals of all groups.
        filter_sets = 1 if config.shared else self.groups
        filters = Filters(filter_sets, config.square_kernels, config.square_strides)
        self.rows = self.groups if config.shared else 1
        # A learned linear map to concepts, or the features as the concepts.
        self.standardize = Standardize(channels)
        self.concepts = nn.Conv1d(channels, concepts, 1) if config.concepts else nn.Identity()
        # Stem and residual stages, C2 to C5 (Table A).
        stem = [config.scale_potentials(width, filter_sets) for width in (32, 64)]
        inner = [config.scale_potentials(config.inner * 2**stage, filter_sets) for stage in range(STAGES)]
        self.backbone = ConceptBackbone(concepts // self.rows, stem, inner, config.depth, filters, config.checkpoint)
        # P2 to P9 (Table B).
        width, dropped = config.scale_potentials(512, filter_sets), config.finest - 2
        coarser = config.levels - STAGES
        self.pyramid = Pyramid(self.backbone.widths[dropped:], width, coarser, filters, config.top_down)
        # Classes and background, and centre and width, of every anchor (Table C).
        hidden = [config.scale_potentials(number, filter_sets) for number in (config.class_head, config.box_head)]
        self.class_head = self._build_head(width, hidden[0], config.anchors * (classes + 1), filters)
        self.box_head = self._build_head(width, hidden[1], config.anchors * 2, filters)
        # Not saved: settings make them again.
        anchors = pyramid_anchors(config.length, self._cells, config.anchors, config.anchor_rule, config.anchor_scale)
        self.register_buffer("anchors", anchors, persistent=False)
        self.apply(initialize_weights)

    def _build_head(self, width: int, hidden: int, outputs: int, filters: Filters) -> ConceptHead | LevelHeads:
        """Build one head for all levels, or one a level, each for as many rows as the level has."""
        config = self.config
        halvings = range(config.finest - 2, config.levels) if config.square_strides else [0] * len(self._cells)
        heads = (
            ConceptHead(width, hidden, -(-self.rows // 2**times), outputs, config.dropout, filters, config.head_relu)
            for times in halvings
        )
        return next(heads) if config.shared_heads else LevelHeads(list(heads))

    @property
    def _cells(self) -> tuple[int, ...]:
        finest = self.config.finest - 2
        return tuple(self.length // STEM_STRIDE // 2**level for level in range(finest, self.config.levels))

    @property
    def levels(self) -> tuple[Level, ...]:
        # A layer of kernel k widens the receptive field by (k - 1) steps; a stride widens the steps after it.
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
        fields = fields[self.config.finest - 2 :]
        return tuple(Level(cells, field) for cells, field in zip(self._cells, fields, strict=True))

    @property
    def anchor_count(self) -> int:
        return len(self.anchors)

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> CTCNOutputs:
        concepts = mask_padding(self.concepts(self.standardize(x, mask)), mask)
        classes, boxes = self._run_heads(split_into_rows(concepts, self.rows))
        logits, offsets = flatten_anchors(classes, self.classes + 1).float(), flatten_anchors(boxes, 2).float()
        if bound := self.config.bound:
            # Released: 10 sigmoid(x) - 5.
            offsets = 2 * bound * offsets.sigmoid() - bound
        # An anchor is valid when its centre lies inside the video.
        valid = self.anchors[None, :, 0] < mask.sum(1, keepdim=True)
        return CTCNOutputs(logits, offsets, valid)

    def _run_heads(self, x: Float[Tensor, "batch inputs rows time"]) -> tuple[Tensor, Tensor]:
        if self.time_major:
            classes, boxes = self.time_major(x)
            return classes, boxes
        # `finest` = 3 leaves P2 out, of which nothing else is computed.
        maps = self.pyramid(self.backbone(x)[self.config.finest - 2 :])
        return self.class_head(maps), self.box_head(maps)

    def fuse_batch_norm(self) -> "CTCN":
        """Copy the model for inference: batch norms fused, and a head's two layers where that is cheaper."""
        network = super().fuse_batch_norm()
        network.class_head, network.box_head = self.class_head.fuse_layers(), self.box_head.fuse_layers()
        return network.eval()

    def optimize_for_inference(self) -> "CTCN":
        """Fuse batch norms; on a CPU, where groups share filters and levels share heads, lay time out first."""
        network, config = self.fuse_batch_norm(), self.config
        on_cpu = network.anchors.device.type == "cpu"
        squares = config.square_kernels or config.square_strides
        # A single row would have to be read once more for each tap.
        if on_cpu and self.rows > 1 and config.shared_heads and not squares:
            heads = [head for head in (network.class_head, network.box_head) if not isinstance(head, LevelHeads)]
            network.time_major = TimeMajor(network.backbone, network.pyramid, heads, self.rows, config.finest - 2)
            # It has the weights in an order of its own.
            network.backbone = network.pyramid = network.class_head = network.box_head = nn.Identity()
        return network

    def loss(self, outputs: CTCNOutputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Compute Eqs. 5-8: cross-entropy on positives and mined negatives, smooth L1 on the offsets of positives.

        Both are divided by the number of positives in the batch, as released; Eq. 8 has a plain sum.
        """
        config = self.config
        anchors = self.anchors.expand_as(outputs.offsets)
        matches = match(to_segments(anchors), outputs.valid, targets, force=config.force_match)
        positive = matches.forced | (matches.overlap >= config.match_tiou)
        # Of the whole batch, so that a window weighs by its actions.
        count = positive.sum().clamp(min=1)
        # Eq. 5 and its hard negatives: the worst of each window, so many for each of its positives. A window without
        # an action, which the paper has not, learns from as many as the others do on average.
        labels = torch.where(positive, matches.labels + 1, 0)
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), labels, reduction="none")
        empty = torch.tensor([not len(target.labels) for target in targets], device=positive.device)
        usual = count / (~empty).sum().clamp(min=1)
        number = config.negatives * torch.where(empty, usual, positive.sum(1))[:, None]
        negative = select_highest(entropy.detach(), outputs.valid & ~positive, number)
        # Eqs. 6 and 7, over positives.
        expected = encode(matches.segments[positive], anchors[positive], config.coder)
        errors = F.smooth_l1_loss(outputs.offsets[positive], expected, reduction="sum")
        return {
            "class": (entropy * (positive | negative)).sum() / count,
            "box": config.box_weight * errors / count,
        }

    def decode(self, outputs: CTCNOutputs) -> list[Proposals]:
        """Compute the probabilities of Eq. 4, without the background, and the segments of the valid anchors."""
        scores = outputs.logits.softmax(-1)[..., 1:]
        anchors = self.anchors.expand_as(outputs.offsets)
        regression = self.config.regression
        segments = decode(outputs.offsets, anchors, self.config.coder) if regression else to_segments(anchors)
        return [Proposals(s[valid], p[valid]) for s, p, valid in zip(segments, scores, outputs.valid, strict=True)]


def split_into_rows(x: Float[Tensor, "batch concepts time"], rows: int) -> Float[Tensor, "batch inputs rows time"]:
    """Lay concepts out as the rows of a map, neighbours in one row when they outnumber the rows."""
    return x.unflatten(1, (rows, -1)).transpose(1, 2)


def flatten_anchors(x: Float[Tensor, "batch outputs t"], values: int) -> Float[Tensor, "batch anchors values"]:
    """Turn a head's map into rows: cell by cell, anchor by anchor."""
    return x.transpose(1, 2).unflatten(2, (-1, values)).flatten(1, 2)
