"""Detects in stretches of a video, each looked at as if it were a recording of its own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from untrimmed.annotations.corpus import Corpus, Recording
from untrimmed.annotations.spans import cut_timeline
from untrimmed.detection.detector import Detector
from untrimmed.features.video_features import VideoFeatures
from untrimmed.timeline import Timeline


def detect_recordings(
    detector: Detector, features: VideoFeatures, recordings: Sequence[Recording], name: str
) -> Timeline:
    """Find the actions in some recordings cut from a video; their times are those of the whole video.

    No window reaches beyond its recording, so nothing is seen that does not belong to it. Raises BadInput for
    features of another kind.
    """
    timelines = [detector.detect(recording.cut(features), name) for recording in recordings]
    actions = (
        action
        for recording, timeline in zip(recordings, timelines, strict=True)
        for action in recording.restore(timeline, features.duration)
    )
    return Timeline(
        features.duration, tuple(actions), cut=sum((Counter(timeline.cut) for timeline in timelines), Counter())
    )


class VideoPart(NamedTuple):
    """A recording and the video that it is cut from."""

    video: str
    recording: Recording


def list_recordings(corpus: Corpus) -> dict[str, VideoPart]:
    """List what is used of the training videos by name: a video's own, or that of each of its stretches."""
    parts: dict[str, VideoPart] = {}
    for video in corpus.train:
        for recording in corpus.list_train_recordings(video):
            stretch = f" [{recording.start:g}, {recording.end:g}] s" if video in corpus.train_spans else ""
            parts[f"{video}{stretch}"] = VideoPart(video, recording)
    return parts


def cut_ground_truth(corpus: Corpus, parts: Mapping[str, VideoPart]) -> dict[str, Timeline]:
    """Cut the ground truth to recordings: the actions whose middle lies in each, with times from its start."""
    timelines = {}
    for name, (video, recording) in parts.items():
        timeline = corpus.dataset.ground_truth[video]
        if video in corpus.train_spans:
            timeline = cut_timeline(timeline, (recording.start, recording.end))
        timelines[name] = timeline
    return timelines
