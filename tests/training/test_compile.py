"""Compiled training: the same losses as the plain network, and one sentence where there is no compiler."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

import synthetic
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


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", TRAINING], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_a_compiler_training_says_what_is_missing(tmp_path, monkeypatch):
    recipe = synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data", videos=3))
    monkeypatch.setenv("CXX", "/nowhere/g++")
    missing = r"'/nowhere/g\+\+': no such C\+\+ compiler; install g\+\+, name yours in CXX, or do not compile"
    with pytest.raises(BadInput, match=missing):
        train(replace(recipe, train=replace(recipe.train, compile=True)), tmp_path / "compiled")
