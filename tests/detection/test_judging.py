"""A detector is judged on the annotated videos, with any suppression, and shown as a page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.detection.judging import evaluate_detector
from untrimmed.detection.loading import load
from untrimmed.evaluation.files import evaluate
from untrimmed.io import BadInput
from untrimmed.training.loop import build_model, join_processes


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    made = synthetic.recipe_for(synthetic.write_dataset(tmp_path_factory.mktemp("judging") / "data"))
    return replace(made, suppress=replace(made.suppress, keep=7, keep_per_minute=0, floor=0, end_floor=0))


@pytest.fixture(scope="module")
def file(recipe, tmp_path_factory) -> Path:
    corpus = open_corpus(recipe.data)
    model = build_model(recipe, corpus, join_processes("cpu")).eval()
    path = tmp_path_factory.mktemp("judging") / "d.safetensors"
    Detector(model, recipe, synthetic.CHANNELS, corpus.dataset.classes, corpus.source).save(path)
    return path


def test_a_detector_is_judged_as_its_detections_are(file: Path, recipe, tmp_path: Path) -> None:
    truth, features = recipe.data.annotations, recipe.data.features
    out = tmp_path / "found.json"
    judged = evaluate_detector(truth, file, features, subset="validation", detections=out)
    assert judged.scores.counts["videos"] == len(open_corpus(recipe.data).test)
    assert set(json.loads(out.read_text())["results"]) == set(open_corpus(recipe.data).test)
    again = evaluate(truth, out, subset="validation")
    assert judged.detection_scores.per_class == again.detection_scores.per_class
    assert judged.to_json()["question"] == again.to_json()["question"]
    assert any(note.startswith("suppress.keep = 7, of each class, left out") for note in judged.notes)


def test_a_detector_is_judged_with_any_suppression(file: Path, recipe) -> None:
    truth, features = recipe.data.annotations, recipe.data.features
    few = evaluate_detector(truth, load(file), features, overrides=["suppress.keep=1"], subset="validation")
    many = evaluate_detector(truth, file, features, overrides=["suppress.keep=100000"], subset="validation")
    videos = few.scores.counts["videos"]
    assert few.scores.counts["detections"] <= 3 * videos < many.scores.counts["detections"]
    assert not any("suppress.keep" in note for note in many.notes)
    with pytest.raises(BadInput, match="only suppression can be set"):
        evaluate_detector(truth, file, features, overrides=["model.levels=3"])


def test_features_of_other_videos_are_refused_with_both_names(file: Path, recipe, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("video,start,end,label\nelsewhere,1,2,run\n")
    with pytest.raises(BadInput, match="has none of the annotated videos, such as 'elsewhere', but '"):
        evaluate_detector(truth, file, recipe.data.features)


def test_the_command_judges_a_detector_and_refuses_settings_for_results(file: Path, recipe, tmp_path: Path) -> None:
    truth, features, out = (
        str(path) for path in (recipe.data.annotations, recipe.data.features, tmp_path / "f.json")
    )
    words = ["evaluate", truth, str(file), "--subset", "validation"]
    done = CliRunner().invoke(app, [*words, "--features", features, "--set", "suppress.keep=2", "--detections", out])
    assert done.exit_code == 0, done.output
    assert "note: suppress.keep = 2, of each class, left out" in done.output
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "is a detector; give what it is to look at (--features" in done.stderr) == (2, True)
    done = CliRunner().invoke(app, ["evaluate", truth, out, "--set", "suppress.keep=2", "--raw-scores"])
    assert done.exit_code == 2
    assert "holds results, in which --set and --raw-scores can change nothing; give a detector file" in done.stderr


def test_the_page_of_a_detector_shows_what_its_settings_leave(file: Path, recipe, tmp_path: Path) -> None:
    features, out = str(recipe.data.features), tmp_path / "page.html"
    words = ["view", str(file), "--out", str(out), "--features", features, "--score", "0"]
    sizes = []
    for keep in (1, 9):
        done = CliRunner().invoke(app, [*words, "--set", f"suppress.keep={keep}"])
        assert done.exit_code == 0, done.output
        assert f"note: suppress.keep = {keep}, of each class, left out" in done.output
        sizes.append(len(out.read_text()))
    assert sizes[0] < sizes[1]
    results = tmp_path / "r.csv"
    results.write_text("video,start,end,label,score\na,1,2,run,0.5\n")
    done = CliRunner().invoke(app, ["view", str(results), "--out", str(out), "--set", "suppress.keep=2"])
    assert (done.exit_code, "in which --set can change nothing" in done.stderr) == (2, True)
    done = CliRunner().invoke(app, ["view", str(file), "--out", str(out)])
    assert (done.exit_code, "is a detector; give what it is to look at" in done.stderr) == (2, True)
