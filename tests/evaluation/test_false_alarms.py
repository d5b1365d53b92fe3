"""False alarms per hour against a plain version of the definitions, and intervals against plain resamples."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rows import Row, instances
from untrimmed.detection.card import (
    Card,
    Training,
    VideoCount,
    card_to_json,
    describe_card,
    parse_card,
    select_figures,
)
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.false_alarms import RATES, RECALLS, FalseAlarms, measure_false_alarms
from untrimmed.evaluation.files import Evaluation, evaluate
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.page import write_evaluation
from untrimmed.evaluation.protocols import ACTIVITYNET, THUMOS14
from untrimmed.evaluation.tables import false_alarm_table
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

HOURS = {"v": 1800.0, "w": 5400.0}
Spans = dict[str, list[tuple[float, float]]]


def rows(labels: str, least: int, scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal scores and segments are common."""
    row = st.tuples(st.sampled_from("vw"), st.sampled_from(labels), st.integers(0, 8), st.integers(1, 8), scores)
    return st.lists(row.map(lambda r: (*r[:2], float(r[2]), float(r[2] + r[3]), r[4])), min_size=least, max_size=14)


scores = st.integers(0, 5).map(lambda n: n / 5)
spans = st.none() | st.fixed_dictionaries(
    {"v": st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1])), min_size=1)}
)


def overlap(a: Row, b: Row) -> float:
    shared = max(min(a[3], b[3]) - max(a[2], b[2]), 0)
    return shared / ((a[3] - a[2]) + (b[3] - b[2]) - shared) if a[:2] == b[:2] else 0.0


def judge_slowly(truth: list[Row], results: list[Row], annotated: Spans | None) -> list[tuple[float, str, str]]:
    """Score, label and kind (hit, false, neither) of every detection of a class of the truth, best first."""
    taken: set[int] = set()
    judged = []
    for row in sorted((row for row in results if row[1] in {t[1] for t in truth}), key=lambda row: -row[4]):
        near = [(overlap(row, t), n) for n, t in enumerate(truth) if n not in taken]
        best = max(near, default=(0.0, 0))
        middle = (row[2] + row[3]) / 2
        outside = annotated and row[0] in annotated and not any(a <= middle <= b for a, b in annotated[row[0]])
        kind = "hit" if best[0] >= 0.5 else "neither" if outside else "false"
        if kind == "hit":
            taken.add(best[1])
        judged.append((row[4], row[1], kind))
    return judged


def count_seconds_slowly(annotated: Spans | None) -> float:
    """Every quarter of a second by itself."""
    inside = {v for v in np.arange(0, 20, 0.25) if any(a <= v < b for a, b in (annotated or {}).get("v", []))}
    return HOURS["w"] + (0.25 * len(inside) if annotated else HOURS["v"])


def point_slowly(
    judged: list[tuple[float, str, str]], floor: float, actions: int, hours: float
) -> tuple[float, float, float]:
    alarms = [kind for score, _, kind in judged if score >= floor]
    return floor, alarms.count("hit") / actions, alarms.count("false") / hours


def measure(truth: list[Row], results: list[Row], annotated: Spans | None = None, resamples: int = 0) -> FalseAlarms:
    arrays = {video: np.array(spans, float) for video, spans in annotated.items()} if annotated else None
    matches = match_detections(instances(truth, HOURS, "vw"), instances(results))
    return measure_false_alarms(matches, annotated=arrays, resamples=resamples)


@given(rows("ab", 1, st.just(1.0)), rows("abx", 0, scores), spans)
def test_curves_are_those_of_the_plain_version(truth, results, annotated):
    outcome = measure(truth, results, annotated=annotated)
    judged, hours = judge_slowly(truth, results, annotated), count_seconds_slowly(annotated) / 3600
    assert outcome.hours == pytest.approx(hours)
    assert set(outcome.classes) == {row[1] for row in truth}
    for label, curve in [*outcome.classes.items(), (None, outcome.pooled)]:
        own = [row for row in judged if label in (None, row[1])]
        actions = sum(label in (None, row[1]) for row in truth)
        points = [point_slowly(own, floor, actions, hours) for floor in sorted({row[0] for row in own}, reverse=True)]
        assert np.allclose(
            np.stack([curve.threshold, curve.recall, curve.false_per_hour], 1).reshape(-1), sum(points, ())
        )
        for mark in (*RECALLS, 1.0):
            rates = [rate for _, recall, rate in points if recall >= mark - 1e-9]
            assert curve.rate_at(mark) == pytest.approx(min(rates, default=math.inf))
        for rate in (0.0, 0.5, *RATES, 2000.0):
            reached = [(recall, -floor) for floor, recall, false in points if false <= rate + 1e-9]
            assert curve.recall_at(rate) == pytest.approx(max(reached, default=(0, 0))[0])
            assert curve.threshold_at(rate) == -max(reached, default=(0, -math.inf))[1]


