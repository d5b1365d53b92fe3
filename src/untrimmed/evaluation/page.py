"""The page of an evaluation: figures, curves, classes, errors, and missed actions."""

from collections.abc import Mapping
from pathlib import Path

from untrimmed.evaluation.classification import ClassificationScores
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.diagnosis import BACKGROUND, Characteristic, Diagnosis, Part, diagnose
from untrimmed.evaluation.false_alarms import RATES, FalseAlarms
from untrimmed.evaluation.files import Evaluation
from untrimmed.evaluation.matches import Matches
from untrimmed.evaluation.operating_points import (
    PRECISIONS,
    Calibration,
    Curve,
    OperatingPoints,
    Point,
    count_confusions,
    find_operating_points,
)
from untrimmed.evaluation.proposals import (
    ACTIVITYNET_PROPOSALS,
    ProposalProtocol,
    compute_proposal_scores,
    compute_recall_by_tiou,
)
from untrimmed.evaluation.protocols import space_tious
from untrimmed.evaluation.segmental import SegmentalScores
from untrimmed.evaluation.tables import false_alarm_table, percent, tables_of
from untrimmed.visualization.charts import Series, draw_bars, draw_curves, draw_groups, draw_reliability, draw_stacks
from untrimmed.visualization.confusion import draw_confusion_matrix
from untrimmed.visualization.page import Figure, Section, Table, write_page
from untrimmed.visualization.sheet import Axis

# Of more a picture shows nothing.
_MOST_CLASSES = 200


def write_evaluation(path: str | Path, evaluation: Evaluation) -> Path:
    """Write the page of an evaluation, one HTML file that needs nothing else. Raises BadInput where it cannot."""
    path, scores, results = Path(path), evaluation.scores, evaluation.inputs.results
    name = Path(results).name if isinstance(results, str | Path) else "detections"
    sections = [_headline(evaluation)]
    if isinstance(scores, DetectionScores) and scores.false_alarms:
        sections.append(_false_alarms(scores.false_alarms))
    if evaluation.matches is not None:
        sections += [*_explain(evaluation.matches), _recalls(evaluation, ACTIVITYNET_PROPOSALS)]
    elif isinstance(evaluation.inputs.protocol, ProposalProtocol):
        sections.append(_recalls(evaluation, evaluation.inputs.protocol))
    write_page(path, f"{name}, {scores.protocol}", sections, scores.notes)
    return path


def _headline(evaluation: Evaluation) -> Section:
    """All figures, and a bar for each class where there are classes."""
    scores, figures = evaluation.scores, []
    if isinstance(scores, DetectionScores):
        means = {name: precisions[-1] for name, precisions in scores.rows()[:-1]}
        figures = [_class_bars("average AP of each class", means, scores.average_map), *_intervals(scores)]
    elif isinstance(scores, ClassificationScores):
        figures = [_class_bars("AP of each class", scores.per_class, scores.map)]
    elif isinstance(scores, SegmentalScores):
        accuracy = {label: figures["accuracy"] for label, figures in scores.per_class.items()}
        figures = [_class_bars("frames of each class that have the right label", accuracy, scores.accuracy)]
    counts = ", ".join(f"{name}: {count:,}" for name, count in scores.counts.items())
    return Section("Figures", f"Judged: {counts}.", figures, tables_of(scores))


def _intervals(scores: DetectionScores) -> list[Figure]:
    """AP of each class at the threshold nearest 0.5, where there are intervals."""
    if scores.confidence is None:
        return []
    place = scores.tious.index(_find_usual(scores.tious))
    caption = f"AP of each class at tIoU {scores.tious[place]:g}, with its 95 % interval"
    ranked = sorted(scores.per_class, key=lambda label: -scores.per_class[label][place])[:_MOST_CLASSES]
    values = [scores.per_class[label][place] for label in ranked]
    intervals = [scores.confidence.per_class[label][place] for label in ranked]
    picture = draw_bars(caption, ranked, values, Axis("AP", 0, 1), intervals=intervals, overall=scores.map[place])
    return [Figure(caption, picture)]


def _find_usual(tious: tuple[float, ...]) -> float:
    """Find the threshold nearest 0.5, at which people speak of a detection as right."""
    return min(tious, key=lambda tiou: abs(tiou - 0.5))


def _class_bars(caption: str, values: Mapping[str, float], overall: float) -> Figure:
    ranked = sorted(values, key=lambda label: -values[label])[:_MOST_CLASSES]
    heights = [values[label] for label in ranked]
    return Figure(caption, draw_bars(caption, ranked, heights, Axis("share", 0, 1), overall=overall))


def _explain(matches: Matches) -> list[Section]:
    """What lies behind the figures of detections."""
    ground_truth, results, tious = matches.ground_truth, matches.results, matches.protocol.tious
    tiou = _find_usual(tious)
    points = find_operating_points(ground_truth, results, tiou)
    diagnosis = diagnose(ground_truth, results, tiou, tious, background=min(BACKGROUND, tiou / 2))
    sections = [_precision_and_recall(points), _confidence(points), _errors(diagnosis), _hard(diagnosis)]
    if len(ground_truth.labels) < _MOST_CLASSES:
        sections.insert(2, _confusion(matches, points))
    return sections


