"""Segmental F1, edit score and frame accuracy against a plain version, and on real videos."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rows import Row, instances
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.reading import read_ground_truth
from untrimmed.evaluation.segmental import SEGMENTAL, SegmentalProtocol, SegmentalScores, compute_segmental_scores
from untrimmed.io import BadInput

ONE = replace(SEGMENTAL, rate=1.0)


def dense(rows: list[Row], rate: float, length: float) -> list[str | None]:
    """The label of every frame of one video; None for background."""
    labels, ranked = [], sorted(rows, key=lambda row: -row[4])
    while (len(labels) + 0.5) / rate < length:
        centre = (len(labels) + 0.5) / rate
        labels.append(next((row[1] for row in ranked if row[2] <= centre < row[3]), None))
    return labels


def runs(labels: list[str | None], background: bool) -> list[tuple[str | None, int, int]]:
    """Label, first frame and the frame after the last of each segment."""
    detections = []
    for frame, label in enumerate(labels):
        if frame and label == labels[frame - 1]:
            detections[-1] = (label, detections[-1][1], frame + 1)
        else:
            detections.append((label, frame, frame + 1))
    return [run for run in detections if background or run[0] is not None]


def hits(detections: list[tuple], true: list[tuple], threshold: float) -> int:
    """How many segments hit, from the description."""
    taken = set()
    for label, first, last in detections:
        overlaps = []
        for other, begin, end in true:
            shared = max(min(last, end) - max(first, begin), 0) if label == other else 0
            overlaps.append(shared / (last - first + end - begin - shared))
        best = max(overlaps, default=0)
        if best >= threshold and overlaps.index(best) not in taken:
            taken.add(overlaps.index(best))
    return len(taken)


def distance(a: list, b: list) -> int:
    """Levenshtein's, by its recurrence."""
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(len(a)):
        for j in range(len(b)):
            changed = table[i, j] + (a[i] != b[j])
            table[i + 1, j + 1] = min(changed, table[i, j + 1] + 1, table[i + 1, j] + 1)
    return table[len(a), len(b)]


def slowly(ground_truth: list[Row], results: list[Row], durations: dict[str, float], protocol: SegmentalProtocol):
    """F1 at each threshold, edit score and accuracy, from the description; None where no frame has truth."""
    results = [row for row in results if protocol.floor is None or row[4] >= protocol.floor]
    counts, edits, frames = np.zeros((len(protocol.overlaps), 3)), [], []
    for video in sorted({row[0] for row in ground_truth} | set(durations)):
        length = durations.get(video, max((row[3] for row in ground_truth if row[0] == video), default=0))
        true, detections = ([r for r in side if r[0] == video] for side in (ground_truth, results))
        true, detections = dense(true, protocol.rate, length), dense(detections, protocol.rate, length)
        if not true:
            continue
        frames += zip(true, detections, strict=True)
        true, detections = runs(true, protocol.background_segments), runs(detections, protocol.background_segments)
        for row, threshold in zip(counts, protocol.overlaps, strict=True):
            row += hits(detections, true, threshold), len(detections), len(true)
        sequences = [[run[0] for run in side] for side in (detections, true)]
        longer = max(map(len, sequences))
        edits.append(1 - distance(*sequences) / longer if longer else 1)
    if not any(true for true, _ in frames):
        return None
    precision, recall = counts[:, 0] / np.maximum(counts[:, 1], 1), counts[:, 0] / np.maximum(counts[:, 2], 1)
    f1 = np.where(counts[:, 0] > 0, 2 * precision * recall / np.maximum(precision + recall, 1e-9), 0)
    judged = [true == detections for true, detections in frames if protocol.background_frames or true is not None]
    return f1.tolist(), np.mean(edits), np.mean(judged)


def rows(videos: str, labels: str, scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Row]]:
    """Rows of few different numbers: equal, reversed, empty, covered and overlong segments are common."""
    seconds = st.sampled_from([-1.0, 0.0, 0.4, 1.0, 1.5, 2.0, 2.6, 3.0, 4.0, 5.5, 7.0, 9.0])
    row = st.tuples(st.sampled_from(videos), st.sampled_from(labels), seconds, seconds, scores)
    return st.lists(row, max_size=12)


