"""One training a folder, and a stop between two steps, with a checkpoint and the command that goes on."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import synthetic
from untrimmed.cli import app
from untrimmed.io import BadInput
from untrimmed.recipe import write_recipe
from untrimmed.training import guard
from untrimmed.training.checkpoint import CHECKPOINT, DETECTOR, LOG, Run
from untrimmed.training.folds import cross_validate
from untrimmed.training.guard import LOCK, hold_folder
from untrimmed.training.loop import train

# A process that holds a folder until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
from untrimmed.training.guard import hold_folder

with hold_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(guard, "LOCK_PATIENCE", 0.0)


@pytest.fixture
def recipe(tmp_path):
    return synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"))


def test_a_second_training_in_a_folder_is_refused_until_the_first_is_killed(recipe, tmp_path):
    words = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BadInput, match="another training writes into it just now"):
            train(recipe, tmp_path / "run")
        assert not (tmp_path / "run" / LOG).exists()
        holder.kill()
        holder.wait()
        assert (tmp_path / "run" / LOCK).exists()  # a file, and nobody's
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_second_call_of_one_process_is_refused_too(recipe, tmp_path):
    def again(*_):
        with pytest.raises(BadInput, match="another training"):
            train(recipe, tmp_path / "run")

    train(recipe, tmp_path / "run", progress=again)
    assert (tmp_path / "run" / DETECTOR).exists()


def test_studies_hold_their_folder(recipe, tmp_path):
    with hold_folder(tmp_path / "study"), pytest.raises(BadInput, match="study: another training"):
        cross_validate(recipe, ["training", "validation"], tmp_path / "study")


def test_a_folder_that_was_held_for_nothing_is_not_left(tmp_path):
    with pytest.raises(RuntimeError), hold_folder(tmp_path / "run"):
        raise RuntimeError
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_with_a_checkpoint_and_the_command_to_go_on(
    recipe, tmp_path, monkeypatch, number
):
    # The first regular checkpoint would come at the end.
    recipe = replace(recipe, train=replace(recipe.train, save_every=100, evaluate_every=3))
    train(recipe, tmp_path / "whole")
    write_recipe(tmp_path / "a recipe.toml", recipe)
    words = ["train", str(tmp_path / "a recipe.toml"), "--quiet", "--out", str(tmp_path / "run")]

    log = Run.log

    def log_and_signal(run, entry):
        log(run, entry)
        if entry["step"] == 3 and "rate" in entry:
            os.kill(os.getpid(), number)

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", log_and_signal)
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 130
    quoted = f"untrimmed train '{tmp_path}/a recipe.toml' --quiet --out {tmp_path}/run"
    held = f"stopped after step 3 of 6, which {tmp_path}/run holds"
    assert done.stderr == f"untrimmed: {held}; `{quoted}` goes on from here\n"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert not (tmp_path / "run" / DETECTOR).exists()
    assert CliRunner().invoke(app, words).exit_code == 0
    for name in (CHECKPOINT, LOG, DETECTOR):
        assert (tmp_path / "run" / name).exists()
    assert (tmp_path / "run" / LOG).read_bytes() == (tmp_path / "whole" / LOG).read_bytes()
    first, second = load_file(tmp_path / "run" / DETECTOR), load_file(tmp_path / "whole" / DETECTOR)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_second_signal_stops_at_once():
    with pytest.raises(KeyboardInterrupt), guard.defer_interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.pending
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_whole_process_ends_so(recipe, tmp_path):
    """SIGTERM from outside, with processes that prepare windows."""
    recipe = replace(recipe, train=replace(recipe.train, steps=100_000, loaders=1))
    write_recipe(tmp_path / "recipe.toml", recipe)
    words = [sys.executable, "-m", "untrimmed.cli", "train", str(tmp_path / "recipe.toml"), "--out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*words, str(tmp_path / "run"), "--quiet"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    while process.poll() is None and not (tmp_path / "run" / CHECKPOINT).exists():
        pass
    os.killpg(process.pid, signal.SIGTERM)  # the processes that prepare windows hear it too
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.startswith("untrimmed: stopped after step ") and errors.count("\n") == 1
