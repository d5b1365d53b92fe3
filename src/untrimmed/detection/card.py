"""The card of a detector: the data it was trained on, how it was tested, what was tuned and calibrated since."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from untrimmed.annotations.corpus import Corpus, DataConfig
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.spans import measure_spans
from untrimmed.evaluation.detection import DetectionScores


@dataclass(frozen=True)
class VideoCount:
    """How much video was used: its splits, number of videos, number of actions, hours."""

    splits: tuple[str, ...]
    videos: int
    actions: int
    hours: float


@dataclass(frozen=True)
class AlarmFigures:
    """False alarms of all classes together, at one tIoU."""

    tiou: float
    hours: float
    """Of the videos that were judged."""
    per_hour: dict[str, float | None]
    """False alarms per hour by recall; None where that is not reached."""
    recall: dict[str, float]
    """Recall by false alarms per hour."""


@dataclass(frozen=True)
class Figures:
    """Mean average precision by a protocol, in [0, 1]; and false alarms."""

    protocol: str
    tious: tuple[float, ...]
    map: tuple[float, ...]
    """One a threshold."""
    average_map: float
    false_alarms: AlarmFigures | None = None
    """None on cards of before these were measured."""


@dataclass(frozen=True)
class Training:
    """A training run: its data, and its figures on the test videos with the recipe's own suppression."""

    dataset: str
    annotations: str
    """The SHA-256 of what is annotated in the videos below, wherever the file lies and however it is written."""
    train: VideoCount
    test: VideoCount
    figures: Figures | None
    """None where the test videos hold no action."""
    notes: tuple[str, ...]
    """What was dropped from the data."""


@dataclass(frozen=True)
class Threshold:
    """The score from which detections give the best F1 over all classes, at one tIoU, and what they give then."""

    score: float
    tiou: float
    precision: float
    recall: float
    f1: float
    raw_score: float | None = None
    """The same before calibration; None where scores are not calibrated."""


