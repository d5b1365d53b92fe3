"""Items that a thread makes in advance: their order, what goes wrong, and the end."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.video.prefetch import ahead


@given(st.lists(st.integers()), st.integers(1, 4))
def test_the_items_come_in_their_order(items, count):
    assert list(ahead((item for item in items), count)) == items


def test_what_goes_wrong_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    seen = []
    with pytest.raises(ValueError, match="the third"):
        for item in ahead(items(), 3):
            seen.append(item)
    assert seen == [1, 2]


def test_no_more_than_that_many_are_made_in_advance():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    early = ahead(items(), 2)
    next(early)
    time.sleep(0.3)
    # One is taken, two wait, and one more is at the door.
    assert len(made) <= 4
    early.close()


def test_closing_closes_the_items_and_ends_the_thread():
    closed, before = [], threading.active_count()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    early = ahead(items(), 1)
    next(early)
    early.close()
    assert closed == [True] and threading.active_count() == before


def test_the_next_item_is_made_while_one_is_looked_at():
    second = threading.Event()

    def items():
        yield 1
        second.set()
        yield 2

    for _ in ahead(items(), 1):
        assert second.wait(10)
        break
