"""ActivityNet, and any other data set whose annotations are JSON of that kind."""

from collections.abc import Mapping
from pathlib import Path

from untrimmed.annotations.datasets.base import Dataset, annotation_file, from_annotations
from untrimmed.annotations.formats.activitynet import read_annotations


def activitynet(annotations: Path, durations: Mapping[str, float] | None = None) -> Dataset:
    """ActivityNet 1.2 or 1.3 (Caba Heilbron et al., CVPR 2015), or your own videos; splits are the file's subsets.

    `durations` are seconds of videos for which the file has none. ActivityNet's are `training`, `validation` and
    `testing`; the last has no annotations.
    """
    path = annotation_file(annotations)
    return from_annotations(path, read_annotations(path, durations=durations), "activitynet")
