"""A detector for other programs: export."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import app, command


@command(app)
def export(
    detector: Annotated[Path, typer.Argument(help="A detector file.")],
    out: Annotated[Path, typer.Option(help="Ends in .onnx, or in .pt2 for a torch.export program.")],
) -> None:
    """Write a detector's network for other programs, once it is seen to say what it says here.

    It takes `x` (windows, channels, snippets) and `mask` (windows, snippets) and gives raw outputs, before decoding
    and suppression. `untrimmed detect` takes the .onnx file as a detector.

    Example: `untrimmed export runs/demo/detector.safetensors --out detector.onnx`
    """
    from untrimmed.detection.detector import Detector
    from untrimmed.detection.export import export_detector as export_network

    print(export_network(Detector.load(detector), out))
