"""A folder of four small videos, annotated."""

from pathlib import Path
from shutil import copytree

import pytest

from own_folder import ROWS, csv, video


@pytest.fixture(scope="module")
def small_videos(tmp_path_factory):
    """Four videos of eight seconds."""
    folder = tmp_path_factory.mktemp("small_videos")
    for number, name in enumerate("abcd"):
        video(folder / f"{name}.mp4", 8, seed=number)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch, small_videos):
    """These, annotated in a table that spells their names in four ways."""
    monkeypatch.chdir(tmp_path)
    copytree(small_videos, "clips")
    csv(Path("clips/labels.csv"), ROWS)
    return Path("clips")
