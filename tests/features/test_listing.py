"""Files of features in any form: one array reads back the same; which videos files are of; what is said of others."""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from public_sets import numbers, write_folder
from untrimmed.features.listing import describe_files, explain_no_features, holds_feature_files, list_places
from untrimmed.features.streams import FeatureStreams, read_features
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0)
VALUES = numbers(5, 3) / 8 - 0.5


def write_h5(file: Path, entries: dict[str, np.ndarray]) -> None:
    with h5py.File(file, "w") as made:
        for name, values in entries.items():
            made[name] = values


ONE_VIDEO = {
    "npy": lambda file, x: np.save(file.with_suffix(".npy"), x),
    "capitals": lambda file, x: (
        np.save(file.with_suffix(".npy"), x) or file.with_suffix(".npy").rename(file.with_suffix(".NPY"))
    ),
    "npy of a dict": lambda file, x: np.save(file.with_suffix(".npy"), {"feats": x, "fps": 25}),  # pyright: ignore
    "npz, feats": lambda file, x: np.savez(file.with_suffix(".npz"), feats=x),
    "npz, features and more": lambda file, x: np.savez(file.with_suffix(".npz"), features=x, fps=25, times=x[:, 0]),
    "npz, unnamed": lambda file, x: np.savez_compressed(file.with_suffix(".npz"), x),
    "npz, any name": lambda file, x: np.savez(file.with_suffix(".npz"), vec=x),
    "pt": lambda file, x: torch.save(torch.from_numpy(x.copy()), file.with_suffix(".pt")),
    "pth of a dict": lambda file, x: torch.save(
        {"feats": torch.from_numpy(x.copy()), "fps": 25.0, "name": "a"}, file.with_suffix(".pth")
    ),
    "pt of old": lambda file, x: torch.save(
        torch.from_numpy(x.copy()), file.with_suffix(".pt"), _use_new_zipfile_serialization=False
    ),
    "pt of a list": lambda file, x: torch.save([torch.from_numpy(row.copy()) for row in x], file.with_suffix(".pt")),
    "pkl": lambda file, x: file.with_suffix(".pkl").write_bytes(pickle.dumps(x)),
    "pkl of a dict": lambda file, x: file.with_suffix(".pkl").write_bytes(
        pickle.dumps({"features": x, "fps": 25, "classes": np.array(["a", "b"]), "more": {"x": {"y": [1, 2]}}})
    ),
    "pickle of lists": lambda file, x: file.with_suffix(".pickle").write_bytes(pickle.dumps(x.tolist())),
    "h5": lambda file, x: write_h5(file.with_suffix(".h5"), {"feats": x}),
    "h5 in a group": lambda file, x: write_h5(file.with_suffix(".hdf5"), {"rgb/feature": x}),
    "csv": lambda file, x: np.savetxt(file.with_suffix(".csv"), x, delimiter=","),
    "tsv": lambda file, x: np.savetxt(file.with_suffix(".tsv"), x, delimiter="\t"),
    "txt": lambda file, x: np.savetxt(file.with_suffix(".txt"), x),
}
MANY_VIDEOS = {
    "npz": lambda folder, xs: np.savez(folder / "all.npz", **xs),
    "h5": lambda folder, xs: write_h5(folder / "all.h5", xs),
    "h5 by group": lambda folder, xs: write_h5(folder / "all.h5", {f"{name}/c3d": x for name, x in xs.items()}),
    "h5 in a group": lambda folder, xs: write_h5(folder / "x.h5", {f"features/{name}": x for name, x in xs.items()}),
    "h5 by subset": lambda folder, xs: write_h5(
        folder / "x.h5", {f"{'val' if name == 'c' else 'train'}/{name}/feats": x for name, x in xs.items()}
    ),
    "pkl": lambda folder, xs: (folder / "all.pkl").write_bytes(pickle.dumps(xs)),
    "npy": lambda folder, xs: np.save(folder / "all.npy", xs),  # pyright: ignore
    "pt": lambda folder, xs: torch.save({n: torch.from_numpy(x.copy()) for n, x in xs.items()}, folder / "all.pt"),
    "json": lambda folder, xs: (folder / "all.json").write_text(json.dumps({n: x.tolist() for n, x in xs.items()})),
    "folders": lambda folder, xs: [
        write_folder(folder / ("val" if name == "c" else "train"), **{name: x}) for name, x in xs.items()
    ],
    "a file each subset": lambda folder, xs: [
        np.savez(folder / "train.npz", a=xs["a"], b=xs["b"]),
        np.savez(folder / "test.npz", c=xs["c"]),
    ],
}


