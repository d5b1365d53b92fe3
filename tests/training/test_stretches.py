"""Nothing is learned from outside the stretches that are annotated or that train, and the test sees none of it."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthetic
from untrimmed.annotations.annotations import Spans
from untrimmed.annotations.corpus import Corpus, cut_recordings, open_corpus
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.spans import merge_spans
from untrimmed.evaluation.files import evaluate
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.features.windows import WindowConfig, cut_windows
from untrimmed.io import BadInput
from untrimmed.recipe import AugmentConfig
from untrimmed.timeline import Action, Timeline
from untrimmed.training.folds import cross_validate
from untrimmed.training.loop import train
from untrimmed.training.windows import TrainingWindows, compute_channel_statistics

LENGTH = 16
SECONDS = 120.0

sources = st.sampled_from(
    [
        FeatureSource(backbone="clock", fps=fps, stride=stride, window=window)
        for fps, stride, window in product((1.0, 2.0, 7.5), (1, 2), (1, 3, 8))
    ]
)
stretches = st.lists(st.tuples(st.floats(0, 110), st.floats(0.5, 60)), min_size=1, max_size=4)
"""Starts and lengths in seconds."""


def fit(pairs: list[tuple[float, float]]) -> Spans:
    return merge_spans((start, min(start + length, SECONDS)) for start, length in pairs)


def build_corpus(source: FeatureSource, train_on: Spans, test_on: Spans = ()) -> Corpus:
    """One video whose only channel counts its snippets, with an action every ten seconds."""
    count = int((SECONDS - source.grid.span) / source.grid.step) + 1
    values = np.arange(count, dtype=np.float32)[:, None]
    features = {"day": VideoFeatures(values, source.grid, SECONDS, source)}
    timeline = Timeline(SECONDS, tuple(Action(t, t + 3, "a") for t in np.arange(2.0, 115.0, 10.0).tolist()))
    parts = {"day": {"training": train_on, "validation": test_on}}
    splits = {"training": ("day",), "validation": ("day",)}
    dataset = Dataset(("a",), {"day": timeline}, splits, "activitynet", parts=parts)
    spans = {"train_spans": {"day": train_on}, "test_spans": {"day": test_on}}
    return Corpus(dataset, features, ("day",), ("day",), **spans)


def list_windows(corpus: Corpus, mode: str) -> list[set[int]]:
    """List the snippets of every training window, with an action or without, as its values say."""
    windows = TrainingWindows(corpus, WindowConfig(mode=mode), AugmentConfig(), LENGTH, 0)
    return [set(range(place.first, place.last)) for place in (*windows.places, *windows.backgrounds)]


def list_inside(source: FeatureSource, spans: Spans) -> set[int]:
    """List the snippets that lie wholly in a span, one by one."""
    count = int((SECONDS - source.grid.span) / source.grid.step) + 1
    starts = source.grid.start + np.arange(count) * source.grid.step
    slack = 1e-6
    return {
        number
        for number, start in enumerate(starts)
        if any(a - slack <= start and start + source.grid.span <= b + slack for a, b in spans)
    }


@given(sources, stretches, st.sampled_from(["whole", "slide"]))
@settings(deadline=None)
def test_no_training_window_touches_a_snippet_outside_the_spans(source, pairs, mode):
    spans = fit(pairs)
    allowed = list_inside(source, spans)
    for window in list_windows(build_corpus(source, spans), mode):
        assert window <= allowed


@given(sources, st.floats(20, 100), st.floats(0, 10), st.sampled_from(["whole", "slide"]))
@settings(deadline=None)
def test_no_snippet_or_frame_is_both_in_a_training_window_and_in_a_test_window(source, border, gap, mode):
    train_on, test_on = ((0.0, border),), ((border + gap, SECONDS),)
    corpus = build_corpus(source, train_on, test_on)
    learned = set().union(*list_windows(corpus, mode), set())
    tested: set[int] = set()
    for recording in corpus.list_test_recordings("day"):
        part = recording.cut(corpus.features["day"])
        assert len(part) == recording.last - recording.first
        tested |= set(range(recording.first, recording.last))
        for window in cut_windows(part, WindowConfig(mode=mode), LENGTH):
            values = window.values[0, : window.valid_length]
            assert not len(values) or (recording.first <= values.min() and values.max() < recording.last)
    assert not learned & tested
    if learned and tested:
        grid = source.grid
        assert max(learned) * grid.step + grid.span <= min(tested) * grid.step + 1e-6


@given(sources, stretches)
@settings(deadline=None)
def test_a_recording_knows_its_times(source, pairs):
    spans = fit(pairs)
    features = build_corpus(source, spans).features["day"]
    for recording in cut_recordings(features, spans):
        part = recording.cut(features)
        number = float(part.values[0, 0])
        assert part.grid.seconds(0.5) + recording.start == pytest.approx(features.grid.seconds(number + 0.5))
        assert part.duration == pytest.approx(recording.end - recording.start)
        found = recording.restore(Timeline(part.duration, (Action(0.0, part.duration, "a"),)), features.duration)
        assert (found[0].start, found[0].end) == pytest.approx((recording.start, recording.end))


def test_channels_are_measured_in_the_spans_alone():
    source = FeatureSource(backbone="clock", fps=2.0)
    corpus = build_corpus(source, ((10.0, 20.0), (50.0, 60.0)))
    mean, deviation, _ = compute_channel_statistics(corpus)
    values = np.array([*range(20, 40), *range(100, 120)])
    assert mean[0] == pytest.approx(values.mean()) and deviation[0] == pytest.approx(values.std())


def test_a_whole_video_and_one_span_over_it_give_the_same_windows():
    source = FeatureSource(backbone="clock", fps=2.0, window=3)
    corpus = build_corpus(source, ((0.0, SECONDS),))
    assert list_windows(corpus, "slide") == list_windows(replace(corpus, train_spans={}), "slide")


@pytest.fixture
def folder(tmp_path):
    synthetic.write_long_video(tmp_path)
    rows = ["video,start,end,subset", "day,0,280,training", "day,290,400,validation"]
    (tmp_path / "spans.csv").write_text("\n".join(rows))
    return tmp_path


def recipe_for(folder, **train_settings):
    data = {"annotations": str(folder / "labels.csv"), "annotated": str(folder / "spans.csv")}
    windows = {"mode": "slide", "background": 0.25}
    return synthetic.recipe_for(folder, data=data, windows=windows, train={"calibrate": False, **train_settings})


def test_a_video_split_in_time_is_trained_on_and_tested_apart(folder):
    trained = train(recipe_for(folder), folder / "run", device="cpu")
    actions = trained.results["day"].actions
    assert actions and all(action.start >= 290 and action.end <= 400 for action in actions)
    card = trained.detector.card.training
    assert (card.train.hours, card.test.hours) == pytest.approx((280 / 3600, 110 / 3600))
    assert (card.train.actions, card.test.actions) == (25, 9)  # one lies in the gap
    assert trained.scores.counts["truth"] == card.test.actions
    assert trained.scores.false_alarms.hours == pytest.approx(110 / 3600)


def test_the_same_figures_come_of_the_file_of_results(folder, caplog):
    with caplog.at_level("INFO"):
        trained = train(recipe_for(folder), folder / "run", device="cpu")
    command = next(message for message in caplog.messages if "the same figures again" in message)
    assert f"{folder / 'run' / 'results.json'} --subset validation --annotated {folder / 'spans.csv'}" in command
    again = evaluate(
        folder / "labels.csv",
        folder / "run" / "results.json",
        subset="validation",
        annotated=folder / "spans.csv",
    ).scores.to_json()
    figures = trained.scores.to_json()
    for name in ("map", "average_map", "per_class", "counts", "false_alarms", "tious"):
        assert again[name] == figures[name]


def test_other_spans_are_other_data_and_the_same_in_another_file_are_not(folder):
    train(recipe_for(folder), folder / "run", device="cpu")
    moved = folder / "moved.csv"
    moved.write_text((folder / "spans.csv").read_text())
    recipe = recipe_for(folder)
    train(replace(recipe, data=replace(recipe.data, annotated=str(moved))), folder / "run", device="cpu")
    moved.write_text(moved.read_text().replace("280", "270"))
    with pytest.raises(BadInput, match="other stretches that are annotated or trained on, of video 'day'"):
        train(replace(recipe, data=replace(recipe.data, annotated=str(moved))), folder / "run", device="cpu")


def test_stretches_that_are_in_both_or_hold_no_action_are_refused(folder):
    data = recipe_for(folder).data
    with pytest.raises(BadInput, match=r"'day' .* are in both"):
        open_corpus(replace(data, test=("training", "validation")))
    (folder / "spans.csv").write_text("video,start,end,subset\nday,0,6,training\nday,290,400,validation\n")
    with pytest.raises(BadInput, match=r"no action in any video of data\.train"):
        open_corpus(data)


def test_folds_of_one_video_are_pooled(folder):
    rows = ["video,start,end,subset", "day,0,195,fold0", "day,205,400,fold1"]
    (folder / "spans.csv").write_text("\n".join(rows))
    recipe, folds = recipe_for(folder, steps=2), ("fold0", "fold1")
    recipe = replace(recipe, data=replace(recipe.data, train=folds[1:], test=folds[:1]))
    outcome = cross_validate(recipe, folds, folder / "folds", device="cpu")
    assert list(outcome.results) == ["day"]
    truth = open_corpus(recipe.data).dataset
    counts = {fold: len(truth.select(fold)["day"]) for fold in folds}
    assert {fold: scores.counts["truth"] for fold, scores in outcome.folds.items()} == counts
    assert outcome.pooled.counts["truth"] == sum(counts.values())
    assert outcome.pooled.counts["detections"] == sum(s.counts["detections"] for s in outcome.folds.values())
    assert outcome.pooled.false_alarms.hours == pytest.approx(390 / 3600)


def test_annotated_and_parts_hold_together(folder):
    corpus = open_corpus(recipe_for(folder).data)
    entry = {"duration": 400, "annotated": [[0, 100], [300, 350]], "annotations": []}
    entry["annotations"] = [{"label": "run", "segment": [a, a + 4]} for a in (10, 200, 310)]
    entry["parts"] = {"training": [[0, 280]], "validation": [[290, 400]]}
    (folder / "labels.json").write_text(json.dumps({"database": {"day": entry}}))
    data = replace(recipe_for(folder).data, annotations=str(folder / "labels.json"), annotated="")
    both = open_corpus(data)
    assert both.train_spans == {"day": ((0.0, 100.0),)} and both.test_spans == {"day": ((300.0, 350.0),)}
    assert corpus.train_spans == {"day": ((0.0, 280.0),)}
    assert len(both.dataset.ground_truth["day"]) == 2
    assert any("1 action lies outside of what is annotated" in note for note in both.notes)
