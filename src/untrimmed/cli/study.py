"""Several trainings that answer one question: study folds, study choose."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import Device, JsonOut, Overrides, Quiet, app, command
from untrimmed.cli.printing import progress_bar, show_table, write_numbers

if TYPE_CHECKING:
    from untrimmed.recipe import Recipe

study = typer.Typer(no_args_is_help=True, help="Several trainings, pooled into one table.")
app.add_typer(study, name="study")

Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each fold, from so many seeds.")]


@command(study, resumes=True)
def folds(
    recipe: Annotated[Path, typer.Argument(help="A recipe whose data has splits to hold out.")],
    overrides: Overrides = None,
    over: Annotated[str | None, typer.Option(help="Splits to hold out in turn: a,b,c [default: all named].")] = None,
    seeds: Seeds = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for a run each [default: runs/NAME_folds].")] = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Cross-validate: hold out each split in turn, pool all detections, score once; and again from other seeds.

    Example: `untrimmed study folds recipes/salads50_ctcn.toml --seeds 3 --out runs/salads50_folds`
    """
    from untrimmed.evaluation.tables import ar_table, map_table
    from untrimmed.recipe import read_recipe
    from untrimmed.training.folds import cross_validate_seeds

    settings = read_recipe(recipe, overrides or [])
    folder = out or Path("runs") / f"{recipe.stem}_folds"
    names = list_folds(settings, over)
    with progress_bar(quiet) as progress:
        outcomes = cross_validate_seeds(settings, names, seeds, folder, device=device, progress=progress)
    write_numbers(json, {str(seed): outcome.pooled.to_json() for seed, outcome in outcomes.items()})
    first = outcomes[settings.train.seed]
    rows = {"pooled, scored once" + f", seed {seed}" * (seeds > 1): outcome for seed, outcome in outcomes.items()}
    pooled = {name: outcome.pooled for name, outcome in rows.items()}
    for table in (
        map_table({**(first.folds if seeds == 1 else {}), **pooled}, over=tuple(pooled)),
        ar_table({name: outcome.proposals for name, outcome in rows.items()}),
    ):
        show_table(table.caption, table.header, table.rows)


@command(study, resumes=True)
def choose(
    recipe: Annotated[Path, typer.Argument(help="A recipe whose data has splits to hold out.")],
    others: Annotated[
        list[str], typer.Option("--try", help="Settings of another candidate, with blanks between; may be repeated.")
    ],
    over: Annotated[str | None, typer.Option(help="Splits to hold out in turn: a,b,c [default: all named].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/NAME_choice].")] = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Cross-validate with settings that are chosen for each held-out split on another one (nested).

    Example: `untrimmed study choose recipes/vts_ctcn.toml --try "model.top_down=true" --try "train.steps=600"`
    """
    from untrimmed.evaluation.tables import map_table
    from untrimmed.recipe import read_recipe
    from untrimmed.training.choose import choose_recipes

    recipes = {words or "as given": read_recipe(recipe, words.split()) for words in ("", *others)}
    names = list_folds(recipes["as given"], over)
    folder = out or Path("runs") / f"{recipe.stem}_choice"
    with progress_bar(quiet) as progress:
        choice = choose_recipes(recipes, names, folder, device=device, progress=progress)
    write_numbers(json, {"tries": choice.tries, "chosen": choice.best, "pooled": choice.outcome.pooled.to_json()})
    rows = [
        [fold, *(f"{100 * value:.1f}" for value in tries.values()), choice.best[fold]]
        for fold, tries in choice.tries.items()
    ]
    show_table("average mAP of each on another split than the one held out", ["held out", *recipes, "chosen"], rows)
    table = map_table({**choice.outcome.folds, "pooled, scored once": choice.outcome.pooled})
    show_table(table.caption, table.header, table.rows)


def list_folds(recipe: "Recipe", over: str | None) -> list[str]:
    """List the splits that were named, or all of the recipe's."""
    return over.split(",") if over else sorted({*recipe.data.train, *recipe.data.test})
