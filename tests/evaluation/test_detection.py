"""Detection mAP against a plain version and against the official program."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rows import Row, instances
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.protocols import ACTIVITYNET, THUMOS14, DetectionProtocol
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput


def slowly(ground_truth: list[Row], results: list[Row], label: str, threshold: float) -> float:
    """AP of one class, from the description of the official program."""
    ground_truth = [row for row in ground_truth if row[1] == label]
    ranked = sorted((row for row in results if row[1] == label), key=lambda row: -row[4])
    taken, hits = set(), []
    for detection in ranked:
        # Highest overlap first; of equal overlaps the later truth.
        candidates = [(overlap(detection, row), i) for i, row in enumerate(ground_truth) if row[0] == detection[0]]
        free = [i for o, i in sorted(candidates, reverse=True) if o >= threshold and i not in taken]
        hits.append(bool(free))
        taken.update(free[:1])
    precision = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits))]
    return sum(max(precision[n:]) for n, hit in enumerate(hits) if hit) / len(ground_truth)


def overlap(a: Row, b: Row) -> float:
    shared = max(min(a[3], b[3]) - max(a[2], b[2]), 0)
    union = (a[3] - a[2]) + (b[3] - b[2]) - shared
    return math.inf if union == 0 else shared / union


def rows(labels: str, least: int, scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal, reversed and empty segments are common."""
    seconds = st.integers(0, 6).map(float)
    row = st.tuples(st.sampled_from("vw"), st.sampled_from(labels), seconds, seconds, scores)
    return st.lists(row, min_size=least, max_size=14)


ground_truths = rows("ab", 1, st.just(1.0))
detections = rows("abx", 0, st.integers(0, 4).map(float))


@settings(max_examples=200, deadline=None)
@given(ground_truths, detections)
def test_every_ap_is_that_of_the_plain_version(ground_truth, results):
    protocol = DetectionProtocol(name="some", tious=(0.25, 0.5, 0.75, 1.0))
    scores = compute_detection_scores(instances(ground_truth), instances(results), protocol)
    assert set(scores.per_class) == {row[1] for row in ground_truth}
    for label, precisions in scores.per_class.items():
        assert precisions == pytest.approx(
            [slowly(ground_truth, results, label, t) for t in protocol.tious], abs=1e-12
        )
    assert scores.map == pytest.approx(np.mean(list(scores.per_class.values()), axis=0))
    assert scores.average_map == pytest.approx(np.mean(scores.map))


@settings(deadline=None)
@given(ground_truths)
def test_the_ground_truth_itself_scores_1(ground_truth):
    ground_truth = [row for row in ground_truth if row[2] <= row[3]] or [("v", "a", 0.0, 1.0, 1.0)]
    assert compute_detection_scores(instances(ground_truth), instances(ground_truth)).average_map == 1


@settings(deadline=None)
@given(ground_truths, detections, st.randoms(use_true_random=False))
def test_neither_the_scale_of_scores_nor_the_order_of_the_file_matters(ground_truth, results, random):
    results = [(*row[:4], row[4] + n / 100) for n, row in enumerate(results)]  # no two scores are equal
    moved = [(*row[:4], math.exp(row[4]) - 9) for row in results]
    random.shuffle(moved)
    before, after = (compute_detection_scores(instances(ground_truth), instances(r)) for r in (results, moved))
    assert before.per_class == after.per_class


def ap(ground_truth: list[Row], results: list[Row], tiou: float = 0.5) -> float:
    """Mean AP at one threshold."""
    protocol = DetectionProtocol(name="one", tious=(tiou,))
    return compute_detection_scores(instances(ground_truth), instances(results), protocol).average_map


def test_a_detection_falls_through_to_the_next_best_free_action():
    ground_truth = [("v", "a", 0, 10, 1), ("v", "a", 0, 8, 1)]
    assert ap(ground_truth, [("v", "a", 0, 10, 0.9), ("v", "a", 0, 10, 0.8)]) == 1
    assert ap(ground_truth, [("v", "a", 0, 10, 0.9), ("v", "a", 0, 10, 0.8)], tiou=0.9) == 0.5


def test_of_two_equal_overlaps_the_later_action_is_taken():
    first, second = ("v", "a", 0, 4, 1), ("v", "a", 4, 8, 1)
    results = [("v", "a", 2, 6, 0.9), ("v", "a", 0, 4, 0.8)]
    assert ap([first, second], results, tiou=0.3) == 1
    assert ap([second, first], results, tiou=0.3) == 0.5


def test_an_overlap_of_exactly_the_threshold_is_a_hit():
    assert ap([("v", "a", 0, 10, 1)], [("v", "a", 0, 5, 1)]) == 1


def test_precision_is_made_monotone_over_all_points():
    ground_truth = [("v", "a", t, t + 1, 1) for t in (0, 10, 20)]
    results = [("v", "a", t, t + 1, -t) for t in (0, 5, 10)]
    assert ap(ground_truth, results) == pytest.approx((1 + 2 / 3) / 3)


def test_a_second_detection_of_one_action_is_a_false_positive():
    ground_truth = [("v", "a", 0, 1, 1), ("v", "a", 5, 6, 1)]
    assert ap(ground_truth, [("v", "a", 0, 1, 3), ("v", "a", 0, 1, 2), ("v", "a", 5, 6, 1)]) == pytest.approx(
        (1 + 2 / 3) / 2
    )


def test_of_equal_scores_the_earlier_in_the_file_is_first():
    hit, miss = ("v", "a", 0, 1, 0.5), ("v", "a", 7, 8, 0.5)
    assert (ap([hit], [hit, miss]), ap([hit], [miss, hit])) == (1, 0.5)


