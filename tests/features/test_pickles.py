"""Pickles of arrays are read, and nothing in them is run."""

import builtins
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from public_sets import numbers
from untrimmed.features.pickles import read_pickle
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0)


class Malicious:
    """Unpickled by the usual loader, it calls what it is told to."""

    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


def read_pickled(tmp_path: Path, content: bytes) -> np.ndarray:
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
    assert np.array_equal(read_pickled(tmp_path, pickle.dumps(stored, protocol)), expected)


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
    assert np.array_equal(read_pickled(tmp_path, content), values)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [os.system, builtins.eval, builtins.getattr, np.load, np.fromfile, np.save])
def test_a_pickle_that_calls_something_is_refused_and_nothing_is_run(tmp_path, monkeypatch, protocol, call):
    monkeypatch.chdir(tmp_path)
    command = "touch ran" if call is os.system else "open('ran', 'w')"
    content = pickle.dumps({"scores": Malicious(call, command, command)}, protocol)
    with pytest.raises(
        BadInput, match=r"clip\.pkl: wants .*, more than arrays and plain containers; nothing was run"
    ):
        read_pickled(tmp_path, content)
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
        pickle.dumps([[[[[[[1.0]]]]]]]),
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
        read_pickled(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x80\x02]r\xff\xff\xff\x7f.", "slot 2147483647 in 9 bytes"),
        (pickle.dumps([[1.5] * 1000] * 1000), "unfolds to more values than it has bytes"),
        (pickle.dumps(np.array([np.datetime64(1, "s")])), "wants values of type 'M8'"),
        (pickle.dumps([[[[[[[1.0]]]]]]]), "wants a list within 6 others"),
    ],
)
def test_a_pickle_that_would_take_memory_is_refused_before_it_does(tmp_path, content, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_pickle(tmp_path / "clip.pkl", content)


def test_a_pickle_cannot_change_what_reads_the_next(tmp_path):
    """It may set the state of whatever it is handed; so it is handed something new each time."""
    with pytest.raises(BadInput, match="has no snippets"):
        read_pickled(tmp_path, b"\x80\x02c_codecs\nencode\nN}X\x05\x00\x00\x00_makeNs\x86b0].")
    with pytest.raises(BadInput, match="no attribute"):
        read_pickled(tmp_path, b"\x80\x02c_codecs\nencode\n}X\x04\x00\x00\x00moreNsb0].")
    assert np.array_equal(read_pickled(tmp_path, pickle.dumps(numbers(3, 2), 2)), numbers(3, 2))
