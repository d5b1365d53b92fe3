"""What lies in a folder, and what is left out of it."""

import json
from pathlib import Path

import pytest

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
