"""The page of a study in Markdown: a section for each data set and scale, a table each, ours beside the paper's."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from papers.tables import Claim, Row, Table, Trial, Trials
from untrimmed.io import read_text, write_text
from untrimmed.recipe import Recipe


def write_section(page: Path, intro: str, section: str) -> None:
    """Put a section into the place of that with the same heading (its first line), or last; others stay."""
    text = read_text(page) if Path(page).exists() else ""
    sections = {_heading(part): part for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]}
    sections[_heading(section)] = section
    write_text(page, "\n".join(part.rstrip() + "\n" for part in (intro, *sections.values())))


def describe_section(heading: str, base: Recipe, command: str, found: Sequence[tuple[Table, Trials]]) -> str:
    """The tables of which every row has a trial, and a line on those that are not whole yet."""
    whole = [(table, trials) for table, trials in found if all(trials.values())]
    partial = [(table, trials) for table, trials in found if any(trials.values()) and not all(trials.values())]
    parts = [
        f"{heading}\n",
        f"Every row is trained for {base.train.steps} updates of {base.train.batch} windows with the same settings: "
        "none is tuned, and deep ones may be far from done.\n",
    ]
    if whole:
        numbers = " ".join(f"--table {table.name}" for table, _ in whole)
        seeds = max(len(several) for _, trials in whole for several in trials.values())
        parts.append(f"`{command} {numbers} --seeds {seeds}`\n")
    parts += [describe_table(table, trials) for table, trials in whole]
    if partial:
        left_out = [
            f"{table.title} ({sum(map(bool, trials.values()))} of {len(trials)} rows)" for table, trials in partial
        ]
        parts.append(f"Left out, because not every row has been run: {', '.join(left_out)}.\n")
    return "\n".join(parts)


def describe_table(table: Table, found: Trials) -> str:
    """A table in Markdown: ours beside the paper's, the distance to the last row, and the claims."""
    tious = next(iter(found.values()))[0].tious
    header = ["", *(f"ours {_short(tiou)}" for tiou in tious), "ours, mean"]
    header += [measure.name for measure in table.measures]
    header += ["to last row", f"paper {_short(table.at)}", "to last row"]
    header += [f"paper {name}" for name in _measures_of_paper(table)]
    lines = [_cells([*header, "CPU s"]), _cells(["---"] * (len(header) + 1))]
    lines += [_cells(_line(table, row, found)) for row in table.rows]
    claims = [_verdict(table, claim, found) for claim in table.claims]
    text = [f"### {table.title}: {table.caption}", "", _seeds(found), "", *lines, "", *claims]
    return "\n".join(text).rstrip() + "\n"


def _heading(section: str) -> str:
    return section.partition("\n")[0].rstrip()


def _seeds(found: Trials) -> str:
    """How many trainings stand behind the rows."""
    counts = sorted({len(trials) for trials in found.values()})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds a row: not all have been run."
    return "One seed." if counts == [1] else f"{counts[0]} seeds."


def _line(table: Table, row: Row, found: Trials) -> list[str]:
    trials = found[row.name]
    ours = [_spread([100 * trial.map[k] for trial in trials]) for k in range(len(trials[0].map))]
    ours.append(_spread([100 * float(np.mean(trial.map)) for trial in trials]))
    ours += [_spread(_values(table, trials, measure.name)) for measure in table.measures]
    last = table.rows[-1]
    gain = np.mean(_values(table, trials)) - np.mean(_values(table, found[last.name]))
    paper, papers_last = _paper(table, row), _paper(table, last)
    papers_gain = None if paper is None or papers_last is None else paper - papers_last
    return [
        row.name,
        *ours,
        f"{gain:+.1f}",
        _blank(paper),
        _blank(papers_gain, "+"),
        *(_blank(_paper(table, row, name)) for name in _measures_of_paper(table)),
        f"{np.mean([trial.seconds for trial in trials]):.0f}",
    ]


def _values(table: Table, trials: Sequence[Trial], measure: str = "") -> list[float]:
    """A measure of every trial, or mAP at the table's threshold; %."""
    return [100 * (trial.measures[measure] if measure else trial.at(table.at)) for trial in trials]


def _paper(table: Table, row: Row, measure: str = "") -> float | None:
    """What the paper has for it; %."""
    if measure:
        return row.paper_measures.get(measure)
    return row.paper[table.tious.index(table.at)] if row.paper else None


def _measures_of_paper(table: Table) -> list[str]:
    return [m.name for m in table.measures if any(m.name in row.paper_measures for row in table.rows)]


class _Distance(NamedTuple):
    """How far one row is ahead of another here, with its variance and the fewer seeds of both, and in the paper."""

    ours: float
    variance: float
    seeds: int
    paper: float | None

    def minus(self, other: "_Distance") -> "_Distance":
        paper = None if self.paper is None or other.paper is None else self.paper - other.paper
        seeds = min(self.seeds, other.seeds)
        return _Distance(self.ours - other.ours, self.variance + other.variance, seeds, paper)


def _verdict(table: Table, claim: Claim, found: Trials) -> str:
    """Whether a claim holds here: by more than twice the standard error of the difference, where there are seeds."""
    distance = _distance(table, claim, found)
    gain = distance.ours
    if distance.seeds < 2:
        word, error = ("points that way" if gain > 0 else "does not show", "one seed")
    else:
        deviation = distance.variance**0.5
        word = "held" if gain > 2 * deviation else "did not hold" if gain < -2 * deviation else "within the noise"
        error = f"standard error {deviation:.1f}"
    what = f" in {claim.measure}" if claim.measure else ""
    paper = "not given" if distance.paper is None else f"{distance.paper:+.1f}"
    return f"- {claim.text}: {word} ({gain:+.1f}{what} here, {error}; {paper} in the paper)."


def _distance(table: Table, claim: Claim, found: Trials) -> _Distance:
    """How far a claim's better row is ahead; beyond another claim's distance, where it is said to be larger."""
    better, worse = (_values(table, found[name], claim.measure) for name in (claim.better, claim.worse))
    high, low = (_paper(table, table.row(name), claim.measure) for name in (claim.better, claim.worse))
    seeds = min(len(better), len(worse))
    variance = 0.0
    if seeds > 1:
        variance = float(np.var(better, ddof=1) / len(better) + np.var(worse, ddof=1) / len(worse))
    paper = None if high is None or low is None else high - low
    distance = _Distance(float(np.mean(better) - np.mean(worse)), variance, seeds, paper)
    return distance.minus(_distance(table, claim.than, found)) if claim.than else distance


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(tiou: float) -> str:
    return f"{tiou:.3g}".removeprefix("0")


def _blank(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.1f}"


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f}" if len(values) < 2 else f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
