"""Timelines and kernels as pages and pictures: view, kernels."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrimmed.cli.app import DETECTOR_ENDINGS, Device, Quiet, RawScores, Settings, Weights, app, command
from untrimmed.cli.evaluate import ResultsUnit, TruthUnit, refuse_detector_options
from untrimmed.cli.printing import progress_bar, show_notes
from untrimmed.io import BadInput

if TYPE_CHECKING:
    from untrimmed.timeline import Timelines

Rate = Annotated[float | None, typer.Option("--fps", help="Frames a second, for times in frames.")]


@command(app)
def view(
    results: Annotated[
        Path, typer.Argument(help="Detections, or annotations: any file that `convert` reads; or a detector.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Of a detector: what it looks at, a video, a feature file, or a folder.")
    ] = None,
    settings: Settings = None,
    raw_scores: RawScores = False,
    weights: Weights = None,
    device: Device = "auto",
    score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of a detector: least score [default: 0.3].")
    ] = None,
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
    quiet: Quiet = False,
) -> None:
    """Write one HTML file that plays the videos above timelines of truth and of one or more detectors.

    Example: `untrimmed view runs/demo/results.json --truth annotations.json --videos videos --out report.html`
    """
    detection = {"features": features, "set": settings, "raw-scores": raw_scores, "weights": weights, "score": score}
    if kernels and others:
        raise BadInput("--kernels shows one detector's; leave --and out")
    if results.suffix.lower() not in DETECTOR_ENDINGS:
        refuse_detector_options(results, detection)
    elif kernels:
        raise BadInput(f"{results}: is a detector; with --kernels, give what `untrimmed detect --out` writes")
    if kernels:
        from untrimmed.detection.detector import Detector
        from untrimmed.detection.kernels import write_kernel_view

        units = {"unit": unit, "truth_unit": truth_unit, "fps": fps}
        print(write_kernel_view(results, out, Detector.load(kernels[0]), kernels[1], truth, videos, **units))
    else:
        from untrimmed.detection.view import view as write_view

        units = {"unit": unit, "truth_unit": truth_unit, "fps": fps}
        content = results
        if results.suffix.lower() in DETECTOR_ENDINGS:
            if unit:
                raise BadInput(f"{results}: is a detector, which finds seconds; leave --unit out")
            content, units["unit"] = _detect(results, detection, device, quiet), None
        print(write_view(content, out, truth, videos, others or [], stills=stills, **units))


def _detect(detector: Path, detection: Mapping[str, Any], device: str, quiet: bool) -> "Timelines":
    """Detect what the page is to show; `detection` are the options of detection."""
    from untrimmed.detection.loading import load
    from untrimmed.detection.results import describe_hidden, find_least_score

    if detection["features"] is None:
        raise BadInput(f"{detector}: is a detector; give what it is to look at (--features VIDEOS or FEATURES)")
    opened = load(detector, device, overrides=detection["set"] or (), calibrated=not detection["raw-scores"])
    with progress_bar(quiet) as progress:
        timelines = opened.detect_all(detection["features"], weights=detection["weights"] or (), progress=progress)
    show_notes([*timelines.notes, *describe_hidden(timelines, None, detection["score"]), *timelines.failed.values()])
    return timelines.above(find_least_score(None, detection["score"]))


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
