"""Random move and random crop: what they must keep, and the rules that they must obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.recipe import AugmentConfig
from untrimmed.training.augment import CROP_OVERLAPS, Clip, augment, cut_clip, random_crop, random_move, resize_clip


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


def slow_move(clip, random):
    """Random move written out: a list of snippets, one put after another."""
    touched = {t for a, b in clip.segments for t in range(int(np.floor(a)), int(np.ceil(b)))}
    rest = [t for t in range(len(clip.values)) if t not in touched]
    count = len(clip.labels)
    if count == 0 or len(rest) < 5 or len(rest) + 1 < count:
        return list(range(len(clip.values))), clip.segments.tolist()
    places = sorted(random.choice(len(rest) + 1, count, replace=False).tolist())
    order = random.permutation(count).tolist()
    row, segments = [], [None] * count
    for place in range(len(rest) + 1):
        if place in places:
            action = order[places.index(place)]
            a, b = clip.segments[action]
            segments[action] = [len(row) + a - np.floor(a), len(row) + b - np.floor(a)]
            row += range(int(np.floor(a)), int(np.ceil(b)))
        row += rest[place : place + 1]
    return row, segments


@given(clips(), st.integers(0, 2**31))
def test_random_move_equals_the_slow_version(clip, seed):
    moved = random_move(clip, np.random.default_rng(seed))
    row, segments = slow_move(clip, np.random.default_rng(seed))
    assert moved.values[:, 0].tolist() == row
    assert moved.segments.tolist() == [pytest.approx(segment) for segment in segments]


def slow_crop(clip, config, random):
    """Random crop written out: the bounds of the crop that is taken, whether or not it keeps an action."""
    time, candidates = len(clip.values), [(0, len(clip.values))]
    for least in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9):
        scales, places = random.uniform(config.crop_scale, 1, 100), random.uniform(0, 1, 100)
        for scale, place in zip(scales.tolist(), places.tolist(), strict=True):
            a = place * (time - scale * time)
            a, b = round(a), round(a + scale * time)
            overlaps = [
                max(0, min(b, end) - max(a, start)) / (max(b, end) - min(a, start))
                if min(b, end) > max(a, start)
                else 0
                for start, end in clip.segments
            ]
            if b > a and min(overlaps) >= least:
                candidates.append((a, b))
                break
    return candidates[random.integers(len(candidates))]


def test_random_crop_equals_the_slow_version_and_reaches_every_least_overlap():
    clip, config = clip_of(100, [[20, 50], [40, 70], [72.5, 90]]), AugmentConfig()
    reached = {least: 0 for least in CROP_OVERLAPS}
    for seed in range(600):
        a, b = slow_crop(clip, config, np.random.default_rng(seed))
        cropped = random_crop(clip, config, np.random.default_rng(seed))
        kept = [i for i, (start, end) in enumerate(clip.segments) if a <= (start + end) / 2 < b]
        if not kept:
            a, b, kept = 0, 100, [0, 1, 2]
        assert cropped.values[:, 0].tolist() == list(range(a, b))
        assert cropped.labels.tolist() == kept
        assert cropped.segments.tolist() == [
            [max(a, clip.segments[i][0]) - a, min(b, clip.segments[i][1]) - a] for i in kept
        ]
        least = min(max(0, min(b, e) - max(a, s)) / (max(b, e) - min(a, s)) for s, e in clip.segments)
        reached[max(value for value in CROP_OVERLAPS if value <= least)] += 1
    assert reached[0.0] > 50 and reached[0.1] > 50  # three actions: no crop overlaps all of them by much more


@given(clips(), st.integers(0, 2**31))
def test_half_of_every_action_that_a_crop_keeps_is_left(clip, seed):
    cropped = random_crop(clip, AugmentConfig(crop_rule="half"), np.random.default_rng(seed))
    for label, (start, end) in zip(cropped.labels, cropped.segments, strict=True):
        whole = clip.segments[label][1] - clip.segments[label][0]
        assert end - start >= 0.5 * whole - 1e-9
    assert len(clip.labels) == 0 or len(cropped.labels) > 0


@pytest.mark.parametrize("move", [True, False])
@pytest.mark.parametrize("crop", [True, False])
def test_every_row_of_table_4_is_a_setting(move, crop):
    clip = clip_of(60, [[5, 10], [30, 44]])
    config = AugmentConfig(random_move=move, random_crop=crop, random_resampling=False)
    made = [augment(clip, config, 60, np.random.default_rng(seed)) for seed in range(40)]
    ordered = all(np.all(np.diff(each.values[:, 0]) >= 0) for each in made)
    longer = any((each.segments[:, 1] - each.segments[:, 0]).max() > 14.5 for each in made)
    assert (ordered, longer) == (not move, crop)


def test_a_crop_that_would_keep_nothing_is_not_taken():
    clip = clip_of(100, [[0, 1]])
    for seed in range(200):
        assert len(random_crop(clip, AugmentConfig(), np.random.default_rng(seed)).labels) == 1


def test_the_two_rules_of_cropping_differ():
    clip = clip_of(100, [[0, 100]])
    assert cut_clip(clip, 40, 60, "centre") is not None
    assert cut_clip(clip, 40, 60, "half") is None
    assert cut_clip(clip, 40, 90, "half") is not None


@pytest.mark.parametrize("resampling", ["linear", "nearest", "cubic", "area"])
def test_resizing_takes_segments_along(resampling):
    small = resize_clip(clip_of(40, [[10, 20]]), 80, resampling)
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
    assert np.array_equal(done.values, resize_clip(clip, 64, "linear").values)


def test_a_crop_scale_out_of_bounds_is_refused():
    with pytest.raises(ValueError, match="crop_scale"):
        AugmentConfig(crop_scale=0)
