"""Default boxes that move: where to, which truth they answer for, and what is learned from (section 3.5 of GTAN)."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from untrimmed.models import anchors
from untrimmed.models.base import Truth

# A box grows or shrinks by this factor at most, e^5: beyond it training would meet infinity.
WIDEST = 5.0

# Which background boxes are learned from: those that look least like background, or any.
Choice = Literal["hardest", "random"]


class Assignment(NamedTuple):
    """Of every box its closest truth, how much it overlaps that, and which side it is on; many are on neither."""

    truth: Int[Tensor, "batch boxes"]
    overlap: Float[Tensor, "batch boxes"]
    """tIoU; 0 where no truth is touched, and for boxes that are not real."""
    foreground: Bool[Tensor, "batch boxes"]
    background: Bool[Tensor, "batch boxes"]


class Goals(NamedTuple):
    """What every box should say: the segment and the class of its truth, 0 for background."""

    segments: Float[Tensor, "batch boxes 2"]
    labels: Int[Tensor, "batch boxes"]


def moved(
    boxes: Float[Tensor, "*shape 2"], offsets: Float[Tensor, "*shape 2"], centre_step: float, width_step: float
) -> Float[Tensor, "*shape 2"]:
    """Eq. 5: boxes (centre, width) by their offsets, the shift in widths and the logarithm of the growth."""
    (centre, width), (shift, growth) = boxes.unbind(-1), offsets.unbind(-1)
    growth = (width_step * growth).clamp(-WIDEST, WIDEST)
    return torch.stack([centre + centre_step * width * shift, width * growth.exp()], -1)


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


def goals(found: Assignment, truth: Truth, unmatched: Float[Tensor, "batch boxes 2"]) -> Goals:
    """The goals of an assignment; without any truth, every segment is that of `unmatched`."""
    if truth.segments.shape[1] == 0:
        return Goals(unmatched, torch.zeros_like(found.truth))
    segments = truth.segments.gather(1, found.truth[..., None].expand(-1, -1, 2))
    return Goals(segments, torch.where(found.foreground, truth.labels.gather(1, found.truth) + 1, 0))


def background_number(foreground: Bool[Tensor, "batch boxes"], ratio: float) -> Tensor:
    """How many background boxes a batch learns from: `ratio` times its foreground boxes.

    Without a foreground box there is still something to learn: one background box a window.
    """
    positives = foreground.sum()
    return torch.where(positives > 0, (ratio * positives).ceil(), len(foreground))


def sample(
    losses: Float[Tensor, "batch boxes"], among: Bool[Tensor, "batch boxes"], number: Tensor, choice: Choice
) -> Bool[Tensor, "batch boxes"]:
    """`number` boxes of the whole batch: those of highest loss, or random ones."""
    values = losses.detach() if choice == "hardest" else torch.rand_like(losses)
    order = values.masked_fill(~among, -torch.inf).flatten().sort(descending=True, stable=True).indices
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    return among & (rank < number).view_as(among)


def mean_of(values: Float[Tensor, "batch boxes"], chosen: Bool[Tensor, "batch boxes"]) -> Tensor:
    """The mean over the chosen ones; 0 where there are none."""
    return torch.where(chosen, values, 0).sum() / chosen.sum().clamp(min=1)
