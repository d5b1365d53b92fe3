"""A study: a paper's tables over prepared data at some scale, run into a folder and written to a page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from papers.pages import describe_section, write_section
from papers.prepared import Tree
from papers.runs import Runs
from papers.tables import PaperTable
from untrimmed.io import BadInput, Progress
from untrimmed.recipe import Recipe, build_recipe


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a paper's tables need to be run."""

    name: str
    """As on the command line: `python -m papers.NAME`."""
    title: str
    """The heading of the page."""
    intro: str
    """What a reader of the page should know of the paper's figures and ours."""
    data: Mapping[str, Tree]
    """The settings of each data set."""
    scales: Mapping[str, Tree]
    """The settings of each size of network, laid over those of the data."""
    make_tables: Callable[[str, str], tuple[PaperTable, ...]]
    """The tables for a data set and a scale."""

    def base(self, data: str, scale: str) -> Recipe:
        """Build the recipe that rows change. Raises BadInput for data or a scale that the study does not have."""
        if scale not in self.scales:
            raise BadInput(f"scale {scale!r}: there are {', '.join(self.scales)}")
        if data not in self.data:
            raise BadInput(f"data {data!r}: studies are prepared for {', '.join(self.data)}")
        sections = self.data[data].keys() | self.scales[scale].keys()
        tree = {name: {**self.data[data].get(name, {}), **self.scales[scale].get(name, {})} for name in sections}
        return build_recipe(tree, f"study of {data}")

    @property
    def names(self) -> list[str]:
        """The names of its tables."""
        return list(self.tables(next(iter(self.data)), next(iter(self.scales))))

    def tables(self, data: str, scale: str) -> dict[str, PaperTable]:
        """Make every table, by name."""
        return {table.name: table for table in self.make_tables(data, scale)}

    def run(
        self,
        numbers: list[str],
        data: str,
        scale: str,
        seeds: int,
        out: Path | None,
        page: Path,
        *,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> str:
        """Run what some tables lack, and write all that `out` has on this data and scale to its section of the page.

        Without `out`, it is a folder of the study's own. Other sections of the page stay as they are. Returns the
        section.
        """
        out = out or Path("runs") / f"{self.name}_{data}_{scale}"
        base, tables = self.base(data, scale), self.tables(data, scale)
        for number in numbers:
            if number not in tables:
                raise BadInput(f"table {number!r}: there are {', '.join(tables)}")
        runs = Runs(out, base, device=device, progress=progress)
        for number in numbers:
            runs.fill(tables[number], seeds)
        heading = f"## {data}, {scale} scale"
        command = f"python -m papers.{self.name} --data {data} --scale {scale}"
        trials = [(table, runs.trials(table)) for table in tables.values()]
        section = describe_section(heading, base, command, trials)
        write_section(page, f"# {self.title}\n\n{self.intro}\n", section)
        return section
