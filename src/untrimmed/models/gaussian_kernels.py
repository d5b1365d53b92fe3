"""Gaussian kernels over the cells of a feature map: their weights, pooling by them, and how they are merged.

Equations and Algorithm 1 are those of GTAN (Long et al., "Gaussian Temporal Awareness Networks for Action
Localization", CVPR 2019). Centres and widths are fractions of the window; a cell lies at its centre, (t + 0.5) / T.
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
    """The kernels of one feature map: one a cell, and after them the merged ones."""

    centre: Float[Tensor, "batch kernels"]
    sigma: Float[Tensor, "batch kernels"]
    """Half of the width of the default box (Eq. 2, ratio 1)."""
    valid: Bool[Tensor, "batch kernels"]
    """False for padding, for kernels that a merged one replaces, and for unused places."""


class KernelGroups(NamedTuple):
    """What Algorithm 1 decided for the kernels of several maps in a row; a row is a window.

    A merged width is a linear function of its members': sigma' = offset + sum of share times sigma.
    """

    group: Int[Tensor, "batch cells"]
    """The merged kernel that a cell's kernel went into; -1 where it stands alone."""
    share: Float[Tensor, "batch cells"]
    centre: Float[Tensor, "batch groups"]
    offset: Float[Tensor, "batch groups"]
    valid: Bool[Tensor, "batch groups"]
    """A map of T cells has places for T // 2 groups; few are used."""


def compute_cell_centres(cells: int, device: torch.device | None = None) -> Float[Tensor, " cells"]:
    """Compute the centres of the cells of a map (Eq. 2)."""
    return (torch.arange(cells, device=device) + 0.5) / cells


def compute_default_boxes(kernels: Kernels, ratios: Float[Tensor, " ratios"]) -> Float[Tensor, "batch boxes 2"]:
    """Compute (centre, width) of every kernel's boxes, kernel by kernel, ratio by ratio (Eq. 2, sigma in windows)."""
    # a_w = 2 r sigma: a box reaches one sigma to either side at ratio 1.
    width = 2 * kernels.sigma[..., None] * ratios
    return torch.stack([kernels.centre[..., None].expand_as(width), width], -1).flatten(1, 2)


def pool_features(
    features: Float[Tensor, "batch channels cells"],
    valid: Bool[Tensor, "batch cells"],
    kernels: Kernels,
    pooling: Pooling = "mean",
) -> Float[Tensor, "batch channels kernels"]:
    """Sum the valid cells under every kernel, each times its weight (Eq. 4)."""
    return features @ compute_weights(kernels, valid, pooling).to(features.dtype).transpose(1, 2)


def compute_weights(
    kernels: Kernels, valid: Bool[Tensor, "batch cells"], pooling: Pooling = "mean"
) -> Float[Tensor, "batch kernels cells"]:
    """Compute the weight of every cell in every kernel (Eq. 1); 0 for padding."""
    cells = valid.shape[1]
    distance = compute_cell_centres(cells, valid.device) - kernels.centre[..., None]
    exponent = -(distance**2) / (2 * kernels.sigma[..., None] ** 2)
    if pooling == "mean":
        # Eq. 1 with Z the sum over the cells, as a softmax: exact where a kernel is so narrow that every weight by
        # itself would be 0. Not minus infinity under it: a map of padding alone would become NaN.
        lowest = torch.finfo(exponent.dtype).min
        return exponent.masked_fill(~valid[:, None], lowest).softmax(2) * valid[:, None]
    # Z of the normal density, and the 1/T of Eq. 4.
    density = exponent.exp() / (kernels.sigma[..., None] * (2 * torch.pi) ** 0.5)
    return density * valid[:, None] / cells


def merge_sigmas(sigma: Float[Tensor, "batch cells"], groups: KernelGroups) -> Float[Tensor, "batch groups"]:
    """Compute the widths of the merged kernels (Eq. 3). Groups are fixed; the members' widths keep their gradient."""
    # Kernels that stand alone add to one more place at the end, which is dropped.
    places = torch.where(groups.group >= 0, groups.group, groups.offset.shape[1])
    return F.pad(groups.offset, (0, 1)).scatter_add(1, places, groups.share * sigma)[:, :-1]