def _false_alarms(false_alarms: FalseAlarms) -> Section:
    """Recall over false alarms per hour, and both at what people ask for."""
    curves, most = {"all classes": false_alarms.pooled, **false_alarms.classes}, max(RATES)
    series = [Series(name, *curve.trace(most)) for name, curve in curves.items()]
    worst = sorted(false_alarms.classes, key=lambda label: false_alarms.classes[label].recall_at(most / 10))[:5]
    caption = f"recall over false alarms per hour at tIoU {false_alarms.tiou:g}"
    axes = Axis("false alarms per hour", 0, most), Axis("recall", 0, 1)
    picture = draw_curves(caption, series, *axes, highlighted=["all classes", *worst])
    text = (
        "A false alarm is a detection that hits nothing, or what another had hit. Each class has a threshold of its "
    )
    text += "own, and all classes together have one for all."
    note = "In colour: all classes together, and those of the lowest recall."
    table = false_alarm_table(false_alarms, list(false_alarms.classes)[:_MOST_CLASSES])
    return Section("False alarms", text, [Figure(caption, picture, note)], [table])


def _precision_and_recall(points: OperatingPoints) -> Section:
    curves = {"all classes": points.pooled, **points.classes}
    series = [_series(name, curve) for name, curve in curves.items() if curve.recall.size]
    caption = f"precision over recall at tIoU {points.tiou:g}"
    figures = []
    if series:
        picture = draw_curves(caption, series, *_axes("recall", "precision"), highlighted=_find_highlights(points))
        note = "In colour: all classes together, and those of the best and of the worst F1."
        figures.append(Figure(caption, picture, note))
    header = ("", "score", "precision", "recall", "F1")
    pooled = [_row("best F1", points.pooled.find_best())]
    pooled += [_row(f"precision of {goal:g}", points.pooled.find_reaching(goal)) for goal in PRECISIONS]
    classes = [_row(label, curve.find_best()) for label, curve in points.classes.items()]
    tables = [
        Table("the score to cut at, all classes together", header, pooled),
        Table("the score of best F1, class by class", header, classes),
    ]
    return Section(
        "Precision and recall",
        "Each point of a curve is what keeping the detections of some score or more gives. A table row says where to "
        "cut for the best balance, or for the precision that is wanted.",
        figures,
        tables,
    )


def _axes(across: str, up: str) -> tuple[Axis, Axis]:
    """Axes of two shares."""
    return Axis(across, 0, 1), Axis(up, 0, 1)


def _find_highlights(points: OperatingPoints) -> list[str]:
    """Find the curves to draw in colour: all classes together, and the three best and worst."""
    best = {label: curve.find_best() for label, curve in points.classes.items() if curve.recall.size}
    ranked = sorted(best, key=lambda label: -(point.f1 if (point := best[label]) else 0.0))
    pooled = ["all classes"] if points.pooled.recall.size else []
    return [*pooled, *dict.fromkeys([*ranked[:3], *ranked[-3:]])]


def _series(name: str, curve: Curve) -> Series:
    curve, best = curve.thin(), curve.find_best()
    return Series(name, curve.recall, curve.precision, marks=[(best.recall, best.precision)] if best else [])


def _row(name: str, point: Point | None) -> tuple[str, ...]:
    if point is None:
        return (name, "not reached", "", "", "")
    return (name, f"{point.score:.3g}", *percent([point.precision, point.recall, point.f1]))


def _confidence(points: OperatingPoints) -> Section:
    calibrations = {"bins of equal width": points.equal_width, "bins of equal numbers": points.equal_mass}
    figures = [_calibration(name, calibration) for name, calibration in calibrations.items() if calibration]
    text = (
        "On the dashed line a score says how many of its detections are right; below it scores promise too much. "
        "Upright lines are the 95 % intervals of the shares."
    )
    return Section("Scores as confidence", "\n\n".join([text, *points.notes]), figures)


def _calibration(name: str, calibration: Calibration) -> Figure:
    bins = calibration.bins
    picture = draw_reliability(
        name,
        [bins[0].above, *(part.upto for part in bins)],
        [part.score or 0.0 for part in bins],
        [part.precision or 0.0 for part in bins],
        [part.count for part in bins],
        [part.interval for part in bins],
    )
    errors = f"expected error {calibration.expected_error:.3f}, largest {calibration.largest_error:.3f}"
    if worst := calibration.find_largest():
        low, high = worst.interval
        errors += (
            f"; of bins of 30 detections or more {worst.gap:.3f}, at a score of {worst.score:.2f}, where "
            f"{worst.precision:.2f} ({low:.2f} to {high:.2f}) of {worst.count:,} are right"
        )
    return Figure(f"observed precision over score, {name}", picture, f"{errors}.")


