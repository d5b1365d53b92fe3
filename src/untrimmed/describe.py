"""What a recipe builds, in numbers: parameters, multiply-adds, anchors, levels."""

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from untrimmed.corpus import open_corpus
from untrimmed.errors import BadInput
from untrimmed.recipe import Recipe


def describe_recipe(recipe: Recipe, channels: int | None = None, classes: int | None = None) -> dict[str, Any]:
    """`parameters`, `macs` (multiply-adds of one window's forward), `anchors`, `levels` (cells of each scale, finest
    first), `receptive_fields` (snippets that a cell of each scale sees, bottom-up), `channels`, `classes`.

    Opens the data for the widths that are not given; no weights are made.
    """
    if channels is None or classes is None:
        try:
            corpus = open_corpus(recipe.data)
        except BadInput as error:
            raise BadInput(f"{error}; or give --channels and --classes, and no data is opened") from None
        channels = channels or corpus.features[corpus.train[0]].channels
        classes = classes or len(corpus.dataset.classes)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = recipe.model.build(channels, classes).eval()
        model(torch.zeros(1, channels, model.length), torch.ones(1, model.length, dtype=torch.bool))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "macs": counter.get_total_flops() // 2,
        "anchors": model.anchor_count,
        "levels": [level.cells for level in model.levels],
        "receptive_fields": [level.receptive_field for level in model.levels],
        "channels": channels,
        "classes": classes,
    }
