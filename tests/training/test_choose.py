"""Nested cross-validation: which recipe each fold gets, and that no choice looks at the fold it is for."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from synthetic import recipe_for, write_dataset
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.recipe import Recipe, override_recipe
from untrimmed.training import choose as choice_module
from untrimmed.training.checkpoint import RECIPE, Run
from untrimmed.training.choose import choose_recipes
from untrimmed.training.loop import train

FOLDS = ["a", "b", "c"]


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    """Six videos in three folds, two steps of training."""
    folder = write_dataset(tmp_path / "data", videos=6)
    file = folder / "annotations.json"
    content = read_json(file)
    for place, entry in enumerate(content["database"].values()):
        entry["subset"] = FOLDS[place % 3]
    write_json(file, content)
    made = recipe_for(folder, train={"steps": 2, "save_every": 9})
    return replace(made, data=replace(made.data, train=("a", "b"), test=("c",)))


@pytest.fixture
def seen(monkeypatch) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Of every training from here on: which recipe, what it learned from, what it was judged on."""
    calls = []
    # Recipe "more" does better where it is judged on b, so for fold a alone.
    worth = {("more", "b"): 0.9}

    def noting(recipe, folder: Path, **how):
        name = "more" if recipe.model.anchors == 3 else "given"
        calls.append((name, recipe.data.train, recipe.data.test))
        made = train(recipe, folder, **how)
        scores = made.scores and replace(made.scores, average_map=worth.get((name, *recipe.data.test), 0.5))
        return made._replace(scores=scores)

    monkeypatch.setattr(choice_module, "train", noting)
    return calls


def candidates(recipe: Recipe) -> dict[str, Recipe]:
    return {"given": recipe, "more": override_recipe(recipe, ("model.anchors=3",))}


def test_each_fold_has_the_recipe_that_did_best_on_another(recipe, seen, tmp_path):
    choice = choose_recipes(candidates(recipe), FOLDS, tmp_path / "out")
    assert choice.best == {"a": "more", "b": "given", "c": "given"}
    assert choice.tries["a"] == {"given": 0.5, "more": 0.9}
    assert len(choice.outcome.results) == 6
    last = [(name, test) for name, learned, test in seen if len(learned) == 2]
    assert last == [("more", ("a",)), ("given", ("b",)), ("given", ("c",))]


def test_a_choice_never_sees_the_fold_that_it_is_for(recipe, seen, tmp_path):
    choose_recipes(candidates(recipe), FOLDS, tmp_path / "out")
    tries = [(learned, test) for _, learned, test in seen if len(learned) == 1]
    # For a: judged on b, learned from c; and so on, round.
    assert tries[::2] == [(("c",), ("b",)), (("a",), ("c",)), (("b",), ("a",))]
    assert tries[::2] == tries[1::2]


def test_a_second_time_nothing_is_trained_again_and_a_recipe_may_join(recipe, tmp_path, monkeypatch):
    first = choose_recipes(candidates(recipe), FOLDS, tmp_path / "out")
    steps: Counter[Path] = Counter()
    monkeypatch.setattr(Run, "log", lambda run, entry: steps.update([run.folder]))
    three = {**candidates(recipe), "wide": override_recipe(recipe, ("model.anchors=5",))}
    second = choose_recipes(three, FOLDS, tmp_path / "out")
    learned = {folder.name for folder in steps}
    assert learned and all("anchors = 5" in (tmp_path / "out/runs" / name / RECIPE).read_text() for name in learned)
    assert all(tries.items() <= second.tries[fold].items() for fold, tries in first.tries.items())


def test_too_little_to_choose_from_is_refused(recipe, tmp_path):
    with pytest.raises(BadInput, match="at least 3 folds"):
        choose_recipes(candidates(recipe), ["a", "b"], tmp_path)
    with pytest.raises(BadInput, match="at least 2 recipes"):
        choose_recipes({"given": recipe}, FOLDS, tmp_path)
