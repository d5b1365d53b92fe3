"""Whether windows and anchors suit the lengths of actions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from untrimmed.annotations.corpus import DataConfig, open_features
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput
from untrimmed.models.anchors import anchor_ratios
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.pyramid import STEM_STRIDE
from untrimmed.project.findings import Finding
from untrimmed.project.window_remedies import WindowFaults, suggest_change
from untrimmed.recipe import Recipe
from untrimmed.timeline import Action, Timeline

MANY_UNREACHED = 0.02
"""Share of actions without an anchor from which it is a warning."""
MANY_LONG = 0.01
"""Share of actions that do not fit into a window from which it is a warning."""

Segments = Float[np.ndarray, "n 2"]
Suggest = Callable[[str, str], str]
"""Finds the remedy for a kind of fault; the second argument is what to say where no setting helps."""
Actions = Sequence[tuple[str, Action]]
"""Actions with the names of their videos."""


def check_windows(recipe: Recipe, ground_truth: Mapping[str, Timeline], videos: Sequence[str]) -> Iterator[Finding]:
    """Find actions that are longer than a window, shorter than a snippet, or out of reach of every anchor."""
    actions = [(video, action) for video in videos for action in ground_truth[video]]
    source = find_source(recipe.data)
    if not actions or (source is None and recipe.windows.mode == "slide"):
        return

    def locate(changed: Recipe, changed_source: FeatureSource | None) -> Segments:
        return _locate_actions(changed, changed_source, actions, ground_truth)

    def suggest(kind: str, otherwise: str) -> str:
        def count(changed: Recipe, changed_source: FeatureSource | None) -> WindowFaults:
            return _count_faults(changed, locate(changed, changed_source))

        return suggest_change(recipe, source, kind, count) or otherwise

    segments = locate(recipe, source)
    lengths = segments[:, 1] - segments[:, 0]
    if recipe.windows.mode == "slide":
        yield from _check_long(recipe, actions, lengths, suggest)
    if (lengths < 1).any():
        remedy = suggest("short", "take features of a higher rate")
        sentence = f"{_format_share(lengths < 1)}; the shortest is {_describe(actions, lengths.argmin())}"
        yield Finding("warning", "actions shorter than a snippet", sentence, remedy)
    if isinstance(recipe.model, CTCNConfig):
        yield from _check_anchors(recipe.model, actions, segments, suggest)


def find_source(data: DataConfig) -> FeatureSource | None:
    """Return the source of the features before averaging, by the recipe or themselves; None where neither says."""
    if data.source:
        return data.source
    try:
        return open_features(replace(data, average=1)).source
    except BadInput:
        return None


def _locate_actions(
    recipe: Recipe, source: FeatureSource | None, actions: Actions, ground_truth: Mapping[str, Timeline]
) -> Segments:
    """Locate actions in snippets: of a whole video that is resized to one window, or of the features' own."""
    segments = np.array([(action.start, action.end) for _, action in actions])
    if source is None or recipe.windows.mode == "whole":
        return segments * recipe.model.length / np.array([[ground_truth[video].duration] for video, _ in actions])
    return source.average(recipe.data.average).grid.position(segments)


def _count_faults(recipe: Recipe, segments: Segments) -> WindowFaults:
    lengths = segments[:, 1] - segments[:, 0]
    long = int((lengths > recipe.model.length).sum()) if recipe.windows.mode == "slide" else 0
    model = recipe.model
    unreached = (
        compute_best_tiou(model, segments) < model.match_tiou if isinstance(model, CTCNConfig) else lengths[:0]
    )
    return WindowFaults(long, int((lengths < 1).sum()), int(unreached.sum()))


def compute_best_tiou(config: CTCNConfig, segments: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Compute the largest tIoU of each segment with any anchor; segments in snippets from the start of a window.

    Anchors are taken to go on beyond the window's end, as those of the next window do.
    """
    best = np.zeros(len(segments))
    centres, widths = segments.mean(1), segments[:, 1] - segments[:, 0]
    cells = count_cells(config)
    for level, count in enumerate(cells):
        base = config.length / count
        # The nearest anchor is that of the cell in which the segment's centre lies.
        distance = np.abs(centres - (np.floor(centres / base) + 0.5) * base)
        for ratio in anchor_ratios(config.anchors, config.anchor_rule, coarsest=level == len(cells) - 1):
            anchor = ratio * config.anchor_scale * base
            overlap = np.clip(np.minimum((widths + anchor) / 2 - distance, np.minimum(widths, anchor)), 0, None)
            best = np.maximum(best, overlap / (widths + anchor - overlap))
    return best


def count_cells(config: CTCNConfig) -> list[int]:
    """Return the number of cells of every level, finest first."""
    return [config.length // STEM_STRIDE // 2**level for level in range(config.finest - 2, config.levels)]


def _check_long(recipe: Recipe, actions: Actions, lengths: np.ndarray, suggest: Suggest) -> Iterator[Finding]:
    length = recipe.model.length
    long = lengths > length
    if long.any():
        lost = int((lengths > length / recipe.windows.coverage).sum())
        sentence = (
            f"{_format_share(long)}, {lost:,} of them too long to be learned at all; the longest is "
            f"{_describe(actions, lengths.argmax())} = {lengths.max():.0f} snippets, a window {length}"
        )
        severity = "warning" if long.mean() >= MANY_LONG else "note"
        remedy = suggest("long", "take features of a lower rate, or part such actions")
        yield Finding(severity, "actions longer than a window", sentence, remedy)


def _check_anchors(config: CTCNConfig, actions: Actions, segments: np.ndarray, suggest: Suggest) -> Iterator[Finding]:
    best, lengths = compute_best_tiou(config, segments), segments[:, 1] - segments[:, 0]
    unreached: Bool[np.ndarray, " n"] = best < config.match_tiou
    if not unreached.any():
        return
    worst = best.argmin()
    remedy = suggest("unreached", "no other window, level or rate reaches many more of them; fine, if they are few")
    forced = "model.force_match gives each its nearest all the same" if config.force_match else "they are not learned"
    yield Finding(
        "warning" if unreached.mean() >= MANY_UNREACHED else "note",
        f"actions that no anchor reaches at tIoU {config.match_tiou:g}",
        f"{_format_share(unreached)} ({forced}); the farthest is {_describe(actions, worst)} = "
        f"{lengths[worst]:.1f} snippets, tIoU {best[worst]:.2f}",
        remedy,
    )


def _format_share(mask: np.ndarray) -> str:
    return f"{int(mask.sum()):,} of {len(mask):,} ({100 * mask.mean():.1f} %)"


def _describe(actions: Actions, place: np.intp) -> str:
    video, action = actions[int(place)]
    return f"{action.label!r} in {video}, {action.start:.2f} to {action.end:.2f} s"