@settings(max_examples=150)
@given(
    rows("uvw", "abc", st.just(1.0)),
    rows("vwx", "abcx", st.integers(0, 3).map(float)),
    st.dictionaries(st.sampled_from("uvy"), st.sampled_from([-1.0, 0.2, 3.0, 6.5])),
    st.fixed_dictionaries(
        {
            "rate": st.sampled_from([1.0, 2.0, 3.0]),
            "overlaps": st.sampled_from([(0.1, 0.25, 0.5), (1.0,)]),
            "floor": st.sampled_from([None, 2.0]),
            "background_segments": st.booleans(),
            "background_frames": st.booleans(),
        }
    ),
)
def test_every_figure_is_that_of_the_plain_version(ground_truth, results, durations, choices):
    protocol = SegmentalProtocol(name="some", **choices)
    expected = slowly(ground_truth, results, durations, protocol)
    held = instances(ground_truth, durations, "".join(durations))
    if expected is None:
        with pytest.raises(BadInput, match="no annotated action covers a frame"):
            compute_segmental_scores(held, instances(results), protocol)
        return
    scores = compute_segmental_scores(held, instances(results), protocol)
    assert list(scores.f1.values()) == pytest.approx(expected[0])
    assert (scores.edit, scores.accuracy) == pytest.approx(expected[1:])


@given(rows("vw", "abc", st.just(1.0)))
def test_the_ground_truth_itself_scores_1(ground_truth):
    ground_truth = [*ground_truth, ("v", "a", 0.0, 1.0, 1.0)]
    scores = compute_segmental_scores(instances(ground_truth), instances(ground_truth), ONE)
    assert (set(scores.f1.values()), scores.edit, scores.accuracy) == ({1.0}, 1, 1)
    assert all(set(figures.values()) == {1.0} for figures in scores.per_class.values())


@given(rows("vw", "abc", st.just(1.0)), rows("vw", "abcx", st.just(0.0)), st.randoms(use_true_random=False))
def test_neither_the_scale_of_scores_nor_the_order_of_the_file_matters(ground_truth, results, random):
    ground_truth = [*ground_truth, ("v", "a", 0.0, 1.0, 1.0)]
    results = [(*row[:4], float(n)) for n, row in enumerate(results)]  # no two scores are equal
    moved = [(*row[:4], math.exp(row[4])) for row in results]
    random.shuffle(moved)
    before, after = (
        compute_segmental_scores(instances(ground_truth), instances(side), ONE) for side in (results, moved)
    )
    assert (before.f1, before.edit, before.accuracy) == (after.f1, after.edit, after.accuracy)


def timeline(text: str, score: float = 1.0, video: str = "v") -> list[Row]:
    """One action a run of letters, one second each; a space is background."""
    detections = runs([None if letter == " " else letter for letter in text], False)
    return [(video, label or "", float(first), float(last), score) for label, first, last in detections]


def judged(ground_truth: str, detections: str, protocol: SegmentalProtocol = ONE) -> SegmentalScores:
    """Scores of one video at one frame a letter."""
    return compute_segmental_scores(
        instances(timeline(ground_truth), {"v": float(len(ground_truth))}), instances(timeline(detections)), protocol
    )


def test_a_segment_has_no_second_choice():
    # Both detections overlap the long truth most; the second of them overlaps the short one by more than 10 %.
    scores = judged("aaaaaaaa a", "aaaa aaaaa")
    assert scores.f1["10"] == pytest.approx(2 * 1 / (2 + 2))


def test_of_actions_that_overlap_equally_the_earlier_is_looked_at():
    assert judged("aaa aaa", "  aaa a").f1["10"] == 1


def test_an_overlap_of_exactly_the_threshold_is_a_hit():
    assert judged("aaaa", "aa  ").f1 == {"10": 1, "25": 1, "50": 1}
    assert judged("aaaaa", "aa   ").f1 == {"10": 1, "25": 1, "50": 0}


def test_the_edit_score_looks_at_the_order_alone():
    assert judged("aabbcc", "abbbbc").edit == 1
    assert judged("aabbcc", "aaaabb").edit == pytest.approx(2 / 3)
    assert judged("aabbcc", "ccbbaa").edit == pytest.approx(1 / 3)


def test_hits_are_summed_over_videos_and_the_edit_score_is_their_mean():
    ground_truth = [*timeline("abab", video="v"), *timeline("c", video="w")]
    detections = [*timeline("abab", video="v"), *timeline("d", video="w")]
    scores = compute_segmental_scores(instances(ground_truth), instances(detections), ONE)
    assert (scores.f1["50"], scores.edit, scores.accuracy) == (0.8, 0.5, 0.8)


