"""From features and labels alone to a recipe that trains: without a video."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from untrimmed.annotations.corpus import open_corpus
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.cli import app
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput
from untrimmed.project.doctor import check_dataset
from untrimmed.project.feature_scan import find_features
from untrimmed.project.init import init_recipe
from untrimmed.recipe import read_recipe

SECONDS, RATE = 40.0, 20
OUT = Path("dataset.toml")


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture
def arrays():
    """Snippets of six recordings."""
    random = np.random.default_rng(0)
    return {f"rec{n}": random.normal(size=(int(SECONDS * RATE), 3)).astype(np.float32) for n in range(6)}


@pytest.fixture
def folder(tmp_path, monkeypatch, arrays):
    """These in an archive, annotated in ActivityNet's JSON."""
    monkeypatch.chdir(tmp_path)
    np.savez("sensors.npz", **arrays)
    annotate("labels.json")
    return tmp_path


def annotate(file, subsets=("training", "training", "training", "training", "validation", "validation"), **more):
    actions = [{"segment": [start, start + 2.5], "label": label} for start, label in ((3, "sit"), (15, "stand"))]
    entries = {f"rec{n}": {"duration": SECONDS, "annotations": actions} for n in range(6)}
    for name, subset in zip(entries, subsets, strict=False):
        entries[name]["subset"] = subset
    Path(file).write_text(json.dumps({"database": {name: {**entry, **more} for name, entry in entries.items()}}))
    return entries


def test_features_and_labels_become_a_recipe_that_trains_as_it_is(folder):
    result = run("init", "--features", "sensors.npz", "--annotations", "labels.json")
    assert result.exit_code == 0, result.output
    assert "guessed from the lengths in the annotations: 800 snippets over 40.0 s in 'rec0' = 20 a second" in (
        result.output
    )
    assert "extract" not in result.output
    recipe = read_recipe(OUT)
    assert recipe.data.source == FeatureSource(backbone="sensors", fps=20)
    assert (recipe.data.videos, recipe.data.features) == ("", "sensors.npz")
    corpus = open_corpus(recipe.data)
    assert (len(corpus.train), len(corpus.test)) == (4, 2)
    assert not [group for group in check_dataset(recipe) if group.severity == "error"]
    trained = run("train", OUT, "train.steps=2", "model.concepts=4", "--quiet")
    assert trained.exit_code == 0, trained.output


def test_a_folder_of_features_and_labels_is_enough(folder):
    result = run("init", ".")
    assert result.exit_code == 0, result.output
    assert read_recipe(OUT).data.features == "sensors.npz"


def test_snippets_that_are_too_fine_for_the_actions_are_averaged(folder):
    result = init_recipe(None, OUT, "labels.json", features="sensors.npz")
    # A short action has at least four snippets: 2.5 s at 1.6 a second, of 20 / 12.
    assert (result.numbers.average, result.numbers.fps) == (12, pytest.approx(20 / 12))
    assert open_corpus(read_recipe(OUT).data).source.grid.step == pytest.approx(0.6)


def test_a_manifest_states_the_rate(folder, arrays):
    source = FeatureSource(backbone="glove", fps=20.0)
    for video, values in arrays.items():
        FeatureWriter("features", source).write(video, VideoFeatures(values, source.grid, SECONDS, source))
    result = init_recipe(None, OUT, "labels.json", features="features")
    data = read_recipe(OUT).data
    assert data.source is None and open_corpus(data).source.backbone == "glove"
    assert any("stated by features/manifest.json" in note for note in result.notes)


def test_with_the_frames_a_second_the_stride_is_known(folder):
    init_recipe(None, OUT, "labels.json", features="sensors.npz", fps=100)
    assert read_recipe(OUT).data.source == FeatureSource(backbone="sensors", fps=100, stride=5, window=5)


