"""Shows detections as a page: videos above their timelines, one row a file."""

import logging
import tempfile
import webbrowser
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.label_names import describe_loose_labels, match_labels
from untrimmed.annotations.sniff import sniff_format
from untrimmed.evaluation.agreement import Sides, match_results
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.times import describe_outside, doubt_times, name_truth_unit
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline, classes_of
from untrimmed.video.folders import list_videos
from untrimmed.video.names import describe_loose_matches, match_names, match_videos
from untrimmed.visualization.kernels import KernelLayer
from untrimmed.visualization.panels import Panel
from untrimmed.visualization.report import Embedding, write_report
from untrimmed.visualization.timelines import GROUND_TRUTH

logger = logging.getLogger(__name__)

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
    unit: str | None = None,
    truth_unit: str | None = None,
    fps: float | None = None,
    find_kernels: Callable[[str], tuple[KernelLayer, ...]] | None = None,
) -> Path:
    """Write one HTML file that plays videos above the timelines of ground truth and of one or more detectors.

    `results` are a file of detections or annotations, or timelines by video; each of the `others` is a file with a
    row of its own. Without `out` the page is a temporary file; with `browser` it is opened. `unit` and `truth_unit`
    are those of the times in files of results and of ground truth, `fps` their frames a second, as `read_annotations`
    takes them. Below the timelines stand the Gaussian kernels that `find_kernels` finds of a video. Names of videos
    and labels that are spelled differently are matched, and that is logged. Returns the page's file.
    Raises BadInput where a file cannot be read, where one results file is given twice, and where results and ground
    truth have no video or no time in common.
    """
    if isinstance(results, Mapping):
        other_rows = {Path(path).stem: read_timelines(path, unit, fps, videos) for path in others}
        rows = {DETECTIONS: results, **other_rows}
        title, sources = DETECTIONS, (DETECTIONS, *others)
    else:
        sources = [Path(path) for path in (results, *others)]
        title, rows = Path(results).stem, read_rows(sources, unit, fps, videos)
    annotated = read_truth(ground_truth, truth_unit, fps, videos) if ground_truth else {}
    rows = _match_rows(rows, sources, annotated, ground_truth, units=(unit, truth_unit))
    if not any(timeline.actions for timelines in rows.values() for timeline in timelines.values()):
        logger.warning(
            "%s: no segment that can be shown, so the rows of the page are empty", ", ".join(map(str, sources))
        )
    files = _match_files(Path(videos), set().union(*rows.values())) if videos else {}
    panels = []
    for video in sorted(set().union(*rows.values())):
        # A results file that does not know the video has no row, rather than an empty one: it has missed nothing.
        with_video = {name: timelines[video] for name, timelines in rows.items() if video in timelines}
        panel = build_panel(video, with_video, annotated.get(video), files.get(video))
        panels.append(replace(panel, kernels=find_kernels(video)) if find_kernels else panel)
    page = Path(out) if out else Path(tempfile.mkdtemp(prefix="untrimmed-")) / f"{title}.html"
    write_report(page, title, panels, [], embedding=Embedding() if stills else Embedding(stills=0))
    if browser:
        webbrowser.open(page.resolve().as_uri())
    return page


def read_rows(
    paths: Sequence[Path], unit: str | None = None, fps: float | None = None, videos: str | Path | None = None
) -> dict[str, Mapping[str, Timeline]]:
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
    return {name: read_timelines(path, unit, fps, videos) for name, path in zip(names, paths, strict=True)}


def read_timelines(
    path: str | Path, unit: str | None = None, fps: float | None = None, videos: str | Path | None = None
) -> Mapping[str, Timeline]:
    """Read the timelines in a file of detections or of annotations, in any format; what was guessed is logged.

    `unit` is that of times which the file leaves open, `fps` frames a second. The folder of `videos` has the lengths
    that the file does not state.
    """
    folder = videos if videos and Path(videos).is_dir() else None
    annotations = read_annotations(path, fps=fps, unit=unit, durations=folder)
    for note in annotations.notes:
        sentence = note.replace("(durations=..., --durations)", "(videos=..., --videos)")
        logger.info("%s", sentence if str(path) in sentence else f"{path}: {sentence}")
    if rows := annotations.dropped:
        count = "1 segment" if len(rows) == 1 else f"{len(rows):,} segments"
        logger.warning("%s: %s cannot be shown, the first: %s", path, count, rows[0])
    return annotations.timelines


def read_truth(
    path: str | Path, unit: str | None = None, fps: float | None = None, videos: str | Path | None = None
) -> Mapping[str, Timeline]:
    """Read the timelines of a ground truth; a sentence of refusal names its own option for the unit."""
    try:
        return read_timelines(path, unit, fps, videos)
    except BadInput as error:
        raise BadInput(name_truth_unit(str(error))) from None


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


def _match_rows(
    rows: Mapping[str, Mapping[str, Timeline]],
    sources: Sequence[object],
    annotated: Mapping[str, Timeline],
    truth: object,
    *,
    units: Collection[str | None],
) -> dict[str, Mapping[str, Timeline]]:
    """Give all rows the names of videos and labels of the ground truth, or else of the first row."""
    ground_truth, reference = from_timelines(annotated), annotated or next(iter(rows.values()))
    matched = {}
    for (name, timelines), source in zip(rows.items(), sources, strict=True):
        if annotated:
            sides, results = Sides(truth, source), from_timelines(timelines)
            results = match_results(ground_truth, results, sides, labelled=False).results
            if "s" not in units:
                doubt_times(ground_truth, results, sides, units_said=any(units))
            for sentence in describe_outside(ground_truth, results, sides):
                logger.warning("%s", sentence)
        matched[name] = _rename(timelines, reference, source)
    return matched


def _rename(
    timelines: Mapping[str, Timeline], reference: Mapping[str, Timeline], source: object
) -> dict[str, Timeline]:
    """Rename videos and labels as those of the reference that they are spelled like, and log it."""
    videos = match_videos(timelines, reference)
    labels = match_labels(classes_of(timelines.values()), classes_of(reference.values()))
    for sentence in filter(None, (describe_loose_matches(videos), describe_loose_labels(labels))):
        logger.info("%s: %s", source, sentence)
    return {videos.get(video, video): rename_labels(timeline, labels) for video, timeline in timelines.items()}


def rename_labels(timeline: Timeline, labels: Mapping[str, str]) -> Timeline:
    """Rename the labels of a timeline; those that are not in `labels` stay."""
    if all(labels.get(action.label, action.label) == action.label for action in timeline.actions):
        return timeline
    return replace(timeline, actions=tuple(replace(a, label=labels.get(a.label, a.label)) for a in timeline.actions))


def _match_files(folder: Path, videos: Collection[str]) -> dict[str, Path]:
    """Find the files of videos in a folder; those that are not there are logged."""
    listing = list_videos(folder)
    matches = match_names(videos, listing.files)
    for sentence in filter(None, (describe_loose_matches(matches), *listing.notes)):
        logger.info("%s: %s", folder, sentence)
    if absent := sorted(set(videos) - matches.keys()):
        logger.warning("%s: has no file of %s of %s videos, such as %r", folder, len(absent), len(videos), absent[0])
    return {video: listing.files[name] for video, name in matches.items()}
