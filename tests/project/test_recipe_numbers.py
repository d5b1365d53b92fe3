"""Which numbers follow from a data set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models.ctcn import CTCNConfig
from untrimmed.project.recipe_numbers import (
    LEVELS,
    RATES,
    SIZES,
    WINDOWS,
    choose_length,
    choose_levels,
    choose_rate,
    choose_steps,
    compute_busy_share,
    count_windows,
    propose_numbers,
    widest_anchor,
)
from untrimmed.project.split import split_videos
from untrimmed.timeline import Action, Timeline


@given(st.floats(0.05, 500), st.floats(1, 200), st.floats(1, 60))
def test_the_rate_gives_short_actions_snippets_within_bounds(short, times, own):
    rate = choose_rate(short, short * times, own)
    assert rate in RATES and rate <= max(own, RATES[0])
    if rate * short < 1.999:
        assert rate == max([r for r in RATES if r <= own], default=RATES[0])


@given(st.floats(0.5, 5000), st.floats(1, 1e6))
def test_windows_and_levels_make_a_model_that_can_be_built(longest, video):
    length = choose_length(longest, max(longest, video))
    levels = choose_levels(longest, length)
    CTCNConfig(length=length, levels=levels)
    assert WINDOWS[0] <= length <= WINDOWS[1] and levels >= LEVELS
    if longest <= WINDOWS[1]:
        assert length >= min(longest, WINDOWS[1]) and widest_anchor(levels) >= longest * 0.999


def test_numbers_follow_from_the_data():
    actions = tuple(Action(10 * n, 10 * n + (2 if n % 2 else 8), "x") for n in range(20))
    timelines = {name: Timeline(200, actions) for name in "abcd"}
    split = split_videos(dict.fromkeys("abcd", ("x",)), dict(zip("abcd", ["train"] * 3 + ["val"], strict=True)))
    proposal = propose_numbers(timelines, dict.fromkeys("abcd", 25.0), split)
    assert (proposal.fps, proposal.short, proposal.long) == (2, 2, 8)
    assert (proposal.length, proposal.levels) == (32, 4)  # 8 s are 16 snippets; twice that, and one coarsest cell
    assert proposal.training_actions == 60 and proposal.random_move and proposal.busy == 0.5
    assert proposal.windows == 3 * count_windows(timelines["a"], 2, 32)
    assert proposal.steps == choose_steps(proposal.windows, SIZES[0])


def test_time_that_two_actions_share_is_busy_once():
    assert compute_busy_share(
        Timeline(10, (Action(0, 4, "x"), Action(1, 3, "y"), Action(2, 6, "z")))
    ) == pytest.approx(0.6)
