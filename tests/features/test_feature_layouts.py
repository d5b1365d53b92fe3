"""The layouts that people have, made small: the right time, channels and names, streams joined, and no pickle run."""

import builtins
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers, write
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.layouts import LAYOUTS, find_layout
from untrimmed.features.pickles import read_pickle
from untrimmed.features.streams import LEEWAY, FeatureStreams
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, streams=("rgb", "flow"))


def opened(name: str, *paths: Path, durations: dict[str, float] | None = None, **settings) -> FeatureStreams:
    return FeatureStreams(list(paths), layout=LAYOUTS[name], durations=durations, **settings)


# The time of a snippet


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
    features = opened(layout, tmp_path, durations={"abc": 30.0})
    (video,) = features
    assert video == file.removeprefix("v_").rpartition(".")[0]
    seen = features[video]
    assert np.array_equal(seen.values, numbers(6, channels))
    assert seen.source == LAYOUTS[layout].source
    assert seen.grid.seconds(np.array([0.5, 3.5])) == pytest.approx([middle, middle + 3 * step])


def test_rescaled_and_raw_rows_of_bsn_cover_the_whole_video(tmp_path):
    write(tmp_path / "v_scaled.csv", numbers(100, 400))
    write(tmp_path / "v_raw.csv", numbers(37, 400))
    features = opened("bsn-tsn", tmp_path, durations={"scaled": 211.0, "v_raw": 20.0})
    for video, duration in (("scaled", 211.0), ("raw", 20.0)):
        seen = features[video]
        assert seen.grid.seconds(0.0) == 0 and seen.grid.seconds(float(len(seen))) == pytest.approx(duration)
    with pytest.raises(BadInput, match="its length is unknown"):
        opened("bsn-tsn", tmp_path)["raw"]


def test_released_scores_of_ctcn_are_a_fifth_of_a_second_apart(tmp_path):
    write_scores(tmp_path, "abc", 10, 10 + 3 * LEEWAY)
    features = opened("ctcn", tmp_path / "rgb", tmp_path / "flow")
    seen = features["v_abc"]
    assert seen.values.shape == (10, 402)  # cut to the shorter, however much longer the other is
    assert seen.grid.seconds(np.array([0.5, 9.5])) == pytest.approx([0.1, 1.9])
    assert (seen.values[:, :201] == 1).all() and (seen.values[:, 201:] == 2).all()


@pytest.mark.parametrize("empty", [np.zeros((0, 201), np.float32), np.array([], np.float32), []])
def test_an_empty_stream_of_ctcn_becomes_zeros(tmp_path, empty):
    write_scores(tmp_path, "abc", 10, 10)
    (tmp_path / "flow" / "abc.pkl").write_bytes(pickle.dumps({"scores": empty}))
    for durations, count in (({}, 10), ({"abc": 7.0}, 35)):
        seen = opened("ctcn", tmp_path / "rgb", tmp_path / "flow", durations=durations)["abc"]
        assert seen.values.shape == (count, 402) and not seen.values.any()


def write_scores(folder: Path, video: str, rgb: int, flow: int) -> None:
    """A video as released: a dict in each stream's folder, whose texts Python 2 wrote as bytes."""
    for stream, count, value in (("rgb", rgb, 1), ("flow", flow, 2)):
        (folder / stream).mkdir(parents=True, exist_ok=True)
        scores = np.full((count, 201), value, np.float32)
        content = pickle.dumps({"scores": scores, "name": video, "labels": [1, 2]}, protocol=2)
        (folder / stream / f"{video}.pkl").write_bytes(content)


# Streams


def test_streams_are_chosen_by_name_from_one_file_of_both(tmp_path):
    both = numbers(6, 2048)
    write(tmp_path / "clip.npy", both)
    for streams, columns in ((("rgb",), both[:, :1024]), (("flow",), both[:, 1024:]), ((), both)):
        seen = opened("actionformer-i3d", tmp_path, streams=streams)["clip"]
        assert np.array_equal(seen.values, columns)
        assert seen.source.streams == (streams or ("rgb", "flow"))


def test_streams_in_two_folders_in_a_folder_of_both_or_alone_give_the_same(tmp_path):
    rgb, flow = numbers(6, 1024), numbers(6, 1024, 9)
    write(tmp_path / "rgb" / "clip.npy", rgb)
    write(tmp_path / "flow" / "clip.npy", flow)
    paths = tmp_path / "rgb", tmp_path / "flow"
    for places in (paths, (tmp_path,)):
        assert np.array_equal(opened("actionformer-i3d", *places)["clip"].values, np.concatenate([rgb, flow], 1))
    assert np.array_equal(opened("actionformer-i3d", paths[1], streams=("flow",))["clip"].values, flow)
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


# Refusals


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
        opened("actionformer-i3d", *(tmp_path / path for path in paths), **settings)["clip"]


def test_streams_without_a_layout_and_unknown_layouts_are_refused(tmp_path):
    write(tmp_path / "clip.npy", numbers(4, 4))
    with pytest.raises(BadInput, match=r"none is given; use data\.columns"):
        FeatureStreams([tmp_path], SOURCE, streams=("rgb",))
    with pytest.raises(BadInput, match=r"data\.layout = 'i3d': there are actionformer-i3d, .*tsp"):
        find_layout("i3d")


