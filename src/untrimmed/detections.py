"""Detections as files: found in whatever a user points at, written as JSON, CSV or SRT, shown as a page."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.progress import track

from untrimmed.corpus import open_features
from untrimmed.detector import Detector
from untrimmed.draw.report import Panel, write_report
from untrimmed.errors import BadInput, missing
from untrimmed.extract import config_of, extract_video, find_videos
from untrimmed.feature_folder import ENDINGS, MANIFEST
from untrimmed.formats.activitynet import read_annotations, read_detections, write_results
from untrimmed.formats.subtitles import write_srt
from untrimmed.formats.tables import write_csv
from untrimmed.timeline import Timeline

FORMATS = (".json", ".csv", ".srt")
PLACE = "{video}"
# A subtitle is read by people: a hundred faint guesses over each other would help nobody.
SUBTITLE_SCORE = 0.3


def find_actions(detector: Detector, source: Path, *, quiet: bool = False) -> dict[str, Timeline]:
    """The actions in a video, a feature file, or every one of a folder of either."""
    if not source.exists():
        raise missing(source, "video, feature file or folder")
    if holds_features(source):
        features = open_features(detector.recipe.data, path=source)
        rows: Iterator[tuple[str, Timeline]] = (
            (video, detector.detect(features[video], f"{source}: {video}")) for video in features
        )
        count = len(features)
    else:
        videos, config = find_videos(source), config_of(detector.source)
        rows = ((video.stem, detector.detect(extract_video(video, config), str(video))) for video in videos)
        count = len(videos)
    return dict(track(rows, "detecting", total=count, disable=quiet))


def holds_features(source: Path) -> bool:
    """Whether a path is of features rather than of videos."""
    if source.is_dir():
        return (source / MANIFEST).exists() or any(file.name.endswith(ENDINGS) for file in source.iterdir())
    return source.name.endswith((*ENDINGS, ".npz"))


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


def write_view(results: Path, out: Path, truth: Path | None, videos: Path | None) -> Path:
    """The report of a results file, of the videos in it."""
    detected = read_detections(results).timelines
    annotated = read_annotations(truth).timelines if truth else {}
    files = {file.stem: file for file in find_videos(videos)} if videos else {}
    panels = [panel(video, detected[video], annotated.get(video), files.get(video)) for video in sorted(detected)]
    write_report(out, results.stem, panels, [])
    return out


def panel(video: str, detected: Timeline, annotated: Timeline | None, file: Path | None) -> Panel:
    """One video of a report: what was found, under what is there."""
    rows = {"truth": annotated} if annotated else {}
    duration = annotated.duration if annotated else detected.duration
    return Panel(video, duration, {**rows, "detections": detected}, file)


def _write(file: Path, timelines: Mapping[str, Timeline]) -> None:
    if file.suffix == ".json":
        write_results(file, timelines)
    elif file.suffix == ".csv":
        write_csv(file, timelines)
    elif len(timelines) == 1:
        write_srt(file, next(iter(timelines.values())))
    else:
        raise BadInput(f"{file}: a subtitle file holds one video, not {len(timelines)}; name it '{PLACE}.srt'")
