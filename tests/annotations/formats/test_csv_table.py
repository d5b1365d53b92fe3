"""Delimited text: names in two lines or one too few, quotes that stay open, sheets and formulas."""

from pathlib import Path

import pytest

from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput
from untrimmed.timeline import Action


def write(folder: Path, text: str, name: str = "x.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end,label\na,1,2,{quote}run\na,3,4,jump\na,5,6,jump\n",
        'video,start,end,label\na,1,2,{quote}run\na,3,4,"jump"\n',
    ],
)
def test_a_quote_that_stays_open_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="line 2 begins a cell with a quote and does not end it"):
        read_annotations(write(tmp_path, text.format(quote='"')))


def test_lines_in_quotes_stay_one_cell(tmp_path: Path) -> None:
    file = write(tmp_path, 'video,start,end,label\na,1,2,"run\nfast, or ""so"""\na,3,4,jump\n')
    assert [action.label for action in read_annotations(file).timelines["a"].actions] == [
        'run\nfast, or "so"',
        "jump",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '"video" "start" "end" "label"\n"1" "a" 1.5 2.5 "pick up"\n"2" "a" 4 5 "jump"\n',
        "video,start,end,label\n0,a,1.5,2.5,pick up\n1,a,4,5,jump\n",
    ],
)
def test_a_name_fewer_than_cells_is_that_of_running_numbers(tmp_path: Path, text: str) -> None:
    annotations = read_annotations(write(tmp_path, text, "x.txt"))
    assert annotations.timelines["a"].actions == (Action(1.5, 2.5, "pick up"), Action(4, 5, "jump"))
    assert (
        "lines have one cell more than there are names: the first, a running number, is not used" in annotations.notes
    )


@pytest.mark.parametrize(
    "text",
    [
        "video,Time,,label\n,start,end,\na,1.5,2.5,run\n",
        "video,start,end,label\n,ms,ms,\na,1500,2500,run\n",
    ],
)
def test_names_in_two_lines_are_joined(tmp_path: Path, text: str) -> None:
    annotations = read_annotations(write(tmp_path, text))
    assert annotations.timelines["a"].actions == (Action(1.5, 2.5, "run"),)
    assert any(
        note.startswith("the columns' names stand in two lines, read as video, ") for note in annotations.notes
    )


def test_the_sheet_that_names_columns_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["nothing here"])
    for row in (["video", "start", "end", "label"], ["b", 3, 4, "run"]):
        (book["data"] if "data" in book.sheetnames else book.create_sheet("data")).append(row)
    book.save(tmp_path / "x.xlsx")
    annotations = read_annotations(tmp_path / "x.xlsx")
    assert annotations.timelines["b"].actions == (Action(3, 4, "run"),)
    assert "read from sheet 'data'; not read: 'Sheet'" in annotations.notes


def test_a_formula_without_its_value_is_refused(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["video", "start", "end", "label"], ["b", 3, "=B2+2", "run"]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(BadInput, match=r"line 2 has the formula '=B2\+2' without its value; open the file"):
        read_annotations(tmp_path / "x.xlsx")
