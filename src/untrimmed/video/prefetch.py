"""Work that is done while its results are waited for: items made by a thread, a few in advance."""

from collections.abc import Generator
from queue import Full, Queue
from threading import Event, Thread
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# Seconds after which a thread with a result that nobody takes looks whether anybody is still there.
_PATIENCE = 0.05


class _Made(NamedTuple):
    """An item, or what went wrong in making it; neither at the end."""

    item: object = None
    fault: BaseException | None = None
    last: bool = False


def ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """The same items in the same order, made by a thread that is at most `count` items ahead.

    What goes wrong there is raised here, after the items before it. When this is closed, so are the items.
    """
    ready: Queue[_Made] = Queue(count)
    gone = Event()
    thread = Thread(target=_make, args=(items, ready, gone), daemon=True)
    thread.start()
    try:
        while not (made := ready.get()).last:
            yield made.item  # pyright: ignore[reportReturnType]
        if made.fault:
            raise made.fault
    finally:
        gone.set()
        thread.join()


def _make(items: Generator[object, None, None], ready: Queue[_Made], gone: Event) -> None:
    fault = None
    try:
        for item in items:
            if not _taken(_Made(item), ready, gone):
                break
    except BaseException as error:
        fault = error
    finally:
        items.close()
    _taken(_Made(fault=fault, last=True), ready, gone)


def _taken(made: _Made, ready: Queue[_Made], gone: Event) -> bool:
    while not gone.is_set():
        try:
            ready.put(made, timeout=_PATIENCE)
            return True
        except Full:
            pass
    return False
