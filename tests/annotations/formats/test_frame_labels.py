"""A label for every frame: MS-TCN's folders and results, Cholec80's phases, zeros and ones, Breakfast's ranges."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.formats.frame_labels import FrameTable, _join_frames
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def spell(*runs: tuple[str, int]) -> list[str]:
    return [label for label, count in runs for _ in range(count)]


FIRST = spell(("SIL", 10), ("pour", 20), ("stir", 5))
SECOND = spell(("stir", 10), ("SIL", 30))


@pytest.fixture
def mstcn(tmp_path: Path) -> Path:
    for name, labels in {"P01-1": FIRST, "P02-1": SECOND}.items():
        (tmp_path / "groundTruth").mkdir(exist_ok=True)
        (tmp_path / "groundTruth" / f"{name}.txt").write_text("\n".join(labels) + "\n")
        (tmp_path / "results").mkdir(exist_ok=True)
        text = f"### Frame level recognition: ###\n{' '.join(labels)}\n"
        (tmp_path / "results" / name).write_text(text)
    (tmp_path / "mapping.txt").write_text("0 SIL\n1 pour\n2 stir\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.split1.bundle").write_text("P01-1.txt\n")
    (tmp_path / "splits" / "test.split1.bundle").write_text("P02-1.txt\n")
    return tmp_path


EXPECTED = {
    "P01-1": Timeline(3.5, (Action(1.0, 3.0, "pour"), Action(3.0, 3.5, "stir"))),
    "P02-1": Timeline(4.0, (Action(0.0, 1.0, "stir"),)),
}


@pytest.mark.parametrize("place", ["", "groundTruth", "results"])
def test_a_folder_of_mstcn_gives_actions_lengths_and_subsets(mstcn: Path, place: str) -> None:
    annotations = read_annotations(mstcn / place, fps=10)
    assert annotations.timelines == EXPECTED
    assert annotations.subsets == {"P01-1": "train", "P02-1": "test"}
    assert "a label for every frame, 10 frames a second (so in 2 files)" in annotations.notes
    assert "'SIL' counts as no action: 2 stretches of 2 videos (the first is 'P01-1')" in annotations.notes


def test_of_several_splits_each_video_is_in_the_one_that_tests_on_it(mstcn: Path) -> None:
    (mstcn / "splits" / "train.split2.bundle").write_text("P02-1.txt\n")
    (mstcn / "splits" / "test.split2.bundle").write_text("groundTruth/P01-1.txt\n")
    assert read_annotations(mstcn, fps=10).subsets == {"P01-1": "split2", "P02-1": "split1"}


def test_labels_that_are_numbers_are_named_by_the_mapping(mstcn: Path) -> None:
    numbers = {"SIL": "0", "pour": "1", "stir": "2"}
    (mstcn / "groundTruth" / "P01-1.txt").write_text("\r\n".join(numbers[label] for label in FIRST))
    assert read_annotations(mstcn, fps=10).timelines == EXPECTED


@pytest.mark.parametrize("place", ["groundTruth/P01-1.txt", "results/P01-1", ""])
def test_frames_need_a_rate(mstcn: Path, place: str) -> None:
    with pytest.raises(BadInput, match=r"P01-1.*holds labels of frames; give how many frames there are a second"):
        read_annotations(mstcn / place)


def test_a_rate_at_which_the_video_is_much_longer_is_doubted_and_the_right_one_named(mstcn: Path) -> None:
    (mstcn / "lengths.csv").write_text("video,duration\nP01-1,100\nP02-1,4\n")
    with pytest.raises(BadInput, match=r"labels end at 3\.5 s, the video at 100\.0 s; 0\.35 would fit"):
        read_annotations(mstcn, fps=10, durations=mstcn / "lengths.csv")


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("video01-phase.txt", "Frame\tPhase", "{}\t{}"),
        ("video01.csv", "frame,label", "{},{}"),
        ("video01_labels.tsv", "index\taction", "{}\t{}"),
        ("video01-phase.csv", "Frame;Step", "{};{}"),
    ],
)
@pytest.mark.parametrize("every", [1, 25])
def test_a_table_of_frames_and_labels_is_read_at_its_own_frames(
    tmp_path: Path, name: str, head: str, line: str, every: int
) -> None:
    lines = [line.format(every * number, label) for number, label in enumerate(FIRST)]
    (tmp_path / name).write_text("\n".join([head, *lines]))
    assert sniff_format(tmp_path / name) == "frame-labels"
    assert read_annotations(tmp_path / name, fps=10 * every).timelines == {"video01": EXPECTED["P01-1"]}


def test_a_table_of_times_and_labels_needs_no_rate(tmp_path: Path) -> None:
    lines = [f"{number / 10},{label}" for number, label in enumerate(FIRST)]
    (tmp_path / "clip.csv").write_text("\n".join(["time,behavior", *lines]))
    timeline = read_annotations(tmp_path / "clip.csv").timelines["clip"]
    assert [(a.label, round(a.start, 6), round(a.end, 6)) for a in timeline] == [("pour", 1, 3), ("stir", 3, 3.5)]


@pytest.mark.parametrize("first", ["", "frame", "Unnamed: 0"])
@pytest.mark.parametrize(("off", "on"), [("0", "1"), ("0.0", "1.0"), ("False", "True")])
def test_zeros_and_ones_give_actions_that_may_overlap_and_no_background(
    tmp_path: Path, first: str, off: str, on: str
) -> None:
    rows = [(n < 4, 4 <= n < 8, 6 <= n < 10) for n in range(10)]
    lines = [",".join([str(n), *(on if value else off for value in row)]) for n, row in enumerate(rows)]
    (tmp_path / "fish_labels.csv").write_text("\n".join([f"{first},background,swim,turn left", *lines]))
    annotations = read_annotations(tmp_path / "fish_labels.csv", fps=2)
    assert annotations.timelines == {"fish": Timeline(5.0, (Action(2, 4, "swim"), Action(3, 5, "turn left")))}
    assert "videos are called as the files without '_labels'" in annotations.notes


def test_frames_that_nobody_labelled_are_counted(tmp_path: Path) -> None:
    lines = ["0,0,1", "1,-1,-1", "2,-1,-1", "3,1,0"]
    (tmp_path / "a.csv").write_text("\n".join(["frame,swim,turn", *lines]))
    annotations = read_annotations(tmp_path / "a.csv", fps=1)
    assert annotations.timelines["a"].actions == (Action(0, 1, "turn"), Action(3, 4, "swim"))
    assert any(note.startswith("2 frames of 'a' with -1, for not labelled") for note in annotations.notes)


@pytest.mark.parametrize("line", ["{}-{} {}", "{} - {} {}", "{} {} {}"])
def test_ranges_of_frames_count_from_one_and_hold_their_last(tmp_path: Path, line: str) -> None:
    ranges = [(1, 30, "SIL"), (31, 150, "take cup"), (151, 300, "pour_milk")]
    (tmp_path / "P03_milk.txt").write_text("\n".join(line.format(*each) + "  " for each in ranges) + "\n")
    assert sniff_format(tmp_path / "P03_milk.txt") == sniff_format(tmp_path) == "frame-ranges"
    timeline = read_annotations(tmp_path, fps=15).timelines["P03_milk"]
    assert timeline == Timeline(20.0, (Action(2, 10, "take cup"), Action(10, 20, "pour_milk")))
    with pytest.raises(BadInput, match="frames there are a second"):
        read_annotations(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.csv", "video,start,end,label\na,0,1,1\na,1,1,1\na,0,1,0\n", "table"),
        ("a.csv", "time,label\n1,a\n7.5,b\n9,a\n31,c\n", "table"),
        ("a.txt", "0\t1\tjump\n0\t1\tjump\n", "audacity"),
    ],
)
def test_other_tables_are_no_labels_of_frames(tmp_path: Path, name: str, text: str, form: str) -> None:
    (tmp_path / name).write_text(text)
    assert sniff_format(tmp_path / name) == form


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=30), st.sampled_from([1.0, 5.0, 25.0]))
def test_every_frame_lies_in_one_row_of_its_label_and_neighbours_differ(labels: list[str], scale: float) -> None:
    table = FrameTable(list(range(len(labels))), [[label] for label in labels])
    rows, length = _join_frames(table, scale)
    assert length == len(labels) / scale
    for number, label in enumerate(labels):
        assert [row.label for row in rows if row.start <= number / scale < row.end] == [label]
    assert all(first.label != second.label for first, second in pairwise(rows))


def test_a_column_of_videos_parts_a_table_of_frames(tmp_path: Path) -> None:
    lines = [f"{video}.mp4,{n},{label}" for video in "ab" for n, label in enumerate(["run"] * 4 + ["jump"] * 2)]
    (tmp_path / "all.csv").write_text("\n".join(["video,frame,label", *lines]))
    timeline = Timeline(3.0, (Action(0, 2, "run"), Action(2, 3, "jump")))
    assert read_annotations(tmp_path / "all.csv", fps=2).timelines == {"a": timeline, "b": timeline}


def test_frames_that_go_back_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,label\n0,a\n1,a\n2,a\n3,a\n0,b\n1,b\n")
    with pytest.raises(BadInput, match=r"a\.csv: line 6 goes back to 0 from 3"):
        read_annotations(tmp_path / "a.csv", fps=2)


@pytest.mark.parametrize("name", ["01-1-activityAnnotation.txt", "01-1.txt"])
def test_timestamps_of_50_salads_are_no_frames(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("13223302 13242868 cut_and_mix\n13223302 13225310 peel_cucumber_prep\n")
    with pytest.raises(BadInput, match=r"go on for 122\.6 hours; .* are timestamps"):
        read_annotations(tmp_path / name, fps=30)


@pytest.mark.parametrize("text", ["run\nrun\n\njump\n", "\nrun\nrun\njump\n"])
def test_an_empty_line_is_no_frame_that_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"line [13] is empty, and every line is a frame; write its label"):
        read_annotations(tmp_path / "a.txt", "frame-labels", 10)


def test_empty_lines_at_the_end_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("run\nrun\njump\n\n\n", encoding="utf-8")
    assert read_annotations(tmp_path / "a.txt", "frame-labels", 10).timelines["a"].duration == pytest.approx(0.3)


def test_an_empty_line_of_a_table_without_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("run,jump\n1,0\n1,0\n\n0,1\n0,1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="line 4 is empty, and every line is a frame"):
        read_annotations(tmp_path / "a.csv", "frame-labels", 10)
