"""Train a detector from a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import Device, Overrides, Quiet, app, command
from untrimmed.cli.printing import show_scores


@command(app)
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [default: runs/NAME OF THE RECIPE].")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a detector; killed and started again, it goes on where it was.

    Example: `untrimmed train recipes/salads50_ctcn.toml train.steps=800 --out runs/salads50`
    """
    from untrimmed.recipe import read_recipe
    from untrimmed.training.checkpoint import DETECTOR
    from untrimmed.training.loop import train as run_training

    folder = out or Path("runs") / recipe.stem
    trained = run_training(read_recipe(recipe, overrides or []), folder, device=device, quiet=quiet)
    if not trained.results:
        return  # one of several processes; the first one speaks
    if trained.scores:
        show_scores(trained.scores)
    print(f"detector: {folder / DETECTOR}")
