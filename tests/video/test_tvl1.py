"""TV-L1 flow against known motion, against loops written from the paper, and against OpenCV contrib where it is."""

import math
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.video import tvl1
from untrimmed.video.tvl1 import TVL1Config, compute_tvl1_flow

QUICK = TVL1Config(scales=2, warps=2, rounds=2, iterations=5)
contrib = pytest.mark.skipif(not hasattr(cv2, "optflow"), reason="this OpenCV is built without contrib's optflow")


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Soft blobs of 0 to 255."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return ((soft - soft.min()) / (soft.max() - soft.min()) * 255).astype(np.float32)


def known_warp(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Two frames of bytes, and the flow between them: a different one in every row and column."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    flow = np.stack([1.5 * np.sin(2 * np.pi * y / height) + 1, np.cos(2 * np.pi * x / width)]).astype(np.float32)
    after = texture(height, width)
    before = cv2.remap(after, x + flow[0], y + flow[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return as_bytes(before), as_bytes(after), flow


def as_bytes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.clip(np.rint(image), 0, 255).astype(np.uint8))[None]


def end_point_errors(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.hypot(*(one - other))


def test_a_known_warp_is_found() -> None:
    before, after, flow = known_warp(48, 64)
    found = compute_tvl1_flow(before, after)[0].numpy()
    errors = end_point_errors(found, flow)[8:-8, 8:-8]
    assert errors.mean() < 0.15  # OpenCV contrib's has 0.136
    assert np.percentile(errors, 95) < 0.3  # and 0.278


@pytest.mark.parametrize("median", [True, False])
def test_a_pair_has_the_same_flow_in_a_batch_and_by_itself(median: bool) -> None:
    """Of odd sizes, where each pair lies differently in memory; the one that stands still is done first."""
    frames = torch.cat([as_bytes(texture(37, 45, seed)) for seed in range(3)])
    before = torch.cat([frames, frames[:1]])
    after = torch.cat([frames.roll((1, 2), (1, 2)), frames[:1]])
    after[1] = after[1].roll(1, 1)
    config = TVL1Config(median=median, scales=3, warps=2, rounds=2)
    together = compute_tvl1_flow(before, after, config)
    for i in range(4):
        assert torch.equal(together[i : i + 1], compute_tvl1_flow(before[i : i + 1], after[i : i + 1], config))
    assert together[3].abs().max() < 1e-9


def test_a_pair_that_is_done_leaves_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counted(data, state, config):  # type: ignore[no-untyped-def]
        sizes.append(len(state.flow))
        return iterated(data, state, config)

    iterated = tvl1._iterate
    monkeypatch.setattr(tvl1, "_iterate", counted)
    frame = as_bytes(texture(20, 24))
    compute_tvl1_flow(frame.repeat(2, 1, 1), torch.cat([frame, frame.roll(1, 2)]), TVL1Config(scales=1, warps=1))
    assert sizes[0] == 2
    assert 1 < sizes.count(1) < 299
    assert sizes == sorted(sizes, reverse=True)


def test_turned_frames_have_the_turned_flow() -> None:
    before, after, _ = known_warp(32, 40)
    config = TVL1Config(epsilon=0, rounds=1, iterations=10)
    upright = compute_tvl1_flow(before, after, config)
    turned = compute_tvl1_flow(before.mT, after.mT, config)
    assert (turned.mT.flip(1) - upright).abs().mean() < 1e-4


def test_without_the_median_filter_flow_is_found_but_another() -> None:
    before, after, flow = known_warp(48, 64)
    plain = compute_tvl1_flow(before, after, TVL1Config(median=False))[0].numpy()
    assert end_point_errors(plain, flow)[8:-8, 8:-8].mean() < 0.15
    assert not np.array_equal(plain, compute_tvl1_flow(before, after)[0].numpy())


def test_bytes_and_numbers_mean_the_same() -> None:
    before, after, _ = known_warp(20, 24)
    assert torch.equal(
        compute_tvl1_flow(before, after, QUICK), compute_tvl1_flow(before.double(), after.double(), QUICK)
    )


def slow_iteration(data, flow, dual, config):
    """One iteration in loops, from the paper: v by thresholding rho, u = v + theta div p, then the new p."""
    slopes, constant = data
    height, width = constant.shape
    new, forces = np.zeros_like(flow), np.zeros_like(dual)
    bound = config.attachment * config.theta
    for y in range(height):
        for x in range(width):
            slope, u = slopes[:, y, x], flow[:, y, x]
            rho, squared = constant[y, x] + slope @ u, slope @ slope
            if rho < -bound * squared:
                v = u + bound * slope
            elif rho > bound * squared:
                v = u - bound * slope
            else:
                v = u - rho * slope / squared if squared else u
            for k in range(2):
                left = dual[k, 0, y, x - 1] if x else 0
                above = dual[k, 1, y - 1, x] if y else 0
                divergence = dual[k, 0, y, x] - left + dual[k, 1, y, x] - above
                new[k, y, x] = v[k] + config.theta * divergence
    for k in range(2):
        for y in range(height):
            for x in range(width):
                right = new[k, y, x + 1] - new[k, y, x] if x + 1 < width else 0
                down = new[k, y + 1, x] - new[k, y, x] if y + 1 < height else 0
                pull = config.tau / config.theta
                length = 1 + pull * math.hypot(right, down)
                forces[k, 0, y, x] = (dual[k, 0, y, x] + pull * right) / length
                forces[k, 1, y, x] = (dual[k, 1, y, x] + pull * down) / length
    return new, forces


@given(st.integers(0, 10**6), st.sampled_from([0.5, 5.0, 50.0]))
@settings(max_examples=15)
def test_an_iteration_is_that_of_the_paper(seed: int, contrast: float) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(2, 9, 2)
    slopes = random.normal(0, contrast, (2, height, width))
    slopes[:, random.random((height, width)) < 0.2] = 0  # flat places
    constant = random.normal(0, contrast, (height, width))
    flow, dual = random.normal(size=(2, height, width)), random.uniform(-0.7, 0.7, (2, 2, height, width))
    config = TVL1Config(theta=0.4, tau=0.2, attachment=0.3)
    new, forces = slow_iteration((slopes, constant), flow, dual, config)
    steepness = np.maximum(np.square(slopes).sum(0), 1e-30)
    data = tvl1._Data(*(torch.from_numpy(x).float()[None] for x in (slopes, constant, steepness)))
    state = tvl1._State(*(torch.from_numpy(x).float()[None] for x in (flow, dual)))
    result = tvl1._iterate(data, state, config)
    assert result.flow[0].numpy() == pytest.approx(new, abs=1e-3)
    assert result.dual[0].numpy() == pytest.approx(forces, abs=1e-3)


@given(st.integers(5, 12), st.integers(5, 12), st.integers(0, 10**6))
def test_the_median_is_that_of_the_values_around(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    flow = random.integers(0, random.integers(2, 200), (2, 2, height, width)).astype(np.float32)  # with ties
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(flow, ((0, 0), (0, 0), (2, 2), (2, 2)), "edge"), (5, 5), (2, 3)
    )
    medians = np.median(around, (-2, -1))
    assert np.array_equal(tvl1._median_by_exchanges(torch.from_numpy(flow)).numpy(), medians)
    assert np.array_equal(tvl1._median(torch.from_numpy(flow)).numpy(), medians)


def test_the_pyramid_is_that_of_opencv() -> None:
    image = texture(51, 67)
    levels = tvl1._build_pyramid(torch.from_numpy(image)[None], TVL1Config())
    for level in levels:
        assert level[0].numpy() == pytest.approx(image, abs=0.01)
        image = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_LINEAR)
    assert [level.shape[1:] for level in levels] == [(51, 67), (41, 54), (33, 43), (26, 34), (21, 27)]


def test_flow_moves_to_a_finer_level_as_in_opencv() -> None:
    flow = np.random.default_rng(0).normal(size=(2, 21, 27)).astype(np.float32)
    finer = tvl1._resize(torch.from_numpy(flow)[None], 26, 34)[0]
    for ours, plane in zip(finer, flow, strict=True):
        assert ours.numpy() == pytest.approx(cv2.resize(plane, (34, 26), interpolation=cv2.INTER_LINEAR), abs=1e-5)


def test_no_level_is_smaller_than_16_pixels() -> None:
    levels = tvl1._build_pyramid(torch.zeros(1, 26, 100), TVL1Config(scales=9))
    assert [level.shape[1] for level in levels] == [26, 21, 17]


def test_each_level_begins_with_the_flow_of_the_one_before_in_its_own_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def one_more(before, after, flow, config):  # type: ignore[no-untyped-def]
        seen.append(flow)
        return flow + 1

    monkeypatch.setattr(tvl1, "_compute_level", one_more)
    compute_tvl1_flow(torch.zeros(1, 40, 60), torch.zeros(1, 40, 60), TVL1Config(scales=3, shrink=0.5))
    assert [flow.shape[2:] for flow in seen] == [(20, 30), (40, 60)]
    assert [flow.unique().tolist() for flow in seen] == [[0], [2]]


@pytest.mark.parametrize("wrong", [{"tau": 0}, {"shrink": 1.0}, {"epsilon": -0.1}, {"scales": 0}, {"warps": -1}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        TVL1Config(**wrong)  # type: ignore[arg-type]


def test_frames_too_small_or_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 pixels"):
        compute_tvl1_flow(torch.zeros(1, 15, 64), torch.zeros(1, 15, 64))
    with pytest.raises(ValueError, match="one pair or more"):
        compute_tvl1_flow(torch.zeros(0, 20, 20), torch.zeros(0, 20, 20))
    with pytest.raises(ValueError, match=r"\(1, 20, 20\) and \(2, 20, 20\)"):
        compute_tvl1_flow.__wrapped__.__wrapped__(torch.zeros(1, 20, 20), torch.zeros(2, 20, 20))


def opencv(before: torch.Tensor, after: torch.Tensor, median: bool) -> np.ndarray:
    # A new one each time: OpenCV's forgets levels for good when a frame is small.
    method = cv2.optflow.DualTVL1OpticalFlow_create()
    method.setMedianFiltering(5 if median else 1)
    return method.calc(before[0].numpy(), after[0].numpy(), None).transpose(2, 0, 1)


@contrib
@pytest.mark.parametrize("median", [True, False])
def test_a_synthetic_warp_has_the_flow_of_opencv(median: bool) -> None:
    before, after, _ = known_warp(96, 128)
    found = compute_tvl1_flow(before, after, TVL1Config(median=median))[0].numpy()
    errors = end_point_errors(found, opencv(before, after, median))[8:-8, 8:-8]
    assert errors.mean() < 0.03
    assert np.percentile(errors, 95) < 0.1


@contrib
@pytest.mark.data
@pytest.mark.parametrize(("name", "moment"), [("highjump.mp4", 100), ("asl_untrimmed.mp4", 200)])
def test_real_frames_have_the_flow_of_opencv(data: Path, name: str, moment: int) -> None:
    with av.open(str(data / "videos" / name)) as container:
        pair = islice(container.decode(video=0), moment, moment + 2)
        frames = [frame.to_ndarray(format="rgb24") for frame in pair]
    small = [cv2.resize(frame, (340, 256), interpolation=cv2.INTER_AREA) for frame in frames]
    before, after = (torch.from_numpy(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))[None] for frame in small)
    errors = end_point_errors(compute_tvl1_flow(before, after)[0].numpy(), opencv(before, after, median=True))
    assert errors.mean() < 0.02
    assert np.percentile(errors, 95) < 0.05


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_finds_what_the_cpu_finds() -> None:
    before, after, _ = known_warp(96, 128)
    found = compute_tvl1_flow(before.cuda(), after.cuda())[0].cpu().numpy()
    errors = end_point_errors(found, compute_tvl1_flow(before, after)[0].numpy())
    assert errors.mean() < 0.01
    assert np.percentile(errors, 95) < 0.02
