"""Detection and tuning that are interrupted or killed: what is done stays done, and the outcome is the same."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import synthetic
from films import film
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.detection.journal import place_journal
from untrimmed.detection.tune import CandidateStore
from untrimmed.extraction.extractors import LiteExtractor
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.recipe import build_recipe, write_recipe

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def recipe(tmp_path):
    return synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"), windows={"mode": "slide"})


@pytest.fixture
def place(recipe, tmp_path):
    """A detector of seed 0 for the synthetic features, which lie beside it, and a folder of results."""
    torch.manual_seed(0)
    model = recipe.model.build(synthetic.CHANNELS, 3).eval()
    detector = Detector(model, recipe, synthetic.CHANNELS, synthetic.CLASSES, synthetic.SOURCE)
    detector.save(tmp_path / "d.safetensors")
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def stop_at(monkeypatch, owner, name, times):
    """Let a method raise KeyboardInterrupt the so-manieth time; the calls are returned."""
    calls, method = [], getattr(owner, name)

    def call(*words, **options):
        calls.append(words)
        if len(calls) == times:
            raise KeyboardInterrupt
        return method(*words, **options)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.mark.parametrize("fused", [False, True])
def test_an_interrupted_detection_goes_on_with_the_videos_that_remain(place, monkeypatch, fused):
    files = [place / "d.safetensors", place / "data/features"]
    words = ["detect", *files, *(["--also", *files] if fused else []), "--out"]
    assert run(*words, place / "whole.json").exit_code == 0
    calls = stop_at(monkeypatch, Detector, "suppress", 4)
    stopped = run(*words, place / "r.json")
    kept = f"stopped with 3 of 9 videos done, which {place}/.r.json.unfinished holds, and what was done of the next"
    command = f"`untrimmed {' '.join(map(str, words))} {place}/r.json` goes on from here"
    assert (stopped.exit_code, stopped.stderr.splitlines()[-1]) == (130, f"untrimmed: {kept}; {command}")
    assert not (place / "r.json").exists()
    done = run(*words, place / "r.json")
    assert done.exit_code == 0 and ".r.json.unfinished: detection goes on after 3 videos" in done.stdout
    assert len(calls) == 4 + 6
    assert (place / "r.json").read_bytes() == (place / "whole.json").read_bytes()
    assert not list(place.glob(".*"))


def test_other_settings_or_features_are_not_taken_for_the_same(place, monkeypatch):
    words = ["detect", place / "d.safetensors", place / "data/features", "--out", place / "r_{video}.csv"]
    calls = stop_at(monkeypatch, Detector, "suppress", 4)
    assert run(*words).exit_code == 130
    file = place / "data/features/video01.npy"
    np.save(file, np.load(file) * 2)
    assert run(*words, "--quiet").exit_code == 0 and len(calls) == 4 + 7
    calls.clear()
    assert run(*words).exit_code == 130
    other = run(*words, "--set", "suppress.keep=3", "--score", "0")
    assert "cannot be used, as it is of another detector; detection begins anew" in other.stdout
    assert run(*words[:-1], place / "whole_{video}.csv", "--set", "suppress.keep=3", "--score", "0").exit_code == 0
    for number in range(9):
        files = [place / f"{name}_video{number:02}.csv" for name in ("r", "whole")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_without_a_file_to_write_nothing_is_kept(place, monkeypatch):
    calls = stop_at(monkeypatch, Detector, "suppress", 4)
    words = ["detect", place / "d.safetensors", place / "data/features", "--quiet"]
    stopped = run(*words)
    assert stopped.exit_code == 130 and "interrupted; no file is left half written" in stopped.stderr
    assert run(*words).exit_code == 0 and len(calls) == 4 + 9
    assert not list(place.glob(".*"))


KILLED = """
import os, signal, sys
from untrimmed.cli import app
from untrimmed.features.work_log import WorkLog

append, count = WorkLog.append, []

def append_and_die(log, record):
    append(log, record)
    count.append(1)
    if len(count) == 9:
        os.kill(os.getpid(), signal.SIGKILL)

