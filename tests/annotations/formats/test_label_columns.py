"""Which column of a table is the label: words before numbers, and what marks negatives."""

from pathlib import Path

import pytest

from untrimmed.annotations.convert import read_annotations


def read(tmp_path: Path, text: str, **options):
    (tmp_path / "t.csv").write_text(text)
    annotations = read_annotations(tmp_path / "t.csv", **options)
    labels = [row.label for rows in annotations.rows.values() for row in rows]
    return labels, [note for note in annotations.notes if "negative," in note]


@pytest.mark.parametrize(
    "head", ["classname,youtube_id,subset,start,end,label", "Class,video,split,Start (s),End (s),label"]
)
def test_negatives_of_clips_are_left_out_and_counted(tmp_path: Path, head: str) -> None:
    lines = [
        "Archery,a,training,1,3,1",
        "Archery,a,training,5,7,-1",
        "Rowing,b,validation,3,5,1",
        "Rowing,b,validation,6,7,-1",
    ]
    labels, notes = read(tmp_path, "\n".join([head, *lines]))
    assert labels == ["Archery", "Rowing"]
    assert notes == ["2 lines are left out as negative, 'label' being -1: the first is line 3, 'Archery'"]


def test_zeros_mark_negatives_only_where_one_class_has_both(tmp_path: Path) -> None:
    head = "video,start,end,class,label"
    assert read(tmp_path, f"{head}\na,1,2,run,0\na,3,4,run,1\na,5,6,jump,1\n")[0] == ["run", "jump"]
    numbered = read(tmp_path, f"{head}\na,1,2,run,0\na,3,4,run,0\na,5,6,jump,1\n")
    assert numbered == (["run", "run", "jump"], [])


def test_words_are_the_label_before_numbers_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    text = "video,start,end,label,action_name\na,1,2,7,run\na,3,4,8,jump\n"
    assert read(tmp_path, text)[0] == ["run", "jump"]
    assert read(tmp_path, text, label="label")[0] == ["7", "8"]


def test_numbers_stay_the_label_where_nothing_else_is(tmp_path: Path) -> None:
    assert read(tmp_path, "video,start,end,label,description\na,1,2,-1,a man runs\na,3,4,1,he jumps\n")[0] == [
        "-1",
        "1",
    ]
