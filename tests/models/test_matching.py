"""Matching and the choice of negatives, against slow versions written from their definitions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models.anchors import pyramid_anchors, to_segments
from untrimmed.models.base import Targets
from untrimmed.models.matching import count_negatives, match, pairwise_tiou, select_highest, select_negatives


def targets_of(*windows):
    """The label of an action is its index."""
    return [Targets(torch.tensor(rows).reshape(-1, 2), torch.arange(len(rows))) for rows in windows]


def everywhere(segments):
    return torch.ones(segments.shape[:2], dtype=torch.bool)


def slow_tiou(a, b):
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (a[1] - a[0] + b[1] - b[0] - shared)


def slow_match(anchors, valid, actions, force):
    """Match anchor by anchor: (action, tIoU, forced); forced pairs from the largest overlap down, one at a time."""
    matches = []
    for anchor, counts in zip(anchors, valid, strict=True):
        overlaps = [slow_tiou(anchor, action) if counts else 0.0 for action in actions] or [0.0]
        matches.append((overlaps.index(max(overlaps)), max(overlaps), False))
    free = {
        (a, g): slow_tiou(anchors[a], actions[g])
        for a in range(len(anchors))
        for g in range(len(actions))
        if valid[a] and force
    }
    while free:
        (a, g), best = max(free.items(), key=lambda item: (item[1], -item[0][0], -item[0][1]))
        if best < 1e-6:
            break
        matches[a] = (g, best, True)
        free = {pair: value for pair, value in free.items() if pair[0] != a and pair[1] != g}
    return matches


# Whole numbers make equal overlaps common, which is where orders of matching would differ.
whole = st.integers(0, 16).map(float)
segment = st.tuples(whole, st.integers(1, 8).map(float)).map(lambda s: [s[0], s[0] + s[1]])


@given(st.lists(st.lists(segment, max_size=6), min_size=1, max_size=3), st.data(), st.booleans())
def test_matching_equals_the_slow_version(windows, data, force):
    anchors = data.draw(st.lists(segment, min_size=1, max_size=12))
    valid = [data.draw(st.lists(st.booleans(), min_size=len(anchors), max_size=len(anchors))) for _ in windows]
    targets = targets_of(*windows)
    fast = match(torch.tensor(anchors).repeat(len(windows), 1, 1), torch.tensor(valid), targets, force=force)
    for i, actions in enumerate(windows):
        slow = slow_match(anchors, valid[i], actions, force)
        assert fast.overlap[i].tolist() == pytest.approx([overlap for _, overlap, _ in slow])
        assert fast.forced[i].tolist() == [forced for *_, forced in slow]
        touching = [k for k, (_, overlap, _) in enumerate(slow) if overlap > 0]
        assert fast.labels[i, touching].tolist() == [slow[k][0] for k in touching]
        assert fast.segments[i, touching].tolist() == [actions[slow[k][0]] for k in touching]


def test_forced_matching_leaves_no_action_without_an_anchor():
    anchors = to_segments(pyramid_anchors(64, (16, 8, 4, 2, 1), 3, "release"))[None]
    targets = targets_of([[10.2, 10.4], [30.0, 33.0], [0.0, 64.0]])
    forced, free = (match(anchors, everywhere(anchors), targets, force=force) for force in (True, False))
    assert set(forced.labels[forced.forced].tolist()) == {0, 1, 2} and forced.forced.sum() == 3
    assert not free.forced.any() and 0 not in free.labels[free.overlap >= 0.5].tolist()


def test_equal_overlaps_go_to_the_first_action():
    anchor = torch.tensor([[[2.0, 6.0]]])
    assert match(anchor, everywhere(anchor), targets_of([[2.0, 4.0], [4.0, 6.0]]), force=False).labels.tolist() == [
        [0]
    ]


def test_a_forced_anchor_answers_for_its_pair_and_not_for_its_best_action():
    # The first anchor lies best on the first action, but so does the second, still better.
    anchors, targets = torch.tensor([[[0.5, 8.5], [0.0, 8.0]]]), targets_of([[0.0, 8.0], [5.0, 8.0]])
    forced = match(anchors, everywhere(anchors), targets, force=True)
    assert forced.labels.tolist() == [[1, 0]] and forced.forced.all()
    assert forced.overlap.tolist()[0] == pytest.approx([3 / 8, 1])
    assert match(anchors, everywhere(anchors), targets, force=False).labels.tolist() == [[0, 0]]


@pytest.mark.parametrize("force", [True, False])
def test_without_actions_no_anchor_overlaps_anything(force):
    anchors = torch.tensor([[0.0, 64.0], [2.0, 6.0]]).repeat(2, 1, 1)
    for targets in (targets_of([], []), targets_of([], [[2.0, 6.0]])):
        matches = match(anchors, everywhere(anchors), targets, force=force)
        assert not matches.overlap[0].any() and not matches.forced[0].any()


def test_tiou_is_symmetric_bounded_and_one_on_itself():
    a, b = (torch.rand(2, 50, 2).cumsum(-1) * 10 for _ in range(2))
    overlaps = pairwise_tiou(a, b)
    assert torch.allclose(overlaps, pairwise_tiou(b, a).mT)
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    assert torch.allclose(pairwise_tiou(a, a).diagonal(dim1=1, dim2=2), torch.ones(2, 50))


def test_segments_without_length_overlap_nothing():
    point = torch.tensor([[3.0, 3.0]])
    assert pairwise_tiou(point, point).item() == 0


def test_negatives_are_so_many_for_each_positive_or_one_a_window():
    positive = torch.tensor([[True, True, False], [True, False, False]])
    assert count_negatives(positive, 1.5) == 5  # 4.5, rounded up
    assert count_negatives(torch.zeros(2, 3, dtype=torch.bool), 1.5) == 2


def test_the_highest_of_each_row_are_selected():
    losses = torch.rand(4, 40)
    positive = torch.zeros(4, 40, dtype=torch.bool)
    for window, count in enumerate((0, 1, 3, 30)):
        positive[window, :count] = True
    candidate = ~positive
    candidate[:, -5:] = False
    negative = select_highest(losses, candidate, 3.0 * positive.sum(1, keepdim=True))
    for window, count in enumerate((0, 1, 3, 30)):
        order = sorted(range(40), key=lambda a: -losses[window, a].item())
        expected = [a for a in order if candidate[window, a]][: 3 * count]
        assert set(negative[window].nonzero().flatten().tolist()) == set(expected)


def losses_and_candidates():
    return torch.rand(4, 30), torch.rand(4, 30) < 0.6


@pytest.mark.parametrize("number", [0, 1, 17, 1000])
def test_the_hardest_are_those_of_highest_loss_in_the_whole_batch(number):
    losses, among = losses_and_candidates()
    order = sorted(among.nonzero().tolist(), key=lambda place: -losses[tuple(place)].item())
    expected = {tuple(place) for place in order[:number]}
    selected = select_negatives(losses, among, torch.tensor(number), "hardest")
    assert set(map(tuple, selected.nonzero().tolist())) == expected


def test_of_equal_losses_the_first_are_taken():
    among = torch.tensor([[False, True, True], [True, True, False]])
    selected = select_negatives(torch.ones(2, 3), among, torch.tensor(3), "hardest")
    assert selected.tolist() == [[False, True, True], [True, False, False]]


@pytest.mark.parametrize("number", [0, 1, 17, 1000])
def test_random_ones_are_as_many_as_asked_for_and_the_same_under_a_seed(number):
    losses, among = losses_and_candidates()

    def draw(seed):
        torch.manual_seed(seed)
        return select_negatives(losses, among, torch.tensor(number), "random")

    first = draw(1)
    assert not (first & ~among).any()
    assert first.sum() == min(number, int(among.sum()))
    assert torch.equal(first, draw(1))
    assert torch.equal(first, draw(2)) is (number in (0, 1000))


def test_random_ones_are_drawn_alike_whatever_their_loss():
    losses, among = torch.arange(20.0)[None], torch.arange(20)[None] < 10
    counts = sum(select_negatives(losses, among, torch.tensor(5), "random").long() for _ in range(400))
    assert counts[0, 10:].sum() == 0
    assert ((counts[0, :10] > 150) & (counts[0, :10] < 250)).all()  # five deviations around 200
