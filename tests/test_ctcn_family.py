"""The family of networks around C-TCN: what groups, sharing and each switch of the paper's tables change."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from untrimmed.augment import AugmentConfig
from untrimmed.describe import describe_recipe
from untrimmed.detector import Detector, prepare
from untrimmed.features import FeatureSource, VideoFeatures
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import PAPER, RELEASE, CTCNConfig
from untrimmed.models.pyramid import BLOCKS, MergedHead
from untrimmed.presets import PAPER as PAPER_RECIPE
from untrimmed.presets import PAPER_ACTIVITYNET
from untrimmed.presets import RELEASE as RELEASE_RECIPE
from untrimmed.recipe import Recipe, build_recipe

CHANNELS, CLASSES = 8, 3
SOURCE = FeatureSource(backbone="noise", fps=4.0, streams=("noise",))
SMALL = CTCNConfig(length=64, levels=5, concepts=0, depth=15, width=1 / 16)
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


def inputs(length=64):
    mask = torch.arange(length) < torch.tensor([[length], [41]])
    return torch.randn(2, CHANNELS, length), mask


def settle(model):
    """Batch norms with statistics of their own, as after training; the model in `eval`."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
            ):
                nn.init.uniform_(value, low, high)
        elif isinstance(module, nn.Conv1d | nn.Conv2d) and module.bias is not None:
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return model.eval()


class PlainTCN(nn.Module):
    """A one-dimensional residual network with a feature pyramid, written from Tables A to C with Conv1d alone.

    With `rows`, every layer up to the prediction is applied to each row of [batch, rows, inputs, time] by itself:
    the concept-wise network, one concept at a time.
    """

    def __init__(self, inputs, rows, width, depth, levels, outputs):
        super().__init__()
        w = lambda number: round(number * width)  # noqa: E731
        self.convolutions, self.norms, self.free = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.plan = [("stem", self.layer(inputs, w(32), 7, 2)), ("stem", self.layer(w(32), w(64), 7, 2))]
        before = w(64)
        for stage, blocks in enumerate(BLOCKS[depth]):
            inner, out = w(64 * 2**stage), w(256 * 2**stage)
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                three = [
                    self.layer(before, inner, 1, 1),
                    self.layer(inner, inner, 3, stride),
                    self.layer(inner, out, 1, 1),
                ]
                short = self.layer(before, out, 1, stride) if before != out or stride > 1 else None
                self.plan.append((("end" if block == blocks - 1 else "block"), (three, short)))
                before = out
        p = w(512)
        self.laterals = nn.ModuleList(nn.Conv1d(w(256 * 2**stage), p, 1) for stage in range(4))
        self.smoothings = nn.ModuleList(nn.Conv1d(p, p, 3, padding=1) for _ in range(3))
        self.coarser = nn.ModuleList(nn.Conv1d(p if i else before, p, 3, 2, 1) for i in range(levels - 4))
        self.hidden = nn.ModuleList(nn.Conv1d(p, w(256), 3, padding=1) for _ in outputs)
        self.predict = nn.ModuleList(nn.Conv1d(w(256) * rows, number, 1) for number in outputs)

    def layer(self, inputs, outputs, kernel, stride):
        self.convolutions.append(nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, bias=False))
        self.norms.append(nn.BatchNorm1d(outputs))
        return len(self.norms) - 1

    def run(self, index, x):
        return self.norms[index](self.convolutions[index](x))

    def pyramid(self, x):
        maps = []
        for kind, what in self.plan:
            if kind == "stem":
                x = self.run(what, x).relu()
                continue
            (first, second, third), short = what
            y = self.run(third, self.run(second, self.run(first, x).relu()).relu())
            x = (y + (x if short is None else self.run(short, x))).relu()
            if kind == "end":
                maps.append(x)
        p = [self.laterals[3](maps[3])]
        for level in (2, 1, 0):
            up = F.interpolate(p[0], size=maps[level].shape[-1], mode="linear", align_corners=True)
            p.insert(0, self.laterals[level](maps[level]) + up)
        p = [smoothing(y) for smoothing, y in zip(self.smoothings, p[:3], strict=True)] + p[3:]
        x = maps[3]
        for i, convolution in enumerate(self.coarser):
            x = convolution(x.relu() if i else x)
            p.append(x)
        return p

    def forward(self, x):
        """[batch, rows, inputs, time] to a list of outputs [batch, number, cells] of each head."""
        rows = [self.pyramid(x[:, row]) for row in range(x.shape[1])]
        made = []
        for hidden, predict in zip(self.hidden, self.predict, strict=True):
            levels = [torch.stack([hidden(y) for y in level], 2).flatten(1, 2) for level in zip(*rows, strict=True)]
            made.append(torch.cat([predict(level) for level in levels], 2))
        return made


