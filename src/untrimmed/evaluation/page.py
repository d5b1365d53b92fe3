"""A page that shows why figures are what they are: curves, classes, errors, and what was missed."""

from collections.abc import Mapping
from pathlib import Path

from untrimmed.evaluation.classification import ClassificationScores
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.diagnosis import BACKGROUND, Characteristic, Diagnosis, Part, diagnose
from untrimmed.evaluation.files import Answer
from untrimmed.evaluation.operating_points import Calibration, Operating, Operation, Point, confusion, operating
from untrimmed.evaluation.proposals import ACTIVITYNET_PROPOSALS, ProposalProtocol, proposal_scores, recall_by_tiou
from untrimmed.evaluation.protocols import evenly
from untrimmed.evaluation.segmental import SegmentalScores
from untrimmed.evaluation.tables import percent, tables_of
from untrimmed.visualization.charts import Line, bars, curves, grouped, reliability, stacked
from untrimmed.visualization.confusion import matrix
from untrimmed.visualization.page import Figure, Section, Table, write_page
from untrimmed.visualization.sheet import Axis

_SHARE = Axis("", 0, 1)
# Of more a picture shows nothing.
_MOST_CLASSES = 200


def write_evaluation(path: Path, answer: Answer) -> Path:
    """Write the page of an answer, one HTML file that needs nothing else; BadInput where it cannot be written."""
    scores = answer.scores
    title = f"{answer.question.results.name}, {scores.protocol}"
    if answer.judged is not None:
        sections = [_headline(answer), *_why(answer)]
    elif isinstance(answer.question.protocol, ProposalProtocol):
        sections = [_headline(answer), _recalls(answer, answer.question.protocol)]
    else:
        sections = [_headline(answer)]
    write_page(path, title, sections, scores.notes)
    return path


def _headline(answer: Answer) -> Section:
    """All figures, and a bar for each class where there are classes."""
    scores, figures = answer.scores, []
    if isinstance(scores, DetectionScores):
        means = {name: precisions[-1] for name, precisions in scores.rows()[:-1]}
        figures = [_class_bars("average AP of each class", means, scores.average_map), *_intervals(scores)]
    elif isinstance(scores, ClassificationScores):
        figures = [_class_bars("AP of each class", scores.per_class, scores.map)]
    elif isinstance(scores, SegmentalScores):
        accuracy = {label: its["accuracy"] for label, its in scores.per_class.items()}
        figures = [_class_bars("frames of each class that have the right label", accuracy, scores.accuracy)]
    counts = ", ".join(f"{name}: {count:,}" for name, count in scores.counts.items())
    return Section("Figures", f"Judged: {counts}.", figures, tables_of(scores))


def _intervals(scores: DetectionScores) -> list[Figure]:
    """AP of each class at the threshold nearest 0.5, where intervals were asked for."""
    if scores.confidence is None:
        return []
    place = scores.tious.index(_usual(scores.tious))
    caption = f"AP of each class at tIoU {scores.tious[place]:g}, with its 95 % interval"
    ranked = sorted(scores.per_class, key=lambda label: -scores.per_class[label][place])[:_MOST_CLASSES]
    values = [scores.per_class[label][place] for label in ranked]
    intervals = [scores.confidence.per_class[label][place] for label in ranked]
    picture = bars(caption, ranked, values, Axis("AP", 0, 1), intervals=intervals, overall=scores.map[place])
    return [Figure(caption, picture)]


def _usual(tious: tuple[float, ...]) -> float:
    """The threshold at which people speak of a detection as right, or the nearest to it."""
    return min(tious, key=lambda tiou: abs(tiou - 0.5))


def _class_bars(caption: str, values: Mapping[str, float], overall: float) -> Figure:
    ranked = sorted(values, key=lambda label: -values[label])[:_MOST_CLASSES]
    picture = bars(
        caption, ranked, [values[label] for label in ranked], _SHARE._replace(name="share"), overall=overall
    )
    return Figure(caption, picture)


