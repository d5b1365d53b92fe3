"""Scores of whole videos: how files have them, what they do to candidates, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthetic
from untrimmed.annotations.corpus import open_corpus, open_features
from untrimmed.detection.detector import Detector
from untrimmed.detection.video_scores import VideoScores, read_video_scores
from untrimmed.io import BadInput
from untrimmed.training.loop import build_model, join_processes

CLASSES = ("jump", "run")
FOUND = np.array([[0.5, 0.25], [0.125, 1.0]])


def written(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# Reading


def test_both_forms_of_a_file_say_the_same(tmp_path):
    plain = {"a": {"jump": 0.5, "run": 0}, "b": {}}
    results = {"a": [{"label": "jump", "score": 0.5}, {"label": "run", "score": 0.0}], "b": []}
    first = read_video_scores(written(tmp_path, plain)).scores
    second = read_video_scores(written(tmp_path, {"version": "VERSION 1.3", "results": results})).scores
    assert first == second == plain


def test_a_video_may_be_called_results(tmp_path):
    plain = {"results": {"jump": 0.5}}
    assert read_video_scores(written(tmp_path, plain)).scores == plain


def test_a_label_listed_twice_has_its_better_score(tmp_path):
    results = {"a": [{"label": "jump", "score": score} for score in (0.25, 0.75, 0.5)]}
    assert read_video_scores(written(tmp_path, {"results": results})).scores == {"a": {"jump": 0.75}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": {"jump": -0.5}}, "video 'a' has the score -0.5 for 'jump'; a finite number from 0 up"),
        ('{"a": {"jump": NaN}}', "video 'a' has the score nan for 'jump'"),
        ('{"a": {"jump": Infinity}}', "video 'a' has the score inf for 'jump'"),
        ('{"a": {"jump": 1' + "0" * 400 + "}}", "video 'a' has the score 1000"),
        ({"a": {"jump": True}}, "video 'a' has the score True for 'jump'"),
        ({"a": {"jump": "high"}}, "video 'a' has the score 'high' for 'jump'"),
        ({"a": 0.5}, "video 'a' has 0.5; {label: score} was expected"),
        ([1, 2], r"is \[1, 2\]; {video: {label: score}} was expected"),
        ({"results": {"a": [{"label": "jump", "score": -1}]}}, "video 'a' has the score -1.0 for 'jump'"),
        ('{"results": {"a": [{"label": "jump", "score": NaN}]}}', "video 'a' has nan in a score"),
        ({"results": {"a": {"jump": 1}}}, "video 'a' has {'jump': 1} where a list"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, content, words):
    with pytest.raises(BadInput, match=f"scores.json: {words}"):
        read_video_scores(written(tmp_path, content))


def test_no_labels_at_all_cannot_be_asked_for():
    with pytest.raises(BadInput, match="0 labels a video: give at least 1"):
        VideoScores("scores", {}, top=0)


# Weighing


def test_every_class_is_multiplied_by_its_video_s_score():
    scores = VideoScores("scores", {"a": {"run": 0.5, "jump": 2, "throw": 9.0}, "b": {"run": 1.0}})
    assert scores.weigh("a", CLASSES, FOUND).classes == CLASSES
    assert scores.weigh("a", CLASSES, FOUND).scores.tolist() == [[1.0, 0.125], [0.25, 0.5]]


def test_a_label_that_the_video_is_not_given_scores_nothing():
    scores = VideoScores("scores", {"a": {"jump": 1.0}, "b": {"run": 1.0}})
    assert scores.weigh("a", CLASSES, FOUND).scores.tolist() == [[0.5, 0.0], [0.125, 0.0]]


def test_segments_without_a_class_stand_for_their_video_s_best_labels():
    scores = VideoScores("scores", {"a": {"run": 0.25, "throw": 0.5, "jump": 0.25, "fall": 0.0}, "b": {}})
    two = scores.weigh("a", ("proposal",), FOUND[:, :1])
    assert two.classes == ("throw", "run")
    assert two.scores.tolist() == [[0.25, 0.125], [0.0625, 0.03125]]
    assert replace(scores, top=9).weigh("a", ("proposal",), FOUND[:, :1]).classes == ("throw", "run", "jump", "fall")
    assert scores.weigh("b", ("proposal",), FOUND[:, :1]).scores.shape == (2, 0)


def test_one_class_that_some_video_is_given_keeps_its_name():
    scores = VideoScores("scores", {"a": {"throw": 0.5}, "b": {"jump": 1.0}})
    weighed = scores.weigh("a", ("jump",), FOUND[:, :1])
    assert weighed.classes == ("jump",)
    assert weighed.scores.tolist() == [[0.0], [0.0]]


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_two_classifiers_one_after_the_other_are_one_of_their_product(first, second):
    found = np.array([[0.9, 0.5, 0.1]])
    labels = ("a", "b", "c")

    def weigh(values, scores):
        return VideoScores("s", {"v": dict(zip(labels, values, strict=True))}).weigh("v", labels, scores).scores

    product = [a * b for a, b in zip(first, second, strict=True)]
    assert weigh(second, weigh(first, found)) == pytest.approx(weigh(product, found))


def test_videos_without_scores_are_refused():
    with pytest.raises(BadInput, match="scores: has no scores for 2 of the 3 videos, such as 'b'"):
        VideoScores("scores", {"a": {"jump": 1.0}}).match(["a", "b", "c"], CLASSES)


def test_scores_of_other_labels_altogether_are_refused():
    scores = VideoScores("scores", {"a": {"Jump": 1.0, "Run": 1.0}})
    with pytest.raises(BadInput, match=r"labels such as 'Jump', 'Run', but none .* such as 'jump', 'run'"):
        scores.match(["a"], CLASSES)
    scores.match(["a"], ("proposal",))
    replace(scores, scores={"a": {}}).match(["a"], CLASSES)
    replace(scores, scores={"a": {"Jump": 1.0, "run": 1.0}}).match(["a"], CLASSES)


# Detection


@pytest.fixture
def folder(tmp_path):
    return synthetic.write_dataset(tmp_path / "data")


def detector_of(folder, classes=synthetic.CLASSES, **suppression):
    """An untrained detector."""
    recipe = synthetic.recipe_for(folder, suppress={"floor": 0.0, "end_floor": 0.0, "keep": 10_000, **suppression})
    corpus = open_corpus(recipe.data)
    few = replace(corpus, dataset=replace(corpus.dataset, classes=classes))
    model = build_model(recipe, few, join_processes("cpu")).eval()
    return Detector(model, recipe, synthetic.CHANNELS, classes, corpus.source)


def test_scores_of_1_change_nothing(folder):
    detector = detector_of(folder)
    videos = list(open_features(detector.recipe.data))
    scores = VideoScores("scores", {video: dict.fromkeys(synthetic.CLASSES, 1.0) for video in videos})
    source = folder / "features"
    assert detector.detect_all(source, video_scores=scores) == detector.detect_all(source)


def test_scores_are_multiplied_before_suppression(folder):
    # All classes suppress each other, so a class that its video does not have must not hide one that it has.
    detector = detector_of(folder, method="hard", tiou=0.01, per_class=False)
    single = folder / "features" / "video02.npy"
    segments, found = detector.candidates(open_features(detector.recipe.data)["video02"])
    for label in synthetic.CLASSES:
        scores = VideoScores("scores", {"video02": {label: 0.5}})
        best = detector.detect_all(single, video_scores=scores)["video02"].best(1).actions[0]
        assert best.label == label
        number = detector.classes.index(label)
        assert best.score == pytest.approx(found[:, number].max() / 2)
        assert best.end == pytest.approx(min(segments[found[:, number].argmax(), 1], best.end))


def test_a_detector_of_one_class_takes_its_labels_from_the_file(folder):
    detector = detector_of(folder, classes=("jump",))
    detector = replace(detector, classes=("action",))
    single = folder / "features" / "video02.npy"
    plain = detector.detect_all(single)["video02"].best(5)
    scores = VideoScores("scores", {"video02": {"fall": 0.125, "throw": 0.5, "climb": 0.25}})
    weighed = detector.detect_all(single, video_scores=scores)["video02"]
    assert weighed.labels == ("climb", "throw")
    for label, share in (("throw", 0.5), ("climb", 0.25)):
        own = replace(weighed, actions=tuple(a for a in weighed.actions if a.label == label)).best(5)
        for action, other in zip(own.actions, plain.actions, strict=True):
            assert (action.start, action.end) == (other.start, other.end)
            assert action.score == pytest.approx(share * other.score)


def test_missing_videos_are_refused_before_any_is_looked_at(folder, monkeypatch):
    detector = detector_of(folder)
    monkeypatch.setattr(Detector, "candidates", lambda *_: pytest.fail("a video was looked at"))
    with pytest.raises(BadInput, match="no scores for 8 of the 9 videos, such as 'video01'"):
        detector.detect_all(folder / "features", video_scores=VideoScores("scores", {"video00": {"jump": 1.0}}))


def test_features_of_another_kind_are_still_refused(folder):
    detector = detector_of(folder)
    other = replace(detector, source=replace(detector.source, backbone="other"))
    scores = VideoScores("scores", {"video02": {"jump": 1.0}})
    with pytest.raises(BadInput, match="extract them as it was"):
        other.detect_all(folder / "features" / "video02.npy", video_scores=scores)


def test_scores_are_found_under_any_form_of_a_name_and_that_is_logged(caplog):
    caplog.set_level("INFO", "untrimmed")
    scores = VideoScores("scores", {"v_A": {"jump": 1.0}, "b": {"run": 1.0}}).match(["a.mp4", "b"], CLASSES)
    assert (scores.scores["a.mp4"], scores.scores["b"]) == ({"jump": 1.0}, {"run": 1.0})
    assert "1 video is spelled differently on the two sides, such as 'a.mp4' and 'v_A'" in caplog.text
    with pytest.raises(BadInput, match=r"1 of the 1 videos, such as 'bb' \(is it 'b' there\?\)"):
        scores.match(["bb"], CLASSES)