def _confusion(matches: Matches, points: OperatingPoints) -> Section:
    best = points.pooled.find_best()
    floor = best.score if best else 0.0
    confusion = count_confusions(matches.ground_truth, matches.results, floor, points.tiou)
    caption = f"annotated against detected, score {floor:.3g} or more, tIoU {points.tiou:g}"
    picture = draw_confusion_matrix(caption, [*confusion.labels, "none"], confusion.counts)
    note = "The last column counts what was missed, the last row what was found where nothing is."
    return Section("What is taken for what", "", [Figure(caption, picture, note)])


def _errors(diagnosis: Diagnosis) -> Section:
    shares = [share for share in diagnosis.profile if share.detections]
    figures = []
    if shares:
        parts = {kind: [share.shares[kind] or 0.0 for share in shares] for kind in shares[0].shares}
        names = [f"{share.factor}G" for share in shares]
        caption = f"kinds of detection among the best, tIoU {diagnosis.tiou:g}"
        picture = draw_stacks(caption, names, parts, "detections looked at, G: as many as actions", "share")
        figures.append(Figure(caption, picture))
    gains = [
        (removal.kind, *percent([removal.gain, removal.average_gain, removal.average_normalised_gain]))
        for removal in diagnosis.removals
    ]
    header = ("without", f"mAP at {diagnosis.tiou:g}", "average mAP", "average mAP, normalised")
    return Section(
        "False positives",
        "A double detection fits an action that another had taken. A localisation error has the right label and some "
        f"overlap, less than {diagnosis.tiou:g}; a wrong label fits an action of another label; a confusion is both; "
        "a background error meets nothing.",
        figures,
        [Table("what mAP gains (points) when all errors of one kind are removed", header, gains)],
    )


def _hard(diagnosis: Diagnosis) -> Section:
    overall, characteristics = diagnosis.whole.normalised_map or 0.0, diagnosis.characteristics
    scores, missed = (
        {c.name: {part.name: _number(getattr(part, figure)) for part in c.parts} for c in characteristics}
        for figure in ("normalised_map", "missed")
    )
    figures = [
        Figure(
            "normalised average mAP of short, long, rare, crowded actions",
            draw_groups("sensitivity", scores, Axis("normalised mAP"), overall=overall),
        ),
        Figure(
            f"share that no detection finds, tIoU {diagnosis.tiou:g}",
            draw_groups("missed", missed, Axis("missed"), overall=diagnosis.whole.missed, high_is_good=False),
        ),
    ]
    rows = [row for characteristic in characteristics for row in _part_rows(characteristic)]
    header = ("", "actions", "normalised mAP", "missed", "missed by the best 10G")
    sensitivities = [(c.name, *percent([c.sensitivity, c.impact])) for c in characteristics]
    points = ("", "sensitivity", "impact")
    return Section(
        "What makes an action hard to find",
        "Coverage is the part of its video that an action takes; length is in seconds; instances are those of its "
        "class in its video; context is the background around it, in its own lengths. The bins, from XS to XL, are "
        "fifths of the annotated actions. Sensitivity is the highest bar less the lowest, impact the highest less "
        "the overall line.",
        figures,
        [
            Table("by characteristic (%)", header, rows),
            Table("how much it matters (points of normalised mAP)", points, sensitivities),
        ],
    )


def _part_rows(characteristic: Characteristic) -> list[tuple[str, ...]]:
    return [
        (
            f"{characteristic.name} {part.name}, {_span(part)}",
            f"{part.actions}",
            *(
                "" if value is None else f"{100 * value:.1f}"
                for value in (part.normalised_map, part.missed, part.missed_by_top)
            ),
        )
        for part in characteristic.parts
    ]


def _span(part: Part) -> str:
    if part.above is None:
        return "all" if part.upto is None else f"to {part.upto:.3g}"
    return f"over {part.above:.3g}" if part.upto is None else f"{part.above:.3g} to {part.upto:.3g}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _recalls(evaluation: Evaluation, protocol: ProposalProtocol) -> Section:
    """AR over AN, and recall over tIoU."""
    inputs, rates = (evaluation.ground_truth, evaluation.results, protocol), evaluation.frame_rates
    scores = compute_proposal_scores(*inputs, rates)
    series = [Series("average over tIoU", scores.an, scores.ar)]
    for tiou, recall in zip(scores.tious, scores.recall, strict=True):
        series.append(Series(f"tIoU {tiou:.3g}", scores.an, recall))
    highlighted = dict.fromkeys(line.name for line in (series[0], series[1], series[-1]))
    axes = Axis("proposals a video, on average", 0), Axis("recall", 0, 1)
    by_number = draw_curves("recall over proposals", series, *axes, highlighted=highlighted)
    tious = space_tious(0.05, 1.0, 20)
    recalls = {an: compute_recall_by_tiou(*inputs, an, tious, rates) for an in protocol.marks}
    by_tiou = [Series(f"{an:g} proposals", tious, recall) for an, recall in recalls.items()]
    return Section(
        "As proposals" if evaluation.matches else "Recall",
        f"Labels are not looked at here. AUC {100 * scores.auc:.2f} % by {protocol.name}.",
        [
            Figure("recall over the number of proposals", by_number),
            Figure("recall over tIoU", draw_curves("recall over tIoU", by_tiou, *_axes("tIoU", "recall"))),
        ],
    )
