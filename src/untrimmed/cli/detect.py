"""Find the actions of videos with a detector."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from untrimmed.cli.app import Device, Quiet, Weights, app, command


@command(app)
def detect(
    detector: Annotated[Path, typer.Argument(help="A detector file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    out: Annotated[Path, typer.Option(help="Ends in .json, .csv or .srt; '{video}' in it writes a file a video.")],
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Fuse with a second detector, which sees its own features."),
    ] = None,
    weight: Annotated[float, typer.Option(min=0, max=1, help="The second detector's share; flow had 0.667.")] = 0.5,
    video_scores: Annotated[
        Path | None, typer.Option(help="JSON {video: {label: score}} of a classifier, which weighs what is found.")
    ] = None,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels a video lends to a detector of one class.")] = 2,
    score: Annotated[float | None, typer.Option(help="Least score [default: 0.3 in .srt, else 0].")] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the network first: for many videos.")] = False,
    runtime: Annotated[
        Literal["torch", "onnx"] | None,
        typer.Option(help="What runs the network [default: onnx for an .onnx file, else torch].", show_default=False),
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="Of the network; auto is bfloat16 where the processor is made for it, and faster there."),
    ] = "float32",
    weights: Weights = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find the actions of videos; with `--also`, what two detectors agree on (late fusion).

    Example: `untrimmed detect runs/demo/detector.safetensors match.mp4 --out match.srt`
    """
    from untrimmed.detection.export import open_detector
    from untrimmed.detection.fusion import Fusion
    from untrimmed.detection.results import check_output, write_detections
    from untrimmed.detection.sources import find_actions, find_fused_actions
    from untrimmed.detection.video_scores import read_video_scores

    check_output(out)
    scores = read_video_scores(video_scores, top_labels) if video_scores else None
    first = open_detector(detector, device, compiled, runtime, precision)
    if also:
        fusion = Fusion((first, open_detector(also[0], device, compiled, runtime, precision)), (1 - weight, weight))
        timelines = find_fused_actions(fusion, (source, also[1]), scores, weights or (), quiet=quiet)
    else:
        timelines = find_actions(first, source, scores, weights or (), quiet=quiet)
    for file in write_detections(out, timelines, score):
        print(file)
