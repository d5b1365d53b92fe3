"""Every model learns a pattern that is there to be learned."""

import pytest

import synthetic
from untrimmed.train import train


@pytest.mark.slow
def test_a_model_finds_what_raises_its_channel(tmp_path):
    recipe = synthetic.recipe_for(
        synthetic.write_dataset(tmp_path / "data", videos=30),
        model={"concepts": 16, "width": 0.125},
        train={"steps": 120, "batch": 8, "save_every": 1000, "average": 0.95, "warmup": 10, "schedule": "cosine"},
    )
    scores = train(recipe, tmp_path / "run", quiet=True).scores
    assert scores.map[0] > 0.9  # tIoU 0.5
