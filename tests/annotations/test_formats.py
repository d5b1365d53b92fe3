"""Annotations and detections come in as their files mean them, and go out whole."""

import csv
import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from untrimmed.annotations.annotations import Hints, Row, split_usable
from untrimmed.annotations.formats.activitynet import (
    read_activitynet,
    read_activitynet_results,
    write_activitynet,
    write_activitynet_results,
)
from untrimmed.annotations.formats.srt import write_srt
from untrimmed.annotations.formats.tables import write_csv
from untrimmed.annotations.formats.thumos import read_durations, read_thumos
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def saved(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def entry(*segments: Any, duration: Any = 10.0, **more: Any) -> dict[str, Any]:
    """An annotated video whose every segment is a jump."""
    return {"duration": duration, "annotations": [{"label": "jump", "segment": s} for s in segments], **more}


labels = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
edges = st.lists(st.floats(0, 1e4), min_size=2, max_size=2, unique=True).map(sorted)
# Numbers alone: timelines are made in the test, as the type checks of a test run draw random numbers of their own.
drawn_videos = st.dictionaries(
    st.sampled_from("uvw"), st.lists(st.tuples(edges, labels, st.floats(0, 1)), max_size=3)
)


def build_timelines(drawn: dict[str, list]) -> dict[str, Timeline]:
    """Timelines that end with their last action, or at a third of a second."""
    actions = {
        video: tuple(Action(*span, label, score) for span, label, score in rows) for video, rows in drawn.items()
    }
    return {video: Timeline(max((a.end for a in acts), default=1 / 3), acts) for video, acts in actions.items()}


# What can be an action


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (3, 2, "is reversed"),
        (2, 2, "has no length"),
        (0, 0, "has no length"),
        (math.nan, 2, "is not finite"),
        (1, math.inf, "is not finite"),
        (-1, 2, "starts 1 s before the video does"),
        (-0.04, -0.01, "ends before the video starts"),
        (10, 12, "starts after the video ends at 10 s"),
        (9, 11.5, "ends 1.5 s after the video does at 10 s"),
    ],
)
def test_a_segment_that_cannot_be_used_is_dropped_with_its_reason(start: float, end: float, reason: str) -> None:
    good = Row(1.0, 2.0, "jump")
    split = split_usable("clip", [Row(start, end, "jump"), good], 10.0)
    assert split.actions == (Action(1.0, 2.0, "jump"),)
    assert [(row.video, row.label, row.reason) for row in split.dropped] == [("clip", "jump", reason)]
    assert str(split.dropped[0]) == f"video 'clip', 'jump' at [{start:g}, {end:g}] s, {reason}"


@pytest.mark.parametrize(
    ("segment", "clipped"),
    [((9, 10.9), (9, 10)), ((-0.03, 2), (0, 2)), ((-0.01, 10.5), (0, 10)), ((0, 10), (0, 10))],
)
def test_a_segment_that_barely_leaves_the_video_is_clipped(segment: tuple[float, float], clipped: tuple) -> None:
    split = split_usable("clip", [Row(*segment, "jump")], 10.0)
    assert split.actions == (Action(*clipped, "jump"),)
    assert not split.dropped


def test_a_label_outside_the_classes_is_dropped_and_any_is_welcome_without_classes() -> None:
    row = Row(1.0, 2.0, "yodel")
    assert (
        split_usable("clip", [row], 10.0, ("jump", "run")).dropped[0].reason
        == "has a label that is none of the 2 classes"
    )
    assert split_usable("clip", [row], 10.0).actions == (Action(1.0, 2.0, "yodel"),)


numbers = st.one_of(st.floats(-3, 20), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 10.0]))


@given(st.lists(st.builds(Row, numbers, numbers, st.sampled_from(["jump", "run"]), numbers)))
def test_no_row_is_lost_and_no_action_leaves_the_video(rows: list[Row]) -> None:
    split = split_usable("clip", rows, 10.0, ("jump",))
    assert len(split.actions) + len(split.dropped) == len(rows)
    assert all(0 <= action.start < action.end <= 10 and action.label == "jump" for action in split.actions)


# Annotations in JSON


