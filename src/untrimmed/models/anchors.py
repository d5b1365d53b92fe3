"""Anchors on a pyramid of cells: where they lie, which truth they answer for, and how boxes are coded.

An anchor is (centre, width) in positions; a segment is (start, end). Equations are those of the C-TCN paper
(Li et al., "Deep Concept-wise Temporal Convolutional Networks for Action Localization").
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

AnchorRule = Literal["release", "paper", "ssd"]
Coder = Literal["release", "paper"]

# The variances of the released code, as in SSD: targets are divided by them.
CENTRE_VARIANCE = 0.1
WIDTH_VARIANCE = 0.2

SSD_RATIOS = tuple(square**0.5 for square in (1, 2, 2, 1 / 2, 3, 1 / 3))


def anchor_ratios(count: int, rule: AnchorRule, coarsest: bool) -> tuple[float, ...]:
    """Widths of the anchors of one cell, relative to the level's base size.

    `paper` is Eq. 2: `count` equal steps up from 2/3 of the base size, over a range of 2/3 of it, or 1/3 at the
    coarsest level, where an action cannot outlast the video. `release` is the rule of the released code: 1 and
    1 ± 0.3 p / n for p = 1..n, `count` = 2 n + 1; at the coarsest level none is above 1. `ssd` are the widths of
    SSD's six boxes (Liu et al., ECCV 2016, section 2.2): 1, the geometric mean with the next level, and the roots
    of the aspect ratios 2, 1/2, 3, 1/3; as sizes double from level to level, the second equals the third.
    Raises ValueError for an even count under `release`, and for any but 6 under `ssd`.
    """
    if rule == "ssd":
        if count != len(SSD_RATIOS):
            raise ValueError(f"model.anchors = {count}: SSD's rule has {len(SSD_RATIOS)}; set that many")
        return SSD_RATIOS
    if rule == "paper":
        reach = 1 / 3 if coarsest else 2 / 3
        return tuple(2 / 3 + reach * m / count for m in range(count))
    if count % 2 == 0:
        raise ValueError(
            f"model.anchors = {count}: the released rule needs an odd number; or take anchor_rule = 'paper'"
        )
    sides = (count - 1) // 2
    ratios = [1.0]
    for p in range(1, sides + 1):
        larger = 1 - 0.3 * p / sides - 0.3 / (2 * sides) if coarsest else 1 + 0.3 * p / sides
        ratios += [1 - 0.3 * p / sides, larger]
    return tuple(ratios)


def pyramid_anchors(
    length: int, cells: Sequence[int], count: int, rule: AnchorRule, scale: float = 1.0
) -> Float[Tensor, "anchors 2"]:
    """(centre, width) of every anchor of a window: level by level, cell by cell, ratio by ratio (Eqs. 1-3).

    A level's base size is `scale` of its cells; 1 in the paper.
    """
    made = []
    for level, number in enumerate(cells):
        ratios = anchor_ratios(count, rule, coarsest=level == len(cells) - 1)
        made.append(cell_anchors(length, number, [scale * ratio for ratio in ratios]))
    return torch.cat(made)


def cell_anchors(length: int, cells: int, ratios: Sequence[float]) -> Float[Tensor, "anchors 2"]:
    """(centre, width) of one level's anchors, cell by cell, ratio by ratio; a ratio of 1 is as wide as a cell."""
    base = length / cells  # Eq. 1
    centres = (torch.arange(cells, dtype=torch.float64) + 0.5) * base  # Eq. 3
    widths = torch.tensor(tuple(ratios), dtype=torch.float64) * base
    return torch.stack(torch.broadcast_tensors(centres[:, None], widths[None]), -1).flatten(0, 1).float()


