"""GTAN's merging of kernels in torch's own operators, for programs that leave this package.

`models.kernels` decides it by a loop in compiled Python, which no other program can run. Here the loop over cells is
a scan, which ONNX has too, over all windows and maps at once; the decisions are the same to the bit.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, no_type_check

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops import scan

# A share that is halved so often is 0, whatever it was.
_GONE = 4096.0


class Steps(NamedTuple):
    """What was decided at every cell: [batch, cells of the longest map, maps]."""

    joins: Tensor
    """Whether the kernel was merged into the ones before it."""
    kept: Tensor
    """The share of their width that those keep by it: 0, 1/2 or 1."""
    centre: Tensor
    """Of all that is merged so far."""
    offset: Tensor
    """The constant part of its width."""


def group_in_torch(sigma: Tensor, cells: Sequence[int], real: Tensor, tiou: float) -> tuple[Tensor, ...]:
    """The fields of `models.kernels.Groups`, for the same arguments as its `group`."""
    longest = max(cells)
    widths = torch.stack(
        [
            F.pad(own, (0, longest - number))
            for own, number in zip(sigma.double().split(cells, 1), cells, strict=True)
        ],
        2,
    )
    place = torch.arange(longest, device=sigma.device)[:, None]
    inside = place < real[:, None]
    centres = torch.cat([(place.double() + 0.5) / number for number in cells], 1)
    joins, kept, centre, offset = _steps(widths, centres, inside & (place > 0), tiou)

    follows = F.pad(joins[:, 1:], (0, 0, 0, 1), value=False)
    begins, ends, merged = follows & ~joins, joins & ~follows, follows | joins
    run = begins.long().cumsum(1) - 1
    # A merged kernel's values are those of its last cell; those of the others go to a place past the end.
    at = torch.where(ends, run, longest // 2)
    nothing = widths.new_zeros(widths.shape[0], longest // 2 + 1, widths.shape[2])
    # A member's share is halved, or lost, by each that joins after it: counted, for a power of 2 is exact.
    halved = (joins * ((kept == 0.5).double() + _GONE * (kept == 0).double())).cumsum(1)
    last = nothing.scatter(1, at, halved).gather(1, run.clamp(min=0))
    first = torch.where(joins, 1 - kept, 1.0)
    share = torch.where(merged, first * torch.exp2(halved - last), 1.0) * inside

    halves = [number // 2 for number in cells]
    befores = list(accumulate(halves, initial=0))[:-1]
    group = torch.stack([run[..., level] + before for level, before in enumerate(befores)], 2)
    found = torch.arange(longest // 2, device=sigma.device)[:, None] < begins.sum(1, keepdim=True)
    values = (_row(nothing.scatter(1, at, value), halves).to(sigma.dtype) for value in (centre, offset))
    group, share = _row(torch.where(merged, group, -1), cells), _row(share, cells).to(sigma.dtype)
    return group, share, *values, _row(found, halves)


def _steps(widths: Tensor, centres: Tensor, takes_part: Tensor, tiou: float) -> Steps:
    """Algorithm 1 from left to right; a cell that takes no part begins anew."""

    @no_type_check
    def step(base, cell):
        (centre, half, offset), (sigma, other, allowed) = base, cell
        left, right = centre - half, centre + half
        other_left, other_right = other - sigma, other + sigma
        union = torch.maximum(right, other_right) - torch.minimum(left, other_left)
        overlap = torch.minimum(right, other_right) - torch.maximum(left, other_left)
        joins = allowed & (overlap > tiou * union)
        ends, starts = right >= other_right, left <= other_left
        kept = 0.5 * ends.double() + 0.5 * starts.double()
        between = torch.where(ends, centre, other) - torch.where(starts, centre, other)
        offset = torch.where(joins, kept * offset + between / 2, 0.0)
        centre = torch.where(joins, (centre + other) / 2, other)
        half = torch.where(joins, union / 2, sigma)
        # What is carried on and what is given out must not be one tensor.
        return (centre, half, offset), (joins, kept, centre.clone(), offset.clone())

    nothing = torch.zeros_like(widths[:, 0])
    rows = centres[:, None].expand(-1, widths.shape[0], -1)
    cells = tuple(part.contiguous() for part in (widths.transpose(0, 1), rows, takes_part.transpose(0, 1)))
    _, given = scan(step, (nothing, nothing.clone(), nothing.clone()), cells, dim=0)
    return Steps(*(part.transpose(0, 1) for part in given))


def _row(x: Tensor, counts: Sequence[int]) -> Tensor:
    """The maps' first so many values in a row: [batch, all of them]."""
    return torch.cat([x[:, :count, level] for level, count in enumerate(counts)], 1)
