"""Finds the suppression that suits a trained detector: the network runs once a video, then settings are tried."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from untrimmed.annotations.corpus import Corpus, DataConfig, open_corpus
from untrimmed.detection.card import Card, Threshold, Tuning, figures, part, truth_hash
from untrimmed.detection.detector import Detector
from untrimmed.evaluation.detection import DetectionScores, detection_map
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.operating_points import operating
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.io import BadInput, Progress, track
from untrimmed.models.suppression import SuppressConfig, suppress

ROUNDS = 3
"""Passes over the settings, unless one changes nothing."""
HELD = 2**29
"""Bytes of candidates that are kept in memory; what is more goes to a temporary folder."""
TIOU = 0.5
"""Of the score threshold."""
# Every setting with its neighbours that mean nothing without it; what is tried stands in the order of the papers.
TRIED: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "method": (
        *({"method": "gaussian", "sigma": s, "tiou": 0.0} for s in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)),
        *({"method": "hard", "tiou": t} for t in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
        *({"method": "linear", "tiou": t} for t in (0.0, 0.3, 0.5)),
    ),
    "per_class": ({"per_class": True}, {"per_class": False}),
    "nms": tuple({"nms": t} for t in (None, 0.7, 0.8, 0.9)),
    "vote": tuple({"vote": t} for t in (None, 0.5, 0.6, 0.7, 0.8, 0.9)),
    "floor": tuple({"floor": f, "end_floor": f} for f in (0.0001, 0.001, 0.005, 0.01)),
    "keep": tuple({"keep": k} for k in (100, 200, 500, 1000)),
}


class Trial(NamedTuple):
    """Settings that were tried, and what they reached."""

    settings: Mapping[str, Any]
    average_map: float
    kept: bool
    """Whether they were better than all before."""
    change: str
    """What was changed, in words."""


@dataclass(frozen=True)
class Tuned:
    """The detector with what was found in its recipe and on its card, and how it was found."""

    detector: Detector
    before: DetectionScores
    after: DetectionScores
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]

    @property
    def threshold(self) -> Threshold | None:
        """From which score on F1 is best."""
        card = self.detector.card
        return card.tuning.threshold if card and card.tuning else None

    def to_json(self) -> dict[str, Any]:
        """Everything, for `write_json`."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "settings": msgspec.to_builtins(self.detector.recipe.suppress),
            "threshold": msgspec.to_builtins(self.threshold),
            "trials": [trial._asdict() for trial in self.trials],
            "notes": list(self.notes),
        }


class Candidates:
    """The candidates of videos before suppression; in memory, or in files of a folder once they are too many."""

    def __init__(self, folder: Path, classes: tuple[str, ...], least: float) -> None:
        """Segments none of whose scores reaches `least` are not kept."""
        self._folder, self._least, self._room = folder, least, HELD
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray] | Path] = {}
        order = sorted(range(len(classes)), key=lambda label: classes[label])
        self.labels, self._places = tuple(classes[label] for label in order), np.argsort(order)

    def add(
        self,
        video: str,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        duration: float,
    ) -> None:
        """Keep those of one video of so many seconds."""
        chosen = (scores >= self._least).any(1)
        # The network speaks in single precision, so nothing is lost.
        arrays = np.vstack([segments[chosen], [[0.0, duration]]]), scores[chosen].astype(np.float32)
        size = sum(array.nbytes for array in arrays)
        if size <= self._room:
            self._room -= size
            self._arrays[video] = arrays
            return
        path = self._folder / f"{len(self._arrays)}.npz"
        np.savez(path, *arrays)
        self._arrays[video] = path

    def suppressed(self, config: SuppressConfig) -> Instances:
        """What a suppression leaves of all videos, as their timelines would have it."""
        columns = [self._left(number, video, config) for number, video in enumerate(self._arrays)]
        video, label, start, end, score = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        return Instances(tuple(self._arrays), self.labels, video, label, start, end, score)

    def _left(self, number: int, video: str, config: SuppressConfig) -> tuple[np.ndarray, ...]:
        segments, scores = self._read(video)
        kept = suppress(segments[:-1], scores.astype(np.float64), config)
        start, end = kept.segments.clip(0, segments[-1, 1]).T
        label = self._places[kept.labels]
        # In the order of a timeline: it decides between equal scores.
        order = np.lexsort((kept.scores, label, end, start))
        order = order[end[order] > start[order]]
        return np.full(len(order), number), label[order], start[order], end[order], kept.scores[order]

    def _read(self, video: str) -> tuple[np.ndarray, np.ndarray]:
        found = self._arrays[video]
        if isinstance(found, Path):
            with np.load(found) as file:
                return file["arr_0"], file["arr_1"]
        return found


