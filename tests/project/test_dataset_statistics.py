"""Lengths of actions as bars of text."""

from hypothesis import given
from hypothesis import strategies as st

from untrimmed.project.dataset_statistics import choose_bounds, draw_histogram


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=200))
def test_every_length_but_the_very_short_has_its_place_in_the_histogram(lengths):
    lines = draw_histogram(lengths)
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines) == len(lengths)
    assert len(choose_bounds(min(lengths), max(lengths))) <= 11
