"""The units of times in results and ground truth: turned into seconds where they are said, doubted where not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from untrimmed.annotations.annotations import EARLIEST, OVERRUN, Hints
from untrimmed.annotations.units import USUAL_RATES, check_unit, describe_unit, find_scale, guess_rate, suggest_units
from untrimmed.evaluation.instances import Instances, index_videos
from untrimmed.evaluation.matching import Segments, compute_largest_overlaps, find_candidates
from untrimmed.io import BadInput
from untrimmed.video.names import match_videos

_MET, _CLOSE = 0.5, 0.9
"""The tIoU at which an action is met, and at which it is hardly met by chance."""
_RARE, _FITS = 0.1, 0.5
"""Shares of the actions: fewer are met where a unit is doubted, and more in the unit that is suggested."""
_FEW = 5
"""Segments that hardly all miss, and actions that are hardly all met, by chance."""
_RATES = (*USUAL_RATES, 5.0, 20.0, 24.0)


class Times(NamedTuple):
    """What a user says of the times in a file: their unit, and what it takes to turn it into seconds."""

    unit: str | None = None
    """One of `units.UNITS`; None is seconds, unless the file states another."""
    fps: float | Mapping[str, float] | None = None
    """Frames a second, of all videos or by video."""
    durations: Mapping[str, float | None] = {}
    """Seconds by video; None where the length of a video that is judged is not known."""

    @property
    def rate(self) -> float | None:
        """Frames a second where they are one number for all videos."""
        return None if isinstance(self.fps, Mapping) else self.fps

    def to_hints(self) -> Hints:
        """Return what the readers of annotations take of it."""
        lengths = {video: seconds for video, seconds in self.durations.items() if seconds}
        return Hints(fps=self.rate, durations=lengths, unit=check_unit(self.unit))


def convert_times(name: object, instances: Instances, times: Times) -> Instances:
    """Turn times into seconds where their unit is said. Raises BadInput where that takes a rate or a length."""
    unit = check_unit(times.unit)
    if unit is None or not instances.videos or (unit == "s" and instances.unit == "seconds"):
        return instances
    if unit != "frames" and instances.unit == "frames":
        raise BadInput(f"{name}: counts frames, so the unit {unit!r} cannot hold; leave it out")
    if unit == "share":
        stated = {video: instances.durations.get(video) for video in instances.videos}
        factors = _look_up(name, instances.videos, times.durations or stated, "length in seconds")
    elif unit == "frames" and isinstance(times.fps, Mapping):
        factors = 1 / _look_up(name, instances.videos, times.fps, "frame rate")
    else:
        factors = np.full(len(instances.videos), 1 / find_scale(name, unit, times.rate))
    return replace(instances.scale(factors), notes=(*instances.notes, f"{name}: times are read as {unit}"))


def doubt_times(
    ground_truth: Instances, results: Instances, names: tuple[object, object], *, units_said: bool = False
) -> None:
    """Raise BadInput where the times of results and ground truth have nothing to do with each other.

    Where hardly an action is met as the times stand, and most are once those of one side are read in another unit,
    that unit is named; so too where most of one side lie beyond the videos and a unit would fit; and where no
    detection of several touches any action, that is said, also where the unit was given (`units_said`). `names` are
    those of the ground truth and of the results.
    """
    video = index_videos(results, ground_truth)
    row = np.flatnonzero(np.isin(video, ground_truth.video) & ~results.find_flat())
    actions = ground_truth.select_rows(np.isin(ground_truth.video, video[row]) & ~ground_truth.find_flat())
    if not len(row) or not len(actions) or "frames" in (ground_truth.unit, results.unit):
        return
    detections = replace(results.select_rows(row), videos=ground_truth.videos, video=video[row])
    overlaps = _find_overlaps(actions, detections)
    met = float((overlaps >= _MET).mean())
    if met >= _RARE:
        return
    example = _describe_pair(actions, detections)
    if not units_said:
        _doubt_units(actions, detections, met, names, example)
    if not overlaps.any() and len(detections) >= _FEW:
        raise BadInput(
            f"{names[1]}: none of its {len(detections):,} segments touches any action of {names[0]}: {example}; give "
            "both files times of the same videos, in one unit and from one start"
        )


def _doubt_units(
    actions: Instances, detections: Instances, met: float, names: tuple[object, object], example: str
) -> None:
    """Raise BadInput where another unit of one side would fit better than seconds, by which `met` actions are met."""
    finding = f"as they stand {met:.0%} of the actions are met"
    for side, (within, beyond) in enumerate(((actions, detections), (detections, actions))):
        if within.end.max() <= 1 < beyond.start.max() and len(within) >= _FEW:
            raise _refuse(names, side, f"{finding}, and all lie within 0 to 1", example, "share", None)
    overlaps = [
        (reading, _find_overlaps(actions, detections.scale(reading.factors))) for reading in _list_readings(actions)
    ]
    best, fitting = max(overlaps, key=lambda pair: round(float(pair[1].mean()), 6))
    share, fits = float((fitting >= _MET).mean()), (fitting >= _MET).sum() >= _FEW or (fitting >= _CLOSE).sum() >= 2
    if fits and share >= max(_FITS, 5 * met):
        raise _refuse(names, best.side, f"{finding}, and {share:.0%} in another unit", example, best.unit, best.fps)
    for side, instances in enumerate((actions, detections)):
        _doubt_beyond(names, side, instances, example)


class _Reading(NamedTuple):
    """One side's times in another unit: what those of the results are to be multiplied by to compare."""

    side: int
    """0 is the ground truth, 1 the results."""
    unit: str
    fps: float | None
    factors: Float[np.ndarray, " videos"]


