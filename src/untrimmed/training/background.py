"""Windows without an action: which of them a step learns from, and how hard each of them is for the model."""

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float, Int

from untrimmed.features.windows import WindowConfig
from untrimmed.models.base import Model, stack_windows
from untrimmed.models.device import Precision, autocast
from untrimmed.recipe import TrainConfig
from untrimmed.training.windows import TrainingWindows

BATCH = 16
HARD = 0.1
"""Share of the windows without an action that are the hardest ones."""
SCORED = 0.125
"""The most windows that are scored at a time, as a share of those that a whole training learns from."""
UNSCORED = -1.0


def count_background(config: WindowConfig, batch: int, backgrounds: int, processes: int = 1) -> int:
    """Count the windows without an action that a step has beside its `batch`, as many in each process."""
    share = config.background / (1 - config.background) * batch / processes
    return processes * max(round(share), 1) if backgrounds and share else 0


def list_mining_steps(config: WindowConfig, steps: int) -> list[int]:
    """List the steps before which the windows without an action are scored, spread evenly over a training."""
    parts = config.mining + 1
    return sorted({steps * part // parts for part in range(1, parts)} - {0}) if config.background else []


def draw_background(
    random: np.random.Generator, number: int, hardness: Float[np.ndarray, " windows"]
) -> Int[np.ndarray, " number"]:
    """Draw windows by index: half of them from the hardest that were scored, the others, or all, from everywhere."""
    everywhere = random.integers(len(hardness), size=number)
    scored = np.count_nonzero(hardness != UNSCORED)
    if not scored:
        return everywhere
    hardest = np.argsort(-hardness, kind="stable")[: max(1, round(HARD * scored))]
    return np.where(random.random(number) < 0.5, hardest[random.integers(len(hardest), size=number)], everywhere)


def sample_background(settings: TrainConfig, step: int, backgrounds: int) -> Int[np.ndarray, " sample"]:
    """Sample the windows to score before a step, so many that hours of video cost little beside the training."""
    count = min(backgrounds, max(1, round(SCORED * settings.steps * settings.batch)))
    return np.sort(np.random.default_rng([settings.seed, step, backgrounds]).permutation(backgrounds)[:count])


@torch.inference_mode()
def score_background(
    model: Model, data: TrainingWindows, sample: Int[np.ndarray, " sample"], device: str, precision: Precision
) -> Float[np.ndarray, " windows"]:
    """Compute the highest score that the model gives to anything in each sampled window without an action.

    The others are `UNSCORED`. The same in every process: the first one's weights decide.
    """
    hardness = torch.full((len(data.backgrounds),), UNSCORED, dtype=torch.float64, device=device)
    was_training = model.training
    model.eval()
    for first in range(0, len(sample), BATCH):
        places = sample[first : first + BATCH].tolist()
        x, mask, _ = stack_windows([data.cut_window(data.backgrounds[place]) for place in places])
        with autocast(device, precision):
            outputs = model(x.to(device), mask.to(device))
        for place, proposals in zip(places, model.decode(outputs), strict=True):
            hardness[place] = proposals.scores.max().double() if proposals.scores.numel() else 0.0
    model.train(was_training)
    if dist.is_initialized():
        dist.broadcast(hardness, 0)
    return hardness.cpu().numpy()
