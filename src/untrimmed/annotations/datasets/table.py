"""Every data set that a recipe can name, most of them prepared as JSON whose subsets are their splits."""

from collections.abc import Callable
from pathlib import Path

from untrimmed.annotations.annotations import Hints
from untrimmed.annotations.datasets.dataset import Dataset, read_any_dataset, read_json_dataset
from untrimmed.annotations.datasets.thumos14 import thumos14

GTEA_CLASSES = tuple(str(number) for number in range(1, 11))


def activitynet(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read ActivityNet 1.2 or 1.3 (Caba Heilbron et al., CVPR 2015), or your own videos, annotated in any format.

    ActivityNet's splits are `training`, `validation` and `testing`; the last has no annotations.
    """
    return read_any_dataset(annotations, "activitynet", hints)


def salads50(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read 50 Salads (Stein and McKenna, UbiComp 2013): people making a salad, filmed from above.

    17 actions of the middle level, which may overlap, and little background. Folds are `split1` to `split5`: train
    on four and test on the fifth.
    """
    return read_json_dataset(annotations, "segments", hints=hints)


def vts(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read Variable Tissue Simulation (Goldbraikh et al., 2022): surgeons suturing, through motion sensors.

    5 gestures, folds of surgeons `fold0` to `fold4`. The recordings in `fold-1` are in no fold's test list: they can
    be trained on for any of them.
    """
    return read_json_dataset(annotations, "segments", hints=hints)


def gtea(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read Georgia Tech Egocentric Activities (Fathi et al., CVPR 2011): short meals, seen from the cook's head.

    10 actions, folds `split1` to `split3`. Labels are the numbers 1 to 10; 0 is background and no action.
    """
    return read_json_dataset(annotations, "segments", GTEA_CLASSES, hints=hints)


def precog2016(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read PRECOG 2016 (Jardim): 72 sequences of 8 actions before a depth camera, as skeletons.

    One split a subject, `subject1` to `subject12`.
    """
    return read_json_dataset(annotations, "segments", hints=hints)


DATASETS: dict[str, Callable[[Path, Hints], Dataset]] = {
    "activitynet": activitynet,
    "thumos14": thumos14,
    "salads50": salads50,
    "vts": vts,
    "gtea": gtea,
    "precog2016": precog2016,
}
