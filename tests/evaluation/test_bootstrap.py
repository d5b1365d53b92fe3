"""Confidence, paired differences and the range over equal scores."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rows import instances
from untrimmed.evaluation.bootstrap import Difference, compare_matches, estimate_confidence, find_tie_range
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.protocols import ACTIVITYNET, SEGMENTS, THUMOS14_KIT_2014, THUMOS14_KIT_2015
from untrimmed.evaluation.reading import read_ground_truth, read_results
from untrimmed.io import BadInput


def made(seed: int = 0, videos: int = 30, noise: float = 0.3) -> tuple[Instances, Instances]:
    """Three actions a video, and three detections of each that miss it by more, the more noise there is."""
    random = np.random.default_rng(seed)
    ground_truth, detections = [], []
    for video in range(videos):
        for start in (0, 20, 40):
            label = "ab"[random.integers(2)]
            ground_truth.append((f"v{video}", label, start, start + 10.0, 1.0))
            for _ in range(3):
                moved = start + 10 * noise * random.normal()
                detections.append((f"v{video}", label, moved, moved + 10, random.uniform()))
    return instances(ground_truth), instances(detections)


segments = st.tuples(
    st.sampled_from("vw"), st.sampled_from("ab"), st.integers(0, 5).map(float), st.integers(1, 4).map(float)
)


@settings(max_examples=100)
@given(
    st.lists(segments, min_size=1, max_size=8), st.lists(segments, max_size=10), st.tuples(*[st.integers(0, 3)] * 2)
)
@pytest.mark.parametrize("protocol", [SEGMENTS, THUMOS14_KIT_2015, THUMOS14_KIT_2014], ids=lambda value: value.name)
def test_a_video_that_counts_twice_scores_like_two_such_videos(protocol, ground_truth, detections, draw):
    times = dict(zip("vw", draw, strict=True))
    rows = [(video, label, start, start + length, 1.0) for video, label, start, length in ground_truth]
    guesses = [
        (video, label, start, start + length, -n) for n, (video, label, start, length) in enumerate(detections)
    ]
    matches = match_detections(instances(rows), instances(guesses), protocol)
    chosen = np.array([times[video] for video in matches.ground_truth.videos], np.int64)
    weighed = matches.compute_precisions([chosen])[0]
    # Videos outside the truth count once.
    here = {video: times[video] if video in matches.ground_truth.videos else 1 for video in "vw"}
    copies = [(f"{row[0]}{copy}", *row[1:]) for row in rows for copy in range(here[row[0]])]
    guessed = [(f"{row[0]}{copy}", *row[1:]) for row in guesses for copy in range(here[row[0]])]
    if not copies:
        assert np.isnan(weighed).all()
        return
    copied = match_detections(instances(copies), instances(guessed), protocol)
    plain = copied.compute_precisions()[0]
    for place, label in enumerate(matches.ground_truth.labels):
        if label in copied.ground_truth.labels:
            assert weighed[place] == pytest.approx(plain[copied.ground_truth.labels.index(label)], abs=1e-12)
        else:
            assert np.isnan(weighed[place]).all()


def test_the_interval_holds_the_figure_and_narrows_with_more_videos():
    def width(videos: int) -> float:
        matches = match_detections(*made(videos=videos), SEGMENTS)
        spread, figure = estimate_confidence(matches, 300), matches.compute_precisions()[0].mean()
        assert spread.average_map.low < figure < spread.average_map.high
        assert set(spread.per_class) == {"a", "b"}
        assert len(spread.map) == len(spread.per_class["a"]) == 4
        return spread.average_map.high - spread.average_map.low

    assert width(20) > 1.5 * width(200)


def test_nine_intervals_in_ten_hold_what_as_many_videos_score_on_average():
    matches = [match_detections(*made(seed), SEGMENTS) for seed in range(60)]
    average = np.mean([each.compute_precisions()[0].mean() for each in matches])
    intervals = [estimate_confidence(each, 200, level=0.9).average_map for each in matches]
    held = sum(interval.low <= average <= interval.high for interval in intervals)
    assert 45 <= held < 60


def test_resamples_come_from_the_seed_alone():
    matches = match_detections(*made(), SEGMENTS)
    assert estimate_confidence(matches, 50) == estimate_confidence(matches, 50)
    assert estimate_confidence(matches, 50) != estimate_confidence(matches, 50, seed=1)


def test_a_detector_does_not_differ_from_itself():
    matches = match_detections(*made(), SEGMENTS)
    same = compare_matches(matches, matches, 100)
    assert same.average_map == Difference(0, 0, 0, 1)
    assert all(difference == Difference(0, 0, 0, 1) for its in same.per_class.values() for difference in its)


def test_a_better_detector_is_ahead_and_the_pairing_shows_it():
    ground_truth, noisy = made(noise=0.35)
    _, better = made(noise=0.25)
    ahead = compare_matches(
        match_detections(ground_truth, noisy, SEGMENTS), match_detections(ground_truth, better, SEGMENTS), 300
    )
    assert ahead.average_map.low > 0
    assert ahead.average_map.p < 0.02
    assert ahead.average_map.value == pytest.approx(np.mean(ahead.maps[1]) - np.mean(ahead.maps[0]))
    back = compare_matches(
        match_detections(ground_truth, better, SEGMENTS), match_detections(ground_truth, noisy, SEGMENTS), 300
    )
    assert back.average_map.value == pytest.approx(-ahead.average_map.value)
    assert back.average_map.high < 0
    assert json.loads(json.dumps(ahead.to_json()))["map"][0].keys() == {"value", "low", "high", "p"}


def test_what_was_judged_otherwise_is_not_compared():
    ground_truth, detections = made()
    other, _ = made(seed=1)
    for second in (
        match_detections(other, detections, SEGMENTS),
        match_detections(ground_truth, detections, ACTIVITYNET),
    ):
        with pytest.raises(BadInput, match="same protocol on the same annotations"):
            compare_matches(match_detections(ground_truth, detections, SEGMENTS), second, 10)


def test_the_range_over_equal_scores_goes_from_misses_first_to_hits_first():
    hit, miss = ("v", "a", 0.0, 1.0, 0.5), ("v", "a", 7.0, 8.0, 0.5)
    protocol = replace(SEGMENTS, tious=(0.5,))
    assert find_tie_range(match_detections(instances([hit]), instances([hit, miss]), protocol), 0).average_map == (
        0.5,
        1,
    )
    untied = find_tie_range(match_detections(instances([hit]), instances([hit, (*miss[:4], 0.4)]), protocol))
    assert untied.average_map == (1, 1)


@pytest.mark.data
def test_the_range_over_equal_scores_holds_every_order_that_official_programs_gave(data):
    folder = data / "evaluation"
    spread = json.loads((folder / "expected/thumos14_scnn_iou0.5.tie_spread.json").read_text())
    expected = json.loads((folder / "expected/thumos14_scnn_iou0.5.det_anet.json").read_text())
    ground_truth = read_ground_truth(folder / expected["gt"], expected["subset"])
    protocol = replace(ACTIVITYNET, tious=tuple(expected["tiou_thresholds"]))
    detections = find_tie_range(match_detections(ground_truth, read_results(folder / expected["pred"]), protocol), 4)
    given = [
        spread["numpy"],
        spread["stable_desc"],
        spread["stable_asc_reversed"],
        *spread["random"],
        expected["mAP"],
    ]
    for figures in given:
        for figure, (low, high) in zip(figures, detections.map, strict=True):
            assert low - 1e-9 <= figure <= high + 1e-9
    # The range is one of equal scores, not of anything.
    assert all(high - low < 0.1 for low, high in detections.map)