def repeat(rows: list[Row], weights: dict[str, int]) -> list[Row]:
    return [(f"{row[0]}{n}", *row[1:]) for row in rows for n in range(weights[row[0]])]


def test_intervals_are_those_of_videos_repeated_as_they_were_drawn():
    random = np.random.default_rng(7)
    names = [f"n{chr(97 + n)}_" for n in range(24)]
    durations = {name: 900.0 + 60 * n for n, name in enumerate(names)}
    truth = [(name, "a", 10.0 * n, 10.0 * n + 5, 1.0) for name in names for n in range(3)]
    results = [
        (name, "a", 10.0 * n + shift, 10.0 * n + shift + 5, float(random.integers(1, 9)) / 8)
        for name in names
        for n in range(5)
        for shift in random.choice([0.0, 1.0, 4.0], 1)
    ]
    matches = match_detections(instances(truth, durations), instances(results))
    outcome = measure_false_alarms(matches, resamples=40, seed=3, level=0.9)
    draws, rates, recalls = np.random.default_rng(3), [], []
    for _ in range(40):
        counts = np.bincount(draws.integers(0, 24, 24), minlength=24)
        weights = dict(zip(names, counts.tolist(), strict=True))
        lengths = {f"{name}{n}": durations[name] for name in names for n in range(weights[name])}
        again = match_detections(instances(repeat(truth, weights), lengths), instances(repeat(results, weights)))
        drawn = measure_false_alarms(again)
        rates.append([drawn.rate_at(mark) for mark in RECALLS])
        recalls.append([drawn.recall_at(mark) for mark in RATES])
    assert outcome.intervals is not None and outcome.intervals.units == "24 videos"
    for place, mark in enumerate(RECALLS):
        ranked = sorted(row[place] for row in rates)  # of 40 values, 5 % and 95 % are the second and the 38th
        least = -math.log(0.05) / outcome.hours
        assert outcome.intervals.false_per_hour_at_recall[mark] == pytest.approx((ranked[1], max(ranked[37], least)))
    for place, mark in enumerate(RATES):
        ranked = sorted(row[place] for row in recalls)
        assert outcome.intervals.recall_at_false_per_hour[mark] == pytest.approx((ranked[1], ranked[37]))


def long_video() -> tuple[list[Row], list[Row]]:
    """An hour with an action every ten minutes, found, and false alarms in its first ten minutes alone."""
    truth = [("v", "a", 600.0 * n + 30, 600.0 * n + 40, 1.0) for n in range(6)]
    false = [("v", "a", 60.0 + 9 * n, 66.0 + 9 * n, 0.95) for n in range(12)]
    return truth, [*[(*row[:4], 0.9) for row in truth], *false]


def test_one_long_video_is_resampled_by_blocks_of_ten_minutes_and_says_so():
    truth, results = long_video()
    matches = match_detections(instances(truth, {"v": 3600.0}), instances(results))
    outcome = measure_false_alarms(matches, resamples=400)
    assert outcome.rate_at(0.5) == 12
    assert outcome.intervals is not None and outcome.intervals.units == "6 blocks of about 10 minutes"
    low, high = outcome.intervals.false_per_hour_at_recall[0.5]
    # The first block is drawn not at all in (5/6)^6 = 33 % of the resamples, and three times or more in 6 %.
    assert low == 0 and high == 36
    assert any("6 blocks of about 10 minutes" in note for note in outcome.notes)


