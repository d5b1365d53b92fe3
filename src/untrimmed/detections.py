"""Detections as files: found in whatever a user points at, written as JSON, CSV or SRT, shown as a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from untrimmed import archives
from untrimmed.corpus import open_features
from untrimmed.detector import Detector
from untrimmed.draw.panels import TRUTH, Panel
from untrimmed.draw.report import Embedding, write_report
from untrimmed.errors import BadInput, missing
from untrimmed.extraction.one_video import extract_video
from untrimmed.extraction.settings import ExtractConfig, config_of
from untrimmed.extraction.videos import find_videos
from untrimmed.feature_files import ENDINGS
from untrimmed.feature_folder import MANIFEST
from untrimmed.feature_streams import FeatureStreams, stream_folders
from untrimmed.features import VideoFeatures
from untrimmed.files import read_json
from untrimmed.formats.activitynet import read_annotations, read_detections, write_results
from untrimmed.formats.subtitles import write_srt
from untrimmed.formats.tables import write_csv
from untrimmed.fusion import Fusion
from untrimmed.timeline import Timeline
from untrimmed.video_scores import VideoScores

FORMATS = (".json", ".csv", ".srt")
PLACE = "{video}"
DETECTIONS = "detections"
"""The row of a page's only detector."""
# A subtitle is read by people: a hundred faint guesses over each other would help nobody.
SUBTITLE_SCORE = 0.3


def find_actions(
    detector: Detector,
    source: Path,
    scores: VideoScores | None = None,
    weights: Sequence[Path] = (),
    *,
    quiet: bool = False,
) -> dict[str, Timeline]:
    """The actions in a video, a feature file, or every one of a folder of either; weighed where scores are given.

    `weights` are the files of a published backbone's, by whose features a detector knows videos.
    """
    return find_fused_actions(Fusion((detector,)), [source], scores, weights, quiet=quiet)


def find_fused_actions(
    fusion: Fusion,
    sources: Sequence[Path],
    scores: VideoScores | None = None,
    weights: Sequence[Path] = (),
    *,
    quiet: bool = False,
) -> dict[str, Timeline]:
    """The same of several detectors, each with its own source of the same videos."""
    pairs = zip(fusion.detectors, sources, strict=True)
    several = [open_source(detector, source, weights) for detector, source in pairs]
    first = several[0]
    for other, source in zip(several[1:], sources[1:], strict=True):
        if lost := [video for video in first if video not in other]:
            raise BadInput(
                f"{source}: lacks {len(lost)} of the {len(first)} videos of {sources[0]}, such as {lost[0]}; "
                "give both detectors the same videos"
            )
    if scores:
        scores.check(list(first), fusion.detectors[0].classes)
    rows = ((video, _find(fusion, several, video, f"{sources[0]}: {video}", scores)) for video in first)
    return dict(track(rows, "detecting", total=len(first), disable=quiet))


def _find(
    fusion: Fusion, several: Sequence["FeatureStreams | Videos"], video: str, name: str, scores: VideoScores | None
) -> Timeline:
    """The actions of one video, whose candidates are weighed by the video's own scores before suppression."""
    features = [seen[video] for seen in several]
    if scores is None:
        return fusion.detect(features, name)
    segments, found = fusion.candidates(features, name)
    weighed = scores.weigh(video, fusion.detectors[0].classes, found)
    return replace(fusion.detectors[0], classes=weighed.classes).timeline(
        segments, weighed.scores, features[0].duration
    )


def open_source(detector: Detector, source: Path, weights: Sequence[Path] = ()) -> "FeatureStreams | Videos":
    """The features that a detector is to be given of a video, a feature file, or a folder of either."""
    if "*" not in source.name and not source.exists():
        raise missing(source, "video, feature file or folder")
    if holds_features(source, detector.source.streams):
        return open_features(detector.recipe.data, path=source)
    return Videos(find_videos(source), config_of(detector.source, weights))


class Videos:
    """The features of videos by name, each made when asked for and not before."""

    def __init__(self, videos: Sequence[Path], config: ExtractConfig) -> None:
        self._videos = {video.stem: video for video in videos}
        self._config = config

    def __getitem__(self, video: str) -> VideoFeatures:
        return extract_video(self._videos[video], self._config)

    def __contains__(self, video: object) -> bool:
        return video in self._videos

    def __iter__(self) -> Iterator[str]:
        return iter(self._videos)

    def __len__(self) -> int:
        return len(self._videos)


def holds_features(source: Path, streams: Sequence[str] = ()) -> bool:
    """Whether a path is of features rather than of videos."""
    if stream_folders(source, streams) or "*" in source.name:
        return True
    if source.is_dir():
        return (source / MANIFEST).exists() or any(file.name.endswith(ENDINGS) for file in source.iterdir())
    return source.name.endswith((*ENDINGS, *archives.ENDINGS))


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
