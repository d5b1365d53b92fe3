"""A recipe for your own videos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import JsonOut, LabelColumns, SpanTable, Tiers, Unit, app, command
from untrimmed.cli.printing import show_notes, show_table, write_numbers

if TYPE_CHECKING:
    from untrimmed.project.init import InitResult


@command(app)
def init(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="A folder with videos, and folders in it; or with features alone."),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Features that are there already, a folder or file: no videos are needed."),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="File or folder of annotations, any format [default: searched for in DIR].")
    ] = None,
    out: Annotated[Path, typer.Option(help="The recipe to write; annotations.json goes beside it.")] = Path(
        "dataset.toml"
    ),
    from_: Annotated[
        str | None, typer.Option("--from", help="The format of the annotations [default: told by their content].")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, of annotations that count frames and of features.")
    ] = None,
    label: LabelColumns = None,
    unit: Unit = None,
    tier: Tiers = None,
    annotated: SpanTable = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe that is there.")] = False,
    json: JsonOut = None,
) -> None:
    """Propose a recipe for your own videos or features: which train and which test, snippet rate, windows, network.

    Example: `untrimmed init match_videos --annotations labels.csv`,
    without videos `untrimmed init --features sensors.npz --annotations labels.csv`
    """
    from untrimmed.project.init import init_recipe

    options = {"format": from_, "fps": fps, "label": label, "unit": unit, "tiers": tier or [], "annotated": annotated}
    result = init_recipe(folder, out, annotations, features=features, **options, force=force)
    numbers = result.numbers
    proposal = {"fps": numbers.fps, "length": numbers.length, "levels": numbers.levels, "steps": numbers.steps}
    write_numbers(json, {"proposal": proposal, "classes": [row._asdict() for row in result.classes]})
    _show(result)


def _show(result: "InitResult") -> None:
    """Print what there is, what is proposed and what to do next."""
    from untrimmed.project.dataset_statistics import draw_histogram

    scan, numbers = result.scan, result.numbers
    seconds = sum(timeline.duration for timeline in scan.timelines.values())
    print(f"{len(scan.timelines):,} videos of {seconds / 60:,.1f} minutes; annotations: {scan.annotations}")
    print("\nactions by length")
    for line in draw_histogram([action.length for action in scan.actions]):
        print(f"  {line}")
    print()
    header = ("class", "actions", "videos", "train", "test", "median s")
    show_table("", header, [(*row[:-1], f"{row.median:.2g}") for row in result.classes])
    print()
    show_notes(result.notes)
    print(
        f"proposed: {numbers.fps:g} snippets a second, windows of {numbers.length} snippets "
        f"({numbers.length / numbers.fps:.3g} s), {numbers.levels} levels, {numbers.steps:,} steps"
    )
    print(f"written: {result.recipe}, {result.annotations}\n\nnext")
    for line in result.commands:
        print(f"  {line}")
