"""What the system refuses: a full disk, no rights, an encoding, a closed pipe, SIGTERM; never a traceback."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import own_folder
import synthetic
from untrimmed.annotations.formats.activitynet import write_activitynet, write_activitynet_results
from untrimmed.cli import app
from untrimmed.cli.printing import show_table
from untrimmed.detection.detector import Detector
from untrimmed.io import BadInput, check_writable, name_disk_faults, whole, write_text
from untrimmed.recipe import write_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.loop import train

LABEL = "走る"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONUTF8": "0", "LC_ALL": "C"},
]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full by then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Annotations, features, a detector and its detections, of 40 videos in another script."""
    folder = tmp_path_factory.mktemp("work")
    recipe = synthetic.recipe_for(synthetic.write_dataset(folder / "data"), train={"steps": 2})
    write_recipe(folder / "recipe.toml", recipe)
    train(recipe, folder / "run")
    timelines = {f"v{n}": Timeline(60.0, (Action(1.0, 9.0, LABEL, 0.5),)) for n in range(40)}
    write_activitynet(folder / "truth.json", timelines, dict.fromkeys(timelines, "validation"))
    write_activitynet_results(folder / "results.json", timelines)
    for name in ("a", "b"):
        own_folder.video(folder / "clips" / f"{name}.mp4", 8)
    rows = [(f"{name}.mp4", n, n + 0.5, LABEL) for name in ("a", "b") for n in range(6)]
    own_folder.csv(folder / "clips" / "labels.csv", rows)
    write_activitynet_results(folder / "clips.json", {"a": timelines["v0"]})
    return folder


WRITING = {
    "evaluate --json": "evaluate truth.json results.json --json OUT/scores.json",
    "evaluate --html": "evaluate truth.json results.json --html OUT/scores.html",
    "convert": "convert truth.json OUT/annotations.json",
    "convert csv": "convert truth.json OUT/annotations.csv",
    "convert boris": "convert truth.json OUT/project.boris",
    "convert elan": "convert truth.json OUT/elan --to elan",
    "convert srt": "convert truth.json OUT/subtitles --to srt",
    "convert thumos": "convert truth.json OUT/thumos --to thumos",
    "view": "view results.json --truth truth.json --out OUT/page.html --no-stills",
    "detect json": "detect run/detector.safetensors data/features --out OUT/found.json",
    "detect csv": "detect run/detector.safetensors data/features --out OUT/found.csv",
    "detect each": "detect run/detector.safetensors data/features --out OUT/{video}.json",
    "tune": "tune run/detector.safetensors recipe.toml --out OUT/tuned.safetensors",
    "export": "export run/detector.safetensors --out OUT/network.pt2",
    "train": "train recipe.toml --out OUT/run",
    "study folds": "study folds recipe.toml --out OUT/folds",
    "extract": "extract clips --out OUT/features --no-flow --device cpu",
    "init": "init clips --out OUT/dataset.toml",
    "describe": "describe run/detector.safetensors --json OUT/described.json",
    "review": "review clips.json --videos clips --out OUT/corrected.json --no-browser",
}


