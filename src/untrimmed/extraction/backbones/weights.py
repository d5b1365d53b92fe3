"""Files of weights that users bring: read without running anything in them, and loaded into a network by name."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from untrimmed.io import BadInput, missing

_PREFIX = re.compile(r"^(?:module\.|base_model\.|backbone\.)+")
_CONTAINERS = ("state_dict", "model_state_dict", "model")
# The count of training steps, which older PyTorch did not save; inference does not depend on it.
_COUNTER = "num_batches_tracked"
# Names in an error message.
_SHOWN = 3


class Rename(NamedTuple):
    """A pattern in the names of some published weights, and its replacement in the network's own."""

    pattern: str
    replacement: str


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors in a `.safetensors` file or in one that `torch.save` wrote, by their names in the file.

    In a checkpoint they are under `state_dict`, `model_state_dict` or `model`. Only tensors and plain values are
    unpickled; a file that needs more is refused. Raises BadInput.
    """
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a file of weights; name the file in it")
    content = _read(path)
    while isinstance(content, Mapping) and (inner := next((name for name in _CONTAINERS if name in content), None)):
        content = content[inner]
    if not isinstance(content, Mapping) or not content:
        raise BadInput(f"{path}: holds no state dictionary; save what `state_dict()` of the network gives")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BadInput(f"{path}: {name!r} is no tensor; save what `state_dict()` of the network gives")
    return dict(content)


def rename_weights(path: Path, weights: Mapping[str, Tensor], renames: tuple[Rename, ...]) -> dict[str, Tensor]:
    """Give tensors the network's own names: drop wrappers' prefixes, then apply `renames`.

    `path` is for the error message. Raises BadInput where two tensors get one name.
    """
    names = {}
    for key in weights:
        name = _PREFIX.sub("", key)
        for rename in renames:
            name = re.sub(rename.pattern, rename.replacement, name)
        names[key] = name
    name, count = Counter(names.values()).most_common(1)[0]
    if count > 1:
        duplicates = ", ".join(key for key in names if names[key] == name)
        raise BadInput(f"{path}: {duplicates} all mean {name}; keep one of them")
    return {names[name]: value for name, value in weights.items()}


def load_weights(path: Path, weights: Mapping[str, Tensor], network: nn.Module, name: str, remedy: str) -> nn.Module:
    """Load weights into a network, single precision, and return it for inference only.

    It may have been built on the meta device. `path`, the backbone's `name` and `remedy` are for the error message.
    Raises BadInput unless the weights have every parameter and buffer in its shape, and nothing else.
    """
    expected = network.state_dict()
    absent = [key for key in expected if key not in weights and not key.endswith(_COUNTER)]
    unexpected = [key for key in weights if key not in expected]
    if absent or unexpected:
        faults = [_list_keys(keys, kind) for keys, kind in ((absent, "missing"), (unexpected, "unexpected")) if keys]
        raise BadInput(f"{path}: does not hold the weights of {name} ({' and '.join(faults)}); {remedy}")
    state = {key: _convert(weights, key, tensor) for key, tensor in expected.items()}
    for key, tensor in expected.items():
        if state[key].shape != tensor.shape:
            shapes = f"{list(weights[key].shape)}, but {list(tensor.shape)}"
            raise BadInput(f"{path}: {key} has shape {shapes} in {name}; {remedy}")
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def hash_file(path: Path) -> str:
    """Compute the first 12 hexadecimal digits of the SHA-256 of a file, which identify weights in a manifest.

    Raises BadInput where there is no such file.
    """
    if not path.is_file():
        raise missing(path, "file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise BadInput(f"{path}: is not a readable safetensors file ({error}); download it again") from None
    except Exception as error:  # a broken or foreign file may raise anything here
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))  # a few words of torch's paragraph
        reason = f"it wants {foreign[1]}" if foreign else "torch cannot read it"
        raise BadInput(
            f"{path}: is not a file of weights alone ({reason}); "
            "nothing in it was run, so download it again or save only its state dictionary as .safetensors"
        ) from None


def _convert(weights: Mapping[str, Tensor], key: str, expected: Tensor) -> Tensor:
    if key not in weights:
        return torch.zeros((), dtype=torch.int64)
    value = weights[key].to(expected.dtype)
    # The first file of BN-Inception has its batch norms as rows of a matrix.
    return value[0] if value.shape == (1, *expected.shape) else value


def _list_keys(keys: list[str], kind: str) -> str:
    more = ", ..." if len(keys) > _SHOWN else ""
    return f"{len(keys)} {kind}: {', '.join(keys[:_SHOWN])}{more}"
