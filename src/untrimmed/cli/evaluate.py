"""Results judged: evaluate, compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrimmed.cli.app import (
    DETECTOR_ENDINGS,
    Device,
    JsonOut,
    Quiet,
    RawScores,
    Settings,
    SpanTable,
    Subset,
    Tious,
    VideoList,
    Weights,
    app,
    command,
)
from untrimmed.cli.printing import progress_bar, show_notes, show_table, write_numbers
from untrimmed.io import BadInput

if TYPE_CHECKING:
    from untrimmed.evaluation.files import Evaluation

ResultsUnit = Annotated[
    str | None, typer.Option("--unit", help="Of the times in the results: s, ms, us, frames (with --fps) or share.")
]
TruthUnit = Annotated[str | None, typer.Option("--truth-unit", help="The same of the ground truth.")]
Rates = Annotated[
    str | None, typer.Option("--fps", help="Frames a second, for units and protocols in frames: a number or a table.")
]


@command(app)
def evaluate(
    truth: Annotated[Path, typer.Argument(help="The ground truth: any file or folder that `convert` reads.")],
    results: Annotated[
        Path, typer.Argument(help="ActivityNet's JSON, a table, lines of THUMOS'14's kit, ...; or a detector.")
    ],
    features: Annotated[
        Path | None, typer.Option(help="Of a detector: what it looks at, a video, a feature file, or a folder.")
    ] = None,
    settings: Settings = None,
    detections: Annotated[
        Path | None, typer.Option(help="Of a detector: write what it finds to this file, as for `compare`.")
    ] = None,
    raw_scores: RawScores = False,
    weights: Weights = None,
    device: Device = "auto",
    protocol: Annotated[
        str, typer.Option(help="Which rules; docs/evaluation.md has them all, and a wrong name lists them.")
    ] = "activitynet",
    subset: Subset = None,
    tiou: Tious = None,
    videos: VideoList = None,
    unit: ResultsUnit = None,
    truth_unit: TruthUnit = None,
    fps: Rates = None,
    annotated: SpanTable = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for 95 % intervals, say 1000.")] = 0,
    ties: Annotated[bool, typer.Option("--ties", help="Also the range over orders among equal scores.")] = False,
    json: JsonOut = None,
    quiet: Quiet = False,
    html: Annotated[Path | None, typer.Option(help="Write curves, tables and a diagnosis to this page.")] = None,
) -> None:
    """Judge detections, proposals, video labels or dense labels, by a protocol that says what it does; or a detector.

    Example: `untrimmed evaluate annotations.json runs/demo/results.json --subset validation --tiou 0.3:0.7:0.1`
    """
    from untrimmed.evaluation import files
    from untrimmed.evaluation.protocols import parse_tious
    from untrimmed.evaluation.tables import tables_of

    options = {"subset": subset, "tious": parse_tious(tiou) if tiou else None, "videos": videos, "fps": fps or None}
    options |= {"unit": unit, "truth_unit": truth_unit, "annotated": annotated, "bootstrap": bootstrap, "ties": ties}
    detection = {"features": features, "set": settings, "detections": detections, "weights": weights}
    detection |= {"raw-scores": raw_scores}
    if results.suffix.lower() in DETECTOR_ENDINGS:
        evaluation = _judge_detector(truth, results, protocol, detection, device, quiet, options)
    else:
        refuse_detector_options(results, detection)
        evaluation = files.evaluate(truth, results, protocol, **options)
    write_numbers(json, evaluation.to_json())
    for table in tables_of(evaluation.scores):
        show_table(table.caption, table.header, table.rows)
    show_notes(evaluation.notes)
    if html:
        from untrimmed.evaluation.page import write_evaluation

        print(write_evaluation(html, evaluation))


def _judge_detector(
    truth: Path,
    detector: Path,
    protocol: str,
    detection: Mapping[str, Any],
    device: str,
    quiet: bool,
    options: Mapping[str, Any],
) -> "Evaluation":
    """Detect, then judge what is found; `detection` are the options of detection."""
    from untrimmed.detection.judging import evaluate_detector
    from untrimmed.detection.loading import load
    from untrimmed.detection.results import check_output

    if detection["features"] is None:
        raise BadInput(f"{detector}: is a detector; give what it is to look at (--features VIDEOS or FEATURES)")
    if options["unit"]:
        raise BadInput(f"{detector}: is a detector, which finds seconds; leave --unit out")
    if detection["detections"]:
        check_output(detection["detections"])
    opened = load(detector, device, overrides=detection["set"] or (), calibrated=not detection["raw-scores"])
    more = {"weights": detection["weights"] or (), "detections": detection["detections"]}
    with progress_bar(quiet) as progress:
        return evaluate_detector(truth, opened, detection["features"], protocol, progress=progress, **more, **options)


def refuse_detector_options(results: Path, detection: Mapping[str, Any]) -> None:
    """Raise BadInput where options of detection are set with a file of results, which they cannot change."""
    if useless := [f"--{option}" for option, value in detection.items() if value]:
        raise BadInput(
            f"{results}: holds results, in which {' and '.join(useless)} can change nothing; give a detector file "
            f"({' or '.join(DETECTOR_ENDINGS)})"
        )


@command(app)
def compare(
    first: Annotated[Path, typer.Argument(help="What `evaluate --json` wrote, or a file of detections.")],
    second: Annotated[Path, typer.Argument(help="The same of another detector.")],
    truth: Annotated[Path | None, typer.Option(help="For files of detections: the annotations.")] = None,
    protocol: Annotated[str, typer.Option(help="For files of detections: which rules.")] = "activitynet",
    subset: Subset = None,
    tiou: Tious = None,
    unit: ResultsUnit = None,
    truth_unit: TruthUnit = None,
    fps: Rates = None,
    annotated: SpanTable = None,
    bootstrap: Annotated[int, typer.Option(min=10, help="Resamples of the videos.")] = 1000,
    json: JsonOut = None,
) -> None:
    """Say by how much one detector is ahead of another, and how sure that is: both on the same resampled videos.

    Example: `untrimmed compare first.json second.json`
    """
    from untrimmed.evaluation import files
    from untrimmed.evaluation.protocols import parse_tious
    from untrimmed.evaluation.tables import class_table, comparison_table

    tious = parse_tious(tiou) if tiou else None
    comparison = files.compare(
        first,
        second,
        truth,
        protocol,
        subset=subset,
        tious=tious,
        bootstrap=bootstrap,
        unit=unit,
        truth_unit=truth_unit,
        fps=fps or None,
        annotated=annotated,
    )
    write_numbers(json, comparison.to_json())
    for table in (class_table(comparison), comparison_table(comparison)):
        show_table(table.caption, table.header, table.rows)
    show_notes(comparison.notes)
