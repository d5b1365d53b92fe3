"""Ground truth and results, in files or in memory, judged by any protocol; two such results compared."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple, TypeVar

import numpy as np

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.formats.json_parts import to_number
from untrimmed.annotations.formats.thumos import read_rates
from untrimmed.annotations.span_table import add_span_table
from untrimmed.evaluation.agreement import (
    Sides,
    describe_differences,
    leave_out_other_subsets,
    match_results,
    select_from_list,
)
from untrimmed.evaluation.bootstrap import Comparison, compare_matches, estimate_confidence, find_tie_range
from untrimmed.evaluation.classification import (
    CLASSIFICATION_PROTOCOLS,
    ClassificationProtocol,
    ClassificationScores,
    compute_classification_scores,
)
from untrimmed.evaluation.detection import DetectionScores, summarize_matches
from untrimmed.evaluation.false_alarms import measure_false_alarms
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.judged_spans import clip_spans
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.operating_points import measure_reliability
from untrimmed.evaluation.proposals import (
    PROPOSAL_PROTOCOLS,
    FrameRates,
    ProposalProtocol,
    ProposalScores,
    compute_proposal_scores,
)
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS, DetectionProtocol
from untrimmed.evaluation.reading import (
    drop_guessed_lengths,
    from_annotations,
    read_ground_truth,
    read_proposals,
    read_results,
    read_tags,
)
from untrimmed.evaluation.segmental import SEGMENTAL, SegmentalProtocol, SegmentalScores, compute_segmental_scores
from untrimmed.evaluation.times import Times, convert_times, describe_outside, doubt_times, name_truth_unit
from untrimmed.io import BadInput, parse_json, read_bytes, read_text
from untrimmed.timeline import Timeline

Protocol = DetectionProtocol | ProposalProtocol | ClassificationProtocol | SegmentalProtocol
Scores = DetectionScores | ProposalScores | ClassificationScores | SegmentalScores
Source = str | Path | Annotations | Mapping[str, Timeline]
"""Annotated or detected actions: a file or folder, or what was read already."""

Tious = float | str | Sequence[float | str]
"""One threshold or several, as numbers or as text."""

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
    annotated: str | Path | None = None
    """A table of the stretches that were annotated: nothing outside them is judged."""
    unit: str | None = None
    """The unit of the times in the results, one of `units.UNITS`; None is what the file states, or else seconds."""
    truth_unit: str | None = None
    """The same of the ground truth."""
    frame_rates: float | Path | None = None
    """Frames a second, or a table of them by video, for units and protocols in frames."""

    def describe(self) -> dict[str, Any]:
        """Describe the files and their content, so that a comparison finds them as they were; empty in memory."""
        files = {"truth": self.ground_truth, "results": self.results, "videos": self.videos, "fps": self.frame_rates}
        files["annotated"] = self.annotated
        paths = {name: Path(file) for name, file in files.items() if isinstance(file, str | Path)}
        if not {"truth", "results"} <= paths.keys():
            return {}
        described = {name: {"path": str(path), "sha256": _hash(path)} for name, path in paths.items()}
        units = {"unit": self.unit, "truth_unit": self.truth_unit}
        rate = {"rate": self.frame_rates} if isinstance(self.frame_rates, float) else {}
        stated = {name: unit for name, unit in units.items() if unit}
        return {"question": {**described, "subset": self.subset, **stated, **(rate if stated else {})}}

    def read(self) -> "Sources":
        """Read ground truth and results of the selected videos, and match their names.

        Raises BadInput where a file cannot be used, and where the two have no video, no label or no time in common.
        """
        for source, side in ((self.ground_truth, "ground truth"), (self.results, "results")):
            _refuse_other_source(source, side)
        sides = Sides(_name(self.ground_truth, "the ground truth"), _name(self.results, "the results"))
        rates, ground_truth = self.read_rates(), self.read_ground_truth(sides)
        durations = {video: ground_truth.durations.get(video) for video in ground_truth.videos}
        results = _read_results(self.results, self.protocol, Times(self.unit, rates, durations), sides)
        ground_truth = _drop_scores(ground_truth, results, sides)
        labelled = not isinstance(self.protocol, ProposalProtocol)
        results, notes = match_results(ground_truth, results, sides, labelled=labelled)
        ground_truth, clipped = clip_spans(ground_truth, results, self.annotated or sides.ground_truth)
        notes = (*clipped, *notes)
        if not (isinstance(self.protocol, DetectionProtocol) and self.protocol.other_subsets == "false positives"):
            results, left_out = leave_out_other_subsets(ground_truth, results, sides)
            notes = (*left_out, *notes)
        if self.videos is not None:
            listed = {line.strip() for line in read_text(Path(self.videos)).splitlines() if line.strip()}
            ground_truth, results, unknown = select_from_list(ground_truth, results, listed, self.videos, sides)
            notes = (*unknown, *notes)
        if not isinstance(self.protocol, ClassificationProtocol) and "s" not in (self.unit, self.truth_unit):
            doubt_times(ground_truth, results, sides, units_said=bool(self.unit or self.truth_unit))
        if not isinstance(self.protocol, ClassificationProtocol):
            notes = (*describe_outside(ground_truth, results, sides), *notes)
        differences = describe_differences(ground_truth, results, sides, labelled=labelled)
        return Sources(ground_truth, results, (*differences, *notes, *ground_truth.notes, *results.notes))

    def read_ground_truth(self, sides: Sides) -> Instances:
        """Read the ground truth of the selected part, before anything is matched."""
        times = Times(self.truth_unit, self.read_rates())
        table = None if self.annotated is None else Path(self.annotated)
        return _read_ground_truth(self.ground_truth, self.subset, times, sides, table)

    def read_rates(self) -> FrameRates | None:
        """Read the frames a second."""
        return read_rates(self.frame_rates) if isinstance(self.frame_rates, Path) else self.frame_rates

    def match(self) -> tuple[Matches, tuple[str, ...]]:
        """Read detections and match them to the ground truth; and what was to be said. Raises BadInput by other
        protocols."""
        if not isinstance(self.protocol, DetectionProtocol):
            raise BadInput(f"protocol {self.protocol.name!r} does not judge detections, and only those are compared")
        sources = self.read()
        return match_detections(sources.ground_truth, sources.results, self.protocol), sources.notes


class Sources(NamedTuple):
    """Ground truth and results as they are judged, and sentences on how they were read and matched."""

    ground_truth: Instances
    results: Instances
    notes: tuple[str, ...]


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
        """Return the figures, for `write_json`; `question` names the files that were judged, for `compare`.

        `calibration` says of detections how far scores are from the share of hits at tIoU .5, by bins.
        """
        calibration = measure_reliability(self.matches) if self.matches else None
        calibrated = {"calibration": calibration.to_json()} if calibration else {}
        return {**self.scores.to_json(), **calibrated, **self.inputs.describe()}


def evaluate(
    ground_truth: Source,
    results: Source,
    protocol: str | Protocol = "activitynet",
    *,
    subset: str | None = None,
    tious: Tious | None = None,
    videos: str | Path | None = None,
    fps: float | str | Path | None = None,
    bootstrap: int = 0,
    ties: bool = False,
    unit: str | None = None,
    truth_unit: str | None = None,
    annotated: str | Path | None = None,
) -> Evaluation:
    """Judge detections, proposals, labels of videos or dense labels.

    `ground_truth` and `results` are files or folders of any format that `untrimmed convert` reads, annotations, or
    timelines by video; `protocol` is one of PROTOCOLS or a value of its own, at the thresholds `tious` in place of
    its own. `subset` selects a part of the ground truth, `videos` the videos in a file, one a line. `unit` and
    `truth_unit` are those of the times in the results and in the ground truth where they are not seconds (`ms`, `us`,
    `frames`, `share`). `fps` serves frames: a number, or a table of videos. `annotated` is a table of the stretches
    that were annotated (video, start, end), outside of which nothing is judged. With `bootstrap`, detections get
    intervals over so many resamples of the videos; with `ties`, the range over orders among equal scores.

    Names of videos and labels that are spelled differently on the two sides are matched, and noted. Raises BadInput
    where a file cannot be used, where the two have no video, no label or no time in common, and where the protocol
    has no thresholds, intervals or ties.
    """
    protocol = find_protocol(protocol, tious)
    inputs = Inputs(
        ground_truth=ground_truth,
        results=results,
        protocol=protocol,
        subset=subset,
        videos=videos,
        unit=unit,
        truth_unit=truth_unit,
        frame_rates=_parse_rate(fps),
        annotated=annotated,
    )
    if isinstance(protocol, DetectionProtocol):
        matches, notes = inputs.match()
        scores = _add_notes(summarize_matches(matches), notes)
        if bootstrap:
            scores = _add_intervals(scores, matches, bootstrap)
        if ties:
            scores = replace(scores, ties=find_tie_range(matches))
        return Evaluation(scores, inputs, matches.ground_truth, matches.results, matches)
    if bootstrap or ties:
        raise BadInput(f"protocol {protocol.name!r} has neither intervals nor ties; they are of detection protocols")
    (truth, predicted, notes), frame_rates = inputs.read(), inputs.read_rates()
    if isinstance(protocol, ProposalProtocol):
        scores = compute_proposal_scores(truth, predicted, protocol, frame_rates)
    elif isinstance(protocol, ClassificationProtocol):
        scores = compute_classification_scores(truth, predicted, protocol)
    else:
        scores = compute_segmental_scores(truth, predicted, protocol)
    return Evaluation(_add_notes(scores, notes), inputs, truth, predicted, frame_rates=frame_rates)


def read_truth_part(
    ground_truth: Source,
    *,
    subset: str | None = None,
    fps: float | str | Path | None = None,
    truth_unit: str | None = None,
    annotated: str | Path | None = None,
    **_: Any,
) -> Instances:
    """Read the part of a ground truth that `evaluate` judges, given the same arguments; raises as it does."""
    _refuse_other_source(ground_truth, "ground truth")
    inputs = Inputs(
        ground_truth=ground_truth,
        results={},
        protocol=find_protocol("activitynet"),
        subset=subset,
        truth_unit=truth_unit,
        frame_rates=_parse_rate(fps),
        annotated=annotated,
    )
    return inputs.read_ground_truth(Sides(_name(ground_truth, "the ground truth"), "the results"))


def _add_intervals(scores: DetectionScores, matches: Matches, resamples: int) -> DetectionScores:
    """Add intervals of every figure, over so many resamples; of one video there are none of average precision."""
    if len(matches.ground_truth.videos) > 1:
        scores = replace(scores, confidence=estimate_confidence(matches, resamples))
    else:
        scores = replace(scores, notes=[*scores.notes, "one video alone says nothing of others: mAP has no interval"])
    if scores.false_alarms is None:
        return scores
    false_alarms = measure_false_alarms(matches, resamples=resamples)
    return replace(scores, false_alarms=false_alarms, notes=[*scores.notes, *false_alarms.notes])


def compare(
    first: Source,
    second: Source,
    ground_truth: Source | None = None,
    protocol: str | Protocol = "activitynet",
    *,
    subset: str | None = None,
    tious: Tious | None = None,
    bootstrap: int = 1000,
    unit: str | None = None,
    truth_unit: str | None = None,
    fps: float | str | Path | None = None,
    annotated: str | Path | None = None,
) -> Comparison:
    """Compare two detectors, the second less the first: both are judged on the same resampled videos.

    Each is a file of figures as `evaluate` makes them, which names what was judged and how, or detections, which need
    `ground_truth` and are judged as the other arguments say, those of `evaluate`. Raises BadInput where detections
    come without ground truth, where a file that was judged is gone, or has changed, and as `evaluate` does.
    """
    protocol = find_protocol(protocol, tious)
    matches, notes = [], []
    for source in (first, second):
        question = Inputs(
            ground_truth={} if ground_truth is None else ground_truth,
            results=source,
            protocol=protocol,
            subset=subset,
            unit=unit,
            truth_unit=truth_unit,
            frame_rates=_parse_rate(fps),
            annotated=annotated,
        )
        inputs = _find_inputs(source, question, ground_truth is not None)
        matched, sentences = inputs.match()
        matches.append(matched)
        notes += sentences
    comparison = compare_matches(matches[0], matches[1], bootstrap)
    return replace(comparison, notes=tuple(dict.fromkeys(notes)))


def find_protocol(protocol: str | Protocol, tious: Tious | None = None) -> Protocol:
    """Find a protocol by name, at other thresholds if there are any. Raises BadInput for an unknown name."""
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise BadInput(f"protocol {protocol!r}: there are {', '.join(PROTOCOLS)}")
        protocol = PROTOCOLS[protocol]
    if tious is None:
        return protocol
    tious = _parse_tious(tious)
    if isinstance(protocol, DetectionProtocol | ProposalProtocol):
        return replace(protocol, tious=tious)
    if isinstance(protocol, SegmentalProtocol):
        return replace(protocol, overlaps=tious)
    raise BadInput(f"protocol {protocol.name!r} has no tIoU, for it judges whole videos; leave the tIoUs out")


def _parse_tious(tious: Tious) -> tuple[float, ...]:
    listed = (tious,) if isinstance(tious, int | float | str) else tuple(tious)
    numbers = tuple(to_number(tiou) or 0.0 for tiou in listed)
    if not numbers or not all(0 < number <= 1 for number in numbers):
        raise BadInput(
            f"tious {listed}: one or more numbers above 0 and up to 1 were expected, as in tious=[0.5, 0.7]"
        )
    return numbers


def _refuse_other_source(source: Any, side: str) -> None:
    """Raise BadInput for what is neither a file nor annotations nor timelines."""
    if isinstance(source, str | Path | Annotations):
        return
    bad = [source] if not isinstance(source, Mapping) else [v for v in source.values() if not isinstance(v, Timeline)]
    if bad:
        raise BadInput(
            f"the {side}: {short(bad[0])} is no timeline of a video; give a file, what read_annotations returns, or "
            "timelines by video, as in {'a': Timeline(9.0, (Action(1, 2, 'run'),))}"
        )


def _find_inputs(source: Source, detections: Inputs, has_truth: bool) -> Inputs:
    """Find what a file of figures was made of, or judge detections as the other arguments say."""
    figures = _read_figures(source)
    question = figures.get("question") if isinstance(figures, dict) else None
    if not isinstance(question, dict):
        if not has_truth:
            name = f"{source}: holds" if isinstance(source, str | Path) else "these are"
            raise BadInput(
                f"{name} no figures of untrimmed evaluate; name the annotations (ground_truth=..., --truth FILE)"
            )
        return detections
    file = Path(str(source))
    try:
        name, tious, subset = figures["protocol"], figures.get("tious"), question["subset"]
        roles = ("truth", "results", "videos", "fps", "annotated")
        files = {role: _find_again(file, question[role]) for role in roles if role in question}
        return Inputs(
            ground_truth=files["truth"],
            results=files["results"],
            protocol=find_protocol(name, tious),
            subset=subset,
            videos=files.get("videos"),
            unit=question.get("unit"),
            truth_unit=question.get("truth_unit"),
            frame_rates=files.get("fps", question.get("rate")),
            annotated=files.get("annotated"),
        )
    except (KeyError, TypeError):
        raise BadInput(
            f"{file}: does not say what was judged; make it again with untrimmed evaluate --json"
        ) from None


def _read_figures(source: Source) -> Any:
    """Read the JSON that figures are in; nothing of a file that has none."""
    if not isinstance(source, str | Path) or Path(source).is_dir():
        return {}
    content = read_bytes(Path(source))
    return parse_json(Path(source), content) if content.lstrip()[:1] == b"{" else {}


def _find_again(figures: Path, judged: Mapping[str, str]) -> Path:
    """Find a file that figures name: from the working folder, or else from the folder of the figures."""
    path, sha256 = Path(judged["path"]), judged["sha256"]
    for place in (path, figures.parent / path):
        if place.exists():
            if _hash(place) != sha256:
                raise BadInput(f"{figures}: {place} has changed since it was judged; judge it again")
            return place
    raise BadInput(f"{figures}: {path}, which was judged, is not there; put it back or judge another")


_AnyScores = TypeVar("_AnyScores", bound=Scores)


def _add_notes(scores: _AnyScores, notes: Sequence[str]) -> _AnyScores:
    """Put what was said of the files before what is said of the figures."""
    return replace(scores, notes=[*notes, *scores.notes])


def _name(source: Source, otherwise: object) -> object:
    return source if isinstance(source, str | Path) else otherwise


def _read_ground_truth(
    source: Source, subset: str | None, times: Times, sides: Sides, annotated: Path | None
) -> Instances:
    try:
        if isinstance(source, str | Path):
            return read_ground_truth(source, subset, times, annotated)
        if not isinstance(source, Annotations):
            source = Annotations(source)
            if subset is not None and annotated is None:
                raise BadInput(f"timelines have no subsets such as {subset!r}; give only those that are to be judged")
        source = add_span_table(source, annotated)
        return convert_times(sides.ground_truth, from_annotations(source, subset), times)
    except BadInput as error:
        raise BadInput(name_truth_unit(str(error))) from None


def _read_results(source: Source, protocol: Protocol, times: Times, sides: Sides) -> Instances:
    if isinstance(source, str | Path):
        if isinstance(protocol, ProposalProtocol):
            return read_proposals(source, times)
        if isinstance(protocol, ClassificationProtocol):
            return read_tags(source)
        folder = Path(str(sides.ground_truth))
        return read_results(source, times=times, folder=folder if folder.is_dir() else None)
    if isinstance(source, Annotations):
        return drop_guessed_lengths(convert_times(sides.results, from_annotations(source), times))
    return convert_times(sides.results, from_timelines(source), times)


def _drop_scores(ground_truth: Instances, results: Instances, sides: Sides) -> Instances:
    """Drop scores of the ground truth, and say so. Raises BadInput where the results have none."""
    if (ground_truth.score == 1).all():
        return ground_truth
    if len(results) > 1 and (results.score == 1).all():
        raise BadInput(
            f"{sides.ground_truth}: has scores, and {sides.results} has none; give the ground truth first, and then "
            "the results"
        )
    note = f"{sides.ground_truth}: has scores, which are not read of a ground truth"
    return replace(ground_truth, score=np.ones(len(ground_truth)), notes=(*ground_truth.notes, note))


def _parse_rate(fps: float | str | Path | None) -> float | Path | None:
    """Parse frames a second: a number, also as text, or the table of them that a text names."""
    if isinstance(fps, str):
        try:
            fps = float(fps)
        except ValueError:
            if not Path(fps).exists():
                raise BadInput(f"fps {fps!r} is neither a number nor a table of videos that is there") from None
            return Path(fps)
    if isinstance(fps, int | float) and not 0 < fps < math.inf:
        raise BadInput(f"{fps:g} frames a second: give a positive number, or a table of videos")
    return float(fps) if isinstance(fps, int) else fps


def _hash(path: Path) -> str:
    """Hash the content of a file, or of all files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.name.encode() if path.is_dir() else b"")
            digest.update(file.read_bytes())
    return digest.hexdigest()
