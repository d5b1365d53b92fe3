"""Arrays that are, nearly are, and are not time x channels."""

import numpy as np
import pytest

from untrimmed.features.shapes import check_array
from untrimmed.io import BadInput


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 1, 3), (5, 3)),
        ((1, 5, 3), (5, 3)),
        ((5, 3, 1, 1), (5, 3)),
        ((1, 1, 3), (1, 3)),
        ((5, 1, 1), (5, 1)),
        ((1, 5, 1), (5, 1)),
        ((1, 1, 1), (1, 1)),
        ((1, 3), (1, 3)),
        ((5, 1), (5, 1)),
        ((0, 3), (0, 0)),
    ],
)
def test_of_more_than_two_axes_those_of_one_are_left_out(shape, expected):
    assert check_array(np.ones(shape, np.float32), "a").shape == expected


def test_swapped_axes_are_swapped_back():
    values = np.arange(6.0).reshape(3, 2)
    assert np.array_equal(check_array(values.T, "a", "ct"), values)
    assert np.array_equal(check_array(values.T[:, :, None, None], "a", "ct"), values)


def test_whole_numbers_become_floats_and_floats_stay():
    for kind in (np.int8, np.uint8, np.int64, np.bool_):
        assert check_array(np.ones((2, 2), kind), "a").dtype == np.float32
    for kind in (np.float16, np.float32, np.float64):
        assert check_array(np.ones((2, 2), kind), "a").dtype == kind


@pytest.mark.parametrize("values", [np.ones((2, 3, 4)), np.ones(5), np.ones((2, 2), complex), np.array([["a"]])])
def test_anything_else_is_refused(values):
    with pytest.raises(BadInput, match=r"a: has shape .*; time x channels of numbers was expected"):
        check_array(values, "a")
