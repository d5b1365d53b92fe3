"""What is wrong with this machine, or with a data set."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import JsonOut, Overrides, app, command
from untrimmed.cli.printing import show_notes, write_numbers


@command(app)
def doctor(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            help="A recipe, proposed by `untrimmed init` or any other; or a folder with one, or with what `init` "
            "proposes one from [default: look at this machine]."
        ),
    ] = None,
    overrides: Overrides = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all findings, not five of each kind.")] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every video to its end: minutes to hours.")
    ] = False,
    json: JsonOut = None,
) -> None:
    """Check this machine, or the data set of a recipe: videos, annotations, labels, features, splits, windows.

    Exit code 2 where commands cannot run, or the data set has an error.

    Example: `untrimmed doctor dataset.toml --all`
    """
    if recipe is None:
        _report_machine(json)
        return
    from untrimmed.project.doctor import check_dataset, check_folder
    from untrimmed.project.findings import count_severities, findings_to_json, format_findings, summarize_findings
    from untrimmed.recipe import read_recipe

    if recipe.is_dir():
        checked = check_folder(recipe, overrides or [], decode=decode)
        groups = checked.groups
        proposed = "no recipe is there; what `untrimmed init` proposes was checked, and nothing written"
        show_notes(checked.notes if checked.recipe else (*checked.notes, proposed))
    else:
        groups = check_dataset(read_recipe(recipe, overrides or []), recipe.parent, decode=decode)
    write_numbers(json, findings_to_json(groups))
    print("\n".join([*format_findings(groups, everything), f"{recipe}: {summarize_findings(groups)}"]))
    if count_severities(groups)["error"]:
        raise typer.Exit(2)


@command(app, hidden=True)
def checks(json: JsonOut = None) -> None:
    """Check this machine, as `untrimmed doctor` does.

    Example: `untrimmed checks --json checks.json`
    """
    _report_machine(json)


def _report_machine(json: Path | None) -> None:
    from untrimmed.project.machine import check_machine, format_checks, has_required

    checks = check_machine()
    write_numbers(json, [check._asdict() for check in checks])
    print("\n".join(format_checks(checks)))
    if not has_required(checks):
        raise typer.Exit(2)
