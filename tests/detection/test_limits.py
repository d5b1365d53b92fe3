"""What `suppress.keep` leaves out is said, and the limit can be set without training again."""

import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection.calibration import ScoreMap
from untrimmed.detection.detector import Detector
from untrimmed.detection.export import export_detector
from untrimmed.detection.limits import describe_cuts
from untrimmed.detection.loading import load
from untrimmed.evaluation.files import evaluate
from untrimmed.io import BadInput
from untrimmed.models.suppression import SuppressConfig
from untrimmed.timeline import Action, Timeline
from untrimmed.training.loop import build_model, join_processes, train


@pytest.fixture
def recipe(tmp_path: Path):
    recipe = synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"))
    return replace(recipe, suppress=replace(recipe.suppress, keep=7, keep_per_minute=0, floor=0, end_floor=0))


@pytest.fixture
def file(recipe, tmp_path: Path) -> Path:
    corpus = open_corpus(recipe.data)
    model = build_model(recipe, corpus, join_processes("cpu")).eval()
    Detector(model, recipe, synthetic.CHANNELS, corpus.dataset.classes, corpus.source).save(
        tmp_path / "d.safetensors"
    )
    return tmp_path / "d.safetensors"


def test_the_limit_is_said_with_counts_and_the_video_of_which_most_is_left_out() -> None:
    action = Action(0, 1, "a", 0.25)
    timelines = {
        "x": Timeline(9, (action,), cut={"a": 3}),
        "y": Timeline(9, (action,) * 2, cut={"a": 4}),
        "z": Timeline(9),
    }
    config = SuppressConfig(keep=2, keep_per_minute=0)
    (note,) = describe_cuts(timelines, config)
    assert note.startswith(
        "suppress.keep = 2, of each class, left out 7 actions that score 0.05 of their video's best or more, of 2 of"
    )
    assert "7 of 'a'; most of 'y' (4, which score up to 0.25, the best 0.25)" in note
    assert "--set suppress.keep=" in note
    assert describe_cuts({"z": Timeline(9)}, config) == ()


def test_a_class_of_which_nothing_is_left_is_named_and_the_setting_that_helps() -> None:
    busy = Action(0, 1, "busy", 0.9)
    cut = {"busy": 5, "rare": 2, "odd": 1, "new": 1, "old": 1}
    timelines = {"x": Timeline(9, (busy,), cut=cut), "y": Timeline(9, (busy,), cut={"busy": 1})}
    (note,) = describe_cuts(timelines, SuppressConfig(keep=1, keep_per_class=False))
    assert note.startswith("suppress.keep = 1 (or 60 a minute), of all classes, left out 11 actions")
    assert "6 of 'busy', 2 of 'rare', 1 of 'odd', 2 of 2 others" in note
    assert "(nothing is left of 'rare' in 'x', 'odd' in 'x', 'new' in 'x', 1 more)" in note
    assert "set suppress.keep_per_class = true" in note


def test_detections_that_the_limit_leaves_out_are_noted_and_a_higher_one_finds_them(file: Path, recipe) -> None:
    features = recipe.data.features
    few = load(file).detect_all(features)
    assert any(note.startswith("suppress.keep = 7, of each class, left out") for note in few.notes)
    more = load(file, overrides=["suppress.keep=9"]).detect_all(features)
    labels = {label for timeline in more.values() for label in timeline.labels}
    assert {len(timeline) for timeline in more.values()} == {9 * len(labels)}
    assert all(set(few[video]) <= set(more[video]) for video in few)
    everything = load(file, overrides=["suppress.keep=100000000"]).detect_all(features)
    assert not any("suppress.keep" in note for note in everything.notes)
    for video, timeline in everything.items():
        scores = sorted((action.score for action in timeline), reverse=True)
        for label in timeline.labels:
            ranked = sorted((action.score for action in timeline if action.label == label), reverse=True)
            told = sum(score >= 0.05 * scores[0] for score in ranked[7:])
            assert few[video].cut.get(label, 0) == min(1000, told)


