"""GTAN: its sizes, its kernels, its loss against Eqs. 5-9 in loops, and what each setting changes."""

import math
from dataclasses import asdict, fields, replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from untrimmed.detection.describe import describe_recipe
from untrimmed.models.anchors import MAX_GROWTH, to_segments
from untrimmed.models.base import Targets
from untrimmed.models.gaussian_kernels import compute_default_boxes, group_kernels
from untrimmed.models.gtan import GTANConfig, GTANOutputs
from untrimmed.recipe import Recipe, build_recipe

CHANNELS, CLASSES = 6, 3
SMALL = GTANConfig(length=64, base=(16, 12), layers=(8, 8, 16, 16))
CELLS = [16, 8, 4, 2]


def inputs(length=64, short=41):
    mask = torch.arange(length) < torch.tensor([[length], [short]])
    return torch.randn(2, CHANNELS, length), mask


def windows():
    """Actions that default boxes lie on, in every layer, and one that none lies on."""
    segments = [[4.0, 8.0], [16.0, 24.5], [32.0, 48.0], [0.0, 32.0]], [[8.0, 12.0], [16.0, 32.5], [1.0, 1.7]]
    return [Targets(torch.tensor(rows), torch.arange(len(rows)) % CLASSES) for rows in segments]


def build_random(config, sigma=None, spread=0.5):
    """Build a network whose widths differ from cell to cell, around `sigma` if given, with random heads."""
    model = config.build(CHANNELS, CLASSES).eval()
    for branch, cells in zip(model.sigmas, CELLS, strict=False):
        nn.init.normal_(branch.weight, std=spread / branch.in_channels**0.5)
        if sigma is not None:
            start = 1 / (2 * cells) if config.sigma_unit == "video" else 1 / 2
            nn.init.constant_(branch.bias, math.log(sigma / (1 - sigma)) - math.log(start / (1 - start)))
    for head in model.heads:
        for layer in (head.score, head.move, head.overlap):
            nn.init.normal_(layer.weight, std=0.5 / layer.in_channels**0.5)
            nn.init.normal_(layer.bias, std=0.3)
    return model


def total(terms):
    return torch.stack(list(terms.values())).sum()


# Sizes


def test_receptive_fields_are_those_of_table_1():
    levels = GTANConfig(width=2**-12).build(8, 1).levels
    assert [level.receptive_field for level in levels] == [11, 19, 35, 67, 131, 259, 515, 1027]
    assert [level.cells for level in levels] == [128, 64, 32, 16, 8, 4, 2, 1]


