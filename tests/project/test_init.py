"""From a folder of videos and annotations to a recipe: what is written, and which commands follow."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from own_folder import ROWS, csv, srt
from untrimmed.annotations.corpus import open_corpus
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.cli import app
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput
from untrimmed.project.init import init_recipe
from untrimmed.recipe import read_recipe
from untrimmed.timeline import Action


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_folder_becomes_a_recipe_that_reads_its_annotations_back(folder):
    result = init_recipe(folder, Path("dataset.toml"))
    assert result.scan.annotations == folder / "labels.csv"
    assert sorted(result.scan.timelines) == ["a", "b", "c", "d"]
    annotations = read_activitynet(Path("annotations.json"))
    assert annotations.timelines["d"].actions == (Action(2, 4, "jump"), Action(5, 7, "run"))
    assert annotations.timelines["c"].duration == pytest.approx(8)
    assert set(annotations.subsets.values()) == {"training", "validation"}
    recipe = read_recipe(Path("dataset.toml"))
    assert (recipe.data.videos, recipe.data.train, recipe.data.test) == ("clips", ("training",), ("validation",))
    assert recipe.data.source and recipe.data.source.fps == result.numbers.fps
    assert recipe.model.length == result.numbers.length


def test_the_proposal_and_the_classes_are_there_as_json(folder):
    result = run("init", folder, "--json", "-")
    assert result.exit_code == 0, result.output
    numbers = json.loads(result.stdout)
    assert numbers["proposal"]["fps"] == 2
    assert [(row["label"], row["actions"], row["videos"]) for row in numbers["classes"]] == [
        ("jump", 3, 3),
        ("run", 3, 3),
    ]
    assert "actions by length" in result.stderr


def test_the_comments_name_the_numbers_of_the_data(folder):
    init_recipe(folder, Path("dataset.toml"))
    text = Path("dataset.toml").read_text()
    assert "from 4 videos and 6 actions in clips/labels.csv" in text
    assert "2 snippets a second: the shortest 5 % of the actions last up to 2 s = 4.0 snippets" in text
    assert "The longest action lasts 2 s = 4 snippets" in text
    assert "#     untrimmed extract clips --out features --fps 2\n#     untrimmed doctor dataset.toml\n" in text


def test_nothing_that_is_there_is_replaced_unless_told(folder):
    init_recipe(folder, Path("dataset.toml"))
    Path("dataset.toml").write_text(Path("dataset.toml").read_text() + "# mine\n")
    with pytest.raises(BadInput, match=r"dataset.toml: is there already; .* --force"):
        init_recipe(folder, Path("dataset.toml"))
    assert Path("dataset.toml").read_text().endswith("# mine\n")
    init_recipe(folder, Path("dataset.toml"), force=True)
    assert not Path("dataset.toml").read_text().endswith("# mine\n")


def test_a_strange_file_in_the_place_of_the_annotations_is_left_alone_even_with_force(folder):
    Path("annotations.json").write_text("mine")
    with pytest.raises(BadInput, match=r"annotations.json: is there already"):
        init_recipe(folder, Path("dataset.toml"), force=True)
    assert Path("annotations.json").read_text() == "mine"
    assert not Path("dataset.toml").exists()


def test_the_user_s_own_annotations_json_is_never_the_one_that_is_written(folder):
    own = json.dumps({n: {"annotations": [{"label": "x", "segment": [1, 3]}]} for n in "abc"})
    Path("clips/labels.csv").unlink()
    Path("clips/annotations.json").write_text(own)
    first = init_recipe(folder, Path("clips/dataset.toml"))
    again = init_recipe(folder, Path("clips/dataset.toml"), force=True)
    assert first.annotations == again.annotations == Path("clips/dataset_annotations.json")
    assert Path("clips/annotations.json").read_text() == own
    assert again.scan.annotations == Path("clips/annotations.json")


def test_force_keeps_the_annotations_that_a_handwritten_recipe_names(folder):
    own = json.dumps({n: {"annotations": [{"label": "x", "segment": [1, 3]}]} for n in "abc"})
    Path("annotations.json").write_text(own)
    Path("dataset.toml").write_text('[data]\nannotations = "annotations.json"\n')
    with pytest.raises(BadInput, match=r"annotations.json: is there already"):
        init_recipe(folder, Path("dataset.toml"), force=True)
    assert Path("annotations.json").read_text() == own


def test_when_the_recipe_cannot_be_written_no_annotations_are_left(folder):
    Path("full").mkdir()
    Path("full/dataset.toml").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        init_recipe(folder, Path("full/dataset.toml"), force=True)
    assert [path.name for path in Path("full").iterdir()] == ["dataset.toml"]


def test_several_annotation_files_are_one_sentence_that_lists_them(folder):
    csv(Path("clips/other.tsv"), [])
    Path("clips/other.json").write_text(json.dumps({"a": {"annotations": [{"label": "x", "segment": [1, 3]}]}}))
    Path("clips/notes.txt").write_text("bring more tapes, please")
    with pytest.raises(BadInput, match=r"clips: 2 hold annotations .*labels.csv, .*other.json; name their file"):
        init_recipe(folder, Path("dataset.toml"))
    assert init_recipe(folder, Path("dataset.toml"), Path("clips/labels.csv")).scan.format == "table"


def test_a_folder_without_annotations_says_what_was_wrong_with_the_file_that_looked_like_some(folder):
    Path("clips/labels.csv").write_text("video,start,end,label\na,one,3,x\n")
    with pytest.raises(BadInput, match=r"holds no annotations of its videos \(clips/labels.csv: line 2"):
        init_recipe(folder, Path("dataset.toml"))


def test_subtitles_beside_the_videos_are_one_set_of_annotations(folder):
    Path("clips/labels.csv").unlink()
    for name in "abc":
        srt(Path("clips") / f"{name}.srt", [(1, 3, "jump"), (4, 6, "run")])
    result = init_recipe(folder, Path("dataset.toml"))
    assert (result.scan.annotations, result.scan.format) == (folder, "srt")
    assert sorted(result.scan.timelines) == ["a", "b", "c"]
    assert any("do not name it: video 'd'" in note for note in result.notes)


def test_one_annotated_video_with_one_action_is_too_little(folder):
    csv(Path("clips/labels.csv"), ROWS[:1])
    with pytest.raises(
        BadInput, match=r"annotates 'a' alone, and too few actions to split it in time; .* a second one"
    ):
        init_recipe(folder, Path("dataset.toml"))


def test_annotations_of_other_videos_are_told_with_both_names(folder):
    csv(Path("other.csv"), [("x", 1, 2, "run")])
    with pytest.raises(BadInput, match=r"annotates video 'x', and no video of clips .* 'a'\); rename"):
        init_recipe(folder, Path("dataset.toml"), Path("other.csv"))


def test_features_of_another_kind_are_not_mixed_with_the_new_ones(folder):
    Path("features").mkdir()
    source = {"backbone": "mine", "fps": 3.0}
    Path("features/manifest.json").write_text(json.dumps({"source": source, "videos": {}}))
    init_recipe(folder, Path("dataset.toml"))
    assert read_recipe(Path("dataset.toml")).data.features == "features_2fps"


def test_videos_of_a_folder_in_the_folder_are_extracted_with_the_others(folder):
    Path("clips/more videos").mkdir()
    Path("clips/d.mp4").rename("clips/more videos/d.mp4")
    result = init_recipe(folder, Path("dataset.toml"))
    assert result.commands[:2] == ["untrimmed extract clips --out features --fps 2", "untrimmed doctor dataset.toml"]
    assert sorted(result.scan.timelines) == ["a", "b", "c", "d"]


def test_training_without_features_says_which_command_makes_them(folder):
    init_recipe(folder, Path("dataset.toml"))
    result = run("train", "dataset.toml")
    assert result.exit_code == 2
    assert result.stderr == (
        "untrimmed: features: no such folder of features; check the path, or make it with "
        "`untrimmed extract clips --out features --fps 2`\n"
    )


def test_training_with_some_features_says_it_too(folder):
    init_recipe(folder, Path("dataset.toml"))
    data = read_recipe(Path("dataset.toml")).data
    assert data.source
    values = np.zeros((16, 4), np.float32)
    FeatureWriter(Path("features"), data.source).write("a", VideoFeatures(values, data.source.grid, 8, data.source))
    with pytest.raises(
        BadInput, match=r"3 of 4 videos have no features, .*extract them with `untrimmed extract clips"
    ):
        open_corpus(data)


@pytest.mark.slow
def test_the_printed_commands_lead_from_a_folder_to_detections(folder):
    result = run("init", folder)
    assert result.exit_code == 0, result.output
    assert "class  actions  videos  train  test  median s" in result.output
    commands = [line.split()[1:] for line in result.output.partition("\nnext\n")[2].splitlines() if line.strip()]
    extract, doctor, train = commands
    assert run(*extract, "--quiet").exit_code == 0
    checked = run(*doctor)
    assert checked.exit_code == 0, checked.output
    trained = run(*train, "train.steps=2", "model.concepts=4", "--quiet")
    assert trained.exit_code == 0, trained.output
    detected = run("detect", "runs/dataset/detector.safetensors", folder / "a.mp4", "--out", "found.json", "--quiet")
    assert detected.exit_code == 0 and "a" in json.loads(Path("found.json").read_text())["results"]
