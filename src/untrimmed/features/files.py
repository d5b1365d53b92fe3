"""Reads one file of features of one video: an array, a table, or a file that holds arrays under names."""

from contextlib import closing
from pathlib import Path

import numpy as np

from untrimmed.features.archives import Archive
from untrimmed.features.contents import FAULTS, holds_names
from untrimmed.features.shapes import Axes, Reading, check_array
from untrimmed.features.tables import read_table
from untrimmed.io import BadInput, missing


def read_array(file: Path, axes: Axes = "tc") -> Reading:
    """Read the snippets in a file as floats, 0 x 0 where it holds none. Raises BadInput for an unusable file."""
    if holds_names(file):
        with closing(Archive(file)) as archive:
            return archive.read_only(axes)
    if file.suffix.lower() == ".npy":
        return Reading(check_array(read_npy(file), str(file), axes))
    return read_table(file, axes)


def read_npy(file: Path) -> np.ndarray:
    """Map a `.npy` file into memory; its length is checked against its header."""
    try:
        return np.lib.format.open_memmap(file, mode="r")
    except FileNotFoundError:
        raise missing(file, "file") from None
    except FAULTS as error:
        raise BadInput(f"{file}: is not a readable .npy file ({error}); write it again") from None
