"""Opens files that hold arrays under names, perhaps in groups, as trees; nothing pickled in them is run."""

import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from untrimmed.features.pickles import read_pickle
from untrimmed.io import BadInput, import_optional, missing, parse_json, read_bytes

HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")
PICKLE_ENDINGS = (".pkl", ".pickle")
TORCH_ENDINGS = (".pt", ".pth")
ARCHIVE_ENDINGS = (".npz", *HDF5_ENDINGS)
"""Endings of files that usually hold many videos."""
CONTENT_ENDINGS = (*ARCHIVE_ENDINGS, *PICKLE_ENDINGS, *TORCH_ENDINGS)
"""Endings of files that hold arrays under names, of one video or of many."""
_TENSOR_MODULES = ("torch", "torch.nn.parameter")
DEPTH = 6
"""Groups in groups that are looked into."""
FAULTS = (
    *(OSError, ValueError, EOFError, RuntimeError, KeyError, MemoryError, TypeError, SyntaxError),
    *(tokenize.TokenError, zlib.error, zipfile.BadZipFile),
)
"""What numpy, h5py and zipfile raise for a file that is damaged."""


class Entry(NamedTuple):
    """An array in a file that is read when it is asked for. `shape` is empty for what is no array of numbers."""

    shape: tuple[int, ...]
    load: Callable[[], np.ndarray]


Tree: TypeAlias = "dict[str, Entry | Tree]"


class Content(NamedTuple):
    """An open file: its arrays by name, and what closes it."""

    tree: Tree
    handle: AbstractContextManager[Any]


def open_content(file: Path) -> Content:
    """Open a file of arrays under names by its ending; an array without a name has the empty one.

    Raises BadInput for a file that is damaged, or that holds more than arrays, numbers and texts.
    """
    ending = file.suffix.lower()
    if not file.exists():
        raise missing(file, "file of features")
    if ending == ".npz":
        return _open_npz(file)
    if ending in HDF5_ENDINGS:
        return _open_hdf5(file)
    if ending in TORCH_ENDINGS:
        value, size = _load_tensors(file), file.stat().st_size
    else:
        content = read_bytes(file)
        size = len(content)
        value = _parse(file, ending, content)
    tree = _build_tree(value, size)
    return Content(tree if isinstance(tree, dict) else {"": tree}, nullcontext())


def _parse(file: Path, ending: str, content: bytes) -> Any:
    if ending == ".json":
        return parse_json(file, content)
    if ending == ".npy":
        content = content[_find_payload(file) :]
    return read_pickle(file, content)


def holds_names(file: Path) -> bool:
    """Whether a file holds arrays under names: by its ending, or as a `.npy` of a pickle that is not damaged."""
    ending = file.suffix.lower()
    if ending != ".npy":
        return ending in (*CONTENT_ENDINGS, ".json")
    try:
        with file.open("rb") as stream:
            return _read_header(stream)[1].hasobject
    except FAULTS:
        return False


def _find_payload(file: Path) -> int:
    with file.open("rb") as stream:
        _read_header(stream)
        return stream.tell()


