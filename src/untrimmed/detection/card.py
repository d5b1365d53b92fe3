"""What a detector's file says of itself: the data it learned from, how it was tested, what was tuned since."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from untrimmed.annotations.corpus import Corpus, DataConfig
from untrimmed.annotations.datasets.base import Dataset
from untrimmed.evaluation.detection import DetectionScores


@dataclass(frozen=True)
class Part:
    """The videos that something was done with: their splits, how many they are, and what they hold."""

    splits: tuple[str, ...]
    videos: int
    actions: int
    hours: float


@dataclass(frozen=True)
class Figures:
    """Mean average precision by a protocol, in [0, 1]."""

    protocol: str
    tious: tuple[float, ...]
    map: tuple[float, ...]
    """One a threshold."""
    average_map: float


@dataclass(frozen=True)
class Training:
    """A run: what it learned from, and what it reached on the test videos with the recipe's own suppression."""

    dataset: str
    annotations: str
    """The SHA-256 of what is annotated in the videos below, wherever the file lies and however it is written."""
    train: Part
    test: Part
    figures: Figures | None
    """None where the test videos hold no action."""
    notes: tuple[str, ...]
    """What was left out of the data."""


@dataclass(frozen=True)
class Threshold:
    """The score from which detections give the best F1 over all classes, at one tIoU, and what they give then."""

    score: float
    tiou: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Tuning:
    """Suppression that was fitted to some videos: they no longer say how good it is."""

    on: Part
    annotations: str
    """As of the training."""
    before: Figures
    after: Figures
    threshold: Threshold | None
    """None where nothing was hit."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """What is known of a detector besides its weights and its recipe. It holds no date: a run repeats to the byte."""

    training: Training | None = None
    tuning: Tuning | None = None


def trained_card(config: DataConfig, corpus: Corpus, scores: DetectionScores | None) -> Card:
    """The card of a run over a corpus, which scored so on its test videos."""
    dataset = corpus.dataset
    training = Training(
        dataset=config.dataset,
        annotations=truth_hash(dataset, (*corpus.train, *corpus.test)),
        train=part(dataset, config.train, corpus.train),
        test=part(dataset, config.test, corpus.test),
        figures=figures(scores) if scores else None,
        notes=corpus.notes,
    )
    return Card(training)


def part(dataset: Dataset, splits: Sequence[str], videos: Sequence[str]) -> Part:
    """Some videos of a data set, counted."""
    timelines = [dataset.ground_truth[video] for video in videos]
    hours = sum(timeline.duration for timeline in timelines) / 3600
    return Part(tuple(splits), len(videos), sum(len(timeline.actions) for timeline in timelines), hours)


def figures(scores: DetectionScores) -> Figures:
    """What of some scores a card keeps."""
    return Figures(scores.protocol, scores.tious, scores.map, scores.average_map)


def truth_hash(dataset: Dataset, videos: Sequence[str]) -> str:
    """The SHA-256 of the annotations of some videos, in hexadecimal digits, whatever the order of the videos."""
    content = [
        [video, dataset.ground_truth[video].duration, [[a.start, a.end, a.label] for a in dataset.ground_truth[video].actions]]
        for video in sorted(videos)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def card_tree(card: Card) -> dict[str, Any]:
    """The card as plain values for JSON; `read_card` turns it back."""
    return msgspec.to_builtins(card)


def read_card(tree: Any) -> Card:
    """The card of plain values; what a newer version added is passed over. Raises TypeError for what is no card."""
    try:
        return msgspec.convert(tree, Card)
    except msgspec.ValidationError as error:
        raise TypeError(f"its card: {error}") from None


def card_rows(card: Card) -> list[tuple[str, str]]:
    """The card as rows of a name and a value, for people."""
    return [
        *(_training_rows(card.training) if card.training else ()),
        *(_tuning_rows(card.tuning) if card.tuning else ()),
    ]


def _training_rows(training: Training) -> list[tuple[str, str]]:
    rows = [
        ("trained on", f"{training.dataset}, {_counted(training.train)}"),
        ("tested on", _counted(training.test)),
        ("annotations", f"sha256 {training.annotations[:12]}"),
    ]
    if training.figures:
        rows.append(("test mAP", _percent(training.figures)))
    return rows + [("note", note) for note in training.notes]


def _tuning_rows(tuning: Tuning) -> list[tuple[str, str]]:
    rows = [
        ("tuned on", _counted(tuning.on)),
        ("mAP before tuning", _percent(tuning.before)),
        ("mAP after tuning", _percent(tuning.after)),
    ]
    if threshold := tuning.threshold:
        rows.append(("score threshold", threshold_sentence(threshold)))
    return rows + [("note", note) for note in tuning.notes]


def threshold_sentence(threshold: Threshold) -> str:
    """A threshold and what it gives, in words."""
    return (
        f"{threshold.score:.3f} (precision {100 * threshold.precision:.1f} %, recall {100 * threshold.recall:.1f} %, "
        f"F1 {100 * threshold.f1:.1f} % at tIoU {threshold.tiou:g})"
    )


def _counted(part: Part) -> str:
    return f"{'+'.join(part.splits)}: {part.videos:,} videos, {part.actions:,} actions, {part.hours:.2f} h"


def _percent(figures: Figures) -> str:
    ends = (0, len(figures.tious) - 1) if len(figures.tious) > 1 else (0,)
    each = ", ".join(f"{100 * figures.map[i]:.1f} at {figures.tious[i]:.2f}" for i in ends)
    return f"{100 * figures.average_map:.2f} % on average by {figures.protocol} ({each})"
