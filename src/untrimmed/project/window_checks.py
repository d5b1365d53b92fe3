"""Whether windows and anchors suit the lengths of actions."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from untrimmed.annotations.corpus import DataConfig, open_features
from untrimmed.features.grid import Grid
from untrimmed.io import BadInput
from untrimmed.models.anchors import anchor_ratios
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.pyramid import STEM_STRIDE
from untrimmed.project.findings import Finding
from untrimmed.recipe import Recipe
from untrimmed.timeline import Action, Timeline

MANY_UNREACHED = 0.02
"""Share of actions without an anchor from which it is a warning."""
DAMAGE = 0.01
"""Share of actions that do not fit into a window from which it is a warning."""


def check_fit(recipe: Recipe, truth: Mapping[str, Timeline], videos: Sequence[str]) -> Iterator[Finding]:
    """Actions that are longer than a window, shorter than a snippet, or out of reach of every anchor."""
    places = [(video, action) for video in videos for action in truth[video].actions]
    grid = grid_of(recipe.data)
    if not places or (grid is None and recipe.windows.mode == "slide"):
        return
    segments = np.array([_position(recipe, grid, truth[video], action) for video, action in places])
    if recipe.windows.mode == "slide":
        yield from _long(recipe, places, segments)
    yield from _short(recipe, places, segments)
    if isinstance(recipe.model, CTCNConfig):
        yield from _unreached(recipe.model, places, segments)


def grid_of(data: DataConfig) -> Grid | None:
    """How snippets lie in time, by the recipe or the features themselves; None where neither says."""
    if data.source:
        return data.source.averaged(data.average).grid
    try:
        return open_features(data).source.grid
    except BadInput:
        return None


def reach_of(config: CTCNConfig, segments: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """The largest tIoU of each segment with any anchor; segments in snippets from the start of a window.

    Anchors are taken to go on beyond the window's end, as those of the next window do.
    """
    best = np.zeros(len(segments))
    centres, widths = segments.mean(1), segments[:, 1] - segments[:, 0]
    cells = cells_of(config)
    for level, count in enumerate(cells):
        base = config.length / count
        away = np.abs(centres - (np.floor(centres / base) + 0.5) * base)
        for ratio in anchor_ratios(config.anchors, config.anchor_rule, coarsest=level == len(cells) - 1):
            anchor = ratio * config.anchor_scale * base
            common = np.clip(np.minimum((widths + anchor) / 2 - away, np.minimum(widths, anchor)), 0, None)
            best = np.maximum(best, common / (widths + anchor - common))
    return best


def cells_of(config: CTCNConfig) -> list[int]:
    """Cells of every scale, finest first."""
    return [config.length // STEM_STRIDE // 2**level for level in range(config.finest - 2, config.levels)]


def _position(recipe: Recipe, grid: Grid | None, timeline: Timeline, action: Action) -> tuple[float, float]:
    """Start and end in snippets of the window: of the features' own, or of a whole video that is resized."""
    if recipe.windows.mode == "whole" or grid is None:
        scale = recipe.model.length / timeline.duration
        return action.start * scale, action.end * scale
    return float(grid.position(action.start)), float(grid.position(action.end))


def _long(recipe: Recipe, places: Sequence[tuple[str, Action]], segments: np.ndarray) -> Iterator[Finding]:
    length = recipe.model.length
    lengths = segments[:, 1] - segments[:, 0]
    most = length / recipe.windows.coverage
    if (share := float((lengths > length).mean())) > 0:
        yield Finding(
            "warning" if share >= DAMAGE else "note",
            "actions longer than a window",
            f"{_share(lengths > length)}, {int((lengths > most).sum()):,} of them too long to be learned at all; the "
            f"longest is {_named(places, int(lengths.argmax()))} = {lengths.max():.0f} snippets, a window {length}",
            "raise model.length (and model.levels), or extract at a lower rate",
        )


def _short(recipe: Recipe, places: Sequence[tuple[str, Action]], segments: np.ndarray) -> Iterator[Finding]:
    lengths = segments[:, 1] - segments[:, 0]
    if (lengths < 1).any():
        remedy = "extract at a higher rate" if recipe.windows.mode == "slide" else 'raise model.length, or "slide"'
        sentence = f"{_share(lengths < 1)}; the shortest is {_named(places, int(lengths.argmin()))}"
        yield Finding("warning", "actions shorter than a snippet", sentence, remedy)


def _unreached(config: CTCNConfig, places: Sequence[tuple[str, Action]], segments: np.ndarray) -> Iterator[Finding]:
    best = reach_of(config, segments)
    out: Bool[np.ndarray, " n"] = best < config.match_tiou
    if not out.any():
        return
    worst = int(best.argmin())
    lengths = segments[out, 1] - segments[out, 0]
    few = float(np.median(lengths)) < config.length / cells_of(config)[0]
    forced = "model.force_match gives each its nearest all the same" if config.force_match else "they are not learned"
    yield Finding(
        "warning" if out.mean() >= MANY_UNREACHED else "note",
        f"actions that no anchor reaches at tIoU {config.match_tiou:g}",
        f"{_share(out)} ({forced}); the farthest is {_named(places, worst)} = "
        f"{segments[worst, 1] - segments[worst, 0]:.1f} snippets, tIoU {best[worst]:.2f}",
        "extract at a higher rate, or raise model.length"
        if few
        else "raise model.levels, or extract at a lower rate",
    )


def _share(chosen: np.ndarray) -> str:
    return f"{int(chosen.sum()):,} of {len(chosen):,} ({100 * chosen.mean():.1f} %)"


def _named(places: Sequence[tuple[str, Action]], at: int) -> str:
    video, action = places[at]
    return f"{action.label!r} in {video}, {action.start:.2f} to {action.end:.2f} s"
