"""Each format as its own tool writes it: headers, namespaces and habits that a file of ours does not show."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from untrimmed.annotations import read_any
from untrimmed.errors import BadInput
from untrimmed.formats.telling import tell
from untrimmed.timeline import Action, Timeline


def saved(path: Path, content: str | dict | list) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
    return path


# ELAN

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-03-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
    <LICENSE LICENSE_URL=""/>
    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
        <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/Users/me/My%20Videos/day 1.mp4" MIME_TYPE="video/mp4"
            RELATIVE_MEDIA_URL="./day%201.mp4"/>
        <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/Users/me/side.mp4" MIME_TYPE="video/mp4"/>
        <PROPERTY NAME="URN">urn:nl-mpi-tools-elan-eaf:0</PROPERTY>
        <PROPERTY NAME="lastUsedAnnotationId">5</PROPERTY>
    </HEADER>
    <TIME_ORDER>
        <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="760"/>
        <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1570"/>
        <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1570"/>
        <TIME_SLOT TIME_SLOT_ID="ts4"/>
        <TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="3000"/>
    </TIME_ORDER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="hands">
        <ANNOTATION>
            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
                <ANNOTATION_VALUE>wave &amp; smile </ANNOTATION_VALUE>
            </ALIGNABLE_ANNOTATION>
        </ANNOTATION>
        <ANNOTATION>
            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
                <ANNOTATION_VALUE>point</ANNOTATION_VALUE>
            </ALIGNABLE_ANNOTATION>
        </ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="jump">
        <ANNOTATION>
            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts5">
                <ANNOTATION_VALUE></ANNOTATION_VALUE>
            </ALIGNABLE_ANNOTATION>
        </ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="sym" PARENT_REF="hands" TIER_ID="gloss">
        <ANNOTATION>
            <REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1">
                <ANNOTATION_VALUE>hello</ANNOTATION_VALUE>
            </REF_ANNOTATION>
        </ANNOTATION>
    </TIER>
    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""


def test_elan_names_the_video_by_its_first_link_and_bare_annotations_by_their_tier(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "notes.eaf", EAF))
    expected = Timeline(3.0, (Action(0.76, 1.57, "wave & smile"), Action(1.57, 3.0, "jump")))
    assert annotations.timelines == {"day 1": expected}
    assert [(row.label, row.reason) for row in annotations.dropped] == [
        ("point", "lies between slots without a time")
    ]
    assert "tiers without times of their own are left aside: gloss" in annotations.notes
    assert "annotations without a value are labelled by their tier: jump" in annotations.notes


# Praat

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.3
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "actions 3"
        xmin = 0
        xmax = 2.3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.7
            text = "say ""hi"" 5"
        intervals [2]:
            xmin = 0.7
            xmax = 1.9
            text = ""
        intervals [3]:
            xmin = 1.9
            xmax = 2.3
            text = "jump"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 2.3
        points: size = 1
        points [1]:
            number = 1.25
            mark = "tick"
"""
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
    annotations = read_any(tmp_path / "clip.TextGrid")
    expected = Timeline(2.3, (Action(0.0, 0.7, 'say "hi" 5'), Action(1.9, 2.3, "jump")))
    assert annotations.timelines == {"clip": expected}
    assert [(row.start, row.label, row.reason) for row in annotations.dropped] == [
        (1.25, "tick", "is a point in time")
    ]


# BORIS


def boris(events: list[list[Any]], **more: Any) -> dict[str, Any]:
    media = "/home/me/videos/6008.mp4"
    observation = {
        "file": {"1": [media], **{str(player): [] for player in range(2, 9)}},
        "type": "MEDIA",
        "date": "2023-11-25T13:27:51",
        "description": "",
        "time offset": 0.0,
        "events": events,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "media_info": {"length": {media: 30.5}, "fps": {media: 25.0}, "hasVideo": {media: True}},
    }
    behaviour = {"key": "", "description": "", "category": "", "modifiers": {}, "excluded": "", "coding map": ""}
    return {
        "time_format": "hh:mm:ss",
        "project_name": "sample",
        "project_format_version": "7.0",
        "subjects_conf": {"0": {"key": "", "name": "S1", "description": ""}},
        "behaviors_conf": {
            "0": {"type": "State event", "code": "eat", **behaviour},
            "1": {"type": "Point event", "code": "bark", **behaviour},
            "2": {"type": "State event with coding map", "code": "run", **behaviour},
        },
        "observations": {"first": observation | more},
    }


