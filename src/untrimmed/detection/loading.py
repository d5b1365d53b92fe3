"""Loads a detector from a file of either kind, to be run by torch or by onnxruntime."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from untrimmed.detection.detector import Detector
from untrimmed.detection.export import export_to_runtime
from untrimmed.detection.runtime import SUFFIX, load_onnx
from untrimmed.io import BadInput
from untrimmed.models.device import Precision, pick_device
from untrimmed.recipe import override_recipe


def load(
    path: str | Path,
    device: str = "auto",
    *,
    runtime: Literal["torch", "onnx"] | None = None,
    precision: Precision = "float32",
    overrides: Sequence[str] = (),
    calibrated: bool = True,
) -> Detector:
    """Load the detector in a file that `train`, `tune` or `export` wrote.

    `runtime` is what runs the network: by default onnxruntime for an `.onnx` file, else torch; a detector that torch
    saved is exported first where onnxruntime is to run it. `overrides` are settings of suppression over those of the
    detector's recipe, as in `("suppress.keep=500",)`. Where scores are not to be
    `calibrated`, they are as suppression leaves them. Raises BadInput for a file that is no detector, for a device
    that is not on this machine, for what a runtime cannot do, and for another setting.
    """
    detector = _load(path, device, runtime, precision)
    return override_suppression(detector if calibrated else detector.drop_calibration(), overrides)


def override_suppression(detector: Detector, overrides: Sequence[str]) -> Detector:
    """Return the detector with settings such as `suppress.keep=500` put over its recipe's.

    Raises BadInput for any other setting: those decide what was learned.
    """
    for word in overrides:
        if not word.strip().startswith("suppress."):
            raise BadInput(f"{word!r}: only suppression can be set of a trained detector, as in suppress.keep=500")
    return replace(detector, recipe=override_recipe(detector.recipe, overrides)) if overrides else detector


def _load(path: str | Path, device: str, runtime: Literal["torch", "onnx"] | None, precision: Precision) -> Detector:
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
