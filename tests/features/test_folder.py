"""Folders of features: their manifest, the names of videos, and writing them."""

import json
from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers, write_folder
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.streams import read_features
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, stride=5, window=8, streams=("rgb", "flow"), start=0.2)


def test_a_folder_with_a_manifest_knows_its_source_and_durations(tmp_path: Path) -> None:
    written = VideoFeatures(numbers(6, 4), SOURCE.grid, 3.75, SOURCE)
    FeatureWriter(tmp_path / "features", SOURCE).write("clip", written)
    folder = read_features(tmp_path / "features")
    assert list(folder) == ["clip"] and len(folder) == 1 and "clip" in folder
    assert folder["clip"].source == folder.source == SOURCE
    assert (folder["clip"].duration, folder["clip"].grid) == (3.75, SOURCE.grid)
    assert np.array_equal(folder["clip"].values, numbers(6, 4))
    assert read_features(tmp_path / "features", durations={"clip": 9.5})["clip"].duration == 9.5


def test_one_file_of_a_folder_with_a_manifest_keeps_its_duration(tmp_path: Path) -> None:
    writer = FeatureWriter(tmp_path, SOURCE)
    for video in ("one", "two"):
        writer.write(video, VideoFeatures(numbers(6, 4), SOURCE.grid, 3.75, SOURCE))
    only = read_features(tmp_path / "two.npy")
    assert list(only) == ["two"]
    assert only["two"].duration == 3.75


def test_a_bare_folder_is_read_with_a_source_and_ends_with_its_last_snippet(tmp_path: Path) -> None:
    folder = read_features(write_folder(tmp_path / "bare", b=numbers(6, 4), a=numbers(2, 4)), SOURCE)
    assert list(folder) == ["a", "b"]
    # starts at .2 s, a snippet every .5 s of .8 s
    assert folder["b"].duration == pytest.approx(0.2 + 5 * 0.5 + 0.8)


def test_a_bare_folder_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no manifest.json.*give data\.layout or data\.source"):
        read_features(write_folder(tmp_path / "bare", a=numbers(6, 4)))


def test_a_wrong_source_is_refused_and_both_are_named(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("clip", VideoFeatures(numbers(6, 4), SOURCE.grid, 3.75, SOURCE))
    other = FeatureSource(backbone="camera", fps=25.0)
    both = r"sensor \(rgb\+flow, 10 fps, stride 5, window 8\).*camera \(one stream, 25 fps, stride 1, window 1\)"
    with pytest.raises(BadInput, match=both):
        read_features(tmp_path, other)
    assert list(read_features(tmp_path, SOURCE)) == ["clip"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no such file or folder of features"):
        read_features(tmp_path / "nowhere", SOURCE)


def test_a_video_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no features of 'other'"):
        read_features(write_folder(tmp_path / "bare", clip=numbers(6, 4)), SOURCE)["other"]


@pytest.mark.parametrize(
    ("file", "asked"),
    [("v_abc", "abc"), ("abc", "v_abc"), ("v_v_abc", "v_abc"), ("match.mp4", "match"), ("match", "match.MKV")],
)
def test_a_video_is_found_with_and_without_prefix_and_ending(tmp_path: Path, file: str, asked: str) -> None:
    path = write_folder(tmp_path / "bare", **{file: numbers(6, 4), "other": numbers(2, 4)})
    folder = read_features(path, SOURCE, durations={asked: 9.0})
    assert asked in folder and len(folder[asked]) == 6 and folder[asked].duration == 9.0
    assert set(folder) == {file, "other"}


def test_the_exact_name_goes_before_the_alike_and_two_alike_are_no_answer(tmp_path: Path) -> None:
    both = read_features(write_folder(tmp_path / "both", v_abc=numbers(3, 4), abc=numbers(4, 4)), SOURCE)
    assert (len(both["v_abc"]), len(both["abc"])) == (3, 4)
    two = read_features(write_folder(tmp_path / "two", **{"a.mp4": numbers(6, 4), "a.avi": numbers(6, 4)}), SOURCE)
    assert "a" not in two and "a.mp4" in two and "a.mkv" not in two
    # a full stop is not always an ending
    assert "a" not in read_features(write_folder(tmp_path / "stop", **{"a.b": numbers(6, 4)}), SOURCE)


def test_a_writer_continues_a_folder(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(numbers(6, 4), SOURCE.grid, 3.5, SOURCE))
    again = FeatureWriter(tmp_path, SOURCE)
    assert "one" in again and "two" not in again
    again.write("two", VideoFeatures(numbers(2, 4), SOURCE.grid, 1.5, SOURCE))
    folder = read_features(tmp_path)
    assert {video: folder[video].duration for video in folder} == {"one": 3.5, "two": 1.5}


def test_a_video_whose_file_is_gone_is_written_again(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(numbers(6, 4), SOURCE.grid, 3.5, SOURCE))
    (tmp_path / "one.npy").unlink()
    assert "one" not in FeatureWriter(tmp_path, SOURCE)


def test_a_writer_refuses_a_folder_of_another_source(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(numbers(6, 4), SOURCE.grid, 3.5, SOURCE))
    with pytest.raises(BadInput, match=r"holds features from sensor .*, not camera .*choose another folder"):
        FeatureWriter(tmp_path, FeatureSource(backbone="camera", fps=25.0))


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"source": {}, "videos": {}},
        {"source": {"backbone": "b", "fps": 1, "streams": [], "x": 1}, "videos": {}},
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"manifest\.json: is not a manifest of features"):
        read_features(tmp_path)


