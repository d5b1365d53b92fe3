"""Annotations from one format to another: convert."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import JsonOut, LabelColumns, SpanTable, Tiers, Unit, app, command
from untrimmed.cli.printing import show_notes, write_numbers


@command(app)
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file or folder of annotations, or of detections.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, or a new folder.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="The format of IN [default: sniffed from its content].")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The format of OUT [default: sniffed from its ending].")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for formats that count frames.")] = None,
    durations: Annotated[
        Path | None, typer.Option(help="Folder of the videos, or a table of their lengths, for those not stated.")
    ] = None,
    label: LabelColumns = None,
    tier: Tiers = None,
    unit: Unit = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of a table that has none, in order: video,start,end,label.")
    ] = None,
    annotated: SpanTable = None,
    json: JsonOut = None,
) -> None:
    """Turn annotations of one tool into another's, and say what was guessed, dropped and lost on the way.

    Formats: activitynet, activitynet-results, thumos, table (CSV, TSV, Excel), elan, boris, via, cvat, labelstudio,
    textgrid, srt, vtt, epic, charades, audacity. Only read: frame-labels (MS-TCN, Cholec80, DeepEthogram),
    frame-ranges (Breakfast), multithumos, ego4d, perception-test, captions (ActivityNet's), charades-sta,
    boris-table, elan-tab, via-csv, observer (Noldus), solomon, bento, sportscode (Nacsport too).

    Example: `untrimmed convert interviews.boris annotations.json --durations videos`
    """
    from untrimmed.annotations.convert import convert

    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    conversion = convert(
        source,
        out,
        from_=from_,
        to=to,
        fps=fps,
        durations=durations,
        label=label,
        unit=unit,
        tiers=tier or (),
        columns=names,
        annotated=annotated,
    )
    write_numbers(json, conversion.to_json())
    print(conversion)
    show_notes(conversion.notes)
