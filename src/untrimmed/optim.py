"""How weights move: the settings of training, the optimizer, the learning rate as a function of the step."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from untrimmed.config import Config


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """A run of training: how long, how fast, and how often it looks up."""

    seed: int = 0
    steps: int = 10_000
    """Updates in all."""
    batch: int = 16
    """Windows an update, over all processes together."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    rate: float = 1e-3
    """The learning rate after warming up."""
    momentum: float = 0.9
    """Of SGD; AdamW keeps its usual 0.9 and 0.999."""
    decay: float = 1e-4
    """Weight decay: L2 on every parameter with SGD, decoupled with AdamW."""
    warmup: int = 0
    """Steps over which the rate rises from 0."""
    schedule: Literal["steps", "cosine"] = "steps"
    drops: tuple[int, ...] = ()
    """Steps at which the schedule `steps` multiplies the rate by `drop`."""
    drop: float = 0.1
    clip: float = 0.0
    """The largest norm of the gradient; 0 does not clip."""
    average: float = 0.0
    """The moving average of the weights keeps this share of itself each step; 0 keeps none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the device computes in it, else float32."""
    compile: bool = False
    """Train with a compiled network: the same up to rounding, minutes before the first step; needs a C++ compiler."""
    evaluate_every: int = 0
    """Steps from one evaluation on the test videos to the next; 0 evaluates at the end only."""
    save_every: int = 500
    """Steps from one checkpoint to the next."""
    loaders: int = 0
    """Processes that prepare windows; 0 prepares them in the training process."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} = {getattr(self, name)}: must be at least 1")
        if not 0 <= self.average < 1:
            raise ValueError(f"train.average = {self.average}: must lie in [0, 1)")
        if not self.rate > 0:
            raise ValueError(f"train.rate = {self.rate}: must be above 0")


def rate(step: int, config: TrainConfig) -> float:
    """The learning rate of the update that makes step `step`, counted from 0."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
        return config.rate * warm * (1 + math.cos(math.pi * min(1.0, done))) / 2
    return config.rate * warm * config.drop ** sum(step >= at for at in config.drops)


def build_optimizer(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW."""
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, config.rate, weight_decay=config.decay)
    return torch.optim.SGD(parameters, config.rate, config.momentum, weight_decay=config.decay)


class MovingAverage:
    """The exponential moving average of a model's weights, its float buffers included.

    Early on it keeps less than `keep`, so that the random start is forgotten.
    """

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.keep = keep
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after update `step`, counted from 0."""
        keep = min(self.keep, (1 + step) / (10 + step))
        state = model.state_dict()
        floats = [name for name, value in state.items() if value.is_floating_point()]
        lerp = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage]
        lerp([self.values[n] for n in floats], [state[n] for n in floats], 1 - keep)
        for name in state.keys() - set(floats):
            self.values[name].copy_(state[name])

    def state(self) -> dict[str, Tensor]:
        """The averaged weights, as a model's state dictionary."""
        return self.values
