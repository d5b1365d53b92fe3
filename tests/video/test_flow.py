"""Flow of pictures that were moved by a known amount, what its description must not depend on, and its bytes."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.video.flow import CELLS, CHANNELS, Search, describe, displacement
from untrimmed.video.flow_images import dequantised, quantised, stacked


def texture(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def moved(image: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("search", ["dis", "dis-fast"])
def test_a_moved_picture_has_the_flow_by_which_it_moved(search: Search) -> None:
    image = texture(120, 160)
    flow = displacement(image, moved(image, 3, -2), search)
    assert np.median(flow.reshape(-1, 2), axis=0) == pytest.approx([3, -2], abs=0.3)


def test_the_motion_of_the_whole_picture_is_the_cameras() -> None:
    image = texture(120, 160)
    described = describe(displacement(image, moved(image, 4, 2)), 0.1)
    assert described.shape == (CHANNELS,)
    assert described[-2:] == pytest.approx([4 / 12, 2 / 12], abs=0.03)  # shorter sides of 120 pixels, in 0.1 s
    inner = described[:-2].reshape(3, CELLS, CELLS)[:, 1:-1, 1:-1]
    assert np.abs(inner).max() < 0.05


def test_a_cell_that_moves_stands_out_where_it_is() -> None:
    flow = np.full((120, 180, 2), (1.0, 0.0), np.float32)
    flow[20:40, 60:90] = (1.0 + 6.0, -3.0)  # row 1, column 2 of 6 x 6
    right, down, speed = describe(flow, 0.5)[:-2].reshape(3, CELLS, CELLS)
    for channel, value in ((right, 6 / 60), (down, -3 / 60), (speed, np.hypot(6, 3) / 60)):
        assert channel[1, 2] == pytest.approx(value, rel=1e-4)
        assert np.delete(channel.ravel(), CELLS + 2) == pytest.approx(0, abs=1e-6)


def test_size_and_frame_rate_change_nothing() -> None:
    flow = np.random.default_rng(0).normal(0, 2, (60, 90, 2)).astype(np.float32)
    twice_as_large = np.repeat(np.repeat(flow, 2, 0), 2, 1) * 2
    assert describe(twice_as_large, 0.1) == pytest.approx(describe(flow, 0.1), abs=1e-4)
    assert describe(flow * 3, 0.3) == pytest.approx(describe(flow, 0.1), abs=1e-4)


def test_no_time_between_frames_is_no_motion() -> None:
    assert not describe(np.ones((60, 90, 2), np.float32), 0.0).any()


def test_a_picture_against_itself_does_not_move() -> None:
    image = texture(64, 64)
    assert np.abs(describe(displacement(image, image), 0.1)).max() < 1e-3


@pytest.mark.parametrize(
    ("pixels", "byte"),
    [
        (0.0, 128),
        (-1e-7, 127),
        (-20.0, 0),
        (20.0, 255),
        (-300.0, 0),
        (np.inf, 255),
        (0.1, 128),
        (10.0, 191),
        (-10.0, 64),
    ],
)
def test_flow_becomes_the_bytes_that_two_stream_networks_saw(pixels: float, byte: int) -> None:
    assert quantised(np.array([pixels], np.float32)).tolist() == [byte]


@given(st.floats(-25, 25, width=32), st.sampled_from([1.0, 15.0, 20.0]))
def test_bytes_give_flow_back_within_half_a_step(pixels: float, bound: float) -> None:
    back = dequantised(quantised(np.full((2, 3), pixels, np.float32), bound), bound)
    assert back == pytest.approx(np.clip(pixels, -bound, bound), abs=bound / 255 + 1e-5)


def test_all_bytes_come_back_as_they_were() -> None:
    everything = np.arange(256, dtype=np.uint8).reshape(4, 64)
    assert np.array_equal(quantised(dequantised(everything)), everything)


@pytest.mark.parametrize("bound", [0.0, -20.0, np.nan, np.inf])
def test_a_bound_that_is_none_is_refused(bound: float) -> None:
    for use in (quantised, dequantised):
        values = np.zeros(3, np.float32 if use is quantised else np.uint8)
        with pytest.raises(ValueError, match="pixels above 0"):
            use(values, bound)


@pytest.mark.parametrize(
    ("first", "count", "moments"),
    [
        (3, 5, [3, 4, 5, 6, 7]),
        (8, 5, [8, 9, 10, 11, 11]),
        (20, 2, [11, 11]),
        (2 - 5, 10, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_stack_holds_x_and_y_of_moment_after_moment(first: int, count: int, moments: list[int]) -> None:
    flows = np.arange(12 * 2 * 3 * 4, dtype=np.float32).reshape(12, 2, 3, 4)
    channels = stacked(flows, first, count)
    assert channels.shape == (2 * count, 3, 4)
    for i, moment in enumerate(moments):
        assert np.array_equal(channels[2 * i], flows[moment, 0])
        assert np.array_equal(channels[2 * i + 1], flows[moment, 1])


def test_a_stack_of_bytes_stays_bytes() -> None:
    assert stacked(quantised(np.zeros((3, 2, 4, 4), np.float32)), 0).dtype == np.uint8


def test_a_stack_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="5 of 0 flows"):
        stacked(np.zeros((0, 2, 4, 4), np.float32), 0)
    with pytest.raises(ValueError, match="0 of 3 flows"):
        stacked(np.zeros((3, 2, 4, 4), np.float32), 0, 0)
