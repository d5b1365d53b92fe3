"""The family of networks around C-TCN: what its groups and their sharing are, beside a network written plainly."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from papers.presets import PAPER as PAPER_RECIPE
from papers.presets import PAPER_ACTIVITYNET
from papers.presets import RELEASE as RELEASE_RECIPE
from torch import nn

from small_ctcn import CHANNELS, CLASSES, SMALL, inputs, randomize_norms
from untrimmed.detection.describe import describe_recipe
from untrimmed.models.ctcn import PAPER, RELEASE, CTCNConfig
from untrimmed.models.pyramid import BLOCKS
from untrimmed.recipe import AugmentConfig, Recipe


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
    model = randomize_norms(config.build(CHANNELS, CLASSES))
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
    model = randomize_norms(config.build(CHANNELS, CLASSES))
    alone = [randomize_norms(replace(config, groups=1, width=1 / 16).build(CHANNELS // 2, CLASSES)) for _ in range(2)]
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
