"""Average precision and hits of the labels predicted for whole videos, as the ActivityNet program has them."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.ranking import places
from untrimmed.io import BadInput


@dataclass(frozen=True, kw_only=True)
class ClassificationProtocol:
    """How labels of whole videos are judged.

    The truth is every pair of a video and a label that occurs. The predictions of a class over all videos rank by
    score, equal ones in the order of the file; each is a hit if its video has the class and was not hit before. AP is
    the area under precision, made monotone, over recall at every point; the mean runs over the classes of the truth.
    """

    name: str
    top: tuple[int, ...] = (1, 3)
    """How many of the best predictions of a video are held against its labels."""
    duplicates: Literal["false positive", "best"] = "false positive"
    """A label predicted again for a video is a false positive, and takes a place among the best; or only its best
    score counts, which suits detections."""

    def __post_init__(self) -> None:
        if not all(count > 0 for count in self.top):
            raise ValueError(f"top {self.top} are not positive numbers of predictions")


ACTIVITYNET_CLASSIFICATION = ClassificationProtocol(name="activitynet-classification")
# For the segments of a detector, many of which carry one label.
BEST_OF_DETECTIONS = ClassificationProtocol(name="best-of-detections", duplicates="best")
CLASSIFICATION_PROTOCOLS = {protocol.name: protocol for protocol in (ACTIVITYNET_CLASSIFICATION, BEST_OF_DETECTIONS)}


@dataclass(frozen=True)
class ClassificationScores:
    """What the predicted labels score; all are fractions."""

    protocol: str
    subset: str | None
    map: float
    """Mean AP over the classes of the truth."""
    per_class: dict[str, float]
    """AP of each class of the truth."""
    hit_at: dict[str, float]
    """By k: the share of a video's labels among its k best predictions, mean over the videos of the truth; 0 for a
    video without predictions. The program calls it Avg Hit@k."""
    any_hit_at: dict[str, float]
    """By k: the share of the truth's videos that have any of their labels there. The program calls it Hit@k."""
    counts: dict[str, int]
    """Of `videos`, `classes` and `truth` pairs judged on; of `predictions` judged, and those `ignored`: of a class
    that the truth lacks, or left out for a better one."""
    notes: list[str]
    """Sentences on whatever in the files bears on the numbers."""

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return asdict(self)


class _Ranked(NamedTuple):
    """Predictions of the classes of the truth, best first over all videos."""

    video: Int[np.ndarray, " predictions"]
    """Index into the videos of the truth; those that only the results have follow."""
    label: Int[np.ndarray, " predictions"]
    """Index into the truth's labels."""
    score: Float[np.ndarray, " predictions"]
    pair: Int[np.ndarray, " predictions"]
    """The video and label as one number."""
    repeats: Bool[np.ndarray, " predictions"]
    """Whether a better prediction of the same video has the same label."""

    def rows(self, chosen: Bool[np.ndarray, " predictions"] | Int[np.ndarray, " chosen"]) -> "_Ranked":
        return _Ranked(*(column[chosen] for column in self))


def classification_scores(
    truth: Instances, results: Instances, protocol: ClassificationProtocol = ACTIVITYNET_CLASSIFICATION
) -> ClassificationScores:
    """Judge the labels of whole videos; segments are not looked at, so those without length or reversed count too.

    A class without predictions has AP 0. Predictions in videos outside the annotations are false positives; those of
    a class that the truth does not have, where the official program stops with an error, are ignored and noted.
    Raises BadInput when the truth is empty.
    """
    if not len(truth):
        raise BadInput("the annotations hold no label, so nothing can be judged; choose another subset or file")
    videos = len(truth.videos) + len(results.videos)
    found = _ranked(truth, results, videos)
    ranked = found.rows(~found.repeats) if protocol.duplicates == "best" else found
    pairs = np.unique(truth.label * videos + truth.video)
    per_class = _average_precisions(ranked, pairs, videos)
    shares = {count: _shares(ranked, pairs, videos, count) for count in protocol.top}
    return ClassificationScores(
        protocol=protocol.name,
        subset=truth.subset,
        map=float(np.mean(list(per_class.values()))),
        per_class={truth.labels[label]: precision for label, precision in per_class.items()},
        hit_at={str(count): float(share.mean()) for count, share in shares.items()},
        any_hit_at={str(count): float((share > 0).mean()) for count, share in shares.items()},
        counts={
            "videos": len(np.unique(truth.video)),
            "classes": len(per_class),
            "truth": len(pairs),
            "predictions": len(ranked.pair),
            "ignored": len(results) - len(ranked.pair),
        },
        notes=_notes(truth, results, found, protocol),
    )


