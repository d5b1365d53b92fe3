"""What the README says is so: its commands exist, its recipe is valid, its Python runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from untrimmed.cli import app
from untrimmed.recipe import read_recipe

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^untrimmed .*$", README, re.M)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_readme_parses(line):
    words = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app)
    context = command.make_context("untrimmed", list(words), resilient_parsing=False)
    name, inner, rest = command.resolve_command(context, context._protected_args + context.args)
    assert name == words[0]
    inner.make_context(name, rest, parent=context)


def test_the_recipe_of_the_readme_is_valid(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    (tmp_path / "recipe.toml").write_text(text)
    recipe = read_recipe(tmp_path / "recipe.toml")
    assert recipe.model.build(4, 2).anchor_count > 0


def test_every_path_of_the_file_map_exists():
    root = Path(__file__).parent.parent
    table = README[README.index("## Where things are") :]
    for line in table.splitlines():
        names = re.findall(r"`([\w/.]+)`", line)
        # A path is from the project, from the package, or from the folder that its row is about.
        places = (root, root / "src/untrimmed", *(root / name for name in names[:1]))
        for name in names:
            assert any((place / name).exists() for place in places), name
    for link in re.findall(r"\]\(([^)]+)\)", README):
        page, _, heading = link.partition("#")
        assert (root / page).exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", (root / page).read_text(), re.M)
            assert heading in [re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings], link
