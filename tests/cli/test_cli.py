"""The commands' manners: help with an example, exit codes, and quick starts."""

import subprocess
import sys

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


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert f"untrimmed {' '.join(words)} " in " ".join(done.output.split())


def test_the_version_is_the_package_s():
    assert CliRunner().invoke(app, ["--version"]).output == f"untrimmed {untrimmed.__version__}\n"


def test_an_interruption_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "describe_recipe", interrupted)
    (tmp_path / "r.toml").write_text("")
    done = CliRunner().invoke(app, ["describe", str(tmp_path / "r.toml")])
    assert done.exit_code == 130
    assert done.stderr == "untrimmed: interrupted; the same command goes on from here\n"


def test_our_own_faults_are_not_dressed_up_as_bad_input(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "describe_recipe", lambda *_: {}["missing"])
    (tmp_path / "r.toml").write_text("")
    done = CliRunner().invoke(app, ["describe", str(tmp_path / "r.toml")])
    assert done.exit_code == 1
    assert isinstance(done.exception, KeyError)


def test_the_commands_start_without_torch():
    code = "import sys, untrimmed.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def interrupted(*_):
    raise KeyboardInterrupt
