"""Tunes the suppression of a trained detector: the network runs once a video, then settings are tried."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from untrimmed.annotations.corpus import Corpus, DataConfig, find_shared_videos, open_corpus, open_dataset
from untrimmed.annotations.label_names import describe_loose_labels, match_labels
from untrimmed.annotations.subsets import match_subsets
from untrimmed.detection.calibration import calibrate as calibrate_scores
from untrimmed.detection.card import (
    CalibrationFit,
    Card,
    Threshold,
    Tuning,
    count_videos,
    hash_ground_truth,
    select_figures,
)
from untrimmed.detection.detector import Detector, digest_detector
from untrimmed.detection.limits import NAMED, describe_cuts, describe_limit
from untrimmed.detection.recordings import cut_ground_truth, list_recordings
from untrimmed.detection.starvation import Outcome, count_by_video, describe_starvation, make_room
from untrimmed.evaluation.detection import DetectionScores, compute_detection_scores
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.operating_points import find_operating_points
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS, DetectionProtocol
from untrimmed.features.video_features import VideoFeatures, digest_features
from untrimmed.features.work_log import WorkLog, hold_path
from untrimmed.io import BadInput, Progress, track
from untrimmed.models.suppression import SuppressConfig, suppress
from untrimmed.timeline import Action, Timeline

logger = logging.getLogger(__name__)

ROUNDS = 3
"""Passes over the settings, unless one changes nothing."""
HELD = 2**29
"""Bytes of candidates that are held in memory; the rest goes to a temporary folder."""
TIOU = 0.5
"""tIoU at which the score threshold is chosen."""
# Each setting with those that mean nothing without it, in the order of the papers. Limits are not tried: they cost
# detections, never precision.
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
}


class Trial(NamedTuple):
    """One suppression that was tried, and its average mAP."""

    settings: Mapping[str, Any]
    average_map: float
    kept: bool
    """Whether it was better than all before."""
    change: str
    """The setting that was changed, in words."""
    refusal: str = ""
    """Which class it starves, for which it is not picked however good; empty where none."""


class Measured(NamedTuple):
    """How good a suppression is, and which class it starves; empty where none."""

    average_map: float
    refusal: str = ""


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

    @property
    def calibration(self) -> CalibrationFit | None:
        """What scores were calibrated on; None where they were not to be."""
        return self.detector.card.calibration if self.detector.card else None

    def to_json(self) -> dict[str, Any]:
        """Convert everything to plain values for JSON."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "settings": msgspec.to_builtins(self.detector.recipe.suppress),
            "threshold": msgspec.to_builtins(self.threshold),
            "calibration": msgspec.to_builtins(self.calibration),
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
        self.durations: dict[str, float] = {}
        """Seconds of each video."""
        self.cut: dict[str, dict[str, int]] = {}
        """By video and label, what the limits left out at the last suppression."""
        self.labels, self._places = tuple(classes[label] for label in order), np.argsort(order)

    def add(
        self,
        video: str,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        duration: float,
    ) -> None:
        """Add the candidates of one video of `duration` seconds."""
        self.durations[video] = duration
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
        self.cut = {}
        columns = [self._suppress_video(number, video, config) for number, video in enumerate(self._arrays)]
        video, label, start, end, score = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        return Instances(tuple(self._arrays), self.labels, video, label, start, end, score)

    def _suppress_video(self, number: int, video: str, config: SuppressConfig) -> tuple[np.ndarray, ...]:
        segments, scores = self._read(video)
        survivors = suppress(segments[:-1], scores.astype(np.float64), config, seconds=self.durations[video])
        if survivors.cut.any():
            labels = np.flatnonzero(survivors.cut)
            self.cut[video] = {self.labels[self._places[label]]: int(survivors.cut[label]) for label in labels}
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


