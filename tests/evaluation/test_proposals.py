"""Recall of proposals against a plain version, and against the official ActivityNet program."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.proposals import (
    ACTIVITYNET_PROPOSALS,
    THUMOS14_PROPOSALS,
    FrameRates,
    ProposalProtocol,
    ProposalScores,
    compute_proposal_scores,
    compute_recall_by_tiou,
)
from untrimmed.evaluation.reading import read_ground_truth, read_proposals
from untrimmed.io import BadInput

Row = tuple[str, float, float, float]  # video, start, end, score


def instances(rows: list[Row], unit: str = "seconds", videos: str = "") -> Instances:
    """Instances of rows, of these videos and those of the rows."""
    names = sorted({row[0] for row in rows} | set(videos))
    columns = np.array([row[1:] for row in rows], float).reshape(-1, 3).T
    video = np.array([names.index(row[0]) for row in rows], np.int64)
    label = np.zeros(len(rows), np.int64)
    return Instances(tuple(names), ("proposal",), video, label, *columns, unit=unit)


def overlap(a: Row, b: Row, extra: int) -> float:
    """tIoU; 0 for 0 / 0."""
    shared = max(min(a[2], b[2]) - max(a[1], b[1]) + extra, 0)
    union = (a[2] - a[1] + extra) + (b[2] - b[1] + extra) - shared
    return shared / union if union else 0.0


def slowly(
    ground_truth: list[Row], results: list[Row], protocol: ProposalProtocol, numbers: list[float] | None = None
) -> tuple[list[float], list[list[float]]]:
    """AN, and recall by threshold and point, from the description: the 100 of the curve, or these average numbers."""
    videos = sorted({row[0] for row in ground_truth})
    if protocol.videos == "proposed":
        videos = [video for video in videos if any(row[0] == video for row in results)]
        results = [row for row in results if row[0] in videos]
    ranked = {v: sorted((row for row in results if row[0] == v), key=lambda row: -row[3]) for v in videos}
    target = len(results) if protocol.budget is None else protocol.budget * len(videos)
    ratio = min(target / len(results), 1.0) if results else 0.0
    kept = {video: rows[: int(len(rows) * ratio)] for video, rows in ranked.items()}
    total = max(sum(map(len, kept.values())), 1)
    if numbers is None:
        shares = [k / 100 * (target / total) for k in range(1, 101)]
        numbers = [k / 100 * target / max(len(videos), 1) for k in range(1, 101)]
    else:
        shares = [number * len(videos) / total for number in numbers]
    ground_truth = [row for row in ground_truth if row[0] in videos]
    extra = {"seconds": 0, "frames": 1}[protocol.unit]
    recall = [[] for _ in protocol.tious]
    for share in shares:
        shown = {video: rows[: int(len(rows) * share)] for video, rows in kept.items()}
        overlaps = [max((overlap(t, p, extra) for p in shown[t[0]]), default=0.0) for t in ground_truth]
        for row, tiou in zip(recall, protocol.tious, strict=True):
            proposals = sum(o >= tiou if protocol.test == ">=" else o > tiou for o in overlaps)
            row.append(proposals / max(len(ground_truth), 1))
    return numbers, recall


def rows(videos: str, least: int) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal, reversed and empty segments, and equal scores, are common."""
    numbers = st.integers(0, 5).map(float)
    row = st.tuples(st.sampled_from(videos), numbers, numbers, st.integers(0, 4).map(float))
    return st.lists(row, min_size=least, max_size=12)


choices = st.fixed_dictionaries(
    {
        "tious": st.sampled_from([(0.25, 0.5, 0.75, 1.0), (0.9, 0.5)]),
        "videos": st.sampled_from(["annotated", "proposed"]),
        "budget": st.sampled_from([None, 0.5, 1.0, 2.5, 100.0]),
        "unit": st.sampled_from(["seconds", "frames"]),
        "test": st.sampled_from([">=", ">"]),
    }
)


@settings(max_examples=150)
@given(rows("uvw", 1), rows("vwx", 0), choices)
def test_the_curve_is_that_of_the_plain_version(ground_truth, results, choices):
    protocol = ProposalProtocol(name="some", **choices)
    scores = compute_proposal_scores(
        instances(ground_truth, protocol.unit), instances(results, protocol.unit), protocol
    )
    an, recall = slowly(ground_truth, results, protocol)
    assert scores.recall == pytest.approx(np.array(recall), abs=1e-12)
    assert scores.an == pytest.approx(an)
    assert scores.ar == pytest.approx(np.mean(recall, axis=0))


