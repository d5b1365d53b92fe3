"""Figures as tables, in percent, for the terminal and for pages."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from untrimmed.evaluation.bootstrap import Comparison, Difference
from untrimmed.evaluation.classification import ClassificationScores
from untrimmed.evaluation.detection import DetectionScores, Interval, Spread
from untrimmed.evaluation.files import Scores
from untrimmed.evaluation.proposals import ProposalScores
from untrimmed.evaluation.segmental import SegmentalScores
from untrimmed.visualization.page import Table


def tables_of(scores: Scores) -> list[Table]:
    """The figures of any protocol, what most people look for last, where a terminal leaves off."""
    if isinstance(scores, DetectionScores):
        return detection_tables(scores)
    if isinstance(scores, ProposalScores):
        return [_proposals(scores)]
    if isinstance(scores, ClassificationScores):
        return [_classification(scores)]
    return [_segmental(scores)]


def detection_tables(scores: DetectionScores) -> list[Table]:
    """AP of each class and mAP, with their intervals and ranges where they were asked for; recall beside it."""
    header = ("", *map(_tiou, scores.tious), "mean")
    rows = [(name, *percent(precisions)) for name, precisions in scores.rows()]
    spreads = ((scores.confidence, "95 % interval"), (scores.ties, "orders of equal scores"))
    for spread, name in spreads:
        if spread:
            rows += _ends(spread, name)
    tables = [Table(f"AP (%) by tIoU, protocol {scores.protocol}", header, rows)]
    recall = [
        (f"recall@{times}", *percent([*found, sum(found) / len(found)])) for times, found in scores.recall_at.items()
    ]
    return [Table("recall (%) by tIoU", header, recall), *tables] if recall else tables


def map_table(named: Mapping[str, DetectionScores], over: Sequence[str] = ()) -> Table:
    """Mean average precision of several sets of detections, judged at the same thresholds.

    Where `over` names more than one of them, their mean and deviation follow.
    """
    figures = {name: [*scores.map, scores.average_map] for name, scores in named.items()}
    rows = [(name, *percent(values)) for name, values in figures.items()]
    rows += _mean_and_deviation([figures[name] for name in over])
    return Table("mAP (%) at tIoU", ("", *map(_tiou, next(iter(named.values())).tious), "mean"), rows)


def ar_table(named: Mapping[str, ProposalScores]) -> Table:
    """Average recall of several sets of proposals and the area under AR over AN, with mean and deviation."""
    figures = {
        name: [*(math.nan if ar is None else ar for ar in scores.ar_at.values()), scores.auc]
        for name, scores in named.items()
    }
    rows = [(name, *percent(values)) for name, values in figures.items()]
    rows += _mean_and_deviation(list(figures.values()))
    first = next(iter(named.values()))
    return Table(f"AR (%) at AN, {first.protocol}", ("", *first.ar_at, "area"), rows)


def comparison_table(comparison: Comparison) -> Table:
    """What each scores, the difference and its interval, one threshold a row, and then class by class."""
    means = [sum(figures) / len(figures) for figures in comparison.maps]
    names = [*(f"mAP at {_tiou(tiou)}" for tiou in comparison.tious), "average mAP"]
    figures = zip(*([*its, mean] for its, mean in zip(comparison.maps, means, strict=True)), strict=True)
    differences = [*comparison.map, comparison.average_map]
    rows = [
        (name, *percent(pair), *_difference(difference))
        for name, pair, difference in zip(names, figures, differences, strict=True)
    ]
    level = f"{100 * comparison.level:g} %"
    header = ("", "first", "second", "difference", f"low, {level}", "high", "p")
    return Table(f"second less first (%), {comparison.resamples} resamples of the videos", header, rows)


def class_table(comparison: Comparison) -> Table:
    """The difference of every class at every threshold; those whose interval leaves out 0 bear a star."""
    rows = [
        (name, *(f"{100 * each.value:+.1f}{'*' if each.low > 0 or each.high < 0 else ' '}" for each in its))
        for name, its in comparison.per_class.items()
    ]
    header = ("", *map(_tiou, comparison.tious))
    return Table("difference of AP (%) by class and tIoU; * where its interval leaves out 0", header, rows)


def percent(fractions: Sequence[float]) -> list[str]:
    """Fractions as percentages with one digit; a dash for NaN."""
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
        (label, *percent([its[f"f1@{mark}"] for mark in marks]), "", *percent([its["accuracy"]]))
        for label, its in scores.per_class.items()
    ]
    rows.append(("all classes", *percent([*scores.f1.values(), scores.edit, scores.accuracy])))
    header = ("", *(f"F1@{mark}" for mark in marks), "edit", "accuracy")
    return Table(f"dense labels (%), protocol {scores.protocol}", header, rows)


def _mean_and_deviation(seeds: Sequence[Sequence[float]]) -> list[tuple[str, ...]]:
    if len(seeds) < 2:
        return []
    columns = list(zip(*seeds, strict=True))
    return [("mean", *percent(list(map(mean, columns)))), ("deviation", *percent(list(map(stdev, columns))))]


def _ends(spread: Spread, name: str) -> list[tuple[str, ...]]:
    intervals: list[Interval] = [*spread.map, spread.average_map]
    ends = zip(*intervals, strict=True)
    return [(f"{name}, {end}", *percent(values)) for end, values in zip(("low", "high"), ends, strict=True)]


def _difference(difference: Difference) -> tuple[str, ...]:
    moved = (f"{100 * value:+.1f}" for value in (difference.value, difference.low, difference.high))
    return (*moved, f"{difference.p:.3f}")


def _tiou(tiou: float) -> str:
    return f"{tiou:.3g}".lstrip("0")
