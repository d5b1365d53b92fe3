"""Whatever a user points at, as features that a detector understands: a video, a feature file, a folder of either."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from untrimmed.annotations.corpus import DataConfig, open_features
from untrimmed.detection.journal import DetectionJournal
from untrimmed.detection.limits import describe_cuts
from untrimmed.extraction.settings import ExtractConfig, restore_config
from untrimmed.extraction.video import extract_video
from untrimmed.extraction.videos import log_starts
from untrimmed.features.archives import part_path
from untrimmed.features.folder import MANIFEST
from untrimmed.features.listing import holds_feature_files, is_feature_file
from untrimmed.features.streams import FeatureStreams, find_stream_folders
from untrimmed.features.video_features import FeatureSource, VideoFeatures, digest_features
from untrimmed.io import BadInput, DiskFault, Progress, missing, track
from untrimmed.models.suppression import SuppressConfig
from untrimmed.timeline import Timeline, Timelines
from untrimmed.video.folders import VideoListing, list_videos
from untrimmed.video.names import NamedValues
from untrimmed.video.probe import probe_video


class Videos:
    """The features of videos by name, each extracted when asked for and not before.

    With a `journal`, an extraction that was interrupted goes on; `progress` is told the seconds that are done.
    """

    def __init__(
        self,
        listing: VideoListing,
        config: ExtractConfig,
        journal: DetectionJournal | None = None,
        number: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.files, self.notes = NamedValues(listing.files), listing.notes
        self.config, self._journal, self._number, self._progress = config, journal, number, progress

    def __getitem__(self, video: str) -> VideoFeatures:
        file = self.files[video]
        part = self._journal.place_features(video, self._number) if self._journal else None
        if part:
            log_starts({file: part}, self.config)
        return extract_video(file, self.config, self._build_report(video), part)

    def describe_state(self, video: str) -> str:
        """Describe the file of a video, so that another one in its place is noticed."""
        file = self.files[video]
        return f"{file.stat().st_size} {file.stat().st_mtime_ns}" if file.exists() else ""

    def _build_report(self, video: str) -> Callable[[float], object] | None:
        if self._progress is None:
            return None
        duration = probe_video(self.files[video]).duration
        return lambda seconds: self._progress and self._progress("extracting", seconds, duration, video)

    def __contains__(self, video: object) -> bool:
        return video in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def open_source(
    path: Path,
    source: FeatureSource,
    data: DataConfig,
    weights: Sequence[Path] = (),
    *,
    journal: DetectionJournal | None = None,
    number: int = 0,
    progress: Progress | None = None,
) -> FeatureStreams | Videos:
    """Open the features, by video, that a detector of a `source` is to be given of what lies at a path.

    Feature files are read as `data` says; videos are extracted, with the `weights` of a published backbone's files.
    What is extracted is kept in a `journal`, apart for each `number` where several detectors see the videos.
    """
    file, stream = part_path(path)
    if "*" not in path.name and not file.exists():
        raise missing(path, "video, feature file or folder")
    if stream or holds_features(path, source.streams):
        return open_features(data, path=path)
    return Videos(list_videos(path), restore_config(source, weights), journal, number, progress)


def detect_each(
    streams: Sequence[FeatureStreams | Videos],
    detect: Callable[[str], Timeline],
    config: SuppressConfig,
    progress: Progress | None,
    journal: DetectionJournal | None = None,
) -> Timelines:
    """Detect in one video after the other; the timeline of a video, not of features alone, names its file.

    Videos that are done in a `journal` are not looked at again; the others come into it. One that cannot be used does
    not stop the others. What the limits in `config` leave out is noted. Raises BadInput where none can be used.
    """
    videos = streams[0]
    files, notes = (videos.files, videos.notes) if isinstance(videos, Videos) else ({}, ())
    timelines: dict[str, Timeline] = {}
    failed: dict[str, str] = {}
    for video in track(videos, "detecting", progress, len(videos)):
        try:
            timelines[video] = replace(_recall(journal, video, streams, detect), video=files.get(video))
        except DiskFault:
            raise  # the journal cannot be written: the fault of no video
        except BadInput as error:
            failed[video] = str(error)
        except KeyboardInterrupt:
            if journal is None:
                raise
            raise KeyboardInterrupt(
                f"stopped with {len(timelines)} of {len(videos)} videos done, which {journal.folder} holds, and what "
                "was done of the next"
            ) from None
    if failed and not timelines:
        first = next(iter(failed.values()))
        raise BadInput(first if len(failed) == 1 else f"none of {len(failed):,} videos can be used: {first}")
    return Timelines(timelines, (*notes, *describe_cuts(timelines, config)), failed)


def _recall(
    journal: DetectionJournal | None,
    video: str,
    streams: Sequence[FeatureStreams | Videos],
    detect: Callable[[str], Timeline],
) -> Timeline:
    if journal is None:
        return detect(video)
    states = (
        videos.describe_state(video) if isinstance(videos, Videos) else digest_features(videos[video])
        for videos in streams
    )
    return journal.recall(video, " ".join(states), partial(detect, video))


def holds_features(path: Path, streams: Sequence[str] = ()) -> bool:
    """Whether a path is of features rather than of videos."""
    if find_stream_folders(path, streams) or "*" in path.name:
        return True
    if path.is_dir():
        return (path / MANIFEST).exists() or holds_feature_files(path)
    return is_feature_file(path, alone=True)
