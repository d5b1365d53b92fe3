"""The whole demo: what it leaves behind, and that it does not look at its own answers."""

import hashlib
import json
from pathlib import Path

import pytest

from untrimmed.annotations.corpus import open_corpus
from untrimmed.demo.pipeline import FEATURES, VIDEOS, read_demo_recipe, run_demo
from untrimmed.demo.videos import DemoConfig

SMALL = DemoConfig(videos=3, seconds=(14.0, 16.0))
QUICK = ["train.steps=3", "model.length=128", "model.levels=6"]


@pytest.mark.slow
def test_the_demo_ends_with_a_page_and_is_not_run_twice(tmp_path):
    tasks = []
    result = run_demo(tmp_path, QUICK, workers=1, config=SMALL, progress=lambda task, *_: tasks.append(task))
    assert tasks[0] == "rendering" and len(set(tasks)) > 2
    page = result.report.read_text()
    held_out = json.loads((tmp_path / "results.json").read_text())["results"].keys()
    assert all(video in page for video in held_out) and page.count("data:video/mp4;base64") == len(held_out)
    written = {file: file.stat().st_mtime_ns for file in Path(tmp_path / FEATURES).iterdir()}
    assert run_demo(tmp_path, QUICK, workers=1, config=SMALL).scores == result.scores
    assert {file: file.stat().st_mtime_ns for file in Path(tmp_path / FEATURES).iterdir()} == written
    assert_nothing_is_shared(tmp_path)


def assert_nothing_is_shared(out):
    """No video, nor a copy of one, both teaches and tests."""
    corpus = open_corpus(read_demo_recipe(out).data)
    assert corpus.train and corpus.test and not set(corpus.train) & set(corpus.test)
    digests = [
        {hashlib.sha256((out / VIDEOS / f"{video}.mp4").read_bytes()).digest() for video in videos}
        for videos in (corpus.train, corpus.test)
    ]
    assert not digests[0] & digests[1]
    scored = json.loads((out / "results.json").read_text())["results"].keys()
    assert set(scored) == set(corpus.test)


def test_the_demo_learns_from_two_thirds_and_is_judged_on_the_rest():
    recipe = read_demo_recipe(Path("somewhere"))
    assert (recipe.data.train, recipe.data.test) == (("training",), ("validation",))
