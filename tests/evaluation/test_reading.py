"""Annotations and results read raw from every form, and refused in one sentence where they cannot be."""

import gzip
import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.datasets.thumos14 import CLASSES
from untrimmed.annotations.formats.thumos import CLASS_IDS
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.reading import read_ground_truth, read_proposals, read_results, read_tags
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

COLUMNS = ("video", "label", "start", "end", "score")
Row = tuple[str, str, float, float, float]  # video, label, start, end, score


def rows_of(read: Instances) -> list[Row]:
    """The rows in their order, by name."""
    videos, labels = [read.videos[v] for v in read.video], [read.labels[label] for label in read.label]
    return list(zip(videos, labels, read.start.tolist(), read.end.tolist(), read.score.tolist(), strict=True))


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def truth_file(path: Path, annotations: object, **entry: object) -> Path:
    entry = {"subset": "validation", "annotations": annotations, **entry}
    return write(path / "truth.json", {"database": {"v1": entry, "v2": {"subset": "test", "annotations": []}}})


def results_file(path: Path, found: object) -> Path:
    return write(path / "results.json", {"results": {"v1": found}})


def grouped(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order that an object of videos gives them."""
    rows = list(rows)
    return [row for video in dict.fromkeys(row[0] for row in rows) for row in rows if row[0] == video]


def as_json(rows: Iterable[Row], number=float) -> dict[str, list[dict[str, object]]]:
    entries: dict[str, list[dict[str, object]]] = {}
    for video, label, start, end, score in rows:
        entry = {"label": label, "score": number(score), "segment": [number(start), number(end)]}
        entries.setdefault(video, []).append(entry)
    return entries


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(codec="utf-8"), max_size=5)
anything = st.lists(st.tuples(names, names, numbers, numbers, numbers), max_size=12)
few = st.integers(-3, 3).map(float)
thumos = st.lists(
    st.tuples(st.sampled_from(("v", "w", "x")), st.sampled_from(CLASSES), numbers | few, numbers | few, numbers),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the examples of a law, each of which writes the same files anew."""
    return tmp_path_factory.mktemp("law")


# What is written is read


@given(rows=anything)
def test_results_come_back_from_json(folder, rows):
    path = write(folder / "results.json", {"version": "1", "results": as_json(rows)})
    results = read_results(path)
    assert rows_of(results) == grouped(rows)
    assert results.labels == tuple(sorted({row[1] for row in rows}))


@given(rows=anything)
def test_numbers_as_text_are_the_same_numbers(folder, rows):
    quick = read_results(write(folder / "numbers.json", {"results": as_json(rows)}))
    slow = read_results(write(folder / "texts.json", {"results": as_json(rows, number=repr)}))
    assert (quick.videos, quick.labels) == (slow.videos, slow.labels)
    for column in COLUMNS:
        assert np.array_equal(getattr(quick, column), getattr(slow, column)), column


@given(rows=anything.filter(bool))
def test_annotations_come_back_from_json(folder, rows):
    database = {video: {"subset": "s", "annotations": listed} for video, listed in as_json(rows).items()}
    ground_truth = read_ground_truth(write(folder / "truth.json", {"database": database}), "s")
    assert rows_of(ground_truth) == [(*row[:4], 1.0) for row in grouped(rows)]


@given(ids=st.sampled_from([CLASS_IDS, tuple(range(1, 21))]), rows=thumos)
def test_results_come_back_from_the_lines_of_the_kit(folder, ids, rows):
    rows = [*rows, ("v", "VolleyballSpiking", 0.0, 1.0, 1.0)]  # 97 or 20: in one of the numberings only
    number = dict(zip(CLASSES, ids, strict=True))
    lines = [f"{video} {start!r} {end!r}  {number[label]} {score!r} \n" for video, label, start, end, score in rows]
    read = read_results(written(folder / "results.txt", "".join(lines)))
    assert rows_of(read) == rows
    assert read.videos == tuple(dict.fromkeys(row[0] for row in rows))
    assert read.unit == "seconds"


@given(mark=st.sampled_from([",", "\t", " ", "   "]), rows=thumos)
def test_proposals_come_back_from_a_table(folder, mark, rows):
    lines = [("f-end", "f-init", "score", "frames", "video-name")]
    lines += [(repr(end), repr(start), repr(score), "9", video) for video, _, start, end, score in rows]
    path = written(folder / "proposals.csv", "".join(mark.join(cells) + "\n" for cells in lines))
    rows = [(video, "proposal", *numbers) for video, _, *numbers in rows]
    proposals, ground_truth = read_proposals(path), read_ground_truth(path)
    assert rows_of(proposals) == rows
    assert rows_of(ground_truth) == [(*row[:4], 1.0) for row in rows]
    assert (proposals.unit, ground_truth.unit) == ("frames", "frames")


@given(rows=thumos)
def test_annotations_come_back_from_a_folder_in_the_order_of_its_files(folder, rows):
    for old in folder.glob("*_test.txt"):
        old.unlink()
    for label in {row[1] for row in rows}:
        lines = [f"{video}  {start!r} {end!r}\n" for video, name, start, end, _ in rows if name == label]
        written(folder / f"{label}_test.txt", "".join(lines))
    ground_truth = read_ground_truth(folder, "test")
    assert rows_of(ground_truth) == [(*row[:4], 1.0) for row in sorted(rows, key=lambda row: row[1])]


# ActivityNet's JSON


def test_the_ground_truth_is_read_raw(tmp_path):
    segments = [[4, 4], [5, 2.5], [4, 4], ["18.6", "24.8"]]
    path = truth_file(tmp_path, [{"label": "b" if s[0] == 5 else "a", "segment": s} for s in segments])
    ground_truth = read_ground_truth(path, "validation")
    assert (ground_truth.videos, ground_truth.labels, ground_truth.subset) == (("v1",), ("a", "b"), "validation")
    assert ground_truth.label.tolist() == [0, 1, 0, 0]
    assert list(zip(ground_truth.start, ground_truth.end, strict=True)) == [(4, 4), (5, 2.5), (4, 4), (18.6, 24.8)]
    assert ground_truth.score.tolist() == [1, 1, 1, 1]


def test_without_a_subset_every_video_is_read(tmp_path):
    ground_truth = read_ground_truth(truth_file(tmp_path, [{"label": "a", "segment": [0, 1]}]))
    assert (ground_truth.videos, ground_truth.subset) == (("v1", "v2"), None)


@pytest.mark.parametrize(
    ("duration", "known"),
    [(9, {"v1": 9}), ("9.5", {"v1": 9.5}), (0, {}), (-1, {}), (None, {}), (True, {}), (math.inf, {}), ("long", {})],
)
def test_usable_durations_are_read_and_others_are_unknown(tmp_path, duration, known):
    ground_truth = read_ground_truth(
        truth_file(tmp_path, [{"label": "a", "segment": [0, 1]}], duration=duration), "validation"
    )
    assert ground_truth.durations == known


def test_packed_results_are_read_in_the_order_of_the_file(tmp_path):
    found = {"w": [{"label": "b", "score": 0.5, "segment": [1, 2]}], "v": [], "u": []}
    found["u"] = [{"label": "a", "score": 1, "segment": [0, 1]}, {"label": "b", "score": 0, "segment": [3, 2]}]
    path = tmp_path / "results.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"results": found}).encode(), mtime=0))
    results = read_results(path)
    assert (results.videos, results.labels) == (("w", "v", "u"), ("a", "b"))
    assert (results.video.tolist(), results.label.tolist()) == ([0, 2, 2], [1, 0, 1])
    assert (results.start.tolist(), results.score.tolist()) == ([1, 0, 3], [0.5, 1, 0])


def test_a_file_without_detections_is_read(tmp_path):
    assert len(read_results(write(tmp_path / "results.json", {"results": {}}))) == 0


def test_a_video_that_comes_twice_is_refused(tmp_path):
    one, two = (f'"v": [{{"label": "a", "score": 1, "segment": [0, {end}]}}]' for end in (1, 2))
    text = f'{{"version": NaN, "results": {{{one}, "w": [], {two}}}}}'
    for path in (written(tmp_path / "slow.json", text), written(tmp_path / "quick.json", text.replace("NaN", "1"))):
        with pytest.raises(BadInput, match=f"{path.name}: the key 'v' stands twice"):
            read_results(path)


def test_what_json_proper_has_not_is_read_all_the_same(tmp_path):
    found = '[{"label": "\\ud800", "score": 10000000000000000000000, "segment": [0, 1], "extra": NaN}]'
    path = tmp_path / "results.json"
    path.write_bytes(b"\xef\xbb\xbf" + f'{{"results": {{"v": {found}}}}}'.encode())
    assert rows_of(read_results(path)) == [("v", "\ud800", 0, 1, 1e22)]


def test_timelines_give_what_their_file_gives(tmp_path):
    path = results_file(tmp_path, [{"label": "a", "score": 0.3, "segment": [1, 2]}])
    made, read = from_timelines({"v1": Timeline(9, (Action(1, 2, "a", 0.3),))}), read_results(path)
    for name in ("videos", "labels", "subset", "unit", *COLUMNS):
        assert np.array_equal(getattr(made, name), getattr(read, name)), name
    assert made.durations == {"v1": 9}


def test_proposals_have_one_label_whatever_the_file_says(tmp_path):
    for label in ("b", 3):
        listed = [{"label": "a", "score": 1, "segment": [0, 1]}, {"label": label, "score": 0, "segment": [2, 1]}]
        read = read_proposals(results_file(tmp_path, listed))
        assert rows_of(read) == [("v1", "proposal", 0, 1, 1), ("v1", "proposal", 2, 1, 0)]


def test_tags_need_no_segment(tmp_path):
    for score in (0.5, "0.5"):
        listed = [{"label": "a", "score": score}, {"label": "b", "score": 1, "segment": [2, 3]}]
        assert rows_of(read_tags(results_file(tmp_path, listed))) == [("v1", "a", 0, 0, 0.5), ("v1", "b", 2, 3, 1)]


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ([{"label": "a", "segment": [0, math.nan]}], "v1.*nan in a segment"),
        ([{"label": "a", "segment": [0, math.inf]}], "v1.*inf in a segment"),
        ([{"label": "a", "segment": ["0", "soon"]}], "v1.*'soon' in a segment"),
        ([{"label": "a", "segment": [0, True]}], "v1.*True in a segment"),
        ([{"label": "a", "segment": [0, None]}], "v1.*None in a segment"),
        ([{"label": "a", "segment": [0, 10**400]}], r"v1.*1000.*\.\.\. in a segment"),
        ([{"label": "a", "segment": [0, 1, 2]}], r"v1.*\[0, 1, 2\]"),
        ([{"label": "a", "segment": "01"}], "v1.*segment '01'"),
        ([{"label": "a"}], "v1.*without 'segment'"),
        ([{"segment": [0, 1]}], "v1.*without 'label'"),
        ([{"label": [3], "segment": [0, 1]}], r"v1.*label \[3\], not text"),
        ([[0, 1]], r"v1.*\[0, 1\], not an object"),
        ({"segment": [0, 1]}, "v1.*where a list"),
        ([], "no action is annotated in subset 'validation'"),
    ],
)
def test_a_ground_truth_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, annotations, sentence):
    with pytest.raises(BadInput, match=f"truth.json: .*{sentence}"):
        read_ground_truth(truth_file(tmp_path, annotations), "validation")