def test_a_zero_length_action_is_hit_by_its_equal_and_by_a_reversed_segment_as_long_as_its_action():
    flat = ("v", "a", 3, 3, 1)
    assert ap([flat], [flat]) == 1
    assert ap([("v", "a", 2, 4, 1)], [("v", "a", 5, 3, 1)]) == 1
    scores = compute_detection_scores(instances([flat, ("v", "a", 0, 1, 1)]), instances([flat]))
    assert [note for note in scores.notes if "without length" in note] == [
        "annotated segments without length or reversed, counted; the same detected is a hit: 1",
        "detected segments without length or reversed, counted: 1",
    ]


def test_what_the_files_hold_beside_the_ordinary_is_counted_and_noted():
    ground_truth = [("v", "a", 0, 1, 1), ("v", "a", 0, 1, 1), ("v", "b", 0, 1, 1)]
    results = [("v", "a", 0, 1, 0.5), ("w", "a", 0, 1, 0.5), ("v", "x", 0, 1, 0.5)]
    scores = compute_detection_scores(instances(ground_truth), instances(results))
    assert scores.counts == {"videos": 1, "classes": 2, "truth": 3, "detections": 2, "ignored": 1}
    assert scores.notes == [
        "detections ignored because the annotations lack their class (x): 1",
        "detections in videos outside the annotations, false positives: 1",
        "classes without a detection, AP 0: 1",
        "annotated segments that repeat another, counted: 1",
        "detections that tie in score with the one before, ranked as in the file: 1",
    ]
    assert scores.per_class == {"a": [0.5] * 10, "b": [0.0] * 10}


def test_annotated_videos_without_any_detection_are_noted_since_a_subset_may_have_been_meant():
    ground_truth = instances([("v", "a", 0, 1, 1), ("w", "a", 0, 1, 1), ("x", "a", 0, 1, 1)])
    notes = compute_detection_scores(ground_truth, instances([("v", "a", 0, 1, 1)])).notes
    assert notes == ["annotated videos without a detection, all missed (was a subset meant?): 2"]


def test_ordinary_files_need_no_note():
    assert compute_detection_scores(instances([("v", "a", 0, 1, 1)]), instances([("v", "a", 0, 2, 1)])).notes == []


def test_no_detections_score_0_and_an_empty_ground_truth_is_refused():
    assert ap([("v", "a", 0, 1, 1)], []) == 0
    with pytest.raises(BadInput, match="hold no action"):
        compute_detection_scores(instances([]), instances([]))


def test_the_scores_are_json_with_these_keys():
    ground_truth = replace(instances([("v", "a", 0, 1, 1)]), subset="validation")
    value = json.loads(json.dumps(compute_detection_scores(ground_truth, ground_truth).to_json()))
    assert list(value) == ["protocol", "subset", "tious", "map", "average_map", "per_class", "counts", "notes"]
    assert (value["protocol"], value["subset"], value["per_class"]) == ("activitynet", "validation", {"a": [1] * 10})


def test_the_named_thresholds_are_those_of_the_official_program():
    assert list(ACTIVITYNET.tious) == np.linspace(0.5, 0.95, 10).tolist()
    assert list(THUMOS14.tious) == np.linspace(0.3, 0.7, 5).tolist()


@pytest.mark.parametrize("tious", [(), (0.0,), (0.5, 1.1), (math.nan,)])
def test_thresholds_that_cannot_be_are_refused(tious):
    with pytest.raises(ValueError, match="thresholds"):
        DetectionProtocol(name="some", tious=tious)


def test_evaluation_and_suppression_need_no_torch():
    code = (
        "import sys, untrimmed.models.suppression, untrimmed.evaluation.detection; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.data
@pytest.mark.parametrize("name", ["anet12_autoloc_seconds", "thumos14_af669"])
def test_published_results_score_what_the_official_program_gives(data, name):
    expected, scores = golden(data / "evaluation", name)
    assert (scores.counts["truth"], scores.counts["detections"]) == (expected["n_gt"], expected["n_pred"])
    assert scores.map == pytest.approx(expected["mAP"], abs=1e-9)
    assert scores.average_map == pytest.approx(expected["average_mAP"], abs=1e-9)
    assert scores.per_class.keys() == expected["per_class_AP"].keys()
    for label, precisions in expected["per_class_AP"].items():
        assert scores.per_class[label] == pytest.approx(precisions, abs=1e-9), label


@pytest.mark.data
def test_results_with_many_equal_scores_score_what_the_official_program_gives_in_file_order(data):
    expected, scores = golden(data / "evaluation", "thumos14_scnn_iou0.5")
    spread = json.loads((data / "evaluation/expected/thumos14_scnn_iou0.5.tie_spread.json").read_text())
    assert scores.map == pytest.approx(spread["stable_desc"], abs=1e-9)
    assert (np.abs(np.subtract(scores.map, expected["mAP"])) <= spread["max_minus_min"]).all()


def golden(folder: Path, name: str):
    """What the official program gave, and what we give for the same files."""
    expected = json.loads((folder / f"expected/{name}.det_anet.json").read_text())
    ground_truth, results = (
        read_ground_truth(folder / expected["gt"], expected["subset"]),
        read_results(folder / expected["pred"]),
    )
    return expected, compute_detection_scores(
        ground_truth, results, replace(ACTIVITYNET, tious=tuple(expected["tiou_thresholds"]))
    )


def test_a_notebook_shows_a_table_of_the_classes():
    rows = instances([("v", "a <b>", 1, 3, 1)])
    page = compute_detection_scores(rows, rows)._repr_html_()
    lines = re.findall("<tr>(.*?)</tr>", page)
    assert len(lines) == 3 and "a &lt;b&gt;" in lines[1] and lines[2].count("<td>100.0</td>") == 11