def to_segments(anchors: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape 2"]:
    """(centre, width) to (start, end)."""
    centre, width = anchors.unbind(-1)
    return torch.stack([centre - width / 2, centre + width / 2], -1)


def to_anchors(segments: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape 2"]:
    """(start, end) to (centre, width)."""
    start, end = segments.unbind(-1)
    return torch.stack([(start + end) / 2, end - start], -1)


def tiou(a: Float[Tensor, "*batch n 2"], b: Float[Tensor, "*batch m 2"]) -> Float[Tensor, "*batch n m"]:
    """Temporal intersection over union of every pair of segments; 0 where neither has a length."""
    start = torch.maximum(a[..., :, None, 0], b[..., None, :, 0])
    end = torch.minimum(a[..., :, None, 1], b[..., None, :, 1])
    overlap = (end - start).clamp(min=0)
    lengths = (a[..., 1] - a[..., 0])[..., :, None] + (b[..., 1] - b[..., 0])[..., None, :]
    return overlap / (lengths - overlap).clamp(min=torch.finfo(overlap.dtype).tiny)


def match(
    anchors: Float[Tensor, "anchors 2"],
    truth: Float[Tensor, "batch truths 2"],
    real: Bool[Tensor, "batch truths"],
    candidate: Bool[Tensor, "batch anchors"],
    *,
    threshold: float,
    force: bool,
) -> Int[Tensor, "batch anchors"]:
    """The index of the truth that each anchor answers for, or -1 for background.

    With `force`, truths and anchors are first paired one to one, the pair of largest tIoU before all others, so
    that every truth which some anchor touches gets one. Every anchor left whose best tIoU reaches `threshold`
    then takes its best truth. Truths that are not `real` and anchors that are no `candidate` take no part.
    """
    if truth.shape[1] == 0:
        return torch.full((len(truth), len(anchors)), -1, device=anchors.device)
    overlaps = tiou(to_segments(anchors).expand(len(truth), -1, -1), truth)
    overlaps = overlaps.masked_fill(~(candidate[:, :, None] & real[:, None]), -1)
    best, index = overlaps.max(2)
    matched = torch.where(best >= threshold, index, -1)
    return torch.where((pairs := pair_off(overlaps)) >= 0, pairs, matched) if force else matched


def pair_off(overlaps: Float[Tensor, "batch anchors truths"], least: float = 1e-6) -> Int[Tensor, "batch anchors"]:
    """One-to-one pairs taken in order of falling tIoU until it is below `least`; -1 for anchors left over.

    A round takes every pair in which each is the other's best. These are just the pairs that taking the largest
    one at a time would come to (ties: the first anchor, then the first truth), in few rounds instead of many.
    """
    overlaps = overlaps.clone()
    matched = torch.full(overlaps.shape[:2], -1, device=overlaps.device)
    truths = torch.arange(overlaps.shape[2], device=overlaps.device)
    while True:
        value, anchor = overlaps.max(1)
        mutual = (overlaps.argmax(2).gather(1, anchor) == truths) & (value >= least)
        if not mutual.any():
            return matched
        batch, truth = mutual.nonzero(as_tuple=True)
        chosen = anchor[batch, truth]
        matched[batch, chosen] = truth
        overlaps[batch, chosen] = -1
        overlaps[batch, :, truth] = -1


def encode(
    segments: Float[Tensor, "*shape 2"], anchors: Float[Tensor, "*shape 2"], coder: Coder
) -> Float[Tensor, "*shape 2"]:
    """Regression targets (centre, width) of segments relative to their anchors.

    `paper` is Eq. 7: the shift in widths and the logarithm of the ratio of widths. `release` is the released
    code's: both divided by variances, and the width linear.
    """
    centre, width = to_anchors(segments).unbind(-1)
    shift = (centre - anchors[..., 0]) / anchors[..., 1]
    ratio = width / anchors[..., 1]
    if coder == "paper":
        return torch.stack([shift, ratio.log()], -1)
    return torch.stack([shift / CENTRE_VARIANCE, (ratio - 1) / WIDTH_VARIANCE], -1)


def decode(
    offsets: Float[Tensor, "*shape 2"], anchors: Float[Tensor, "*shape 2"], coder: Coder
) -> Float[Tensor, "*shape 2"]:
    """Segments of regressed offsets; the inverse of `encode`."""
    shift, size = offsets.unbind(-1)
    if coder == "paper":
        ratio = size.exp()
    else:
        shift, ratio = shift * CENTRE_VARIANCE, (1 + size * WIDTH_VARIANCE).clamp(min=0)
    return to_segments(torch.stack([anchors[..., 0] + shift * anchors[..., 1], ratio * anchors[..., 1]], -1))


def hardest_negatives(
    losses: Float[Tensor, "batch anchors"],
    positive: Bool[Tensor, "batch anchors"],
    candidate: Bool[Tensor, "batch anchors"],
    ratio: float,
) -> Bool[Tensor, "batch anchors"]:
    """Of each window's candidates, those of highest loss: `ratio` times as many as it has positives."""
    order = losses.masked_fill(~candidate, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    return candidate & (rank < ratio * positive.sum(1, keepdim=True))
