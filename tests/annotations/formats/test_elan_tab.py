"""ELAN's tab-delimited export, with a line of names or without, a column of values or one for each tier."""

from pathlib import Path

import pytest

from format_samples import saved
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action

BARE = (
    "gloss\t\t00:00:01.000\t1.0\t00:00:04.000\t4.0\t00:00:03.000\t3.0\tWAVE\n"
    'notes\tAnna\t00:00:09.000\t9.0\t00:00:10.500\t10.5\t00:00:01.500\t1.5\tsay "hi", now\n'
)
NAMED = (
    "Tier\tParticipant\tBegin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tBegin Time - msec\tEnd Time - hh:mm:ss.ms\t"
    "End Time - ss.msec\tEnd Time - msec\tDuration - ss.msec\tAnnotation\n"
    "gloss\t\t00:00:01.000\t1.0\t1000\t00:00:04.000\t4.0\t4000\t3.0\tWAVE\n"
    'notes\tAnna\t00:00:09.000\t9.0\t9000\t00:00:10.500\t10.5\t10500\t1.5\tsay "hi", now\n'
)
ACTIONS = (Action(1.0, 4.0, "WAVE"), Action(9.0, 10.5, 'say "hi", now'))


@pytest.mark.parametrize("text", [BARE, NAMED])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_both_forms_say_the_same_in_any_encoding(tmp_path: Path, text: str, encoding: str, end: str) -> None:
    file = saved(tmp_path / "talk.txt", text.replace("\n", end), encoding)
    assert sniff_format(file) == "elan-tab"
    annotations = read_annotations(file)
    assert annotations.timelines["talk"].actions == ACTIONS
    assert any("all 2 tiers are read, and mixed: gloss (1), notes (1)" in note for note in annotations.notes)
    assert read_annotations(file, tiers=["gloss"]).timelines["talk"].actions == ACTIONS[:1]


@pytest.mark.parametrize(
    "times",
    ["1.0\t4.0\t3.0", "1000\t4000\t3000", "00:00:01.000\t1000\t00:00:04.000\t4000\t00:00:03.000\t3000"],
)
def test_any_kind_of_time_is_told_without_names(tmp_path: Path, times: str) -> None:
    file = saved(tmp_path / "talk.txt", f"gloss\tAnna\t{times}\tWAVE\n")
    assert sniff_format(file) == "elan-tab"
    assert read_annotations(file).timelines["talk"].actions == (Action(1.0, 4.0, "WAVE"),)
    alone = saved(tmp_path / "alone.txt", f"{times}\tWAVE\n")
    assert read_annotations(alone).timelines["alone"].actions == (Action(1.0, 4.0, "WAVE"),)


def test_a_column_for_each_tier_is_a_tier_each(tmp_path: Path) -> None:
    text = (
        "Begin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec\tRight Hand\tLeft Hand\n"
        "1.0\t4.0\t3.0\tWAVE\tHOLD\n5.0\t6.0\t1.0\t\tPOINT\n"
    )
    annotations = read_annotations(saved(tmp_path / "talk.txt", text))
    assert annotations.timelines["talk"].labels == ("HOLD", "POINT", "WAVE")
    left = read_annotations(tmp_path / "talk.txt", tiers=["Left Hand"])
    assert left.timelines["talk"].labels == ("HOLD", "POINT")


def test_files_of_an_export_of_many_are_its_videos(tmp_path: Path) -> None:
    text = (
        "Tier\tBegin Time - ss.msec\tDuration - ss.msec\tAnnotation\tFile Name\n"
        "gloss\t1.0\t3.0\tWAVE\tone.eaf\ngloss\t2.0\t1.0\t\ttwo.eaf\n"
    )
    text = text.replace("Duration - ss.msec", "End Time - ss.msec")
    annotations = read_annotations(
        saved(tmp_path / "all.txt", text.replace("\t3.0", "\t4.0").replace("\t1.0\t\t", "\t3.0\t\t"))
    )
    assert annotations.timelines["one"].actions == (Action(1.0, 4.0, "WAVE"),)
    assert annotations.timelines["two"].actions == (Action(2.0, 3.0, "gloss"),)


def test_labels_of_audacity_stay_labels_of_audacity(tmp_path: Path) -> None:
    assert sniff_format(saved(tmp_path / "a.txt", "1.0\t2.0\t3.0\n2.0\t4.0\t2.0\n")) == "audacity"
    assert sniff_format(saved(tmp_path / "a.txt", "1.0\t2.0\tjump\n")) == "audacity"
    assert sniff_format(saved(tmp_path / "a.txt", "1.0\t2.0\tjump\thigh\n")) == "audacity"


def test_a_line_without_times_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"talk\.txt: line 3 has no begin and end that can be read"):
        read_annotations(saved(tmp_path / "talk.txt", NAMED.replace("00:00:09.000\t9.0\t9000", "\t\t")))
    with pytest.raises(BadInput, match=r"has no times that are surely a begin and an end"):
        read_annotations(saved(tmp_path / "talk.txt", "gloss\tAnna\tWAVE\n"), format="elan-tab")
