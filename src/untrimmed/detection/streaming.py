"""Detection in a video that keeps arriving: each action is emitted once, when no window to come changes it."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.detection.detector import Detector
from untrimmed.detection.limits import describe_stream_limit
from untrimmed.detection.stream_suppression import StreamSuppression
from untrimmed.extraction.extractors import Extractor, create_extractor
from untrimmed.extraction.settings import restore_config
from untrimmed.features.video_features import VideoFeatures
from untrimmed.features.windows import window_starts
from untrimmed.io import BadInput
from untrimmed.models.suppression import Suppressed
from untrimmed.timeline import Action
from untrimmed.video.live import Connection, classify_address
from untrimmed.video.sampling import PictureConverter
from untrimmed.video.threads import ONE_CV2_THREAD

WINDOWS = 2.0
"""The default latency, in lengths of a window."""
# Candidates of a window may begin before it, because what lies at its start is seen in part: by this share of it.
_REACH = 1 / 8
# Seconds by which a source's own clock and the wall's may disagree on how long a source was away.
_AGREE = 10.0
# Seconds from one try to reach a source to the next.
_LONGEST_PAUSE = 10


class StreamedAction(NamedTuple):
    """An action that will not change."""

    action: Action
    latency: float
    """Seconds of video from its end until it was emitted."""
    lag: float = 0.0
    """Seconds on the clock from the last frame that was needed until it was emitted."""


class Stretch:
    """Detects actions in one stretch of video while its features arrive.

    Every window of `Detector.detect` is run as soon as it is whole, the last one when the stretch is over. Emitted
    are the actions that `detect` finds with `score` or more, in any minute at most as many as it keeps of a minute of
    video, each at the latest `latency` seconds after its end (see StreamSuppression, which says how nearly).
    Candidates are expected to begin at most an eighth of a window before their window. In memory are the features of
    one window and the candidates of some, whatever the length.

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
        self.stride = window_starts(self.length + 1, self.length, config.test_overlap).step
        window = self.length * self.grid.step
        latency = WINDOWS * window if latency is None else latency
        # Candidates are suppressed by raw scores; what is asked for is the score that is emitted.
        least = detector.calibration.invert(score) if detector.calibration else score
        self.suppression = StreamSuppression(
            detector.recipe.suppress, len(detector.classes), least, latency, memory=window
        )
        self.values = np.zeros((0, detector.channels), np.float32)
        self.first = 0
        """The snippet at which the next window, and `values`, begin."""
        self.covered = 0
        """The snippets that windows have covered."""
        self.seconds = 0.0
        """The length of the video until now."""

    @property
    def late(self) -> int:
        """The number of candidates that score higher than an action which was emitted before they arrived."""
        return self.suppression.late

    @property
    def cut(self) -> Counter[str]:
        """By label, the number of actions that were left out, because a minute had too many."""
        counts = self.suppression.cut
        return Counter({self.detector.classes[label]: int(counts[label]) for label in np.flatnonzero(counts)})

    def add(self, values: Float[np.ndarray, "time channels"]) -> list[StreamedAction]:
        """Add the next snippets; the actions that are emitted by them, by start."""
        self.values = np.concatenate([self.values, np.asarray(values, np.float32)])
        while len(self.values) >= self.length:
            self._run(self.values[: self.length])
            self.values, self.first = self.values[self.stride :], self.first + self.stride
        self.seconds = float(self.grid.seconds(self.first + len(self.values)))
        future = float(self.grid.seconds(self.first - _REACH * self.length))
        return self._collect(self.suppression.emit(self.seconds, future), self.seconds)

    def finish(self, duration: float) -> list[StreamedAction]:
        """End the stretch, which lasts `duration` seconds; the actions that were still pending."""
        if self.first + len(self.values) > self.covered:
            self._run(self.values)
        # A file may state a longer duration than its frames have.
        self.seconds = min(duration, float(self.grid.seconds(self.first + len(self.values) + 0.5)))
        return self._collect(self.suppression.emit(math.inf, math.inf), self.seconds)

    def _run(self, values: Float[np.ndarray, "time channels"]) -> None:
        self.covered = self.first + len(values)
        end = float(self.grid.seconds(self.covered))
        window = VideoFeatures(values, self.grid.from_snippet(self.first), end, self.detector.source)
        self.detector.check(window, "the stream")
        self.suppression.add(*self.detector.candidates(window, self.detector.recipe.suppress.floor))

    def _collect(self, emitted: Suppressed, now: float) -> list[StreamedAction]:
        if self.detector.calibration:
            emitted = emitted._replace(scores=self.detector.calibration.apply(emitted.scores))
        bounds = emitted.segments.clip(0, now)
        return [
            StreamedAction(
                Action(float(start), float(end), self.detector.classes[label], float(score)), float(now - end)
            )
            for (start, end), label, score in zip(bounds, emitted.labels, emitted.scores, strict=True)
            if end > start
        ]