def test_ends_of_actions_are_no_lengths_however_near_they_come_to_one_rate(folder):
    Path("labels.csv").write_text("video,start,end,label\n" + "".join(f"rec{i},3,38.{i},sit\n" for i in range(6)))
    with pytest.raises(BadInput, match="nothing says how many snippets a second"):
        init_recipe(None, OUT, "labels.csv", features="sensors.npz")
    init_recipe(None, OUT, "labels.csv", features="sensors.npz", fps=20)
    source = read_recipe(OUT).data.source
    assert source and (source.fps, source.stride) == (20, 1)


def test_without_lengths_the_rate_is_asked_for_and_the_features_say_the_lengths(folder):
    rows = [("rec0", 3, 9), ("rec1", 3, 12), ("rec2", 3, 30), ("rec3", 3, 22), ("rec4", 3, 38), ("rec5", 3, 17)]
    lines = ["video,start,end,label", *(f"{video},{start},{end}.5,sit" for video, start, end in rows)]
    Path("labels.csv").write_text("\n".join(lines))
    with pytest.raises(
        BadInput, match=r"nothing says how many snippets a second .*no lengths; give the rate \(fps=25, --fps 25\)"
    ):
        init_recipe(None, OUT, "labels.csv", features="sensors.npz")
    assert not OUT.exists()
    result = init_recipe(None, OUT, "labels.csv", features="sensors.npz", fps=20)
    assert read_activitynet(result.annotations).timelines["rec0"].duration == SECONDS
    assert any("ends with its features" in note for note in result.notes)
    with pytest.raises(BadInput, match=r"at 100 a second end at 8.0 s, but its actions at"):
        init_recipe(None, OUT, "labels.csv", features="sensors.npz", fps=100, force=True)


def test_features_of_a_few_videos_that_end_before_the_last_action_are_noted(folder):
    rows = [(f"rec{n}", 3, end) for n, end in enumerate((9, 12, 30, 22, 17, 60))]
    Path("labels.csv").write_text(
        "\n".join(["video,start,end,label", *(f"{video},{start},{end}.5,sit" for video, start, end in rows)])
    )
    notes = init_recipe(None, OUT, "labels.csv", features="sensors.npz", fps=20).notes
    (note,) = [note for note in notes if note.startswith("features end before")]
    assert "those of 'rec5' at 40.0 s of 60.5 s" in note


def test_a_file_in_the_place_of_the_folder_is_told_how_it_is_named(folder):
    with pytest.raises(BadInput, match=r"is a file, not a folder; name it as features .*--features sensors\.npz\)"):
        init_recipe("sensors.npz", OUT, "labels.json")
    Path("clip.mp4").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"clip\.mp4: is a file, not a folder of videos; name the folder"):
        init_recipe("clip.mp4", OUT, "labels.json")


def test_subsets_of_any_spelling_are_used_and_said(folder):
    annotate("labels.json", ["Train", "Train", "Train", "Train", "Valid", "Valid"])
    result = init_recipe(None, OUT, "labels.json", features="sensors.npz")
    assert (result.split.train, result.split.test) == (("training",), ("validation",))
    assert "subset 'Train' is read as 'training'" in result.notes


def test_one_subset_alone_is_said_to_part_nothing(folder):
    annotate("labels.json", ["train"] * 6)
    result = init_recipe(None, OUT, "labels.json", features="sensors.npz")
    assert result.split.proposed
    assert any("('train') do not part training from test" in note for note in result.notes)


def test_names_that_do_not_fit_show_one_of_each_side(folder, arrays):
    np.savez("other.npz", **{f"take{name[3:]}": values for name, values in arrays.items()})
    with pytest.raises(BadInput, match=r"labels.json: annotates .*rec0.*, and no features in other.npz .*'take0'"):
        init_recipe(None, OUT, "labels.json", features="other.npz")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere: no such folder of videos or features"),
        (["--features", "nowhere.npz"], "nowhere.npz: no such file or folder of features"),
        (
            ["--features", "sensors.npz", "--annotations", "nowhere.csv"],
            "nowhere.csv: no such file or folder of annot",
        ),
        ([], "nothing to look at: name a folder of videos, or features (features=..., --features ...)"),
    ],
)
def test_what_is_missing_is_said_before_what_is_there(folder, words, sentence):
    OUT.write_text("[data]\n")
    result = run("init", *words)
    assert result.exit_code == 2 and sentence in result.stderr, result.output


