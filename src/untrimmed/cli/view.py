"""Timelines and kernels as pages and pictures: view, kernels."""

from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import app, command
from untrimmed.cli.evaluate import ResultsUnit, TruthUnit
from untrimmed.io import BadInput

Rate = Annotated[float | None, typer.Option("--fps", help="Frames a second, for times in frames.")]


@command(app)
def view(
    results: Annotated[Path, typer.Argument(help="Detections, or annotations: any file that `convert` reads.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    unit: ResultsUnit = None,
    truth_unit: TruthUnit = None,
    fps: Rate = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of the videos.")] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--and", help="Another detector's results, for a row below; may be repeated.")
    ] = None,
    stills: Annotated[bool, typer.Option(help="Small pictures of the actions, where the videos are at hand.")] = True,
    kernels: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Show a GTAN's learned kernels, and what it is to look at."),
    ] = None,
) -> None:
    """Write one HTML file that plays the videos above timelines of truth and of one or more detectors.

    Example: `untrimmed view runs/demo/results.json --truth annotations.json --videos videos --out report.html`
    """
    if kernels and others:
        raise BadInput("--kernels shows one detector's; leave --and out")
    if kernels:
        from untrimmed.detection.detector import Detector
        from untrimmed.detection.kernels import write_kernel_view

        units = {"unit": unit, "truth_unit": truth_unit, "fps": fps}
        print(write_kernel_view(results, out, Detector.load(kernels[0]), kernels[1], truth, videos, **units))
    else:
        from untrimmed.detection.view import view as write_view

        units = {"unit": unit, "truth_unit": truth_unit, "fps": fps}
        print(write_view(results, out, truth, videos, others or [], stills=stills, **units))


@command(app)
def kernels(
    detector: Annotated[Path, typer.Argument(help="A GTAN detector's file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    video: Annotated[str, typer.Option(help="Which of the folder.")],
    out: Annotated[Path, typer.Option(help="The SVG file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    truth_unit: TruthUnit = None,
    fps: Rate = None,
    layer: Annotated[int | None, typer.Option(help="1 is the finest [default: the one that fits best].")] = None,
) -> None:
    """Draw the Gaussian kernels that a GTAN laid over a video: curves, boxes, merged ones, detections.

    Example: `untrimmed kernels runs/gtan/detector.safetensors features --video match --out kernels.svg`
    """
    from untrimmed.detection.detector import Detector
    from untrimmed.detection.kernels import write_kernels

    options = {"truth_unit": truth_unit, "fps": fps}
    print(write_kernels(out, Detector.load(detector), source, video, truth, layer, **options))
