"""SSAD: its sizes, its boxes and their matching beside slow plain versions, and the contract of a model."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.detection.describe import describe_recipe
from untrimmed.detection.detector import Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.models.anchors import to_segments
from untrimmed.models.base import Targets
from untrimmed.models.matching import pairwise_tiou
from untrimmed.models.ssad import SSADConfig, SSADOutputs
from untrimmed.recipe import Recipe, build_recipe, recipe_tree
from untrimmed.training.loop import build_model, join_processes

CHANNELS, CLASSES = 5, 3
SMALL = SSADConfig(length=64, base=(8, 8), pool_stride=2, layers=(12, 12, 12))
IMPROVED = SSADConfig(
    length=128,
    base=(512, 512),
    pool_stride=2,
    layers=(1024, 1024, 1024),
    finest_ratios=(0.5, 0.75, 1.0, 1.5, 2.0),
)


@pytest.fixture(params=["score", "sigmoid"])
def model(request):
    return replace(SMALL, overlap_unit=request.param).build(CHANNELS, CLASSES).eval()


def inputs(model, windows=3):
    real = torch.tensor([model.length, model.length // 2 + 3, 9][:windows])
    mask = torch.arange(model.length) < real[:, None]
    return torch.randn(windows, CHANNELS, model.length), mask


def targets(*windows):
    return [
        Targets(torch.tensor([[a, b] for a, b, _ in rows]).reshape(-1, 2), torch.tensor([c for *_, c in rows]).long())
        for rows in windows
    ]


def outputs_of(model, windows=1, **given):
    """Outputs of boxes where they lie by default, without an opinion, but for what is given."""
    boxes = model.anchor_count
    plain = SSADOutputs(
        logits=torch.zeros(windows, boxes, CLASSES + 1),
        overlaps=torch.zeros(windows, boxes),
        offsets=torch.zeros(windows, boxes, 2),
        valid=torch.ones(windows, boxes, dtype=torch.bool),
    )
    return plain._replace(**given)


# Structure


def test_the_paper_s_network_has_the_counts_that_were_published_of_it():
    # A2Net's comparison of costs (Yang et al., TIP 2020) counts these for 303 features and 20 classes.
    numbers = describe_recipe(Recipe(model=SSADConfig()), channels=303, classes=20)
    assert numbers["parameters"] == 3_735_608
    assert numbers["macs"] == 452_640_768
    assert numbers["levels"] == [16, 8, 4]
    assert numbers["anchors"] == 16 * 3 + 8 * 5 + 4 * 5


def test_the_improved_network_has_five_boxes_in_every_cell():
    numbers = describe_recipe(Recipe(model=IMPROVED), channels=1024, classes=20)
    assert numbers["levels"] == [16, 8, 4]
    assert numbers["anchors"] == (16 + 8 + 4) * 5


def test_default_boxes_are_shares_of_the_window_around_the_middles_of_cells():
    boxes = (SSADConfig(width=1 / 64).build(2, 1).anchors / 512).tolist()
    assert boxes[:4] == [[1 / 32, 1 / 16], [1 / 32, 1.5 / 16], [1 / 32, 2 / 16], [3 / 32, 1 / 16]]
    assert boxes[48:53] == [[1 / 16, ratio / 8] for ratio in (0.5, 0.75, 1, 1.5, 2)]
    assert boxes[-1] == [7 / 8, 2 / 4]


def test_outputs_lie_in_the_order_of_the_boxes():
    model = SMALL.build(CHANNELS, CLASSES).eval()
    for level, head in enumerate(model.heads):
        torch.nn.init.zeros_(head.weight)
        marks = [[10 * level + ratio] * (CLASSES + 4) for ratio in range(head.out_channels // (CLASSES + 4))]
        head.bias.data = torch.tensor(marks, dtype=torch.float32).flatten()
    x, mask = inputs(model, 1)
    seen = model(x, mask).overlaps[0].tolist()
    assert seen == [0, 1, 2] * 8 + [10, 11, 12, 13, 14] * 4 + [20, 21, 22, 23, 24] * 2


def test_receptive_fields_are_those_that_a_changed_snippet_shows():
    model = SSADConfig(base=(1, 1), layers=(1, 1, 1)).build(1, 1).eval()
    for layer in [*model.base, *model.layers]:
        torch.nn.init.ones_(layer[0].weight)  # nothing cancels, no ReLU stays shut
    x = torch.ones(513, 1, 512, dtype=torch.float64)
    x[torch.arange(512), 0, torch.arange(512)] += 1
    maps = [
        features for features, _ in model.double()._compute_feature_maps(x, torch.ones(513, 512, dtype=torch.bool))
    ]
    for level, features in zip(model.levels, maps, strict=True):
        middle = features[:, 0, level.cells // 2]
        assert int((middle[:-1] != middle[-1]).sum()) == level.receptive_field


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"length": 100}, "model.length = 100"),
        ({"finest_ratios": ()}, "at least one of each"),
        ({"finest_ratios": (1.0, 0.0)}, "above 0"),
        ({"labels": 0}, "labels"),
    ],
)
def test_settings_that_make_no_network_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        SSADConfig(**changes)


def test_a_recipe_names_the_model():
    recipe = build_recipe({"model": {"name": "ssad", "length": 256}}, "recipe")
    assert recipe.model == SSADConfig(length=256)
    assert build_recipe(recipe_tree(recipe), "again") == recipe


# Boxes


def test_boxes_move_by_tenths():
    model = SMALL.build(CHANNELS, CLASSES)
    offsets = torch.zeros(1, model.anchor_count, 2)
    offsets[0, 1] = torch.tensor([2.0, -3.0])
    centre, width = model.anchors[1].tolist()
    start, end = model.decode(outputs_of(model, offsets=offsets))[0].segments[1].tolist()
    assert (start + end) / 2 == pytest.approx(centre + 0.1 * width * 2)
    assert end - start == pytest.approx(width * math.exp(-0.3))


def test_boxes_stay_finite_whatever_is_predicted():
    model = SMALL.build(CHANNELS, CLASSES)
    offsets = torch.full((1, model.anchor_count, 2), 1e4)
    outputs = outputs_of(model, offsets=offsets)
    assert model.decode(outputs)[0].segments.isfinite().all()
    assert torch.stack(list(model.loss(outputs, targets([(3.0, 9.0, 0)])).values())).isfinite().all()


def test_a_score_is_a_class_s_probability_times_the_sigmoid_of_the_overlap():
    logits = torch.tensor([0.2, 1.0, -0.5, 0.3]).expand(1, SMALL.build(1, 3).anchor_count, 4)
    for unit, overlap in (("score", 0.7), ("sigmoid", torch.tensor(0.7).sigmoid().item())):
        model = replace(SMALL, overlap_unit=unit).build(CHANNELS, CLASSES)
        overlaps = torch.full(logits.shape[:2], overlap)
        scores = model.decode(outputs_of(model, logits=logits, overlaps=overlaps))[0].scores
        expected = logits[0].softmax(-1)[:, 1:] * torch.tensor(0.7).sigmoid()
        assert torch.allclose(scores, expected)


def test_overlaps_are_predicted_in_the_unit_that_is_set():
    bare = SMALL.build(CHANNELS, CLASSES).eval()
    bounded = replace(SMALL, overlap_unit="sigmoid").build(CHANNELS, CLASSES).eval()
    bounded.load_state_dict(bare.state_dict())
    x, mask = inputs(bare)
    assert torch.equal(bounded(x, mask).overlaps, bare(x, mask).overlaps.sigmoid())


def test_sure_background_and_small_overlaps_score_nothing_but_stay():
    model = SMALL.build(CHANNELS, CLASSES)
    logits, overlaps = torch.zeros(1, model.anchor_count, CLASSES + 1), torch.full((1, model.anchor_count), 0.5)
    logits[0, 0, 0] = math.log(3 * 0.98 / 0.02) + 0.01  # just more than 0.98
    logits[0, 1, 0] = math.log(3 * 0.98 / 0.02) - 0.01
    overlaps[0, 2], overlaps[0, 3] = 0.1, 0.11
    scores = model.decode(outputs_of(model, logits=logits, overlaps=overlaps))[0].scores
    assert (scores.amax(1)[:4] > 0).tolist() == [False, True, False, True]
    assert len(scores) == model.anchor_count


def test_only_the_best_labels_of_a_box_are_detected():
    model = replace(SMALL, labels=2).build(CHANNELS, CLASSES)
    logits = torch.tensor([0.0, 1.0, 3.0, 2.0]).expand(1, model.anchor_count, 4)
    scores = model.decode(outputs_of(model, logits=logits, overlaps=logits[..., 1]))[0].scores
    assert (scores > 0).tolist() == [[False, True, True]] * model.anchor_count


# Loss


def plain_loss(model, outputs, rows):
    """The loss box by box, with every background box as a negative."""
    smooth = lambda x: x * x / 2 if abs(x) < 1 else abs(x) - 0.5  # noqa: E731
    entropies, missed, ends = [], [], []
    for window, truths in enumerate(rows):
        for box in range(model.anchor_count):
            if not outputs.valid[window, box]:
                continue
            centre, width = model.anchors[box].tolist()
            shift, growth = outputs.offsets[window, box].tolist()
            centre, width = centre + 0.1 * width * shift, width * math.exp(0.1 * growth)
            start, end = centre - width / 2, centre + width / 2
            best, goal = 0.0, None
            for truth in truths:
                overlap = max(0.0, min(end, truth[1]) - max(start, truth[0]))
                overlap /= width + truth[1] - truth[0] - overlap
                if overlap > best:
                    best, goal = overlap, truth
            label = goal[2] + 1 if best > 0.5 else 0
            probabilities = outputs.logits[window, box].double().softmax(0).tolist()
            entropies.append(-math.log(probabilities[label]))
            missed.append(smooth(outputs.overlaps[window, box].item() - best))
            if label:
                ends.append(smooth((start - goal[0]) / model.length) + smooth((end - goal[1]) / model.length))
    return {
        "class": sum(entropies) / len(entropies),
        "location": 10 * sum(ends) / len(ends),
        "overlap": 10 * sum(missed) / len(missed),
    }


def test_the_loss_is_that_of_a_plain_loop_over_moved_boxes():
    model = replace(SMALL, negatives=1e6).build(CHANNELS, CLASSES)
    rows = [[(3.0, 9.0, 0), (30.0, 60.0, 2)], [(0.0, 20.0, 1), (2.0, 14.0, 0)], [], [(1.0, 8.0, 1)]]
    random = torch.randn(4, model.anchor_count, CLASSES + 4)
    real = torch.ones(4, model.anchor_count, dtype=torch.bool)
    real[3, 5:] = False
    # Offsets that move boxes by a third, so that matching them where they lie by default would differ.
    outputs = SSADOutputs(random[..., :4], random[..., 4], 3 * random[..., 5:], real)
    terms = model.loss(outputs, targets(*rows))
    for name, expected in plain_loss(model, outputs, rows).items():
        assert terms[name].item() == pytest.approx(expected, rel=1e-4), name


def weight_of_background(model, outputs, rows):
    """The share of background boxes in the class loss: those of the truth cost nothing, background costs 1."""
    moved = to_segments(model._refine_boxes(outputs))
    logits = torch.zeros_like(outputs.logits)
    logits[..., 0] = -math.log(math.e - 1)  # against class 1 alone, an entropy of 1 for background
    logits[..., 2:] = -1e4
    for window, truths in enumerate(rows):
        for start, end, _ in truths:
            matched = pairwise_tiou(moved[window], torch.tensor([[start, end]]))[:, 0] > 0.5
            logits[window, matched, 1] = 1e4
    return model.loss(outputs._replace(logits=logits), targets(*rows))["class"].item()


def test_random_negatives_are_as_many_as_positives():
    model = SMALL.build(CHANNELS, CLASSES)
    rows = [[(8.0, 16.0, 0)], [(16.0, 32.0, 0)]]
    assert weight_of_background(model, outputs_of(model, 2), rows) == pytest.approx(1 / 2, abs=1e-4)
    thrice = replace(SMALL, negatives=3.0).build(CHANNELS, CLASSES)
    assert weight_of_background(thrice, outputs_of(model, 2), rows) == pytest.approx(3 / 4, abs=1e-4)


def test_hard_negatives_are_all_learned_from_and_random_ones_fill_up():
    model = SMALL.build(CHANNELS, CLASSES)
    rows = [[(8.0, 16.0, 0)], []]
    positives = int((pairwise_tiou(to_segments(model.anchors), torch.tensor([[8.0, 16.0]])) > 0.5).sum())
    assert positives == 2
    for hard, negatives in ((1, 2), (10, 10)):
        overlaps = torch.zeros(2, model.anchor_count)
        overlaps[1, :hard] = 0.51
        share = weight_of_background(model, outputs_of(model, 2, overlaps=overlaps), rows)
        assert share == pytest.approx(negatives / (negatives + positives), abs=1e-4)


def test_hard_negatives_are_those_that_predict_a_large_overlap():
    model = replace(SMALL, negatives=0.0).build(CHANNELS, CLASSES)
    overlaps = torch.zeros(1, model.anchor_count)
    overlaps[0, -1] = 0.6
    logits = torch.randn(1, model.anchor_count, CLASSES + 1)
    loss = model.loss(outputs_of(model, logits=logits, overlaps=overlaps), targets([(1.0, 9.0, 1)]))["class"]
    chosen = pairwise_tiou(to_segments(model.anchors), torch.tensor([[1.0, 9.0]]))[:, 0] > 0.5
    labels = torch.where(chosen, 2, 0)
    chosen[-1] = True
    assert loss.item() == pytest.approx(F.cross_entropy(logits[0, chosen], labels[chosen]).item(), rel=1e-5)


# The contract of a model


def test_what_lies_beside_padding_sees_what_lies_beside_the_end_of_a_window():
    long, short = SMALL.build(CHANNELS, CLASSES).eval(), replace(SMALL, length=32).build(CHANNELS, CLASSES).eval()
    short.load_state_dict(long.state_dict())
    x = torch.randn(1, CHANNELS, 64)
    padded = long(x, torch.arange(64)[None] < 32)
    alone = short(x[..., :32], torch.ones(1, 32, dtype=torch.bool))
    assert torch.allclose(padded.logits[padded.valid], alone.logits[0], atol=1e-5)
    assert torch.equal(long.anchors[padded.valid[0]], short.anchors)


def test_padding_is_neither_learned_from_nor_detected(model):
    model.train()
    x, mask = inputs(model)
    outputs = model(x, mask)
    assert [len(p.scores) for p in model.decode(outputs)] == outputs.valid.sum(1).tolist()
    assert outputs.valid.sum(1).tolist() == [model.anchor_count, 4 * 3 + 2 * 5 + 5, 3 + 5 + 5]
    values = tuple(v.detach().requires_grad_() for v in outputs[:3])
    # More negatives than there are boxes, so that each one that may be chosen is.
    everything = replace(model.config, negatives=1e6).build(CHANNELS, CLASSES)
    rows = targets([(3.0, 9.0, 0), (30.0, 60.0, 2)], [(30.0, 60.0, 1)], [(8.0, 24.0, 1)])
    torch.stack(list(everything.loss(SSADOutputs(*values, outputs.valid), rows).values())).sum().backward()
    for value in values:
        assert not value.grad[~outputs.valid].any()
        assert value.grad[outputs.valid].any()


def test_even_a_video_of_one_snippet_has_boxes(model):
    x = torch.randn(1, CHANNELS, model.length)
    (proposals,) = model.decode(model(x, torch.arange(model.length)[None] < 1))
    assert len(proposals.scores) == 3 + 5 + 5


def test_windows_without_actions_have_a_finite_loss_that_teaches(model):
    model.train()
    terms = model.loss(model(*inputs(model)), targets([], [], []))
    total = torch.stack(list(terms.values())).sum()
    assert torch.isfinite(total)
    total.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_late_fusion_takes_boxes_one_by_one(tmp_path):
    folder = synthetic.write_dataset(tmp_path / "data")
    recipe = replace(synthetic.recipe_for(folder), model=SMALL)
    corpus = open_corpus(recipe.data)
    first, second = (
        Detector(
            build_model(
                replace(recipe, train=replace(recipe.train, seed=seed)), corpus, join_processes("cpu")
            ).eval(),
            recipe,
            synthetic.CHANNELS,
            corpus.dataset.classes,
            corpus.source,
        )
        for seed in (0, 1)
    )
    features = corpus.features["video02"]
    assert Fusion((first, first)).detect([features, features]) == first.detect(features)
    (boxes, scores), (others, more) = first.candidates(features), second.candidates(features)
    assert ((scores == 0).all(1) != (more == 0).all(1)).any()  # a box that one of them alone detects
    both = Fusion((first, second)).detect([features, features])
    assert both == first.suppress((boxes + others) / 2, (scores + more) / 2, features.duration)


def test_it_learns_where_a_channel_is_raised():
    model = replace(SMALL, base=(16, 16), layers=(32, 32, 32)).build(CHANNELS, CLASSES)
    mask = torch.ones(16, 64, dtype=torch.bool)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(100):
        x, rows = raised()
        loss = torch.stack(list(model.loss(model(x, mask), rows).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, rows = raised()
    found = 0
    for proposals, row in zip(model.eval().decode(model(x, mask)), rows, strict=True):
        box, label = divmod(int(proposals.scores.argmax()), CLASSES)
        found += bool(pairwise_tiou(proposals.segments[box : box + 1], row.segments) > 0.5) and label == int(
            row.labels
        )
    assert found >= 14


def raised():
    """Sixteen windows of noise, in each of which one channel is raised for a while."""
    x, rows = torch.randn(16, CHANNELS, 64) / 2, []
    for window in x:
        length, label = int(torch.randint(8, 25, ())), int(torch.randint(CLASSES, ()))
        start = int(torch.randint(64 - length, ()))
        window[label, start : start + length] += 2
        rows += targets([(float(start), float(start + length), label)])
    return x, rows
