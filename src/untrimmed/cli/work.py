"""From videos to detections: demo, extract, train, detect."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import Device, Overrides, Quiet, app, command
from untrimmed.cli.show import show_scores


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
    fps: Annotated[float, typer.Option(help="Snippets a second.")] = 5.0,
    flow: Annotated[bool, typer.Option(help="Append a descriptor of the optical flow.")] = True,
    allow_truncated: Annotated[bool, typer.Option(help="Use what decodes of a damaged video.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time, one core each.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Turn videos into features; done again, it skips what is there.

    Example: `untrimmed extract videos --out features --workers 2`
    """
    from untrimmed.extract import ExtractConfig, find_videos
    from untrimmed.extract import extract as extract_videos

    config = ExtractConfig(fps=fps, flow=flow, allow_truncated=allow_truncated)
    done = extract_videos(find_videos(videos), out, config, workers=workers, quiet=quiet)
    print(f"{len(done.done)} extracted, {len(done.skipped)} there already, {len(done.failed)} failed: {out}")
    for reason in done.failed.values():
        print(f"untrimmed: {reason}", file=sys.stderr)
    if done.failed:
        raise typer.Exit(2)


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
    from untrimmed.run import DETECTOR
    from untrimmed.train import train as run_training

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
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find the actions of videos; with `--also`, what two detectors agree on (late fusion).

    Example: `untrimmed detect runs/demo/detector.safetensors match.mp4 --out match.srt`
    """
    from untrimmed.detections import check_output, find_actions, find_fused_actions, write_detections
    from untrimmed.detector import Detector, pick_device
    from untrimmed.fusion import Fusion
    from untrimmed.video_scores import read_video_scores

    check_output(out)
    scores = read_video_scores(video_scores, top_labels) if video_scores else None
    place = pick_device(device)
    first = Detector.load(detector, place, compiled)
    if also:
        fusion = Fusion((first, Detector.load(also[0], place, compiled)), (1 - weight, weight))
        timelines = find_fused_actions(fusion, (source, also[1]), scores, quiet=quiet)
    else:
        timelines = find_actions(first, source, scores, quiet=quiet)
    for file in write_detections(out, timelines, score):
        print(file)
