"""What lies in a folder, and what is left out of it."""

import json
from pathlib import Path

import pytest

from own_folder import video
from untrimmed.io import BadInput
from untrimmed.project.folder_scan import scan_folder
from untrimmed.timeline import Action


def test_the_file_s_own_length_is_believed_and_what_lies_beyond_it_is_dropped_and_told(folder):
    entries = {
        name: {"duration": 30, "subset": "train", "annotations": [{"label": "x", "segment": [1, 3]}]}
        for name in "abc"
    }
    entries["a"]["annotations"].append({"label": "x", "segment": [20, 25]})
    entries["gone"] = entries["b"]
    Path("own.json").write_text(json.dumps(entries))
    scan = scan_folder(folder, Path("own.json"))
    assert scan.timelines["a"].duration == pytest.approx(8)
    assert scan.timelines["a"].actions == (Action(1, 3, "x"),)
    notes = "\n".join(scan.notes)
    assert "shorter than the annotations say: 3 videos (the first is 'a'), 8.0 s, not 30.0 s; the files" in notes
    assert "left out, as they cannot be used (1): video 'a', 'x' at [20, 25]" in notes
    assert "annotated, but no such file that can be read: video 'gone'" in notes


def test_a_video_that_cannot_be_read_is_left_out_and_told(folder):
    (folder / "b.mp4").write_bytes(b"no video")
    scan = scan_folder(folder)
    assert sorted(scan.timelines) == ["a", "c", "d"]
    assert any("left out, as it cannot be read: clips/b.mp4" in note for note in scan.notes)


def test_every_ending_of_a_video_counts_and_files_of_others_are_said(folder):
    Path("clips/d.mp4").rename("clips/d.braw")
    Path("clips/c.mp4").rename("clips/c.MTS")
    Path("clips/._a.mp4").write_bytes(b"no video")
    scan = scan_folder(folder)
    assert sorted(scan.timelines) == ["a", "b", "c"]
    assert any("passed over" in note and "1 file, such as clips/d.braw" in note for note in scan.notes)


def test_videos_of_one_name_in_two_folders_have_the_annotations_beside_them(tmp_path):
    for number, camera in enumerate(("cam1", "cam2")):
        video(tmp_path / camera / "a.mp4", 8, seed=number)
        (tmp_path / camera / "a.csv").write_text(f"start,end,label\n1,{2 + number},x\n")
    scan = scan_folder(tmp_path)
    assert {name: line.actions for name, line in scan.timelines.items()} == {
        "cam1/a": (Action(1, 2, "x"),),
        "cam2/a": (Action(1, 3, "x"),),
    }
    assert scan.folders == (tmp_path,)
    assert any("annotations are in 2 files of different videos" in note for note in scan.notes)


def test_a_text_behind_all_names_of_files_is_no_part_of_them(tmp_path):
    for name in ("c1", "c2"):
        video(tmp_path / f"{name}.mp4", 8)
        (tmp_path / f"{name}_annotations.csv").write_text("start,end,label\n1,3,x\n")
    scan = scan_folder(tmp_path)
    assert sorted(scan.timelines) == ["c1", "c2"]
    notes = "\n".join(scan.notes)
    assert "such as 'c1_annotations' and 'c1'" in notes and "guessed" not in notes


def test_a_name_that_could_mean_two_videos_is_said_with_both(tmp_path):
    for name in ("cam1/a", "cam2/a", "b", "c"):
        video(tmp_path / f"{name}.mp4", 8)
    (tmp_path / "labels.csv").write_text("video,start,end,label\na,1,3,x\nb,1,3,x\nc,1,3,x\n")
    scan = scan_folder(tmp_path)
    assert "'a' could mean 'cam1/a' or 'cam2/a'; give its folder or its ending" in scan.notes
    (tmp_path / "labels.csv").write_text("video,start,end,label\nBb,1,3,x\n")
    with pytest.raises(BadInput, match="no video is called so: is the first 'b'"):
        scan_folder(tmp_path)
