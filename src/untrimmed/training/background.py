"""Windows without an action: which of them a step learns from, and how hard each of them is for the model."""

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float, Int

from untrimmed.features.windows import WindowConfig
from untrimmed.models.base import Model, stack_windows
from untrimmed.models.device import Precision, autocast
from untrimmed.training.windows import TrainingWindows

BATCH = 16
HARD = 0.1
"""Share of the windows without an action that are the hardest ones."""


def count_background(config: WindowConfig, batch: int, backgrounds: int) -> int:
    """Count the windows without an action in a batch; one window at least holds an action."""
    return min(round(config.background * batch), batch - 1) if backgrounds else 0


def list_mining_steps(config: WindowConfig, steps: int) -> list[int]:
    """List the steps before which the windows without an action are scored, spread evenly over a training."""
    parts = config.mining + 1
    return sorted({steps * part // parts for part in range(1, parts)} - {0}) if config.background else []


def draw_background(
    random: np.random.Generator, number: int, hardness: Float[np.ndarray, " windows"]
) -> Int[np.ndarray, " number"]:
    """Draw windows by index: half of them from the hardest, the others from all; from all where none is known."""
    windows = len(hardness)
    everywhere = random.integers(windows, size=number)
    if not hardness.any():
        return everywhere
    hardest = np.argsort(-hardness, kind="stable")[: max(1, round(HARD * windows))]
    return np.where(random.random(number) < 0.5, hardest[random.integers(len(hardest), size=number)], everywhere)


@torch.inference_mode()
def score_background(
    model: Model, data: TrainingWindows, device: str, precision: Precision
) -> Float[np.ndarray, " windows"]:
    """Compute the highest score that the model gives to anything in each window without an action.

    The same in every process: the first one's weights decide.
    """
    hardness = torch.zeros(len(data.backgrounds), dtype=torch.float64, device=device)
    was_training = model.training
    model.eval()
    for first in range(0, len(hardness), BATCH):
        x, mask, _ = stack_windows([data.cut_window(place) for place in data.backgrounds[first : first + BATCH]])
        with autocast(device, precision):
            outputs = model(x.to(device), mask.to(device))
        for place, proposals in enumerate(model.decode(outputs), first):
            hardness[place] = proposals.scores.max().double() if proposals.scores.numel() else 0.0
    model.train(was_training)
    if dist.is_initialized():
        dist.broadcast(hardness, 0)
    return hardness.cpu().numpy()
