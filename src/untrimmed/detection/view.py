"""Shows detections as a page: videos above their timelines, one row a file."""

import tempfile
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline
from untrimmed.visualization.kernels import KernelLayer
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
    find_kernels: Callable[[str], tuple[KernelLayer, ...]] | None = None,
) -> Path:
    """Write one HTML file that plays videos above the timelines of ground truth and of one or more detectors.

    `results` are a file of detections or annotations, or timelines by video; each of the `others` is a file with a
    row of its own. Without `out` the page is a temporary file; with `browser` it is opened. Below the timelines stand
    the Gaussian kernels that `find_kernels` finds of a video. Returns the page's file.
    Raises BadInput where a file cannot be read, and where one results file is given twice.
    """
    if isinstance(results, Mapping):
        title, rows = DETECTIONS, {DETECTIONS: results, **{Path(path).stem: read_timelines(path) for path in others}}
    else:
        title, rows = Path(results).stem, read_rows([Path(path) for path in (results, *others)])
    annotated = read_timelines(ground_truth) if ground_truth else {}
    files = {file.stem: file for file in find_videos(Path(videos))} if videos else {}
    panels = []
    for video in sorted(set().union(*rows.values())):
        # A results file that does not know the video has no row, rather than an empty one: it has missed nothing.
        known = {name: timelines[video] for name, timelines in rows.items() if video in timelines}
        panel = build_panel(video, known, annotated.get(video), files.get(video))
        panels.append(replace(panel, kernels=find_kernels(video)) if find_kernels else panel)
    page = Path(out) if out else Path(tempfile.mkdtemp(prefix="untrimmed-")) / f"{title}.html"
    write_report(page, title, panels, [], embedding=Embedding() if stills else Embedding(stills=0))
    if browser:
        webbrowser.open(page.resolve().as_uri())
    return page


def read_rows(paths: Sequence[Path]) -> dict[str, Mapping[str, Timeline]]:
    """Read the timelines of several files, detections or annotations, by the name of each file's row in a page."""
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


def read_timelines(path: str | Path) -> Mapping[str, Timeline]:
    """Read the timelines in a file of detections or of annotations, in any format."""
    return read_annotations(path).timelines


def holds_detections(path: Path) -> bool:
    """Whether a file is one of detections rather than of annotations."""
    return sniff_format(path) == "activitynet-results"


def build_panel(
    video: str, rows: Mapping[str, Timeline], ground_truth: Timeline | None = None, file: Path | None = None
) -> Panel:
    """Build the panel of one video of a report: the ground truth, if there is one, above the detectors' rows."""
    rows = {**({GROUND_TRUTH: ground_truth} if ground_truth else {}), **rows}
    first = next(iter(rows.values()))
    return Panel(video, first.duration, rows, file or next(iter(reversed(rows.values()))).video)
