"""Reads arrays of numbers from pickles of strangers without running anything that is in them."""

import io
import pickle
import pickletools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from untrimmed.io import BadInput

KINDS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_NUMPY = ("numpy.core", "numpy._core")
_TEXT = re.compile(r"[<>|=]?[US]\d{1,6}")
# No honest file needs more: CalMS21's are dicts of annotators, of sequences, of entries, of what is known of them.
_DEPTH = 6


def read_pickle(path: Path, content: bytes) -> Any:
    """Read the plain containers, texts and numbers in a pickle, with numpy's arrays and scalars in them as arrays.

    A pickle is a program. This one may name numpy's arrays, scalars and number types, and those not by numpy's own
    code but by stand-ins that accept bytes, a shape and a type; every other name in it is refused before it is
    looked up. Reads what Python 2 wrote too, its byte strings as text. `path` is for the sentence. Raises BadInput.
    """
    try:
        for operation, argument, _ in pickletools.genops(content):
            # Room for all memo slots before one beyond the file's own length would be taken from memory.
            if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
                raise ValueError(f"slot {argument} in {len(content)} bytes")
        value = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        return _unwrap(value, _DEPTH, iter(range(len(content))))
    except _NotAdmitted as error:
        raise BadInput(f"{path}: wants {error}, more than arrays and plain containers; nothing was run") from None
    except Exception as error:  # what a broken pickle raises has no bound, and nothing of ours is called by it
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: is not a readable pickle of arrays ({reason}); write it again") from None


class _NotAdmitted(Exception):
    pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        package, _, module = module_name.rpartition(".")
        if package in _NUMPY or module_name == "numpy":
            make = _ADMITTED.get((module, global_name))
        else:
            make = _ADMITTED.get((module_name, global_name))
        if make is None:
            raise _NotAdmitted(f"{module_name}.{global_name}")
        return _StandIn(make)


class _StandIn:
    """What a pickle may call. Without a dictionary, so that a pickle cannot change what it calls."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


class _Kind:
    """A number type, such as float32 of little-endian bytes; or that of texts, or of whatever a pickle lists."""

    __slots__ = ("dtype", "is_object")

    def __init__(self, text: str, *_: Any) -> None:
        self.is_object = text.lstrip("|") in ("O", "O8")
        if not self.is_object and text.lstrip("<>|=") not in KINDS and not _TEXT.fullmatch(text):
            raise _NotAdmitted(f"values of type {text!r}")
        # Objects are listed by the pickle itself, and never made from bytes.
        self.dtype = np.dtype("u1" if self.is_object else text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array of numbers, whose bytes come after it was created."""

    __slots__ = ("values",)

    def __init__(self, *_: Any) -> None:
        self.values: Any = np.zeros((0, 0))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        if kind.is_object:
            self.values = _part_rows(content, shape) if shape else content[0]
            return
        self.values = _build_array(content, kind, shape, "F" if fortran else "C")


def _part_rows(content: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Part the objects of an array of two axes, which come in one list, into its rows."""
    if len(shape) != 2 or not content:
        return list(content)
    rows, columns = shape
    if rows * columns != len(content) or columns < 1:
        raise ValueError(f"{len(content)} objects for {rows} x {columns}")
    return [content[start : start + columns] for start in range(0, len(content), columns)]


def _from_buffer(content: Any, kind: _Kind, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.values = _build_array(content, kind, shape, order)
    return array


def _build_array(content: Any, kind: _Kind, shape: tuple[int, ...], order: str) -> np.ndarray:
    # Python 2 had no bytes: what it wrote comes as text, a character a byte.
    if kind.is_object:
        raise _NotAdmitted("objects in an array without a list of them")
    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _refuse_call(*_: Any) -> None:
    raise _NotAdmitted("to make an array by itself")


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("multiarray", "_reconstruct"): _Array,
    ("multiarray", "scalar"): lambda kind, content: _build_array(content, kind, (), "C").item(),
    ("numeric", "_frombuffer"): _from_buffer,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _refuse_call,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    ("builtins", "bytes"): lambda: b"",
    ("collections", "OrderedDict"): lambda *items: dict(*items),
}


def _unwrap(value: Any, depth: int, allowance: Iterator[int]) -> Any:
    """Return the value with arrays in place of stand-ins; refuse values that are nested deeper than `depth`.

    `allowance` ends when more values were seen than the file has bytes: only one that says "the same list again"
    over and over unfolds to so many.
    """
    if next(allowance, None) is None:
        raise ValueError("it unfolds to more values than it has bytes")
    if isinstance(value, _Array):
        return value.values if isinstance(value.values, np.ndarray) else _unwrap(value.values, depth, allowance)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if depth and isinstance(value, dict):
        return {_unwrap(k, 0, allowance): _unwrap(v, depth - 1, allowance) for k, v in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_unwrap(inner, depth - 1, allowance) for inner in value]
    raise _NotAdmitted(f"a {type(value).__name__.strip('_').lower()} within {_DEPTH - depth} others")