@dataclass(frozen=True)
class CalibrationError:
    """How far scores are from the share of hits, over bins of equal width of the score."""

    expected: float
    """Mean over the detections of the gap of their bin."""
    largest: float | None
    """Of the bins of 30 detections or more; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class CalibrationFit:
    """What scores were calibrated on, and what it changed there."""

    on: VideoCount
    annotations: str
    """As of the training."""
    tiou: float
    """From which a detection is a hit."""
    detections: int
    hits: int
    action_share: float | None = None
    """Share of the time in use that is action, for which scores are meant; None is as in the videos."""
    judged_share: float | None = None
    """The same in the videos."""
    before: CalibrationError | None = None
    """None where scores could not be calibrated, for the reason in `notes`."""
    after: CalibrationError | None = None
    """On the videos of the fit, and so too good."""
    unseen: CalibrationError | None = None
    """Cross-validated: each part of the videos by a fit to the others; None where there is one part."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """Suppression that was fitted to some videos, on which figures are therefore biased."""

    on: VideoCount
    annotations: str
    """As of the training."""
    before: Figures
    after: Figures
    threshold: Threshold | None
    """None where no detection is a hit."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """What is known of a detector besides weights and recipe. It holds no date, so that a run repeats to the byte."""

    training: Training | None = None
    tuning: Tuning | None = None
    calibration: CalibrationFit | None = None
    """The last one: of training or, since then, of tuning."""


def build_card(config: DataConfig, corpus: Corpus, scores: DetectionScores | None, annotations: str) -> Card:
    """Build the card of a training run from its corpus and its scores on the test videos.

    `annotations` is the hash that the run remembers of what its weights learned from, see `hash_ground_truth`.
    """
    dataset = corpus.dataset
    training = Training(
        dataset=config.dataset,
        annotations=annotations,
        train=count_videos(dataset, config.train, corpus.train),
        test=count_videos(dataset, config.test, corpus.test),
        figures=select_figures(scores) if scores else None,
        notes=corpus.notes,
    )
    return Card(training)


def count_videos(dataset: Dataset, splits: Sequence[str], videos: Sequence[str]) -> VideoCount:
    """Count the actions and hours of some videos of these splits, of what is annotated of them."""
    timelines, spans = dataset.select(*splits), dataset.find_spans(*splits)
    seconds = (measure_spans(spans[video]) if video in spans else timelines[video].duration for video in videos)
    actions = sum(len(timelines[video].actions) for video in videos)
    return VideoCount(tuple(splits), len(videos), actions, sum(seconds) / 3600)


def select_figures(scores: DetectionScores) -> Figures:
    """Select the figures that a card keeps of some scores."""
    alarms = scores.false_alarms
    return Figures(
        scores.protocol,
        scores.tious,
        scores.map,
        scores.average_map,
        AlarmFigures(alarms.tiou, alarms.hours, alarms.pooled.list_rates(), alarms.pooled.list_recalls())
        if alarms
        else None,
    )


def hash_ground_truth(dataset: Dataset, videos: Sequence[str]) -> str:
    """Compute the SHA-256 of the annotations of some videos, in hexadecimal, in whatever order they come."""
    content = [
        [
            video,
            dataset.ground_truth[video].duration,
            [[a.start, a.end, a.label] for a in dataset.ground_truth[video].actions],
            *([dataset.annotated[video]] if video in dataset.annotated else []),
            *([sorted(dataset.parts[video].items())] if video in dataset.parts else []),
        ]
        for video in sorted(videos)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def card_to_json(card: Card) -> dict[str, Any]:
    """Convert a card to plain values for JSON; `parse_card` is the inverse."""
    return msgspec.to_builtins(card)


def parse_card(tree: Any) -> Card:
    """Parse a card from plain values; keys of newer versions are ignored. Raises TypeError for what is no card."""
    try:
        return msgspec.convert(tree, Card)
    except msgspec.ValidationError as error:
        raise TypeError(f"its card: {error}") from None


def describe_card(card: Card) -> list[tuple[str, str]]:
    """Format a card as rows of a name and a value, for people."""
    return [
        *(_training_rows(card.training) if card.training else ()),
        *(_tuning_rows(card.tuning) if card.tuning else ()),
        *(_calibration_rows(card.calibration) if card.calibration else ()),
    ]


def _training_rows(training: Training) -> list[tuple[str, str]]:
    rows = [
        ("trained on", f"{training.dataset}, {_format_part(training.train)}"),
        ("tested on", _format_part(training.test)),
        ("annotations", f"sha256 {training.annotations[:12]}"),
    ]
    if training.figures:
        rows += [("test mAP", _format_figures(training.figures)), *_alarm_rows("test", training.figures)]
    return rows + [("note", note) for note in training.notes]


def _tuning_rows(tuning: Tuning) -> list[tuple[str, str]]:
    rows = [
        ("tuned on", _format_part(tuning.on)),
        ("mAP before tuning", _format_figures(tuning.before)),
        ("mAP after tuning", _format_figures(tuning.after)),
        *_alarm_rows("tuned", tuning.after),
    ]
    if threshold := tuning.threshold:
        rows.append(("score threshold", describe_threshold(threshold)))
    return rows + [("note", note) for note in tuning.notes]


def describe_calibration(fit: CalibrationFit) -> list[tuple[str, str]]:
    """Format what scores were calibrated on as rows of a name and a value, without notes."""
    counts = f"{fit.detections:,} detections, {fit.hits:,} hits at tIoU {fit.tiou:g}"
    rows = [("calibrated on", f"{_format_part(fit.on)}; {counts}")]
    if fit.action_share is not None and fit.judged_share is not None:
        shares = f"{100 * fit.action_share:.3g} % of the time is action (there {100 * fit.judged_share:.3g} %)"
        rows.append(("calibrated for", f"use in which {shares}"))
    names = {"before": fit.before, "after, on the same": fit.after, "after, cross-validated": fit.unseen}
    errors = [f"{_format_error(error)} {name}" for name, error in names.items() if error]
    if errors:
        scope = "mean over all detections, most of which score low; largest of bins of 30 or more"
        rows.append(("calibration error", f"{'; '.join(errors)} ({scope})"))
    return rows


def _calibration_rows(fit: CalibrationFit) -> list[tuple[str, str]]:
    return describe_calibration(fit) + [("note", note) for note in fit.notes]


def _format_error(error: CalibrationError) -> str:
    return f"{error.expected:.3f} (largest {'-' if error.largest is None else f'{error.largest:.3f}'})"


def describe_threshold(threshold: Threshold) -> str:
    """Format a threshold with its precision, recall and F1."""
    raw = "" if threshold.raw_score is None else f"before calibration {threshold.raw_score:.3f}; "
    return (
        f"{threshold.score:.3f} ({raw}precision {100 * threshold.precision:.1f} %, "
        f"recall {100 * threshold.recall:.1f} %, F1 {100 * threshold.f1:.1f} % at tIoU {threshold.tiou:g})"
    )


def _format_part(part: VideoCount) -> str:
    return f"{'+'.join(part.splits)}: {part.videos:,} videos, {part.actions:,} actions, {part.hours:.2f} h"


def _alarm_rows(name: str, figures: Figures) -> list[tuple[str, str]]:
    alarms = figures.false_alarms
    if alarms is None:
        return []
    rates = ", ".join(
        f"{'not reached' if rate is None else f'{rate:.3g}'} at recall {mark}"
        for mark, rate in alarms.per_hour.items()
    )
    recalls = ", ".join(f"{100 * recall:.1f} % at {mark}" for mark, recall in alarms.recall.items())
    text = f"{rates} (tIoU {alarms.tiou:g}, {alarms.hours:.2f} h)"
    return [(f"{name} false alarms an hour", text), (f"{name} recall at so many", recalls)]


def _format_figures(figures: Figures) -> str:
    ends = (0, len(figures.tious) - 1) if len(figures.tious) > 1 else (0,)
    values = ", ".join(f"{100 * figures.map[i]:.1f} at {figures.tious[i]:.2f}" for i in ends)
    return f"{100 * figures.average_map:.2f} % on average by {figures.protocol} ({values})"
