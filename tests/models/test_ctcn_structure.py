"""The parts of C-TCN and each switch of the paper's tables: what it changes, what fusing and saving memory keep."""

import os
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from small_ctcn import CHANNELS, CLASSES, SMALL, inputs, randomize_norms
from untrimmed.detection.detector import Detector
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import PAPER, CTCNConfig
from untrimmed.models.device import to_device
from untrimmed.models.pyramid import Filters, MergedHead, PointwiseConv2d
from untrimmed.recipe import build_recipe

SOURCE = FeatureSource(backbone="noise", fps=4.0, streams=("noise",))
SQUARE_STRIDES = replace(SMALL, square_strides=True, shared_heads=False)
SWITCHES = {
    "C-TCN": SMALL,
    "TCN": replace(SMALL, groups=1),
    "4 groups, shared": replace(SMALL, groups=4),
    "4 groups, unshared": replace(SMALL, groups=4, shared=False),
    "8 groups, unshared": replace(SMALL, groups=8, shared=False),
    "30 layers": replace(SMALL, depth=30),
    "literal widths": replace(SMALL, inner=128),
    "3 anchors": replace(SMALL, anchors=3),
    "anchors of Eq. 2": replace(SMALL, anchors=6, anchor_rule="paper"),
    "SSD's anchors": replace(SMALL, anchors=6, anchor_rule="ssd"),
    "no regression": replace(SMALL, regression=False),
    "square kernels": replace(SMALL, square_kernels=True),
    "square strides": SQUARE_STRIDES,
    "no finest scale": replace(SMALL, finest=3),
    "no top-down path": replace(SMALL, top_down=False),
    "ReLU in heads": replace(SMALL, head_relu=True),
    "a head a level": replace(SMALL, shared_heads=False),
    "paper": replace(PAPER, length=64, levels=5, concepts=0, depth=15, width=1 / 16),
    "checkpoint": replace(SMALL, checkpoint=True),
}


@pytest.fixture(params=SWITCHES.values(), ids=SWITCHES.keys())
def config(request):
    return request.param


def test_every_switch_learns_and_detects(config):
    model = config.build(CHANNELS, CLASSES)
    rows = [Targets(torch.tensor([[3.0, 9.0], [30.0, 60.0]]), torch.tensor([0, 2]))] * 2
    outputs = model(*inputs())
    assert (
        outputs.logits.shape[1] == model.anchor_count == config.anchors * sum(level.cells for level in model.levels)
    )
    torch.stack(list(model.loss(outputs, rows).values())).sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]
    for proposals in model.eval().decode(model(*inputs())):
        assert torch.isfinite(proposals.segments).all()


