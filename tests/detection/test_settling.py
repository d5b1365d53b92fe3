"""Suppression of what keeps arriving: the picks of suppressing all at once, each once, from little memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.detection.settling import Settler
from untrimmed.models.suppression import SuppressConfig, suppress

LENGTH, STRIDE = 20.0, 10.0
NEVER = 1e9

configs = st.builds(
    SuppressConfig,
    floor=st.sampled_from([0.001, 0.4]),
    nms=st.sampled_from([None, 0.5, 0.8]),
    method=st.sampled_from(["gaussian", "linear", "hard", "none"]),
    sigma=st.sampled_from([0.2, 0.9]),
    tiou=st.sampled_from([0.0, 0.3, 0.75]),
    end_floor=st.sampled_from([0.0, 0.35]),
    vote=st.sampled_from([None, 0.6]),
    keep=st.just(100_000),
    per_class=st.booleans(),
)


def candidates_of(seed, windows, each=12, classes=2, reach=0.0):
    """Per window its candidates: none begins before it, but for `reach` seconds; some end after it."""
    random = np.random.default_rng(seed)
    for first in np.arange(windows) * STRIDE:
        start = first + random.uniform(-reach, LENGTH, each)
        segments = np.stack([start, start + random.uniform(0.5, 9, each)], 1)
        # Few different scores, so that some are equal.
        yield segments, np.round(random.uniform(0, 1, (each, classes)), 2)


def settled(settler, several):
    """Everything that is given out, in rows of start, end, label, score; and when."""
    found, times = [], []
    for number, (segments, scores) in enumerate(several):
        now = number * STRIDE + LENGTH
        settler.add(segments, scores, now)
        picks = settler.settle(now, (number + 1) * STRIDE)
        found.append(rows_of(picks))
        times += [now] * len(picks.labels)
    found.append(rows_of(settler.settle(np.inf, np.inf)))
    return np.concatenate(found), np.array(times)


def rows_of(picks):
    return np.column_stack([picks.segments, picks.labels, picks.scores])


def in_order(rows):
    return rows[np.lexsort(np.round(rows.T, 9))]


def at_once(several, config, least):
    segments, scores = (np.concatenate(of_each) for of_each in zip(*several, strict=True))
    rows = rows_of(suppress(segments, scores, config))
    return rows[rows[:, 3] >= least]


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 6), configs, st.sampled_from([0.01, 0.3, 0.6]))
def test_what_is_settled_bit_by_bit_is_what_suppressing_all_at_once_leaves(seed, windows, config, least):
    several = list(candidates_of(seed, windows))
    settler = Settler(config, least, NEVER, NEVER)
    found, _ = settled(settler, several)
    assert settler.late == 0
    wanted = at_once(several, config, least)
    assert found.shape == wanted.shape
    assert in_order(found) == pytest.approx(in_order(wanted), abs=1e-9)


def test_nothing_is_forgotten_that_matters_when_memory_is_one_window():
    several = list(candidates_of(0, 30, each=6))
    for config in (SuppressConfig(nms=0.6, vote=0.6, keep=10**6), SuppressConfig(tiou=0.3, keep=10**6)):
        found, _ = settled(Settler(config, 0.5, NEVER, LENGTH), several)
        assert in_order(found) == pytest.approx(in_order(at_once(several, config, 0.5)), abs=1e-9)


def test_most_is_settled_long_before_the_end():
    found, times = settled(Settler(SuppressConfig(), 0.7, NEVER, LENGTH), list(candidates_of(1, 40, each=4)))
    waits = times - found[: len(times), 1]
    assert len(times) > 0.8 * len(found)
    assert waits.min() >= 0
    assert np.median(waits) <= LENGTH


def test_a_chain_that_never_ends_is_cut_at_the_latency():
    # Each overlaps the next, which is better: what is first depends on what is last.
    chain = [(np.array([[10.0 * n + 1, 10.0 * n + 13]]), np.array([[0.4 + 0.01 * n]])) for n in range(50)]
    config = SuppressConfig(end_floor=0.1)
    uncut = Settler(config, 0.1, NEVER, LENGTH)
    assert len(settled(uncut, chain)[1]) == 0
    found, times = settled(Settler(config, 0.1, 30.0, LENGTH), chain)
    waits = times - found[: len(times), 1]
    assert len(times) >= 45
    assert waits.max() < 30 + STRIDE


def test_what_was_given_out_stays_and_suppresses_what_comes_too_late():
    settler = Settler(SuppressConfig(method="hard"), 0.1, 0.0, LENGTH)
    settler.add(np.array([[1.0, 5.0]]), np.array([[0.5]]), 20.0)
    assert rows_of(settler.settle(20.0, 10.0)).tolist() == [[1, 5, 0, 0.5]]
    settler.add(np.array([[2.0, 5.0], [12.0, 14.0]]), np.array([[0.9], [0.3]]), 30.0)
    assert rows_of(settler.settle(30.0, 20.0)).tolist() == [[12, 14, 0, 0.3]]
    assert settler.late == 1


def test_a_worse_candidate_that_comes_late_is_not_counted_for_it_would_have_lost_anyway():
    settler = Settler(SuppressConfig(method="hard"), 0.1, 0.0, LENGTH)
    settler.add(np.array([[1.0, 5.0]]), np.array([[0.5]]), 20.0)
    settler.settle(20.0, 10.0)
    settler.add(np.array([[2.0, 5.0]]), np.array([[0.4]]), 30.0)
    assert not len(settler.settle(np.inf, np.inf).labels)
    assert settler.late == 0


@pytest.mark.parametrize(
    "config", [SuppressConfig(), SuppressConfig(nms=0.6, vote=0.6, tiou=0.3)], ids=["soft", "all"]
)
def test_memory_does_not_grow_with_the_video(config):
    settler, held = Settler(config, 0.3, 2 * LENGTH, LENGTH), []
    for number, (segments, scores) in enumerate(candidates_of(2, 40, each=5, reach=30.0)):
        settler.add(segments, scores, number * STRIDE + LENGTH)
        settler.settle(number * STRIDE + LENGTH, (number + 1) * STRIDE)
        held.append(settler.held)
    assert max(held[20:]) <= 1.5 * max(held[:20])
