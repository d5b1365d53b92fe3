"""Gaussian kernels over the cells of a feature map: their weights, the pooling by them, and how they are merged.

Equations and Algorithm 1 are those of GTAN (Long et al., "Gaussian Temporal Awareness Networks for Action
Localization", CVPR 2019). Places and widths are fractions of the window; a cell lies at its centre, (t + 0.5) / T.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple, no_type_check

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from numba import njit
from torch import Tensor

# `mean` divides by what the weights add up to; `density` is Eq. 4 to the letter: the normal density, over T.
Pooling = Literal["mean", "density"]


class Kernels(NamedTuple):
    """The kernels of one feature map: one a cell, and after them those that were merged."""

    centre: Float[Tensor, "batch kernels"]
    sigma: Float[Tensor, "batch kernels"]
    """Half of the width of the default box (Eq. 2, ratio 1)."""
    real: Bool[Tensor, "batch kernels"]
    """False for cells of padding, for kernels that a merged one stands for, and for unused places."""


class Groups(NamedTuple):
    """What Algorithm 1 decided for kernels of several maps in a row; a row is a window.

    A merged width is a linear function of its members': sigma' = offset + sum of share times sigma.
    """

    group: Int[Tensor, "batch cells"]
    """The merged kernel that a cell's kernel went into; -1 where it stands alone."""
    share: Float[Tensor, "batch cells"]
    centre: Float[Tensor, "batch groups"]
    offset: Float[Tensor, "batch groups"]
    real: Bool[Tensor, "batch groups"]
    """A map of T cells has places for T // 2 groups; few are used."""


def cell_centres(cells: int, device: torch.device | None = None) -> Float[Tensor, " cells"]:
    """The centres of the cells of a map (Eq. 2)."""
    return (torch.arange(cells, device=device) + 0.5) / cells


def default_boxes(kernels: Kernels, ratios: Float[Tensor, " ratios"]) -> Float[Tensor, "batch boxes 2"]:
    """(centre, width) of every kernel's boxes, kernel by kernel, ratio by ratio (Eq. 2 with sigma in windows)."""
    width = 2 * kernels.sigma[..., None] * ratios
    return torch.stack([kernels.centre[..., None].expand_as(width), width], -1).flatten(1, 2)


def pool(
    features: Float[Tensor, "batch channels cells"],
    real: Bool[Tensor, "batch cells"],
    kernels: Kernels,
    pooling: Pooling = "mean",
) -> Float[Tensor, "batch channels kernels"]:
    """Every kernel's sum of the real cells, weighed by its curve (Eqs. 1 and 4)."""
    return features @ curves(kernels, real, pooling).to(features.dtype).transpose(1, 2)


def curves(
    kernels: Kernels, real: Bool[Tensor, "batch cells"], pooling: Pooling = "mean"
) -> Float[Tensor, "batch kernels cells"]:
    """The weight of every cell in every kernel (Eq. 1); 0 for padding."""
    cells = real.shape[1]
    distance = cell_centres(cells, real.device) - kernels.centre[..., None]
    exponent = -(distance**2) / (2 * kernels.sigma[..., None] ** 2)
    if pooling == "mean":
        # A softmax stays exact where a curve is so narrow that every weight by itself would be 0.
        lowest = torch.finfo(exponent.dtype).min
        return exponent.masked_fill(~real[:, None], lowest).softmax(2) * real[:, None]
    density = exponent.exp() / (kernels.sigma[..., None] * (2 * torch.pi) ** 0.5)
    return density * real[:, None] / cells


def merged_sigma(sigma: Float[Tensor, "batch cells"], groups: Groups) -> Float[Tensor, "batch groups"]:
    """The widths of the merged kernels (Eq. 3). The decisions are fixed; the members' widths keep their gradient."""
    # Kernels that stand alone add to a place of their own at the end, which is dropped.
    places = torch.where(groups.group >= 0, groups.group, groups.offset.shape[1])
    return F.pad(groups.offset, (0, 1)).scatter_add(1, places, groups.share * sigma)[:, :-1]


