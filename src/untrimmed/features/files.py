"""Reads one file of features: `.npy` memory-mapped, `.csv` with or without a header, `.pkl` without running it."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from untrimmed.features.pickles import read_pickle
from untrimmed.io import BadInput, missing, read_bytes

FEATURE_ENDINGS = (".npy", ".csv", ".csv.gz", ".pkl")
SCORES = "scores"
"""The entry of a pickled dict that holds its snippets, as in the files that C-TCN's authors released."""


def video_name(file: Path) -> str:
    """Return the name of the video whose features a file holds."""
    for ending in FEATURE_ENDINGS:
        if file.name.endswith(ending):
            return file.name.removesuffix(ending)
    raise BadInput(f"{file}: is no feature file; {', '.join(FEATURE_ENDINGS)} or .npz was expected")


def read_array(file: Path) -> Float[np.ndarray, "time channels"]:
    """Read the snippets in a file as floats, 0 x 0 where it holds none. Raises BadInput for an unusable file."""
    if file.suffix == ".npy":
        values = read_npy(file)
    elif file.suffix == ".pkl":
        values = _read_pkl(file)
    else:
        values = _read_csv(file)
    return check_array(values, str(file))


def check_array(values: np.ndarray, where: str) -> Float[np.ndarray, "time channels"]:
    """Return the values if they are time x channels of floats; none at all become 0 x 0. Raises BadInput."""
    if not np.issubdtype(values.dtype, np.floating) or (values.ndim != 2 and values.size):
        raise BadInput(f"{where}: has shape {values.shape} of {values.dtype}; time x channels of floats was expected")
    return values if values.size else np.zeros((0, 0), np.float32)


def read_npy(file: Path) -> np.ndarray:
    """Map a `.npy` file into memory; its length is checked against its header."""
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(file, "file") from None
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{file}: is not a readable .npy file ({error}); write it again") from None


def _read_pkl(file: Path) -> np.ndarray:
    """Read an array, a list of snippets, or either under `scores` in a dict."""
    content = read_bytes(file)
    value: Any = read_pickle(file, content)
    if isinstance(value, dict):
        entries = {key.decode("latin1") if isinstance(key, bytes) else key: entry for key, entry in value.items()}
        if SCORES not in entries:
            keys = ", ".join(map(str, entries)) or "nothing"
            raise BadInput(f"{file}: holds a dict of {keys}; features were expected under {SCORES!r}")
        value = entries[SCORES]
    if isinstance(value, np.ndarray):
        return value
    rows = value if isinstance(value, list) else [value]
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
        raise BadInput(f"{file}: is not a table of numbers ({error}); fix or replace it") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
