"""Shows detections as a page: videos above their timelines, one row a file."""

import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.formats.activitynet import read_activitynet, read_activitynet_results
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput, read_json
from untrimmed.timeline import Timeline
from untrimmed.visualization.panels import Panel
from untrimmed.visualization.report import Embedding, write_report
from untrimmed.visualization.timelines import GROUND_TRUTH

DETECTIONS = "detections"
"""The row of a page's only detector."""


def view(
    results: str | Path | Mapping[str, Timeline],
    out: str | Path | None = None,
    ground_truth: str | Path | None = None,
    videos: str | Path | None = None,
    others: Sequence[str | Path] = (),
    *,
    stills: bool = True,
    browser: bool = False,
) -> Path:
    """Write one HTML file that plays videos above the timelines of ground truth and of one or more detectors.

    `results` are a file of detections or annotations, or timelines by video; each of the `others` is a file with a
    row of its own. Without `out` the page is a temporary file; with `browser` it is opened. Returns the page's file.
    Raises BadInput where a file cannot be read, and where one results file is given twice.
    """
    rows, title = _rows_of(results, [Path(path) for path in others])
    annotated = read_activitynet(Path(ground_truth)).timelines if ground_truth else {}
    files = {file.stem: file for file in find_videos(Path(videos))} if videos else {}
    panels = [_panel(video, rows, annotated, files) for video in sorted(set().union(*rows.values()))]
    page = Path(out) if out else Path(tempfile.mkdtemp(prefix="untrimmed-")) / f"{title}.html"
    write_report(page, title, panels, [], embedding=Embedding() if stills else Embedding(stills=0))
    if browser:
        webbrowser.open(page.resolve().as_uri())
    return page


def _rows_of(
    results: str | Path | Mapping[str, Timeline], others: Sequence[Path]
) -> tuple[dict[str, Mapping[str, Timeline]], str]:
    """The rows of a page by name, and its title."""
    if not isinstance(results, Mapping):
        return read_rows([Path(results), *others]), Path(results).stem
    return {DETECTIONS: results, **(read_rows(others) if others else {})}, DETECTIONS


def _panel(
    video: str,
    rows: Mapping[str, Mapping[str, Timeline]],
    annotated: Mapping[str, Timeline],
    files: Mapping[str, Path],
) -> Panel:
    # A results file that does not know the video has no row, rather than an empty one: it has missed nothing.
    known_by = {name: timelines[video] for name, timelines in rows.items() if video in timelines}
    first = next(iter(known_by.values()))
    ground_truth = {GROUND_TRUTH: annotated[video]} if video in annotated else {}
    base = panel(video, first, annotated.get(video), files.get(video) or first.video)
    return replace(base, rows={**ground_truth, **known_by})


def read_rows(paths: Sequence[Path]) -> dict[str, Mapping[str, Timeline]]:
    """The timelines of several files, detections or annotations, by the name that each file's row has in a page."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise BadInput(f"{', '.join(map(str, paths))}: one file is there twice; give each once")
    names = [path.stem for path in paths]
    if len({*names, GROUND_TRUTH}) <= len(names):
        names = [f"{path.resolve().parent.name}/{path.stem}" for path in paths]
    if len({*names, GROUND_TRUTH}) <= len(names):
        names = [str(path.resolve()) for path in paths]
    if len(paths) == 1:
        names = [DETECTIONS]
    return {name: read_timelines(path) for name, path in zip(names, paths, strict=True)}


def read_timelines(path: Path) -> Mapping[str, Timeline]:
    """The timelines in a file of detections, or in one of annotations, whichever it is."""
    return (read_activitynet_results(path) if holds_detections(path) else read_activitynet(path)).timelines


def holds_detections(path: Path) -> bool:
    """Whether a JSON file is one of detections rather than of annotations."""
    content = read_json(path)
    return isinstance(content, dict) and "results" in content and "annotations" not in content


def panel(video: str, detected: Timeline, annotated: Timeline | None, file: Path | None) -> Panel:
    """One video of a report: what was found, under what is there."""
    rows = {GROUND_TRUTH: annotated} if annotated else {}
    duration = annotated.duration if annotated else detected.duration
    return Panel(video, duration, {**rows, DETECTIONS: detected}, file)