def _list_readings(actions: Instances) -> Iterator[_Reading]:
    """List the readings that may be meant; of those that fit alike the first is the likeliest."""
    lengths = np.array([actions.durations.get(video, np.nan) for video in actions.videos])
    if np.isfinite(lengths[actions.video]).all():
        yield from (_Reading(1, "share", None, lengths), _Reading(0, "share", None, 1 / lengths))
    units = [("ms", None, 1e-3), ("us", None, 1e-6), *(("frames", rate, 1 / rate) for rate in _RATES)]
    for unit, rate, seconds in units:
        factors = np.full(len(actions.videos), seconds)
        yield from (_Reading(1, unit, rate, factors), _Reading(0, unit, rate, 1 / factors))


def _find_overlaps(actions: Instances, detections: Instances) -> Float[np.ndarray, " actions"]:
    """Find the largest overlap of each action with a detection of its video, whatever its label."""
    candidates = find_candidates(detections.video, actions.video)
    segments = Segments(actions.start, actions.end), Segments(detections.start, detections.end)
    no_labels = np.zeros(len(actions), np.int64), np.zeros(len(detections), np.int64)
    return compute_largest_overlaps(*segments, candidates, *no_labels)[0]


def _doubt_beyond(names: tuple[object, object], side: int, instances: Instances, example: str) -> None:
    """Doubt times of which more than half lie beyond the videos' ends, if another unit would fit."""
    lengths = np.array([instances.durations.get(video, np.nan) for video in instances.videos])[instances.video]
    has_length = np.isfinite(lengths)
    ends, lengths = instances.end[has_length], lengths[has_length]
    beyond = int((ends > lengths + OVERRUN).sum())
    if beyond * 2 > len(ends) and (units := suggest_units(ends, lengths)):
        finding = f"{beyond:,} of {len(ends):,} times lie beyond the videos' ends"
        raise _refuse(names, side, finding, example, units[0], guess_rate(float((ends / lengths).max())))


def describe_outside(ground_truth: Instances, results: Instances, names: tuple[object, object]) -> list[str]:
    """Say how many segments of either side lie outside of their videos, whose lengths the ground truth states.

    A length that is the last time of a video's actions may be a guess, and says nothing.
    """
    last = np.zeros(len(ground_truth.videos))
    np.maximum.at(last, ground_truth.video, np.maximum(ground_truth.start, ground_truth.end))
    guesses = dict(zip(ground_truth.videos, last.tolist(), strict=True))
    lengths = {video: length for video, length in ground_truth.durations.items() if length != guesses.get(video)}
    sides = zip(names, (ground_truth, results), strict=True)
    return [sentence for name, side in sides if (sentence := _describe_side_outside(name, side, lengths))]


def _describe_side_outside(name: object, side: Instances, lengths: Mapping[str, float]) -> str | None:
    ends = np.array([lengths.get(video, np.inf) for video in side.videos])[side.video]
    outside = np.flatnonzero((side.start < EARLIEST) | (side.end > ends + OVERRUN))
    if not len(outside) or side.unit == "frames":
        return None
    row = outside[0]
    videos, verb = len(np.unique(side.video[outside])), "lies" if len(outside) == 1 else "lie"
    length = f" of {ends[row]:.7g} s" if np.isfinite(ends[row]) else ""
    return (
        f"{name}: {len(outside):,} of {len(side):,} segments {verb} outside of the videos, in {videos:,} of "
        f"{len(np.unique(side.video)):,} videos, such as {side.labels[side.label[row]]!r} at [{side.start[row]:.7g}, "
        f"{side.end[row]:.7g}] in video {side.videos[side.video[row]]!r}{length}"
    )


def _refuse(
    names: tuple[object, object], side: int, finding: str, example: str, unit: str, fps: float | None
) -> BadInput:
    remedies = f"{describe_unit(unit, fps)} would fit, and {describe_unit('s')} says that these are seconds"
    if side == 0:
        remedies = name_truth_unit(remedies)
    return BadInput(f"{names[side]}: its times are hardly seconds: {finding}: {example}; {remedies}")


def name_truth_unit(sentence: str) -> str:
    """Name the options of the ground truth in a sentence that names those of the results."""
    return re.sub(r"\bunit=", "truth_unit=", sentence).replace("--unit", "--truth-unit")


def _describe_pair(actions: Instances, detections: Instances) -> str:
    """Describe an action, and the best detection of its label and video, or of its video alone."""
    video, label = actions.video[0], actions.labels[actions.label[0]]
    same_label = np.array([name == label for name in detections.labels])[detections.label]
    row = int(np.lexsort((-detections.score, ~same_label, detections.video != video))[0])
    return (
        f"in video {actions.videos[video]!r} {label!r} is at [{actions.start[0]:.7g}, {actions.end[0]:.7g}] in the "
        f"ground truth, and {detections.labels[detections.label[row]]!r} at [{detections.start[row]:.7g}, "
        f"{detections.end[row]:.7g}] in the results"
    )


def _look_up(
    name: object, videos: tuple[str, ...], numbers: Mapping[str, float | None], what: str
) -> Float[np.ndarray, " videos"]:
    """Look up the number of each video; 1 for one that is not there, which is not judged."""
    matched, values = match_videos(videos, numbers), []
    for video in videos:
        value = numbers[matched[video]] if video in matched else 1.0
        if value is None:
            raise BadInput(f"{name}: needs the {what} of video {video!r}; give it with the ground truth")
        values.append(value)
    return np.array(values, np.float64)