WorkLog.append = append_and_die
app(sys.argv[1:])
"""


def test_a_detection_that_is_killed_in_the_midst_of_a_video_goes_on_there(tmp_path, monkeypatch):
    source = build_source(resolve_config(ExtractConfig(fps=10.0, flow=False), []))
    model = {"name": "ctcn", "length": 64, "levels": 5, "concepts": 0, "depth": 15, "width": 1 / 16}
    tree = {
        "data": {"annotations": "a.json", "features": "f"},
        "model": model,
    }
    tree["windows"] = {"mode": "slide", "test_overlap": 0.875}  # thirteen windows, in two batches
    recipe = build_recipe(tree, "test")
    torch.manual_seed(0)
    Detector(recipe.model.build(1280, 2).eval(), recipe, 1280, ("jump", "run"), source).save(
        tmp_path / "d.safetensors"
    )
    film(tmp_path / "videos" / "a.mp4", 16.0)
    words = ["detect", str(tmp_path / "d.safetensors"), str(tmp_path / "videos"), "--out"]
    command = [sys.executable, "-c", KILLED, *words, str(tmp_path / "r.csv")]
    sizes, compute, candidates = [], LiteExtractor.compute_features, []

    def count(extractor, batches):
        for chunk in compute(extractor, batches):
            sizes.append(len(chunk))
            yield chunk

    look = Detector._compute_candidates
    monkeypatch.setattr(LiteExtractor, "compute_features", count)
    monkeypatch.setattr(
        Detector, "_compute_candidates", lambda *words: candidates.append(words) or look(*words), raising=True
    )
    assert subprocess.run(command, capture_output=True, env=ENVIRONMENT).returncode == -9
    again = run(*words, tmp_path / "r.csv")
    assert again.exit_code == 0 and "a.mp4: goes on after 14 s" in again.stdout
    assert sum(sizes) == 160 - 9 * 16 and len(candidates) == 2
    # Killed where the first of two batches of windows was done.
    program = KILLED.replace("len(count) == 9", "len(count) == 11")
    command = [sys.executable, "-c", program, *words, str(tmp_path / "s.csv")]
    assert subprocess.run(command, capture_output=True, env=ENVIRONMENT).returncode == -9
    sizes.clear(), candidates.clear()
    again = run(*words, tmp_path / "s.csv")
    assert again.exit_code == 0 and sizes == [] and len(candidates) == 1
    assert run(*words, tmp_path / "whole.csv").exit_code == 0
    for name in "rs":
        assert (tmp_path / f"{name}.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_an_interrupted_tuning_goes_on_with_what_it_had(place, recipe, monkeypatch):
    write_recipe(place / "recipe.toml", recipe)
    words = ["tune", place / "d.safetensors", place / "recipe.toml", "--out"]
    assert run(*words, place / "whole.safetensors", "--json", place / "whole.json").exit_code == 0
    looks = stop_at(monkeypatch, Detector, "_compute_candidates", 2)
    stopped = run(*words, place / "t.safetensors")
    kept = f"untrimmed: stopped, and {place}/.t.safetensors.unfinished holds what is done; `untrimmed tune "
    assert stopped.exit_code == 130 and stopped.stderr.splitlines()[-1].startswith(kept)
    trials = stop_at(monkeypatch, CandidateStore, "suppress", 10)
    again = run(*words, place / "t.safetensors")
    assert again.exit_code == 130 and "was interrupted, and it goes on with what is done of it there" in again.stdout
    count = len(looks)
    assert run(*words, place / "t.safetensors", "--json", place / "t.json").exit_code == 0
    assert count == 2 + 2 == len(looks)
    assert (place / "t.safetensors").read_bytes() == (place / "whole.safetensors").read_bytes()
    assert (place / "t.json").read_bytes() == (place / "whole.json").read_bytes()
    assert not place_journal(place / "t.safetensors").exists() and len(trials) > 10


def test_a_detector_of_other_weights_is_another(place, recipe):
    from untrimmed.detection.detector import digest_detector

    detector = Detector.load(place / "d.safetensors")
    assert digest_detector(detector) == digest_detector(Detector.load(place / "d.safetensors"))
    other = replace(detector, model=recipe.model.build(synthetic.CHANNELS, 3).eval())
    assert digest_detector(other) != digest_detector(detector)
