"""Text in the encodings that people have: read, and said where it is not UTF-8."""

import logging
from pathlib import Path

import pytest

from untrimmed.annotations.convert import open_durations, read_annotations
from untrimmed.io import BadInput


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.csv", "video,start,end,label\na,1,2,eat\na,2,3,Füttern\n", "line 3: 'a,2,3,Füttern'"),
        ("a.csv", "video;start;end;label\r\na;1;2;Füttern\r\n", "line 2: 'a;1;2;Füttern'"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nFüttern – 5 €\n", "line 3: 'Füttern – 5 €'"),
        ("a.txt", "1.0\t2.0\tFüttern\n", "line 1: '1.0\\t2.0\\tFüttern'"),
    ],
)
def test_text_in_windows_1252_is_read_and_its_first_line_shown(
    tmp_path: Path, name: str, text: str, line: str
) -> None:
    (tmp_path / name).write_bytes(text.encode("cp1252"))
    annotations = read_annotations(tmp_path / name)
    assert any(action.label.startswith("Füttern") for action in annotations.timelines["a"].actions)
    assert any(f"read as Windows-1252, {line};" in note for note in annotations.notes)


def test_text_in_utf_8_has_no_such_note(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,start,end,label\na,1,2,Füttern\n", encoding="utf-8")
    assert not any("Windows" in note for note in read_annotations(tmp_path / "a.csv").notes)


def test_utf_16_without_its_mark_is_told_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("video,start,end,label\na,1,2,Füttern\n".encode("utf-16-le"))
    assert read_annotations(tmp_path / "a.csv").timelines["a"].labels == ("Füttern",)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.json",
            '{"database": {"a": {"annotations": [{"segment": [1, 2], "label": "Füttern"}]}}}',
            "is not UTF-8 but, it seems, Windows-1252 (line 1: ",
        ),
        (
            "a.eaf",
            "<ANNOTATION_DOCUMENT>\n<X>Füttern</X></ANNOTATION_DOCUMENT>",
            "Windows-1252 (line 2: '<X>Füttern</X>",
        ),
    ],
)
def test_json_and_xml_in_windows_1252_are_refused_as_such(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_bytes(content.encode("cp1252"))
    with pytest.raises(BadInput) as refusal:
        read_annotations(tmp_path / name)
    assert words in str(refusal.value) and "Füttern" in str(refusal.value)


def test_xml_that_states_its_encoding_is_read_in_it_without_a_note(tmp_path: Path) -> None:
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><file><ALL_INSTANCES><instance><start>1</start><end>2</end>'
        "<code>Füttern</code></instance></ALL_INSTANCES></file>"
    )
    (tmp_path / "a.xml").write_bytes(text.encode("latin-1"))
    annotations = read_annotations(tmp_path / "a.xml")
    assert annotations.timelines["a"].labels == ("Füttern",)
    assert not any("Windows" in note for note in annotations.notes)


@pytest.mark.parametrize(
    "content", [b"video,start,end,label\na,1,2,\x81\n", b"video,start,end,label\na,1,2,\x01\xff\n"]
)
def test_bytes_that_are_no_text_in_windows_1252_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BadInput, match="is not UTF-8 text"):
        read_annotations(tmp_path / "a.csv")


def test_a_table_of_lengths_in_windows_1252_is_said_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lengths.csv").write_bytes("video,duration\nMäuse,12\n".encode("cp1252"))
    with caplog.at_level(logging.WARNING):
        assert open_durations(tmp_path / "lengths.csv")["Mäuse"] == 12
    assert "line 2: 'Mäuse,12'" in caplog.text