def test_receptive_fields_are_those_that_changes_show():
    # Max pooling passes the gradient of one of its three on; so every snippet is raised in turn instead.
    length = 2048
    model = GTANConfig(length=length, base=(1, 1), layers=(1,) * 8, kernels="fixed").build(1, 1).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.constant_(module.weight, 0.5)
    x = 1 + torch.cat([torch.zeros(1, length), torch.eye(length)])[:, None]
    with torch.no_grad():
        maps, *_ = model.compute_feature_maps(x, torch.ones(length + 1, length, dtype=torch.bool))
    for level, features in zip(model.levels, maps, strict=True):
        middle = features[:, 0, level.cells // 2]
        assert int((middle[1:] != middle[0]).sum()) == level.receptive_field


def sizes_by_formula(config, channels, classes):
    """Parameters and multiply-adds from Table 1 alone: convolutions of 3, one sigma a cell, heads a kernel."""
    first, second = config.base
    boxes, length = len(config.ratios), config.length
    parameters = 3 * (channels * first + first * second) + first + second
    macs = 3 * length * (channels * first + first * second)
    outputs, before, kernels = boxes * (classes + 1 + 2 + 1), second, 0
    for layer, width in enumerate(config.layers):
        cells = length // 2 ** (layer + 2)
        places = cells + cells // 2
        parameters += 3 * before * width + width + 3 * width + 1 + outputs * (width + 1)
        macs += cells * 3 * before * width + cells * 3 * width  # the layer and its sigmas
        macs += places * cells * width + places * width * outputs  # pooling and heads
        before, kernels = width, kernels + places
    return parameters, macs, kernels * boxes


def test_sizes_are_those_of_table_1():
    numbers = describe_recipe(Recipe(model=GTANConfig()), channels=2048, classes=20)
    expected = sizes_by_formula(GTANConfig(), 2048, 20)
    assert (numbers["parameters"], numbers["macs"], numbers["anchors"]) == expected
    assert (numbers["parameters"], numbers["anchors"]) == (154_528_328, 1146)
    assert numbers["macs"] / 1e9 == pytest.approx(26.56, abs=0.005)


def test_a_recipe_names_the_model():
    recipe = build_recipe({"model": {"name": "gtan", **asdict(SMALL)}}, "test")
    assert recipe.model == SMALL


# Kernels


@pytest.mark.parametrize("unit", ["video", "cell"])
@pytest.mark.parametrize("kernels", ["gaussian", "grouped"])
def test_at_the_start_every_box_is_that_of_the_fixed_network(unit, kernels):
    x, mask = inputs()
    fixed = replace(SMALL, kernels="fixed").build(CHANNELS, CLASSES).eval()(x, mask)
    learned = replace(SMALL, kernels=kernels, sigma_unit=unit).build(CHANNELS, CLASSES).eval()(x, mask)
    for window in range(2):
        expected, made = (outputs.boxes[window][outputs.valid[window]] for outputs in (fixed, learned))
        torch.testing.assert_close(made, expected)
    centres, widths = fixed.boxes[0].unbind(-1)
    slow = [((t + 0.5) / cells, rate / cells) for cells in CELLS for t in range(cells) for rate in SMALL.ratios]
    assert list(zip(centres.tolist(), widths.tolist(), strict=True)) == [pytest.approx(box) for box in slow]


@pytest.mark.parametrize(
    ("cells", "sigma"), [(128, 0.022), (64, 0.044), (32, 0.089), (16, 0.177), (8, 0.354), (4, 0.708)]
)
def test_grouping_fires_from_the_sigma_on_that_overlap_gives(cells, sigma):
    limit = 17 / 6 / cells  # boxes 2 s wide and 1 / T apart: (2 s - 1 / T) / (2 s + 1 / T) > 0.7
    assert limit == pytest.approx(sigma, abs=6e-4)
    for factor, fires in ((0.999, False), (1.001, True)):
        found = group_kernels(torch.full((1, cells), limit * factor), [cells], torch.tensor([[cells]]), 0.7)
        assert bool(found.valid.any()) is fires


@pytest.mark.parametrize("cells", [1, 2])
def test_two_cells_never_group(cells):
    assert not group_kernels(torch.ones(1, cells), [cells], torch.tensor([[cells]]), 0.7).valid.any()


@pytest.mark.parametrize(("tiou", "fires"), [(0.7, False), (0.3, True)])
def test_sigmas_of_a_cell_at_most_group_only_below_a_third(tiou, fires):
    model = build_random(replace(SMALL, sigma_unit="cell", group_tiou=tiou), sigma=0.9999, spread=0)
    x, mask = inputs()
    kernels = model.compute_feature_maps(x, mask)[2]
    assert all(bool(found.valid[0, cells:].any()) is fires for found, cells in zip(kernels, CELLS, strict=True))


def test_merged_kernels_stand_beside_their_members_or_for_them():
    beside, instead = (build_random(replace(SMALL, keep_members=keep), sigma=0.25) for keep in (True, False))
    instead.load_state_dict(beside.state_dict())
    x, mask = inputs()
    for a, b, cells in zip(
        beside.compute_feature_maps(x, mask)[2], instead.compute_feature_maps(x, mask)[2], CELLS, strict=True
    ):
        alone = group_kernels(a.sigma[:, :cells], [cells], a.valid[:, :cells].sum(1, keepdim=True), 0.7).group < 0
        assert torch.equal(b.valid[:, :cells], a.valid[:, :cells] & alone)
        assert torch.equal(b.valid[:, cells:], a.valid[:, cells:])
        assert torch.equal(b.centre, a.centre) and torch.equal(b.sigma, a.sigma)
    assert beside(x, mask).valid.sum() > instead(x, mask).valid.sum()


def test_nothing_under_the_mask_reaches_a_valid_cell():
    model = build_random(SMALL, sigma=0.25)
    x, mask = inputs()
    outputs = model(x, mask)
    for filler in (torch.nan, 1e6):
        other = model(x.masked_fill(~mask[:, None], filler), mask)
        assert torch.equal(other.valid, outputs.valid)
        for a, b in zip(other[:-1], outputs[:-1], strict=True):
            assert torch.equal(a[outputs.valid], b[outputs.valid])


def test_only_cells_whose_centre_lies_in_the_video_are_valid():
    x, mask = inputs(short=9)
    _, real, _ = SMALL.build(CHANNELS, CLASSES).eval().compute_feature_maps(x, mask)
    assert [int(cells[0].sum()) for cells in real] == CELLS
    assert [int(cells[1].sum()) for cells in real] == [2, 1, 1, 0]  # centres 2, 6 | 4 | 8 | 16


# Loss


def smooth_l1(error):
    return error**2 / 2 if abs(error) < 1 else abs(error) - 0.5


def overlap(box, truth):
    shared = max(0.0, min(box[0] + box[1] / 2, truth[1]) - max(box[0] - box[1] / 2, truth[0]))
    return shared / (box[1] + truth[1] - truth[0] - shared)


def slow_loss(config, outputs, targets):
    """Eqs. 5-9, box by box, in windows as the unit of time; background is what is hardest, one a foreground box."""
    entropies, background, location, missed = [], [], [], []
    units = {"video": 1.0, "snippet": 1 / config.length}
    steps = [1 / t for t in CELLS for _ in range((t + t // 2) * len(config.ratios))]
    for w, target in enumerate(targets):
        truths = [[value / config.length for value in segment] for segment in target.segments.tolist()]
        for b in range(outputs.boxes.shape[1]):
            if not outputs.valid[w, b]:
                continue
            centre, width = outputs.boxes[w, b].tolist()
            overlaps = [overlap((centre, width), truth) for truth in truths]
            best = max(overlaps)
            closest = overlaps.index(best)
            p = [math.exp(value) for value in outputs.logits[w, b].tolist()]
            if best > 0.8:
                entropies.append(-math.log(p[int(target.labels[closest]) + 1] / sum(p)))  # Eq. 7
                shift, growth = outputs.offsets[w, b].tolist()
                refined = centre + width * shift, width * math.exp(growth)
                start, end = truths[closest]
                goal = (start + end) / 2, end - start
                unit = {**units, "box": width, "cell": steps[b]}[config.location_unit]
                location.append(sum(smooth_l1((a - g) / unit) for a, g in zip(refined, goal, strict=True)))  # Eq. 8
            elif best < 0.3:
                background.append(-math.log(p[0] / sum(p)))
            if best > 0 or config.overlap_boxes == "all":
                missed.append((outputs.overlaps[w, b].item() - best) ** 2)  # Eq. 9
    assert len(location) > 3
    entropies += sorted(background, reverse=True)[: len(entropies)]
    return {
        "class": sum(entropies) / len(entropies),
        "location": config.location_weight * sum(location) / len(location),
        "overlap": config.overlap_weight * sum(missed) / len(missed),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"location_unit": "cell"},
        {"location_unit": "snippet"},
        {"location_unit": "video"},
        {"overlap_boxes": "all"},
        {"location_weight": 5.0, "overlap_weight": 11.0},
    ],
    ids=str,
)
def test_the_loss_equals_the_slow_version(changes):
    config = replace(SMALL, **changes)
    model = build_random(config, spread=0.3)
    outputs = model(*inputs())
    terms = model.loss(outputs, windows())
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        slow_loss(config, outputs, windows()), rel=1e-4
    )


def made_outputs(*boxes):
    """Outputs for one window with these boxes (centre and width in snippets) among many unused places."""
    count = SMALL.build(CHANNELS, CLASSES).anchor_count
    places = torch.full((1, count, 2), 0.001)
    places[0, : len(boxes)] = torch.tensor(boxes) / 64
    return GTANOutputs(
        torch.randn(1, count, CLASSES + 1),
        torch.randn(1, count, 2),
        torch.rand(1, count),
        places,
        (torch.arange(count) < len(boxes))[None],
    )


def test_equations_5_to_9_by_hand():
    outputs = made_outputs([20.0, 10.0], [50.0, 4.0])
    outputs.logits[0, 0] = torch.tensor([0.0, 0.0, math.log(2), 0.0])
    outputs.logits[0, 1] = torch.tensor([math.log(3), 0.0, 0.0, 0.0])
    outputs.offsets[0, 0] = torch.tensor([0.1, math.log(1.2)])
    outputs.overlaps[0, 0] = 0.5
    # A truth of 9 snippets in a box of 10, which it overlaps by 0.9; refined, the box is 12 wide around 21.
    terms = SMALL.build(CHANNELS, CLASSES).loss(outputs, [Targets(torch.tensor([[15.0, 24.0]]), torch.tensor([1]))])
    assert terms["class"].item() == pytest.approx((math.log(5 / 2) + math.log(2)) / 2)
    assert terms["location"].item() == pytest.approx(2 * (0.15**2 / 2 + 0.3**2 / 2), rel=1e-4)
    assert terms["overlap"].item() == pytest.approx(75 * 0.4**2, rel=1e-4)


@pytest.mark.parametrize("kernels", ["gaussian", "grouped"])
@pytest.mark.parametrize("term", ["class", "location", "overlap"])
def test_every_loss_teaches_every_layer_its_widths(kernels, term):
    model = build_random(replace(SMALL, kernels=kernels), spread=0.3)
    outputs = model(*inputs())
    layers = [cells + (cells // 2 if kernels == "grouped" else 0) for cells in CELLS]
    first = [sum(layers[:layer]) * 3 for layer in range(len(CELLS))]
    segments = to_segments(outputs.boxes[0, first].detach()) * 64
    targets = [Targets(segments, torch.arange(len(first)) % CLASSES), windows()[1]]
    model.loss(outputs, targets)[term].backward()
    assert all(branch.weight.grad.abs().sum() > 0 and branch.bias.grad.abs() > 0 for branch in model.sigmas)


def test_merged_widths_teach_their_members():
    model = build_random(replace(SMALL, keep_members=False), sigma=0.3, spread=0.1)
    outputs = model(*inputs(short=64))
    first = CELLS[0] * len(SMALL.ratios)  # boxes of the finest layer's own kernels, then those of its merged ones
    assert not outputs.valid[0, :first].any() and outputs.valid[0, first]
    outputs.boxes[0, first, 1].backward()
    assert model.sigmas[0].bias.grad.abs() > 0
    assert model.sigmas[1].bias.grad is None or not model.sigmas[1].bias.grad.any()


def test_matching_and_the_overlap_to_learn_carry_no_gradient():
    model = build_random(SMALL, spread=0.3)
    outputs = model(*inputs())
    boxes = outputs.boxes.detach().requires_grad_()
    terms = model.loss(outputs._replace(boxes=boxes), windows())
    reaches = {}
    for name, term in terms.items():
        (gradient,) = torch.autograd.grad(term, boxes, retain_graph=True, allow_unused=True)
        reaches[name] = gradient is not None and bool(gradient.any())
    assert reaches == {"class": False, "location": True, "overlap": False}


def test_widths_learn_from_where_a_box_ends_up_though_errors_count_in_boxes():
    # Were the unit itself followed, a box could lower its loss by growing. By hand: error / unit, unit held.
    outputs = made_outputs([20.0, 10.0])
    boxes = outputs.boxes.clone().requires_grad_()
    outputs.offsets[0, 0] = 0.0
    model = SMALL.build(CHANNELS, CLASSES)
    target = [Targets(torch.tensor([[15.0, 24.0]]), torch.tensor([1]))]
    model.loss(outputs._replace(boxes=boxes), target)["location"].backward()
    # L = 2 (((c - 19.5) / 10)^2 + ((w - 9) / 10)^2) / 2 in snippets, and a snippet is 1 / 64.
    assert boxes.grad[0, 0].tolist() == pytest.approx([2 * 0.05 / 10 * 64, 2 * 0.1 / 10 * 64], rel=1e-3)


def test_without_a_foreground_box_one_background_box_a_window_is_learned_from():
    model = build_random(SMALL)
    outputs = model(*inputs())
    outputs.logits.retain_grad()
    nothing = [Targets(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))] * 2
    terms = model.loss(outputs, nothing)
    assert terms["location"] == 0 and terms["overlap"] == 0
    terms["class"].backward()
    assert int(outputs.logits.grad.any(-1).sum()) == 2


# Decoding


def test_decoding_is_equation_10_by_hand():
    outputs = made_outputs([20.0, 10.0], [50.0, 4.0])
    outputs.logits[0, 0] = torch.tensor([1.0, 2.0, 4.0, 1.0]).log()
    outputs.offsets[0, 0] = torch.tensor([0.1, math.log(1.2)])
    outputs.overlaps[0, 0] = 0.5
    (best,) = SMALL.build(CHANNELS, CLASSES).decode(outputs)
    assert best.scores.shape == (2, CLASSES)
    assert best.scores[0].tolist() == pytest.approx([0, 0.25, 0])
    assert best.segments[0].tolist() == pytest.approx([15, 27])
    (every,) = replace(SMALL, one_label=False).build(CHANNELS, CLASSES).decode(outputs)
    assert every.scores[0].tolist() == pytest.approx([0.125, 0.25, 0.0625])


def test_a_box_of_a_full_window_is_a_candidate_and_an_unused_place_is_none():
    for kernels, sigma in (("fixed", None), ("gaussian", None), ("grouped", 0.3)):
        model = build_random(replace(SMALL, kernels=kernels), sigma)
        outputs = model(*inputs())
        full, short = model.decode(outputs)
        assert [len(full.scores), len(short.scores)] == outputs.valid.sum(1).tolist()
        assert (len(full.scores) == model.anchor_count) is (kernels != "grouped")


# Settings

CHANGES = {
    "length": {"length": 128},
    "base": {"base": (8, 12)},
    "layers": {"layers": (8, 8, 16)},
    "width": {"width": 2.0},
    "kernels": {"kernels": "gaussian"},
    "group_tiou": {"group_tiou": 0.3},
    "keep_members": {"keep_members": False},
    "sigma_unit": {"sigma_unit": "cell"},
    "sigma_step": {"sigma_step": 0.5},
    "pooling": {"pooling": "density"},
    "ratios": {"ratios": (1.0, 1.5)},
    "head_kernel": {"kernels": "gaussian", "head_kernel": 3},
    "one_label": {"one_label": False},
    "dropout": {"dropout": 0.5},
    "foreground": {"foreground": 0.5},
    "force_match": {"force_match": True},
    "negatives": {"negatives": 3.0},
    "negative_choice": {"negative_choice": "random"},
    "overlap_boxes": {"overlap_boxes": "all"},
    "location_unit": {"location_unit": "cell"},
    "location_weight": {"location_weight": 1.0},
    "overlap_weight": {"overlap_weight": 25.0},
}
# The terms of the loss that a setting of the loss alone changes; the outputs stay.
LOSS_ONLY = {
    "foreground": {"class", "location"},
    "force_match": {"class", "location"},
    "negatives": {"class"},
    "negative_choice": {"class"},
    "overlap_boxes": {"overlap"},
    "location_unit": {"location"},
    "location_weight": {"location"},
    "overlap_weight": {"overlap"},
}


def test_every_setting_is_tried():
    # Where widths learn from shows in gradients alone: a test of its own has it.
    assert {"name", "sigma_from", *CHANGES} == {field.name for field in fields(GTANConfig)}


@pytest.mark.parametrize("setting", sorted(LOSS_ONLY))
def test_a_setting_of_the_loss_changes_its_terms_and_no_other(setting):
    plain = build_random(SMALL, spread=0.3)
    outputs = plain(*inputs())
    changed = replace(SMALL, **CHANGES[setting]).build(CHANNELS, CLASSES)
    before, after = (model.loss(outputs, windows()) for model in (plain, changed))
    assert {name for name in before if not torch.equal(before[name], after[name])} == LOSS_ONLY[setting]


@pytest.mark.parametrize("setting", sorted(set(CHANGES) - set(LOSS_ONLY) - {"length"}))
def test_a_setting_of_the_network_changes_what_comes_out(setting):
    def decoded(config):
        torch.manual_seed(1)
        model = build_random(config, sigma=0.25).train()
        return model.decode(model(*inputs()))[0]

    base = replace(SMALL, kernels="gaussian") if setting == "head_kernel" else SMALL
    before, after = decoded(base), decoded(replace(base, **CHANGES[setting]))
    assert before.scores.shape != after.scores.shape or not torch.equal(before.scores, after.scores)


def test_the_network_of_table_3_without_kernels_has_no_pooling():
    model = build_random(replace(SMALL, kernels="fixed"))
    x, mask = inputs()
    maps, real, _ = model.compute_feature_maps(x, mask)
    scores, *_ = model.heads[0](maps[0])
    assert torch.equal(model(x, mask).logits[:, : scores.shape[1]], scores)
    assert not model.sigmas and not hasattr(model, "sigma")
    assert real[0][0].all()


def test_fewer_layers_leave_the_coarsest_out():
    levels = GTANConfig(layers=GTANConfig().layers[:4], width=2**-12).build(8, 1).levels
    assert [level.cells for level in levels] == [128, 64, 32, 16]


def test_boxes_and_predictions_lie_kernel_by_kernel_and_ratio_by_ratio():
    model = build_random(replace(SMALL, kernels="fixed"))
    x, mask = inputs()
    outputs, (maps, _, kernels) = model(x, mask), model.compute_feature_maps(x, mask)
    head, features = model.heads[1], maps[1]
    first = CELLS[0] * 3
    for cell in range(CELLS[1]):
        column = features[0, :, cell]
        scores, moves, overlaps = (
            F.linear(column, layer.weight[..., 0], layer.bias) for layer in (head.score, head.move, head.overlap)
        )
        for ratio in range(3):
            place = first + cell * 3 + ratio
            box = compute_default_boxes(kernels[1], model.ratios)[0, cell * 3 + ratio]
            assert torch.equal(outputs.boxes[0, place], box)
            torch.testing.assert_close(outputs.logits[0, place], scores[ratio * 4 : ratio * 4 + 4])
            torch.testing.assert_close(outputs.offsets[0, place], moves[ratio * 2 : ratio * 2 + 2])
            torch.testing.assert_close(outputs.overlaps[0, place], overlaps[ratio].sigmoid())


def test_dropout_acts_in_training_alone():
    model = build_random(replace(SMALL, dropout=0.5))
    x, mask = inputs()
    assert torch.equal(model(x, mask).logits, model(x, mask).logits)
    model.train()
    assert not torch.equal(model(x, mask).logits, model(x, mask).logits)


def test_a_width_becomes_neither_infinite_nor_nothing():
    model = build_random(SMALL)
    for branch in model.sigmas:
        nn.init.constant_(branch.bias, -1e4)
    outputs = made_outputs([20.0, 10.0], [40.0, 10.0])
    outputs.offsets[0, 0, 1], outputs.offsets[0, 1, 1] = 1e6, -1e6
    widths = (model.decode(outputs)[0].segments @ torch.tensor([-1.0, 1.0])).tolist()
    assert widths == pytest.approx([10 * math.exp(MAX_GROWTH), 10 * math.exp(-MAX_GROWTH)], rel=1e-3)
    narrow = model(*inputs())
    assert narrow.boxes[narrow.valid][:, 1].min() > 0
    assert torch.isfinite(narrow.logits[narrow.valid]).all()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"length": 100}, "model.length = 100"),
        ({"length": 16}, "model.length = 16"),
        ({"layers": ()}, "base, layers"),
        ({"width": 0.0}, "base, layers"),
        ({"head_kernel": 3}, "model.head_kernel = 3"),
        ({"foreground": 0.2}, "model.foreground = 0.2"),
        ({"dropout": 1.0}, "dropout"),
        ({"sigma_step": -1.0}, "sigma_step"),
    ],
    ids=str,
)
def test_settings_that_make_no_network_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        replace(SMALL, **changes)


def test_widths_that_learn_from_boxes_alone_learn_nothing_from_what_they_pool():
    torch.manual_seed(0)
    x, mask = torch.randn(2, 6, 64), torch.ones(2, 64, dtype=torch.bool)
    models = {
        source: GTANConfig(length=64, base=(8, 8), layers=(8, 8), kernels="gaussian", sigma_from=source).build(6, 2)
        for source in ("all", "boxes")
    }
    models["boxes"].load_state_dict(models["all"].state_dict())
    seen = {source: model(x, mask) for source, model in models.items()}
    assert torch.equal(seen["all"].logits, seen["boxes"].logits)
    for source, pools in (("all", True), ("boxes", False)):
        branch = models[source].sigmas[0].weight
        (by_scores,) = torch.autograd.grad(seen[source].logits.sum(), branch, retain_graph=True, allow_unused=True)
        assert (by_scores is not None and bool(by_scores.abs().sum() > 0)) is pools
        (by_boxes,) = torch.autograd.grad(seen[source].boxes.sum(), branch)
        assert by_boxes.abs().sum() > 0