@given(rows("uvw", 1), rows("vwx", 0), choices, st.sampled_from([0.3, 1.0, 2.5, 9.0]))
def test_recall_by_tiou_is_that_of_the_plain_version(ground_truth, results, choices, an):
    protocol = ProposalProtocol(name="some", **choices)
    held = (instances(side, protocol.unit) for side in (ground_truth, results))
    curve = compute_recall_by_tiou(*held, protocol, an, protocol.tious)
    assert curve == pytest.approx([row[0] for row in slowly(ground_truth, results, protocol, [an])[1]])


@given(rows("uvw", 1), rows("vw", 1), st.randoms(use_true_random=False))
def test_neither_the_scale_of_scores_nor_the_order_of_the_file_matters(ground_truth, results, random):
    results = [(*row[:3], row[3] + n / 100) for n, row in enumerate(results)]  # no two scores are equal
    moved = [(*row[:3], math.exp(row[3])) for row in results]
    random.shuffle(moved)
    before, after = (compute_proposal_scores(instances(ground_truth), instances(side)) for side in (results, moved))
    assert before.recall == after.recall


def curve(ground_truth: list[Row], results: list[Row], **choices) -> ProposalScores:
    """Scores at one threshold, by default one proposal a video at the end of the curve."""
    protocol = ProposalProtocol(**{"name": "one", "tious": (0.5,), "budget": 1.0} | choices)
    return compute_proposal_scores(instances(ground_truth), instances(results), protocol)


def test_one_proposal_may_recall_several_actions():
    assert curve([("v", 0, 4, 1), ("v", 0, 5, 1)], [("v", 0, 4, 1)]).ar[-1] == 1


def test_an_overlap_of_exactly_the_threshold_counts_unless_it_must_be_passed():
    ground_truth, proposals = [("v", 0, 10, 1)], [("v", 0, 5, 1)]
    assert curve(ground_truth, proposals).ar[-1] == 1
    assert curve(ground_truth, proposals, test=">").ar[-1] == 0


def test_of_equal_scores_the_earlier_in_the_file_is_shown_first():
    hit, miss = ("v", 0, 1, 0.5), ("v", 7, 8, 0.5)
    assert (curve([hit], [hit, miss]).ar[-1], curve([hit], [miss, hit]).ar[-1]) == (1, 0)
    assert (
        "proposals that tie in score with the one before, ranked as in the file: 1" in curve([hit], [hit, miss]).notes
    )


def test_an_action_without_length_is_recalled_by_nothing_in_seconds_and_is_one_frame_in_frames():
    flat, turned = ("v", 3, 3, 1), ("v", 5, 3, 1)
    assert curve([flat], [flat]).ar[-1] == 0
    assert curve([("v", 2, 4, 1)], [turned]).ar[-1] == 0
    protocol = replace(THUMOS14_PROPOSALS, marks=())
    assert compute_proposal_scores(instances([flat], "frames"), instances([flat], "frames"), protocol).ar[-1] == 1
    assert curve([flat, ("v", 0, 1, 1)], [turned]).notes[:2] == [
        "annotated segments without length or reversed, counted: 1",
        "proposed segments without length or reversed, counted: 1",
    ]


def test_both_ends_of_frames_count():
    ground_truth, proposals = instances([("v", 0, 9, 1)], "frames"), instances([("v", 0, 4, 1)], "frames")
    assert compute_proposal_scores(ground_truth, proposals, replace(THUMOS14_PROPOSALS, tious=(0.5,))).ar[-1] == 1
    assert curve([("v", 0, 9, 1)], [("v", 0, 4, 1)]).ar[-1] == 0


def test_proposals_outside_the_annotated_videos_use_up_the_budget_or_are_left_out():
    ground_truth, proposals = [("v", 0, 1, 1)], [("v", 0, 1, 1), ("w", 0, 1, 1)]
    everywhere, proposed = curve(ground_truth, proposals), curve(ground_truth, proposals, videos="proposed")
    assert (everywhere.ar[-1], proposed.ar[-1]) == (0, 1)
    assert everywhere.counts == {"videos": 1, "truth": 1, "proposals": 1, "kept": 0, "outside": 1}
    assert everywhere.notes[0] == "proposals outside the annotated videos, part of the budget: 1"
    assert proposed.notes == ["proposals outside the annotated videos, left out: 1"]


