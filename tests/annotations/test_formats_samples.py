"""Each format as its own tool writes it: headers, namespaces and habits that a file of ours does not show."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from format_samples import (
    AGGREGATED,
    CHARADES,
    CVAT,
    EAF,
    EPIC,
    EVENTS,
    LONG,
    RANGE,
    REGION,
    TABULAR,
    VIA,
    VTT,
    boris,
    task,
)
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def saved(path: Path, content: str | dict | list) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
    return path


# ELAN


def test_elan_names_the_video_by_its_first_link_and_bare_annotations_by_their_tier(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "notes.eaf", EAF))
    expected = Timeline(3.0, (Action(0.76, 1.57, "wave & smile"), Action(1.57, 3.0, "jump")))
    assert annotations.timelines == {"day 1": expected}
    assert [(row.label, row.reason) for row in annotations.dropped] == [
        ("point", "lies between slots without a time")
    ]
    assert "tiers without times of their own are left aside: gloss" in annotations.notes
    assert any("without a value" in note and "labelled by tier: jump (" in note for note in annotations.notes)


# Praat

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.3
<exists>
2
"IntervalTier"
"actions 3"
0
2.3
3
0
0.7
"say ""hi"" 5"
0.7
1.9
""
1.9
2.3
"jump"
"TextTier"
"clicks"
0
2.3
1
1.25
"tick"
"""


@pytest.mark.parametrize("content", [LONG, SHORT, LONG.replace("\n", " \r\n")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_textgrid_says_the_same_long_or_short_in_any_encoding(tmp_path: Path, content: str, encoding: str) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    (tmp_path / "clip.TextGrid").write_bytes(mark + content.encode(encoding))
    annotations = read_annotations(tmp_path / "clip.TextGrid")
    expected = Timeline(2.3, (Action(0.0, 0.7, 'say "hi" 5'), Action(1.9, 2.3, "jump")))
    assert annotations.timelines == {"clip": expected}
    assert [(row.start, row.label, row.reason) for row in annotations.dropped] == [
        (1.25, "tick", "is a point in time")
    ]


# BORIS


def test_boris_pairs_by_subject_behaviour_and_modifiers(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "dogs.boris", boris(EVENTS)))
    actions = (Action(1.0, 4.5, "eat"), Action(2.0, 6.0, "eat"), Action(7.0, 9.0, "run"))
    assert annotations.timelines == {"6008": Timeline(30.5, actions)}
    assert {(row.video, row.start, row.label, row.reason) for row in annotations.dropped} == {
        ("6008", 3.0, "bark", "is a point event"),
        ("6008", 7.0, "run", "starts and never stops"),
    }


def test_boris_times_are_without_their_offset_and_files_follow_each_other(tmp_path: Path) -> None:
    project = boris(
        [[61.0, "", "eat", "", ""], [62.0, "", "eat", "", ""], [71.5, "", "eat", "", ""], [73.0, "", "eat", "", ""]]
    )
    first, second = "one.mp4", "two.mp4"
    files = {
        "file": {"1": [first, second]},
        "media_info": {"length": {first: 10.0, second: 20.0}},
        "time offset": 60.0,
    }
    project["observations"]["first"] |= files
    assert read_annotations(saved(tmp_path / "dogs.boris", project)).timelines == {
        "one": Timeline(10.0, (Action(1.0, 2.0, "eat"),)),
        "two": Timeline(20.0, (Action(1.5, 3.0, "eat"),)),
    }


def test_a_live_observation_of_boris_is_called_as_itself(tmp_path: Path) -> None:
    project = boris([[1.0, "", "eat", "", ""], [2.0, "", "eat", "", ""]], type="LIVE", file={"1": []}, media_info={})
    assert read_annotations(saved(tmp_path / "dogs.boris", project)).timelines == {
        "first": Timeline(2.0, (Action(1, 2, "eat"),))
    }


def test_two_observations_of_one_video_are_refused(tmp_path: Path) -> None:
    project = boris(EVENTS)
    project["observations"]["second"] = project["observations"]["first"]
    with pytest.raises(BadInput, match=r"dogs\.boris: observation 'second' is of video '6008', and so is 'first'"):
        read_annotations(saved(tmp_path / "dogs.boris", project))


def test_aggregated_events_of_boris_are_read(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "aggregated.csv", AGGREGATED))
    assert annotations.timelines == {"6008": Timeline(1381.01, (Action(689.0, 989.023, "eat"),))}
    assert [(row.label, row.reason) for row in annotations.dropped] == [("bark", "is a point event")]


def test_tabular_events_of_boris_are_paired(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "tabular.tsv", TABULAR))
    assert annotations.timelines == {"6008": Timeline(30.5, (Action(1.0, 4.5, "eat"),))}
    assert {(row.start, row.label, row.reason) for row in annotations.dropped} == {
        (2.0, "bark", "is a point event"),
        (2.0, "eat", "starts and never stops"),
    }


