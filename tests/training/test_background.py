"""Windows without an action take part in training, and the hardest of them are found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.features.windows import WindowConfig
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.recipe import AugmentConfig, TrainConfig
from untrimmed.timeline import Action, Timeline
from untrimmed.training.background import (
    UNSCORED,
    count_background,
    draw_background,
    list_mining_steps,
    sample_background,
    score_background,
)
from untrimmed.training.checkpoint import CHECKPOINT, LOG, Run
from untrimmed.training.loop import list_step_keys, train
from untrimmed.training.windows import TrainingWindows

SPARSE = {"mode": "slide", "background": 0.5, "mining": 2}
MODELS = (
    CTCNConfig(length=128, levels=6, concepts=8, depth=15, width=0.0625),
    GTANConfig(length=64, base=(8, 8), layers=(8, 8), negatives=3.0),
    SSADConfig(length=64, base=(8, 8), pool_stride=2, layers=(12, 12, 12)),
)


@pytest.fixture
def folder(tmp_path):
    """Two videos of six minutes, each with two actions in its first minute and one in its last."""
    random = np.random.default_rng(1)
    actions = (Action(10, 14, "jump"), Action(30, 35, "run"), Action(340, 346, "throw"))
    timelines = {video: Timeline(360.0, actions) for video in ("a", "b")}
    write_activitynet(tmp_path / "annotations.json", timelines, {"a": "training", "b": "validation"})
    writer = synthetic.FeatureWriter(tmp_path / "features", synthetic.SOURCE)
    for video, timeline in timelines.items():
        writer.write(video, synthetic.features_of(timeline, random))
    return tmp_path


def windows_of(folder, **settings):
    corpus = open_corpus(synthetic.recipe_for(folder).data)
    return TrainingWindows(corpus, WindowConfig(**{**SPARSE, **settings}), AugmentConfig(), 128, seed=0)


def test_background_holds_not_even_a_part_of_an_action(folder):
    data = windows_of(folder)
    actions = data.corpus.dataset.ground_truth["a"].actions
    assert data.places and data.backgrounds
    for video, first, last in data.backgrounds:
        start, end = data.corpus.features[video].grid.seconds(np.array([first, last]))
        assert all(action.end <= start or action.start >= end for action in actions)
    both = {*data.places, *data.backgrounds}
    partial = [place for place in data._list_places("a") if place not in both]
    assert partial  # less than three quarters of an action: neither
    window, targets = data[0, len(data.places)]
    assert len(targets.labels) == 0 and window.values.shape == (synthetic.CHANNELS, 128)


def test_a_step_has_its_share_of_background_and_all_windows_with_actions_in_turn():
    settings = TrainConfig(batch=4)
    keys = [list_step_keys(settings, 6, step, 2, np.full(5, UNSCORED)) for step in range(3)]
    assert sorted(index for step in keys for _, index in step[:4]) == sorted([*range(6), *range(6)])
    assert all(len(step) == 6 and all(6 <= index < 11 for _, index in step[4:]) for step in keys)
    assert [key for step in range(3) for key in list_step_keys(settings, 6, step)] == [
        key for step in range(3) for key in list_step_keys(settings, 6, step, 0, np.ones(5))
    ]


def test_background_comes_beside_the_batch_and_as_much_to_each_process():
    assert count_background(WindowConfig(background=0.5), 4, 100) == 4
    assert count_background(WindowConfig(background=0.25), 12, 100) == 4
    assert count_background(WindowConfig(background=0.01), 12, 100) == 1
    assert count_background(WindowConfig(background=0.25), 12, 0) == 0
    assert count_background(WindowConfig(background=0), 12, 100) == 0
    assert count_background(WindowConfig(background=0.25), 12, 100, processes=3) == 3


def test_half_of_the_draws_are_of_the_hardest_tenth_that_was_scored():
    hardness = np.linspace(0, 1, 50)
    drawn = draw_background(np.random.default_rng(0), 4000, hardness)
    assert 0.5 < np.mean(drawn >= 45) < 0.6  # and a tenth of the other half
    even = draw_background(np.random.default_rng(0), 4000, np.full(50, UNSCORED))
    assert 0.05 < np.mean(even >= 45) < 0.15
    hardness[10:] = UNSCORED
    assert 0.5 < np.mean(draw_background(np.random.default_rng(0), 4000, hardness) == 9) < 0.6


def test_what_is_scored_of_hours_of_video_is_bounded_by_the_training():
    settings = TrainConfig(steps=100, batch=8)
    assert sample_background(settings, 25, 60).tolist() == list(range(60))
    first, second = (sample_background(settings, step, 10_000) for step in (25, 50))
    assert len(first) == len(set(first.tolist())) == 100 and first.tolist() != second.tolist()


def test_mining_is_spread_over_the_training():
    assert list_mining_steps(WindowConfig(background=0.5, mining=3), 100) == [25, 50, 75]
    assert list_mining_steps(WindowConfig(background=0.5, mining=9), 3) == [1, 2]
    assert list_mining_steps(WindowConfig(background=0.0, mining=3), 100) == []


@pytest.mark.parametrize("config", MODELS, ids=lambda config: config.name)
def test_every_model_learns_from_windows_without_an_action(config):
    torch.manual_seed(0)
    network = config.build(synthetic.CHANNELS, 3)
    x, mask = torch.randn(2, synthetic.CHANNELS, config.length), torch.ones(2, config.length, dtype=torch.bool)
    empty = Targets(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))
    outputs = network(x, mask)
    outputs.logits.retain_grad()
    terms = network.loss(outputs, [Targets(torch.tensor([[20.0, 40.0]]), torch.tensor([1])), empty])
    torch.stack(list(terms.values())).sum().backward()
    assert outputs.logits.grad[1].abs().sum() > 0


def test_scores_of_background_are_the_highest_of_each_window(folder):
    data = windows_of(folder)
    recipe = synthetic.recipe_for(folder)
    network = recipe.model.build(synthetic.CHANNELS, 3).train()
    sample = np.arange(1, len(data.backgrounds))
    hardness = score_background(network, data, sample, "cpu", "float32")
    assert hardness[0] == UNSCORED and (hardness[1:] > 0).all() and network.training
    network.eval()
    window = data.cut_window(data.backgrounds[2])
    with torch.no_grad():
        outputs = network(torch.from_numpy(window.values)[None], torch.arange(128)[None] < window.valid_length)
    assert hardness[2] == pytest.approx(float(network.decode(outputs)[0].scores.max()), rel=1e-5)


def test_a_run_that_mines_goes_on_as_if_it_had_not_been_stopped(folder, monkeypatch):
    recipe = synthetic.recipe_for(folder, windows=SPARSE, train={"steps": 9, "save_every": 2})
    train(recipe, folder / "whole")
    log = Run.log

    def stop(run, entry):
        log(run, entry)
        if entry["step"] == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "log", stop)
        train(recipe, folder / "stopped")
    train(recipe, folder / "stopped")
    for name in (CHECKPOINT, LOG):
        assert (folder / "whole" / name).read_bytes() == (folder / "stopped" / name).read_bytes(), name
    train(replace(recipe, windows=replace(recipe.windows, mining=0)), folder / "even")
    assert (folder / "whole" / LOG).read_bytes() != (folder / "even" / LOG).read_bytes()


def test_without_a_share_nothing_is_trained_on_background(folder):
    plain = synthetic.recipe_for(folder, windows={"mode": "slide", "background": 0})
    mined = synthetic.recipe_for(folder, windows={"mode": "slide", "background": 0, "mining": 7})
    train(plain, folder / "plain")
    train(mined, folder / "mined")
    assert (folder / "plain" / CHECKPOINT).read_bytes() == (folder / "mined" / CHECKPOINT).read_bytes()


def test_dense_recordings_give_the_same_weights_with_background_and_without(folder):
    random = np.random.default_rng(2)
    timeline = Timeline(60.0, tuple(Action(second, second + 3, "jump") for second in range(1, 56, 6)))
    timelines = {video: timeline for video in ("a", "b")}
    write_activitynet(folder / "annotations.json", timelines, {"a": "training", "b": "validation"})
    writer = synthetic.FeatureWriter(folder / "dense", synthetic.SOURCE)
    for video in timelines:
        writer.write(video, synthetic.features_of(timeline, random))
    logs = []
    for share in (0.0, 0.3):
        recipe = synthetic.recipe_for(folder, windows={"mode": "slide", "background": share})
        recipe = replace(recipe, data=replace(recipe.data, features=str(folder / "dense")))
        train(recipe, folder / f"run{share}")
        logs.append((folder / f"run{share}" / LOG).read_bytes())
    assert logs[0] == logs[1]
