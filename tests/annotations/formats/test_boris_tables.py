"""Tables that BORIS exports: in any encoding, with a preamble or without, of several files or observations."""

from pathlib import Path

import pytest

from format_samples import AGGREGATED, TABULAR, saved
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

PREAMBLE = """Observation id,cage4,,,,,
,,,,,,
Media file(s),,,,,,
Player #1,D:/lab/cage4_day1.avi,,,,,
,,,,,,
Time offset (s),2,,,,,
,,,,,,
Time,Media file path,Total length,FPS,Subject,Behavior,Status
5.2,D:/lab/cage4_day1.avi,90.0,25,,rear,START
8.5,D:/lab/cage4_day1.avi,90.0,25,,rear,STOP
"""

HEADING = "Observation id,Source,Time offset (s),Media duration (s),Subject,Behavior,Modifier #1,Behavior type,Time\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_preamble_is_passed_over_and_its_offset_taken_off(
    tmp_path: Path, delimiter: str, encoding: str, end: str
) -> None:
    text = PREAMBLE.replace(",", delimiter).replace("\n", end)
    file = saved(tmp_path / "obs.csv", text, encoding)
    assert sniff_format(file) == "boris-table"
    annotations = read_annotations(file)
    (timeline,) = annotations.timelines.values()
    assert list(annotations.timelines) == ["cage4_day1"] and timeline.duration == 90.0
    assert [(round(a.start, 6), round(a.end, 6), a.label) for a in timeline.actions] == [(3.2, 6.5, "rear")]
    assert any("less its time offset of 2 s" in note for note in annotations.notes)


def test_decimal_commas_are_read_beside_semicolons(tmp_path: Path) -> None:
    text = PREAMBLE.replace(",", ";").replace("5.2", "5,2").replace("8.5", "8,5").replace("90.0", "90,0")
    (timeline,) = read_annotations(saved(tmp_path / "obs.csv", text)).timelines.values()
    assert timeline.duration == 90.0 and round(timeline.actions[0].start, 6) == 3.2


def test_files_of_one_observation_follow_each_other(tmp_path: Path) -> None:
    line = "o,player #1:a/one.mp4;a/two.mp4|player #2:b/side.mp4,0,10.000;20.000|30.000,,eat,,{},{}\n"
    rows = [("START", 1), ("STOP", 2), ("START", 12.5), ("STOP", 14)]
    text = HEADING + "".join(line.format(*row) for row in rows)
    assert read_annotations(saved(tmp_path / "obs.csv", text)).timelines == {
        "one": Timeline(10.0, (Action(1, 2, "eat"),)),
        "two": Timeline(20.0, (Action(2.5, 4, "eat"),)),
    }


def test_subjects_and_modifiers_pair_by_themselves_and_join_the_label_on_demand(tmp_path: Path) -> None:
    rows = ["m1,eat,apple,START,1", "m2,eat,pear,START,2", "m1,eat,apple,STOP,4", "m2,eat,pear,STOP,5"]
    text = HEADING + "".join(f"o,player #1:v.mp4,0,9.0,{row}\n" for row in rows)
    file = saved(tmp_path / "obs.csv", text)
    annotations = read_annotations(file)
    assert annotations.timelines == {"v": Timeline(9.0, (Action(1, 4, "eat"), Action(2, 5, "eat")))}
    assert any("m1 (2), m2 (2) events" in note for note in annotations.notes)
    assert read_annotations(file, label="behavior+subject").timelines["v"].labels == ("eat m1", "eat m2")


def test_two_observations_of_one_video_are_refused_unless_one_is_named(tmp_path: Path) -> None:
    rows = [f"{name},player #1:v.mp4,0,9.0,,eat,,{kind}\n" for name in "ab" for kind in ("START,1", "STOP,2")]
    file = saved(tmp_path / "obs.csv", HEADING + "".join(rows))
    with pytest.raises(BadInput, match=r"observation 'b' is of video 'v', and so is 'a'; leave one of them out"):
        read_annotations(file)
    assert read_annotations(file, tiers=["b"]).timelines == {"v": Timeline(9.0, (Action(1, 2, "eat"),))}


def test_aggregated_states_may_touch_and_stand_in_any_order(tmp_path: Path) -> None:
    heading, first, _ = AGGREGATED.split("\r\n", 2)
    second = first.replace("689.000,989.023,300.023", "600.000,689.000,89")
    text = "\r\n".join((heading, first, second, ""))
    actions = (Action(600.0, 689.0, "eat"), Action(689.0, 989.023, "eat"))
    assert read_annotations(saved(tmp_path / "a.csv", text)).timelines == {"6008": Timeline(1381.01, actions)}


def test_events_of_pictures_have_no_time_and_are_said(tmp_path: Path) -> None:
    lines = TABULAR.split("\n")
    pictures = lines[1].replace("\t1.000\t/v/6008.mp4", "\tNA\tNA")
    annotations = read_annotations(saved(tmp_path / "a.tsv", TABULAR + pictures))
    assert annotations.timelines["6008"].actions == (Action(1.0, 4.5, "eat"),)
    assert "1 event of pictures is left out, as pictures have no time (the first is line 6)" in annotations.notes


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\tSTOP\t4.500", "\tMAYBE\t4.500", "line 5 has the status 'MAYBE'; START, STOP or POINT was expected"),
        ("\tSTOP\t4.500", "\tSTOP\tsoon", "line 5 has 'soon' for 'Time'; seconds, or a time like 00:01:02.5, were"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_annotations(saved(tmp_path / "a.tsv", TABULAR.replace(old, new)))
    assert words in str(refusal.value)
