"""Scores of a classifier of whole videos, by which candidates are weighed."""

import logging
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.evaluation.reading import read_tags
from untrimmed.io import BadInput, read_json
from untrimmed.video.names import describe_loose_matches, match_names, suggest_name

EXAMPLES = 3


logger = logging.getLogger(__name__)


class Weighed(NamedTuple):
    """Scores of candidates after weighing, and the classes that they are of."""

    classes: tuple[str, ...]
    scores: Float[np.ndarray, "candidates classes"]


@dataclass(frozen=True)
class VideoScores:
    """Scores of labels by video, finite and not below 0, by which the scores of candidates are multiplied.

    A label that a video is not given scores 0 there, since classifiers' files list only a video's best. Labels that
    a detector does not know are ignored. A detector of one class that no video is given finds segments without
    saying what they are: each stands for its video's `top` best labels, its score times theirs, as is usual on
    ActivityNet for proposals. `name` says in errors where the scores come from. Raises BadInput for a score out of
    bounds.
    """

    name: str
    scores: Mapping[str, Mapping[str, float]]
    top: int = 2

    def __post_init__(self) -> None:
        if self.top < 1:
            raise BadInput(f"{self.top} labels a video: give at least 1")
        for video, labels in self.scores.items():
            for label, score in labels.items():
                if not 0 <= score <= sys.float_info.max:
                    raise BadInput(
                        f"{self.name}: video {video!r} has the score {score} for {label!r}; "
                        "a finite number from 0 up was expected"
                    )

    def match(self, videos: Collection[str], classes: Sequence[str]) -> "VideoScores":
        """Return the scores of these videos by their names, see `match_names`; what is not exact is logged.

        Raises BadInput for videos without scores, and for classes of which no video has a score.
        """
        names = match_names(videos, self.scores)
        if lost := [video for video in videos if video not in names]:
            near = suggest_name(lost[0], self.scores)
            hint = f" (is it {near!r} there?)" if near else ""
            raise BadInput(
                f"{self.name}: has no scores for {len(lost)} of the {len(videos)} videos, such as {lost[0]!r}{hint}; "
                "add them, an empty object for a video of no class"
            )
        if loose := describe_loose_matches(names):
            logger.info("%s: %s", self.name, loose)
        if len(classes) > 1 and self._labels and self._labels.isdisjoint(classes):
            raise BadInput(
                f"{self.name}: has labels such as {_list_examples(self._labels)}, but none of the detector's "
                f"classes, such as {_list_examples(classes)}; spell them alike"
            )
        return replace(self, scores={**self.scores, **{video: self.scores[name] for video, name in names.items()}})

    def weigh(self, video: str, classes: tuple[str, ...], scores: Float[np.ndarray, "candidates classes"]) -> Weighed:
        """Multiply the scores of a video's candidates by the video's own. Raises KeyError for one without scores."""
        label_scores = self.scores[video]
        if len(classes) == 1 and classes[0] not in self._labels:
            # Stable, so that of equal labels the file's first is taken.
            classes = tuple(sorted(label_scores, key=lambda label: -label_scores[label])[: self.top])
        return Weighed(classes, scores * np.array([label_scores.get(label, 0) for label in classes], np.float64))

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(label for labels in self.scores.values() for label in labels)


def read_video_scores(path: Path, top: int = 2) -> VideoScores:
    """Read scores from JSON, `.gz` too: `{video: {label: score}}`, or results of ActivityNet's classification.

    The latter are `{"results": {video: [{"label", "score"}]}}`; a label that is listed twice has its better score.
    Raises BadInput for another form and for scores out of bounds.
    """
    content = read_json(path)
    if _is_results(content):
        return VideoScores(str(path), _read_results(path), top)
    if not isinstance(content, dict):
        raise BadInput(f"{path}: is {short(content)}; {{video: {{label: score}}}} was expected")
    return VideoScores(
        str(path), {video: _check_scores(path, video, labels) for video, labels in content.items()}, top
    )


def _is_results(content: Any) -> bool:
    """Whether a file is of ActivityNet's results; a video may be called `results` too."""
    results = content.get("results") if isinstance(content, dict) else None
    return isinstance(results, dict) and not any(isinstance(value, int | float) for value in results.values())


def _read_results(path: Path) -> dict[str, dict[str, float]]:
    tags = read_tags(path)
    scores: dict[str, dict[str, float]] = {video: {} for video in tags.videos}
    for video, label, score in zip(tags.video, tags.label, tags.score.tolist(), strict=True):
        label_scores, name = scores[tags.videos[video]], tags.labels[label]
        label_scores[name] = max(score, label_scores.get(name, score))
    return scores


def _check_scores(path: Path, video: str, labels: Any) -> dict[str, float]:
    if not isinstance(labels, dict):
        raise BadInput(f"{path}: video {video!r} has {short(labels)}; {{label: score}} was expected")
    for label, score in labels.items():
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise BadInput(
                f"{path}: video {video!r} has the score {short(score)} for {label!r}; "
                "a finite number from 0 up was expected"
            )
    return labels


def _list_examples(labels: Collection[str]) -> str:
    return ", ".join(map(repr, sorted(labels)[:EXAMPLES]))
