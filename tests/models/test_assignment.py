"""Which boxes are foreground and background, against one box after another; and the drawing of background."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models.base import Truth
from untrimmed.models.default_boxes import assign, sample

LIMITS = {"foreground": 0.8, "background": 0.3, "force": False}


def truth_of(*windows):
    """Truths of windows as segments, padded with a segment that would match if it counted."""
    most = max(map(len, windows))
    segments = torch.tensor([[0.0, 64.0]]).repeat(len(windows), most, 1)
    real = torch.zeros(len(windows), most, dtype=torch.bool)
    for i, rows in enumerate(windows):
        if rows:
            segments[i, : len(rows)] = torch.tensor(rows)
            real[i, : len(rows)] = True
    return Truth(segments, torch.zeros(len(windows), most, dtype=torch.long), real)


def everywhere(boxes):
    return torch.ones(boxes.shape[:2], dtype=torch.bool)


def overlap(box, segment):
    """tIoU of (centre, width) with (start, end)."""
    centre, width = box
    start, end = centre - width / 2, centre + width / 2
    shared = max(0.0, min(end, segment[1]) - max(start, segment[0]))
    return shared / (width + segment[1] - segment[0] - shared)


def slow_assign(boxes, real, segments, foreground, background, force):
    """Section 3.5 box by box: (closest truth, its overlap, side); forced pairs from the largest overlap down."""
    found = []
    for box, counts in zip(boxes, real, strict=True):
        overlaps = [overlap(box, segment) if counts else 0.0 for segment in segments] or [0.0]
        best = max(overlaps)
        side = "foreground" if best > foreground else "background" if best < background else "neither"
        found.append((overlaps.index(best), best, side if counts else "neither"))
    free = {
        (b, g): overlap(boxes[b], segments[g])
        for b in range(len(boxes))
        for g in range(len(segments))
        if real[b] and force
    }
    while free:
        (b, g), best = max(free.items(), key=lambda item: (item[1], -item[0][0], -item[0][1]))
        if best == 0:
            break
        found[b] = (g, best, "foreground")
        free = {pair: value for pair, value in free.items() if pair[0] != b and pair[1] != g}
    return found


# Whole numbers make equal overlaps common: ties, and overlaps that are just at a limit.
whole = st.integers(0, 16).map(float)
segment = st.tuples(whole, st.integers(1, 8).map(float)).map(lambda s: [s[0], s[0] + s[1]])
box = st.tuples(whole, st.integers(1, 8).map(float)).map(list)
limits = st.sampled_from([(0.8, 0.3), (0.5, 0.25), (0.75, 0.5), (0.5, 0.5), (1.0, 0.0)])


@given(st.lists(st.lists(segment, max_size=5), min_size=1, max_size=3), st.data(), limits, st.booleans())
def test_assignment_equals_the_slow_version(windows, draw, thresholds, force):
    boxes = draw.draw(st.lists(box, min_size=1, max_size=12))
    real = [draw.draw(st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes))) for _ in windows]
    foreground, background = thresholds
    batch = torch.tensor(boxes).repeat(len(windows), 1, 1)
    rules = {"foreground": foreground, "background": background, "force": force}
    fast = assign(batch, torch.tensor(real), truth_of(*windows), **rules)
    for i, segments in enumerate(windows):
        slow = slow_assign(boxes, real[i], segments, **rules)
        assert fast.overlap[i].tolist() == pytest.approx([best for _, best, _ in slow])
        assert fast.foreground[i].tolist() == [side == "foreground" for *_, side in slow]
        assert fast.background[i].tolist() == [side == "background" for *_, side in slow]
        touched = [k for k, (_, best, _) in enumerate(slow) if best > 0]
        assert fast.truth[i, touched].tolist() == [slow[k][0] for k in touched]


def test_a_box_exactly_at_a_limit_is_on_neither_side():
    boxes = torch.tensor([[[4.0, 8.0], [2.0, 4.0], [1.0, 2.0]]])
    found = assign(boxes, everywhere(boxes), truth_of([[0.0, 8.0]]), foreground=0.5, background=0.25, force=False)
    assert found.overlap.tolist() == [[1.0, 0.5, 0.25]]
    assert found.foreground.tolist() == [[True, False, False]]
    assert not found.background.any()


def test_equal_overlaps_go_to_the_first_truth():
    boxes = torch.tensor([[[4.0, 4.0]]])
    assert assign(boxes, everywhere(boxes), truth_of([[2.0, 4.0], [4.0, 6.0]]), **LIMITS).truth.tolist() == [[0]]


def test_a_forced_box_answers_for_its_pair_and_not_for_its_best_truth():
    # The first box lies best on the first truth, but so does the second, still better.
    boxes, truth = torch.tensor([[[4.5, 8.0], [4.0, 8.0]]]), truth_of([[0.0, 8.0], [5.0, 8.0]])
    found = assign(boxes, everywhere(boxes), truth, foreground=0.8, background=0.3, force=True)
    assert found.truth.tolist() == [[1, 0]]
    assert found.overlap.tolist()[0] == pytest.approx([3 / 8, 1])
    assert found.foreground.all()
    free = assign(boxes, everywhere(boxes), truth, foreground=0.9, background=0.3, force=False)
    assert free.truth.tolist() == [[0, 0]] and free.foreground.tolist() == [[False, True]]


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("truth", [truth_of([], []), truth_of([], [[2.0, 6.0]])], ids=["anywhere", "in one window"])
def test_without_truths_every_real_box_is_background(truth, force):
    boxes = torch.tensor([[32.0, 64.0], [4.0, 4.0]]).repeat(2, 1, 1)
    real = torch.tensor([[True, False], [True, True]])
    found = assign(boxes, real, truth, foreground=0.8, background=0.3, force=force)
    assert found.background[0].tolist() == [True, False]
    assert not found.foreground[0].any() and not found.overlap[0].any()


def losses_and_candidates():
    return torch.rand(4, 30), torch.rand(4, 30) < 0.6


@pytest.mark.parametrize("number", [0, 1, 17, 1000])
def test_the_hardest_are_those_of_highest_loss_in_the_whole_batch(number):
    losses, among = losses_and_candidates()
    order = sorted(among.nonzero().tolist(), key=lambda place: -losses[tuple(place)].item())
    expected = {tuple(place) for place in order[:number]}
    assert set(map(tuple, sample(losses, among, torch.tensor(number), "hardest").nonzero().tolist())) == expected


def test_of_equal_losses_the_first_are_taken():
    among = torch.tensor([[False, True, True], [True, True, False]])
    chosen = sample(torch.ones(2, 3), among, torch.tensor(3), "hardest")
    assert chosen.tolist() == [[False, True, True], [True, False, False]]


@pytest.mark.parametrize("number", [0, 1, 17, 1000])
def test_random_ones_are_as_many_as_asked_for_and_the_same_under_a_seed(number):
    losses, among = losses_and_candidates()

    def draw(seed):
        torch.manual_seed(seed)
        return sample(losses, among, torch.tensor(number), "random")

    first = draw(1)
    assert not (first & ~among).any()
    assert first.sum() == min(number, int(among.sum()))
    assert torch.equal(first, draw(1))
    assert torch.equal(first, draw(2)) is (number in (0, 1000))


def test_random_ones_are_drawn_alike_whatever_their_loss():
    losses, among = torch.arange(20.0)[None], torch.arange(20)[None] < 10
    counts = sum(sample(losses, among, torch.tensor(5), "random").long() for _ in range(400))
    assert counts[0, 10:].sum() == 0
    assert ((counts[0, :10] > 150) & (counts[0, :10] < 250)).all()  # five deviations around 200