def test_of_several_detections_a_frame_takes_the_best_scored_and_of_equals_the_earlier():
    ground_truth = instances(timeline("aabb"), {"v": 4.0})
    detections = [("v", "b", 0.0, 4.0, 0.5), ("v", "a", 0.0, 2.0, 0.9), ("v", "c", 2.0, 4.0, 0.5)]
    assert compute_segmental_scores(ground_truth, instances(detections), ONE).accuracy == 1
    assert compute_segmental_scores(ground_truth, instances(detections[::-1]), ONE).accuracy == 0.5


def test_background_is_left_out_of_segments_or_is_one_and_counts_among_frames_or_does_not():
    assert judged("a  b", "a cb").edit == pytest.approx(2 / 3)
    assert judged("a  b", "a cb", replace(ONE, background_segments=True)).edit == pytest.approx(3 / 4)
    assert judged("a  b", "a cb").accuracy == 0.75
    assert judged("a  b", "a cb", replace(ONE, background_frames=False)).accuracy == 1
    with_background = judged("aa  ", "a   ", replace(ONE, background_segments=True))
    assert (with_background.f1["50"], list(with_background.per_class)) == (1, ["a"])


def test_detections_below_the_floor_are_left_out():
    ground_truth, detections = instances(timeline("a b")), instances([*timeline("a", 0.5), ("v", "b", 1.0, 3.0, 0.4)])
    scores = compute_segmental_scores(ground_truth, detections, replace(ONE, floor=0.5))
    assert (scores.accuracy, scores.counts["detections"]) == (pytest.approx(2 / 3), 1)
    assert "detections that score less than 0.5, left out: 1" in scores.notes


def test_a_video_without_detections_is_all_background():
    scores = judged("a  b", "    ")
    assert (set(scores.f1.values()), scores.edit, scores.accuracy) == ({0.0}, 0, 0.5)
    assert scores.per_class["b"] == {"f1@10": 0, "f1@25": 0, "f1@50": 0, "accuracy": 0}
    assert scores.notes == ["annotated videos without a detection, all background: 1"]


def test_a_video_with_neither_ground_truth_nor_detections_has_edit_score_1():
    ground_truth = instances(timeline("a"), {"v": 1.0, "w": 3.0}, "vw")
    scores = compute_segmental_scores(ground_truth, instances([]), ONE)
    assert (scores.edit, scores.accuracy, scores.counts["videos"]) == (0.5, 0.75, 2)


def test_a_class_is_judged_by_its_own_segments_and_frames():
    scores = judged("aabbb", "aab b")
    assert scores.per_class == {
        "a": {"f1@10": 1, "f1@25": 1, "f1@50": 1, "accuracy": 1},
        "b": {"f1@10": pytest.approx(2 / 3), "f1@25": pytest.approx(2 / 3), "f1@50": 0, "accuracy": 2 / 3},
    }


def test_what_reaches_beyond_a_video_is_cut_and_without_a_duration_it_ends_with_its_ground_truth():
    detections = instances([("v", "a", -5.0, 99.0, 1.0), ("v", "a", 50.0, 60.0, 1.0), ("v", "a", -1.0, 1.0, 1.0)])
    scores = compute_segmental_scores(instances(timeline("aaaa")), detections, ONE)
    assert (scores.accuracy, scores.counts["frames"]) == (1, 4)
    assert scores.notes == [
        "annotated videos whose length is taken from their last action: 1",
        "detected segments that cover no frame: 1",
        "detected segments cut at an end of their video: 3",
    ]
    scores = compute_segmental_scores(instances(timeline("aaaa"), {"v": 2.0}), detections, ONE)
    assert scores.counts["frames"] == 2
    assert "annotated segments cut at an end of their video: 1" in scores.notes


def test_a_segment_of_any_length_can_be_cut():
    detections = instances([("v", "a", -1e300, 1e300, 1.0)])
    assert compute_segmental_scores(instances(timeline("aaaa")), detections, ONE).accuracy == 1


