"""The application, what its commands share: options of one meaning, and how a command ends."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from untrimmed import __version__
from untrimmed.cli.printing import divert_tables
from untrimmed.io import BadInput

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings=HELP,
    help="Find every action in long videos: when it starts, when it ends, what it is, how sure we are.",
)

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars and no notes.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1; auto takes a GPU where there is one.")]
JsonOut = Annotated[
    Path | None,
    typer.Option(
        "--json", help="Write the numbers to this file too; - prints them alone, the rest on standard error."
    ),
]
Subset = Annotated[str | None, typer.Option(help="Judge these videos only, as the truth calls them.")]
Tious = Annotated[str | None, typer.Option(help="Other thresholds: 0.5 or 0.3,0.5 or 0.3:0.7:0.1.")]
VideoList = Annotated[Path | None, typer.Option(help="Judge only the videos in this file, one a line.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Settings over the recipe's: train.steps=500")]
Weights = Annotated[
    list[Path] | None, typer.Option(help="A published backbone's weights; one for each backbone, in their order.")
]


def command(group: typer.Typer, *, hidden: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command of the group, with `--quiet` and `-h`.

    Bad input becomes one sentence and exit code 2, an interruption code 130. What the library logs is printed as
    notes, unless quiet.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function)
        takes_quiet = "quiet" in signature.parameters

        @functools.wraps(function)
        def guarded(*args: Any, quiet: bool = False, **kwargs: Any) -> None:
            if takes_quiet:
                kwargs["quiet"] = quiet
            try:
                with divert_tables(kwargs.get("json")), _print_notes(quiet):
                    function(*args, **kwargs)
            except (BadInput, FloatingPointError) as error:
                print(f"untrimmed: {error}", file=sys.stderr)
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                print("untrimmed: interrupted; the same command goes on from here", file=sys.stderr)
                raise typer.Exit(130) from None

        if not takes_quiet:
            option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
            guarded.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # pyright: ignore[reportAttributeAccessIssue]
            guarded.__annotations__ = {**function.__annotations__, "quiet": Quiet}
        return group.command(context_settings=HELP, hidden=hidden)(guarded)

    return register


class _Notes(logging.Handler):
    """Prints what is logged as lines of the command's output."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"note: {record.getMessage()}")


@contextmanager
def _print_notes(quiet: bool) -> Iterator[None]:
    logger, handler = logging.getLogger("untrimmed"), _Notes(logging.INFO)
    level = logger.level
    logger.setLevel(logging.CRITICAL if quiet else logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Find every action in long videos: when it starts, when it ends, what it is, how sure we are."""
    if version:
        print(f"untrimmed {__version__}")
        raise typer.Exit
