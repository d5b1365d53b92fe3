"""Whatever a user points at, as features that a detector understands: a video, a feature file, a folder of either."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.corpus import DataConfig, open_features
from untrimmed.detection.limits import describe_cuts
from untrimmed.extraction.settings import ExtractConfig, restore_config
from untrimmed.extraction.video import extract_video
from untrimmed.features.archives import part_path
from untrimmed.features.folder import MANIFEST
from untrimmed.features.listing import holds_feature_files, is_feature_file
from untrimmed.features.streams import FeatureStreams, find_stream_folders
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.io import BadInput, Progress, missing, track
from untrimmed.models.suppression import SuppressConfig
from untrimmed.timeline import Timeline, Timelines
from untrimmed.video.folders import VideoListing, list_videos
from untrimmed.video.names import NamedValues


class Videos:
    """The features of videos by name, each extracted when asked for and not before."""

    def __init__(self, listing: VideoListing, config: ExtractConfig) -> None:
        self.files, self.notes = NamedValues(listing.files), listing.notes
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
    file, stream = part_path(path)
    if "*" not in path.name and not file.exists():
        raise missing(path, "video, feature file or folder")
    if stream or holds_features(path, source.streams):
        return open_features(data, path=path)
    return Videos(list_videos(path), restore_config(source, weights))


def detect_each(
    videos: FeatureStreams | Videos, detect: Callable[[str], Timeline], config: SuppressConfig, progress: Progress | None
) -> Timelines:
    """Detect in one video after the other; the timeline of a video, not of features alone, names its file.

    One that cannot be used does not stop the others. What `detect` leaves out by the limits in `config` is noted.
    Raises BadInput where none can be used.
    """
    files, notes = (videos.files, videos.notes) if isinstance(videos, Videos) else ({}, ())
    timelines: dict[str, Timeline] = {}
    failed: dict[str, str] = {}
    for video in track(videos, "detecting", progress, len(videos)):
        try:
            timelines[video] = replace(detect(video), video=files.get(video))
        except BadInput as error:
            failed[video] = str(error)
    if failed and not timelines:
        first = next(iter(failed.values()))
        raise BadInput(first if len(failed) == 1 else f"none of {len(failed):,} videos can be used: {first}")
    return Timelines(timelines, (*notes, *describe_cuts(timelines, config)), failed)


def holds_features(path: Path, streams: Sequence[str] = ()) -> bool:
    """Whether a path is of features rather than of videos."""
    if find_stream_folders(path, streams) or "*" in path.name:
        return True
    if path.is_dir():
        return (path / MANIFEST).exists() or holds_feature_files(path)
    return is_feature_file(path, alone=True)
