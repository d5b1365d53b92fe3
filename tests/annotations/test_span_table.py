"""A table of what was annotated, beside annotations of any format."""

import json

import pytest

from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.span_table import read_span_table
from untrimmed.io import BadInput


@pytest.fixture
def labels(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("video,start,end,label,video_duration\nday1,1,2,run,900\nday2,5,9,run,900\n")
    return file


def table(tmp_path, text):
    file = tmp_path / "spans.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end\nday1,0,90.5\nday2,100,200\n",
        "start;stop;clip\n0;90,5;day1\n100;200;day2\n",
        "file,begin_ms,end_ms\nday1.mp4,0,90500\nday2.mp4,100000,200000\n",
        "video,from,to\nday1,0:00:00,0:01:30.5\nday2,0:01:40,0:03:20\n",
    ],
)
def test_usual_tables_of_spans_are_read(tmp_path, labels, text):
    annotations = read_annotations(labels, annotated=table(tmp_path, text))
    assert annotations.annotated == {"day1": ((0.0, 90.5),), "day2": ((100.0, 200.0),)}


def test_frames_take_a_rate(tmp_path):
    file = table(tmp_path, "video,start_frame,end_frame\nday1,0,250\n")
    assert read_span_table(file, 25).annotated == {"day1": ((0.0, 10.0),)}
    with pytest.raises(BadInput, match="counts frames"):
        read_span_table(file)


def test_a_table_without_videos_is_of_the_only_one(tmp_path, labels):
    spans = table(tmp_path, "start,end,subset\n0,60,training\n70,90,validation\n")
    with pytest.raises(BadInput, match="has no column of videos, and 2 are annotated"):
        read_annotations(labels, annotated=spans)
    labels.write_text("video,start,end,label,video_duration\nday1,1,2,run,900\n")
    parts = read_annotations(labels, annotated=spans).parts
    assert parts == {"day1": {"training": ((0.0, 60.0),), "validation": ((70.0, 90.0),)}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("video,start,end\nday1,90,0\n", r"line 2 has the span \[90, 0\]"),
        ("video,start,end\nday1,nan,9\n", "line 2 has nan for an end of a span, which is no number"),
        ("video,start,end\nday1,0,inf\n", "line 2 has inf for an end of a span, which is no number"),
        ("video,start,end\nday1,zero,9\n", "'zero' for 'start'"),
        ("video,start,end\n,0,9\n", "names no video"),
        ("video,length\nday1,9\n", "no columns for start and end"),
        ("video,start,end\nday7,0,9\n", "name the videos alike"),
        ("video,start,end\nday1,1000,1009\n", "lies beyond it"),
    ],
)
def test_bad_tables_get_a_sentence(tmp_path, labels, text, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_annotations(labels, annotated=table(tmp_path, text))


def test_spans_of_videos_that_are_not_annotated_are_left_out_aloud(tmp_path, labels):
    annotations = read_annotations(labels, annotated=table(tmp_path, "video,start,end\nday1,0,9\nday8,0,9\n"))
    assert set(annotations.annotated) == {"day1"}
    assert any(
        "1 name is that of no annotated video, and left out, such as 'day8'; did you mean 'day2'?" in note
        for note in annotations.notes
    )
    assert any(
        "1 video is not in the table and counts as annotated wholly, such as 'day2'" in n for n in annotations.notes
    )


def test_a_table_of_every_video_says_nothing_of_names(tmp_path, labels):
    annotations = read_annotations(labels, annotated=table(tmp_path, "video,start,end\nday1,0,9\nday2,0,9\n"))
    assert not any("table" in note or "no annotated video" in note for note in annotations.notes)


def test_videos_whose_spans_the_annotations_state_are_not_said_to_be_annotated_wholly(tmp_path):
    file = tmp_path / "labels.json"
    entry = {"duration": 900, "annotations": [{"segment": [1, 2], "label": "run"}]}
    entries = {"day1": entry, "day2": {**entry, "annotated": [[0, 60]]}}
    file.write_text(json.dumps({"database": entries}))
    annotations = read_annotations(file, annotated=table(tmp_path, "video,start,end\nday1,0,9\n"))
    assert set(annotations.annotated) == {"day1", "day2"}
    assert not any("annotated wholly" in note for note in annotations.notes)


def test_a_table_that_is_not_there_is_said(tmp_path, labels):
    with pytest.raises(BadInput, match=r"nothing\.csv"):
        read_annotations(labels, annotated=tmp_path / "nothing.csv")
