"""Files of truth and results judged by any protocol, and two such judgements held against each other."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from untrimmed.annotations.formats.thumos import read_rates
from untrimmed.evaluation.bootstrap import Comparison, compare, confidence, tie_range
from untrimmed.evaluation.classification import (
    CLASSIFICATION_PROTOCOLS,
    ClassificationProtocol,
    ClassificationScores,
    classification_scores,
)
from untrimmed.evaluation.detection import DetectionScores, Judged, judge, scores_of
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.proposals import (
    PROPOSAL_PROTOCOLS,
    FrameRates,
    ProposalProtocol,
    ProposalScores,
    proposal_scores,
)
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS, DetectionProtocol
from untrimmed.evaluation.reading import read_proposals, read_results, read_tags, read_truth
from untrimmed.evaluation.segmental import SEGMENTAL, SegmentalProtocol, SegmentalScores, segmental_scores
from untrimmed.io import BadInput, read_json, read_text

Protocol = DetectionProtocol | ProposalProtocol | ClassificationProtocol | SegmentalProtocol
Scores = DetectionScores | ProposalScores | ClassificationScores | SegmentalScores

PROTOCOLS: Mapping[str, Protocol] = {
    **DETECTION_PROTOCOLS,
    **PROPOSAL_PROTOCOLS,
    **CLASSIFICATION_PROTOCOLS,
    SEGMENTAL.name: SEGMENTAL,
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be judged, and how."""

    truth: Path
    results: Path
    protocol: Protocol
    subset: str | None = None
    """Judge only the videos of this part, as the truth calls it."""
    videos: Path | None = None
    """Judge only the videos in this file, one a line."""
    rates: float | Path | None = None
    """Frames a second of all videos, or a table of them, for protocols that judge frames."""

    def to_json(self) -> dict[str, Any]:
        """The files and what they hold, so that whoever compares finds them as they were."""
        files = {"truth": self.truth, "results": self.results, "videos": self.videos}
        named = {name: {"path": str(path), "sha256": _digest(path)} for name, path in files.items() if path}
        return {**named, "subset": self.subset}


@dataclass(frozen=True, eq=False)
class Answer:
    """The figures, and what they were made of."""

    question: Question
    truth: Instances
    results: Instances
    scores: Scores
    judged: Judged | None = None
    """Of detections; None by the other protocols."""
    rates: FrameRates | None = None
    """Frames a second, where they were given."""

    def to_json(self) -> dict[str, Any]:
        """The figures, and the question under `question`."""
        return {**self.scores.to_json(), "question": self.question.to_json()}