EVENTS = [
    [1.0, "S1", "eat", "", "", 25],
    [2.0, "S2", "eat", "", "", 50],
    [3.0, "S1", "bark", "", "", 75],
    [4.5, "S1", "eat", "", "note", 112],
    [6.0, "S2", "eat", "", "", 150],
    [7.0, "S1", "run", "fast|up", "", 175],
    [7.0, "S1", "run", "slow", "", 175],
    [9.0, "S1", "run", "fast|up", "", 225],
]


def test_boris_pairs_by_subject_behaviour_and_modifiers(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "dogs.boris", boris(EVENTS)))
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
    assert read_any(saved(tmp_path / "dogs.boris", project)).timelines == {
        "one": Timeline(10.0, (Action(1.0, 2.0, "eat"),)),
        "two": Timeline(20.0, (Action(1.5, 3.0, "eat"),)),
    }


def test_a_live_observation_of_boris_is_called_as_itself(tmp_path: Path) -> None:
    project = boris([[1.0, "", "eat", "", ""], [2.0, "", "eat", "", ""]], type="LIVE", file={"1": []}, media_info={})
    assert read_any(saved(tmp_path / "dogs.boris", project)).timelines == {
        "first": Timeline(2.0, (Action(1, 2, "eat"),))
    }


def test_two_observations_of_one_video_are_refused(tmp_path: Path) -> None:
    project = boris(EVENTS)
    project["observations"]["second"] = project["observations"]["first"]
    with pytest.raises(BadInput, match=r"dogs\.boris: observation 'second' is of video '6008', and so is 'first'"):
        read_any(saved(tmp_path / "dogs.boris", project))


AGGREGATED = (
    "Observation id,Observation date,Description,Media file,Total length,FPS,Start time,Stop time,Subject,Behavior,"
    "Behavioral category,Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop\r\n"
    "6008,2021-12-06 13:26:24,,T:/Some Videos/6008.mp4,1381.010,29.97,2000-01-01T00:00:00,2000-01-01T00:00:00,"
    "No focal subject,eat,Mom,,STATE,689.000,989.023,300.023,,\r\n"
    "6008,2021-12-06 13:26:24,,T:/Some Videos/6008.mp4,1381.010,29.97,2000-01-01T00:00:00,2000-01-01T00:00:00,"
    "No focal subject,bark,Mom,,POINT,700.000,700.000,NA,,\r\n"
)
TABULAR = (
    "Observation id\tObservation date\tSource\tTime offset (s)\tMedia duration (s)\tFPS (frame/s)\tSubject\t"
    "Behavior\tBehavioral category\tModifier #1\tBehavior type\tTime\tMedia file name\tImage index\tComment\n"
    "obs\t2024\tplayer #1:6008.mp4\t0.0\t30.500\t25.0\tS1\teat\t\t\tSTART\t1.000\t/v/6008.mp4\t25\t\n"
    "obs\t2024\tplayer #1:6008.mp4\t0.0\t30.500\t25.0\tS1\tbark\t\t\tPOINT\t2.000\t/v/6008.mp4\t50\t\n"
    "obs\t2024\tplayer #1:6008.mp4\t0.0\t30.500\t25.0\tS2\teat\t\t\tSTART\t2.000\t/v/6008.mp4\t50\t\n"
    "obs\t2024\tplayer #1:6008.mp4\t0.0\t30.500\t25.0\tS1\teat\t\t\tSTOP\t4.500\t/v/6008.mp4\t112\t\n"
)


def test_aggregated_events_of_boris_are_a_table(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "aggregated.csv", AGGREGATED))
    assert annotations.timelines == {"6008": Timeline(1381.01, (Action(689.0, 989.023, "eat"),))}
    assert [(row.label, row.reason) for row in annotations.dropped] == [("bark", "has no length")]
    assert "start 'Start (s)' in seconds, end 'Stop (s)' in seconds" in annotations.notes[0]


def test_tabular_events_of_boris_are_paired(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "tabular.tsv", TABULAR))
    assert annotations.timelines == {"6008": Timeline(30.5, (Action(1.0, 4.5, "eat"),))}
    assert {(row.start, row.label, row.reason) for row in annotations.dropped} == {
        (2.0, "bark", "is a point event"),
        (2.0, "eat", "starts and never stops"),
    }


# VIA

