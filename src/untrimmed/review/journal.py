"""Every edit of a review as a line of a file, on the disk before it counts, so that a killed server loses nothing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from untrimmed.io import BadInput

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two servers from one journal
    fcntl = None

FORM = 1


class Journal:
    """The edits of one review in the order in which they were made; only one server at a time has it open.

    `digest` names what the review began with. Raises BadInput where the file belongs to another beginning, where
    another server has it open, and where a line in its midst is broken. A last line that was cut off is dropped: the
    edit in it was never answered.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = path.open("a+b")
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another --out") from None
        try:
            self._lock()
            self.edits = self._read(digest)
        except BaseException:
            self._stream.close()
            raise

    def add(self, edit: Mapping[str, Any]) -> None:
        """Write an edit, and return when the disk has it. Raises OSError, and then the file is as it was before."""
        before = self._stream.seek(0, os.SEEK_END)
        try:
            self._stream.write(_line(edit))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(before)
            raise

    def close(self) -> None:
        """Let another server have the file."""
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

    def _read(self, digest: str) -> list[dict[str, Any]]:
        self._stream.seek(0)
        content = self._stream.read()
        kept, _, _ = content.rpartition(b"\n")
        if content and not content.endswith(b"\n"):
            self._stream.truncate(len(kept) + 1 if kept else 0)
        lines = [self._parsed(number, line) for number, line in enumerate(kept.split(b"\n"), start=1) if kept]
        if not lines:
            self.add({"journal": FORM, "digest": digest})
            return []
        if lines[0].get("journal") != FORM or lines[0].get("digest") != digest:
            raise BadInput(
                f"{self.path}: belongs to a review of other files than these; give the same files, another --out, "
                "or move it away"
            )
        return lines[1:]

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise BadInput(f"{self.path}: line {number} is no edit; mend it or move the file away")
        return value


def _line(edit: Mapping[str, Any]) -> bytes:
    return json.dumps(edit, allow_nan=False, separators=(",", ":")).encode() + b"\n"