def test_fusing_changes_nothing_but_speed(config):
    model = randomize_norms(config.build(CHANNELS, CLASSES))
    x = inputs()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fused = model.fuse_batch_norm()
    assert not [m for m in fused.modules() if isinstance(m, nn.BatchNorm2d)]
    for a, b, c in zip(model(*x), fused(*x), model.optimize_for_inference()(*x), strict=True):
        assert torch.allclose(a.float(), b.float(), atol=1e-4)
        assert torch.allclose(a.float(), c.float(), atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_fusing_leaves_a_training_model_in_training():
    model = SMALL.build(CHANNELS, CLASSES).train()
    assert not model.fuse_batch_norm().training
    assert model.training and model.backbone.stem[0][1].training


def test_heads_are_multiplied_out_only_where_that_is_cheaper_and_the_same():
    few, many = SMALL.build(CHANNELS, 1).fuse_batch_norm(), SMALL.build(CHANNELS, 200).fuse_batch_norm()
    assert isinstance(few.class_head, MergedHead) and isinstance(many.box_head, MergedHead)
    assert not isinstance(many.class_head, MergedHead)
    assert not isinstance(replace(SMALL, head_relu=True).build(CHANNELS, 1).fuse_batch_norm().class_head, MergedHead)
    assert not isinstance(
        replace(SMALL, square_kernels=True).build(CHANNELS, 1).fuse_batch_norm().class_head, MergedHead
    )


def test_checkpointing_gives_the_same_gradients_and_statistics():
    rows = [Targets(torch.tensor([[3.0, 9.0]]), torch.tensor([1]))] * 2
    x, made = inputs(), []
    for kept in (False, True):
        torch.manual_seed(3)
        model = replace(SMALL, checkpoint=kept).build(CHANNELS, CLASSES).train()
        torch.manual_seed(4)
        torch.stack(list(model.loss(model(*x), rows).values())).sum().backward()
        made.append((dict(model.named_parameters()), dict(model.named_buffers())))
    for name, parameter in made[0][0].items():
        assert torch.equal(parameter.grad, made[1][0][name].grad), name
    for name, buffer in made[0][1].items():
        assert torch.equal(buffer, made[1][1][name]), name


def test_checkpointing_keeps_less():
    def saved(checkpoint):
        model, sizes = replace(SMALL, checkpoint=checkpoint).build(CHANNELS, CLASSES).train(), []
        pack = lambda t: sizes.append(t.numel()) or t  # noqa: E731
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            model.backbone(torch.randn(2, 1, CHANNELS, 64))
        return sum(sizes)

    assert saved(True) < saved(False) / 3


def test_heads_of_their_own_are_one_a_level():
    one, many = (replace(SMALL, shared_heads=shared).build(CHANNELS, CLASSES) for shared in (True, False))
    count = lambda head: sum(p.numel() for p in head.parameters())  # noqa: E731
    assert count(many.class_head) == 5 * count(one.class_head)
    assert count(many.box_head) == 5 * count(one.box_head)


def test_relu_in_a_head_stands_between_its_layers():
    head = replace(SMALL, head_relu=True).build(CHANNELS, CLASSES).eval().class_head
    x = torch.randn(1, 32, CHANNELS, 4)
    expected = head.predict(head.hidden(x).relu().flatten(1, 2))
    assert torch.allclose(head([x]), expected, atol=1e-6)
    assert not torch.allclose(head.predict(head.hidden(x).flatten(1, 2)), expected, atol=1e-3)


def test_a_detector_detects_with_the_fused_network_and_saves_the_model(tmp_path):
    recipe = build_recipe({"model": asdict(SMALL)}, "test")
    detector = Detector(
        to_device(randomize_norms(SMALL.build(CHANNELS, 2)), "cpu"), recipe, CHANNELS, ("a", "b"), SOURCE
    )
    values = np.random.default_rng(0).normal(size=(50, CHANNELS)).astype(np.float32)
    features = VideoFeatures(values, SOURCE.grid, 12.5, SOURCE)
    norm = detector.model.backbone.stem[0][1]
    norm.register_forward_hook(lambda *_: pytest.fail("a batch norm ran"))
    found = detector.detect(features)
    assert found.actions
    detector.save(tmp_path / "d.safetensors")
    assert Detector.load(tmp_path / "d.safetensors").detect(features) == found


def test_without_regression_detections_are_the_anchors():
    model = replace(SMALL, regression=False).build(CHANNELS, CLASSES).eval()
    centre, width = model.anchors.unbind(1)
    segments = model.decode(model(*inputs()))[0].segments
    assert torch.allclose(segments, torch.stack([centre - width / 2, centre + width / 2], 1))


def test_square_kernels_mix_neighbouring_concepts():
    layer = replace(SMALL, square_kernels=True).build(CHANNELS, CLASSES).backbone.stages[0][0].residual[1][0]
    assert layer.kernel_size == (3, 3) and layer.stride == (1, 1)
    x = torch.zeros(1, layer.in_channels, CHANNELS, 5)
    x[:, :, 4] = 1
    assert layer(x).abs().sum((0, 1, 3)).gt(0).tolist() == [False] * 3 + [True] * 3 + [False] * 2


def test_square_strides_halve_the_concepts_from_scale_to_scale():
    model = SQUARE_STRIDES.build(CHANNELS, CLASSES).eval()
    maps = model.pyramid(model.backbone(torch.randn(1, 1, CHANNELS, 64)))
    assert [tuple(level.shape[2:]) for level in maps] == [(8, 16), (4, 8), (2, 4), (1, 2), (1, 1)]


def test_a_scale_that_is_left_out_is_the_finest():
    full, seven = CTCNConfig(concepts=0, width=1 / 64), CTCNConfig(concepts=0, width=1 / 64, finest=3)
    full, seven = (config.build(2, 1) for config in (full, seven))
    assert seven.levels == full.levels[1:]
    assert torch.equal(seven.anchors, full.anchors[-len(seven.anchors) :])


def test_without_the_top_down_path_coarse_maps_say_nothing_to_finer_ones():
    for top_down, says in ((True, True), (False, False)):
        model = replace(SMALL, top_down=top_down).build(CHANNELS, CLASSES).eval()
        maps = model.backbone(torch.randn(1, 1, CHANNELS, 64))
        before = [level.clone() for level in model.pyramid(maps)]
        after = model.pyramid([*maps[:3], maps[3] + 1])
        assert [not torch.equal(a, b) for a, b in zip(before[:3], after[:3], strict=True)] == [says] * 3


def test_sizes_are_those_of_tables_a_and_b():
    model = CTCNConfig(width=1 / 16, concepts=0).build(4, 1).eval()
    maps = model.backbone(torch.zeros(1, 1, 4, 512))
    assert [tuple(level.shape) for level in maps] == [
        (1, 256 * 2**stage // 16, 4, 128 // 2**stage) for stage in range(4)
    ]
    assert [tuple(level.shape) for level in model.pyramid(maps)] == [(1, 32, 4, 128 // 2**p) for p in range(8)]


STRIDED = """
import torch
from untrimmed.models.device import to_device
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import CTCNConfig

torch.set_num_threads(1)
torch.manual_seed(0)
model = to_device(CTCNConfig(length=256, levels=6, concepts=0, depth=15, width=1 / 32).build(64, 3), "cpu").train()
x, mask = torch.randn(2, 64, 256), torch.ones(2, 256, dtype=torch.bool)
targets = [Targets(torch.tensor([[3.0, 90.0]]), torch.tensor([1]))] * 2
for _ in range(5):
    torch.stack(list(model.loss(model(x, mask), targets).values())).sum().backward()

# By itself: through the whole of so narrow a network, rounding alone changes a gradient by a tenth.
layer = model.backbone.stages[1][0].shortcut[0]
gradients = []
for layout in (torch.contiguous_format, torch.channels_last):
    torch.manual_seed(1)
    layer.zero_grad()
    x = torch.randn(2, layer.in_channels, 64, 64).contiguous(memory_format=layout).requires_grad_()
    layer(x).square().sum().backward()
    gradients.append((x.grad, layer.weight.grad))
for plain, last in zip(*gradients, strict=True):
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-2)
"""


def test_few_channels_train_in_the_layout_that_is_fastest():
    # Memory that was written past its end kills a process at any later moment: not this one.
    done = subprocess.run(
        [sys.executable, "-c", STRIDED], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("square", [False, True])
def test_dropping_what_a_stride_skips_is_the_strided_convolution(square):
    layer = Filters(square_strides=square).build(4, 6, 1, 2)
    assert isinstance(layer, PointwiseConv2d)
    x = torch.randn(2, 4, 5, 9)
    expected = nn.functional.conv2d(x, layer.weight, layer.bias, layer.stride)
    assert torch.allclose(layer(x), expected, atol=1e-6)