def test_a_subset_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(BadInput, match="no video of subset 'Tset'; there are 'test', 'validation'"):
        read_ground_truth(truth_file(tmp_path, []), "Tset")


@pytest.mark.parametrize("name", ["Validation", "val", "VALID"])
def test_a_subset_is_found_in_any_usual_spelling_and_that_is_said(tmp_path, name):
    ground_truth = read_ground_truth(truth_file(tmp_path, [{"label": "a", "segment": [0, 1]}]), name)
    assert (ground_truth.videos, ground_truth.subset) == (("v1",), "validation")
    assert ground_truth.other_subsets == {"v2": "test"}
    assert ground_truth.notes == (f"subset {name!r} is read as 'validation'",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"results": {}}, "has 'results', so it is a file of detections; a file of annotations was expected"),
        ({"database": []}, "its 'database' is a list; an object of videos was expected"),
        ([], "has no object 'database'"),
        ({"database": {"v1": []}}, r"video 'v1' is \[\], not an object"),
        ({"database": {"v1": {"annotations": []}}}, "video 'v1' .*without 'subset'"),
        ({"database": {"v1": {"subset": "test"}}}, "video 'v1' .*without 'annotations'"),
        ({"database": {}}, "no video of subset 'test'; there are none"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, sentence):
    with pytest.raises(BadInput, match=f"truth.json: {sentence}"):
        read_ground_truth(write(tmp_path / "truth.json", content), "test")