def find_protocol(name: str, tious: tuple[float, ...] | None = None) -> Protocol:
    """A protocol by name, at other thresholds where they are given; BadInput for what there is none of."""
    if name not in PROTOCOLS:
        raise BadInput(f"protocol {name!r}: there are {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    if tious is None:
        return protocol
    if isinstance(protocol, DetectionProtocol | ProposalProtocol):
        return replace(protocol, tious=tious)
    if isinstance(protocol, SegmentalProtocol):
        return replace(protocol, overlaps=tious)
    raise BadInput(f"protocol {name!r} has no tIoU, for it judges whole videos; leave --tiou out")


def answer(question: Question, *, resamples: int = 0, ties: bool = False) -> Answer:
    """Read the files and judge them.

    With `resamples`, detections get intervals over so many resamples of the videos; with `ties`, the range over
    orders among equal scores. BadInput where a file cannot be used, and where either is asked of a protocol without.
    """
    protocol = question.protocol
    if not isinstance(protocol, DetectionProtocol):
        if resamples or ties:
            raise BadInput(
                f"protocol {protocol.name!r} has neither intervals nor ties; they are of detection protocols"
            )
        truth, results = _read(question, read_tags if isinstance(protocol, ClassificationProtocol) else None)
        rates = _rates(question)
        return Answer(question, truth, results, _figures(truth, results, protocol, rates), rates=rates)
    judged = judge_files(question)
    scores = scores_of(judged)
    if resamples:
        scores = replace(scores, confidence=confidence(judged, resamples))
    if ties:
        scores = replace(scores, ties=tie_range(judged))
    return Answer(question, judged.truth, judged.results, scores, judged)


def judge_files(question: Question) -> Judged:
    """Detections in files held against truth in files."""
    protocol = question.protocol
    if not isinstance(protocol, DetectionProtocol):
        raise BadInput(f"protocol {protocol.name!r} does not judge detections, and only those are compared")
    return judge(*_read(question), protocol)


def compare_files(first: Question, second: Question, resamples: int) -> Comparison:
    """The paired difference of two files of detections, the second less the first."""
    return compare(judge_files(first), judge_files(second), resamples)


def question_of(file: Path, truth: Path | None, protocol: Protocol, subset: str | None) -> Question:
    """What to ask of a file: again what its figures answer, or of its detections what else is given.

    Raises BadInput where detections come without truth, and where a file that was judged is gone, or is not what it
    was.
    """
    content = read_json(file)
    asked = content.get("question") if isinstance(content, dict) else None
    if not isinstance(asked, dict):
        if truth is None:
            raise BadInput(f"{file}: holds no figures of untrimmed evaluate; name the annotations with --truth")
        return Question(truth=truth, results=file, protocol=protocol, subset=subset)
    try:
        name, tious, where = content["protocol"], content.get("tious"), asked["subset"]
        files = {role: (Path(asked[role]["path"]), asked[role]["sha256"]) for role in ("truth", "results")}
        listed = (Path(asked["videos"]["path"]), asked["videos"]["sha256"]) if "videos" in asked else None
    except (KeyError, TypeError):
        raise BadInput(f"{file}: does not say what was judged; make it anew with untrimmed evaluate --json") from None
    return Question(
        truth=_as_it_was(file, *files["truth"]),
        results=_as_it_was(file, *files["results"]),
        protocol=find_protocol(name, None if tious is None else tuple(tious)),
        subset=where,
        videos=_as_it_was(file, *listed) if listed else None,
    )


def parse_rates(text: str) -> float | Path:
    """Frames a second: a number, or the table of them that the text names."""
    try:
        rate = float(text)
    except ValueError:
        return Path(text)
    if not 0 < rate < math.inf:
        raise BadInput(f"{text} frames a second: give a positive number, or a table of videos")
    return rate


def _as_it_was(figures: Path, judged: Path, sha256: str) -> Path:
    """A file that figures name: from where we stand, or else from where they lie."""
    for place in (judged, figures.parent / judged):
        if place.exists():
            if _digest(place) != sha256:
                raise BadInput(f"{figures}: {place} has changed since it was judged; judge it again")
            return place
    raise BadInput(f"{figures}: {judged}, which was judged, is not there; put it back or judge another")


def _read(question: Question, read: Callable[[Path], Instances] | None = None) -> tuple[Instances, Instances]:
    """Truth and results, of the chosen videos."""
    protocol = question.protocol
    read = read or (read_proposals if isinstance(protocol, ProposalProtocol) else read_results)
    truth, results = read_truth(question.truth, question.subset), read(question.results)
    if question.videos is None:
        return truth, results
    chosen = {line.strip() for line in read_text(question.videos).splitlines() if line.strip()}
    if not chosen & set(truth.videos):
        raise BadInput(f"{question.videos}: names no video of {question.truth}; one a line was expected")
    return truth.of(chosen), results.of(chosen)


def _figures(truth: Instances, results: Instances, protocol: Protocol, rates: FrameRates | None) -> Scores:
    if isinstance(protocol, ProposalProtocol):
        return proposal_scores(truth, results, protocol, rates)
    if isinstance(protocol, ClassificationProtocol):
        return classification_scores(truth, results, protocol)
    if isinstance(protocol, SegmentalProtocol):
        return segmental_scores(truth, results, protocol)
    raise ValueError(f"protocol {protocol.name} judges detections")


def _rates(question: Question) -> FrameRates | None:
    """Frames a second, by video where a table is given."""
    return read_rates(question.rates) if isinstance(question.rates, Path) else question.rates


def _digest(path: Path) -> str:
    """What a file, or all files of a folder, hold."""
    found = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            found.update(file.name.encode() if path.is_dir() else b"")
            found.update(file.read_bytes())
    return found.hexdigest()