def _read_header(stream: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Read the shape and type that stand before an array in the `.npy` format."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    return shape, kind


def _open_npz(file: Path) -> Content:
    try:
        if not zipfile.is_zipfile(file):
            raise zipfile.BadZipFile("no .npz inside")
        arrays: Any = np.load(file, allow_pickle=False)
        tree: Tree = {name: _describe_member(arrays, name, file) for name in sorted(arrays.files)}
    except FAULTS as error:
        raise BadInput(f"{file}: is not a readable .npz file ({error}); write it again") from None
    return Content(tree, closing(arrays))


def _describe_member(arrays: Any, name: str, file: Path) -> Entry:
    """Describe an array in a `.npz` file by its header, which must agree with the bytes that follow it."""
    member = name if name in arrays.zip.namelist() else f"{name}.npy"
    info = arrays.zip.getinfo(member)
    try:
        with arrays.zip.open(info) as stream:
            shape, kind = _read_header(stream)
            stated, real = kind.itemsize * math.prod(shape), info.file_size - stream.tell()
    except FAULTS:
        return Entry((0, 0), partial(arrays.__getitem__, name))  # reading it says what is wrong
    if kind.hasobject or kind.kind not in "fiub":
        return Entry((), partial(arrays.__getitem__, name))
    if stated != real:
        return Entry(shape, partial(_refuse_size, file, name, stated, real))
    return Entry(shape, partial(arrays.__getitem__, name))


def _refuse_size(file: Path, name: str, stated: int, real: int) -> np.ndarray:
    raise BadInput(f"{file}: {name} says that it has {stated:,} bytes, and has {real:,}; write the file again")


def _open_hdf5(file: Path) -> Content:
    h5py = import_optional("h5py", "hdf5", f"{file}: HDF5")
    try:
        opened = h5py.File(file, "r")
        return Content(_walk(h5py, opened, DEPTH, set()), closing(opened))
    except FAULTS as error:
        raise BadInput(f"{file}: is not a readable HDF5 file ({error}); write it again") from None


def _walk(h5py: Any, group: Any, depth: int, visited: set[int]) -> Tree:
    """List a group's arrays and groups, each group once; links out of the file are not followed."""
    tree: Tree = {}
    visited.add(h5py.h5o.get_info(group.id).addr)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        node = group[name]
        if not isinstance(node, h5py.Dataset):
            is_new = isinstance(node, h5py.Group) and h5py.h5o.get_info(node.id).addr not in visited
            tree[name] = _walk(h5py, node, depth - 1, visited) if depth and is_new else {}
        else:
            tree[name] = _describe_dataset(node)
    return tree


def _describe_dataset(node: Any) -> Entry:
    try:
        kind = node.dtype
    except FAULTS:
        return Entry((0, 0), partial(_load_dataset, node))  # reading it says what is wrong
    if kind.names and "values_block_0" in kind.names:
        return Entry((len(node), 2), partial(_load_pandas, node))
    return Entry(node.shape if kind.kind in "fiub" and node.shape else (), partial(_load_dataset, node))


def _load_dataset(node: Any) -> np.ndarray:
    return np.asarray(node[()])


def _load_pandas(node: Any) -> np.ndarray:
    """Read the columns of numbers in a table of pandas, without its index."""
    table = node[()]
    blocks = [table[name] for name in table.dtype.names if name.startswith("values_block_")]
    return np.concatenate([block.reshape(len(block), -1) for block in blocks if block.dtype.kind in "fiub"], 1)


def _load_tensors(file: Path) -> Any:
    """Read tensors and plain containers with torch's loader that runs nothing."""
    torch = import_optional("torch", "torch", f"{file}: a file of tensors")
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as packed:
                # torch packs nothing, so what is packed may unfold to any size.
                if sum(info.file_size for info in packed.infolist()) > file.stat().st_size:
                    raise BadInput(f"{file}: its parts are larger than the file; write it again")
        return torch.load(file, map_location="cpu", weights_only=True)
    except BadInput:
        raise
    except Exception as error:  # what a broken pickle raises has no bound
        name = re.search(r"GLOBAL ([A-Za-z_][\w.]*)", str(error))  # what the file wants to be run
        is_refused = name or "Weights only" in str(error)
        fault = "wants more than tensors" if is_refused else "is no whole file of tensors"
        wish = f" ({name[1]})" if name else ""
        raise BadInput(
            f"{file}: {fault}{wish}; nothing was run: save the tensor alone, or write a .npy file"
        ) from None


def _build_tree(value: Any, size: int) -> "Entry | Tree":
    """Make a tree of a dict of dicts of arrays, lists, and tensors; no array may be larger than the file."""
    if isinstance(value, Mapping):
        return {_name_key(key): _build_tree(inner, size) for key, inner in value.items()}
    array = _as_array(value, size)
    if array is None and isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        return {str(index): _build_tree(inner, size) for index, inner in enumerate(value)}
    if array is None or array.dtype.kind not in "fiub":
        return Entry((), lambda: np.zeros(0))
    return Entry(array.shape if array.size else (0, 0), lambda: array)


def _name_key(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _as_array(value: Any, size: int) -> np.ndarray | None:
    """Return an array, a tensor, a list of rows or a number as an array; None for what is none."""
    if isinstance(value, np.ndarray):
        return value
    if type(value).__module__ in _TENSOR_MODULES:
        return _as_numpy(value, size)
    rows = value if isinstance(value, list | tuple) else [value]
    if not rows:
        return np.zeros((0, 0), np.float32)
    if isinstance(value, str | bytes) or value is None:
        return None
    if all(type(row).__module__ in _TENSOR_MODULES for row in rows):
        tensors = [_as_numpy(row, size) for row in rows]
        return _stack(tensors, size) if all(tensor is not None for tensor in tensors) else None
    return _stack(rows, size)


def _stack(rows: Iterable[Any], size: int) -> np.ndarray | None:
    try:
        rows = list(rows)
        # A pickle may name one array a million times over; an honest one is no shorter than its numbers.
        if sum(np.size(row) for row in rows) > size:
            return None
        return np.array(rows, np.float32)
    except (TypeError, ValueError):
        return None


def _as_numpy(tensor: Any, size: int) -> np.ndarray | None:
    """Return a tensor as an array; None for one that says it has more numbers than the file has bytes."""
    if not hasattr(tensor, "numel") or tensor.numel() > size or tensor.is_sparse or tensor.is_quantized:
        return None
    if tensor.is_complex():
        return None
    tensor = tensor.detach()
    wide = tensor.dtype.is_floating_point and tensor.dtype.itemsize < 4
    return (tensor.float() if wide else tensor).contiguous().numpy()
