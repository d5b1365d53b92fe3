"""VIA 3's CSV, Sportscode, Solomon Coder, The Observer, CVAT's tags and jobs, and files that hold no actions."""

from pathlib import Path
from typing import Any

import pytest

from format_samples import CVAT, VIA, saved
from untrimmed.annotations.convert import read_annotations, write_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

VIA_CSV = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# - temporal coordinate of [1.349,2.741] denotes a temporal segment from time 1.346 sec. to 2.741 sec.
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"1_a","[""pair, 7.mp4""]",0,"[3.0,5.2]","[]","{""TEMPORAL-SEGMENTS"":""chase"",""Note"":""fast""}"
"1_b","[""pair, 7.mp4""]",0,"[9.4,14.4]","[]","{}"
"1_c","[""pair, 7.mp4""]",0,"[4.0]","[2,1,2,3,4]","{""Object"":""cup""}"
"""


def test_segments_of_via_are_read_from_its_csv_and_the_rest_is_said(tmp_path: Path) -> None:
    file = saved(tmp_path / "proj.csv", VIA_CSV.replace("\n", "\r\n"))
    assert sniff_format(file) == "via-csv"
    annotations = read_annotations(file)
    assert annotations.timelines["pair, 7"].actions == (Action(3.0, 5.2, "chase"),)
    assert [(row.start, row.reason) for row in annotations.dropped] == [(9.4, "has no label")]
    assert "1 region or moment, which is no segment, is left aside" in annotations.notes
    assert "attributes that are no part of the labels are left aside: Note (1) segments" in annotations.notes


def test_numbers_of_via_mean_the_options_that_a_comment_lists(tmp_path: Path) -> None:
    attribute = '# ATTRIBUTE = {"1":{"aname":"Act","anchor_id":"FILE1_Z2_XY0","type":4,"options":{"3":"chase"}}}\n'
    text = VIA_CSV.replace("# CSV", attribute + "# CSV").replace('""TEMPORAL-SEGMENTS"":""chase""', '""1"":""3""')
    assert read_annotations(saved(tmp_path / "a.csv", text)).timelines["pair, 7"].labels == ("chase",)
    older = (
        "# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata\n"
        '"1","[""a.mp4""]",1.5,2.5,"{""TEMPORAL-SEGMENTS"":""jump""}"\n'
    )
    expected = {"a": Timeline(2.5, (Action(1.5, 2.5, "jump"),))}
    assert read_annotations(saved(tmp_path / "a.csv", older)).timelines == expected


def test_further_attributes_of_a_segment_of_via_are_said(tmp_path: Path) -> None:
    metadata = {"m": {"vid": "1", "flg": 0, "z": [1, 2], "xy": [], "av": {"1": "1", "3": "0"}}}
    annotations = read_annotations(saved(tmp_path / "a.json", {**VIA, "metadata": metadata}))
    assert annotations.timelines["Alioli"].labels == ("Break Egg",)
    assert "attributes that are no part of the labels are left aside: Hands (1) segments" in annotations.notes


SPORTS = """<?xml version="1.0" encoding="utf-8"?>
<file><SESSION_INFO><start_time>2024-01-01 10:00:00</start_time></SESSION_INFO><ALL_INSTANCES>
<instance><ID>1</ID><start>3.0</start><end>5.2</end><code>SERVE</code>
<label><group>Side</group><text>left</text></label><label><text>ace</text></label></instance>
<instance><ID>2</ID><start>9.4</start><end>14.4</end><code>R&amp;D</code></instance>
</ALL_INSTANCES><ROWS><row><code>SERVE</code><R>1</R></row></ROWS></file>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_instances_of_sportscode_are_labelled_by_code_and_on_demand_by_group(tmp_path: Path, encoding: str) -> None:
    file = saved(tmp_path / "match.xml", SPORTS.replace('"utf-8"', f'"{encoding}"'), encoding)
    assert sniff_format(file) == "sportscode"
    annotations = read_annotations(file)
    assert annotations.timelines["match"].actions == (Action(3.0, 5.2, "SERVE"), Action(9.4, 14.4, "R&D"))
    assert any("labels are left out: Side (1), label (1)" in note for note in annotations.notes)
    assert read_annotations(file, label="code+Side").timelines["match"].labels == ("R&D", "SERVE left")
    with pytest.raises(BadInput, match=r"has no group of labels 'Half'; there are code, Side, label"):
        read_annotations(file, label="code+Half")
    broken = saved(tmp_path / "broken.xml", SPORTS.replace("<end>5.2</end>", ""))
    with pytest.raises(BadInput, match=r"instance 1 \('SERVE'\) is from '3\.0' to ''; two times in seconds were"):
        read_annotations(broken)


