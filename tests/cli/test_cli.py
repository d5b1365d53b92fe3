"""The commands' manners: help with an example, exit codes, and quick starts."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import untrimmed
from untrimmed.cli import app
from untrimmed.detection import describe

COMMANDS = [
    (name, *inner)
    for name, command in get_command(app).commands.items()
    for inner in ([(name,) for name in command.commands] if hasattr(command, "commands") else [()])
]
RECIPES = Path(__file__).parents[2] / "recipes"


def command_of(words: tuple[str, ...]) -> Any:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    return command


WITHOUT_NUMBERS = {("view",), ("kernels",), ("review",), ("export",), ("stream",)}
"""They write pages, pictures, networks, or lines of JSON as they go."""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_an_example(words, option):
    done = CliRunner().invoke(app, [*words, option])
    assert done.exit_code == 0
    assert f"untrimmed {' '.join(words)}" in " ".join(done.output.split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_may_be_quiet_and_gives_its_numbers_as_json(words):
    options = {option for parameter in command_of(words).params for option in parameter.opts}
    assert "--quiet" in options
    assert ("--json" in options) == (words not in WITHOUT_NUMBERS)


def test_json_for_standard_output_is_all_that_is_there():
    words = ["describe", str(RECIPES / "salads50_ctcn.toml"), "--channels", "8", "--classes", "3"]
    done = CliRunner().invoke(app, [*words, "--json", "-"])
    assert json.loads(done.stdout)["classes"] == 3
    assert "anchors" in done.stderr


def test_notes_are_printed_unless_quiet():
    words = ["describe", str(RECIPES / "salads50_ctcn.toml"), "--channels", "8", "--classes", "3"]
    for option, prints in (([], True), (["--quiet"], False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                describe, "describe_recipe", lambda *_: logging.getLogger("untrimmed.x").info("a note") or {}
            )
            assert ("note: a note" in CliRunner().invoke(app, [*words, *option]).output) == prints


def test_the_version_is_the_package_s():
    assert CliRunner().invoke(app, ["--version"]).output == f"untrimmed {untrimmed.__version__}\n"


def test_an_interruption_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "describe_recipe", interrupted)
    (tmp_path / "r.toml").write_text("[train]\n")
    done = CliRunner().invoke(app, ["describe", str(tmp_path / "r.toml")])
    assert done.exit_code == 130
    sentence = "interrupted; no file is left half written; `untrimmed describe"
    assert done.stderr == f"untrimmed: {sentence} {tmp_path / 'r.toml'}` begins again\n"


def test_our_own_faults_are_not_dressed_up_as_bad_input(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "describe_recipe", lambda *_: {}["missing"])
    (tmp_path / "r.toml").write_text("[train]\n")
    done = CliRunner().invoke(app, ["describe", str(tmp_path / "r.toml")])
    assert done.exit_code == 1
    assert isinstance(done.exception, KeyError)


def test_the_commands_start_without_torch():
    code = "import sys, untrimmed.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def interrupted(*_):
    raise KeyboardInterrupt
