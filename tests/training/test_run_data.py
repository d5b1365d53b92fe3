"""A run folder remembers its data: with any other it is refused, or its weights are those of a fresh run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection.card import hash_ground_truth
from untrimmed.detection.detector import Detector
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.recipe import Recipe, write_recipe
from untrimmed.training import loop
from untrimmed.training.checkpoint import CHECKPOINT, DETECTOR, Process
from untrimmed.training.loop import train

TRAIN = ("video00", "video01", "video03", "video04", "video06", "video07")
TEST = ("video02", "video05", "video08")


def recipe_of(folder: Path, **sections: dict) -> Recipe:
    """Four quick steps of a tiny network."""
    small = {"length": 64, "levels": 4, "concepts": 2}
    train = {"steps": 4, "save_every": 2, **sections.pop("train", {})}
    return synthetic.recipe_for(folder, model=small, train=train, **sections)


class Stopped(Exception):
    pass


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As for each test, but for what is trained before the first: weights are compared to the bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def begun(tmp_path_factory, one_thread):
    """A folder with data, a run that ended (`ended`) and one that was stopped half way (`half`)."""
    folder = tmp_path_factory.mktemp("begun")
    synthetic.write_dataset(folder / "data")

    def stop(task, done, *_):
        if done == 3:
            raise Stopped

    train(recipe_of(folder / "data"), folder / "ended")
    with pytest.raises(Stopped):
        train(recipe_of(folder / "data"), folder / "half", progress=stop)
    return folder


@pytest.fixture
def work(begun, tmp_path):
    """A copy, elsewhere and with other times of files, that a test may change."""
    shutil.copytree(begun, tmp_path / "work", copy_function=shutil.copy)
    return tmp_path / "work"


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / DETECTOR)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class Change:
    """What may be done to a folder of data and a recipe between two calls."""

    def __init__(self, folder: Path) -> None:
        self.data, self.sections = folder, {}
        self.file, self.features = folder / "annotations.json", folder / "features"
        self.tree = read_json(self.file)
        self.database = self.tree["database"]

    def recipe(self) -> Recipe:
        write_json(self.file, self.tree)
        return recipe_of(self.data, **self.sections)

    def time(self, video):
        self.database[video]["annotations"][0]["segment"][1] += 0.25

    def label(self, video):
        action = self.database[video]["annotations"][0]
        action["label"] = next(label for label in synthetic.CLASSES if label != action["label"])

    def new_class(self, video):
        self.database[video]["annotations"][0]["label"] = "climb"

    def drop_action(self, video):
        del self.database[video]["annotations"][-1]

    def length(self, video):
        self.database[video]["duration"] += 0.5

    def drop_video(self, video):
        del self.database[video]

    def add_video(self, video):
        self.database["another"] = self.database[video]
        source = read_json(self.features / "manifest.json")
        source["videos"]["another"] = {**source["videos"][video], "file": "another.npy"}
        write_json(self.features / "manifest.json", source)
        shutil.copy(self.features / f"{video}.npy", self.features / "another.npy")

    def move_video(self, video):
        entry = self.database[video]
        entry["subset"] = "validation" if entry["subset"] == "training" else "training"

    def order(self, video):
        self.database[video] = self.database.pop(video)

    def values(self, video):
        values = np.load(self.features / f"{video}.npy")
        values[0, 0] += 1
        np.save(self.features / f"{video}.npy", values)

    def swap_snippets(self, video):
        values = np.load(self.features / f"{video}.npy")
        np.save(self.features / f"{video}.npy", np.concatenate([values[5:], values[:5]]))

    def size(self, video):
        np.save(self.features / f"{video}.npy", np.load(self.features / f"{video}.npy")[:-1])

    def rate_of_features(self, video):
        manifest = read_json(self.features / "manifest.json")
        manifest["source"]["window"] = 1.5
        write_json(self.features / "manifest.json", manifest)

    def lose_features(self, video):
        (self.features / f"{video}.npy").unlink()
        manifest = read_json(self.features / "manifest.json")
        del manifest["videos"][video]
        write_json(self.features / "manifest.json", manifest)
        self.sections = {"data": {**synthetic_paths(self.data), "unusable": "drop"}}

    def seed(self, video):
        self.sections = {"train": {"seed": 1}}

    def learning_rate(self, video):
        self.sections = {"train": {"rate": 0.5}}

    def nothing(self, video):
        pass


def synthetic_paths(folder: Path) -> dict[str, str]:
    return {"annotations": str(folder / "annotations.json"), "features": str(folder / "features")}


CHANGES = [name for name in vars(Change) if not name.startswith("_") and name != "recipe"]


@settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=2),
    video=st.sampled_from(TRAIN + TEST),
    run=st.sampled_from(["half", "ended"]),
)
def test_any_change_is_refused_or_leads_to_the_weights_of_a_fresh_run(begun, tmp_path_factory, names, video, run):
    folder = tmp_path_factory.mktemp("changed") / "work"
    shutil.copytree(begun, folder)
    change = Change(folder / "data")
    for name in names:
        if video in change.database and (change.features / f"{video}.npy").exists():
            getattr(change, name)(video)
    recipe = change.recipe()
    held = (folder / run / CHECKPOINT).read_bytes()
    try:
        train(recipe, folder / run)
    except BadInput:
        assert (folder / run / CHECKPOINT).read_bytes() == held
        return
    train(recipe, folder / "fresh")
    assert same(read_weights(folder / run), read_weights(folder / "fresh"))


@pytest.mark.parametrize("run", ["half", "ended"])
@pytest.mark.parametrize(
    ("name", "video", "words"),
    [
        ("time", "video03", r"annotations\.json has other actions, or another length, .*, of video 'video03'"),
        ("label", "video02", r"annotations\.json has other actions, or another length, .*, of video 'video02'"),
        ("length", "video03", r"annotations\.json has other actions, or another length, .*, of video 'video03'"),
        ("new_class", "video03", r"annotations\.json has the class 'climb', which is new"),
        ("drop_video", "video03", r"have no more the training video 'video03'"),
        ("add_video", "video00", r"have the training video 'another', which is new"),
        ("move_video", "video05", r"have the training video 'video05', which is new"),
        ("order", "video00", r"have the training videos in another order"),
        ("values", "video04", r"features has other features of video 'video04'"),
        ("swap_snippets", "video04", r"features has other features of video 'video04'"),
        ("size", "video04", r"features has other features of video 'video04'"),
        ("rate_of_features", "video04", r"features has other features of video 'video00' \(and 5 more\)"),
    ],
)
def test_a_difference_is_refused_with_the_file_and_an_example(work, run, name, video, words):
    change = Change(work / "data")
    getattr(change, name)(video)
    old = {file.name: file.read_bytes() for file in (work / run).iterdir()}
    with pytest.raises(BadInput, match=words) as refusal:
        train(change.recipe(), work / run)
    assert str(refusal.value).startswith(f"{work / run}: holds a run")
    assert "choose another folder or remove this one" in str(refusal.value)
    assert {file.name: file.read_bytes() for file in (work / run).iterdir()} == old


def test_a_folder_that_was_moved_or_copied_goes_on(begun, work):
    for run in ("half", "ended"):
        train(recipe_of(work / "data"), work / run)
        assert same(read_weights(work / run), read_weights(begun / "ended"))


def test_features_of_test_videos_are_tested_on_as_they_are(work):
    change = Change(work / "data")
    change.swap_snippets("video02")
    again = train(change.recipe(), work / "ended")
    assert again.results["video02"] == train(change.recipe(), work / "fresh").results["video02"]


def test_the_card_names_what_the_weights_learned_from(work):
    corpus = open_corpus(recipe_of(work / "data").data)
    card = Detector.load(work / "ended" / DETECTOR).card
    assert card.training.annotations == hash_ground_truth(corpus.dataset, (*corpus.train, *corpus.test))


def test_another_number_of_processes_is_refused(work, monkeypatch):
    monkeypatch.setattr(loop, "join_processes", lambda device: Process(0, 2, "cpu"))
    recipe = recipe_of(work / "data")
    monkeypatch.setattr(loop, "DistributedDataParallel", lambda model: model)
    with pytest.raises(BadInput, match="holds a run of 1 processes, not 2"):
        train(recipe, work / "half")


def test_a_run_of_a_version_without_this_memory_is_refused(work):
    path = work / "half" / CHECKPOINT
    save_file(load_file(path), path, metadata={"step": "2"})
    with pytest.raises(BadInput, match="did not remember the data it learned from"):
        train(recipe_of(work / "data"), work / "half")


def test_a_run_without_a_checkpoint_takes_the_data_of_today_and_says_so(work, caplog):
    (work / "half" / CHECKPOINT).unlink()
    change = Change(work / "data")
    change.time("video03")
    caplog.set_level("INFO", "untrimmed")
    train(change.recipe(), work / "half")
    begins = f"{work / 'half'}: holds no checkpoint yet, so the run begins anew"
    assert begins in [record.getMessage() for record in caplog.records]
    train(change.recipe(), work / "fresh")
    assert same(read_weights(work / "half"), read_weights(work / "fresh"))


def test_corrections_in_place_are_refused_and_then_learned_elsewhere(work):
    """The loop of the README."""
    write_recipe(work / "dataset.toml", recipe_of(work / "data"))
    change = Change(work / "data")
    change.time("video03")
    change.recipe()

    def run(*words):
        return CliRunner().invoke(app, ["train", str(work / "dataset.toml"), "--quiet", *words])

    old = Detector.load(work / "ended" / DETECTOR).card
    refused = run("--out", str(work / "ended"))
    assert refused.exit_code == 2 and "annotations.json has other actions" in refused.stderr
    assert Detector.load(work / "ended" / DETECTOR).card == old
    assert run("--out", str(work / "corrected")).exit_code == 0
    assert Detector.load(work / "corrected" / DETECTOR).card.training.annotations != old.training.annotations
    assert not same(read_weights(work / "corrected"), read_weights(work / "ended"))


def test_the_digests_do_not_make_checkpoints_differ(begun, work):
    train(recipe_of(work / "data"), work / "again")
    assert (work / "again" / CHECKPOINT).read_bytes() == (begun / "ended" / CHECKPOINT).read_bytes()
