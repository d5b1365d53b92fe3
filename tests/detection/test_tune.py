"""Tuning: the search never loses, its figures are those of detecting, and nothing is written over the detector."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection import tune as module
from untrimmed.detection.detector import Detector
from untrimmed.detection.starvation import describe_starvation
from untrimmed.detection.tune import Measured, describe_refusals, search_settings, tune
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.io import BadInput
from untrimmed.models.suppression import SuppressConfig
from untrimmed.recipe import write_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.checkpoint import score_detections
from untrimmed.training.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tune")


@pytest.fixture(scope="module")
def recipe(folder):
    made = synthetic.recipe_for(synthetic.write_dataset(folder / "data"), train={"steps": 60})
    write_recipe(folder / "recipe.toml", made)
    return made


@pytest.fixture(scope="module")
def detector(recipe, folder):
    return train(recipe, folder / "run", device="cpu").detector


@pytest.fixture(scope="module")
def tuned(detector, recipe):
    return tune(detector, recipe.data)


def test_the_figures_are_those_of_detecting(tuned, detector, recipe):
    corpus = open_corpus(recipe.data)
    for one, figures in ((detector, tuned.before), (tuned.detector, tuned.after)):
        found = {video: one.detect(corpus.features[video], video) for video in corpus.test}
        wanted = score_detections(corpus, found)
        assert figures.average_map == wanted.average_map and figures.per_class == wanted.per_class
    assert tuned.after.average_map > tuned.before.average_map > 0


def test_the_threshold_gives_what_it_says(tuned, recipe):
    corpus = open_corpus(recipe.data)
    found = {
        video: tuned.detector.detect(corpus.features[video]).above(tuned.threshold.score) for video in corpus.test
    }
    results = from_timelines(found)
    truth = from_timelines({video: corpus.dataset.ground_truth[video] for video in corpus.test})
    hits = module.find_operating_points(truth, results, 0.5).pooled
    assert hits.precision[-1] == pytest.approx(tuned.threshold.precision)
    assert hits.recall[-1] == pytest.approx(tuned.threshold.recall)
    assert compute_detection_scores(truth, results).counts["detections"] == len(results)


def test_candidates_on_disk_are_those_in_memory(tuned, detector, recipe, monkeypatch):
    monkeypatch.setattr(module, "HELD", 0)
    monkeypatch.setattr(module, "ROUNDS", 1)
    few = {"method": module.TRIED["method"][:2], "floor": module.TRIED["floor"]}
    monkeypatch.setattr(module, "TRIED", few)
    on_disk = tune(detector, recipe.data)
    monkeypatch.setattr(module, "HELD", 2**29)
    assert on_disk.trials == tune(detector, recipe.data).trials
    assert on_disk.before == tuned.before


def test_the_search_ends_at_the_best_of_what_it_tried():
    def reached(config):
        return Measured(-abs(config.sigma - 0.3) - (config.vote != 0.7) - (config.method != "gaussian"))

    trials = list(search_settings(SuppressConfig(sigma=0.9), reached, SuppressConfig()))
    best = [trial for trial in trials if trial.kept][-1]
    assert best.average_map == max(trial.average_map for trial in trials) == 0
    assert (best.settings["sigma"], best.settings["vote"]) == (0.3, 0.7)
    assert len({str(trial.settings) for trial in trials}) == len(trials)
    # Nothing is better: the given settings stay, whatever is as good.
    assert [
        trial.kept for trial in search_settings(SuppressConfig(), lambda _: Measured(0.5), SuppressConfig())
    ].count(True) == 1


def test_a_trial_that_starves_a_class_is_never_picked_however_good_and_that_is_said():
    def measure(config):
        return Measured(1 - config.sigma, "none of it" if config.sigma in (0.1, 0.2) else "")

    trials = list(search_settings(SuppressConfig(sigma=0.9), measure, SuppressConfig()))
    best = [trial for trial in trials if trial.kept][-1]
    assert best.settings["sigma"] == 0.3
    refused = [trial for trial in trials if trial.refusal]
    assert {trial.settings["sigma"] for trial in refused} == {0.1, 0.2} and not any(trial.kept for trial in refused)
    (note,) = describe_refusals(trials)
    assert note.startswith(f"{len(refused)} of {len(trials)} trials starve a class and are not picked, 2 of them th")
    assert "method gaussian, sigma 0.1, tiou 0.0 leaves none of it" in note
    (again,) = describe_refusals([best, *refused, *refused])
    assert again.count("sigma 0.1, tiou 0.0 leaves none of it") == 1  # several rounds try the same
    assert describe_refusals([best]) == []


def test_limits_that_starve_a_class_are_raised_first_and_the_search_goes_on_from_there():
    roomy = SuppressConfig(keep=300)
    measured = {True: Measured(0.9, "nothing of a class"), False: Measured(0.5)}
    trials = list(search_settings(SuppressConfig(keep=1), lambda config: measured[config.keep == 1], roomy))
    assert [(trial.kept, bool(trial.refusal)) for trial in trials[:2]] == [(False, True), (True, False)]
    assert all(trial.settings["keep"] == 300 for trial in trials[1:])
    assert trials[1].change == "suppress.keep = 300 (or 60 a minute), of each class"


@pytest.fixture
def starving(tmp_path):
    """Candidates of which a limit of 100 leaves no rare action of a video, at a higher mAP than 200 has.

    The busy class has many wrong candidates in that video, which rank above the right ones of another.
    """
    busy, rare = (
        np.stack([starts, starts + 1], 1) for starts in (np.arange(0, 400, 2.0), np.arange(1000, 1040, 2.0))
    )
    actions = {
        "x": [Action(a, b, "busy") for a, b in busy[:40]] + [Action(1500, 1501.0, "rare")],
        "y": [Action(a, b, "busy") for a, b in busy[:40]] + [Action(a, b, "rare") for a, b in rare],
    }
    truth = from_timelines({video: Timeline(2000, tuple(rows)) for video, rows in actions.items()})
    store = module.CandidateStore(tmp_path, ("rare", "busy"), 0.001)
    scores = [[0, 0.9]] * 40 + [[0, 0.8]] * 160 + [[0.4, 0]]
    store.add("x", np.vstack([busy, [[1500, 1501.0]]]), np.array(scores), 2000.0)
    store.add("y", np.vstack([busy[:40], rare]), np.array([[0, 0.6]] * 40 + [[0.7, 0]] * 20), 2000.0)
    return store, truth


def test_a_small_limit_that_starves_a_rare_class_is_refused_though_its_map_is_higher(starving):
    store, truth = starving
    few, many = (SuppressConfig(keep=keep, keep_per_minute=0, keep_per_class=False) for keep in (100, 201))
    judge = module._Judge(store, truth, DETECTION_PROTOCOLS["activitynet"], many)
    starved, whole = judge.measure(few), judge.measure(many)
    assert starved.average_map > whole.average_map + 0.03
    assert starved.refusal == "0 detections of 'rare' in 'x', which has 1 such action (and 1 candidate)"
    assert not whole.refusal
    best = [trial for trial in search_settings(few, judge.measure, judge.roomy) if trial.kept][-1]
    assert best.settings["keep_per_class"] and best.settings["keep"] == 201
    floor = SuppressConfig(floor=0.65, end_floor=0.65)
    assert (
        judge.measure(floor).refusal == "0 detections of 'busy' in 'y', which has 40 such actions (and 40 candidates)"
    )


def test_a_class_whose_precision_falls_to_nothing_is_starved(starving):
    store, truth = starving
    config = SuppressConfig()
    whole = module._Judge(store, truth, DETECTION_PROTOCOLS["activitynet"], config)._suppress(config)
    scores = replace(whole.scores, per_class={**whole.scores.per_class, "rare": [0.0] * 10})
    assert describe_starvation(truth, whole._replace(scores=scores), whole) == "no average precision of 'rare'"
    assert describe_starvation(truth, whole, whole) == ""


def test_limits_of_a_longer_or_busier_video_make_room_for_twice_its_actions():
    actions = {"x": [Action(n / 2, n / 2 + 0.4, "busy") for n in range(240)], "y": [Action(5, 6, "rare")]}
    truth = from_timelines({video: Timeline(3600, tuple(rows)) for video, rows in actions.items()})
    few = SuppressConfig(keep=7, keep_per_minute=0, keep_per_class=False)
    roomy = module.make_room(few, truth, [120.0, 3600.0])
    assert (roomy.keep, roomy.keep_per_minute, roomy.keep_per_class) == (480, 240, True)
    assert replace(roomy, keep=7, keep_per_minute=0, keep_per_class=False) == few


def test_notes_say_what_the_figures_are_worth(detector, recipe):
    small = replace(recipe.data)
    notes = " ".join(
        module._describe_caveats(detector, open_corpus(replace(small, train=("training",), test=())), ("training",))
    )
    assert "6 of 6 videos were trained on" in notes and "which the recipe tests on" not in notes
    notes = " ".join(
        module._describe_caveats(
            detector, open_corpus(replace(small, train=("validation",), test=())), ("validation",)
        )
    )
    assert "fitted to validation, which the recipe tests on" in notes and "trained on" not in notes


def test_classes_that_the_detector_does_not_know_are_refused(detector, recipe):
    with pytest.raises(BadInput, match="none of the detector's classes, such as 'a'"):
        tune(replace(detector, classes=("a", "b", "c")), recipe.data)


def test_labels_that_are_spelled_differently_are_the_detectors_classes(tuned, detector, recipe):
    shouted = tune(replace(detector, classes=tuple(label.upper() for label in detector.classes)), recipe.data)
    assert list(shouted.before.per_class.values()) == list(tuned.before.per_class.values())
    assert any("labels are spelled differently" in note for note in shouted.notes)


def test_the_command_writes_a_new_detector_and_leaves_the_old(detector, recipe, folder, monkeypatch):
    monkeypatch.setattr(module, "TRIED", {"method": module.TRIED["method"][:3], "floor": module.TRIED["floor"][:1]})
    old = folder / "run" / "detector.safetensors"
    content = old.read_bytes()
    words = ["tune", str(old), str(folder / "recipe.toml"), "--subset", "validation"]
    done = CliRunner().invoke(app, [*words, "--json", str(folder / "t.json")])
    assert done.exit_code == 0, done.output
    assert old.read_bytes() == content
    new = Detector.load(old.with_name("detector-tuned.safetensors"))
    told = json.loads((folder / "t.json").read_text())
    assert new.recipe.suppress.sigma == told["settings"]["sigma"] == 0.1 or told["settings"]["sigma"] in (0.2, 0.3)
    assert new.card.tuning.threshold.score == told["threshold"]["score"]
    assert new.card.training == detector.card.training
    assert "as it was" in done.output and "note: settings are fitted" in done.output


def test_bad_input_to_the_command_is_one_sentence(detector, recipe, folder):
    old, toml = str(folder / "run" / "detector.safetensors"), str(folder / "recipe.toml")
    for words, sentence in (
        (["nowhere.safetensors", toml], "no such detector file"),
        ([old, "nowhere.toml"], "no such file"),
        ([old, toml, "--subset", "holdout"], "no split 'holdout': there are"),
    ):
        done = CliRunner().invoke(app, ["tune", *words, "--quiet"])
        assert done.exit_code == 2 and sentence in done.stderr, done.output
