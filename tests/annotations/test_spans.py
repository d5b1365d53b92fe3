"""Stretches that were annotated: read, checked, written; what lies outside them is said."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.convert import convert, read_annotations, write_annotations
from untrimmed.annotations.renaming import join_annotations, rename_videos
from untrimmed.annotations.spans import cut_timeline, intersect_spans, measure_spans, merge_spans, select_actions
from untrimmed.cli import app
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

ENTRY = {
    "duration": 900,
    "annotations": [{"label": "run", "segment": [10, 20]}, {"label": "run", "segment": [700, 720]}],
}

spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (float(pair[0]), float(sum(pair)))), max_size=5
)


def write_entry(path: Path, **entry: object) -> Path:
    file = path / "labels.json"
    file.write_text(json.dumps({"database": {"a": {**ENTRY, **entry}, "b": {**ENTRY}}}))
    return file


@given(spans, spans)
def test_what_spans_have_in_common_is_what_both_hold(first, second):
    both = intersect_spans(merge_spans(first), merge_spans(second))
    for half_second in range(170):
        time = half_second / 2 + 0.25
        inside = all(any(a < time < b for a, b in side) for side in (first, second))
        assert any(a < time < b for a, b in both) == inside
    assert measure_spans(both) <= min(measure_spans(merge_spans(first)), measure_spans(merge_spans(second)))


@given(spans)
def test_merged_spans_are_sorted_and_apart(some):
    merged = merge_spans(some)
    assert all(first[1] < second[0] for first, second in pairwise(merged))


def test_spans_of_a_file_are_read_and_written_as_they_stand(tmp_path):
    file = write_entry(
        tmp_path, annotated=[[0, 100], [600.5, 900]], parts={"training": [[0, 50]], "fold": [[60, 90]]}
    )
    annotations = read_annotations(file)
    assert annotations.annotated == {"a": ((0.0, 100.0), (600.5, 900.0))}
    assert annotations.parts == {"a": {"training": ((0.0, 50.0),), "fold": ((60.0, 90.0),)}}
    assert any("1 video is annotated in part, 6.66 minutes in all, such as 'a'" in note for note in annotations.notes)
    written = write_annotations(tmp_path / "again.json", annotations)
    again = read_annotations(tmp_path / "again.json")
    assert (again.annotated, again.parts) == (annotations.annotated, annotations.parts)
    assert not written.notes
    lost = write_annotations(tmp_path / "again.csv", annotations).notes
    assert any("which stretches were annotated is left out" in note for note in lost)


def test_actions_outside_are_counted_with_the_first(tmp_path):
    notes = read_annotations(write_entry(tmp_path, annotated=[[0, 100]])).notes
    assert any(
        "1 action lies outside of what is annotated" in note and "'run' at [700, 720] s of video 'a'" in note
        for note in notes
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([[600, 0]], r"'a': its 'annotated' has the span \[600, 0\], which ends before it has begun"),
        ([[5, 5]], "ends before it has begun"),
        ([[950, 990]], r"span \[950, 990\] s of video 'a', which ends at 900 s, lies beyond it"),
        ([[-9, -1]], "ends before the video begins"),
        ([["x", 9]], r"has \['x', 9\] for a span"),
        ([[0, float("nan")]], "for a span"),
        ([0, 600], "has 0 for a span"),
        ("0-600", "a list of spans in seconds was expected"),
    ],
)
def test_bad_spans_get_a_sentence(tmp_path, value, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_annotations(write_entry(tmp_path, annotated=value))


def test_spans_that_leave_the_video_are_clipped_and_those_that_overlap_are_one_aloud(tmp_path):
    annotations = read_annotations(write_entry(tmp_path, annotated=[[500, 1000], [-3, 40], [30, 60]]))
    assert annotations.annotated == {"a": ((0.0, 60.0), (500.0, 900.0))}
    text = " ".join(annotations.notes)
    assert "2 spans clipped to the video: [500, 1000] s of video 'a', which ends at 900 s" in text
    assert "spans that overlap are one, in 1 video: video 'a' has 2 for 3" in text


def test_a_video_whose_spans_are_all_of_it_is_not_annotated_in_part(tmp_path):
    assert not read_annotations(write_entry(tmp_path, annotated=[[0, 450], [450, 900]])).annotated
    assert read_annotations(write_entry(tmp_path, annotated=[])).annotated == {"a": ()}


def test_parts_that_share_seconds_or_are_no_object_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"'a' has \[40, 50\] s in 'training' and in 'validation'"):
        read_annotations(write_entry(tmp_path, parts={"training": [[0, 50]], "validation": [[40, 90]]}))
    with pytest.raises(BadInput, match="spans by subset were expected"):
        read_annotations(write_entry(tmp_path, parts=[[0, 9]]))


def test_a_video_of_guessed_length_ends_no_sooner_than_its_spans(tmp_path):
    (tmp_path / "labels.csv").write_text("video,start,end,label\na,1,2,run\n")
    (tmp_path / "spans.csv").write_text("video,start,end\na,0,600\n")
    annotations = read_annotations(tmp_path / "labels.csv", annotated=tmp_path / "spans.csv")
    assert annotations.timelines["a"].duration == 600
    assert annotations.annotated == {"a": ((0.0, 600.0),)}


def test_renamed_and_joined_annotations_keep_their_spans():
    one = Annotations({"a": Timeline(9)}, annotated={"a": ((0.0, 4.0),)}, parts={"a": {"test": ((0.0, 2.0),)}})
    renamed = rename_videos(one, {"a": "b"})
    assert (renamed.annotated, renamed.parts) == ({"b": ((0.0, 4.0),)}, {"b": {"test": ((0.0, 2.0),)}})
    joined = join_annotations([one, renamed])
    assert set(joined.annotated) == set(joined.parts) == {"a", "b"}


def test_an_action_belongs_where_its_middle_lies():
    timeline = Timeline(100, (Action(0, 8, "a"), Action(8, 14, "b"), Action(50, 60, "c")))
    assert [a.label for a in select_actions(timeline, ((0.0, 10.0),))] == ["a"]
    assert [a.label for a in select_actions(timeline, ((0.0, 11.0),))] == ["a", "b"]
    cut = cut_timeline(timeline, (10.0, 56.0))
    assert cut == Timeline(46.0, (Action(0, 4, "b"), Action(40, 46, "c")))
    assert select_actions(timeline, None) == timeline


def test_convert_takes_a_table_of_spans(tmp_path):
    (tmp_path / "labels.csv").write_text("video,start,end,label,video_duration\na,1,2,run,100\nb,1,2,run,100\n")
    (tmp_path / "spans.csv").write_text("video,start,end,subset\na,0,40,training\na,50,100,validation\n")
    words = [tmp_path / "labels.csv", tmp_path / "out.json", "--annotated", tmp_path / "spans.csv"]
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    assert result.exit_code == 0, result.output
    database = json.loads((tmp_path / "out.json").read_text())["database"]
    assert database["a"]["parts"] == {"training": [[0.0, 40.0]], "validation": [[50.0, 100.0]]}
    assert "annotated" not in database["b"]
    again = convert(tmp_path / "out.json", tmp_path / "second.json")
    assert again.annotations.parts.keys() == {"a"}
    assert replace(again.annotations, notes=()).annotated == {}
