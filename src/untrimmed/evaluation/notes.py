"""Sentences on whatever in the files bears on the figures, and the JSON that all figures become."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Interval(NamedTuple):
    """From the lowest to the highest value."""

    low: float
    high: float


class ToJson:
    """Dataclasses that become JSON field by field."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields under their names, for `write_json`."""
        return asdict(self)  # pyright: ignore[reportArgumentType]  # subclasses are dataclasses


def format_counts(counts: Mapping[str, int | np.integer]) -> list[str]:
    """Format a sentence for each count that is not 0."""
    return [f"{sentence}: {count}" for sentence, count in counts.items() if count]


def list_names(names: Iterable[str]) -> str:
    """List the first five names, in the order of the alphabet."""
    ordered = sorted(names)
    return ", ".join(ordered[:5]) + (", ..." if len(ordered) > 5 else "")


def count_ties(score: Float[np.ndarray, " ranked"], group: Int[np.ndarray, " ranked"]) -> int:
    """Count the rows that have the score and the group of the row before."""
    return int(((score[1:] == score[:-1]) & (group[1:] == group[:-1])).sum())


def count_repeats(*columns: Shaped[np.ndarray, " rows"]) -> int:
    """Count the rows that repeat an earlier one in all columns."""
    return len(columns[0]) - np.unique(np.stack(columns), axis=1).shape[1]
