"""The protocols by which detections are judged, each a value that names its choices."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from untrimmed.io import BadInput


@dataclass(frozen=True, kw_only=True)
class DetectionProtocol:
    """How detections are judged; the defaults are the rules of the official ActivityNet program.

    AP is found for each class of the truth and each threshold apart. The mean runs over the classes of the truth; one
    without detections has AP 0.
    """

    name: str
    tious: tuple[float, ...]
    """Thresholds, each in (0, 1]."""
    matching: Literal["detections choose", "truths choose"] = "detections choose"
    """Detections by score take the free truth that they overlap most; or truths, in the order of the file,
    take the free detection that they overlap most, whatever its score."""
    test: Literal[">=", ">"] = ">="
    """How an overlap is held against a threshold."""
    interpolation: Literal["all points", "11 points", "none"] = "all points"
    """AP as the area under precision made monotone; as its mean at recall 0, .1, ..., 1; or as the mean over the
    truth of the precision at each hit."""
    repeats: float | None = None
    """Seconds: a truth with both ends this close to another of its class is dropped; None counts all of them."""
    zero_length: Literal["hit by its equal", "never hit", "dropped"] = "hit by its equal"
    """What becomes of truth without length, and (where it is not dropped) reversed."""
    shortest: float = 0.0
    """Seconds: truth that is shorter is dropped."""
    reversed_segments: Literal["as they are", "turned round"] = "as they are"
    """As they are, a length is negative, and where it makes the union 0 that is a hit, unless `never hit` is said."""
    unknown_classes: Literal["ignored", "refused"] = "ignored"
    """What becomes of detections of a class that the truth lacks."""
    outside: Literal["false positives", "ignored"] = "false positives"
    """What becomes of detections in videos that the truth lacks."""
    marks: Literal["not read", "no false positive"] = "not read"
    """Whether a detection that touches an Ambiguous mark of its video may be no false positive."""
    equal_scores: Literal["file order", "by video", "hits first"] = "file order"
    """How detections of one class that score the same are ranked; `by video` sorts them by the name of their video,
    and keeps the order of the file within."""
    recall_at: tuple[int, ...] = ()
    """Also the share of truth found among the best k * n detections, n being the truths of that class and video."""

    def __post_init__(self) -> None:
        if not self.tious or not all(0 < tiou <= 1 for tiou in self.tious):
            raise ValueError(f"thresholds {self.tious} are not one or more numbers in (0, 1]")


def evenly(first: float, last: float, count: int) -> tuple[float, ...]:
    """Thresholds as np.linspace makes them, so that an overlap on the edge falls as in the official programs."""
    return tuple(np.linspace(first, last, count).tolist())


ACTIVITYNET = DetectionProtocol(name="activitynet", tious=evenly(0.5, 0.95, 10))
OPENTAD = replace(ACTIVITYNET, name="opentad", repeats=1e-3, zero_length="dropped", recall_at=(1, 5))
ACTIONFORMER = replace(OPENTAD, name="actionformer", tious=evenly(0.3, 0.7, 5), shortest=1e-3)
THUMOS14 = replace(ACTIVITYNET, name="thumos14", tious=evenly(0.3, 0.7, 5))
THUMOS14_KIT_2015 = DetectionProtocol(
    name="thumos14-kit-2015",
    tious=evenly(0.3, 0.7, 5),
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
    tious=evenly(0.1, 0.5, 5),
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
    """Thresholds from words: `0.5`, `0.3,0.5,0.7`, or `first:last:step` with the last one in, as `0.3:0.7:0.1`."""
    try:
        if ":" in text:
            first, last, step = map(float, text.split(":"))
            tious = evenly(first, last, round((last - first) / step) + 1)
        else:
            tious = tuple(map(float, text.split(",")))
        DetectionProtocol(name="", tious=tious)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise BadInput(f"tIoU {text!r}: give numbers in (0, 1] as 0.5 or 0.3,0.5 or 0.3:0.7:0.1") from None
    return tious
