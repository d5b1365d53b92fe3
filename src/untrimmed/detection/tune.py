"""Tunes the suppression of a trained detector: the network runs once a video, then settings are tried."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from untrimmed.annotations.corpus import Corpus, DataConfig, open_corpus, open_dataset
from untrimmed.annotations.label_names import describe_loose_labels, match_labels
from untrimmed.annotations.subsets import match_subsets
from untrimmed.detection.card import Card, Threshold, Tuning, count_videos, hash_ground_truth, select_figures
from untrimmed.detection.detector import Detector
from untrimmed.evaluation.detection import DetectionScores, compute_detection_scores
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.operating_points import find_operating_points
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.io import BadInput, Progress, track
from untrimmed.models.suppression import SuppressConfig, suppress

ROUNDS = 3
"""Passes over the settings, unless one changes nothing."""
HELD = 2**29
"""Bytes of candidates that are held in memory; the rest goes to a temporary folder."""
TIOU = 0.5
"""tIoU at which the score threshold is chosen."""
# Each setting with those that mean nothing without it, in the order of the papers.
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
    """One suppression that was tried, and its average mAP."""

    settings: Mapping[str, Any]
    average_map: float
    kept: bool
    """Whether it was better than all before."""
    change: str
    """The setting that was changed, in words."""


@dataclass(frozen=True)
class Tuned:
    """The detector with tuned suppression in its recipe and on its card, and the trials that led there."""

    detector: Detector
    before: DetectionScores
    after: DetectionScores
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]

    @property
    def threshold(self) -> Threshold | None:
        """The score threshold of the best F1."""
        card = self.detector.card
        return card.tuning.threshold if card and card.tuning else None

    def to_json(self) -> dict[str, Any]:
        """Convert everything to plain values for JSON."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "settings": msgspec.to_builtins(self.detector.recipe.suppress),
            "threshold": msgspec.to_builtins(self.threshold),
            "trials": [trial._asdict() for trial in self.trials],
            "notes": list(self.notes),
        }


class CandidateStore:
    """Candidates of several videos before suppression, in memory or, beyond `HELD` bytes, in files of a folder."""

    def __init__(self, folder: Path, classes: tuple[str, ...], least: float) -> None:
        """Drop segments of which no score reaches `least`."""
        self._folder, self._least, self._room = folder, least, HELD
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray] | Path] = {}
        order = sorted(range(len(classes)), key=lambda label: classes[label])
        self.cut = 0
        """Videos of which `keep` left something out, at the last suppression."""
        self.labels, self._places = tuple(classes[label] for label in order), np.argsort(order)

    def add(
        self,
        video: str,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        duration: float,
    ) -> None:
        """Add the candidates of one video of `duration` seconds."""
        reaching = (scores >= self._least).any(1)
        # The network computes in single precision, so nothing is lost.
        arrays = np.vstack([segments[reaching], [[0.0, duration]]]), scores[reaching].astype(np.float32)
        size = sum(array.nbytes for array in arrays)
        if size <= self._room:
            self._room -= size
            self._arrays[video] = arrays
            return
        path = self._folder / f"{len(self._arrays)}.npz"
        np.savez(path, *arrays)
        self._arrays[video] = path

    def suppress(self, config: SuppressConfig) -> Instances:
        """Suppress the candidates of all videos; the detections, ordered as in timelines."""
        self.cut = 0
        columns = [self._suppress_video(number, video, config) for number, video in enumerate(self._arrays)]
        video, label, start, end, score = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        return Instances(tuple(self._arrays), self.labels, video, label, start, end, score)

    def _suppress_video(self, number: int, video: str, config: SuppressConfig) -> tuple[np.ndarray, ...]:
        segments, scores = self._read(video)
        survivors = suppress(segments[:-1], scores.astype(np.float64), config)
        self.cut += survivors.cut > 0
        start, end = survivors.segments.clip(0, segments[-1, 1]).T
        label = self._places[survivors.labels]
        # In the order of a timeline: it decides between equal scores.
        order = np.lexsort((survivors.scores, label, end, start))
        order = order[end[order] > start[order]]
        return np.full(len(order), number), label[order], start[order], end[order], survivors.scores[order]

    def _read(self, video: str) -> tuple[np.ndarray, np.ndarray]:
        arrays = self._arrays[video]
        if isinstance(arrays, Path):
            with np.load(arrays) as file:
                return file["arr_0"], file["arr_1"]
        return arrays


