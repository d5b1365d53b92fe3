"""Units of times: what a file leaves open is read right where somebody says it, and doubted where nobody does."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.annotations import Row
from untrimmed.annotations.convert import convert, read_annotations
from untrimmed.annotations.corpus import DataConfig, open_corpus, open_dataset
from untrimmed.annotations.units import UNITS, doubt_units, guess_rate, suggest_units
from untrimmed.cli import app
from untrimmed.io import BadInput
from untrimmed.timeline import Action

RATE = 25
SECONDS: dict[str, list[Row]] = {
    "a": [Row(4.0, 8.0, "run"), Row(20.0, 29.0, "jump"), Row(40.0, 52.0, "run")],
    "b": [Row(1.0, 3.0, "jump"), Row(30.0, 38.0, "run")],
}
LENGTHS = {"a": 60.5, "b": 41.25}
FORMS = ("json", "results", "csv", "tsv", "thumos")


def put(value: float, unit: str, length: float, rate: float) -> float:
    """A time of a video in a unit, as people write it."""
    if unit == "share":
        return value / length
    return value if unit == "s" else round(value * {"ms": 1e3, "us": 1e6, "frames": rate}[unit])


def write(
    folder: Path,
    form: str,
    unit: str,
    rows: Mapping[str, Sequence[Row]] = SECONDS,
    lengths: Mapping[str, float] = LENGTHS,
    rate: float = RATE,
) -> Path:
    """A file of these rows in a form that states no unit."""
    moved = {
        video: [
            row._replace(
                start=put(row.start, unit, lengths[video], rate), end=put(row.end, unit, lengths[video], rate)
            )
            for row in video_rows
        ]
        for video, video_rows in rows.items()
    }
    if form in ("json", "results"):
        items = {
            video: [{"label": r.label, "segment": [r.start, r.end], "score": r.score} for r in video_rows]
            for video, video_rows in moved.items()
        }
        content = {"results": items} if form == "results" else {v: {"annotations": i} for v, i in items.items()}
        (folder / "file.json").write_text(json.dumps(content))
        return folder / "file.json"
    if form == "thumos":
        (folder / "thumos").mkdir(exist_ok=True)
        for label in ("run", "jump"):
            lines = [f"{v} {r.start!r} {r.end!r}\n" for v, rs in moved.items() for r in rs if r.label == label]
            (folder / "thumos" / f"{label}_val.txt").write_text("".join(lines))
        return folder / "thumos"
    mark = "," if form == "csv" else "\t"
    table = [["video", "start", "end", "label"]]
    table += [[v, repr(r.start), repr(r.end), r.label] for v, rs in moved.items() for r in rs]
    (folder / f"file.{form}").write_text("".join(mark.join(cells) + "\n" for cells in table))
    return folder / f"file.{form}"


def write_lengths(folder: Path, lengths: Mapping[str, float] = LENGTHS) -> Path:
    lines = [f"{video},{length!r}\n" for video, length in lengths.items()]
    (folder / "lengths.csv").write_text("video,duration\n" + "".join(lines))
    return folder / "lengths.csv"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_that_is_given_is_read_in_every_form(tmp_path: Path, form: str, unit: str) -> None:
    file = write(tmp_path, form, unit)
    fps = RATE if unit == "frames" else None
    annotations = read_annotations(file, unit=unit, fps=fps, durations=write_lengths(tmp_path))
    for video, rows in SECONDS.items():
        read = sorted(annotations.timelines[video].actions)
        assert [action.label for action in read] == [row.label for row in sorted(rows)]
        assert np.allclose([(action.start, action.end) for action in read], [row[:2] for row in sorted(rows)])
    assert sorted(annotations.rows) == ["a", "b"]
    assert unit == "s" or any(note.startswith(f"times are read as {unit}") for note in annotations.notes)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unit", sorted(set(UNITS) - {"s"}))
def test_a_unit_that_nobody_gives_is_doubted_and_named(tmp_path: Path, form: str, unit: str) -> None:
    file, out = write(tmp_path, form, unit), tmp_path / "out.json"
    with pytest.raises(
        BadInput, match=rf"{re.escape(str(file))}: .*'.*' at \[.*unit='{unit}'.*--unit {unit}.* would"
    ):
        convert(file, out, durations=write_lengths(tmp_path))
    assert not out.exists()
    # Who says that seconds are meant is believed.
    assert read_annotations(file, unit="s", durations=write_lengths(tmp_path)).rows


@st.composite
def recordings(draw: st.DrawFn) -> tuple[dict[str, list[Row]], dict[str, float]]:
    """Actions of videos between 20 s and 20 minutes, of which the last ends in the second half of its video."""
    rows: dict[str, list[Row]] = {}
    lengths: dict[str, float] = {}
    for video in draw(st.sampled_from((("a",), ("a", "b"), ("a", "b", "c")))):
        length = draw(st.integers(2000, 120000)) / 100
        cuts = sorted(draw(st.lists(st.integers(1, 99), min_size=6, max_size=12, unique=True)))
        cuts[-1] = max(cuts[-1], 60)
        edges = [cut / 100 * length for cut in sorted(set(cuts))]
        rows[video] = [Row(a, b, "run") for a, b in zip(edges[::2], edges[1::2], strict=False)]
        lengths[video] = length
    return rows, lengths


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    recordings(),
    st.sampled_from(UNITS),
    st.sampled_from(("json", "results", "csv")),
    st.sampled_from((10, 24, 25, 30, 60)),
)
def test_a_file_in_any_unit_is_read_right_by_the_switch_or_doubted(
    tmp_path: Path, recording: tuple[dict[str, list[Row]], dict[str, float]], unit: str, form: str, rate: float
) -> None:
    rows, lengths = recording
    file, durations = write(tmp_path, form, unit, rows, lengths, rate), write_lengths(tmp_path, lengths)
    half = 0.5 / rate if unit == "frames" else 1e-3

    def is_right(fps: float | None = None, said: str | None = None) -> bool:
        timelines = read_annotations(file, durations=durations, unit=said, fps=fps).timelines
        return all(
            len(timelines[video]) == len(video_rows)
            and all(
                abs(action.start - row.start) <= half + 1e-9 and abs(action.end - row.end) <= half + 1e-9
                for action, row in zip(timelines[video], video_rows, strict=True)
            )
            for video, video_rows in rows.items()
        )

    assert is_right(rate if unit == "frames" else None, unit)
    if unit == "s":
        assert is_right()
    else:
        with pytest.raises(BadInput, match=f"unit='{unit}'"):
            read_annotations(file, durations=durations)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("video,onset_ms,offset_ms,label\nc,1500,62250,x\n", (1.5, 62.25)),
        ("video,Start [ms],End [ms],label\nc,1500,62250,x\n", (1.5, 62.25)),
        ("video,begin_us,end_us,label\nc,1500000,62250000,x\n", (1.5, 62.25)),
        ("video,start (\N{MICRO SIGN}s),end (\N{MICRO SIGN}s),label\nc,1500000,62250000,x\n", (1.5, 62.25)),
        ("video,t_start (s),t_stop (s),label\nc,1.5,62.25,x\n", (1.5, 62.25)),
        ("video,start_ms,end_ms,label\nc,00:00:01.5,1:02.25\n".replace("1:02.25", "1:02.25,x"), (1.5, 62.25)),
        ("video,start,end,label\nc,00:01:02.5,01:00:00,x\n", (62.5, 3600.0)),
        ("cell.onset,cell.offset,cell.code01\n1500,62250,x\n", (1.5, 62.25)),
    ],
)
def test_a_unit_that_the_file_states_is_read_and_no_other_is_taken(
    tmp_path: Path, text: str, seconds: tuple[float, float]
) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    assert read_annotations(tmp_path / "c.csv").timelines["c"].actions == (Action(*seconds, "x"),)
    with pytest.raises(
        BadInput, match=r"c\.csv: the column .* states .*, so the unit 'frames' cannot hold; leave it"
    ):
        read_annotations(tmp_path / "c.csv", unit="frames", fps=25)


def test_frames_of_a_table_with_rates_are_those_of_each_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("video,start,end,fps,label\na,250,500,25,x\nb,250,500,50,x\n")
    timelines = read_annotations(tmp_path / "t.csv", unit="frames").timelines
    assert timelines["a"].actions == (Action(10.0, 20.0, "x"),) and timelines["b"].actions == (
        Action(5.0, 10.0, "x"),
    )


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("frames", "unit 'frames' needs frames a second; give them (fps=25, --fps 25)"),
        ("share", "shares of video 'a' need its length in seconds; give it in the file"),
        ("minutes", "unit 'minutes': there are s, ms, us, frames, share"),
    ],
)
def test_what_a_unit_needs_is_said(tmp_path: Path, unit: str, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        read_annotations(write(tmp_path, "csv", "frames"), unit=unit)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(2500, 4100), (9000, 15000)], "whole numbers, which as seconds go on for 4.167 hours"),
        ([(2500.5, 4100), (9000, 32000.25)], "its times as seconds go on for 8.889 hours: .* unit='ms'"),
        ([(0.1, 0.2), (0.4, 0.5), (0.6, 0.9)], "all 3 times lie within 0 to 1"),
        ([(1700000000.5, 1700000003)], "are those of a computer's clock, .* was there at 2023-11-14 22:13; take off"),
        ([(1700000000500, 1700000003000)], "was there at 2023-11-14 22:13"),
    ],
)
def test_without_any_length_only_the_unlikely_is_doubted(rows: list[tuple[float, float]], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        doubt_units("f", {"v": [Row(*row, "x") for row in rows]}, {})


@pytest.mark.parametrize(
    "rows",
    [
        [(3600, 3700), (7000, 7200)],  # two hours in whole seconds
        [(2500.5, 4100), (9000, 15000)],  # not whole
        [(0.1, 0.2), (0.4, 0.9)],  # two actions in the first second
        [(0.1, 0.2), (0.4, 0.9), (1.0, 1.5)],
        [(1, 2), (5, 9)],
        [],
    ],
)
def test_likely_seconds_are_believed(rows: list[tuple[float, float]]) -> None:
    doubt_units("f", {"v": [Row(*row, "x") for row in rows]}, {})


def test_two_shares_are_doubted_where_lengths_are_known_and_one_is_noted() -> None:
    rows = {"a": [Row(0.12, 0.34, "x")], "b": [Row(0.5, 0.75, "x")]}
    with pytest.raises(BadInput, match=r"all 2 times lie within 0 to 1: .* up to 200 s; unit='share'"):
        doubt_units("f", rows, {"a": 100.0, "b": 200.0})
    assert doubt_units("f", rows, {"a": 100.0}) == ()
    assert doubt_units("f", rows, {"a": 2.0, "b": 3.0}) == ()
    (note,) = doubt_units("f", {"a": rows["a"]}, {"a": 100.0})
    assert note.startswith("'x' at [0.12, 0.34] in video 'a' is read as seconds; if it is not, unit='share'")


def test_shares_beyond_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("video,start,end,label\na,0.1,0.2,x\na,10,20,x\n")
    (tmp_path / "lengths.csv").write_text("video,duration\na,100\n")
    words = r"1 of 2 times go beyond 1, .*'x' at \[10, 20\] in video 'a'; divide percent by 100"
    with pytest.raises(BadInput, match=words):
        read_annotations(tmp_path / "t.csv", unit="share", durations=tmp_path / "lengths.csv")


def test_a_rate_may_be_text_and_what_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("video,start,end,label\na,25,50,x\n")
    assert read_annotations(tmp_path / "t.csv", unit="frames", fps="25").timelines["a"].duration == 2.0
    with pytest.raises(BadInput, match="'fast' frames a second: a positive number was expected"):
        read_annotations(tmp_path / "t.csv", unit="frames", fps="fast")


def test_lengths_that_bear_seconds_out_silence_every_doubt() -> None:
    rows = {"v": [Row(0, 10800, "x"), Row(20000, 30000, "x"), Row(0, 1, "x")]}
    assert doubt_units("f", rows, {"v": 30000.5}) == ()
    assert doubt_units("f", {"v": [Row(i / 9, (i + 1) / 9, "x") for i in range(9)]}, {"v": 1.2}) == ()
    # A few ends that are wrong are dropped one by one, as before.
    doubt_units("f", {"v": [Row(1, 2, "x"), Row(3, 4, "x"), Row(50, 500, "x")]}, {"v": 20.0})


def test_whole_numbers_with_nothing_to_bear_them_out_are_noted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("video,start,end,label\na,100,1500,x\n")
    notes = read_annotations(tmp_path / "t.csv").notes
    assert any(
        note.startswith("whole numbers up to 1,500 are read as seconds; if they are not, unit='ms'") for note in notes
    )


def test_lengths_in_the_same_unit_are_turned_too_and_said(tmp_path: Path) -> None:
    entry = {"duration": 60000, "annotations": [{"label": "x", "segment": [2500, 54100]}]}
    (tmp_path / "f.json").write_text(json.dumps({"a": entry}))
    annotations = read_annotations(tmp_path / "f.json", unit="ms")
    assert annotations.timelines["a"].duration == 60.0 and annotations.timelines["a"].actions[0].end == 54.1
    assert any("the lengths in the file are read as ms too" in note for note in annotations.notes)


@pytest.mark.parametrize(
    ("ends", "length", "units"),
    [
        ([1387, 942], 60.0, ("frames", "ms")),
        ([55490, 11960], 60.0, ("ms",)),
        ([55490000], 60.0, ("us",)),
        ([0.9, 0.2], 60.0, ("share",)),
        ([61.5], 60.0, ()),
        ([9e9], 60.0, ()),
    ],
)
def test_the_units_that_would_fit(ends: list[float], length: float, units: tuple[str, ...]) -> None:
    assert suggest_units(ends, [length] * len(ends)) == units


def test_the_lowest_usual_rate_that_fits_is_named() -> None:
    assert [guess_rate(reach) for reach in (9, 14, 23.9, 29.9, 55, 1000)] == [10, 15, 25, 30, 60, 240]


def test_annotations_that_do_not_fit_the_features_are_doubted(tmp_path: Path) -> None:
    folder = synthetic.write_dataset(tmp_path)
    content = json.loads((folder / "annotations.json").read_text())
    for entry in content["database"].values():
        entry.pop("duration")
        for item in entry["annotations"]:
            item["segment"] = [round(1000 * time) for time in item["segment"]]
    (folder / "annotations.json").write_text(json.dumps(content))
    config = synthetic.recipe_for(folder).data
    with pytest.raises(BadInput, match=r"annotations\.json: .*unit='ms' \(--unit ms\).* would fit"):
        open_corpus(config)


def test_a_recipe_says_the_unit_or_is_told(tmp_path: Path) -> None:
    entries = {
        video: {
            "subset": subset,
            "duration": 60.0,
            "annotations": [{"label": "x", "segment": [100 * k, 100 * k + 90]} for k in range(1, 14)],
        }
        for video, subset in (("a", "training"), ("b", "validation"))
    }
    (tmp_path / "f.json").write_text(json.dumps({"database": entries}))
    with pytest.raises(BadInput, match=r"f\.json: 26 of 26 times lie beyond .*a recipe has data\.unit for it"):
        open_dataset(DataConfig(annotations=str(tmp_path / "f.json")))
    dataset = open_dataset(DataConfig(annotations=str(tmp_path / "f.json"), unit="frames", fps=25.0))
    assert dataset.ground_truth["a"].actions[0] == Action(4.0, 7.6, "x") and not dataset.dropped


@pytest.mark.parametrize("command", ["convert"])
def test_the_command_refuses_with_one_sentence_and_takes_the_unit(tmp_path: Path, command: str) -> None:
    file, out = write(tmp_path, "csv", "ms"), tmp_path / "out.json"
    words = [command, str(file), str(out), "--durations", str(write_lengths(tmp_path))]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2 and not out.exists()
    result = CliRunner().invoke(app, [*words, "--unit", "ms"])
    assert result.exit_code == 0, result.output
    entry = json.loads(out.read_text())["database"]["b"]
    assert entry["annotations"][1] == {"label": "run", "segment": [30.0, 38.0]} and entry["duration"] == 41.25
