"""What a run learns from: matched, checked, and nothing lost without a word."""

import json
from dataclasses import replace

import numpy as np
import pytest

import synthetic
from untrimmed.annotations.corpus import DataConfig, hold_out, open_corpus, open_dataset
from untrimmed.io import BadInput


@pytest.fixture
def folder(tmp_path):
    return synthetic.write_dataset(tmp_path)


@pytest.fixture
def config(folder):
    return synthetic.recipe_for(folder).data


def spoil(folder, video, segment):
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    content["database"][video]["annotations"].append({"label": "run", "segment": segment})
    path.write_text(json.dumps(content))


def test_train_and_test_have_no_video_in_common(config):
    corpus = open_corpus(config)
    assert len(corpus.train) == 6 and len(corpus.test) == 3
    assert not set(corpus.train) & set(corpus.test)
    with pytest.raises(BadInput, match="are in both"):
        open_corpus(replace(config, test=("training", "validation")))


def test_variables_in_paths_are_filled_in(folder, config, monkeypatch):
    monkeypatch.setenv("SOMEWHERE", str(folder))
    moved = replace(config, annotations="$SOMEWHERE/annotations.json", features="${SOMEWHERE}/features")
    assert open_corpus(moved).train == open_corpus(config).train
    with pytest.raises(BadInput, match=r"data\.features = \$NOWHERE/f: the variable is not set"):
        open_corpus(replace(config, features="$NOWHERE/f"))


@pytest.mark.parametrize("segment", [[9.0, 3.0], [4.0, 4.0], [-7.0, 3.0], [float("nan"), 3.0], [500.0, 600.0]])
def test_a_bad_annotation_is_refused_or_dropped_with_a_note_but_never_lost(folder, config, segment):
    spoil(folder, "video00", segment)
    with pytest.raises(BadInput, match=r"1 annotation .*video00"):
        open_corpus(config)
    corpus = open_corpus(replace(config, unusable="drop"))
    assert len(corpus.notes) == 1 and "1 annotation" in corpus.notes[0] and "video00" in corpus.notes[0]


def test_videos_without_features_are_refused_or_dropped_with_a_note(folder, config):
    (folder / "features" / "manifest.json").unlink()
    (folder / "features" / "video00.npy").unlink()
    config = replace(config, source=synthetic.SOURCE)
    with pytest.raises(BadInput, match=r"1 of 9 videos have no features, the first is video00"):
        open_corpus(config)
    corpus = open_corpus(replace(config, unusable="drop"))
    assert "video00" not in corpus.train and len(corpus.notes) == 1


def test_features_may_be_a_list_of_streams(folder, config):
    pair = open_corpus(replace(config, features=(config.features, config.features)))
    single = open_corpus(config)
    assert pair.source.streams == ("noise", "noise")
    assert pair.features["video00"].channels == 2 * single.features["video00"].channels
    with pytest.raises(BadInput, match="nowhere: no such file or folder"):
        open_corpus(replace(config, features=(config.features, str(folder / "nowhere"))))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_features_at_a_wrong_rate_are_refused(folder, config, factor):
    (folder / "features" / "manifest.json").unlink()
    wrong = replace(synthetic.SOURCE, fps=synthetic.SOURCE.fps * factor)
    with pytest.raises(BadInput, match=r"video00: \d+ snippets of synthetic .* end at .* s, but the video at .* s"):
        open_corpus(replace(config, source=wrong))
    assert open_corpus(replace(config, source=synthetic.SOURCE)).train


def test_unknown_splits_data_sets_and_empty_paths_are_named(config):
    for changes, sentence in (
        (
            {"train": ("trainnig",)},
            "annotations.json: data.train = 'trainnig' is no subset: there are .*; did you mean 'training'",
        ),
        ({"dataset": "thumos41"}, "'thumos41': there are activitynet, thumos14"),
        ({"annotations": ""}, "data.annotations is empty"),
        ({"annotations": "mine.toml"}, "data.annotations = mine.toml: is a recipe"),
        ({"features": ""}, "data.features is empty"),
        ({"layout": "tps"}, "data.layout = 'tps': there are actionformer-i3d"),
    ):
        with pytest.raises(BadInput, match=sentence):
            open_corpus(replace(config, **changes))


def test_swapped_axes_are_doubted_and_read_where_the_recipe_says_so(folder, config):
    straight = open_corpus(config).features
    values = {video: np.asarray(straight[video].values) for video in straight}
    (folder / "swapped").mkdir()
    for video, array in values.items():
        np.save(folder / "swapped" / f"{video}.npy", array.T)
    source = straight[next(iter(values))].source
    swapped = replace(config, features=str(folder / "swapped"), source=source)
    count = len(values[next(iter(open_corpus(config).train))])
    with pytest.raises(BadInput, match=rf"channels, .* as many of {count}: are the axes swapped\?.*data\.axes"):
        open_corpus(swapped)
    again = open_corpus(replace(swapped, axes="ct"))
    assert all(np.array_equal(again.features[video].values, array) for video, array in values.items())


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "found an empty folder, nothing that is read as features"),
        (("a.mp4", "b.mp4", "c.xyz"), r"found 3 files \(2 \.mp4, 1 \.xyz\), such as a\.mp4, nothing that is read"),
        (("u_rgb.npy", "u_flow.npy"), r"found 2 files .*if these are streams .*\*_flow\.npy.*features of 2 videos"),
    ],
)
def test_where_no_features_fit_what_lies_there_is_said(folder, config, names, sentence):
    (folder / "else").mkdir()
    for name in names:
        with (folder / "else" / name).open("wb") as file:
            np.save(file, np.ones((4, 2), np.float32))
    source = open_corpus(config).source
    with pytest.raises(BadInput, match=sentence):
        open_corpus(replace(config, features=str(folder / "else"), source=source))


