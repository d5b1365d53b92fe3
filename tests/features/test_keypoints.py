"""Tracked points of SLEAP, DeepLabCut and CalMS21 as features, and gaps in them."""

import json

import h5py
import numpy as np
import pytest

from untrimmed.features.keypoints import fill_gaps
from untrimmed.features.streams import read_features
from untrimmed.features.video_features import FeatureSource, check_finite
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="points", fps=30.0)
# frames, animals, points, coordinates
POINTS = np.arange(6 * 2 * 3 * 2, dtype=np.float64).reshape(6, 2, 3, 2)


def write_sleap(file, points, occupancy=True):
    """As SLEAP exports: tracks, coordinates, points, frames."""
    with h5py.File(file, "w") as made:
        made["tracks"] = points.transpose(1, 3, 2, 0)
        made["node_names"] = np.array([b"nose", b"neck", b"tail"])
        made["track_names"] = np.array([b"a", b"b"])
        made["point_scores"] = np.ones((2, 3, 6))
        made["edge_inds"] = np.array([[0, 1]])
        if occupancy:
            made["track_occupancy"] = np.ones((6, 2), np.uint8)


@pytest.mark.parametrize("occupancy", [True, False])
def test_the_analysis_files_of_sleap_have_a_channel_for_each_coordinate(tmp_path, caplog, occupancy):
    caplog.set_level("INFO", "untrimmed")
    hidden = POINTS.copy()
    hidden[2, 0, 0] = np.nan
    for name in ("a", "b"):
        write_sleap(tmp_path / f"{name}.analysis.h5", hidden, occupancy)
    features = read_features(tmp_path, SOURCE, durations={"a": 0.2, "b": 0.2})
    values = features["a"].values
    assert values.shape == (6, 12)
    assert np.array_equal(values, POINTS.transpose(0, 1, 3, 2).reshape(6, 12))  # the gap is on a straight line
    check_finite("a", features["a"])
    assert "gaps in tracked points were interpolated along time (2.8 % of its numbers)" in caplog.text
    assert read_features(tmp_path / "b.analysis.h5", SOURCE)["b"].values.shape == (6, 12)


def test_deeplabcuts_hdf5_is_what_its_csv_is(tmp_path):
    values = np.arange(24.0).reshape(4, 6)
    table = np.zeros(4, [("index", "<i8"), ("values_block_0", "<f8", (6,))])
    table["index"], table["values_block_0"] = np.arange(4), values
    with h5py.File(tmp_path / "aDLC_net.h5", "w") as made:
        made["df_with_missing/table"] = table
        made["df_with_missing/_i_table/index/abounds"] = np.zeros(3)
    with h5py.File(tmp_path / "bDLC_net.h5", "w") as made:  # pandas' other way to write it
        made["df_with_missing/axis0_level0"] = np.array([b"x"])
        made["df_with_missing/axis1"] = np.arange(4)
        made["df_with_missing/block0_values"] = values
    features = read_features(tmp_path, SOURCE)
    assert np.array_equal(features["a"].values, values) and np.array_equal(features["b"].values, values)


def test_the_sequences_of_calms21_are_videos(tmp_path):
    sequence = {
        "keypoints": POINTS.transpose(0, 1, 3, 2),
        "scores": np.ones((6, 2, 3)),
        "annotations": np.zeros(6, int),
        "metadata": {"fps": 30, "vocab": {"attack": 0}},
    }
    names = ("task1/train/mouse001_task1_annotator1", "task1/train/mouse002_task1_annotator1")
    content = {"annotator-id_0": dict.fromkeys(names, sequence)}
    np.save(tmp_path / "calms21_task1_train.npy", content)  # pyright: ignore[reportArgumentType]
    listed = {name: {**sequence, "keypoints": POINTS.transpose(0, 1, 3, 2).tolist()} for name in names}
    listed = {name: {**s, "scores": s["scores"].tolist(), "annotations": [0] * 6} for name, s in listed.items()}
    (tmp_path / "calms21.json").write_text(json.dumps({"annotator-id_0": listed}))
    for path in (tmp_path / "calms21_task1_train.npy", tmp_path / "calms21.json", tmp_path):
        features = read_features(path, SOURCE)
        assert list(features) == ["mouse001_task1_annotator1", "mouse002_task1_annotator1"]
        assert names[0] in features
        assert np.array_equal(features[names[1]].values, POINTS.transpose(0, 1, 3, 2).reshape(6, 12))


def test_gaps_are_filled_along_time_at_the_ends_too_and_a_channel_of_gaps_is_zero():
    nan = np.nan
    values = np.array([[nan, 1, nan], [2, nan, nan], [nan, nan, nan], [4, 7, nan]], np.float32)
    reading = fill_gaps(values, "a", {})
    assert reading.values.tolist() == [[2, 1, 0], [2, 3, 0], [3, 5, 0], [4, 7, 0]]
    assert list(reading.notes.values()) == [
        "66.7 % of its numbers, 1 of 3 channels have none at all and became zeros"
    ]
    whole = np.ones((2, 2), np.float32)
    assert fill_gaps(whole, "a", {}).values is whole
    with pytest.raises(BadInput, match="a: holds not one number"):
        fill_gaps(np.full((2, 2), nan), "a", {})