def test_an_existing_recipe_is_named_with_both_remedies(folder):
    OUT.write_text("[data]\n")
    with pytest.raises(BadInput, match=r"dataset.toml: is there already; .*\(out=..., --out ...\).*force=True"):
        init_recipe(".", OUT)


def test_the_features_of_a_folder_are_the_archive_the_files_or_the_only_folder_of_them(tmp_path):
    values = np.zeros((4, 2), np.float32)
    assert find_features(tmp_path) is None
    (tmp_path / "feats").mkdir()
    np.save(tmp_path / "feats" / "a.npy", values)
    assert find_features(tmp_path) == tmp_path / "feats"
    assert find_features(tmp_path / "feats") == tmp_path / "feats"
    np.savez(tmp_path / "norm.npz", mean=values)
    np.savez(tmp_path / "features.npz", a=values)
    assert find_features(tmp_path) == tmp_path / "features.npz"


def init_with_spans(text):
    """Start from recordings of 40 s with actions up to 17.5 s, whose lengths are not stated, and a table of spans."""
    rows = [f"rec{n},{t},{t + 2.5},{label}" for n in range(6) for t, label in ((3, "sit"), (15, "stand"))]
    Path("labels.csv").write_text("\n".join(["video,start,end,label", *rows]))
    Path("spans.csv").write_text("video,start,end\n" + text)
    return init_recipe(None, OUT, "labels.csv", features="sensors.npz", fps=RATE, annotated="spans.csv", force=True)


def test_spans_are_clipped_aloud_to_where_the_features_end(folder):
    result = init_with_spans("rec0,0,10\nrec0,12,4000\n")
    assert result.scan.annotated == {"rec0": ((0.0, 10.0), (12.0, SECONDS))}
    entry = json.loads(Path("annotations.json").read_text())["database"]["rec0"]
    assert entry["duration"] == SECONDS and entry["annotated"] == [[0, 10], [12, SECONDS]]
    assert any(
        "1 span clipped to the video: [12, 4000] s of video 'rec0', which ends at 40 s" in n for n in result.notes
    )
    assert any("1 video is annotated in part, 0.633 minutes in all" in note for note in result.notes)
    assert any("5 videos are not in the table" in note for note in result.notes)


@pytest.mark.parametrize("text", ["rec0,50,60\n", "rec0,0,10000\nrec0,12000,40000\n"])
def test_spans_beyond_the_features_are_refused_and_nothing_is_written(folder, text):
    with pytest.raises(
        BadInput, match=r"spans\.csv: the span .* of video 'rec0', which ends at 40 s, lies beyond it"
    ):
        init_with_spans(text)
    assert not OUT.exists() and not Path("annotations.json").exists()


def test_spans_of_the_annotations_end_with_the_features_too(folder):
    actions = [{"segment": [t, t + 2.5], "label": label} for t, label in ((3, "sit"), (15, "stand"))]
    entries = {f"rec{n}": {"annotations": actions, "annotated": [[2, 70]]} for n in range(6)}
    Path("labels.json").write_text(json.dumps({"database": entries}))
    result = init_recipe(None, OUT, "labels.json", features="sensors.npz", fps=RATE)
    assert set(result.scan.annotated.values()) == {((2.0, SECONDS),)}


def test_spans_outside_of_which_most_actions_lie_are_doubted(folder):
    result = init_with_spans("".join(f"rec{n},{0 if n < 2 else 6},{9 if n < 2 else 7}\n" for n in range(6)))
    assert any("most of the 12; check the unit of the spans" in note for note in result.notes)