def test_a_video_without_proposals_is_missed_or_left_out():
    ground_truth, proposals = [("v", 0, 1, 1), ("w", 0, 1, 1), ("w", 0, 1, 1)], [("v", 0, 1, 1)]
    everywhere, proposed = curve(ground_truth, proposals), curve(ground_truth, proposals, videos="proposed")
    assert (everywhere.ar[-1], proposed.ar[-1]) == (pytest.approx(1 / 3), 1)
    assert everywhere.counts["videos"] == 2
    assert everywhere.notes == [
        "annotated videos without a proposal, all missed: 1",
        "annotated segments that repeat another, counted: 1",
        "the curve runs to 1 proposals a video; there are this many to show: 0.5",
    ]
    assert proposed.counts == {"videos": 1, "truth": 1, "proposals": 1, "kept": 1, "outside": 0}
    assert proposed.notes == [
        "annotated videos without a proposal, left out: 1",
        "annotated segments in those videos, left out: 2",
    ]


def test_an_annotated_video_without_actions_is_not_judged():
    ground_truth = instances([("v", 0, 1, 1)], videos="uvw")
    assert compute_proposal_scores(ground_truth, instances([("v", 0, 1, 1)])).counts["videos"] == 1


def test_ordinary_files_need_no_note():
    ground_truth = [("v", 0, 1, 1), ("w", 0, 1, 1)]  # equal scores in different videos are no tie
    assert curve(ground_truth, ground_truth).notes == []


@pytest.mark.parametrize("protocol", [ACTIVITYNET_PROPOSALS, THUMOS14_PROPOSALS])
def test_no_proposals_recall_nothing_and_an_empty_ground_truth_is_refused(protocol):
    scores = compute_proposal_scores(instances([("v", 0, 1, 1)]), instances([]), protocol, 30)
    assert (set(scores.ar), scores.auc) == ({0.0}, 0.0)
    curve = compute_recall_by_tiou(instances([("v", 0, 1, 1)]), instances([]), protocol, 10, (0.5, 1.0), 30)
    assert curve == (0, 0)
    with pytest.raises(BadInput, match="hold no action"):
        compute_proposal_scores(instances([]), instances([("v", 0, 1, 1)]), protocol, 30)


def test_a_perfect_curve_has_an_area_of_99_percent_from_its_first_point_by_its_last():
    ground_truth = [("v", 0, 1, 1)]
    proposals = [("v", 0, 1, 1)] * 100
    scores = compute_proposal_scores(instances(ground_truth), instances(proposals))
    assert (set(scores.ar), scores.an, scores.auc) == ({1.0}, tuple(range(1, 101)), pytest.approx(0.99))
    by_length = compute_proposal_scores(
        instances(ground_truth), instances(proposals), replace(ACTIVITYNET_PROPOSALS, area_by="length")
    )
    from_zero = replace(ACTIVITYNET_PROPOSALS, area_from="zero")
    assert by_length.auc == pytest.approx(1)
    assert compute_proposal_scores(instances(ground_truth), instances(proposals), from_zero).auc == pytest.approx(
        0.995
    )


def test_marks_are_read_off_between_points_and_are_null_beyond_the_curve():
    ground_truth = [("v", 0, 1, 1), ("v", 10, 11, 1)]
    proposals = [("v", 0, 1, 9), *[("v", 5, 6, 8)] * 198, ("v", 10, 11, 1)]
    scores = curve(ground_truth, proposals, budget=None, marks=(1, 2, 199, 200, 201))
    assert scores.ar_at == {"1": None, "2": 0.5, "199": pytest.approx(0.75), "200": 1.0, "201": None}
    assert scores.notes[-1] == ("AR is null where the curve, from 2 to 200 proposals a video, does not reach: 1, 201")


def test_fewer_proposals_than_asked_for_are_all_shown():
    ground_truth, proposals = instances([("v", 0, 1, 1)]), instances([("v", 0, 1, 1), ("v", 0, 2, 0.5)])
    assert compute_recall_by_tiou(ground_truth, proposals, ACTIVITYNET_PROPOSALS, 10, (0.5, 1.0)) == (1, 1)
    assert compute_recall_by_tiou(ground_truth, proposals, replace(ACTIVITYNET_PROPOSALS, budget=2), 1, (0.5,)) == (
        1,
    )
    assert compute_recall_by_tiou(ground_truth, proposals, replace(ACTIVITYNET_PROPOSALS, budget=2), 0.4, (0.5,)) == (
        0,
    )


def in_frames(frame_rates: FrameRates | None, unit: str = "seconds") -> ProposalScores:
    ground_truth = instances([("v", 1.01, 2.02, 1), ("w", 0, 1, 1)])
    proposals = instances([("v", 30, 61, 1)] if unit == "frames" else [("v", 1.0, 2.0332, 1)], unit)
    return compute_proposal_scores(ground_truth, proposals, THUMOS14_PROPOSALS, frame_rates)