VIA = {
    "project": {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": "Unnamed VIA Project",
        "creator": "VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)",
        "created": 1588343615019,
        "vid_list": ["1", "2"],
    },
    "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": {"file_content_align": "center"}},
    "attribute": {
        "1": {
            "aname": "Activity",
            "anchor_id": "FILE1_Z2_XY0",
            "type": 4,
            "desc": "Activity",
            "options": {"1": "Break Egg", "2": "Pour Liquid"},
            "default_option_id": "",
        },
        "2": {"aname": "Object", "anchor_id": "FILE1_Z1_XY1", "type": 1, "desc": "", "options": {}},
        "3": {"aname": "Hands", "anchor_id": "FILE1_Z2_XY0", "type": 2, "desc": "", "options": {"0": "l", "1": "r"}},
    },
    "file": {
        "1": {"fid": "1", "fname": "Alioli.mp4", "type": 4, "loc": 2, "src": "https://example.org/a/Alioli.mp4"},
        "2": {"fid": "2", "fname": "Other.webm", "type": 4, "loc": 1, "src": ""},
    },
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    "metadata": {
        "-glfwaaX": {"vid": "1", "flg": 0, "z": [4, 6.5], "xy": [], "av": {"1": "1"}},
        "mmJwkkkX": {"vid": "1", "flg": 0, "z": [3], "xy": [2, 10, 20, 30, 40], "av": {"2": "Bread"}},
        "kkWqqqXX": {"vid": "1", "flg": 0, "z": [7, 8], "xy": [], "av": {}},
        "2_abc": {"vid": "2", "flg": 0, "z": [0.5, 1], "xy": [], "av": {"3": "0,1"}},
    },
}


def test_via_segments_are_labelled_by_what_their_options_mean(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "via_project.json", VIA))
    assert annotations.timelines == {
        "Alioli": Timeline(6.5, (Action(4, 6.5, "Break Egg"),)),
        "Other": Timeline(1.0, (Action(0.5, 1, "l"), Action(0.5, 1, "r"))),
    }
    assert [(row.video, row.start, row.reason) for row in annotations.dropped] == [("Alioli", 7, "has no label")]
    assert "1 regions and moments, which are no segments, are left aside" in annotations.notes


# CVAT

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>4</id>
      <name>my task</name>
      <size>200</size>
      <mode>interpolation</mode>
      <overlap>5</overlap>
      <start_frame>0</start_frame>
      <stop_frame>199</stop_frame>
      <frame_filter></frame_filter>
      <labels><label><name>jump</name><color>#c06060</color><type>any</type><attributes></attributes></label></labels>
      <original_size><width>1920</width><height>1080</height></original_size>
      <source>clip.mp4</source>
    </task>
    <dumped>2024-01-01 10:00:00.000000+00:00</dumped>
  </meta>
  <track id="0" label="jump" source="manual">
    <box frame="10" outside="0" occluded="0" keyframe="1" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00"></box>
    <box frame="11" outside="0" occluded="0" keyframe="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00"></box>
    <box frame="12" outside="1" occluded="0" keyframe="1" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00"></box>
    <box frame="50" outside="0" occluded="0" keyframe="1" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00"></box>
    <box frame="74" outside="0" occluded="0" keyframe="1" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00"></box>
  </track>
  <track id="1" label="run" source="manual">
    <polygon frame="100" outside="0" occluded="0" keyframe="1" points="0.00,0.00;1.00,1.00" z_order="0"></polygon>
  </track>
