"""The catalogue of published networks: their sizes, and the names in the files that are in circulation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from untrimmed.extraction.backbones.preprocessing import preprocess_clip
from untrimmed.extraction.backbones.weights import Rename, hash_file, read_weights, rename_weights
from untrimmed.extraction.backbones.zoo import BACKBONES, embed_clips, find_backbone, load_backbone
from untrimmed.io import BadInput

Names = Iterator[tuple[str, tuple[int, ...]]]


def norm(name: str, channels: int) -> Names:
    """As older PyTorch wrote it: without a count of batches."""
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)


def linear(name: str, outputs: int, *inputs: int) -> Names:
    yield f"{name}.weight", (outputs, *inputs)
    yield f"{name}.bias", (outputs,)


def i3d_names(channels: int, classes: int) -> Names:
    def unit(name: str, inputs: int, outputs: int, k: int) -> Names:
        yield f"{name}.conv3d.weight", (outputs, inputs, k, k, k)
        yield from norm(f"{name}.bn", outputs)

    yield from unit("Conv3d_1a_7x7", channels, 64, 7)
    yield from unit("Conv3d_2b_1x1", 64, 64, 1)
    yield from unit("Conv3d_2c_3x3", 64, 192, 3)
    inputs = 192
    for row in (
        "3b 64 96 128 16 32 32",
        "3c 128 128 192 32 96 64",
        "4b 192 96 208 16 48 64",
        "4c 160 112 224 24 64 64",
        "4d 128 128 256 24 64 64",
        "4e 112 144 288 32 64 64",
        "4f 256 160 320 32 128 128",
        "5b 256 160 320 32 128 128",
        "5c 384 192 384 48 128 128",
    ):
        place, *widths = row.split()
        b0, b1a, b1b, b2a, b2b, b3b = map(int, widths)
        for branch, before, after, k in (
            ("b0", inputs, b0, 1),
            ("b1a", inputs, b1a, 1),
            ("b1b", b1a, b1b, 3),
            ("b2a", inputs, b2a, 1),
            ("b2b", b2a, b2b, 3),
            ("b3b", inputs, b3b, 1),
        ):
            yield from unit(f"Mixed_{place}.{branch}", before, after, k)
        inputs = b0 + b1b + b2b + b3b
    yield from linear("logits.conv3d", classes, 1024, 1, 1, 1)


def c3d_names(channels: int, classes: int) -> Names:
    for row in ("1 64", "2 128", "3a 256", "3b 256", "4a 512", "4b 512", "5a 512", "5b 512"):
        place, outputs = row.split()
        yield from linear(f"conv{place}", int(outputs), channels, 3, 3, 3)
        channels = int(outputs)
    yield from linear("fc6", 4096, 8192)
    yield from linear("fc7", 4096, 4096)
    yield from linear("fc8", classes, 4096)


def p3d_names(channels: int, classes: int) -> Names:
    yield "conv1_custom.weight", (64, channels, 1, 7, 7)
    yield from norm("bn1", 64)
    inputs = 64
    for layer, (inner, blocks) in enumerate(((64, 3), (128, 8), (256, 36), (512, 3)), 1):
        ones = (1, 1) if layer == 4 else (1, 1, 1)
        for number in range(blocks):
            name = f"layer{layer}.{number}"
            yield f"{name}.conv1.weight", (inner, inputs, *ones)
            yield from norm(f"{name}.bn1", inner)
            if layer == 4:
                yield f"{name}.conv_normal.weight", (inner, inner, 3, 3)
                yield from norm(f"{name}.bn_normal", inner)
            else:
                yield f"{name}.conv2.weight", (inner, inner, 1, 3, 3)
                yield from norm(f"{name}.bn2", inner)
                yield f"{name}.conv3.weight", (inner, inner, 3, 1, 1)
                yield from norm(f"{name}.bn3", inner)
            yield f"{name}.conv4.weight", (inner * 4, inner, *ones)
            yield from norm(f"{name}.bn4", inner * 4)
            if number == 0:
                yield f"{name}.downsample.0.weight", (inner * 4, inputs, *ones)
                yield from norm(f"{name}.downsample.1", inner * 4)
            inputs = inner * 4
    yield from linear("fc", classes, 2048)


def bn_inception_names(channels: int, classes: int) -> Names:
    def unit(name: str, inputs: int, outputs: int, k: int) -> Names:
        yield from linear(f"base_model.{name}", outputs, inputs, k, k)
        yield from norm(f"base_model.{name}_bn", outputs)

    yield from unit("conv1_7x7_s2", channels, 64, 7)
    yield from unit("conv2_3x3_reduce", 64, 64, 1)
    yield from unit("conv2_3x3", 64, 192, 3)
    inputs = 192
    for row in (
        "3a 64 64 64 64 96 32",
        "3b 64 64 96 64 96 64",
        "3c 0 128 160 64 96 0",
        "4a 224 64 96 96 128 128",
        "4b 192 96 128 96 128 128",
        "4c 160 128 160 128 160 128",
        "4d 96 128 192 160 192 128",
        "4e 0 128 192 192 256 0",
        "5a 352 192 320 160 224 128",
        "5b 352 192 320 192 224 128",
    ):
        place, *widths = row.split()
        one, reduce, three, double_reduce, double, project = map(int, widths)
        name = f"inception_{place}"
        if one:
            yield from unit(f"{name}_1x1", inputs, one, 1)
            yield from unit(f"{name}_pool_proj", inputs, project, 1)
        yield from unit(f"{name}_3x3_reduce", inputs, reduce, 1)
        yield from unit(f"{name}_3x3", reduce, three, 3)
        yield from unit(f"{name}_double_3x3_reduce", inputs, double_reduce, 1)
        yield from unit(f"{name}_double_3x3_1", double_reduce, double, 3)
        yield from unit(f"{name}_double_3x3_2", double, double, 3)
        inputs = one + three + double + (project or inputs)
    yield from linear("new_fc", classes, 1024)


def resnet_names(channels: int, classes: int, openmmlab: bool) -> Names:
    def unit(place: str, number: int, outputs: int, inputs: int, k: int) -> Names:
        if openmmlab:
            yield f"backbone.{place}conv{number}.conv.weight", (outputs, inputs, k, k)
            yield from norm(f"backbone.{place}conv{number}.bn", outputs)
        else:
            yield f"{place}conv{number}.weight", (outputs, inputs, k, k)
            yield from norm(f"{place}bn{number}", outputs)

    yield from unit("", 1, 64, channels, 7)
    inputs = 64
    for layer, (inner, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        for number in range(blocks):
            place = f"layer{layer}.{number}."
            yield from unit(place, 1, inner, inputs, 1)
            yield from unit(place, 2, inner, inner, 3)
            yield from unit(place, 3, inner * 4, inner, 1)
            if number == 0:
                before, conv, bn = ("backbone.", "conv", "bn") if openmmlab else ("", "0", "1")
                yield f"{before}{place}downsample.{conv}.weight", (inner * 4, inputs, 1, 1)
                yield from norm(f"{before}{place}downsample.{bn}", inner * 4)
            inputs = inner * 4
    yield from linear("cls_head.fc_cls" if openmmlab else "fc", classes, 2048)


def senet_names(channels: int, classes: int, is_154: bool) -> Names:
    stem = ((64, channels, 3), (64, 64, 3), (128, 64, 3)) if is_154 else ((64, channels, 7),)
    for number, (outputs, inputs, k) in enumerate(stem, 1):
        yield f"layer0.conv{number}.weight", (outputs, inputs, k, k)
        yield from norm(f"layer0.bn{number}", outputs)
    inputs = 128 if is_154 else 64
    for layer, (planes, blocks) in enumerate(((64, 3), (128, 8), (256, 36), (512, 3)), 1):
        first, second = (planes * 2, planes * 4) if is_154 else (planes, planes)
        for number in range(blocks):
            name = f"layer{layer}.{number}"
            yield f"{name}.conv1.weight", (first, inputs, 1, 1)
            yield from norm(f"{name}.bn1", first)
            yield f"{name}.conv2.weight", (second, first // 64 if is_154 else first, 3, 3)
            yield from norm(f"{name}.bn2", second)
            yield f"{name}.conv3.weight", (planes * 4, second, 1, 1)
            yield from norm(f"{name}.bn3", planes * 4)
            yield from linear(f"{name}.se_module.fc1", planes * 4 // 16, planes * 4, 1, 1)
            yield from linear(f"{name}.se_module.fc2", planes * 4, planes * 4 // 16, 1, 1)
            if number == 0:
                k = 3 if is_154 and layer > 1 else 1
                yield f"{name}.downsample.0.weight", (planes * 4, inputs, k, k)
                yield from norm(f"{name}.downsample.1", planes * 4)
            inputs = planes * 4
    yield from linear("last_linear", classes, 2048)


# Backbone, names in the file, channels, classes, parameters: as published, or for flow with another first layer.
PUBLISHED: list[tuple[str, Callable[[int, int], Names], int, int, int]] = [
    ("i3d-rgb", i3d_names, 3, 400, 12_697_264),
    ("i3d-flow", i3d_names, 2, 400, 12_675_312),
    ("c3d", c3d_names, 3, 487, 79_991_015),
    ("p3d199-rgb", p3d_names, 3, 400, 66_492_240),
    ("p3d199-flow", p3d_names, 2, 400, 66_489_104),
    ("tsn-bn-inception-rgb", bn_inception_names, 3, 1000, 11_295_240),
    ("tsn-bn-inception-flow", bn_inception_names, 10, 1000, 11_317_192),
    ("tsn-resnet50-rgb", lambda n, classes: resnet_names(n, classes, False), 3, 1000, 25_557_032),
    ("tsn-resnet50-rgb", lambda n, classes: resnet_names(n, classes, True), 3, 1000, 25_557_032),
    ("tsn-resnet50-flow", lambda n, classes: resnet_names(n, classes, True), 10, 1000, 25_578_984),
    ("tsn-senet154-rgb", lambda n, classes: senet_names(n, classes, True), 3, 1000, 115_088_984),
    ("tsn-senet154-flow", lambda n, classes: senet_names(n, classes, True), 10, 1000, 115_093_016),
    ("tsn-se-resnet152-rgb", lambda n, classes: senet_names(n, classes, False), 3, 1000, 66_821_848),
    ("tsn-se-resnet152-flow", lambda n, classes: senet_names(n, classes, False), 10, 1000, 66_843_800),
]


def light(names: Names) -> dict[str, torch.Tensor]:
    """A state dictionary that takes no room: each tensor is one number, its place in the file, seen many times."""
    return {name: torch.tensor(float(place)).expand(shape) for place, (name, shape) in enumerate(names)}


@pytest.mark.parametrize(("name", "names", "channels", "classes", "parameters"), PUBLISHED)
def test_a_published_file_is_all_of_the_network(
    name: str, names: Callable[[int, int], Names], channels: int, classes: int, parameters: int, tmp_path: Path
) -> None:
    state = light(names(channels, classes))
    torch.save(
        {"epoch": 3, "arch": "x", "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pth"
    )
    network = load_backbone(find_backbone(name), tmp_path / "w.pth")
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    loaded = [value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")]
    assert sorted(float(value.reshape(-1)[0]) for value in loaded) == list(range(len(state)))
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())


def test_every_backbone_of_the_catalogue_stands_in_the_list_above() -> None:
    assert {row[0] for row in PUBLISHED} == set(BACKBONES)
    assert all(name == each.name for name, each in BACKBONES.items())


@pytest.mark.parametrize("name", list(BACKBONES))
def test_a_clip_as_preprocessed_gives_features_of_the_stated_width(name: str) -> None:
    each = BACKBONES[name]
    channels = len(each.preprocessing.mean)
    clip = preprocess_clip(each.preprocessing, np.zeros((each.preprocessing.frames, 240, 320, channels), np.uint8))
    with torch.device("meta"):
        network = each.network(each.preprocessing.channels, 7).eval()
        features = network(torch.empty(2, *clip.shape))
    assert features.shape == (2, each.width)


# What each named part gives for one clip of the published size.
LAYERS = {
    "i3d-rgb": (
        "Conv3d_1a_7x7 64 8 112 112, Conv3d_2b_1x1 64 8 56 56, Conv3d_2c_3x3 192 8 56 56, Mixed_3b 256 8 28 28, "
        "Mixed_3c 480 8 28 28, Mixed_4b 512 4 14 14, Mixed_4c 512 4 14 14, Mixed_4d 512 4 14 14, "
        "Mixed_4e 528 4 14 14, Mixed_4f 832 4 14 14, Mixed_5b 832 2 7 7, Mixed_5c 1024 2 7 7"
    ),
    "c3d": (
        "conv1 64 16 112 112, conv2 128 16 56 56, conv3a 256 8 28 28, conv3b 256 8 28 28, conv4a 512 4 14 14, "
        "conv4b 512 4 14 14, conv5a 512 2 7 7, conv5b 512 2 7 7, fc6 4096"
    ),
    "p3d199-rgb": (
        "conv1_custom 64 16 80 80, layer1 256 8 40 40, layer2 512 4 20 20, layer3 1024 2 10 10, layer4 2048 5 5"
    ),
    "tsn-bn-inception-rgb": (
        "conv1_7x7_s2 64 112 112, conv2_3x3 192 56 56, inception_3a_1x1 64 28 28, inception_3c_3x3 160 14 14, "
        "inception_4e_3x3_reduce 128 14 14, inception_4e_double_3x3_2 256 7 7, inception_5b_pool_proj 128 7 7"
    ),
    "tsn-resnet50-rgb": "conv1 64 112 112, layer1 256 56 56, layer2 512 28 28, layer3 1024 14 14, layer4 2048 7 7",
    "tsn-senet154-rgb": "layer0 128 112 112, layer1 256 56 56, layer2 512 28 28, layer3 1024 14 14, layer4 2048 7 7",
    "tsn-se-resnet152-rgb": (
        "layer0 64 112 112, layer1 256 56 56, layer2 512 28 28, layer3 1024 14 14, layer4 2048 7 7"
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_part_has_the_published_shape(name: str) -> None:
    preprocessing = BACKBONES[name].preprocessing
    shapes: dict[str, str] = {}

    def note(part: str) -> Callable[[nn.Module, tuple, torch.Tensor], None]:
        return lambda _, given, result: shapes.update({part: " ".join(map(str, result.shape[1:]))})

    expected = dict(line.split(" ", 1) for line in LAYERS[name].split(", "))
    with torch.device("meta"):
        network = BACKBONES[name].network(3, 10)
        for part in expected:
            network.get_submodule(part).register_forward_hook(note(part))
        time = () if preprocessing.layout == "stack" else (preprocessing.frames,)
        network(torch.empty(1, 3, *time, preprocessing.crop, preprocessing.crop))
    assert shapes == expected


def test_blocks_of_p3d_take_turns() -> None:
    with torch.device("meta"):
        network = BACKBONES["p3d199-rgb"].network(3, 10)
    kinds = [block.kind for stage in (network.layer1, network.layer2, network.layer3) for block in stage]
    assert "".join(kinds) == "ABCABCABCABCABCABCABCABCABCABCABCABCABCABCABCAB"


def test_features_are_of_the_weights_that_were_loaded(tmp_path: Path) -> None:
    each = find_backbone("tsn-resnet50-flow")
    network = each.network(10, 4).eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    clips = torch.randn(3, 10, 32, 32)
    with torch.inference_mode():
        expected = network(clips).numpy()
    actual = embed_clips(load_backbone(each, tmp_path / "w.pth"), clips)
    assert np.allclose(actual, expected, atol=1e-6) and np.ptp(actual) > 0


def small(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return light(bn_inception_names(3, 5)) | changed


def test_batch_norms_that_are_rows_of_a_matrix_are_read(tmp_path: Path) -> None:
    weights = {name: value[None] if "_bn." in name else value for name, value in small().items()}
    torch.save(weights, tmp_path / "w.pth")
    network = load_backbone(find_backbone("tsn-bn-inception-rgb"), tmp_path / "w.pth")
    assert network.state_dict()["inception_5b_1x1_bn.running_var"].shape == (352,)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    torch.save({name: value.half() for name, value in small().items()}, tmp_path / "w.pth")
    network = load_backbone(find_backbone("tsn-bn-inception-rgb"), tmp_path / "w.pth")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_files_of_old_pytorch_are_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pth.tar", _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(tmp_path / "old.pth.tar")["a"], torch.ones(2))


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0)}, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["a"], torch.arange(3.0))


def test_prefixes_are_dropped_and_names_are_changed() -> None:
    weights = {"module.base_model.conv.weight": torch.zeros(1), "module.new_fc.bias": torch.ones(1)}
    weights = rename_weights(Path("w.pth"), weights, (Rename(r"^new_fc\.", "fc."),))
    assert set(weights) == {"conv.weight", "fc.bias"} and weights["fc.bias"] == 1


def refuse(path: Path, name: str = "tsn-bn-inception-rgb") -> str:
    with pytest.raises(BadInput) as caught:
        load_backbone(find_backbone(name), path)
    return str(caught.value)


def test_the_error_of_an_absent_file_says_where_to_get_it(tmp_path: Path) -> None:
    assert refuse(tmp_path / "rgb.pt", "i3d-rgb") == (
        f"{tmp_path / 'rgb.pt'}: no such file; weights of i3d-rgb are not part of this package: they usually come "
        "from piergiaj's pytorch-i3d (rgb_imagenet.pt), so download them there and name the file"
    )


def test_missing_and_unexpected_names_are_counted_and_some_named(tmp_path: Path) -> None:
    weights = small(extra=torch.zeros(1))
    for name in [name for name in weights if "inception_5a" in name]:
        del weights[name]
    torch.save(weights, tmp_path / "w.pth")
    assert refuse(tmp_path / "w.pth") == (
        f"{tmp_path / 'w.pth'}: does not hold the weights of tsn-bn-inception-rgb (42 missing: "
        "inception_5a_1x1.weight, inception_5a_1x1.bias, inception_5a_1x1_bn.weight, ... and 1 unexpected: extra); "
        "it takes those of yjxiong's tsn-pytorch (kinetics_tsn_rgb.pth, or what it trained)"
    )


def test_weights_of_the_other_stream_are_refused_by_their_shape(tmp_path: Path) -> None:
    torch.save(light(bn_inception_names(10, 5)), tmp_path / "flow.pth")
    assert "conv1_7x7_s2.weight has shape [64, 10, 7, 7], but [64, 3, 7, 7] in tsn-bn-inception-rgb" in refuse(
        tmp_path / "flow.pth"
    )


def test_a_file_without_a_head_is_refused_by_the_name_of_it(tmp_path: Path) -> None:
    weights = {name: value for name, value in small().items() if "new_fc" not in name}
    torch.save(weights, tmp_path / "w.pth")
    assert "(2 missing: fc.weight, fc.bias)" in refuse(tmp_path / "w.pth")


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save(small() | {"fc.bias": torch.zeros(5)}, tmp_path / "w.pth")
    assert "new_fc.bias, fc.bias all mean fc.bias; keep one of them" in refuse(tmp_path / "w.pth")


class Malicious:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("ran"),))


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Malicious()}, tmp_path / "w.pth")
    sentence = refuse(tmp_path / "w.pth")
    assert "w.pth: is not a file of weights alone (it wants getattr); nothing in it was run" in sentence
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", bytes(1000), b"PK\x03\x04 cut"])
def test_what_is_no_file_of_weights_gets_one_sentence(content: bytes, ending: str, tmp_path: Path) -> None:
    (tmp_path / f"w.{ending}").write_bytes(content)
    sentence = refuse(tmp_path / f"w.{ending}")
    assert sentence.startswith(f"{tmp_path / 'w.'}{ending}: is not a ") and "\n" not in sentence


@pytest.mark.parametrize("value", [{}, [torch.zeros(1)], {"state_dict": {"a": 1}}, {1: torch.zeros(1)}, 5])
def test_a_file_of_something_else_is_refused(value: object, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "w.pth")
    assert "save what `state_dict()` of the network gives" in refuse(tmp_path / "w.pth")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refuse(tmp_path) == f"{tmp_path}: is a folder, not a file of weights; name the file in it"


def test_the_error_of_an_unknown_backbone_lists_all() -> None:
    with pytest.raises(
        BadInput, match="backbone='i4d' is no network that is known here; choose one of i3d-rgb, i3d-"
    ):
        find_backbone("i4d")


def test_the_hash_is_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert hash_file(tmp_path / "abc") == "ba7816bf8f01"
    with pytest.raises(BadInput, match="none: no such file"):
        hash_file(tmp_path / "none")
