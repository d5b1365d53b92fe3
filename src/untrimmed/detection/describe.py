"""Describes recipes in numbers (parameters, multiply-adds, anchors, levels), and the headers of detector files."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from untrimmed.annotations.corpus import open_corpus
from untrimmed.detection.calibration import ScoreMap
from untrimmed.detection.card import card_to_json, describe_card
from untrimmed.detection.detector import Header
from untrimmed.detection.detector import read_header as read_detector_header
from untrimmed.detection.runtime import SUFFIX, read_onnx_header
from untrimmed.io import BadInput
from untrimmed.recipe import Recipe, recipe_tree

SUFFIXES = (".safetensors", SUFFIX)
"""Endings of detector files; other files are recipes."""


def describe_recipe(recipe: Recipe, channels: int | None = None, classes: int | None = None) -> dict[str, Any]:
    """Compute what a recipe builds, by name.

    `parameters`, `macs` (multiply-adds of one window's forward), `anchors`, `levels` (cells of each scale, finest
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


def read_any_header(path: Path) -> Header:
    """Read the header of a detector file of either kind. Raises BadInput as loading does."""
    return read_onnx_header(path) if path.suffix == SUFFIX else read_detector_header(path)


def header_to_json(header: Header) -> dict[str, Any]:
    """Convert a header to plain values for JSON.

    `card` is None in files that are older than cards, `calibration` where scores are raw.
    """
    return {
        "version": header.version,
        "channels": header.channels,
        "classes": list(header.classes),
        "source": asdict(header.source),
        "recipe": recipe_tree(header.recipe),
        "card": card_to_json(header.card) if header.card else None,
        "calibration": asdict(header.calibration) if header.calibration else None,
    }


def _describe_scores(score_map: ScoreMap | None) -> str:
    """Say what calibration makes of scores."""
    if score_map is None:
        return "as suppression leaves them, not calibrated"
    raw = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    pairs = zip(raw.tolist(), score_map.apply(raw).tolist(), strict=True)
    return "calibrated: " + ", ".join(f"{score:g} becomes {share:.2g}" for score, share in pairs)


def describe_header(header: Header) -> list[tuple[str, str]]:
    """Format a header as rows of a name and a value, for people."""
    recipe = header.recipe
    classes = f"{len(header.classes)}: {', '.join(header.classes[:10])}{', ...' if len(header.classes) > 10 else ''}"
    rows = [
        ("model", f"{recipe.model.name}, windows of {recipe.model.length} snippets ({recipe.windows.mode})"),
        ("features", f"{header.source.summary}, {header.channels} channels"),
        ("classes", classes),
        ("scores", _describe_scores(header.calibration)),
        ("training", f"{recipe.train.steps:,} steps of {recipe.train.batch} windows, seed {recipe.train.seed}"),
        ("written by", f"untrimmed {header.version}"),
    ]
    return rows + (describe_card(header.card) if header.card else [("card", "none: the file is older than cards")])
