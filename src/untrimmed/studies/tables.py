"""A paper's table trained anew on data at hand: its rows as settings, its claims held against what we get."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from untrimmed.errors import BadInput
from untrimmed.files import read_json, write_json
from untrimmed.recipe import Recipe, build_recipe, override, recipe_tree
from untrimmed.run import RECIPE
from untrimmed.train import train


@dataclass(frozen=True)
class Row:
    """One line of a table: settings over the base recipe, and mAP (%) at the table's thresholds in the paper."""

    name: str
    settings: tuple[str, ...] = ()
    """Words as on the command line: `model.depth=30`."""
    paper: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Claim:
    """What a paper concludes from its table: that one row is ahead of another."""

    text: str
    better: str
    worse: str


@dataclass(frozen=True)
class Table:
    """A table of a paper. Rows are compared at the threshold `at`."""

    name: str
    caption: str
    tious: tuple[float, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = field(default=())
    at: float = 0.5

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)


class Trial(NamedTuple):
    """What one training gave."""

    seed: int
    tious: tuple[float, ...]
    map: tuple[float, ...]
    seconds: float
    """Of this process, training and testing together."""

    def at(self, tiou: float) -> float:
        """mAP at one threshold."""
        return self.map[int(np.argmin(np.abs(np.subtract(self.tious, tiou))))]


def run_table(
    table: Table, base: Recipe, out: Path, seeds: int, *, device: str = "auto", quiet: bool = False
) -> dict[str, list[Trial]]:
    """Train every row with every seed; what is there already is not done again.

    Rows of equal settings, also of other tables, share a run. Raises BadInput for no seeds.
    """
    if seeds < 1:
        raise BadInput(f"{seeds} seeds: give 1 or more")
    found: dict[str, list[Trial]] = {row.name: [] for row in table.rows}
    # Seed by seed, so that an interrupted study has whole tables.
    for seed in range(seeds):
        for row in table.rows:
            found[row.name].append(_trial(base, row, out, seed, device, quiet))
            write_json(out / f"table_{table.name}.json", _to_json(table, found))
    return found


def read_trials(out: Path, table: Table) -> dict[str, list[Trial]] | None:
    """What was found of a table; None while some row has no trial here."""
    path = out / f"table_{table.name}.json"
    if not path.exists():
        return None
    rows = read_json(path)["rows"]
    found = {row.name: [_from_json(entry) for entry in rows[row.name]["trials"]] for row in table.rows}
    return found if all(found.values()) else None


def _trial(base: Recipe, row: Row, out: Path, seed: int, device: str, quiet: bool) -> Trial:
    recipe = overridden(base, (*row.settings, f"train.seed={seed}"))
    folder = out / "runs" / _slug(recipe)
    done = folder / "trial.json"
    if done.exists():
        return _from_json(read_json(done))
    if not quiet:
        print(f"{row.name}, seed {seed}: {folder}")
    started = time.process_time()
    trained = train(recipe, folder, device=device, quiet=quiet)
    if trained.scores is None:
        raise BadInput(
            f"{folder / RECIPE}: its test split holds no action, so nothing can be compared; choose another"
        )
    trial = Trial(seed, trained.scores.tious, trained.scores.map, time.process_time() - started)
    write_json(done, trial._asdict())
    return trial


def overridden(recipe: Recipe, words: Sequence[str]) -> Recipe:
    """The recipe with settings put over it."""
    tree = recipe_tree(recipe)
    for word in words:
        override(tree, word)
    return build_recipe(tree, "study")


def _slug(recipe: Recipe) -> str:
    """A folder's name for everything that a run depends on."""
    text = json.dumps(recipe_tree(recipe), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _to_json(table: Table, found: Mapping[str, Sequence[Trial]]) -> dict[str, Any]:
    rows = {
        row.name: {"settings": list(row.settings), "trials": [trial._asdict() for trial in found[row.name]]}
        for row in table.rows
    }
    return {"table": table.name, "rows": rows}


def _from_json(entry: Mapping[str, Any]) -> Trial:
    return Trial(entry["seed"], tuple(entry["tious"]), tuple(entry["map"]), entry["seconds"])


def describe_table(table: Table, found: Mapping[str, Sequence[Trial]]) -> str:
    """The table in Markdown: ours beside the paper's, the distance to the last row, and the claims."""
    lines = [f"### Table {table.name}: {table.caption}", "", _header(found), _rule(found)]
    last = table.rows[-1]
    lines += [_line(table, row, last, found) for row in table.rows]
    lines += ["", *(_verdict(table, claim, found) for claim in table.claims)]
    return "\n".join(lines).rstrip() + "\n"


def _header(found: Mapping[str, Sequence[Trial]]) -> str:
    tious = next(iter(found.values()))[0].tious
    cells = (
        "",
        *(f"ours {tiou:.3g}".replace("0.", ".") for tiou in tious),
        "ours, mean",
        "to last row",
        "paper .5",
        "to last row",
        "CPU s",
    )
    return f"| {' | '.join(cells)} |"


def _rule(found: Mapping[str, Sequence[Trial]]) -> str:
    return "| " + " | ".join(["---"] * (len(next(iter(found.values()))[0].tious) + 6)) + " |"


def _line(table: Table, row: Row, last: Row, found: Mapping[str, Sequence[Trial]]) -> str:
    trials = found[row.name]
    ours = [_spread([100 * trial.map[k] for trial in trials]) for k in range(len(trials[0].map))]
    gain = np.mean([t.at(table.at) for t in trials]) - np.mean([t.at(table.at) for t in found[last.name]])
    paper, papers_last = _papers(table, row), _papers(table, last)
    cells = [
        row.name,
        *ours,
        _spread([100 * float(np.mean(trial.map)) for trial in trials]),
        f"{100 * gain:+.1f}",
        "" if paper is None else f"{paper:.1f}",
        "" if paper is None or papers_last is None else f"{paper - papers_last:+.1f}",
        f"{np.mean([trial.seconds for trial in trials]):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _papers(table: Table, row: Row) -> float | None:
    """What the paper has at the threshold that rows are compared at."""
    return row.paper[table.tious.index(table.at)] if row.paper else None


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f}" if len(values) < 2 else f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


def _verdict(table: Table, claim: Claim, found: Mapping[str, Sequence[Trial]]) -> str:
    """Whether a claim holds here: by more than twice the standard error of the difference, where there are seeds."""
    better, worse = ([100 * trial.at(table.at) for trial in found[name]] for name in (claim.better, claim.worse))
    gain = float(np.mean(better) - np.mean(worse))
    ends = [_papers(table, table.row(name)) for name in (claim.better, claim.worse)]
    paper = f"{ends[0] - ends[1]:+.1f}" if ends[0] is not None and ends[1] is not None else "not given"
    if min(len(better), len(worse)) < 2:
        word, error = ("points that way" if gain > 0 else "does not show", "one seed")
    else:
        spread = float(np.sqrt(np.var(better, ddof=1) / len(better) + np.var(worse, ddof=1) / len(worse)))
        word = "held" if gain > 2 * spread else "did not hold" if gain < -2 * spread else "within the noise"
        error = f"standard error {spread:.1f}"
    return f"- {claim.text}: {word} ({gain:+.1f} here, {error}; {paper} in the paper)."
