"""Ground truth and results, in files or in memory, judged by any protocol; two such results compared."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.formats.thumos import read_rates
from untrimmed.evaluation.bootstrap import Comparison, compare_matches, estimate_confidence, find_tie_range
from untrimmed.evaluation.classification import (
    CLASSIFICATION_PROTOCOLS,
    ClassificationProtocol,
    ClassificationScores,
    compute_classification_scores,
)
from untrimmed.evaluation.detection import DetectionScores, summarize_matches
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.proposals import (
    PROPOSAL_PROTOCOLS,
    FrameRates,
    ProposalProtocol,
    ProposalScores,
    compute_proposal_scores,
)
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS, DetectionProtocol
from untrimmed.evaluation.reading import from_annotations, read_ground_truth, read_proposals, read_results, read_tags
from untrimmed.evaluation.segmental import SEGMENTAL, SegmentalProtocol, SegmentalScores, compute_segmental_scores
from untrimmed.io import BadInput, read_json, read_text
from untrimmed.timeline import Timeline

Protocol = DetectionProtocol | ProposalProtocol | ClassificationProtocol | SegmentalProtocol
Scores = DetectionScores | ProposalScores | ClassificationScores | SegmentalScores
Source = str | Path | Annotations | Mapping[str, Timeline]
"""Annotated or detected actions: a file or folder, or what was read already."""

PROTOCOLS: Mapping[str, Protocol] = {
    **DETECTION_PROTOCOLS,
    **PROPOSAL_PROTOCOLS,
    **CLASSIFICATION_PROTOCOLS,
    SEGMENTAL.name: SEGMENTAL,
}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is judged, and by which protocol."""

    ground_truth: Source
    results: Source
    protocol: Protocol
    subset: str | None = None
    """Judge only the videos of this part, as the ground truth calls it."""
    videos: str | Path | None = None
    """Judge only the videos in this file, one a line."""

    def describe(self) -> dict[str, Any]:
        """Describe the files and their content, so that a comparison finds them as they were; empty in memory."""
        files = {"truth": self.ground_truth, "results": self.results, "videos": self.videos}
        paths = {name: Path(file) for name, file in files.items() if isinstance(file, str | Path)}
        if not {"truth", "results"} <= paths.keys():
            return {}
        described = {name: {"path": str(path), "sha256": _hash(path)} for name, path in paths.items()}
        return {"question": {**described, "subset": self.subset}}

    def read(self) -> tuple[Instances, Instances]:
        """Read ground truth and results of the selected videos."""
        ground_truth = _read_ground_truth(self.ground_truth, self.subset)
        results = _read_results(self.results, self.protocol)
        if self.videos is None:
            return ground_truth, results
        videos = {line.strip() for line in read_text(Path(self.videos)).splitlines() if line.strip()}
        if not videos & set(ground_truth.videos):
            name = self.ground_truth if isinstance(self.ground_truth, str | Path) else "the ground truth"
            raise BadInput(f"{self.videos}: names no video of {name}; one a line was expected")
        return ground_truth.select_videos(videos), results.select_videos(videos)

    def match(self) -> Matches:
        """Read detections and match them to the ground truth. Raises BadInput by other protocols."""
        if not isinstance(self.protocol, DetectionProtocol):
            raise BadInput(f"protocol {self.protocol.name!r} does not judge detections, and only those are compared")
        return match_detections(*self.read(), self.protocol)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures, and what they were made of."""

    scores: Scores
    inputs: Inputs
    ground_truth: Instances
    results: Instances
    matches: Matches | None = None
    """Of detections; None by the other protocols."""
    frame_rates: FrameRates | None = None
    """Frames a second, where they were given."""

    @property
    def detection_scores(self) -> DetectionScores:
        """The scores of a detection protocol. Raises BadInput for those of another."""
        if not isinstance(self.scores, DetectionScores):
            raise BadInput(f"protocol {self.inputs.protocol.name!r} has no detection scores; see `scores`")
        return self.scores

    @property
    def notes(self) -> list[str]:
        """Sentences on whatever in the files bears on the figures."""
        return self.scores.notes

    def to_json(self) -> dict[str, Any]:
        """Return the figures, for `write_json`; `question` names the files that were judged, for `compare`."""
        return {**self.scores.to_json(), **self.inputs.describe()}


def evaluate(
    ground_truth: Source,
    results: Source,
    protocol: str | Protocol = "activitynet",
    *,
    subset: str | None = None,
    tious: float | Sequence[float] | None = None,
    videos: str | Path | None = None,
    fps: float | str | Path | None = None,
    bootstrap: int = 0,
    ties: bool = False,
) -> Evaluation:
    """Judge detections, proposals, labels of videos or dense labels.

    `ground_truth` and `results` are files (or THUMOS'14's folder of annotations), annotations, or timelines by video;
    `protocol` is one of PROTOCOLS or a value of its own, at the thresholds `tious` in place of its own. `subset`
    selects a part of the ground truth, `videos` the videos in a file, one a line. `fps` serves protocols in frames: a
    number, or a table of videos. With `bootstrap`, detections get intervals over so many resamples of the videos;
    with `ties`, the range over orders among equal scores. Raises BadInput where a file cannot be used, and where the
    protocol has no thresholds, intervals or ties.
    """
    protocol = find_protocol(protocol, tious)
    frame_rates = _parse_rate(fps)
    inputs = Inputs(ground_truth=ground_truth, results=results, protocol=protocol, subset=subset, videos=videos)
    if isinstance(protocol, DetectionProtocol):
        matches = inputs.match()
        scores = summarize_matches(matches)
        if bootstrap:
            scores = replace(scores, confidence=estimate_confidence(matches, bootstrap))
        if ties:
            scores = replace(scores, ties=find_tie_range(matches))
        return Evaluation(scores, inputs, matches.ground_truth, matches.results, matches)
    if bootstrap or ties:
        raise BadInput(f"protocol {protocol.name!r} has neither intervals nor ties; they are of detection protocols")
    annotated, predicted = inputs.read()
    if isinstance(frame_rates, Path):
        frame_rates = read_rates(frame_rates)
    if isinstance(protocol, ProposalProtocol):
        scores = compute_proposal_scores(annotated, predicted, protocol, frame_rates)
    elif isinstance(protocol, ClassificationProtocol):
        scores = compute_classification_scores(annotated, predicted, protocol)
    else:
        scores = compute_segmental_scores(annotated, predicted, protocol)
    return Evaluation(scores, inputs, annotated, predicted, frame_rates=frame_rates)


def compare(
    first: Source,
    second: Source,
    ground_truth: Source | None = None,
    protocol: str | Protocol = "activitynet",
    *,
    subset: str | None = None,
    tious: float | Sequence[float] | None = None,
    bootstrap: int = 1000,
) -> Comparison:
    """Compare two detectors, the second less the first: both are judged on the same resampled videos.

    Each is a file of figures as `evaluate` makes them, which names what was judged and how, or detections, which need
    `ground_truth` and are judged as the other arguments say. Raises BadInput where detections come without ground
    truth, and where a file that was judged is gone, or has changed.
    """
    protocol = find_protocol(protocol, tious)
    matches = [_find_inputs(source, ground_truth, protocol, subset).match() for source in (first, second)]
    return compare_matches(matches[0], matches[1], bootstrap)


def find_protocol(protocol: str | Protocol, tious: float | Sequence[float] | None = None) -> Protocol:
    """Find a protocol by name, at other thresholds if there are any. Raises BadInput for an unknown name."""
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise BadInput(f"protocol {protocol!r}: there are {', '.join(PROTOCOLS)}")
        protocol = PROTOCOLS[protocol]
    if tious is None:
        return protocol
    tious = (tious,) if isinstance(tious, int | float) else tuple(tious)
    if isinstance(protocol, DetectionProtocol | ProposalProtocol):
        return replace(protocol, tious=tious)
    if isinstance(protocol, SegmentalProtocol):
        return replace(protocol, overlaps=tious)
    raise BadInput(f"protocol {protocol.name!r} has no tIoU, for it judges whole videos; leave --tiou out")


def _find_inputs(source: Source, ground_truth: Source | None, protocol: Protocol, subset: str | None) -> Inputs:
    """Find what a file of figures was made of, or judge detections as the other arguments say."""
    figures = read_json(Path(source)) if isinstance(source, str | Path) else {}
    question = figures.get("question") if isinstance(figures, dict) else None
    if not isinstance(question, dict):
        if ground_truth is None:
            name = f"{source}: holds" if isinstance(source, str | Path) else "these are"
            raise BadInput(f"{name} no figures of untrimmed evaluate; name the annotations with --truth")
        return Inputs(ground_truth=ground_truth, results=source, protocol=protocol, subset=subset)
    file = Path(str(source))
    try:
        name, tious, subset = figures["protocol"], figures.get("tious"), question["subset"]
        files = {
            role: _find_again(file, question[role]) for role in ("truth", "results", "videos") if role in question
        }
        return Inputs(
            ground_truth=files["truth"],
            results=files["results"],
            protocol=find_protocol(name, tious),
            subset=subset,
            videos=files.get("videos"),
        )
    except (KeyError, TypeError):
        raise BadInput(
            f"{file}: does not say what was judged; make it again with untrimmed evaluate --json"
        ) from None


def _find_again(figures: Path, judged: Mapping[str, str]) -> Path:
    """Find a file that figures name: from the working folder, or else from the folder of the figures."""
    path, sha256 = Path(judged["path"]), judged["sha256"]
    for place in (path, figures.parent / path):
        if place.exists():
            if _hash(place) != sha256:
                raise BadInput(f"{figures}: {place} has changed since it was judged; judge it again")
            return place
    raise BadInput(f"{figures}: {path}, which was judged, is not there; put it back or judge another")


def _read_ground_truth(source: Source, subset: str | None) -> Instances:
    if isinstance(source, str | Path):
        return read_ground_truth(source, subset)
    if isinstance(source, Annotations):
        return from_annotations(source, subset)
    if subset is not None:
        raise BadInput(f"timelines have no subsets such as {subset!r}; give only those that are to be judged")
    return from_timelines(source)


def _read_results(source: Source, protocol: Protocol) -> Instances:
    if isinstance(source, str | Path):
        if isinstance(protocol, ProposalProtocol):
            return read_proposals(source)
        return read_tags(source) if isinstance(protocol, ClassificationProtocol) else read_results(source)
    return from_annotations(source) if isinstance(source, Annotations) else from_timelines(source)


def _parse_rate(fps: float | str | Path | None) -> float | Path | None:
    """Parse frames a second: a number, also as text, or the table of them that a text names."""
    if isinstance(fps, str):
        try:
            fps = float(fps)
        except ValueError:
            return Path(fps)
    if isinstance(fps, int | float) and not 0 < fps < math.inf:
        raise BadInput(f"{fps:g} frames a second: give a positive number, or a table of videos")
    return fps


def _hash(path: Path) -> str:
    """Hash the content of a file, or of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.name.encode() if path.is_dir() else b"")
            digest.update(file.read_bytes())
    return digest.hexdigest()
