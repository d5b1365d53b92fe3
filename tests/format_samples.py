"""Files as each annotation tool writes them."""

import json
from pathlib import Path
from typing import Any

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


def task(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    annotation = {"id": 5, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}
    data = {"video": "/data/upload/1/0e1b2c3d-clip.mp4"}
    return {"id": 1, "annotations": [annotation], "predictions": [], "data": data, "meta": {}, **more}


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


EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    "P01_102_0,P01,P01_102,00:00:01.100,00:00:00.54,00:00:02.23,27,111,take knife and plate,take,0,knife,4,"
    "\"['knife', 'plate']\",\"[4, 2]\"\n"
    "P01_01_101,P01,P01_01,00:08:00.020,00:08:01.47,00:08:02.21,28888,28932,open cupboard,open,3,cupboard,3,"
    "['cupboard'],[3]\n"
)


CHARADES = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    '46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, then eats.",food;stove,Someone cooks.,'
    "c092 11.90 21.20;c147 0.00 12.60,24.83\n"
    "N11GT,0KZ7,Stairs,6,7,Yes,x,y,z,,30.08\n"
)


def saved(path: Path, content: str | dict | list, encoding: str = "utf-8") -> Path:
    """The file, with what is no text as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding, newline="")
    return path
