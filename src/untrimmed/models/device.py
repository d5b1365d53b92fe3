"""Where a network runs, and how: device, memory layout, precision, compilation."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from untrimmed.io import BadInput

Precision = Literal["auto", "float32", "bfloat16"]
N = TypeVar("N", bound=nn.Module)


def to_device(model: N, device: str) -> N:
    """Move a model to its device, in the memory layout in which its convolutions are fastest."""
    return model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def autocast(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where asked for, or where `auto` finds that the device has instructions for it."""
    kind = device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16) if uses_bfloat16(kind, precision) else nullcontext()


def uses_bfloat16(kind: str, precision: Precision) -> bool:
    """Whether a device, `cpu` or `cuda`, computes in bfloat16 under a precision."""
    fast = kind == "cuda" or (kind == "cpu" and _cpu_has_bfloat16())
    return precision == "bfloat16" or (precision == "auto" and fast)


def _cpu_has_bfloat16() -> bool:
    # Present since torch 2.6; an older one is taken to have none.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def compile_forward(network: nn.Module, dynamic: bool | None = None) -> Callable[..., Any]:
    """Compile a network's forward at its first call; the weights stay the network's own.

    `dynamic` is torch.compile's. Raises BadInput where there is no C++ compiler, which a GPU's launchers need too.
    """
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX", usual)
    if not shutil.which(compiler):
        raise BadInput(f"{compiler!r}: no such C++ compiler; install g++, name yours in CXX, or do not compile")
    return torch.compile(network, dynamic=dynamic)


def pick_device(name: str) -> str:
    """Resolve a device's name; `auto` is a GPU where there is one. Raises BadInput for one that is not here."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        raise BadInput(f"device {name!r}: is not on this machine; give auto or cpu") from None
    return name
