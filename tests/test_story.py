"""Through the commands alone: video, features, detector, detections, scores, page; and every bad input on the way."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.cli import app
from untrimmed.recipe import read_recipe, write_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.video.writer import write_video


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def refused(*words):
    """What a command says of bad input: one sentence on stderr, exit code 2."""
    done = run(*words, code=2)
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("untrimmed: "), done.output
    assert "Traceback" not in done.output
    return lines[0]


def picture(index, count, loud):
    """Grey noise; while something happens, a bright square that moves."""
    random = np.random.default_rng(index)
    image = random.integers(60, 90, (96, 128, 3), dtype=np.uint8)
    if loud:
        left = 4 * (index % 20)
        image[30:60, left : left + 30] = 230
    return image


def write_clip(path, seconds=12, fps=10, start=4, end=8):
    count = seconds * fps
    write_video(path, (picture(i, count, start * fps <= i < end * fps) for i in range(count)), float(fps))
    return Timeline(float(seconds), (Action(float(start), float(end), "square"),))


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A folder in which everything was done once, by commands."""
    folder = tmp_path_factory.mktemp("story")
    (folder / "videos").mkdir()
    places = {"a": (2, 6), "b": (5, 9), "c": (4, 8)}
    truth = {name: write_clip(folder / "videos" / f"{name}.mp4", start=s, end=e) for name, (s, e) in places.items()}
    subsets = {"a": "training", "b": "training", "c": "validation"}
    write_activitynet(folder / "annotations.json", truth, subsets)
    run("extract", folder / "videos", "--out", folder / "features", "--quiet")
    recipe = synthetic.recipe_for(folder, model={"length": 64, "levels": 5}, train={"steps": 40, "rate": 5e-3})
    write_recipe(folder / "recipe.toml", recipe)
    run("train", folder / "recipe.toml", "--out", folder / "run", "--quiet")
    return folder


@pytest.fixture
def detector(story):
    return story / "run" / "detector.safetensors"


def test_extraction_is_not_repeated(story):
    said = run("extract", story / "videos", "--out", story / "features", "--quiet").stdout
    assert "0 extracted, 3 there already, 0 failed" in said


def test_a_video_and_its_features_give_the_same_actions(story, detector, tmp_path):
    run("detect", detector, story / "videos" / "c.mp4", "--out", tmp_path / "v.json", "--quiet")
    run("detect", detector, story / "features" / "c.npy", "--out", tmp_path / "f.json", "--quiet")
    by_video, by_features = (
        json.loads((tmp_path / name).read_text())["results"]["c"] for name in ("v.json", "f.json")
    )
    best_video, best_features = (max(rows, key=lambda row: row["score"]) for rows in (by_video, by_features))
    assert best_video["segment"] == pytest.approx(best_features["segment"], abs=0.2)  # features are stored as halves


def test_a_folder_is_detected_in_every_format(story, detector, tmp_path):
    run("detect", detector, story / "videos", "--out", tmp_path / "all.json", "--quiet")
    assert sorted(json.loads((tmp_path / "all.json").read_text())["results"]) == ["a", "b", "c"]
    run("detect", detector, story / "features", "--out", tmp_path / "all.csv", "--quiet")
    assert (tmp_path / "all.csv").read_text().startswith("video,start,end,label,score")
    run("detect", detector, story / "features", "--out", tmp_path / "{video}.srt", "--score", "0", "--quiet")
    assert " --> " in (tmp_path / "c.srt").read_text()


def test_the_detector_found_the_square(story, tmp_path):
    said = run(
        "evaluate", story / "annotations.json", story / "run" / "results.json", "--subset", "validation",
        "--tiou", "0.3:0.5:0.1", "--json", tmp_path / "scores.json",
    )  # fmt: skip
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["tious"] == pytest.approx([0.3, 0.4, 0.5])
    assert scores["map"][0] > 0.5
    assert "square" in said.stdout


