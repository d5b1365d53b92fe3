"""Streams from one place or several: joined, selected, averaged and cached."""

from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers, write, write_folder
from untrimmed.features import streams as feature_streams
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.layouts import LAYOUTS
from untrimmed.features.streams import LEEWAY, FeatureStreams, read_features
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, streams=("rgb", "flow"))
STRIDED = FeatureSource(backbone="sensor", fps=10.0, stride=5, window=8, streams=("rgb", "flow"), start=0.2)


VIDEOS = {name: np.full((8, 4), place, np.float32) for place, name in enumerate("abc")}


def open_layout(name: str, *paths: Path, durations: dict[str, float] | None = None, **settings) -> FeatureStreams:
    return FeatureStreams(list(paths), layout=LAYOUTS[name], durations=durations, **settings)


@pytest.fixture
def packed(tmp_path) -> FeatureStreams:
    np.savez(tmp_path / "features.npz", **VIDEOS)
    return FeatureStreams([tmp_path / "features.npz"], SOURCE)


def test_streams_are_selected_by_name_from_one_file_of_both(tmp_path):
    both = numbers(6, 2048)
    write(tmp_path / "clip.npy", both)
    for streams, columns in ((("rgb",), both[:, :1024]), (("flow",), both[:, 1024:]), ((), both)):
        seen = open_layout("actionformer-i3d", tmp_path, streams=streams)["clip"]
        assert np.array_equal(seen.values, columns)
        assert seen.source.streams == (streams or ("rgb", "flow"))


def test_streams_in_two_folders_in_a_folder_of_both_or_alone_give_the_same(tmp_path):
    rgb, flow = numbers(6, 1024), numbers(6, 1024, 9)
    write(tmp_path / "rgb" / "clip.npy", rgb)
    write(tmp_path / "flow" / "clip.npy", flow)
    paths = tmp_path / "rgb", tmp_path / "flow"
    for places in (paths, (tmp_path,)):
        assert np.array_equal(open_layout("actionformer-i3d", *places)["clip"].values, np.concatenate([rgb, flow], 1))
    assert np.array_equal(open_layout("actionformer-i3d", paths[1], streams=("flow",))["clip"].values, flow)
    joined = FeatureStreams(list(paths), SOURCE, columns=((1020, 1030),))["clip"]
    assert np.array_equal(joined.values, np.concatenate([rgb[:, 1020:], flow[:, :6]], 1))


def test_streams_a_few_snippets_apart_are_cut_to_the_shorter_and_others_refused(tmp_path):
    write(tmp_path / "rgb" / "clip.npy", numbers(40, 3))
    paths = [tmp_path / "rgb", tmp_path / "flow"]
    write(tmp_path / "flow" / "clip.npy", numbers(40 - LEEWAY, 2))
    assert FeatureStreams(paths, SOURCE)["clip"].values.shape == (40 - LEEWAY, 5)
    write(tmp_path / "flow" / "clip.npy", numbers(40 - LEEWAY - 1, 2))
    with pytest.raises(BadInput, match=r"clip: has 40 and 31 snippets in .*rgb and .*flow, more than 8 apart"):
        FeatureStreams(paths, SOURCE)["clip"]


def test_only_videos_with_all_streams_are_there(tmp_path):
    for name in ("rgb/a", "rgb/b", "flow/v_b"):
        write(tmp_path / f"{name}.npy", numbers(4, 2))
    features = FeatureStreams([tmp_path / "rgb", tmp_path / "flow"], SOURCE)
    assert list(features) == ["b"] and len(features) == 1 and "a" not in features and "v_b" in features


def test_an_asterisk_stands_for_several_folders(tmp_path):
    for name in ("rgb_train/a", "rgb_val/b", "flow_train/a", "flow_val/b"):
        write(tmp_path / f"{name}.npy", numbers(4, 2))
    paths = [tmp_path / "rgb_*", tmp_path / "flow_*"]
    assert sorted(FeatureStreams(paths, SOURCE)) == ["a", "b"]
    write(tmp_path / "rgb_val" / "a.npy", numbers(4, 2))
    with pytest.raises(BadInput, match=r"a: is in .*rgb_train and in .*rgb_val; remove one"):
        FeatureStreams(paths, SOURCE)["a"]
    with pytest.raises(BadInput, match=r"nothing_\*: no such file or folder"):
        FeatureStreams([tmp_path / "nothing_*"], SOURCE)


