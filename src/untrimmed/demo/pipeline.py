"""The whole story on videos of its own: render, extract, train, detect, evaluate, show."""

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from untrimmed.demo.videos import ANNOTATIONS, DemoConfig, render
from untrimmed.detection.view import panel
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.tables import detection_tables
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.videos import extract, find_videos
from untrimmed.recipe import Recipe, read_recipe
from untrimmed.training.loop import train
from untrimmed.visualization.report import write_report

VIDEOS = "videos"
FEATURES = "features"


class Story(NamedTuple):
    """How it ended: the scores on the held-out videos, and the report that shows them."""

    scores: DetectionScores
    report: Path


def tell(
    out: Path,
    overrides: Sequence[str] = (),
    *,
    workers: int = 2,
    quiet: bool = False,
    config: DemoConfig = DemoConfig(),
) -> Story:
    """Do everything in the folder `out`; what is done already is not done again.

    `overrides` are `section.key=value` words over the embedded recipe.
    """
    recipe = demo_recipe(out, overrides)
    videos = out / VIDEOS
    with _counter(quiet) as bar:
        task = bar.add_task("rendering", total=config.videos)
        truth = render(videos, config, progress=lambda done, _: bar.update(task, completed=done))
    done = extract(find_videos(videos), out / FEATURES, ExtractConfig(), workers=workers, quiet=quiet)
    if done.failed:
        raise RuntimeError(f"the demo's own videos could not be read: {done.failed}")
    trained = train(recipe, out, quiet=quiet)
    results = trained.results
    panels = [panel(video, results[video], truth[video], videos / f"{video}.mp4") for video in sorted(results)]
    scores = trained.scores
    if scores is None:
        raise RuntimeError("the demo's held-out videos hold no action")
    notes = [f"{len(results)} held-out videos; the detector learned from the other {config.videos - len(results)}."]
    report = out / "report.html"
    write_report(report, "untrimmed: the demo", panels, detection_tables(scores), notes)
    return Story(scores, report)


def demo_recipe(out: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The embedded recipe for the videos and features in the folder `out`."""
    places = [f"data.annotations={out / VIDEOS / ANNOTATIONS}", f"data.features={out / FEATURES}"]
    with as_file(files("untrimmed.demo") / "recipe.toml") as path:
        return read_recipe(path, [*places, *overrides])


def _counter(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=quiet)
