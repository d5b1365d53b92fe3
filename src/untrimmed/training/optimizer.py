"""How weights are updated: the optimizer, the learning rate of a step, the moving average of the weights."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from untrimmed.recipe import TrainConfig


def compute_rate(step: int, config: TrainConfig) -> float:
    """Compute the learning rate of update `step`, counted from 0."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        progress = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
        return config.rate * warm * (1 + math.cos(math.pi * min(1.0, progress))) / 2
    return config.rate * warm * config.drop ** sum(step >= at for at in config.drops)


def build_optimizer(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Build SGD with momentum, or AdamW."""
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, config.rate, weight_decay=config.decay)
    return torch.optim.SGD(parameters, config.rate, config.momentum, weight_decay=config.decay)


class MovingAverage:
    """The exponential moving average of a model's weights, its float buffers included.

    Early on it keeps less than `decay`, so that the random start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Average in the weights after update `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        state = model.state_dict()
        floats = [name for name, value in state.items() if value.is_floating_point()]
        lerp = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage]
        lerp([self.values[n] for n in floats], [state[n] for n in floats], 1 - decay)
        for name in state.keys() - set(floats):
            self.values[name].copy_(state[name])