def tune(
    detector: Detector, data: DataConfig, subset: Sequence[str] = (), *, progress: Progress | None = None
) -> Tuned:
    """Try suppressions on the videos of some splits, those that `data` tests on where none is named.

    One setting after another takes the best of its values, by the average mAP of the data set's protocol, until
    none is better. Raises BadInput where data cannot be used or have classes that the detector does not know.
    """
    splits = tuple(subset) or data.test
    corpus = open_corpus(replace(data, train=splits, test=()))
    truth = from_timelines({video: corpus.dataset.ground_truth[video] for video in corpus.train})
    if not set(truth.labels) & set(detector.classes):
        raise BadInput(f"{data.annotations}: has none of the detector's classes, such as {detector.classes[0]!r}")
    protocol = DETECTION_PROTOCOLS[corpus.dataset.protocol]
    config = detector.recipe.suppress
    least = min(config.floor, *(values["floor"] for values in TRIED["floor"]))
    with tempfile.TemporaryDirectory() as folder:
        candidates = Candidates(Path(folder), detector.classes, least)
        for video in track(corpus.train, "detecting", progress, len(corpus.train)):
            features = corpus.features[video]
            detector.check(features, video)
            candidates.add(video, *detector.candidates(features), features.duration)

        def reached(settings: SuppressConfig) -> float:
            return detection_map(truth, candidates.suppressed(settings), protocol).average_map

        trials = tuple(track(search(config, reached), "trying settings", progress))
        best = replace(config, **[trial for trial in trials if trial.kept][-1].settings)
        results = candidates.suppressed(best)
        before = detection_map(truth, candidates.suppressed(config), protocol)
    after = detection_map(truth, results, protocol)
    notes = _notes(detector, corpus, splits)
    tuning = Tuning(
        on=part(corpus.dataset, splits, corpus.train),
        annotations=truth_hash(corpus.dataset, corpus.train),
        before=figures(before),
        after=figures(after),
        threshold=_threshold(truth, results),
        notes=notes,
    )
    card = replace(detector.card or Card(), tuning=tuning)
    tuned = replace(detector, recipe=replace(detector.recipe, suppress=best), card=card)
    return Tuned(tuned, before, after, trials, notes)


def search(config: SuppressConfig, reached: Callable[[SuppressConfig], float]) -> Iterator[Trial]:
    """Every suppression that is tried, the given one first; the last that was kept is the best."""
    best, highest = config, reached(config)
    seen = {config}
    yield Trial(_plain(config), highest, True, "as it was")
    for _ in range(ROUNDS):
        before = best
        for options in TRIED.values():
            for option in options:
                tried = replace(best, **option)
                if tried in seen:
                    continue
                seen.add(tried)
                value = reached(tried)
                better = value > highest
                words = ", ".join(f"{key} {given}" for key, given in option.items())
                yield Trial(_plain(tried), value, better, words)
                if better:
                    best, highest = tried, value
        if best == before:
            return


def _plain(config: SuppressConfig) -> dict[str, Any]:
    return msgspec.to_builtins(config)


def _threshold(truth: Instances, results: Instances) -> Threshold | None:
    point = operating(truth, results, TIOU).pooled.best
    return Threshold(point.score, TIOU, point.precision, point.recall, point.f1) if point else None


def _notes(detector: Detector, corpus: Corpus, splits: Sequence[str]) -> tuple[str, ...]:
    """What bears on the figures: which of these videos the detector knows, or is judged by."""
    learned = [name for name in detector.recipe.data.train if name in corpus.dataset.splits]
    seen = set(corpus.train) & set(corpus.dataset.split(*learned))
    notes = list(corpus.notes)
    if seen:
        notes.append(
            f"{len(seen)} of {len(corpus.train)} videos were trained on: what suits them need not suit others; "
            "tune on videos that the detector has not seen"
        )
    if shared := sorted(set(splits) & set(detector.recipe.data.test)):
        notes.append(
            f"settings are fitted to {'+'.join(shared)}, which the recipe tests on: its figures no longer say how "
            "good the detector is on new videos"
        )
    return tuple(notes)
