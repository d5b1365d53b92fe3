"""Published networks on videos: their inputs, the times of these, and the hashes of their weights."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from films import contents, film
from snippets import read_clips, read_stacks
from untrimmed.extraction import settings as settings_module
from untrimmed.extraction.backbones import zoo
from untrimmed.extraction.backbones.preprocessing import preprocess_clip
from untrimmed.extraction.extractors import create_extractor
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config, restore_config
from untrimmed.extraction.video import extract_video, join_chunks
from untrimmed.extraction.videos import extract
from untrimmed.features.streams import read_features
from untrimmed.io import BadInput, read_json
from untrimmed.video.flow import compute_dis_flow, quantise_flow
from untrimmed.video.live import Connection
from untrimmed.video.sampling import PictureConverter
from untrimmed.video.writer import write_video

TSN = ("tsn-bn-inception-rgb", "tsn-bn-inception-flow")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Weights of each network, random, by its name."""
    folder, weights = tmp_path_factory.mktemp("weights"), {}
    for seed, name in enumerate((*TSN, "i3d-rgb", "i3d-flow")):
        torch.manual_seed(seed)
        backbone = zoo.find_backbone(name)
        network = backbone.network(backbone.preprocessing.channels, 7)
        weights[name] = folder / f"{name}.safetensors"
        save_file({key: value.contiguous() for key, value in network.state_dict().items()}, weights[name])
    return weights


def settings(files: dict[str, Path], *names: str, **changes) -> ExtractConfig:
    weights = tuple(str(files[name]) for name in names)
    return ExtractConfig(**{"backbones": names, "weights": weights, "flow_method": "dis-fast", **changes})


def test_two_streams_stand_side_by_side_each_of_its_own_pictures(tmp_path, files):
    file = film(tmp_path / "a.mp4", 1.0)
    features = extract_video(file, settings(files, *TSN))
    assert features.values.shape == (5, 2048)
    assert features.source.backbone == "+".join(TSN) and features.source.streams == ("rgb", "dis-fast-flow")
    assert (features.grid.step, features.grid.span, features.grid.start) == (0.2, 0.2, 0.0)
    rgb, flow = (zoo.load_backbone(zoo.find_backbone(name), files[name]) for name in TSN)
    for row, stack in zip(features.values, read_stacks(file, 5.0, 6, 256), strict=True):
        images = [frame.image for frame in stack.frames]
        rgb_features = zoo.embed_clips(
            rgb, preprocess_clip(zoo.find_backbone(TSN[0]).preprocessing, images[2][None])[None]
        )[0]
        flows = np.stack([compute_dis_flow(a, b, "dis-fast") for a, b in pairwise(images)])
        flow_features = zoo.embed_clips(
            flow, preprocess_clip(zoo.find_backbone(TSN[1]).preprocessing, quantise_flow(flows))[None]
        )[0]
        assert np.allclose(row, [*rgb_features, *flow_features], atol=1e-3)


@pytest.mark.slow
def test_clips_of_both_streams_begin_at_one_frame(tmp_path, files):
    file = film(tmp_path / "a.mp4", 1.0)
    config = settings(files, "i3d-rgb", "i3d-flow", stride=8)
    both = extract_video(file, config)
    assert (both.source.fps, both.source.stride, both.source.window) == (25.0, 8, 16)
    rgb = zoo.load_backbone(zoo.find_backbone("i3d-rgb"), files["i3d-rgb"])
    first = next(read_clips(file, 17, 8, 25.0, 256)).frames
    inputs = preprocess_clip(
        zoo.find_backbone("i3d-rgb").preprocessing, np.stack([frame.image for frame in first[:16]])
    )
    assert np.allclose(both.values[0, :1024], zoo.embed_clips(rgb, inputs[None])[0], atol=1e-3)
    flow = zoo.load_backbone(zoo.find_backbone("i3d-flow"), files["i3d-flow"])
    flows = np.stack([compute_dis_flow(a.image, b.image, "dis-fast") for a, b in pairwise(first)])
    inputs = preprocess_clip(zoo.find_backbone("i3d-flow").preprocessing, quantise_flow(flows))
    assert np.allclose(both.values[0, 1024:], zoo.embed_clips(flow, inputs[None])[0], atol=1e-3)


@pytest.mark.parametrize(("names", "changes"), [(TSN, {}), (("i3d-rgb", "i3d-flow"), {"stride": 8})])
@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_frames_that_arrive_give_the_features_of_their_file(tmp_path, files, monkeypatch, names, changes, seconds):
    # What networks are given stands for what they make of it.
    monkeypatch.setattr(zoo, "embed_clips", lambda network, clips: clips.flatten(1)[:, ::97].numpy())
    file = film(tmp_path / "a.mp4", seconds)
    config = resolve_config(settings(files, *names, **changes), [file])
    extractor = create_extractor(config)
    connection = Connection(str(file), PictureConverter(extractor.size), extractor.sample_snippets)
    actual = np.concatenate(list(extractor.compute_features(inputs for inputs, _ in connection.batches(3))))
    expected = extract_video(file, config).values
    assert actual.shape == expected.shape and np.allclose(actual, expected, atol=1e-3)


def test_networks_of_flow_get_tv_l1_by_default(files):
    assert resolve_config(settings(files, *TSN, flow_method=None), []).flow_method == "tvl1"
    assert build_source(resolve_config(settings(files, *TSN, flow_method=None), [])).streams == ("rgb", "tvl1-flow")


