"""Why detections score what they score: kinds of error, truth that is missed, and what kind of truth is hard.

After DETAD (Alwassel, Caba Heilbron, Escorcia, Ghanem, Diagnosing Error in Temporal Action Detectors, ECCV 2018).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.overlaps import (
    CHARACTERISTICS,
    MISS,
    REMOVED,
    Judged,
    average_precisions,
    characteristics,
    judge,
    meet,
)

Kind = Literal[
    "true positive", "double detection", "wrong label", "localisation error", "confusion", "background error"
]
"""What a detection is. Where several hold, the first of the list does: see `kinds`."""
KINDS: tuple[str, ...] = get_args(Kind)
BACKGROUND = 0.1
"""The overlap under which a detection has met only background (DETAD's beta)."""
MOST = 10
"""The profile looks at up to this many times as many detections of a class as it has truths."""


@dataclass(frozen=True)
class Bins:
    """Edges that part values into bins, each with its upper edge in; the last bin has none."""

    edges: tuple[float, ...]
    """Ascending, at most four of them."""

    def __post_init__(self) -> None:
        if len(self.edges) > 4 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"edges {self.edges} are not at most four ascending numbers")

    @property
    def names(self) -> tuple[str, ...]:
        """From extra small to extra large."""
        return {0: ("all",), 1: ("S", "L"), 2: ("S", "M", "L"), 3: ("XS", "S", "M", "L")}.get(
            len(self.edges), ("XS", "S", "M", "L", "XL")
        )

    def place(self, values: Float[np.ndarray, " values"]) -> Int[np.ndarray, " values"]:
        """The index of the bin of each value."""
        return np.searchsorted(self.edges, values, side="left")

    @staticmethod
    def quintiles(values: Float[np.ndarray, " values"]) -> "Bins":
        """Five bins as equal in number as ties let them be; edges that fall together are one, so none is empty."""
        edges = np.unique(np.quantile(values, (0.2, 0.4, 0.6, 0.8), method="inverted_cdf"))
        return Bins(tuple(edges[edges < values.max()].tolist()))


# DETAD's own, of its Sec. 3; its context is annotated by hand, and for ours there are only the quintiles.
ACTIVITYNET_BINS: Mapping[str, Bins] = {
    "coverage": Bins((0.2, 0.4, 0.6, 0.8)),
    "length": Bins((30.0, 60.0, 120.0, 180.0)),
    "instances": Bins((1.0, 40.0, 80.0)),
}
THUMOS14_BINS: Mapping[str, Bins] = {
    "coverage": Bins((0.02, 0.04, 0.06, 0.08)),
    "length": Bins((3.0, 6.0, 12.0, 18.0)),
    "instances": Bins((1.0, 40.0, 80.0)),
}


@dataclass(frozen=True)
class Share:
    """The kinds of the `factor` times G best detections of every class, where G is its number of truths."""

    factor: int
    detections: int
    counts: dict[str, int]
    """By kind."""
    shares: dict[str, float | None]
    """By kind; they sum to 1. None without a detection."""


@dataclass(frozen=True)
class Removal:
    """What mAP gains when all false positives of one kind are deleted.

    The kinds are told anew at every threshold, so that no hit is ever deleted and no gain is below 0.
    """

    kind: str
    gain: float
    """Of mAP at the threshold of the diagnosis."""
    average_gain: float
    """Of mAP averaged over thresholds."""
    average_normalised_gain: float
    """Of normalised mAP averaged over thresholds, which is DETAD's figure."""


@dataclass(frozen=True)
class Part:
    """Truth of which one characteristic lies between two edges."""

    name: str
    above: float | None
    """The lower edge, which is not in; None for the first part."""
    upto: float | None
    """The upper edge, which is in; None for the last part."""
    truths: int
    normalised_map: float | None
    """Averaged over thresholds and the classes that have truth here; None without truth."""
    missed: float | None
    """Share of the truth that no detection hits at the threshold of the diagnosis."""
    missed_by_top: float | None
    """Share that none of the `MOST` times G best detections of its class hits."""


@dataclass(frozen=True)
class Characteristic:
    """How a characteristic of the truth bears on the result."""

    name: str
    parts: tuple[Part, ...]
    sensitivity: float
    """Highest less lowest normalised mAP of the parts."""
    impact: float
    """Highest normalised mAP of the parts less that of all truth."""


@dataclass(frozen=True)
class Diagnosis:
    """All of the analysis, as numbers in [0, 1]."""

    tiou: float
    """The threshold of the profile and of what is missed."""
    tious: tuple[float, ...]
    """The thresholds that averages run over."""
    map: float
    """At `tiou`."""
    average_map: float
    """Over `tious`, as of the gains."""
    whole: Part
    """Every truth."""
    profile: tuple[Share, ...]
    """For 1 to `MOST` times G detections."""
    removals: tuple[Removal, ...]
    """One for each kind of error."""
    characteristics: tuple[Characteristic, ...]
    """Of `coverage`, `length`, `instances` and `context`: see `characteristics`."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields under their names, for `write_json`."""
        return asdict(self)


