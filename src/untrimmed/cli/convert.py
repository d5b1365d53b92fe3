"""Annotations from one format to another: convert."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import app, command
from untrimmed.cli.printing import show_notes

if TYPE_CHECKING:
    from untrimmed.annotations.formats.base import Annotations

EXAMPLES = 3


@command(app)
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file or folder of annotations, or of detections.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, or a new folder.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="The format of IN [default: told by its content].")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The format of OUT [default: told by its ending].")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for formats that count frames.")] = None,
    durations: Annotated[
        Path | None, typer.Option(help="Folder of the videos, or a table of their lengths, for those not stated.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="The label's column in a table; several as in verb+noun.")
    ] = None,
) -> None:
    """Turn annotations of one tool into another's, and say what was guessed, dropped and lost on the way.

    Formats: activitynet, activitynet-results, thumos, table (CSV, TSV), elan, boris, via, cvat, labelstudio,
    textgrid, srt, vtt, epic, charades, audacity.

    Example: `untrimmed convert interviews.boris annotations.json --durations videos`
    """
    from untrimmed.annotations.convert import read_any, write_any
    from untrimmed.annotations.sniff import tell

    form = from_ or tell(source)
    annotations = read_any(source, form, fps, durations=durations, label=label)
    written = write_any(out, annotations, to, fps)
    print(f"{written.path}: {_counted(annotations)}; from {form} to {written.form}")
    show_notes([*annotations.notes, *_dropped(annotations), *written.notes])


def _counted(annotations: "Annotations") -> str:
    from untrimmed.timeline import classes_of

    timelines = annotations.timelines.values()
    counts = {
        "video": len(timelines),
        "action": sum(len(timeline.actions) for timeline in timelines),
        "class": len(classes_of(timelines)),
    }
    plurals = {"video": "videos", "action": "actions", "class": "classes"}
    return ", ".join(f"{count:,} {name if count == 1 else plurals[name]}" for name, count in counts.items())


def _dropped(annotations: "Annotations") -> list[str]:
    rows = annotations.dropped
    if not rows:
        return []
    more = [f"and {len(rows) - EXAMPLES:,} more"] if len(rows) > EXAMPLES else []
    return [f"{len(rows):,} dropped: {'; '.join([*map(str, rows[:EXAMPLES]), *more])}"]