def test_videos_of_one_name_in_two_folders_have_files_in_two_folders(tmp_path: Path) -> None:
    writer = FeatureWriter(tmp_path, SOURCE)
    for count, video in enumerate(("cam1/a", "cam2/a"), 4):
        writer.write(video, VideoFeatures(numbers(count, 4), SOURCE.grid, 3.5, SOURCE))
    folder = read_features(tmp_path)
    assert (tmp_path / "cam1/a.npy").is_file() and list(folder) == ["cam1/a", "cam2/a"]
    assert [len(folder[video]) for video in ("cam1/a", "/data/cam2/a.mp4")] == [4, 5]
    assert "a" not in folder


def test_no_two_videos_get_one_file_of_features(tmp_path: Path) -> None:
    path = write_folder(tmp_path, v_abc=numbers(6, 4))
    assert "ABC" in read_features(path, SOURCE)
    both = read_features(path, SOURCE, durations={"abc": 6.0, "ABC": 6.0})
    assert "abc" in both and "ABC" not in both


def test_a_video_whose_name_is_no_file_name_is_refused(tmp_path):
    writer = FeatureWriter(tmp_path / "features", SOURCE)
    features = VideoFeatures(np.zeros((3, 2), np.float32), SOURCE.grid, 3.0, SOURCE)
    for name in ("../x", "a/../b", "/b", "a//b", ".."):
        with pytest.raises(BadInput, match="cannot be the name of a file"):
            writer.write(name, features)
    assert not (tmp_path / "x.npy").exists()


def test_values_beyond_half_precision_stay_what_they_are(tmp_path):
    values = np.array([[1e6, -3.0]], np.float32)
    FeatureWriter(tmp_path, SOURCE).write("v", VideoFeatures(values, SOURCE.grid, 1.0, SOURCE))
    assert read_features(tmp_path)["v"].values.tolist() == values.tolist()


def test_a_new_folder_does_not_care_for_the_manifest_of_the_folder_around_it(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(numbers(6, 4), SOURCE.grid, 3.5, SOURCE))
    inner = FeatureWriter(tmp_path / "inner", FeatureSource(backbone="camera", fps=25.0))
    assert "one" not in inner


def test_columns_in_another_order_in_one_file_are_refused(tmp_path: Path) -> None:
    for video, titles in (("s1", "time,a,b,c"), ("s2", "time,a,b,c"), ("s3", "time,a,c,b"), ("s4", "a,b,c,time")):
        (tmp_path / f"{video}.csv").write_text(f"{titles}\n0,1,5,9\n1,4,6,8\n2,3,3,9\n")
    (tmp_path / "s4.csv").write_text("a,b,c,time\n1,5,9,0\n4,6,8,1\n")
    folder = read_features(tmp_path, SOURCE)
    assert folder["s1"].channels == folder["s2"].channels == folder["s4"].channels == 3
    with pytest.raises(BadInput, match=r"s3\.csv: .* another order than .* s1\.csv: channel 1 is 'c', and 'b' there"):
        folder["s3"]


def test_axes_are_doubted_where_videos_differ_in_channels_and_not_in_length(tmp_path: Path) -> None:
    write_folder(tmp_path, a=numbers(6, 40), b=numbers(6, 38))
    folder = read_features(tmp_path, SOURCE)
    assert folder["a"].channels == 40
    with pytest.raises(
        BadInput, match=r'b has 6 .* of 38 channels, a as many of 40: are the axes .* data\.axes = "ct"'
    ):
        folder["b"]
    turned = read_features(tmp_path, SOURCE, axes="ct")
    assert len(turned["a"]) == 40 and len(turned["b"]) == 38


def test_a_name_that_is_only_similar_is_noted_once(tmp_path: Path) -> None:
    write_folder(tmp_path, S01=numbers(6, 4), S02=numbers(6, 4))
    folder = read_features(tmp_path, SOURCE, durations={"s01": 1.0, "s02": 1.0})
    with folder.hold_notes() as notes:
        assert folder["s01"].channels == folder["s02"].channels == 4
    assert len(notes) == 1 and "S01 was taken for the features of s01, as were those alike" in notes[0]