class _Judge:
    """Measures suppressions on the candidates of videos, beside one whose limits have room for all their actions."""

    def __init__(
        self, candidates: CandidateStore, ground_truth: Instances, protocol: DetectionProtocol, config: SuppressConfig
    ) -> None:
        self._candidates, self._ground_truth, self._protocol = candidates, ground_truth, protocol
        self.roomy = make_room(config, ground_truth, [candidates.durations[video] for video in ground_truth.videos])
        self._roomy_outcome = self._suppress(self.roomy)

    def measure(self, config: SuppressConfig) -> Measured:
        """Measure a suppression."""
        outcome = self._suppress(config)
        refusal = describe_starvation(self._ground_truth, outcome, self._roomy_outcome)
        return Measured(outcome.scores.average_map, refusal)

    def _suppress(self, config: SuppressConfig) -> Outcome:
        results = self._candidates.suppress(config)
        scores = compute_detection_scores(self._ground_truth, results, self._protocol)
        return Outcome(scores, count_by_video(results, self._ground_truth))


class _Workplace:
    """Where a tuning keeps what it is at: a temporary folder, or one in which it stays for another call."""

    def __init__(self, folder: Path, detector: str) -> None:
        self.folder, self._detector = folder, detector
        self._features: list[str] = []
        self._noted = False

    @contextmanager
    def hold_candidates(self, name: str, features: VideoFeatures, least: float) -> Iterator[WorkLog | None]:
        """Open what is kept of the candidates of a recording that reach `least`; None in a temporary folder."""
        if not self._detector:
            yield None
            return
        self._features.append(digest_features(features))
        key = {"detector": self._detector, "video": name, "features": self._features[-1], "floor": least}
        with WorkLog(self.folder / f"candidates{len(self._features)}", key) as log:
            self._note(log)
            yield log

    @contextmanager
    def hold_measures(
        self, annotations: str, measure: Callable[[SuppressConfig], Measured]
    ) -> Iterator[Callable[[SuppressConfig], Measured]]:
        """Yield `measure` as it is, or so that it is asked only once about a suppression, by all calls together."""
        if not self._detector:
            yield measure
            return
        key = {"detector": self._detector, "features": self._features, "annotations": annotations}
        with WorkLog(self.folder / "trials", key) as log:
            self._note(log)
            measures = dict(msgspec.json.decode(record, type=tuple[SuppressConfig, Measured]) for record in log)

            def recall(config: SuppressConfig) -> Measured:
                if config not in measures:
                    measures[config] = measure(config)
                    log.append(msgspec.json.encode((config, measures[config])))
                return measures[config]

            yield recall

    def _note(self, log: WorkLog) -> None:
        """Say, once, that something goes on or begins anew."""
        if (log or log.difference) and not self._noted:
            anew = f"what is done of it there cannot be used, as {log.difference}; it begins anew"
            outcome = anew if log.difference else "it goes on with what is done of it there"
            logger.info("%s: tuning was interrupted, and %s", self.folder, outcome)
            self._noted = True


@contextmanager
def _open_workplace(unfinished: Path | None, detector: Detector) -> Iterator[_Workplace]:
    if unfinished is None:
        with tempfile.TemporaryDirectory() as folder:
            yield _Workplace(Path(folder), "")
        return
    with hold_path(unfinished, f"{unfinished}: another process tunes there just now; wait until it ends"):
        try:
            yield _Workplace(unfinished, digest_detector(detector))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped, and {unfinished} holds what is done") from None


