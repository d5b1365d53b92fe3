"""What every room builds on: the error for bad input, groups of settings, and files written whole or not at all."""

import codecs
import errno
import gzip
import json
import logging
import os
import re
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec

logger = logging.getLogger(__name__)


class BadInput(ValueError):
    """Input that cannot be used. The message names the file, the value and the remedy; commands exit with 2."""


class DiskFault(BadInput):
    """A place that cannot be written, or a disk that is full: no fault of one input alone."""


def missing(path: Path, what: str) -> BadInput:
    """The sentence for a path that does not exist, with the nearest name that lies there."""
    try:
        near = get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], 1, 0.75)
    except OSError:
        near = []
    return BadInput(f"{path}: no such {what}; check the path" + (f" (is it {near[0]!r}?)" if near else ""))


class Config:
    """A group of settings; subclasses are `@dataclass(frozen=True, kw_only=True)` beside their user.

    `__pydantic_config__` is read at the one door where settings come in from a file.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): ""}
"""What people call the types of settings."""
PLURALS = {str: "texts", int: "whole numbers", float: "numbers"}


def describe_type(kind: Any) -> str:
    """Say in plain words which values a setting of a type takes, such as `a whole number`."""
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if get_origin(kind) is tuple:
        inner = get_args(arguments[0])
        return f"a list of {f'pairs of {PLURALS[inner[0]]}' if inner else PLURALS[arguments[0]]}"
    if len(arguments) > 1:
        return " or ".join(filter(None, map(describe_type, arguments)))
    return KINDS.get(kind, "a section of settings")


def import_optional(name: str, extra: str, what: str) -> Any:
    """An optional package. Raises BadInput, which says what needs it and how to install it, where it is absent."""
    try:
        return import_module(name)
    except ImportError:
        raise BadInput(f"{what} needs the package {name}; run `pip install 'untrimmed[{extra}]'`") from None


Progress = Callable[[str, float, float | None, str], object]
"""Told how far some work is: the task, how much is done, of how much (None where nobody knows), and words for people.

Whoever draws a bar, logs or counts passes one in; nobody else draws.
"""

T = TypeVar("T")


def track(items: Iterable[T], task: str, progress: Progress | None, total: int | None = None) -> Iterator[T]:
    """The items, one after the other, with `progress` told how many are done."""
    for done, item in enumerate(items):
        if progress:
            progress(task, done, total, "")
        yield item
        if progress:
            progress(task, done + 1, total, "")


_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a full disk, a quota, a limit of size and a broken disk are called."""
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ENOTDIR}
)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; renamed onto `path` on success, removed on any failure.

    A link is followed: the file that it leads to is replaced. A device or a pipe stays one, and is written to.
    Raises BadInput, with the path and the reason, where the disk does not take it; an old file is left as it was.
    """
    path = _follow(Path(path))
    temporary = _create_beside(_find_room(path))
    try:
        with name_disk_faults(path):
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            _put(temporary, path)
    except BadInput as error:
        if str(temporary) not in str(error):
            raise
        raise BadInput(str(error).replace(str(temporary), str(path))) from None  # the name that the user knows
    finally:
        temporary.unlink(missing_ok=True)


def _follow(path: Path) -> Path:
    """Return the file that a link leads to, one that is not there yet, too; else the path itself."""
    try:
        return path.resolve() if path.is_symlink() and not _is_device(path) else path
    except (OSError, RuntimeError) as error:  # links in a circle
        raise _cannot_write(path, error) from None


def _is_device(path: Path) -> bool:
    """Return whether a path is a device, a pipe or a stream of the process, which must stay one."""
    folders = Path(os.path.abspath(path)).parts[1:3]
    system = folders[:1] in (("dev",), ("proc",)) and folders != ("dev", "shm")
    try:
        return path.exists() and not path.is_dir() and (system or not path.is_file())
    except OSError:  # of a path that cannot be, which writing says
        return False


def _find_room(path: Path) -> Path:
    """Return the place beside which a temporary file goes: the folder of devices takes none."""
    return Path(tempfile.gettempdir(), path.name) if _is_device(path) else path


def _put(temporary: Path, path: Path) -> None:
    try:
        if _is_device(path):
            path.write_bytes(temporary.read_bytes())
        else:
            os.replace(temporary, path)
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder, not a file; choose another place") from None
    except OSError as error:
        raise _cannot_write(path, error) from None


def _create_beside(path: Path) -> Path:
    """Create an empty file in the folder of `path`, which is made where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The ending stays: several libraries choose their format by it. A long stem has no room for more.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:32]}-", suffix=path.suffix)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None
    os.close(handle)
    return Path(name)


