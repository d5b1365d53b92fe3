"""The page of a study in Markdown: a section for each data set and scale, a table each, ours beside the paper's."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from papers.tables import Claim, PaperTable, Row, Trial, Trials
from untrimmed.io import read_text, write_text
from untrimmed.recipe import Recipe


def write_section(page: Path, intro: str, section: str) -> None:
    """Put a section into the place of the one with the same heading (its first line), or last; others stay."""
    text = read_text(page) if Path(page).exists() else ""
    sections = {_read_heading(part): part for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]}
    sections[_read_heading(section)] = section
    write_text(page, "\n".join(part.rstrip() + "\n" for part in (intro, *sections.values())))


def describe_section(heading: str, base: Recipe, command: str, tables: Sequence[tuple[PaperTable, Trials]]) -> str:
    """Describe the tables of which every row has a trial, and name those that are not whole yet."""
    whole = [(table, trials) for table, trials in tables if all(trials.values())]
    partial = [(table, trials) for table, trials in tables if any(trials.values()) and not all(trials.values())]
    parts = [
        f"{heading}\n",
        f"Every row is trained for {base.train.steps} updates of {base.train.batch} windows with the same settings: "
        "none is tuned, and deep ones may be far from done.\n",
    ]
    if whole:
        numbers = " ".join(f"--table {table.name}" for table, _ in whole)
        seeds = max(len(row) for _, trials in whole for row in trials.values())
        parts.append(f"`{command} {numbers} --seeds {seeds}`\n")
    parts += [describe_table(table, trials) for table, trials in whole]
    if partial:
        missing = [
            f"{table.title} ({sum(map(bool, trials.values()))} of {len(trials)} rows)" for table, trials in partial
        ]
        parts.append(f"Left out, because not every row has been run: {', '.join(missing)}.\n")
    return "\n".join(parts)


def describe_table(table: PaperTable, rows: Trials) -> str:
    """Write a table in Markdown: ours beside the paper's, the distance to the last row, and the claims."""
    tious = next(iter(rows.values()))[0].tious
    header = ["", *(f"ours {_format_tiou(tiou)}" for tiou in tious), "ours, mean"]
    header += [measure.name for measure in table.measures]
    header += ["to last row", f"paper {_format_tiou(table.at)}", "to last row"]
    header += [f"paper {name}" for name in _list_paper_measures(table)]
    lines = [_join_cells([*header, "CPU s"]), _join_cells(["---"] * (len(header) + 1))]
    lines += [_join_cells(_format_row(table, row, rows)) for row in table.rows]
    claims = [_judge_claim(table, claim, rows) for claim in table.claims]
    text = [f"### {table.title}: {table.caption}", "", _count_seeds(rows), "", *lines, "", *claims]
    return "\n".join(text).rstrip() + "\n"


def _read_heading(section: str) -> str:
    return section.partition("\n")[0].rstrip()


def _count_seeds(rows: Trials) -> str:
    """Say how many trainings stand behind the rows."""
    counts = sorted({len(trials) for trials in rows.values()})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds a row: not all have been run."
    return "One seed." if counts == [1] else f"{counts[0]} seeds."


def _format_row(table: PaperTable, row: Row, rows: Trials) -> list[str]:
    trials = rows[row.name]
    ours = [_format_spread([100 * trial.map[k] for trial in trials]) for k in range(len(trials[0].map))]
    ours.append(_format_spread([100 * float(np.mean(trial.map)) for trial in trials]))
    ours += [_format_spread(_list_values(table, trials, measure.name)) for measure in table.measures]
    last = table.rows[-1]
    gain = np.mean(_list_values(table, trials)) - np.mean(_list_values(table, rows[last.name]))
    paper, papers_last = _read_paper(table, row), _read_paper(table, last)
    papers_gain = None if paper is None or papers_last is None else paper - papers_last
    return [
        row.name,
        *ours,
        f"{gain:+.1f}",
        _format_optional(paper),
        _format_optional(papers_gain, "+"),
        *(_format_optional(_read_paper(table, row, name)) for name in _list_paper_measures(table)),
        f"{np.mean([trial.seconds for trial in trials]):.0f}",
    ]


def _list_values(table: PaperTable, trials: Sequence[Trial], measure: str = "") -> list[float]:
    """List a measure of every trial, or mAP at the table's threshold; %."""
    return [100 * (trial.measures[measure] if measure else trial.at(table.at)) for trial in trials]


def _read_paper(table: PaperTable, row: Row, measure: str = "") -> float | None:
    """Read the paper's figure of a row; %."""
    if measure:
        return row.paper_measures.get(measure)
    return row.paper[table.tious.index(table.at)] if row.paper else None


def _list_paper_measures(table: PaperTable) -> list[str]:
    return [m.name for m in table.measures if any(m.name in row.paper_measures for row in table.rows)]


class _Distance(NamedTuple):
    """How far one row is ahead of another here, with its variance and the fewer seeds of both, and in the paper."""

    ours: float
    variance: float
    seeds: int
    paper: float | None

    def minus(self, smaller: "_Distance") -> "_Distance":
        paper = None if self.paper is None or smaller.paper is None else self.paper - smaller.paper
        seeds = min(self.seeds, smaller.seeds)
        return _Distance(self.ours - smaller.ours, self.variance + smaller.variance, seeds, paper)


def _judge_claim(table: PaperTable, claim: Claim, rows: Trials) -> str:
    """Judge whether a claim holds here: with several seeds, by more than twice the difference's standard error."""
    distance = _measure_distance(table, claim, rows)
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


def _measure_distance(table: PaperTable, claim: Claim, rows: Trials) -> _Distance:
    """Measure how far a claim's better row is ahead, or by how much more than in the claim that it names."""
    better, worse = (_list_values(table, rows[name], claim.measure) for name in (claim.better, claim.worse))
    high, low = (_read_paper(table, table.row(name), claim.measure) for name in (claim.better, claim.worse))
    seeds = min(len(better), len(worse))
    variance = 0.0
    if seeds > 1:
        variance = float(np.var(better, ddof=1) / len(better) + np.var(worse, ddof=1) / len(worse))
    paper = None if high is None or low is None else high - low
    distance = _Distance(float(np.mean(better) - np.mean(worse)), variance, seeds, paper)
    return distance.minus(_measure_distance(table, claim.than, rows)) if claim.than else distance


def _join_cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _format_tiou(tiou: float) -> str:
    return f"{tiou:.3g}".removeprefix("0")


def _format_optional(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.1f}"


def _format_spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f}" if len(values) < 2 else f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