def test_holding_out_a_split_trains_on_all_others(config):
    config = replace(config, train=("b", "c"), test=("a",))
    assert hold_out(config, "b").train == ("a", "c")
    assert hold_out(config, "b").test == ("b",)
    with pytest.raises(BadInput, match="'d'"):
        hold_out(config, "d")


def test_a_recipe_in_the_place_of_annotations_is_named_whatever_its_ending(folder, config):
    (folder / "annotations.json").write_text("# mine\n[data]\nfeatures = 'f'\n")
    with pytest.raises(BadInput, match=r"data.annotations = .*annotations.json: is a recipe"):
        open_corpus(config)


def rename_subsets(folder, names):
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    for entry in content["database"].values():
        entry["subset"] = names[entry["subset"]]
        if entry["subset"] is None:
            del entry["subset"]
    path.write_text(json.dumps(content))


def test_subsets_are_found_in_another_spelling_and_that_is_said(folder, config):
    before = open_corpus(config)
    rename_subsets(folder, {"training": "Train", "validation": "VAL"})
    corpus = open_corpus(config)
    assert (corpus.train, corpus.test) == (before.train, before.test)
    assert corpus.notes == ("subset 'training' is read as 'Train'", "subset 'validation' is read as 'VAL'")


def test_annotations_without_subsets_say_what_proposes_some(folder, config):
    rename_subsets(folder, {"training": None, "validation": None})
    sentence = r"annotations.json: no video has a subset, .* data.train = 'training'; .* `untrimmed init` propose"
    with pytest.raises(BadInput, match=sentence):
        open_corpus(config)


def test_a_held_out_split_is_found_in_any_spelling(config):
    held = hold_out(replace(config, train=("fold1", "fold2"), test=("fold0",)), "Fold 1")
    assert (held.train, held.test) == (("fold0", "fold2"), ("fold1",))


def test_features_of_other_names_are_shown_with_the_nearest(folder, config):
    (folder / "features" / "manifest.json").unlink()
    for number in range(9):
        (folder / "features" / f"video0{number}.npy").rename(folder / "features" / f"vide0{number}.npy")
    with pytest.raises(BadInput, match=r"9 of 9 videos have no features, the first is video00; .* 'vide00'; rename"):
        open_corpus(replace(config, source=synthetic.SOURCE))


def test_features_under_another_form_of_a_name_are_used_and_that_is_said(folder, config):
    entries = json.loads((folder / "features/manifest.json").read_text())
    entries["videos"]["v_VIDEO01"] = entries["videos"].pop("video01")
    (folder / "features/manifest.json").write_text(json.dumps(entries))
    corpus = open_corpus(config)
    assert "video01" in corpus.train
    (note,) = [note for note in corpus.notes if "spelled differently" in note]
    assert "1 video is" in note and "'video01' and 'v_VIDEO01'" in note


def test_what_is_guessed_about_feature_files_is_among_the_notes(folder, config, caplog):
    caplog.set_level("INFO", "untrimmed")
    (folder / "features/manifest.json").unlink()
    for file in sorted((folder / "features").glob("*.npy")):
        values = np.load(file)
        # Not in the first file, which the check of types in tests reads at once.
        columns = [values] if file.stem == "video00" else [np.arange(len(values)), values]
        np.savetxt(file.with_name(f"{file.stem}_i3d.csv"), np.column_stack(columns), "%.6f", ",")
        file.unlink()
    corpus = open_corpus(replace(config, source=synthetic.SOURCE))
    assert any("was taken for the features of video" in note for note in corpus.notes)
    assert any("a column that only counts rows or time was left out" in note for note in corpus.notes)
    assert not caplog.records
    assert corpus.features["video01"].channels == synthetic.CHANNELS


def test_the_tiers_that_a_recipe_names_are_read(tmp_path):
    tier = '<TIER TIER_ID="{0}"><ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">'
    tier += "<ANNOTATION_VALUE>{1}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"
    slots = '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="900"/>'
    tiers = tier.format("hand", "wave") + tier.format("notes", "dark")
    (tmp_path / "a.eaf").write_text(f"<ANNOTATION_DOCUMENT>{slots}</TIME_ORDER>{tiers}</ANNOTATION_DOCUMENT>")
    config = DataConfig(annotations=str(tmp_path / "a.eaf"))
    assert open_dataset(config).classes == ("dark", "wave")
    assert open_dataset(replace(config, tiers=("hand",))).classes == ("wave",)