def plain_copy(model, config, rows):
    """The plain network with the model's weights, taken over one by one in the order in which both were built."""
    outputs = [config.anchors * (CLASSES + 1), config.anchors * 2]
    plain = PlainTCN(CHANNELS // rows, rows, config.width, config.depth, config.levels, outputs)
    source = [m for m in model.backbone.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in model.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    fpn = [*model.pyramid.laterals, *model.pyramid.smoothings, *model.pyramid.coarser]
    heads = [model.class_head.hidden, model.box_head.hidden, model.class_head.predict, model.box_head.predict]
    mine = [*plain.convolutions, *plain.laterals, *plain.smoothings, *plain.coarser, *plain.hidden, *plain.predict]
    with torch.no_grad():
        for a, b in zip([*source, *fpn, *heads], mine, strict=True):
            b.weight.copy_(a.weight.reshape(b.weight.shape))
            if b.bias is not None:
                b.bias.copy_(a.bias)
        for a, b in zip(norms, plain.norms, strict=True):
            b.load_state_dict(a.state_dict())
    return plain.eval()


def assert_plain(config, rows):
    config = replace(config, length=128, levels=6)  # two scales above P5
    model = settle(config.build(CHANNELS, CLASSES))
    x, mask = inputs(128)
    logits, offsets = plain_copy(model, config, rows)((x * mask[:, None]).unflatten(1, (rows, -1)))
    outputs = model(x, mask)
    per_anchor = lambda y, n: y.transpose(1, 2).unflatten(2, (-1, n)).flatten(1, 2)  # noqa: E731
    assert outputs.logits.std() > 1e-2
    assert torch.allclose(outputs.logits, per_anchor(logits, CLASSES + 1), atol=1e-5)
    assert torch.allclose(outputs.offsets, 10 * per_anchor(offsets, 2).sigmoid() - 5, atol=1e-4)


def test_one_group_is_a_plain_temporal_convolutional_network():
    assert_plain(replace(SMALL, groups=1, depth=30), rows=1)


def test_shared_groups_are_one_plain_network_over_each_group():
    assert_plain(replace(SMALL, groups=4), rows=4)


def test_as_many_shared_groups_as_concepts_is_c_tcn():
    assert_plain(SMALL, rows=CHANNELS)
    torch.manual_seed(1)
    named = replace(SMALL, groups=CHANNELS).build(CHANNELS, CLASSES).eval()
    torch.manual_seed(1)
    default = SMALL.build(CHANNELS, CLASSES).eval()
    x = inputs()
    assert torch.equal(named(*x).logits, default(*x).logits)


def test_with_one_group_sharing_changes_nothing():
    made = []
    for shared in (True, False):
        torch.manual_seed(1)
        made.append(replace(SMALL, groups=1, shared=shared).build(CHANNELS, CLASSES).eval())
    x = inputs()
    assert torch.equal(made[0](*x).logits, made[1](*x).logits)
    assert torch.equal(made[0](*x).offsets, made[1](*x).offsets)


def test_unshared_groups_are_separate_networks_up_to_the_prediction_layer():
    config = replace(SMALL, groups=2, shared=False, width=1 / 8)
    model = settle(config.build(CHANNELS, CLASSES))
    alone = [settle(replace(config, groups=1, width=1 / 16).build(CHANNELS // 2, CLASSES)) for _ in range(2)]
    state = model.state_dict()
    for group, part in enumerate(alone):
        names = [name for name in part.state_dict() if not name.startswith("standardize") and "predict" not in name]
        values = {name: state[name].chunk(2)[group] if state[name].dim() else state[name] for name in names}
        part.load_state_dict(values, strict=False)
    x = torch.randn(2, CHANNELS, 1, 64)
    maps = model.pyramid(model.backbone(x))
    halves = [part.pyramid(part.backbone(half)) for part, half in zip(alone, x.chunk(2, 1), strict=True)]
    for level, both in zip(maps, zip(*halves, strict=True), strict=True):
        assert torch.allclose(level, torch.cat(both, 1), atol=1e-5)
        hidden = [part.class_head.hidden(half) for part, half in zip(alone, both, strict=True)]
        assert torch.allclose(model.class_head.hidden(level), torch.cat(hidden, 1), atol=1e-5)


def test_widths_of_unshared_groups_add_up_to_a_multiple_of_them():
    model = replace(SMALL, concepts=12, groups=3, shared=False).build(CHANNELS, CLASSES)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(layer.groups == 3 and layer.out_channels % 3 == 0 for layer in layers)
    assert layers[0].out_channels == 3  # 32 / 16 = 2, rounded up
    assert layers[1].out_channels == 6  # 64 / 16 = 4


def test_shared_filters_cost_nearly_the_same_however_many_groups():
    counts = [
        describe_recipe(Recipe(model=CTCNConfig(groups=groups, class_head=1, box_head=1)), 256, 20)["parameters"]
        for groups in (4, 16, 64, 256)
    ]
    assert max(counts) / min(counts) < 1.01


@pytest.mark.parametrize("changes", [{"concepts": 256, "groups": 3}, {"groups": 3}, {"groups": 16}])
def test_groups_must_divide_the_concepts(changes):
    with pytest.raises(ValueError, match=r"model\.groups = \d+: does not divide the \d+ concepts"):
        replace(SMALL, **changes).build(CHANNELS, CLASSES)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"groups": -1}, "groups"),
        ({"groups": 4, "shared": False, "square_kernels": True}, r"model\.shared"),
        ({"square_strides": True}, r"model\.shared_heads"),
        ({"anchors": 7, "anchor_rule": "ssd"}, r"model\.anchors = 7"),
        ({"anchors": 6}, r"model\.anchors = 6"),
    ],
)
def test_switches_that_exclude_each_other_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        replace(SMALL, **changes)


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


def test_folding_changes_nothing_but_speed(config):
    model = settle(config.build(CHANNELS, CLASSES))
    x = inputs()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = model.folded()
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    for a, b in zip(model(*x), folded(*x), strict=True):
        assert torch.allclose(a.float(), b.float(), atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_folding_leaves_a_training_model_in_training():
    model = SMALL.build(CHANNELS, CLASSES).train()
    assert not model.folded().training
    assert model.training and model.backbone.stem[0][1].training


def test_heads_are_multiplied_out_only_where_that_is_cheaper_and_the_same():
    few, many = SMALL.build(CHANNELS, 1).folded(), SMALL.build(CHANNELS, 200).folded()
    assert isinstance(few.class_head, MergedHead) and isinstance(many.box_head, MergedHead)
    assert not isinstance(many.class_head, MergedHead)
    assert not isinstance(replace(SMALL, head_relu=True).build(CHANNELS, 1).folded().class_head, MergedHead)
    assert not isinstance(replace(SMALL, square_kernels=True).build(CHANNELS, 1).folded().class_head, MergedHead)


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


def test_a_detector_detects_with_the_folded_network_and_saves_the_model(tmp_path):
    recipe = build_recipe({"model": asdict(SMALL)}, "test")
    detector = Detector(prepare(settle(SMALL.build(CHANNELS, 2)), "cpu"), recipe, CHANNELS, ("a", "b"), SOURCE)
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


def test_literal_widths_have_the_cost_of_table_a():
    numbers = describe_recipe(Recipe(model=CTCNConfig(inner=128)), channels=256, classes=20)
    concepts = 256 * 256 + 256
    assert (numbers["parameters"] - concepts) / 1e6 == pytest.approx(89.97, abs=0.01)
    assert numbers["macs"] / 1e9 == pytest.approx(556, abs=0.5)


def test_presets_are_whole_and_never_mixed():
    assert (RELEASE.coder, RELEASE.bound, RELEASE.force_match, RELEASE.box_weight) == ("release", 5.0, True, 2.0)
    assert (PAPER.coder, PAPER.bound, PAPER.force_match, PAPER.box_weight) == ("paper", 0.0, False, 1.0)
    assert RELEASE_RECIPE.model == RELEASE and PAPER_RECIPE.model == PAPER_ACTIVITYNET.model == PAPER
    assert RELEASE_RECIPE.augment == AugmentConfig()
    assert PAPER_RECIPE.augment == AugmentConfig(crop_rule="half", random_resampling=False)
