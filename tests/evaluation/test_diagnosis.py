"""Diagnosis against plain versions written from its definitions, and on a published result."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rows import Row, instances
from untrimmed.evaluation.characteristics import measure_characteristics
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.diagnosis import KINDS, THUMOS14_BINS, Bins, Diagnosis, classify_detections, diagnose
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matches import Matches, match_detections
from untrimmed.evaluation.protocols import DetectionProtocol
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput

TIOUS = (0.4, 0.75)


def rows(labels: str, least: int, scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal, reversed and empty segments are common."""
    seconds = st.integers(0, 8).map(float)
    row = st.tuples(st.sampled_from("vw"), st.sampled_from(labels), seconds, seconds, scores)
    return st.lists(row, min_size=least, max_size=14)


ground_truths = rows("ab", 1, st.just(1.0))
detections = rows("abx", 0, st.integers(0, 4).map(float))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Truth, and detections of which many are near some of it."""
    ground_truth = draw(ground_truths)
    step, score = st.integers(-1, 1).map(float), st.integers(0, 4).map(float)
    near = st.tuples(st.sampled_from(ground_truth), step, step, score).map(
        lambda n: (*n[0][:2], n[0][2] + n[1], n[0][3] + n[2], n[3])
    )
    diagnosis = draw(st.lists(near, max_size=12)) + draw(detections)
    return ground_truth, draw(st.permutations(diagnosis))


def overlap(a: Row, b: Row) -> float:
    shared = max(min(a[3], b[3]) - max(a[2], b[2]), 0)
    union = (a[3] - a[2]) + (b[3] - b[2]) - shared
    return math.inf if union == 0 else shared / union


def hits_slowly(ground_truth: list[Row], results: list[Row], threshold: float) -> dict[int, int | None]:
    """The truth that each detection of a known class takes; best first, of equal scores the earlier in the file."""
    taken: dict[int, int | None] = {}
    for n in sorted(range(len(results)), key=lambda n: -results[n][4]):
        if results[n][1] in {row[1] for row in ground_truth}:
            near = [(overlap(results[n], t), m) for m, t in enumerate(ground_truth) if t[:2] == results[n][:2]]
            free = [pair for pair in near if pair[0] >= threshold and pair[1] not in taken.values()]
            taken[n] = max(free)[1] if free else None
    return taken


def kind_slowly(ground_truth: list[Row], detection: Row, hit: int | None, threshold: float) -> str:
    met = {True: 0.0, False: 0.0}
    for row in ground_truth:
        if row[0] == detection[0]:
            same = row[1] == detection[1]
            met[same] = max(met[same], overlap(detection, row))
    if hit is not None:
        return "true positive"
    if met[True] >= threshold:
        return "double detection"
    if met[False] >= threshold:
        return "wrong label"
    if met[True] >= 0.1:
        return "localisation error"
    return "confusion" if met[False] >= 0.1 else "background error"


def map_slowly(
    ground_truth: list[Row],
    hits: dict[int, int | None],
    results: list[Row],
    counted: set[int],
    norm: float | None = None,
) -> float:
    """mAP over the classes of the counted truth; hits of other truth are passed over."""
    values = []
    for label in {ground_truth[m][1] for m in counted}:
        count = sum(ground_truth[m][1] == label for m in counted)
        diagnosis = false = 0
        steps = []
        for n, hit in hits.items():
            if results[n][1] == label and (hit is None or hit in counted):
                diagnosis, false = diagnosis + (hit is not None), false + (hit is None)
                recall = diagnosis / count
                precision = (
                    diagnosis / (diagnosis + false) if norm is None else recall * norm / (recall * norm + false)
                )
                steps.append((hit is not None, precision))
        values.append(sum(max(p for _, p in steps[n:]) for n, (hit, _) in enumerate(steps) if hit) / count)
    return sum(values) / len(values)


def everything(ground_truth: list[Row]) -> set[int]:
    return set(range(len(ground_truth)))


def average_norm(ground_truth: list[Row]) -> float:
    return len(ground_truth) / len({row[1] for row in ground_truth})


def top(ground_truth: list[Row], results: list[Row], hits: dict[int, int | None], factor: int) -> list[int]:
    """The `factor` * G best detections of each class."""
    chosen = []
    for label in {row[1] for row in ground_truth}:
        mine = [n for n in hits if results[n][1] == label]
        chosen += mine[: factor * sum(row[1] == label for row in ground_truth)]
    return chosen


def match(ground_truth: Instances, results: Instances, tious: tuple[float, ...]) -> Matches:
    return match_detections(ground_truth, results, DetectionProtocol(name="some", tious=tious))


@given(cases())
def test_every_kind_is_that_of_its_definition(case):
    ground_truth, results = case
    matches = match(instances(ground_truth), instances(results), TIOUS)
    kinds = classify_detections(matches)
    for k, threshold in enumerate(TIOUS):
        hits = hits_slowly(ground_truth, results, threshold)
        expected = {n: kind_slowly(ground_truth, results[n], hit, threshold) for n, hit in hits.items()}
        assert {n: KINDS[kind] for n, kind in zip(matches.row.tolist(), kinds[k], strict=True)} == expected


@given(cases())
def test_the_profile_counts_the_kinds_of_the_best_detections_of_each_class(case):
    ground_truth, results = case
    hits = hits_slowly(ground_truth, results, 0.5)
    for share in diagnose(instances(ground_truth), instances(results)).profile:
        best = [
            kind_slowly(ground_truth, results[n], hits[n], 0.5)
            for n in top(ground_truth, results, hits, share.factor)
        ]
        assert share.counts == {kind: best.count(kind) for kind in KINDS}
        assert share.detections == len(best)
        if best:
            assert share.shares == pytest.approx({kind: best.count(kind) / len(best) for kind in KINDS})
        else:
            assert set(share.shares.values()) == {None}


@given(cases())
def test_a_removal_gains_what_the_results_without_that_kind_score(case):
    ground_truth, results = case
    diagnosis = diagnose(instances(ground_truth), instances(results), 0.5, TIOUS)
    assert [removal.kind for removal in diagnosis.removals] == list(KINDS[1:])
    for removal in diagnosis.removals:
        plain, normalised = [], []
        for threshold in (0.5, *TIOUS):
            hits = hits_slowly(ground_truth, results, threshold)
            told = {n: kind_slowly(ground_truth, results[n], hit, threshold) for n, hit in hits.items()}
            without = {n: hit for n, hit in hits.items() if told[n] != removal.kind}
            for gains, norm in ((plain, None), (normalised, average_norm(ground_truth))):
                after = map_slowly(ground_truth, without, results, everything(ground_truth), norm)
                gains.append(after - map_slowly(ground_truth, hits, results, everything(ground_truth), norm))
        assert removal.gain == pytest.approx(plain[0], abs=1e-12)
        assert removal.average_gain == pytest.approx(sum(plain[1:]) / 2, abs=1e-12)
        assert removal.average_normalised_gain == pytest.approx(sum(normalised[1:]) / 2, abs=1e-12)
        assert min(removal.gain, removal.average_gain, removal.average_normalised_gain) >= -1e-12


@given(cases())
def test_every_part_scores_and_misses_what_its_actions_do(case):
    ground_truth, results = case
    bins = {"length": Bins((1.0, 2.0, 4.0)), "instances": Bins((1.0, 2.0))}
    diagnosis = diagnose(instances(ground_truth), instances(results), 0.5, TIOUS, bins)
    values, _ = measure_characteristics(instances(ground_truth), instances(results))
    at_half = hits_slowly(ground_truth, results, 0.5)
    hit = set(at_half.values())
    hit_by_top = {at_half[n] for n in top(ground_truth, results, at_half, 10)}
    parts = [(part, getattr(values, c.name)) for c in diagnosis.characteristics for part in c.parts]
    for part, column in [*parts, (diagnosis.whole, values.length)]:
        low, high = (part.above is None or column > part.above), (part.upto is None or column <= part.upto)
        counted = set(np.flatnonzero(np.broadcast_to(low & np.asarray(high), column.shape)).tolist())
        assert part.actions == len(counted)
        if not counted:
            assert (part.normalised_map, part.missed, part.missed_by_top) == (None, None, None)
            continue
        assert part.missed == pytest.approx(len(counted - hit) / len(counted))
        assert part.missed_by_top == pytest.approx(len(counted - hit_by_top) / len(counted))
        expected = [
            map_slowly(
                ground_truth, hits_slowly(ground_truth, results, t), results, counted, average_norm(ground_truth)
            )
            for t in TIOUS
        ]
        assert part.normalised_map == pytest.approx(sum(expected) / 2, abs=1e-12)


@given(cases())
def test_sensitivity_is_the_range_of_the_parts_and_impact_is_the_best_part_less_the_whole(case):
    ground_truth, results = case
    diagnosis = diagnose(instances(ground_truth), instances(results), 0.5, TIOUS, {"length": Bins((1.0, 5.0, 9.0))})
    assert diagnosis.whole.normalised_map is not None
    for characteristic in diagnosis.characteristics:
        assert sum(part.actions for part in characteristic.parts) == len(ground_truth)
        scores = [part.normalised_map for part in characteristic.parts if part.normalised_map is not None]
        assert characteristic.sensitivity == max(scores) - min(scores)
        assert characteristic.impact == max(scores) - diagnosis.whole.normalised_map


@given(cases())
def test_the_map_is_that_of_the_evaluation(case):
    ground_truth, results = case
    diagnosis = diagnose(instances(ground_truth), instances(results), 0.6, TIOUS)
    scores = compute_detection_scores(
        instances(ground_truth), instances(results), DetectionProtocol(name="x", tious=(0.6, *TIOUS))
    )
    assert diagnosis.map == pytest.approx(scores.map[0])
    assert diagnosis.average_map == pytest.approx(sum(scores.map[1:]) / 2)


def background_slowly(ground_truth: list[Row], row: Row, duration: float) -> int:
    """Seconds without any action, counted one by one away from a row on both sides."""
    others = [t for t in ground_truth if t[0] == row[0]]
    gap = 0
    for second, step in ((row[2] - 1, -1), (row[3], 1)):
        while 0 <= second < duration and not any(t[2] <= second < t[3] for t in others):
            gap, second = gap + 1, second + step
    return gap


forward = ground_truths.map(lambda listed: [(v, a, s, s + abs(e - s) + 1, x) for v, a, s, e, x in listed])


@given(forward, st.integers(17, 30))
def test_the_characteristics_are_those_of_their_definitions(ground_truth, duration):
    values, notes = measure_characteristics(instances(ground_truth, {"v": duration, "w": duration}), instances([]))
    assert notes == ()
    for n, row in enumerate(ground_truth):
        length = row[3] - row[2]
        assert values.length[n] == length
        assert values.coverage[n] == length / duration
        assert values.instances[n] == sum(other[:2] == row[:2] for other in ground_truth)
        assert values.context[n] == background_slowly(ground_truth, row, duration) / 2 / length


def test_a_video_of_unknown_duration_ends_with_its_last_action_or_detection_and_that_is_noted():
    ground_truth = [("v", "a", 0, 5, 1), ("w", "a", 0, 5, 1), ("u", "a", 0, 5, 1)]
    results = [("w", "a", 0, 10, 1), ("z", "a", 0, 99, 1)]
    values, notes = measure_characteristics(instances(ground_truth, {"u": 20.0}), instances(results))
    assert values.coverage.tolist() == [1, 0.5, 0.25]
    assert values.context.tolist() == [0, 0.5, 1.5]
    assert notes == ("videos of unknown duration, taken to end with their last action or detection: 2",)


def test_ground_truth_without_length_has_numbers_that_json_can_hold():
    ground_truth = instances([("v", "a", 3, 3, 1), ("v", "a", 0, 0, 1), ("v", "b", 4, 2, 1), ("w", "a", 0, 0, 1)])
    json.dumps(diagnose(ground_truth, ground_truth).to_json(), allow_nan=False)
    values, _ = measure_characteristics(ground_truth, ground_truth)
    assert values.length.tolist() == [0, 0, 0, 0]
    assert values.coverage.tolist() == [0, 0, 0, 0]
    assert values.context[3] == 0


def test_the_overlap_decides_before_the_label():
    ground_truth = instances([("v", "a", 0, 10, 1), ("v", "b", 8, 20, 1)])
    results = instances([("v", "b", 0, 10, 0.9)])
    kinds = classify_detections(match(ground_truth, results, (0.5, 0.05)))
    assert [KINDS[kind] for kind in kinds[:, 0]] == ["wrong label", "true positive"]


def test_an_overlap_of_exactly_an_edge_is_over_it():
    ground_truth = instances([("v", "a", 0, 10, 1), ("v", "b", 50, 60, 1)])
    own = [("v", "a", 0, 5, 0.9), ("v", "a", 0, 5, 0.8), ("v", "a", 0, 1, 0.7)]
    other = [("v", "b", 0, 5, 0.9), ("v", "b", 0, 1, 0.7)]
    results = instances(own + other)
    kinds = classify_detections(match(ground_truth, results, (0.5,)))
    expected = ["true positive", "double detection", "localisation error", "wrong label", "confusion"]
    assert [KINDS[kind] for kind in kinds[0]] == expected


def test_detections_that_hit_ground_truth_outside_the_part_are_neither_hits_nor_misses():
    ground_truth = instances([("v", "a", 0, 1, 1), ("v", "a", 10, 20, 1)])
    results = instances([("v", "a", 30, 31, 0.9), ("v", "a", 0, 1, 0.8), ("v", "a", 10, 20, 0.7)])
    diagnosis = diagnose(ground_truth, results, bins={"length": Bins((5.0,))})
    length = next(c for c in diagnosis.characteristics if c.name == "length")
    # Recall 1 of an average of 2 truths a class, beside one false positive.
    assert [(part.name, part.actions) for part in length.parts] == [("S", 1), ("L", 1)]
    assert [part.normalised_map for part in length.parts] == [pytest.approx(2 / 3), pytest.approx(2 / 3)]


def test_what_is_found_below_the_ten_best_per_action_is_missed_by_them():
    ground_truth = instances([("v", "a", 0, 1, 1)])
    results = instances([*(("v", "a", 5, 6, 0.9) for _ in range(10)), ("v", "a", 0, 1, 0.1)])
    whole = diagnose(ground_truth, results).whole
    assert (whole.missed, whole.missed_by_top) == (0, 1)


def test_a_class_whose_ground_truth_was_dropped_counts_nowhere():
    ground_truth = instances([("v", "a", 0, 1, 1), ("v", "b", 4, 5, 1)])
    results = instances([("v", "a", 0, 1, 0.9), ("v", "b", 0, 1, 0.8)])
    diagnosis = diagnose(ground_truth.select_rows(np.array([True, False])), results)
    assert (diagnosis.map, diagnosis.whole.normalised_map, diagnosis.profile[-1].detections) == (1, 1, 1)


def test_no_detections_miss_everything_and_share_nothing():
    diagnosis = diagnose(instances([("v", "a", 0, 1, 1)]), instances([]))
    assert (diagnosis.map, diagnosis.average_map, diagnosis.whole.missed, diagnosis.whole.normalised_map) == (
        0,
        0,
        1,
        0,
    )
    assert {share.detections for share in diagnosis.profile} == {0}
    assert {removal.gain for removal in diagnosis.removals} == {0}


def test_detections_of_classes_that_the_ground_truth_lacks_are_noted():
    ground_truth = instances([("v", "a", 0, 1, 1)], {"v": 9.0})
    diagnosis = diagnose(ground_truth, instances([("v", "x", 0, 1, 1), ("v", "a", 0, 1, 1)]))
    assert diagnosis.notes == ("detections ignored because the annotations lack their class: 1",)
    assert diagnosis.profile[0].detections == 1


@given(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=40))
def test_quintiles_leave_no_bin_empty_and_part_distinct_values_evenly(values):
    bins = Bins.quintiles(np.array(values))
    assert np.bincount(bins.place(np.array(values)), minlength=len(bins.names)).min() > 0
    distinct = np.arange(len(values)).astype(float)
    counts = np.bincount(Bins.quintiles(distinct).place(distinct))
    assert counts.max() - counts.min() <= 1


def test_bins_hold_their_upper_edge_and_are_named_by_their_number():
    bins = THUMOS14_BINS["instances"]
    assert bins.place(np.array([1.0, 2.0, 40.0, 41.0, 80.0, 81.0])).tolist() == [0, 1, 1, 2, 2, 3]
    assert [Bins(edges).names for edges in ((), (1.0,), (1.0, 2.0))] == [("all",), ("S", "L"), ("S", "M", "L")]
    assert bins.names == ("XS", "S", "M", "L")
    assert THUMOS14_BINS["length"].names == ("XS", "S", "M", "L", "XL")


@pytest.mark.parametrize("edges", [(1.0, 1.0), (2.0, 1.0), (1.0, 2.0, 3.0, 4.0, 5.0)])
def test_edges_that_cannot_be_are_refused(edges):
    with pytest.raises(ValueError, match="ascending"):
        Bins(edges)


def test_what_cannot_be_diagnosed_is_refused():
    ground_truth = instances([("v", "a", 0, 1, 1)])
    with pytest.raises(BadInput, match="no action"):
        diagnose(instances([]), ground_truth)
    with pytest.raises(ValueError, match="background"):
        diagnose(ground_truth, ground_truth, tiou=0.1)
    with pytest.raises(ValueError, match="one or more"):
        diagnose(ground_truth, ground_truth, tious=())
    with pytest.raises(ValueError, match="bins of lenght; there are coverage, length"):
        diagnose(ground_truth, ground_truth, bins={"lenght": Bins((1.0,))})


@pytest.fixture(scope="module")
def actionformer(data) -> Diagnosis:
    """A published result on THUMOS'14."""
    ground_truth = read_ground_truth(data / "evaluation/gt/thumos14_actionformer_212.json.gz", "Test")
    results = read_results(data / "evaluation/results/thumos14_actionformer_af669.json.gz")
    return diagnose(ground_truth, results, 0.5, (0.3, 0.4, 0.5, 0.6, 0.7), THUMOS14_BINS)


@pytest.mark.data
def test_the_diagnosis_of_a_published_result_adds_up(actionformer):
    assert actionformer.average_map == pytest.approx(0.6687, abs=2e-4)
    assert [share.detections for share in actionformer.profile[:3]] == [3358, 6716, 10074]
    for share in actionformer.profile:
        assert sum(value or 0 for value in share.shares.values()) == pytest.approx(1)
        assert sum(share.counts.values()) == share.detections
    for characteristic in actionformer.characteristics:
        assert sum(part.actions for part in characteristic.parts) == actionformer.whole.actions == 3358
    hits = actionformer.profile[-1].counts["true positive"]
    assert actionformer.whole.missed_by_top == pytest.approx(1 - hits / 3358)


@pytest.mark.data
def test_a_published_result_gains_by_every_removal_and_most_by_better_ends(actionformer):
    assert all(removal.gain > 0 for removal in actionformer.removals)
    assert max(actionformer.removals, key=lambda removal: removal.gain).kind == "localisation error"
