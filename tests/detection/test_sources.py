"""Folders of videos: every one is detected in, under a name of its own, and one that is broken stops no other."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from films import film
from untrimmed.annotations.convert import read_annotations
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.io import BadInput
from untrimmed.recipe import build_recipe


@pytest.fixture
def detector() -> Detector:
    """Weights of seed 0 for features of the default backbone without flow."""
    source = build_source(resolve_config(ExtractConfig(fps=2.0, flow=False), []))
    model = {"name": "ctcn", "length": 64, "levels": 5, "concepts": 0, "depth": 15, "width": 1 / 16}
    recipe = build_recipe({"data": {"annotations": "a.json", "features": "f"}, "model": model}, "test")
    torch.manual_seed(0)
    return Detector(recipe.model.build(1280, 2).eval(), recipe, 1280, ("jump", "run"), source)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    videos = tmp_path / "videos"
    for name in ("cam1/a.mp4", "cam2/a.mp4", "00001.mkv"):
        film(videos / name)
    (videos / "00001.mkv").rename(videos / "00001.MTS")
    (videos / "broken.mp4").write_bytes(b"no video")
    (videos / "._b.mp4").write_bytes(b"no video")
    (videos / "b.braw").write_bytes(b"no video")
    (videos / "labels.csv").write_text("video,start,end,label\n")
    return videos


def test_every_video_is_detected_in_under_its_own_name(detector: Detector, folder: Path) -> None:
    timelines = detector.detect_all(folder)
    assert sorted(timelines) == ["00001", "cam1/a", "cam2/a"]
    assert timelines["cam2/a"].video == folder / "cam2/a.mp4"
    assert list(timelines.failed) == ["broken"] and "broken.mp4: cannot be read" in timelines.failed["broken"]
    assert timelines.best(1).failed == timelines.above(0.5).failed == timelines.failed
    assert "1 file, such as" in timelines.notes[0] and "b.braw" in timelines.notes[0]


def test_a_video_that_is_left_out_is_logged_in_python(
    detector: Detector, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(detector(folder)) == 3
    assert "left out" in caplog.text and "broken.mp4" in caplog.text


def test_where_no_video_can_be_used_the_first_reason_is_raised(detector: Detector, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.mp4").write_bytes(b"no video")
    with pytest.raises(BadInput, match=r"none of 2 videos can be used: .*a\.mp4: cannot be read"):
        detector.detect_all(tmp_path)
    with pytest.raises(BadInput, match=r"^[^:]*a\.mp4: cannot be read"):
        detector.detect_all(tmp_path / "a.mp4")


def test_the_command_writes_the_others_and_ends_with_2(detector: Detector, folder: Path, tmp_path: Path) -> None:
    detector.save(tmp_path / "d.safetensors")
    command = ["detect", str(tmp_path / "d.safetensors"), str(folder), "--quiet", "--out"]
    refused = CliRunner().invoke(app, [*command, str(tmp_path / "all.srt")])
    assert refused.exit_code == 2 and "holds one video, not 4; name it '{video}.srt'" in refused.output
    assert not list(tmp_path.glob("*.srt"))
    result = CliRunner().invoke(app, [*command, str(tmp_path / "r.json")])
    assert result.exit_code == 2 and "broken.mp4: cannot be read" in result.stderr
    assert sorted(read_annotations(tmp_path / "r.json").timelines) == ["00001", "cam1/a", "cam2/a"]
    CliRunner().invoke(app, [*command, str(tmp_path / "out" / "{video}.csv")])
    assert (tmp_path / "out/cam1/a.csv").is_file() and (tmp_path / "out/cam2/a.csv").is_file()
