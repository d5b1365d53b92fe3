"""Videos are found by their endings in folders inside a folder; what is passed over is said."""

from pathlib import Path

import pytest

from untrimmed.io import BadInput
from untrimmed.video.folders import list_videos


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_videos_of_every_ending_are_found_and_hidden_files_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "00001.MTS", "b.m2ts", "c.MXF", "._a.mp4", ".trash/d.mp4", "inner/e.vob", "labels.csv")
    listing = list_videos(tmp_path)
    assert sorted(listing.files) == ["00001", "a", "b", "c", "e"]
    assert listing.notes == ()


def test_one_name_in_two_folders_is_two_videos(tmp_path: Path) -> None:
    touch(tmp_path, "cam1/a.mp4", "cam2/a.mp4", "b.mp4")
    assert list_videos(tmp_path).files == {
        "cam1/a": tmp_path / "cam1/a.mp4",
        "cam2/a": tmp_path / "cam2/a.mp4",
        "b": tmp_path / "b.mp4",
    }
    assert list_videos(tmp_path / "cam1", tmp_path / "cam2").files.keys() == {"cam1/a", "cam2/a"}


def test_files_of_other_endings_are_counted_with_an_example(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.braw", "c.lrv", "features/a.npy")
    (note,) = list_videos(tmp_path).notes
    assert "2 files" in note and str(tmp_path / "b.braw") in note


def test_a_file_is_itself_whatever_its_ending(tmp_path: Path) -> None:
    file = touch(tmp_path, "clip.xyz") / "clip.xyz"
    assert list_videos(file) == ({"clip": file}, ())


def test_a_folder_without_videos_says_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "labels.csv", "clip.braw")
    with pytest.raises(BadInput, match=r"holds no video; of its 2 files the first is .*clip\.braw"):
        list_videos(tmp_path)
    with pytest.raises(BadInput, match="no such video"):
        list_videos(tmp_path / "absent")
