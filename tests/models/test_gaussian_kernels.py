"""Gaussian weights, pooling, default boxes and grouping, each against loops written from GTAN's equations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models import gaussian_kernels as gaussian
from untrimmed.models.gaussian_kernels import (
    Kernels,
    compute_default_boxes,
    compute_weights,
    group_kernels,
    merge_sigmas,
    pool_features,
    slice_groups,
)

POOLINGS = ("mean", "density")


def slow_weights(cells, centre, sigma, real, pooling):
    """Eq. 1, where a cell i lies at p = i / T; `centre` is a_c of Eq. 2, half a cell to the right of mu."""
    mu = centre - 0.5 / cells
    values = [math.exp(-((i / cells - mu) ** 2) / (2 * sigma**2)) if real[i] else 0.0 for i in range(cells)]
    z = sum(values) if pooling == "mean" else sigma * math.sqrt(2 * math.pi)
    return [value / z for value in values]


def slow_pool(features, weights, pooling):
    """Eq. 4. Where Z makes the weights add up to 1, a further 1 / T would shrink features by the layer's size."""
    channels, cells = len(features), len(features[0])
    scale = 1 / cells if pooling == "density" else 1.0
    return [scale * sum(weights[i] * features[c][i] for i in range(cells)) for c in range(channels)]


def slow_group(sigma, cells, real, tiou):
    """Algorithm 1 on one map: the members, the centre and sigma' of every kernel that more than one went into."""
    found, p = [], 0
    while p < real:
        members, centre, half = [p], (p + 0.5) / cells, sigma[p]
        z = p + 1
        while z < real:
            other, width = (z + 0.5) / cells, sigma[z]
            starts, ends = (centre - half, other - width), (centre + half, other + width)
            h = min(ends) - max(starts)
            length = max(ends) - min(starts)
            if not h / length > tiou:
                break
            members.append(z)
            centre, half = (centre + other) / 2, length / 2  # Eq. 3
            z += 1
        found.append((members, centre, half))
        p = z
    return [(members, centre, half) for members, centre, half in found if len(members) > 1]