def test_what_is_said_to_be_left_out_is_judged_by_calibrated_scores(file: Path, recipe) -> None:
    features = recipe.data.features
    everything = load(file, overrides=["suppress.keep=100000"]).detect_all(features)
    video, timeline = next(iter(everything.items()))
    raw = np.sort([action.score for action in timeline])[::-1]
    # Half of the range of raw scores is worth next to nothing.
    score_map = ScoreMap((0.0, (raw[0] + raw[-1]) / 2, 1.0), (0.0, 0.001, 1.0))
    limited = replace(load(file), calibration=score_map).detect_all(features)[video]
    worth = score_map.apply(raw)
    told = int((worth >= 0.05 * worth[0]).sum())
    assert 0 < told < len(raw)
    shown = sum(action.score >= 0.05 * worth[0] for action in limited)
    assert sum(limited.cut.values()) == told - shown > 0


def test_only_suppression_of_a_trained_detector_can_be_set(file: Path) -> None:
    with pytest.raises(BadInput, match=r"'model\.levels=3': only suppression can be set"):
        load(file, overrides=["model.levels=3"])
    with pytest.raises(BadInput, match=r"suppress\.kep is not a setting; did you mean keep"):
        load(file, overrides=["suppress.kep=3"])


def test_the_command_takes_the_limit_and_says_what_it_leaves_out(file: Path, recipe, tmp_path: Path) -> None:
    arguments = ["detect", str(file), str(recipe.data.features), "--out", str(tmp_path / "out.json")]
    result = CliRunner().invoke(app, [*arguments, "--set", "suppress.keep=3"])
    assert result.exit_code == 0, result.output
    assert "note: suppress.keep = 3, of each class, left out" in result.output
    content = json.loads((tmp_path / "out.json").read_text())
    assert any(note.startswith("suppress.keep = 3, of each class, left out") for note in content["notes"])
    assert set(evaluate(recipe.data.annotations, tmp_path / "out.json").results.videos) == set(content["results"])
    result = CliRunner().invoke(app, [*arguments, "--set", "suppress.keep=100000000"])
    assert "suppress.keep" not in result.output
    assert "suppress.keep" not in (tmp_path / "out.json").read_text()


def test_an_exported_detector_takes_the_same_settings(file: Path, recipe, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    exported = export_detector(Detector.load(file), tmp_path / "d.onnx")
    for overrides in ((), ("suppress.keep=9", "suppress.keep_per_class=false"), ("suppress.keep_per_minute=600",)):
        ours, theirs = (load(path, overrides=overrides).detect_all(recipe.data.features) for path in (file, exported))
        assert [note[:60] for note in theirs.notes] == [note[:60] for note in ours.notes]
        assert [timeline.cut.keys() for timeline in theirs.values()] == [t.cut.keys() for t in ours.values()]
        assert list(map(len, theirs.values())) == list(map(len, ours.values()))


def test_a_longer_video_keeps_more_by_the_minute(file: Path, recipe) -> None:
    features = recipe.data.features
    few, many = (load(file, overrides=[f"suppress.keep_per_minute={n}"]).detect_all(features) for n in (0, 60))
    for video, timeline in many.items():
        limit = max(7, math.ceil(timeline.duration))
        assert max(sum(a.label == label for a in timeline) for label in timeline.labels) <= limit
        assert len(timeline) > len(few[video])


def test_a_training_says_what_the_limit_left_out_of_its_test(recipe, tmp_path: Path, caplog) -> None:
    recipe = replace(recipe, train=replace(recipe.train, steps=1))
    with caplog.at_level(logging.INFO, "untrimmed"):
        train(recipe, tmp_path / "run")
    assert "suppress.keep = 7, of each class, left out" in caplog.text
    assert "suppress.keep = 7, of each class, left out" in (tmp_path / "run" / "results.json").read_text()
    # Nothing that was learned depends on limits: the run goes on with others.
    again = replace(recipe, suppress=replace(recipe.suppress, keep=9, keep_per_minute=0, keep_per_class=False))
    assert {len(timeline) for timeline in train(again, tmp_path / "run").results.values()} == {9}
