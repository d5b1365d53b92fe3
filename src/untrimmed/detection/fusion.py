"""Late fusion: candidates of detectors on different features, averaged anchor by anchor before suppression."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from untrimmed.detection.calibration import ScoreMap, blend_maps
from untrimmed.detection.detector import WEIGHED, Detector
from untrimmed.detection.journal import DetectionJournal
from untrimmed.detection.sources import detect_each, open_source
from untrimmed.detection.video_scores import VideoScores
from untrimmed.features.streams import LEEWAY
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput, Progress
from untrimmed.timeline import Timeline, Timelines


@dataclass(frozen=True)
class Fusion:
    """Detectors with the same anchors, classes and windows; class scores and boxes are averaged by `weights`.

    The paper's late fusion (Li et al., Table 2) does not say how; anchor by anchor is Decouple-SSAD's (Huang et al.,
    ICMEW 2019), whose weights are 2 for flow and 1 for RGB. Empty weights are equal ones. Suppression is that of the
    first detector. Raises BadInput for detectors that cannot be fused.
    """

    detectors: tuple[Detector, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        weights = self.weights or (1.0,) * len(self.detectors)
        if len(weights) != len(self.detectors) or not sum(weights) > 0:
            raise BadInput(f"fusion weights {weights}: one above 0 was expected for each of the detectors")
        if not all(0 <= weight < math.inf for weight in weights):
            raise BadInput(f"fusion weights {weights}: they must be finite and not below 0")
        object.__setattr__(self, "weights", weights)
        for number, detector in enumerate(self.detectors[1:], 2):
            if difference := _describe_difference(self.detectors[0], detector):
                raise BadInput(
                    f"detectors 1 and {number} cannot be fused anchor by anchor: {difference}; train them with one "
                    "recipe that differs in [data] alone"
                )

    def detect_all(
        self,
        sources: Sequence[str | Path],
        *,
        weights: Sequence[Path] = (),
        video_scores: VideoScores | None = None,
        journal: DetectionJournal | None = None,
        progress: Progress | None = None,
    ) -> Timelines:
        """Find the actions of the same videos, of which every detector is given its own source.

        As `Detector.detect_all`; raises BadInput too where a source lacks a video of the first.
        """
        pairs = zip(self.detectors, map(Path, sources), strict=True)
        options = {"journal": journal, "progress": progress}
        streams = [
            open_source(path, detector.source, detector.recipe.data, weights, number=number, **options)
            for number, (detector, path) in enumerate(pairs)
        ]
        first = streams[0]
        for videos, source in zip(streams[1:], sources[1:], strict=True):
            if absent := [video for video in first if video not in videos]:
                raise BadInput(
                    f"{source}: lacks {len(absent)} of the {len(first)} videos of {sources[0]}, such as {absent[0]}; "
                    "give both detectors the same videos"
                )
        if video_scores:
            video_scores = video_scores.match(list(first), self.detectors[0].classes)

        def detect(video: str) -> Timeline:
            features, name = [videos[video] for videos in streams], f"{sources[0]}: {video}"
            return self.detect(features, name, video_scores, video)

        timelines = detect_each(streams, detect, self.detectors[0].recipe.suppress, progress, journal)
        note = self._describe_scores(video_scores is not None)
        return Timelines(timelines, (*timelines.notes, note), timelines.failed) if note else timelines

    def detect(
        self,
        features: Sequence[VideoFeatures],
        name: str = "the video",
        video_scores: VideoScores | None = None,
        video: str = "",
    ) -> Timeline:
        """Find the actions of a video, of which every detector is given the features that it understands.

        With `video_scores`, candidates are weighed by the classes of `video` before suppression.
        Raises BadInput for features of another kind, and for such as do not show the same stretch of time.
        """
        segments, scores = self.candidates(features, name)
        fused = replace(self.detectors[0], calibration=self.calibration)
        return fused.suppress(segments, scores, features[0].duration, video_scores, video)

    @cached_property
    def calibration(self) -> ScoreMap | None:
        """The mean of the detectors' own maps, by `weights`; None where one has none."""
        return blend_maps([detector.calibration for detector in self.detectors], self.weights)

    def _describe_scores(self, weighed: bool) -> str:
        """Say how scores are calibrated; empty where no detector is."""
        if not any(detector.calibration for detector in self.detectors):
            return ""
        if weighed:
            return WEIGHED
        if self.calibration is None:
            return "scores are not calibrated, because not all of the detectors are"
        return "scores are calibrated by the mean of the detectors' maps, which were fitted to each of them alone"

    def candidates(
        self, features: Sequence[VideoFeatures], name: str = "the video"
    ) -> tuple[Float[np.ndarray, "candidates 2"], Float[np.ndarray, "candidates classes"]]:
        """Average segments in seconds and scores per class, before suppression; raises as `detect` does."""
        for detector, stream in zip(self.detectors, features, strict=True):
            detector.check(stream, name)
        features = _align(features, name, sliding=self.detectors[0].recipe.windows.mode == "slide")
        candidates = [detector.candidates(stream) for detector, stream in zip(self.detectors, features, strict=True)]
        segments, scores = (np.average(arrays, 0, self.weights) for arrays in zip(*candidates, strict=True))
        return segments, scores


def _describe_difference(first: Detector, second: Detector) -> str:
    """Say why two detectors cannot be fused; empty where they can."""
    if first.classes != second.classes:
        unshared = sorted(set(first.classes) ^ set(second.classes))
        return (
            f"their classes differ in {', '.join(unshared[:5])}" if unshared else "their classes are in another order"
        )
    if first.model.length != second.model.length or first.recipe.windows != second.recipe.windows:
        return (
            f"their windows differ, {first.model.length} snippets ({first.recipe.windows.mode}) and "
            f"{second.model.length} ({second.recipe.windows.mode})"
        )
    anchors, second_anchors = _anchors(first), _anchors(second)
    if anchors is None or second_anchors is None:
        return "their model has no fixed anchors"
    if anchors.shape != second_anchors.shape or not bool((anchors.cpu() == second_anchors.cpu()).all()):
        return f"their anchors differ, {first.model.anchor_count} and {second.model.anchor_count} a window"
    return ""


def _anchors(detector: Detector) -> Tensor | None:
    return dict(detector.model.named_buffers()).get("anchors")


def _align(features: Sequence[VideoFeatures], name: str, *, sliding: bool) -> list[VideoFeatures]:
    """Cut features to one length where they share a grid. Raises BadInput where they would give other windows."""
    ends = [stream.end for stream in features]
    coarsest = max(stream.grid.step for stream in features)
    if max(ends) - min(ends) > LEEWAY * coarsest:
        sentence = " and ".join(f"{end:.1f} s" for end in ends)
        raise BadInput(f"{name}: its features end at {sentence}; give those of one video, or extract them again")
    aligned = all(stream.grid == features[0].grid for stream in features)
    if sliding and not aligned:
        steps = " and ".join(f"{stream.grid.step:g} s" for stream in features)
        raise BadInput(
            f"{name}: its snippets come every {steps}, so sliding windows differ; extract both at one rate"
        )
    shortest = min(map(len, features))
    return [stream[:shortest] for stream in features] if aligned else list(features)
