"""Random move and random crop: what they must keep, and the rules that they must obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.augment import AugmentConfig, Clip, augment, cut, random_crop, random_move, resized


def clip_of(time, segments, labels=None):
    """A clip whose only channel is the index of the snippet."""
    segments = np.array(segments, float).reshape(-1, 2)
    labels = np.arange(len(segments)) if labels is None else np.array(labels, int)
    return Clip(np.arange(time, dtype=np.float32)[:, None], segments, labels)


@st.composite
def clips(draw):
    time = draw(st.integers(10, 60))
    count = draw(st.integers(0, 4))
    starts = [draw(st.floats(0, time - 3)) for _ in range(count)]
    return clip_of(time, [[s, min(time, s + draw(st.floats(0.5, 20)))] for s in starts])


@given(clips(), st.integers(0, 2**31))
def test_random_move_keeps_every_action_whole(clip, seed):
    moved = random_move(clip, np.random.default_rng(seed))
    assert moved.labels.tolist() == clip.labels.tolist()
    for before, after in zip(clip.segments, moved.segments, strict=True):
        assert after[1] - after[0] == pytest.approx(before[1] - before[0])
        # the snippets that an action touches are the same, in the same order
        old = clip.values[int(np.floor(before[0])) : int(np.ceil(before[1]))]
        first = round(after[0] - before[0] % 1)
        assert np.array_equal(moved.values[first : first + len(old)], old)


@given(clips(), st.integers(0, 2**31))
def test_random_move_keeps_the_background_in_order(clip, seed):
    moved = random_move(clip, np.random.default_rng(seed))
    touched = np.zeros(len(clip.values), bool)
    for start, end in clip.segments:
        touched[int(np.floor(start)) : int(np.ceil(end))] = True
    background = clip.values[~touched, 0].tolist()
    assert [value for value in moved.values[:, 0].tolist() if value in set(background)] == background


def test_random_move_shuffles_actions_and_reaches_every_place():
    clip = clip_of(20, [[2, 4], [10, 13]])
    starts = {tuple(random_move(clip, np.random.default_rng(seed)).segments[:, 0].tolist()) for seed in range(2000)}
    # 16 places between 15 background snippets, two distinct ones, in either order
    assert len(starts) == 16 * 15


def test_random_move_needs_some_background():
    clip = clip_of(10, [[0, 4], [4, 7]])
    assert random_move(clip, np.random.default_rng(0)) is clip


def test_random_crop_obeys_its_rule_and_leaves_the_whole_alone_one_time_in_seven_or_more():
    clip, config = clip_of(100, [[20, 70]]), AugmentConfig()
    whole = 0
    for seed in range(1000):
        cropped = random_crop(clip, config, np.random.default_rng(seed))
        first, length = int(cropped.values[0, 0]), len(cropped.values)
        assert length >= 30
        assert first <= 45 < first + length  # the centre of the action lies inside
        expected = np.clip([20, 70], first, first + length) - first
        assert cropped.segments[0].tolist() == pytest.approx(expected.tolist())
        whole += length == 100
    assert 1 / 7 - 0.04 < whole / 1000 < 1 / 7 + 0.06


def test_a_crop_that_would_keep_nothing_is_not_taken():
    clip = clip_of(100, [[0, 1]])
    for seed in range(200):
        assert len(random_crop(clip, AugmentConfig(), np.random.default_rng(seed)).labels) == 1


def test_the_two_rules_of_cropping_differ():
    clip = clip_of(100, [[0, 100]])
    assert cut(clip, 40, 60, "centre") is not None
    assert cut(clip, 40, 60, "half") is None
    assert cut(clip, 40, 90, "half") is not None


@pytest.mark.parametrize("resampling", ["linear", "nearest", "cubic", "area"])
def test_resizing_takes_segments_along(resampling):
    small = resized(clip_of(40, [[10, 20]]), 80, resampling)
    assert len(small.values) == 80
    assert small.segments.tolist() == [[20, 40]]
    # the snippet in the middle of the action still holds what it held
    assert small.values[30, 0] == pytest.approx(15, abs=0.5)


def test_augmentation_repeats_itself_for_a_seed():
    clip, config = clip_of(50, [[5, 10], [30, 44]]), AugmentConfig()
    first, again, other = (augment(clip, config, 64, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.values, again.values) and np.array_equal(first.segments, again.segments)
    assert not np.array_equal(first.values, other.values)


def test_without_augmentation_a_clip_is_only_resized():
    config = AugmentConfig(random_move=False, random_crop=False, random_resampling=False)
    clip = clip_of(32, [[4, 8]])
    done = augment(clip, config, 64, np.random.default_rng(0))
    assert done.segments.tolist() == [[8, 16]]
    assert np.array_equal(done.values, resized(clip, 64, "linear").values)


def test_a_crop_scale_out_of_bounds_is_refused():
    with pytest.raises(ValueError, match="crop_scale"):
        AugmentConfig(crop_scale=0)
