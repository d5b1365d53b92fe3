"""GTAN's merging of kernels in torch's own operators, for networks that are exported.

`gaussian_kernels.group_kernels` is a loop in compiled Python, which no other program can run. Here the loop over
cells is a scan, which ONNX has too, over all windows and maps at once; the decisions are the same to the bit.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, no_type_check

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops import scan

# A share that is halved so often is 0, whatever it was before.
_VANISHED = 4096.0


class Steps(NamedTuple):
    """What was decided at every cell: [batch, cells of the longest map, maps]."""

    joins: Tensor
    """Whether the kernel was merged into the ones before it."""
    base_share: Tensor
    """The share of their width that those keep: 0, 1/2 or 1."""
    centre: Tensor
    """Of all that is merged so far."""
    offset: Tensor
    """The constant part of its width."""


def group_by_scan(sigma: Tensor, cells: Sequence[int], counts: Tensor, tiou: float) -> tuple[Tensor, ...]:
    """Compute the fields of `KernelGroups`, from the arguments of `group_kernels`."""
    longest = max(cells)
    widths = torch.stack(
        [
            F.pad(part, (0, longest - number))
            for part, number in zip(sigma.double().split(cells, 1), cells, strict=True)
        ],
        2,
    )
    place = torch.arange(longest, device=sigma.device)[:, None]
    valid = place < counts[:, None]
    centres = torch.cat([(place.double() + 0.5) / number for number in cells], 1)
    joins, base_share, centre, offset = _scan_cells(widths, centres, valid & (place > 0), tiou)

    follows = F.pad(joins[:, 1:], (0, 0, 0, 1), value=False)
    begins, ends, merged = follows & ~joins, joins & ~follows, follows | joins
    run = begins.long().cumsum(1) - 1
    # A merged kernel's values are those of its last cell; other cells write to a place past the end.
    slot = torch.where(ends, run, longest // 2)
    empty = widths.new_zeros(widths.shape[0], longest // 2 + 1, widths.shape[2])
    # A member's share is halved, or lost, by each that joins after it: counted, because a power of 2 is exact.
    halvings = (joins * ((base_share == 0.5).double() + _VANISHED * (base_share == 0).double())).cumsum(1)
    last = empty.scatter(1, slot, halvings).gather(1, run.clamp(min=0))
    first = torch.where(joins, 1 - base_share, 1.0)
    share = torch.where(merged, first * torch.exp2(halvings - last), 1.0) * valid

    halves = [number // 2 for number in cells]
    firsts = list(accumulate(halves, initial=0))[:-1]
    group = torch.stack([run[..., level] + number for level, number in enumerate(firsts)], 2)
    used = torch.arange(longest // 2, device=sigma.device)[:, None] < begins.sum(1, keepdim=True)
    values = (_concatenate(empty.scatter(1, slot, value), halves).to(sigma.dtype) for value in (centre, offset))
    group = _concatenate(torch.where(merged, group, -1), cells)
    return group, _concatenate(share, cells).to(sigma.dtype), *values, _concatenate(used, halves)


def _scan_cells(widths: Tensor, centres: Tensor, takes_part: Tensor, tiou: float) -> Steps:
    """Run Algorithm 1 from left to right; a cell that takes no part becomes a new base."""

    @no_type_check
    def step(base: Any, cell: Any) -> Any:
        (centre, half, offset), (sigma, next_centre, allowed) = base, cell
        left, right = centre - half, centre + half
        next_left, next_right = next_centre - sigma, next_centre + sigma
        union = torch.maximum(right, next_right) - torch.minimum(left, next_left)
        overlap = torch.minimum(right, next_right) - torch.maximum(left, next_left)
        joins = allowed & (overlap > tiou * union)
        ends, starts = right >= next_right, left <= next_left
        base_share = 0.5 * ends.double() + 0.5 * starts.double()
        between = torch.where(ends, centre, next_centre) - torch.where(starts, centre, next_centre)
        offset = torch.where(joins, base_share * offset + between / 2, 0.0)
        centre = torch.where(joins, (centre + next_centre) / 2, next_centre)
        half = torch.where(joins, union / 2, sigma)
        # A scan's state and its outputs must not be one tensor.
        return (centre, half, offset), (joins, base_share, centre.clone(), offset.clone())

    zeros = torch.zeros_like(widths[:, 0])
    rows = centres[:, None].expand(-1, widths.shape[0], -1)
    cells = tuple(part.contiguous() for part in (widths.transpose(0, 1), rows, takes_part.transpose(0, 1)))
    _, outputs = scan(step, (zeros, zeros.clone(), zeros.clone()), cells, dim=0)
    return Steps(*(part.transpose(0, 1) for part in outputs))


def _concatenate(x: Tensor, counts: Sequence[int]) -> Tensor:
    """Put the first `counts` values of each map in a row: [batch, all of them]."""
    return torch.cat([x[:, :count, level] for level, count in enumerate(counts)], 1)