@dataclass
class Watch:
    """Watches a source for actions, from any frame on.

    `weights` are the files of a published backbone, by which frames become features. `seconds` is the length of the
    video since its first frame, gaps included. `tell` is called with a sentence where the source is gone or is back.
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
    cut: Counter[str] = field(default_factory=Counter)
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def actions(self) -> Iterator[StreamedAction]:
        """Emit actions as they become certain, in seconds from the first frame.

        A network source that breaks off (or ends, unless by HTTP, which says when all was sent) is opened again, at
        most `reconnect` times in a row. What was before the gap is detected by itself, and time goes on by the
        source's own clock where that agrees with the wall's, else by the wall's. Raises BadInput for a detector
        that cannot follow a stream, a source that cannot be read, and one that breaks off for good.
        """
        Stretch(
            self.detector, self.score, self.latency
        )  # refuses a detector of whole videos before anything is opened
        extractor = create_extractor(replace(restore_config(self.detector.source, self.weights), device=self.device))
        previous, tries = None, 0
        while True:
            connection = Connection(self.address, PictureConverter(extractor.size), extractor.sample_snippets)
            fault = None
            try:
                with ONE_CV2_THREAD:  # as extraction computes flow
                    yield from self._watch_once(connection, extractor, previous)
            except BadInput as error:
                fault = error
            if connection.end:
                previous, tries = connection, 0
            # By HTTP, a source that ends has sent everything; other network sources may come back.
            breaks = classify_address(self.address) == "network" and (fault or not self.address.startswith("http"))
            if not breaks or tries == self.reconnect:
                break
            tries += 1
            reason = fault or f"{self.address}: has ended"
            self.tell(f"{reason} (at {self.seconds:.1f} s); try {tries} of {self.reconnect}")
            time.sleep(min(tries - 1, _LONGEST_PAUSE))
        if fault:
            raise fault

    def _watch_once(
        self, connection: Connection, extractor: Extractor, previous: Connection | None
    ) -> Iterator[StreamedAction]:
        """Emit the actions of one connection; a fault is raised after all that was detected before it."""
        stretch, fault = Stretch(self.detector, self.score, self.latency), None
        start, late, cut, at = self.seconds, self.late, self.cut, connection.received_at

        def shift(actions: list[StreamedAction]) -> Iterator[StreamedAction]:
            self.seconds, self.late = start + stretch.seconds, late + stretch.late
            self._count_cuts(cut + stretch.cut)
            for action, latency, _ in actions:
                shifted = replace(action, start=action.start + start, end=action.end + start)
                yield StreamedAction(shifted, latency, time.monotonic() - at)

        def batches() -> Iterator[list[Any]]:
            nonlocal at
            # A second's worth of snippets.
            for batch, at in connection.batches(max(1, round(1 / self.detector.source.grid.step))):  # noqa: B007
                yield batch

        try:
            for values in extractor.compute_features(batches()):
                if previous and not stretch.seconds:
                    start += self._gap(previous, connection)
                yield from shift(stretch.add(values))
        except BadInput as error:
            fault = error
        if stretch.seconds:
            yield from shift(stretch.finish(connection.duration))
        if fault:
            raise fault

    def _count_cuts(self, cut: Counter[str]) -> None:
        """Take over how many actions were left out, and say of which labels for the first time."""
        if labels := sorted(cut.keys() - self.cut.keys()):
            limit = describe_stream_limit(self.detector.recipe.suppress)
            words = ", ".join(map(repr, labels))
            self.tell(f"{limit}, and of {words} there are more (at {self.seconds:.1f} s); they are left out")
        self.cut = cut

    def _gap(self, previous: Connection, connection: Connection) -> float:
        """Measure and note the seconds between two connections."""
        clock = connection.started_at - previous.received_at
        stated = connection.origin - previous.origin - previous.end
        gap = stated if stated >= 0 and abs(stated - clock) <= _AGREE else clock
        self.gaps.append((self.seconds, self.seconds + gap))
        self.tell(f"{self.address}: is back; nothing was seen from {self.seconds:.1f} to {self.seconds + gap:.1f} s")
        return gap
