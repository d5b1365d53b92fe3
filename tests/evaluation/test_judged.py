"""Nothing outside the stretches that were annotated is judged: as if all were cut to them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from untrimmed.annotations.annotations import Annotations
from untrimmed.cli import app
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.diagnosis import diagnose
from untrimmed.evaluation.files import compare, evaluate
from untrimmed.evaluation.instances import Instances, from_rows, from_timelines
from untrimmed.evaluation.judged import cut_to_spans, select_judged_rows
from untrimmed.evaluation.operating_points import count_confusions, find_operating_points
from untrimmed.evaluation.proposals import PROPOSAL_PROTOCOLS, compute_proposal_scores
from untrimmed.evaluation.segmental import compute_segmental_scores
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

SPANS = {"a": ((0.0, 100.0), (200.0, 300.0)), "b": ((50.0, 150.0),)}
"""Of videos of 400 seconds; of `c` all is annotated."""

segments = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 7), st.integers(1, 40), st.integers(1, 9), st.sampled_from("xy")
    ),
    min_size=1,
    max_size=30,
)
"""Video, block of 50 seconds, start and length in it, label: none leaves its block, and so none crosses an end."""


def build(rows: list[tuple[str, int, int, int, str]], scored: bool = False) -> Instances:
    videos: dict[str, list[Action]] = {"a": [], "b": [], "c": [Action(1, 2, "x")]}
    for rank, (video, block, start, length, label) in enumerate(rows):
        begin = 50.0 * block + start
        score = (rank + 1) / (len(rows) + 1) if scored else 1.0
        videos[video].append(Action(begin, begin + length, label, score))
    if scored:
        videos["c"][0] = Action(1, 2, "x", 0.99999)
    instances = from_rows(videos)
    return replace(instances, durations=dict.fromkeys("abc", 400.0))


def cut_slowly(instances: Instances) -> Instances:
    """Each span as a video of its own, row by row; times stay."""
    videos: dict[str, list[Action]] = {"c": []}
    videos |= {f"{video} {number}": [] for video, spans in SPANS.items() for number in range(len(spans))}
    rows = zip(instances.video, instances.label, instances.start, instances.end, instances.score, strict=True)
    for video, label, start, end, score in rows:
        name = instances.videos[video]
        action = Action(float(start), float(end), instances.labels[label], float(score))
        if name == "c":
            videos["c"].append(action)
        for number, (low, high) in enumerate(SPANS.get(name, ())):
            if low <= (start + end) / 2 <= high:
                videos[f"{name} {number}"].append(action)
    # A class of which all is left out is still one that the annotations know.
    return from_rows(videos).add_labels(instances.labels)


@given(segments, segments)
@settings(deadline=None, max_examples=60)
def test_evaluation_with_spans_is_that_of_data_cut_to_the_spans(annotated, detected):
    truth, results = build(annotated), build(detected, scored=True)
    truth = replace(truth, annotated=SPANS)
    cut_truth, cut_results = cut_slowly(truth), cut_slowly(results)
    figures, expected = compute_detection_scores(truth, results), compute_detection_scores(cut_truth, cut_results)
    assert figures.map == pytest.approx(expected.map)
    assert figures.per_class.keys() == expected.per_class.keys()
    assert figures.counts["truth"] == expected.counts["truth"] == len(cut_truth)
    assert figures.false_alarms.hours == pytest.approx((100 + 100 + 100 + 400) / 3600)
    points, expected_points = (
        find_operating_points(*pair).pooled for pair in ((truth, results), (cut_truth, cut_results))
    )
    assert (points.precision == pytest.approx(expected_points.precision)) and len(points.score) == len(
        expected_points.score
    )
    confusions = [count_confusions(*pair, 0.5).counts.sum() for pair in ((truth, results), (cut_truth, cut_results))]
    assert confusions[0] == confusions[1]


@given(segments, segments)
@settings(deadline=None, max_examples=40)
def test_dense_labels_are_judged_in_the_spans_alone(annotated, detected):
    truth, results = replace(build(annotated), annotated=SPANS), build(detected, scored=True)
    cut_truth, cut_results, _ = cut_to_spans(truth, results)
    assert set(cut_truth.durations) == {"a [0, 100] s", "a [200, 300] s", "b [50, 150] s", "c"}
    assert len(cut_truth) == len(cut_slowly(truth)) and len(cut_results) == len(cut_slowly(results))
    figures = compute_segmental_scores(truth, results)
    assert figures.counts["frames"] == 700 * 15 and figures.counts["videos"] == 4


@given(segments, segments)
@settings(deadline=None, max_examples=30)
def test_proposals_outside_count_neither_way(annotated, detected):
    truth, results = replace(build(annotated), annotated=SPANS), build(detected, scored=True)
    inside = [row for row in detected if row[0] == "c" or row[1] in {"a": (0, 1, 4, 5), "b": (1, 2)}[row[0]]]
    for protocol in PROPOSAL_PROTOCOLS.values():
        if protocol.unit == "frames":
            continue
        figures = compute_proposal_scores(truth, results, protocol)
        assert figures.counts["proposals"] + figures.counts["outside"] == len(inside) + 1


def test_a_hit_counts_wherever_its_middle_lies_and_a_miss_only_inside():
    spans = {"a": ((0.0, 100.0),)}
    truth = from_timelines({"a": Timeline(200, (Action(90, 108, "x"), Action(96, 120, "x")))}, annotated=spans)
    results = {"a": Timeline(200, (Action(91, 112, "x", 0.9), Action(99, 107, "x", 0.8), Action(10, 20, "x", 0.7)))}
    figures = compute_detection_scores(truth, from_timelines(results))
    # The second action and the second detection have their middles outside; the first detection hits all the same.
    assert figures.counts["truth"] == 1 and figures.map[0] == pytest.approx(1.0)
    assert figures.false_alarms.rate_at(1.0) == 0 and figures.false_alarms.hours == pytest.approx(100 / 3600)
    assert "annotated actions outside the stretches that are judged: 1" in figures.notes
    diagnosis = diagnose(truth, from_timelines(results))
    assert diagnosis.map == pytest.approx(1.0)


def test_what_is_left_out_is_counted():
    truth = replace(build([("a", 3, 1, 5, "x"), ("a", 0, 1, 5, "x")]), annotated=SPANS)
    judged = select_judged_rows(truth, build([("b", 7, 1, 3, "y")], scored=True))
    assert judged.dropped == {
        "annotated actions outside the stretches that are judged": 1,
        "detections outside the stretches that are judged": 1,
    }
    assert select_judged_rows(build([("a", 3, 1, 5, "x")]), truth).dropped == {}


@pytest.fixture
def folder(tmp_path):
    labels = {"duration": 400, "annotations": [{"label": "x", "segment": [t, t + 5]} for t in range(10, 390, 20)]}
    database = {"a": {**labels, "subset": "training"}, "b": {**labels, "subset": "validation"}}
    (tmp_path / "plain.json").write_text(json.dumps({"database": database}))
    parts = {"training": [[0, 200]], "validation": [[210, 400]]}
    split = {"a": {**labels, "parts": parts}, "b": {**labels, "parts": {"validation": [[0, 100]], "training": []}}}
    (tmp_path / "split.json").write_text(json.dumps({"database": split}))
    (tmp_path / "spans.csv").write_text("video,start,end\nb,0,100\n")
    random = np.random.default_rng(0)
    results = {
        video: [
            {"label": "x", "score": float(random.uniform()), "segment": [float(t), float(t + random.uniform(3, 7))]}
            for t in random.uniform(0, 390, 60)
        ]
        for video in "ab"
    }
    (tmp_path / "results.json").write_text(json.dumps({"results": results}))
    return tmp_path


def test_a_subset_of_a_video_that_is_split_in_time_is_its_part(folder):
    scores = evaluate(folder / "split.json", folder / "results.json", subset="val").scores
    assert (scores.subset, scores.counts["videos"], scores.counts["truth"]) == ("validation", 2, 9 + 5)
    assert scores.false_alarms.hours == pytest.approx(290 / 3600)
    whole = evaluate(folder / "split.json", folder / "results.json")
    assert whole.scores.counts["truth"] == 38
    assert any("are split in time into training, validation; all of each is judged" in note for note in whole.notes)
    with pytest.raises(BadInput, match="no video of subset 'fold9'"):
        evaluate(folder / "split.json", folder / "results.json", subset="fold9")


@pytest.mark.parametrize("protocol", ["activitynet", "opentad", "segmental", "activitynet-proposals"])
def test_spans_from_a_table_a_file_and_memory_give_the_same(folder, protocol):
    entry = json.loads((folder / "plain.json").read_text())
    entry["database"]["b"]["annotated"] = [[0, 100]]
    (folder / "inside.json").write_text(json.dumps(entry))
    actions = tuple(Action(t, t + 5, "x") for t in range(10, 390, 20))
    memory = Annotations({v: Timeline(400.0, actions) for v in "ab"}, annotated={"b": ((0.0, 100.0),)})
    results = folder / "results.json"
    table = evaluate(folder / "plain.json", results, protocol, annotated=folder / "spans.csv").scores
    for truth in (folder / "inside.json", memory):
        again = evaluate(truth, results, protocol).scores
        assert {**again.to_json(), "notes": 0} == {**table.to_json(), "notes": 0}
    assert any("1 video is annotated in part" in note for note in evaluate(folder / "inside.json", results).notes)


def test_labels_of_whole_videos_are_judged_where_all_is_annotated(folder):
    scores = evaluate(
        folder / "plain.json", folder / "results.json", "activitynet-classification", annotated=folder / "spans.csv"
    ).scores
    assert scores.counts["videos"] == 1
    assert "videos annotated in part, whose labels may lie elsewhere, left out: 1" in scores.notes
    with pytest.raises(BadInput, match="every video is annotated in part"):
        evaluate(folder / "split.json", folder / "results.json", "activitynet-classification", subset="training")


def test_comparisons_of_figures_take_the_same_spans(folder):
    words = [folder / "plain.json", folder / "results.json", "--annotated", folder / "spans.csv"]
    for name in ("one.json", "two.json"):
        done = CliRunner().invoke(app, ["evaluate", *map(str, words), "--json", str(folder / name)])
        assert done.exit_code == 0, done.output
    comparison = compare(folder / "one.json", folder / "two.json", bootstrap=20)
    figures = json.loads((folder / "one.json").read_text())
    assert comparison.maps[0] == pytest.approx(figures["map"]) and comparison.average_map.value == 0
    (folder / "spans.csv").write_text("video,start,end\nb,0,110\n")
    with pytest.raises(BadInput, match=r"spans\.csv has changed since it was judged"):
        compare(folder / "one.json", folder / "two.json", bootstrap=20)


def judge_with_spans(tmp_path, spans, durations, actions="a,1,2,x\na,50,60,x\n"):
    """Judge three detections of a recording whose length only the results may state."""
    (tmp_path / "labels.csv").write_text("video,start,end,label\n" + actions)
    (tmp_path / "spans.csv").write_text("video,start,end\n" + spans)
    rows = [{"segment": [start, start + 10], "label": "x", "score": 0.9} for start in (50, 70, 90)]
    (tmp_path / "found.json").write_text(json.dumps({"results": {"a": rows}, **durations}))
    paths = (tmp_path / name for name in ("labels.csv", "found.json"))
    return evaluate(*paths, annotated=tmp_path / "spans.csv").detection_scores


def test_stretches_beyond_the_length_that_results_state_are_no_hours(tmp_path):
    scores = judge_with_spans(tmp_path, "a,40,36000\n", {"durations": {"a": 100.0}})
    assert scores.false_alarms and scores.false_alarms.hours == pytest.approx(60 / 3600)
    assert any("spans.csv: 1 span clipped to the video: [40, 36000] s of video 'a'" in note for note in scores.notes)
    assert any("1 video is annotated in part, 1 minutes in all" in note for note in scores.notes)
    with pytest.raises(BadInput, match=r"spans\.csv: the span \[200, 300\] s of video 'a', which ends at 100 s"):
        judge_with_spans(tmp_path, "a,40,90\na,200,300\n", {"durations": {"a": 100.0}})


@pytest.mark.parametrize("durations", [{}, {"durations": None}, {"durations": {"a": "long"}}])
def test_without_a_stated_length_stretches_stay_as_they_are(tmp_path, durations):
    scores = judge_with_spans(tmp_path, "a,40,400\n", durations)
    assert scores.false_alarms and scores.false_alarms.hours == pytest.approx(360 / 3600)
    assert not any("clipped" in note for note in scores.notes)


def test_a_table_of_detections_states_no_length_by_its_last_row(tmp_path):
    judge_with_spans(tmp_path, "a,40,400\n", {})
    table = tmp_path / "found.csv"
    table.write_text("video,start,end,label,score\na,50,60,x,0.9\na,90,100,x,0.5\n")
    scores = evaluate(tmp_path / "labels.csv", table, annotated=tmp_path / "spans.csv").detection_scores
    assert scores.false_alarms and scores.false_alarms.hours == pytest.approx(360 / 3600)
