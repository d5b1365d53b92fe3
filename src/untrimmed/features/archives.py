"""Reads files that hold the features of many videos: `.npz`, and HDF5 through the optional package h5py."""

import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from untrimmed.features.files import check_array
from untrimmed.io import BadInput, import_optional

ARCHIVE_ENDINGS = (".npz", ".h5", ".hdf5")


# What numpy and h5py raise for a file that is damaged.
_FAULTS = (OSError, ValueError, EOFError, RuntimeError, KeyError, zlib.error, zipfile.BadZipFile)


class Archive(ABC):
    """An open file of features, whose videos are `names`, sorted."""

    names: list[str]

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> Float[np.ndarray, "time channels"]:
        """Read the snippets of a video, perhaps none. Raises BadInput unless they are time x channels of floats."""
        try:
            values = self._load(name)
        except BadInput:
            raise
        except _FAULTS as error:
            raise BadInput(f"{self.path}: {name} cannot be read ({error}); write the file again") from None
        return check_array(values, f"{self.path}: {name}")

    @abstractmethod
    def _load(self, name: str) -> np.ndarray: ...


def open_archive(path: Path) -> Archive:
    """Open the archive at a path, by its ending."""
    return NpzArchive(path) if path.suffix == ".npz" else HDF5Archive(path)


class NpzArchive(Archive):
    """One array a video; nothing pickled is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            if not zipfile.is_zipfile(path):
                raise zipfile.BadZipFile("no .npz inside")
            self._arrays: Any = np.load(path, allow_pickle=False)
        except _FAULTS as error:
            raise BadInput(f"{path}: is not a readable .npz file ({error}); write it again") from None
        self.names = sorted(self._arrays.files)

    def _load(self, name: str) -> np.ndarray:
        return self._arrays[name]


class HDF5Archive(Archive):
    """One data set a video; or one group a video with one data set in it, as in ActivityNet's C3D features.

    Links out of the file are not followed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._h5py = import_optional("h5py", "hdf5", f"{path}: HDF5")
        try:
            self._file: Any = self._h5py.File(path, "r")
            self.names = sorted(self._list_arrays(self._file))
        except _FAULTS as error:
            raise BadInput(f"{path}: is not a readable HDF5 file ({error}); write it again") from None

    def _load(self, name: str) -> np.ndarray:
        entry = self._file[name]
        if not isinstance(entry, self._h5py.Dataset):
            inner = self._list_arrays(entry)
            if len(inner) != 1 or not isinstance(entry[inner[0]], self._h5py.Dataset):
                content = ", ".join(inner) or "nothing"
                raise BadInput(
                    f"{self.path}: {name} holds {content}; one array a video was expected, so keep one of them"
                )
            entry = entry[inner[0]]
        return np.asarray(entry[()])

    def _list_arrays(self, group: Any) -> list[str]:
        return [name for name in group if isinstance(group.get(name, getlink=True), self._h5py.HardLink)]