def test_numbers_for_standard_output_are_no_file(story, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = story / "annotations.json", story / "run" / "results.json"
    scores = json.loads(run("evaluate", *files, "--subset", "validation", "--json", "-").stdout)
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    words = ("compare", "scores.json", "scores.json", "--bootstrap", 10, "--json", "-")
    assert scores["map"] and json.loads(run(*words).stdout)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


def test_the_page_holds_video_truth_and_detections(story, tmp_path):
    run(
        "view", story / "run" / "results.json", "--truth", story / "annotations.json",
        "--videos", story / "videos", "--out", tmp_path / "report.html",
    )  # fmt: skip
    page = (tmp_path / "report.html").read_text()
    assert "video/mp4;base64" in page and "truth" in page and "square" in page


def test_describe_counts_what_is_built(story):
    numbers = json.loads(run("describe", story / "recipe.toml", "--json", "-").stdout)
    assert {"parameters", "macs", "anchors", "levels", "receptive_fields"} <= numbers.keys()
    assert numbers["levels"] == [16, 8, 4, 2, 1]
    assert numbers["anchors"] == 31 * 7


@pytest.fixture
def three_folds(story, tmp_path) -> list[str]:
    """Settings that make a fold of each of the story's videos."""
    content = json.loads((story / "annotations.json").read_text())
    for video, entry in content["database"].items():
        entry["subset"] = f"fold {video}"
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    data = [f"data.annotations={tmp_path / 'annotations.json'}", "data.train=['fold a', 'fold b']"]
    return [*data, "data.test=['fold c']", "train.steps=2"]


def test_folds_are_pooled_and_scored_once(story, tmp_path, three_folds):
    # each split has one video here, so the pooled figure is over all three
    run("study", "folds", story / "recipe.toml", *three_folds, "--out", tmp_path / "folds", "--quiet")
    scores = json.loads((tmp_path / "folds" / "scores.json").read_text())
    assert scores["counts"]["videos"] == 3
    assert sorted(scores["folds"]) == ["fold a", "fold b", "fold c"]


def test_folds_from_several_seeds_have_a_mean_and_a_deviation(story, tmp_path, three_folds):
    words = ["--seeds", "2", "--out", tmp_path / "folds", "--quiet"]
    printed = run("study", "folds", story / "recipe.toml", *three_folds, *words).stdout
    made = [json.loads((tmp_path / "folds" / seed / "scores.json").read_text()) for seed in ("", "seed1")]
    recipes = [read_recipe(tmp_path / "folds" / seed / "fold a" / "recipe.toml") for seed in ("", "seed1")]
    assert [recipe.train.seed for recipe in recipes] == [0, 1]
    areas = [scores["proposals"]["auc"] for scores in made]
    assert areas[0] != areas[1]
    rows = {line.split("  ")[0].strip(): line.split() for line in printed.split("AR (%)")[1].splitlines()}
    assert rows["pooled, scored once, seed 0"][-1] == f"{100 * areas[0]:.1f}"
    assert rows["mean"][-1] == f"{50 * sum(areas):.1f}"
    assert rows["deviation"][-1] == f"{100 * abs(areas[0] - areas[1]) / math.sqrt(2):.1f}"


def test_settings_are_chosen_for_each_fold_and_the_choice_is_printed(story, tmp_path, three_folds):
    recipe = read_recipe(story / "recipe.toml", three_folds)
    write_recipe(tmp_path / "recipe.toml", recipe)
    words = ["--try", "model.anchors=3 train.rate=1e-3", "--out", tmp_path / "choice", "--quiet"]
    printed = run("study", "choose", tmp_path / "recipe.toml", *words).stdout
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith("fold ")]
    assert [row[1] for row in rows[:3]] == ["a", "b", "c"]
    assert "model.anchors=3 train.rate=1e-3" in printed and "pooled" in printed


@pytest.fixture
def bad(story, tmp_path):
    """Files that are not what they should be."""
    video = (story / "videos" / "c.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(video[: len(video) // 2])
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "broken.json").write_text('{"database": ')
    (tmp_path / "list.json").write_text("[1, 2]")
    detector = (story / "run" / "detector.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(detector[: len(detector) // 2])
    shutil.copytree(story / "features", tmp_path / "nan")
    values = np.load(tmp_path / "nan" / "c.npy")
    values[5, 7] = np.nan
    np.save(tmp_path / "nan" / "c.npy", values)
    shutil.copytree(story / "features", tmp_path / "narrow")
    np.save(tmp_path / "narrow" / "c.npy", values[:, :100] * 0)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.mp4", ["nowhere.mp4", "no such"]),
        ("cut.mp4", ["cut.mp4"]),
        ("text.mp4", ["text.mp4"]),
        ("empty.mp4", ["empty.mp4"]),
        ("nan/c.npy", ["c", "nan", "snippet 5, channel 7"]),
        ("narrow/c.npy", ["100 channels"]),
    ],
)
def test_bad_sources_of_detection_are_one_sentence(bad, detector, source, words):
    (bad / "old.json").write_text("what was there")
    said = refused("detect", detector, bad / source, "--out", bad / "old.json", "--quiet")
    assert all(word in said for word in words), said
    assert (bad / "old.json").read_text() == "what was there"


