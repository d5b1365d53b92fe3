"""Your own videos: init, doctor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import JsonOut, Overrides, app, command
from untrimmed.cli.printing import show_notes, show_table

if TYPE_CHECKING:
    from untrimmed.project.init import Begun


@command(app)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with videos, and folders in it.")],
    annotations: Annotated[
        Path | None, typer.Option(help="File or folder of annotations, any format [default: searched for in DIR].")
    ] = None,
    out: Annotated[Path, typer.Option(help="The recipe to write; annotations.json goes beside it.")] = Path(
        "dataset.toml"
    ),
    from_: Annotated[
        str | None, typer.Option("--from", help="The format of the annotations [default: told by their content].")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for annotations that count frames.")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="The label's column in a table; several as in verb+noun.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe that is there.")] = False,
) -> None:
    """Propose a recipe for your own videos: which train and which test, snippet rate, windows, network.

    Example: `untrimmed init match_videos --annotations labels.csv`
    """
    from untrimmed.project.annotation_files import Reading
    from untrimmed.project.init import begin

    begun = begin(folder, out, annotations, Reading(from_, fps, label), force=force)
    _show(begun)


@command(app)
def doctor(
    recipe: Annotated[Path, typer.Argument(help="A recipe, proposed by `untrimmed init` or any other.")],
    overrides: Overrides = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all findings, not five of each kind.")] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every video to its end: minutes to hours.")
    ] = False,
    json: JsonOut = None,
) -> None:
    """Look a data set over: videos, annotations, labels, features, splits, windows; exit code 2 where an error is.

    Example: `untrimmed doctor dataset.toml --all`
    """
    from untrimmed.io import write_json
    from untrimmed.project.doctor import examine
    from untrimmed.project.findings import has_error, lines, summary, tree
    from untrimmed.recipe import read_recipe

    groups = examine(read_recipe(recipe, overrides or []), recipe.parent, decode=decode)
    if json:
        write_json(json, tree(groups))
    for line in lines(groups, everything):
        print(line)
    print(f"{recipe}: {summary(groups)}")
    if has_error(groups):
        raise typer.Exit(2)


def _show(begun: "Begun") -> None:
    from untrimmed.project.dataset_statistics import class_rows, histogram

    found, split = begun.found, begun.split
    seconds = sum(timeline.duration for timeline in found.timelines.values())
    print(f"{len(found.timelines):,} videos of {seconds / 60:,.1f} minutes; annotations: {found.annotations}")
    print("\nactions by length")
    for line in histogram([action.length for action in found.actions]):
        print(f"  {line}")
    print()
    header = ("class", "actions", "videos", "train", "test", "median s")
    rows = [(*row[:-1], f"{row.median:.2g}") for row in class_rows(found.timelines, split)]
    show_table("", header, rows)
    print()
    show_notes(list(begun.notes))
    numbers = begun.proposal
    print(
        f"proposed: {numbers.fps:g} snippets a second, windows of {numbers.length} snippets "
        f"({numbers.length / numbers.fps:.3g} s), {numbers.levels} levels, {numbers.steps:,} steps"
    )
    print(f"written: {begun.recipe}, {begun.annotations}\n\nnext")
    for line in begun.commands:
        print(f"  {line}")
