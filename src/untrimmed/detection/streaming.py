"""Actions of a video that keeps arriving, each given out once, as soon as no window to come can change it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from untrimmed.detection.detector import Detector
from untrimmed.detection.settling import Settler
from untrimmed.extraction.extractor import Extractor
from untrimmed.extraction.settings import config_of
from untrimmed.extraction.video import extractor_of
from untrimmed.features.video_features import VideoFeatures
from untrimmed.features.windows import starts
from untrimmed.io import BadInput
from untrimmed.models.suppression import Suppressed
from untrimmed.timeline import Action
from untrimmed.video.live import Connection, kind_of

WINDOWS = 2.0
"""Windows' worth of seconds after which an action is given out at the latest, unless told otherwise."""
# Of a window: how far before it its candidates may begin, for what lies at its start is seen but in part.
_REACH = 1 / 8
# Seconds by which a source's own clock and the wall's may disagree on how long a source was away.
_AGREE = 10.0
# Seconds from one try to reach a source to the next.
_LONGEST_PAUSE = 10


class Settled(NamedTuple):
    """An action that will not change, and how many seconds of video came after its end before it was given out."""

    action: Action
    latency: float


class Found(NamedTuple):
    """A settled action, and the seconds on the clock from the last frame that was needed until it was known."""

    action: Action
    latency: float
    lag: float


class Stretch:
    """Features of one stretch of video as they come, to actions.

    Every window of `Detector.detect` is run as soon as it is whole, the last one when the stretch is over. What is
    given out are the actions that `detect` finds with `score` or more, up to rounding and but for the limit
    `suppress.keep`, as long as no candidate that reaches `score` begins more than an eighth of a window before its
    window does, and none had to be given out early, `latency` seconds after its end (see Settler; `late` counts what
    came too late). Detections are told an eighth of a window later for it. The last
    window's features and some windows' candidates are in memory, whatever the length.

    Raises BadInput for a detector of whole videos.
    """

    def __init__(self, detector: Detector, score: float, latency: float | None = None) -> None:
        config, self.length = detector.recipe.windows, detector.model.length
        if config.mode != "slide":
            raise BadInput(
                "the detector sees whole videos resized to one window, and a stream has no whole; use untrimmed "
                'detect on a file, or train one with windows.mode="slide"'
            )
        self.detector, self.grid = detector, detector.source.grid
        self.stride = starts(self.length + 1, self.length, config.test_overlap).step
        window = self.length * self.grid.step
        self.settler = Settler(
            detector.recipe.suppress, score, WINDOWS * window if latency is None else latency, memory=window
        )
        self.values = np.zeros((0, detector.channels), np.float32)
        self.first = 0
        """The snippet at which the next window begins, and what is in memory."""
        self.covered = 0
        """The snippets that windows have seen."""
        self.seconds = 0.0
        """How much video was seen."""

    @property
    def late(self) -> int:
        """Candidates that were better than what they overlap, but came after it was given out."""
        return self.settler.late

    def add(self, values: Float[np.ndarray, "time channels"]) -> list[Settled]:
        """The next snippets; the actions that are settled by them, by start."""
        self.values = np.concatenate([self.values, np.asarray(values, np.float32)])
        while len(self.values) >= self.length:
            self._run(self.values[: self.length])
            self.values, self.first = self.values[self.stride :], self.first + self.stride
        self.seconds = float(self.grid.seconds(self.first + len(self.values)))
        future = float(self.grid.seconds(self.first - _REACH * self.length))
        return self._actions(self.settler.settle(self.seconds, future), self.seconds)

    def finish(self, duration: float) -> list[Settled]:
        """The rest of the actions of a stretch that turns out to last so many seconds."""
        if self.first + len(self.values) > self.covered:
            self._run(self.values)
        # Of a file that says more than it shows, the time that its snippets show.
        self.seconds = min(duration, float(self.grid.seconds(self.first + len(self.values) + 0.5)))
        return self._actions(self.settler.settle(math.inf, math.inf), self.seconds)

    def _run(self, values: Float[np.ndarray, "time channels"]) -> None:
        self.covered = self.first + len(values)
        seen = float(self.grid.seconds(self.covered))
        window = VideoFeatures(values, self.grid.from_snippet(self.first), seen, self.detector.source)
        self.detector.check(window, "the stream")
        self.settler.add(*self.detector.candidates(window), seen)

    def _actions(self, picked: Suppressed, now: float) -> list[Settled]:
        bounds = picked.segments.clip(0, now)
        return [
            Settled(Action(float(start), float(end), self.detector.classes[label], float(score)), float(now - end))
            for (start, end), label, score in zip(bounds, picked.labels, picked.scores, strict=True)
            if end > start
        ]