def tune(
    detector: Detector, data: DataConfig, subset: Sequence[str] = (), *, progress: Progress | None = None
) -> Tuned:
    """Try suppressions on the videos of some splits, those that `data` tests on where none is named.

    One setting after another takes the best of its values, by the average mAP of the data set's protocol, until
    none is better. Raises BadInput where data cannot be used or have classes that the detector does not know.
    """
    splits = tuple(subset) or data.test
    if subset:
        open_dataset(data).split(*subset)  # an unknown name is none of a setting
    corpus = open_corpus(replace(data, train=splits, test=()))
    ground_truth = from_timelines({video: corpus.dataset.ground_truth[video] for video in corpus.train})
    labels = match_labels(ground_truth.labels, detector.classes)
    if not labels:
        raise BadInput(
            f"{data.annotations}: has none of the detector's classes, such as {detector.classes[0]!r}, but "
            f"{ground_truth.labels[0]!r}; name the labels alike"
        )
    ground_truth = ground_truth.rename({}, labels)
    protocol = DETECTION_PROTOCOLS[corpus.dataset.protocol]
    config = detector.recipe.suppress
    least = min(config.floor, *(values["floor"] for values in TRIED["floor"]))
    with tempfile.TemporaryDirectory() as folder:
        candidates = CandidateStore(Path(folder), detector.classes, least)
        for video in track(corpus.train, "detecting", progress, len(corpus.train)):
            features = corpus.features[video]
            detector.check(features, video)
            candidates.add(video, *detector.candidates(features, least), features.duration)

        def measure(settings: SuppressConfig) -> float:
            return compute_detection_scores(ground_truth, candidates.suppress(settings), protocol).average_map

        trials = tuple(track(search_settings(config, measure), "trying settings", progress))
        best = replace(config, **[trial for trial in trials if trial.kept][-1].settings)
        results = candidates.suppress(best)
        notes = [*_describe_caveats(detector, corpus, splits), *_describe_limit(best.keep, candidates.cut, corpus)]
        notes += filter(None, [describe_loose_labels(labels)])
        before = compute_detection_scores(ground_truth, candidates.suppress(config), protocol)
    after = compute_detection_scores(ground_truth, results, protocol)
    point = find_operating_points(ground_truth, results, TIOU).pooled.find_best()
    tuning = Tuning(
        on=count_videos(corpus.dataset, splits, corpus.train),
        annotations=hash_ground_truth(corpus.dataset, corpus.train),
        before=select_figures(before),
        after=select_figures(after),
        threshold=Threshold(point.score, TIOU, point.precision, point.recall, point.f1) if point else None,
        notes=tuple(notes),
    )
    card = replace(detector.card or Card(), tuning=tuning)
    tuned = replace(detector, recipe=replace(detector.recipe, suppress=best), card=card)
    return Tuned(tuned, before, after, trials, tuple(notes))


def search_settings(config: SuppressConfig, measure: Callable[[SuppressConfig], float]) -> Iterator[Trial]:
    """Try suppressions one setting after another, from `config` on; the last trial that is `kept` is the best."""
    best, highest = config, measure(config)
    tried_configs = {config}
    yield Trial(msgspec.to_builtins(config), highest, True, "as it was")
    for _ in range(ROUNDS):
        start = best
        for options in TRIED.values():
            for option in options:
                tried = replace(best, **option)
                if tried in tried_configs:
                    continue
                tried_configs.add(tried)
                average = measure(tried)
                better = average > highest
                words = ", ".join(f"{key} {value}" for key, value in option.items())
                yield Trial(msgspec.to_builtins(tried), average, better, words)
                if better:
                    best, highest = tried, average
        if best == start:
            return


def _describe_limit(keep: int, cut: int, corpus: Corpus) -> list[str]:
    """Say in how many videos the limit `keep` leaves something out, and how many actions the densest has."""
    if not cut:
        return []
    densest = max(corpus.train, key=lambda video: len(corpus.dataset.ground_truth[video]))
    actions = len(corpus.dataset.ground_truth[densest])
    return [
        f"suppress.keep = {keep} leaves candidates out of {cut} of {len(corpus.train)} videos; "
        f"the most actions in one are {actions}, in {densest!r}"
    ]


def _describe_caveats(detector: Detector, corpus: Corpus, splits: Sequence[str]) -> tuple[str, ...]:
    """Say which of these videos the detector was trained on, or is tested on."""
    learned = match_subsets(detector.recipe.data.train, corpus.dataset.splits).values()
    trained_on = set(corpus.train) & set(corpus.dataset.split(*learned))
    notes = list(corpus.notes)
    if trained_on:
        notes.append(
            f"{len(trained_on)} of {len(corpus.train)} videos were trained on: what suits them need not suit others; "
            "tune on videos that the detector has not seen"
        )
    if shared := sorted(set(splits) & set(detector.recipe.data.test)):
        notes.append(
            f"settings are fitted to {'+'.join(shared)}, which the recipe tests on: its figures no longer say how "
            "good the detector is on new videos"
        )
    return tuple(notes)
