"""Keeps every edit of a review as a line of a file, on the disk before it counts: a killed server loses nothing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from untrimmed.io import BadInput, name_disk_faults

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two servers from one journal
    fcntl = None

_VERSION = 1  # of the file's format


class Journal:
    """The edits of one review in the order in which they were made; only one server at a time has it open.

    `digest` identifies the content that the review began with. Raises BadInput where the file belongs to another
    digest, where another server has it open, and where a line in its midst is broken. A last line that was cut off is
    dropped: the edit in it was never answered.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = path.open("a+b", buffering=0)  # a buffer would keep an edit that failed
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another --out") from None
        try:
            self._lock()
            with name_disk_faults(path):
                self.edits = self._read_edits(digest)
        except BaseException:
            self._stream.close()
            raise

    def append(self, edit: Mapping[str, Any]) -> None:
        """Write an edit, and return when the disk has it. Raises OSError, and then the file is as it was before."""
        size = self._stream.seek(0, os.SEEK_END)
        try:
            line = json.dumps(edit, allow_nan=False, separators=(",", ":")).encode() + b"\n"
            if (written := self._stream.write(line)) < len(line):  # what a full disk does first
                self._stream.write(line[written:])
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(size)
            raise

    def close(self) -> None:
        """Close the file, so that another server can open it."""
        self._stream.close()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"{self.path}: another `untrimmed review` has it open; use that one, or end it first"
            ) from None

    def _read_edits(self, digest: str) -> list[dict[str, Any]]:
        self._stream.seek(0)
        *lines, cut_off = self._stream.read().split(b"\n")
        if cut_off:
            self._stream.truncate(self._stream.tell() - len(cut_off))
        if not lines:
            self.append({"journal": _VERSION, "digest": digest})
            return []
        header, *edits = [self._parse_line(number, line) for number, line in enumerate(lines, start=1)]
        if header.get("journal") != _VERSION or header.get("digest") != digest:
            raise BadInput(
                f"{self.path}: belongs to a review of other files than these; give the same files, another --out, "
                "or move it away"
            )
        return edits

    def _parse_line(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise BadInput(f"{self.path}: line {number} is no edit; fix it or move the file away")
        return value
