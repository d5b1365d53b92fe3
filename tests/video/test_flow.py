"""Flow of pictures that were moved by a known amount, what its descriptor must not depend on, and its bytes."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.video.flow import CELLS, CHANNELS, Search, compute_dis_flow, describe_flow, quantise_flow


def texture(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def shift(image: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


def dequantise(values: np.ndarray, bound: float = 20.0) -> np.ndarray:
    return values * (2 * bound / 255) - bound


@pytest.mark.parametrize("search", ["dis", "dis-fast"])
def test_a_moved_picture_has_the_flow_by_which_it_shift(search: Search) -> None:
    image = texture(120, 160)
    flow = compute_dis_flow(image, shift(image, 3, -2), search)
    assert np.median(flow.reshape(-1, 2), axis=0) == pytest.approx([3, -2], abs=0.3)


def test_the_motion_of_the_whole_picture_is_the_cameras() -> None:
    image = texture(120, 160)
    descriptor = describe_flow(compute_dis_flow(image, shift(image, 4, 2)), 0.1)
    assert descriptor.shape == (CHANNELS,)
    assert descriptor[-2:] == pytest.approx([4 / 12, 2 / 12], abs=0.03)  # shorter sides of 120 pixels, in 0.1 s
    inner = descriptor[:-2].reshape(3, CELLS, CELLS)[:, 1:-1, 1:-1]
    assert np.abs(inner).max() < 0.05


def test_a_cell_that_moves_stands_out_where_it_is() -> None:
    flow = np.full((120, 180, 2), (1.0, 0.0), np.float32)
    flow[20:40, 60:90] = (1.0 + 6.0, -3.0)  # row 1, column 2 of 6 x 6
    right, down, speed = describe_flow(flow, 0.5)[:-2].reshape(3, CELLS, CELLS)
    for channel, value in ((right, 6 / 60), (down, -3 / 60), (speed, np.hypot(6, 3) / 60)):
        assert channel[1, 2] == pytest.approx(value, rel=1e-4)
        assert np.delete(channel.ravel(), CELLS + 2) == pytest.approx(0, abs=1e-6)


def test_size_and_frame_rate_change_nothing() -> None:
    flow = np.random.default_rng(0).normal(0, 2, (60, 90, 2)).astype(np.float32)
    twice_as_large = np.repeat(np.repeat(flow, 2, 0), 2, 1) * 2
    assert describe_flow(twice_as_large, 0.1) == pytest.approx(describe_flow(flow, 0.1), abs=1e-4)
    assert describe_flow(flow * 3, 0.3) == pytest.approx(describe_flow(flow, 0.1), abs=1e-4)


def test_no_time_between_frames_is_no_motion() -> None:
    assert not describe_flow(np.ones((60, 90, 2), np.float32), 0.0).any()


def test_a_picture_against_itself_does_not_move() -> None:
    image = texture(64, 64)
    assert np.abs(describe_flow(compute_dis_flow(image, image), 0.1)).max() < 1e-3


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
    assert quantise_flow(np.array([pixels], np.float32)).tolist() == [byte]


@given(st.floats(-25, 25, width=32), st.sampled_from([1.0, 15.0, 20.0]))
def test_bytes_give_flow_back_within_half_a_step(pixels: float, bound: float) -> None:
    back = dequantise(quantise_flow(np.full((2, 3), pixels, np.float32), bound), bound)
    assert back == pytest.approx(np.clip(pixels, -bound, bound), abs=bound / 255 + 1e-5)


def test_all_bytes_come_back_as_they_were() -> None:
    every_byte = np.arange(256, dtype=np.uint8).reshape(4, 64)
    assert np.array_equal(quantise_flow(dequantise(every_byte)), every_byte)


@pytest.mark.parametrize("bound", [0.0, -20.0, np.nan, np.inf])
def test_a_bound_that_is_none_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="pixels above 0"):
        quantise_flow(np.zeros(3, np.float32), bound)
