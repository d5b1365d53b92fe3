"""Tables of numbers: delimiters, header rows, index columns, decimal commas, and tables that are none."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.features.tables import read_table
from untrimmed.io import BadInput

VALUES = np.array([[0.5, -1.25, 3], [2, 0.125, 4e-3], [7, 8, -9.5], [1, 2, 3.25]], np.float32)


def write_rows(path, rows, delimiter=","):
    path.write_text("\n".join(delimiter.join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "  ", ", ", " ; "])
@pytest.mark.parametrize("header", [[], [["f0", "f1", "f2"]], [["0", "1", "2"]]])
def test_any_usual_delimiter_with_or_without_names_of_columns(tmp_path, delimiter, header):
    file = write_rows(tmp_path / "a.csv", [*header, *VALUES.tolist()], delimiter)
    reading = read_table(file)
    assert np.array_equal(reading.values, VALUES)
    assert bool(reading.notes) == (header == [["0", "1", "2"]])


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_a_comma_in_numbers_that_are_parted_otherwise_is_a_decimal_comma(tmp_path, delimiter):
    rows = [[str(number).replace(".", ",") for number in row] for row in VALUES.tolist()]
    assert np.array_equal(read_table(write_rows(tmp_path / "a.csv", rows, delimiter)).values, VALUES)
    headed = write_rows(tmp_path / "b.csv", [["x", "y", "z"], *rows], delimiter)
    assert np.array_equal(read_table(headed).values, VALUES)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "frame", "Frame", "time", "index", "frame_idx", "Time (s)"[:4]])
@pytest.mark.parametrize("first", [0, 1, 10])
def test_an_index_column_is_no_channel_and_that_is_noted(tmp_path, name, first):
    rows = [[first + place, *row] for place, row in enumerate(VALUES.tolist())]
    for header in (["f0", "f1", "f2"], ["0", "1", "2"] if not name else ["a", "b", "c"]):
        reading = read_table(write_rows(tmp_path / "a.csv", [[name, *header], *rows]))
        assert np.array_equal(reading.values, VALUES)
        assert list(reading.notes) == ["a column that only counts rows or time was left out"]


def test_a_first_column_of_another_name_or_that_does_not_rise_is_a_channel(tmp_path):
    for name, start in (("speed", [0, 1, 2, 3]), ("index", [0, 2, 1, 3]), ("index", [5, 5, 5, 5])):
        rows = [[first, *row] for first, row in zip(start, VALUES.tolist(), strict=True)]
        reading = read_table(write_rows(tmp_path / "a.csv", [[name, "a", "b", "c"], *rows]))
        assert reading.values.shape == (4, 4) and not reading.notes


def with_column(name, cells, place=0, values=VALUES):
    rows = values.tolist()
    for row, cell in zip(rows, cells, strict=True):
        row.insert(place, cell)
    header = [f"f{index}" for index in range(values.shape[1])]
    header.insert(place, name)
    return [header, *rows]


@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize(
    ("name", "cells", "step"),
    [
        ("time", [0, 0.1, 0.2, 0.3], "0.1"),
        ("Timestamp", [1700000000000 + 100 * row for row in range(4)], "100"),
        ("timestamp_ms", [0, 100, 200, 300], "100"),
        ("epoch", [1.7e9 + row / 10 for row in range(4)], "0.1"),
        ("Time (s)", [0, 0.0997, 0.2004, 0.3], "0.1"),
        ("datetime", [f"2024-05-01T10:00:0{row}.500" for row in range(4)], "1"),
        ("clock", [f"05/01/2024 10:00:0{row}" for row in range(4)], "1"),
        ("seconds", [1, 1, 2, 2], "0.3333"),
    ],
)
def test_times_are_no_channel_wherever_they_are(tmp_path, place, name, cells, step):
    reading = read_table(write_rows(tmp_path / "a.csv", with_column(name, cells, place)))
    assert np.array_equal(reading.values, VALUES) and reading.titles == ("f0", "f1", "f2")
    assert reading.notes == {"a column that only counts rows or time was left out": f"{name!r}, {step} a row"}


def test_two_columns_of_time_and_one_that_rises_evenly_under_any_name_are_left_out(tmp_path):
    long = np.arange(24, dtype=np.float32).reshape(8, 3) ** 2
    rows = with_column("frame", range(8), 0, long)
    rows = [[*row, cell] for row, cell in zip(rows, ["foo", *(0.5 + place / 30 for place in range(8))], strict=True)]
    reading = read_table(write_rows(tmp_path / "a.csv", rows))
    assert np.array_equal(reading.values, long)
    assert list(reading.notes.values()) == ["'frame', 'foo'"]


@pytest.mark.parametrize(
    ("name", "cells", "sentence"),
    [
        (
            "time",
            [0, 0.1, 5.2, 5.3],
            r"'time' goes from 0.1 to 5.2 after row 2, a step of 5.1, though of 0.1 elsewhere",
        ),
        ("epoch", [1.7e9, 1.7e9 + 1, 1.7e9 + 6, 1.7e9 + 7], "a step of 5, though of 1 elsewhere: rows are missing"),
        ("when", [f"2024-05-01 10:00:0{second}" for second in (0, 1, 6, 7)], "'when' goes from .* a step of 5, "),
        ("when", [f"2024-05-01 10:00:0{second}" for second in (0, 2, 1, 3)], "'when' goes back from .*02 to .*01 "),
        ("time", [0, 2, 1, 3], "'time' goes back from 2 to 1 after row 2; sort the rows by it"),
        ("frame", [0, 0, 1, 1], "'frame' has 0 2 times; a row a frame was expected"),
        ("frame", [0, 1, 0, 1], "'frame' has 0 2 times; a row a frame was expected"),
        ("time", [0, "", 1, 3], "'time' is empty in row 2"),
        ("video", ["a", "a", "b", "b"], "'video' has 2 values, such as 'a', so it is of several videos"),
        ("video_id", [1, 1, 2, 2], "'video_id' has 2 values, such as '1', so it is of several videos"),
    ],
)
def test_rows_that_are_missing_doubled_out_of_order_or_of_several_videos_are_refused(tmp_path, name, cells, sentence):
    for place in (0, 3):
        with pytest.raises(BadInput, match=rf"a\.csv: its column {sentence}|a\.csv: its column '\w+' .*{sentence}"):
            read_table(write_rows(tmp_path / "a.csv", with_column(name, cells, place)))


def test_a_few_steps_twice_as_long_are_noted_and_no_gap(tmp_path):
    reading = read_table(write_rows(tmp_path / "a.csv", with_column("time", [0, 1, 2, 4])))
    assert reading.notes["rows are not even in time, and are taken to be"].startswith("1 steps of column 'time' are")


def test_a_row_of_units_labels_in_words_and_the_row_names_of_r_are_no_channels(tmp_path):
    (tmp_path / "a.csv").write_text("time,ax,ay,behavior\ns,m/s2,m/s2,\n0,1,2.5,idle\n0.1,3,4,walk\n0.2,3,5,idle\n")
    reading = read_table(tmp_path / "a.csv")
    assert reading.values.tolist() == [[1, 2.5], [3, 4], [3, 5]] and reading.titles == ("ax", "ay")
    (tmp_path / "r.txt").write_text('"V1" "V2"\n"1" 0.5 2\n"2" 3 4\n')
    reading = read_table(tmp_path / "r.txt")
    assert reading.values.tolist() == [[0.5, 2], [3, 4]] and reading.titles == ("V1", "V2")


def test_empty_cells_are_noted_with_their_place_and_an_empty_last_column_is_none(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n4,NA\n,5\n")
    notes = read_table(tmp_path / "a.csv").notes
    assert notes == {"cells are empty or no finite numbers": "2, the first in row 2, column 'y'"}
    for header in ("", "x,y,\n", "x,y\n"):
        (tmp_path / "b.csv").write_text(f"{header}1,2,\n4,3,\n2,5,\n")
        reading = read_table(tmp_path / "b.csv")
        assert reading.values.tolist() == [[1, 2], [4, 3], [2, 5]]
        assert reading.notes == {"a last column that is empty was left out": "column 3"}


def test_likelihoods_of_deeplabcut_are_channels_and_that_is_noted(tmp_path):
    (tmp_path / "a.csv").write_text(DEEPLABCUT)
    notes = read_table(tmp_path / "a.csv").notes
    assert notes["likelihoods of tracked points are channels too"] == "2 of 6"


def test_unicode_text_of_excel_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("x\ty\n1\t2\n4\t3\n", encoding="utf-16")
    assert read_table(tmp_path / "a.csv").values.tolist() == [[1, 2], [4, 3]]


@pytest.mark.parametrize("name", ["label", "Class", "target", "behaviour", "event"])
def test_a_column_of_labels_is_no_channel_and_that_is_noted(tmp_path, name):
    reading = read_table(write_rows(tmp_path / "a.csv", with_column(name, [0, 1, 1, 0], 3)))
    assert np.array_equal(reading.values, VALUES)
    assert reading.notes == {"a column that is called as labels are was left out": repr(name)}


def test_a_ramp_without_a_name_is_left_out_where_it_is_long_and_nothing_but_a_ramp(tmp_path):
    long = np.arange(24, dtype=np.float32).reshape(8, 3) ** 2
    ramp = write_rows(tmp_path / "a.csv", [[place, *row] for place, row in enumerate(long.tolist())])
    assert np.array_equal(read_table(ramp).values, long)
    short = write_rows(tmp_path / "b.csv", [[place, *row] for place, row in enumerate(VALUES.tolist())])
    assert read_table(short).values.shape == (4, 4)
    steps = write_rows(tmp_path / "c.csv", [[place // 2, *row] for place, row in enumerate(long.tolist())])
    assert read_table(steps).values.shape == (8, 4)


def test_a_first_row_of_whole_numbers_is_a_snippet_unless_it_counts(tmp_path):
    assert len(read_table(write_rows(tmp_path / "a.csv", [[1, 0, 2], [3, 4, 5]])).values) == 2
    # two or three whole numbers may count by chance
    assert len(read_table(write_rows(tmp_path / "b.csv", [[0, 1, 2], [3, 4, 5]])).values) == 2
    assert len(read_table(write_rows(tmp_path / "c.csv", [[0, 1, 2, 3], [3, 4, 5, 6]])).values) == 1


def test_missing_frames_are_not_closed_up(tmp_path):
    rows = [[frame, *row] for frame, row in zip([0, 1, 2, 7], VALUES.tolist(), strict=True)]
    with pytest.raises(
        BadInput, match=r"a\.csv: its column 'frame' goes from 2 to 7, though by 1 elsewhere: rows are"
    ):
        read_table(write_rows(tmp_path / "a.csv", [["frame", "a", "b", "c"], *rows]))
    strided = [[16 * place, *row] for place, row in enumerate(VALUES.tolist())]
    assert np.array_equal(
        read_table(write_rows(tmp_path / "b.csv", [["frame", "a", "b", "c"], *strided])).values, VALUES
    )
    jittered = [[0.033, *VALUES[0]], [0.067, *VALUES[1]], [0.1, *VALUES[2]], [0.133, *VALUES[3]]]
    assert np.array_equal(
        read_table(write_rows(tmp_path / "c.csv", [["time", "a", "b", "c"], *jittered])).values, VALUES
    )


def test_names_of_rows_blank_lines_comments_quotes_and_a_byte_order_mark(tmp_path):
    (tmp_path / "a.csv").write_text(
        '\ufeff# made by us\n\n"name","x","y"\n"img0.png","1.5","2"\n"img1.png","3","4"\n\n'
    )
    reading = read_table(tmp_path / "a.csv")
    assert reading.values.tolist() == [[1.5, 2], [3, 4]]
    assert reading.notes == {"a first column of texts was taken for names of rows": "such as 'img0.png'"}


def test_empty_cells_and_truth_values_are_numbers_or_none(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,\n,True\nNA,false\n")
    assert np.array_equal(
        read_table(tmp_path / "a.csv").values, [[1, np.nan], [np.nan, 1], [np.nan, 0]], equal_nan=True
    )


DEEPLABCUT = """scorer,DLC_resnet50_A,DLC_resnet50_A,DLC_resnet50_A,DLC_resnet50_A,DLC_resnet50_A,DLC_resnet50_A
bodyparts,nose,nose,nose,1,1,1
coords,x,y,likelihood,x,y,likelihood
0,10.0,20.0,0.9,1.0,2.0,0.5
1,,,0.1,3.0,4.0,0.5
2,14.0,24.0,0.9,5.0,6.0,0.5
"""


def test_the_header_rows_of_deeplabcut_are_none_and_its_gaps_are_filled(tmp_path):
    (tmp_path / "a.csv").write_text(DEEPLABCUT)
    reading = read_table(tmp_path / "a.csv")
    assert reading.values[:, 0].tolist() == [10, 12, 14] and reading.values.shape == (3, 6)
    assert reading.values[:, 2].tolist() == np.float32([0.9, 0.1, 0.9]).tolist()
    assert reading.notes["gaps in tracked points were interpolated along time"] == "11.1 % of its numbers"
    (tmp_path / "b.csv").write_text("scorer,a,a\nindividuals,m1,m1\nbodyparts,nose,nose\ncoords,x,y\n0,1,2\n1,3,4\n")
    assert read_table(tmp_path / "b.csv").values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n", "holds no row of numbers"),
        ("", "holds no row of numbers"),
        ("1,2\n3\n", "is not a table of numbers"),
        ("a,b\n1,two\n", "is not a table of numbers"),
        ("1;2\n3;x\n", "is not a table of numbers"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path, text, sentence):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=rf"a\.csv: {sentence}[^\n]*$"):
        read_table(tmp_path / "a.csv")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_table_in_any_form_reads_back(tmp_path_factory, data):
    rows, columns = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 6))
    cell = st.integers(-400, 400).map(lambda number: number / 8 + 1 / 16)
    values = np.array(
        data.draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    )
    delimiter = data.draw(st.sampled_from([",", ";", "\t", " "]))
    comma = delimiter != "," and data.draw(st.booleans())
    named = data.draw(st.sampled_from(["", "names", "numbers"]))
    index = named == "names" and rows > 1 and data.draw(st.booleans())
    lines = [[str(number).replace(".", "," if comma else ".") for number in row] for row in values.tolist()]
    header = [[f"f{c}" if named == "names" else str(c) for c in range(columns)]] if named else []
    if index:
        lines = [[str(place), *line] for place, line in enumerate(lines)]
        header = [["frame", *header[0]]]
    file = write_rows(tmp_path_factory.mktemp("t") / "a.csv", [*header, *lines], delimiter)
    assert np.array_equal(read_table(file).values, values.astype(np.float32))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b,c\n1,2,3\n\n4,5\n", "line 4 has 2 cells, the first row of numbers 3"),
        ("a;b\n1,5;2,5\n1.921,5;2,5\n", "line 3 has '1.921,5': write numbers without marks of thousands"),
        ('1.5,2\n"1,921.0",2\n', "line 2 has '1,921.0': write numbers without marks of thousands"),
    ],
)
def test_a_faulty_row_is_told_by_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "s01.csv").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_table(tmp_path / "s01.csv")
