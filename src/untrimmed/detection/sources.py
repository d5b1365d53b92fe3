"""Whatever a user points at, as features that a detector understands: a video, a feature file, a folder of either."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.corpus import DataConfig, open_features
from untrimmed.extraction.settings import ExtractConfig, restore_config
from untrimmed.extraction.video import extract_video
from untrimmed.extraction.videos import find_videos
from untrimmed.features import archives
from untrimmed.features.files import FEATURE_ENDINGS
from untrimmed.features.folder import MANIFEST
from untrimmed.features.streams import FeatureStreams, find_stream_folders
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import Progress, missing, track
from untrimmed.timeline import Timeline, Timelines


class Videos:
    """The features of videos by name, each extracted when asked for and not before."""

    def __init__(self, files: Sequence[Path], config: ExtractConfig) -> None:
        self.files = {file.stem: file for file in files}
        self.config = config

    def __getitem__(self, video: str) -> VideoFeatures:
        return extract_video(self.files[video], self.config)

    def __contains__(self, video: object) -> bool:
        return video in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def open_source(
    path: Path, source: FeatureSource, data: DataConfig, weights: Sequence[Path] = ()
) -> FeatureStreams | Videos:
    """Open the features, by video, that a detector of a `source` is to be given of what lies at a path.

    Feature files are read as `data` says; videos are extracted, with the `weights` of a published backbone's files.
    """
    if "*" not in path.name and not path.exists():
        raise missing(path, "video, feature file or folder")
    if holds_features(path, source.streams):
        return open_features(data, path=path)
    return Videos(find_videos(path), restore_config(source, weights))


def detect_each(
    videos: FeatureStreams | Videos, detect: Callable[[str], Timeline], progress: Progress | None
) -> Timelines:
    """Detect in one video after the other; the timeline of a video, not of features alone, names its file."""
    files = videos.files if isinstance(videos, Videos) else {}
    names = track(videos, "detecting", progress, len(videos))
    return Timelines({video: replace(detect(video), video=files.get(video)) for video in names})


def holds_features(path: Path, streams: Sequence[str] = ()) -> bool:
    """Whether a path is of features rather than of videos."""
    if find_stream_folders(path, streams) or "*" in path.name:
        return True
    if path.is_dir():
        return (path / MANIFEST).exists() or any(file.name.endswith(FEATURE_ENDINGS) for file in path.iterdir())
    return path.name.endswith((*FEATURE_ENDINGS, *archives.ARCHIVE_ENDINGS))