@dataclass
class Watch:
    """A source that is watched for actions, from any frame on.

    `weights` are the files of a published backbone's, by whose features a detector knows videos. `seconds` of video
    were seen since its first frame, gaps included. `tell` is given a sentence where the source
    is gone or is back.
    """

    detector: Detector
    address: str
    score: float = 0.3
    latency: float | None = None
    reconnect: int = 0
    weights: Sequence[Path] = ()
    device: str = "cpu"
    tell: Callable[[str], object] = print
    seconds: float = 0.0
    late: int = 0
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def actions(self) -> Iterator[Found]:
        """The actions as they are settled, in seconds from the first frame.

        A network source that breaks off (or ends, unless by HTTP, which says when all was sent) is opened again, at
        most `reconnect` times in a row. What was before the gap is settled by itself, and time goes on by the
        source's own clock where that agrees with the wall's, else by the wall's. Raises BadInput for a detector
        that cannot follow a stream, a source that cannot be read, and one that breaks off for good.
        """
        Stretch(self.detector, self.score, self.latency)  # whether it can be, before anything is opened
        extractor = extractor_of(replace(config_of(self.detector.source, self.weights), device=self.device))
        before, tries = None, 0
        while True:
            connection = Connection(self.address, extractor.pictures(), extractor.arriving)
            fault = None
            try:
                with _one_stripe():
                    yield from self._watched(connection, extractor, before)
            except BadInput as error:
                fault = error
            if connection.ended:
                before, tries = connection, 0
            if not self._is_lost(fault) or tries == self.reconnect:
                break
            tries += 1
            reason = fault or f"{self.address}: has ended"
            self.tell(f"{reason} (at {self.seconds:.1f} s); try {tries} of {self.reconnect}")
            time.sleep(min(tries - 1, _LONGEST_PAUSE))
        if fault:
            raise fault

    def _is_lost(self, fault: BadInput | None) -> bool:
        """Whether a source is gone that may come back."""
        return kind_of(self.address) == "network" and (fault is not None or not self.address.startswith("http"))

    def _watched(self, connection: Connection, extractor: Extractor, before: Connection | None) -> Iterator[Found]:
        """The actions of one stretch; a fault is raised after all that was found before it."""
        stretch, fault = Stretch(self.detector, self.score, self.latency), None
        start, late, at = self.seconds, self.late, connection.at

        def found(several: list[Settled]) -> Iterator[Found]:
            self.seconds, self.late = start + stretch.seconds, late + stretch.late
            for action, latency in several:
                moved = replace(action, start=action.start + start, end=action.end + start)
                yield Found(moved, latency, time.monotonic() - at)

        def batches() -> Iterator[list[Any]]:
            nonlocal at
            # A second's worth of snippets.
            for several, at in connection.batches(max(1, round(1 / self.detector.source.grid.step))):  # noqa: B007
                yield several

        try:
            for values in extractor.vectors(batches()):
                if before and not stretch.seconds:
                    start += self._gap(before, connection)
                yield from found(stretch.add(values))
        except BadInput as error:
            fault = error
        if stretch.seconds:
            yield from found(stretch.finish(connection.duration))
        if fault:
            raise fault

    def _gap(self, before: Connection, after: Connection) -> float:
        """Seconds between two connections, which are noted and told."""
        clock = after.begun - before.at
        own = after.origin - before.origin - before.ended
        gap = own if own >= 0 and abs(own - clock) <= _AGREE else clock
        self.gaps.append((self.seconds, self.seconds + gap))
        self.tell(f"{self.address}: is back; nothing was seen from {self.seconds:.1f} to {self.seconds + gap:.1f} s")
        return gap


@contextmanager
def _one_stripe() -> Iterator[None]:
    """Flow as extraction computes it: it is computed in one stripe a thread, and the stripes show."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
