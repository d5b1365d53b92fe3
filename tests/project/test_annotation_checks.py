"""Labels that are a slip of the pen apart, or the same but for case and blanks."""

import pytest

from untrimmed.project.annotation_checks import is_typo


@pytest.mark.parametrize(
    ("first", "second", "typo"),
    [
        ("juggle", "jugle", True),
        ("jump", "jumps", True),
        ("jump", "bump", True),
        ("jump", "jump", False),
        ("set 1a", "set 2a", False),
        ("cut", "put", False),
        ("jump", "dumb", False),
        ("abcdef", "abxcde", False),
    ],
)
def test_a_slip_of_the_pen_is_one_letter_of_several_and_no_number(first, second, typo):
    assert is_typo(first, second) is typo and is_typo(second, first) is typo
