"""`untrimmed convert`: one line of what was done, a note for everything guessed, dropped or lost."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from untrimmed.annotations.convert import FORMATS, convert, read_annotations, write_annotations
from untrimmed.cli import app
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def run_convert(*words: object) -> Result:
    return CliRunner().invoke(app, ["convert", *map(str, words)])


def lines_of(result: Result) -> list[str]:
    """The lines of a command that ended well."""
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = ["Clip;Begin;End;Behaviour;conf", "a.mp4;1;2;jump;0,5", "a.mp4;9;8;jump;1", "b.mp4;1,25;3;run;1"]
    rows += [f"b.mp4;{number};{number};tick;1" for number in range(4)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    return tmp_path / "table.csv"


def test_notes_say_what_was_guessed_dropped_and_lost(table: Path, tmp_path: Path) -> None:
    lines = lines_of(run_convert(table, tmp_path / "out.json"))
    assert lines == [
        f"{tmp_path}/out.json: 2 videos, 2 actions, 2 classes; from table to activitynet",
        "note: columns, parted by semicolons: "
        "label 'Behaviour', video 'Clip', start 'Begin', end 'End', score 'conf'",
        "note: length guessed from the last action for 2 videos, the first is 'a': 2 s; "
        "give the lengths (durations=..., --durations)",
        "note: 5 dropped: video 'a', 'jump' at [9, 8] s, is reversed; video 'b', 'tick' at [0, 0] s, has no length; "
        "video 'b', 'tick' at [1, 1] s, has no length; and 2 more",
        "note: scores are left out, as ActivityNet's JSON has no place for them",
    ]
    entry = json.loads((tmp_path / "out.json").read_text())["database"]["b"]
    assert entry == {"duration": 3.0, "annotations": [{"label": "run", "segment": [1.25, 3.0]}]}


def test_a_conversion_has_the_annotations_both_formats_and_all_notes_in_order(table: Path, tmp_path: Path) -> None:
    conversion = convert(str(table), str(tmp_path / "out"), to="srt", fps=25)
    assert (conversion.format, conversion.written.format, conversion.written.path) == (
        "table",
        "srt",
        tmp_path / "out",
    )
    assert conversion.annotations.timelines["a"].actions == (Action(1.0, 2.0, "jump", 0.5),)
    beginnings = (
        "columns, parted by",
        "length guessed from the last action for 2 videos",
        "5 dropped: video 'a', 'jump'",
        "scores are",
        "lengths are",
        "times",
    )
    assert len(conversion.notes) == len(beginnings)
    assert all(note.startswith(words) for note, words in zip(conversion.notes, beginnings, strict=True))
    assert str(conversion) == f"{tmp_path}/out: 2 videos, 2 actions, 2 classes; from table to srt"


def test_timelines_alone_are_written_and_paths_may_be_text(tmp_path: Path) -> None:
    timelines = {"clip": Timeline(9.0, (Action(1.0, 2.0, "jump"),))}
    write_annotations(str(tmp_path / "out.json"), timelines)
    assert read_annotations(str(tmp_path / "out.json")).timelines == timelines
    (tmp_path / "lengths.csv").write_text("video,duration\nclip,12\n")
    write_annotations(tmp_path / "clip.srt", timelines)
    again = read_annotations(str(tmp_path / "clip.srt"), durations=str(tmp_path / "lengths.csv"))
    assert again.timelines["clip"].duration == 12.0


def test_both_formats_can_be_named(table: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.dat").write_bytes(table.read_bytes())
    lines = lines_of(
        run_convert(tmp_path / "odd.dat", tmp_path / "out.json", "--from", "table", "--to", "activitynet-results")
    )
    assert lines[0].endswith("from table to activitynet-results")
    assert read_annotations(tmp_path / "out.json").timelines["a"].actions == (Action(1.0, 2.0, "jump", 0.5),)


def test_a_wrong_guess_is_overruled(tmp_path: Path) -> None:
    columns = "video_id,start_timestamp,stop_timestamp,narration,verb,noun"
    (tmp_path / "epic.csv").write_text(f"{columns}\nv,1,2,cut it up,cut,it\n")
    lines_of(run_convert(tmp_path / "epic.csv", tmp_path / "guessed.json"))
    lines_of(run_convert(tmp_path / "epic.csv", tmp_path / "named.json", "--from", "table"))
    labels = [read_annotations(tmp_path / name).timelines["v"].labels for name in ("guessed.json", "named.json")]
    assert labels == [("cut it",), ("cut it up",)]
    lines_of(run_convert(tmp_path / "epic.csv", tmp_path / "verb.json", "--label", "verb"))
    assert read_annotations(tmp_path / "verb.json").timelines["v"].labels == ("cut",)


def test_a_folder_is_written_for_many_videos_and_read_again(table: Path, tmp_path: Path) -> None:
    lines = lines_of(run_convert(table, tmp_path / "grids", "--to", "textgrid"))
    assert sorted(path.name for path in (tmp_path / "grids").iterdir()) == ["a.TextGrid", "b.TextGrid"]
    assert "note: scores are left out, as a TextGrid has no place for them" in lines
    assert lines_of(run_convert(tmp_path / "grids", tmp_path / "again.tsv"))[0].endswith("from textgrid to table")
    assert read_annotations(tmp_path / "again.tsv").timelines["b"] == Timeline(3.0, (Action(1.25, 3.0, "run"),))


def small_video(path: Path, seconds: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(10 * seconds):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def test_lengths_come_from_the_videos_themselves_or_from_a_table(table: Path, tmp_path: Path) -> None:
    small_video(tmp_path / "videos" / "a.mp4", 7)
    lines = lines_of(run_convert(table, tmp_path / "out.json", "--durations", tmp_path / "videos"))
    assert any(
        line.startswith("note: length guessed from the last action for 1 video, the first is 'b'") for line in lines
    )
    timelines = read_annotations(tmp_path / "out.json").timelines
    assert timelines["a"].duration == pytest.approx(7.0) and timelines["b"].duration == 3.0
    (tmp_path / "lengths.csv").write_text("video;duration (s)\nb.mp4;12,5\n")
    lines_of(run_convert(table, tmp_path / "again.json", "--durations", tmp_path / "lengths.csv"))
    assert read_annotations(tmp_path / "again.json").timelines["b"].duration == 12.5


def test_a_length_makes_rows_that_leave_the_video_drop(table: Path, tmp_path: Path) -> None:
    (tmp_path / "lengths.csv").write_text("video,duration\na,5\nb,1.75\n")
    lines = lines_of(run_convert(table, tmp_path / "out.json", "--durations", tmp_path / "lengths.csv"))
    assert "video 'b', 'run' at [1.25, 3] s, ends 1.25 s after the video does at 1.75 s" in "".join(lines)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["nowhere.csv", "out.json"],
            "untrimmed: nowhere.csv: no such file or folder of annotations; check the path",
        ),
        (["table.csv", "out"], "untrimmed: out: ends in none of"),
        (["table.csv", "out.xml"], "untrimmed: out.xml: holds one video, not 2"),
        (["table.csv", "out", "--to", "cvat"], "give frames a second, as in --fps 25"),
        (
            ["table.csv", "out.json", "--durations", "nowhere"],
            "untrimmed: nowhere: no such folder of videos or table",
        ),
        (["table.csv", "out.json", "--durations", "."], "untrimmed: .: holds no video; of its 2 files the first is"),
        (
            ["table.csv", "out.json", "--durations", "bad.csv"],
            "bad.csv: line 2 has -1 for 'duration' of video 'a'; a positive number",
        ),
        (
            ["table.csv", "out.json", "--durations", "table.csv"],
            "table.csv: has no columns for video and duration in a unit of time, of Clip",
        ),
        (["table.csv", "out.json", "--fps", "0"], "untrimmed: 0 frames a second: a positive number was expected"),
        (["table.csv", "out.json", "--to", "word"], "untrimmed: no format 'word'; there are activitynet"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("video,duration\na,-1\n")
    listing = sorted(tmp_path.iterdir())
    result = run_convert(*words)
    assert result.exit_code == 2
    assert sentence in result.output and len(result.output.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == listing


def test_the_help_names_every_format() -> None:
    text = run_convert("--help").output
    assert all(form.partition("-")[0] in text for form in FORMATS)


def test_lengths_are_found_under_any_form_of_a_name_and_that_is_said(table: Path, tmp_path: Path) -> None:
    (tmp_path / "lengths.csv").write_text("video,duration\nv_A.MTS,5\nb,6\n")
    lines = lines_of(run_convert(table, tmp_path / "out.json", "--durations", tmp_path / "lengths.csv"))
    timelines = read_annotations(tmp_path / "out.json").timelines
    assert (timelines["a"].duration, timelines["b"].duration) == (5.0, 6.0)
    assert any("1 video is spelled differently" in line and "'a' and 'v_A'" in line for line in lines)


def test_lengths_of_other_videos_are_refused(table: Path, tmp_path: Path) -> None:
    (tmp_path / "lengths.csv").write_text("video,duration\nab,5\nzebra,6\n")
    result = run_convert(table, tmp_path / "out.json", "--durations", tmp_path / "lengths.csv")
    assert result.exit_code == 2 and "no name is in both (is it 'ab' there?)" in result.output
    assert not (tmp_path / "out.json").exists()


def test_a_text_that_all_names_have_behind_those_of_the_lengths_is_dropped(tmp_path: Path) -> None:
    for name in ("c1", "c2"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}_annotations.csv").write_text("start,end,label\n1,4,x\n")
    (tmp_path / "lengths.csv").write_text("video,duration\nc1,5\nc2,6\n")
    annotations = read_annotations(tmp_path / "in", durations=tmp_path / "lengths.csv")
    assert {video: line.duration for video, line in annotations.timelines.items()} == {"c1": 5.0, "c2": 6.0}
    assert any("such as 'c1_annotations' and 'c1'" in note for note in annotations.notes)


def test_recordings_of_one_name_are_called_by_their_folders_and_written_into_folders(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("video,start,end,label\n/d/cam1/a.mp4,1,2,x\n/d/cam2/a.mp4,1,3,x\nb.mp4,1,2,x\n")
    lines = read_annotations(tmp_path / "in.csv").timelines
    assert sorted(lines) == ["b", "cam1/a", "cam2/a"]
    write_annotations(tmp_path / "out", lines, "srt")
    assert (tmp_path / "out/cam2/a.srt").is_file() and (tmp_path / "out/b.srt").is_file()
    for name in ("../a", "/a", "x/../a", "x//a"):
        with pytest.raises(BadInput, match="cannot be the name of a file"):
            write_annotations(tmp_path / "more", {name: lines["b"]}, "srt")


@pytest.mark.parametrize(
    ("name", "text", "hints", "words"),
    [
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nx\n", {"label": "verb"}, "SRT has no columns to make labels of"),
        ("a.txt", "1.0\t2.0\tx\n", {"label": "verb"}, "leave out label='verb'"),
        ("a.txt", "1.0\t2.0\tx\n", {"columns": ("start", "end")}, "needs no names of columns; leave out start, end"),
        ("a.csv", "video,start,end,label\na,1,2,x\n", {"tiers": ("left",)}, "has no tiers; leave out 'left'"),
    ],
)
def test_what_says_nothing_in_a_format_is_refused(
    tmp_path: Path, name: str, text: str, hints: dict[str, Any], words: str
) -> None:
    (tmp_path / name).write_text(text)
    assert read_annotations(tmp_path / name).timelines
    with pytest.raises(BadInput) as refusal:
        read_annotations(tmp_path / name, **hints)
    assert words in str(refusal.value)


def test_names_and_labels_that_differ_in_spelling_alone_are_said(tmp_path: Path) -> None:
    entry = {"duration": 10, "annotations": [{"segment": [1, 2], "label": label} for label in ("Run", "run ", "hop")]}
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"database": {"a": entry, "v_a": entry, "b": entry}}))
    annotations = read_annotations(file)
    assert set(annotations.timelines["a"].labels) == {"Run", "run ", "hop"}
    assert annotations.notes == (
        "1 label has blanks at an end, such as 'run '; they are kept, so take them out if they mean nothing",
        "1 name of a video is spelled in two ways, and taken for two videos, such as 'a' and 'v_a'; if they are one, "
        "spell them alike",
        "1 label is spelled in several ways, and taken for several classes, such as 'Run' and 'run '; if they are "
        "one, spell them alike",
    )


def test_names_in_two_unicode_forms_are_said_and_those_of_two_folders_are_not(tmp_path: Path) -> None:
    rows = "video,start,end,label\n{},1,2,run\n{},3,4,run\n"
    (tmp_path / "a.csv").write_text(rows.format("Caf\u00e9", "Cafe\u0301"), encoding="utf-8")
    assert any(r"such as 'Caf\xe9' and 'Cafe\u0301'" in note for note in read_annotations(tmp_path / "a.csv").notes)
    (tmp_path / "b.csv").write_text(rows.format("cam1/GX01.mp4", "cam2/GX01.mp4"))
    assert not any("two ways" in note for note in read_annotations(tmp_path / "b.csv").notes)


def test_what_is_written_into_folders_in_a_folder_is_found_there_again(tmp_path: Path) -> None:
    timelines = {name: Timeline(9.0, (Action(1, 2, name),)) for name in ("cam1/GX01", "cam2/GX01", "other")}
    write_annotations(tmp_path / "out", timelines, "srt")
    annotations = read_annotations(tmp_path / "out")
    assert {video: timeline.labels for video, timeline in annotations.timelines.items()} == {
        video: (video,) for video in timelines
    }
    called = "2 videos are called by folder too, as files in several folders share a name, such as 'cam1/GX01'"
    assert called in annotations.notes


def test_tables_in_folders_of_a_folder_are_read_where_it_has_none_itself(tmp_path: Path) -> None:
    for name in ("x/a.csv", "y/b.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("start,end,label\n1,2,run\n")
    assert set(read_annotations(tmp_path).timelines) == {"a", "b"}
    (tmp_path / "c.csv").write_text("start,end,label\n1,2,run\n")
    assert set(read_annotations(tmp_path).timelines) == {"c"}


def test_a_length_that_is_guessed_of_detections_is_said(tmp_path: Path) -> None:
    row = {"segment": [10, 20], "label": "run", "score": 0.9}
    (tmp_path / "r.json").write_text(json.dumps({"results": {"a": [row]}}))
    assert any(
        note.startswith("length guessed from the last detection for 1 video, the first is 'a': 20 s")
        for note in convert(tmp_path / "r.json", tmp_path / "out.json").notes
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"results": [{"video_id": "a", "segment": [1, 2]}]},
            "its 'results' is a list; an object of videos was expected",
        ),
        (
            {"images": [], "annotations": [], "categories": []},
            "is COCO's JSON, with regions in pictures and no times",
        ),
    ],
)
def test_json_of_another_form_is_called_what_it_is(tmp_path: Path, content: dict, words: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=words):
        read_annotations(tmp_path / "a.json")


def test_one_tier_may_be_named_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,start,end,label\na,1,2,run\n")
    with pytest.raises(BadInput, match="has no tiers; leave out 'hand'"):
        read_annotations(tmp_path / "a.csv", tiers="hand")


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"), (b"\x89PNG\r\n\x1a\n", "a PNG image")],
)
def test_a_binary_file_full_of_zeros_is_no_utf_16(tmp_path, start, what):
    path = tmp_path / "labels.csv"
    path.write_bytes(start + bytes(500))
    with pytest.raises(BadInput, match=f"labels.csv: is {what}"):
        read_annotations(path)