UNUSABLE = [
    ([{"label": ["a"], "score": 1, "segment": [0, 1]}], r"v1.*label \['a'\], not text"),
    ([{"label": "a", "score": math.nan, "segment": [0, 1]}], "v1.*nan in a score"),
    ([{"label": "a", "score": [1], "segment": [0, 1]}], r"v1.*\[1\] in a score"),
    ([{"label": "a", "score": 10**400, "segment": [0, 1]}], r"v1.*1000.*\.\.\. in a score"),
    ([{"label": "a", "score": True, "segment": [0, 1]}], "v1.*True in a score"),
    ([{"label": "a", "segment": [0, 1]}], "v1.*without 'score'"),
    ([{"label": "a", "score": 1, "segment": [0, 1, 2]}], r"v1.*the segment \[0, 1, 2\]"),
    ([{"label": "a", "score": 1, "segment": [0]}], r"v1.*the segment \[0\]"),
    (None, "v1.*None where a list"),
    ([None], "v1.*None, not an object"),
]


@pytest.mark.parametrize(("found", "sentence"), UNUSABLE)
def test_results_that_cannot_be_used_are_refused_in_a_sentence(tmp_path, found, sentence):
    readers = [read_results, read_tags] + [read_proposals] * ("label" not in sentence)
    for read in readers:
        with pytest.raises(BadInput, match=f"results.json: .*{sentence}"):
            read(results_file(tmp_path, found))


