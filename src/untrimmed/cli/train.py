"""Train a detector from a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import Device, JsonOut, Overrides, Quiet, app, command
from untrimmed.cli.printing import progress_bar, show_scores, write_numbers


@command(app, resumes=True)
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [default: runs/NAME OF THE RECIPE].")] = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Train a detector; killed and started again, it goes on where it was.

    Example: `untrimmed train recipes/salads50_ctcn.toml train.steps=800 --out runs/salads50`
    """
    from untrimmed.training.loop import train as run_training

    folder = out or Path("runs") / recipe.stem
    with progress_bar(quiet) as progress:
        trained = run_training(recipe, folder, overrides=overrides or [], device=device, progress=progress)
    scores = trained.scores.to_json() if trained.scores else None
    write_numbers(json, {"detector": str(trained.detector_path), "scores": scores})
    if trained.scores:
        show_scores(trained.scores)
    # Of several processes, the first alone has written it.
    if trained.detector_path:
        print(f"detector: {trained.detector_path}")
