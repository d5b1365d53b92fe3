"""The command of a study: `python -m papers.ctcn --table 1`."""

from pathlib import Path
from typing import Annotated

import typer

from papers.study import Study
from untrimmed.cli.app import Device, Quiet, command
from untrimmed.cli.printing import progress_bar


def run_command(study: Study) -> None:
    """Run a study as the words on the command line say."""
    application = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    default_page = Path(f"docs/studies/{study.name}.md")

    def run_tables(
        table: Annotated[list[str], typer.Option(help=f"{', '.join(study.names)}; may be given several times.")],
        data: Annotated[str, typer.Option(help=f"{' or '.join(study.data)}.")] = next(iter(study.data)),
        seeds: Annotated[int, typer.Option(min=1, help="Trainings of each row, from so many seeds.")] = 1,
        scale: Annotated[
            str, typer.Option(help="small: minutes of a core a row; full: the paper's network.")
        ] = "small",
        out: Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/NAME_DATA_SCALE].")] = None,
        page: Annotated[Path, typer.Option(help="The page to write a section of.")] = default_page,
        device: Device = "auto",
        quiet: Quiet = False,
    ) -> None:
        with progress_bar(quiet) as progress:
            section = study.run(table, data, scale, seeds, out, page, device=device, progress=progress)
        print(section)

    run_tables.__doc__ = (
        "Train the rows of the paper's tables on other data, and say which of its claims hold there.\n\n"
        f"Example: `python -m papers.{study.name} --table {study.names[0]} --seeds 3`"
    )
    command(application)(run_tables)
    application()
