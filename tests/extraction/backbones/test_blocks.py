"""The blocks of the published networks beside slow forwards written from their definitions, in numpy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from untrimmed.extraction.backbones import i3d, p3d, resnet, senet
from untrimmed.extraction.backbones.bn_inception import BNInception
from untrimmed.extraction.backbones.c3d import C3D
from untrimmed.extraction.backbones.i3d import I3D
from untrimmed.extraction.backbones.zoo import BACKBONES


def randomise(module: nn.Module) -> nn.Module:
    """In evaluation mode, with batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (norm.weight.data, norm.running_var):
                tensor.uniform_(0.5, 2, generator=generator)
            for tensor in (norm.bias.data, norm.running_mean):
                tensor.normal_(0, 0.3, generator=generator)
    return module.eval()


def slow_convolution(
    x: np.ndarray, weight: np.ndarray, stride: tuple, before: tuple, sizes: tuple, groups: int = 1
) -> np.ndarray:
    """[channels, ...] -> [outputs, ...]: one cell of the kernel at a time; outside is 0."""
    padded = np.pad(x, [(0, 0), *((n, k + n) for n, k in zip(before, weight.shape[2:], strict=True))])
    result = np.zeros((len(weight), *sizes))
    share = len(weight) // groups
    for cell in product(*map(range, weight.shape[2:])):
        cut = padded[(slice(None), *(slice(c, c + s * n, s) for c, s, n in zip(cell, stride, sizes, strict=True)))]
        for group, part in enumerate(np.split(cut, groups)):
            rows = slice(group * share, (group + 1) * share)
            result[rows] += np.tensordot(weight[(rows, slice(None), *cell)], part, 1)
    return result


