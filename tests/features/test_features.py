"""Features keep their time: grids, slices, resizing, averaging, and folders of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.features.files import read_array
from untrimmed.features.folder import FeatureFolder, FeatureWriter
from untrimmed.features.grid import Grid
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import FeatureSource, VideoFeatures, check_finite
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, stride=5, window=8, streams=("rgb", "flow"), start=0.2)

grids = st.builds(Grid, st.floats(0.01, 10), st.floats(0.01, 10), st.floats(-5, 5))


def ramp(grid: Grid, count: int) -> VideoFeatures:
    """Features whose one channel is the time in the middle of each snippet."""
    middles = grid.seconds(np.arange(count) + 0.5)
    return VideoFeatures(middles[:, None].astype(np.float32), grid, 1000.0, SOURCE)


def reads_its_own_time(features: VideoFeatures) -> np.ndarray:
    """How far each value is from the time in the middle of its snippet, in seconds."""
    return np.abs(features.values[:, 0] - features.grid.seconds(np.arange(len(features)) + 0.5))


def some(count: int = 6, channels: int = 4) -> np.ndarray:
    return np.arange(count * channels, dtype=np.float32).reshape(count, channels)


def folder_of(path: Path, **arrays: np.ndarray) -> Path:
    path.mkdir()
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


# Grid


@given(grids, st.floats(-1e4, 1e4))
def test_seconds_and_positions_are_inverse(grid: Grid, time: float) -> None:
    assert grid.seconds(grid.position(time)) == pytest.approx(time, abs=1e-6)
    assert grid.position(grid.seconds(time)) == pytest.approx(time, abs=1e-6)


@given(grids, st.integers(0, 1000))
def test_the_middle_of_a_snippet_is_half_a_position_on(grid: Grid, snippet: int) -> None:
    covered = grid.start + snippet * grid.step
    assert grid.seconds(snippet + 0.5) == pytest.approx(covered + grid.span / 2, abs=1e-6)


def test_frames_become_seconds() -> None:
    assert Grid.from_frames(stride=8, window=16, fps=25.0) == Grid(0.32, 0.64, 0.0)
    assert Grid.from_frames(8, 16, 25.0, start=1.5).start == 1.5


def test_a_spread_video_reaches_from_its_start_to_its_end() -> None:
    grid = Grid.spread(duration=90.0, count=256)
    assert grid.seconds(0) == 0.0
    assert grid.seconds(256) == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("step", "span", "start"), [(0, 1, 0), (1, 0, 0), (-1, 1, 0), (1, np.inf, 0), (1, 1, np.nan)]
)
def test_what_is_no_grid_is_refused(step: float, span: float, start: float) -> None:
    with pytest.raises(ValueError, match="not a grid"):
        Grid(step, span, start)


# VideoFeatures


@given(grids, st.integers(2, 40), st.data())
def test_a_slice_keeps_its_time(grid: Grid, count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    part = ramp(grid, count)[first:last]
    assert len(part) == last - first
    assert part.duration == 1000.0
    assert reads_its_own_time(part).max() < 1e-4


@given(grids, st.integers(2, 40), st.integers(1, 90))
def test_a_resized_ramp_still_reads_its_own_time_inside_the_ends(grid: Grid, before: int, after: int) -> None:
    resized = ramp(grid, before).resized(after)
    assert len(resized) == after
    at = grid.position(resized.grid.seconds(np.arange(after) + 0.5))
    inside = (at >= 0.5) & (at <= before - 0.5)
    assert (reads_its_own_time(resized)[inside] < 2e-3 * grid.step + 1e-4).all()


@given(grids, st.integers(1, 40), st.integers(1, 90))
def test_resizing_covers_the_same_stretch(grid: Grid, before: int, after: int) -> None:
    resized = ramp(grid, before).resized(after).grid
    assert resized.seconds(0) == pytest.approx(grid.seconds(0), abs=1e-9)
    assert resized.seconds(after) == pytest.approx(grid.seconds(before), abs=1e-6)


@given(grids, st.integers(1, 40), st.integers(1, 8))
def test_an_averaged_ramp_reads_its_own_time(grid: Grid, count: int, together: int) -> None:
    if together > count:
        with pytest.raises(ValueError, match="are fewer than"):
            ramp(grid, count).averaged(together)
        return
    averaged = ramp(grid, count).averaged(together)
    assert len(averaged) == count // together
    assert reads_its_own_time(averaged).max() < 1e-4


def test_averaged_features_and_their_source_agree_on_the_grid() -> None:
    averaged = VideoFeatures(some(), SOURCE.grid, 9.0, SOURCE).averaged(3)
    assert averaged.grid == averaged.source.grid
    assert averaged.source == SOURCE.averaged(3) != SOURCE
    assert averaged.values == pytest.approx(np.stack([some()[:3].mean(0), some()[3:].mean(0)]))


def test_area_resizing_is_the_mean_of_what_a_snippet_covers() -> None:
    resized = VideoFeatures(some(), SOURCE.grid, 9.0, SOURCE).resized(2, "area")
    assert resized.values == pytest.approx(np.stack([some()[:3].mean(0), some()[3:].mean(0)]))


@pytest.mark.parametrize("snippets", [slice(None, None, 2), slice(None, None, -1)])
def test_a_slice_with_gaps_is_refused(snippets: slice) -> None:
    with pytest.raises(ValueError, match="not consecutive"):
        VideoFeatures(some(), SOURCE.grid, 9.0, SOURCE)[snippets]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    values = some()
    features = VideoFeatures(values, SOURCE.grid, 9.0, SOURCE)
    check_finite("clip", features)
    values[3, 2] = values[4, 0] = value
    with pytest.raises(BadInput, match=f"features of clip: 2 values .* is {value} at snippet 3, channel 2"):
        check_finite("clip", features)


# FeatureFolder


def test_a_folder_with_a_manifest_knows_its_source_and_durations(tmp_path: Path) -> None:
    written = VideoFeatures(some(), SOURCE.grid, 3.75, SOURCE)
    FeatureWriter(tmp_path / "features", SOURCE).write("clip", written)
    folder = FeatureFolder(tmp_path / "features")
    assert list(folder) == ["clip"] and len(folder) == 1 and "clip" in folder
    assert folder["clip"].source == folder.source == SOURCE
    assert (folder["clip"].duration, folder["clip"].grid) == (3.75, SOURCE.grid)
    assert np.array_equal(folder["clip"].values, some())
    assert FeatureFolder(tmp_path / "features", durations={"clip": 9.5})["clip"].duration == 9.5


def test_one_file_of_a_folder_with_a_manifest_keeps_its_duration(tmp_path: Path) -> None:
    writer = FeatureWriter(tmp_path, SOURCE)
    for video in ("one", "two"):
        writer.write(video, VideoFeatures(some(), SOURCE.grid, 3.75, SOURCE))
    only = FeatureFolder(tmp_path / "two.npy")
    assert list(only) == ["two"]
    assert only["two"].duration == 3.75


def test_a_bare_folder_is_read_with_a_source_and_ends_with_its_last_snippet(tmp_path: Path) -> None:
    folder = FeatureFolder(folder_of(tmp_path / "bare", b=some(), a=some(2)), SOURCE)
    assert list(folder) == ["a", "b"]
    # starts at .2 s, a snippet every .5 s of .8 s
    assert folder["b"].duration == pytest.approx(0.2 + 5 * 0.5 + 0.8)


def test_a_bare_folder_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no manifest.json.*give data\.layout or data\.source"):
        FeatureFolder(folder_of(tmp_path / "bare", a=some()))


def test_an_npz_and_tables_and_one_file_give_what_a_folder_gives(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", clip=some())
    (tmp_path / "tables").mkdir()
    np.savetxt(tmp_path / "tables" / "clip.csv", some(), delimiter=",")
    np.savetxt(tmp_path / "tables" / "headed.csv.gz", some(), delimiter=",", header="f0,f1,f2,f3", comments="")
    np.save(tmp_path / "clip.npy", some())
    for path in (tmp_path / "all.npz", tmp_path / "tables", tmp_path / "clip.npy"):
        assert np.array_equal(FeatureFolder(path, SOURCE)["clip"].values, some())
    assert list(FeatureFolder(tmp_path / "tables", SOURCE)) == ["clip", "headed"]
    assert np.array_equal(FeatureFolder(tmp_path / "tables", SOURCE)["headed"].values, some())


def test_columns_are_kept_in_the_order_asked_for(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "bare", clip=some())
    assert np.array_equal(
        FeatureStreams([path], SOURCE, columns=((2, 4), (0, 1)))["clip"].values, some()[:, [2, 3, 0]]
    )
    with pytest.raises(BadInput, match="clip has 4 channels, but columns reach to 5"):
        FeatureStreams([path], SOURCE, columns=((3, 5),))["clip"]


def test_a_folder_averages_and_its_source_says_so(tmp_path: Path) -> None:
    folder = FeatureStreams([folder_of(tmp_path / "bare", clip=some(7))], SOURCE, average=3)
    assert folder["clip"].source == folder.source == SOURCE.averaged(3)
    assert folder["clip"].grid == folder.source.grid
    # the seventh snippet is left out of the mean, yet it is part of the video
    assert len(folder["clip"]) == 2
    assert folder["clip"].duration == pytest.approx(0.2 + 6 * 0.5 + 0.8)


def test_a_wrong_source_is_refused_and_both_are_named(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("clip", VideoFeatures(some(), SOURCE.grid, 3.75, SOURCE))
    other = FeatureSource(backbone="camera", fps=25.0)
    both = r"sensor \(rgb\+flow, 10 fps, stride 5, window 8\).*camera \(one stream, 25 fps, stride 1, window 1\)"
    with pytest.raises(BadInput, match=both):
        FeatureFolder(tmp_path, other)
    assert list(FeatureFolder(tmp_path, SOURCE)) == ["clip"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no such file or folder of features"):
        FeatureFolder(tmp_path / "nowhere", SOURCE)


def test_a_video_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no features of 'other'"):
        FeatureFolder(folder_of(tmp_path / "bare", clip=some()), SOURCE)["other"]


@pytest.mark.parametrize(
    "array",
    [np.ones(5, np.float32), np.ones((2, 3, 4), np.float32), np.ones((5, 2), int)],
    ids=["one axis", "three axes", "integers"],
)
def test_an_array_that_is_not_time_by_channels_of_floats_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    folder = FeatureFolder(folder_of(tmp_path / "bare", clip=array), SOURCE)
    with pytest.raises(BadInput, match=r"clip\.npy: has shape .*time x channels of floats was expected"):
        folder["clip"]
    np.savez(tmp_path / "all.npz", clip=array)
    with pytest.raises(BadInput, match=r"all\.npz: clip: has shape .*time x channels of floats was expected"):
        FeatureFolder(tmp_path / "all.npz", SOURCE)["clip"]


def test_a_video_without_snippets_is_refused(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "bare", clip=np.ones((0, 4), np.float32))
    for opened in (FeatureFolder(path, SOURCE), FeatureStreams([path], SOURCE)):
        with pytest.raises(BadInput, match="bare: clip has no snippets"):
            opened["clip"]


@pytest.mark.parametrize(
    ("file", "asked"),
    [("v_abc", "abc"), ("abc", "v_abc"), ("v_v_abc", "v_abc"), ("match.mp4", "match"), ("match", "match.MKV")],
)
def test_a_video_is_found_with_and_without_prefix_and_ending(tmp_path: Path, file: str, asked: str) -> None:
    path = folder_of(tmp_path / "bare", **{file: some(), "other": some(2)})
    folder = FeatureFolder(path, SOURCE, durations={asked: 9.0})
    assert asked in folder and len(folder[asked]) == 6 and folder[asked].duration == 9.0
    assert set(folder) == {file, "other"}


def test_the_exact_name_goes_before_the_alike_and_two_alike_are_no_answer(tmp_path: Path) -> None:
    both = FeatureFolder(folder_of(tmp_path / "both", v_abc=some(3), abc=some(4)), SOURCE)
    assert (len(both["v_abc"]), len(both["abc"])) == (3, 4)
    two = FeatureFolder(folder_of(tmp_path / "two", **{"a.mp4": some(), "a.avi": some()}), SOURCE)
    assert "a" not in two and "a.mp4" in two and "a.mkv" not in two
    # a full stop is not always an ending
    assert "a" not in FeatureFolder(folder_of(tmp_path / "stop", **{"a.b": some()}), SOURCE)


@pytest.mark.parametrize("keep", [0, 5, 100, 150])
def test_a_truncated_array_is_refused(tmp_path: Path, keep: int) -> None:
    path = folder_of(tmp_path / "bare", clip=some())
    (path / "clip.npy").write_bytes((path / "clip.npy").read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"clip\.npy: is not a readable \.npy file"):
        FeatureFolder(path, SOURCE)["clip"]


def test_a_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(BadInput, match="is not a readable"):
        read_array(tmp_path / "clip.npy")


@pytest.mark.parametrize("text", ["x,y\n1,two\n", "1,2\n3\n"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "clip.csv").write_text(text)
    with pytest.raises(BadInput, match=r"clip\.csv: is not a table of numbers"):
        FeatureFolder(tmp_path / "clip.csv", SOURCE)["clip"]


# FeatureWriter


def test_a_writer_goes_on_with_what_is_there(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(some(), SOURCE.grid, 3.5, SOURCE))
    again = FeatureWriter(tmp_path, SOURCE)
    assert "one" in again and "two" not in again
    again.write("two", VideoFeatures(some(2), SOURCE.grid, 1.5, SOURCE))
    folder = FeatureFolder(tmp_path)
    assert {video: folder[video].duration for video in folder} == {"one": 3.5, "two": 1.5}


def test_a_video_whose_file_is_gone_is_written_again(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(some(), SOURCE.grid, 3.5, SOURCE))
    (tmp_path / "one.npy").unlink()
    assert "one" not in FeatureWriter(tmp_path, SOURCE)


def test_a_writer_refuses_a_folder_of_another_source(tmp_path: Path) -> None:
    FeatureWriter(tmp_path, SOURCE).write("one", VideoFeatures(some(), SOURCE.grid, 3.5, SOURCE))
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
        FeatureFolder(tmp_path)


@pytest.mark.data
def test_every_real_feature_file_is_read_and_finite(data: Path) -> None:
    counts = {
        "salads50_scores": (50, 112),
        "vts_kinematics": (99, 36),
        "gtea_scores": (21, 33),
        "precog2016": (72, 60),
    }
    for name, (videos, channels) in counts.items():
        folder = FeatureFolder(data / "datasets" / name / "features.npz", SOURCE)
        assert len(folder) == videos
        for video in folder:
            assert folder[video].channels == channels
            check_finite(video, folder[video])


def test_a_video_whose_name_is_no_file_name_is_refused(tmp_path):
    writer = FeatureWriter(tmp_path / "features", SOURCE)
    features = VideoFeatures(np.zeros((3, 2), np.float32), SOURCE.grid, 3.0, SOURCE)
    for name in ("../x", "a/b", ".."):
        with pytest.raises(BadInput, match="cannot be the name of a file"):
            writer.write(name, features)
    assert not (tmp_path / "x.npy").exists()


def test_values_beyond_half_precision_stay_what_they_are(tmp_path):
    values = np.array([[1e6, -3.0]], np.float32)
    FeatureWriter(tmp_path, SOURCE).write("v", VideoFeatures(values, SOURCE.grid, 1.0, SOURCE))
    assert FeatureFolder(tmp_path)["v"].values.tolist() == values.tolist()


def test_files_that_are_not_what_they_seem_are_one_sentence(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2), np.float32))
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(BadInput, match="both of a"):
        list(FeatureFolder(tmp_path, SOURCE))
    (tmp_path / "renamed.npz").write_bytes((tmp_path / "a.npy").read_bytes())
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    for name in ("renamed.npz", "cut.npz"):
        with pytest.raises(BadInput, match=r"is not a readable \.npz file"):
            list(FeatureFolder(tmp_path / name, SOURCE))
    (tmp_path / "header.csv").write_text("mean,deviation\n")
    with pytest.raises(BadInput, match="no row of numbers"):
        FeatureFolder(tmp_path / "header.csv", SOURCE)["header"]
    with pytest.raises(BadInput, match="fewer than 9 to average"):
        FeatureStreams([tmp_path / "a.npy"], SOURCE, average=9)["a"]


def test_a_source_without_a_rate_is_refused():
    with pytest.raises(ValueError, match=r"source\.fps = 0"):
        FeatureSource(backbone="x", fps=0)


def test_the_first_value_that_is_not_finite_is_named_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("untrimmed.features._PIECE", 4)
    values = np.zeros((11, 3), np.float32)
    values[9, 1] = values[10, 2] = np.nan
    with pytest.raises(BadInput, match="2 values are not finite, the first is nan at snippet 9, channel 1"):
        check_finite("v", VideoFeatures(values, Grid(1.0, 1.0), 11.0, FeatureSource(backbone="x", fps=1)))
