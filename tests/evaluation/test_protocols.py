"""Every detection protocol against a slow version from its definition, and against what official programs printed."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rows import Marks, Row, instances
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.protocols import (
    ACTIONFORMER,
    ACTIVITYNET,
    DETECTION_PROTOCOLS,
    OPENTAD,
    THUMOS14_KIT_2014,
    THUMOS14_KIT_2015,
    DetectionProtocol,
)
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput


def by_kit(ground_truth: list[Row], results: list[Row], marks: Marks, label: str, tiou: float, eleven: bool) -> float:
    """AP of one class as the kits of THUMOS'14 say: video by video, truth by truth."""
    ground_truth, results = ([row for row in rows if row[1] == label] for rows in (ground_truth, results))
    flags = []  # score, hit; in the order in which equal scores stay
    for video in sorted({row[0] for row in ground_truth} | {row[0] for row in results}):
        mine = sorted((row for row in results if row[0] == video), key=lambda row: -row[4])
        free = list(range(len(mine)))
        for action in (row for row in ground_truth if row[0] == video):
            overlaps = [overlap(action, mine[i]) for i in free]
            if overlaps and max(overlaps) > tiou:
                del free[overlaps.index(max(overlaps))]
        for i, row in enumerate(mine):
            touched = any(name == video and shared(row, (video, "", *ends)) > 0 for name, *ends in marks)
            if i not in free:
                flags.append((row[4], True))
            elif not touched:
                flags.append((row[4], False))
    if eleven:
        flags.sort(key=lambda flag: not flag[1])
    flags.sort(key=lambda flag: -flag[0])
    hits = np.cumsum([hit for _, hit in flags])
    precision = hits / np.arange(1, len(flags) + 1)
    if not eleven:
        return sum(p for p, (_, hit) in zip(precision, flags, strict=True) if hit) / len(ground_truth)
    recall = hits / len(ground_truth)
    points = [0, 0.1, 0.2, 0.1 * 3, 0.4, 0.5, 0.6, 1 - 0.1 * 3, 0.8, 0.9, 1]
    return sum(max(precision[recall >= point], default=0) for point in points) / 11


def shared(a: tuple, b: tuple) -> float:
    """Seconds that two segments share, each turned round where it is reversed."""
    return min(max(a[2:4]), max(b[2:4])) - max(min(a[2:4]), min(b[2:4]))


def overlap(a: tuple, b: tuple) -> float:
    """Shared seconds over those of the span of both."""
    common = shared(a, b)
    return common / (max(*a[2:4], *b[2:4]) - min(*a[2:4], *b[2:4])) if common > 0 else 0


def cleaned(ground_truth: list[Row], least: float) -> list[Row]:
    """Without what has no length, is shorter, or repeats one that stayed."""
    stay: list[Row] = []
    for row in ground_truth:
        again = any(
            row[:2] == other[:2] and abs(row[2] - other[2]) <= 1e-3 and abs(row[3] - other[3]) <= 1e-3
            for other in stay
        )
        if row[3] > row[2] and row[3] - row[2] >= least and not again:
            stay.append(row)
    return stay


def recall_at(ground_truth: list[Row], results: list[Row], tiou: float, times: int) -> float:
    """The mean over classes of the share of truth that one of the best detections of its class and video overlaps."""
    shares = []
    for label in {row[1] for row in ground_truth}:
        hit = []
        for video in {row[0] for row in ground_truth}:
            mine = [row for row in ground_truth if row[:2] == (video, label)]
            best = sorted((row for row in results if row[:2] == (video, label)), key=lambda row: -row[4])
            best = best[: times * len(mine)]
            hit += [any(overlap(row, other) >= tiou for other in best) for row in mine]
        shares.append(sum(hit) / len(hit))
    return sum(shares) / len(shares)


