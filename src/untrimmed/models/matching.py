"""Matching: which action each anchor answers for, and which negatives the class loss learns from.

An anchor is positive for an action that it overlaps enough, or that it is forced to answer for; negative where it
overlaps every action too little; ignored in between. Each model's loss has its own thresholds.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from untrimmed.models.base import Targets

# Which negatives are learned from: those that look least like background, or any.
NegativeChoice = Literal["hardest", "random"]


class AnchorMatches(NamedTuple):
    """The action of every anchor: the one that it is forced to answer for, or else the one that it overlaps most."""

    segments: Float[Tensor, "batch anchors 2"]
    labels: Int[Tensor, "batch anchors"]
    overlap: Float[Tensor, "batch anchors"]
    """tIoU with that action; 0 where no action is touched, and for padding. Segment and label then mean nothing."""
    forced: Bool[Tensor, "batch anchors"]


def pairwise_tiou(a: Float[Tensor, "*batch n 2"], b: Float[Tensor, "*batch m 2"]) -> Float[Tensor, "*batch n m"]:
    """Compute temporal intersection over union of every pair of segments; 0 where neither has a length."""
    start = torch.maximum(a[..., :, None, 0], b[..., None, :, 0])
    end = torch.minimum(a[..., :, None, 1], b[..., None, :, 1])
    overlap = (end - start).clamp(min=0)
    lengths = (a[..., 1] - a[..., 0])[..., :, None] + (b[..., 1] - b[..., 0])[..., None, :]
    return overlap / (lengths - overlap).clamp(min=torch.finfo(overlap.dtype).tiny)


def match(
    segments: Float[Tensor, "batch anchors 2"],
    valid: Bool[Tensor, "batch anchors"],
    targets: list[Targets],
    *,
    unit: int = 1,
    force: bool = False,
) -> AnchorMatches:
    """Match anchors, as segments, to the actions that they overlap most; of equal overlaps the first action.

    Segments are in units of `unit` positions. With `force`, anchors and actions are first paired by
    `match_mutual_best`, so that every action that an anchor touches has one at least.
    """
    actions, labels, exists = pad_targets(targets, segments.device)
    actions = actions / unit
    overlaps = pairwise_tiou(segments, actions)
    overlaps = overlaps.masked_fill(~(valid[:, :, None] & exists[:, None]), 0)
    action = overlaps.argmax(2)
    pairs = match_mutual_best(overlaps) if force else torch.full_like(action, -1)
    forced = pairs >= 0
    action = torch.where(forced, pairs, action)
    return AnchorMatches(
        actions.gather(1, action[..., None].expand(-1, -1, 2)),
        labels.gather(1, action),
        overlaps.gather(2, action[..., None])[..., 0],
        forced,
    )


def pad_targets(
    targets: list[Targets], device: torch.device
) -> tuple[Float[Tensor, "batch actions 2"], Int[Tensor, "batch actions"], Bool[Tensor, "batch actions"]]:
    """Stack the segments and labels of windows on a device, with a mask that is False for padding."""
    counts = torch.tensor([len(target.labels) for target in targets])
    # One place more where no window has an action, so that indices of actions always exist.
    segments = torch.zeros(len(targets), max(1, int(counts.max())), 2)
    labels = torch.zeros(segments.shape[:2], dtype=torch.long)
    for row, target in enumerate(targets):
        segments[row, : counts[row]], labels[row, : counts[row]] = target
    valid = torch.arange(segments.shape[1]) < counts[:, None]
    return segments.to(device), labels.to(device), valid.to(device)


def match_mutual_best(
    overlaps: Float[Tensor, "batch anchors actions"], least: float = 1e-6
) -> Int[Tensor, "batch anchors"]:
    """Pair anchors and actions one to one, in order of falling tIoU down to `least`; -1 for anchors without a pair.

    A round takes every pair in which each is the other's best. These are just the pairs that taking the largest
    one at a time would come to (ties: the first anchor, then the first action), in few rounds instead of many.
    """
    overlaps = overlaps.clone()
    pairs = torch.full(overlaps.shape[:2], -1, device=overlaps.device)
    actions = torch.arange(overlaps.shape[2], device=overlaps.device)
    while True:
        value, anchor = overlaps.max(1)
        mutual = (overlaps.argmax(2).gather(1, anchor) == actions) & (value >= least)
        if not mutual.any():
            return pairs
        batch, action = mutual.nonzero(as_tuple=True)
        anchor = anchor[batch, action]
        pairs[batch, anchor] = action
        # Both are taken: their overlaps drop below every other.
        overlaps[batch, anchor] = -1
        overlaps[batch, :, action] = -1


def count_negatives(positive: Bool[Tensor, "batch anchors"], ratio: float) -> Tensor:
    """Count the negatives that a batch learns from: `ratio` times its positives.

    Without a positive there is still something to learn: one negative a window.
    """
    positives = positive.sum()
    return torch.where(positives > 0, (ratio * positives).ceil(), len(positive))


def select_negatives(
    losses: Float[Tensor, "batch anchors"],
    negative: Bool[Tensor, "batch anchors"],
    number: Tensor,
    choice: NegativeChoice,
) -> Bool[Tensor, "batch anchors"]:
    """Select `number` negatives of the whole batch: those of highest loss, or random ones."""
    values = losses.detach() if choice == "hardest" else torch.rand_like(losses)
    return select_highest(values.flatten()[None], negative.flatten()[None], number).view_as(negative)


def select_highest(
    values: Float[Tensor, "rows n"], among: Bool[Tensor, "rows n"], number: Tensor
) -> Bool[Tensor, "rows n"]:
    """Select the `number` highest values of each row, a scalar or [rows, 1]; of equal values the first."""
    order = values.masked_fill(~among, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    ranks = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return among & (torch.empty_like(order).scatter_(1, order, ranks) < number)


def masked_mean(values: Float[Tensor, "batch anchors"], mask: Bool[Tensor, "batch anchors"]) -> Tensor:
    """Compute the mean over a mask; 0 where it is empty."""
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)
