"""Tables of figures, in percent, for the terminal and for pages."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from untrimmed.evaluation.bootstrap import Comparison, Difference
from untrimmed.evaluation.classification import ClassificationScores
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.false_alarms import RATES, RECALLS, FalseAlarms
from untrimmed.evaluation.files import Scores
from untrimmed.evaluation.proposals import ProposalScores
from untrimmed.evaluation.segmental import SegmentalScores
from untrimmed.visualization.page import Table


def tables_of(scores: Scores) -> list[Table]:
    """Build the tables of any figures; what most people look for stands last, where a terminal leaves off."""
    if isinstance(scores, DetectionScores):
        return detection_tables(scores)
    if isinstance(scores, ProposalScores):
        return [_proposals(scores)]
    if isinstance(scores, ClassificationScores):
        return [_classification(scores)]
    return [_segmental(scores)]


def detection_tables(scores: DetectionScores) -> list[Table]:
    """Build tables of AP by class and mAP, with their intervals and ranges if there are any, and of recall."""
    header = ("", *map(_tiou, scores.tious), "mean")
    rows = [(name, *percent(precisions)) for name, precisions in scores.rows()]
    for spread, name in ((scores.confidence, "95 % interval"), (scores.ties, "orders of equal scores")):
        if spread:
            ends = zip(*spread.map, spread.average_map, strict=True)
            rows += [(f"{name}, {end}", *percent(values)) for end, values in zip(("low", "high"), ends, strict=True)]
    tables = [Table(f"AP (%) by tIoU, protocol {scores.protocol}", header, rows)]
    if scores.false_alarms:
        tables.insert(0, false_alarm_table(scores.false_alarms))
    recall = [(f"recall@{factor}", *percent([*row, sum(row) / len(row)])) for factor, row in scores.recall_at.items()]
    return [Table("recall (%) by tIoU", header, recall), *tables] if recall else tables


def false_alarm_table(false_alarms: FalseAlarms, classes: Sequence[str] = ()) -> Table:
    """Build a table of false alarms per hour at some recalls, and of recall at some false alarms per hour.

    It has a row for each of the `classes`, one for all together, and their interval if there is one.
    """
    curves = {**{label: false_alarms.classes[label] for label in classes}, "all classes": false_alarms.pooled}
    rows = [
        (name, *(_rate(curve.rate_at(mark)) for mark in RECALLS), *percent([curve.recall_at(mark) for mark in RATES]))
        for name, curve in curves.items()
    ]
    if intervals := false_alarms.intervals:
        rates, recalls = intervals.false_per_hour_at_recall, intervals.recall_at_false_per_hour
        for place, end in enumerate(("low", "high")):
            figures = [_rate(rates[mark][place]) for mark in RECALLS]
            name = f"{100 * intervals.level:g} % interval, {end}"
            rows.append((name, *figures, *percent([recalls[mark][place] for mark in RATES])))
    header = ("", *(f"an hour at recall {_tiou(mark)}" for mark in RECALLS))
    header += tuple(f"recall (%) at {mark:g} an hour" for mark in RATES)
    return Table(f"false alarms at tIoU {_tiou(false_alarms.tiou)} in {false_alarms.hours:.3g} h", header, rows)


def map_table(scores: Mapping[str, DetectionScores], over: Sequence[str] = ()) -> Table:
    """Build a table of the mAP of several sets of detections, judged at the same thresholds.

    Where `over` names more than one of them, their mean and deviation follow.
    """
    figures = {name: [*detector.map, detector.average_map] for name, detector in scores.items()}
    rows = [(name, *percent(values)) for name, values in figures.items()]
    rows += _mean_and_deviation([figures[name] for name in over])
    return Table("mAP (%) at tIoU", ("", *map(_tiou, next(iter(scores.values())).tious), "mean"), rows)


def ar_table(scores: Mapping[str, ProposalScores]) -> Table:
    """Build a table of the AR of several sets of proposals and the area under AR over AN, with mean and deviation."""
    figures = {
        name: [*(math.nan if ar is None else ar for ar in proposals.ar_at.values()), proposals.auc]
        for name, proposals in scores.items()
    }
    rows = [(name, *percent(values)) for name, values in figures.items()]
    rows += _mean_and_deviation(list(figures.values()))
    first = next(iter(scores.values()))
    return Table(f"AR (%) at AN, {first.protocol}", ("", *first.ar_at, "area"), rows)


def comparison_table(comparison: Comparison) -> Table:
    """Build a table of both figures, their difference and its interval, one threshold a row."""
    names = [*(f"mAP at {_tiou(tiou)}" for tiou in comparison.tious), "average mAP"]
    figures = zip(*([*figures, sum(figures) / len(figures)] for figures in comparison.maps), strict=True)
    differences = [*comparison.map, comparison.average_map]
    rows = [
        (name, *percent(pair), *_difference(difference))
        for name, pair, difference in zip(names, figures, differences, strict=True)
    ]
    level = f"{100 * comparison.level:g} %"
    header = ("", "first", "second", "difference", f"low, {level}", "high", "p")
    return Table(f"second less first (%), {comparison.resamples} resamples of the videos", header, rows)


def class_table(comparison: Comparison) -> Table:
    """Build a table of the difference of every class at every threshold; a star where its interval excludes 0."""
    rows = [
        (name, *(f"{100 * d.value:+.1f}{'*' if d.low > 0 or d.high < 0 else ' '}" for d in differences))
        for name, differences in comparison.per_class.items()
    ]
    header = ("", *map(_tiou, comparison.tious))
    return Table("difference of AP (%) by class and tIoU; * where its interval leaves out 0", header, rows)


def percent(fractions: Sequence[float]) -> list[str]:
    """Format fractions as percentages with one digit; a dash for NaN."""
    return ["-" if math.isnan(value) else f"{100 * value:.1f}" for value in fractions]


def _proposals(scores: ProposalScores) -> Table:
    rows = [
        (f"AR@{mark}", "beyond the curve" if value is None else f"{100 * value:.2f}")
        for mark, value in scores.ar_at.items()
    ]
    caption = f"average recall (%) at so many proposals a video, protocol {scores.protocol}"
    return Table(caption, ("", "%"), [*rows, ("AUC", f"{100 * scores.auc:.2f}")])


def _classification(scores: ClassificationScores) -> Table:
    hits = [(f"hit@{count}", *percent([share])) for count, share in scores.hit_at.items()]
    hits += [(f"any label hit@{count}", *percent([share])) for count, share in scores.any_hit_at.items()]
    classes = [(label, *percent([precision])) for label, precision in scores.per_class.items()]
    rows = [*classes, ("all classes", *percent([scores.map])), *hits]
    return Table(f"AP (%) of whole videos, protocol {scores.protocol}", ("", "%"), rows)


def _segmental(scores: SegmentalScores) -> Table:
    marks = list(scores.f1)
    rows = [
        (label, *percent([figures[f"f1@{mark}"] for mark in marks]), "", *percent([figures["accuracy"]]))
        for label, figures in scores.per_class.items()
    ]
    rows.append(("all classes", *percent([*scores.f1.values(), scores.edit, scores.accuracy])))
    header = ("", *(f"F1@{mark}" for mark in marks), "edit", "accuracy")
    return Table(f"dense labels (%), protocol {scores.protocol}", header, rows)


def _mean_and_deviation(seeds: Sequence[Sequence[float]]) -> list[tuple[str, ...]]:
    if len(seeds) < 2:
        return []
    columns = list(zip(*seeds, strict=True))
    return [("mean", *percent(list(map(mean, columns)))), ("deviation", *percent(list(map(stdev, columns))))]


def _difference(difference: Difference) -> tuple[str, ...]:
    moved = (f"{100 * value:+.1f}" for value in (difference.value, difference.low, difference.high))
    return (*moved, f"{difference.p:.3f}")


def _rate(rate: float) -> str:
    return f"{rate:.3g}" if math.isfinite(rate) else "not reached"


def _tiou(tiou: float) -> str:
    return f"{tiou:.3g}".lstrip("0")
