"""Items that a thread produces in advance: their order, errors, and the end."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.video.prefetch import prefetch


@given(st.lists(st.integers()), st.integers(1, 4))
def test_items_keep_their_order(items, count):
    assert list(prefetch((item for item in items), count)) == items


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    seen = []
    with pytest.raises(ValueError, match="the third"):
        for item in prefetch(items(), 3):
            seen.append(item)
    assert seen == [1, 2]


def test_no_more_than_that_many_are_produced_in_advance():
    produced = []

    def items():
        for number in range(100):
            produced.append(number)
            yield number

    early = prefetch(items(), 2)
    next(early)
    time.sleep(0.3)
    # One is taken, two wait, and one more is at the door.
    assert len(produced) <= 4
    early.close()


def test_closing_closes_the_items_and_ends_the_thread():
    closed, before = [], threading.active_count()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    early = prefetch(items(), 1)
    next(early)
    early.close()
    assert closed == [True] and threading.active_count() == before


def test_the_next_item_is_produced_while_one_is_looked_at():
    second = threading.Event()

    def items():
        yield 1
        second.set()
        yield 2

    for _ in prefetch(items(), 1):
        assert second.wait(600)
        break


def test_closing_waits_for_no_item_where_that_may_never_come():
    released = threading.Event()
    guard = threading.Timer(20, released.set)
    guard.start()

    def items():
        yield 0
        released.wait()
        yield 1

    early = prefetch(items(), 1, join=False)
    next(early)
    early.close()
    assert not released.is_set()
    released.set()
    guard.cancel()
