"""Anchors, matching, coding and mining, each against a slow version written from its definition."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models import anchors as boxes

CELLS = (128, 64, 32, 16, 8, 4, 2, 1)


def test_a_window_of_512_has_1785_anchors():
    assert boxes.pyramid_anchors(512, CELLS, 7, "release").shape == (1785, 2)


def test_released_ratios_are_those_of_the_code():
    assert boxes.anchor_ratios(7, "release", False) == pytest.approx((1, 0.9, 1.1, 0.8, 1.2, 0.7, 1.3))
    assert boxes.anchor_ratios(7, "release", True) == pytest.approx((1, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65))


def test_paper_ratios_follow_equation_2():
    assert boxes.anchor_ratios(7, "paper", False) == pytest.approx([2 / 3 + 2 * m / 21 for m in range(7)])
    assert boxes.anchor_ratios(7, "paper", True) == pytest.approx([2 / 3 + m / 21 for m in range(7)])


def test_ssd_ratios_are_square_roots_of_its_aspect_ratios():
    expected = (1, math.sqrt(1 * 2), math.sqrt(2), 1 / math.sqrt(2), math.sqrt(3), 1 / math.sqrt(3))
    for coarsest in (True, False):
        assert boxes.anchor_ratios(6, "ssd", coarsest) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"model\.anchors = 7"):
        boxes.anchor_ratios(7, "ssd", False)


@pytest.mark.parametrize("count", [3, 5, 7, 9, 11, 13])
@pytest.mark.parametrize("rule", ["release", "paper"])
def test_every_number_of_anchors_of_table_3_makes_distinct_ones(count, rule):
    made = boxes.pyramid_anchors(512, CELLS, count, rule)
    assert len(made.unique(dim=0)) == 255 * count
    widths = made[-count:, 1]
    assert widths.min() > 512 / 3 and widths.max() <= 512 + 1e-3  # at the coarsest level none outlasts the window


@pytest.mark.parametrize("rule", ["release", "paper"])
def test_a_scale_stretches_anchors_about_their_centres(rule):
    made, twice = (boxes.pyramid_anchors(512, CELLS, 5, rule, scale) for scale in (1, 2))
    assert torch.equal(twice[:, 0], made[:, 0]) and torch.allclose(twice[:, 1], 2 * made[:, 1])


def test_the_released_rule_refuses_an_even_number():
    with pytest.raises(ValueError, match=r"model\.anchors = 6"):
        boxes.anchor_ratios(6, "release", False)


def test_anchors_lie_level_by_level_cell_by_cell():
    made = boxes.pyramid_anchors(512, CELLS, 3, "paper")
    expected = [
        ((2 * j - 1) / 2 ** (10 - level) * 512, 2**level * ratio)  # Eqs. 1 and 3
        for level in range(2, 10)
        for j in range(1, 2 ** (9 - level) + 1)
        for ratio in boxes.anchor_ratios(3, "paper", level == 9)
    ]
    assert torch.allclose(made, torch.tensor(expected))


def test_tiou_is_symmetric_bounded_and_one_on_itself():
    a, b = (torch.rand(2, 50, 2).cumsum(-1) * 10 for _ in range(2))
    overlaps = boxes.tiou(a, b)
    assert torch.allclose(overlaps, boxes.tiou(b, a).mT)
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    assert torch.allclose(boxes.tiou(a, a).diagonal(dim1=1, dim2=2), torch.ones(2, 50))


def test_segments_without_length_overlap_nothing():
    point = torch.tensor([[3.0, 3.0]])
    assert boxes.tiou(point, point).item() == 0


def slow_match(anchors, truth, candidates, threshold, force):
    """The released procedure: the largest pair first, one at a time; then every anchor its best truth."""
    overlaps = boxes.tiou(boxes.to_segments(anchors), truth)
    matched = [-1] * len(anchors)
    free = {(a, g): overlaps[a, g].item() for a in range(len(anchors)) for g in range(len(truth)) if candidates[a]}
    while force and free:
        (a, g), best = max(free.items(), key=lambda item: (item[1], -item[0][0], -item[0][1]))
        if best < 1e-6:
            break
        matched[a] = g
        free = {pair: value for pair, value in free.items() if pair[0] != a and pair[1] != g}
    for a in range(len(anchors)):
        if matched[a] < 0 and candidates[a] and len(truth) and overlaps[a].max() >= threshold:
            matched[a] = int(overlaps[a].argmax())
    return matched


# Whole numbers make equal overlaps common, which is where orders of matching would differ.
whole = st.integers(0, 30).map(float)
segment = st.tuples(whole, st.integers(1, 12).map(float)).map(lambda s: [s[0], s[0] + s[1]])


@given(st.lists(st.lists(segment, max_size=6), min_size=1, max_size=3), st.booleans(), st.integers(0, 1000))
def test_matching_equals_the_slow_version(windows, force, seed):
    anchors = boxes.pyramid_anchors(32, (8, 4, 2, 1), 3, "release")
    candidates = torch.rand(len(windows), len(anchors), generator=torch.Generator().manual_seed(seed)) < 0.8
    most = max(map(len, windows))
    truth = torch.zeros(len(windows), most, 2)
    real = torch.zeros(len(windows), most, dtype=torch.bool)
    for i, segments in enumerate(windows):
        if segments:
            truth[i, : len(segments)] = torch.tensor(segments)
            real[i, : len(segments)] = True
    fast = boxes.match(anchors, truth, real, candidates, threshold=0.5, force=force)
    for i, segments in enumerate(windows):
        slow = slow_match(anchors, torch.tensor(segments).reshape(-1, 2), candidates[i], 0.5, force)
        assert fast[i].tolist() == slow


def test_forced_matching_leaves_no_truth_without_an_anchor():
    anchors = boxes.pyramid_anchors(64, (16, 8, 4, 2, 1), 3, "release")
    truth = torch.tensor([[[10.2, 10.4], [30.0, 33.0], [0.0, 64.0]]])
    everything = torch.ones(1, len(anchors), dtype=torch.bool)
    forced = boxes.match(anchors, truth, torch.ones(1, 3, dtype=torch.bool), everything, threshold=0.5, force=True)
    free = boxes.match(anchors, truth, torch.ones(1, 3, dtype=torch.bool), everything, threshold=0.5, force=False)
    assert set(forced[0].tolist()) == {-1, 0, 1, 2}
    assert 0 not in free[0].tolist()


@pytest.mark.parametrize("coder", ["release", "paper"])
def test_decoding_inverts_encoding(coder):
    anchors = boxes.pyramid_anchors(64, (16, 8, 4), 3, "release")
    segments = boxes.to_segments(anchors) + torch.rand(len(anchors), 2) * torch.tensor([-1.0, 1.0])
    offsets = boxes.encode(segments, anchors, coder)
    assert torch.allclose(boxes.decode(offsets, anchors, coder), segments, atol=1e-4)


def test_coders_are_those_of_paper_and_release():
    anchor, segment = torch.tensor([[10.0, 4.0]]), torch.tensor([[9.0, 17.0]])
    assert boxes.encode(segment, anchor, "paper")[0].tolist() == pytest.approx([3 / 4, math.log(2)])
    assert boxes.encode(segment, anchor, "release")[0].tolist() == pytest.approx([3 / 4 / 0.1, (2 - 1) / 0.2])


def slow_decode(shift, size, centre, width, coder):
    """One anchor's segment, from the formulas of Eq. 7 and of the released code."""
    if coder == "paper":
        c, w = centre + width * shift, width * math.exp(size)
    else:
        c, w = centre + 0.1 * width * shift, width * max(0.0, 1 + 0.2 * size)
    return [c - w / 2, c + w / 2]


@pytest.mark.parametrize("coder", ["release", "paper"])
def test_decoding_equals_the_slow_version(coder):
    anchors = boxes.pyramid_anchors(64, (16, 8, 4), 3, "release")
    offsets = (torch.rand(len(anchors), 2) - 0.5) * 12
    expected = [
        slow_decode(*offset, *anchor, coder)
        for offset, anchor in zip(offsets.tolist(), anchors.tolist(), strict=True)
    ]
    assert torch.allclose(boxes.decode(offsets, anchors, coder), torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_hardest_negatives_are_three_for_each_positive_of_their_window():
    losses = torch.rand(4, 40)
    positive = torch.zeros(4, 40, dtype=torch.bool)
    for window, count in enumerate((0, 1, 3, 30)):
        positive[window, :count] = True
    candidate = ~positive
    candidate[:, -5:] = False
    chosen = boxes.hardest_negatives(losses, positive, candidate, 3.0)
    for window, count in enumerate((0, 1, 3, 30)):
        order = sorted(range(40), key=lambda a: -losses[window, a].item())
        expected = [a for a in order if candidate[window, a]][: 3 * count]
        assert set(chosen[window].nonzero().flatten().tolist()) == set(expected)
