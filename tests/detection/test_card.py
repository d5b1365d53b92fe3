"""Cards: what a run writes on its detector, what survives a file, and what people are shown."""

import json
from dataclasses import replace

import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection.card import (
    Card,
    Figures,
    Threshold,
    Tuning,
    VideoCount,
    card_to_json,
    hash_ground_truth,
    parse_card,
)
from untrimmed.detection.detector import HEADER, Detector
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline
from untrimmed.training.loop import train

TUNING = Tuning(
    on=VideoCount(("held",), 3, 9, 0.1),
    annotations="ab" * 32,
    before=Figures("segments", (0.5,), (0.2,), 0.2),
    after=Figures("segments", (0.5,), (0.3,), 0.3),
    threshold=Threshold(0.41, 0.5, 0.9, 0.8, 0.847),
    notes=("a word of warning",),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("card")


@pytest.fixture(scope="module")
def trained(folder):
    return train(synthetic.recipe_for(synthetic.write_dataset(folder / "data")), folder / "run")


@pytest.fixture(scope="module")
def file(trained, folder):
    return folder / "run" / "detector.safetensors"


def test_a_run_writes_what_it_learned_from_and_what_it_reached(trained, file):
    card = Detector.load(file).card
    assert card == trained.detector.card
    corpus = open_corpus(trained.detector.recipe.data)
    training = card.training
    assert (training.dataset, training.train.splits, training.test.splits) == (
        "activitynet",
        ("training",),
        ("validation",),
    )
    assert (training.train.videos, training.test.videos) == (6, 3)
    truth = corpus.dataset.ground_truth
    assert training.train.actions == sum(len(truth[video].actions) for video in corpus.train)
    assert training.test.hours == pytest.approx(sum(truth[video].duration for video in corpus.test) / 3600)
    assert training.figures.average_map == trained.scores.average_map
    assert training.figures.map == trained.scores.map


def test_the_hash_is_of_what_is_annotated_and_not_of_how(trained):
    dataset = open_corpus(trained.detector.recipe.data).dataset
    videos = list(dataset.ground_truth)
    assert hash_ground_truth(dataset, videos) == hash_ground_truth(dataset, videos[::-1])
    assert hash_ground_truth(dataset, videos) != hash_ground_truth(dataset, videos[1:])
    first = dataset.ground_truth[videos[0]]
    other = {**dataset.ground_truth, videos[0]: Timeline(first.duration, first.actions[1:])}
    assert hash_ground_truth(dataset, videos) != hash_ground_truth(replace(dataset, ground_truth=other), videos)


def test_a_card_survives_json_and_what_is_none_is_refused(trained):
    card = replace(trained.detector.card, tuning=TUNING)
    tree = json.loads(json.dumps(card_to_json(card)))
    assert parse_card(tree) == card
    assert parse_card({**tree, "of tomorrow": 1}) == card
    assert parse_card({}) == Card()
    with pytest.raises(TypeError, match="its card"):
        parse_card({"training": {"dataset": 3}})


def test_files_without_a_card_load_and_say_so(trained, file, folder):
    old = folder / "old.safetensors"
    with_header(file, old, lambda header: header.pop("card"))
    assert Detector.load(old).card is None
    done = CliRunner().invoke(app, ["describe", str(old)])
    assert done.exit_code == 0 and "the file is older than cards" in done.output


def test_a_broken_card_is_refused_with_the_file_s_name(file, folder):
    bad = folder / "bad.safetensors"
    with_header(file, bad, lambda header: header.update(card={"training": 3}))
    with pytest.raises(BadInput, match=r"bad\.safetensors: is not a whole detector file \(its card: "):
        Detector.load(bad)


def test_describe_shows_the_card_of_a_detector(trained, folder):
    detector = replace(trained.detector, card=replace(trained.detector.card, tuning=TUNING))
    path = folder / "d.safetensors"
    detector.save(path)
    done = CliRunner().invoke(app, ["describe", str(path)])
    assert done.exit_code == 0, done.output
    for words in ("activitynet, training: 6 videos", "validation: 3 videos", "seed 0", "3: jump, run, throw"):
        assert words in done.output
    assert "0.410 (precision 90.0 %, recall 80.0 %" in done.output and "a word of warning" in done.output
    told = json.loads(CliRunner().invoke(app, ["describe", str(path), "--json", "-"]).stdout)
    assert parse_card(told["card"]) == detector.card
    assert told["recipe"]["train"]["steps"] == 6 and told["source"]["backbone"] == "synthetic"


def test_describe_refuses_what_it_cannot_describe(file, folder):
    (folder / "no.safetensors").write_text("hello")
    for words, sentence in (
        ([str(folder / "no.safetensors")], "is not a whole detector file"),
        (["nowhere.safetensors"], "no such detector file"),
        ([str(file), "train.steps=3"], "a detector is described as it is"),
    ):
        done = CliRunner().invoke(app, ["describe", *words])
        assert done.exit_code == 2 and sentence in done.stderr, done.output


def with_header(source, target, change):
    """A copy of a detector file with another header."""
    with safe_open(source, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header)
    save_file(weights, target, metadata={HEADER: json.dumps(header)})
