"""The application, what its commands share: options of one meaning, and how a command ends."""

import functools
import inspect
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from untrimmed import __version__
from untrimmed.cli.printing import divert_tables, open_output
from untrimmed.io import BadInput, check_writable, describe_system_fault

HELP = {"help_option_names": ["-h", "--help"]}
_WORDS: ContextVar[Sequence[str]] = ContextVar("what was typed after the program's name")


class _Commands(TyperGroup):
    """All commands: whatever one of them prints, help too, meets the same output."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        _WORDS.set(sys.argv[1:] if args is None else list(args))
        with open_output():
            try:
                try:
                    return super().main(args, *rest, **options)
                finally:
                    if sys.stdout:  # none where it was closed before
                        sys.stdout.flush()
            except BadInput as error:  # of the flush
                print(f"untrimmed: {error}", file=sys.stderr)
                sys.exit(2)


app = typer.Typer(
    cls=_Commands,
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
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SETTING", help="Of suppression, over the detector's: suppress.keep=500."),
]
DETECTOR_ENDINGS = (".safetensors", ".onnx")
"""Of the files of detectors."""
RawScores = Annotated[
    bool, typer.Option("--raw-scores", help="Scores as suppression leaves them, not calibrated.", show_default=False)
]
Unit = Annotated[
    str | None,
    typer.Option(help="Of times whose unit the file leaves open: s, ms, us, frames (with --fps) or share (0 to 1)."),
]
SpanTable = Annotated[
    Path | None,
    typer.Option("--annotated", help="A table of what was annotated, video,start,end in s: the rest does not count."),
]
LabelColumns = Annotated[
    str | None,
    typer.Option("--label", metavar="COLUMNS", help="The label's column in a table; several as in verb+noun."),
]
Tiers = Annotated[
    list[str] | None,
    typer.Option("--tier", help="A tier to read, or an observation, a channel, a column; may be repeated."),
]
Runtime = Annotated[
    Literal["torch", "onnx"] | None,
    typer.Option(help="What runs the network [default: onnx for an .onnx file, else torch].", show_default=False),
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    typer.Option(help="Of the network; auto is bfloat16 where the processor is made for it, and faster there."),
]
Weights = Annotated[
    list[Path] | None, typer.Option(help="A published backbone's weights; one for each backbone, in their order.")
]


def command(
    group: typer.Typer, *, hidden: bool = False, resumes: bool | str = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command of the group, with `--quiet` and `-h`; one that `resumes` goes on where it was stopped.

    It may do so with an option only, which `resumes` then names.

    Bad input and what the system refuses become one sentence and exit code 2, an interruption, SIGTERM too, code 130.
    What the library logs is printed as notes, unless quiet.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function)
        takes_quiet = "quiet" in signature.parameters

        @functools.wraps(function)
        def guarded(*args: Any, quiet: bool = False, **kwargs: Any) -> None:
            if takes_quiet:
                kwargs["quiet"] = quiet
            goes_on = kwargs.get(resumes) is not None if isinstance(resumes, str) else resumes
            with _end_in_a_sentence(goes_on):
                _try_outputs(kwargs)
                with divert_tables(kwargs.get("json")), _print_notes(quiet):
                    function(*args, **kwargs)

        if not takes_quiet:
            option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
            guarded.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # pyright: ignore[reportAttributeAccessIssue]
            guarded.__annotations__ = {**function.__annotations__, "quiet": Quiet}
        return group.command(context_settings=HELP, hidden=hidden)(guarded)

    return register


@contextmanager
def _end_in_a_sentence(resumes: bool) -> Iterator[None]:
    """Turn what stops a command, except our own faults, into a sentence on standard error and an exit code."""
    try:
        with _interrupt_on_sigterm():
            yield
    except (BadInput, FloatingPointError) as error:
        _exit(str(error), 2)
    except KeyboardInterrupt as stop:
        words = str(stop) or "interrupted"
        onward = "{} goes on from here" if resumes else "no file is left half written; {} begins again"
        _exit(f"{words}; {onward.format(_quote_command())}", 130)
    except Exception as error:
        if (sentence := describe_system_fault(error)) is None:
            raise
        _exit(sentence, 2)


def _exit(sentence: str, code: int) -> NoReturn:
    print(f"untrimmed: {sentence}", file=sys.stderr)
    raise typer.Exit(code) from None


@contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, which ends a job on a cluster or in a container, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _try_outputs(arguments: Mapping[str, Any]) -> None:
    """Refuse places that cannot be written before the work for them is done."""
    for name in ("json", "html", "out"):
        path = arguments.get(name)
        if not isinstance(path, Path) or str(path) == "-":
            continue
        if name != "out" and path.is_dir():  # `out` may be a folder to fill
            raise BadInput(f"{path}: is a folder, not a file; choose another place")
        check_writable(path)


def _quote_command() -> str:
    """Quote the command that runs, to be copied; one of several processes was not typed as it stands."""
    alone = int(os.environ.get("WORLD_SIZE", 1)) == 1
    return f"`{shlex.join(['untrimmed', *_WORDS.get()])}`" if alone else "the same command"


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
