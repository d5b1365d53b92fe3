"""Projects of BORIS: whose behaviour it is, which observation, on which clock, and what of that is left out."""

from pathlib import Path
from typing import Any

import pytest

from format_samples import boris, saved
from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

TWO = [
    [1.0, "m1", "eat", "apple", ""],
    [2.0, "m2", "eat", "pear", ""],
    [4.0, "m1", "eat", "apple", "slowly"],
    [5.0, "m2", "eat", "pear", ""],
]


def project_file(folder: Path, events: list[list[Any]], **more: Any) -> Path:
    return saved(folder / "mice.boris", boris(events, **more))


def test_two_subjects_of_one_behaviour_pair_by_themselves_and_are_said(tmp_path: Path) -> None:
    annotations = read_annotations(project_file(tmp_path, TWO))
    assert annotations.timelines["6008"].actions == (Action(1, 4, "eat"), Action(2, 5, "eat"))
    notes = " ".join(annotations.notes)
    assert "subjects are left out of the labels: m1 (2), m2 (2) events" in notes
    assert "modifiers are left out of the labels: apple (2), pear (2) events" in notes
    assert "1 comment is left out (the first is 'slowly')" in notes


def test_subjects_and_modifiers_can_be_part_of_the_label(tmp_path: Path) -> None:
    annotations = read_annotations(project_file(tmp_path, TWO), label="behavior+subject+modifiers")
    assert annotations.timelines["6008"].labels == ("eat m1 apple", "eat m2 pear")
    assert not any("left out of the labels" in note for note in annotations.notes)
    with pytest.raises(
        BadInput, match=r"mice\.boris: the label cannot be made of 'mouse'; name some of behavior, sub"
    ):
        read_annotations(tmp_path / "mice.boris", label="behavior+mouse")


def test_a_start_without_a_stop_is_dropped_and_listed(tmp_path: Path) -> None:
    annotations = read_annotations(project_file(tmp_path, [*TWO, [8.0, "m1", "eat", "apple", ""]]))
    assert [(row.start, row.reason) for row in annotations.dropped] == [(8.0, "starts and never stops")]


def test_two_raters_of_one_video_are_never_merged_and_one_can_be_named(tmp_path: Path) -> None:
    project = boris(TWO)
    project["observations"]["second rater"] = {**project["observations"]["first"], "events": TWO[::2]}
    file = saved(tmp_path / "mice.boris", project)
    with pytest.raises(
        BadInput, match=r"observation 'second rater' is of video '6008', and so is 'first'; leave one"
    ):
        read_annotations(file)
    annotations = read_annotations(file, tiers=["second rater"])
    assert annotations.timelines["6008"].actions == (Action(1, 4, "eat"),)
    assert "observations read: second rater (2); left out: first (4)" in annotations.notes
    with pytest.raises(BadInput, match=r"has no observation 'third'; there are first \(4\), second rater \(2\)"):
        read_annotations(file, tiers=["third"])


def test_an_observation_of_pictures_is_left_out_and_said(tmp_path: Path) -> None:
    project = boris(TWO)
    pictures = {
        "type": "IMAGES",
        "file": {},
        "directories_list": ["p"],
        "events": [["NA", "m1", "eat", "", "", "17"]],
    }
    project["observations"]["img"] = pictures
    annotations = read_annotations(saved(tmp_path / "mice.boris", project))
    assert list(annotations.timelines) == ["6008"]
    assert any("is left out, as pictures have no times: img" in note for note in annotations.notes)
    del project["observations"]["first"]
    with pytest.raises(
        BadInput, match=r"has observations of pictures alone \('img'\), which have no times of a video"
    ):
        read_annotations(saved(tmp_path / "mice.boris", project))


def test_the_offset_of_the_first_player_is_not_applied_and_that_of_the_observation_is(tmp_path: Path) -> None:
    media = boris([])["observations"]["first"]["media_info"]
    more = {"time offset": 0.5, "media_info": {**media, "offset": {"1": 7.0}}, "observation time interval": [0, 20]}
    annotations = read_annotations(project_file(tmp_path, TWO, **more))
    assert annotations.timelines["6008"] == Timeline(30.5, (Action(0.5, 3.5, "eat"), Action(1.5, 4.5, "eat")))
    notes = " ".join(annotations.notes)
    assert "less its time offset of 0.5 s" in notes
    assert "the offset of 7 s of player 1 is not applied" in notes
    assert "was watched from 0 s to 20 s alone" in notes


def test_an_event_without_a_partner_is_listed_on_the_clock_of_its_own_file(tmp_path: Path) -> None:
    first, second = "one.mp4", "two.mp4"
    more = {"file": {"1": [first, second]}, "media_info": {"length": {first: 10.0, second: 20.0}}}
    annotations = read_annotations(project_file(tmp_path, [*TWO, [12.0, "", "run", "", ""]], **more))
    assert [(row.video, row.start) for row in annotations.dropped] == [("two", 2.0)]


def test_modifiers_that_are_none_are_none(tmp_path: Path) -> None:
    events = [[1.0, "No focal subject", "eat", "None|None", ""], [2.0, "No focal subject", "eat", "None|None", ""]]
    annotations = read_annotations(project_file(tmp_path, events), label="behavior+subject+modifiers")
    assert annotations.timelines["6008"].labels == ("eat",)
    assert not any("left out" in note for note in annotations.notes)
