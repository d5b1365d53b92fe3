"""C-TCN with time outermost, as a CPU detects with it: the same numbers, and only where it can give them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from small_ctcn import CHANNELS, CLASSES, SMALL, inputs, randomize_norms
from untrimmed.detection.detector import Detector
from untrimmed.features.video_features import FeatureSource
from untrimmed.models import time_major
from untrimmed.models.device import to_device
from untrimmed.models.pyramid import upsample
from untrimmed.models.time_major import BACK, CELLS, TAPS, TimeMajorConvolution, build_upsampling
from untrimmed.recipe import build_recipe


def test_the_fast_algorithm_is_a_convolution_of_three_taps():
    torch.manual_seed(0)
    cells, taps = torch.randn(6, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    four = BACK.double() @ ((CELLS.double() @ cells) * (TAPS @ taps))
    plain = torch.stack([cells[i : i + 3] @ taps for i in range(4)])
    torch.testing.assert_close(four, plain)


@pytest.mark.parametrize("time", [1, 2, 3, 4, 7, 8, 20, 33])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_a_convolution_is_the_module_s(time, kernel, stride, bias):
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 6, (1, kernel), (1, stride), (0, kernel // 2), bias=bias)
    x = torch.randn(1, 5, 3, time)
    actual = TimeMajorConvolution(layer)(x[0].permute(2, 1, 0).contiguous())
    torch.testing.assert_close(actual.permute(2, 1, 0)[None], layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("coarse", "fine"), [(1, 1), (1, 2), (2, 4), (8, 16), (3, 7)])
def test_a_coarser_map_is_stretched_as_the_pyramid_does(coarse, fine):
    x = torch.randn(1, 1, 1, coarse)
    expected = upsample(x, torch.zeros(1, 1, 1, fine))[0, 0, 0]
    torch.testing.assert_close(build_upsampling(coarse, fine) @ x[0, 0, 0], expected)


@pytest.mark.parametrize("chunk", [1, 2**21], ids=["a row at a time", "all rows at once"])
@pytest.mark.parametrize("classes", [1, 200], ids=["merged heads", "two layers a head"])
@torch.inference_mode()
def test_rows_in_chunks_give_what_all_give(monkeypatch, chunk, classes):
    monkeypatch.setattr(time_major, "CHUNK", chunk)
    model = randomize_norms(SMALL.build(CHANNELS, classes))
    x, mask = inputs()
    mask[1, 20:] = False
    fast = model.optimize_for_inference()
    assert fast.time_major
    for actual, expected in zip(fast(x, mask), model(x, mask), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "can"),
    [
        (SMALL, True),
        (replace(SMALL, groups=4), True),
        (replace(SMALL, groups=1), False),
        (replace(SMALL, groups=4, shared=False), False),
        (replace(SMALL, square_kernels=True), False),
        (replace(SMALL, square_strides=True, shared_heads=False), False),
        (replace(SMALL, shared_heads=False), False),
    ],
)
def test_only_networks_of_shared_filters_are_laid_out_so(config, can):
    model = config.build(CHANNELS, CLASSES).eval()
    assert bool(model.optimize_for_inference().time_major) is can
    assert model.time_major is None and isinstance(model.backbone.stem[0], nn.Sequential)


@pytest.mark.parametrize(("settings", "laid_out"), [({}, True), ({"precision": "bfloat16"}, False)])
def test_a_detector_detects_so_in_float32(settings, laid_out):
    recipe = build_recipe({"data": {"annotations": "a", "features": "f", "train": ["training"]}}, "a recipe")
    source = FeatureSource(backbone="noise", fps=4.0, streams=("noise",))
    model = to_device(randomize_norms(SMALL.build(CHANNELS, 2)), "cpu")
    detector = Detector(model, replace(recipe, model=SMALL), CHANNELS, ("a", "b"), source, **settings)
    assert bool(detector._network.time_major) is laid_out
