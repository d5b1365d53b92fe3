"""Folders of annotation files: written whole or not at all, and never a file outside of them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from untrimmed.io import BadInput

LONGEST = 240
"""Bytes: what every file system takes for a name."""


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` to fill, which becomes `path` on success and vanishes on any failure.

    Raises BadInput where something is there already, but for an empty folder.
    """
    path = Path(path)
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise BadInput(f"{path}: is there already; give a new folder, or remove it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    try:
        # A temporary folder is for its owner only; one inside it has the usual permissions.
        filled = temporary / "filled"
        filled.mkdir()
        yield filled
        if path.exists():
            path.rmdir()
        os.replace(filled, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def file_in(folder: Path, name: str, ending: str, what: str) -> Path:
    """The file of that name directly in `folder`; BadInput for a name that would lie elsewhere or nowhere.

    `what` says what is called so, `video` or `label`.
    """
    reason = None
    if any(letter in "/\\" or ord(letter) < 32 for letter in name):
        reason = "it holds a slash or a control character"
    elif not name or name[0] == ".":
        reason = "it begins with a dot" if name else "it is empty"
    elif len((name + ending).encode("utf-8", "replace")) > LONGEST:
        reason = f"it is longer than {LONGEST} bytes"
    if reason:
        raise BadInput(f"{what} {name!r} cannot be the name of a file, as {reason}; rename it, or use another format")
    return folder / f"{name}{ending}"
