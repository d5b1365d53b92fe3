"""What every room builds on: the error for bad input, groups of settings, and files written whole or not at all."""

import codecs
import gzip
import json
import logging
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

logger = logging.getLogger(__name__)


class BadInput(ValueError):
    """Input that cannot be used. The message names the file, the value and the remedy; commands exit with 2."""


def missing(path: Path, what: str) -> BadInput:
    """The sentence for a path that does not exist."""
    return BadInput(f"{path}: no such {what}; check the path")


class Config:
    """A group of settings; subclasses are `@dataclass(frozen=True, kw_only=True)` beside their user.

    `__pydantic_config__` is read at the one door where settings come in from a file.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


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


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; renamed onto `path` on success, removed on any failure."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The ending stays: several libraries choose their format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder, not a file; choose another place") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
    return _text(path, read_bytes(path))


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
    return _parse_slowly(path, _text(path, content))


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8 text; save it as UTF-8") from None


def _parse_slowly(path: Path, text: str) -> Any:
    if not text.strip():
        raise BadInput(f"{path}: is empty; JSON was expected")
    repeated: list[str] = []
    try:
        value = json.loads(text, object_pairs_hook=partial(_join_pairs, path, repeated))
    except BadInput:
        raise
    except json.JSONDecodeError as error:
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
