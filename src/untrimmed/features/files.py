"""Reads one file of features: `.npy` memory-mapped, `.csv` with or without a header, `.pkl` without running it."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from untrimmed.features.pickles import read_pickle
from untrimmed.io import BadInput, missing, read_bytes

ENDINGS = (".npy", ".csv", ".csv.gz", ".pkl")
SCORES = "scores"
"""The entry of a pickled dict that holds its snippets, as in what C-TCN's authors released."""


def video_of(file: Path) -> str:
    """The name of the video that a feature file is of."""
    for ending in ENDINGS:
        if file.name.endswith(ending):
            return file.name.removesuffix(ending)
    raise BadInput(f"{file}: is no feature file; {', '.join(ENDINGS)} or .npz was expected")


def read_features(file: Path) -> Float[np.ndarray, "time channels"]:
    """The snippets in a file, as floats; a file that holds none gives 0 x 0. Raises BadInput where it is unusable."""
    if file.suffix == ".npy":
        values = read_array(file)
    elif file.suffix == ".pkl":
        values = _read_pickled(file)
    else:
        values = _read_csv(file)
    return checked(values, str(file))


def checked(values: np.ndarray, where: str) -> Float[np.ndarray, "time channels"]:
    """The values if they are time x channels of floats; none at all become 0 x 0."""
    if not np.issubdtype(values.dtype, np.floating) or (values.ndim != 2 and values.size):
        raise BadInput(f"{where}: has shape {values.shape} of {values.dtype}; time x channels of floats was expected")
    return values if values.size else np.zeros((0, 0), np.float32)


def read_array(file: Path) -> np.ndarray:
    """A memory-mapped `.npy` file, its length checked against its header."""
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(file, "file") from None
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{file}: is not a readable .npy file ({error}); write it again") from None


def _read_pickled(file: Path) -> np.ndarray:
    """An array, a list of snippets, or either under `scores` in a dict."""
    content = read_bytes(file)
    found: Any = read_pickle(file, content)
    if isinstance(found, dict):
        found = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}
        if SCORES not in found:
            there = ", ".join(map(str, found)) or "nothing"
            raise BadInput(f"{file}: holds a dict of {there}; features were expected under {SCORES!r}")
        found = found[SCORES]
    if isinstance(found, np.ndarray):
        return found
    rows = found if isinstance(found, list) else [found]
    try:
        # A pickle may name one array a million times over; an honest one is no shorter than its numbers.
        if sum(np.size(row) for row in rows) > len(content):
            raise ValueError
        return np.array(rows, np.float32)
    except (TypeError, ValueError):
        raise BadInput(f"{file}: holds no array of numbers, time x channels; write it again") from None


def _read_csv(file: Path) -> np.ndarray:
    lines = read_bytes(file).decode("utf-8", "replace").splitlines()
    first = lines[0].replace(",", " ").split() if lines else []
    header = 0 if all(map(_is_number, first)) else 1
    if len(lines) <= header:
        raise BadInput(f"{file}: holds no row of numbers; replace it")
    try:
        return np.loadtxt(lines[header:], delimiter=",", ndmin=2, dtype=np.float32)
    except ValueError as error:
        raise BadInput(f"{file}: is not a table of numbers ({error}); mend or replace it") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
