"""The recipes of the papers: they build the papers' models, and train on data laid out as the public sets are."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from public_sets import numbers, thumos14, write, write_activitynet_features, write_clips, write_i3d, write_tsn
from untrimmed.annotations.corpus import DataConfig, open_corpus, open_features
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.cli import app
from untrimmed.detection.describe import describe_recipe
from untrimmed.io import BadInput
from untrimmed.recipe import read_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.loop import train

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    ("recipe", "write_features", "channels", "classes", "parameters", "multiply_adds"),
    [
        ("thumos14_ctcn", write_tsn, 12, 20, 37.1e6, 227e9),
        ("thumos14_ctcn_i3d", write_i3d, 2048, 20, 37.1e6, 227e9),
        ("activitynet_ctcn", write_activitynet_features, 402, 200, 318e6, 467e9),
    ],
)
def test_a_paper_recipe_builds_the_paper_s_model_and_trains(
    tmp_path, monkeypatch, recipe, write_features, channels, classes, parameters, multiply_adds
):
    path = RECIPES / f"{recipe}.toml"
    full = describe_recipe(read_recipe(path), channels, classes)
    linear = (channels + 1) * 256 if "thumos14" in recipe else 0
    assert full["parameters"] - linear == pytest.approx(parameters, rel=2e-3)
    assert full["macs"] - 512 * linear == pytest.approx(multiply_adds, rel=2e-3)
    assert full["anchors"] == 1785

    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_features(tmp_path)
    tiny = ["model.width=0.0625", "model.depth=15", "model.box_head=8", "model.class_head=8", "train.loaders=0"]
    tiny += ["train.steps=2", "train.batch=2", "model.length=256", "model.levels=7"]
    tiny += ["model.concepts=8"] if "thumos14" in recipe else []
    settings = read_recipe(path, tiny)
    corpus = open_corpus(settings.data)
    assert (len(corpus.train), len(corpus.test), corpus.notes) == (4, 2, ())
    assert corpus.features[corpus.train[0]].channels == channels
    trained = train(settings, tmp_path / "run", device="cpu")
    assert trained.detector.channels == channels and set(trained.results) == set(corpus.test)


@pytest.mark.parametrize("streams", [["rgb"], ["flow"], ["rgb", "flow"]])
def test_the_streams_of_table_2_are_set_by_an_override(tmp_path, monkeypatch, streams):
    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_i3d(tmp_path)
    quoted = ", ".join(f'"{stream}"' for stream in streams)
    data = read_recipe(RECIPES / "thumos14_ctcn_i3d.toml", [f"data.streams=[{quoted}]"]).data
    corpus = open_corpus(data)
    assert corpus.source.streams == tuple(streams)
    assert corpus.features[corpus.train[0]].channels == 1024 * len(streams)


def test_features_at_another_rate_than_stated_are_refused_with_both_lengths(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    thumos14(tmp_path, 30, 16, 4)
    for video in thumos14(tmp_path, 30, 16, 4):
        write(tmp_path / "thumos14" / "i3d_features" / f"{video}.npy", numbers(225, 2048))  # stride 8
    with pytest.raises(BadInput, match=r"225 snippets of i3d.*stride 4.* end at 30\.4 s, but the video at 60\.0 s"):
        open_corpus(read_recipe(RECIPES / "thumos14_ctcn_i3d.toml").data)


def test_one_odd_video_among_many_is_no_wrong_rate(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_i3d(tmp_path)
    write(tmp_path / "thumos14" / "i3d_features" / "video_validation_0000000.npy", numbers(100, 2048))
    assert len(open_corpus(read_recipe(RECIPES / "thumos14_ctcn_i3d.toml").data).train) == 4


def test_a_layout_that_needs_lengths_takes_them_from_the_annotations(tmp_path):
    write(tmp_path / "features" / "v_abc.csv", numbers(10, 400))
    write_activitynet(tmp_path / "a.json", {"abc": Timeline(50.0, (Action(1, 2, "x"),))})
    config = DataConfig(annotations=str(tmp_path / "a.json"), layout="bsn-tsn")
    assert open_features(config, path=tmp_path / "features")["abc"].grid.step == 5.0
    with pytest.raises(BadInput, match=r"data\.annotations is empty"):
        open_features(replace(config, annotations=""), path=tmp_path / "features")


def test_a_detector_of_two_streams_finds_actions_in_a_folder_of_both(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_tsn(tmp_path)
    tiny = ["model.width=0.0625", "model.depth=15", "model.concepts=8", "train.loaders=0", "train.steps=1"]
    settings = read_recipe(RECIPES / "thumos14_ctcn.toml", [*tiny, "train.batch=2"])
    train(settings, tmp_path / "run", device="cpu")
    words = ["detect", str(tmp_path / "run" / "detector.safetensors"), str(tmp_path / "thumos14" / "tsn")]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "{video}.csv"), "--quiet"])
    assert result.exit_code == 0, result.output + result.stderr
    assert len(list(tmp_path.glob("video_*.csv"))) == 6


@pytest.mark.parametrize("recipe", ["thumos14_gtan", "activitynet_gtan"])
def test_a_gtan_recipe_builds_the_paper_s_model_and_trains(tmp_path, monkeypatch, recipe):
    path = RECIPES / f"{recipe}.toml"
    full = describe_recipe(read_recipe(path), 2048, 20)
    assert full["levels"] == [128, 64, 32, 16, 8, 4, 2, 1]
    assert full["receptive_fields"] == [11, 19, 35, 67, 131, 259, 515, 1027]

    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_clips(tmp_path, recipe.removesuffix("_gtan"))
    tiny = ["model.width=0.005", "train.loaders=0", "train.steps=2", "train.batch=2"]
    settings = read_recipe(path, tiny)
    corpus = open_corpus(settings.data)
    assert (len(corpus.train), len(corpus.test), corpus.notes) == (4, 2, ())
    trained = train(settings, tmp_path / "run", device="cpu")
    assert trained.detector.channels == 2048 and set(trained.results) == set(corpus.test)


def test_gtan_takes_other_features_by_overrides(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTRIMMED_DATA", str(tmp_path))
    write_clips(tmp_path, "thumos14")
    write_i3d(tmp_path)
    path = RECIPES / "thumos14_gtan.toml"
    c3d = ["data.features=$UNTRIMMED_DATA/thumos14/p3d", "data.source.backbone=c3d-sports1m"]
    assert open_corpus(read_recipe(path, c3d).data).source.backbone == "c3d-sports1m"
    i3d = ["data.source=none", "data.features=$UNTRIMMED_DATA/thumos14/i3d_features", "data.layout=actionformer-i3d"]
    source = open_corpus(read_recipe(path, [*i3d, "data.average=2"]).data).source
    assert (source.backbone, source.stride) == ("i3d-kinetics", 8)