# VIA


def test_via_segments_are_labelled_by_what_their_options_mean(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "via_project.json", VIA))
    assert annotations.timelines == {
        "Alioli": Timeline(6.5, (Action(4, 6.5, "Break Egg"),)),
        "Other": Timeline(1.0, (Action(0.5, 1, "l"), Action(0.5, 1, "r"))),
    }
    assert [(row.video, row.start, row.reason) for row in annotations.dropped] == [("Alioli", 7, "has no label")]
    assert "1 region or moment, which is no segment, is left aside" in annotations.notes


# CVAT


def test_cvat_tracks_are_seen_from_their_first_frame_to_the_end_of_their_last(tmp_path: Path) -> None:
    file = saved(tmp_path / "annotations.xml", CVAT)
    with pytest.raises(BadInput, match=r"annotations\.xml: counts in frames and states no rate; .* --fps 25"):
        read_annotations(file)
    actions = (Action(0.4, 0.48, "jump"), Action(2.0, 3.0, "jump"), Action(4.0, 4.04, "run"))
    assert read_annotations(file, fps=25).timelines == {"clip": Timeline(8.0, actions)}


def test_cvat_rates_in_the_file_and_skipped_frames_count(tmp_path: Path) -> None:
    content = CVAT.replace("<frame_filter>", "<fps>50</fps><frame_filter>step=5")
    timeline = read_annotations(saved(tmp_path / "annotations.xml", content)).timelines["clip"]
    assert timeline.actions == (Action(0.2, 0.24, "jump"), Action(1.0, 79 / 50, "jump"), Action(2.0, 2.1, "run"))


# Label Studio


BOX = {
    "value": {"framesCount": 250, "duration": 10.0, "sequence": [{"frame": 1, "enabled": True}], "labels": ["man"]},
    "type": "videorectangle",
    "from_name": "box",
    "to_name": "video",
}


def test_label_studio_frames_count_from_one_and_both_ends_are_in(tmp_path: Path) -> None:
    file = saved(tmp_path / "export.json", [task(RANGE)])
    with pytest.raises(BadInput, match=r"export\.json: task 1 counts in frames and states no rate"):
        read_annotations(file)
    assert read_annotations(file, fps=25).timelines == {"clip": Timeline(2.0, (Action(1.0, 2.0, "jump"),))}


def test_label_studio_regions_are_seconds_and_boxes_tell_the_rate(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "export.json", [task(RANGE, REGION, BOX)]))
    actions = (Action(1.0, 2.0, "jump"), Action(1.25, 3.5, "speech"))
    assert annotations.timelines == {"clip": Timeline(20.5, actions)}
    assert any("is no labelled stretch of time" in note and "videorectangle in" in note for note in annotations.notes)


def test_label_studio_takes_the_agreed_annotation_of_a_task_or_else_the_first(tmp_path: Path) -> None:
    first = task(REGION)["annotations"][0]
    region = {**REGION, "value": {**REGION["value"], "labels": ["agreed"]}}
    agreed = {**first, "ground_truth": True, "result": [region]}
    cancelled = {**first, "was_cancelled": True}
    annotations = read_annotations(saved(tmp_path / "export.json", [task(annotations=[cancelled, first, agreed])]))
    assert [action.label for action in annotations.timelines["clip"].actions] == ["agreed"]
    assert any("1 task has several annotations" in note for note in annotations.notes)


def test_label_studio_in_short_and_predictions_are_read(tmp_path: Path) -> None:
    short = [
        {"id": 1, "video": "/data/local-files/?d=day%201/clip.mp4", "videoLabels": [RANGE["value"]], "annotator": 1}
    ]
    expected = {"clip": Timeline(2.0, (Action(1.0, 2.0, "jump"),))}
    assert read_annotations(saved(tmp_path / "min.json", short), fps=25).timelines == expected
    predicted = task(annotations=[], predictions=[{"model_version": "m", "result": [{**RANGE, "score": 0.5}]}])
    annotations = read_annotations(saved(tmp_path / "predicted.json", [predicted]), fps=25)
    assert annotations.timelines["clip"].actions == (Action(1.0, 2.0, "jump", 0.5),)
    assert "no task is annotated: predictions are read" in annotations.notes


# Subtitles


def test_srt_is_read_with_windows_line_ends_positions_and_missing_numbers(tmp_path: Path) -> None:
    first = "\ufeff1\r\n00:00:01,500 --> 00:00:02,000 X1:40 X2:600\r\njump\r\nhigh\r\n\r\n"
    content = f"{first}00:01:00.000 --> 01:00:00,5\r\nrun"
    timeline = read_annotations(saved(tmp_path / "clip.srt", content)).timelines["clip"]
    assert timeline.actions == (Action(1.5, 2.0, "jump\nhigh"), Action(60.0, 3600.5, "run"))