def rows(labels: str, least: int, scores: st.SearchStrategy[float], most: int = 14) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal, reversed and empty segments are common."""
    seconds = st.one_of(st.integers(0, 6).map(float), st.sampled_from([1.0005, 2.0015, 3.0009]))
    row = st.tuples(st.sampled_from("vw"), st.sampled_from(labels), seconds, seconds, scores)
    return st.lists(row, min_size=least, max_size=most)


def forward(row: Row) -> Row:
    return (*row[:2], min(row[2:4]), max(row[2:4]), row[4])


ground_truths = rows("ab", 1, st.just(1.0))
# Videos come in another order than by name, and one of them has no truth.
detections = st.lists(
    st.tuples(
        st.sampled_from("wvu"),
        st.sampled_from("abx"),
        st.integers(0, 6).map(float),
        st.integers(0, 6).map(float),
        st.integers(0, 3).map(float),
    ),
    max_size=16,
)
stretches = st.lists(
    st.tuples(st.sampled_from("vwu"), st.integers(0, 5).map(float), st.integers(1, 6).map(float)), max_size=2
)
TIOUS = (0.25, 0.5, 0.75, 1.0)


@settings(max_examples=100)
@given(ground_truths, detections, stretches)
@pytest.mark.parametrize("protocol", [THUMOS14_KIT_2015, THUMOS14_KIT_2014], ids=lambda protocol: protocol.name)
def test_every_ap_of_the_kits_is_that_of_the_plain_version(protocol, ground_truth, results, marks):
    scores = compute_detection_scores(
        instances(ground_truth, marks=marks), instances(results), replace(protocol, tious=TIOUS)
    )
    eleven = protocol is THUMOS14_KIT_2014
    for label, precisions in scores.per_class.items():
        plain = [by_kit(ground_truth, results, marks, label, tiou, eleven) for tiou in TIOUS]
        assert precisions == pytest.approx(plain, abs=1e-12)
    assert set(scores.per_class) == {row[1] for row in ground_truth}


@settings(max_examples=100)
@given(ground_truths, detections)
@pytest.mark.parametrize("protocol", [OPENTAD, ACTIONFORMER], ids=lambda protocol: protocol.name)
def test_cleaning_drops_what_the_plain_version_drops(protocol, ground_truth, results):
    left = cleaned(ground_truth, protocol.shortest)
    if not left:
        with pytest.raises(BadInput, match="hold no action"):
            compute_detection_scores(instances(ground_truth), instances(results), protocol)
        return
    scores = compute_detection_scores(instances(ground_truth), instances(results), protocol)
    alike = compute_detection_scores(instances(left), instances(results), replace(ACTIVITYNET, tious=protocol.tious))
    assert scores.per_class == alike.per_class
    assert scores.counts["truth"] == len(left)


@settings(max_examples=100)
@given(ground_truths, detections, st.sampled_from([0.3, 0.5, 0.9]))
def test_recall_at_a_multiple_of_the_ground_truth_is_that_of_the_plain_version(ground_truth, results, tiou):
    ground_truth, results = list(map(forward, ground_truth)), list(map(forward, results))
    # Of equal scores the first of the file counts, in both.
    left = cleaned(ground_truth, 1e-3)
    if left:
        scores = compute_detection_scores(
            instances(ground_truth), instances(results), replace(ACTIONFORMER, tious=(tiou,))
        )
        for times in (1, 5):
            assert scores.recall_at[f"{times}x"] == pytest.approx([recall_at(left, results, tiou, times)])


A_TO_B = [("v", "a", 0.0, 10.0, 1.0)]


def ap(
    protocol: DetectionProtocol, ground_truth: list[Row], results: list[Row], tiou: float = 0.5, marks: Marks = ()
) -> float:
    return compute_detection_scores(
        instances(ground_truth, marks=marks), instances(results), replace(protocol, tious=(tiou,))
    ).average_map


def test_the_kit_lets_a_worse_scored_but_better_placed_detection_hit():
    results = [("v", "a", 0, 7, 0.9), ("v", "a", 0, 10, 0.1)]
    assert ap(ACTIVITYNET, A_TO_B, results) == 1
    assert ap(THUMOS14_KIT_2015, A_TO_B, results) == 0.5


def test_the_kit_wants_more_than_the_threshold():
    assert ap(ACTIVITYNET, A_TO_B, [("v", "a", 0, 5, 1)]) == 1
    assert ap(THUMOS14_KIT_2015, A_TO_B, [("v", "a", 0, 5, 1)]) == 0
    assert ap(THUMOS14_KIT_2015, A_TO_B, [("v", "a", 0, 5.01, 1)]) == 1


def test_a_detection_that_touches_an_ambiguous_mark_is_no_false_positive_in_the_kit():
    results = [("v", "a", 20, 30, 0.9), ("v", "a", 0, 10, 0.8)]
    assert ap(THUMOS14_KIT_2015, A_TO_B, results) == 0.5
    assert ap(THUMOS14_KIT_2015, A_TO_B, results, marks=[("v", 29.9, 40)]) == 1
    assert ap(THUMOS14_KIT_2015, A_TO_B, results, marks=[("v", 30, 40)]) == 0.5
    assert ap(THUMOS14_KIT_2015, A_TO_B, results, marks=[("w", 20, 30)]) == 0.5
    assert ap(ACTIVITYNET, A_TO_B, results, marks=[("v", 20, 30)]) == 0.5


def test_interpolation_raises_ap():
    ground_truth = [("v", "a", t, t + 1, 1) for t in (0, 10, 20)]
    results = [("v", "a", t, t + 1, -t) for t in (0, 5, 10)]  # hit, miss, hit
    assert ap(THUMOS14_KIT_2015, ground_truth, results) == pytest.approx((1 + 2 / 3) / 3)
    assert ap(THUMOS14_KIT_2014, ground_truth, results) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_zero_length_ground_truth_is_hit_missed_or_dropped_as_the_protocol_says():
    flat = ("v", "a", 3.0, 3.0, 1.0)
    ground_truth = [flat, ("v", "a", 5.0, 6.0, 1.0)]
    assert ap(ACTIVITYNET, ground_truth, [flat]) == 0.5
    assert ap(THUMOS14_KIT_2015, ground_truth, [flat]) == 0
    assert ap(OPENTAD, ground_truth, [ground_truth[1]]) == 1
    assert ap(ACTIVITYNET, ground_truth, [ground_truth[1]]) == 0.5


def test_what_cleaning_dropped_is_noted_in_counts():
    ground_truth = [*A_TO_B, ("v", "a", 0.0004, 10, 1), ("v", "a", 2, 2, 1), ("v", "a", 3, 3.0005, 1)]
    notes = compute_detection_scores(instances(ground_truth), instances([]), ACTIONFORMER).notes
    assert notes == [
        "annotated segments without length or reversed, dropped: 1",
        "annotated segments shorter than 0.001 s, dropped: 1",
        "annotated segments that repeat another, dropped: 1",
        "annotated videos without a detection, all missed (was a subset meant?): 1",
        "classes without a detection, AP 0: 1",
    ]


def test_an_unknown_class_is_refused_where_the_protocol_says_so():
    results = [("v", "x", 0, 1, 1)]
    assert ap(ACTIVITYNET, A_TO_B, results) == 0
    with pytest.raises(BadInput, match="class 'x', which the annotations lack"):
        ap(replace(ACTIVITYNET, unknown_classes="refused"), A_TO_B, results)


def test_detections_in_other_videos_are_false_positives_or_ignored_as_the_protocol_says():
    results = [("w", "a", 0, 10, 0.9), ("v", "a", 0, 10, 0.8)]
    assert ap(ACTIVITYNET, A_TO_B, results) == 0.5
    assert ap(replace(ACTIVITYNET, outside="ignored"), A_TO_B, results) == 1


@pytest.mark.parametrize("protocol", DETECTION_PROTOCOLS.values(), ids=lambda protocol: protocol.name)
def test_nothing_detected_scores_0_by_every_protocol_and_the_ground_truth_itself_1(protocol):
    ground_truth = [("v", "a", 0, 10, 1), ("v", "b", 3, 4, 1), ("w", "a", 5, 9, 1)]
    assert ap(protocol, ground_truth, []) == 0
    assert ap(protocol, ground_truth, ground_truth, tiou=0.7) == 1


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("anet12_autoloc_seconds", ACTIVITYNET),
        ("anet12_autoloc_seconds", OPENTAD),
        ("thumos14_af669", ACTIVITYNET),
        ("thumos14_af669", OPENTAD),
        ("thumos14_af669", ACTIONFORMER),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_published_results_score_what_each_python_program_gives(data, name, protocol):
    file = data / f"evaluation/expected/{name}.det_{protocol.name.replace('activitynet', 'anet')}.json"
    expected = json.loads(file.read_text())
    ground_truth = read_ground_truth(data / "evaluation" / expected["gt"], expected["subset"])
    results = read_results(data / "evaluation" / expected["pred"])
    scores = compute_detection_scores(
        ground_truth, results, replace(protocol, tious=tuple(expected["tiou_thresholds"]))
    )
    assert (scores.counts["truth"], scores.counts["detections"]) == (expected["n_gt"], expected["n_pred"])
    assert scores.map == pytest.approx(expected["mAP"], abs=1e-9)
    assert scores.average_map == pytest.approx(expected["average_mAP"], abs=1e-9)
    assert scores.per_class.keys() == expected["per_class_AP"].keys()
    for label, precisions in expected["per_class_AP"].items():
        assert scores.per_class[label] == pytest.approx(precisions, abs=1e-9), label
    if scores.recall_at:
        recall = list(zip(scores.recall_at["1x"], scores.recall_at["5x"], strict=True))
        assert np.array(recall) == pytest.approx(np.array(expected["mRecall_thr_by_k"]), abs=1e-9)


@pytest.mark.data
def test_kit_lines_score_what_matlab_and_octave_gave(data):
    folder = data / "evaluation"
    expected = json.loads((folder / "expected/thumos14_scnn.th14kit_matlab_and_octave.json").read_text())
    place = expected["thresholds"].index(0.5)  # the file holds what was left for this threshold
    ground_truth = read_ground_truth(folder / "gt/TH14_annotation", "test")
    protocol = replace(THUMOS14_KIT_2015, tious=(0.5,))
    for name in ("thumos14_scnn_iou0.5_ids1to20.txt.gz", "thumos14_scnn_iou0.5.json.gz"):
        scores = compute_detection_scores(ground_truth, read_results(folder / "results" / name), protocol)
        assert scores.average_map == pytest.approx(expected["matlab_mAP"][place], abs=1e-9)
        for label, precisions in expected["per_class_AP_matlab"].items():
            assert scores.per_class[label] == pytest.approx([precisions[place]], abs=1e-9), label
    assert math.isclose(scores.average_map, 0.18970081192182267, abs_tol=1e-9)
