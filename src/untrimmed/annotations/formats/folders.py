"""Folders of annotation files: written whole or not at all, and never a file outside of them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from untrimmed.annotations.annotations import Annotations
from untrimmed.io import BadInput, name_disk_faults
from untrimmed.timeline import Timeline

LONGEST = 240
"""Bytes: what every file system takes for a name."""


def write_files(
    write: Callable[[Path, str, Timeline, float | None], None],
    ending: str,
    path: Path,
    annotations: Annotations,
    fps: float | None,
) -> None:
    """Write a new folder with a file a video; or one file, for one video, where `path` has the ending.

    Raises BadInput where one file would have to hold several videos, and as `fill_folder` and `build_file_path` do.
    """
    timelines = annotations.timelines
    if path.suffix.lower() != ending.lower():
        with fill_folder(path) as folder:
            files = {video: build_file_path(folder, video, ending, "video") for video in timelines}
            for video, timeline in timelines.items():
                write(files[video], video, timeline, fps)
        return
    if len(timelines) != 1:
        raise BadInput(f"{path}: holds one video, not {len(timelines)}; give the name of a new folder instead")
    for video, timeline in timelines.items():
        write(path, video, timeline, fps)


@contextmanager
def fill_folder(path: Path) -> Iterator[Path]:
    """Open a new folder beside `path` to fill, which becomes `path` on success and vanishes on any failure.

    Raises BadInput where something is there already, except for an empty folder.
    """
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise BadInput(f"{path}: is there already; give a new folder, or remove it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    inner = temporary / "inner"
    try:
        # A temporary folder is for its owner only; one inside it has the usual permissions.
        inner.mkdir()
        with name_disk_faults(path):
            yield inner
        if path.exists():
            path.rmdir()
        os.replace(inner, path)
    except BadInput as error:
        if str(inner) not in str(error):
            raise
        raise BadInput(str(error).replace(str(inner), str(path))) from None  # the name that the user knows
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def build_file_path(folder: Path, name: str, ending: str, what: str) -> Path:
    """Build the path of a file in `folder`. Raises BadInput for a name that would lie elsewhere or nowhere.

    `what` says what has the name, `video` or `label`. That of a video may be a path, as where two folders have one of
    the same name; its file then lies in a folder in `folder`.
    """
    *inner, last = name.split("/") if what == "video" and not name.startswith("/") else [name]
    for part in inner:
        _refuse_part(part, "", what, name)
    _refuse_part(last, ending, what, name)
    return folder.joinpath(*inner, f"{last}{ending}")


def _refuse_part(part: str, ending: str, what: str, name: str) -> None:
    """Raise BadInput where a part of a path cannot be the name of a file or folder."""
    reason = None
    if any(letter in "/\\" or ord(letter) < 32 for letter in part):
        reason = "it holds a slash or a control character"
    elif not part or part[0] == ".":
        reason = "it begins with a dot" if part else "it is empty"
    elif len((part + ending).encode("utf-8", "replace")) > LONGEST:
        reason = f"it is longer than {LONGEST} bytes"
    if reason:
        raise BadInput(f"{what} {name!r} cannot be the name of a file, as {reason}; rename it, or use another format")
