"""Loads a detector from a file of either kind, to be run by torch or by onnxruntime."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from untrimmed.detection.detector import Detector
from untrimmed.detection.export import export_to_runtime
from untrimmed.detection.runtime import SUFFIX, load_onnx
from untrimmed.io import BadInput
from untrimmed.models.device import Precision, pick_device


def load(
    path: str | Path,
    device: str = "auto",
    *,
    runtime: Literal["torch", "onnx"] | None = None,
    precision: Precision = "float32",
) -> Detector:
    """Load the detector in a file that `train`, `tune` or `export` wrote.

    `runtime` is what runs the network: by default onnxruntime for an `.onnx` file, else torch; a detector that torch
    saved is exported first where onnxruntime is to run it. Raises BadInput for a file that is no detector, for a
    device that is not on this machine, and for what a runtime cannot do.
    """
    path = Path(path)
    is_onnx = path.suffix == SUFFIX
    if runtime not in (None, "torch", "onnx"):
        raise BadInput(f"runtime {runtime!r}: there are torch and onnx")
    if is_onnx and runtime == "torch":
        raise BadInput(f"{path}: torch does not run an ONNX file; give the detector that it was exported from")
    if not (is_onnx or runtime == "onnx"):
        return replace(Detector.load(path, pick_device(device)), precision=precision)
    if precision != "float32":
        raise BadInput(f"{path}: onnxruntime runs it in single precision; leave --precision {precision} out")
    return load_onnx(path, device) if is_onnx else export_to_runtime(Detector.load(path), device)