@pytest.mark.parametrize("label", [{}, {"label": None}])
def test_proposals_given_as_results_are_recognized(tmp_path, label):
    path = results_file(tmp_path, [{"score": 1, "segment": [0, 1], **label}])
    with pytest.raises(BadInput, match=r"v1.*these are proposals; detection is judged on labelled results"):
        read_results(path)
    with pytest.raises(BadInput, match=r"v1.*label"):
        read_tags(path)
    table = written(tmp_path / "proposals.csv", "video-name,f-init,f-end,score\nv,0,1,1\n")
    with pytest.raises(BadInput, match="is a table of proposals in frames, without labels"):
        read_results(table)


def test_annotations_are_results_that_rank_alike(tmp_path):
    results = read_results(
        truth_file(tmp_path, [{"label": "a", "segment": [0, 1]}, {"label": "b", "segment": [2, 3]}])
    )
    assert rows_of(results) == [("v1", "a", 0, 1, 1), ("v1", "b", 2, 3, 1)]
    assert "has no scores; all rank alike" in results.notes[0]


@pytest.mark.parametrize("read", [read_ground_truth, read_results, read_proposals, read_tags])
@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.json", b"", "is empty"),
        ("blank.json.gz", gzip.compress(b" \n", mtime=0), "is empty"),
        ("cut.json", b'{"results": {"v": [{"label"', "is not JSON .line 1, column 28"),
        ("cut.json.gz", gzip.compress(b'{"results": {}, "database": {}}' * 50, mtime=0)[:-9], "cannot be read"),
        ("latin.json", b'{"results": {"\xe4": []}, "database": {}}', "is not UTF-8"),
        ("deep.json", b'{"results": ' + b"[" * 100_000, "is JSON beyond all bounds"),
        ("deep_aside.json", b'{"aside": ' + b"[" * 100_000, "is JSON beyond all bounds"),
        ("surrogate.json", b'{"results": {"\\ud800": 1}, "database": {"\\ud800": 1}}', "video '.ud800'"),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, read, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=f"{re.escape(name)}: {sentence}"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [read_ground_truth, read_results, read_proposals, read_tags])