def test_the_three_shapes_of_annotations_say_the_same(tmp_path: Path) -> None:
    single = {"video": "folder/clip.mp4", "fps": 30, **entry([1, 2.5], [3, 4])}
    shapes = [
        single,
        {"clip": entry([1, 2.5], [3, 4])},
        {"version": "1.3", "database": {"clip": entry([1, 2.5], [3, 4])}},
    ]
    expected = {"clip": Timeline(10.0, (Action(1, 2.5, "jump"), Action(3, 4, "jump")))}
    for number, shape in enumerate(shapes):
        annotations = read_activitynet(saved(tmp_path / f"{number}.json", shape))
        assert annotations.timelines == expected
        assert not annotations.dropped and not annotations.subsets


def test_segments_may_be_text_and_labels_numbers_and_the_file_packed(tmp_path: Path) -> None:
    content = {"database": {"clip": {"duration": "9.5", "annotations": [{"label": 7, "segment": ["1.5", "2"]}]}}}
    (tmp_path / "truth.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    timelines = read_activitynet(tmp_path / "truth.json.gz").timelines
    assert timelines == {"clip": Timeline(9.5, (Action(1.5, 2.0, "7"),))}


def test_bad_rows_are_listed_and_every_row_is_kept_as_it_is(tmp_path: Path) -> None:
    file = saved(
        tmp_path / "truth.json", {"database": {"clip": entry([5, 4], [9, 10.5], [1, 2]), "other": entry([3, 3])}}
    )
    annotations = read_activitynet(file)
    assert annotations.timelines["clip"].actions == (Action(1, 2, "jump"), Action(9, 10, "jump"))
    assert annotations.timelines["other"] == Timeline(10.0)
    assert [(row.video, row.start, row.end, row.reason) for row in annotations.dropped] == [
        ("clip", 5, 4, "is reversed"),
        ("other", 3, 3, "has no length"),
    ]
    assert [(row.start, row.end) for row in annotations.rows["clip"]] == [(5, 4), (9, 10.5), (1, 2)]


def test_labels_outside_the_classes_of_the_caller_or_of_the_file_are_dropped(tmp_path: Path) -> None:
    file = saved(tmp_path / "truth.json", {"classes": ["run"], "database": {"clip": entry([1, 2])}})
    assert read_activitynet(file).classes == ("run",)
    assert "none of the 1 classes" in read_activitynet(file).dropped[0].reason
    assert not read_activitynet(file, classes=("jump", "run")).dropped


def test_a_missing_duration_is_that_of_the_caller_or_else_the_last_end(tmp_path: Path) -> None:
    file = saved(tmp_path / "truth.json", {"database": {"clip": entry([1, 2], [6, 5], [3, 4], duration=None)}})
    assert read_activitynet(file).timelines["clip"].duration == 4.0
    assert read_activitynet(file, hints=Hints(durations={"clip": 30.0})).timelines["clip"].duration == 30.0
    stated = saved(tmp_path / "stated.json", {"database": {"clip": entry([1, 2], duration=8)}})
    assert read_activitynet(stated, hints=Hints(durations={"clip": 30.0})).timelines["clip"].duration == 8.0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "has no 'database' but list"),
        ({}, "has no 'database' but nothing"),
        ({"results": {}, "version": "1"}, "has no 'database' but 'results', 'version'; a file of annotations"),
        ({"database": {"clip": {"duration": 1}}}, "video 'clip' has no list of annotations"),
        ({"database": {"clip": None}}, "video 'clip' has no list of annotations"),
        ({"database": {"clip": entry([1])}}, r"video 'clip': annotation 0 has segment \[1\]"),
        ({"database": {"clip": entry([0, 1], ["a", 2])}}, r"annotation 1 has segment \['a', 2\]"),
        ({"database": {"clip": entry([0, 1], [True, 2])}}, r"annotation 1 has segment \[True, 2\]"),
        ({"database": {"clip": entry([0, 10**400])}}, "annotation 0 has segment"),
        ({"database": {"clip": entry("12")}}, "annotation 0 has segment '12'"),
        ({"clip": {"annotations": [{"label": "jump"}]}}, "annotation 0 is .*without a 'segment'"),
        ({"clip": {"annotations": [{"segment": [1, 2]}]}}, "annotation 0: its label is None; text"),
        ({"clip": {"annotations": [{"segment": [1, 2], "label": "\ud800"}]}}, "annotation 0: its label is"),
        ({"clip": entry([1, 2], duration=0)}, "video 'clip': its duration is 0; a positive number"),
        ({"clip": entry([1, 2], duration="long")}, "its duration is 'long'"),
        ({"clip": entry([1, 2], duration=math.nan)}, "its duration is nan"),
        ({"clip": entry(duration=None)}, "'clip' has neither a duration nor a usable segment"),
        ({"clip": entry([2, 1], duration=None)}, "'clip' has neither a duration nor a usable segment"),
        ({"clip": entry([1, 2], subset=["a"])}, r"its subset is \['a'\]; text was expected"),
        ({"annotations": [], "duration": 1}, "'video' is None"),
        ({"classes": ["a", "a"], "database": {}}, "a list of different labels was expected"),
    ],
)
def test_broken_annotations_are_refused_with_the_file_the_video_and_the_value(
    tmp_path: Path, content: Any, words: str
) -> None:
    with pytest.raises(BadInput, match=rf"truth\.json: .*{words}"):
        read_activitynet(saved(tmp_path / "truth.json", content))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(drawn_videos)
