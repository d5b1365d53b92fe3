"""Detections as files: found in whatever a user points at, written as JSON, CSV or SRT, shown as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.formats.activitynet import read_annotations, read_detections, write_results
from untrimmed.annotations.formats.subtitles import write_srt
from untrimmed.annotations.formats.tables import write_csv
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput, read_json
from untrimmed.timeline import Timeline
from untrimmed.visualization.panels import TRUTH, Panel
from untrimmed.visualization.report import Embedding, write_report

FORMATS = (".json", ".csv", ".srt")
PLACE = "{video}"
DETECTIONS = "detections"
"""The row of a page's only detector."""
# A subtitle is read by people: a hundred faint guesses over each other would help nobody.
SUBTITLE_SCORE = 0.3


def check_output(out: Path) -> None:
    """Refuse an ending that no format has, before the work is done."""
    if out.suffix not in FORMATS:
        raise BadInput(f"{out}: its ending must be one of {', '.join(FORMATS)}")


def write_detections(out: Path, timelines: Mapping[str, Timeline], score: float | None = None) -> list[Path]:
    """Write what scores at least `score`; the files written, one, or one a video where `out` holds `{video}`."""
    if PLACE in out.name:
        several = {Path(str(out).replace(PLACE, video)): {video: timelines[video]} for video in timelines}
    else:
        several = {out: timelines}
    least = score if score is not None else SUBTITLE_SCORE if out.suffix == ".srt" else 0.0
    for file, part in several.items():
        _write(file, {video: timeline.above(least) for video, timeline in part.items()})
    return list(several)


def write_view(
    results: Path,
    out: Path,
    truth: Path | None,
    videos: Path | None,
    others: Sequence[Path] = (),
    *,
    stills: bool = True,
) -> Path:
    """The report of the videos in a results file, with a row for each of the `others` of more detectors.

    Raises BadInput where a file cannot be read, and where one results file is given twice.
    """
    several = read_rows([results, *others])
    annotated = read_annotations(truth).timelines if truth else {}
    files = {file.stem: file for file in find_videos(videos)} if videos else {}
    panels = []
    for video in sorted({video for timelines in several.values() for video in timelines}):
        # A results file that does not know the video has no row, rather than an empty one: it has missed nothing.
        rows = {name: timelines[video] for name, timelines in several.items() if video in timelines}
        first = next(iter(rows.values()))
        panels.append(replace(panel(video, first, annotated.get(video), files.get(video)), rows=rows))
        if video in annotated:
            panels[-1] = replace(panels[-1], rows={TRUTH: annotated[video], **rows})
    write_report(out, results.stem, panels, [], embedding=Embedding() if stills else Embedding(stills=0))
    return out


def read_rows(paths: Sequence[Path]) -> dict[str, Mapping[str, Timeline]]:
    """The timelines of several files, detections or annotations, by the name that each file's row has in a page."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise BadInput(f"{', '.join(map(str, paths))}: one file is there twice; give each once")
    names = [path.stem for path in paths]
    if len({*names, TRUTH}) <= len(names):
        names = [f"{path.resolve().parent.name}/{path.stem}" for path in paths]
    if len({*names, TRUTH}) <= len(names):
        names = [str(path.resolve()) for path in paths]
    if len(paths) == 1:
        names = [DETECTIONS]
    return {name: read_timelines(path) for name, path in zip(names, paths, strict=True)}


def read_timelines(path: Path) -> Mapping[str, Timeline]:
    """The timelines in a file of detections, or in one of annotations, whichever it is."""
    return (read_detections(path) if holds_detections(path) else read_annotations(path)).timelines


def holds_detections(path: Path) -> bool:
    """Whether a JSON file is one of detections rather than of annotations."""
    content = read_json(path)
    return isinstance(content, dict) and "results" in content and "annotations" not in content


def panel(video: str, detected: Timeline, annotated: Timeline | None, file: Path | None) -> Panel:
    """One video of a report: what was found, under what is there."""
    rows = {TRUTH: annotated} if annotated else {}
    duration = annotated.duration if annotated else detected.duration
    return Panel(video, duration, {**rows, DETECTIONS: detected}, file)


def _write(file: Path, timelines: Mapping[str, Timeline]) -> None:
    if file.suffix == ".json":
        write_results(file, timelines)
    elif file.suffix == ".csv":
        write_csv(file, timelines)
    elif len(timelines) == 1:
        write_srt(file, next(iter(timelines.values())))
    else:
        raise BadInput(f"{file}: a subtitle file holds one video, not {len(timelines)}; name it '{PLACE}.srt'")
