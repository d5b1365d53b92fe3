"""GTEA: short meals prepared, seen from the cook's head."""

from pathlib import Path

from untrimmed.annotations.datasets.base import Dataset, from_json

CLASSES = tuple(str(number) for number in range(1, 11))


def gtea(annotations: Path) -> Dataset:
    """Georgia Tech Egocentric Activities (Fathi et al., CVPR 2011), 10 actions; folds `split1` to `split3`.

    Labels are the numbers 1 to 10 in that order; 0 is background and no action.
    """
    return from_json(annotations, "segments", CLASSES)
