"""Files that hold the features of many videos, by name: `.npz`, and HDF5 through the optional package h5py."""

import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from untrimmed.features.files import checked
from untrimmed.io import BadInput, import_optional

ENDINGS = (".npz", ".h5", ".hdf5")


class Archive(ABC):
    """An opened file. Raises BadInput, with the file's name, for whatever is not time x channels of floats."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The videos in it, sorted."""

    @abstractmethod
    def read(self, name: str) -> Float[np.ndarray, "time channels"]:
        """The snippets of a video, perhaps none."""

    def _unreadable(self, name: str, error: Exception) -> BadInput:
        return BadInput(f"{self.path}: {name} cannot be read ({error}); write the file again")


def open_archive(path: Path) -> Archive:
    """The archive at a path, by its ending."""
    return Npz(path) if path.suffix == ".npz" else HDF5(path)


class Npz(Archive):
    """An array a video; nothing pickled is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            if not zipfile.is_zipfile(path):
                raise zipfile.BadZipFile("no .npz inside")
            self._arrays: Any = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path}: is not a readable .npz file ({error}); write it again") from None

    @property
    def names(self) -> list[str]:
        return sorted(self._arrays.files)

    def read(self, name: str) -> Float[np.ndarray, "time channels"]:
        try:
            values = self._arrays[name]
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise self._unreadable(name, error) from None
        return checked(values, f"{self.path}: {name}")


class HDF5(Archive):
    """A data set a video; or a group a video with one data set in it, as the C3D features of ActivityNet have it.

    Links out of the file are not followed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        h5py = import_optional("h5py", "hdf5", f"{path}: HDF5")
        try:
            self._file: Any = h5py.File(path, "r")
            links = {name: self._file.get(name, getlink=True) for name in self._file}
        except (OSError, RuntimeError) as error:
            raise BadInput(f"{path}: is not a readable HDF5 file ({error}); write it again") from None
        self._dataset, self._hard = h5py.Dataset, h5py.HardLink
        self._names = sorted(name for name, link in links.items() if isinstance(link, h5py.HardLink))

    @property
    def names(self) -> list[str]:
        return self._names

    def read(self, name: str) -> Float[np.ndarray, "time channels"]:
        try:
            values = self._inside(name)[()]
        except (OSError, RuntimeError, KeyError) as error:
            raise self._unreadable(name, error) from None
        return checked(np.asarray(values), f"{self.path}: {name}")

    def _inside(self, name: str) -> Any:
        found = self._file[name]
        if isinstance(found, self._dataset):
            return found
        inner = [key for key in found if isinstance(found.get(key, getlink=True), self._hard)]
        if len(inner) != 1 or not isinstance(found[inner[0]], self._dataset):
            there = ", ".join(inner) or "nothing"
            raise BadInput(f"{self.path}: {name} holds {there}; one array a video was expected, so keep one of them")
        return found[inner[0]]
