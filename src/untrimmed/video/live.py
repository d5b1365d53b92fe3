"""Reads videos that arrive from a pipe, a camera or an address, in a thread of their own."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from untrimmed.io import BadInput
from untrimmed.video import containers, decoding
from untrimmed.video.decoding import DecodedFrame
from untrimmed.video.prefetch import prefetch
from untrimmed.video.sampling import PictureConverter

PIPE = "-"
"""The address of standard input."""
# Seconds without a packet after which a network source counts as gone.
_PATIENCE = 15.0
# Batches that are read in advance.
_AHEAD = 4


class LiveBatch(NamedTuple):
    """Snippets in order, and when the last frame that they needed was received, by `time.monotonic`."""

    snippets: list[Any]
    received_at: float


class Connection:
    """One connection to a source: a file, `-` for a pipe, `/dev/video0` for a camera, or an address with `://`.

    `sample_snippets` turns frames as they arrive into snippets; it is given `pictures` to convert them.

    `origin` is the time of the first frame in the source's own seconds; `end` is when the last frame that was read
    ends, in seconds from the first; `started_at` and `received_at` are when these two were read, by
    `time.monotonic`.
    """

    def __init__(
        self,
        address: str,
        pictures: PictureConverter,
        sample_snippets: Callable[[Iterator[DecodedFrame], PictureConverter], Iterator[Any]],
    ) -> None:
        self.address, self.pictures, self.sample_snippets = address, pictures, sample_snippets
        self.end = 0.0
        self.started_at = self.received_at = time.monotonic()

    @property
    def origin(self) -> float:
        """The time of the first frame, in the source's own seconds."""
        return self.pictures.report.origin

    @property
    def duration(self) -> float:
        """Seconds of video once all of it was read: what a file states, or the end of the last frame."""
        return self.pictures.report.stated_duration or self.end

    def batches(self, count: int) -> Iterator[LiveBatch]:
        """Yield the snippets, `count` at a time, as soon as their frames have arrived.

        At most four batches wait; a source that is faster has to. Raises BadInput, after the snippets before it, for
        a source that cannot be read or breaks off. Closing does not wait for the thread, because a source may be
        silent for ever.
        """
        return prefetch(self._read_batches(count), _AHEAD, join=False)

    def _read_batches(self, count: int) -> Generator[LiveBatch, None, None]:
        snippets = self._read_snippets()
        while True:
            batch: list[Any] = []
            try:
                batch.extend(islice(snippets, count))
            except BadInput:
                if batch:  # the snippets before the fault
                    yield LiveBatch(batch, self.received_at)
                raise
            if not batch:
                return
            yield LiveBatch(batch, self.received_at)

    def _read_snippets(self) -> Iterator[Any]:
        path, report = Path(self.address), self.pictures.report
        is_file = classify_address(self.address) == "file"
        with containers.open_video(path) if is_file else _open_live(self.address) as video:
            report.stated_duration = video.stated_duration if is_file else None
            yield from self.sample_snippets(self._note_times(decoding.decode_live(video, report)), self.pictures)
        if not self.end:
            raise decoding.undecodable(path)
        report.check_complete(path, self.end)

    def _note_times(self, frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
        for frame in frames:
            self.received_at = time.monotonic()
            self.started_at, self.end = self.started_at if self.end else self.received_at, frame.end
            yield frame


def classify_address(address: str) -> str:
    """Return the kind of source that an address names: `pipe`, `camera`, `network` or `file`."""
    if address == PIPE:
        return "pipe"
    if "://" in address:
        return "network"
    return "camera" if address.startswith("/dev/video") else "file"


@contextmanager
def _open_live(address: str) -> Iterator[containers.OpenVideo]:
    """Open the video stream of a source, no file. Raises BadInput, also for errors inside the `with` block."""
    kind, name = classify_address(address), "standard input" if address == PIPE else address
    try:
        if kind == "pipe":
            container = av.open("pipe:0")
        elif kind == "camera":
            container = av.open(address, format="v4l2")
        else:
            # Of RTSP's two ways, the one that loses nothing.
            options = {"rtsp_transport": "tcp"} if address.startswith("rtsp") else {}
            container = av.open(address, options=options, timeout=(_PATIENCE, _PATIENCE))
        with container:
            yield containers.find_video_stream(name, container)
    except FFmpegError as error:
        reason = (error.strerror or str(error)).lower()
        fault, remedy = {
            "pipe": ("cannot be read as a video", "send MPEG-TS or Matroska, which need no seeking"),
            "camera": ("cannot be read as a camera", "check that it is there and that no other program uses it"),
            "network": ("broke off or cannot be reached", "check the address, or give --reconnect"),
        }[kind]
        raise BadInput(f"{name}: {fault} ({reason}); {remedy}") from None
