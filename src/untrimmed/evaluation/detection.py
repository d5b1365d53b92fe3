"""Average precision of detected actions, by any of the detection protocols."""

from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import Any

import numpy as np

from untrimmed.evaluation.false_alarms import FalseAlarms, has_hours, measure_false_alarms
from untrimmed.evaluation.instances import Instances, index_videos
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.notes import Interval, count_repeats, count_ties, format_counts, list_names
from untrimmed.evaluation.protocols import ACTIVITYNET, DetectionProtocol


@dataclass(frozen=True)
class Spread:
    """A range, in fractions, for every figure: of bootstrap resamples, or of orders among equal scores."""

    map: tuple[Interval, ...]
    """One a threshold."""
    average_map: Interval
    per_class: dict[str, list[Interval]]


@dataclass(frozen=True)
class DetectionScores:
    """What a set of detections scores; every AP is in [0, 1]."""

    protocol: str
    subset: str | None
    tious: tuple[float, ...]
    map: tuple[float, ...]
    """Mean AP over the classes, one a threshold."""
    average_map: float
    """Mean of `map`."""
    per_class: dict[str, list[float]]
    """AP of each class of the ground truth, one a threshold."""
    counts: dict[str, int]
    """Of `videos`, `classes` and annotated actions (`truth`) judged on; of `detections` judged, and `ignored`."""
    notes: list[str]
    """Sentences on whatever in the files bears on the figures."""
    recall_at: dict[str, list[float]] = field(default_factory=dict)
    """Recall at k times the number of annotated actions, by `1x`, `5x`; one a threshold, mean over the classes."""
    confidence: Spread | None = None
    """95 % intervals over bootstrap resamples of the videos, on request."""
    ties: Spread | None = None
    """The range over orders among equal scores, on request."""
    false_alarms: FalseAlarms | None = field(default=None, compare=False)
    """False alarms per hour at tIoU .5; None where the length of a video is unknown."""

    def rows(self) -> list[tuple[str, list[float]]]:
        """Return AP of each class and then of all together: one a threshold, and their mean."""
        classes = [*self.per_class.items(), ("all classes", list(self.map))]
        return [(name, [*precisions, sum(precisions) / len(precisions)]) for name, precisions in classes]

    def _repr_html_(self) -> str:
        """Format AP in percent for a notebook, a class a row, a threshold a column."""
        header = ["AP (%)", *(f"{tiou:g}" for tiou in self.tious), "mean"]
        rows = [[name, *(f"{100 * value:.1f}" for value in values)] for name, values in self.rows()]
        lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"

    def to_json(self) -> dict[str, Any]:
        """Return the fields under their names, for `write_json`; without those on request that are empty."""
        on_request = ("recall_at", "confidence", "ties")
        content = asdict(replace(self, false_alarms=None))
        del content["false_alarms"]
        figures = {name: value for name, value in content.items() if value or name not in on_request}
        return figures | ({"false_alarms": self.false_alarms.to_json()} if self.false_alarms else {})


def compute_detection_scores(
    ground_truth: Instances, results: Instances, protocol: DetectionProtocol = ACTIVITYNET
) -> DetectionScores:
    """Compute AP of every class at every threshold, and the means.

    By `ACTIVITYNET` equal to the official program to rounding, except among equal scores, whose order there is
    arbitrary, and in two places where it stops with an error: a class without detections has AP 0, and detections of
    a class that the ground truth lacks are ignored and noted. Raises BadInput as `match_detections`.
    """
    return summarize_matches(match_detections(ground_truth, results, protocol))


def summarize_matches(matches: Matches) -> DetectionScores:
    """Compute the figures of matched detections."""
    ground_truth, protocol = matches.ground_truth, matches.protocol
    precisions = matches.compute_precisions()[0, matches.classes]
    means = precisions.mean(axis=0)
    labels = [ground_truth.labels[label] for label in matches.classes]
    return DetectionScores(
        protocol=protocol.name,
        subset=ground_truth.subset,
        tious=protocol.tious,
        map=tuple(means.tolist()),
        average_map=float(means.mean()),
        per_class=dict(zip(labels, precisions.tolist(), strict=True)),
        counts={
            "videos": len(ground_truth.videos),
            "classes": len(matches.classes),
            "truth": len(ground_truth),
            "detections": len(matches.row),
            "ignored": len(matches.results) - len(matches.row),
        },
        notes=_write_notes(matches),
        recall_at=matches.compute_recall_among_best(),
        false_alarms=measure_false_alarms(matches) if has_hours(matches.ground_truth) else None,
    )


_TIES = {"file order": "as in the file", "by video": "by the name of the video", "hits first": "hits first"}
_FLAT = {"hit by its equal": "counted; the same detected is a hit", "never hit": "counted and never hit"}


def _write_notes(matches: Matches) -> list[str]:
    """Write what bears on the figures of two files."""
    ground_truth, results, protocol = matches.ground_truth, matches.results, matches.protocol
    unknown = set(results.labels) - set(ground_truth.labels)
    of_unknown = np.isin(results.label, [label for label, name in enumerate(results.labels) if name in unknown])
    video = index_videos(results, ground_truth)
    columns = (ground_truth.video, ground_truth.label, ground_truth.start, ground_truth.end)
    counts = {
        f"detections ignored because the annotations lack their class ({list_names(unknown)})": of_unknown.sum(),
        f"detections in videos outside the annotations, {protocol.outside}": ((video < 0) & ~of_unknown).sum(),
        "annotated videos without a detection, all missed (was a subset meant?)": len(
            np.setdiff1d(ground_truth.video, video)
        ),
        "classes without a detection, AP 0": len(np.setdiff1d(ground_truth.label, matches.label)),
        f"annotated segments without length or reversed, {_FLAT.get(protocol.zero_length)}": (
            ground_truth.find_flat().sum()
        ),
        "detected segments without length or reversed, counted": results.find_flat()[matches.row].sum(),
        "annotated segments that repeat another, counted": count_repeats(*columns),
        "detections that touch an Ambiguous mark, no false positives": (matches.inside & ~matches.counted).sum(),
        f"detections that tie in score with the one before, ranked {_TIES[protocol.equal_scores]}": count_ties(
            matches.score, matches.label
        ),
    }
    return format_counts(matches.dropped | counts)
