"""Detectors for other programs: the network as an ONNX graph or a torch.export program, checked before it is kept.

What is exported are the raw outputs of a window, before decoding and suppression, with the batch norms folded. An
ONNX file holds the detector's header too, so that `untrimmed detect` needs nothing but it.
"""

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from untrimmed.detection.detector import HEADER, Detector
from untrimmed.detection.runtime import SUFFIX, load_onnx
from untrimmed.io import BadInput, import_optional, whole
from untrimmed.models.base import Model
from untrimmed.models.exportable_grouping import group_by_scan

OPSET = 18
SUFFIXES = (SUFFIX, ".pt2")
INPUTS = ("x", "mask")
LARGEST = 2**31 - 2**20
"""Bytes of weights that an ONNX file can hold: a protobuf message ends at 2 GiB."""
CHECKED = 8
"""Windows that an exported network is tried on."""
TOLERANCE = 1e-3
"""How far a raw output may be off, relative to the largest of its kind (and to 1)."""


class Difference(NamedTuple):
    """How far an exported network is from torch's."""

    output: str
    off: float
    """The largest difference, relative to the largest absolute value where that is above 1."""


def export(detector: Detector, out: str | Path) -> Path:
    """Write the detector's network to `out`, which ends in `.onnx` or `.pt2`, if it says what torch's says.

    Raises BadInput for another ending, an absent package, and a network that came out differently; then nothing is
    written.
    """
    out = Path(out)
    if out.suffix not in SUFFIXES:
        raise BadInput(f"{out}: its ending must be {' or '.join(SUFFIXES)}")
    if out.suffix == SUFFIX:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            import_optional(name, "export", "ONNX")
    network = detector.model.fuse_batch_norm().cpu()
    program = trace(network, detector.channels)
    with whole(out) as temporary:
        (_write_onnx if out.suffix == SUFFIX else _write_program)(program, network, detector, temporary)
        _check(network, detector.channels, temporary, out)
    return out


def export_to_runtime(detector: Detector, device: str = "auto") -> Detector:
    """Export a detector and load it again, to be run by onnxruntime, by way of a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        return load_onnx(export(detector, Path(folder) / f"detector{SUFFIX}"), device)


def trace(network: Model, channels: int) -> ExportedProgram:
    """Trace the network's forward, for any number of windows, into a program of torch's own operators."""
    x, mask = trial(network, channels, 2, seed=0)
    batch = Dim("batch")
    # A scan that ran before leaves traces with which the next one is not exported.
    torch._dynamo.reset()
    with torch.no_grad(), _quietly():
        program = torch.export.export(
            _Plain(network), (x, mask), dynamic_shapes=({0: batch}, {0: batch}), strict=False
        )
        program = program.run_decompositions({torch.ops.untrimmed.group_kernels.default: group_by_scan})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def trial(
    network: Model, channels: int, windows: int, seed: int
) -> tuple[Float[Tensor, "windows channels time"], Bool[Tensor, "windows time"]]:
    """Random windows like those of training, the first whole, the others padded from anywhere on, with junk there."""
    random = torch.Generator().manual_seed(seed)
    mean, scale = network.standardize.mean.cpu(), network.standardize.scale.cpu()
    deviation = torch.where(scale > 0, 1 / scale, 0.0)
    x = mean[:, None] + deviation[:, None] * torch.randn(windows, channels, network.length, generator=random)
    real = torch.randint(1, network.length + 1, (windows, 1), generator=random)
    real[0] = network.length
    return x, torch.arange(network.length) < real


class _Plain(nn.Module):
    """A network whose outputs are a plain tuple: no class of this package is left in the program."""

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(x, mask))


def _names(network: Model, channels: int) -> tuple[str, ...]:
    with torch.inference_mode():
        return type(network(*trial(network, channels, 1, seed=0)))._fields


def _write_program(program: ExportedProgram, network: Model, detector: Detector, path: Path) -> None:
    content = io.BytesIO()
    with _quietly():
        torch.export.save(program, content, extra_files={HEADER: detector.header()})
    path.write_bytes(content.getvalue())


def _write_onnx(program: ExportedProgram, network: Model, detector: Detector, path: Path) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > LARGEST:
        raise BadInput(f"the network's {size:,} bytes are more than an ONNX file holds; export it to a .pt2 file")
    with torch.no_grad(), _quietly():
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=_names(network, detector.channels),
            verbose=False,
        )
    model = made.model_proto  # pyright: ignore[reportOptionalMemberAccess]
    _forget_origin(model.graph)
    for function in model.functions:
        _forget_origin(function)
    entry = model.metadata_props.add()
    entry.key, entry.value = HEADER, detector.header()
    path.write_bytes(model.SerializeToString(deterministic=True))


def _forget_origin(graph: Any) -> None:
    """Take out of a graph what it was traced from: it names paths of this machine."""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _forget_origin(attribute.g)


def _check(network: Model, channels: int, written: Path, out: Path) -> None:
    """Run what was written on random windows, and refuse it where it says something else than torch."""
    x, mask = trial(network, channels, CHECKED, seed=1)
    with torch.inference_mode():
        wanted = network(x, mask)
    found = (_run_onnx if out.suffix == SUFFIX else _run_program)(written, x, mask)
    worst = max(differences(wanted, found), key=lambda difference: difference.off)
    if not worst.off <= TOLERANCE:
        raise BadInput(
            f"{out}: {worst.output} of the exported network is off by {worst.off:.2g}, more than {TOLERANCE:g}, so "
            "nothing was written; export with another version of torch"
        )


def differences(wanted: Any, found: Sequence[Tensor]) -> list[Difference]:
    """How far each raw output is from torch's, over the windows that agree on which boxes are real.

    Which kernels merge may turn on the last bit of a width, so that one window of eight may have other boxes.
    """
    alike = (found[-1] == wanted.real).all(1)
    # NaN compares as no number does, so it is told apart: it is as far off as can be.
    if len(found) != len(wanted) or alike.sum() * CHECKED < len(alike) * (CHECKED - 1):
        return [Difference("real", float("inf"))]
    rows = []
    for name, a, b in zip(wanted._fields, wanted, found, strict=True):
        a, b = a[alike].double(), b[alike].double()
        off = float(((a - b).abs().max() / a.abs().max().clamp(min=1)).nan_to_num(nan=float("inf")))
        rows.append(Difference(name, off))
    return rows


def _run_onnx(path: Path, x: Tensor, mask: Tensor) -> list[Tensor]:
    session = import_optional("onnxruntime", "export", "ONNX").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    return [torch.from_numpy(value) for value in session.run(None, {"x": x.numpy(), "mask": mask.numpy()})]


def _run_program(path: Path, x: Tensor, mask: Tensor) -> list[Tensor]:
    with torch.inference_mode(), _quietly():
        return list(torch.export.load(path).module()(x, mask))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch says while it exports: on packages that are not needed, and to its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