@contextmanager
def name_disk_faults(path: Path) -> Iterator[None]:
    """Turn the full, broken or limited disk on which `path` is being written into BadInput that names it."""
    try:
        yield
    except Exception as error:
        if _find_errno(error) not in _DISK_FAULTS:
            raise
        raise _cannot_write(path, error) from None


def check_writable(path: Path) -> None:
    """Raise BadInput where no file could be written at `path`, before the work for it is done; nothing is left.

    A folder that is there may be meant to be filled: it is tried as such.
    """
    target = place = _follow(Path(path))
    if _is_device(place):
        if not os.access(place, os.W_OK):
            raise _cannot_write(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        return
    try:
        while not place.exists():
            place = place.parent
        if not place.is_dir() and place != target:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=place if place.is_dir() else place.parent):
            pass
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None


def describe_system_fault(error: Exception, path: Path | None = None) -> str | None:
    """Describe what the system refused to do, with the file where it is known; None for an error of another kind."""
    number = _find_errno(error)
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return (
            f"{path or error.object}: is no name for a file where names are {error.encoding}; "
            "set PYTHONUTF8=1 in the environment, or LC_ALL=C.UTF-8"
        )
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        return f"{error.object[:200]!a}: holds a name that is no UTF-8 text; rename it, or set PYTHONUTF8=1"
    if number not in _DISK_FAULTS | _REFUSALS:
        return None
    place = getattr(error, "filename", None) or "a file"
    remedy = "free some space" if number in _DISK_FAULTS else "check the path, its rights and the machine's limits"
    return f"{place}: cannot be read or written ({os.strerror(number or 0)}); {remedy}"


def _cannot_write(path: Path, error: Exception) -> DiskFault:
    if isinstance(error, UnicodeEncodeError) and (sentence := describe_system_fault(error, path)):
        return DiskFault(sentence)
    number = _find_errno(error)
    reason = os.strerror(number) if number else str(error)
    remedy = "free some space or choose another place" if number in _DISK_FAULTS else "choose another place"
    return DiskFault(f"{path}: cannot be written ({reason}); {remedy}")


def _find_errno(error: Exception) -> int | None:
    """Find the system's number of an error; libraries in Rust, as safetensors, have it in their sentence alone.

    NumPy has none: what it could not write in whole is called so here after the usual cause, a full disk.
    """
    stated = re.search(r"\(os error (\d+)\)", str(error))
    if isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        return errno.ENOSPC
    return getattr(error, "errno", None) or (int(stated[1]) if stated else None)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; bytes of names that Python could not decode as they were."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, value: Any) -> None:
    """Write JSON; the same value gives the same bytes."""
    with whole(path) as temporary:
        if Path(path).suffix == ".gz":
            temporary.write_bytes(gzip.compress(json.dumps(value).encode(), mtime=0))
        else:
            temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked when its name ends in `.gz`."""
    try:
        content = Path(path).read_bytes()
        return gzip.decompress(content) if Path(path).suffix == ".gz" else content
    except FileNotFoundError:
        raise missing(Path(path), "file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder, not a file; name the file in it") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be read ({error}); check the file") from None


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, without a byte order mark."""
    return decode_text(path, read_bytes(path))


def read_json(path: Path) -> Any:
    """The value in a JSON file, gzip too. NaN and Infinity are read; whoever uses the numbers decides.

    Raises BadInput where it is not JSON, and where one object has two different values under one key.
    """
    return parse_json(path, read_bytes(path))


