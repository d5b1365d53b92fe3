"""The rate of features, from how many snippets there are and how long the videos are said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.io import BadInput
from untrimmed.project.feature_rate import (
    build_rate_source,
    describe_disagreement,
    guess_snippet_rate,
    refuse_short_features,
)

lengths_in_seconds = st.lists(st.floats(20, 900), min_size=2, max_size=12)
rates = st.sampled_from([1, 2, 3, 5, 7.5, 12.5, 20, 25, 30_000 / 1001, 30, 60, 120])


def guess(rate, seconds, fps=None, rounded=lambda second: second):
    counts = {f"v{n}": int(rate * second) for n, second in enumerate(seconds)}
    return guess_snippet_rate(counts, {f"v{n}": rounded(second) for n, second in enumerate(seconds)}, fps)


@given(rates, lengths_in_seconds, st.booleans())
def test_every_usual_rate_is_found_so_nearly_that_videos_end_where_they_do(rate, seconds, rounded):
    found = guess(rate, seconds, rounded=round if rounded else float)
    assert found
    drift = max(seconds) * abs(found.rate / rate - 1)
    assert drift <= (1.0 + 0.03 * max(seconds) if rounded else 0.1) + 2 / rate


@given(st.sampled_from([24, 25, 30]), st.sampled_from([1, 4, 8, 16]), lengths_in_seconds)
def test_with_frames_a_second_a_snippet_is_a_whole_number_of_them(fps, stride, seconds):
    found = guess(fps / stride, seconds, fps)
    assert found and found.rate == fps / stride
    source = build_rate_source("mine", found.rate, fps)
    assert (source.fps, source.stride, source.window) == (fps, stride, stride)


def test_the_guess_is_said_with_the_numbers_that_it_is_made_of():
    found = guess(25, [60.0, 30.0])
    assert found and found.rate == 25
    assert found.reason.endswith("1,500 snippets over 60.0 s in 'v0' = 25 a second")


def test_lengths_that_end_with_the_last_action_give_no_rate():
    counts, lengths = {"a": 500, "b": 500, "c": 600}, {"a": 12.0, "b": 19.0, "c": 8.0}
    assert guess_snippet_rate(counts, lengths, None) is None
    assert "500 over 19.0 s in 'b' would be 26.3, 600 over 8.0 s in 'c' 75; give" in describe_disagreement(
        counts, lengths
    )


def test_videos_of_one_count_were_resized():
    counts, lengths = {"a": 100, "b": 100}, {"a": 12.0, "b": 190.0}
    assert guess_snippet_rate(counts, lengths, None) is None
    assert "all videos have as many: were they resized" in describe_disagreement(counts, lengths)


def test_a_rate_at_which_features_end_long_before_the_actions_is_refused():
    with pytest.raises(
        BadInput, match=r"f: 93 snippets of 'a' at 25 a second end at 3.7 s, but its actions at 60.0 s"
    ):
        refuse_short_features("f", {"a": 93}, {"a": 60.0}, 25)
    refuse_short_features("f", {"a": 1500}, {"a": 58.0}, 25)
    with pytest.raises(BadInput, match=r"at 20 a second end at 20\.0 s, but its actions at 37\.5 s"):
        refuse_short_features("f", {"a": 400}, {"a": 37.5}, 20)
    refuse_short_features("f", {"a": 400, "b": 400}, {"a": 21.9, "b": 37.5}, 20)  # one of two is a matter of a note
