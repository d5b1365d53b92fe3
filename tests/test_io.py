"""Files are read or refused with one sentence, and written whole or not at all."""

import gzip
import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.io import (
    BadInput,
    check_writable,
    missing,
    parse_json,
    read_json,
    read_text,
    whole,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), whole(file) as temporary:
        temporary.write_text("new, but only ha")
        raise RuntimeError("half way")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["results.json"]


def test_a_new_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.json"
    with whole(file) as temporary:
        temporary.write_text("new")
        assert not file.exists()
        assert temporary.suffix == ".json"
    assert file.read_text() == "new"
    assert names(file.parent) == ["results.json"]


def test_a_written_file_can_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    (tmp_path / "by_hand").write_text("x")
    write_text(tmp_path / "by_us", "x")
    assert (tmp_path / "by_us").stat().st_mode == (tmp_path / "by_hand").stat().st_mode


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("a file where a folder should be")
    with pytest.raises(BadInput, match=r"results\.json: cannot be written .*choose another place"):
        write_text(blocker / "results.json", "x")


def test_a_folder_in_the_place_of_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(BadInput, match="is a folder, not a file"):
        write_text(tmp_path / "results", "x")
    assert names(tmp_path) == ["results"]


@pytest.mark.parametrize("name", ["value.json", "value.json.gz"])
def test_json_comes_back_and_the_same_value_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    value = {"b": [1, 0.1 + 0.2, None, True], "a": {"ü": "é\n"}}
    write_json(tmp_path / name, value)
    first = (tmp_path / name).read_bytes()
    write_json(tmp_path / name, value)
    assert read_json(tmp_path / name) == value
    assert (tmp_path / name).read_bytes() == first
    if name.endswith(".gz"):
        assert first[:2] == b"\x1f\x8b"
        assert first[4:8] == bytes(4)  # the time of writing, which would differ a second later


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b'{"a": "\xff"}', r"is not UTF-8 but, it seems, Windows-1252 \(line 1: .*ÿ"),
    ],
)
def test_unusable_json_is_refused_with_the_place(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "value.json"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=f"value.json.*{words}"):
        read_json(file)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfhello")
    assert read_text(tmp_path / "text") == "hello"


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.json: no such file"):
        read_json(tmp_path / "nowhere.json")


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(b"a" * 1000, mtime=0)[:-9]], ids=["text", "cut"])
def test_a_broken_archive_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "value.json.gz").write_bytes(content)
    with pytest.raises(BadInput, match=r"value\.json\.gz: cannot be read"):
        read_json(tmp_path / "value.json.gz")


def test_json_beyond_all_bounds_and_a_spoiled_gzip_are_one_sentence(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "long.json").write_text("9" * 5_000)
    content = bytearray(gzip.compress(b'{"a": 1}' * 100, mtime=0))
    content[20:40] = bytes(20)
    (tmp_path / "spoiled.json.gz").write_bytes(bytes(content))
    for name in ("deep.json", "long.json", "spoiled.json.gz"):
        with pytest.raises(BadInput, match=re.escape(name)):
            read_json(tmp_path / name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(value=json_values, ascii=st.booleans())
def test_the_fast_way_reads_what_the_json_module_reads(value: object, ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    content = text.encode("utf-8", "surrogatepass")
    try:
        content.decode()
    except UnicodeDecodeError:
        return  # half of a surrogate pair that is not escaped is no UTF-8
    # What has NaN in it is equal to nothing; its text is, and keeps the order of keys and the sign of zeros.
    assert json.dumps(parse_json(Path("value.json"), content)) == json.dumps(json.loads(text))


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[Infinity, -Infinity]", [math.inf, -math.inf]),
        (b"[1e999, 18446744073709551617]", [math.inf, 18446744073709551617]),
        (b'["\\ud800"]', ["\ud800"]),
    ],
)
def test_json_beside_the_standard_is_read(tmp_path: Path, content: bytes, value: object) -> None:
    (tmp_path / "value.json").write_bytes(content)
    assert read_json(tmp_path / "value.json") == value


def test_a_folder_in_place_of_a_file_is_said(tmp_path):
    with pytest.raises(BadInput, match="is a folder, not a file; name the file in it"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        '{"database": {"a": {"annotations": [1]}, "b": {}, "a": {"annotations": [2]}}}',
        '{"a" : 1, "b": 2, "a" : NaN, "c": 0}',
        '{"x": [{"a": [1, 2], "a": [1, 3]}]}',
        '{"x": {"a": "u:v", "a": "u:w"}}',
        '{"\\u0061": 1, "a": 2}',
    ],
)
@pytest.mark.parametrize("name", ["some.json", "some.json.gz"])
def test_two_values_under_one_key_are_refused_and_none_is_lost(tmp_path: Path, content: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())

    with pytest.raises(BadInput, match=r"some\.json.*: the key 'a' stands twice in one object"):
        read_json(path)


def test_a_key_that_stands_twice_with_one_value_counts_once_and_is_said(tmp_path: Path, caplog) -> None:
    path = tmp_path / "some.json"
    path.write_text('[{"a": [1], "a": [1]}, {"b": 1, "c": 2, "b": 1}]')

    assert read_json(path) == [{"a": [1]}, {"b": 1, "c": 2}]
    assert f"{path}: 2 keys stand twice" in caplog.text
    assert "'a'" in caplog.text


@pytest.mark.parametrize(
    "text", ['{"a": {"a": 1}, "b": {"a": 2}}', '{"u:": "\\u003a:", "v": ":\\":"}', '[{"a": 1}, {"a": 2}]']
)
def test_one_key_in_several_objects_and_colons_in_texts_are_no_repetition(tmp_path: Path, text: str, caplog) -> None:
    path = tmp_path / "some.json"
    path.write_text(text)

    assert read_json(path) == json.loads(text)
    assert not caplog.text


def test_a_path_that_is_nearly_one_that_lies_there_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "feature").mkdir()
    (tmp_path / "labels.json").write_text("{}")
    assert str(missing(tmp_path / "features", "folder")).endswith("; check the path (is it 'feature'?)")
    assert str(missing(tmp_path / "videos", "folder")).endswith("; check the path")
    assert str(missing(tmp_path / "nowhere" / "feature", "folder")).endswith("; check the path")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_that_is_written_to_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "all of it")
    assert os.read(reader, 100) == b"all of it"
    os.close(reader)
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_stays_one(tmp_path: Path, there: bool) -> None:
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "results.json", tmp_path / "link.json"
    if there:
        file.write_text("old")
    link.symlink_to(Path("real", "results.json"))
    check_writable(link)
    write_text(link, "new")
    assert link.is_symlink() and file.read_text() == "new"
    assert names(tmp_path) == ["link.json", "real"] and names(tmp_path / "real") == ["results.json"]


def test_links_in_a_circle_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(BadInput, match=r"a: cannot be written"):
        write_text(tmp_path / "a", "x")
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="the system has no devices")
def test_the_folder_of_a_device_needs_no_room(monkeypatch) -> None:
    before = names(Path("/dev"))
    monkeypatch.setattr("untrimmed.io.tempfile.TemporaryFile", lambda **_: pytest.fail("tried to write beside it"))
    check_writable(Path("/dev/null"))
    write_text(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device() and names(Path("/dev")) == before