def run(words: str, out: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words.replace("OUT", str(out)).split(), "--quiet"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stderr


@pytest.mark.parametrize("name", WRITING)
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(work, tmp_path, monkeypatch, name):
    monkeypatch.chdir(work)
    place = WRITING[name].split("OUT/")[1].split()[0]
    old = tmp_path / place
    if Path(place).suffix and "{" not in place and name != "init" and name != "review":
        old.write_text("what was there")
    if name.startswith(("evaluate", "tune")):  # what is compiled is written, too, the first time
        (tmp_path / "first").mkdir()
        run(WRITING[name], tmp_path / "first")
    with full_disk(20):
        code, errors = run(WRITING[name], tmp_path)
    assert code == 2
    assert errors.startswith(f"untrimmed: {tmp_path}") and "File too large" in errors
    assert len([line for line in errors.splitlines() if line.startswith("untrimmed: ")]) == 1
    assert "Traceback" not in errors
    assert not old.is_file() or old.read_text() == "what was there"
    left_over = [file.name for file in tmp_path.rglob(".*") if file.name != ".lock"]
    assert left_over == []


@pytest.mark.parametrize("name", WRITING)
def test_a_place_that_cannot_be_written_is_said_before_the_work(work, tmp_path, monkeypatch, name):
    monkeypatch.chdir(work)
    (tmp_path / "file").write_text("in the way")
    for module in ("untrimmed.detection.detector.Detector.detect_all", "untrimmed.training.loop.build_model"):
        monkeypatch.setattr(module, lambda *_, **__: pytest.fail("it worked for nothing"))
    code, errors = run(WRITING[name], tmp_path / "file")
    assert code == 2
    assert "file" in errors and "cannot be written (Not a directory)" in errors


@pytest.mark.parametrize("environment", ENCODINGS, ids=lambda e: next(iter(e.values())))
@pytest.mark.parametrize(
    "words", [WRITING["evaluate --json"], WRITING["convert csv"], "evaluate truth.json results.json --json -"]
)
def test_labels_in_another_script_are_printed_in_any_encoding(work, tmp_path, words, environment):
    command = [sys.executable, "-m", "untrimmed.cli", *words.replace("OUT", str(tmp_path)).split()]
    done = subprocess.run(command, cwd=work, env={**ENVIRONMENT, **environment}, capture_output=True)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    if words.endswith("-"):
        assert json.loads(done.stdout)["average_map"] == 1
    elif "evaluate" in words:
        assert b"\\u8d70\\u308b" in done.stdout


def test_columns_stay_straight_where_a_label_is_escaped():
    code = (
        "from untrimmed.cli.printing import show_table, open_output\n"
        f"with open_output(): show_table('', ('label', 'n'), [({LABEL!r}, 1), ('a', 2)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**ENVIRONMENT, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert len({len(line.rstrip()) for line in lines if line.rstrip().endswith(("1", "2"))}) == 1


def test_labels_that_look_like_markup_are_printed_as_they_are(capsys):
    show_table("", ("label", "n"), [("[bold]jump[/x]", 1)])
    assert "[bold]jump[/x]" in capsys.readouterr().out


def run_words(words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        f"{sys.executable} -m untrimmed.cli {words}",
        shell=True,
        executable="/bin/bash",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        **options,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "words", ["evaluate truth.json results.json", "evaluate truth.json results.json --json -", "--help"]
)
def test_standard_output_that_is_full_is_one_sentence(work, words):
    done = run_words(f"{words} > /dev/full", cwd=work)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "untrimmed: standard output: cannot be written (No space left on device); print somewhere else"
    )
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet_and_the_work_is_done(work, tmp_path):
    done = run_words(
        f"evaluate truth.json results.json --json - --html {tmp_path}/page.html 2>{tmp_path}/errors | true; "
        "echo ${PIPESTATUS[0]}",
        cwd=work,
    )
    assert done.stdout == "0\n" and (tmp_path / "page.html").exists()
    assert "Traceback" not in (tmp_path / "errors").read_text()
    assert "Broken" not in (tmp_path / "errors").read_text()


def test_sigterm_ends_a_command_like_ctrl_c(work, tmp_path, monkeypatch):
    monkeypatch.chdir(work)
    monkeypatch.setattr(Detector, "detect_all", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    code, errors = run(WRITING["detect json"], tmp_path)
    command = WRITING["detect json"].replace("OUT", str(tmp_path))
    assert code == 130
    assert errors == f"untrimmed: interrupted; `untrimmed {command} --quiet` goes on from here\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_the_system_refuses_elsewhere_is_one_sentence_too(work, monkeypatch):
    monkeypatch.chdir(work)

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/cache")

    monkeypatch.setattr(Detector, "detect_all", refuse)
    code, errors = run("detect run/detector.safetensors data/features", work)
    assert code == 2
    assert errors.startswith("untrimmed: /somewhere/cache: cannot be read or written (No space left on device)")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("rust", [False, True])
def test_whole_names_the_file_and_keeps_the_old_one(tmp_path, number, rust):
    file = tmp_path / "weights.safetensors"
    file.write_text("old")
    error = RuntimeError(f"I/O error: reason (os error {number})") if rust else OSError(number, "reason")
    sentence = rf"weights\.safetensors: cannot be written \({os.strerror(number)}\)"
    with pytest.raises(BadInput, match=sentence), whole(file) as temporary:
        temporary.write_text("ne")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == [file.name] and file.read_text() == "old"


def test_an_array_that_the_disk_does_not_take_in_whole_is_one_sentence(tmp_path):
    sentence = r"a\.npy: cannot be written \(No space left"
    with (
        pytest.raises(BadInput, match=sentence) as refusal,
        whole(tmp_path / "a.npy") as temporary,
        full_disk(4096),
        temporary.open("wb") as stream,
    ):
        np.save(stream, np.zeros(10_000))
    assert "\n" not in str(refusal.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_detections_are_written_through_a_link_and_into_a_pipe(work, tmp_path, monkeypatch, ending):
    monkeypatch.chdir(work)
    (tmp_path / f"link{ending}").symlink_to(tmp_path / f"real{ending}")
    os.mkfifo(tmp_path / f"pipe{ending}")
    reader = os.open(tmp_path / f"pipe{ending}", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("link", "pipe"):
        assert run(f"convert truth.json OUT/{name}{ending}", tmp_path) == (0, "")
    assert (tmp_path / f"link{ending}").is_symlink() and (tmp_path / f"pipe{ending}").is_fifo()
    assert os.read(reader, 10**6) == (tmp_path / f"real{ending}").read_bytes()
    os.close(reader)


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_scores_are_written_through_a_link(work, tmp_path, monkeypatch, option):
    monkeypatch.chdir(work)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert run(f"evaluate truth.json results.json {option} OUT/link", tmp_path) == (0, "")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").stat().st_size > 1000


def test_a_file_within_a_file_has_the_name_that_the_user_knows(tmp_path):
    with pytest.raises(BadInput) as refusal, whole(tmp_path / "out.txt") as temporary, full_disk(10):
        write_text(temporary, "x" * 100)
    assert str(refusal.value).startswith(f"{tmp_path / 'out.txt'}: cannot be written")


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), name_disk_faults(tmp_path / "out.txt"):
        raise FileNotFoundError(errno.ENOENT, "No such file")


def test_trying_a_place_leaves_nothing(tmp_path):
    check_writable(tmp_path / "deep" / "er" / "file.json")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="cannot be written"):
        check_writable(tmp_path / "file" / "inner.json")


def test_a_name_of_the_longest_kind_can_be_written(tmp_path):
    name = "走" * 83 + ".json"  # 254 bytes
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"
    with pytest.raises(BadInput, match="File name too long"):
        write_text(tmp_path / ("走" * 90), "x")


def test_names_in_another_script_are_trained_on_where_names_are_ascii(work, tmp_path):
    (tmp_path / f"{LABEL}.json").write_bytes((work / "data" / "annotations.json").read_bytes())
    words = f"train {work}/recipe.toml data.annotations={tmp_path}/{LABEL}.json --out {tmp_path}/{LABEL} --quiet"
    command = [sys.executable, "-m", "untrimmed.cli", *words.split()]
    done = subprocess.run(command, env={**ENVIRONMENT, "PYTHONUTF8": "0", "LC_ALL": "C"}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (
        0,
        f"detector: {tmp_path}/{LABEL}/detector.safetensors",
    )


def test_a_file_name_that_the_system_cannot_have_is_one_sentence(work, tmp_path):
    timelines = {"走": Timeline(10.0, (Action(1.0, 2.0, LABEL),))}
    write_activitynet(tmp_path / "truth.json", timelines, {})
    command = [sys.executable, "-m", "untrimmed.cli", "convert", "truth.json", "out", "--to", "srt"]
    environment = {**ENVIRONMENT, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "untrimmed: out/\\u8d70.srt: is no name for a file where names are ascii; "
        "set PYTHONUTF8=1 in the environment, or LC_ALL=C.UTF-8\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["truth.json"]
