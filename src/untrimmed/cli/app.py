"""The application, what its commands share: options of one meaning, and how a command ends."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from untrimmed import __version__
from untrimmed.io import BadInput

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Find every action in long videos: when it starts, when it ends, what it is, how sure we are.",
)

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1; auto takes a GPU where there is one.")]
JsonOut = Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file too.")]
Subset = Annotated[str | None, typer.Option(help="Judge these videos only, as the truth calls them.")]
Tious = Annotated[str | None, typer.Option(help="Other thresholds: 0.5 or 0.3,0.5 or 0.3:0.7:0.1.")]
VideoList = Annotated[Path | None, typer.Option(help="Judge only the videos in this file, one a line.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Settings over the recipe's: train.steps=500")]


Weights = Annotated[
    list[Path] | None, typer.Option(help="A published backbone's weights; one for each backbone, in their order.")
]


def command(group: typer.Typer) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command of the group; bad input becomes one sentence and exit code 2, an interruption code 130."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (BadInput, FloatingPointError) as error:
                print(f"untrimmed: {error}", file=sys.stderr)
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                print("untrimmed: interrupted; the same command goes on from here", file=sys.stderr)
                raise typer.Exit(130) from None

        return group.command()(guarded)

    return register


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Find every action in long videos: when it starts, when it ends, what it is, how sure we are."""
    if version:
        print(f"untrimmed {__version__}")
        raise typer.Exit
