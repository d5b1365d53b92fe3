"""Whatever a user points at, as features that a detector understands: a video, a feature file, or a folder of either."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from untrimmed.annotations.corpus import open_features
from untrimmed.detection.detector import Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.detection.video_scores import VideoScores
from untrimmed.extraction.one_video import extract_video
from untrimmed.extraction.settings import ExtractConfig, config_of
from untrimmed.extraction.videos import find_videos
from untrimmed.features import archives
from untrimmed.features.files import ENDINGS
from untrimmed.features.folder import MANIFEST
from untrimmed.features.streams import FeatureStreams, stream_folders
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput, missing
from untrimmed.timeline import Timeline


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
