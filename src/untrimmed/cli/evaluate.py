"""Results judged: evaluate, compare."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import JsonOut, SpanTable, Subset, Tious, VideoList, app, command
from untrimmed.cli.printing import show_notes, show_table, write_numbers

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
    results: Annotated[Path, typer.Argument(help="ActivityNet's JSON, a table, lines of THUMOS'14's kit, ...")],
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
    html: Annotated[Path | None, typer.Option(help="Write curves, tables and a diagnosis to this page.")] = None,
) -> None:
    """Judge detections, proposals, video labels or dense labels, by a protocol that says what it does.

    Example: `untrimmed evaluate annotations.json runs/demo/results.json --subset validation --tiou 0.3:0.7:0.1`
    """
    from untrimmed.evaluation import files
    from untrimmed.evaluation.protocols import parse_tious
    from untrimmed.evaluation.tables import tables_of

    evaluation = files.evaluate(
        truth,
        results,
        protocol,
        subset=subset,
        tious=parse_tious(tiou) if tiou else None,
        videos=videos,
        fps=fps or None,
        bootstrap=bootstrap,
        ties=ties,
        unit=unit,
        truth_unit=truth_unit,
        annotated=annotated,
    )
    write_numbers(json, evaluation.to_json())
    for table in tables_of(evaluation.scores):
        show_table(table.caption, table.header, table.rows)
    show_notes(evaluation.notes)
    if html:
        from untrimmed.evaluation.page import write_evaluation

        print(write_evaluation(html, evaluation))


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