SOLOMON = "Time;Behaviour;Gaze\n0,0;;\n0,2;walk;\n0,4;walk;left\n0,6;run;left\n0,8;;left\n"


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_runs_of_solomon_coder_are_actions(tmp_path: Path, delimiter: str) -> None:
    text = SOLOMON.replace(",", ".").replace(";", delimiter) if delimiter != ";" else SOLOMON
    file = saved(tmp_path / "obs.csv", text)
    assert sniff_format(file) == "solomon"
    annotations = read_annotations(file)
    assert [(a.label, round(a.start, 6), round(a.end, 6)) for a in annotations.timelines["obs"].actions] == [
        *(("walk", 0.2, 0.6), ("left", 0.4, 1.0), ("run", 0.6, 0.8)),
    ]
    assert any("all 2 columns are read, and mixed: Behaviour (2), Gaze (1)" in note for note in annotations.notes)
    assert read_annotations(file, tiers=["Gaze"]).timelines["obs"].labels == ("left",)


@pytest.mark.parametrize(
    "text",
    [
        "time,label,subject\n0.0,walk,m1\n0.1,walk,m1\n0.2,run,m1\n",
        "Time,x,y\n0.0,1.5,2\n0.1,1.5,2\n0.2,3,4\n",
        "Time,a,b\n0.0,walk,\n0.1,walk,\n5,run,x\n",
    ],
)
def test_other_tables_of_times_are_no_sheets_of_solomon_coder(tmp_path: Path, text: str) -> None:
    assert sniff_format(saved(tmp_path / "obs.csv", text)) != "solomon"


