"""VTS: surgeons suturing on a simulator, seen through motion sensors."""

from pathlib import Path

from untrimmed.annotations.datasets.base import Dataset, from_json


def vts(annotations: Path) -> Dataset:
    """Variable Tissue Simulation (Goldbraikh et al., 2022), 5 gestures; folds of surgeons `fold0` to `fold4`.

    The recordings in `fold-1` are in no fold's test list: they can be trained on for any of them.
    """
    return from_json(annotations, "segments")