def parse_json(path: Path, content: bytes) -> Any:
    """The value that `content` is as JSON, NaN and Infinity too; `path` is for the sentence where it is none."""
    try:
        value = msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))
        # Of two equal keys a decoder keeps the last in silence; a pair that it left out is a colon fewer.
        if msgspec.json.encode(value).count(b":") == content.count(b":"):
            return value
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError):
        pass
    # Slower by half, but it sees equal keys, reads NaN and broken surrogate pairs, and knows the line of a mistake.
    return _parse_slowly(path, decode_text(path, content))


def decode_text(path: Path, content: bytes) -> str:
    """The content of the file at `path` as text. Raises BadInput, with what it looks like, if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if what := describe_content(content):
            raise BadInput(f"{path}: is {what}, not text; name another file, or save its content as text") from None
        if line := describe_windows_text(content):
            raise BadInput(f"{path}: is not UTF-8 but, it seems, Windows-1252 ({line}); save it as UTF-8") from None
        raise BadInput(f"{path}: byte {error.start} is not UTF-8 text; save it as UTF-8") from None


def describe_windows_text(content: bytes) -> str | None:
    """The first line that is not UTF-8, as it reads in Windows-1252; None for UTF-8 and for what is no such text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        if _CONTROLS.search(content) or describe_content(content):
            return None
        try:
            start, end = content[: error.start].decode("cp1252"), content[error.start :].decode("cp1252")
        except UnicodeDecodeError:
            return None
        lines = f"{start}{end[0]}".splitlines()
        return f"line {len(lines)}: {lines[-1][-40:] + end[1:40].partition(chr(10))[0].strip()!r}"
    return None


def describe_content(content: bytes) -> str | None:
    """What kind of file these bytes are, by how it begins; None for text and for what is not known here."""
    if content.startswith(b"PK\x03\x04"):
        return "an Excel workbook (.xlsx)" if b"xl/" in content else "a ZIP archive"
    if content[4:8] == b"ftyp":
        return "an MP4 or MOV video"
    return next((what for start, what in _BEGINNINGS.items() if content.startswith(start)), None)


_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")

_BEGINNINGS = {
    **{b"\x80" + bytes([number]): "a Python pickle, which is never run" for number in range(2, 6)},
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"RIFF": "an AVI video or a WAV recording",
    b"\x1aE\xdf\xa3": "a Matroska or WebM video",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"MATLAB": "a file of MATLAB",
    b"\x93NUMPY": "an array of NumPy (.npy)",
    b"PAR1": "a Parquet table",
    b"SQLite": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Office file (.xls, .doc)",
    b"\x1f\x8b": "a gzip archive, whose name must end in .gz",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
}


def _parse_slowly(path: Path, text: str) -> Any:
    if not text.strip():
        raise BadInput(f"{path}: is empty; JSON was expected")
    repeated: list[str] = []
    try:
        value = json.loads(text, object_pairs_hook=partial(_join_pairs, path, repeated))
    except BadInput:
        raise
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.colno == 1:
            raise BadInput(
                f"{path}: holds more than one JSON value, one a line; rows of a table are read so if its name ends "
                "in .jsonl, anything else must be one value"
            ) from None
        raise BadInput(
            f"{path}: is not JSON (line {error.lineno}, column {error.colno}: {error.msg}); fix or replace it"
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a nest of thousands of lists
        raise BadInput(f"{path}: is JSON beyond all bounds ({error}); fix or replace it") from None
    if repeated:
        logger.warning(
            "%s: %d keys stand twice in one object with one value, and count once; the first is %r",
            path,
            len(repeated),
            repeated[0],
        )
    return value


def _join_pairs(path: Path, repeated: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Join the pairs of an object; keys of one value twice go to `repeated`. Raises BadInput where values differ."""
    value = dict(pairs)
    if len(value) < len(pairs):
        first: dict[str, Any] = {}
        for key, item in pairs:
            if first.setdefault(key, item) != item:
                raise BadInput(
                    f"{path}: the key {key!r} stands twice in one object, with different values; keep one of them"
                )
        repeated += (key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    return value
