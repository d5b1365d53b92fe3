"""Average precision and hits of the labels predicted for whole videos, as the ActivityNet program has them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.instances import Instances, check_not_empty, index_all_videos
from untrimmed.evaluation.judged import leave_out_parts
from untrimmed.evaluation.notes import ToJson, count_ties, format_counts, list_names


@dataclass(frozen=True, kw_only=True)
class ClassificationProtocol:
    """How labels of whole videos are judged.

    The ground truth is every pair of a video and a label that occurs. The predictions of a class over all videos rank
    by score, equal ones in the order of the file; each is a hit if its video has the class and was not hit before. AP
    is the area under precision, made monotone, over recall at every point; the mean runs over the classes of the
    ground truth.
    """

    name: str
    top: tuple[int, ...] = (1, 3)
    """How many of the best predictions of a video are compared with its labels."""
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
class ClassificationScores(ToJson):
    """What the predicted labels score; all are fractions."""

    protocol: str
    subset: str | None
    map: float
    """Mean AP over the classes of the ground truth."""
    per_class: dict[str, float]
    """AP of each class of the ground truth."""
    hit_at: dict[str, float]
    """By k: the share of a video's labels among its k best predictions, mean over the videos of the ground truth; 0
    for a video without predictions. The program calls it Avg Hit@k."""
    any_hit_at: dict[str, float]
    """By k: the share of the annotated videos that have any of their labels there. The program calls it Hit@k."""
    counts: dict[str, int]
    """Of `videos`, `classes` and annotated pairs (`truth`) judged on; of `predictions` judged, and those `ignored`:
    of a class that the ground truth lacks, or dropped for a better one."""
    notes: list[str]
    """Sentences on whatever in the files bears on the figures."""


class _Predictions(NamedTuple):
    """Predictions of the classes of the ground truth, best first over all videos."""

    video: Int[np.ndarray, " predictions"]
    """Index into the videos of the ground truth; those that only the results have follow."""
    label: Int[np.ndarray, " predictions"]
    """Index into the labels of the ground truth."""
    score: Float[np.ndarray, " predictions"]
    pair: Int[np.ndarray, " predictions"]
    """The video and label as one number."""
    repeats: Bool[np.ndarray, " predictions"]
    """Whether a better prediction of the same video has the same label."""


def compute_classification_scores(
    ground_truth: Instances, results: Instances, protocol: ClassificationProtocol = ACTIVITYNET_CLASSIFICATION
) -> ClassificationScores:
    """Judge the labels of whole videos; segments are not looked at, so those without length or reversed count too.

    A class without predictions has AP 0. Predictions in videos outside the annotations are false positives; those of
    a class that the ground truth lacks, where the official program stops with an error, are ignored and noted.
    Raises BadInput when the ground truth is empty.
    """
    ground_truth, results, dropped = leave_out_parts(ground_truth, results)
    check_not_empty(ground_truth, "label")
    videos = len(ground_truth.videos) + len(results.videos)
    predictions = _rank(ground_truth, results, videos)
    counted = predictions
    if protocol.duplicates == "best":
        counted = _Predictions(*(column[~predictions.repeats] for column in predictions))
    pairs = np.unique(ground_truth.label * videos + ground_truth.video)
    per_class = _compute_average_precisions(counted, pairs, videos)
    shares = {str(count): _compute_shares(counted, pairs, videos, count) for count in protocol.top}
    return ClassificationScores(
        protocol=protocol.name,
        subset=ground_truth.subset,
        map=float(np.mean(list(per_class.values()))),
        per_class={ground_truth.labels[label]: precision for label, precision in per_class.items()},
        hit_at={count: float(share.mean()) for count, share in shares.items()},
        any_hit_at={count: float((share > 0).mean()) for count, share in shares.items()},
        counts={
            "videos": len(np.unique(ground_truth.video)),
            "classes": len(per_class),
            "truth": len(pairs),
            "predictions": len(counted.pair),
            "ignored": len(results) - len(counted.pair),
        },
        notes=[*format_counts(dropped), *_write_notes(ground_truth, results, predictions, protocol)],
    )


def _rank(ground_truth: Instances, results: Instances, videos: int) -> _Predictions:
    """Rank the predictions whose class the ground truth has; `videos` is more than any index of a video."""
    labels = {ground_truth.labels[label]: label for label in np.unique(ground_truth.label)}
    video = index_all_videos(results, ground_truth)
    label = np.array([labels.get(name, -1) for name in results.labels], np.int64)[results.label]
    row = np.flatnonzero(label >= 0)
    row = row[np.argsort(-results.score[row], kind="stable")]
    pair = label[row] * videos + video[row]
    repeats = np.ones(len(row), bool)
    repeats[np.unique(pair, return_index=True)[1]] = False
    return _Predictions(video[row], label[row], results.score[row], pair, repeats)


def _compute_average_precisions(
    predictions: _Predictions, pairs: Int[np.ndarray, " pairs"], videos: int
) -> dict[int, float]:
    """Compute AP of each class of the ground truth."""
    order = np.argsort(predictions.label, kind="stable")
    hit = (np.isin(predictions.pair, pairs) & ~predictions.repeats)[order]
    classes, counts = np.unique(pairs // videos, return_counts=True)
    first, last = (np.searchsorted(predictions.label[order], classes, side=side) for side in ("left", "right"))
    precisions = {}
    for label, count, begin, end in zip(classes.tolist(), counts, first, last, strict=True):
        rank = np.flatnonzero(hit[begin:end]) + 1
        precision = np.arange(1, len(rank) + 1) / rank
        # From the last hit up, the highest precision at this recall or beyond.
        best = np.maximum.accumulate(precision[::-1])
        precisions[label] = float(best.sum() / count)
    return precisions


def _compute_shares(
    predictions: _Predictions, pairs: Int[np.ndarray, " pairs"], videos: int, count: int
) -> Float[np.ndarray, " videos"]:
    """Compute the share of its labels that each video of the ground truth has among its `count` best predictions."""
    order = np.argsort(predictions.video, kind="stable")
    video = predictions.video[order]
    place = np.arange(len(order)) - np.searchsorted(video, video)
    best = predictions.pair[order[place < count]]
    labels = np.bincount(pairs % videos)
    hits = np.bincount(pairs % videos, np.isin(pairs, best))
    return hits[labels > 0] / labels[labels > 0]


def _write_notes(
    ground_truth: Instances, results: Instances, predictions: _Predictions, protocol: ClassificationProtocol
) -> list[str]:
    """Write what bears on the figures of two files."""
    classes = {ground_truth.labels[label] for label in np.unique(ground_truth.label)}
    unknown = {results.labels[label] for label in np.unique(results.label)} - classes
    ignored = len(results) - len(predictions.pair)
    repeats = "false positives" if protocol.duplicates == "false positive" else "left out for the best of them"
    annotated = np.unique(ground_truth.video)
    order = np.argsort(predictions.label, kind="stable")
    ties = count_ties(predictions.score[order], predictions.label[order])
    return format_counts(
        {
            f"predictions ignored because the annotations lack their class ({list_names(unknown)})": ignored,
            "classes without a prediction, AP 0": len(np.setdiff1d(ground_truth.label, predictions.label)),
            "annotated videos without a prediction, no hit": len(np.setdiff1d(annotated, predictions.video)),
            "predictions in videos outside the annotations, false positives": (
                (~np.isin(predictions.video, annotated)).sum()
            ),
            f"predictions that repeat a label of their video, {repeats}": predictions.repeats.sum(),
            "predictions that tie in score with the one before, ranked as in the file": ties,
        }
    )
