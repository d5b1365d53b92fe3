"""Tables of strangers: what a column, a line or a cell that says too little becomes, aloud."""

from pathlib import Path

import pytest

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.formats.thumos import read_rates
from untrimmed.io import BadInput

HEAD = "video,start,end,label\n"


def read(folder: Path, text: str, name: str = "x.csv", lengths: str = "", **options: object) -> Annotations:
    (folder / name).write_text(text, encoding="utf-8")
    if lengths:
        (folder / "lengths.csv").write_text(lengths, encoding="utf-8")
        options["durations"] = folder / "lengths.csv"
    return read_annotations(folder / name, **options)  # pyright: ignore[reportArgumentType]


def list_actions(annotations: Annotations) -> list[tuple[str, float, float, str]]:
    """List all actions with their videos, times rounded to milliseconds."""
    return [
        (video, round(action.start, 3), round(action.end, 3), action.label)
        for video, timeline in annotations.timelines.items()
        for action in timeline.actions
    ]


@pytest.mark.parametrize(
    ("start", "end", "cells", "seconds"),
    [
        ("start (min)", "end (min)", "1.5,2", (90, 120)),
        ("start [h]", "end [h]", "0.5,0.51", (1800, 1836)),
        ("start_ns", "end_ns", "1500000000,2500000000", (1.5, 2.5)),
        ("start (%)", "end (%)", "10,20", (360, 720)),
        ("start %", "end %", "10,20", (360, 720)),
        ("start_percent", "end_pct", "10,20", (360, 720)),
        ("start (Min:Sec)", "end (Min:Sec)", "1:30,2:00", (90, 120)),
    ],
)
def test_a_unit_in_the_names_of_both_times_is_read(
    tmp_path: Path, start: str, end: str, cells: str, seconds: tuple[float, float]
) -> None:
    text = f"video,{start},{end},label\na,{cells},run\n"
    assert list_actions(read(tmp_path, text, lengths="video,length (min)\na,60\n")) == [("a", *seconds, "run")]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("start (%),end (%)", "shares of video 'a' need its length in seconds"),
        ("start (%),end (s)", "'start (%)' is in percent of the videos' lengths and 'end (s)' is not said to be"),
        ("start (ms),end", "'start (ms)' is in milliseconds and 'end' is not said to be; name the unit of both"),
        ("start_time_ms,duration", "'start_time_ms' is in milliseconds and 'duration' is not said to be"),
        (
            "start (samples),end (samples)",
            "'start (samples)' has a word or a unit that says too little: give seconds",
        ),
        ("Start [1/100 s],End [1/100 s]", "'Start [1/100 s]' has a word or a unit that says too little"),
        (
            "start (Min:Sec),end (Min:Sec)",
            "line 2 has '10' for 'start (Min:Sec)'; a time like 00:01:02.5 was expected",
        ),
    ],
)
def test_a_unit_that_leaves_a_doubt_is_refused(tmp_path: Path, names: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, f"video,{names},label\na,10,20,run\n")
    assert words in str(refusal.value)


def test_a_unit_that_somebody_gives_is_that_of_the_column_without_one(tmp_path: Path) -> None:
    text = "video,start (ms),end,label\na,1000,2000,run\n"
    assert list_actions(read(tmp_path, text, unit="ms")) == [("a", 1, 2, "run")]


@pytest.mark.parametrize("word", ["Total", "SUM:", "Mean", "Summe"])
def test_totals_at_the_end_are_left_out_aloud(tmp_path: Path, word: str) -> None:
    annotations = read(tmp_path, f"{HEAD}a,1,2,run\nb,10,12,jump\n{word},11,14,\n")
    assert list(annotations.timelines) == ["a", "b"]
    assert f"1 line is left out as a total at the end: the first is line 4, '{word}, 11, 14'" in annotations.notes


def test_a_video_that_is_called_so_twice_is_no_total(tmp_path: Path) -> None:
    assert list(read(tmp_path, f"{HEAD}total,1,2,run\ntotal,3,4,run\n").timelines) == ["total"]


def test_lines_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = "".join(
        f"a,{2 * index},{2 * index + 1},{label}\n" for index, label in enumerate(("NA", "", "nan", "None"))
    )
    annotations = read(tmp_path, f"{HEAD}a,9,10,run\n{lines}b,1,2,null\nb,3,4,jump\n")
    assert list_actions(annotations) == [("a", 9, 10, "run"), ("b", 3, 4, "jump")]
    note = "5 lines have times and no label, and are left out: the first is line 3, with 'NA' for 'label'"
    assert note in annotations.notes


