"""Files that are broken or mean harm: one sentence with the file's name, nothing half-written or read elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.convert import FORMATS, read_annotations, write_annotations
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

ONE = Annotations({"clip": Timeline(4.0, (Action(1.0, 2.0, "jump"),))}, {})
EACH = ["elan", "cvat", "textgrid", "srt", "vtt", "audacity"]


def refused(path: Path, form: str | None = None) -> str:
    """The sentence, which is one and names the file."""
    with pytest.raises(BadInput) as refusal:
        read_annotations(path, form)
    sentence = str(refusal.value)
    assert path.name in sentence and "\n" not in sentence and len(sentence) < 400
    return sentence


# Harm

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE {root} [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<{root}>&c;</{root}>"""
OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE {root} [<!ENTITY secret SYSTEM "file://{secret}">]>
<{root}>&secret;</{root}>"""
ROOTS = [("notes.eaf", "ANNOTATION_DOCUMENT"), ("annotations.xml", "annotations")]


@pytest.mark.parametrize(("name", "root"), ROOTS)
def test_entities_are_refused_before_they_grow(tmp_path: Path, name: str, root: str) -> None:
    (tmp_path / name).write_text(LAUGHS.format(root=root))
    assert "declares a document type or entities, which are not read" in refused(tmp_path / name)


@pytest.mark.parametrize(("name", "root"), ROOTS)
def test_no_other_file_is_read_through_an_entity(tmp_path: Path, name: str, root: str) -> None:
    (tmp_path / "secret.txt").write_text("hush")
    (tmp_path / name).write_text(OUTSIDE.format(root=root, secret=tmp_path / "secret.txt"))
    sentence = refused(tmp_path / name)
    assert "document type or entities" in sentence and "hush" not in sentence


@pytest.mark.parametrize("form", EACH)
@pytest.mark.parametrize("video", ["../x", "a/../../x", "/etc/x", "..", ".hidden", "a\\b", "a\0b", "", "x" * 300])
def test_a_video_never_leaves_the_folder_by_its_name(form: str, video: str, tmp_path: Path) -> None:
    annotations = Annotations({"clip": Timeline(1.0), video: Timeline(4.0, (Action(1.0, 2.0, "jump"),))}, {})
    (tmp_path / "inner").mkdir()
    with pytest.raises(BadInput, match="cannot be the name of a file"):
        write_annotations(tmp_path / "inner" / "out", annotations, form, 25.0)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner"]


@pytest.mark.parametrize("label", ["../x", "a/b", "..", "x" * 300])
def test_a_label_never_leaves_the_folder_of_thumos(label: str, tmp_path: Path) -> None:
    annotations = Annotations({"clip": Timeline(4.0, (Action(1.0, 2.0, label),))}, {})
    with pytest.raises(BadInput, match=r"label .* cannot be the name of a file"):
        write_annotations(tmp_path / "out", annotations, "thumos")
    assert not list(tmp_path.iterdir())


# Nothing half-written


@pytest.mark.parametrize("form", EACH)
def test_a_folder_that_holds_something_is_left_as_it_is(form: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_annotations(tmp_path / "out", ONE, form, 25.0)  # an empty one is filled
    listing = sorted(path.name for path in (tmp_path / "out").iterdir())
    with pytest.raises(BadInput, match="is there already; give a new folder, or remove it first"):
        write_annotations(tmp_path / "out", ONE, form, 25.0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == listing
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_of_one_video_takes_no_second(tmp_path: Path) -> None:
    two = Annotations({name: ONE.timelines["clip"] for name in "ab"}, {})
    with pytest.raises(BadInput, match=r"out\.srt: holds one video, not 2; give the name of a new folder instead"):
        write_annotations(tmp_path / "out.srt", two)
    assert not list(tmp_path.iterdir())


def test_cvat_is_not_written_without_a_rate(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"CVAT counts in frames; give frames a second, as in --fps 25"):
        write_annotations(tmp_path / "out", ONE, "cvat")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_not_positive_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(BadInput, match="frames a second: a positive number was expected"):
        write_annotations(tmp_path / "out", ONE, "cvat", fps)


def test_two_labels_that_a_format_would_make_one_are_refused(tmp_path: Path) -> None:
    actions = (Action(1.0, 2.0, "a;b"), Action(1.0, 2.0, "a,b"))
    with pytest.raises(
        BadInput, match="labels 'a,b' and 'a;b' would both be 'a,b' in that format; rename one of them"
    ):
        write_annotations(tmp_path / "out.csv", Annotations({"clip": Timeline(4.0, actions)}, {}), "charades")


# Broken

VIA = {"file": {}, "view": {}, "metadata": {}, "attribute": {}}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "is not XML (line 1"),
        (
            "a.eaf",
            "<annotations/>",
            "begins with <annotations>, not <ANNOTATION_DOCUMENT>; a file of ELAN was expected",
        ),
        ("a.eaf", "<ANNOTATION_DOCUMENT/>", "has no action that can be used"),
        ("a.eaf", '<?xml version="1.0" encoding="nonsense"?><a/>', "is in an encoding that is not read (unknown"),
        ("a.xml", "", "is not XML"),
        (
            "a.xml",
            "<annotations><image/></annotations>",
            "is CVAT for images; export the task as 'CVAT for video 1.1'",
        ),
        (
            "a.xml",
            "<annotations><meta><fps>5</fps></meta><track label='x'><box frame='one'/></track></annotations>",
            "track 0 has a shape in frame 'one'; a whole number was expected",
        ),
        (
            "a.xml",
            "<annotations><meta><project><tasks><task/><task/></tasks></project></meta></annotations>",
            "is a project of several tasks; export each task by itself",
        ),
        ("a.TextGrid", "hello", "ends early; save it again as a TextGrid"),
        ("a.TextGrid", '"ooTextFile" "Pitch"', "does not begin as a TextGrid"),
        ("a.TextGrid", '"ooTextFile" "TextGrid" 0 1 <absent>', "has no tiers"),
        ("a.TextGrid", '"ooTextFile" "TextGrid" 0 "x"', "has 'x' where a number was expected"),
        ("a.TextGrid", '"ooTextFile" "TextGrid" 0 1 <exists> 1.5', "has '1.5' where a whole number was expected"),
        ("a.TextGrid", '"ooTextFile" "TextGrid" 0 1s', "has '1s' where a number was expected"),
        ("a.srt", "hello", "has no cue with a text"),
        ("a.srt", "1\nsoon --> later\njump\n", "has 'soon --> later'; two times like 00:01:02.500 were expected"),
        ("a.srt", "1\n00:00:01,000 -->\njump\n", "two times like 00:01:02.500 were expected"),
        ("a.vtt", "00:01.000 --> 00:02.000\njump\n", "does not begin with WEBVTT"),
        ("a.txt", "1.0\t2.0\tjump\nhello\n", "line 2 is 'hello'; a start, an end and a label were expected"),
        ("a.txt", "hello\n", "is neither a table nor labels of Audacity; say which format it is in with --from"),
        ("a.boris", "[]", "the project is []; an object was expected"),
        ("a.boris", "{", "is not JSON"),
        ("a.boris", '{"behaviors_conf": {}}', "'observations' is None; an object was expected"),
        (
            "a.boris",
            {"behaviors_conf": {}, "observations": {"o": {"events": [[1.0, "x"]]}}},
            "observation 'o': event 0 has 2 cells; a time, a subject and a behaviour were expected",
        ),
        (
            "a.boris",
            {"behaviors_conf": {}, "observations": {"o": {"events": [["x", "", "y"]]}}},
            "observation 'o': event 0: its time is 'x'; a number was expected",
        ),
        (
            "a.boris",
            {"behaviors_conf": {}, "observations": {"o": {"events": [], "file": {"1": ["a.mp4", "b.mp4"]}}}},
            "observation 'o' has several files of which one has no length; open it in BORIS, and save it",
        ),
        (
            "a.json",
            {**VIA, "metadata": {"m": {"vid": "7", "z": [1, 2]}}},
            "metadata 'm' is of view '7', which the project",
        ),
        ("a.json", {**VIA, "view": {"1": {"fid_list": ["3"]}}}, "file '3' is None; an object was expected"),
        ("a.json", [3], "task 0 is 3; an object was expected"),
        ("a.json", [{"id": 4, "annotations": []}], "task 4 names no recording; one was expected under 'video'"),
        (
            "a.json",
            [{"data": {"video": "a.mp4"}, "annotations": [{"result": 3}]}],
            "task 0: 'result' is 3; a list was",
        ),
        (
            "a.csv",
            "id,actions,length\nv,c001 1.0,3\n",
            "line 2 has the action 'c001 1.0'; a class, a start and an end",
        ),
        ("a.csv", "id,actions,length\nv,,3\nv,,3\n", "line 3 has the id 'v'; every line needs one of its own"),
        ("a.md", "", "ends in none of .eaf, .boris"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, name: str, content: Any, words: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / name).write_text(text)
    assert words in refused(tmp_path / name)


def test_text_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\n\x81bung\n")
    assert "is not UTF-8 text; save it as UTF-8" in refused(tmp_path / "a.srt")
    (tmp_path / "b.TextGrid").write_bytes(b"\xff\xfea")
    assert "is not UTF-16 text" in refused(tmp_path / "b.TextGrid")


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "thumos"])
def test_a_missing_file_is_refused_as_missing(form: str, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nowhere", form)


def test_a_wrong_name_of_a_format_lists_them_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(BadInput, match=r"no format 'elan5'; there are activitynet, .*audacity"):
        read_annotations(tmp_path / "a.csv", "elan5")
    with pytest.raises(BadInput, match=r"out\.doc: ends in none of \.eaf, .*; say which format to write with --to"):
        write_annotations(tmp_path / "out.doc", ONE)


def test_a_folder_of_two_formats_or_none_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path.name}: holds no file of annotations" in refused(tmp_path)
    write_annotations(tmp_path / "a.srt", ONE)
    write_annotations(tmp_path / "a.vtt", ONE)
    assert "holds files of srt and vtt; name a file, or the format with --from" in refused(tmp_path)
    assert list(read_annotations(tmp_path, "vtt").timelines) == ["a"]
    assert "holds no file that ends in .eaf" in refused(tmp_path, "elan")