</annotations>
"""


def test_cvat_tracks_are_seen_from_their_first_frame_to_the_end_of_their_last(tmp_path: Path) -> None:
    file = saved(tmp_path / "annotations.xml", CVAT)
    with pytest.raises(BadInput, match=r"annotations\.xml: counts in frames and states no rate; .* --fps 25"):
        read_any(file)
    actions = (Action(0.4, 0.48, "jump"), Action(2.0, 3.0, "jump"), Action(4.0, 4.04, "run"))
    assert read_any(file, fps=25).timelines == {"clip": Timeline(8.0, actions)}


def test_cvat_rates_in_the_file_and_skipped_frames_are_minded(tmp_path: Path) -> None:
    content = CVAT.replace("<frame_filter>", "<fps>50</fps><frame_filter>step=5")
    timeline = read_any(saved(tmp_path / "annotations.xml", content)).timelines["clip"]
    assert timeline.actions == (Action(0.2, 0.24, "jump"), Action(1.0, 79 / 50, "jump"), Action(2.0, 2.1, "run"))


# Label Studio


def task(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {"id": 5, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}
    data = {"video": "/data/upload/1/0e1b2c3d-clip.mp4"}
    return {"id": 1, "annotations": [made], "predictions": [], "data": data, "meta": {}, **more}


RANGE = {
    "value": {"ranges": [{"start": 26, "end": 50}], "timelinelabels": ["jump"]},
    "id": "6WTbS",
    "from_name": "videoLabels",
    "to_name": "video",
    "type": "timelinelabels",
    "origin": "manual",
}
REGION = {
    "original_length": 20.5,
    "value": {"start": 1.25, "end": 3.5, "channel": 0, "labels": ["speech"]},
    "id": "wavesurfer_1",
    "from_name": "tricks",
    "to_name": "audio",
    "type": "labels",
    "origin": "manual",
}
BOX = {
    "value": {"framesCount": 250, "duration": 10.0, "sequence": [{"frame": 1, "enabled": True}], "labels": ["man"]},
    "type": "videorectangle",
    "from_name": "box",
    "to_name": "video",
}


def test_label_studio_frames_count_from_one_and_both_ends_are_in(tmp_path: Path) -> None:
    file = saved(tmp_path / "export.json", [task(RANGE)])
    with pytest.raises(BadInput, match=r"export\.json: task 1 counts in frames and states no rate"):
        read_any(file)
    assert read_any(file, fps=25).timelines == {"clip": Timeline(2.0, (Action(1.0, 2.0, "jump"),))}


def test_label_studio_regions_are_seconds_and_boxes_tell_the_rate(tmp_path: Path) -> None:
    annotations = read_any(saved(tmp_path / "export.json", [task(RANGE, REGION, BOX)]))
    actions = (Action(1.0, 2.0, "jump"), Action(1.25, 3.5, "speech"))
    assert annotations.timelines == {"clip": Timeline(20.5, actions)}
    assert "regions that are no labelled stretch of time are left aside" in annotations.notes


def test_label_studio_takes_one_annotation_of_several_the_agreed_one_first(tmp_path: Path) -> None:
    first = task(REGION)["annotations"][0]
    other = {**REGION, "value": {**REGION["value"], "labels": ["agreed"]}}
    agreed = {**first, "ground_truth": True, "result": [other]}
    cancelled = {**first, "was_cancelled": True}
    annotations = read_any(saved(tmp_path / "export.json", [task(annotations=[cancelled, first, agreed])]))
    assert [action.label for action in annotations.timelines["clip"].actions] == ["agreed"]
    assert any("several annotations of one task" in note for note in annotations.notes)


def test_label_studio_in_short_and_predictions_are_read(tmp_path: Path) -> None:
    short = [
        {"id": 1, "video": "/data/local-files/?d=day%201/clip.mp4", "videoLabels": [RANGE["value"]], "annotator": 1}
    ]
    expected = {"clip": Timeline(2.0, (Action(1.0, 2.0, "jump"),))}
    assert read_any(saved(tmp_path / "min.json", short), fps=25).timelines == expected
    predicted = task(annotations=[], predictions=[{"model_version": "m", "result": [{**RANGE, "score": 0.5}]}])
    annotations = read_any(saved(tmp_path / "predicted.json", [predicted]), fps=25)
    assert annotations.timelines["clip"].actions == (Action(1.0, 2.0, "jump", 0.5),)
    assert "no task is annotated: predictions are read" in annotations.notes


# Subtitles


def test_srt_is_read_with_windows_line_ends_positions_and_missing_numbers(tmp_path: Path) -> None:
    first = "\ufeff1\r\n00:00:01,500 --> 00:00:02,000 X1:40 X2:600\r\njump\r\nhigh\r\n\r\n"
    content = f"{first}00:01:00.000 --> 01:00:00,5\r\nrun"
    timeline = read_any(saved(tmp_path / "clip.srt", content)).timelines["clip"]
    assert timeline.actions == (Action(1.5, 2.0, "jump\nhigh"), Action(60.0, 3600.5, "run"))


def test_the_percentages_of_our_own_subtitles_are_scores(tmp_path: Path) -> None:
    one, other = "1\n00:00:01,000 --> 00:00:02,000\njump (87 %)\n", "2\n00:00:03,000 --> 00:00:04,000\nrun (5 %)\n"
    actions = read_any(saved(tmp_path / "clip.srt", f"{one}\n{other}")).timelines["clip"].actions
    assert actions == (Action(1, 2, "jump", 0.87), Action(3, 4, "run", 0.05))
    mixed = saved(tmp_path / "mixed.srt", f"{one}\n{other.replace(' (5 %)', '')}")
    assert [action.label for action in read_any(mixed).timelines["mixed"].actions] == ["jump (87 %)", "run"]


VTT = """WEBVTT - a title

