"""Public data sets in forms of their own: Ego4D, Perception Test, MultiTHUMOS, files of sentences."""

import json
from pathlib import Path
from typing import Any

import pytest

from untrimmed.annotations.convert import read_annotations, write_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def save(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def moment(label: str, start: float, end: float, shift: float = 0, **more: Any) -> dict[str, Any]:
    video = {"video_start_time": start + shift, "video_end_time": end + shift}
    return {"label": label, "start_time": start, "end_time": end, **video, **more}


def moments(*labels: dict[str, Any], **video: Any) -> dict[str, Any]:
    clip = {"clip_uid": "c", "video_start_sec": 100.0, "video_end_sec": 400.0}
    clips = [{**clip, "annotations": [{"annotator_uid": "x", "labels": list(labels)}]}]
    return {"version": "1.0", "videos": [{"video_uid": "v", "split": "val", "clips": clips, **video}]}


def test_moments_of_ego4d_lie_in_the_whole_video_and_only_primary_ones_count(tmp_path: Path) -> None:
    first, second = moment("wash", 5, 9, 100, primary=True), moment("dry", 7, 9, 100, primary=False)
    file = save(tmp_path / "moments_val.json", moments(first, second, duration_sec=900.0))
    annotations = read_annotations(file)
    assert sniff_format(file) == "ego4d"
    assert annotations.timelines == {"v": Timeline(900.0, (Action(105.0, 109.0, "wash"),))}
    assert annotations.subsets == {"v": "val"}
    assert "1 moment that is not primary is left out, the first is 'dry' in video 'v'" in annotations.notes


def test_moments_without_times_in_the_video_are_moved_by_their_clip(tmp_path: Path) -> None:
    file = save(tmp_path / "m.json", moments({"label": "wash", "start_time": 5, "end_time": 9}))
    annotations = read_annotations(file)
    assert annotations.timelines == {"v": Timeline(400.0, (Action(105.0, 109.0, "wash"),))}
    assert any("taken to end with the last clip" in note for note in annotations.notes)


def test_actions_of_perception_test_are_microseconds_and_sounds_are_left_out(tmp_path: Path) -> None:
    entry = {
        "metadata": {"split": "valid", "frame_rate": 30.0, "num_frames": 900},
        "action_localisation": [{"label": "Pouring", "timestamps": [1500000, 4000000], "frame_ids": [45, 120]}],
        "sound_localisation": [{"label": "hit", "timestamps": [0, 100]}],
    }
    annotations = read_annotations(save(tmp_path / "a.json", {"video_1": entry}))
    assert annotations.timelines == {"video_1": Timeline(30.0, (Action(1.5, 4.0, "Pouring"),))}
    assert annotations.subsets == {"video_1": "valid"}
    assert "1 sound is left out: actions alone are read" in annotations.notes


def test_sentences_of_activitynet_captions_are_labels(tmp_path: Path) -> None:
    entry = {"duration": 82.5, "timestamps": [[0.5, 20.0], [20.0, 60.5]], "sentences": ["A man sits.", " He runs. "]}
    file = save(tmp_path / "train.json", {"v_x": entry})
    actions = (Action(0.5, 20.0, "A man sits."), Action(20.0, 60.5, "He runs."))
    assert read_annotations(file).timelines == {"v_x": Timeline(82.5, actions)}
    entry["sentences"].pop()
    with pytest.raises(BadInput, match=r"'v_x' has 2 timestamps for 1 sentences"):
        read_annotations(save(file, {"v_x": entry}))


def test_lines_of_charades_sta_are_read(tmp_path: Path) -> None:
    file = tmp_path / "charades_sta_train.txt"
    file.write_text("AO8RW 0.0 6.9##a person is putting a book on a shelf.\nAO8RW 2.5 9.25##they walk.\n")
    annotations = read_annotations(file)
    assert annotations.timelines["AO8RW"].duration == 9.25
    assert annotations.timelines["AO8RW"].actions[1] == Action(2.5, 9.25, "they walk.")
    file.write_text("AO8RW 0.0 6.9##a.\nAO8RW 0.0\n")
    with pytest.raises(BadInput, match=r"line 2 is 'AO8RW 0\.0'"):
        read_annotations(file)


@pytest.mark.parametrize("place", ["", "annotations"])
def test_a_file_a_class_as_in_multithumos_gives_labels_and_subsets(tmp_path: Path, place: str) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "Run.txt").write_text(
        "video_test_0000004 1.5 3.0\n\nvideo_validation_0000051 0 2.5\n"
    )
    (tmp_path / "annotations" / "Long Jump.txt").write_text("video_test_0000004   2.0   4.25\n")
    annotations = read_annotations(tmp_path / place)
    assert annotations.timelines["video_test_0000004"].actions == (
        Action(1.5, 3, "Run"),
        Action(2, 4.25, "Long Jump"),
    )
    assert annotations.subsets == {"video_test_0000004": "test", "video_validation_0000051": "validation"}
    assert any("length guessed from the last action for 2 videos" in note for note in annotations.notes)


def test_a_format_that_is_only_read_says_so_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Ego4D's moments can be read but not written; there are activitynet, "):
        write_annotations(tmp_path / "out.json", {"a": Timeline(1.0)}, "ego4d")
    assert not list(tmp_path.iterdir())