@pytest.mark.parametrize("name", ["nowhere", "nowhere.json.gz"])
def test_a_missing_file_is_refused_in_a_sentence(tmp_path, read, name):
    with pytest.raises(BadInput, match=f"{name}: no such file"):
        read(tmp_path / name)


# THUMOS'14's texts


def texts(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in files.items():
        written(path / f"{name}.txt", content)
    return path


def test_a_folder_is_read_raw_by_subset_with_ambiguous_stretches_as_marks(tmp_path):
    path = texts(
        tmp_path / "texts",
        Diving_test="t1  4 4 \nt1 5 2.5\n\nt1 4 4\n",
        CliffDiving_test="t2 1 2\nt1 0 1\n",
        CliffDiving_val="v1 1 2\n",
        Ambiguous_test="t1 9 8\nt3 0 1\nt1 1 1\n",
        detclasslist="26 Diving\n",
    )
    ground_truth = read_ground_truth(path, "test")
    assert [row[:4] for row in rows_of(ground_truth)] == [
        ("t2", "CliffDiving", 1, 2),
        ("t1", "CliffDiving", 0, 1),
        ("t1", "Diving", 4, 4),
        ("t1", "Diving", 5, 2.5),
        ("t1", "Diving", 4, 4),
    ]
    assert (ground_truth.videos, ground_truth.subset) == (("t2", "t1"), "test")
    assert {video: marks.tolist() for video, marks in ground_truth.marks.items()} == {
        "t1": [[9, 8], [1, 1]],
        "t3": [[0, 1]],
    }
    assert read_ground_truth(path, "validation").videos == ("v1",)
    assert read_ground_truth(path).videos == ("t2", "t1", "v1")


def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(tmp_path):
    path = texts(tmp_path / "texts", Diving_test="t1 1 2\n", detclasslist="26 Diving\n")
    with pytest.raises(BadInput, match="texts: no video of subset 'Tset'; there are 'test', 'validation'"):
        read_ground_truth(path, "Tset")
    with pytest.raises(BadInput, match="texts: no action is annotated in subset 'validation'"):
        read_ground_truth(path, "validation")
    with pytest.raises(BadInput, match=r"Diving_test\.txt: is one file of text annotations; give the folder"):
        read_ground_truth(path / "Diving_test.txt")
    for label in ("Diving", "Ambiguous"):
        written(path / f"{label}_test.txt", "t1 1 2\n\nt1 1 nan\n")
        with pytest.raises(BadInput, match=rf"{label}_test\.txt: line 3 has nan for a number"):
            read_ground_truth(path)
        written(path / f"{label}_test.txt", "t1 1 2\n")
    with pytest.raises(BadInput, match=r"empty: has no files like Diving_val\.txt"):
        read_ground_truth(texts(tmp_path / "empty", detclasslist="26 Diving\n"))


@pytest.mark.parametrize(
    ("ids", "labels"),
    [
        ((7, 9, 12), ("BaseballPitch", "BasketballDunk", "Billiards")),
        ((7, 9, 1), ("CricketShot", "FrisbeeCatch", "BaseballPitch")),
        ((7, 9, 97), ("BaseballPitch", "BasketballDunk", "VolleyballSpiking")),
    ],
)
def test_ids_are_official_unless_one_of_them_counts_from_1(tmp_path, ids, labels):
    path = written(tmp_path / "results.txt", "".join(f"v 0 1 {number} 1\n" for number in ids))
    assert tuple(row[1] for row in rows_of(read_results(path))) == labels


def test_with_classes_given_ids_count_them_from_1(tmp_path):
    path = written(tmp_path / "results.txt", "v 0 1 7 1\nv 0 1 9 1\n")
    assert [row[1] for row in rows_of(read_results(path, tuple("abcdefghi")))] == ["g", "i"]
    with pytest.raises(
        BadInput, match="line 2 has the class id '9', which is none of 1, 2, 3, 4, 5, 6, 7, 8; number"
    ):
        read_results(path, tuple("abcdefgh"))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("", "is empty; lines of a video"),
        (" \n\n", "is empty; lines of a video"),
        ("v 0 1 7 1\n\nv 0 1 7\n", "line 3 is 'v 0 1 7'; a video, a start, an end, a class id and a score"),
        ("v 0 1 7 1 1\n", "line 1 is 'v 0 1 7 1 1'"),
        ("v 0 soon 7 1\n", "line 1 is 'v 0 soon 7 1'"),
        ("v 0 1 7 nan\n", "line 1 has nan for a number; a finite one was expected"),
        ("v 0 1 7 1\nv -inf 1 7 1\n", "line 2 has -inf for a number"),
        ("v 0 1 7 1\nv 0 1 98 1\n", "line 2 has the class id '98', which is none of 7, 9.*none of 1, 2, .*; number"),
        ("v 0 1 97 1\nv 0 1 1 1\n", "line 2 has the class id '1', .*line 1 has the class id '97', .*; number"),
        ("v 0 1 Diving 1\n", "line 1 has the class id 'Diving'"),
    ],
)
def test_lines_of_the_kit_that_cannot_be_used_are_refused_in_a_sentence(tmp_path, lines, sentence):
    with pytest.raises(BadInput, match=rf"results\.txt: .*{sentence}"):
        read_results(written(tmp_path / "results.txt", lines))