NOTE
jump --- not a cue

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Anna>jump &amp; <b>run</b></v>

01:00:00.000 --> 01:00:01.000
&lt;b&gt;
"""


def test_webvtt_comments_styles_and_tags_are_no_labels(tmp_path: Path) -> None:
    timeline = read_any(saved(tmp_path / "clip.vtt", VTT)).timelines["clip"]
    assert timeline.actions == (Action(1.0, 2.5, "jump & run"), Action(3600.0, 3601.0, "<b>"))


# Audacity


def test_audacity_labels_with_frequencies_are_read(tmp_path: Path) -> None:
    content = "1.500000\t2.000000\tjump\n\\\t100.0\t2000.0\n3.000000\t3.000000\ttick\n4.0\t5.0\t\n"
    annotations = read_any(saved(tmp_path / "clip.txt", content))
    assert annotations.timelines["clip"].actions == (Action(1.5, 2.0, "jump"), Action(4.0, 5.0, "unnamed"))
    assert [(row.label, row.reason) for row in annotations.dropped] == [("tick", "has no length")]


# Data sets

EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    "P01_102_0,P01,P01_102,00:00:01.100,00:00:00.54,00:00:02.23,27,111,take knife and plate,take,0,knife,4,"
    "\"['knife', 'plate']\",\"[4, 2]\"\n"
    "P01_01_101,P01,P01_01,00:08:00.020,00:08:01.47,00:08:02.21,28888,28932,open cupboard,open,3,cupboard,3,"
    "['cupboard'],[3]\n"
)


@pytest.mark.parametrize(
    ("label", "expected"),
    [(None, "take knife"), ("narration", "take knife and plate"), ("verb", "take"), ("verb_class+noun_class", "0 4")],
)
def test_epic_kitchens_labels_are_verb_and_noun_or_what_is_asked(
    tmp_path: Path, label: str | None, expected: str
) -> None:
    timelines = read_any(saved(tmp_path / "EPIC_100_train.csv", EPIC), label=label).timelines
    assert timelines["P01_102"].actions == (Action(0.54, 2.23, expected),)
    assert timelines["P01_01"].actions[0].start == pytest.approx(481.47)


CHARADES = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    '46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, then eats.",food;stove,Someone cooks.,'
    "c092 11.90 21.20;c147 0.00 12.60,24.83\n"
    "N11GT,0KZ7,Stairs,6,7,Yes,x,y,z,,30.08\n"
)


def test_charades_actions_and_lengths_are_read(tmp_path: Path) -> None:
    assert read_any(saved(tmp_path / "Charades_v1_train.csv", CHARADES)).timelines == {
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
        ("a.csv", AGGREGATED, "table"),
        ("a.tsv", TABULAR, "table"),
        ("a.txt", TABULAR, "table"),
        ("a.txt", "1.0\t2.0\tjump\n", "audacity"),
        ("a.srt", "", "srt"),
        ("a.VTT", VTT, "vtt"),
    ],
)
def test_a_format_is_told_by_ending_and_content(tmp_path: Path, name: str, content: Any, form: str) -> None:
    assert tell(saved(tmp_path / "folder" / name, content)) == form
    assert tell(tmp_path / "folder") == form


def test_a_folder_of_files_is_one_set_of_videos(tmp_path: Path) -> None:
    for name in ("one", "two"):
        saved(tmp_path / "subs" / f"{name}.srt", "1\n00:00:01,000 --> 00:00:02,000\njump\n")
    saved(tmp_path / "subs" / "._one.srt", "what another system leaves behind")
    assert sorted(read_any(tmp_path / "subs").timelines) == ["one", "two"]
    saved(tmp_path / "both" / "a.eaf", EAF)
    saved(tmp_path / "both" / "b.eaf", EAF)
    with pytest.raises(BadInput, match=r"b\.eaf: is of video 'day 1', and so is a\.eaf; leave one of them out"):
        read_any(tmp_path / "both")
