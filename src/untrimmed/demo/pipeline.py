"""The whole demo on videos of its own: render, extract, train, detect, evaluate, show."""

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from untrimmed.demo.videos import ANNOTATIONS, DemoConfig, render_videos
from untrimmed.detection.view import DETECTIONS, build_panel
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.evaluation.tables import detection_tables
from untrimmed.extraction.videos import extract
from untrimmed.io import Progress
from untrimmed.recipe import Recipe, read_recipe
from untrimmed.training.loop import train
from untrimmed.visualization.report import write_report

VIDEOS = "videos"
FEATURES = "features"


class DemoResult(NamedTuple):
    """The scores on the held-out videos, and the report that shows them."""

    scores: DetectionScores
    report: Path


def run_demo(
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    workers: int = 2,
    config: DemoConfig = DemoConfig(),
    progress: Progress | None = None,
) -> DemoResult:
    """Run the demo in the folder `out`; a step that is done already is not done again.

    `overrides` are `section.key=value` words over the embedded recipe.
    """
    out = Path(out)
    recipe, videos = read_demo_recipe(out, overrides), out / VIDEOS
    ground_truth = render_videos(videos, config, progress)
    extracted = extract(videos, out / FEATURES, workers=workers, progress=progress)
    if extracted.failed:
        raise RuntimeError(f"the demo's own videos could not be read: {extracted.failed}")
    trained = train(recipe, out, progress=progress)
    results, scores = trained.results, trained.scores
    if scores is None:
        raise RuntimeError("the demo's held-out videos hold no action")
    panels = [
        build_panel(video, {DETECTIONS: results[video]}, ground_truth[video], videos / f"{video}.mp4")
        for video in sorted(results)
    ]
    notes = [f"{len(results)} held-out videos; the detector learned from the other {config.videos - len(results)}."]
    report = out / "report.html"
    write_report(report, "untrimmed: the demo", panels, detection_tables(scores), notes)
    return DemoResult(scores, report)


def read_demo_recipe(out: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read the embedded recipe, for the videos and features in the folder `out`."""
    paths = [f"data.annotations={out / VIDEOS / ANNOTATIONS}", f"data.features={out / FEATURES}"]
    with as_file(files("untrimmed.demo") / "recipe.toml") as path:
        return read_recipe(path, [*paths, *overrides])