def widths(cells, rows, spread, seed):
    """Random sigmas for maps in a row, of up to `spread` cells each."""
    scale = torch.cat([torch.full((number,), 1 / number, dtype=torch.float64) for number in cells])
    noise = torch.rand(rows, sum(cells), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (0.05 + spread * noise) * scale


def random_kernels(batch, number, cells, seed):
    random = torch.Generator().manual_seed(seed)
    centre, sigma = torch.rand(2, batch, number, generator=random, dtype=torch.float64)
    real = torch.rand(batch, cells, generator=random) < 0.7
    real[:, 0] = True  # an empty map has a test of its own
    return Kernels(centre, 0.05 + sigma / 2, torch.ones(batch, number, dtype=torch.bool)), real


sizes = st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(0, 10**6)


@pytest.mark.parametrize("pooling", POOLINGS)
@given(*sizes)
def test_weights_and_pooling_equal_the_slow_version(pooling, batch, number, cells, seed):
    kernels, real = random_kernels(batch, number, cells, seed)
    features = torch.randn(batch, 3, cells, dtype=torch.float64)
    weights, pooled = compute_weights(kernels, real, pooling), pool_features(features, real, kernels, pooling)
    for b in range(batch):
        for k in range(number):
            centre, sigma = kernels.centre[b, k].item(), kernels.sigma[b, k].item()
            slow = slow_weights(cells, centre, sigma, real[b].tolist(), pooling)
            factor = cells if pooling == "density" else 1  # 1 / T is already in ours
            assert (weights[b, k] * factor).tolist() == pytest.approx(slow, rel=1e-5)  # centres are of float32
            assert pooled[b, :, k].tolist() == pytest.approx(slow_pool(features[b].tolist(), slow, pooling), abs=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_has_the_gradients_that_differences_show(pooling):
    kernels, real = random_kernels(2, 3, 6, seed=1)
    features = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    sigma = kernels.sigma.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda f, s: pool_features(f, real, kernels._replace(sigma=s), pooling), (features, sigma)
    )


def test_a_mean_s_weights_add_up_to_one_however_narrow_or_wide():
    centre = torch.tensor([[0.5 / 8, 0.31, 0.99, 0.5]])
    for sigma in (1e-12, 1e-4, 0.1, 1e6):
        kernels = Kernels(centre, torch.full_like(centre, sigma), torch.ones_like(centre, dtype=torch.bool))
        assert compute_weights(kernels, torch.arange(8)[None] < 6).sum(2)[0].tolist() == pytest.approx([1] * 4)


def test_a_density_adds_up_to_one_where_it_is_wide_and_inside():
    kernels = Kernels(torch.tensor([[0.5]]), torch.tensor([[0.1]]), torch.ones(1, 1, dtype=torch.bool))
    assert compute_weights(kernels, torch.ones(1, 64, dtype=torch.bool), "density").sum().item() == pytest.approx(
        1, abs=1e-4
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_map_without_real_cells_gives_zeros_and_no_gradient(pooling):
    kernels, _ = random_kernels(1, 3, 5, seed=2)
    sigma = kernels.sigma.requires_grad_()
    features = torch.randn(1, 2, 5, dtype=torch.float64)
    pooled = pool_features(features, torch.zeros(1, 5, dtype=torch.bool), kernels._replace(sigma=sigma), pooling)
    pooled.sum().backward()
    assert not pooled.any() and not sigma.grad.any()


@given(*sizes)
def test_default_boxes_equal_the_slow_version(batch, number, ratios, seed):
    kernels, _ = random_kernels(batch, number, 4, seed)
    rates = [2 ** (d / 3) for d in range(ratios)]
    made = compute_default_boxes(kernels, torch.tensor(rates, dtype=torch.float64))
    for b in range(batch):
        slow = [  # Eq. 2
            [kernels.centre[b, k].item(), rate * 2 * kernels.sigma[b, k].item()]
            for k in range(number)
            for rate in rates
        ]
        assert made[b].flatten().tolist() == pytest.approx([value for box in slow for value in box])


maps = st.lists(st.tuples(st.integers(1, 11), st.floats(0, 1)), min_size=1, max_size=3)


@given(maps, st.integers(1, 2), st.floats(0.05, 0.95), st.floats(0.2, 12), st.integers(0, 10**6))
def test_grouping_equals_the_slow_version_in_values_and_gradients(made, rows, tiou, spread, seed):
    cells = [number for number, _ in made]
    real = torch.tensor([[round(number * share * (1 + r) / rows) for number, share in made] for r in range(rows)])
    sigma = widths(cells, rows, spread, seed)
    fast_input, slow_input = sigma.clone().requires_grad_(), sigma.clone().requires_grad_()
    found = group_kernels(fast_input, cells, real, tiou)
    merged = merge_sigmas(fast_input, found)
    factor = torch.rand(merged.shape, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64) + 0 * slow_input.sum()
    for r in range(rows):
        first = 0
        for level, (number, at) in enumerate(zip(cells, slice_groups(cells), strict=True)):
            own = slow_input[r, first : first + number]
            slow = slow_group(own, number, int(real[r, level]), tiou)
            count = len(slow)
            assert found.valid[r, at].tolist() == [True] * count + [False] * (number // 2 - count)
            assert found.centre[r, at][:count].tolist() == pytest.approx([centre for _, centre, _ in slow])
            assert merged[r, at][:count].tolist() == pytest.approx([half.item() for *_, half in slow])
            where = {member: at.start + k for k, (members, *_) in enumerate(slow) for member in members}
            assert found.group[r, first : first + number].tolist() == [where.get(i, -1) for i in range(number)]
            total = total + sum(factor[r, at.start + k] * half for k, (*_, half) in enumerate(slow))
            first += number
    (merged * factor * found.valid).sum().backward()
    total.backward()
    torch.testing.assert_close(fast_input.grad, slow_input.grad)


def test_merged_widths_have_the_gradients_that_differences_show():
    cells, real = [12, 6], torch.tensor([[12, 5], [9, 6]])
    sigma = widths(cells, 2, 6.0, seed=3).requires_grad_()
    assert group_kernels(sigma, cells, real, 0.4).valid.sum() >= 4
    assert torch.autograd.gradcheck(lambda s: merge_sigmas(s, group_kernels(s, cells, real, 0.4)), sigma)


def test_equation_3_by_hand():
    # Boxes of [0, 3/4] and [1/8, 7/8] around 3/8 and 1/2 share 5/8 of 7/8; both centres' mean is 7/16.
    sigma = torch.tensor([[0.1, 3 / 8, 3 / 8, 0.1]], dtype=torch.float64)
    found = group_kernels(sigma, [4], torch.tensor([[4]]), 0.5)
    # Boxes around 3/8 and 5/8: [0, 3/4], [1/4, 1] share 1/2 of 1: not more than 0.5.
    assert found.group.tolist() == [[-1, -1, -1, -1]]
    found = group_kernels(sigma, [4], torch.tensor([[4]]), 0.49)
    assert found.group.tolist() == [[-1, 0, 0, -1]]
    assert found.centre[0, 0].item() == 0.5
    assert merge_sigmas(sigma, found)[0, 0].item() == 0.5
    assert found.share.tolist()[0][1:3] == [0.5, 0.5]


def test_a_merged_kernel_that_holds_another_whole_leaves_it_without_gradient():
    sigma = torch.tensor([[0.05, 0.75]], dtype=torch.float64, requires_grad=True)
    found = group_kernels(sigma, [2], torch.tensor([[2]]), 0.05)
    merged = merge_sigmas(sigma, found)
    merged[0, 0].backward()
    assert merged[0, 0].item() == 0.75
    assert sigma.grad.tolist() == [[0, 1]]


def test_the_last_base_counts():
    sigma = torch.tensor([[0.01, 0.01, 0.5, 0.5]])
    assert group_kernels(sigma, [4], torch.tensor([[4]]), 0.5).group.tolist() == [[-1, -1, 0, 0]]


@pytest.mark.parametrize("number", [2, 3, 8, 128])
def test_all_kernels_may_become_one(number):
    found = group_kernels(torch.full((1, number), 0.9), [number], torch.tensor([[number]]), 0.01)
    assert found.group.tolist() == [[0] * number]
    assert found.valid.sum() == 1


def test_narrow_kernels_stay_alone():
    sigma = torch.full((2, 12), 0.5 / 8)
    found = group_kernels(sigma, [8, 4], torch.tensor([[8, 4], [8, 4]]), 0.1)
    assert (found.group == -1).all() and not found.valid.any() and not merge_sigmas(sigma, found).any()


def test_an_empty_map_one_cell_and_padding_make_no_group():
    sigma = torch.full((2, 7), 0.9)
    found = group_kernels(sigma, [4, 2, 1], torch.tensor([[0, 1, 1], [2, 0, 0]]), 0.1)
    assert found.group.tolist() == [[-1] * 7, [0, 0, -1, -1, -1, -1, -1]]
    assert found.valid.tolist() == [[False] * 3, [True, False, False]]


def test_groups_follow_each_other_in_their_map():
    sigma = torch.tensor([[0.3, 0.3, 0.001, 0.3, 0.3, 0.001, 0.4, 0.4]])
    found = group_kernels(sigma, [6, 2], torch.tensor([[6, 2]]), 0.1)
    assert slice_groups([6, 2, 1]) == [slice(0, 3), slice(3, 4), slice(4, 4)]
    assert found.group.tolist() == [[0, 0, -1, 1, 1, -1, 3, 3]]
    assert found.valid.tolist() == [[True, True, False, True]]


def test_windows_and_maps_together_give_what_each_gives_alone():
    cells = [16, 8, 4, 2, 1]
    sigma = widths(cells, 4, 6.0, seed=5)
    real = torch.tensor([[16, 8, 4, 2, 1], [9, 4, 2, 1, 0], [0, 0, 0, 0, 0], [3, 1, 1, 0, 0]])
    together = group_kernels(sigma, cells, real, 0.4)
    assert together.valid.sum() > 4
    for row in range(4):
        window = group_kernels(sigma[row : row + 1], cells, real[row : row + 1], 0.4)
        assert all(torch.equal(a[row : row + 1], b) for a, b in zip(together, window, strict=True))
        parts = zip(
            cells, sigma[row].split(cells), slice_groups(cells), together.group[row].split(cells), strict=True
        )
        for level, (number, own, at, members) in enumerate(parts):
            alone = group_kernels(own[None], [number], real[row : row + 1, level : level + 1], 0.4)
            assert torch.equal(alone.group[0], torch.where(members >= 0, members - at.start, -1))
            assert torch.equal(alone.centre[0], together.centre[row, at])
            torch.testing.assert_close(
                merge_sigmas(own[None], alone)[0], merge_sigmas(sigma, together)[row, at], rtol=1e-12, atol=0
            )


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_the_operator_says_beforehand_what_it_will_return(kind):
    sigma = widths([5, 2], 2, 3.0, seed=0).to(kind)
    torch.library.opcheck(gaussian._run_grouping, (sigma, [5, 2], torch.tensor([[5, 2], [3, 0]]), 0.5))
