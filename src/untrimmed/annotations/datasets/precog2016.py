"""PRECOG 2016: people acting before a depth camera, as skeletons."""

from pathlib import Path

from untrimmed.annotations.datasets.base import Dataset, from_json


def precog2016(annotations: Path) -> Dataset:
    """PRECOG 2016 (Jardim), 72 sequences of 8 actions; one split a subject, `subject1` to `subject12`."""
    return from_json(annotations, "segments")
