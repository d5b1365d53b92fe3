"""The whole story on videos that it renders itself."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import JsonOut, Overrides, Quiet, app, command
from untrimmed.cli.printing import progress_bar, show_scores, write_numbers


@command(app, resumes=True)
def demo(
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder for videos, features, detector and report.")] = Path("runs/demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and extract.")] = 2,
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Render small videos, learn from two thirds of them, find the actions in the rest, and show it.

    Example: `untrimmed demo --out runs/demo`
    """
    from untrimmed.demo.pipeline import run_demo

    with progress_bar(quiet) as progress:
        result = run_demo(out, overrides or [], workers=workers, progress=progress)
    write_numbers(json, result.scores.to_json())
    show_scores(result.scores)
    print(f"report: {result.report}")
