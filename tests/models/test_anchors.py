"""Where anchors lie and how offsets are coded, each against a slow version written from its definition."""

import math

import pytest
import torch

from untrimmed.models.anchors import (
    MAX_GROWTH,
    anchor_ratios,
    apply_offsets,
    decode,
    encode,
    pyramid_anchors,
    to_anchors,
    to_segments,
)

CELLS = (128, 64, 32, 16, 8, 4, 2, 1)


def test_a_window_of_512_has_1785_anchors():
    assert pyramid_anchors(512, CELLS, 7, "release").shape == (1785, 2)


def test_released_ratios_are_those_of_the_code():
    assert anchor_ratios(7, "release", False) == pytest.approx((1, 0.9, 1.1, 0.8, 1.2, 0.7, 1.3))
    assert anchor_ratios(7, "release", True) == pytest.approx((1, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65))


def test_paper_ratios_follow_equation_2():
    assert anchor_ratios(7, "paper", False) == pytest.approx([2 / 3 + 2 * m / 21 for m in range(7)])
    assert anchor_ratios(7, "paper", True) == pytest.approx([2 / 3 + m / 21 for m in range(7)])


def test_ssd_ratios_are_square_roots_of_its_aspect_ratios():
    expected = (1, math.sqrt(1 * 2), math.sqrt(2), 1 / math.sqrt(2), math.sqrt(3), 1 / math.sqrt(3))
    for coarsest in (True, False):
        assert anchor_ratios(6, "ssd", coarsest) == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"model\.anchors = 7"):
        anchor_ratios(7, "ssd", False)


@pytest.mark.parametrize("count", [3, 5, 7, 9, 11, 13])
@pytest.mark.parametrize("rule", ["release", "paper"])
def test_every_number_of_anchors_of_table_3_makes_distinct_ones(count, rule):
    anchors = pyramid_anchors(512, CELLS, count, rule)
    assert len(anchors.unique(dim=0)) == 255 * count
    widths = anchors[-count:, 1]
    assert widths.min() > 512 / 3 and widths.max() <= 512 + 1e-3  # at the coarsest level none outlasts the window


@pytest.mark.parametrize("rule", ["release", "paper"])
def test_a_scale_stretches_anchors_about_their_centres(rule):
    once, twice = (pyramid_anchors(512, CELLS, 5, rule, scale) for scale in (1, 2))
    assert torch.equal(twice[:, 0], once[:, 0]) and torch.allclose(twice[:, 1], 2 * once[:, 1])


def test_the_released_rule_refuses_an_even_number():
    with pytest.raises(ValueError, match=r"model\.anchors = 6"):
        anchor_ratios(6, "release", False)


def test_anchors_lie_level_by_level_cell_by_cell():
    anchors = pyramid_anchors(512, CELLS, 3, "paper")
    expected = [
        ((2 * j - 1) / 2 ** (10 - level) * 512, 2**level * ratio)  # Eqs. 1 and 3
        for level in range(2, 10)
        for j in range(1, 2 ** (9 - level) + 1)
        for ratio in anchor_ratios(3, "paper", level == 9)
    ]
    assert torch.allclose(anchors, torch.tensor(expected))


@pytest.mark.parametrize("coder", ["release", "paper"])
def test_decoding_inverts_encoding(coder):
    anchors = pyramid_anchors(64, (16, 8, 4), 3, "release")
    segments = to_segments(anchors) + torch.rand(len(anchors), 2) * torch.tensor([-1.0, 1.0])
    offsets = encode(segments, anchors, coder)
    assert torch.allclose(decode(offsets, anchors, coder), segments, atol=1e-4)


def test_coders_are_those_of_paper_and_release():
    anchor, segment = torch.tensor([[10.0, 4.0]]), torch.tensor([[9.0, 17.0]])
    assert encode(segment, anchor, "paper")[0].tolist() == pytest.approx([3 / 4, math.log(2)])
    assert encode(segment, anchor, "release")[0].tolist() == pytest.approx([3 / 4 / 0.1, (2 - 1) / 0.2])


def slow_decode(shift, size, centre, width, coder):
    """One anchor's segment, from the formulas of Eq. 7 and of the released code."""
    if coder == "paper":
        c, w = centre + width * shift, width * math.exp(size)
    else:
        c, w = centre + 0.1 * width * shift, width * max(0.0, 1 + 0.2 * size)
    return [c - w / 2, c + w / 2]


@pytest.mark.parametrize("coder", ["release", "paper"])
def test_decoding_equals_the_slow_version(coder):
    anchors = pyramid_anchors(64, (16, 8, 4), 3, "release")
    offsets = (torch.rand(len(anchors), 2) - 0.5) * 12
    expected = [
        slow_decode(*offset, *anchor, coder)
        for offset, anchor in zip(offsets.tolist(), anchors.tolist(), strict=True)
    ]
    assert torch.allclose(decode(offsets, anchors, coder), torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_offsets_move_a_box_by_its_width_and_widen_it_by_their_exponential():
    box, offset = torch.tensor([[10.0, 4.0]]), torch.tensor([[0.5, math.log(2)]])
    assert apply_offsets(box, offset)[0].tolist() == pytest.approx([12, 8])
    assert apply_offsets(box, offset, 0.1)[0].tolist() == pytest.approx([10.2, 4 * 2**0.1])
    for growth in (1e6, -1e6):
        width = apply_offsets(box, torch.tensor([[0.0, growth]]))[0, 1].item()
        assert width == pytest.approx(4 * math.exp(math.copysign(MAX_GROWTH, growth)))


def test_segments_and_anchors_are_two_forms_of_one_thing():
    anchors = pyramid_anchors(64, (16, 8, 4), 3, "release")
    assert torch.allclose(to_anchors(to_segments(anchors)), anchors)
