"""A C-TCN that is built and run in a moment."""

import torch
from torch import nn

from untrimmed.models.ctcn import CTCNConfig

CHANNELS, CLASSES = 8, 3
SMALL = CTCNConfig(length=64, levels=5, concepts=0, depth=15, width=1 / 16)


def inputs(length=64):
    mask = torch.arange(length) < torch.tensor([[length], [41]])
    return torch.randn(2, CHANNELS, length), mask


def randomize_norms(model):
    """Batch norms with statistics of their own, as after training; the model in `eval`."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
            ):
                nn.init.uniform_(value, low, high)
        elif isinstance(module, nn.Conv1d | nn.Conv2d) and module.bias is not None:
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return model.eval()