def test_blocks_are_cut_from_what_is_annotated():
    truth, results = long_video()
    matches = match_detections(instances(truth, {"v": 36000.0}), instances(results))
    outcome = measure_false_alarms(matches, annotated={"v": np.array([[0.0, 1200.0], [1000, 1800]])}, resamples=5)
    assert outcome.hours == 0.5
    assert outcome.intervals is not None and outcome.intervals.units == "3 blocks of about 10 minutes"


def test_a_hit_is_resampled_with_its_action():
    truth = [("v", "a", 590.0, 608.0, 1.0)]
    results = [("v", "a", 592.0, 612.0, 0.9)]  # its middle lies in the next block
    outcome = measure_false_alarms(
        match_detections(instances(truth, {"v": 1200.0}), instances(results)), resamples=99
    )
    assert outcome.intervals is not None
    assert outcome.intervals.recall_at_false_per_hour[1.0] == (1, 1)


def test_where_no_false_alarm_is_seen_there_may_still_be_some():
    truth, _ = long_video()
    matches = match_detections(instances(truth, {"v": 7200.0}), instances([(*row[:4], 0.9) for row in truth]))
    outcome = measure_false_alarms(matches, resamples=20)
    assert outcome.intervals is not None
    assert outcome.intervals.false_per_hour_at_recall[0.9] == pytest.approx((0, 3.689 / 2), abs=1e-3)


def test_one_short_video_has_no_intervals_and_says_so():
    truth = instances([("v", "a", 0.0, 5.0, 1.0)], {"v": 800.0})
    outcome = measure_false_alarms(match_detections(truth, truth), resamples=9)
    assert outcome.intervals is None
    assert "one video of less than 15 minutes" in outcome.notes[0]


def test_what_lies_outside_the_annotated_spans_or_the_videos_is_no_false_alarm_and_said():
    truth = [("v", "a", 10.0, 20.0, 1.0)]
    results = [("v", "a", 500.0, 510.0, 0.9), ("x", "a", 0.0, 5.0, 0.8), ("v", "a", 10.0, 20.0, 0.7)]
    matches = match_detections(instances(truth, {"v": 3600.0}), instances(results))
    assert measure_false_alarms(matches).rate_at(0.5) == 1
    outcome = measure_false_alarms(matches, annotated={"v": np.array([[0.0, 360.0]])})
    assert (outcome.rate_at(0.5), outcome.hours) == (0, 0.1)
    assert [note.rpartition(": ")[2] for note in outcome.notes] == ["1", "1"]


def test_another_tiou_than_the_protocols_is_matched_anew():
    truth, results = [("v", "a", 0.0, 10.0, 1.0)], [("v", "a", 0.0, 3.0, 0.9)]
    for protocol in (ACTIVITYNET, THUMOS14):
        matches = match_detections(instances(truth, {"v": 3600.0}), instances(results), protocol)
        assert measure_false_alarms(matches, 0.25).recall_at(0) == 1
        assert measure_false_alarms(matches).recall_at(0) == 0


def test_the_json_holds_none_where_a_recall_is_not_reached():
    content = measure([("v", "a", 0.0, 10.0, 1.0)], [], resamples=3).to_json()
    assert content["false_per_hour_at_recall"] == {"0.5": None, "0.7": None, "0.9": None}
    assert content["recall_at_false_per_hour"] == {"1": 0, "6": 0, "60": 0}
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_without_lengths_or_in_frames_there_are_no_hours():
    truth = instances([("v", "a", 0.0, 10.0, 1.0)])
    with pytest.raises(BadInput, match="1 of 1 have none in the annotations, such as 'v'"):
        measure_false_alarms(match_detections(truth, truth))
    frames = replace(truth, unit="frames")
    with pytest.raises(BadInput, match="in frames"):
        measure_false_alarms(match_detections(frames, frames))


def judged_day(bootstrap: int = 0) -> Evaluation:
    """Two hours, of which one action is found behind three false alarms, and one behind none."""
    truth = {"day": Timeline(7200, (Action(60, 70, "a"), Action(5000, 5010, "b")))}
    false = [Action(1000 + 100 * n, 1010 + 100 * n, "a", 0.8) for n in range(3)]
    found = {"day": Timeline(7200, (Action(60, 70, "a", 0.5), Action(5000, 5010, "b", 0.9), *false))}
    return evaluate(truth, found, "segments", bootstrap=bootstrap)