def test_a_rate_that_the_detector_was_not_trained_on_is_refused(story, detector, tmp_path):
    run("extract", story / "videos" / "c.mp4", "--out", tmp_path / "slow", "--fps", "2", "--quiet")
    said = refused("detect", detector, tmp_path / "slow", "--out", tmp_path / "o.json", "--quiet")
    assert "2 fps" in said and "5 fps" in said


@pytest.mark.parametrize("video", ["cut.mp4", "text.mp4", "empty.mp4", "nowhere.mp4"])
def test_a_video_that_cannot_be_extracted_is_one_sentence(bad, video):
    done = run("extract", bad / video, "--out", bad / "features", "--quiet", code=2)
    assert len(done.stderr.splitlines()) == 1 and video in done.stderr
    assert not list(bad.glob("features/*.npy"))


@pytest.mark.parametrize(
    ("segment", "label", "word"),
    [
        ([8.0, 4.0], "square", "reversed"),
        ([-3.0, 4.0], "square", "-3"),
        ([float("nan"), 4.0], "square", "nan"),
        ([90.0, 99.0], "square", "90"),
        ([1.0, 2.0], "circle", "circle"),
    ],
)
def test_a_bad_annotation_stops_training_with_one_sentence(story, tmp_path, segment, label, word):
    content = json.loads((story / "annotations.json").read_text())
    content["classes"] = ["square"]
    content["database"]["a"]["annotations"].append({"segment": segment, "label": label})
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    said = refused("train", story / "recipe.toml", f"data.annotations={path}", "--out", tmp_path / "run", "--quiet")
    assert str(path) in said and word in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["empty.json", "broken.json", "list.json", "nowhere.json"])
def test_an_annotation_file_that_is_none_is_one_sentence(story, bad, name):
    override = f"data.annotations={bad / name}"
    assert name in refused("train", story / "recipe.toml", override, "--out", bad / "run", "--quiet")
    assert name in refused("evaluate", bad / name, story / "run" / "results.json")
    assert name in refused("evaluate", story / "annotations.json", bad / name)
    assert name in refused("view", bad / name, "--out", bad / "page.html")


def test_a_detector_cut_in_half_is_one_sentence(story, bad):
    said = refused("detect", bad / "cut.safetensors", story / "features", "--out", bad / "o.json")
    assert "cut.safetensors: is not a whole detector file" in said


def test_an_unwritable_output_is_one_sentence(story, detector, tmp_path):
    (tmp_path / "file").write_text("in the way")
    features = story / "features"
    assert "cannot be written" in refused(
        "detect", detector, features, "--out", tmp_path / "file" / "o.json", "--quiet"
    )
    assert "is a folder" in refused("detect", detector, features, "--out", make_folder(tmp_path / "o.csv"), "--quiet")
    assert "its ending must be one of" in refused(
        "detect", detector, features, "--out", tmp_path / "o.docx", "--quiet"
    )
    assert "holds one video" in refused("detect", detector, features, "--out", tmp_path / "o.srt", "--quiet")


def test_unknown_settings_and_names_are_one_sentence(story, tmp_path):
    recipe = story / "recipe.toml"
    out = ["--out", tmp_path / "run", "--quiet"]
    assert "train.stepz is not a setting" in refused("train", recipe, "train.stepz=3", *out)
    assert "data.train = 'traning' is no subset" in refused("train", recipe, "data.train=['traning']", *out)
    assert "no such file" in refused("train", tmp_path / "nowhere.toml", *out)
    results = story / "run" / "results.json"
    assert "there are" in refused("evaluate", story / "annotations.json", results, "--protocol", "nonsense")
    assert "'nonsense'" in refused("evaluate", story / "annotations.json", results, "--subset", "nonsense")
    assert "'x'" in refused("evaluate", story / "annotations.json", results, "--tiou", "x")


def test_a_device_that_is_not_here_is_one_sentence(story, detector, tmp_path):
    for device in ("cuda:99", "abacus"):
        words = [story / "features", "--out", tmp_path / "o.json", "--device", device, "--quiet"]
        assert f"device '{device}'" in refused("detect", detector, *words)
        words = ["--out", tmp_path / "run", "--device", device, "--quiet"]
        assert f"device '{device}'" in refused("train", story / "recipe.toml", *words)


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path