def test_features_of_a_folder_with_a_manifest_are_not_taken_for_a_layout(tmp_path):
    FeatureWriter(tmp_path, SOURCE).write("clip", VideoFeatures(numbers(9, 2048), SOURCE.grid, 0.9, SOURCE))
    with pytest.raises(BadInput, match=r"come from sensor .*, but i3d-kinetics"):
        opened("actionformer-i3d", tmp_path)


# Pickles


class Malicious:
    """Unpickled by the usual loader, it calls what it is told to."""

    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


def load(tmp_path: Path, content: bytes) -> np.ndarray:
    (tmp_path / "clip.pkl").write_bytes(content)
    return FeatureStreams([tmp_path / "clip.pkl"], SOURCE)["clip"].values


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (numbers(3, 2), numbers(3, 2)),
        (np.asfortranarray(numbers(3, 2)), numbers(3, 2)),
        (numbers(3, 2).astype(">f8"), numbers(3, 2)),
        (numbers(3, 2).astype(np.float16), numbers(3, 2)),
        ({"scores": numbers(3, 2)}, numbers(3, 2)),
        ({b"scores": numbers(3, 2), b"more": (None, True, 2.5, "x")}, numbers(3, 2)),
        ({"scores": [[0.5, 1], [2, 3]]}, np.array([[0.5, 1], [2, 3]])),
        ([np.float32([1, 2]), np.float64([3, 4])], np.array([[1, 2], [3, 4]])),
        ([[np.float32(1), np.float64(2)]], np.array([[1, 2]])),
    ],
    ids=["array", "columns first", "big endian", "half", "dict", "bytes", "lists", "list of arrays", "scalars"],
)
def test_arrays_in_pickles_of_every_protocol_are_read(tmp_path, protocol, stored, expected):
    assert np.array_equal(load(tmp_path, pickle.dumps(stored, protocol)), expected)


def test_what_python_2_pickled_is_read(tmp_path):
    """Texts and the bytes of an array were one type then; written here opcode by opcode."""
    values = np.array([[1.5, -2.0]], "<f4")
    raw = values.tobytes()
    content = (
        b"\x80\x02}U\x06scores"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(raw)]) + raw + b"tbs."
    )
    assert np.array_equal(load(tmp_path, content), values)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [os.system, builtins.eval, builtins.getattr, np.load, np.fromfile, np.save])
def test_a_pickle_that_calls_something_is_refused_and_nothing_is_run(tmp_path, monkeypatch, protocol, call):
    monkeypatch.chdir(tmp_path)
    command = "touch ran" if call is os.system else "open('ran', 'w')"
    content = pickle.dumps({"scores": Malicious(call, command, command)}, protocol)
    with pytest.raises(
        BadInput, match=r"clip\.pkl: wants .*, more than arrays and plain containers; nothing was run"
    ):
        load(tmp_path, content)
    assert not Path("ran").exists()


def test_the_malicious_pickle_would_have_run(tmp_path, monkeypatch):
    """So that the test above is about something."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Malicious(os.system, "touch ran")))
    assert Path("ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps(numbers(3, 2))[:-9],
        pickle.dumps(np.array([{}, 1], object)),
        pickle.dumps(np.array(["a"])),
        pickle.dumps({"flow": numbers(3, 2)}),
        pickle.dumps({"scores": "none"}),
        pickle.dumps([[1, 2], [3]]),
        pickle.dumps({"scores": {1, 2}}),
        pickle.dumps([[[[1.0]]]]),
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo slot two thousand million on
        b"cnumpy\nndarray\n(I100000000000\ntR.",  # an array of a hundred thousand million
        b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I100000000000\ntS'b'\ntR}S'values'\nI1\nsb.",
        # the same list of a thousand numbers a thousand times
        pickle.dumps([[1.5] * 1000] * 1000),
        pickle.dumps([numbers(1, 1000)[0]] * 1000),
    ],
)
def test_a_pickle_that_is_none_or_goes_too_far_is_one_sentence(tmp_path, content):
    with pytest.raises(BadInput, match=r"clip\.pkl: [^\n]+$"):
        load(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x80\x02]r\xff\xff\xff\x7f.", "slot 2147483647 in 9 bytes"),
        (pickle.dumps([[1.5] * 1000] * 1000), "unfolds to more values than it has bytes"),
        (pickle.dumps(np.array([{}, 1], object)), "wants values of type 'O8'"),
        (pickle.dumps([[[[1.0]]]]), "wants a list within 3 others"),
    ],
)
def test_a_pickle_that_would_take_memory_is_refused_before_it_does(tmp_path, content, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_pickle(tmp_path / "clip.pkl", content)


def test_a_pickle_cannot_change_what_reads_the_next(tmp_path):
    """It may set the state of whatever it is handed; so it is handed something new each time."""
    with pytest.raises(BadInput, match="has no snippets"):
        load(tmp_path, b"\x80\x02c_codecs\nencode\nN}X\x05\x00\x00\x00_makeNs\x86b0].")
    with pytest.raises(BadInput, match="no attribute"):
        load(tmp_path, b"\x80\x02c_codecs\nencode\n}X\x04\x00\x00\x00moreNsb0].")
    assert np.array_equal(load(tmp_path, pickle.dumps(numbers(3, 2), 2)), numbers(3, 2))
