"""Detectors in ONNX files: onnxruntime runs the network in the place of torch, and nothing else changes."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from untrimmed.detection.detector import Detector, Header, parse_header
from untrimmed.io import BadInput, import_optional, missing
from untrimmed.models.base import Level, Model, Proposals, Targets

SUFFIX = ".onnx"
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxModel(Model):
    """A network whose forward is an ONNX graph; it decodes as the model that the graph was made of.

    The model itself is built as narrow as it can be, because only its anchors and its decoding are used.
    """

    def __init__(self, session: Any, header: Header) -> None:
        super().__init__()
        self.session = session
        narrow = replace(header.recipe.model, width=1e-9)
        self.decoder: Model = narrow.build(header.channels, len(header.classes)).eval()
        self.length, self.standardize = self.decoder.length, self.decoder.standardize
        if (anchors := dict(self.decoder.named_buffers()).get("anchors")) is not None:
            self.register_buffer("anchors", anchors, persistent=False)
        # Run once for the type of its outputs.
        with torch.inference_mode():
            mask = torch.ones(1, self.length, dtype=torch.bool)
            self.outputs = type(self.decoder(torch.zeros(1, header.channels, self.length), mask))

    @property
    def levels(self) -> tuple[Level, ...]:
        return self.decoder.levels

    @property
    def anchor_count(self) -> int:
        return self.decoder.anchor_count

    def forward(self, x: Float[Tensor, "batch channels time"], mask: Bool[Tensor, "batch time"]) -> Any:
        outputs = self.session.run(None, {"x": x.numpy(), "mask": mask.numpy()})
        return self.outputs(*map(torch.from_numpy, outputs))

    def loss(self, outputs: Any, targets: list[Targets]) -> dict[str, Tensor]:
        raise ValueError("an exported network does not learn; train the detector that it was made of")

    def decode(self, outputs: Any) -> list[Proposals]:
        return self.decoder.decode(outputs)

    def fuse_batch_norm(self) -> "OnnxModel":
        """Itself: what was exported is folded already."""
        return self


def load_onnx(path: Path, device: str = "auto") -> Detector:
    """Load the detector in an ONNX file that `export` wrote. `device` is `auto`, `cpu` or `cuda`.

    Raises BadInput for a file that is none, a device that onnxruntime does not have, and where it is not installed.
    """
    session, header = _open(path, device)
    model = OnnxModel(session, header).eval()
    _, recipe, channels, classes, source, card, calibration = header
    return Detector(model, recipe, channels, classes, source, card, calibration=calibration)


def read_onnx_header(path: Path) -> Header:
    """Read the header of a detector in an ONNX file. Raises BadInput as loading does."""
    return _open(path, "cpu")[1]


def _open(path: Path, device: str) -> tuple[Any, Header]:
    if not Path(path).is_file():
        raise missing(Path(path), "detector file")
    runtime = import_optional("onnxruntime", "export", "ONNX")
    providers = _providers(runtime, device)
    try:
        session = runtime.InferenceSession(str(path), providers=providers)
        return session, parse_header(session.get_modelmeta().custom_metadata_map, path)
    except BadInput:
        raise
    except Exception as error:  # onnxruntime's own exceptions have no common kind
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: is not a detector in ONNX form ({reason}); make it with untrimmed export") from None


def _providers(runtime: ModuleType, device: str) -> list[str]:
    """Choose what onnxruntime computes with: a GPU where it is asked for, or with `auto` where there is one."""
    kind, _, index = device.partition(":")
    here = runtime.get_available_providers()
    if kind == "auto":
        return [name for name in reversed(_PROVIDERS.values()) if name in here]
    if index or _PROVIDERS.get(kind) not in here:
        raise BadInput(
            f"device {device!r}: this onnxruntime computes on "
            f"{', '.join(kind for kind, name in _PROVIDERS.items() if name in here)}; give one of them, or auto"
        )
    return [_PROVIDERS[kind]]
