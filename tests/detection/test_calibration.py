"""Calibration: what a map promises of order and bounds, what is fitted to few detections, and where it is applied."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

import synthetic
import untrimmed
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection import calibration as module
from untrimmed.detection.calibration import (
    IDENTITY,
    ScoreMap,
    blend_maps,
    calibrate,
    cross_validate_map,
    fit_score_map,
    measure_error,
    parse_score_map,
)
from untrimmed.detection.card import VideoCount
from untrimmed.detection.detector import HEADER, Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.detection.streaming import Stretch
from untrimmed.detection.tune import tune
from untrimmed.detection.video_scores import VideoScores
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.reliability import score_hits, weigh_idle
from untrimmed.recipe import build_recipe, recipe_tree, write_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.checkpoint import score_detections
from untrimmed.training.loop import train

ON = VideoCount(("validation",), 1, 1, 1.0)
scored = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def columns(rows):
    return np.array([score for score, _ in rows], float), np.array([hit for _, hit in rows], bool)


@settings(max_examples=200, deadline=None)
@given(scored, st.floats(0.01, 100))
def test_a_map_rises_everywhere_and_stays_within_0_and_1(rows, weight):
    score, hit = columns(rows)
    fitted = fit_score_map(score, hit, np.where(hit, 1.0, weight))
    x = np.unique(np.concatenate([score, np.linspace(0, 1, 5001), [1e-9, 1e-4, 1 - 1e-4, 1 - 1e-7]]))
    y = fitted.apply(x)
    far_apart = np.diff(x) > 1e-9
    assert (np.diff(y)[far_apart] > 0).all() and (np.diff(y) >= 0).all()
    assert y[0] >= 0 and y[-1] <= 1
    if hit.any() and not hit.all():
        assert y[0] > 0 and y[-1] < 1
    else:
        assert fitted == IDENTITY and (y == x).all()


@settings(max_examples=50, deadline=None)
@given(scored, st.floats(0, 1))
def test_a_map_is_inverted_and_survives_json_to_the_last_digit(rows, score):
    fitted = fit_score_map(*columns(rows))
    assert fitted.invert(float(fitted.apply(np.array([score]))[0])) == pytest.approx(score, abs=1e-9)
    assert parse_score_map(json.loads(json.dumps({"raw": fitted.raw, "calibrated": fitted.calibrated}))) == fitted
    assert fitted.invert(fitted.calibrated[-1] / 2 + 0.5 + 1e-9) == np.inf


def test_equal_scores_stay_equal_wherever_they_stand():
    fitted = fit_score_map(*draw(200, 0))
    scores = np.random.default_rng(0).choice(np.random.default_rng(1).random(7), 1001)
    mapped = fitted.apply(scores)
    for score in np.unique(scores):
        assert len(np.unique(mapped[scores == score])) == 1
        assert fitted.apply(np.array([score]))[0] == mapped[scores == score][0]


def draw(detections, seed):
    """Scores of an overconfident network: logits are right when four tenths as large, and lower; a third are hits."""
    random = np.random.default_rng(seed)
    logit = np.where(
        random.random(detections) < 0.7, random.normal(-3, 1.5, detections), random.normal(3, 3, detections)
    )
    share = 1 / (1 + np.exp(0.5 - 0.4 * logit))
    return 1 / (1 + np.exp(-logit)), random.random(detections) < share


@pytest.mark.parametrize("hits, expected", [(30, 0.05), (100, 0.035), (1000, 0.02)])
def test_an_overconfident_scorer_is_calibrated_on_fresh_draws(hits, expected):
    fresh, fresh_hits = draw(20_000, 999)
    ones = np.ones(len(fresh))
    assert measure_error(fresh, fresh_hits, ones).expected > 0.1
    errors = []
    for seed in range(12):
        fitted = fit_score_map(*draw(round(hits / 0.31), seed))
        errors.append(measure_error(fitted.apply(fresh), fresh_hits, ones).expected)
    assert np.mean(errors) < expected


def test_a_scorer_that_is_wrong_where_it_is_sure_keeps_its_order_and_gets_the_share_of_hits():
    score, hit = draw(3000, 5)
    fitted = fit_score_map(score, ~hit)
    assert (np.diff(fitted.calibrated) > 0).all()
    assert fitted.apply(score).mean() == pytest.approx(1 - hit.mean(), abs=0.05)


def test_many_hits_bend_the_map_where_no_line_fits(monkeypatch):
    def steps(detections, seed):
        random = np.random.default_rng(seed)
        logit = np.where(
            random.random(detections) < 0.7, random.normal(-2, 2, detections), random.normal(3, 2, detections)
        )
        low, high = (1 / (1 + np.exp(-4 * (logit - place))) for place in (-1, 3))
        return 1 / (1 + np.exp(-logit)), random.random(detections) < 0.02 + 0.4 * low + 0.5 * high

    fresh, hit = steps(20_000, 1)
    bent = measure_error(fit_score_map(*steps(3000, 2)).apply(fresh), hit, np.ones(20_000))
    monkeypatch.setattr(module, "PARTS", 1)
    straight = measure_error(fit_score_map(*steps(3000, 2)).apply(fresh), hit, np.ones(20_000))
    assert bent.expected < 0.025 < 0.04 < straight.expected


def test_the_cross_validated_error_is_not_that_of_the_fit():
    score, hit = draw(80, 3)
    hits = module.ScoredHits(score, hit, np.zeros(80, bool), np.arange(80) % 8, 0.1)
    ones = np.ones(80)
    unseen = cross_validate_map(hits, ones)
    # By hand: eight blocks in five parts.
    by_hand = np.zeros(80)
    for part in range(5):
        mask = hits.block % 5 == part
        by_hand[mask] = fit_score_map(score[~mask], hit[~mask]).apply(score[mask])
    assert unseen == measure_error(by_hand, hit, ones)
    assert cross_validate_map(hits._replace(block=np.zeros(80, np.int64)), ones) is None


def test_points_that_do_not_rise_are_refused():
    for raw, calibrated in [
        ((0, 1), (0.5, 0.5)),
        ((0, 0.5), (0, 1)),
        ((0, 1), (0, 1.1)),
        ((0, 0.4, 0.4, 1), (0, 1, 2, 3)),
    ]:
        with pytest.raises(ValueError, match="points of a map of scores"):
            ScoreMap(raw, calibrated)


def test_maps_are_blended_by_weight_or_not_at_all():
    low, high = ScoreMap((0, 0.5, 1), (0, 0.1, 0.5)), ScoreMap((0, 1), (0.0, 1.0))
    assert blend_maps([low, high], (1, 3)).apply(np.array([0.5]))[0] == pytest.approx(0.4)
    assert blend_maps([low, None], (1, 1)) is None


TRUTH = {"day": Timeline(1000, (Action(100, 110, "jump"), Action(200, 210, "jump")))}
FOUND = {
    "day": Timeline(
        1000,
        (
            Action(100, 110, "jump", 0.9),  # a hit
            Action(101, 111, "jump", 0.8),  # the same again
            Action(205, 225, "jump", 0.7),  # beside one
            Action(500, 510, "jump", 0.6),  # where nothing is
            Action(600, 610, "throw", 0.5),  # of a class that never happens there
        ),
    )
}


def test_second_detections_are_false_and_so_are_classes_that_never_happen():
    hits = score_hits(from_timelines(TRUTH).add_labels(["jump", "throw"]), from_timelines(FOUND))
    order = np.argsort(-hits.score)
    assert hits.score[order].tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert hits.hit[order].tolist() == [True, False, False, False, False]
    assert hits.idle[order].tolist() == [False, False, False, True, True]
    assert hits.action_share == pytest.approx(0.02)
    assert len(score_hits(from_timelines(TRUTH), from_timelines(FOUND)).score) == 4


def test_only_what_is_annotated_counts():
    truth = replace(from_timelines(TRUTH).add_labels(["jump", "throw"]), annotated={"day": ((0.0, 550.0),)})
    hits = score_hits(truth, from_timelines(FOUND))
    assert sorted(hits.score) == [0.6, 0.7, 0.8, 0.9] and hits.action_share == pytest.approx(20 / 550)


def test_false_alarms_of_idle_time_weigh_as_much_as_there_is_idle_time_in_use():
    hits = score_hits(from_timelines(TRUTH), from_timelines(FOUND))
    assert (weigh_idle(hits, None) == 1).all()
    weight = weigh_idle(hits, 0.002)  # 2 s of action in 1000: 499 s of idle time for each, not 49
    assert np.unique(weight[hits.idle]) == pytest.approx([499 / 49]) and (weight[~hits.idle] == 1).all()


@pytest.mark.parametrize(
    "truth, found, reason",
    [
        ({"day": Timeline(1000)}, FOUND, "the videos hold no action"),
        (TRUTH, {"day": Timeline(1000)}, "0 of 0 detections are hits"),
        (TRUTH, {"day": Timeline(1000, (Action(500, 510, "jump", 0.9),))}, "0 of 1 detections are hits"),
        (TRUTH, {"day": Timeline(1000, (Action(100, 110, "jump", 3.5),))}, "1 scores lie outside"),
    ],
)
def test_where_nothing_can_be_said_scores_stay_and_the_card_says_why(truth, found, reason):
    score_map, fit = calibrate(from_timelines(truth), from_timelines(found), ("jump", "throw"), ON, "ab")
    assert score_map is None and fit.before is None
    assert "scores are not calibrated: " + reason in fit.notes[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("calibration")


@pytest.fixture(scope="module")
def recipe(folder):
    made = synthetic.recipe_for(
        synthetic.write_dataset(folder / "data"), train={"steps": 40}, windows={"mode": "slide"}
    )
    write_recipe(folder / "recipe.toml", made)
    return made


@pytest.fixture(scope="module")
def corpus(recipe):
    return open_corpus(recipe.data)


@pytest.fixture(scope="module")
def trained(recipe, folder):
    return train(recipe, folder / "run", device="cpu")


@pytest.fixture(scope="module")
def file(trained):
    return trained.detector_path


def test_training_calibrates_and_says_on_what(trained, file, corpus):
    fit, detector = trained.detector.card.calibration, Detector.load(file)
    assert detector.calibration == trained.detector.calibration and detector.card.calibration == fit
    assert fit.on.splits == ("validation",) and fit.on.videos == 3 and fit.tiou == 0.5
    assert fit.detections == sum(map(len, trained.results.values())) and 0 < fit.hits <= fit.on.actions
    assert fit.after.expected < fit.before.expected
    assert f"calibrated on {fit.hits} hits, which are few" in fit.notes[0]
    done = CliRunner().invoke(app, ["describe", str(file)])
    assert f"{fit.detections:,} detections, {fit.hits} hits at tIoU 0.5" in done.output
    assert f"{fit.before.expected:.3f} (largest" in done.output and "cross-validated" in done.output
    share = detector.calibration.apply(np.array([0.5]))[0]
    assert f"0.5 becomes {share:.2g}" in done.output
    told = json.loads(CliRunner().invoke(app, ["describe", str(file), "--json", "-"]).stdout)
    assert parse_score_map(told["calibration"]) == detector.calibration


def test_neither_order_nor_map_nor_recall_change(trained, file, corpus):
    """The results of a run are those before calibration."""
    detector = Detector.load(file)
    found = {video: detector.detect(corpus.features[video], video) for video in corpus.test}
    assert found != trained.results
    for video, timeline in found.items():
        raw = trained.results[video]
        assert [(a.start, a.end, a.label) for a in timeline] == [(a.start, a.end, a.label) for a in raw]
        assert (
            np.argsort([a.score for a in timeline], kind="stable").tolist()
            == np.argsort([a.score for a in raw], kind="stable").tolist()
        )
    figures, scores = score_detections(corpus, found), trained.scores
    assert (figures.map, figures.per_class, figures.recall_at) == (scores.map, scores.per_class, scores.recall_at)
    assert figures.false_alarms.pooled.recall.tolist() == scores.false_alarms.pooled.recall.tolist()


def test_calibration_can_be_switched_off(trained, file, corpus):
    video = corpus.test[0]
    assert untrimmed.load(file, calibrated=False).detect(corpus.features[video]) == trained.results[video]
    assert untrimmed.load(file).detect(corpus.features[video]) != trained.results[video]


def test_the_command_line_has_the_same_switch(trained, file, corpus, folder):
    def detect(*words):
        done = CliRunner().invoke(
            app, ["detect", str(file), str(folder / "data" / "features"), "--json", "-", "--quiet", *words]
        )
        assert done.exit_code == 0, done.output
        return [row["score"] for row in json.loads(done.stdout) if row["video"] == corpus.test[0]]

    raw = [action.score for action in trained.results[corpus.test[0]]]
    assert detect("--raw-scores") == raw != detect()


def test_a_recipe_can_do_without(recipe, folder):
    plain = train(recipe, folder / "plain", overrides=["train.calibrate=false"], device="cpu")
    assert plain.detector.calibration is None and plain.detector.card.calibration is None
    # A run that is done is calibrated when it is asked for later; nothing is trained again.
    again = train(recipe, folder / "plain", overrides=["train.action_share=0.01"], device="cpu")
    assert again.detector.calibration is not None and again.results == plain.results
    assert again.detector.card.calibration.action_share == 0.01
    with pytest.raises(untrimmed.BadInput, match=r"train.action_share = 1.5: must lie above 0 and below 1"):
        build_recipe({**recipe_tree(recipe), "train": {"action_share": 1.5}}, "test")


def test_earlier_files_load_and_have_none(file, folder, corpus):
    with safe_open(file, framework="pt") as content:
        header = json.loads(content.metadata()[HEADER])
        weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    del header["calibration"], header["card"]["calibration"]
    save_file(weights, folder / "old.safetensors", metadata={HEADER: json.dumps(header)})
    old = Detector.load(folder / "old.safetensors")
    assert old.calibration is None and old.card.calibration is None
    done = CliRunner().invoke(app, ["describe", str(folder / "old.safetensors")])
    assert "as suppression leaves them, not calibrated" in done.output
    header["calibration"] = {"raw": [0, 1], "calibrated": [1, 0]}
    save_file(weights, folder / "bad.safetensors", metadata={HEADER: json.dumps(header)})
    with pytest.raises(untrimmed.BadInput, match=r"bad\.safetensors: is not a whole detector file \(points of a map"):
        Detector.load(folder / "bad.safetensors")


def test_tuning_calibrates_anew_on_what_its_suppression_leaves(trained, recipe, corpus):
    tuned = tune(trained.detector, recipe.data, action_share=0.02)
    detector, card = tuned.detector, tuned.detector.card
    assert detector.calibration not in (None, trained.detector.calibration)
    assert card.calibration.action_share == 0.02 and card.calibration.judged_share > 0.02
    again = tune(tuned.detector, recipe.data).detector
    assert again.card.calibration.action_share == 0.02  # what its scores are for stays
    raw = detector.drop_calibration()
    assert raw.card.tuning.threshold.score == tuned.threshold.raw_score and raw.calibration is None
    for one in (detector, raw):
        least = one.card.tuning.threshold.score
        above = {v: one.detect(corpus.features[v], v).above(least - 1e-12) for v in corpus.test}
        truth = from_timelines({v: corpus.dataset.ground_truth[v] for v in corpus.test})
        hits = score_hits(truth, from_timelines(above))
        assert hits.hit.mean() == pytest.approx(tuned.threshold.precision)
    plain = tune(trained.detector, recipe.data, calibrate=False)
    assert plain.detector.calibration is None and plain.threshold.raw_score is None
    assert plain.after == tuned.after and plain.threshold.score == tuned.threshold.raw_score


def test_a_stream_emits_calibrated_scores_from_the_one_that_was_asked_for(trained, corpus):
    detector, features = trained.detector, corpus.features[corpus.test[0]]

    def stream(one, score):
        stretch = Stretch(one, score)
        emitted = stretch.add(features.values) + stretch.finish(features.duration)
        return sorted((a.start, a.end, a.label, a.score) for a, _, _ in emitted)

    raw, calibrated = stream(detector.drop_calibration(), 0.0), stream(detector, 0.0)
    apply = detector.calibration.apply
    assert raw and calibrated == [(*key, apply(np.array([score]))[0]) for *key, score in raw]
    least = sorted(score for *_, score in calibrated)[-20] - 1e-9
    assert stream(detector, least) == [row for row in calibrated if row[3] >= least]
    assert len(stream(detector, least)) not in (0, len(calibrated))
    assert stream(detector, 1.0) == []


def test_detectors_that_are_fused_are_suppressed_raw_and_calibrated_by_the_mean(trained, file, folder):
    features = folder / "data" / "features"
    detector, other = Detector.load(file), replace(Detector.load(file), calibration=ScoreMap((0, 1), (0.1, 0.2)))
    raw = Fusion((detector.drop_calibration(),) * 2).detect_all((features, features))
    fused = Fusion((detector, other), (1, 3)).detect_all((features, features))
    expected = blend_maps([detector.calibration, other.calibration], (1, 3))
    for video, timeline in fused.items():
        scores = expected.apply(np.array([action.score for action in raw[video]]))
        assert [action.score for action in timeline] == scores.tolist()
    assert any("mean of the detectors' maps" in note for note in fused.notes)
    partly = Fusion((detector, detector.drop_calibration())).detect_all((features, features))
    assert partly == raw and any("not all of the detectors are" in note for note in partly.notes)
    assert not any("calibrat" in note for note in raw.notes)


def test_scores_that_are_weighed_by_those_of_videos_are_not_calibrated(file, folder, corpus):
    features = folder / "data" / "features"
    scores = VideoScores("tags.json", {video: dict.fromkeys(synthetic.CLASSES, 0.5) for video in corpus.features})
    calibrated = Detector.load(file).detect_all(features, video_scores=scores)
    raw = untrimmed.load(file, calibrated=False).detect_all(features, video_scores=scores)
    assert calibrated == raw and any("weighed by those of the videos" in note for note in calibrated.notes)
    assert not any("weighed" in note for note in raw.notes)


def test_an_exported_detector_is_calibrated_too(trained, folder, corpus):
    pytest.importorskip("onnxruntime")
    from untrimmed.detection.export import export_detector

    path = export_detector(trained.detector, folder / "d.onnx")
    features = corpus.features[corpus.test[0]]
    exported, own = untrimmed.load(path, "cpu"), trained.detector.detect(features)
    assert exported.calibration == trained.detector.calibration
    best = exported.detect(features).best(3), own.best(3)
    assert [a.score for a in best[0]] == pytest.approx([a.score for a in best[1]], abs=1e-3)
