"""Features keep their time: slices, resizing and averaging; and values that are not finite."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from public_sets import numbers
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import FeatureSource, VideoFeatures, check_finite
from untrimmed.io import BadInput

SOURCE = FeatureSource(backbone="sensor", fps=10.0, stride=5, window=8, streams=("rgb", "flow"), start=0.2)

grids = st.builds(Grid, st.floats(0.01, 10), st.floats(0.01, 10), st.floats(-5, 5))


def ramp(grid: Grid, count: int) -> VideoFeatures:
    """Features whose one channel is the time in the middle of each snippet."""
    middles = grid.seconds(np.arange(count) + 0.5)
    return VideoFeatures(middles[:, None].astype(np.float32), grid, 1000.0, SOURCE)


def time_errors(features: VideoFeatures) -> np.ndarray:
    """How far each value is from the time in the middle of its snippet, in seconds."""
    return np.abs(features.values[:, 0] - features.grid.seconds(np.arange(len(features)) + 0.5))


@given(grids, st.integers(2, 40), st.data())
def test_a_slice_keeps_its_time(grid: Grid, count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    part = ramp(grid, count)[first:last]
    assert len(part) == last - first
    assert part.duration == 1000.0
    assert time_errors(part).max() < 1e-4


@given(grids, st.integers(2, 40), st.integers(1, 90))
def test_a_resized_ramp_still_time_errors_inside_the_ends(grid: Grid, before: int, after: int) -> None:
    resized = ramp(grid, before).resize(after)
    assert len(resized) == after
    at = grid.position(resized.grid.seconds(np.arange(after) + 0.5))
    inside = (at >= 0.5) & (at <= before - 0.5)
    assert (time_errors(resized)[inside] < 2e-3 * grid.step + 1e-4).all()


@given(grids, st.integers(1, 40), st.integers(1, 90))
def test_resizing_covers_the_same_stretch(grid: Grid, before: int, after: int) -> None:
    resized = ramp(grid, before).resize(after).grid
    assert resized.seconds(0) == pytest.approx(grid.seconds(0), abs=1e-9)
    assert resized.seconds(after) == pytest.approx(grid.seconds(before), abs=1e-6)


@given(grids, st.integers(1, 40), st.integers(1, 8))
def test_an_averaged_ramp_time_errors(grid: Grid, count: int, together: int) -> None:
    if together > count:
        with pytest.raises(ValueError, match="are fewer than"):
            ramp(grid, count).average(together)
        return
    averaged = ramp(grid, count).average(together)
    assert len(averaged) == count // together
    assert time_errors(averaged).max() < 1e-4


def test_averaged_features_and_their_source_agree_on_the_grid() -> None:
    averaged = VideoFeatures(numbers(6, 4), SOURCE.grid, 9.0, SOURCE).average(3)
    assert averaged.grid == averaged.source.grid
    assert averaged.source == SOURCE.average(3) != SOURCE
    assert averaged.values == pytest.approx(np.stack([numbers(6, 4)[:3].mean(0), numbers(6, 4)[3:].mean(0)]))


def test_area_resizing_is_the_mean_of_what_a_snippet_covers() -> None:
    resized = VideoFeatures(numbers(6, 4), SOURCE.grid, 9.0, SOURCE).resize(2, "area")
    assert resized.values == pytest.approx(np.stack([numbers(6, 4)[:3].mean(0), numbers(6, 4)[3:].mean(0)]))


@pytest.mark.parametrize("snippets", [slice(None, None, 2), slice(None, None, -1)])
def test_a_slice_with_gaps_is_refused(snippets: slice) -> None:
    with pytest.raises(ValueError, match="not consecutive"):
        VideoFeatures(numbers(6, 4), SOURCE.grid, 9.0, SOURCE)[snippets]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    values = numbers(6, 4)
    features = VideoFeatures(values, SOURCE.grid, 9.0, SOURCE)
    check_finite("clip", features)
    values[3, 2] = values[4, 0] = value
    with pytest.raises(BadInput, match=f"features of clip: 2 values .* is {value} at snippet 3, channel 2"):
        check_finite("clip", features)


def test_a_source_without_a_rate_is_refused():
    with pytest.raises(ValueError, match=r"source\.fps = 0"):
        FeatureSource(backbone="x", fps=0)


def test_the_first_value_that_is_not_finite_is_named_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("untrimmed.features.video_features._CHUNK", 4)
    values = np.zeros((11, 3), np.float32)
    values[9, 1] = values[10, 2] = np.nan
    with pytest.raises(BadInput, match="2 values are not finite, the first is nan at snippet 9, channel 1"):
        check_finite("v", VideoFeatures(values, Grid(1.0, 1.0), 11.0, FeatureSource(backbone="x", fps=1)))