OBSERVER = (
    "Date_Time_Absolute_dmy_hmsf,Time_Relative_hms,Time_Relative_sf,Duration_sf,Observation,Event_Log,Behavior,"
    "Subject,Modifier_1,Event_Type,Comment\n"
    "3-2-2024,0:00:01,1.000,2.500,cage4,log1,rear,m1,high,State start,\n"
    "3-2-2024,0:00:02,2.000,3.000,cage4,log1,rear,m2,,State start,quick\n"
    "3-2-2024,0:00:03,3.500,0.000,cage4,log1,rear,m1,high,State stop,\n"
    "3-2-2024,0:00:05,5.000,0.000,cage4,log1,rear,m2,,State stop,\n"
    "3-2-2024,0:00:05,5.000,0.000,cage4,log1,sniff,m1,,Point,\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_states_of_the_observer_pair_by_subject(tmp_path: Path, encoding: str, delimiter: str) -> None:
    file = saved(tmp_path / "log.csv", OBSERVER.replace(",", delimiter), encoding)
    assert sniff_format(file) == "observer"
    annotations = read_annotations(file)
    assert annotations.timelines["cage4"].actions == (Action(1.0, 3.5, "rear"), Action(2.0, 5.0, "rear"))
    assert [(row.label, row.reason) for row in annotations.dropped] == [("sniff", "is a point event")]
    notes = " ".join(annotations.notes)
    assert "m1 (3), m2 (2) events" in notes and "high (2)" in notes and "1 comment is left out" in notes
    assert read_annotations(file, label="behavior+subject").timelines["cage4"].labels == ("rear m1", "rear m2")


def test_without_stops_the_stated_length_of_a_state_ends_it(tmp_path: Path) -> None:
    text = "".join(line + "\n" for line in OBSERVER.splitlines() if "stop" not in line)
    annotations = read_annotations(saved(tmp_path / "log.csv", text))
    assert annotations.timelines["cage4"].actions == (Action(1.0, 3.5, "rear"), Action(2.0, 5.0, "rear"))
    with pytest.raises(BadInput, match=r"line 2 has the event type 'state end'; state start, state stop or point"):
        read_annotations(saved(tmp_path / "log.csv", OBSERVER.replace("State start", "State end")))


TAGS = (
    "<annotations><version>1.1</version><meta><task><name>clip7</name><size>300</size><source>clip7.mp4</source></task>"
    "</meta>{}</annotations>"
)


def test_frames_with_one_tag_that_follow_each_other_are_an_action(tmp_path: Path) -> None:
    images = "".join(
        f'<image id="{n}" name="frame_{n:06}"><tag label="chase"></tag><box label="mouse" xtl="0"/></image>'
        for n in (0, 1, 2, 10, 11)
    )
    annotations = read_annotations(saved(tmp_path / "a.xml", TAGS.format(images)), fps=10)
    actions = (Action(0.0, 0.3, "chase"), Action(1.0, 1.2, "chase"))
    assert annotations.timelines == {"clip7": Timeline(30.0, actions)}
    assert "5 shapes in single frames are left aside: tags alone are read" in annotations.notes
    pictures = TAGS.replace("<source>clip7.mp4</source>", "").format(
        '<image id="0" name="cat.jpg"><tag label="x"/></image>'
    )
    with pytest.raises(BadInput, match=r"tags pictures such as 'cat\.jpg' and no frames of a video"):
        read_annotations(saved(tmp_path / "a.xml", pictures), fps=10)


def test_a_job_of_cvat_is_a_part_of_a_video(tmp_path: Path) -> None:
    text = CVAT.replace("task>", "job>").replace("<start_frame>0", "<start_frame>5")
    file = saved(tmp_path / "a.xml", text)
    annotations = read_annotations(file, fps=25)
    assert annotations.timelines["clip"].duration == 8.0
    assert any("annotated in frames 5 to 199 alone" in note for note in annotations.notes)
    assert annotations.annotated == {"clip": ((0.2, 8.0),)}
    durations = saved(tmp_path / "durations.csv", "video,duration\nclip,60\n")
    known = read_annotations(file, fps=25, durations=durations)
    assert known.timelines["clip"].duration == 60.0 and known.annotated == {"clip": ((0.2, 8.0),)}
    whole = saved(tmp_path / "b.xml", CVAT)
    assert not read_annotations(whole, fps=25).annotated


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "Labels-v2.json",
            {"UrlLocal": "g", "annotations": [{"gameTime": "1 - 03:05", "label": "Corner", "position": "185012"}]},
            "holds 1 moments of SoccerNet, such as 'Corner' at '1 - 03:05' (185.012 s into its half), and no actions",
        ),
        ("a.json", {"_via_img_metadata": {}}, "is a project of VIA 2, with regions in pictures and no times"),
        ("a.json", {"images": [], "categories": [], "annotations": [{"id": 1}]}, "is COCO's JSON, with regions"),
        ("a.csv", "filename,file_size,file_attributes,region_count,region_id\n", "is a table of VIA 2, with regions"),
        ("a.csv", '"filename","file_size","file_attributes","region_count"\n', "is a table of VIA 2, with regions"),
        (
            "a.xml",
            "<plist/>",
            "is XML that begins with <plist>; <file> (sportscode), <ANNOTATION_DOCUMENT> (elan), <ann",
        ),
        ("a.annot", "", "does not begin with 'Bento annotation file'; a file of BENTO was expected"),
    ],
)
def test_a_file_without_actions_is_called_by_its_name(tmp_path: Path, name: str, content: Any, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_annotations(saved(tmp_path / name, content))
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("form", ["boris-table", "elan-tab", "via-csv", "observer", "solomon", "bento", "sportscode"])
def test_a_format_that_is_only_read_is_said_when_it_is_to_be_written(tmp_path: Path, form: str) -> None:
    with pytest.raises(BadInput, match=r"can be read but not written; there are activitynet"):
        write_annotations(tmp_path / "out.csv", {"v": Timeline(2.0, (Action(0, 1, "x"),))}, form)
    assert not (tmp_path / "out.csv").exists()


def test_tasks_of_label_studio_that_nobody_annotated_are_said(tmp_path: Path) -> None:
    region = {"type": "labels", "value": {"start": 1.0, "end": 2.0, "labels": ["jump"]}}
    tasks = [
        {"id": 1, "data": {"video": "a.mp4"}, "annotations": [{"result": [region]}]},
        {"id": 2, "data": {"video": "b.mp4", "duration": 9}, "annotations": []},
    ]
    annotations = read_annotations(saved(tmp_path / "a.json", tasks))
    assert annotations.timelines["b"] == Timeline(9.0, ())
    assert "1 task that nobody annotated is read as a video without actions: task 2" in annotations.notes


def test_raters_cancelled_tasks_and_boxes_of_label_studio_are_counted(tmp_path: Path) -> None:
    region = {"type": "labels", "value": {"start": 1.0, "end": 2.0, "labels": ["jump"]}}
    box = {"type": "videorectangle", "value": {"labels": ["jump"], "sequence": []}}
    tasks = [
        {"id": 1, "data": {"video": "a.mp4"}, "annotations": [{"result": [region, box]}, {"result": [region]}]},
        {"id": 2, "data": {"video": "b.mp4", "duration": 9}, "annotations": [{"was_cancelled": True, "result": []}]},
        {"id": 3, "data": {"video": "c.mp4"}, "annotations": [{"result": [box, region]}]},
    ]
    notes = read_annotations(saved(tmp_path / "a.json", tasks)).notes
    assert "1 task has several annotations, of which the agreed one is read, else the first: task 1 with 2" in notes
    assert "1 task whose annotations were all cancelled is read as a video without actions: task 2" in notes
    boxes = "2 regions that are no labelled stretch of time are left aside: the first is videorectangle in task 1"
    assert boxes in notes


CAPTIONS = """1
00:00:01,000 --> 00:00:02,000
<i>run</i>

2
00:00:03,000 -> 00:00:04,000
jump

3
00:00:05,000 --> 00:00:06,000

4
00:00:07,000 --> 00:00:08,000
{\\an8}hop <b>high</b>

and far
"""


def test_what_of_subtitles_is_no_label_is_counted_with_its_line(tmp_path: Path) -> None:
    annotations = read_annotations(saved(tmp_path / "a.srt", CAPTIONS))
    assert annotations.timelines["a"].actions == (Action(1, 2, "run"), Action(7, 8, "hop high"))
    assert annotations.notes[:3] == (
        "2 blocks without a time are left out, the first in line 5: '2 / 00:00:03,000 -> 00:00:04,000 / jump'",
        "1 cue without a text is left out, in line 9: '3 / 00:00:05,000 --> 00:00:06,000'",
        "marks of styles or voices are removed from 2 labels, the first '<i>run</i>'",
    )


def test_blocks_of_webvtt_that_are_no_cues_are_not_counted(tmp_path: Path) -> None:
    text = "WEBVTT - a\n\nNOTE all\n\nSTYLE\n::cue {}\n\n00:01.000 --> 00:02.000\nrun\n\n00:03.000 00:04.000\nhop\n"
    annotations = read_annotations(saved(tmp_path / "a.vtt", text))
    assert annotations.timelines["a"].actions == (Action(1, 2, "run"),)
    assert "in line 11: '00:03.000 00:04.000 / hop'" in annotations.notes[0]
    assert not any("NOTE" in note or "STYLE" in note for note in annotations.notes)


def test_a_label_that_looks_like_a_mark_of_styles_keeps_its_text_in_subtitles(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.srt", {"a": Timeline(3.0, (Action(1, 2, "<b>run</b>"),))})
    assert read_annotations(tmp_path / "a.srt").timelines["a"].actions == (Action(1, 2, "‹b›run‹/b›"),)


def test_intervals_and_tiers_of_a_textgrid_beyond_the_stated_number_are_read_and_said(tmp_path: Path) -> None:
    tier = '"IntervalTier"\n"{}"\n0\n9\n1\n0\n4\n"run"\n4\n9\n"hop"\n'
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n1\n'
    annotations = read_annotations(saved(tmp_path / "a.TextGrid", text + tier.format("x") + tier.format("y")))
    assert [action.label for action in annotations.timelines["a"].actions] == ["run", "run", "hop", "hop"]
    assert (
        "more is read than the file says it has: tier 'x' states 1 and has 2; tier 'y' states 1 and has 2; "
        "the file states 1 tier and has 2" in annotations.notes
    )


def test_an_option_that_a_project_of_via_lacks_is_said(tmp_path: Path) -> None:
    project = {
        "attribute": {"1": {"aname": "action", "anchor_id": "FILE1_Z2_XY0", "type": 4, "options": {"0": "run"}}},
        "file": {"1": {"fid": "1", "fname": "a.mp4"}},
        "metadata": {
            "1_a": {"vid": "1", "z": [1, 2], "av": {"1": "7"}},
            "1_b": {"vid": "1", "z": [3, 4], "av": {"1": "0"}},
        },
        "view": {"1": {"fid_list": ["1"]}},
    }
    annotations = read_annotations(saved(tmp_path / "a.json", project), "via")
    assert [action.label for action in annotations.timelines["a"].actions] == ["7", "run"]
    assert "the project lacks 1 option of its segments, such as '7' of 'action': taken as labels as they stand" in (
        annotations.notes
    )
