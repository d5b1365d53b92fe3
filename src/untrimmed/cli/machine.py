"""What this machine has: checks."""

import typer

from untrimmed.cli.app import JsonOut, app, command


@command(app)
def checks(json: JsonOut = None) -> None:
    """Say what of all that the commands need is here, and how to get what is not; exit code 2 where they cannot run.

    Example: `untrimmed checks --json checks.json`
    """
    from untrimmed.io import write_json
    from untrimmed.project.machine import all_checks, lines, passed

    found = all_checks()
    if json:
        write_json(json, [check._asdict() for check in found])
    for line in lines(found):
        print(line)
    if not passed(found):
        raise typer.Exit(2)