def test_packed_texts_are_read_like_others(tmp_path):
    (tmp_path / "results.txt.gz").write_bytes(gzip.compress(b"v 0 1 7 1\n", mtime=0))
    assert rows_of(read_results(tmp_path / "results.txt.gz")) == [("v", "BaseballPitch", 0, 1, 1)]
    (tmp_path / "truth.csv.gz").write_bytes(gzip.compress(b"video-name f-init f-end\nv 0 1\n", mtime=0))
    assert rows_of(read_ground_truth(tmp_path / "truth.csv.gz")) == [("v", "proposal", 0, 1, 1)]


def test_a_name_may_have_spaces_where_tabs_or_commas_part_the_columns(tmp_path):
    for mark in ("\t", ","):
        path = written(tmp_path / "truth.csv", mark.join(("video-name", "f-init", "f-end\na video", "0", "1\n")))
        assert read_ground_truth(path).videos == ("a video",)


def test_a_broken_archive_of_lines_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "results.txt.gz").write_bytes(gzip.compress(b"v 0 1 7 0.25\n" * 99, mtime=0)[:-9])
    with pytest.raises(BadInput, match=r"results\.txt\.gz: cannot be read"):
        read_results(tmp_path / "results.txt.gz")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("", "begins with an empty line"),
        ("video-name,f-init,score\nv,0,1\n", "no column 'f-end' in its first line, 'video-name,f-init,score'"),
        ("video-name,f-init,f-end,score\nv,0,1,1\n\nv,0,1\n", "line 4 has 3 cells for 4 columns"),
        ("video-name f-init f-end score\nv 0 soon 1\n", "line 2 has '0', 'soon'.*; numbers were expected"),
        ("video-name f-init f-end score\nv 0 nan 1\n", "line 2 has nan for a number"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, table, sentence):
    path = written(tmp_path / "table.csv", table)
    for read in (read_ground_truth, read_proposals):
        with pytest.raises(BadInput, match=rf"table\.csv: .*{sentence}"):
            read(path)


