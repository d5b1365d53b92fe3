"""The nouns of a study: a paper's table with its rows as settings, its claims, and the figures of one training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from untrimmed.annotations.corpus import Corpus
from untrimmed.timeline import Timeline


@dataclass(frozen=True)
class Row:
    """One line of a table: settings over the base recipe, and mAP (%) at the table's thresholds in the paper."""

    name: str
    settings: tuple[str, ...] = ()
    """Words as on the command line: `model.depth=30`."""
    paper: tuple[float | None, ...] = ()
    fuse: tuple[str, ...] = ()
    """Names of other rows: their detectors are fused late, and nothing is trained."""
    paper_measures: Mapping[str, float] = field(default_factory=dict)
    """What the paper has for the table's measures (%), by their names."""


@dataclass(frozen=True)
class Claim:
    """What a paper concludes from its table: that one row is ahead of another."""

    text: str
    better: str
    worse: str
    measure: str = ""
    """The name of the table's measure that it is about; mAP at the table's threshold, when empty."""
    than: "Claim | None" = None
    """Another distance, to which this one is said to be larger."""


class Measure(NamedTuple):
    """A figure besides mAP: `of` gives it as a fraction, from the detections on the test videos."""

    name: str
    of: Callable[[Mapping[str, Timeline], Corpus], float]


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper. Rows are compared at the threshold `at`, which is one of `tious`."""

    name: str
    """As on the command line: `2`, or `fig7` for a figure."""
    caption: str
    tious: tuple[float, ...]
    """The thresholds of the paper's figures."""
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = field(default=())
    at: float = 0.5
    measures: tuple[Measure, ...] = ()

    @property
    def title(self) -> str:
        """What the paper calls it."""
        return f"Figure {self.name[3:]}" if self.name.startswith("fig") else f"Table {self.name}"

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True)
class Trial:
    """The figures of one training, or of one fusion of several."""

    seed: int
    tious: tuple[float, ...]
    map: tuple[float, ...]
    seconds: float
    """CPU time of training and testing, since it was last resumed; of a fusion, with what its detectors took."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Other figures by name; fractions."""

    def at(self, tiou: float) -> float:
        """mAP at one threshold."""
        return self.map[int(np.argmin(np.abs(np.subtract(self.tious, tiou))))]

    def measures_all(self, table: PaperTable) -> bool:
        """Whether every measure of a table has been taken."""
        return all(measure.name in self.measures for measure in table.measures)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Trial":
        """Build the trial that `dataclasses.asdict` wrote, also one of before there were measures."""
        tious, values = tuple(entry["tious"]), tuple(entry["map"])
        return cls(entry["seed"], tious, values, entry["seconds"], entry.get("measures", {}))


Trials = Mapping[str, tuple[Trial, ...]]
"""The trials of a table's rows by name, seed by seed."""