def test_seconds_become_frames_at_the_rate_of_each_video_and_frames_stay():
    assert in_frames(30).ar[-1] == in_frames({"v": 30}).ar[-1] == in_frames(30, "frames").ar[-1] == 1
    assert in_frames({"v": 100, "w": 1}).ar[-1] == pytest.approx(10 / 11)
    assert in_frames(30).notes[2] == "seconds of the truth and the proposals rounded to frames, at 30 a second"
    assert (
        in_frames({"v": 30}, "frames").notes[2] == "seconds of the truth rounded to frames, at the rate of each video"
    )


@pytest.mark.parametrize(
    ("frame_rates", "sentence"),
    [
        (None, "thumos14-proposals is judged in frames and these are seconds; give frame rates"),
        ({"w": 30}, "video 'v' has no frame rate"),
        (0, "frame rate 0 of video 'v'"),
        ({"v": math.nan}, "frame rate nan of video 'v'"),
    ],
)
def test_frame_rates_that_cannot_be_used_are_refused(frame_rates, sentence):
    with pytest.raises(BadInput, match=sentence):
        in_frames(frame_rates)


def test_frames_given_to_a_protocol_in_seconds_are_refused():
    with pytest.raises(BadInput, match="judged in seconds and these are frames"):
        compute_proposal_scores(instances([("v", 0, 1, 1)]), instances([("v", 0, 1, 1)], "frames"))


@pytest.mark.parametrize("choices", [{"tious": ()}, {"tious": (0.0,)}, {"budget": 0.0}, {"marks": (math.nan,)}])
def test_choices_that_cannot_be_are_refused(choices):
    with pytest.raises(ValueError, match="not"):
        replace(ACTIVITYNET_PROPOSALS, **choices)


@pytest.mark.parametrize("an", [0.0, math.nan])
def test_an_average_number_that_cannot_be_is_refused(an):
    with pytest.raises(BadInput, match="give a positive number"):
        compute_recall_by_tiou(instances([("v", 0, 1, 1)]), instances([]), ACTIVITYNET_PROPOSALS, an, (0.5,))


def test_the_scores_are_json_with_these_keys():
    ground_truth = replace(instances([("v", 0, 1, 1)]), subset="validation")
    value = json.loads(json.dumps(compute_proposal_scores(ground_truth, ground_truth).to_json()))
    assert list(value) == ["protocol", "subset", "tious", "an", "ar", "recall", "auc", "ar_at", "counts", "notes"]
    assert (value["protocol"], value["subset"], np.shape(value["recall"])) == (
        "activitynet-proposals",
        "validation",
        (10, 100),
    )
    assert value["ar_at"] == {"1": 1.0, "5": 1.0, "10": 1.0, "50": 1.0, "100": 1.0}


def test_the_named_thresholds_are_those_of_the_programs():
    assert list(ACTIVITYNET_PROPOSALS.tious) == np.linspace(0.5, 0.95, 10).tolist()
    assert list(THUMOS14_PROPOSALS.tious) == np.linspace(0.5, 1.0, 11).tolist()


@pytest.mark.data
@pytest.mark.parametrize("name", ["anet12_tag_val", "thumos14_af669"])
def test_published_proposals_score_what_the_official_program_gives(data, name):
    expected, ground_truth, results = golden(data / "evaluation", name)
    scores = compute_proposal_scores(ground_truth, results)
    assert (scores.counts["truth"], scores.counts["proposals"]) == (expected["n_gt"], expected["n_prop"])
    assert scores.tious == pytest.approx(expected["tiou_thresholds"], abs=0)
    assert scores.an == pytest.approx(expected["proposals_per_video_100pts"], abs=1e-9)
    assert scores.auc == pytest.approx(expected["AUC_fraction"], abs=1e-9)
    assert scores.ar == pytest.approx(expected["avg_recall_100pts"], abs=1e-9)
    assert np.abs(np.subtract(scores.recall, expected["recall_thr_by_100"])).max() < 1e-9
    assert not any("tie" in note for note in scores.notes)


def golden(folder: Path, name: str):
    """What the official program gave, and the files that it read."""
    expected = json.loads((folder / f"expected/{name}.prop_anet.json").read_text())
    ground_truth = read_ground_truth(folder / expected["gt"], expected["subset"])
    return expected, ground_truth, read_proposals(folder / expected["pred"])
