"""Keeps what is done of long work in a file, so that work which is killed goes on where it was."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, overload

import numpy as np
from filelock import FileLock, Timeout

from untrimmed.io import BadInput, name_disk_faults

PATIENCE = 6.0
"""Seconds: processes that belonged to one which was killed notice that only after some."""
_LENGTH = 8
"""Bytes before each record that hold its length."""


class WorkLog(Sequence[bytes]):
    """Records in a file, in the order in which they were appended; one that a kill cut off is dropped.

    `key` says what the work is, in values of JSON. A file of another key, or that is none of this kind, is emptied,
    and `difference` then says why. Only one process may have it open: see `hold_path`. Close it, or use it in `with`.
    """

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        self.path, self.difference = path, ""
        self._places: list[slice] = []
        with name_disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("a+b", buffering=0)
            try:
                self._open(json.loads(json.dumps(key)))
            except BadInput:
                self.remove()
                with suppress(OSError):
                    path.parent.rmdir()  # made for it alone
                raise

    def __enter__(self) -> "WorkLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = self._places[index]
        self._stream.seek(place.start)
        return self._stream.read(place.stop - place.start)

    def append(self, record: bytes) -> None:
        """Write a record behind the others."""
        end = self._stream.seek(0, 2)
        self._write(len(record).to_bytes(_LENGTH, "little") + record)
        self._places.append(slice(end + _LENGTH, end + _LENGTH + len(record)))

    def close(self) -> None:
        """Close the file, which stays."""
        self._stream.close()

    def remove(self) -> None:
        """Close the file and remove it, as the work is done."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self, key: Mapping[str, Any]) -> None:
        end = self._stream.seek(0, 2)
        self._stream.seek(0)
        line = self._stream.readline()
        self.difference = _compare_keys(line, key) if end else ""
        if self.difference or not end:
            self._stream.truncate(0)
            self._write(json.dumps(key).encode() + b"\n")
            return
        place = len(line)
        while (start := place + _LENGTH) <= end:
            self._stream.seek(place)
            stop = start + int.from_bytes(self._stream.read(_LENGTH), "little")
            if stop > end:
                break
            self._places.append(slice(start, stop))
            place = stop
        self._stream.truncate(place)

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        with name_disk_faults(self.path):
            while len(view):
                view = view[self._stream.write(view) :]


def _compare_keys(line: bytes, key: Mapping[str, Any]) -> str:
    """Say in which part the key in the first line of a file differs; empty where it does not."""
    try:
        old = json.loads(line)
        if not isinstance(old, dict) or not line.endswith(b"\n"):
            raise ValueError
    except ValueError:
        return "its beginning is broken"
    differing = [name for name in {**old, **key} if old.get(name) != key.get(name)]
    return f"it is of another {differing[0]}" if differing else ""


def pack_arrays(*arrays: np.ndarray) -> bytes:
    """Pack arrays into a record."""
    stream = BytesIO()
    for array in arrays:
        np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpack_arrays(record: bytes) -> Iterator[np.ndarray]:
    """Unpack the arrays of a record, in their order."""
    stream = BytesIO(record)
    while stream.tell() < len(record):
        yield np.load(stream, allow_pickle=False)


@contextmanager
def hold_path(path: Path, sentence: str) -> Iterator[None]:
    """Keep others that ask for the same path out; nothing else of it is touched, and its folder is made.

    Raises BadInput with `sentence` where another process, or another call, has it for longer than `PATIENCE`.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=PATIENCE, poll_interval=0.1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (Timeout, RuntimeError):  # of another process, or of this one
        raise BadInput(sentence) from None
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
