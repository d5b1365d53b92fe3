"""Videos that arrive: from a pipe, a camera or an address, read by a thread of their own as they come."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from untrimmed.io import BadInput
from untrimmed.video import containers, decoding
from untrimmed.video.decoding import Shown
from untrimmed.video.sampling import Pictures

PIPE = "-"
"""The address of standard input."""
# Seconds without a packet after which a network source counts as gone.
_PATIENCE = 15.0
# Batches that are read before they are looked at.
_AHEAD = 4


class Arrived(NamedTuple):
    """What was seen, in order, and when the last frame that it needed was there, by `time.monotonic`."""

    seen: list[Any]
    at: float


class Connection:
    """One connection to a source: a file, `-` for a pipe, `/dev/video0` for a camera, or an address with `://`.

    `see` makes of frames as they come what is to be seen of them, by `pictures` of their own.

    `origin` is the time of the first frame in the source's own seconds, `ended` when the last one that was read is
    gone, in seconds from the first; `begun` and `at` are when these were read, by `time.monotonic`.
    """

    def __init__(
        self, address: str, pictures: Pictures, see: Callable[[Iterator[Shown], Pictures], Iterator[Any]]
    ) -> None:
        self.address, self.pictures, self.see = address, pictures, see
        self.ended = 0.0
        self.begun = self.at = time.monotonic()

    @property
    def origin(self) -> float:
        return self.pictures.reading.origin

    @property
    def duration(self) -> float:
        """Seconds of video, when all was read: what a file states, or what was seen."""
        return self.pictures.reading.stated or self.ended

    def batches(self, count: int) -> Iterator[Arrived]:
        """What is seen, `count` at a time, each as soon as it can be known.

        At most four batches wait; a source that is faster has to. Raises BadInput, after what came before, for a
        source that cannot be read or breaks off. Whoever leaves early does not wait for the thread, unlike
        `extraction.ahead`, for a source may be silent for ever.
        """
        ready: Queue[Arrived | BaseException | None] = Queue(_AHEAD)
        gone = Event()
        Thread(target=self._fill, args=(ready, gone, count), name="arriving", daemon=True).start()
        try:
            while (arrived := ready.get()) is not None:
                if isinstance(arrived, BaseException):
                    raise arrived
                yield arrived
        finally:
            gone.set()

    def _fill(self, ready: "Queue[Arrived | BaseException | None]", gone: Event, count: int) -> None:
        last = None
        try:
            found = self._seen()
            while not gone.is_set() and (several := self._several(found, count, ready, gone)):
                _put(Arrived(several, self.at), ready, gone)
        except BaseException as error:
            last = error
        _put(last, ready, gone)

    def _several(
        self, found: Iterator[Any], count: int, ready: "Queue[Arrived | BaseException | None]", gone: Event
    ) -> list[Any]:
        """The next of them; those before a fault are handed over before it is."""
        several: list[Any] = []
        try:
            several.extend(islice(found, count))
        except BadInput:
            if several:
                _put(Arrived(several, self.at), ready, gone)
            raise
        return several

    def _seen(self) -> Iterator[Any]:
        reading = self.pictures.reading
        with opened(self.address) as source:
            is_file = kind_of(self.address) == "file"
            reading.stated = containers.stated_duration(source) if is_file else None
            yield from self.see(self._noted(decoding.arriving(source, reading)), self.pictures)
        if not self.ended:
            raise decoding.empty(Path(self.address))
        reading.check_complete(Path(self.address), self.ended)

    def _noted(self, frames: Iterator[Shown]) -> Iterator[Shown]:
        for shown in frames:
            self.at = time.monotonic()
            self.begun, self.ended = self.begun if self.ended else self.at, shown.end
            yield shown


def kind_of(address: str) -> str:
    """What a source is by its address: `pipe`, `camera`, `network` or `file`."""
    if address == PIPE:
        return "pipe"
    if "://" in address:
        return "network"
    return "camera" if address.startswith("/dev/video") else "file"


def opened(address: str) -> AbstractContextManager[containers.Source]:
    """The video stream of a source. Raises BadInput, also for what goes wrong later."""
    return containers.opened(Path(address)) if kind_of(address) == "file" else _arriving(address)


@contextmanager
def _arriving(address: str) -> Iterator[containers.Source]:
    try:
        if kind_of(address) == "pipe":
            container = av.open("pipe:0")
        elif kind_of(address) == "camera":
            container = av.open(address, format="v4l2")
        else:
            # Of RTSP's two ways, the one that loses nothing.
            options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
            container = av.open(address, options=options, timeout=(_PATIENCE, _PATIENCE))
        with container:
            yield containers.source_in(_named(address), container)
    except FFmpegError as error:
        raise BadInput(f"{_named(address)}: {_reason(address, error)}") from None


def _named(address: str) -> str:
    return "standard input" if address == PIPE else address


def _reason(address: str, error: FFmpegError) -> str:
    said = (error.strerror or str(error)).lower()
    if kind_of(address) == "pipe":
        return f"cannot be read as a video ({said}); send MPEG-TS or Matroska, which need no seeking"
    if kind_of(address) == "camera":
        return f"cannot be read as a camera ({said}); check that it is there and that no other program uses it"
    return f"broke off or cannot be reached ({said}); check the address, or give --reconnect"


def _put(one: Arrived | BaseException | None, ready: "Queue[Arrived | BaseException | None]", gone: Event) -> None:
    while not gone.is_set():
        try:
            ready.put(one, timeout=0.1)
            return
        except Full:
            pass
