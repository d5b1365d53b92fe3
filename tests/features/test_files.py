"""Files of features: arrays, tables and archives, and files that are none of them."""

from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers, write_folder
from untrimmed.features.files import read_array, read_npy
from untrimmed.features.streams import FeatureStreams, read_features
from untrimmed.features.video_features import FeatureSource, check_finite
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, stride=5, window=8, streams=("rgb", "flow"), start=0.2)


@pytest.mark.parametrize("keep", [0, 5, 100, 150])
def test_a_truncated_array_is_refused(tmp_path: Path, keep: int) -> None:
    path = write_folder(tmp_path / "bare", clip=numbers(6, 4))
    (path / "clip.npy").write_bytes((path / "clip.npy").read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"clip\.npy: is not a readable \.npy file"):
        read_features(path, SOURCE)["clip"]


def test_a_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(BadInput, match="is not a readable"):
        read_npy(tmp_path / "clip.npy")


@pytest.mark.parametrize("text", ["x,y\n1,two\n", "1,2\n3\n"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "clip.csv").write_text(text)
    with pytest.raises(BadInput, match=r"clip\.csv: is not a table of numbers"):
        read_features(tmp_path / "clip.csv", SOURCE)["clip"]


@pytest.mark.parametrize(
    "array",
    [np.ones(5, np.float32), np.ones((2, 3, 4), np.float32), np.ones((5, 2), complex)],
    ids=["one axis", "three axes", "complex"],
)
def test_an_array_that_is_not_time_by_channels_of_numbers_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    folder = read_features(write_folder(tmp_path / "bare", clip=array), SOURCE)
    with pytest.raises(BadInput, match=r"clip\.npy: has shape .*time x channels of numbers was expected"):
        folder["clip"]
    np.savez(tmp_path / "all.npz", clip=array)
    with pytest.raises(BadInput, match=r"all\.npz:.* has "):
        read_features(tmp_path / "all.npz", SOURCE)["clip"]


def test_files_that_are_not_what_they_seem_are_one_sentence(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(BadInput, match="both of a"):
        list(read_features(tmp_path, SOURCE))
    (tmp_path / "renamed.npz").write_bytes((tmp_path / "a.npy").read_bytes())
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    for name in ("renamed.npz", "cut.npz"):
        with pytest.raises(BadInput, match=r"is not a readable \.npz file"):
            list(read_features(tmp_path / name, SOURCE))
    (tmp_path / "header.csv").write_text("mean,deviation\n")
    with pytest.raises(BadInput, match="no row of numbers"):
        read_features(tmp_path / "header.csv", SOURCE)["header"]
    with pytest.raises(BadInput, match="fewer than 9 to average"):
        FeatureStreams([tmp_path / "a.npy"], SOURCE, average=9)["a"]


@pytest.mark.data
def test_every_real_feature_file_is_read_and_finite(data: Path) -> None:
    counts = {
        "salads50_scores": (50, 112),
        "vts_kinematics": (99, 36),
        "gtea_scores": (21, 33),
        "precog2016": (72, 60),
    }
    for name, (videos, channels) in counts.items():
        folder = read_features(data / "datasets" / name / "features.npz", SOURCE)
        assert len(folder) == videos
        for video in folder:
            assert folder[video].channels == channels
            check_finite(video, folder[video])


def test_an_npz_and_tables_and_one_file_give_what_a_folder_gives(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", clip=numbers(6, 4))
    (tmp_path / "tables").mkdir()
    np.savetxt(tmp_path / "tables" / "clip.csv", numbers(6, 4), delimiter=",")
    np.savetxt(tmp_path / "tables" / "headed.csv.gz", numbers(6, 4), delimiter=",", header="f0,f1,f2,f3", comments="")
    np.save(tmp_path / "clip.npy", numbers(6, 4))
    for path in (tmp_path / "all.npz", tmp_path / "tables", tmp_path / "clip.npy"):
        assert np.array_equal(read_features(path, SOURCE)["clip"].values, numbers(6, 4))
    assert list(read_features(tmp_path / "tables", SOURCE)) == ["clip", "headed"]
    assert np.array_equal(read_features(tmp_path / "tables", SOURCE)["headed"].values, numbers(6, 4))


def test_an_array_of_objects_that_are_numbers_keeps_its_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "s01.npy", np.arange(12).reshape(4, 3).astype(object), allow_pickle=True)
    assert read_array(tmp_path / "s01.npy").values.tolist() == np.arange(12).reshape(4, 3).tolist()


def test_a_parameter_is_read_as_its_tensor(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Parameter(torch.ones(4, 3)), tmp_path / "s01.pt")
    assert read_array(tmp_path / "s01.pt").values.shape == (4, 3)
