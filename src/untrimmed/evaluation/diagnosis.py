"""Why detections score what they score: kinds of error, actions that are missed, and what kind of action is hard.

After DETAD (Alwassel, Caba Heilbron, Escorcia, Ghanem, Diagnosing Error in Temporal Action Detectors, ECCV 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from untrimmed.evaluation.characteristics import Characteristics, measure_characteristics
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.matching import MISS
from untrimmed.evaluation.notes import ToJson
from untrimmed.evaluation.protocols import DetectionProtocol, space_tious

Kind = Literal[
    "true positive", "double detection", "wrong label", "localisation error", "confusion", "background error"
]
"""What a detection is. Where several hold, the first of the list counts: see `classify_detections`."""
KINDS: tuple[str, ...] = get_args(Kind)
BACKGROUND = 0.1
"""The overlap below which a detection lies in the background (DETAD's beta)."""
MOST = 10
"""The profile looks at up to this many times as many detections of a class as it has annotated actions."""


@dataclass(frozen=True)
class Bins:
    """Edges that part values into bins, each with its upper edge included; the last bin has none."""

    edges: tuple[float, ...]
    """Ascending, at most four of them."""

    def __post_init__(self) -> None:
        if len(self.edges) > 4 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"edges {self.edges} are not at most four ascending numbers")

    @property
    def names(self) -> tuple[str, ...]:
        """From extra small to extra large."""
        return (("all",), ("S", "L"), ("S", "M", "L"), ("XS", "S", "M", "L"), ("XS", "S", "M", "L", "XL"))[
            len(self.edges)
        ]

    def place(self, values: Float[np.ndarray, " values"]) -> Int[np.ndarray, " values"]:
        """Find the index of the bin of each value."""
        return np.searchsorted(self.edges, values, side="left")

    @staticmethod
    def quintiles(values: Float[np.ndarray, " values"]) -> "Bins":
        """Build five bins as equal in number as ties let them be; equal edges are one, so that no bin is empty."""
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
    """The kinds of the `factor` times G best detections of every class that has G annotated actions."""

    factor: int
    detections: int
    counts: dict[str, int]
    """By kind."""
    shares: dict[str, float | None]
    """By kind; they sum to 1. None without a detection."""


