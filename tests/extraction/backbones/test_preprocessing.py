"""The preprocessing of pictures for published networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.extraction.backbones.preprocessing import PictureSize, Preprocessing, preprocess_clip
from untrimmed.extraction.backbones.zoo import BACKBONES

PLAIN = Preprocessing(stream="rgb", frames=2, resize=8, crop=6, mean=(1, 2, 3), std=(1, 2, 4))


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_the_middle_is_cut_out_and_normalised() -> None:
    frames = pictures(2, 8, 11, 3)
    clip = preprocess_clip(PLAIN, frames)
    middle = frames[:, 1:7, 2:8].astype(np.float32)
    assert clip.shape == (3, 2, 6, 6) and clip.dtype == torch.float32
    for channel, (mean, std) in enumerate(((1, 1), (2, 2), (3, 4))):
        assert np.allclose(clip[channel].numpy(), (middle[..., channel] - mean) / std)


def test_blue_first_turns_the_colours_before_they_are_normalised() -> None:
    frames = pictures(2, 8, 8, 3)
    turned = preprocess_clip(replace(PLAIN, order="BGR"), frames)
    assert torch.equal(turned, preprocess_clip(PLAIN, frames[..., ::-1].copy()))


def test_layouts_hold_the_same_numbers() -> None:
    frames = pictures(2, 8, 8, 3)
    clip = preprocess_clip(PLAIN, frames)
    by_frame = preprocess_clip(replace(PLAIN, layout="frames"), frames)
    stack = preprocess_clip(replace(PLAIN, layout="stack"), frames)
    assert torch.equal(by_frame, clip.transpose(0, 1))
    assert torch.equal(stack, torch.cat([by_frame[0], by_frame[1]]))
    assert replace(PLAIN, layout="stack").channels == 6 and PLAIN.channels == 3


def test_a_stack_of_flow_has_x_and_y_in_turn() -> None:
    flow = np.zeros((5, 256, 340, 2), np.uint8)
    flow[3, ..., 1] = 255
    stack = preprocess_clip(BACKBONES["tsn-bn-inception-flow"].preprocessing, flow)
    assert stack.shape == (10, 224, 224)
    assert [float(channel[0, 0]) for channel in stack] == [-128] * 7 + [127] + [-128] * 2


@given(height=st.integers(1, 2000), width=st.integers(1, 2000))
def test_the_shorter_side_is_as_asked_and_the_aspect_kept(height: int, width: int) -> None:
    size = PLAIN.compute_size(height, width)
    assert min(size) == 8
    assert max(size) == pytest.approx(8 * max(height, width) / min(height, width), abs=0.5)
    assert (size.height <= size.width) == (height <= width) or abs(size.height - size.width) == 0


def test_a_size_is_taken_whatever_the_aspect() -> None:
    assert replace(PLAIN, resize=PictureSize(128, 171), crop=112).compute_size(720, 1280) == (128, 171)


def test_large_pictures_are_resized_before_the_cut() -> None:
    frames = np.zeros((2, 80, 160, 3), np.uint8)
    frames[:, :, 80:] = 200
    clip = preprocess_clip(PLAIN, frames)
    assert clip.shape == (3, 2, 6, 6)
    assert torch.equal(clip[0, 0, 0], torch.tensor([-1.0] * 3 + [199.0] * 3))


def test_i3d_sees_from_minus_one_to_one() -> None:
    for name in ("i3d-rgb", "i3d-flow"):
        preprocessing = BACKBONES[name].preprocessing
        frames = np.zeros((16, 256, 256, len(preprocessing.mean)), np.uint8)
        frames[0] = 255
        clip = preprocess_clip(preprocessing, frames)
        assert clip.shape == (len(preprocessing.mean), 16, 224, 224)
        assert clip[:, 0].unique().tolist() == [1] and clip[:, 1:].unique().tolist() == [-1]


def test_presets_are_those_of_the_papers() -> None:
    presets = {
        name: (each.preprocessing.frames, each.stride, each.fps, each.preprocessing.resize, each.preprocessing.crop)
        for name, each in BACKBONES.items()
    }
    assert presets["i3d-rgb"] == presets["i3d-flow"] == (16, 4, None, 256, 224)
    assert presets["c3d"] == (16, 8, None, (128, 171), 112)
    assert presets["p3d199-rgb"] == presets["p3d199-flow"] == (16, 8, None, (182, 242), 160)
    for name in ("bn-inception", "resnet50", "senet154", "se-resnet152"):
        assert presets[f"tsn-{name}-rgb"] == (1, 1, 5, 256, 224)
        assert presets[f"tsn-{name}-flow"] == (5, 1, 5, 256, 224)
    imagenet = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    numbers = {name: (each.preprocessing.mean, each.preprocessing.std) for name, each in BACKBONES.items()}
    assert numbers["c3d"] == ((90, 98, 102), (1, 1, 1))
    assert numbers["tsn-bn-inception-rgb"] == ((104, 117, 128), (1, 1, 1))
    assert numbers["tsn-bn-inception-flow"] == ((128, 128), (1, 1))
    assert numbers["tsn-resnet50-flow"] == ((128, 128), (128, 128))
    for name in ("p3d199-rgb", "tsn-resnet50-rgb", "tsn-senet154-rgb", "tsn-se-resnet152-rgb"):
        assert numbers[name] == imagenet
    for name in ("p3d199-flow", "tsn-senet154-flow", "tsn-se-resnet152-flow"):
        assert numbers[name] == ((127.5, 127.5), (57.63, 57.63))
    blue_first = {name for name, each in BACKBONES.items() if each.preprocessing.order == "BGR"}
    assert blue_first == {"c3d", "tsn-bn-inception-rgb"}


@pytest.mark.parametrize("shape", [(3, 8, 8, 3), (2, 8, 8, 2)])
def test_another_number_of_pictures_or_channels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a clip has 2 of 3 channels"):
        preprocess_clip(PLAIN, pictures(*shape))


def test_a_mean_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="flow has 2 channels"):
        replace(PLAIN, stream="flow")
    with pytest.raises(ValueError, match="rgb has 3 channels"):
        replace(PLAIN, std=(1, 1))


@pytest.mark.parametrize("resize", [5, PictureSize(5, 20)])
def test_a_cut_that_does_not_fit_is_refused(resize: int | PictureSize) -> None:
    with pytest.raises(ValueError, match="crop=6: must be above 0 and fit"):
        replace(PLAIN, resize=resize)
