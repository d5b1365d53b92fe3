"""The training loop: it learns, repeats itself, survives being killed, and stops at nonsense."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import synthetic
from untrimmed.cli import app
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.models.ctcn import CTCN
from untrimmed.recipe import TrainConfig, write_recipe
from untrimmed.training import checkpoint, loop
from untrimmed.training.checkpoint import CHECKPOINT, DETECTOR, LOG, RESULTS, SCORES, Process, Run
from untrimmed.training.loop import list_step_keys, train
from untrimmed.training.optimizer import MovingAverage, compute_rate

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def recipe(tmp_path):
    return synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"))


def log_of(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def same_weights(a, b):
    first, second = load_file(a / DETECTOR), load_file(b / DETECTOR)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def with_a_video_without_features(recipe):
    """The recipe of a corpus that has a note."""
    file = Path(recipe.data.annotations)
    content = read_json(file)
    content["database"]["stranger"] = content["database"]["video00"]
    write_json(file, content)
    return replace(recipe, data=replace(recipe.data, unusable="drop"))


def test_a_run_leaves_a_detector_its_detections_and_their_scores(recipe, tmp_path):
    trained = train(recipe, str(tmp_path / "run"))
    assert trained.detector_path == tmp_path / "run" / DETECTOR
    assert {DETECTOR, RESULTS, SCORES, LOG, "recipe.toml"} <= {file.name for file in (tmp_path / "run").iterdir()}
    assert sorted(trained.results) == ["video02", "video05", "video08"]
    assert json.loads((tmp_path / "run" / SCORES).read_text())["average_map"] == trained.scores.average_map
    assert [entry["step"] for entry in log_of(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_a_run_without_test_videos_says_where_its_detector_is(recipe, tmp_path):
    write_recipe(tmp_path / "recipe.toml", recipe)
    words = ["train", str(tmp_path / "recipe.toml"), "data.test=[]", "--quiet", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.output) == (0, f"detector: {tmp_path / 'run' / DETECTOR}\n")
    trained = train(tmp_path / "recipe.toml", tmp_path / "run", overrides=["data.test=[]"])
    assert trained.results == {} and trained.scores is None and trained.detector_path == tmp_path / "run" / DETECTOR


def test_of_several_processes_all_but_the_first_keep_silent(recipe, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loop, "join_processes", lambda device: Process(1, 1, "cpu"))
    recipe = with_a_video_without_features(recipe)
    trained = train(recipe, tmp_path / "run", progress=lambda *_: pytest.fail("it reports"))
    assert trained.detector_path is None and not trained.results
    assert not (tmp_path / "run").exists() and not caplog.records


def test_progress_and_notes_are_reported_where_asked(recipe, tmp_path, caplog):
    recipe = with_a_video_without_features(recipe)
    calls = []
    train(recipe, tmp_path / "run", progress=lambda *call: calls.append(call))
    assert [call[:3] for call in calls[:6]] == [("training", step, 6) for step in range(1, 7)]
    assert [call[:3] for call in calls[6::2]] == [("testing", done, 3) for done in range(3)]
    entry = log_of(tmp_path / "run")[-1]
    assert calls[5][3] == f"class {entry['class']:.3f}  box {entry['box']:.3f}"
    assert [record.getMessage() for record in caplog.records] == [log_of(tmp_path / "run")[0]["note"]]


def test_a_recipe_may_be_a_file_and_overrides_are_put_over_it(recipe, tmp_path):
    write_recipe(tmp_path / "recipe.toml", recipe)
    words = ["train.steps=2", "train.seed=4"]
    train(str(tmp_path / "recipe.toml"), tmp_path / "file", overrides=words)
    train(recipe, tmp_path / "value", overrides=words)
    assert len(log_of(tmp_path / "file")) == 2 and same_weights(tmp_path / "file", tmp_path / "value")


def test_two_runs_of_a_seed_are_the_same_and_another_seed_is_not(recipe, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(replace(recipe, train=replace(recipe.train, seed=seed)), tmp_path / name)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "a" / LOG).read_bytes() == (tmp_path / "b" / LOG).read_bytes()


# A run that is killed after step 23 by a signal that nothing can catch.
KILLED = """
import os, signal, sys