def test_evaluate_gives_them_with_intervals_where_lengths_are_known():
    assert judged_day().to_json()["false_alarms"]["false_per_hour_at_recall"] == {"0.5": 0, "0.7": 1.5, "0.9": 1.5}
    evaluation = judged_day(bootstrap=50)
    content = evaluation.to_json()["false_alarms"]
    assert content["recall_at_false_per_hour"] == {"1": 0.5, "6": 1, "60": 1}
    assert content["classes"]["b"]["recall_at_false_per_hour"]["1"] == 1
    assert content["intervals"]["resampled"] == "12 blocks of about 10 minutes"
    assert any("12 blocks" in note for note in evaluation.notes)
    false_alarms = evaluation.detection_scores.false_alarms
    assert false_alarms is not None
    table = false_alarm_table(false_alarms, ["a", "b"])
    assert table.caption == "false alarms at tIoU .5 in 2 h"
    assert table.rows[2] == ("all classes", "0", "1.5", "1.5", "50.0", "100.0", "100.0")
    assert [row[0] for row in table.rows] == ["a", "b", "all classes", "95 % interval, low", "95 % interval, high"]
    truth = instances([("v", "a", 0.0, 10.0, 1.0)])
    assert "false_alarms" not in compute_detection_scores(truth, truth).to_json()


def test_labels_that_never_happen_count_when_they_are_added():
    truth = instances([("v", "a", 0.0, 10.0, 1.0)], {"v": 3600.0})
    results = instances([("v", "a", 0.0, 10.0, 0.5), ("v", "b", 50.0, 60.0, 0.9), ("v", "A", 70.0, 80.0, 0.9)])
    assert measure_false_alarms(match_detections(truth, results)).rate_at(1) == 0
    outcome = measure_false_alarms(match_detections(truth.add_labels(["b", "a", "A"]), results))
    assert outcome.rate_at(1) == 2
    assert list(outcome.classes) == ["a"]


def test_the_page_draws_and_lists_them(tmp_path: Path):
    text = write_evaluation(tmp_path / "page.html", judged_day()).read_text()
    assert "recall over false alarms per hour at tIoU 0.5" in text
    assert "an hour at recall .9" in text


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60))
def test_the_line_of_the_page_lies_on_the_curve(alarms):
    score = np.array([score for _, score in alarms], float)
    truth = [("v", "a", 10.0 * n, 10.0 * n + 5, 1.0) for n in range(70)]
    results = [
        ("v", "a", 10.0 * n if hit else 5000.0 + 10 * n, 10.0 * n + 5 if hit else 5005.0 + 10 * n, score[n] / 50)
        for n, (hit, _) in enumerate(alarms)
    ]
    matches = match_detections(instances(truth, {"v": 7200.0}), instances(results))
    curve = measure_false_alarms(matches).pooled
    rate, recall = curve.trace(20)
    assert (rate[0], recall[0], rate[-1], recall[-1]) == (0, 0, 20, curve.recall_at(20))
    assert (np.diff(rate) >= 0).all() and (np.diff(recall) >= 0).all()
    points = {(0.0, 0.0), (20.0, curve.recall_at(20)), *zip(curve.false_per_hour, curve.recall, strict=True)}
    assert set(zip(rate, recall, strict=True)) <= points


def test_the_card_of_a_detector_says_them():
    scores = judged_day().detection_scores
    figures = select_figures(scores)
    part = VideoCount(("validation",), 1, 2, 2.0)
    card = Card(Training("activitynet", "0" * 64, part, part, figures, ()))
    assert parse_card(json.loads(json.dumps(card_to_json(card)))) == card
    rows = dict(describe_card(card))
    assert rows["test false alarms an hour"] == (
        "0 at recall 0.5, 1.5 at recall 0.7, 1.5 at recall 0.9 (tIoU 0.5, 2.00 h)"
    )
    assert rows["test recall at so many"] == "50.0 % at 1, 100.0 % at 6, 100.0 % at 60"
    assert "test false alarms an hour" not in dict(describe_card(replace_figures(card)))


def replace_figures(card: Card) -> Card:
    """The card as it was before there were false alarms on it."""
    assert card.training is not None and card.training.figures is not None
    return Card(replace(card.training, figures=replace(card.training.figures, false_alarms=None)))
