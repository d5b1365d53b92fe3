"""Files of arrays under names: nothing in them is run, and none unfolds to more than it has."""

import io
import os
import zipfile

import h5py
import numpy as np
import pytest
import torch

from untrimmed.features.contents import open_content
from untrimmed.features.streams import read_features
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0)


class Malicious:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_a_file_of_tensors_that_calls_something_is_refused_and_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for old in (True, False):
        torch.save({"feats": Malicious()}, tmp_path / "a.pt", _use_new_zipfile_serialization=old)
        with pytest.raises(BadInput, match=r"a\.pt: wants more than tensors \(\S+\); nothing was run: [^()]*$"):
            read_features(tmp_path / "a.pt", SOURCE)["a"]
    assert not (tmp_path / "ran").exists()


def test_a_tensor_that_says_it_has_more_numbers_than_the_file_is_none(tmp_path):
    torch.save(torch.ones(1, 1).expand(100_000, 100_000), tmp_path / "a.pt")
    with pytest.raises(BadInput, match=r"a\.pt: holds"):
        read_features(tmp_path / "a.pt", SOURCE)["a"]


def test_packed_tensors_are_refused(tmp_path):
    torch.save(torch.zeros(1000, 100), tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as plain, zipfile.ZipFile(tmp_path / "a.pt", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(BadInput, match=r"a\.pt: .*parts are larger than the file"):
        read_features(tmp_path / "a.pt", SOURCE)["a"]


def test_an_array_in_an_npz_that_says_it_is_larger_than_it_is_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2_000_000_000, 1000)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("feats.npy", header.getvalue() + b"\x00" * 64)
    with pytest.raises(BadInput, match=r"a\.npz: feats says that it has 8,000,000,000,000 bytes, and has 64"):
        read_features(tmp_path / "a.npz", SOURCE)["a"]


def test_a_group_that_holds_itself_ends(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as made:
        made["x/v"] = np.ones((2, 2), np.float32)
        made["x/again"] = made["x"]
    tree = open_content(tmp_path / "a.h5").tree
    assert "x" in tree


def test_brain_floats_are_read(tmp_path):
    torch.save(torch.tensor([[0.5, 2.0]], dtype=torch.bfloat16, requires_grad=True), tmp_path / "a.pt")
    assert read_features(tmp_path / "a.pt", SOURCE)["a"].values.tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize("descr", ["'<f4', ", "(", "'<f4', 'shape': 1"])
def test_a_npy_file_whose_header_is_no_python_is_one_sentence(tmp_path, descr):
    header = ("{'descr': " + descr).ljust(117).encode() + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(BadInput, match=r"a\.npy: is not a readable \.npy file"):
        read_features(tmp_path, SOURCE)["a"]