@pytest.mark.parametrize("form", ONE_VIDEO)
def test_a_video_in_any_form_of_file_alone_in_a_folder_and_by_a_star(tmp_path, form):
    arrays = {name: VALUES + place for place, name in enumerate("abc")}
    for name, values in arrays.items():
        ONE_VIDEO[form](tmp_path / f"vid_{name}", values.astype(np.float32))
    suffix = next(tmp_path.iterdir()).suffix
    for path in (tmp_path, tmp_path / "*", tmp_path / f"*{suffix}"):
        features = read_features(path, SOURCE)
        assert list(features) == ["vid_a", "vid_b", "vid_c"]
        for name, values in arrays.items():
            assert np.array_equal(features[f"vid_{name}"].values, values)
    alone = read_features(tmp_path / f"vid_b{suffix}", SOURCE)
    assert len(alone) == 1 and np.array_equal(alone[next(iter(alone))].values, VALUES + 1)


@pytest.mark.parametrize("form", MANY_VIDEOS)
def test_many_videos_in_any_form_of_file(tmp_path, form):
    arrays = {name: VALUES + place for place, name in enumerate("abc")}
    MANY_VIDEOS[form](tmp_path, arrays)
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    for path in (tmp_path, *(files if len(files) == 1 else [])):
        if path == tmp_path and form == "json":
            continue  # JSON in a folder may be anything
        features = read_features(path, SOURCE)
        assert sorted(features) == ["a", "b", "c"]
        for name, values in arrays.items():
            assert np.array_equal(features[name].values, values)


KINDS = [np.float16, np.float32, np.float64, np.int8, np.int16, np.int64, np.uint8, np.dtype(">f4"), np.bool_]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_array_in_any_form_reads_back_to_the_same(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("forms")
    rows, columns = data.draw(st.integers(2, 9)), data.draw(st.integers(2, 5))
    form = data.draw(st.sampled_from(sorted(ONE_VIDEO)))
    kind = np.dtype(data.draw(st.sampled_from(KINDS)))
    is_table = form in ("csv", "tsv", "txt")
    # Tables are text; torch has neither foreign byte orders nor lists of several types.
    kind = np.dtype(np.float32) if is_table or form.startswith("pt") else kind
    # The last column ends high, so that nothing counts like an index.
    values = (
        np.random.default_rng(rows * columns).integers(0, 2 if kind.kind == "b" else 100, (rows, columns))
    ).astype(kind)
    swapped = not is_table and data.draw(st.booleans())
    stored = values.T if swapped else values
    if form not in ("csv", "tsv", "txt", "pt of a list", "pickle of lists", "npz, features and more"):
        shape = list(stored.shape)
        for place in data.draw(st.lists(st.integers(0, 2), max_size=2)):
            shape.insert(place, 1)
        stored = stored.reshape(shape)
    if form == "pt of a list":
        stored = np.ascontiguousarray(stored)
    prefix, suffix = data.draw(st.sampled_from(["", "v_"])), data.draw(st.sampled_from(["", "_rgb", "-i3d_feat"]))
    for name in ("first", "second"):
        ONE_VIDEO[form](folder / f"{prefix}{name}{suffix}", stored)
    features = read_features(folder, SOURCE, axes="ct" if swapped else "tc", durations={"first": 1.0, "second": 1.0})
    for name in ("first", "second"):
        assert np.array_equal(features[name].values, values.astype(features[name].values.dtype))


def test_an_ending_that_all_names_share_is_left_out_where_no_video_has_it(tmp_path, caplog):
    caplog.set_level("INFO", "untrimmed")
    ends = ("_i3d_rgb", "-rgb", "_feat", ".features", "DLC_resnet50_mouseMar1shuffle1_1000", "_cam1_flow")
    for ending in ends:
        folder = write_folder(tmp_path / ending, **{f"vid{n}{ending}": numbers(2, 2, n) for n in range(3)})
        features = read_features(folder, SOURCE, durations={"vid0": 1.0, "VID1": 1.0})
        assert features["vid0"].values[0, 0] == 0 and features["VID1"].values[0, 0] == 1 and "vid2" in features
        assert "vid" not in features and "vid3" not in features
        one = read_features(folder / f"vid2{ending}.npy", SOURCE)
        assert len(one) == 1
    assert sum("was taken for the features of" in record.message for record in caplog.records) == len(ends)
    # numbers are no ending, and an exact name goes first
    counted = read_features(write_folder(tmp_path / "counted", a_01=VALUES, b_01=VALUES), SOURCE)
    assert "a" not in counted and "a_01" in counted


def test_the_ending_of_two_streams_in_one_folder_is_not_guessed(tmp_path):
    write_folder(tmp_path, a_rgb=numbers(4, 2), a_flow=numbers(4, 2, 9))
    assert "a" not in read_features(tmp_path, SOURCE)
    both = FeatureStreams([tmp_path / "*_rgb.npy", tmp_path / "*_flow.npy"], SOURCE)
    assert both["a"].values.shape == (4, 4)


def test_files_of_one_name_in_two_folders_are_called_by_their_path(tmp_path):
    for number, folder in enumerate(("cam1", "cam2")):
        write_folder(tmp_path / folder, match=numbers(2, 2, number), **{folder: VALUES})
    features = read_features(tmp_path, SOURCE)
    assert sorted(features) == ["cam1", "cam1/match", "cam2", "cam2/match"]
    assert features["cam2/match"].values[0, 0] == 1 and "match" not in features


def test_endings_that_lie_beside_the_features_are_passed_over_and_that_is_said(tmp_path, caplog):
    caplog.set_level("INFO", "untrimmed")
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", feats=VALUES)
        (tmp_path / f"._{name}.npz").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "labels.csv").write_text("video,start,end,label\na,1,2,x\n")
    (tmp_path / "README.txt").write_text("read me\n")
    assert list(read_features(tmp_path, SOURCE)) == ["a", "b"]
    assert [record.message for record in caplog.records] == [
        f"{tmp_path}: 1 of other endings passed over, such as labels.csv"
    ]