def _why(answer: Answer) -> list[Section]:
    """What lies behind the figures of detections."""
    assert answer.judged is not None
    truth, results, tious = answer.judged.truth, answer.judged.results, answer.judged.protocol.tious
    tiou = _usual(tious)
    working = operating(truth, results, tiou)
    diagnosis = diagnose(truth, results, tiou, tious, background=min(BACKGROUND, tiou / 2))
    sections = [_precision_and_recall(working), _confidence(working), _errors(diagnosis), _hard(diagnosis)]
    if len(truth.labels) < _MOST_CLASSES:
        sections.insert(2, _confused(answer, working))
    return [*sections, _recalls(answer, ACTIVITYNET_PROPOSALS)]


def _precision_and_recall(working: Operating) -> Section:
    lines = [_line("all classes", working.pooled)]
    lines += [_line(label, operation) for label, operation in working.classes.items()]
    caption = f"precision over recall at tIoU {working.tiou:g}"
    axes = _SHARE._replace(name="recall"), _SHARE._replace(name="precision")
    lines = [line for line in lines if len(line.x)]
    figures = []
    if lines:
        picture = curves(caption, lines, *axes, highlighted=_shown_best(working))
        note = "In colour: all classes together, and those of the best and of the worst F1."
        figures.append(Figure(caption, picture, note))
    header = ("", "score", "precision", "recall", "F1")
    pooled = working.pooled
    wanted = [("best F1", pooled.best), *((f"precision of {p:g}", point) for p, point in pooled.reaching.items())]
    classes = [(label, operation.best) for label, operation in working.classes.items()]
    tables = [
        Table("the score to cut at, all classes together", header, [_row(*row) for row in wanted]),
        Table("the score of best F1, class by class", header, [_row(*row) for row in classes]),
    ]
    return Section(
        "Precision and recall",
        "Each point of a curve is what keeping the detections of some score or more gives. A table row says where to "
        "cut for the best balance, or for the precision that is wanted.",
        figures,
        tables,
    )


def _shown_best(working: Operating) -> list[str]:
    """The curves in colour: all together, and the three best and worst classes."""
    f1 = {
        label: (its.best.f1 if its.best else 0.0) for label, its in working.classes.items() if its.curve.recall.size
    }
    ranked = sorted(f1, key=lambda label: -f1[label])
    pooled = ["all classes"] if working.pooled.curve.recall.size else []
    return [*pooled, *dict.fromkeys([*ranked[:3], *ranked[-3:]])]


def _line(name: str, operation: Operation) -> Line:
    curve = operation.curve.thin()
    marks = [(operation.best.recall, operation.best.precision)] if operation.best else []
    return Line(name, curve.recall, curve.precision, marks=marks)


def _row(name: str, point: Point | None) -> tuple[str, ...]:
    if point is None:
        return (name, "not reached", "", "", "")
    return (name, f"{point.score:.3g}", *percent([point.precision, point.recall, point.f1]))


def _confidence(working: Operating) -> Section:
    calibrations = {"bins of equal width": working.equal_width, "bins of equal numbers": working.equal_mass}
    figures = [_calibrated(name, its) for name, its in calibrations.items() if its]
    text = "On the dashed line a score says how many of its detections are right; below it scores promise too much."
    return Section("Scores as confidence", "\n\n".join([text, *working.notes]), figures)


def _calibrated(name: str, calibration: Calibration) -> Figure:
    bins = calibration.bins
    picture = reliability(
        name,
        [bins[0].above, *(each.upto for each in bins)],
        [each.score or 0.0 for each in bins],
        [each.precision or 0.0 for each in bins],
        [each.count for each in bins],
    )
    errors = f"expected error {calibration.expected_error:.3f}, largest {calibration.largest_error:.3f}"
    return Figure(f"observed precision over score, {name}", picture, f"{errors}.")


def _confused(answer: Answer, working: Operating) -> Section:
    assert answer.judged is not None
    floor = working.pooled.best.score if working.pooled.best else 0.0
    found = confusion(answer.judged.truth, answer.judged.results, floor, working.tiou)
    caption = f"annotated against detected, score {floor:.3g} or more, tIoU {working.tiou:g}"
    picture = matrix(caption, [*found.labels, "none"], found.counts)
    note = "The last column counts what was missed, the last row what was found where nothing is."
    return Section("What is taken for what", "", [Figure(caption, picture, note)])


