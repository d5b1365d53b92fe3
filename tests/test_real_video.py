"""Real video, through the commands: sign language, learned from the first part and found in the rest."""

import json

import pytest
from typer.testing import CliRunner

from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.cli import app
from untrimmed.recipe import build_recipe, write_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.video.sampling import sample_frames
from untrimmed.video.writer import write_video

FPS = 15.0
BORDERS = (0.0, 15.5, 28.7, 44.1)  # seconds, between two signs each; the last part is the unseen one


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def write_part(path, frames, truth, start, end):
    """The frames and the signs between two times, as a video of its own."""
    write_video(path, [frame.image for frame in frames if start <= frame.time < end], FPS)
    inside = [row["segment"] for row in truth if start <= row["segment"][0] and row["segment"][1] <= end + 0.1]
    actions = [Action(a - start, min(b, end) - start, "sign") for a, b in inside]
    return Timeline(end - start, tuple(actions))


@pytest.mark.data
@pytest.mark.slow
def test_signs_are_found_in_a_part_that_was_not_learned_from(data, tmp_path):
    truth = json.loads((data / "videos/asl_untrimmed.json").read_text())["annotations"]
    frames = list(sample_frames(data / "videos/asl_untrimmed.mp4", FPS, 240))
    (tmp_path / "videos").mkdir()
    timelines = {
        f"part{i}": write_part(tmp_path / f"videos/part{i}.mp4", frames, truth, BORDERS[i], BORDERS[i + 1])
        for i in range(3)
    }
    assert sum(len(timeline.actions) for timeline in timelines.values()) == len(truth)
    subsets = {"part0": "training", "part1": "training", "part2": "validation"}
    write_activitynet(tmp_path / "annotations.json", timelines, subsets)
    run("extract", tmp_path / "videos", "--out", tmp_path / "features", "--fps", "10", "--quiet")
    recipe = build_recipe(
        {
            "data": {"annotations": str(tmp_path / "annotations.json"), "features": str(tmp_path / "features")},
            "model": {"length": 128, "levels": 6, "concepts": 16, "depth": 15, "width": 0.125},
            "train": {
                "steps": 100, "batch": 8, "optimizer": "adamw", "rate": 2e-3, "decay": 0.05,
                "schedule": "cosine", "clip": 1.0, "average": 0.95,
            },
            "suppress": {"sigma": 0.3, "keep": 50},
        },
        "signs",
    )  # fmt: skip
    write_recipe(tmp_path / "recipe.toml", recipe)
    run("train", tmp_path / "recipe.toml", "--out", tmp_path / "run", "--quiet")
    unseen = tmp_path / "videos/part2.mp4"
    run("detect", tmp_path / "run/detector.safetensors", unseen, "--out", tmp_path / "found.json", "--quiet")
    run(
        "view", tmp_path / "found.json", "--truth", tmp_path / "annotations.json",
        "--videos", tmp_path / "videos", "--out", tmp_path / "report.html",
    )  # fmt: skip
    words = ["--subset", "validation", "--tiou", "0.3,0.5,0.7", "--json", tmp_path / "scores.json"]
    print(run("evaluate", tmp_path / "annotations.json", tmp_path / "found.json", *words))
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["map"][1] > 0.5  # tIoU 0.5; signing against standing still, by the same people
