"""Which default boxes answer for which truth, when boxes move from step to step (section 3.5 of GTAN)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from untrimmed.models import anchors
from untrimmed.models.base import Truth

# Which background boxes are learned from: those that look least like background, or any.
Choice = Literal["hardest", "random"]


class Assignment(NamedTuple):
    """Of every box its closest truth, how much it overlaps that, and which side it is on; many are on neither."""

    truth: Int[Tensor, "batch boxes"]
    overlap: Float[Tensor, "batch boxes"]
    """tIoU; 0 where no truth is touched, and for boxes that are not real."""
    foreground: Bool[Tensor, "batch boxes"]
    background: Bool[Tensor, "batch boxes"]


def assign(
    boxes: Float[Tensor, "batch boxes 2"],
    real: Bool[Tensor, "batch boxes"],
    truth: Truth,
    *,
    foreground: float,
    background: float,
    force: bool,
) -> Assignment:
    """Boxes (centre, width) above the overlap `foreground` and below `background`, in the unit of the truth.

    With `force` every truth that some box touches has one foreground box at least, paired as `anchors.pair_off` does.
    """
    if truth.segments.shape[1] == 0:
        nothing = torch.zeros_like(boxes[..., 0])
        return Assignment(nothing.long(), nothing, torch.zeros_like(real), real & (nothing < background))
    overlaps = anchors.tiou(anchors.to_segments(boxes), truth.segments)
    overlaps = overlaps * (real[:, :, None] & truth.real[:, None])
    best, closest = overlaps.max(2)
    chosen = real & (best > foreground)
    if force:
        pairs = anchors.pair_off(overlaps)
        closest = torch.where(pairs >= 0, pairs, closest)
        best = overlaps.gather(2, closest[..., None])[..., 0]
        chosen = chosen | (pairs >= 0)
    return Assignment(closest, best, chosen, real & ~chosen & (best < background))


def sample(
    losses: Float[Tensor, "batch boxes"], among: Bool[Tensor, "batch boxes"], number: Tensor, choice: Choice
) -> Bool[Tensor, "batch boxes"]:
    """`number` boxes of the whole batch: those of highest loss, or random ones."""
    values = losses.detach() if choice == "hardest" else torch.rand_like(losses)
    order = values.masked_fill(~among, -torch.inf).flatten().sort(descending=True, stable=True).indices
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return among & (rank < number).view_as(among)
