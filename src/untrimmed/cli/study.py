"""Several trainings that answer one question: study folds, study ctcn, study gtan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import Device, Overrides, Quiet, app, command
from untrimmed.cli.printing import show_table

if TYPE_CHECKING:
    from untrimmed.recipe import Recipe

study = typer.Typer(no_args_is_help=True, help="Several trainings, pooled into one table.")
app.add_typer(study, name="study")

Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each row or fold, from so many seeds.")]


@command(study)
def folds(
    recipe: Annotated[Path, typer.Argument(help="A recipe whose data has splits to hold out.")],
    overrides: Overrides = None,
    over: Annotated[str | None, typer.Option(help="Splits to hold out in turn: a,b,c [default: all named].")] = None,
    seeds: Seeds = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for a run each [default: runs/NAME_folds].")] = None,
    device: Device = "auto",
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
    done = cross_validate_seeds(settings, folds_of(settings, over), seeds, folder, device=device, quiet=quiet)
    first = done[settings.train.seed]
    names = {seed: "pooled, scored once" + f", seed {seed}" * (seeds > 1) for seed in done}
    pooled = {names[seed]: one.pooled for seed, one in done.items()}
    for table in (
        map_table({**(first.folds if seeds == 1 else {}), **pooled}, over=tuple(pooled)),
        ar_table({names[seed]: one.proposals for seed, one in done.items()}),
    ):
        show_table(table.caption, table.header, table.rows)


@command(study)
def choose(
    recipe: Annotated[Path, typer.Argument(help="A recipe whose data has splits to hold out.")],
    others: Annotated[
        list[str], typer.Option("--try", help="Settings of another candidate, with blanks between; may be repeated.")
    ],
    over: Annotated[str | None, typer.Option(help="Splits to hold out in turn: a,b,c [default: all named].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/NAME_choice].")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Cross-validate with settings that are chosen for each held-out split on another one (nested).

    Example: `untrimmed study choose recipes/vts_ctcn.toml --try "model.top_down=true" --try "train.steps=600"`
    """
    from untrimmed.evaluation.tables import map_table
    from untrimmed.recipe import read_recipe
    from untrimmed.training.choose import choose as choose_recipe

    recipes = {words or "as given": read_recipe(recipe, words.split()) for words in ("", *others)}
    names = folds_of(recipes["as given"], over)
    folder = out or Path("runs") / f"{recipe.stem}_choice"
    choice = choose_recipe(recipes, names, folder, device=device, quiet=quiet)
    rows = [
        [fold, *(f"{100 * value:.1f}" for value in tried.values()), choice.chosen[fold]]
        for fold, tried in choice.tries.items()
    ]
    show_table("average mAP of each on another split than the one held out", ["held out", *recipes, "chosen"], rows)
    table = map_table({**choice.outcome.folds, "pooled, scored once": choice.outcome.pooled})
    show_table(table.caption, table.header, table.rows)


def folds_of(recipe: "Recipe", over: str | None) -> list[str]:
    """The splits that were named, or all of the recipe's."""
    return over.split(",") if over else sorted({*recipe.data.train, *recipe.data.test})


Scale = Annotated[str, typer.Option(help="small: minutes of a core a row; full: the paper's network.")]
StudyData = Annotated[str, typer.Option(help="vts_kinematics or salads50_scores.")]
StudyOut = Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/NAME_DATA_SCALE].")]


@command(study)
def ctcn(
    table: Annotated[list[str], typer.Option(help="1, 2, 3, 4, 5 or D; may be given several times.")],
    data: StudyData = "vts_kinematics",
    seeds: Seeds = 1,
    scale: Scale = "small",
    out: StudyOut = None,
    page: Annotated[Path, typer.Option(help="The page to write a section of.")] = Path("docs/studies/ctcn.md"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train the rows of the C-TCN paper's tables on other data, and say which of its claims hold there.

    Example: `untrimmed study ctcn --table 1 --data vts_kinematics --seeds 3`
    """
    from papers.ctcn import CTCN

    print(CTCN.run(table, data, scale, seeds, out, page, device=device, quiet=quiet))


@command(study)
def gtan(
    table: Annotated[list[str], typer.Option(help="3, 4 or fig7; may be given several times.")],
    data: StudyData = "vts_kinematics",
    seeds: Seeds = 1,
    scale: Scale = "small",
    out: StudyOut = None,
    page: Annotated[Path, typer.Option(help="The page to write a section of.")] = Path("docs/studies/gtan.md"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train the rows of the GTAN paper's tables on other data, and say which of its claims hold there.

    Example: `untrimmed study gtan --table 3 --table 4 --data vts_kinematics --seeds 3`
    """
    from papers.gtan import GTAN

    print(GTAN.run(table, data, scale, seeds, out, page, device=device, quiet=quiet))
