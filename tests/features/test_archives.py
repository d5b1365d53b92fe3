"""Features of many videos in one file: the names, the arrays, and files that cannot be used."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from untrimmed.features.archives import Archive
from untrimmed.features.streams import read_features
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput

h5py = pytest.importorskip("h5py")
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)
SOURCE = FeatureSource(backbone="c3d", fps=30, stride=8, window=16)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "features.hdf5", "w") as made:
        made["v_b"] = VALUES
        made.create_group("v_a")["c3d_features"] = VALUES + 1
    return tmp_path / "features.hdf5"


def test_a_folder_of_features_may_be_one_hdf5_file(file):
    folder = read_features(file, SOURCE)
    assert list(folder) == ["v_a", "v_b"]
    assert np.array_equal(folder["b"].values, VALUES)
    assert np.array_equal(folder["v_a"].values, VALUES + 1)
    assert folder["b"].grid == SOURCE.grid


def test_links_out_of_the_file_are_not_followed(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = VALUES
    with h5py.File(file, "a") as made:
        made["outside"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        made.create_group("inside")["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
    archive = Archive(file)
    assert archive.names == ["v_a", "v_b"]
    with pytest.raises(BadInput, match="inside is no array of features; it holds inside, v_a, v_b"):
        archive.read("inside")


def test_of_two_arrays_in_a_group_the_one_named_features_is_read_and_that_is_noted(file):
    with h5py.File(file, "a") as made:
        made["v_a/more"] = VALUES
    reading = Archive(file).read("v_a")
    assert np.array_equal(reading.values, VALUES + 1)
    assert reading.notes == {"of several arrays only one was used": "more not"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [(np.zeros((2, 3, 4), np.float32), "bad: has shape"), (np.array([b"text"], "S4"), "bad is no array of features")],
)
def test_what_is_not_time_by_channels_of_numbers_is_refused(file, values, sentence):
    with h5py.File(file, "a") as made:
        made["bad"] = values
    with pytest.raises(BadInput, match=sentence):
        Archive(file).read("bad")


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_a_file_of_another_kind_is_refused(tmp_path, ending):
    (tmp_path / f"a.{ending}").write_text("not an archive")
    with pytest.raises(BadInput, match="is not a readable"):
        Archive(tmp_path / f"a.{ending}")


def test_without_the_package_it_says_how_to_get_it(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BadInput, match=r"pip install 'untrimmed\[hdf5\]'"):
        Archive(file)


@pytest.fixture
def streams(tmp_path):
    """Two streams of three videos, a group a video."""
    with h5py.File(tmp_path / "both.h5", "w") as made:
        for video in ("a", "b", "c"):
            made[f"{video}/rgb"], made[f"{video}/flow"] = VALUES, VALUES[:, :1] + 9
    return tmp_path / "both.h5"


def test_one_stream_of_each_video_is_taken_by_its_path_in_the_file(streams):
    features = read_features(streams / "flow", SOURCE)
    assert list(features) == ["a", "b", "c"]
    assert features["b"].values.tolist() == (VALUES[:, :1] + 9).tolist()


def test_streams_that_the_source_names_are_read_side_by_side_in_its_order(streams):
    features = read_features(streams, replace(SOURCE, streams=("rgb", "flow")))
    assert sorted(features) == ["a", "b", "c"]
    assert features["c"].values.tolist() == np.concatenate([VALUES, VALUES[:, :1] + 9], 1).tolist()


def test_a_group_for_each_stream_is_read_as_well(tmp_path):
    with h5py.File(tmp_path / "both.h5", "w") as made:
        for video in ("a", "b", "c"):
            made[f"rgb/{video}"], made[f"flow/{video}"] = VALUES, VALUES + 9
    assert read_features(tmp_path / "both.h5" / "flow", SOURCE)["c"].values.tolist() == (VALUES + 9).tolist()


def test_a_file_of_streams_says_how_to_take_them_and_one_that_is_not_there_is_refused(streams):
    hint = f'data.features = ["{streams}/flow", "{streams}/rgb"], or to one of them'
    assert hint in read_features(streams, SOURCE).describe()
    with pytest.raises(BadInput, match=r"not every video in it has 'audio'; it holds flow, rgb$"):
        list(read_features(streams / "audio", SOURCE))


def test_groups_with_other_names_in_each_hold_videos_and_no_streams(file):
    with h5py.File(file, "w") as made:
        made["train/a"], made["train/b"], made["test/c"], made["test/d"] = [VALUES] * 4
    archive = Archive(file)
    assert (archive.names, archive.streams) == (["a", "b", "c", "d"], ())


def write_frames(file: Path, names: list[str]) -> None:
    """Write what pandas' `to_hdf` writes for a table under each name."""
    with h5py.File(file, "w") as opened:
        for place, name in enumerate(names):
            opened[f"{name}/axis0"] = np.array([b"a", b"b", b"c"])
            opened[f"{name}/axis1"] = np.arange(5)
            opened[f"{name}/block0_items"] = np.array([b"a", b"b", b"c"])
            opened[f"{name}/block0_values"] = np.arange(15.0).reshape(5, 3) + place


def test_of_several_tables_of_pandas_each_is_a_video_and_a_single_one_is_the_files(tmp_path: Path) -> None:
    write_frames(tmp_path / "x.h5", ["s01", "s02", "s03"])
    archive = Archive(tmp_path / "x.h5")
    assert archive.names == ["s01", "s02", "s03"]
    assert np.array_equal(archive.read("s03").values, np.arange(15.0).reshape(5, 3) + 2)
    write_frames(tmp_path / "y.h5", ["df"])
    assert Archive(tmp_path / "y.h5").names == ["y"]


def test_columns_of_another_type_in_a_table_of_pandas_are_noted(tmp_path: Path) -> None:
    write_frames(tmp_path / "y.h5", ["df"])
    with h5py.File(tmp_path / "y.h5", "a") as opened:
        opened["df/block1_values"] = np.arange(5)[:, None]
    reading = Archive(tmp_path / "y.h5").read_only()
    assert list(reading.notes.values()) == ["block1_values not"]


def test_one_array_of_several_videos_and_one_of_objects_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", features=np.zeros((8, 9, 6), np.float32), names=np.array(["a"] * 8))
    assert "its array is 8 x 9 x 6, perhaps of several videos" in Archive(tmp_path / "x.npz").advise()
    np.savez(tmp_path / "y.npz", arr_0=np.array({"s01": [1]}, object))
    assert "it holds arr_0, none as numbers" in Archive(tmp_path / "y.npz").advise()