def test_what_the_files_hold_beside_the_ordinary_is_counted_and_noted():
    ground_truth = [*timeline("aab"), ("v", "b", 2.0, 3.0, 1.0), ("v", "a", 1.0, 1.0, 1.0)]
    detections = [*timeline("axb"), ("v", "b", 3.0, 1.0, 1.0), *timeline("a", video="z")]
    scores = compute_segmental_scores(instances(ground_truth, {"v": 3.0}, "vw"), instances(detections), ONE)
    assert (scores.f1["50"], scores.edit, scores.accuracy) == (0.8, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert scores.counts == {"videos": 1, "frames": 3, "classes": 2, "truth": 2, "detections": 3, "segments": 3}
    assert scores.notes == [
        "annotated videos left out because neither a duration nor an action gives their length: 1",
        "detections in videos outside the annotations, ignored: 1",
        "detections of classes that the annotations lack, counted (x): 1",
        "annotated segments that cover no frame: 1",
        "detected segments that cover no frame: 1",
        "annotated segments that cover a frame are 3, and make this many of dense labels: 2",
    ]


def test_ordinary_files_need_no_note():
    assert judged("a b", "a b").notes == []


@pytest.mark.parametrize("rows", [[], [("v", "a", 1.0, 1.0, 1.0)], [("v", "a", 0.0, 0.4, 1.0)]])
def test_a_ground_truth_that_covers_no_frame_is_refused(rows):
    with pytest.raises(BadInput, match="no annotated action covers a frame"):
        compute_segmental_scores(instances(rows, {"v": 5.0}, "v"), instances(timeline("a")), ONE)


def test_frames_are_refused():
    ground_truth = instances(timeline("a"))
    with pytest.raises(BadInput, match="the detections are in frames; dense labels are made of seconds"):
        compute_segmental_scores(ground_truth, replace(ground_truth, unit="frames"))


@pytest.mark.parametrize("choices", [{"rate": 0.0}, {"rate": math.inf}, {"overlaps": ()}, {"overlaps": (0.0,)}])
def test_choices_that_cannot_be_are_refused(choices):
    with pytest.raises(ValueError, match="not"):
        replace(SEGMENTAL, **choices)


def test_the_scores_are_json_with_these_keys():
    ground_truth = replace(instances(timeline("ab")), subset="split1")
    value = json.loads(json.dumps(compute_segmental_scores(ground_truth, ground_truth).to_json()))
    assert list(value) == ["protocol", "subset", "f1", "edit", "accuracy", "per_class", "counts", "notes"]
    assert (value["protocol"], value["subset"], value["f1"]) == ("segmental", "split1", {"10": 1, "25": 1, "50": 1})


@pytest.mark.data
def test_the_labels_of_a_published_model_score_close_to_its_paper(data):
    folder = data / "datasets/salads50_scores"
    ground_truth = read_ground_truth(folder / "annotations.json")
    results = ed_tcn(folder, ground_truth)
    # Its program takes F1 and accuracy of each video apart, then their mean, on steps of 1.67 s; these are of 1 s.
    videos = range(len(ground_truth.videos))
    alone = [
        replace(
            ground_truth.select_rows(ground_truth.video == v),
            durations={ground_truth.videos[v]: ground_truth.durations[ground_truth.videos[v]]},
        )
        for v in videos
    ]
    scores = [compute_segmental_scores(video, results, ONE) for video in alone]
    f1 = [np.mean([score.f1[name] for score in scores]) for name in ("10", "25", "50")]
    assert f1 == pytest.approx([0.680, 0.639, 0.526], abs=0.02)
    assert np.mean([score.accuracy for score in scores]) == pytest.approx(0.647, abs=0.003)
    assert np.mean([score.edit for score in scores]) == pytest.approx(0.598, abs=0.01)
    together = compute_segmental_scores(ground_truth, results, ONE)
    assert together.edit == pytest.approx(np.mean([score.edit for score in scores]))


def ed_tcn(folder, ground_truth: Instances) -> Instances:
    """The best column of every second's scores, as detections."""
    content = json.loads((folder / "annotations.json").read_text())
    groups = content["channel_groups"]
    first = sum(width for _, width in groups[:2])
    rows = []
    with np.load(folder / "features.npz") as features:
        for video in ground_truth.videos:
            best = features[video][:, first : first + groups[2][1]].argmax(axis=1)
            labels = [content["classes"][label - 1] if label else None for label in best]
            rows += [(video, label, float(a), float(b), 1.0) for label, a, b in runs(labels, False)]
    return instances(rows)