def group(
    sigma: Float[Tensor, "batch cells"],
    cells: Sequence[int],
    real: Int[Tensor, "batch maps"],
    tiou: float,
) -> Groups:
    """Algorithm 1 for all windows and maps at once.

    `sigma` has the maps in a row, of `cells` cells each, of which the first `real` take part. A kernel covers its
    default box of ratio 1. From left to right, a base takes in the next kernel while they overlap by more than
    `tiou`: it moves to the mean of both centres and becomes as wide as their union (Eq. 3, to the letter); else it
    is done and the next kernel becomes the base. The printed loop never adds the last base; here it counts.
    """
    return Groups(*_decide(sigma.detach(), list(cells), real, tiou))


def places(cells: Sequence[int]) -> list[slice]:
    """Where each map's groups lie among all groups."""
    ends = list(accumulate((number // 2 for number in cells), initial=0))
    return [slice(start, end) for start, end in pairwise(ends)]


# An operator of its own, so that shapes are known without values: to count, to compile, to export.
@torch.library.custom_op("untrimmed::group_kernels", mutates_args=())
def _decide(
    sigma: Tensor, cells: list[int], real: Tensor, tiou: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    # One small copy: what is sequential is quicker on the processor than as many launches on a GPU.
    decided = _group(sigma.double().cpu().numpy(), np.array(cells), real.cpu().numpy(), tiou)
    members, share, centre, offset, count = (torch.from_numpy(part).to(sigma.device) for part in decided)
    return members, share.to(sigma.dtype), centre.to(sigma.dtype), offset.to(sigma.dtype), count > 1


@_decide.register_fake
def _(sigma: Tensor, cells: list[int], real: Tensor, tiou: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    groups = sigma.shape[0], sum(number // 2 for number in cells)
    members = torch.empty_like(sigma, dtype=torch.long)
    found = sigma.new_empty(groups, dtype=torch.bool)
    return members, torch.empty_like(sigma), sigma.new_empty(groups), sigma.new_empty(groups), found


@njit(cache=True)
@no_type_check
def _group(sigma, cells, real, tiou):
    rows = len(sigma)
    total = 0
    for number in cells:
        total += number // 2
    members = np.full(sigma.shape, -1)
    share = np.zeros(sigma.shape)
    centre = np.zeros((rows, total))
    offset = np.zeros((rows, total))
    count = np.zeros((rows, total), np.int64)
    for row in range(rows):
        first, place = 0, 0
        for level in range(len(cells)):
            number = cells[level]
            used = place
            base = 0
            while base < real[row, level]:
                end, middle, constant = _absorb(
                    sigma[row, first : first + real[row, level]], base, number, tiou, share[row, first:]
                )
                if end - base > 1:
                    members[row, first + base : first + end] = used
                    centre[row, used], offset[row, used], count[row, used] = middle, constant, end - base
                    used += 1
                base = end
            first += number
            place += number // 2
    return members, share, centre, offset, count


@njit(cache=True)
@no_type_check
def _absorb(sigma, base, number, tiou, share):
    """Let the kernel at `base` take in those after it: where it stops, its centre, and its width's constant part."""
    centre, half, constant = (base + 0.5) / number, sigma[base], 0.0
    share[base] = 1.0
    end = base + 1
    while end < sigma.size:
        other = (end + 0.5) / number
        left, right = centre - half, centre + half
        other_left, other_right = other - sigma[end], other + sigma[end]
        union = max(right, other_right) - min(left, other_left)
        if not min(right, other_right) - max(left, other_left) > tiou * union:
            break
        kept = 0.5 * (right >= other_right) + 0.5 * (left <= other_left)
        for member in range(base, end):
            share[member] *= kept
        share[end] = 1.0 - kept
        last = centre if right >= other_right else other
        first = centre if left <= other_left else other
        constant = kept * constant + (last - first) / 2
        centre, half = (centre + other) / 2, union / 2
        end += 1
    return end, centre, constant
