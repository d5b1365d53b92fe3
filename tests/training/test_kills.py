"""Trainings and studies that are killed at the worst moments: they go on, and end as if nothing had happened."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors import safe_open

import synthetic
from untrimmed.detection.detector import Detector
from untrimmed.recipe import write_recipe
from untrimmed.training import checkpoint
from untrimmed.training.checkpoint import CHECKPOINT, DETECTOR, LOG, RESULTS, SCORES, TEST
from untrimmed.training.folds import cross_validate
from untrimmed.training.loop import train

FILES = {CHECKPOINT, DETECTOR, LOG, RESULTS, SCORES, "recipe.toml"}

# Trains once for each moment, in a process that kills itself then.
KILLED = """
import os, signal, sys
from pathlib import Path

from untrimmed import io
from untrimmed.detection.detector import Detector
from untrimmed.training import checkpoint, loop
from untrimmed.training.checkpoint import Run

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def call(function, times, then):
    calls = []
    def counted(*words, **options):
        calls.append(1)
        if len(calls) == times:
            return then(*words, **options)
        return function(*words, **options)
    return counted

def write_half(tensors, path, **_):
    Path(path).write_bytes(b"half a checkpoint")
    die()

def log_half(run, entry):
    with (run.folder / checkpoint.LOG).open("a") as file:
        file.write('{"step": 5, "ra')
    die()

MOMENTS = {
    "half a checkpoint": lambda: setattr(checkpoint, "save_file", call(checkpoint.save_file, 2, write_half)),
    "before it takes its place": lambda: setattr(io.os, "replace", call(os.replace, 4, die)),
    "half a line": lambda: setattr(Run, "log", call(Run.log, 5, log_half)),
    "in a test on the way": lambda: setattr(Detector, "detect", call(Detector.detect, 2, die)),
    "in the last test": lambda: setattr(Detector, "detect", call(Detector.detect, 6, die)),
    "before the results": lambda: setattr(checkpoint, "write_activitynet_results", die),
    "before the results take their place": lambda: setattr(io.os, "replace", call(os.replace, 7, die)),
    "before the detector": lambda: setattr(Detector, "save", die),
}
for number, patch in enumerate(MOMENTS.values()):
    process = os.fork()
    if not process:
        patch()
        loop.train(sys.argv[1], Path(sys.argv[2]) / str(number))
        os._exit(0)
    print(os.WTERMSIG(os.waitpid(process, 0)[1]))
"""
MOMENTS = 8


@pytest.fixture
def recipe(tmp_path):
    recipe = synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"))
    return replace(recipe, train=replace(recipe.train, evaluate_every=4))


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_training_that_is_killed_at_the_worst_moments_ends_as_undisturbed(recipe, tmp_path):
    write_recipe(tmp_path / "recipe.toml", recipe)
    train(recipe, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    assert whole.keys() == FILES
    words = [sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml"), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.stdout.split() == ["9"] * MOMENTS, done.stderr
    for moment in map(str, range(MOMENTS)):
        with safe_open(tmp_path / moment / CHECKPOINT, framework="pt") as file:  # always a whole one
            assert '"step": ' in file.metadata()["run"]
        train(recipe, tmp_path / moment)
        assert contents(tmp_path / moment) == whole, moment


def test_a_test_that_is_interrupted_looks_at_no_video_twice(recipe, tmp_path, monkeypatch):
    detect, seen = Detector.detect, []

    def look(detector, features, name="the video"):
        seen.append(name)
        if len(seen) == 6:  # three videos on the way, three at the end
            raise KeyboardInterrupt
        return detect(detector, features, name)

    monkeypatch.setattr(Detector, "detect", look)
    kept = f"stopped after step 6, with 2 of 3 test videos done, which {tmp_path}/run holds"
    with pytest.raises(KeyboardInterrupt, match=kept):
        train(recipe, tmp_path / "run")
    assert (tmp_path / "run" / TEST).is_dir()
    first = train(recipe, tmp_path / "run")
    videos = ["video02", "video05", "video08"]
    assert seen == [*videos, *videos, "video08"] and list(first.results) == videos
    assert not (tmp_path / "run" / TEST).exists()
    # Called again it is tested again, as its videos may be others by then.
    assert train(recipe, tmp_path / "run").results == first.results and len(seen) == 10


def test_an_interrupted_study_neither_trains_nor_tests_finished_folds_again(recipe, tmp_path, monkeypatch):
    folds = ["training", "validation"]
    whole = cross_validate(recipe, folds, tmp_path / "whole")
    log, steps = checkpoint.Run.log, []

    def count(run, entry):
        log(run, entry)
        steps.append((run.folder.name, entry["step"]))
        if len(steps) == 12:  # a line each, and one of the test on the way
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Run, "log", count)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(recipe, folds, tmp_path / "study")
    assert steps[-1] == ("validation", 4)
    tested, detect = [], Detector.detect
    monkeypatch.setattr(
        Detector, "detect", lambda detector, features, name: tested.append(name) or detect(detector, features, name)
    )
    again = cross_validate(recipe, folds, tmp_path / "study")
    assert {fold for fold, _ in steps[12:]} == {"validation"}
    assert set(tested) == {"video02", "video05", "video08"}
    assert again == whole
    for name in ("training", "validation"):
        assert contents(tmp_path / "study" / name) == contents(tmp_path / "whole" / name)
