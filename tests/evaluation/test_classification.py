"""Labels of whole videos: AP and hits against a plain version of the official program."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.evaluation.classification import (
    ACTIVITYNET_CLASSIFICATION,
    BEST_OF_DETECTIONS,
    ClassificationProtocol,
    ClassificationScores,
    compute_classification_scores,
)
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput

Row = tuple[str, str, float]  # video, label, score


def instances(rows: list[Row], videos: str = "") -> Instances:
    """Instances of rows, all of them segments without length, as those of tags."""
    names, labels = sorted({row[0] for row in rows} | set(videos)), sorted({row[1] for row in rows})
    video = np.array([names.index(row[0]) for row in rows], np.int64)
    label = np.array([labels.index(row[1]) for row in rows], np.int64)
    score = np.array([row[2] for row in rows], float)
    return Instances(tuple(names), tuple(labels), video, label, np.zeros(len(rows)), np.zeros(len(rows)), score)


def once(rows: list[Row]) -> list[Row]:
    """The rows, best first, without those that repeat a label of their video."""
    seen = set()
    return [row for row in rows if row[:2] not in seen and not seen.add(row[:2])]


def slowly_ap(ground_truth: list[Row], ranked: list[Row], label: str) -> float:
    """AP of one class, from the description."""
    videos = {row[0] for row in ground_truth if row[1] == label}
    free, hits = set(videos), []
    for video, predicted, _ in ranked:
        if predicted == label:
            hits.append(video in free)
            free.discard(video)
    precision = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits))]
    return sum(max(precision[n:]) for n, hit in enumerate(hits) if hit) / len(videos)


def slowly_hit(ground_truth: list[Row], ranked: list[Row], count: int) -> list[float]:
    """Share of its labels among the best predictions of each video, from the description."""
    shares = []
    for video in sorted({row[0] for row in ground_truth}):
        best = [row[1] for row in ranked if row[0] == video][:count]
        labels = {row[1] for row in ground_truth if row[0] == video}
        shares.append(sum(label in best for label in labels) / len(labels))
    return shares


def rows(videos: str, labels: str, least: int) -> st.SearchStrategy[list[Row]]:
    """Rows of few different values, so that repeated ones and equal scores are common."""
    row = st.tuples(st.sampled_from(videos), st.sampled_from(labels), st.integers(0, 4).map(float))
    return st.lists(row, min_size=least, max_size=14)


@settings(max_examples=150)
@given(rows("uvw", "abc", 1), rows("vwx", "abcx", 0), st.booleans())
def test_ap_and_hits_are_those_of_the_plain_version(ground_truth, results, best):
    protocol = BEST_OF_DETECTIONS if best else ACTIVITYNET_CLASSIFICATION
    scores = compute_classification_scores(
        instances(ground_truth), instances(results), replace(protocol, top=(1, 2, 3))
    )
    known = {row[1] for row in ground_truth}
    ranked = sorted((row for row in results if row[1] in known), key=lambda row: -row[2])
    ranked = once(ranked) if best else ranked
    assert scores.per_class == pytest.approx({label: slowly_ap(ground_truth, ranked, label) for label in known})
    assert scores.map == pytest.approx(np.mean(list(scores.per_class.values())))
    for count in (1, 2, 3):
        shares = slowly_hit(ground_truth, ranked, count)
        assert scores.hit_at[str(count)] == pytest.approx(np.mean(shares))
        assert scores.any_hit_at[str(count)] == pytest.approx(np.mean([share > 0 for share in shares]))


@given(rows("uvw", "abc", 1))
def test_the_labels_of_the_ground_truth_themselves_score_1(ground_truth):
    assert (
        compute_classification_scores(instances(ground_truth), instances(ground_truth), BEST_OF_DETECTIONS).map == 1
    )


@given(rows("uvw", "abc", 1), rows("vwx", "abcx", 0), st.randoms(use_true_random=False))
def test_neither_the_scale_of_scores_nor_the_order_of_the_file_matters(ground_truth, results, random):
    results = [(*row[:2], row[2] + n / 100) for n, row in enumerate(results)]  # no two scores are equal
    moved = [(*row[:2], math.exp(row[2])) for row in results]
    random.shuffle(moved)
    before, after = (
        compute_classification_scores(instances(ground_truth), instances(side)) for side in (results, moved)
    )
    assert (before.per_class, before.hit_at) == (after.per_class, after.hit_at)


def judged(ground_truth: str, results: str, protocol: ClassificationProtocol = ACTIVITYNET_CLASSIFICATION):
    """Scores of words like `va`, a video and its label; results best first."""
    predictions = [(word[0], word[1], float(-place)) for place, word in enumerate(results.split())]
    return compute_classification_scores(
        instances([(w[0], w[1], 1.0) for w in ground_truth.split()]), instances(predictions), protocol
    )


def test_a_label_annotated_many_times_counts_once():
    scores = judged("va va va", "va")
    assert (scores.map, scores.counts["truth"]) == (1, 1)


def test_a_repeated_label_is_a_false_positive_unless_the_best_score_alone_counts():
    scores = judged("va wa", "va va wa")
    assert scores.map == pytest.approx((1 + 2 / 3) / 2)
    assert scores.notes == ["predictions that repeat a label of their video, false positives: 1"]
    best = judged("va wa", "va va wa", BEST_OF_DETECTIONS)
    assert (best.map, best.counts["predictions"], best.counts["ignored"]) == (1, 2, 1)
    assert best.notes == ["predictions that repeat a label of their video, left out for the best of them: 1"]


def test_a_repeated_label_takes_a_place_among_the_best_unless_the_best_score_alone_counts():
    assert judged("va vb", "va va vb", replace(ACTIVITYNET_CLASSIFICATION, top=(2,))).hit_at == {"2": 0.5}
    assert judged("va vb", "va va vb", replace(BEST_OF_DETECTIONS, top=(2,))).hit_at == {"2": 1.0}


def test_hits_are_shares_of_the_labels_of_a_video_and_any_of_them():
    scores = judged("va vb wa", "va wc wa vb ub", replace(ACTIVITYNET_CLASSIFICATION, top=(1, 2)))
    assert (scores.hit_at, scores.any_hit_at) == ({"1": 0.75, "2": 1.0}, {"1": 1.0, "2": 1.0})
    scores = judged("va wb", "va vb wa wb")
    assert (scores.hit_at, scores.any_hit_at) == ({"1": 0.5, "3": 1.0}, {"1": 0.5, "3": 1.0})
    scores = judged("va vb vc", "vb", replace(ACTIVITYNET_CLASSIFICATION, top=(1,)))
    assert (scores.hit_at["1"], scores.any_hit_at["1"]) == (pytest.approx(1 / 3), 1)


def test_a_prediction_of_a_class_that_the_ground_truth_lacks_takes_no_place():
    scores = judged("va", "vx vy va", replace(ACTIVITYNET_CLASSIFICATION, top=(1,)))
    assert (scores.map, scores.hit_at) == (1, {"1": 1.0})
    assert scores.counts == {"videos": 1, "classes": 1, "truth": 1, "predictions": 1, "ignored": 2}
    assert scores.notes == ["predictions ignored because the annotations lack their class (x, y): 2"]


def test_what_is_missing_or_outside_is_counted_and_noted():
    scores = judged("va wb ua", "xa va")
    assert scores.per_class == {"a": pytest.approx(0.25), "b": 0}
    assert scores.hit_at == {"1": pytest.approx(1 / 3), "3": pytest.approx(1 / 3)}
    assert scores.notes == [
        "classes without a prediction, AP 0: 1",
        "annotated videos without a prediction, no hit: 2",
        "predictions in videos outside the annotations, false positives: 1",
    ]


def test_of_equal_scores_the_earlier_in_the_file_is_first():
    def scores(*predictions: str) -> ClassificationScores:
        return compute_classification_scores(
            instances([("v", "a", 1)]), instances([(w[0], w[1], 0.5) for w in predictions])
        )

    assert (scores("va", "wa").map, scores("wa", "va").map) == (1, 0.5)
    assert (
        scores("va", "wa").notes[-1] == "predictions that tie in score with the one before, ranked as in the file: 1"
    )


def test_an_annotated_video_without_labels_is_not_judged():
    ground_truth = instances([("v", "a", 1.0)], videos="uvw")
    scores = compute_classification_scores(ground_truth, instances([("v", "a", 1.0)]))
    assert (scores.counts["videos"], scores.hit_at["1"]) == (1, 1)


def test_a_class_whose_rows_were_all_left_out_is_unknown():
    ground_truth = instances([("v", "a", 1.0), ("v", "b", 1.0)])
    scores = compute_classification_scores(ground_truth.select_rows(np.array([True, False])), ground_truth)
    assert (list(scores.per_class), scores.counts["ignored"]) == (["a"], 1)


def test_no_predictions_score_0_and_an_empty_ground_truth_is_refused():
    scores = judged("va", "")
    assert (scores.map, scores.hit_at, scores.any_hit_at) == (0, {"1": 0, "3": 0}, {"1": 0, "3": 0})
    with pytest.raises(BadInput, match="hold no label"):
        judged("", "va")


def test_ordinary_files_need_no_note():
    assert judged("va wb", "va wb vb").notes == []
    ground_truth = instances([("v", "a", 1.0), ("w", "b", 1.0)])  # equal scores of different classes are no tie
    assert compute_classification_scores(ground_truth, ground_truth).notes == []


def test_the_scores_are_json_with_these_keys():
    ground_truth = replace(instances([("v", "a", 1.0)]), subset="validation")
    value = json.loads(json.dumps(compute_classification_scores(ground_truth, ground_truth).to_json()))
    assert list(value) == [
        "protocol", "subset", "map", "per_class", "hit_at", "any_hit_at", "counts", "notes"
    ]  # fmt: skip
    assert (value["protocol"], value["subset"], value["hit_at"]) == (
        "activitynet-classification",
        "validation",
        {"1": 1.0, "3": 1.0},
    )


def test_places_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"top \(0,\)"):
        replace(ACTIVITYNET_CLASSIFICATION, top=(0,))


@pytest.mark.data
def test_the_detections_of_a_published_file_score_what_the_plain_version_gives(data):
    ground_truth = read_ground_truth(data / "evaluation/gt/activity_net.v1-2.min.json.gz", "validation")
    results = read_results(data / "evaluation/results/anet12_autoloc_seconds.json.gz")
    plain = [
        [(rows.videos[v], rows.labels[c], s) for v, c, s in zip(rows.video, rows.label, rows.score, strict=True)]
        for rows in (ground_truth, results)
    ]
    ranked = sorted(plain[1], key=lambda row: -row[2])
    for protocol, kept in ((ACTIVITYNET_CLASSIFICATION, ranked), (BEST_OF_DETECTIONS, once(ranked))):
        scores = compute_classification_scores(ground_truth, results, protocol)
        for label, precision in scores.per_class.items():
            assert precision == pytest.approx(slowly_ap(plain[0], kept, label), abs=1e-12), label
        by_video = [row for row in kept if row[0] in set(ground_truth.videos[:200])]
        few = [row for row in plain[0] if row[0] in set(ground_truth.videos[:200])]
        left = compute_classification_scores(ground_truth.select_rows(ground_truth.video < 200), results, protocol)
        assert left.hit_at["3"] == pytest.approx(np.mean(slowly_hit(few, by_video, 3)))
