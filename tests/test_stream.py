"""Streams: what is told while a video arrives is what detecting finds when it is there, told once and in time."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import synthetic
from untrimmed import live
from untrimmed.backbones.efficientnet_lite import CHANNELS
from untrimmed.cli import app
from untrimmed.detector import Detector
from untrimmed.errors import BadInput
from untrimmed.extraction.one_video import extract_video
from untrimmed.extraction.settings import ExtractConfig, settled, source_of
from untrimmed.features import VideoFeatures
from untrimmed.flow import CHANNELS as MOTION
from untrimmed.stream import Stretch, Watch
from untrimmed.video import write_video

SCORE = 0.3
NEVER = 1e9


def detector_of(channels, source, length=16, **sections):
    """Of random weights: it finds something everywhere."""
    torch.manual_seed(1)
    sections = {"windows": {"mode": "slide"}, "suppress": {"keep": 100_000}, **sections}
    model = {"length": length, "levels": 4, "concepts": 8, "depth": 15, "width": 0.0625}
    recipe = synthetic.recipe_for(synthetic_folder(), model=model, **sections)
    recipe = replace(recipe, model=replace(recipe.model, length=length))
    return Detector(recipe.model.build(channels, 3).eval(), recipe, channels, synthetic.CLASSES, source)


def synthetic_folder():
    from pathlib import Path

    return Path("nowhere")


@pytest.fixture(scope="module")
def sighted():
    """A detector of what the default backbone sees."""
    source = source_of(settled(ExtractConfig(), []))
    return detector_of(CHANNELS + MOTION, source)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Twelve seconds of a square that wanders, as MPEG-TS."""
    path = tmp_path_factory.mktemp("video") / "clip.ts"
    random = np.random.default_rng(0)
    pictures = []
    for number in range(120):
        picture = random.integers(0, 60, (64, 64, 3)).astype(np.uint8)
        x = int(24 + 20 * np.sin(number / 9))
        picture[20:40, x : x + 16] = (200, number * 2 % 255, 90)
        pictures.append(picture)
    write_video(path, pictures, 10)
    return path


@pytest.fixture(scope="module")
def wanted(sighted, clip):
    """What detecting finds of the clip, by start."""
    found = sighted.detect(extract_video(clip, ExtractConfig())).above(SCORE)
    assert len(found.actions) > 5
    return [(a.start, a.end, a.label, a.score) for a in found.actions]


@pytest.fixture
def file(sighted, tmp_path):
    sighted.save(tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def alike(found, wanted):
    assert [row[2] for row in sorted(found)] == [row[2] for row in sorted(wanted)]
    numbers = [(a, b, d) for a, b, _, d in sorted(found)]
    assert np.array(numbers) == pytest.approx(np.array([(a, b, d) for a, b, _, d in sorted(wanted)]), abs=2e-3)


def rows_of(found):
    return [(one.action.start, one.action.end, one.action.label, one.action.score) for one in found]


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def rows_in(text):
    return [(line["start"], line["end"], line["label"], line["score"]) for line in lines_of(text)]


def noise(count, seed=0):
    values = np.random.default_rng(seed).normal(0, 1, (count, synthetic.CHANNELS)).astype(np.float32)
    return VideoFeatures(values, synthetic.SOURCE.grid, count / synthetic.SOURCE.fps, synthetic.SOURCE)


def streamed(stretch, features, size):
    found = []
    for first in range(0, len(features), size):
        found += stretch.add(np.asarray(features.values[first : first + size]))
    return found + stretch.finish(features.duration)


@pytest.mark.parametrize("count", [1, 5, 16, 17, 24, 25, 100, 203])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_features_that_arrive_give_the_actions_of_detecting(count, size):
    detector = detector_of(synthetic.CHANNELS, synthetic.SOURCE)
    features = noise(count)
    stretch = Stretch(detector, SCORE, NEVER)
    found = streamed(stretch, features, size)
    wanted = detector.detect(features).above(SCORE).actions
    alike(rows_of(found), [(a.start, a.end, a.label, a.score) for a in wanted])
