"""A bounded queue between a thread that produces items and the caller who uses them."""

from collections.abc import Generator
from queue import Full, Queue
from threading import Event, Thread
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# Seconds after which a thread whose queue is full looks whether anybody still reads it.
_POLL = 0.05


class _End(NamedTuple):
    """The last entry of a queue: there are no more items, or producing them failed."""

    error: BaseException | None = None


def prefetch(items: Generator[T, None, None], count: int, *, join: bool = True) -> Generator[T, None, None]:
    """Yield the same items in the same order, produced by a thread that is at most `count` items ahead.

    An error of the producer is raised here, after the items before it. When this generator is closed, the thread
    closes `items`. With `join`, closing waits for the thread; go without where producing an item may block forever.
    """
    queue: Queue[T | _End] = Queue(count)
    stopped = Event()
    thread = Thread(target=_fill, args=(items, queue, stopped), name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error:
            raise item.error
    finally:
        stopped.set()
        if join:
            thread.join()


def _fill(items: Generator[T, None, None], queue: "Queue[T | _End]", stopped: Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(item, queue, stopped):
                break
    except BaseException as error:
        end = _End(error)
    finally:
        items.close()
    _put(end, queue, stopped)


def _put(item: T | _End, queue: "Queue[T | _End]", stopped: Event) -> bool:
    """Wait for room in the queue; False when the reader is gone."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL)
            return True
        except Full:
            pass
    return False