class Slow:
    """Reads tensors of a state dictionary by name and computes with them."""

    def __init__(self, module: nn.Module) -> None:
        self.state = {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}

    def norm(self, x: np.ndarray, name: str, eps: float = 1e-5) -> np.ndarray:
        mean, variance, weight, bias = (
            self.state[f"{name}.{part}"].reshape(-1, *[1] * (x.ndim - 1))
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + eps) * weight + bias

    def same_size(self, x: np.ndarray, name: str) -> np.ndarray:
        """A convolution of stride 1 and odd kernel, centred."""
        weight = self.state[f"{name}.weight"]
        before = tuple(k // 2 for k in weight.shape[2:])
        return slow_convolution(x, weight, (1,) * len(before), before, x.shape[1:])

    def halving(self, x: np.ndarray, name: str, stride: tuple, groups: int = 1) -> np.ndarray:
        weight = self.state[f"{name}.weight"]
        before = tuple(k // 2 for k in weight.shape[2:])
        sizes = tuple(-(-n // s) for n, s in zip(x.shape[1:], stride, strict=True))
        return slow_convolution(x, weight, stride, before, sizes, groups)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def run_on_noise(module: nn.Module, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """A random input [channels, ...], not negative, and the output of the module."""
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return x[0].numpy().astype(np.float64), module(x)[0].numpy()


@given(length=st.integers(1, 20), kernel=st.integers(1, 7), stride=st.integers(1, 3), seed=st.integers(0, 99))
def test_padding_is_tensorflows(length: int, kernel: int, stride: int, seed: int) -> None:
    if kernel < stride:
        kernel = stride
    random = np.random.default_rng(seed)
    x, weight = random.normal(size=length), random.normal(size=kernel)
    count = -(-length // stride)
    before = max((count - 1) * stride + kernel - length, 0) // 2
    expected = [
        sum(weight[k] * x[i * stride + k - before] for k in range(kernel) if 0 <= i * stride + k - before < length)
        for i in range(count)
    ]
    line = torch.from_numpy(x)[None, None, :, None, None]
    padded = i3d.pad_same(line, (kernel, 1, 1), (stride, 1, 1))
    actual = nn.functional.conv3d(padded, torch.from_numpy(weight)[None, None, :, None, None], stride=(stride, 1, 1))
    assert np.allclose(actual.flatten().numpy(), expected)


@pytest.mark.parametrize("size", [(5, 7, 4), (4, 6, 6), (2, 1, 3)])
def test_a_unit_of_i3d_at_stride_two_is_its_slow_form(size: tuple[int, int, int]) -> None:
    unit = randomise(i3d.I3DUnit(2, 3, 7, 2))
    x, actual = run_on_noise(unit, 2, *size)
    slow = Slow(unit)
    sizes = tuple(-(-n // 2) for n in size)
    before = tuple(max((m - 1) * 2 + 7 - n, 0) // 2 for m, n in zip(sizes, size, strict=True))
    y = slow_convolution(x, slow.state["conv3d.weight"], (2, 2, 2), before, sizes)
    assert np.allclose(actual, relu(slow.norm(y, "bn", 1e-3)), atol=1e-5)


def test_an_inception_module_in_three_dimensions_is_its_slow_form() -> None:
    module = randomise(i3d.I3DModule(4, (2, 3, 5, 2, 3, 4)))
    x, actual = run_on_noise(module, 4, 3, 4, 5)
    slow = Slow(module)

    def unit(y: np.ndarray, name: str) -> np.ndarray:
        return relu(slow.norm(slow.same_size(y, f"{name}.conv3d"), f"{name}.bn", 1e-3))

    around = np.zeros_like(x)
    for place in product(*map(range, x.shape[1:])):
        near = tuple(slice(max(p - 1, 0), p + 2) for p in place)
        around[(slice(None), *place)] = x[(slice(None), *near)].max((1, 2, 3))
    parts = [unit(x, "b0"), unit(unit(x, "b1a"), "b1b"), unit(unit(x, "b2a"), "b2b"), unit(around, "b3b")]
    assert actual.shape == (2 + 5 + 3 + 4, 3, 4, 5)
    assert np.allclose(actual, np.concatenate(parts), atol=1e-5)


@pytest.mark.parametrize("kind", ["A", "B", "C"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_of_p3d_is_its_slow_form(kind: str, stride: int) -> None:
    block = randomise(p3d.P3DBlock(3, 2, kind, stride, widens=True))
    x, actual = run_on_noise(block, 3, 3, 5, 4)
    slow, steps = Slow(block), (1, stride, stride)
    y = relu(slow.norm(slow.halving(x, "conv1", steps), "bn1"))
    space = relu(slow.norm(slow.same_size(y, "conv2"), "bn2"))
    if kind == "A":
        y = relu(slow.norm(slow.same_size(space, "conv3"), "bn3"))
    elif kind == "B":
        y = space + relu(slow.norm(slow.same_size(y, "conv3"), "bn3"))
    else:
        y = space + relu(slow.norm(slow.same_size(space, "conv3"), "bn3"))
    shortcut = slow.norm(slow.halving(x, "downsample.0", steps), "downsample.1")
    assert np.allclose(actual, relu(slow.norm(slow.same_size(y, "conv4"), "bn4") + shortcut), atol=1e-5)


def test_a_block_that_does_not_widen_adds_its_input() -> None:
    block = randomise(p3d.P3DBlock(8, 2, "A", 1, widens=False))
    x, actual = run_on_noise(block, 8, 2, 3, 3)
    slow = Slow(block)
    y = x
    for number in range(1, 4):
        y = relu(slow.norm(slow.same_size(y, f"conv{number}"), f"bn{number}"))
    assert np.allclose(actual, relu(slow.norm(slow.same_size(y, "conv4"), "bn4") + x), atol=1e-5)
    assert not any("downsample" in key for key in block.state_dict())


def test_the_flat_block_of_p3d_halves_in_its_first_convolution() -> None:
    block = randomise(p3d.P3DFlatBlock(3, 2, 2, widens=True))
    x, actual = run_on_noise(block, 3, 5, 4)
    slow = Slow(block)
    y = relu(slow.norm(slow.halving(x, "conv1", (2, 2)), "bn1"))
    y = relu(slow.norm(slow.same_size(y, "conv_normal"), "bn_normal"))
    shortcut = slow.norm(slow.halving(x, "downsample.0", (2, 2)), "downsample.1")
    assert np.allclose(actual, relu(slow.norm(slow.same_size(y, "conv4"), "bn4") + shortcut), atol=1e-5)


def test_a_bottleneck_of_resnet_halves_in_its_second_convolution() -> None:
    block = randomise(resnet.ResNetBlock(3, 2, 2, widens=True))
    x, actual = run_on_noise(block, 3, 5, 4)
    slow = Slow(block)
    y = relu(slow.norm(slow.same_size(x, "conv1"), "bn1"))
    y = relu(slow.norm(slow.halving(y, "conv2", (2, 2)), "bn2"))
    shortcut = slow.norm(slow.halving(x, "downsample.0", (2, 2)), "downsample.1")
    assert np.allclose(actual, relu(slow.norm(slow.same_size(y, "conv3"), "bn3") + shortcut), atol=1e-5)


@pytest.mark.parametrize("design", [replace(senet.SENET154, groups=2), senet.SE_RESNET152], ids=["154", "152"])
def test_a_block_of_senet_is_its_slow_form(design: senet.SENetDesign) -> None:
    block = randomise(senet.SENetBlock(design, 3, 8, 2, widens=True))
    x, actual = run_on_noise(block, 3, 5, 4)
    slow = Slow(block)
    first, second = ((2, 2), (1, 1)) if design is senet.SE_RESNET152 else ((1, 1), (2, 2))
    y = relu(slow.norm(slow.halving(x, "conv1", first), "bn1"))
    y = relu(slow.norm(slow.halving(y, "conv2", second, design.groups), "bn2"))
    y = slow.norm(slow.same_size(y, "conv3"), "bn3")
    squeezed = slow.state["se_module.fc1.weight"][:, :, 0, 0] @ y.mean((1, 2)) + slow.state["se_module.fc1.bias"]
    excited = slow.state["se_module.fc2.weight"][:, :, 0, 0] @ relu(squeezed) + slow.state["se_module.fc2.bias"]
    shares = 1 / (1 + np.exp(-excited))
    shortcut = slow.norm(slow.halving(x, "downsample.0", (2, 2)), "downsample.1")
    assert np.allclose(actual, relu(y * shares[:, None, None] + shortcut), atol=1e-5)
    assert slow.state["downsample.0.weight"].shape[2] == (1 if design is senet.SE_RESNET152 else 3)


class Functional:
    """Computes with tensors of a state dictionary by name: a whole network written out, layer by layer."""

    def __init__(self, network: nn.Module, eps: float) -> None:
        self.state, self.eps = network.state_dict(), eps

    def unit(self, x: torch.Tensor, name: str, norm: str, **geometry: int | tuple) -> torch.Tensor:
        convolution = nn.functional.conv2d if x.ndim == 4 else nn.functional.conv3d
        y = convolution(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), **geometry)
        parts = [self.state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return nn.functional.relu(nn.functional.batch_norm(y, *parts, eps=self.eps))


@torch.inference_mode()
def test_the_whole_of_bn_inception_is_written_out_the_same() -> None:
    network = randomise(BNInception(classes=3))
    functional = Functional(network, 1e-5)

    def unit(x: torch.Tensor, name: str, stride: int = 1, padding: int = 0) -> torch.Tensor:
        return functional.unit(x, name, f"{name}_bn", stride=stride, padding=padding)

    def halve(x: torch.Tensor) -> torch.Tensor:
        return nn.MaxPool2d(3, 2, ceil_mode=True)(x)

    x = torch.rand(1, 3, 64, 64)
    y = halve(unit(x, "conv1_7x7_s2", 2, 3))
    y = halve(unit(unit(y, "conv2_3x3_reduce"), "conv2_3x3", 1, 1))
    for place in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        name, halves = f"inception_{place}", place in ("3c", "4e")
        three = unit(unit(y, f"{name}_3x3_reduce"), f"{name}_3x3", 2 if halves else 1, 1)
        double = unit(unit(y, f"{name}_double_3x3_reduce"), f"{name}_double_3x3_1", 1, 1)
        double = unit(double, f"{name}_double_3x3_2", 2 if halves else 1, 1)
        if halves:
            y = torch.cat([three, double, halve(y)], 1)
            continue
        pool = nn.MaxPool2d(3, 1, 1) if place == "5b" else nn.AvgPool2d(3, 1, 1, count_include_pad=True)
        y = torch.cat([unit(y, f"{name}_1x1"), three, double, unit(pool(y), f"{name}_pool_proj")], 1)
    features = network(x)
    assert torch.allclose(features, y.mean((2, 3)), atol=1e-5)


@pytest.mark.parametrize("frames", [5, 16, 40])
@torch.inference_mode()
def test_the_whole_of_i3d_is_written_out_the_same(frames: int) -> None:
    network = randomise(I3D(2, classes=3))
    functional = Functional(network, 1e-3)

    def pad(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
        needs = [max(k - (n % s or s), 0) for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
        return nn.functional.pad(x, [side for need in needs[::-1] for side in (need // 2, need - need // 2)])

    def unit(x: torch.Tensor, name: str, kernel: int, stride: int = 1) -> torch.Tensor:
        x = pad(x, (kernel,) * 3, (stride,) * 3)
        return functional.unit(x, f"{name}.conv3d", f"{name}.bn", stride=stride)

    def pool(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
        return nn.MaxPool3d(kernel, stride)(pad(x, kernel, stride))

    x = torch.rand(1, 2, frames, 40, 36)
    y = pool(unit(x, "Conv3d_1a_7x7", 7, 2), (1, 3, 3), (1, 2, 2))
    y = pool(unit(unit(y, "Conv3d_2b_1x1", 1), "Conv3d_2c_3x3", 3), (1, 3, 3), (1, 2, 2))
    for place in ("3b", "3c", "4a", "4b", "4c", "4d", "4e", "4f", "5a", "5b", "5c"):
        if place in ("4a", "5a"):
            y = pool(y, *(((3, 3, 3), (2, 2, 2)) if place == "4a" else ((2, 2, 2), (2, 2, 2))))
            continue
        name = f"Mixed_{place}"
        branches = [unit(y, f"{name}.b0", 1), unit(unit(y, f"{name}.b1a", 1), f"{name}.b1b", 3)]
        branches.append(unit(unit(y, f"{name}.b2a", 1), f"{name}.b2b", 3))
        branches.append(unit(pool(y, (3, 3, 3), (1, 1, 1)), f"{name}.b3b", 1))
        y = torch.cat(branches, 1)
    assert y.shape[2] == -(-frames // 8)
    y = nn.AvgPool3d((min(2, y.shape[2]), *y.shape[3:]), stride=1)(y)
    logits = nn.functional.conv3d(y, network.logits.conv3d.weight, network.logits.conv3d.bias).mean((2, 3, 4))
    features = network(x)
    assert torch.allclose(features, y.mean((2, 3, 4)), atol=1e-5)
    assert torch.allclose(network.logits.conv3d(features[..., None, None, None]).flatten(1), logits, atol=1e-5)


@torch.inference_mode()
def test_the_convolutions_of_c3d_are_written_out_the_same() -> None:
    with torch.device("meta"):
        network = C3D()
    state = {}
    for name, value in network.state_dict().items():
        if name.startswith("conv"):
            state[name] = torch.randn(value.shape) / (value[0].numel() ** 0.5 if value.ndim > 1 else 10)
    network.load_state_dict(state, strict=False, assign=True)

    def conv(x: torch.Tensor, name: str) -> torch.Tensor:
        return nn.functional.conv3d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).relu()

    x = torch.randn(1, 3, 16, 32, 32)
    y = nn.MaxPool3d((1, 2, 2))(conv(x, "conv1"))
    y = nn.MaxPool3d(2)(conv(y, "conv2"))
    y = nn.MaxPool3d(2)(conv(conv(y, "conv3a"), "conv3b"))
    y = nn.MaxPool3d(2)(conv(conv(y, "conv4a"), "conv4b"))
    y = nn.MaxPool3d(2, 2, (0, 1, 1))(conv(conv(y, "conv5a"), "conv5b"))
    assert torch.allclose(network.convolve(x), y, atol=1e-5)


@torch.inference_mode()
def test_p3d_runs_its_last_stage_on_each_step_by_itself() -> None:
    network = randomise(p3d.P3D199(2, classes=3))
    x = torch.rand(1, 2, 32, 32, 32)
    calls = []
    network.layer4.register_forward_hook(lambda _, given, result: calls.append((given[0], result)))
    features = network(x)
    given, result = calls[0]
    assert given.shape == (2, 1024, 2, 2)  # 32 frames are two steps
    assert torch.allclose(features[0], result.mean((0, 2, 3)), atol=1e-6)


class Reached(Exception):
    """Carries what the first stage of a network was given."""


def stop(_: nn.Module, given: tuple[torch.Tensor]) -> None:
    raise Reached(given[0])


@pytest.mark.parametrize("name", ["tsn-resnet50-rgb", "tsn-senet154-rgb", "tsn-se-resnet152-rgb", "p3d199-rgb"])
@torch.inference_mode()
def test_the_stem_is_written_out_the_same(name: str) -> None:
    with torch.device("meta"):
        network = BACKBONES[name].network(3, 5)
    stem = {key: value for key, value in network.state_dict().items() if "layer" not in key or "layer0" in key}
    network.load_state_dict({key: torch.zeros_like(value, device="cpu") for key, value in stem.items()}, False, True)
    for key, value in network.state_dict().items():
        if key in stem and value.ndim > 1:
            value.normal_(0, 0.1)
    randomise(network.get_submodule("layer0") if "senet154" in name or "se-resnet" in name else network.bn1)
    network.eval().layer1.register_forward_pre_hook(stop)
    functional, deep = Functional(network, 1e-5), "senet154" in name
    x = torch.randn(1, 3, *([16] if "p3d" in name else []), 32, 32)
    if "p3d" in name:
        y = functional.unit(x, "conv1_custom", "bn1", stride=(1, 2, 2), padding=(0, 3, 3))
        y = nn.MaxPool3d((2, 3, 3), 2, (0, 1, 1))(y)
    elif "resnet50" in name:
        y = nn.MaxPool2d(3, 2, 1)(functional.unit(x, "conv1", "bn1", stride=2, padding=3))
    else:
        y = functional.unit(x, "layer0.conv1", "layer0.bn1", stride=2, padding=1 if deep else 3)
        for number in (2, 3) if deep else ():
            y = functional.unit(y, f"layer0.conv{number}", f"layer0.bn{number}", padding=1)
        y = nn.MaxPool2d(3, 2, ceil_mode=True)(y)
    with pytest.raises(Reached) as caught:
        network(x)
    assert torch.allclose(caught.value.args[0], y, atol=1e-5)