def _errors(diagnosis: Diagnosis) -> Section:
    shares = [share for share in diagnosis.profile if share.detections]
    figures = []
    if shares:
        parts = {kind: [share.shares[kind] or 0.0 for share in shares] for kind in shares[0].shares}
        names = [f"{share.factor}G" for share in shares]
        caption = f"kinds of detection among the best, tIoU {diagnosis.tiou:g}"
        picture = stacked(caption, names, parts, "detections looked at, G: as many as actions", "share")
        figures.append(Figure(caption, picture))
    gains = [
        (each.kind, *percent([each.gain, each.average_gain, each.average_normalised_gain]))
        for each in diagnosis.removals
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
    overall = diagnosis.whole.normalised_map or 0.0
    scores = {
        each.name: {part.name: _number(part.normalised_map) for part in each.parts}
        for each in diagnosis.characteristics
    }
    missed = {
        each.name: {part.name: _number(part.missed) for part in each.parts} for each in diagnosis.characteristics
    }
    figures = [
        Figure(
            "normalised average mAP of short, long, rare, crowded actions",
            grouped("sensitivity", scores, Axis("normalised mAP"), overall=overall),
        ),
        Figure(
            f"share that no detection finds, tIoU {diagnosis.tiou:g}",
            grouped("missed", missed, Axis("missed"), overall=diagnosis.whole.missed, high_is_good=False),
        ),
    ]
    rows = [row for each in diagnosis.characteristics for row in _parts(each)]
    header = ("", "actions", "normalised mAP", "missed", "missed by the best 10G")
    return Section(
        "What makes an action hard to find",
        "Coverage is the part of its video that an action takes; length is in seconds; instances are those of its "
        "class in its video; context is the background around it, in its own lengths. The bins, from XS to XL, are "
        "fifths of the annotated actions. Sensitivity is the highest bar less the lowest, impact the highest less "
        "the overall line.",
        figures,
        [Table("by characteristic (%)", header, rows), _sensitivities(diagnosis)],
    )


def _parts(characteristic: Characteristic) -> list[tuple[str, ...]]:
    return [
        (
            f"{characteristic.name} {part.name}, {_span(part)}",
            f"{part.truths}",
            *map(_percent, (part.normalised_map, part.missed, part.missed_by_top)),
        )
        for part in characteristic.parts
    ]


def _sensitivities(diagnosis: Diagnosis) -> Table:
    rows = [(each.name, *percent([each.sensitivity, each.impact])) for each in diagnosis.characteristics]
    return Table("how much it matters (points of normalised mAP)", ("", "sensitivity", "impact"), rows)


def _span(part: Part) -> str:
    if part.above is None:
        return "all" if part.upto is None else f"to {part.upto:.3g}"
    return f"over {part.above:.3g}" if part.upto is None else f"{part.above:.3g} to {part.upto:.3g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _recalls(answer: Answer, protocol: ProposalProtocol) -> Section:
    """AR over AN, and recall over tIoU."""
    rates = answer.rates
    scores = proposal_scores(answer.truth, answer.results, protocol, rates)
    lines = [Line("average over tIoU", scores.an, scores.ar)]
    lines += [Line(f"tIoU {tiou:.3g}", scores.an, row) for tiou, row in zip(scores.tious, scores.recall, strict=True)]
    shown = ["average over tIoU", f"tIoU {scores.tious[0]:.3g}", f"tIoU {scores.tious[-1]:.3g}"]
    by_number = curves(
        "recall over proposals",
        lines,
        Axis("proposals a video, on average", 0),
        _SHARE._replace(name="recall"),
        highlighted=dict.fromkeys(shown),
    )
    tious = evenly(0.05, 1.0, 20)
    recalls = {an: recall_by_tiou(answer.truth, answer.results, protocol, an, tious, rates) for an in protocol.marks}
    by_tiou = [Line(f"{an:g} proposals", tious, curve.recall) for an, curve in recalls.items()]
    title = "As proposals" if answer.judged else "Recall"
    return Section(
        title,
        f"Labels are not looked at here. AUC {100 * scores.auc:.2f} % by {protocol.name}.",
        [
            Figure("recall over the number of proposals", by_number),
            Figure(
                "recall over tIoU",
                curves("recall over tIoU", by_tiou, _SHARE._replace(name="tIoU"), _SHARE._replace(name="recall")),
            ),
        ],
    )
