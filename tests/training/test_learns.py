"""Every model learns a pattern that is there to be learned."""

from dataclasses import replace

import pytest

import synthetic
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.training.loop import train

CTCN = CTCNConfig(length=128, levels=6, concepts=16, depth=15, width=0.125)
# In so few updates only a box by force for every action is a box for each, and boxes must not run away from the rest.
GTAN = GTANConfig(length=128, base=(64, 64), layers=(32, 32, 48, 48, 64, 64), force_match=True, sigma_step=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "steps"), [(CTCN, 120), (GTAN, 200)], ids=["ctcn", "gtan"])
def test_a_model_finds_what_raises_its_channel(model, steps, tmp_path):
    settings = {"steps": steps, "batch": 8, "save_every": 1000, "average": 0.95, "warmup": 10, "schedule": "cosine"}
    recipe = synthetic.recipe_for(synthetic.write_dataset(tmp_path / "data", videos=30), train=settings)
    scores = train(replace(recipe, model=model), tmp_path / "run").scores
    assert scores.map[0] > 0.9  # tIoU 0.5