def test_the_percentages_of_our_own_subtitles_are_scores(tmp_path: Path) -> None:
    first, second = "1\n00:00:01,000 --> 00:00:02,000\njump (87 %)\n", "2\n00:00:03,000 --> 00:00:04,000\nrun (5 %)\n"
    actions = read_annotations(saved(tmp_path / "clip.srt", f"{first}\n{second}")).timelines["clip"].actions
    assert actions == (Action(1, 2, "jump", 0.87), Action(3, 4, "run", 0.05))
    mixed = saved(tmp_path / "mixed.srt", f"{first}\n{second.replace(' (5 %)', '')}")
    assert [action.label for action in read_annotations(mixed).timelines["mixed"].actions] == ["jump (87 %)", "run"]


def test_webvtt_comments_styles_and_tags_are_no_labels(tmp_path: Path) -> None:
    timeline = read_annotations(saved(tmp_path / "clip.vtt", VTT)).timelines["clip"]
    assert timeline.actions == (Action(1.0, 2.5, "jump & run"), Action(3600.0, 3601.0, "<b>"))


# Audacity


def test_audacity_labels_with_frequencies_are_read(tmp_path: Path) -> None:
    content = "1.500000\t2.000000\tjump\n\\\t100.0\t2000.0\n3.000000\t3.000000\ttick\n4.0\t5.0\t\n"
    annotations = read_annotations(saved(tmp_path / "clip.txt", content))
    assert annotations.timelines["clip"].actions == (Action(1.5, 2.0, "jump"), Action(4.0, 5.0, "unnamed"))
    assert [(row.label, row.reason) for row in annotations.dropped] == [("tick", "has no length")]


# Data sets


@pytest.mark.parametrize(
    ("label", "expected"),
    [(None, "take knife"), ("narration", "take knife and plate"), ("verb", "take"), ("verb_class+noun_class", "0 4")],
)
def test_epic_kitchens_labels_are_verb_and_noun_or_the_columns_of_the_caller(
    tmp_path: Path, label: str | None, expected: str
) -> None:
    timelines = read_annotations(saved(tmp_path / "EPIC_100_train.csv", EPIC), label=label).timelines
    assert timelines["P01_102"].actions == (Action(0.54, 2.23, expected),)
    assert timelines["P01_01"].actions[0].start == pytest.approx(481.47)


def test_charades_actions_and_lengths_are_read(tmp_path: Path) -> None:
    assert read_annotations(saved(tmp_path / "Charades_v1_train.csv", CHARADES)).timelines == {
        "46GP8": Timeline(24.83, (Action(0.0, 12.6, "c147"), Action(11.9, 21.2, "c092"))),
        "N11GT": Timeline(30.08),
    }


# Telling them apart


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.eaf", EAF, "elan"),
        ("a.TextGrid", LONG, "textgrid"),
        ("a.boris", boris([]), "boris"),
        ("a.json", boris([]), "boris"),
        ("a.json", VIA, "via"),
        ("a.json", [task()], "labelstudio"),
        ("a.json", {"database": {}}, "activitynet"),
        ("a.json", {"results": {}}, "activitynet-results"),
        ("a.xml", CVAT, "cvat"),
        ("a.csv", EPIC, "epic"),
        ("a.csv", CHARADES, "charades"),
        ("a.csv", AGGREGATED, "boris-table"),
        ("a.tsv", TABULAR, "boris-table"),
        ("a.txt", TABULAR, "boris-table"),
        ("a.txt", "1.0\t2.0\tjump\n", "audacity"),
        ("a.srt", "", "srt"),
        ("a.VTT", VTT, "vtt"),
    ],
)
def test_a_format_is_sniffed_from_ending_and_content(tmp_path: Path, name: str, content: Any, form: str) -> None:
    assert sniff_format(saved(tmp_path / "folder" / name, content)) == form
    assert sniff_format(tmp_path / "folder") == form


def test_a_folder_of_files_is_one_set_of_videos(tmp_path: Path) -> None:
    for name in ("one", "two"):
        saved(tmp_path / "subs" / f"{name}.srt", "1\n00:00:01,000 --> 00:00:02,000\njump\n")
    saved(tmp_path / "subs" / "._one.srt", "what another system leaves behind")
    assert sorted(read_annotations(tmp_path / "subs").timelines) == ["one", "two"]
    saved(tmp_path / "both" / "a.eaf", EAF)
    saved(tmp_path / "both" / "b.eaf", EAF)
    with pytest.raises(BadInput, match=r"b\.eaf: is of video 'day 1', and so is a\.eaf; leave one of them out"):
        read_annotations(tmp_path / "both")