def test_a_table_of_ground_truth_needs_no_score_and_has_no_subset(tmp_path):
    path = written(tmp_path / "truth.csv", '"video-name","f-end","f-init"\n"v",5,3\n')
    assert rows_of(read_ground_truth(path)) == [("v", "proposal", 3, 5, 1)]
    with pytest.raises(BadInput, match=r"truth\.csv: has no column 'score'"):
        read_proposals(path)
    with pytest.raises(BadInput, match=r"truth\.csv: a table has no subsets such as 'test'"):
        read_ground_truth(path, "test")
    with pytest.raises(BadInput, match=r"none\.csv: no action is annotated in it"):
        read_ground_truth(written(tmp_path / "none.csv", "video-name f-init f-end\n"))


# Published files


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    ["anet12_autoloc_seconds.det_anet", "thumos14_af669.det_anet", "thumos14_scnn_iou0.5.det_anet"],
)
def test_published_files_have_as_many_rows_as_the_official_program_counts(data, name):
    expected = json.loads((data / f"evaluation/expected/{name}.json").read_text())
    ground_truth = read_ground_truth(data / "evaluation" / expected["gt"], expected["subset"])
    results = read_results(data / "evaluation" / expected["pred"])
    assert (len(ground_truth), len(results)) == (expected["n_gt"], expected["n_pred"])
    assert len(ground_truth.labels) == expected["n_classes"]
    assert set(ground_truth.durations) == set(ground_truth.videos)


@pytest.mark.data
@pytest.mark.parametrize("name", ["anet12_tag_val", "thumos14_af669"])
def test_published_proposals_have_as_many_rows_as_the_official_program_counts(data, name):
    expected = json.loads((data / f"evaluation/expected/{name}.prop_anet.json").read_text())
    ground_truth = read_ground_truth(data / "evaluation" / expected["gt"], expected["subset"])
    proposals = read_proposals(data / "evaluation" / expected["pred"])
    assert (len(ground_truth), len(proposals)) == (expected["n_gt"], expected["n_prop"])


@pytest.mark.data
def test_the_official_folder_and_the_lines_of_the_kit_have_the_rows_of_their_json_forms(data):
    folder, results = data / "evaluation/gt/TH14_annotation", data / "evaluation/results"
    ground_truth, validation = read_ground_truth(folder, "test"), read_ground_truth(folder, "validation")
    assert (len(ground_truth), len(ground_truth.videos), ground_truth.labels) == (3358, 212, CLASSES)
    assert (len(validation), len(validation.videos)) == (3007, 200)
    assert (sum(map(len, ground_truth.marks.values())), len(ground_truth.marks)) == (99, 37)
    assert set(ground_truth.marks) - set(ground_truth.videos) == {"video_test_0001292"}
    other = read_ground_truth(data / "evaluation/gt/thumos14_actionformer_212.json.gz", "Test")
    assert sorted(rows_of(ground_truth)) == sorted(rows_of(other))
    lines = read_results(results / "thumos14_scnn_iou0.5_ids1to20.txt.gz")
    assert len(lines) == 24_244
    assert sorted(rows_of(lines)) == sorted(rows_of(read_results(results / "thumos14_scnn_iou0.5.json.gz")))


@pytest.mark.data
def test_the_class_ids_are_those_of_the_official_list(data):
    words = (data / "evaluation/gt/TH14_annotation/detclasslist.txt").read_text().split()
    assert list(zip(map(int, words[::2]), words[1::2], strict=True)) == list(zip(CLASS_IDS, CLASSES, strict=True))


def test_rows_can_be_chosen_and_keep_their_unit(tmp_path):
    table = written(tmp_path / "truth.csv", "video-name f-init f-end\nv 0 1\nw 2 3\n")
    chosen = read_ground_truth(table).select_rows(np.array([False, True]))
    assert rows_of(chosen) == [("w", "proposal", 2, 3, 1)]
    assert (chosen.unit, chosen.videos) == ("frames", ("v", "w"))
    assert replace(chosen, unit="seconds").unit == "seconds"
