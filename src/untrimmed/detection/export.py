"""Detectors for other programs: the network as an ONNX graph or a torch.export program, checked before it is kept.

Exported are the raw outputs of a window, before decoding and suppression. An ONNX file holds the detector's header
too, so that `untrimmed detect` needs nothing but it.
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
"""Windows on which an exported network is compared with torch's."""
TOLERANCE = 1e-3
"""The largest error of a raw output, relative to the largest value of that output, or to 1."""


class OutputError(NamedTuple):
    """The error of one output of an exported network."""

    output: str
    off: float
    """The largest difference from torch's, relative to the largest absolute value where that is above 1."""


def export_detector(detector: Detector, out: str | Path) -> Path:
    """Write the detector's network to `out`, which ends in `.onnx` or `.pt2`, if it computes what torch's does.

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
        return load_onnx(export_detector(detector, Path(folder) / f"detector{SUFFIX}"), device)


def trace(network: Model, channels: int) -> ExportedProgram:
    """Trace the network's forward, for any number of windows, into a program of torch's own operators."""
    x, mask = random_windows(network, channels, 2, seed=0)
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


def random_windows(
    network: Model, channels: int, windows: int, seed: int
) -> tuple[Float[Tensor, "windows channels time"], Bool[Tensor, "windows time"]]:
    """Draw random windows on the scale of the training data, the first whole, the others with junk as padding."""
    random = torch.Generator().manual_seed(seed)
    mean, scale = network.standardize.mean.cpu(), network.standardize.scale.cpu()
    deviation = torch.where(scale > 0, 1 / scale, 0.0)
    x = mean[:, None] + deviation[:, None] * torch.randn(windows, channels, network.length, generator=random)
    valid = torch.randint(1, network.length + 1, (windows, 1), generator=random)
    valid[0] = network.length
    return x, torch.arange(network.length) < valid


class _Plain(nn.Module):
    """A network whose outputs are a plain tuple, so that the program needs no class of this package."""

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(x, mask))


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
        outputs = network(*random_windows(network, detector.channels, 1, seed=0))
        exported = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=outputs._fields,
            verbose=False,
        )
    model = exported.model_proto  # pyright: ignore[reportOptionalMemberAccess]
    _remove_origin(model.graph)
    for function in model.functions:
        _remove_origin(function)
    entry = model.metadata_props.add()
    entry.key, entry.value = HEADER, detector.header()
    path.write_bytes(model.SerializeToString(deterministic=True))


def _remove_origin(graph: Any) -> None:
    """Remove from a graph where it was traced, which names paths of this machine."""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _remove_origin(attribute.g)


def _check(network: Model, channels: int, written: Path, out: Path) -> None:
    """Run an exported network on random windows, and refuse it where its outputs are not torch's."""
    x, mask = random_windows(network, channels, CHECKED, seed=1)
    with torch.inference_mode():
        expected = network(x, mask)
    outputs = _run(written, out.suffix, x, mask)
    worst = max(compare_outputs(expected, outputs), key=lambda difference: difference.off)
    if not worst.off <= TOLERANCE:
        raise BadInput(
            f"{out}: {worst.output} of the exported network is off by {worst.off:.2g}, more than {TOLERANCE:g}, so "
            "nothing was written; export with another version of torch"
        )


def compare_outputs(expected: Any, outputs: Sequence[Tensor]) -> list[OutputError]:
    """Compare each raw output with torch's, over the windows that agree on which boxes are valid.

    Which kernels merge may turn on the last bit of a width, so that one window of eight may have other boxes.
    """
    agreeing = (outputs[-1] == expected.valid).all(1)
    # NaN compares with nothing, so its error is infinite.
    if len(outputs) != len(expected) or agreeing.sum() * CHECKED < len(agreeing) * (CHECKED - 1):
        return [OutputError("valid", float("inf"))]
    rows = []
    for name, a, b in zip(expected._fields, expected, outputs, strict=True):
        a, b = a[agreeing].double(), b[agreeing].double()
        off = float(((a - b).abs().max() / a.abs().max().clamp(min=1)).nan_to_num(nan=float("inf")))
        rows.append(OutputError(name, off))
    return rows


def _run(path: Path, suffix: str, x: Tensor, mask: Tensor) -> list[Tensor]:
    """Run an exported network on windows."""
    if suffix != SUFFIX:
        with torch.inference_mode(), _quietly():
            return list(torch.export.load(path).module()(x, mask))
    session = import_optional("onnxruntime", "export", "ONNX").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    return [torch.from_numpy(value) for value in session.run(None, {"x": x.numpy(), "mask": mask.numpy()})]


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence torch while it exports: it warns of packages that are not needed, and its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
