"""Find the actions of videos with a detector."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import Device, JsonOut, Precision, Quiet, RawScores, Runtime, Settings, Weights, app, command
from untrimmed.cli.printing import fail_for, progress_bar, show_notes, show_table, write_numbers

if TYPE_CHECKING:
    from untrimmed.timeline import Timelines


@command(app, resumes="out")
def detect(
    detector: Annotated[Path, typer.Argument(help="A detector file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Ends in .json, .csv, .srt ...; '{video}' in it writes a file a video [default: a table]."),
    ] = None,
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Fuse with a second detector, which sees its own features."),
    ] = None,
    weight: Annotated[float, typer.Option(min=0, max=1, help="The second detector's share; flow had 0.667.")] = 0.5,
    video_scores: Annotated[
        Path | None, typer.Option(help="JSON {video: {label: score}} of a classifier, which weighs what is found.")
    ] = None,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels a video lends to a detector of one class.")] = 2,
    score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least score [default: 0.3 in subtitles and in the table, else 0]."),
    ] = None,
    runtime: Runtime = None,
    precision: Precision = "float32",
    settings: Settings = None,
    raw_scores: RawScores = False,
    weights: Weights = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Find the actions of videos; with `--also`, what two detectors agree on (late fusion).

    A video that cannot be used does not stop the others; then the exit code is 2.

    Example: `untrimmed detect runs/demo/detector.safetensors match.mp4 --out match.srt`
    """
    from untrimmed.detection.fusion import Fusion
    from untrimmed.detection.journal import hold_journal
    from untrimmed.detection.loading import load
    from untrimmed.detection.results import check_output
    from untrimmed.detection.sources import open_source
    from untrimmed.detection.video_scores import read_video_scores
    from untrimmed.features.folder import compute_fingerprint

    if out:
        check_output(out)
    scores = read_video_scores(video_scores, top_labels) if video_scores else None
    load_one = partial(load, device=device, runtime=runtime, precision=precision, calibrated=not raw_scores)
    load_one = partial(load_one, overrides=settings or ())
    first, second = load_one(detector), load_one(also[0]) if also else None
    if out:
        check_output(out, len(open_source(source, first.source, first.recipe.data, weights or ())))
    files = filter(None, (detector, also and also[0], video_scores))
    settings_of_all = {
        "detector": [each.header() for each in (first, second) if each],
        "file": [compute_fingerprint(file).sha256 for file in files],
        "setting": [str(source.absolute()), str(also), weight, top_labels, runtime, precision],
    }
    with hold_journal(out, settings_of_all) if out else nullcontext() as journal:
        with progress_bar(quiet) as progress:
            options = {"weights": weights or (), "video_scores": scores, "journal": journal, "progress": progress}
            if also and second:
                timelines = Fusion((first, second), (1 - weight, weight)).detect_all((source, also[1]), **options)
            else:
                timelines = first.detect_all(source, **options)
        show_notes(timelines.notes)
        write_numbers(json, timelines.above(score or 0).to_dicts())
        if out or not json:
            _report(timelines, out, score)
        if journal:
            journal.clear()
    fail_for(timelines.failed.values())


def _report(timelines: "Timelines", out: Path | None, score: float | None) -> None:
    """Write detections and print the names of the files, or print a line an action."""
    from untrimmed.detection.results import describe_hidden, find_least_score, write_detections

    show_notes(describe_hidden(timelines, out, score))
    if out:
        for file in write_detections(timelines, out, score=score):
            print(file)
        return
    rows = [
        (video, action.label, f"{action.start:.2f}", f"{action.end:.2f}", f"{action.score:.3f}")
        for video, timeline in timelines.above(find_least_score(None, score)).items()
        for action in timeline
    ]
    show_table("", ("video", "label", "start s", "end s", "score"), rows)
