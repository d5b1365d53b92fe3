"""Tables of strangers: columns guessed by name, units by name and form, and what was guessed is told."""

import pickle
import re
from datetime import time
from pathlib import Path

import pytest

from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.formats.text import format_clock, parse_number, parse_seconds
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def table(path: Path, text: str, name: str = "table.csv") -> Path:
    (path / name).write_text(text, encoding="utf-8", newline="")
    return path / name


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end,label\nclip.mp4,1.5,62.25,jump\n",
        "Video_ID;StartTime;EndTime;Class\nclip;1,5;62,25;jump\n",
        "filename\tbegin\tstop\taction\nfolder/clip.mov\t1.5\t62.25\tjump\n",
        "video-name,f-init,f-end,fps,category\nclip,37.5,1556.25,25,jump\n",
        "video,Start Frame,End Frame,frame rate,label\nclip,37.5,1556.25,25,jump\n",
        "label,video,t-start,t-end\njump,clip,00:00:01.5,1:02.25\n",
        "video,start_ms,end_ms,label\nclip,1500,62250,jump\n",
        "video,onset,offset,behaviour\nclip,1.5,62.25,jump\n",
        "video,onset,duration,event\nclip,1.5,60.75,jump\n",
        "video,temporal_segment_start,temporal_segment_end,activity\nclip,1.5,62.25,jump\n",
        "video,start_frame,end_frame,start_sec,end_sec,label\nclip,7,8,1.5,62.25,jump\n",
        '\ufeffvideo,start,end,label\r\n"clip","1.5","62.25","jump"\r\n\r\n,,,\r\n',
        "clip,start,end,label,\nclip,1.5,62.25,jump\n".replace("label,\n", "label\n"),
    ],
)
def test_columns_are_recognized_under_many_names_and_units(tmp_path: Path, text: str) -> None:
    assert read_annotations(table(tmp_path, text)).timelines == {
        "clip": Timeline(62.25, (Action(1.5, 62.25, "jump"),))
    }


def test_the_guessed_meaning_of_columns_is_noted(tmp_path: Path) -> None:
    notes = read_annotations(table(tmp_path, "Clip;Begin (ms);End (s);Behaviour;conf\nc;1500;4;jump;0.5\n")).notes
    expected = (
        "label 'Behaviour', video 'Clip', start 'Begin (ms)' in milliseconds, end 'End (s)' in seconds, score 'conf'"
    )
    assert notes[0] == f"columns, parted by semicolons: {expected}"
    assert "length guessed from the last action for 1 video, the first is 'c': 4 s" in notes[1]


def test_frames_need_a_rate_and_take_that_of_the_caller(tmp_path: Path) -> None:
    file = table(tmp_path, "video,start_frame,end_frame,label\nclip,50,100,jump\n")
    with pytest.raises(
        BadInput, match=r"table\.csv: 'start_frame' counts frames; give frames a second \(fps=25, --fps 25\)"
    ):
        read_annotations(file)
    annotations = read_annotations(file, fps=25)
    assert annotations.timelines["clip"].actions == (Action(2.0, 4.0, "jump"),)
    assert "frames at 25 a second" in annotations.notes


def test_a_table_without_videos_is_of_the_video_that_it_is_called_after(tmp_path: Path) -> None:
    annotations = read_annotations(table(tmp_path, "start\tend\tlabel\n1\t2\tjump\n", "clip.tsv"))
    assert list(annotations.timelines) == ["clip"]
    assert "no column names the video: it is called as the file" in annotations.notes


def test_the_label_can_be_named_and_joined(tmp_path: Path) -> None:
    file = table(tmp_path, "video,start,end,hand,what\nclip,1,2,left,wave\nclip,3,4,,point\n")
    with pytest.raises(BadInput, match="has no column that is surely the label, of video, start, end, hand, what"):
        read_annotations(file)
    actions = read_annotations(file, label="hand+what").timelines["clip"].actions
    assert [action.label for action in actions] == ["left wave", "point"]
    with pytest.raises(BadInput, match=r"table\.csv: has no column 'foot' for the label, of video, start"):
        read_annotations(file, label="foot")


def test_lengths_subsets_and_videos_without_actions_are_read(tmp_path: Path) -> None:
    text = "video,start,end,label,video duration (ms),split\na,1,2,jump,9500,train\nb,,,,7000,test\n"
    annotations = read_annotations(table(tmp_path, text))
    assert annotations.timelines == {"a": Timeline(9.5, (Action(1, 2, "jump"),)), "b": Timeline(7.0)}
    assert annotations.subsets == {"a": "train", "b": "test"}


