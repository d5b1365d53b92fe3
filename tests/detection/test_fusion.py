"""Late fusion: a detector agrees with itself, weights act, and what cannot be fused anchor by anchor is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus, open_features
from untrimmed.annotations.formats.activitynet import read_activitynet_results
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.features.streams import read_features
from untrimmed.features.windows import cut_windows
from untrimmed.io import BadInput
from untrimmed.models.base import stack_windows
from untrimmed.models.suppression import suppress
from untrimmed.training.loop import build_model, join_processes

FIRST, SECOND = ((0, 5),), ((3, 8),)


@pytest.fixture
def folder(tmp_path):
    return synthetic.write_dataset(tmp_path / "data")


def detector_of(folder, columns=(), seed=0, **sections) -> Detector:
    """An untrained detector of some columns of the features; its boxes and scores are already its own."""
    recipe = synthetic.recipe_for(folder, data={"columns": columns}, train={"seed": seed}, **sections)
    corpus = open_corpus(recipe.data)
    model = build_model(recipe, corpus, join_processes("cpu")).eval()
    channels = corpus.features["video02"].channels
    return Detector(model, recipe, channels, corpus.dataset.classes, corpus.source)


def seen_by(detector, video="video02"):
    return open_features(detector.recipe.data)[video]


@pytest.mark.parametrize("mode", ["whole", "slide"])
@pytest.mark.parametrize("weights", [(), (0.25, 0.75), (3, 1)])
def test_a_detector_fused_with_itself_gives_its_own_detections(folder, mode, weights):
    detector = detector_of(folder, windows={"mode": mode})
    features = seen_by(detector)
    assert Fusion((detector, detector), weights).detect([features, features]) == detector.detect(features)


@pytest.mark.parametrize(("weights", "alone"), [((1, 0), 0), ((0, 1), 1)])
def test_a_weight_of_zero_leaves_the_other_alone(folder, weights, alone):
    detectors = detector_of(folder, FIRST), detector_of(folder, SECOND, seed=1)
    features = [seen_by(detector) for detector in detectors]
    assert Fusion(detectors, weights).detect(features) == detectors[alone].detect(features[alone])
    assert detectors[0].detect(features[0]) != detectors[1].detect(features[1])


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_fusion_equals_a_slow_plain_version(folder, mode):
    detectors = [
        detector_of(folder, columns, seed, windows={"mode": mode}) for columns, seed in ((FIRST, 0), (SECOND, 1))
    ]
    features = [seen_by(detector) for detector in detectors]
    shares = 1 / 3, 2 / 3
    segments, scores = [], []
    cut = [cut_windows(f, d.recipe.windows, d.model.length) for f, d in zip(features, detectors, strict=True)]
    for pair in zip(*cut, strict=True):
        with torch.inference_mode():
            found = [
                d.model.decode(d.model(*stack_windows([w])[:2]))[0] for d, w in zip(detectors, pair, strict=True)
            ]
        for a, b, p, q in zip(found[0].segments, found[1].segments, found[0].scores, found[1].scores, strict=True):
            times = [w.grid.seconds(box.double().numpy()) for w, box in zip(pair, (a, b), strict=True)]
            segments.append([shares[0] * times[0][i] + shares[1] * times[1][i] for i in (0, 1)])
            scores.append([shares[0] * x + shares[1] * y for x, y in zip(p.tolist(), q.tolist(), strict=True)])
    kept = suppress(np.array(segments), np.array(scores), detectors[0].recipe.suppress)
    expected = sorted(zip(kept.segments.clip(0, features[0].duration).tolist(), kept.scores.tolist(), strict=True))
    fused = Fusion(tuple(detectors), (1, 2)).detect(features)
    got = sorted(([action.start, action.end], action.score) for action in fused.actions)
    assert len(got) == len(expected) > 10
    # Single windows and batches differ in the last digits of what the model gives.
    for (segment, score), (other, value) in zip(got, expected, strict=True):
        assert segment == pytest.approx(other, abs=1e-3) and score == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"model": {"length": 256, "levels": 7}}, r"their windows differ, 128 snippets \(whole\) and 256 \(whole\)"),
        ({"windows": {"mode": "slide"}}, r"their windows differ, 128 snippets \(whole\) and 128 \(slide\)"),
        ({"model": {"anchors": 5}}, "their anchors differ, 441 and 315 a window"),
        ({"model": {"anchor_rule": "paper"}}, "their anchors differ"),
    ],
)
def test_detectors_of_other_windows_or_anchors_are_refused(folder, sections, sentence):
    with pytest.raises(BadInput, match=f"detectors 1 and 2 cannot be fused anchor by anchor: {sentence}"):
        Fusion((detector_of(folder), detector_of(folder, **sections)))


def test_detectors_of_other_classes_are_refused_with_their_names(folder):
    detector = detector_of(folder)
    with pytest.raises(BadInput, match="their classes differ in bow, throw"):
        Fusion((detector, replace(detector, classes=("jump", "run", "bow"))))
    with pytest.raises(BadInput, match="their classes are in another order"):
        Fusion((detector, replace(detector, classes=("run", "jump", "throw"))))


def test_models_without_fixed_anchors_are_refused(folder):
    detector = detector_of(folder)
    del detector.model.anchors
    with pytest.raises(BadInput, match="no fixed anchors"):
        Fusion((detector, detector))


@pytest.mark.parametrize("weights", [(1,), (0, 0), (2, -1), (1, float("nan")), (float("inf"), 1)])
def test_weights_that_are_none_are_refused(folder, weights):
    detector = detector_of(folder)
    with pytest.raises(BadInput, match="fusion weights"):
        Fusion((detector, detector), weights)


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_features_a_few_snippets_apart_are_cut_and_those_of_another_video_refused(folder, mode):
    detector = detector_of(folder, windows={"mode": mode})
    fusion, features = Fusion((detector, detector)), seen_by(detector)
    shorter = features[: len(features) - 3]
    assert fusion.detect([features, shorter]) == detector.detect(shorter)
    with pytest.raises(BadInput, match=r"the video: its features end at .* s and .* s; give those of one video"):
        fusion.detect([features, features[: len(features) - 20]])


def test_sliding_windows_of_other_rates_are_refused_and_whole_ones_are_not(folder):
    for mode in ("whole", "slide"):
        fast, slow = detector_of(folder, windows={"mode": mode}), detector_of(folder, windows={"mode": mode})
        slow = replace(slow, source=slow.source.average(2))
        features = [seen_by(fast), seen_by(fast).average(2)]
        fusion = Fusion((fast, slow))
        if mode == "whole":
            assert fusion.detect(features).actions
            continue
        with pytest.raises(BadInput, match=r"snippets come every 0\.25 s and 0\.5 s, so sliding windows differ"):
            fusion.detect(features)


def test_each_detector_refuses_what_it_was_not_trained_on(folder):
    detectors = detector_of(folder, FIRST), detector_of(folder, ((0, 8),))
    with pytest.raises(BadInput, match="8 channels, but the detector takes 5"):
        Fusion(detectors).detect([seen_by(detectors[1]), seen_by(detectors[1])])


def test_the_command_fuses_two_detectors_with_a_source_each(folder, tmp_path):
    detectors = detector_of(folder, FIRST), detector_of(folder, SECOND, seed=1)
    for name, detector in zip("ab", detectors, strict=True):
        detector.save(tmp_path / f"{name}.safetensors")
    source, out = str(folder / "features"), tmp_path / "late.json"
    words = ["detect", str(tmp_path / "a.safetensors"), source, "--out", str(out), "--quiet"]
    also = ["--also", str(tmp_path / "b.safetensors"), source]
    for extra, expected in (
        (also, Fusion(detectors)),
        ([*also, "--weight", "0.75"], Fusion(detectors, (1, 3))),
    ):
        done = CliRunner().invoke(app, [*words, *extra])
        assert done.exit_code == 0, done.output + done.stderr
        got = read_activitynet_results(out).timelines["video02"].best(5)
        wanted = expected.detect([seen_by(detector) for detector in detectors]).best(5)
        for action, other in zip(got.actions, wanted.actions, strict=True):
            assert (action.start, action.end) == pytest.approx((other.start, other.end), abs=0.01)
            assert action.score == pytest.approx(other.score, abs=1e-3) and action.label == other.label


def test_the_command_refuses_sources_of_other_videos(folder, tmp_path):
    detector = detector_of(folder)
    detector.save(tmp_path / "a.safetensors")
    single = folder / "features" / "video02.npy"
    words = [
        "detect",
        str(tmp_path / "a.safetensors"),
        str(folder / "features"),
        "--out",
        str(tmp_path / "late.json"),
    ]
    done = CliRunner().invoke(app, [*words, "--also", str(tmp_path / "a.safetensors"), str(single), "--quiet"])
    assert done.exit_code == 2
    assert "lacks 8 of the 9 videos" in done.stderr and "such as video00" in done.stderr
    assert list(detector.detect_all(single)) == list(read_features(single))
