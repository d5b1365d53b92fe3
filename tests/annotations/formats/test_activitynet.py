"""ActivityNet's JSON as others write it: lengths under any key, subsets, repetitions, keys that nobody reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

JUMP = {"segment": [1.0, 2.0], "label": "jump"}


def save(path: Path, entries: dict[str, Any], *, database: bool = False) -> Path:
    path.write_text(json.dumps({"database": entries} if database else entries))
    return path


@pytest.mark.parametrize("database", [True, False])
@pytest.mark.parametrize(
    "length",
    [
        {"duration": 20},
        {"duration_second": 20.0, "duration_frame": 600, "feature_frame": 592, "fps": 30.0, "rfps": 30.0},
        {"duration_seconds": "20"},
        {"duration_sec": 20},
        {"length": 20},
        {"video_duration": "00:00:20"},
        {"duration_frame": 500, "fps": 25},
        {"num_frames": 600, "frame_rate": "30"},
        {"duration": None, "duration_second": 20},
    ],
)
def test_a_length_is_read_under_any_usual_key(tmp_path: Path, length: dict[str, Any], database: bool) -> None:
    file = save(tmp_path / "a.json", {"v_a": {**length, "annotations": [JUMP]}}, database=database)
    annotations = read_annotations(file)
    assert annotations.timelines == {"v_a": Timeline(20.0, (Action(1.0, 2.0, "jump"),))}
    assert annotations.notes == ()


def test_a_length_that_no_key_states_is_guessed_and_said(tmp_path: Path) -> None:
    file = save(tmp_path / "a.json", {"a": {"annotations": [JUMP]}, "b": {"annotations": [JUMP], "duration": 9}})
    (note,) = read_annotations(file).notes
    assert note.startswith("length guessed from the last action for 1 video, the first is 'a': 2 s; give the lengths")
    (tmp_path / "lengths.csv").write_text("video,duration\na,12.5\n")
    annotations = read_annotations(file, durations=tmp_path / "lengths.csv")
    assert {video: timeline.duration for video, timeline in annotations.timelines.items()} == {"a": 12.5, "b": 9}
    assert not any("guessed" in note for note in annotations.notes)


def test_of_two_lengths_that_differ_the_usual_one_counts_and_the_other_is_said(tmp_path: Path) -> None:
    file = save(tmp_path / "a.json", {"a": {"annotations": [JUMP], "duration": 20, "length": 600}})
    annotations = read_annotations(file)
    assert annotations.timelines["a"].duration == 20
    assert annotations.notes == ("keys that are not read: 'length' of 1 of 1 videos, such as 'a'",)


@pytest.mark.parametrize("length", [0, -3, "long", [20]])
def test_a_length_that_is_none_is_refused_with_its_key(tmp_path: Path, length: Any) -> None:
    file = save(tmp_path / "a.json", {"a": {"annotations": [JUMP], "duration_sec": length}})
    with pytest.raises(BadInput, match=r"'a': its duration_sec is .*; a positive number of seconds was expected"):
        read_annotations(file)


def test_a_split_is_a_subset_unless_there_is_one(tmp_path: Path) -> None:
    entry = {"annotations": [JUMP], "duration": 9, "split": "train"}
    file = save(tmp_path / "a.json", {"a": entry, "b": {**entry, "subset": "validation"}})
    annotations = read_annotations(file)
    assert annotations.subsets == {"a": "train", "b": "validation"}
    assert annotations.notes == ("keys that are not read: 'split' of 1 of 2 videos, such as 'b'",)


def test_keys_that_look_important_are_said_and_others_are_not(tmp_path: Path) -> None:
    action = {**JUMP, "label_id": 3, "start_frame": 30}
    entry = {"annotations": [action], "duration": 9, "url": "u", "resolution": "1x1", "time_offset": 4}
    (note,) = read_annotations(save(tmp_path / "a.json", {"a": entry})).notes
    assert note == (
        "keys that are not read: 'annotations: start_frame' of 1 of 1 videos, such as 'a'; "
        "'time_offset' of 1 of 1 videos, such as 'a'"
    )


def test_an_action_that_stands_twice_counts_twice_and_is_said(tmp_path: Path) -> None:
    other = {"segment": [1.0, 2.0], "label": "run"}
    file = save(tmp_path / "a.json", {"a": {"annotations": [JUMP, other, JUMP, JUMP], "duration": 9}})
    annotations = read_annotations(file)
    assert len(annotations.timelines["a"]) == 4
    assert annotations.notes == (
        "2 annotations repeat another of the same label and times, and count as well: "
        "the first is 'jump' at [1, 2] s of video 'a'",
    )


def test_a_detection_that_stands_twice_is_said(tmp_path: Path) -> None:
    found = {**JUMP, "score": 0.5}
    (tmp_path / "r.json").write_text(json.dumps({"results": {"a": [found, found, {**found, "score": 0.25}]}}))
    annotations = read_annotations(tmp_path / "r.json")
    assert any(
        note.startswith("1 detection repeats another of the same label and times") for note in annotations.notes
    )


def test_two_entries_of_one_video_are_refused(tmp_path: Path) -> None:
    text = '{"database": {"a": {"duration": 9, "annotations": []}, "a": {"duration": 9, "annotations": [%s]}}}'
    (tmp_path / "a.json").write_text(text % json.dumps(JUMP))
    with pytest.raises(BadInput, match=r"a\.json: the key 'a' stands twice in one object, with different values"):
        read_annotations(tmp_path / "a.json")


def test_a_video_without_annotations_among_others_is_named(tmp_path: Path) -> None:
    file = save(tmp_path / "a.json", {"a": {"annotations": [JUMP], "duration": 9}, "b": {"duration": 9}})
    with pytest.raises(BadInput, match="video 'b' has no list of annotations"):
        read_annotations(file)