def test_rows_that_cannot_be_actions_are_dropped_with_a_reason(tmp_path: Path) -> None:
    annotations = read_annotations(
        table(tmp_path, "video,start,end,label\nclip,2,1,jump\nclip,nan,1,run\nclip,1,2,jump\n")
    )
    assert [(row.label, row.reason) for row in annotations.dropped] == [
        ("jump", "is reversed"),
        ("run", "is not finite"),
    ]
    assert annotations.timelines["clip"].actions == (Action(1, 2, "jump"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; a line that names columns was expected"),
        ("video,start,label\nclip,1,jump\n", "has no columns for start and end, of video, start, label"),
        ("video,start,end,label\nclip,1,jump\n", "line 2 has 3 cells (clip, 1, jump) for 4 columns (video,"),
        ("video,start,end,label\nclip,soon,2,jump\n", "line 2 has 'soon' for 'start'; seconds, or a time like"),
        ("video,start,end,label,score\nclip,1,2,jump,high\n", "line 2 has 'high' for 'score'; a score was expected"),
        ("video,start,end,label\n,1,2,jump\n", "line 2 names no video; fill it in"),
        ("video,start,end,label\na/c.mp4,1,2,x\na/c.avi,1,2,x\n", "'a/c.mp4' and 'a/c.avi' would both be video 'c'"),
        ("video,time,status,label\nclip,1,PAUSE,x\n", "line 2 has the status 'pause'; START or STOP was expected"),
        ("video,start,end,label\n", "has no action that can be used"),
        ("video,start,end,label\nclip,2,1,x\n", "no action that can be used; the first of 1 dropped is video 'clip'"),
        ('video,start,end,label\nclip,1,2,"' + "x" * 200_000 + '"\n', "line 2 cannot be parted into cells"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_annotations(table(tmp_path, text))
    assert "table.csv: " in str(refusal.value) and words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        (" 12,5 ", 12.5),
        ("1e1", 10.0),
        ("1:02", 62.0),
        ("00:01:02.500", 62.5),
        ("100:00:00,25", 360000.25),
        ("1:2:3:4", None),
        ("1_000", None),
        ("1,000,000", None),
        ("9" * 5000 + ":1", None),
        ("", None),
    ],
)
def test_times_are_numbers_or_clocks(text: str, seconds: float | None) -> None:
    assert parse_seconds(text) == seconds


def test_a_clock_shows_milliseconds_and_is_read_again() -> None:
    assert format_clock(3725.9996) == "01:02:06.000"
    assert parse_seconds(format_clock(360000.0625)) == 360000.062
    assert parse_number("1.234,5") is None


@pytest.mark.parametrize(
    "text",
    [
        "# annotator: A\n# date: 2024-01-01\nvideo,start,end,label\nclip.avi,1.5,62.25,jump\n",
        "# video,start,end,label\nclip.avi,1.5,62.25,jump\n",
        "# video start end label\nclip.avi 1.5 62.25 jump\n",
        "sep=;\nvideo;start;end;label\nclip.avi;1,5;62,25;jump\n",
        "My study\n\nvideo,start,end,label\nclip.avi,1.5,62.25,jump\n",
        "clip.avi,1.5,62.25,jump\n",
        "1.5,62.25,jump,clip.avi\n",
        "clip.avi\t1.5\t62.25\tjump\n",
        "clip.avi   1.5  62.25  jump\n",
        "clip.avi|1.5|62.25|jump\n",
        ",0,1,2,3\n0,clip.avi,1.5,62.25,jump\n",
        ",video,start,end,label\n0,clip.avi,1.5,62.25,jump\n1,clip.avi,NaN,NaN,\n2,other,nan,nan,nan\n",
        "video,start,end,jump,fall\nclip.avi,1.5,62.25,1,0\n",
        "video,starttime,endtime,code\nclip.avi,1.5,62.25,jump\n",
        "media,action_start,action_end,event_name\nclip.avi,1.5,62.25,jump\n",
        "file,time_in,time_out,name\nclip.avi,1.5,62.25,jump\n",
        "video,start,end,label,\nclip.avi,1.5,62.25,jump,\n",
        "video start end label\nclip.avi 1.5 62.25 jump\n",
    ],
)
def test_tables_of_many_makes_are_read_alike(tmp_path: Path, text: str) -> None:
    for name in ("table.csv", "table.txt"):
        timelines = read_annotations(table(tmp_path, text, name)).timelines
        assert timelines == {"clip": Timeline(62.25, (Action(1.5, 62.25, "jump"),))}, name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = "video,start,end,label\nclip.mp4,1,2,salto mortale\n"
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    assert read_annotations(tmp_path / "table.csv").timelines["clip"].labels == ("salto mortale",)


def test_marks_of_classes_at_each_time_become_actions(tmp_path: Path) -> None:
    text = "video,frame,jump,fall\n" + "".join(f"c,{n},{int(2 <= n < 6)},{int(n >= 8)}\n" for n in range(10))
    timeline = read_annotations(table(tmp_path, text), fps=2).timelines["c"]
    assert timeline.actions == (Action(1.0, 3.0, "jump"), Action(4.0, 5.0, "fall"))


def test_what_is_skipped_guessed_and_not_used_is_noted(tmp_path: Path) -> None:
    text = "# by A\nvideo,start,end,label,comment,rater\nc,1,2,jump,good,7\nd,,,,,\n"
    notes = read_annotations(table(tmp_path, text)).notes
    assert "comments above the table are skipped (1 line): '# by A'" in notes
    assert "columns that are not used: 'comment', 'rater'" in notes
    assert "lines without times (1, the first is line 4) only say that there is such a video" in notes
    notes = read_annotations(table(tmp_path, "c.mp4,1,2,jump\n")).notes
    assert "no line names the columns: taken as video, start, end, label" in notes


def test_columns_without_names_can_be_named(tmp_path: Path) -> None:
    file = table(tmp_path, "jump,run,1,2\nfall,run,3,4\n")
    with pytest.raises(
        BadInput, match=r"no line names the columns, and line 1 has jump, run, 1, 2; .*--columns video,"
    ):
        read_annotations(file)
    timelines = read_annotations(file, columns=("label", "video", "start", "end")).timelines
    assert timelines == {"run": Timeline(4.0, (Action(1, 2, "jump"), Action(3, 4, "fall")))}


def test_moments_are_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has one time a line \('time'\) and no end, so these are moments"):
        read_annotations(table(tmp_path, "video,time,label\nv1.avi,1.0,jump\n"))


def test_two_groups_of_datavyu_need_a_choice(tmp_path: Path) -> None:
    text = "a.ordinal,a.onset,a.offset,a.code01,b.onset,b.offset,b.code01\n1,1000,2000,look,3000,4000,reach\n"
    with pytest.raises(BadInput, match=r"has not one code of Datavyu but a\.code01, b\.code01; name the label"):
        read_annotations(table(tmp_path, text))
    timeline = read_annotations(table(tmp_path, text), label="b.code01").timelines["table"]
    assert timeline.actions == (Action(3.0, 4.0, "reach"),)


def test_a_workbook_is_read_from_its_first_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for cells in (("video", "start", "end", "label"), ("clip.mp4", 1.5, time(0, 1, 2, 250000), "jump")):
        book.active.append(cells)
    book.create_sheet("More").append(("x",))
    book.save(tmp_path / "table.xlsx")
    annotations = read_annotations(tmp_path / "table.xlsx")
    assert annotations.timelines == {"clip": Timeline(62.25, (Action(1.5, 62.25, "jump"),))}
    assert "read from sheet 'Sheet'; not read: 'More'" in annotations.notes


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"PK\x03\x04 and xl/worksheets\xff", "table.csv", "is an Excel workbook (.xlsx), not text"),
        (b"PK\x03\x04\xff", "table.txt", "is a ZIP archive, not text"),
        (pickle.dumps({"a": 1}), "table.json", "is a Python pickle, which is never run, not text"),
        (b"\x89PNG\r\n\x1a\n", "table.csv", "is a PNG image, not text"),
        (b"\xd0\xcf\x11\xe0\xa1", "table.xls", "is an old Office file (.xls, .doc), and no file of annotations"),
        (b"video,start", "table.xlsx", "is no Excel workbook, whatever its ending says"),
        (b"PK\x03\x04", "table.xlsx", "cannot be read as an Excel workbook"),
        (b"video,label\nCaf\x81,x\n", "table.csv", "is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=re.escape(words)):
        read_annotations(tmp_path / name)