def test_background_is_a_class_of_a_table_and_that_is_noted(tmp_path: Path) -> None:
    annotations = read(tmp_path, f"{HEAD}a,1,2,background\na,3,4,run\n")
    assert len(list_actions(annotations)) == 2
    assert any(note.startswith("1 action is called 'background' or the like, a class") for note in annotations.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('video,start,end,label\na,"1,234","1,240",run\n', "line 2 has '1,234' for 'start', so there is no telling"),
        ("video\tstart\tend\tlabel\na\t950\t1,240\trun\n", "line 2 has '1,240' for 'end', so there is no telling"),
        ("video;start;end;label\na;12,5;13,5;run\na;1.234;1.236;run\n", "line 3 has '1.234' for 'start', and line 2"),
    ],
)
def test_commas_and_points_of_two_readings_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, text)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("video;start;end;label\na;1,234;1,240;run\n", (1.234, 1.24)),
        ("video\tstart\tend\tlabel\na\t0,500\t1,240\trun\n", (0.5, 1.24)),
        ('video,start,end,label\na,"1,5","1,240",run\n', (1.5, 1.24)),
        ("video,start,end,label\na,1.234,1.240,run\n", (1.234, 1.24)),
        ("video;start;end;label\na;1,5;2.75;run\n", (1.5, 2.75)),
    ],
)
def test_commas_and_points_of_one_reading_are_read(tmp_path: Path, text: str, times: tuple[float, float]) -> None:
    rows = read(tmp_path, text, lengths="video,length\na,9\n").rows["a"]
    assert (rows[0].start, rows[0].end) == times


@pytest.mark.parametrize("odd", ["9", "2", "x"])
def test_a_class_is_not_lost_for_one_cell(tmp_path: Path, odd: str) -> None:
    text = f"video,start,end,run,jump\na,1,2,1,0\na,3,4,0,1\na,5,6,{odd},0\n"
    with pytest.raises(BadInput, match=f"line 4 has '{odd}' in 'run', where 0 or 1 stands in most lines"):
        read(tmp_path, text)


def test_missing_marks_count_as_none_and_are_counted(tmp_path: Path) -> None:
    annotations = read(tmp_path, "video,start,end,run,jump\na,1,2,1,0\na,3,4,NA,1\n")
    assert list_actions(annotations) == [("a", 1, 2, "run"), ("a", 3, 4, "jump")]
    assert "1 cell counts as 0: the first is 'NA' for 'run' in line 3" in annotations.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"{HEAD[:-1]},split\na,1,2,run,train\na,3,4,run,test\n",
            "line 3 has 'test' for 'split' of video 'a', and a",
        ),
        (
            f"{HEAD[:-1]},video_duration\na,1,2,run,9\na,3,4,run,8\n",
            "line 3 has 8.0 for 'video_duration' of video 'a'",
        ),
    ],
)
def test_two_values_of_one_video_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, text)
    assert words in str(refusal.value)


def test_two_lengths_of_one_video_are_refused_and_repeats_are_not(tmp_path: Path) -> None:
    text = f"{HEAD}a,1,2,run\n"
    assert read(tmp_path, text, lengths="video,duration\na,50\na,50\n").timelines["a"].duration == 50
    with pytest.raises(BadInput, match=r"line 3 has 50\.0 for 'duration' of video 'a', and a line above has 100\.0"):
        read(tmp_path, text, lengths="video,duration\na,100\na,50\n")


@pytest.mark.parametrize("name", ["filename", "video", "clip_id"])
def test_rates_take_any_usual_name_of_the_video(tmp_path: Path, name: str) -> None:
    table = tmp_path / "rates.csv"
    table.write_text(f"{name},fps\na.mp4,25\nb,30\n", encoding="utf-8")
    assert read_rates(table) == {"a": 25, "b": 30}
    table.write_text(f"{name},fps\na,25\na,50\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"line 3 has 50\.0 for 'fps' of video 'a', and a line above has 25\.0"):
        read_rates(table)
    table.write_text(f"{name},fps\na,fast\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 has 'fast' for 'fps'; a positive number was expected"):
        read_rates(table)


def test_a_video_of_unusable_rows_alone_stays(tmp_path: Path) -> None:
    annotations = read(tmp_path, f"{HEAD}a,20,10,run\nb,10,20,run\n")
    assert annotations.timelines["a"].duration == 20 and not annotations.timelines["a"].actions
    assert [row.reason for row in annotations.dropped] == ["is reversed"]
    with pytest.raises(BadInput, match="all end before they start, so see whether start and end are the other way"):
        read(tmp_path, f"{HEAD}a,20,10,run\nb,20,10,run\n")


@pytest.mark.parametrize("name", ["time", "Zeitraum", "Interval"])
@pytest.mark.parametrize("dash", ["-", " - ", "\N{EN DASH}"])
def test_a_start_and_an_end_in_one_cell_are_read(tmp_path: Path, name: str, dash: str) -> None:
    annotations = read(
        tmp_path, f"video,{name},label\na,1:15{dash}1:20,run\nb,,\n", lengths="video,length\na,99\nb,9\n"
    )
    assert list_actions(annotations) == [("a", 75, 80, "run")] and "b" in annotations.timelines
    assert f"'{name}' holds start and end" in annotations.notes
