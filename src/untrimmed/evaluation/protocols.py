"""Protocols of detection: every rule by which mAP is computed, as a value whose fields are the choices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from untrimmed.io import BadInput


@dataclass(frozen=True, kw_only=True)
class DetectionProtocol:
    """How detections are judged; the defaults are the rules of the official ActivityNet program.

    AP is computed for each class of the ground truth and each threshold. The mean runs over the classes of the ground
    truth; a class without detections has AP 0.
    """

    name: str
    tious: tuple[float, ...]
    """Thresholds, each in (0, 1]."""
    matching: Literal["detections choose", "truths choose"] = "detections choose"
    """Detections, best score first, take the free action of the ground truth that they overlap most; or actions of
    the ground truth, in the order of the file, take the free detection that they overlap most, whatever its score."""
    test: Literal[">=", ">"] = ">="
    """How an overlap is compared with a threshold."""
    interpolation: Literal["all points", "11 points", "none"] = "all points"
    """AP as the area under precision made monotone; as its mean at recall 0, .1, ..., 1; or as the sum of
    the precision at each hit over the number of annotated actions."""
    repeats: float | None = None
    """Seconds: an annotated action with both ends this close to another of its class is dropped; None keeps all."""
    zero_length: Literal["hit by its equal", "never hit", "dropped"] = "hit by its equal"
    """What becomes of annotated actions without length, and of reversed ones where those are not dropped."""
    shortest: float = 0.0
    """Seconds: annotated actions that are shorter are dropped."""
    reversed_segments: Literal["as they are", "turned round"] = "as they are"
    """As they are, lengths are negative, and a union of 0 is a hit unless `zero_length` is `never hit`."""
    unknown_classes: Literal["ignored", "refused"] = "ignored"
    """What becomes of detections of a class that the ground truth lacks."""
    outside: Literal["false positives", "ignored"] = "false positives"
    """What becomes of detections in videos that the ground truth lacks."""
    other_subsets: Literal["left out", "false positives"] = "left out"
    """What becomes of detections in videos that the ground truth's file has in other subsets than the one judged.
    To every official program they are false positives."""
    marks: Literal["not read", "no false positive"] = "not read"
    """Whether a detection that touches an Ambiguous mark of its video may be no false positive."""
    equal_scores: Literal["file order", "by video", "hits first"] = "file order"
    """How detections of one class and equal score are ranked; `by video` sorts them by the name of their video, and
    within a video keeps the order of the file."""
    recall_at: tuple[int, ...] = ()
    """Values of k for Recall@kx: recall among the k * n best detections of a class in a video, where the ground truth
    has n actions of that class in that video."""

    def __post_init__(self) -> None:
        check_tious(self.tious)


def check_tious(tious: Sequence[float]) -> None:
    """Raise ValueError unless there are thresholds, and each lies in (0, 1]."""
    if not tious or not all(0 < tiou <= 1 for tiou in tious):
        raise ValueError(f"thresholds {tious} are not one or more numbers in (0, 1]")


def space_tious(first: float, last: float, count: int) -> tuple[float, ...]:
    """Space thresholds evenly, by np.linspace as the official programs, so that overlaps on the edge fall alike."""
    return tuple(np.linspace(first, last, count).tolist())


ACTIVITYNET = DetectionProtocol(name="activitynet", tious=space_tious(0.5, 0.95, 10))
OPENTAD = replace(ACTIVITYNET, name="opentad", repeats=1e-3, zero_length="dropped", recall_at=(1, 5))
ACTIONFORMER = replace(OPENTAD, name="actionformer", tious=space_tious(0.3, 0.7, 5), shortest=1e-3)
THUMOS14 = replace(ACTIVITYNET, name="thumos14", tious=space_tious(0.3, 0.7, 5))
THUMOS14_KIT_2015 = DetectionProtocol(
    name="thumos14-kit-2015",
    tious=space_tious(0.3, 0.7, 5),
    matching="truths choose",
    test=">",
    interpolation="none",
    zero_length="never hit",
    reversed_segments="turned round",
    marks="no false positive",
    equal_scores="by video",
)
THUMOS14_KIT_2014 = replace(
    THUMOS14_KIT_2015,
    name="thumos14-kit-2014",
    tious=space_tious(0.1, 0.5, 5),
    interpolation="11 points",
    equal_scores="hits first",
)
# For small sets that come with no program of their own.
SEGMENTS = replace(ACTIVITYNET, name="segments", tious=(0.1, 0.3, 0.5, 0.7))
DETECTION_PROTOCOLS = {
    protocol.name: protocol
    for protocol in (ACTIVITYNET, OPENTAD, ACTIONFORMER, THUMOS14, THUMOS14_KIT_2015, THUMOS14_KIT_2014, SEGMENTS)
}


def parse_tious(text: str) -> tuple[float, ...]:
    """Parse thresholds: `0.5`, `0.3,0.5,0.7`, or `first:last:step` with the last included, as `0.3:0.7:0.1`."""
    try:
        if ":" in text:
            first, last, step = map(float, text.split(":"))
            tious = space_tious(first, last, round((last - first) / step) + 1)
        else:
            tious = tuple(map(float, text.split(",")))
        check_tious(tious)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise BadInput(f"tIoU {text!r}: give numbers in (0, 1] as 0.5 or 0.3,0.5 or 0.3:0.7:0.1") from None
    return tious
