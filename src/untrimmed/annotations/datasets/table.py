"""Every data set that a recipe can name."""

from collections.abc import Callable
from pathlib import Path

from untrimmed.annotations.datasets.activitynet import activitynet
from untrimmed.annotations.datasets.base import Dataset
from untrimmed.annotations.datasets.gtea import gtea
from untrimmed.annotations.datasets.precog2016 import precog2016
from untrimmed.annotations.datasets.salads50 import salads50
from untrimmed.annotations.datasets.thumos14 import thumos14
from untrimmed.annotations.datasets.vts import vts

DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "activitynet": activitynet,
    "thumos14": thumos14,
    "salads50": salads50,
    "vts": vts,
    "gtea": gtea,
    "precog2016": precog2016,
}
