"""The public layouts, in small: the right time, channels and names."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers, write
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.layouts import LAYOUTS, find_layout
from untrimmed.features.streams import LEEWAY, FeatureStreams
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, streams=("rgb", "flow"))


def open_layout(name: str, *paths: Path, durations: dict[str, float] | None = None, **settings) -> FeatureStreams:
    return FeatureStreams(list(paths), layout=LAYOUTS[name], durations=durations, **settings)


def write_scores(folder: Path, video: str, rgb: int, flow: int) -> None:
    """A video as released: a dict in each stream's folder, whose texts Python 2 wrote as bytes."""
    for stream, count, value in (("rgb", rgb, 1), ("flow", flow, 2)):
        (folder / stream).mkdir(parents=True, exist_ok=True)
        scores = np.full((count, 201), value, np.float32)
        content = pickle.dumps({"scores": scores, "name": video, "labels": [1, 2]}, protocol=2)
        (folder / stream / f"{video}.pkl").write_bytes(content)


@pytest.mark.parametrize(
    ("layout", "file", "channels", "middle", "step"),
    [
        ("actionformer-i3d", "video_test_0000004.npy", 2048, 8 / 30, 4 / 30),
        ("actionformer-i3d", "video_test_0000950.npy", 2048, 8 / 25, 4 / 25),
        ("actionformer-i3d", "video_test_0001207.npy", 2048, 8 / 24, 4 / 24),
        ("actionformer-i3d-activitynet", "v_abc.npy", 2048, 8 / 25, 16 / 25),
        ("tsp", "v_abc.npy", 512, 8 / 15, 16 / 15),
        ("tsp", "v_abc.pkl", 512, 8 / 15, 16 / 15),
        ("bsn-tsn", "v_abc.csv", 400, 2.5, 5.0),
    ],
)
def test_the_middle_of_a_snippet_is_where_its_frames_are(tmp_path, layout, file, channels, middle, step):
    """Of snippet i: half a window after frame i * stride, so (i * stride + window / 2) / fps."""
    write(tmp_path / file, numbers(6, channels))
    features = open_layout(layout, tmp_path, durations={"abc": 30.0})
    (video,) = features
    assert video == file.removeprefix("v_").rpartition(".")[0]
    seen = features[video]
    assert np.array_equal(seen.values, numbers(6, channels))
    assert seen.source == LAYOUTS[layout].source
    assert seen.grid.seconds(np.array([0.5, 3.5])) == pytest.approx([middle, middle + 3 * step])


def test_rescaled_and_raw_rows_of_bsn_cover_the_whole_video(tmp_path):
    write(tmp_path / "v_scaled.csv", numbers(100, 400))
    write(tmp_path / "v_raw.csv", numbers(37, 400))
    features = open_layout("bsn-tsn", tmp_path, durations={"scaled": 211.0, "v_raw": 20.0})
    for video, duration in (("scaled", 211.0), ("raw", 20.0)):
        seen = features[video]
        assert seen.grid.seconds(0.0) == 0 and seen.grid.seconds(float(len(seen))) == pytest.approx(duration)
    with pytest.raises(BadInput, match="its length is unknown"):
        open_layout("bsn-tsn", tmp_path)["raw"]


def test_released_scores_of_ctcn_are_a_fifth_of_a_second_apart(tmp_path):
    write_scores(tmp_path, "abc", 10, 10 + 3 * LEEWAY)
    features = open_layout("ctcn", tmp_path / "rgb", tmp_path / "flow")
    seen = features["v_abc"]
    assert seen.values.shape == (10, 402)  # cut to the shorter, however much longer the other is
    assert seen.grid.seconds(np.array([0.5, 9.5])) == pytest.approx([0.1, 1.9])
    assert (seen.values[:, :201] == 1).all() and (seen.values[:, 201:] == 2).all()


@pytest.mark.parametrize("empty", [np.zeros((0, 201), np.float32), np.array([], np.float32), []])
def test_an_empty_stream_of_ctcn_becomes_zeros(tmp_path, empty):
    write_scores(tmp_path, "abc", 10, 10)
    (tmp_path / "flow" / "abc.pkl").write_bytes(pickle.dumps({"scores": empty}))
    for durations, count in (({}, 10), ({"abc": 7.0}, 35)):
        seen = open_layout("ctcn", tmp_path / "rgb", tmp_path / "flow", durations=durations)["abc"]
        assert seen.values.shape == (count, 402) and not seen.values.any()


@pytest.mark.parametrize(
    ("paths", "settings", "sentence"),
    [
        (["one"], {}, r"one: clip has 1024 channels, but i3d-kinetics \(rgb\+flow.* has 2048; set data\.layout"),
        (["one", "half"], {}, "half: clip has 512 channels, but i3d-kinetics .* has 1024"),
        (["one", "one", "one"], {}, "names 3 paths for 2 streams"),
        (["one"], {"streams": ("sound",)}, r"data\.streams: there is no 'sound', only rgb, flow"),
        (["one"], {"source": SOURCE}, r"data\.layout and data\.source both say"),
    ],
)
def test_what_does_not_fit_the_layout_is_refused_with_both_values(tmp_path, paths, settings, sentence):
    write(tmp_path / "one" / "clip.npy", numbers(4, 1024))
    write(tmp_path / "half" / "clip.npy", numbers(4, 512))
    with pytest.raises(BadInput, match=sentence):
        open_layout("actionformer-i3d", *(tmp_path / path for path in paths), **settings)["clip"]


def test_streams_without_a_layout_and_unknown_layouts_are_refused(tmp_path):
    write(tmp_path / "clip.npy", numbers(4, 4))
    with pytest.raises(BadInput, match=r"none is given; use data\.columns"):
        FeatureStreams([tmp_path], SOURCE, streams=("rgb",))
    with pytest.raises(BadInput, match=r"data\.layout = 'i3d': there are actionformer-i3d, .*tsp"):
        find_layout("i3d")


def test_features_of_a_folder_with_a_manifest_are_not_taken_for_a_layout(tmp_path):
    FeatureWriter(tmp_path, SOURCE).write("clip", VideoFeatures(numbers(9, 2048), SOURCE.grid, 0.9, SOURCE))
    with pytest.raises(BadInput, match=r"come from sensor .*, but i3d-kinetics"):
        open_layout("actionformer-i3d", tmp_path)
