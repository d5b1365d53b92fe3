"""Judges a detector: what it finds in the annotated videos is judged as a file of results is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Spans, format_count
from untrimmed.annotations.corpus import cut_recordings
from untrimmed.detection.detector import Detector
from untrimmed.detection.limits import describe_cuts
from untrimmed.detection.loading import load, override_suppression
from untrimmed.detection.recordings import detect_recordings
from untrimmed.detection.results import write_detections
from untrimmed.detection.sources import Videos, open_source
from untrimmed.evaluation.files import Evaluation, Source, evaluate, read_truth_part
from untrimmed.features.streams import FeatureStreams
from untrimmed.io import BadInput, Progress, track
from untrimmed.timeline import Timeline, Timelines
from untrimmed.video.names import match_videos


def evaluate_detector(
    ground_truth: Source,
    detector: Detector | str | Path,
    features: str | Path,
    protocol: str = "activitynet",
    *,
    overrides: Sequence[str] = (),
    weights: Sequence[Path] = (),
    detections: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Judge what a detector finds in the videos of a ground truth, as `evaluate` judges results; the same `options`.

    `features` are what the detector looks at: a video, a feature file, or a folder of either; `weights` are the files
    of a published backbone. `overrides` are settings of suppression over the detector's own, such as
    `suppress.keep=500`. Of a video that is judged in part, each stretch is looked at as in training. The detections
    are written to `detections` where it is given; only then can `compare` find them again. What the limits left out,
    and videos that cannot be used, is noted. Raises BadInput where no annotated video is there or none can be used,
    and as `evaluate` does.
    """
    opened = load(detector) if isinstance(detector, str | Path) else detector
    opened = override_suppression(opened, overrides)
    truth = read_truth_part(ground_truth, **options)
    judged = truth.videos
    videos = open_source(Path(features), opened.source, opened.recipe.data, weights)
    if not (matches := match_videos(videos, judged)):
        present = min(videos, default="none")
        raise BadInput(
            f"{features}: has none of the annotated videos, such as {judged[0]!r}, but {present!r}; give the videos "
            "or features that the annotations are of"
        )
    spans = {video: truth.annotated.get(name) for video, name in sorted(matches.items())}
    timelines = _detect_in(opened, videos, spans, features, progress)
    results = timelines if detections is None else write_detections(timelines, detections)[0]
    evaluation = evaluate(ground_truth, results, protocol, **options)
    notes = [*timelines.notes, *evaluation.notes]
    if timelines.failed:
        count = format_count(len(timelines.failed), "video was", "videos were")
        notes.insert(0, f"{count} not looked at, the first: {next(iter(timelines.failed.values()))}")
    return replace(evaluation, scores=replace(evaluation.scores, notes=notes))


def _detect_in(
    detector: Detector,
    videos: FeatureStreams | Videos,
    spans: Mapping[str, Spans | None],
    source: str | Path,
    progress: Progress | None,
) -> Timelines:
    """Detect in some videos of a source, or in spans of them; one that cannot be used does not stop the others."""
    timelines: dict[str, Timeline] = {}
    failed: dict[str, str] = {}
    for video in track(spans, "detecting", progress, len(spans)):
        try:
            features = videos[video]
            recordings = cut_recordings(features, spans[video])
            timelines[video] = detect_recordings(detector, features, recordings, f"{source}: {video}")
        except BadInput as error:
            failed[video] = str(error)
    if not timelines:
        raise BadInput(f"none of {format_count(len(failed), 'video')} can be used: {next(iter(failed.values()))}")
    return Timelines(timelines, describe_cuts(timelines, detector.recipe.suppress), failed)
