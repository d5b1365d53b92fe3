"""50 Salads: people making a salad, filmed from above."""

from pathlib import Path

from untrimmed.annotations.datasets.base import Dataset, from_json


def salads50(annotations: Path) -> Dataset:
    """50 Salads (Stein and McKenna, UbiComp 2013), 17 actions of the middle level; folds `split1` to `split5`.

    Train on four folds and test on the fifth. There is little background, and actions may overlap.
    """
    return from_json(annotations, "segments")
