"""From a folder of videos and annotations to a recipe: what is found, how it is split, which numbers follow."""

import json
from itertools import combinations
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from own_folder import csv, srt, video
from untrimmed.annotations.corpus import open_corpus
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.cli import app
from untrimmed.io import BadInput
from untrimmed.project.dataset_statistics import bounds_for, histogram
from untrimmed.project.folder_scan import survey
from untrimmed.project.init import begin
from untrimmed.project.names import matched
from untrimmed.project.recipe_numbers import (
    LEVELS,
    RATES,
    SIZES,
    WINDOWS,
    levels_for,
    propose_numbers,
    rate_for,
    share_busy,
    steps_for,
    widest_anchor,
    window_for,
    windows_with_action,
)
from untrimmed.project.split import TRIED, VALIDATION, on_both_sides, propose, split_videos
from untrimmed.recipe import read_recipe
from untrimmed.timeline import Action, Timeline

ROWS = [
    ("a.mp4", 1, 3, "jump"),
    ("a.mp4", 4, 6, "run"),
    ("b", 0.5, 2.5, "jump"),
    ("v_c", 3, 5, "run"),
    ("D.MP4", 2, 4, "jump"),
    ("D.MP4", 5, 7, "run"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Four videos of eight seconds."""
    place = tmp_path_factory.mktemp("written")
    for number, name in enumerate("abcd"):
        video(place / f"{name}.mp4", 8, seed=number)
    return place


@pytest.fixture
def folder(tmp_path, monkeypatch, written):
    """These, annotated in a table that spells their names in four ways."""
    monkeypatch.chdir(tmp_path)
    copytree(written, "clips")
    csv(Path("clips/labels.csv"), ROWS)
    return Path("clips")


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_names_are_found_however_they_are_spelled():
    assert matched(["a.mp4", "b", "v_c", "D.MP4", "x/e.avi", "none"], ["a", "b", "c", "d", "v_e"]) == {
        "a.mp4": "a",
        "b": "b",
        "v_c": "c",
        "D.MP4": "d",
        "x/e.avi": "v_e",
    }


def test_the_exact_name_goes_before_a_similar_one_and_case_must_not_be_ambiguous():
    assert matched(["v_a", "a"], ["a", "v_a"]) == {"v_a": "v_a", "a": "a"}
    assert matched(["CLIP"], ["clip", "Clip"]) == {}
    with pytest.raises(BadInput, match="both mean video 'a'; rename one"):
        matched(["a", "a.mp4"], ["a"])


def test_a_folder_becomes_a_recipe_that_reads_its_annotations_back(folder):
    begun = begin(folder, Path("dataset.toml"))
    assert begun.found.annotations == folder / "labels.csv"
    assert sorted(begun.found.timelines) == ["a", "b", "c", "d"]
    annotations = read_activitynet(Path("annotations.json"))
    assert annotations.timelines["d"].actions == (Action(2, 4, "jump"), Action(5, 7, "run"))
    assert annotations.timelines["c"].duration == pytest.approx(8)
    assert set(annotations.subsets.values()) == {"training", "validation"}
    recipe = read_recipe(Path("dataset.toml"))
    assert (recipe.data.videos, recipe.data.train, recipe.data.test) == ("clips", ("training",), ("validation",))
    assert recipe.data.source and recipe.data.source.fps == begun.proposal.fps
    assert recipe.model.length == begun.proposal.length


def test_the_comments_name_the_numbers_of_the_data(folder):
    begin(folder, Path("dataset.toml"))
    text = Path("dataset.toml").read_text()
    assert "from 4 videos and 6 actions in clips/labels.csv" in text
    assert "2 snippets a second: the shortest 5 % of the actions last up to 2 s = 4.0 snippets" in text
    assert "The longest action lasts 2 s = 4 snippets" in text
    assert "#     untrimmed extract clips --out features --fps 2\n#     untrimmed doctor dataset.toml\n" in text


def test_nothing_that_is_there_is_replaced_unless_told(folder):
    begin(folder, Path("dataset.toml"))
    Path("dataset.toml").write_text(Path("dataset.toml").read_text() + "# mine\n")
    with pytest.raises(BadInput, match=r"dataset.toml: is there already; .* --force"):
        begin(folder, Path("dataset.toml"))
    assert Path("dataset.toml").read_text().endswith("# mine\n")
    begin(folder, Path("dataset.toml"), force=True)
    assert not Path("dataset.toml").read_text().endswith("# mine\n")


def test_a_strange_file_in_the_place_of_the_annotations_is_left_alone_even_with_force(folder):
    Path("annotations.json").write_text("mine")
    with pytest.raises(BadInput, match=r"annotations.json: is there already"):
        begin(folder, Path("dataset.toml"), force=True)
    assert Path("annotations.json").read_text() == "mine"
    assert not Path("dataset.toml").exists()


def test_the_user_s_own_annotations_json_is_never_the_one_that_is_written(folder):
    mine = json.dumps({n: {"annotations": [{"label": "x", "segment": [1, 3]}]} for n in "abc"})
    Path("clips/labels.csv").unlink()
    Path("clips/annotations.json").write_text(mine)
    first = begin(folder, Path("clips/dataset.toml"))
    again = begin(folder, Path("clips/dataset.toml"), force=True)
    assert first.annotations == again.annotations == Path("clips/dataset_annotations.json")
    assert Path("clips/annotations.json").read_text() == mine
    assert again.found.annotations == Path("clips/annotations.json")


def test_force_keeps_the_annotations_that_a_handwritten_recipe_names(folder):
    mine = json.dumps({n: {"annotations": [{"label": "x", "segment": [1, 3]}]} for n in "abc"})
    Path("annotations.json").write_text(mine)
    Path("dataset.toml").write_text('[data]\nannotations = "annotations.json"\n')
    with pytest.raises(BadInput, match=r"annotations.json: is there already"):
        begin(folder, Path("dataset.toml"), force=True)
    assert Path("annotations.json").read_text() == mine


def test_when_the_recipe_cannot_be_written_no_annotations_are_left(folder):
    Path("full").mkdir()
    Path("full/dataset.toml").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        begin(folder, Path("full/dataset.toml"), force=True)
    assert [path.name for path in Path("full").iterdir()] == ["dataset.toml"]


def test_several_annotation_files_are_one_sentence_that_lists_them(folder):
    csv(Path("clips/other.tsv"), [])
    Path("clips/other.json").write_text(json.dumps({"a": {"annotations": [{"label": "x", "segment": [1, 3]}]}}))
    Path("clips/notes.txt").write_text("bring more tapes, please")
    with pytest.raises(BadInput, match=r"clips: 2 hold annotations .*labels.csv, .*other.json; choose with --anno"):
        begin(folder, Path("dataset.toml"))
    assert begin(folder, Path("dataset.toml"), Path("clips/labels.csv")).found.form == "table"


def test_a_folder_without_annotations_says_what_was_wrong_with_the_file_that_looked_like_some(folder):
    Path("clips/labels.csv").write_text("video,start,end,label\na,one,3,x\n")
    with pytest.raises(BadInput, match=r"holds no annotations of its videos \(clips/labels.csv: line 2"):
        begin(folder, Path("dataset.toml"))


def test_subtitles_beside_the_videos_are_one_set_of_annotations(folder):
    Path("clips/labels.csv").unlink()
    for name in "abc":
        srt(Path("clips") / f"{name}.srt", [(1, 3, "jump"), (4, 6, "run")])
    begun = begin(folder, Path("dataset.toml"))
    assert (begun.found.annotations, begun.found.form) == (folder, "srt")
    assert sorted(begun.found.timelines) == ["a", "b", "c"]
    assert any("do not name it: video 'd'" in note for note in begun.notes)


def test_the_file_s_own_length_is_believed_and_what_lies_beyond_it_is_dropped_and_told(folder):
    entries = {
        name: {"duration": 30, "subset": "train", "annotations": [{"label": "x", "segment": [1, 3]}]}
        for name in "abc"
    }
    entries["a"]["annotations"].append({"label": "x", "segment": [20, 25]})
    entries["gone"] = entries["b"]
    Path("own.json").write_text(json.dumps(entries))
    found = survey(folder, Path("own.json"))
    assert found.timelines["a"].duration == pytest.approx(8)
    assert found.timelines["a"].actions == (Action(1, 3, "x"),)
    notes = "\n".join(found.notes)
    assert "shorter than the annotations say: 3 videos (the first is 'a'), 8.0 s, not 30.0 s; the files" in notes
    assert "left out, as they cannot be used (1): video 'a', 'x' at [20, 25]" in notes
    assert "annotated, but no such file that can be read: video 'gone'" in notes


def test_a_video_that_cannot_be_read_is_left_out_and_told(folder):
    (folder / "b.mp4").write_bytes(b"no video")
    found = survey(folder)
    assert sorted(found.timelines) == ["a", "c", "d"]
    assert any("left out, as it cannot be read: clips/b.mp4" in note for note in found.notes)


def test_one_annotated_video_is_too_few(folder):
    csv(Path("clips/labels.csv"), ROWS[:2])
    with pytest.raises(BadInput, match=r"annotates 'a' alone; .* annotate a second one"):
        begin(folder, Path("dataset.toml"))


def test_annotations_of_other_videos_are_told_with_both_names(folder):
    csv(Path("other.csv"), [("x", 1, 2, "run")])
    with pytest.raises(BadInput, match=r"annotates video 'x', and no video of clips .* 'a'\); rename"):
        begin(folder, Path("dataset.toml"), Path("other.csv"))


def test_features_of_another_kind_are_not_mixed_with_the_new_ones(folder):
    Path("features").mkdir()
    source = {"backbone": "mine", "fps": 3.0}
    Path("features/manifest.json").write_text(json.dumps({"source": source, "videos": {}}))
    begin(folder, Path("dataset.toml"))
    assert read_recipe(Path("dataset.toml")).data.features == "features_2fps"


def test_videos_of_two_folders_are_extracted_by_two_commands(folder):
    Path("clips/more videos").mkdir()
    Path("clips/d.mp4").rename("clips/more videos/d.mp4")
    begun = begin(folder, Path("dataset.toml"))
    assert begun.commands[:2] == [
        "untrimmed extract clips --out features --fps 2",
        "untrimmed extract 'clips/more videos' --out features --fps 2",
    ]


def test_training_without_features_says_which_command_makes_them(folder):
    begin(folder, Path("dataset.toml"))
    done = run("train", "dataset.toml")
    assert done.exit_code == 2
    assert done.stderr == (
        "untrimmed: features: no such folder of features; make it with "
        "`untrimmed extract clips --out features --fps 2`\n"
    )


def test_training_with_some_features_says_it_too(folder):
    from untrimmed.features.folder import FeatureWriter
    from untrimmed.features.video_features import VideoFeatures

    begin(folder, Path("dataset.toml"))
    data = read_recipe(Path("dataset.toml")).data
    assert data.source
    values = np.zeros((16, 4), np.float32)
    FeatureWriter(Path("features"), data.source).write("a", VideoFeatures(values, data.source.grid, 8, data.source))
    with pytest.raises(
        BadInput, match=r"3 of 4 videos have no features, .*extract them with `untrimmed extract clips"
    ):
        open_corpus(data)


labelled = st.dictionaries(
    st.text("abcdefgh0123456789", min_size=1, max_size=6),
    st.sets(st.sampled_from("rstuvw"), max_size=3),
    min_size=2,
    max_size=40,
)


@given(labelled, st.randoms())
def test_a_split_depends_on_names_and_labels_alone_and_has_both_sides(labels, random):
    split = propose(labels)
    again = list(labels.items())
    random.shuffle(again)
    assert propose(dict(again)) == split
    assert split.keys() == labels.keys() and set(split.values()) == {"training", "validation"}


@given(st.lists(st.sampled_from("rstuvwxyz"), min_size=2, max_size=60))
def test_every_class_of_two_videos_or_more_is_on_both_sides(classes):
    labels = {f"video {number}": {label} for number, label in enumerate(classes)}
    held_out = {video for video, subset in propose(labels).items() if subset == VALIDATION}
    assert on_both_sides(labels, held_out) == sum(classes.count(label) > 1 for label in set(classes))


@given(st.lists(st.sets(st.sampled_from("rstuv"), max_size=4), min_size=2, max_size=7))
def test_of_few_videos_no_other_split_has_more_classes_on_both_sides(sets):
    labels = {f"video {number}": labels for number, labels in enumerate(sets)}
    held_out = {video for video, subset in propose(labels).items() if subset == VALIDATION}
    every = (set(chosen) for size in range(1, len(labels)) for chosen in combinations(labels, size))
    assert on_both_sides(labels, held_out) == max(on_both_sides(labels, other) for other in every)


def test_of_many_alike_videos_a_quarter_is_held_out():
    for count in (8, TRIED, 40):
        split = propose({f"video {number}": {"r", "s"} for number in range(count)})
        assert sum(subset == VALIDATION for subset in split.values()) == count // 4


@pytest.mark.parametrize(
    ("stated", "train", "test"),
    [
        ({"a": "train", "b": "Val", "c": "train", "d": "test"}, ("training",), ("validation",)),
        ({"a": "training", "b": "testing"}, ("training",), ("testing",)),
        ({"a": "fold1", "b": "fold2", "c": "fold3", "d": "fold1"}, ("fold2", "fold3"), ("fold1",)),
    ],
)
def test_the_annotations_own_subsets_are_kept(stated, train, test):
    split = split_videos(dict.fromkeys("abcd", ("x",)), stated)
    assert (split.train, split.test, split.proposed) == (train, test, False)
    assert split.subsets["a"] == {"train": "training"}.get(stated["a"], stated["a"])
    assert {split.subsets[video] for video in "abcd" if video not in stated} <= set(train)


def test_subsets_that_part_nothing_are_replaced():
    split = split_videos(dict.fromkeys("abcd", ("x",)), dict.fromkeys("abcd", "training"))
    assert split.proposed and set(split.subsets.values()) == {"training", "validation"}


@given(st.floats(0.05, 500), st.floats(1, 200), st.floats(1, 60))
def test_the_rate_gives_short_actions_snippets_within_bounds(short, times, own):
    rate = rate_for(short, short * times, own)
    assert rate in RATES and rate <= max(own, RATES[0])
    if rate * short < 1.999:
        assert rate == max([r for r in RATES if r <= own], default=RATES[0])


@given(st.floats(0.5, 5000), st.floats(1, 1e6))
def test_windows_and_levels_make_a_model_that_can_be_built(longest, video):
    from untrimmed.models.ctcn import CTCNConfig

    length = window_for(longest, max(longest, video))
    levels = levels_for(longest, length)
    CTCNConfig(length=length, levels=levels)
    assert WINDOWS[0] <= length <= WINDOWS[1] and levels >= LEVELS
    if longest <= WINDOWS[1]:
        assert length >= min(longest, WINDOWS[1]) and widest_anchor(levels) >= longest * 0.999


def test_numbers_follow_from_the_data():
    actions = tuple(Action(10 * n, 10 * n + (2 if n % 2 else 8), "x") for n in range(20))
    timelines = {name: Timeline(200, actions) for name in "abcd"}
    split = split_videos(dict.fromkeys("abcd", ("x",)), dict(zip("abcd", ["train"] * 3 + ["val"], strict=True)))
    proposal = propose_numbers(timelines, dict.fromkeys("abcd", 25.0), split)
    assert (proposal.fps, proposal.short, proposal.long) == (2, 2, 8)
    assert (proposal.length, proposal.levels) == (32, 4)  # 8 s are 16 snippets; twice that, and one coarsest cell
    assert proposal.training_actions == 60 and proposal.random_move and proposal.busy == 0.5
    assert proposal.windows == 3 * windows_with_action(timelines["a"], 2, 32)
    assert proposal.steps == steps_for(proposal.windows, SIZES[0])


def test_time_that_two_actions_share_is_busy_once():
    assert share_busy(Timeline(10, (Action(0, 4, "x"), Action(1, 3, "y"), Action(2, 6, "z")))) == pytest.approx(0.6)


@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=200))
def test_every_length_but_the_very_short_has_its_place_in_the_histogram(lengths):
    lines = histogram(lengths)
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines) == len(lengths)
    assert len(bounds_for(min(lengths), max(lengths))) <= 11


@pytest.mark.slow
def test_the_printed_commands_lead_from_a_folder_to_detections(folder):
    done = run("init", folder)
    assert done.exit_code == 0, done.output
    assert "class  actions  videos  train  test  median s" in done.output
    commands = [line.split()[1:] for line in done.output.partition("\nnext\n")[2].splitlines() if line.strip()]
    extract, doctor, train = commands
    assert run(*extract, "--quiet").exit_code == 0
    looked = run(*doctor)
    assert looked.exit_code == 0, looked.output
    trained = run(*train, "train.steps=2", "model.concepts=4", "--quiet")
    assert trained.exit_code == 0, trained.output
    found = run("detect", "runs/dataset/detector.safetensors", folder / "a.mp4", "--out", "found.json", "--quiet")
    assert found.exit_code == 0 and "a" in json.loads(Path("found.json").read_text())["results"]
