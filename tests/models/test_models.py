"""The contract of all models, and what is particular to each."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from untrimmed.detection.describe import describe_recipe
from untrimmed.io import BadInput
from untrimmed.models.base import Standardize, Targets
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTAN, GTANConfig
from untrimmed.models.pyramid import BLOCKS, CTC
from untrimmed.models.ssad import SSADConfig
from untrimmed.recipe import MODELS, Recipe

CHANNELS, CLASSES = 5, 3
SMALL = {"length": 64, "levels": 5, "concepts": 4, "depth": 15, "width": 1 / 16}
# A model without small settings here fails all that follows: none is left out of the contract.
SETTINGS = {
    CTCNConfig: SMALL,
    GTANConfig: {"length": 64, "base": (16, 16), "layers": (8, 8, 16, 16)},
    SSADConfig: {"length": 64, "base": (8, 8), "pool_stride": 2, "layers": (12, 12, 12)},
}


@pytest.fixture(params=MODELS.values(), ids=lambda config: config.__name__)
def model(request):
    return request.param(**SETTINGS[request.param]).build(CHANNELS, CLASSES).eval()


def inputs(model, windows=3):
    real = torch.tensor([model.length, model.length // 2 + 3, 9][:windows])
    mask = torch.arange(model.length) < real[:, None]
    return torch.randn(windows, CHANNELS, model.length), mask


def targets(*windows):
    return [
        Targets(torch.tensor([[a, b] for a, b, _ in rows]).reshape(-1, 2), torch.tensor([c for *_, c in rows]).long())
        for rows in windows
    ]


def test_values_under_the_mask_never_matter(model):
    x, mask = inputs(model)
    poisoned = x.masked_fill(~mask[:, None], torch.nan)
    for clean, bad in zip(model.decode(model(x, mask)), model.decode(model(poisoned, mask)), strict=True):
        assert torch.equal(clean.scores, bad.scores)
        assert torch.equal(clean.segments, bad.segments)


def test_candidates_lie_in_the_real_part_of_a_window(model):
    x, mask = inputs(model)
    counts = [len(proposals.scores) for proposals in model.decode(model(x, mask))]
    # Fewer than there may be only where there are places for merged kernels.
    assert counts[0] == model.anchor_count or (isinstance(model, GTAN) and counts[0] < model.anchor_count)
    assert counts[0] > counts[1] > counts[2] > 0


def test_scores_are_probabilities_of_each_class(model):
    for proposals in model.decode(model(*inputs(model))):
        assert proposals.scores.shape[1] == CLASSES
        assert ((proposals.scores >= 0) & (proposals.scores <= 1)).all()
        assert (proposals.segments[:, 0] <= proposals.segments[:, 1]).all()


def test_a_window_without_actions_has_a_finite_loss(model):
    model.train()
    terms = model.loss(model(*inputs(model)), targets([], [], []))
    total = torch.stack(list(terms.values())).sum()
    assert torch.isfinite(total)
    total.backward()


def test_every_parameter_learns(model):
    model.train()
    # An action on a cell of every scale, so that every head has something to find.
    rows = targets(
        [(0.0, 64.0, 0), (32.0, 64.0, 2), (16.0, 32.0, 1)], [(8.0, 16.0, 1), (0.0, 32.0, 0)], [(4.0, 8.0, 1)]
    )
    torch.stack(list(model.loss(model(*inputs(model)), rows).values())).sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_a_batch_gives_what_single_windows_give(model):
    x, mask = inputs(model)
    together = model.decode(model(x, mask))
    for i, proposals in enumerate(together):
        alone = model.decode(model(x[i : i + 1], mask[i : i + 1]))[0]
        assert torch.allclose(proposals.scores, alone.scores, atol=1e-5)
        assert torch.allclose(proposals.segments, alone.segments, atol=1e-3)


def test_loss_and_decode_leave_the_weights_alone(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outputs = model(*inputs(model))
    model.loss(outputs, targets([(3.0, 9.0, 0)], [], []))
    model.decode(outputs)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_standardizing_makes_padding_exactly_zero():
    layer = Standardize(2)
    layer.mean.fill_(3.0)
    mask = torch.tensor([[True, False]])
    x = torch.tensor([[[5.0, torch.nan], [1.0, torch.inf]]])
    assert layer(x, mask).tolist() == [[[2.0, 0.0], [-2.0, 0.0]]]


def test_a_ctc_layer_filters_every_concept_alike_and_apart():
    layer = CTC(2, 3, 3, stride=2, relu=False).eval()
    x = torch.randn(1, 2, 4, 10)
    y = layer(x)
    kernel, scale = layer[0].weight[:, :, 0], (1 + layer[1].eps) ** -0.5
    padded = F.pad(x, (1, 1))
    for k in range(3):
        for concept in range(4):
            for t in range(5):
                part = padded[0, :, concept, 2 * t : 2 * t + 3]
                assert y[0, k, concept, t].item() == pytest.approx((part * kernel[k]).sum().item() * scale, abs=1e-5)


def test_ctcn_keeps_concepts_apart_until_the_prediction_layer():
    model = CTCNConfig(**{**SMALL, "concepts": 0}).build(CHANNELS, CLASSES).eval()
    x = torch.randn(1, 1, CHANNELS, 64)
    other = x.clone()
    other[:, :, 2] += 1
    changed = [
        (a - b).abs().sum((0, 1, 3)) > 1e-6
        for a, b in zip(model.pyramid(model.backbone(x)), model.pyramid(model.backbone(other)), strict=True)
    ]
    assert all(concepts.tolist() == [False, False, True, False, False] for concepts in changed)


def test_ctcn_has_the_sizes_of_the_released_code():
    numbers = describe_recipe(Recipe(model=CTCNConfig()), channels=256, classes=20)
    assert numbers["levels"] == [128, 64, 32, 16, 8, 4, 2, 1]
    assert numbers["anchors"] == 1785
    concepts = 256 * 256 + 256  # the linear layer, which the figure leaves out
    assert (numbers["parameters"] - concepts) / 1e6 == pytest.approx(37.1, abs=0.05)
    assert numbers["macs"] / 1e9 == pytest.approx(227, abs=0.5)
    released = describe_recipe(Recipe(model=CTCNConfig(concepts=0, class_head=512)), channels=402, classes=200)
    assert released["parameters"] / 1e6 == pytest.approx(318, abs=0.5)
    assert released["macs"] / 1e9 == pytest.approx(467, abs=0.5)


def test_receptive_fields_are_those_that_gradients_show():
    model = CTCNConfig(**{**SMALL, "length": 512, "levels": 4, "concepts": 0}).build(1, 1).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.ones_(module.weight)  # nothing cancels, no ReLU stays shut
    x = torch.ones(1, 1, 1, 512, requires_grad=True)
    for level, features in zip(model.levels, model.backbone(x), strict=True):
        (gradient,) = torch.autograd.grad(features[..., features.shape[-1] // 2].sum(), x, retain_graph=True)
        assert int((gradient != 0).sum()) == level.receptive_field


@pytest.mark.parametrize("depth", [15, 30, 45])
def test_depth_counts_three_convolutions_a_block_and_three_more(depth):
    assert 3 * sum(BLOCKS[depth]) + 3 == depth


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"length": 100}, "model.length = 100"), ({"levels": 3}, "model.levels = 3"), ({"width": 0.0}, "width")],
)
def test_settings_that_make_no_network_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        CTCNConfig(**{**SMALL, **changes})


def test_paper_offsets_are_unbounded_and_released_ones_bounded():
    x, mask = torch.randn(1, CHANNELS, 64) * 1000, torch.ones(1, 64, dtype=torch.bool)
    released = CTCNConfig(**SMALL)
    for config, bounded in ((released, True), (replace(released, coder="paper", bound=0.0), False)):
        model = config.build(CHANNELS, CLASSES).eval()
        torch.nn.init.constant_(model.box_head.predict.bias, 50.0)
        assert bool((model(x, mask).offsets.abs() <= 5).all()) is bounded


def test_describing_without_data_says_what_to_give():
    with pytest.raises(BadInput, match="--channels"):
        describe_recipe(Recipe())
