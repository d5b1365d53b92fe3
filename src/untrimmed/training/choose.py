"""Nested cross-validation: for each held-out fold, one of several recipes, chosen without a look at that fold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from papers.runs import key_of

from untrimmed.annotations.corpus import hold_out
from untrimmed.io import BadInput
from untrimmed.recipe import Recipe
from untrimmed.training.folds import CrossValidation, pool
from untrimmed.training.loop import Trained, train


class Choice(NamedTuple):
    """What was chosen for every fold, why, and what came of it."""

    tries: dict[str, dict[str, float]]
    """Of each held-out fold, average mAP of every recipe on another fold, of detectors that saw neither."""
    chosen: dict[str, str]
    outcome: CrossValidation


def choose(
    recipes: Mapping[str, Recipe], folds: Sequence[str], out: Path, *, device: str = "auto", quiet: bool = False
) -> Choice:
    """For each fold, try the recipes without it on the fold after it, and train the best on all but the held-out one.

    The recipes share their data and differ in anything else, by the names they have here. What is done already is
    not done again, also when a recipe joins later. Raises BadInput for fewer than three folds or two recipes.
    """
    if len(folds) < 3:
        raise BadInput(f"a choice needs at least 3 folds (to test on, to choose on, to learn from), not {len(folds)}")
    if len(recipes) < 2:
        raise BadInput(f"a choice needs at least 2 recipes, not {len(recipes)}; give what to try")
    tries: dict[str, dict[str, float]] = {}
    chosen, trained = {}, {}
    for fold, judge in zip(folds, (*folds[1:], folds[0]), strict=True):
        tries[fold] = {}
        for name, recipe in recipes.items():
            # Held out twice: the fold in question is in neither part.
            inner = replace(recipe, data=hold_out(without(recipe, fold).data, judge))
            tries[fold][name] = average(_run(inner, out, device, quiet), judge)
        chosen[fold] = max(tries[fold], key=tries[fold].__getitem__)
        best = recipes[chosen[fold]]
        trained[fold] = _run(replace(best, data=hold_out(best.data, fold)), out, device, quiet)
    return Choice(tries, chosen, pool(next(iter(recipes.values())), trained, out))


def without(recipe: Recipe, split: str) -> Recipe:
    """The recipe as if the split were not there."""
    data = recipe.data
    train_on, test_on = (tuple(name for name in names if name != split) for names in (data.train, data.test))
    return replace(recipe, data=replace(data, train=train_on, test=test_on))


def average(trained: Trained, split: str) -> float:
    """The average mAP of a training's own test. Raises BadInput where there was nothing to judge."""
    if trained.scores is None:
        raise BadInput(f"{split}: holds no action, so nothing can be chosen on it; name other folds")
    return trained.scores.average_map


def _run(recipe: Recipe, out: Path, device: str, quiet: bool) -> Trained:
    return train(recipe, out / "runs" / key_of(recipe), device=device, quiet=quiet)