from untrimmed.training.checkpoint import Run
from untrimmed.training.loop import train

log = Run.log

def log_and_die(run, entry):
    log(run, entry)
    if entry["step"] == 23:
        os.kill(os.getpid(), signal.SIGKILL)

Run.log = log_and_die
train(sys.argv[1], sys.argv[2])
"""


def test_a_run_killed_in_the_middle_ends_as_if_it_had_not_been(recipe, tmp_path):
    recipe = replace(recipe, train=replace(recipe.train, steps=40, save_every=5, evaluate_every=15))
    write_recipe(tmp_path / "recipe.toml", recipe)
    command = [sys.executable, "-m", "untrimmed.cli", "train", str(tmp_path / "recipe.toml"), "--quiet", "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, env=ENVIRONMENT, capture_output=True)
    words = [sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml"), str(tmp_path / "killed")]
    assert subprocess.run(words, env=ENVIRONMENT, capture_output=True).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / DETECTOR).exists()
    assert (tmp_path / "killed" / CHECKPOINT).exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=ENVIRONMENT, capture_output=True)
    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    for name in (LOG, RESULTS, SCORES, CHECKPOINT):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


def test_a_checkpoint_comes_with_the_minutes_too(recipe, tmp_path, monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock, saved = Clock(), []
    save = Run.save

    def log(run, entry):
        clock.now += 25

    def note(run, step):
        saved.append(step)
        save(run, step)

    monkeypatch.setattr(checkpoint, "time", clock)
    monkeypatch.setattr(Run, "log", log)
    monkeypatch.setattr(Run, "save", note)
    train(replace(recipe, train=replace(recipe.train, steps=8, save_every=100, save_minutes=1)), tmp_path / "run")
    assert saved == [3, 6, 8]  # of 25 seconds each, three steps are the first to take a minute


def test_a_run_goes_on_though_it_is_saved_more_often(recipe, tmp_path):
    train(recipe, tmp_path / "run")
    again = replace(recipe, train=replace(recipe.train, save_every=7, save_minutes=0.5, loaders=1))
    assert train(again, tmp_path / "run").results


def test_a_finished_run_is_not_trained_again(recipe, tmp_path, monkeypatch):
    first = train(recipe, tmp_path / "run")
    monkeypatch.setattr(CTCN, "loss", lambda *_: pytest.fail("it trained again"))
    again = train(recipe, tmp_path / "run")
    assert again.scores == first.scores


def test_a_folder_of_another_run_is_refused_and_left_alone(recipe, tmp_path):
    train(recipe, tmp_path / "run")
    before = (tmp_path / "run" / DETECTOR).read_bytes()
    other = replace(recipe, train=replace(recipe.train, rate=1.0))
    with pytest.raises(BadInput, match=r"train\.rate = 0\.003, not 1\.0"):
        train(other, tmp_path / "run")
    assert (tmp_path / "run" / DETECTOR).read_bytes() == before


def test_a_checkpoint_cut_in_half_is_refused_with_its_name(recipe, tmp_path):
    train(recipe, tmp_path / "run")
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"checkpoint\.safetensors: is not a whole checkpoint"):
        train(recipe, tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(recipe, tmp_path, monkeypatch):
    loss = CTCN.loss

    def spoiled(self, outputs, targets):
        terms = loss(self, outputs, targets)
        return {**terms, "box": terms["box"] * float("nan")}

    monkeypatch.setattr(CTCN, "loss", spoiled)
    with pytest.raises(FloatingPointError, match="the box loss is nan at step 1"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / CHECKPOINT).exists()


def test_evaluation_on_the_way_is_logged_and_changes_nothing(recipe, tmp_path):
    train(recipe, tmp_path / "without")
    looking = replace(recipe, train=replace(recipe.train, evaluate_every=2))
    train(looking, tmp_path / "with")
    assert same_weights(tmp_path / "without", tmp_path / "with")
    assert [entry["step"] for entry in log_of(tmp_path / "with") if "average_map" in entry] == [2, 4]


@pytest.mark.parametrize(("setting", "value", "same"), [("loaders", 1, True), ("precision", "bfloat16", False)])
def test_loaders_change_nothing_and_precision_little(recipe, tmp_path, setting, value, same):
    # `auto` means bfloat16 on some processors.
    recipe = replace(recipe, train=replace(recipe.train, precision="float32"))
    plain = train(recipe, tmp_path / "plain")
    changed = replace(recipe, train=replace(recipe.train, **{setting: value}))
    assert train(changed, tmp_path / "changed").results.keys() == plain.results.keys()
    assert same_weights(tmp_path / "plain", tmp_path / "changed") is same
    first, second = log_of(tmp_path / "plain")[0], log_of(tmp_path / "changed")[0]
    assert second["class"] == pytest.approx(first["class"], rel=0 if same else 0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_begins_as_the_cpu_does(recipe, tmp_path, precision):
    still = replace(recipe.model, dropout=0.0)  # what it drops depends on the device
    recipe = replace(recipe, model=still, train=replace(recipe.train, precision=precision))
    logs = []
    for device in ("cpu", "cuda"):
        train(recipe, tmp_path / device, device=device)
        logs.append(log_of(tmp_path / device)[0])
    assert logs[0].keys() == logs[1].keys()
    assert all(logs[0][name] == pytest.approx(logs[1][name], rel=0.05) for name in logs[0])


@pytest.mark.slow
def test_two_processes_train_one_detector(recipe, tmp_path):
    write_recipe(tmp_path / "recipe.toml", recipe)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command = [*launch, "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    work = ["-m", "untrimmed.cli", "train", str(tmp_path / "recipe.toml"), "--quiet", "--out", str(tmp_path / "run")]
    done = subprocess.run([*command, *work], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("detector: ") == 1
    assert [entry["step"] for entry in log_of(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]
    assert (tmp_path / "run" / DETECTOR).exists()
    # each process sees half of every batch, so it is not the run of one process
    train(recipe, tmp_path / "alone")
    assert not same_weights(tmp_path / "run", tmp_path / "alone")


def test_processes_share_every_step_without_overlap_and_passes_see_every_window():
    settings = TrainConfig(batch=4)
    keys = [key for step in range(7) for key in list_step_keys(settings, 14, step)]
    assert [step for step, _ in keys] == [step for step in range(7) for _ in range(4)]
    assert sorted(index for _, index in keys[:14]) == sorted(index for _, index in keys[14:]) == list(range(14))
    assert [index for _, index in keys[:14]] != [index for _, index in keys[14:]]


def test_the_rate_is_a_function_of_the_step():
    steps = TrainConfig(rate=1.0, warmup=4, drops=(10, 20), steps=30)
    assert [compute_rate(step, steps) for step in (0, 1, 3, 9, 10, 20)] == pytest.approx([0.25, 0.5, 1, 1, 0.1, 0.01])
    cosine = TrainConfig(rate=1.0, warmup=10, steps=110, schedule="cosine")
    assert [compute_rate(step, cosine) for step in (9, 10, 60, 110)] == pytest.approx([1, 1, 0.5, 0])


def test_the_moving_average_forgets_its_start():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    average = MovingAverage(model, 0.5)
    torch.nn.init.ones_(model.weight)
    expected = 0.0
    for step in range(20):
        average.update(model, step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep)
    assert average.values["weight"].item() == pytest.approx(expected) == pytest.approx(1.0, abs=1e-3)


def test_a_folder_that_cannot_be_written_is_one_sentence(recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="cannot be written"):
        train(recipe, Path(tmp_path / "file" / "run"))
