"""What the report of a machine says: what is there, what is not, and how to get it."""

import json
import sys

import pytest
from typer.testing import CliRunner

from untrimmed.cli import app
from untrimmed.project import machine as checks
from untrimmed.project.machine import Check, all_checks, extras, guarded, lines, numba_cache, package, passed


def named(found):
    return {check.name: check for check in found}


def test_this_machine_has_what_is_required():
    found = named(all_checks())
    assert passed(list(found.values()))
    assert found["reads video"].ok and found["backbone weights"].ok and found["decodes h264"].required
    assert sys.version.split()[0] == found["python"].found
    assert all(check.remedy for check in found.values() if not check.ok and check.name != "bfloat16 instructions")


def test_a_package_that_is_broken_is_a_line_and_not_the_end(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    found = package("opencv", "cv2")
    assert not found.ok and not passed([found])
    assert "--force-reinstall opencv-python-headless" in found.remedy
    assert lines([found])[0].startswith("MISSING  opencv  ")


def test_what_is_not_required_may_be_missing():
    absent = Check("gpu", False, "none", "buy one")
    assert passed([absent])
    assert lines([absent, Check("x", True, "here", "unsaid")]) == [
        "missing  gpu  none; buy one",
        "ok       x    here",
    ]
    assert guarded("gpu", lambda: 1 / 0, "mend it", required=True) == Check(
        "gpu", False, "division by zero", "mend it", True
    )


def test_extras_are_those_of_the_package_with_the_command_that_installs_them(monkeypatch):
    wanted = [
        "torch>=2.4",
        "numpy>=1; extra == 'export'",
        "no-such-package>=1; extra == 'export'",
        "ruff; extra=='dev'",
    ]
    monkeypatch.setattr(checks.metadata, "requires", lambda _: [*wanted, 'numpy ; extra == "other"'])
    first, second = extras()
    assert (first.name, first.ok, first.found) == ("extra export", False, "no-such-package not installed")
    assert first.remedy == "pip install 'untrimmed[export]'" and not first.required
    assert second.name == "extra other" and second.ok and second.found.startswith("numpy ")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_a_codec_that_ffmpeg_lacks_is_missing(codec, monkeypatch):
    assert checks.decoder(codec).ok
    monkeypatch.setattr(checks, "_codec", lambda *_: None)
    found = checks.decoder(codec)
    assert not found.ok and "convert such videos" in found.remedy


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    assert numba_cache().ok
    monkeypatch.setattr(checks.os, "access", lambda *_: False)
    found = numba_cache()
    assert not found.ok and "NUMBA_CACHE_DIR" in found.remedy
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert not checks.torch_cache().ok
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "new" / "cache"))
    assert checks.torch_cache().ok and not (tmp_path / "new").exists()


def test_the_command_tells_and_ends_by_what_is_required(tmp_path, monkeypatch):
    good, bad = Check("a", True, "1", required=True), Check("b", False, "none", "get b", True)
    for found, code in (([good], 0), ([good, bad], 2)):
        monkeypatch.setattr(checks, "all_checks", lambda found=found: found)
        done = CliRunner().invoke(app, ["checks", "--json", str(tmp_path / "c.json")])
        assert done.exit_code == code
        assert done.output.splitlines() == lines(found)
        assert [row["name"] for row in json.loads((tmp_path / "c.json").read_text())] == [c.name for c in found]
    done = CliRunner().invoke(app, ["checks", "--json", str(tmp_path)])
    assert done.exit_code == 2 and "is a folder, not a file" in done.stderr
