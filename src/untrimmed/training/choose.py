"""Nested cross-validation: for each held-out fold the best of several recipes, chosen on another fold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.corpus import hold_out
from untrimmed.io import BadInput, Progress
from untrimmed.recipe import Recipe, hash_recipe
from untrimmed.training.checkpoint import forget_test
from untrimmed.training.folds import CrossValidation, pool_folds
from untrimmed.training.guard import hold_folder
from untrimmed.training.loop import Trained, train


class Choice(NamedTuple):
    """The recipe of every fold, the figures that decided, and the outcome."""

    tries: dict[str, dict[str, float]]
    """Of each held-out fold, average mAP of every recipe on another fold, of detectors that saw neither."""
    best: dict[str, str]
    """Of each held-out fold, the name of its recipe."""
    outcome: CrossValidation


def choose_recipes(
    recipes: Mapping[str, Recipe],
    folds: Sequence[str],
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Choice:
    """For each fold, try the recipes without it on the fold after it, and train the best on all but the held-out one.

    The recipes share their data and differ in anything else, by the names they have here. Runs that are done are not
    done again, also when a recipe joins later. Raises BadInput for fewer than three folds or two recipes.
    """
    if len(folds) < 3:
        raise BadInput(f"a choice needs at least 3 folds (to test on, to choose on, to learn from), not {len(folds)}")
    if len(recipes) < 2:
        raise BadInput(f"a choice needs at least 2 recipes, not {len(recipes)}; give what to try")

    def run(recipe: Recipe, held_out: str) -> Trained:
        recipe = replace(recipe, data=hold_out(recipe.data, held_out))
        return train(
            recipe, Path(out) / "runs" / hash_recipe(recipe), device=device, keep_test=True, progress=progress
        )

    tries: dict[str, dict[str, float]] = {}
    best, runs = {}, {}
    with hold_folder(Path(out)):
        for fold, judge in zip(folds, (*folds[1:], folds[0]), strict=True):
            # Held out twice: the fold in question is in neither part.
            tries[fold] = {
                name: read_average_map(run(drop_split(recipe, fold), judge), judge)
                for name, recipe in recipes.items()
            }
            best[fold] = max(tries[fold], key=tries[fold].__getitem__)
            runs[fold] = run(recipes[best[fold]], fold)
        choice = Choice(tries, best, pool_folds(next(iter(recipes.values())), runs, Path(out)))
        for folder in (Path(out) / "runs").iterdir():
            forget_test(folder)
        return choice


def drop_split(recipe: Recipe, split: str) -> Recipe:
    """Drop a split from the data that a recipe trains and tests on."""
    data = recipe.data
    train_on, test_on = (tuple(name for name in names if name != split) for names in (data.train, data.test))
    return replace(recipe, data=replace(data, train=train_on, test=test_on))


def read_average_map(trained: Trained, split: str) -> float:
    """Read the average mAP of a run's test. Raises BadInput where the split holds no action."""
    if trained.scores is None:
        raise BadInput(f"{split}: holds no action, so nothing can be chosen on it; name other folds")
    return trained.scores.average_map
