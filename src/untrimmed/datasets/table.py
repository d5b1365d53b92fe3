"""Every data set that a recipe can name."""

from collections.abc import Callable
from pathlib import Path

from untrimmed.datasets.activitynet import activitynet
from untrimmed.datasets.base import Dataset
from untrimmed.datasets.gtea import gtea
from untrimmed.datasets.precog2016 import precog2016
from untrimmed.datasets.salads50 import salads50
from untrimmed.datasets.thumos14 import thumos14
from untrimmed.datasets.vts import vts

DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "activitynet": activitynet,
    "thumos14": thumos14,
    "salads50": salads50,
    "vts": vts,
    "gtea": gtea,
    "precog2016": precog2016,
}