def test_annotations_come_back_exactly(tmp_path: Path, drawn: dict[str, list]) -> None:
    ground_truth = build_timelines(
        {video: [(span, label, 1.0) for span, label, _ in rows] for video, rows in drawn.items()}
    )
    subsets = dict.fromkeys(list(ground_truth)[:2], "training")
    write_activitynet(tmp_path / "truth.json", ground_truth, subsets)
    annotations = read_activitynet(tmp_path / "truth.json")
    assert annotations.timelines == ground_truth
    assert annotations.subsets == subsets


# Detections in JSON


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(drawn_videos)
def test_results_come_back_exactly(tmp_path: Path, drawn: dict[str, list]) -> None:
    results = build_timelines(drawn)
    write_activitynet_results(tmp_path / "results.json.gz", results)
    assert read_activitynet_results(tmp_path / "results.json.gz").timelines == results


def test_a_detection_beyond_the_end_of_its_video_comes_back_unclipped(tmp_path: Path) -> None:
    results = {"clip": Timeline(10.0, (Action(9.0, 25.0, "jump", 0.5),))}
    write_activitynet_results(tmp_path / "results.json", results)
    assert read_activitynet_results(tmp_path / "results.json").timelines == results


def test_results_have_the_form_that_the_official_programs_want(tmp_path: Path) -> None:
    write_activitynet_results(tmp_path / "results.json", {"clip": Timeline(10.0, (Action(1, 2, "jump", 0.25),))})
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["results"] == {"clip": [{"label": "jump", "score": 0.25, "segment": [1.0, 2.0]}]}
    assert content["durations"] == {"clip": 10.0}
    assert {"version", "external_data"} <= set(content)


def test_results_without_durations_end_with_the_last_detection(tmp_path: Path) -> None:
    item = {"score": 0.5, "segment": [1, 2]}
    content = {"results": {"clip": [item, {**item, "label": "run", "segment": [0.5, 7]}], "empty": []}}
    results = read_activitynet_results(saved(tmp_path / "results.json", content)).timelines
    assert results == {"clip": Timeline(7.0, (Action(0.5, 7, "run", 0.5), Action(1, 2, "proposal", 0.5)))}


