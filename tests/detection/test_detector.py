"""Detectors: what they refuse, what they keep, and that a file is the whole of one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.detection.detector import Detector
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput
from untrimmed.recipe import build_recipe, recipe_tree
from untrimmed.training.loop import build_model, join_processes


@pytest.fixture
def recipe(tmp_path):
    return synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data"))


@pytest.fixture
def corpus(recipe):
    return open_corpus(recipe.data)


@pytest.fixture
def detector(recipe, corpus):
    model = build_model(recipe, corpus, join_processes("cpu")).eval()
    return Detector(model, recipe, synthetic.CHANNELS, corpus.dataset.classes, corpus.source)


def test_a_saved_and_loaded_detector_agrees(detector, corpus, tmp_path):
    detector.save(tmp_path / "d.safetensors")
    loaded = Detector.load(tmp_path / "d.safetensors")
    features = corpus.features["video02"]
    assert loaded.detect(features) == detector.detect(features)
    assert (loaded.recipe, loaded.classes, loaded.source) == (detector.recipe, detector.classes, detector.source)


def test_detections_lie_in_the_video_and_are_no_more_than_kept(detector, corpus):
    suppress = replace(detector.recipe.suppress, keep=7, keep_per_minute=0.0, keep_per_class=False)
    detector = replace(detector, recipe=replace(detector.recipe, suppress=suppress))
    timeline = detector.detect(corpus.features["video02"])
    assert len(timeline.actions) == 7
    assert all(0 <= action.start < action.end <= timeline.duration for action in timeline.actions)


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_detection_is_the_same_however_often_it_is_asked(detector, corpus, mode):
    detector = replace(detector, recipe=replace(detector.recipe, windows=replace(detector.recipe.windows, mode=mode)))
    assert detector.detect(corpus.features["video02"]) == detector.detect(corpus.features["video02"])


def test_features_of_another_kind_are_refused_with_both_named(detector, corpus):
    features = corpus.features["video02"]
    faster = FeatureSource(backbone="synthetic", fps=8.0, streams=("noise",))
    with pytest.raises(BadInput, match=r"8 fps.*4 fps"):
        detector.detect(replace(features, source=faster))
    with pytest.raises(BadInput, match="5 channels, but the detector takes 8"):
        detector.detect(replace(features, values=features.values[:, :5]))


def test_features_that_are_not_finite_are_refused(detector, corpus):
    features = corpus.features["video02"]
    values = np.array(features.values)
    values[3, 2] = np.nan
    with pytest.raises(BadInput, match="snippet 3, channel 2"):
        detector.detect(replace(features, values=values), "video02")


def test_a_detector_file_cut_in_half_is_refused_with_its_name(detector, tmp_path):
    path = tmp_path / "d.safetensors"
    detector.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"d\.safetensors: is not a whole detector file"):
        Detector.load(path)


def test_a_file_that_is_no_detector_is_refused(tmp_path):
    (tmp_path / "d.safetensors").write_text("hello")
    with pytest.raises(BadInput, match="is not a whole detector file"):
        Detector.load(tmp_path / "d.safetensors")
    with pytest.raises(BadInput, match="no such detector file"):
        Detector.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(("name", "what"), [("checkpoint.safetensors", "a checkpoint"), ("recipe.toml", "a recipe")])
def test_another_file_of_a_run_names_the_detector_beside_it(detector, tmp_path, name, what):
    if name.endswith(".toml"):
        (tmp_path / name).write_text("[train]\nsteps = 5\n")
    else:
        save_file({"step": torch.zeros(1)}, tmp_path / name, metadata={"step": "3"})
    with pytest.raises(
        BadInput, match=rf"{what}.*, not a detector; name the detector\.safetensors of a finished run"
    ):
        Detector.load(tmp_path / name)
    detector.save(tmp_path / "detector.safetensors")
    with pytest.raises(BadInput, match=rf"{what}.*, not a detector; its detector is .*detector\.safetensors"):
        Detector.load(tmp_path / name)
    detector.save(tmp_path / "checkpoint_of_june.safetensors")
    assert Detector.load(tmp_path / "checkpoint_of_june.safetensors").classes == detector.classes


def test_standardizing_uses_the_training_videos(detector, corpus):
    x = np.concatenate([np.asarray(corpus.features[video].values, np.float32) for video in corpus.train]).T[None]
    standard = detector.model.standardize(torch.from_numpy(x), torch.ones(1, x.shape[2], dtype=torch.bool))
    assert standard.mean((0, 2)).abs().max() < 1e-3
    assert (standard.std((0, 2)) - 1).abs().max() < 1e-2


MODELS = {
    "ctcn": {},
    "gtan": {"length": 64, "base": [16, 16], "layers": [8, 8, 16, 16]},
    "ssad": {"length": 64, "base": [8, 8], "pool_stride": 2, "layers": [12, 12, 12]},
}


def detector_of(model, recipe, features):
    """A detector of a model's own small settings, with weights of seed 0."""
    tree = recipe_tree(recipe)
    tree["model"] = {"name": model, **MODELS[model]} if MODELS[model] else tree["model"]
    torch.manual_seed(0)
    made = build_recipe(tree, "test")
    network = made.model.build(features.channels, 2).eval()
    return Detector(network, made, features.channels, ("a", "b"), features.source)


@pytest.mark.parametrize("model", MODELS)
def test_half_the_precision_finds_nearly_the_same(corpus, recipe, model):
    first = next(iter(corpus.features.values()))
    full = detector_of(model, recipe, first)
    segments, scores = full.candidates(first)
    moved, others = replace(full, precision="bfloat16").candidates(first)
    assert segments.shape == moved.shape and not np.array_equal(scores, others)
    assert np.abs(scores - others).max() < 0.05 and np.abs(segments - moved).max() < 2
    same = replace(full, precision="float32").candidates(first)
    assert np.array_equal(same[0], segments) and np.array_equal(same[1], scores)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("model", MODELS)
def test_a_gpu_finds_what_the_cpu_finds(corpus, recipe, model, tmp_path):
    first = next(iter(corpus.features.values()))
    detector = detector_of(model, recipe, first)
    detector.save(tmp_path / "d.safetensors")
    segments, scores = detector.candidates(first)
    moved, others = Detector.load(tmp_path / "d.safetensors", "cuda").candidates(first)
    assert np.abs(scores - others).max() < 0.005 and np.abs(segments - moved).max() < 0.1


def test_an_array_is_refused_with_what_makes_features_of_it(detector, corpus):
    features = corpus.features["video02"]
    array = np.asarray(features.values)
    call: Any = getattr(Detector.__call__, "__wrapped__", Detector.__call__)  # without the tests' check of types
    with pytest.raises(BadInput, match="not ndarray; of an array"):
        call(detector, array)
    made = VideoFeatures(array, detector.source.grid, features.duration, detector.source)
    assert detector(made) == detector.detect(features)