def tune(
    detector: Detector,
    data: DataConfig,
    subset: Sequence[str] = (),
    *,
    calibrate: bool = True,
    action_share: float | None = None,
    unfinished: Path | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Try suppressions on the videos of some splits, those that `data` tests on where none is named.

    One setting after another takes the best of its values, by the average mAP of the data set's protocol, until
    none is better. None is picked that starves a class, see `describe_starvation`; where the limits of the detector
    itself do, they are raised. Then scores are calibrated on what the best leaves, for a use of which an
    `action_share` of the time is action (None: that for which the detector's are, or as in these videos), unless not
    to `calibrate`. In the folder `unfinished` candidates and trials are kept, so that an interrupted tuning goes on;
    whoever has written the detector removes it. Raises BadInput where data cannot be used or lack all its classes.
    """
    splits = tuple(subset) or data.test
    if subset:
        open_dataset(data).split(*subset)  # an unknown name is none of a setting
    corpus = open_corpus(replace(data, train=splits, test=()))
    ground_truth = from_timelines(cut_ground_truth(corpus, list_recordings(corpus)))
    labels = match_labels(ground_truth.labels, detector.classes)
    if not labels:
        raise BadInput(
            f"{data.annotations}: has none of the detector's classes, such as {detector.classes[0]!r}, but "
            f"{ground_truth.labels[0]!r}; name the labels alike"
        )
    ground_truth = ground_truth.rename({}, labels)
    protocol = DETECTION_PROTOCOLS[corpus.dataset.protocol]
    config = detector.recipe.suppress
    with _open_workplace(unfinished, detector) as place:
        candidates = _gather_candidates(detector, corpus, place, progress)
        judge = _Judge(candidates, ground_truth, protocol, config)
        with place.hold_measures(hash_ground_truth(corpus.dataset, corpus.train), judge.measure) as measure:
            trials = tuple(track(search_settings(config, measure, judge.roomy), "trying settings", progress))
        best = replace(config, **[trial for trial in trials if trial.kept][-1].settings)
        results = candidates.suppress(best)
        notes = [*_describe_caveats(detector, corpus, splits), *describe_refusals(trials)]
        notes += _describe_limit(best, results, candidates)
        notes += filter(None, [describe_loose_labels(labels)])
        before = compute_detection_scores(ground_truth, candidates.suppress(config), protocol)
    after = compute_detection_scores(ground_truth, results, protocol)
    tuning = Tuning(
        on=count_videos(corpus.dataset, splits, corpus.train),
        annotations=hash_ground_truth(corpus.dataset, corpus.train),
        before=select_figures(before),
        after=select_figures(after),
        threshold=_find_threshold(ground_truth, results),
        notes=tuple(notes),
    )
    card = replace(detector.card or Card(), tuning=tuning, calibration=None)
    tuned = replace(detector, recipe=replace(detector.recipe, suppress=best), card=card, calibration=None)
    if calibrate:
        tuned, fit = _calibrate(tuned, tuning, ground_truth, results, action_share or _find_share(detector))
        notes += fit.notes
    return Tuned(tuned, before, after, trials, tuple(notes))


def _gather_candidates(
    detector: Detector, corpus: Corpus, place: _Workplace, progress: Progress | None
) -> CandidateStore:
    """Gather the candidates of all recordings of a corpus that some suppression may keep."""
    least = min(detector.recipe.suppress.floor, *(values["floor"] for values in TRIED["floor"]))
    candidates, recordings = CandidateStore(place.folder, detector.classes, least), list_recordings(corpus)
    for name in track(recordings, "detecting", progress, len(recordings)):
        video, recording = recordings[name]
        features = recording.cut(corpus.features[video])
        detector.check(features, video)
        with place.hold_candidates(name, features, least) as log:
            candidates.add(name, *detector.candidates(features, least, log, progress), features.duration)
    return candidates


def search_settings(
    config: SuppressConfig, measure: Callable[[SuppressConfig], Measured], roomy: SuppressConfig
) -> Iterator[Trial]:
    """Try suppressions one setting after another, from `config` on; the last trial that is `kept` is the best.

    One that starves a class is never kept. Where `config` does, the search begins with `roomy`, which has its limits
    raised.
    """
    best, (highest, refusal) = config, measure(config)
    tried_configs = {config}
    yield Trial(msgspec.to_builtins(config), highest, not refusal, "as it was", refusal)
    if refusal:
        best, (highest, _) = roomy, measure(roomy)
        tried_configs.add(roomy)
        yield Trial(msgspec.to_builtins(roomy), highest, True, f"{describe_limit(roomy).rstrip(',')}")
    for _ in range(ROUNDS):
        start = best
        for options in TRIED.values():
            for option in options:
                tried = replace(best, **option)
                if tried in tried_configs:
                    continue
                tried_configs.add(tried)
                average, refusal = measure(tried)
                better = average > highest and not refusal
                words = ", ".join(f"{key} {value}" for key, value in option.items())
                yield Trial(msgspec.to_builtins(tried), average, better, words, refusal)
                if better:
                    best, highest = tried, average
        if best == start:
            return


def _find_threshold(ground_truth: Instances, results: Instances) -> Threshold | None:
    """Find the score of the best F1; None where no detection is a hit."""
    point = find_operating_points(ground_truth, results, TIOU).pooled.find_best()
    return Threshold(point.score, TIOU, point.precision, point.recall, point.f1) if point else None


def _find_share(detector: Detector) -> float | None:
    """Find the share of action for which the scores of a detector are calibrated, where it is another than judged."""
    return detector.card.calibration.action_share if detector.card and detector.card.calibration else None


def _calibrate(
    detector: Detector, tuning: Tuning, ground_truth: Instances, results: Instances, action_share: float | None
) -> tuple[Detector, CalibrationFit]:
    """Calibrate a tuned detector, and its threshold with it."""
    score_map, fit = calibrate_scores(
        ground_truth, results, detector.classes, tuning.on, tuning.annotations, action_share
    )
    if score_map and (threshold := tuning.threshold):
        calibrated = float(score_map.apply(np.array([threshold.score]))[0])
        tuning = replace(tuning, threshold=replace(threshold, score=calibrated, raw_score=threshold.score))
    card = replace(detector.card or Card(), tuning=tuning, calibration=fit)
    return replace(detector, card=card, calibration=score_map), fit


def _describe_limit(config: SuppressConfig, results: Instances, candidates: CandidateStore) -> tuple[str, ...]:
    """Say what the limits leave out of the results, which are those of the last suppression."""
    timelines = {}
    for number, (video, duration) in enumerate(candidates.durations.items()):
        rows = np.flatnonzero(results.video == number) if video in candidates.cut else ()
        columns = (results.start, results.end, results.label, results.score)
        numbers = ([float(column[row]) for column in columns] for row in rows)
        actions = (Action(start, end, results.labels[int(label)], score) for start, end, label, score in numbers)
        timelines[video] = Timeline(duration, tuple(actions), cut=candidates.cut.get(video, {}))
    return describe_cuts(timelines, config)


def describe_refusals(trials: Sequence[Trial]) -> list[str]:
    """Say how many trials were refused because they starve a class, and what the best of them would have left."""
    refused = sorted((trial for trial in trials if trial.refusal), key=lambda trial: -trial.average_map)
    if not refused:
        return []
    best = max(trial.average_map for trial in trials if trial.kept)
    better = sum(trial.average_map > best for trial in refused)
    reasons = list(dict.fromkeys(f"{trial.change} leaves {trial.refusal}" for trial in refused))
    more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    verb = "starves a class and is" if len(refused) == 1 else "starve a class and are"
    though = f", {better} of them though they have a higher mAP" if better else ""
    return [f"{len(refused)} of {len(trials)} trials {verb} not picked{though}: {'; '.join(reasons[:NAMED])}{more}"]


def _describe_caveats(detector: Detector, corpus: Corpus, splits: Sequence[str]) -> tuple[str, ...]:
    """Say which of these videos the detector was trained on, or is tested on."""
    learned = match_subsets(detector.recipe.data.train, corpus.dataset.splits).values()
    learned_spans = corpus.dataset.find_spans(*learned)
    trained_on = find_shared_videos(corpus.train, corpus.dataset.split(*learned), corpus.train_spans, learned_spans)
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