def test_what_lies_in_a_folder_is_described(tmp_path):
    assert describe_files(tmp_path) == "an empty folder"
    (tmp_path / "a.avi").touch()
    (tmp_path / "b.avi").touch()
    (tmp_path / "c").touch()
    assert describe_files(tmp_path) == "3 files (2 .avi, 1 no ending), such as a.avi"
    assert not holds_feature_files(tmp_path)
    (tmp_path / "b.csv").write_text("1,2\n")
    assert not holds_feature_files(tmp_path)
    (tmp_path / "b.npy").touch()
    assert holds_feature_files(tmp_path)


def test_a_file_with_several_arrays_of_no_usual_name_is_refused(tmp_path):
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", left=VALUES, right=VALUES)
    with pytest.raises(BadInput, match=r"a\.npz: holds left, right; one array a video was expected.*'features'"):
        read_features(tmp_path, SOURCE)["a"]


@pytest.mark.parametrize("ending", ["npz", "h5", "pt", "pth", "pkl", "pickle", "npy", "csv", "tsv", "hdf5"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 40, b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00", b"\x80\x02]r"]
)
def test_a_damaged_file_of_any_ending_is_one_sentence(tmp_path, ending, content):
    (tmp_path / f"a.{ending}").write_bytes(content)
    for path in (tmp_path, tmp_path / f"a.{ending}"):
        with pytest.raises(BadInput, match=rf"a\.{ending}: [^\n]+$"):
            read_features(path, SOURCE)["a"]


def test_features_in_a_folder_beside_others_are_told_of_with_their_number(tmp_path: Path) -> None:
    write_folder(tmp_path, a=VALUES, b=VALUES, c=VALUES)
    write_folder(tmp_path / "val", d=VALUES, e=VALUES)
    features = read_features(tmp_path, SOURCE)
    with features.hold_notes() as notes:
        assert list(features) == ["a", "b", "c"]
    assert len(notes) == 1 and "folders in it passed over: 2, such as val/d.npy" in notes[0]


def test_one_table_of_several_videos_is_refused_before_any_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,video\n1,s1\n2,s1\n3,s2\n4,s2\n")
    with pytest.raises(BadInput, match=r"x\.csv: its column 'video' has 2 values, such as 's1'"):
        list(read_features(tmp_path / "x.csv", SOURCE))


def test_a_folder_of_another_kind_is_told_with_a_file_and_the_endings_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "s01.mat").write_bytes(b"MATLAB 5.0")
    sentence = explain_no_features(tmp_path)
    assert "1 file (1 .mat), such as s01.mat" in sentence and ".npy" in sentence and ".txt" in sentence
    (tmp_path / "s01.mat").rename(tmp_path / "s01.json")
    assert "a .json is read where it alone is named" in explain_no_features(tmp_path)


def test_utf16_text_is_features(tmp_path: Path) -> None:
    (tmp_path / "s01.txt").write_bytes("1\t2\n3\t4\n".encode("utf-16"))
    assert list(list_places(tmp_path).places) == ["s01"]


def test_two_files_for_each_video_are_told_with_a_pattern(tmp_path: Path) -> None:
    for name in ("s01X.csv", "s02X.csv", "s01X_filtered.csv", "s02X_filtered.csv"):
        (tmp_path / name).write_text("1,2\n3,4\n")
    sentence = describe_files(tmp_path)
    assert "two fit each video: s01X.csv and s01X_filtered.csv" in sentence and "*_filtered.csv chooses" in sentence


def test_videos_of_another_ending_are_told_as_missing(tmp_path: Path) -> None:
    for name in ("s01.csv", "s02.csv", "s03.npz"):
        (tmp_path / name).write_text("1,2\n3,4\n")
    assert "no other file has the names of 1, such as s03" in list_places(tmp_path).notes[0]
