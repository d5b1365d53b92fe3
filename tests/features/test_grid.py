"""How snippets lie in time: seconds and positions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.features.grid import Grid

grids = st.builds(Grid, st.floats(0.01, 10), st.floats(0.01, 10), st.floats(-5, 5))


@given(grids, st.floats(-1e4, 1e4))
def test_seconds_and_positions_are_inverse(grid: Grid, time: float) -> None:
    assert grid.seconds(grid.position(time)) == pytest.approx(time, abs=1e-6)
    assert grid.position(grid.seconds(time)) == pytest.approx(time, abs=1e-6)


@given(grids, st.integers(0, 1000))
def test_the_middle_of_a_snippet_is_half_a_position_on(grid: Grid, snippet: int) -> None:
    covered = grid.start + snippet * grid.step
    assert grid.seconds(snippet + 0.5) == pytest.approx(covered + grid.span / 2, abs=1e-6)


def test_frames_become_seconds() -> None:
    assert Grid.from_frames(stride=8, window=16, fps=25.0) == Grid(0.32, 0.64, 0.0)
    assert Grid.from_frames(8, 16, 25.0, start=1.5).start == 1.5


def test_a_spread_video_reaches_from_its_start_to_its_end() -> None:
    grid = Grid.spread(duration=90.0, count=256)
    assert grid.seconds(0) == 0.0
    assert grid.seconds(256) == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("step", "span", "start"), [(0, 1, 0), (1, 0, 0), (-1, 1, 0), (1, np.inf, 0), (1, 1, np.nan)]
)
def test_what_is_no_grid_is_refused(step: float, span: float, start: float) -> None:
    with pytest.raises(ValueError, match="not a grid"):
        Grid(step, span, start)