@dataclass(frozen=True)
class Removal:
    """What mAP gains when all false positives of one kind are deleted.

    Detections are classified again at every threshold, so that no hit is ever deleted and no gain is below 0.
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
    """The annotated actions of which one characteristic lies between two edges."""

    name: str
    above: float | None
    """The lower edge, excluded; None for the first part."""
    upto: float | None
    """The upper edge, included; None for the last part."""
    actions: int
    normalised_map: float | None
    """Averaged over thresholds and the classes that have actions here; None without actions."""
    missed: float | None
    """Share of the actions that no detection hits at the threshold of the diagnosis."""
    missed_by_top: float | None
    """Share that none of the `MOST` times G best detections of its class hits."""


@dataclass(frozen=True)
class Characteristic:
    """How a characteristic of the annotated actions bears on the result."""

    name: str
    parts: tuple[Part, ...]
    sensitivity: float
    """Highest less lowest normalised mAP of the parts."""
    impact: float
    """Highest normalised mAP of the parts less that of all actions."""


@dataclass(frozen=True)
class Diagnosis(ToJson):
    """All of the analysis, as numbers in [0, 1]."""

    tiou: float
    """The threshold of the profile and of missed actions."""
    tious: tuple[float, ...]
    """The thresholds that averages run over."""
    map: float
    """At `tiou`."""
    average_map: float
    """Over `tious`, as of the gains."""
    whole: Part
    """All annotated actions."""
    profile: tuple[Share, ...]
    """For 1 to `MOST` times G detections."""
    removals: tuple[Removal, ...]
    """One for each kind of error."""
    characteristics: tuple[Characteristic, ...]
    """Of `coverage`, `length`, `instances` and `context`: see `Characteristics`."""
    notes: tuple[str, ...]


def diagnose(
    ground_truth: Instances,
    results: Instances,
    tiou: float = 0.5,
    tious: tuple[float, ...] = space_tious(0.5, 0.95, 10),
    bins: Mapping[str, Bins] | None = None,
    background: float = BACKGROUND,
) -> Diagnosis:
    """Diagnose detections by the rules of the ActivityNet program at `tiou`, averages over `tious`.

    `bins` are those of some characteristics (as ACTIVITYNET_BINS); the others have quintiles of the ground truth.
    Raises BadInput when the ground truth is empty, ValueError for bins of what is no characteristic, and unless
    0 < background < tiou <= 1 and there are `tious`, each in (0, 1].
    """
    if not (0 < background < tiou <= 1 and tious):
        raise ValueError(f"background {background}, tIoU {tiou}, {tious}: 0 < background < tIoU <= 1 and one or more")
    names, bins = Characteristics._fields, bins or {}
    if unknown := set(bins) - set(names):
        raise ValueError(f"bins of {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    protocol = DetectionProtocol(name="diagnosis", tious=(tiou, *tious))
    matches = match_detections(ground_truth, results, protocol)
    ground_truth, results = matches.ground_truth, matches.results
    kinds = classify_detections(matches, background)
    characteristics, notes = measure_characteristics(ground_truth, results)
    partition = _Partition(matches)
    whole = partition.measure_part("all", None, None, np.ones(len(ground_truth), bool))
    ignored = len(results) - len(matches.row)
    note = f"detections ignored because the annotations lack their class: {ignored}"
    return Diagnosis(
        tiou=tiou,
        tious=tious,
        map=float(partition.maps[0][0]),
        average_map=float(partition.maps[0][1:].mean()),
        whole=whole,
        profile=tuple(_count_kinds(matches, kinds[0], factor) for factor in range(1, MOST + 1)),
        removals=tuple(partition.measure_removal(name, kinds == kind) for kind, name in enumerate(KINDS) if kind),
        characteristics=tuple(
            partition.measure_characteristic(name, bins.get(name) or Bins.quintiles(values), values, whole)
            for name, values in zip(names, characteristics, strict=True)
        ),
        notes=(*notes, note) if ignored else notes,
    )


def classify_detections(matches: Matches, background: float = BACKGROUND) -> Int[np.ndarray, "tious detections"]:
    """Classify every detection at each threshold alpha, as an index into KINDS.

    Its kind is the first that holds of: it hit an action (true positive); it overlaps an action of its label by alpha
    or more, which another took (double detection); it overlaps one of another label so (wrong label); it overlaps one
    of its label by `background` or more (localisation error); or one of another label (confusion); nothing
    (background error). The overlap decides before the label: a detection that fits an action of another label well
    has seen that action and misnamed it, even when it also grazes one of its own label.
    """
    same, other = matches.compute_overlaps()
    kinds = np.empty(matches.hit.shape, np.int8)
    for k, alpha in enumerate(matches.protocol.tious):
        holds = [matches.hit[k] >= 0, same >= alpha, other >= alpha, same >= background, other >= background]
        kinds[k] = np.select(holds, range(5), KINDS.index("background error"))
    return kinds


class _Partition:
    """What every part of the ground truth, and every removal, is measured with."""

    def __init__(self, matches: Matches) -> None:
        self.matches = matches
        actions = len(matches.ground_truth)
        # DETAD's N: as many actions as a class has on average.
        self.norm = actions / np.count_nonzero(matches.positives)
        self.hit = _find_hit(matches.hit[0], actions)
        self.hit_by_top = _find_hit(matches.hit[0, matches.find_top(MOST)], actions)
        self.maps = self._compute_maps(None)

    def measure_part(
        self, name: str, above: float | None, upto: float | None, included: Bool[np.ndarray, " actions"]
    ) -> Part:
        """Measure one part: the actions that are included."""
        if not included.any():
            return Part(name, above, upto, 0, None, None, None)
        precisions = self.matches.compute_precisions(included=included, norm=self.norm)[0, :, 1:]
        missed, missed_by_top = (float(1 - hit[included].mean()) for hit in (self.hit, self.hit_by_top))
        normalised = float(_average_classes(precisions).mean())
        return Part(name, above, upto, int(included.sum()), normalised, missed, missed_by_top)

    def measure_characteristic(
        self, name: str, bins: Bins, values: Float[np.ndarray, " actions"], whole: Part
    ) -> Characteristic:
        """Measure all parts by one characteristic."""
        place, edges = bins.place(values), (None, *bins.edges, None)
        parts = tuple(
            self.measure_part(part, edges[n], edges[n + 1], place == n) for n, part in enumerate(bins.names)
        )
        scores = [part.normalised_map for part in parts if part.normalised_map is not None]
        highest, average = max(scores), whole.normalised_map or 0.0
        return Characteristic(name, parts, highest - min(scores), highest - average)

    def measure_removal(self, kind: str, removed: Bool[np.ndarray, "tious detections"]) -> Removal:
        """Measure what mAP gains without some detections."""
        without = self._compute_maps(removed)
        plain, normalised = (removal - whole for removal, whole in zip(without, self.maps, strict=True))
        return Removal(kind, float(plain[0]), float(plain[1:].mean()), float(normalised[1:].mean()))

    def _compute_maps(
        self, removed: Bool[np.ndarray, "tious detections"] | None
    ) -> list[Float[np.ndarray, " tious"]]:
        """Compute mAP at each threshold, ordinary and normalised."""
        norms = (None, self.norm)
        return [_average_classes(self.matches.compute_precisions(removed=removed, norm=norm)[0]) for norm in norms]


def _count_kinds(matches: Matches, kinds: Int[np.ndarray, " detections"], factor: int) -> Share:
    counts = np.bincount(kinds[matches.find_top(factor)], minlength=len(KINDS)).tolist()
    total = sum(counts)
    shares = [count / total if total else None for count in counts]
    return Share(factor, total, dict(zip(KINDS, counts, strict=True)), dict(zip(KINDS, shares, strict=True)))


def _average_classes(precisions: Float[np.ndarray, "classes tious"]) -> Float[np.ndarray, " tious"]:
    """Average AP at each threshold over the classes that have actions."""
    # Class by class in memory: in this order numpy has always added them up.
    return np.ascontiguousarray(precisions.T)[:, ~np.isnan(precisions[:, 0])].mean(axis=1)


def _find_hit(hit: Int[np.ndarray, " detections"], actions: int) -> Bool[np.ndarray, " actions"]:
    """Find the actions that any of some detections hit."""
    any_hit = np.zeros(actions, bool)
    any_hit[hit[hit != MISS]] = True
    return any_hit
