"""What features of a data set are kept in memory: what was unpacked or averaged, up to a bound, read only."""

from pathlib import Path

import numpy as np
import pytest

from untrimmed.features import streams as feature_streams
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import FeatureSource

SOURCE = FeatureSource(backbone="test", fps=10)
VIDEOS = {name: np.full((8, 4), place, np.float32) for place, name in enumerate("abc")}


@pytest.fixture
def packed(tmp_path) -> FeatureStreams:
    np.savez(tmp_path / "features.npz", **VIDEOS)
    return FeatureStreams([tmp_path / "features.npz"], SOURCE)


def test_what_was_unpacked_is_not_unpacked_again(packed):
    assert packed["a"] is packed["a"]
    assert np.array_equal(packed["a"].values, VIDEOS["a"])


def test_what_is_kept_cannot_be_written_to(packed):
    with pytest.raises(ValueError, match="read-only"):
        packed["a"].values[0] = 1


def test_the_one_that_was_not_asked_for_longest_goes_first(packed, monkeypatch):
    monkeypatch.setattr(feature_streams, "KEPT_BYTES", 2 * VIDEOS["a"].nbytes)
    a, b = packed["a"], packed["b"]
    assert packed["a"] is a
    packed["c"]
    assert packed["a"] is a and packed["b"] is not b


def test_one_that_is_larger_than_the_bound_is_kept_alone(packed, monkeypatch):
    monkeypatch.setattr(feature_streams, "KEPT_BYTES", 1)
    a = packed["a"]
    assert packed["a"] is a
    packed["b"]
    assert packed["a"] is not a


def test_mapped_files_are_left_to_the_system(tmp_path):
    for name, values in VIDEOS.items():
        np.save(tmp_path / f"{name}.npy", values)
    mapped = FeatureStreams([Path(tmp_path)], SOURCE)
    assert isinstance(mapped["a"].values, np.memmap) and not mapped._kept


def test_averages_of_mapped_files_are_kept(tmp_path):
    np.save(tmp_path / "a.npy", VIDEOS["a"])
    averaged = FeatureStreams([Path(tmp_path)], SOURCE, average=2)
    assert averaged["a"] is averaged["a"] and len(averaged["a"]) == 4
