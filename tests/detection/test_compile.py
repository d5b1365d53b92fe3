"""Compiled networks: the same losses and detections as the plain ones, few programs, and a clear word without one."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import synthetic
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.io import BadInput
from untrimmed.training.loop import train

# In a process of its own: the shape checks of these tests wrap every function, and torch would compile them too.
TRAINING = """
import copy, torch
from untrimmed.models.device import compile_forward, to_device
from untrimmed.models.base import Targets
from untrimmed.models.gtan import GTANConfig

torch.set_num_threads(1)
torch.manual_seed(0)
config = GTANConfig(length=64, base=(8, 8), layers=(8, 8))
plain = to_device(config.build(8, 2), "cpu").train()
other = copy.deepcopy(plain)
x, mask = torch.randn(2, 8, 64), torch.arange(64) < torch.tensor([[64], [41]])
targets = [Targets(torch.tensor([[3.0, 9.0]]), torch.tensor([0]))] * 2
losses = []
for model, forward in ((plain, plain), (other, compile_forward(other, dynamic=False))):
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    for _ in range(2):
        loss = torch.stack(list(model.loss(forward(x, mask), targets).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
torch.testing.assert_close(losses[:2], losses[2:], rtol=1e-3, atol=1e-4)
assert losses[0] != losses[1]
for (name, a), b in zip(plain.state_dict().items(), other.state_dict().values(), strict=True):
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)
"""
# Programs are captured as ever but run as they are: what C++ makes of them is the other script's affair.
DETECTING = """
import functools, torch
from torch._dynamo.utils import counters
torch.compile = functools.partial(torch.compile, backend="aot_eager")
from untrimmed.models.device import compile_forward, to_device
from untrimmed.models.gtan import GTANConfig

torch.set_num_threads(1)
torch.manual_seed(0)
config = GTANConfig(length=64, base=(8, 8), layers=(8, 8))
plain = to_device(config.build(8, 2), "cpu").folded()
compiled = compile_forward(plain, dynamic=True)
with torch.inference_mode():
    for batch in (8, 3, 5, 1, 7, 1, 8):
        x, mask = torch.randn(batch, 8, 64), torch.arange(64) < torch.tensor([[50]] * batch)
        for a, b in zip(plain(x, mask), compiled(x, mask), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
assert 1 <= counters["stats"]["unique_graphs"] <= 3, counters["stats"]
assert not counters["graph_break"], counters["graph_break"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [TRAINING, DETECTING], ids=["training", "detecting"])
def test_a_compiled_network_says_the_same(script, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def recipe(tmp_path):
    return synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data", videos=3))


def test_without_a_compiler_both_doors_say_what_is_missing(recipe, tmp_path, monkeypatch):
    trained = train(replace(recipe, train=replace(recipe.train, steps=1)), tmp_path / "plain", quiet=True)
    monkeypatch.setenv("CXX", "/nowhere/g++")
    missing = r"'/nowhere/g\+\+': no such C\+\+ compiler; install g\+\+, name yours in CXX, or do not compile"
    with pytest.raises(BadInput, match=missing):
        train(replace(recipe, train=replace(recipe.train, compile=True)), tmp_path / "compiled", quiet=True)
    detector = Detector.load(tmp_path / "plain" / "detector.safetensors", compiled=True)
    features = synthetic.features_of(synthetic.timeline_of(np.random.default_rng(0)), np.random.default_rng(0))
    with pytest.raises(BadInput, match=missing):
        detector.detect(features)
    assert replace(detector, compiled=False).detect(features).duration == features.duration
    assert trained.results
    words = ["detect", str(tmp_path / "plain" / "detector.safetensors"), str(tmp_path / "data" / "features")]
    done = CliRunner().invoke(app, [*words, "--compile", "--out", str(tmp_path / "found.json"), "--quiet"])
    assert done.exit_code == 2 and "no such C++ compiler" in done.stderr
    assert not (tmp_path / "found.json").exists()