def test_a_detection_that_cannot_be_used_is_dropped_and_listed(tmp_path: Path) -> None:
    rows = [{"label": "jump", "score": 0.5, "segment": segment} for segment in ([2, 1], [1, 2])]
    file = saved(tmp_path / "results.json", {"results": {"clip": rows}})
    detections = read_activitynet_results(file)
    assert detections.timelines["clip"].actions == (Action(1, 2, "jump", 0.5),)
    assert [row.reason for row in detections.dropped] == ["is reversed"]
    assert detections.rows["clip"] == (Row(2, 1, "jump", 0.5), Row(1, 2, "jump", 0.5))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"database": {}}, "has no 'results' but 'database'; a file of detections was expected"),
        ({"results": {"clip": {}}}, "video 'clip' has {} for results"),
        ({"results": {"clip": [[1, 2]]}}, r"detection 0 is \[1, 2\], without a 'segment'"),
        ({"results": {"clip": [{"segment": [1, 2], "label": "a"}]}}, "detection 0 has score None; a number"),
        ({"results": {}, "durations": [1]}, r"'durations' is \[1\]; seconds by video"),
        ({"results": {"clip": []}, "durations": {"clip": -1}}, "video 'clip': its duration is -1"),
    ],
)
def test_broken_results_are_refused_with_the_file_the_video_and_the_value(
    tmp_path: Path, content: Any, words: str
) -> None:
    with pytest.raises(BadInput, match=rf"results\.json: .*{words}"):
        read_activitynet_results(saved(tmp_path / "results.json", content))


# THUMOS'14


def thumos_folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / f"{name}.txt").write_text(text)
    return path


def test_thumos_texts_give_subsets_and_keep_ambiguous_marks_apart(tmp_path: Path) -> None:
    folder = thumos_folder(
        tmp_path / "texts",
        Diving_val="v1  1.0 2.5\nv1  7.0 3.0\n\n",
        Diving_test="t1 1.0 2.0\n",
        HighJump_test="t1 0.5 0.9\r\nt1 12.0 13.0\n",
        Ambiguous_test="t1 4.0 5.0\nt9 0.0 1.4\n",
        detclasslist="7 Diving\n",
        detclasslist_1to20="1 Diving\n",
    )
    annotations = read_thumos(folder, Hints(durations={"t1": 10.0, "v1": 20.0}))
    assert annotations.timelines == {
        "t1": Timeline(10.0, (Action(0.5, 0.9, "HighJump"), Action(1, 2, "Diving"))),
        "v1": Timeline(20.0, (Action(1, 2.5, "Diving"),)),
    }
    assert annotations.subsets == {"t1": "test", "v1": "validation"}
    assert annotations.ambiguous == {"t1": (Action(4, 5, "Ambiguous"),), "t9": (Action(0, 1.4, "Ambiguous"),)}
    assert {(row.video, row.start, row.reason) for row in annotations.dropped} == {
        ("v1", 7.0, "is reversed"),
        ("t1", 12.0, "starts after the video ends at 10 s"),
    }
    assert annotations.rows["v1"] == (Row(1, 2.5, "Diving"), Row(7, 3, "Diving"))


def test_a_broken_ambiguous_mark_is_listed_too(tmp_path: Path) -> None:
    folder = thumos_folder(tmp_path / "texts", Diving_test="t1 1 2\n", Ambiguous_test="t1 5 4\n")
    assert [row.label for row in read_thumos(folder).dropped] == ["Ambiguous"]


@pytest.mark.parametrize("line", ["t1 1.0", "t1 1.0 2.0 3.0", "t1 one 2.0"])
def test_a_broken_thumos_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    folder = thumos_folder(tmp_path / "texts", Diving_test=f"t1 1 2\n{line}\n")
    with pytest.raises(BadInput, match=rf"Diving_test\.txt: line 2 is '{line}'"):
        read_thumos(folder)


def test_a_folder_without_thumos_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no files like Diving_val"):
        read_thumos(thumos_folder(tmp_path / "texts", detclasslist="7 Diving\n"))
    with pytest.raises(BadInput, match="no such folder of THUMOS'14"):
        read_thumos(tmp_path / "nowhere")


def test_a_video_of_two_thumos_subsets_is_refused(tmp_path: Path) -> None:
    folder = thumos_folder(tmp_path / "texts", Diving_val="x 1 2\n", Diving_test="x 1 2\n")
    with pytest.raises(BadInput, match=r"Diving_val\.txt: video 'x' is in the test subset too"):
        read_thumos(folder)


