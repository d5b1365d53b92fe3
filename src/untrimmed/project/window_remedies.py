"""Which settings would make windows, levels or snippets suit the actions that they do not suit."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from untrimmed.features.video_features import FeatureSource
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.recipe import Recipe

LENGTHS = (1, 2, 4, 8)
"""Times that a window may become as long."""
MORE_LEVELS = (0, 1, 2, 3)
RATES = (2, 4, 8)
"""Times that features may be extracted at a higher rate."""


class WindowFaults(NamedTuple):
    """How many actions are too long for a window, too short for a snippet, out of every anchor's reach."""

    long: int
    short: int
    unreached: int


class _Change(NamedTuple):
    """A recipe with other settings, the source of its features, and these settings by their keys."""

    recipe: Recipe
    source: FeatureSource | None
    settings: Mapping[str, Any]


CountFaults = Callable[[Recipe, FeatureSource | None], WindowFaults]
"""Counts the faults of a recipe whose features have that source before any averaging."""


def suggest_change(recipe: Recipe, source: FeatureSource | None, kind: str, count: CountFaults) -> str:
    """Say which settings leave no action with a fault of that kind, or half as many, and no more of any other kind.

    `source` is that of the features before averaging, None where it is unknown. Empty where no setting helps.
    """
    present = count(recipe, source)
    best, fewest = None, getattr(present, kind) / 2 + 0.5
    for change in _list_changes(recipe, source):
        faults = count(change.recipe, change.source)
        worse = any(new > old for new, old in zip(faults, present, strict=True))
        if not worse and getattr(faults, kind) < fewest:
            best, fewest = change, getattr(faults, kind)
        if best and not fewest:
            break
    if best is None:
        return ""
    words = f"set {', '.join(f'{key} = {value}' for key, value in best.settings.items())}"
    if best.source and best.source != source:
        rate = best.source.fps / best.source.stride
        words = f"take features of {rate:g} snippets a second (another folder), and {words}"
    return f"{words} ({int(fewest):,} remain)" if fewest else words


def _list_changes(recipe: Recipe, source: FeatureSource | None) -> Iterator[_Change]:
    """List changes, those that cost least first; settings that a model refuses are left out."""
    data, slides = recipe.data, recipe.windows.mode == "slide"
    rates: list[tuple[Recipe, FeatureSource | None, dict[str, Any]]] = [(recipe, source, {})]
    if slides and source:
        for average in (*range(data.average - 1, 0, -1), *(data.average * times for times in RATES)):
            averaged = replace(recipe, data=replace(data, average=average))
            rates.append((averaged, source, {"data.average": average}))
    if slides and source:
        for times in RATES:
            faster = replace(source, fps=source.fps * times)
            again = replace(recipe, data=replace(data, source=faster))
            rates.append((again, faster, {"data.source.fps": faster.fps}))
    for (changed, new_source, settings), length, levels in product(rates, LENGTHS, MORE_LEVELS):
        more = _list_model_settings(recipe, length, levels)
        try:
            model = replace(changed.model, **more)
        except ValueError:
            continue
        names = {f"model.{name}": value for name, value in more.items()}
        if settings or names:
            yield _Change(replace(changed, model=model), new_source, {**settings, **names})


def _list_model_settings(recipe: Recipe, length: int, levels: int) -> dict[str, int]:
    """List the model's settings for a window so many times as long, and so many levels more."""
    settings = {"length": recipe.model.length * length} if length > 1 else {}
    if levels and isinstance(recipe.model, CTCNConfig):
        settings["levels"] = recipe.model.levels + levels
    return settings
