"""Anchors: where they lie on a pyramid of cells, and how offsets from them are coded.

An anchor, like a default box, is (centre, width); a segment is (start, end). Both are in positions unless said
otherwise. Equations are those of the C-TCN paper (Li et al., "Deep Concept-wise Temporal Convolutional Networks for
Action Localization", ACM MM 2020).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

AnchorRule = Literal["release", "paper", "ssd"]
Coder = Literal["release", "paper"]

# The variances of the released code, as in SSD: targets are divided by them.
CENTRE_VARIANCE = 0.1
WIDTH_VARIANCE = 0.2

# Roots, because SSD's aspect ratios share out an area between width and height.
SSD_RATIOS = tuple(square**0.5 for square in (1, 2, 2, 1 / 2, 3, 1 / 3))

# `apply_offsets` widens or narrows a box by e^5 at most: beyond it training would meet infinity.
MAX_GROWTH = 5.0


def anchor_ratios(count: int, rule: AnchorRule, coarsest: bool) -> tuple[float, ...]:
    """Compute the widths of one cell's anchors, relative to the level's base size.

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
        # At the coarsest level the wider half moves below 1, between the narrower ones.
        larger = 1 - 0.3 * p / sides - 0.3 / (2 * sides) if coarsest else 1 + 0.3 * p / sides
        ratios += [1 - 0.3 * p / sides, larger]
    return tuple(ratios)


def pyramid_anchors(
    length: int, cells: Sequence[int], count: int, rule: AnchorRule, scale: float = 1.0
) -> Float[Tensor, "anchors 2"]:
    """Compute every anchor of a window: level by level, cell by cell, ratio by ratio (Eqs. 1-3).

    A level's base size is `scale` of its cells; 1 in the paper.
    """
    levels = []
    for level, number in enumerate(cells):
        ratios = anchor_ratios(count, rule, coarsest=level == len(cells) - 1)
        levels.append(cell_anchors(length, number, [scale * ratio for ratio in ratios]))
    return torch.cat(levels)


def cell_anchors(length: int, cells: int, ratios: Sequence[float]) -> Float[Tensor, "anchors 2"]:
    """Compute one level's anchors, cell by cell, ratio by ratio; an anchor of ratio 1 is as wide as a cell."""
    # In double precision, so that centres are exact wherever a float can hold them.
    base = length / cells  # Eq. 1
    centres = (torch.arange(cells, dtype=torch.float64) + 0.5) * base  # Eq. 3
    widths = torch.tensor(tuple(ratios), dtype=torch.float64) * base
    return torch.stack(torch.broadcast_tensors(centres[:, None], widths[None]), -1).flatten(0, 1).float()


def to_segments(anchors: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape 2"]:
    """Convert (centre, width) to (start, end)."""
    centre, width = anchors.unbind(-1)
    return torch.stack([centre - width / 2, centre + width / 2], -1)


def to_anchors(segments: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape 2"]:
    """Convert (start, end) to (centre, width)."""
    start, end = segments.unbind(-1)
    return torch.stack([(start + end) / 2, end - start], -1)


def encode(
    segments: Float[Tensor, "*shape 2"], anchors: Float[Tensor, "*shape 2"], coder: Coder
) -> Float[Tensor, "*shape 2"]:
    """Compute the offsets (centre, width) from anchors to segments: what the box head has to predict.

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
    """Compute the segments of offsets; the inverse of `encode`."""
    shift, size = offsets.unbind(-1)
    if coder == "paper":
        ratio = size.exp()
    else:
        # Linear in the width, an offset below -5 would turn a segment round.
        shift, ratio = shift * CENTRE_VARIANCE, (1 + size * WIDTH_VARIANCE).clamp(min=0)
    return to_segments(torch.stack([anchors[..., 0] + shift * anchors[..., 1], ratio * anchors[..., 1]], -1))


def apply_offsets(
    boxes: Float[Tensor, "*shape 2"], offsets: Float[Tensor, "*shape 2"], step: float = 1.0
) -> Float[Tensor, "*shape 2"]:
    """Move and widen default boxes (Eq. 5 of GTAN); `step` multiplies both offsets.

    An offset is the shift of the centre in widths and the logarithm of the growth of the width.
    """
    (centre, width), (shift, growth) = boxes.unbind(-1), offsets.unbind(-1)
    growth = (step * growth).clamp(-MAX_GROWTH, MAX_GROWTH)
    return torch.stack([centre + step * width * shift, width * growth.exp()], -1)