def diagnose(
    truth: Instances,
    results: Instances,
    tiou: float = 0.5,
    tious: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist()),
    bins: Mapping[str, Bins] | None = None,
    background: float = BACKGROUND,
) -> Diagnosis:
    """Diagnose detections by the rules of the ActivityNet program at `tiou`, averages over `tious`.

    `bins` names the bins of some characteristics (as ACTIVITYNET_BINS does); the others have quintiles of the truth.
    Raises BadInput when the truth is empty, ValueError for bins of what is no characteristic, and unless
    0 < background < tiou <= 1 and there are `tious`, each in (0, 1].
    """
    if not (0 < background < tiou <= 1 and tious):
        raise ValueError(f"background {background}, tIoU {tiou}, {tious}: 0 < background < tIoU <= 1 and one or more")
    if unknown := set(bins or {}) - set(CHARACTERISTICS):
        raise ValueError(f"bins of {', '.join(sorted(unknown))}; there are {', '.join(CHARACTERISTICS)}")
    judged = judge(truth, results, (tiou, *tious))
    told = kinds(truth, results, judged, background)
    values, notes = characteristics(truth, results)
    placed = {name: (bins or {}).get(name) or Bins.quintiles(column) for name, column in values.items()}
    parting = _Parting(truth, judged)
    whole = parting.part("all", None, None, np.ones(len(truth), bool))
    strangers = len(results) - len(judged.row)
    ignored = f"detections ignored because the annotations lack their class: {strangers}"
    return Diagnosis(
        tiou=tiou,
        tious=tious,
        map=float(parting.maps[0][0]),
        average_map=float(parting.maps[0][1:].mean()),
        whole=whole,
        profile=tuple(_share(judged, told[0], factor) for factor in range(1, MOST + 1)),
        removals=tuple(parting.removal(name, told == kind) for kind, name in enumerate(KINDS) if kind),
        characteristics=tuple(parting.characteristic(name, placed[name], values[name], whole) for name in placed),
        notes=(*notes, ignored) if strangers else notes,
    )


def kinds(
    truth: Instances, results: Instances, judged: Judged, background: float = BACKGROUND
) -> Int[np.ndarray, "tious detections"]:
    """The kind of every judged detection at each threshold alpha, as an index into KINDS.

    It is the first that holds of: it hit a truth (true positive); it overlaps a truth of its label by alpha or more,
    which another took (double detection); it overlaps one of another label so (wrong label); it overlaps one of its
    label by `background` or more (localisation error); or one of another label (confusion); nothing (background
    error). The overlap decides before the label: a detection that fits an action of another label well has seen that
    action and misnamed it, even when it also grazes one of its own label.
    """
    met = meet(truth, results, judged)
    told = np.full(judged.hit.shape, KINDS.index("background error"), np.int8)
    for k, alpha in enumerate(judged.tious):
        holds = [judged.hit[k] >= 0, met.own >= alpha, met.other >= alpha, met.own >= background]
        told[k] = np.select([*holds, met.other >= background], range(5), told[k])
    return told


class _Parting:
    """What every part of the truth, and every removal, is measured with."""

    def __init__(self, truth: Instances, judged: Judged) -> None:
        self.truth, self.judged = truth, judged
        # DETAD's N: as many truths as a class has on average.
        self.norm = len(truth) / np.count_nonzero(judged.truths)
        self.found = _found(judged.hit[0], len(truth))
        self.found_by_top = _found(judged.hit[0, judged.top(MOST)], len(truth))
        self.maps = [_means(average_precisions(judged, truth, judged.hit, norm=norm)) for norm in (None, self.norm)]

    def part(self, name: str, above: float | None, upto: float | None, counted: Bool[np.ndarray, " truths"]) -> Part:
        """One part: the truth that is counted."""
        if not counted.any():
            return Part(name, above, upto, 0, None, None, None)
        precisions = average_precisions(self.judged, self.truth, self.judged.hit[1:], counted, self.norm)
        missed, missed_by_top = (float(1 - found[counted].mean()) for found in (self.found, self.found_by_top))
        return Part(name, above, upto, int(counted.sum()), float(_means(precisions).mean()), missed, missed_by_top)

    def characteristic(
        self, name: str, bins: Bins, values: Float[np.ndarray, " truths"], whole: Part
    ) -> Characteristic:
        """All parts by one characteristic."""
        place, edges = bins.place(values), (None, *bins.edges, None)
        parts = tuple(self.part(part, edges[n], edges[n + 1], place == n) for n, part in enumerate(bins.names))
        scores = [part.normalised_map for part in parts if part.normalised_map is not None]
        highest, average = max(scores), whole.normalised_map or 0.0
        return Characteristic(name, parts, highest - min(scores), highest - average)

    def removal(self, kind: str, removed: Bool[np.ndarray, "tious detections"]) -> Removal:
        """What mAP gains without some detections."""
        hit = np.where(removed, REMOVED, self.judged.hit)
        without = [_means(average_precisions(self.judged, self.truth, hit, norm=norm)) for norm in (None, self.norm)]
        plain, normalised = (after - before for after, before in zip(without, self.maps, strict=True))
        return Removal(kind, float(plain[0]), float(plain[1:].mean()), float(normalised[1:].mean()))


def _share(judged: Judged, told: Int[np.ndarray, " detections"], factor: int) -> Share:
    counts = np.bincount(told[judged.top(factor)], minlength=len(KINDS)).tolist()
    total = sum(counts)
    shares = [count / total if total else None for count in counts]
    return Share(factor, total, dict(zip(KINDS, counts, strict=True)), dict(zip(KINDS, shares, strict=True)))


def _means(precisions: Float[np.ndarray, "tious classes"]) -> Float[np.ndarray, " tious"]:
    """mAP at each threshold, over the classes that have truth."""
    return precisions[:, ~np.isnan(precisions[0])].mean(axis=1)


def _found(hit: Int[np.ndarray, " detections"], truths: int) -> Bool[np.ndarray, " truths"]:
    """Which truths any of some detections hit."""
    found = np.zeros(truths, bool)
    found[hit[hit != MISS]] = True
    return found
