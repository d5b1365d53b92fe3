"""Flow of pictures that were moved by a known amount, and what its description must not depend on."""

import cv2
import numpy as np
import pytest

from untrimmed.flow import CELLS, CHANNELS, Preset, describe, displacement


def texture(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def moved(image: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("preset", ["fast", "medium"])
def test_a_moved_picture_has_the_flow_by_which_it_moved(preset: Preset) -> None:
    image = texture(120, 160)
    flow = displacement(image, moved(image, 3, -2), preset)
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
