"""What a recipe builds, or what a detector learned from: describe."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import JsonOut, Overrides, app, command
from untrimmed.cli.printing import format_number, show_table, write_numbers
from untrimmed.io import BadInput


@command(app)
def describe(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/, or a detector file.")],
    overrides: Overrides = None,
    channels: Annotated[int | None, typer.Option(help="Width of the features, without opening the data.")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes, without opening the data.")] = None,
    json: JsonOut = None,
) -> None:
    """Say what a recipe builds: parameters, multiply-adds, anchors, levels; or what a detector learned from.

    Example: `untrimmed describe recipes/thumos14_ctcn.toml --channels 2048 --classes 20 --json -`
    """
    from untrimmed.detection.describe import (
        SUFFIXES,
        describe_header,
        describe_recipe,
        header_to_json,
        read_any_header,
    )
    from untrimmed.recipe import read_recipe

    if recipe.suffix in SUFFIXES:
        if overrides or channels or classes:
            raise BadInput(f"{recipe}: a detector is described as it is; leave the settings out")
        header = read_any_header(recipe)
        write_numbers(json, header_to_json(header))
        for name, value in describe_header(header):
            print(f"{name:<18} {value}")
        return
    built = describe_recipe(read_recipe(recipe, overrides or []), channels, classes)
    write_numbers(json, built)
    show_table("", ["", ""], [[name, format_number(value)] for name, value in built.items()])
