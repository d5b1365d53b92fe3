"""Features of many videos in one file: the names, the arrays, and files that cannot be used."""

import sys

import numpy as np
import pytest

from untrimmed.features.archives import open_archive
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
    archive = open_archive(file)
    assert archive.names == ["v_a", "v_b"]
    with pytest.raises(BadInput, match="inside is no array of features; it holds inside, v_a, v_b"):
        archive.read("inside")


def test_of_two_arrays_in_a_group_the_one_named_features_is_read_and_that_is_noted(file):
    with h5py.File(file, "a") as made:
        made["v_a/more"] = VALUES
    reading = open_archive(file).read("v_a")
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
        open_archive(file).read("bad")


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_a_file_of_another_kind_is_refused(tmp_path, ending):
    (tmp_path / f"a.{ending}").write_text("not an archive")
    with pytest.raises(BadInput, match="is not a readable"):
        open_archive(tmp_path / f"a.{ending}")


def test_without_the_package_it_says_how_to_get_it(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BadInput, match=r"pip install 'untrimmed\[hdf5\]'"):
        open_archive(file)
