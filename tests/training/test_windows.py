"""Windows: where they lie, which actions they hold, and how they are stacked."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import synthetic
from untrimmed.annotations.corpus import open_corpus
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.features.windows import WindowConfig, cut_windows, window_starts
from untrimmed.models.base import stack_windows
from untrimmed.recipe import AugmentConfig
from untrimmed.timeline import Action, Timeline
from untrimmed.training.windows import TrainingWindows, annotate_clip, compute_channel_statistics

SOURCE = FeatureSource(backbone="clock", fps=2.0, stride=1, window=3)


def clock(count):
    """Features whose only channel is the time of the middle of their snippet."""
    values = SOURCE.grid.seconds(np.arange(count) + 0.5)[:, None].astype(np.float32)
    return VideoFeatures(values, SOURCE.grid, count / 2 + 1, SOURCE)


@given(st.integers(1, 500), st.integers(1, 64), st.floats(0, 0.95))
def test_windows_cover_a_video_and_no_window_is_idle(snippets, length, overlap):
    firsts = window_starts(snippets, length, overlap)
    covered = {snippet for first in firsts for snippet in range(first, first + length)}
    assert set(range(snippets)) <= covered
    assert all(first < snippets for first in firsts)
    assert len(firsts) == 1 or firsts[-2] + length < snippets


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_a_window_knows_the_time_of_what_it_holds(mode):
    for window in cut_windows(clock(100), WindowConfig(mode=mode), 64):
        positions = np.arange(window.valid_length) + 0.5
        inner = slice(2, window.valid_length - 2)  # interpolation stops at the borders
        assert window.values[0, inner] == pytest.approx(window.grid.seconds(positions)[inner], abs=1e-3)


def test_a_short_video_is_padded_and_masked():
    (window,) = cut_windows(clock(40), WindowConfig(mode="slide"), 64)
    batch = stack_windows([window])
    assert window.valid_length == 40
    assert batch.mask.sum() == 40
    assert (batch.x[0, :, 40:] == 0).all()


def test_a_window_has_the_actions_of_which_enough_lies_inside():
    timeline = Timeline(60, (Action(1, 5, "a"), Action(15, 25, "b"), Action(18, 22, "unknown"), Action(30, 40, "a")))
    clip = annotate_clip(clock(100)[4:46], timeline, ("a", "b"), coverage=0.75)
    grid = clock(100)[4:46].grid
    assert clip.labels.tolist() == [1]
    # positions of 15 s, and of the end of the window, to which it was clipped
    assert clip.segments[0].tolist() == pytest.approx([grid.position(15), 42])
    assert len(annotate_clip(clock(100)[4:46], timeline, ("a", "b"), coverage=0.3).labels) == 2


@pytest.fixture
def corpus(tmp_path):
    return open_corpus(synthetic.recipe_for(synthetic.write_dataset(tmp_path)).data)


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_a_training_window_depends_on_its_key_alone(corpus, mode):
    data = TrainingWindows(corpus, WindowConfig(mode=mode), AugmentConfig(), 128, seed=3)
    (window, targets), (again, same) = data[5, 1], data[5, 1]
    assert np.array_equal(window.values, again.values) and torch.equal(targets.segments, same.segments)
    assert not np.array_equal(window.values, data[6, 1][0].values)
    assert len(targets.labels) >= 1 and targets.segments.max() <= 128


def test_augmented_windows_still_show_the_action_where_the_target_says(corpus):
    data = TrainingWindows(corpus, WindowConfig(), AugmentConfig(), 128, seed=0)
    inside, outside = [], []
    for step in range(20):
        window, targets = data[step, step % len(data)]
        for (start, end), label in zip(targets.segments.round().int().tolist(), targets.labels.tolist(), strict=True):
            inside += window.values[label, start + 1 : end - 1].tolist()
        outside += window.values[3:].ravel().tolist()
    assert np.mean(inside) > 1.5
    assert abs(np.mean(outside)) < 0.1


def test_statistics_are_those_of_all_training_snippets(corpus):
    values = np.concatenate([np.asarray(corpus.features[video].values, float) for video in corpus.train])
    mean, deviation, _ = compute_channel_statistics(corpus)
    assert mean == pytest.approx(values.mean(0))
    assert deviation == pytest.approx(values.std(0))


def test_overlaps_out_of_bounds_are_refused():
    with pytest.raises(ValueError, match="test_overlap = 1"):
        WindowConfig(test_overlap=1.0)
