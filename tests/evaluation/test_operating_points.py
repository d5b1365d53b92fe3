"""Operating points, calibration and confusion against plain versions written from their definitions."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rows import Row, instances
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.operating_points import (
    PRECISIONS,
    Curve,
    Point,
    build_curve,
    count_confusions,
    find_operating_points,
    measure_calibration,
    measure_reliability,
)
from untrimmed.evaluation.protocols import ACTIVITYNET
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput


def rows(labels: str, least: int, scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal scores and segments are common."""
    row = st.tuples(st.sampled_from("vw"), st.sampled_from(labels), st.integers(0, 8), st.integers(1, 8), scores)
    return st.lists(row.map(lambda r: (*r[:2], float(r[2]), float(r[2] + r[3]), r[4])), min_size=least, max_size=14)


ground_truths = rows("abc", 1, st.just(1.0))
detections = rows("abcx", 0, st.integers(0, 5).map(lambda n: n / 5))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Truth, and detections of which many are near some of it."""
    ground_truth = draw(ground_truths)
    step, score = st.integers(-1, 1).map(float), st.integers(0, 5).map(lambda n: n / 5)
    near = st.tuples(st.sampled_from(ground_truth), step, step, score).map(
        lambda n: (*n[0][:2], n[0][2] + n[1], n[0][3] + n[2], n[3])
    )
    outcome = draw(st.lists(near, max_size=12)) + draw(detections)
    return ground_truth, draw(st.permutations(outcome))


flags = st.lists(st.tuples(st.integers(0, 10).map(lambda n: n / 10), st.booleans()), min_size=1, max_size=40)


def overlap(a: Row, b: Row) -> float:
    shared = max(min(a[3], b[3]) - max(a[2], b[2]), 0)
    union = (a[3] - a[2]) + (b[3] - b[2]) - shared
    return 0.0 if a[0] != b[0] else math.inf if union == 0 else shared / union


def ranked(ground_truth: list[Row], results: list[Row]) -> list[int]:
    known = [n for n, row in enumerate(results) if row[1] in {t[1] for t in ground_truth}]
    return sorted(known, key=lambda n: -results[n][4])


def take(ground_truth: list[Row], detection: Row, taken: set[int], threshold: float, same: bool) -> int | None:
    """The free truth that a detection overlaps most, of its own label or of another."""
    near = [(overlap(detection, t), m) for m, t in enumerate(ground_truth) if (t[1] == detection[1]) == same]
    free = [pair for pair in near if pair[0] >= threshold and pair[1] not in taken]
    return max(free)[1] if free else None


def hits_slowly(ground_truth: list[Row], results: list[Row], threshold: float) -> dict[int, int | None]:
    taken: dict[int, int | None] = {}
    for n in ranked(ground_truth, results):
        taken[n] = take(ground_truth, results[n], {m for m in taken.values() if m is not None}, threshold, True)
    return taken


def point_slowly(scored: list[tuple[float, bool]], floor: float, ground_truths: int) -> Point:
    """What keeping a score of `floor` or more gives."""
    kept = [hit for score, hit in scored if score >= floor]
    precision, recall = sum(kept) / len(kept), sum(kept) / ground_truths
    f1 = 2 * sum(kept) / (len(kept) + ground_truths)
    return Point(floor, precision, recall, f1)


def same(point: Point | None, other: Point | None) -> bool:
    if point is None or other is None:
        return point is other
    return all(
        math.isclose(getattr(point, name), getattr(other, name), abs_tol=1e-12)
        for name in ("score", "precision", "recall", "f1")
    )


@given(cases())
def test_curves_and_their_points_are_those_of_the_plain_version(case):
    ground_truth, results = case
    outcome = find_operating_points(instances(ground_truth), instances(results), 0.5)
    hits = hits_slowly(ground_truth, results, 0.5)
    assert set(outcome.classes) == {row[1] for row in ground_truth}
    for label, line in [*outcome.classes.items(), (None, outcome.pooled)]:
        count = sum(label in (None, row[1]) for row in ground_truth)
        scored = [(results[n][4], hit is not None) for n, hit in hits.items() if label in (None, results[n][1])]
        floors = sorted({score for score, _ in scored}, reverse=True)
        points = [point_slowly(scored, floor, count) for floor in floors]
        assert line.actions == count
        assert len(line.score) == len(points)
        assert all(same(line.point(n), point) for n, point in enumerate(points))
        best = max(points, key=lambda point: round(point.f1, 12), default=None)  # of equals the first, highest score
        assert same(line.find_best(), best if best and best.f1 else None)
        for precision in (0.5, 0.9):
            reached = [p for p in points if p.precision >= precision - 1e-12]
            assert same(line.find_reaching(precision), reached[-1] if reached else None)


@given(cases(), st.sampled_from([0.0, 0.4, 0.8, 2.0]))
def test_the_confusion_is_that_of_the_plain_version(case, floor):
    ground_truth, results = case
    outcome = count_confusions(instances(ground_truth), instances(results), floor, 0.5)
    given_to = {n: m for n, m in hits_slowly(ground_truth, results, 0.5).items() if results[n][4] >= floor}
    for n in given_to:
        if given_to[n] is None:
            taken = {m for m in given_to.values() if m is not None}
            given_to[n] = take(ground_truth, results[n], taken, 0.5, False)
    labels = sorted({row[1] for row in ground_truth})
    counts = np.zeros((len(labels) + 1, len(labels) + 1), int)
    for n, m in given_to.items():
        counts[-1 if m is None else labels.index(ground_truth[m][1]), labels.index(results[n][1])] += 1
    for m in set(range(len(ground_truth))) - set(given_to.values()):
        counts[labels.index(ground_truth[m][1]), -1] += 1
    assert outcome.labels == tuple(labels)
    assert outcome.counts.tolist() == counts.tolist()


@given(cases())
def test_the_confusion_counts_every_action_and_detection_once_and_hits_on_the_diagonal(case):
    ground_truth, results = case
    counts = count_confusions(instances(ground_truth), instances(results), 0.4).counts
    labels = sorted({row[1] for row in ground_truth})
    kept = [row for row in results if row[4] >= 0.4]
    assert counts[:-1].sum(axis=1).tolist() == [sum(row[1] == label for row in ground_truth) for label in labels]
    assert counts[:, :-1].sum(axis=0).tolist() == [sum(row[1] == label for row in kept) for label in labels]
    hits = [hit for hit in hits_slowly(ground_truth, kept, 0.5).values() if hit is not None]
    assert counts.diagonal().sum() == len(hits)


def test_a_misnamed_detection_and_one_of_nothing_stand_where_they_belong():
    ground_truth = [("v", "a", 0, 10, 1), ("v", "b", 20, 30, 1), ("v", "b", 50, 60, 1)]
    results = [("v", "b", 0, 10, 0.9), ("v", "b", 20, 30, 0.8), ("v", "a", 80, 90, 0.7), ("v", "a", 50, 60, 0.1)]
    outcome = count_confusions(instances(ground_truth), instances(results), 0.5)
    assert outcome.counts.tolist() == [[0, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_a_misnamed_detection_is_given_the_action_that_it_overlaps_most():
    ground_truth = [("v", "a", 0.0, 10.0, 1.0), ("v", "b", 0.0, 6.0, 1.0), ("w", "c", 0.0, 1.0, 1.0)]
    counts = count_confusions(instances(ground_truth), instances([("v", "c", 0.0, 9.0, 0.9)]), 0.5).counts
    assert counts[:, 2].tolist() == [1, 0, 0, 0]


@given(flags, st.integers(1, 6))
def test_calibration_is_that_of_the_plain_version(scored, bins):
    score, hits = np.array([s for s, _ in scored]), np.array([h for _, h in scored])
    outcome = measure_calibration(score, hits, bins)
    expected = largest = 0.0
    assert len(outcome.bins) == bins
    for n, part in enumerate(outcome.bins):
        # A score on an edge belongs to the bin below, and 0 to the first.
        inside = [pair for pair in scored if n / bins < pair[0] <= (n + 1) / bins or (n == 0 and pair[0] == 0)]
        assert (part.above, part.upto) == (n / bins, (n + 1) / bins)
        assert part.count == len(inside)
        if not inside:
            assert (part.score, part.precision) == (None, None)
            continue
        mean, precision = (sum(pair[i] for pair in inside) / len(inside) for i in (0, 1))
        assert (part.score, part.precision) == pytest.approx((mean, precision))
        expected += abs(mean - precision) * len(inside) / len(scored)
        largest = max(largest, abs(mean - precision))
    assert (outcome.expected_error, outcome.largest_error) == pytest.approx((expected, largest), abs=1e-12)


@given(flags, st.integers(1, 6))
def test_bins_of_equal_mass_hold_as_many_detections_unless_scores_are_equal(scored, bins):
    score, hits = np.array([s for s, _ in scored]), np.array([h for _, h in scored])
    outcome = measure_calibration(score, hits, bins, equal_mass=True)
    assert sum(part.count for part in outcome.bins) == len(scored)
    assert all(part.count for part in outcome.bins)
    for n, part in enumerate(outcome.bins):
        inside = [s for s in score if part.above < s <= part.upto or (n == 0 and s == 0)]
        assert part.count == len(inside)
    distinct = np.arange(len(scored)) / len(scored)
    counts = [part.count for part in measure_calibration(distinct, hits, bins, equal_mass=True).bins]
    assert max(counts) - min(counts) <= 1


def test_scores_that_are_their_own_share_of_hits_have_no_error():
    score = np.repeat([0.25, 0.5, 0.75], 4)
    hits = np.array([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0], bool)
    assert measure_calibration(score, hits).expected_error == 0
    assert measure_calibration(score, ~hits).largest_error == 0.5


def test_the_largest_gap_is_of_bins_that_hold_enough_and_has_an_interval():
    score = np.concatenate([np.full(40, 0.85), np.full(3, 0.15)])
    hits = np.concatenate([np.arange(40) < 30, np.ones(3, bool)])
    outcome = measure_calibration(score, hits, 10)
    worst = outcome.find_largest()
    assert (worst.count, worst.gap) == (40, pytest.approx(0.1)) and outcome.largest_error == pytest.approx(0.85)
    assert outcome.find_largest(50) is None
    # Wilson's interval of 30 in 40, as in any table of it.
    assert worst.interval == pytest.approx((0.5981, 0.8581), abs=1e-4)
    content = outcome.to_json()
    assert content["largest_error_of_30_or_more"] == pytest.approx(0.1)
    assert content["bins"][8]["interval"] == list(worst.interval) and content["bins"][5]["interval"] == [0, 1]


def test_reliability_is_of_what_is_judged_at_one_tiou_whatever_the_protocol():
    ground_truth = replace(instances([("v", "a", 0.0, 10.0, 1.0)]), annotated={"v": ((0.0, 50.0),)})
    results = instances([("v", "a", 0, 10, 0.95), ("v", "a", 20, 30, 0.85), ("v", "a", 60, 70, 0.75)])
    for protocol in (ACTIVITYNET, replace(ACTIVITYNET, tious=(0.7,))):
        outcome = measure_reliability(match_detections(ground_truth, results, protocol))
        assert [part.count for part in outcome.bins] == [0] * 8 + [1, 1]
        assert outcome.expected_error == pytest.approx((0.85 + 0.05) / 2)


def test_many_scores_of_0_share_a_bin_of_some_width():
    bins = measure_calibration(np.array([0.0, 0.0, 0.0, 0.4, 0.8]), np.zeros(5, bool), 3, equal_mass=True).bins
    assert [(part.above, part.upto, part.count) for part in bins] == [(0.0, 0.4, 4), (0.4, 1.0, 1)]


def test_scores_outside_0_to_1_are_not_calibrated_and_the_note_says_so():
    ground_truth = instances([("v", "a", 0, 1, 1)])
    outcome = find_operating_points(ground_truth, instances([("v", "a", 0, 1, 1.5), ("v", "a", 4, 5, 0.5)]))
    assert (outcome.equal_width, outcome.equal_mass) == (None, None)
    assert outcome.notes == ("no calibration: scores outside [0, 1]: 1",)
    assert outcome.pooled.find_best() == Point(1.5, 1, 1, 1)


def test_no_detections_have_no_point_and_no_calibration():
    outcome = find_operating_points(instances([("v", "a", 0, 1, 1)]), instances([]))
    assert (outcome.pooled.find_best(), outcome.pooled.find_reaching(0.5), outcome.equal_width) == (None, None, None)
    assert outcome.notes == ("no calibration: there is no detection of a class of the annotations",)
    curve = outcome.pooled
    assert (curve.actions, len(curve.score), len(curve.precision), len(curve.recall)) == (1, 0, 0, 0)


def test_a_class_without_detections_has_an_empty_curve():
    ground_truth = instances([("v", "a", 0, 1, 1), ("v", "b", 0, 1, 1)])
    outcome = find_operating_points(ground_truth, instances([("v", "a", 0, 1, 0.5)]))
    assert outcome.classes["b"].find_best() is None
    assert len(outcome.classes["b"].score) == 0
    assert outcome.pooled.find_best() == Point(0.5, 1, 0.5, 2 / 3)


def test_a_class_whose_ground_truth_was_dropped_has_no_curve():
    ground_truth = instances([("v", "a", 0, 1, 1), ("v", "b", 4, 5, 1)]).select_rows(np.array([True, False]))
    assert list(find_operating_points(ground_truth, ground_truth).classes) == ["a"]


def test_detections_of_equal_score_come_together():
    line = build_curve(np.array([0.5, 0.9, 0.5]), np.array([True, False, True]), 2)
    assert (line.score.tolist(), line.precision.tolist(), line.recall.tolist()) == ([0.9, 0.5], [0, 2 / 3], [0, 1])


def test_the_lowest_threshold_that_reaches_a_precision_is_found_below_worse_ones():
    line = build_curve(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([False, True, True, True, False]), 4)
    assert line.find_reaching(0.7) == Point(0.6, 0.75, 0.75, 0.75)
    assert line.find_reaching(0.8) is None


def distance(x: float, y: float, line: Curve) -> float:
    """From a point to a broken line."""
    points = np.stack([line.recall, line.precision], axis=1)
    if len(points) == 1:
        return math.dist(points[0], (x, y))
    start, step = points[:-1], points[1:] - points[:-1]
    square = (step**2).sum(axis=1)
    along = np.clip(((np.array([x, y]) - start) * step).sum(axis=1) / np.where(square > 0, square, 1), 0, 1)
    return float(np.linalg.norm(start + along[:, None] * step - (x, y), axis=1).min())


@given(st.integers(1, 2000), st.integers(0, 2**32), st.sampled_from([1e-3, 0.02]))
def test_a_thinned_curve_stays_where_it_was(count, seed, tolerance):
    random = np.random.default_rng(seed)
    line = build_curve(random.random(count), random.random(count) < 0.4, count)
    thin = line.thin(tolerance)
    assert (thin.score[0], thin.score[-1]) == (line.score[0], line.score[-1])
    assert set(zip(thin.recall, thin.precision, strict=True)) <= set(zip(line.recall, line.precision, strict=True))
    for n in random.integers(0, count, 50):
        assert distance(line.recall[n], line.precision[n], thin) <= tolerance + 1e-9


def test_a_long_curve_thins_to_a_few_points():
    score = np.linspace(1, 0, 100_000)
    line = build_curve(score, np.arange(100_000) % 2 == 0, 50_000)
    assert len(line.thin().score) < 1000


def test_an_empty_ground_truth_is_refused():
    with pytest.raises(BadInput, match="no action"):
        find_operating_points(instances([]), instances([]))
    with pytest.raises(BadInput, match="no action"):
        count_confusions(instances([]), instances([]), 0.5)


@pytest.mark.data
def test_the_operating_points_of_a_published_result(data):
    ground_truth = read_ground_truth(data / "evaluation/gt/thumos14_actionformer_212.json.gz", "Test")
    results = read_results(data / "evaluation/results/thumos14_actionformer_af669.json.gz")
    outcome = find_operating_points(ground_truth, results)
    best = outcome.pooled.find_best()
    assert best is not None
    reached = map(outcome.pooled.find_reaching, PRECISIONS)
    assert best.f1 > max(point.f1 for point in reached if point)
    for calibrated in (outcome.equal_width, outcome.equal_mass):
        assert calibrated is not None
        assert sum(part.count for part in calibrated.bins) == len(results)
    assert len(outcome.equal_mass.bins) == 15
    counts = count_confusions(ground_truth, results, best.score).counts
    assert counts[:-1].sum() == len(ground_truth)
    assert counts.diagonal().sum() == round(best.recall * len(ground_truth))