def _ranked(truth: Instances, results: Instances, videos: int) -> _Ranked:
    """The predictions whose class the truth has, best first; `videos` is more than any index of a video."""
    labels = {truth.labels[label]: label for label in np.unique(truth.label)}
    video = places(results.videos, truth.videos)[results.video]
    label = np.array([labels.get(name, -1) for name in results.labels], np.int64)[results.label]
    row = np.flatnonzero(label >= 0)
    row = row[np.argsort(-results.score[row], kind="stable")]
    pair = label[row] * videos + video[row]
    repeats = np.ones(len(row), bool)
    repeats[np.unique(pair, return_index=True)[1]] = False
    return _Ranked(video[row], label[row], results.score[row], pair, repeats)


def _average_precisions(ranked: _Ranked, pairs: Int[np.ndarray, " pairs"], videos: int) -> dict[int, float]:
    """AP of each class of the truth."""
    order = np.argsort(ranked.label, kind="stable")
    hit = (np.isin(ranked.pair, pairs) & ~ranked.repeats)[order]
    classes, counts = np.unique(pairs // videos, return_counts=True)
    first, last = (np.searchsorted(ranked.label[order], classes, side=side) for side in ("left", "right"))
    precisions = {}
    for label, count, begin, end in zip(classes.tolist(), counts, first, last, strict=True):
        rank = np.flatnonzero(hit[begin:end]) + 1
        precision = np.arange(1, len(rank) + 1) / rank
        # From the last hit up, the highest precision at this recall or beyond.
        best = np.maximum.accumulate(precision[::-1])
        precisions[label] = float(best.sum() / count)
    return precisions


def _shares(
    ranked: _Ranked, pairs: Int[np.ndarray, " pairs"], videos: int, count: int
) -> Float[np.ndarray, " videos"]:
    """The share of its labels that each video of the truth has among its best predictions."""
    order = np.argsort(ranked.video, kind="stable")
    video = ranked.video[order]
    place = np.arange(len(order)) - np.searchsorted(video, video)
    best = ranked.pair[order[place < count]]
    labels = np.bincount(pairs % videos)
    there = np.bincount(pairs % videos, np.isin(pairs, best))
    return there[labels > 0] / labels[labels > 0]


def _notes(truth: Instances, results: Instances, found: _Ranked, protocol: ClassificationProtocol) -> list[str]:
    """What a reader of the numbers should know of the two files."""
    known = {truth.labels[label] for label in np.unique(truth.label)}
    unknown = sorted({results.labels[label] for label in np.unique(results.label)} - known)
    names = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    again = "false positives" if protocol.duplicates == "false positive" else "left out for the best of them"
    annotated = np.unique(truth.video)
    order = np.argsort(found.label, kind="stable")
    score, label = found.score[order], found.label[order]
    counts = {
        f"predictions ignored because the annotations lack their class ({names})": len(results) - len(found.pair),
        "classes without a prediction, AP 0": len(np.setdiff1d(truth.label, found.label)),
        "annotated videos without a prediction, no hit": len(np.setdiff1d(annotated, found.video)),
        "predictions in videos outside the annotations, false positives": (~np.isin(found.video, annotated)).sum(),
        f"predictions that repeat a label of their video, {again}": found.repeats.sum(),
        "predictions that tie in score with the one before, ranked as in the file": (
            (score[1:] == score[:-1]) & (label[1:] == label[:-1])
        ).sum(),
    }
    return [f"{what}: {count}" for what, count in counts.items() if count]