def test_folders_with_manifests_are_joined_where_they_lie_in_time_alike(tmp_path):
    for stream, fps in (("rgb", 10.0), ("flow", 10.0), ("slow", 5.0)):
        source = FeatureSource(backbone=f"net-{stream}", fps=fps, streams=(stream,))
        writer = FeatureWriter(tmp_path / stream, source)
        writer.write("clip", VideoFeatures(numbers(9, 2), source.grid, 9 / fps, source))
    joined = FeatureStreams([tmp_path / "rgb", tmp_path / "flow"])
    assert joined.source == FeatureSource(backbone="net-rgb+net-flow", fps=10.0, streams=("rgb", "flow"))
    assert joined["clip"].values.shape == (9, 4) and joined["clip"].duration == pytest.approx(0.9)
    with pytest.raises(BadInput, match=r"slow: its features come from net-slow .*5 fps.*net-rgb .*10 fps"):
        FeatureStreams([tmp_path / "rgb", tmp_path / "slow"])
    with pytest.raises(BadInput, match=r"slow: its features come from net-slow .*5 fps.*sensor .*10 fps"):
        FeatureStreams([tmp_path / "rgb", tmp_path / "slow"], SOURCE)


def test_columns_are_selected_in_their_order(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "bare", clip=numbers(6, 4))
    assert np.array_equal(
        FeatureStreams([path], STRIDED, columns=((2, 4), (0, 1)))["clip"].values, numbers(6, 4)[:, [2, 3, 0]]
    )
    with pytest.raises(BadInput, match="clip has 4 channels, but columns reach to 5"):
        FeatureStreams([path], STRIDED, columns=((3, 5),))["clip"]


def test_a_folder_averages_and_its_source_says_so(tmp_path: Path) -> None:
    folder = FeatureStreams([write_folder(tmp_path / "bare", clip=numbers(7, 4))], STRIDED, average=3)
    assert folder["clip"].source == folder.source == STRIDED.average(3)
    assert folder["clip"].grid == folder.source.grid
    # the seventh snippet is left out of the mean, yet it is part of the video
    assert len(folder["clip"]) == 2
    assert folder["clip"].duration == pytest.approx(0.2 + 6 * 0.5 + 0.8)


def test_a_video_without_snippets_is_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "bare", clip=np.ones((0, 4), np.float32))
    for opened in (read_features(path, STRIDED), FeatureStreams([path], STRIDED)):
        with pytest.raises(BadInput, match="bare: clip has no snippets"):
            opened["clip"]


def test_what_was_unpacked_is_not_unpacked_again(packed):
    assert packed["a"] is packed["a"]
    assert np.array_equal(packed["a"].values, VIDEOS["a"])


def test_cached_features_cannot_be_written_to(packed):
    with pytest.raises(ValueError, match="read-only"):
        packed["a"].values[0] = 1


def test_the_one_that_was_not_asked_for_longest_goes_first(packed, monkeypatch):
    monkeypatch.setattr(feature_streams, "CACHE_BYTES", 2 * VIDEOS["a"].nbytes)
    a, b = packed["a"], packed["b"]
    assert packed["a"] is a
    packed["c"]
    assert packed["a"] is a and packed["b"] is not b


def test_one_that_is_larger_than_the_bound_is_cached_alone(packed, monkeypatch):
    monkeypatch.setattr(feature_streams, "CACHE_BYTES", 1)
    a = packed["a"]
    assert packed["a"] is a
    packed["b"]
    assert packed["a"] is not a


def test_mapped_files_are_left_to_the_system(tmp_path):
    for name, values in VIDEOS.items():
        np.save(tmp_path / f"{name}.npy", values)
    mapped = FeatureStreams([Path(tmp_path)], SOURCE)
    assert isinstance(mapped["a"].values, np.memmap) and not mapped._cache


def test_averages_of_mapped_files_are_cached(tmp_path):
    np.save(tmp_path / "a.npy", VIDEOS["a"])
    averaged = FeatureStreams([Path(tmp_path)], SOURCE, average=2)
    assert averaged["a"] is averaged["a"] and len(averaged["a"]) == 4


def test_features_are_read_from_a_path_in_text_with_a_layout_by_name(tmp_path):
    both = numbers(6, 2048)
    write(tmp_path / "clip.npy", both)
    features = read_features(str(tmp_path), layout="actionformer-i3d", streams=["flow"], durations={"clip": 2.5})
    assert list(features) == ["clip"] and features["clip"].duration == 2.5
    assert np.array_equal(features["clip"].values, both[:, 1024:])
    with pytest.raises(BadInput, match=r"data\.layout = 'i3d'"):
        read_features(tmp_path, layout="i3d")
    with pytest.raises(BadInput, match=r"has no manifest\.json"):
        read_features(tmp_path)