def test_durations_are_read_from_a_table_by_name(tmp_path: Path) -> None:
    table = tmp_path / "durations.csv"
    table.write_text("fps,filename,video-duration\n30,t1.mp4,33.5\n30,t2.mp4,10\n")
    assert read_durations(table) == {"t1": 33.5, "t2": 10.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; a line that names columns was expected"),
        ("filename,rate\nt1,3\n", "has no columns for video and duration"),
        ("filename,video-duration\nt1,3\nt2\n", "line 3 has 1 cells"),
        ("filename,video-duration\nt1,-3\n", "line 2 has -3 for 'video-duration' of video 't1'; a positive"),
        ("filename,video-duration\nt1,soon\n", "line 2 has 'soon' for 'video-duration'; a positive"),
    ],
)
def test_a_table_without_durations_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "durations.csv").write_text(text)
    with pytest.raises(BadInput, match=rf"durations\.csv: {words}"):
        read_durations(tmp_path / "durations.csv")


# Tables and subtitles

HOSTILE = 'a "quoted", label\nof two lines --> <b>{\\an8}\u202e'


def test_a_table_gives_back_what_was_written(tmp_path: Path) -> None:
    actions = (Action(0.1 + 0.2, 2.0, HOSTILE, 1 / 3), Action(1, 2, "run", 0.5))
    write_csv(tmp_path / "actions.csv", {"clip": Timeline(10.0, actions), "empty": Timeline(1.0)})
    with (tmp_path / "actions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["video", "start", "end", "label", "score"]
    assert [row["video"] for row in rows] == ["clip", "clip"]
    read = tuple(Action(float(r["start"]), float(r["end"]), r["label"], float(r["score"])) for r in rows)
    assert read == actions


def test_subtitles_name_each_action_when_it_happens(tmp_path: Path) -> None:
    actions = (Action(3725.9996, 3726.5, "run", 0.5), Action(1.0, 2.25, "jump", 0.874))
    write_srt(tmp_path / "clip.srt", "clip", Timeline(4000.0, actions), scores=True)
    assert (tmp_path / "clip.srt").read_text() == (
        "1\n00:00:01,000 --> 00:00:02,250\njump (87 %)\n\n2\n01:02:06,000 --> 01:02:06,500\nrun (50 %)\n"
    )


def test_a_label_cannot_end_a_cue_or_style_it(tmp_path: Path) -> None:
    actions = (Action(1, 2, HOSTILE), Action(3, 3.0001, "\n\t"))
    write_srt(tmp_path / "clip.srt", "clip", Timeline(10.0, actions), scores=True)
    lines = (tmp_path / "clip.srt").read_text(encoding="utf-8").splitlines()
    assert lines[2] == 'a "quoted", label of two lines --› ‹b›(\\an8) (100 %)'
    assert lines[5:] == ["00:00:03,000 --> 00:00:03,001", "unnamed (100 %)"]


# Real files


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "videos", "rows"),
    [
        ("thumos14_scnn_iou0.5", 212, 24_244),
        ("anet12_autoloc_seconds", 2_298, 13_295),
        pytest.param("thumos14_actionformer_af669", 212, 42_400, marks=pytest.mark.slow),
        pytest.param("anet12_tag_val_proposals", 2_382, 120_148, marks=pytest.mark.slow),
    ],
)
def test_published_results_are_read_whole(data: Path, name: str, videos: int, rows: int) -> None:
    results = read_activitynet_results(data / "evaluation" / "results" / f"{name}.json.gz")
    assert not results.dropped
    assert len(results.timelines) == videos
    assert sum(len(timeline.actions) for timeline in results.timelines.values()) == rows


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "video", "duration", "actions"),
    [
        ("asl_untrimmed.json", "asl_untrimmed", 44.1, 20),
        ("one_by_one.json", "one-by-one-person-detection", 139.4, 6),
        ("marshalling_3actions.json", "marshalling_3actions", 24.0, 3),
        ("annotations.json", "vts_P016_balloon2", 130.0 + 1 / 3, 37),
    ],
)
def test_annotations_beside_real_videos_are_read(
    data: Path, file: str, video: str, duration: float, actions: int
) -> None:
    annotations = read_activitynet(data / "videos" / file)
    assert annotations.timelines[video].duration == pytest.approx(duration)
    assert len(annotations.timelines[video].actions) == actions
    assert not annotations.dropped