@pytest.mark.slow
def test_tv_l1_of_a_moved_picture_reaches_the_network(tmp_path, files):
    file = film(tmp_path / "a.mp4", 0.4)
    exact = extract_video(file, settings(files, TSN[1], flow_method="tvl1")).values
    other = extract_video(file, settings(files, TSN[1])).values
    assert exact.shape == other.shape and not np.array_equal(exact, other)
    assert np.corrcoef(exact.ravel(), other.ravel())[0, 1] > 0.9


def test_clips_have_the_rate_of_the_first_video_and_a_folder_keeps_its_own(tmp_path, files, monkeypatch):
    slow, fast = tmp_path / "slow.mp4", tmp_path / "a.mp4"
    pictures = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), np.uint8)
    write_video(slow, pictures, 10)
    write_video(fast, pictures, 20)
    monkeypatch.setattr(zoo, "embed_clips", lambda network, clips: np.zeros((len(clips), 1024), np.float32))
    config = settings(files, "i3d-rgb")
    extract([slow], tmp_path / "out", config)
    folder = read_features(tmp_path / "out")
    assert folder.source.fps == 10.0
    # The second alone would have 20; in this folder it is seen 10 times a second.
    assert not extract([fast], tmp_path / "out", config).failed
    assert len(read_features(tmp_path / "out")["a"]) == 1
    with pytest.raises(BadInput, match="choose another folder"):
        extract([fast], tmp_path / "out", replace(config, fps=20.0))


def test_a_manifest_says_which_weights_and_which_file(tmp_path, files):
    file = film(tmp_path / "a.mp4", 0.4)
    extract([file], tmp_path / "out", settings(files, TSN[0]))
    manifest = read_json(tmp_path / "out" / "manifest.json")
    assert len(manifest["source"]["weights"][0]) == 12 and "middle" in manifest["convention"]
    entry = manifest["videos"]["a"]
    assert entry["bytes"] == file.stat().st_size and len(entry["sha256"]) == 64
    assert (entry["dtype"], entry["snippets"]) == ("float16", 2)


def test_a_video_that_has_changed_is_reported(tmp_path):
    file = film(tmp_path / "a.mp4")
    extract([file], tmp_path / "out", ExtractConfig(flow=False))
    before = contents(tmp_path / "out")
    film(file, 2.0, seed=1)
    failed = extract([file], tmp_path / "out", ExtractConfig(flow=False)).failed
    assert "were made of a file of" in failed[file] and "remove a.npy" in failed[file]
    assert contents(tmp_path / "out") == before


def test_other_weights_are_another_source(tmp_path, files):
    source = build_source(resolve_config(settings(files, *TSN), []))
    assert restore_config(source, [files[name] for name in TSN]) == resolve_config(settings(files, *TSN), [])
    with pytest.raises(BadInput, match=r"has the hash .* give the same file"):
        restore_config(source, [files[TSN[1]], files[TSN[0]]])
    with pytest.raises(BadInput, match="need 2 files of weights, not 0"):
        restore_config(source)


def test_weights_are_hashed_again_when_their_file_changes(tmp_path, monkeypatch):
    file, hashed = tmp_path / "weights.pt", []
    monkeypatch.setattr(settings_module, "hash_file", lambda path: hashed.append(path) or str(len(hashed)))
    file.write_bytes(b"one")
    assert [settings_module.hash_weights("i3d-rgb", file) for _ in range(3)] == ["1", "1", "1"]
    file.write_bytes(b"another")
    assert settings_module.hash_weights("i3d-rgb", file) == "2"


@pytest.mark.parametrize(
    ("names", "changes", "words"),
    [
        (("tsn-bn-inception-rgb", "i3d-rgb"), {}, "clips of other lengths"),
        (("tsn-bn-inception-rgb",), {"stride": 4}, "sees single moments"),
        (("i3d-rgb", "c3d"), {}, "strides of 4 and 8 frames: give one stride"),
        (("tsn-bn-inception-rgb",), {"weights": ()}, "give each backbone its own"),
        (("efficientnet-lite0", "i3d-rgb"), {"weights": ("a", "b")}, "stands alone"),
        (("efficientnet-lite0",), {"weights": ("a",)}, "has its own weights"),
        (("efficientnet-lite0",), {"weights": (), "stride": 2}, "one frame a snippet"),
        (("efficientnet-lite0",), {"weights": (), "flow_method": "tvl1"}, "dis or dis-fast"),
        (("vgg",), {"weights": ("a",)}, "no network that is known here"),
    ],
)
def test_settings_that_do_not_fit_are_refused(files, names, changes, words):
    weights = {**files, **dict.fromkeys(("efficientnet-lite0", "vgg", "c3d"), Path("a"))}
    with pytest.raises(BadInput, match=words):
        resolve_config(settings(weights, *names, **changes), [])


def test_absent_weights_are_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"none\.pt: no such"):
        extract([film(tmp_path / "a.mp4")], tmp_path / "out", settings({"i3d-rgb": Path("none.pt")}, "i3d-rgb"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("spill", [1000, 10**6])
def test_many_features_are_joined_in_a_file(monkeypatch, spill):
    monkeypatch.setattr("untrimmed.extraction.video._SPILL", spill)
    chunks = [np.random.default_rng(i).random((9, 16), np.float32) for i in range(5)]
    joined = join_chunks(iter(chunks))
    assert isinstance(joined, np.memmap) == (spill == 1000) and np.array_equal(joined, np.concatenate(chunks))
