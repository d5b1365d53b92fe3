"""Find the actions of videos with a detector."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrimmed.cli.app import Device, JsonOut, Precision, Quiet, RawScores, Runtime, Settings, Weights, app, command
from untrimmed.cli.printing import fail_for, progress_bar, show_notes, show_table, write_numbers

if TYPE_CHECKING:
    from untrimmed.detection.detector import Detector
    from untrimmed.detection.journal import DetectionJournal
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

    A video that cannot be used does not stop the others; then the exit code is 2. Stopped, it goes on with `--out`.

    Example: `untrimmed detect runs/demo/detector.safetensors match.mp4 --out match.srt`
    """
    from untrimmed.detection.loading import load
    from untrimmed.detection.results import check_output
    from untrimmed.detection.sources import open_source
    from untrimmed.detection.video_scores import read_video_scores

    if out:
        check_output(out)
    scores = read_video_scores(video_scores, top_labels) if video_scores else None
    load_one = partial(load, device=device, runtime=runtime, precision=precision, calibrated=not raw_scores)
    load_one = partial(load_one, overrides=settings or ())
    first, second = load_one(detector), load_one(also[0]) if also else None
    if out:
        check_output(out, len(open_source(source, first.source, first.recipe.data, weights or ())))
    detectors, sources = (first, *filter(None, [second])), (source, *(also or ())[1:])
    files = filter(None, (detector, also and also[0], video_scores))
    words = [*map(str, (source.absolute(), also, weight, top_labels, runtime, precision))]
    with _keep_unfinished(out, detectors, files, words) as journal:
        with progress_bar(quiet) as progress:
            options = {"weights": weights or (), "video_scores": scores, "journal": journal, "progress": progress}
            timelines = _detect_all(detectors, sources, weight, options)
        _report(timelines, out, score, json)
        if journal:
            journal.clear()
    fail_for(timelines.failed.values())


@contextmanager
def _keep_unfinished(
    out: Path | None, detectors: "Iterable[Detector]", files: Iterable[Path], words: Sequence[str]
) -> "Iterator[DetectionJournal | None]":
    """Open the journal of what will be written to `out`, for these detectors, files and settings; None without it."""
    from untrimmed.detection.journal import hold_journal
    from untrimmed.features.folder import compute_fingerprint

    if out is None:
        yield None
        return
    headers = [detector.header() for detector in detectors]
    digests = [compute_fingerprint(file).sha256 for file in files]
    with hold_journal(out, {"detector": headers, "file": digests, "setting": words}) as journal:
        yield journal


def _detect_all(
    detectors: "Sequence[Detector]", sources: Sequence[Path], weight: float, options: Mapping[str, Any]
) -> "Timelines":
    """Detect with one detector, or with two, of which the second has a `weight`."""
    from untrimmed.detection.fusion import Fusion

    if len(detectors) == 1:
        return detectors[0].detect_all(sources[0], **options)
    return Fusion(tuple(detectors), (1 - weight, weight)).detect_all(sources, **options)


def _report(timelines: "Timelines", out: Path | None, score: float | None, json: Path | None) -> None:
    """Write detections and print the names of the files, or print a line an action."""
    from untrimmed.detection.results import describe_hidden, find_least_score, write_detections

    show_notes(timelines.notes)
    write_numbers(json, timelines.above(score or 0).to_dicts())
    if json and not out:
        return
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