def group_kernels(
    sigma: Float[Tensor, "batch cells"],
    cells: Sequence[int],
    counts: Int[Tensor, "batch maps"],
    tiou: float,
) -> KernelGroups:
    """Run Algorithm 1 on all windows and maps at once.

    `sigma` has the maps in a row, of `cells` cells each, of which the first `counts` take part. A kernel covers its
    default box of ratio 1. From left to right, a base takes in the next kernel while they overlap by more than
    `tiou`: it moves to the mean of both centres and becomes as wide as their union (Eq. 3, to the letter); else it
    is done and the next kernel becomes the base. The printed loop never adds the last base; here it counts.
    """
    return KernelGroups(*_run_grouping(sigma.detach(), list(cells), counts, tiou))


def slice_groups(cells: Sequence[int]) -> list[slice]:
    """Compute where each map's groups lie among all groups."""
    ends = list(accumulate((number // 2 for number in cells), initial=0))
    return [slice(start, end) for start, end in pairwise(ends)]


# An operator of its own, so that shapes are known without values: to count, to compile, to export.
@torch.library.custom_op("untrimmed::group_kernels", mutates_args=())
def _run_grouping(
    sigma: Tensor, cells: list[int], counts: Tensor, tiou: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    # One small copy: a loop over cells is quicker on the processor than as many launches on a GPU.
    arrays = _group_rows(sigma.double().cpu().numpy(), np.array(cells), counts.cpu().numpy(), tiou)
    group, share, centre, offset, size = (torch.from_numpy(array).to(sigma.device) for array in arrays)
    return group, share.to(sigma.dtype), centre.to(sigma.dtype), offset.to(sigma.dtype), size > 1


@_run_grouping.register_fake
def _(sigma: Tensor, cells: list[int], counts: Tensor, tiou: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    groups = sigma.shape[0], sum(number // 2 for number in cells)
    group, valid = torch.empty_like(sigma, dtype=torch.long), sigma.new_empty(groups, dtype=torch.bool)
    return group, torch.empty_like(sigma), sigma.new_empty(groups), sigma.new_empty(groups), valid


@njit(cache=True)
@no_type_check
def _group_rows(
    sigma: Float[np.ndarray, "rows all_cells"],
    cells: Int[np.ndarray, " maps"],
    counts: Int[np.ndarray, "rows maps"],
    tiou: float,
) -> tuple:
    """Run Algorithm 1 on every row, map by map."""
    # Places for groups: two cells make one at least, so a map of T cells has T // 2.
    rows = len(sigma)
    total = 0
    for number in cells:
        total += number // 2
    group = np.full(sigma.shape, -1)
    share = np.zeros(sigma.shape)
    centre = np.zeros((rows, total))
    offset = np.zeros((rows, total))
    size = np.zeros((rows, total), np.int64)
    for row in range(rows):
        first, place = 0, 0
        for level in range(len(cells)):
            number = cells[level]
            unused = place
            base = 0
            while base < counts[row, level]:
                end, middle, constant = _absorb(
                    sigma[row, first : first + counts[row, level]], base, number, tiou, share[row, first:]
                )
                if end - base > 1:
                    group[row, first + base : first + end] = unused
                    centre[row, unused], offset[row, unused], size[row, unused] = middle, constant, end - base
                    unused += 1
                base = end
            # The next map, whose groups have places of their own.
            first += number
            place += number // 2
    return group, share, centre, offset, size


@njit(cache=True)
@no_type_check
def _absorb(
    sigma: Float[np.ndarray, " cells"], base: int, cells: int, tiou: float, share: Float[np.ndarray, " row"]
) -> tuple:
    """Merge the kernel at `base` with those after it: where it stops, its centre, and its width's constant part.

    The shares of the members are written to `share`.
    """
    centre, half, constant = (base + 0.5) / cells, sigma[base], 0.0
    share[base] = 1.0
    end = base + 1
    while end < sigma.size:
        next_centre = (end + 0.5) / cells
        left, right = centre - half, centre + half
        next_left, next_right = next_centre - sigma[end], next_centre + sigma[end]
        # H and L of Fig. 3: what both boxes cover, and what either does.
        union = max(right, next_right) - min(left, next_left)
        if not min(right, next_right) - max(left, next_left) > tiou * union:
            break
        # Half the union is half of its right end minus half of its left end; each end belongs to one of the two, and
        # moves with that one's width alone.
        base_share = 0.5 * (right >= next_right) + 0.5 * (left <= next_left)
        for member in range(base, end):
            share[member] *= base_share
        share[end] = 1.0 - base_share
        right_centre = centre if right >= next_right else next_centre
        left_centre = centre if left <= next_left else next_centre
        constant = base_share * constant + (right_centre - left_centre) / 2
        centre, half = (centre + next_centre) / 2, union / 2  # Eq. 3
        end += 1
    return end, centre, constant
