"""Suppression: the fast way against the plain one, and what it promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.models.suppression import (
    _MOST_STRETCHES,
    COUNTED,
    TELLING,
    SuppressConfig,
    Suppressed,
    _assign_lanes,
    compute_limit,
    suppress,
)
from untrimmed.timeline import tiou


def slowly(segments: np.ndarray, scores: np.ndarray, config: SuppressConfig) -> list[tuple[float, int, int]]:
    """(score, candidate, class) of what remains, from the definition: every class to its end, then the best."""
    overlaps = tiou(segments, segments)
    if config.per_class:
        groups = [[(s, i, c) for i, s in enumerate(column)] for c, column in enumerate(scores.T.tolist())]
    else:
        groups = [[(max(row), i, row.index(max(row))) for i, row in enumerate(scores.tolist())]]
    remaining = [pick for group in groups for pick in _one_group(group, overlaps, config)]
    ranked = sorted(remaining, key=lambda pick: (-pick[0], pick[1], pick[2]))
    if not config.keep_per_class:
        return ranked[: config.keep]
    places = [sum(before[2] == pick[2] for before in ranked[:n]) for n, pick in enumerate(ranked)]
    return [pick for pick, place in zip(ranked, places, strict=True) if place < config.keep]


def _one_group(group, overlaps, config):
    left = sorted((p for p in group if p[0] >= config.floor), key=lambda p: (-p[0], p[1]))
    if config.nms is not None:
        kept = []
        for pair in left:
            if all(overlaps[pair[1], other[1]] < config.nms for other in kept):
                kept.append(pair)
        left = kept
    picks = []
    while left:
        best = min(left, key=lambda p: (-p[0], p[1]))
        picks.append(best)
        left = [p for p in (_after(best, p, overlaps, config) for p in left if p is not best) if p]
    return [p for p in picks if p[0] >= config.end_floor]


def _after(best, pair, overlaps, config):
    score, candidate, label = pair
    overlap = overlaps[best[1], candidate]
    if config.method == "none" or overlap == 0 or overlap < config.tiou:
        return pair
    if config.method == "hard":
        return None
    factor = math.exp(-overlap * overlap / config.sigma) if config.method == "gaussian" else 1 - overlap
    return score * factor, candidate, label


def rows(result: Suppressed) -> list[tuple]:
    return [(*s, c, v) for s, c, v in zip(result.segments.tolist(), result.labels, result.scores, strict=True)]


@st.composite
def candidates(draw) -> tuple[np.ndarray, np.ndarray]:
    """Few different numbers, so that equal scores, equal segments and segments without length are common."""
    count, classes = draw(st.integers(0, 25)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    fine = draw(st.booleans())
    ends = random.uniform(0, 9, (count, 2)) if fine else random.integers(0, 9, (count, 2)).astype(float)
    # Far apart, they lie in many stretches of time, which are looked at one by one.
    ends += random.choice([0, 7, 8, 9, 60, 500], count)[:, None] * draw(st.booleans())
    scores = random.uniform(size=(count, classes)) if fine else random.integers(0, 5, (count, classes)) / 4
    return np.sort(ends, axis=1), scores


configs = st.builds(
    SuppressConfig,
    floor=st.sampled_from([0.0, 0.25, 0.3]),
    nms=st.sampled_from([None, 0.5, 0.8, 1.0]),
    method=st.sampled_from(["gaussian", "linear", "hard", "none"]),
    sigma=st.sampled_from([0.3, 0.9]),
    tiou=st.sampled_from([0.0, 0.5, 1.0]),
    end_floor=st.sampled_from([0.0, 0.2, 0.5]),
    keep=st.sampled_from([1, 3, 10, 1000]),
    keep_per_class=st.booleans(),
    per_class=st.booleans(),
)


@settings(max_examples=500, deadline=None)
@given(candidates(), configs)
def test_stopping_early_gives_what_the_plain_version_gives(drawn, config):
    segments, scores = drawn
    expected = [(*segments[i].tolist(), c, s) for s, i, c in slowly(segments, scores, config)]
    assert rows(suppress(segments, scores, config)) == expected


@settings(deadline=None)
@given(candidates())
def test_hard_suppression_leaves_no_two_of_a_class_that_overlap(drawn):
    result = suppress(*drawn, SuppressConfig(method="hard", tiou=0.5))
    for label in np.unique(result.labels):
        kept = result.segments[result.labels == label]
        assert (np.triu(tiou(kept, kept), 1) < 0.5).all()


@settings(deadline=None)
@given(candidates(), configs)
def test_the_unit_of_time_does_not_matter(drawn, config):
    segments, scores = drawn
    result, scaled = suppress(segments, scores, config), suppress(segments * 8, scores, config)
    assert rows(scaled) == rows(result._replace(segments=result.segments * 8))


def test_a_gaussian_of_known_numbers():
    segments, scores = np.array([[0.0, 10.0], [0.0, 5.0], [20.0, 30.0]]), np.array([[0.9], [0.8], [0.7]])
    result = suppress(segments, scores, SuppressConfig(sigma=0.5))
    assert result.scores == pytest.approx([0.9, 0.7, 0.8 * math.exp(-(0.5**2) / 0.5)])
    assert result.segments.tolist() == [[0, 10], [20, 30], [0, 5]]


def test_the_setting_of_gtan_spares_what_overlaps_less_than_its_threshold():
    segments, scores = np.array([[0.0, 10.0], [0.0, 8.0], [0.0, 7.0]]), np.array([[0.9], [0.8], [0.7]])
    result = suppress(segments, scores, SuppressConfig(sigma=0.8, tiou=0.75))
    # [0, 7] overlaps [0, 10] by 0.7 and stays; [0, 8] overlaps the two by 0.8 and 0.875.
    assert result.segments[:, 1].tolist() == [10, 7, 8]
    assert result.scores == pytest.approx([0.9, 0.7, 0.8 * math.exp(-(0.8**2 + 0.875**2) / 0.8)])


def test_without_classes_a_segment_has_its_best_label_only():
    segments, scores = np.array([[0.0, 2.0], [5.0, 6.0]]), np.array([[0.1, 0.6, 0.3], [0.5, 0.5, 0.2]])
    result = suppress(segments, scores, SuppressConfig(per_class=False))
    assert result.labels.tolist() == [1, 0]


def test_equal_scores_keep_the_order_of_candidates_and_classes():
    segments, scores = np.array([[4.0, 5.0], [0.0, 1.0]]), np.full((2, 2), 0.5)
    result = suppress(segments, scores, SuppressConfig())
    assert rows(result) == [(4, 5, 0, 0.5), (4, 5, 1, 0.5), (0, 1, 0, 0.5), (0, 1, 1, 0.5)]


@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("classes", [0, 1, 4])
def test_no_candidates_leave_none(per_class, classes):
    result = suppress(np.zeros((0, 2)), np.zeros((0, classes)), SuppressConfig(per_class=per_class))
    assert (result.segments.shape, result.labels.shape, result.scores.shape) == ((0, 2), (0,), (0,))


def test_single_precision_is_taken_and_the_input_is_left_alone():
    segments, scores = np.array([[0, 2], [0, 1.9]], np.float32), np.array([[0.5], [0.4]], np.float32)
    result = suppress(segments, scores, SuppressConfig())
    assert result.scores.dtype == result.segments.dtype == np.float64
    assert scores.tolist() == np.array([[0.5], [0.4]], np.float32).tolist()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        suppress(np.array([[0.0, bad]]), np.array([[0.5]]), SuppressConfig())
    with pytest.raises(ValueError, match="finite"):
        suppress(np.array([[0.0, 1.0]]), np.array([[bad]]), SuppressConfig())


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma": 0.0},
        {"tiou": 1.1},
        {"nms": 0.0},
        {"vote": 0.0},
        {"keep": 0},
        {"keep_per_minute": -1.0},
        {"keep_per_minute": math.inf},
        {"keep_per_minute": math.nan},
        {"floor": -1.0},
        {"end_floor": math.nan},
    ],
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SuppressConfig(**wrong)


@settings(deadline=None)
@given(candidates(), st.booleans())
def test_voting_moves_segments_to_the_plain_weighed_mean_and_nothing_else(drawn, per_class):
    segments, scores = drawn
    plain = suppress(segments, scores, SuppressConfig(per_class=per_class))
    voted = suppress(segments, scores, SuppressConfig(per_class=per_class, vote=0.5))
    assert (voted.labels == plain.labels).all()
    assert (voted.scores == plain.scores).all()
    for kept, moved, label in zip(plain.segments, voted.segments, plain.labels, strict=True):
        best = np.where(scores[:, label] >= 0.001, scores[:, label], 0)
        if not per_class:
            best = np.where(scores.max(1) >= 0.001, scores.max(1), 0)
        overlaps = tiou(kept[None], segments)[0]
        weights = np.where(overlaps >= 0.5, best * overlaps, 0)
        if weights.sum():
            assert moved == pytest.approx((weights[:, None] * segments).sum(0) / weights.sum())
        else:
            assert (moved == kept).all()


def test_two_candidates_vote_by_their_scores():
    segments, scores = np.array([[0.0, 10.0], [0.0, 8.0]]), np.array([[0.6], [0.2]])
    result = suppress(segments, scores, SuppressConfig(method="hard", tiou=0.5, vote=0.5))
    # 0.6 of weight 1 at 10, and 0.2 of weight 0.8 at 8.
    assert result.segments.tolist() == [[0, pytest.approx((0.6 * 10 + 0.16 * 8) / 0.76)]]


@settings(deadline=None)
@given(candidates(), configs, st.integers(1, 12))
def test_what_the_limit_leaves_out_is_counted_exactly_down_to_a_twentieth_of_the_best(drawn, config, keep) -> None:
    everything = suppress(*drawn, replace(config, keep=10_000))
    limited = suppress(*drawn, replace(config, keep=keep))
    assert not everything.cut.any()
    told = everything.scores >= TELLING * max(everything.scores, default=0)
    for label in range(drawn[1].shape[1]):
        kept = (limited.labels == label).sum()
        assert limited.cut[label] == (told & (everything.labels == label))[everything.labels == label][kept:].sum()
    if not config.keep_per_class:
        assert (limited.scores == everything.scores[:keep]).all()


def test_faint_candidates_beyond_the_limit_are_none_that_are_missed() -> None:
    segments = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    scores = np.array([[0.9], [0.8], [0.05], [0.04]])
    assert [suppress(segments, scores, SuppressConfig(keep=keep)).cut[0] for keep in (1, 2, 3)] == [2, 1, 0]


def test_a_longer_video_may_keep_more() -> None:
    config = SuppressConfig(keep=200, keep_per_minute=60)
    assert [compute_limit(config, seconds) for seconds in (0, 60, 200, 201, 2400, 36_000)] == [
        200,
        200,
        200,
        201,
        2400,
        36_000,
    ]
    assert compute_limit(replace(config, keep_per_minute=0), 36_000) == 200
    assert compute_limit(replace(config, keep_per_minute=0.4), 36_000) == 240


def test_forty_minutes_of_actions_are_all_kept() -> None:
    starts = np.arange(0, 2400, 2.0)
    segments = np.stack([starts, starts + 1.5], 1)
    scores = np.full((len(starts), 1), 0.9)
    assert len(suppress(segments, scores, SuppressConfig(), seconds=2400).scores) == 1200
    few = suppress(segments, scores, SuppressConfig(keep_per_minute=0), seconds=2400)
    assert (len(few.scores), few.cut.tolist()) == (200, [1000])


@pytest.mark.parametrize("per_class", [True, False])
def test_a_busy_class_leaves_a_rare_one_its_room_or_the_rare_one_is_counted(per_class) -> None:
    starts = np.arange(0, 1000.0)
    segments = np.stack([starts, starts + 0.9], 1)
    scores = np.zeros((1000, 2))
    scores[:, 0] = 0.9
    scores[::100] = [0.0, 0.3]
    config = SuppressConfig(keep_per_minute=0, per_class=per_class)
    apart = suppress(segments, scores, config)
    assert np.bincount(apart.labels).tolist() == [200, 10]
    assert apart.cut.tolist() == [790, 0]
    together = suppress(segments, scores, replace(config, keep_per_class=False))
    assert np.bincount(together.labels, minlength=2).tolist() == [200, 0]
    assert together.cut.tolist() == [790, 10]


def test_a_rare_class_is_counted_behind_more_than_is_counted_of_a_busy_one() -> None:
    starts = np.arange(0, 3000.0)
    segments = np.stack([starts, starts + 0.9], 1)
    scores = np.zeros((3000, 2))
    scores[:, 0] = 0.9
    scores[-5:] = [0.0, 0.1]
    result = suppress(segments, scores, SuppressConfig(keep=10, keep_per_class=False))
    assert result.cut.tolist() == [COUNTED, 1]


def test_hours_cost_no_more_than_their_length() -> None:
    """What is far apart is never compared: there are as many stretches of time as there is room for."""
    segments = np.array([[start, start + 1.0] for start in np.arange(0, 36_000.0, 0.5)])
    lanes = _assign_lanes(segments, np.zeros(len(segments), np.intp))
    assert lanes.stretches == _MOST_STRETCHES + 1
    assert np.bincount(lanes.numbers).max() <= 8
    scores = np.random.default_rng(0).uniform(0.1, 0.9, (len(segments), 1))
    whole = suppress(segments, scores, SuppressConfig(), seconds=36_000)
    part = segments[:, 1] <= 300
    alone = suppress(segments[part], scores[part], SuppressConfig(keep=10_000))
    early = whole.segments[:, 1] <= 299
    assert (whole.scores[early][:50] == alone.scores[alone.segments[:, 1] <= 299][:50]).all()
