"""What the report of a machine says: what is there, what is not, and how to get it."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from untrimmed.cli import app
from untrimmed.project import machine
from untrimmed.project.machine import (
    Check,
    check_decoder,
    check_extras,
    check_machine,
    check_numba_cache,
    check_package,
    check_torch_cache,
    format_checks,
    guard,
    has_required,
)


def test_no_check_raises_and_this_machine_has_what_is_required(monkeypatch):
    # A check that raises here is a fault of its own, not of the machine.
    monkeypatch.setattr(machine, "guard", lambda name, look, *_, **__: look())
    checks = {check.name: check for check in check_machine()}
    assert has_required(list(checks.values()))
    assert checks["reads video"].ok and checks["backbone weights"].ok and checks["decodes h264"].required
    assert sys.version.split()[0] == checks["python"].found
    assert all(check.remedy for check in checks.values() if not check.ok)


@pytest.mark.parametrize(("has", "words"), [(True, "yes"), (False, "none: training on this processor is in float32")])
def test_bfloat16_is_told_as_training_uses_it(has, words, monkeypatch):
    monkeypatch.setattr("untrimmed.models.device.uses_bfloat16", lambda kind, precision: has)
    check = machine.check_bfloat16()
    assert (check.ok, check.found) == (has, words)
    assert bool(check.remedy) is not has


def test_a_package_that_is_broken_is_a_line_and_not_the_end(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    check = check_package("opencv", "cv2")
    assert not check.ok and not has_required([check])
    assert "--force-reinstall opencv-python-headless" in check.remedy
    assert format_checks([check])[0].startswith("MISSING  opencv  ")


def test_what_is_not_required_may_be_missing():
    absent = Check("gpu", False, "none", "buy one")
    assert has_required([absent])
    assert format_checks([absent, Check("x", True, "here", "unsaid")]) == [
        "missing  gpu  none; buy one",
        "ok       x    here",
    ]
    assert guard("gpu", lambda: 1 / 0, "fix it", required=True) == Check(
        "gpu", False, "division by zero", "fix it", True
    )


def test_extras_are_those_of_the_package_with_the_command_that_installs_them(monkeypatch):
    requirements = [
        "torch>=2.4",
        "numpy>=1; extra == 'export'",
        "no-such-package>=1; extra == 'export'",
        "ruff; extra=='dev'",
        'numpy ; extra == "other"',
    ]
    monkeypatch.setattr(machine.metadata, "requires", lambda _: requirements)
    first, second = check_extras()
    assert (first.name, first.ok, first.found) == ("extra export", False, "no-such-package not installed")
    assert first.remedy == "pip install 'untrimmed[export]'" and not first.required
    assert second.name == "extra other" and second.ok and second.found.startswith("numpy ")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_a_codec_that_ffmpeg_lacks_is_missing(codec, monkeypatch):
    assert check_decoder(codec).ok
    monkeypatch.setattr(machine, "has_codec", lambda *_: False)
    check = check_decoder(codec)
    assert not check.ok and "convert such videos" in check.remedy


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    assert check_numba_cache().ok
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    check = check_numba_cache()
    assert not check.ok and "NUMBA_CACHE_DIR" in check.remedy
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert not check_torch_cache().ok
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "new" / "cache"))
    assert check_torch_cache().ok and not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["doctor", "checks"])
def test_the_command_prints_the_report_and_ends_by_what_is_required(command, tmp_path, monkeypatch):
    good, bad = Check("a", True, "1", required=True), Check("b", False, "none", "get b", True)
    for checks, code in (([good], 0), ([good, bad], 2)):
        monkeypatch.setattr(machine, "check_machine", lambda checks=checks: checks)
        result = CliRunner().invoke(app, [command, "--json", str(tmp_path / "c.json")])
        assert result.exit_code == code
        assert result.output.splitlines() == format_checks(checks)
        rows = json.loads(Path(tmp_path / "c.json").read_text())
        assert [row["name"] for row in rows] == [check.name for check in checks]
        printed = CliRunner().invoke(app, [command, "--json", "-"])
        assert (printed.exit_code, json.loads(printed.stdout)) == (code, rows)
    result = CliRunner().invoke(app, [command, "--json", str(tmp_path)])
    assert result.exit_code == 2 and "is a folder, not a file" in result.stderr
