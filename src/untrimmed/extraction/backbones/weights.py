"""Files of weights that users bring: read without running anything in them, and fitted to a network name by name."""

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
# Counts the steps of training, which older PyTorch did not; nothing that is computed depends on it.
_COUNTER = "num_batches_tracked"
_SHOWN = 3


class Rename(NamedTuple):
    """A pattern in the names of some published weights, and what stands for it in the network's own."""

    pattern: str
    replacement: str


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a `.safetensors` file or in one that `torch.save` wrote, by their names in the file.

    Those of a checkpoint are looked for under `state_dict`, `model_state_dict` and `model`. Only tensors and plain
    values are unpickled; a file that needs more is refused. Raises BadInput.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(f"{path}: is a folder, not a file of weights; name the file in it")
    found = _read(path)
    while isinstance(found, Mapping) and (inner := next((name for name in _CONTAINERS if name in found), None)):
        found = found[inner]
    if not isinstance(found, Mapping) or not found:
        raise BadInput(f"{path}: holds no state dictionary; save what `state_dict()` of the network gives")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BadInput(f"{path}: {name!r} is no tensor; save what `state_dict()` of the network gives")
    return dict(found)


def renamed(path: Path, weights: Mapping[str, Tensor], renames: tuple[Rename, ...]) -> dict[str, Tensor]:
    """The same tensors under the network's own names: wrappers' prefixes are dropped, then `renames` are applied.

    `path` is for the sentence. Raises BadInput where two tensors come to one name.
    """
    names = {name: _own_name(name, renames) for name in weights}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        alike = ", ".join(name for name in names if names[name] == twice[0])
        raise BadInput(f"{path}: {alike} all mean {twice[0]}; keep one of them")
    return {names[name]: value for name, value in weights.items()}


def fit(path: Path, weights: Mapping[str, Tensor], network: nn.Module, name: str, remedy: str) -> nn.Module:
    """The network itself with these weights, single precision, for inference only.

    It may have been built on the meta device. `path`, the backbone's `name` and `remedy` are for the sentence.
    Raises BadInput unless every parameter and buffer is there in its shape, and nothing else.
    """
    expected = network.state_dict()
    absent = [key for key in expected if key not in weights and not key.endswith(_COUNTER)]
    unexpected = [key for key in weights if key not in expected]
    if absent or unexpected:
        faults = [_counted(keys, kind) for keys, kind in ((absent, "missing"), (unexpected, "unexpected")) if keys]
        raise BadInput(f"{path}: does not hold the weights of {name} ({' and '.join(faults)}); {remedy}")
    fitted = {key: _fitted(weights, key, like) for key, like in expected.items()}
    for key, value in fitted.items():
        if value.shape != expected[key].shape:
            shape, wanted = list(weights[key].shape), list(expected[key].shape)
            raise BadInput(f"{path}: {key} has shape {shape}, but {wanted} in {name}; {remedy}")
    network.load_state_dict(fitted, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def weights_hash(path: Path) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a file: for a manifest that says what features came from.

    Raises BadInput where there is no such file.
    """
    if not Path(path).is_file():
        raise missing(Path(path), "file")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise BadInput(f"{path}: is not a readable safetensors file ({error}); download it again") from None
    except Exception as error:  # what a broken or foreign file raises here has no bound
        raise BadInput(
            f"{path}: is not a file of weights alone ({_reason(error)}); "
            "nothing in it was run, so download it again or save only its state dictionary as .safetensors"
        ) from None


def _reason(error: Exception) -> str:
    """What torch says in a paragraph, in a few words."""
    foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"it wants {foreign[1]}" if foreign else "torch cannot read it"


def _own_name(name: str, renames: tuple[Rename, ...]) -> str:
    name = _PREFIX.sub("", name)
    for rename in renames:
        name = re.sub(rename.pattern, rename.replacement, name)
    return name


def _fitted(weights: Mapping[str, Tensor], key: str, like: Tensor) -> Tensor:
    if key not in weights:
        return torch.zeros((), dtype=torch.int64)
    value = weights[key].to(like.dtype)
    # The first file of BN-Inception has its batch norms as rows of a matrix.
    return value[0] if value.shape == (1, *like.shape) else value


def _counted(keys: list[str], kind: str) -> str:
    more = ", ..." if len(keys) > _SHOWN else ""
    return f"{len(keys)} {kind}: {', '.join(keys[:_SHOWN])}{more}"
