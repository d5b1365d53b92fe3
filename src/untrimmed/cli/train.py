"""From videos to detections: demo, extract, train, detect."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from untrimmed.cli.app import Device, JsonOut, Overrides, Quiet, Weights, app, command
from untrimmed.cli.printing import show_scores, show_table, shown


@command(app)
def demo(
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder for videos, features, detector and report.")] = Path("runs/demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and extract.")] = 2,
    quiet: Quiet = False,
) -> None:
    """Render small videos, learn from two thirds of them, find the actions in the rest, and show it.

    Example: `untrimmed demo --out runs/demo`
    """
    from untrimmed.demo.story import tell

    story = tell(out, overrides or [], workers=workers, quiet=quiet)
    show_scores(story.scores)
    print(f"report: {story.report}")


@command(app)
def extract(
    videos: Annotated[Path, typer.Argument(help="A video, or a folder of videos.")],
    out: Annotated[Path, typer.Option(help="The feature folder to write.")],
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="What sees the frames; `untrimmed backbones` lists all. Repeated: side by side."),
    ] = None,
    weights: Weights = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second for the backbone [default: 5; of clips, the first video's].")
    ] = None,
    stride: Annotated[int | None, typer.Option(help="Frames from clip to clip [default: the backbone's].")] = None,
    flow: Annotated[bool, typer.Option(help="Append a descriptor of the optical flow (default backbone).")] = True,
    flow_method: Annotated[
        Literal["dis", "dis-fast", "tvl1"] | None,
        typer.Option(help="How flow is computed [default: dis; tvl1 for networks of flow].", show_default=False),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures, or a quarter as many clips, seen at a time.")] = 16,
    allow_truncated: Annotated[bool, typer.Option(help="Use what decodes of a damaged video.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time, a core each.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a cluster instead: Ray's `auto`, HOST:PORT, `local`."),
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Turn videos into features; done again, it skips what is there.

    Example: `untrimmed extract videos --out features --workers 2`

    Example: `untrimmed extract videos --out i3d --backbone i3d-rgb --weights rgb_imagenet.pt`
    """
    from untrimmed.detection.detector import pick_device
    from untrimmed.extraction.settings import LITE, ExtractConfig
    from untrimmed.extraction.videos import extract as extract_videos
    from untrimmed.extraction.videos import find_videos

    config = ExtractConfig(
        backbones=tuple(backbone or [LITE]),
        weights=tuple(map(str, weights or [])),
        fps=fps,
        stride=stride,
        flow=flow,
        flow_method=flow_method,
        batch=batch,
        device=pick_device(device),
        allow_truncated=allow_truncated,
    )
    done = extract_videos(find_videos(videos), out, config, workers=workers, quiet=quiet, cluster=cluster)
    print(f"{len(done.done)} extracted, {len(done.skipped)} there already, {len(done.failed)} failed: {out}")
    for reason in done.failed.values():
        print(f"untrimmed: {reason}", file=sys.stderr)
    if done.failed:
        raise typer.Exit(2)


@command(app)
def backbones(json: JsonOut = None) -> None:
    """List the backbones: what each sees, how often, how wide its features are, and where its weights come from.

    Example: `untrimmed backbones`
    """
    from untrimmed.extraction.settings import catalogue
    from untrimmed.io import write_json

    rows = catalogue()
    if json:
        write_json(json, [row._asdict() for row in rows])
    header = ["backbone", "frames", "stride", "frames a second", "channels"]
    show_table(
        "", header, [[shown(value) if isinstance(value, int) else value for value in row[:-1]] for row in rows]
    )
    print("weights")
    for row in rows:
        print(f"  {row.backbone}: {row.weights}")


@command(app)
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [default: runs/NAME OF THE RECIPE].")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a detector; killed and started again, it goes on where it was.

    Example: `untrimmed train recipes/salads50_ctcn.toml train.steps=800 --out runs/salads50`
    """
    from untrimmed.recipe import read_recipe
    from untrimmed.training.checkpoint import DETECTOR
    from untrimmed.training.loop import train as run_training

    folder = out or Path("runs") / recipe.stem
    trained = run_training(read_recipe(recipe, overrides or []), folder, device=device, quiet=quiet)
    if not trained.results:
        return  # one of several processes; the first one speaks
    if trained.scores:
        show_scores(trained.scores)
    print(f"detector: {folder / DETECTOR}")


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
