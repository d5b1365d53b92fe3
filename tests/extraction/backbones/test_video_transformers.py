"""The adapter to `transformers`, with a small stand-in for that package."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from untrimmed.extraction.backbones.preprocessing import preprocess_clip
from untrimmed.extraction.backbones.video_transformers import (
    TRANSFORMERS,
    load_video_transformer,
    read_transformer_preprocessing,
)
from untrimmed.extraction.backbones.zoo import embed_clips
from untrimmed.extraction.settings import ExtractConfig, hash_weights, restore_config
from untrimmed.extraction.video import extract_video
from untrimmed.io import BadInput
from untrimmed.video.writer import write_video

CONFIG: dict[str, Any] = {"num_frames": 4, "image_size": 8, "hidden_size": 3}
PICTURES: dict[str, Any] = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1], "rescale_factor": 1 / 255}


class Network(nn.Module):
    """A token a frame: the mean of each colour."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.config = config
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.scale * pixel_values.mean((3, 4)))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module: Any = ModuleType("transformers")
    module.config, module.pictures, module.asked = dict(CONFIG), dict(PICTURES), []

    def network(folder: str, **options: object) -> Network:
        module.asked.append((folder, options))
        if not (Path(folder) / "config.json").exists():
            raise OSError(f"no file named config.json in {folder}.\nSee the documentation.")
        return Network(SimpleNamespace(**module.config)).train()

    module.AutoModel = SimpleNamespace(from_pretrained=network)
    module.AutoConfig = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(**module.config))
    module.AutoImageProcessor = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(**module.pictures))
    monkeypatch.setitem(sys.modules, "transformers", module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_a_model_becomes_a_backbone(package: Any, folder: Path) -> None:
    network = load_video_transformer(folder)
    frames = np.full((4, 8, 8, 3), 255, np.uint8)
    frames[0] = 0
    features = embed_clips(network, preprocess_clip(network.preprocessing, frames)[None])
    white = (1 - np.array([0.5, 0.4, 0.3])) / [0.2, 0.2, 0.1]
    black = (0 - np.array([0.5, 0.4, 0.3])) / [0.2, 0.2, 0.1]
    assert np.allclose(features, [(3 * white + black) / 4], atol=1e-5)
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())


def test_nothing_is_fetched_and_no_pickle_read(package: Any, folder: Path) -> None:
    load_video_transformer(folder)
    assert package.asked == [(str(folder), {"local_files_only": True, "use_safetensors": True})]


def test_pictures_that_are_moved_below_zero_first_are_so_here(package: Any, folder: Path) -> None:
    package.pictures |= {"offset": True, "rescale_factor": 1 / 127.5}
    clip = preprocess_clip(load_video_transformer(folder).preprocessing, np.zeros((4, 8, 8, 3), np.uint8))
    assert clip[0, :, 0, 0].tolist() == pytest.approx([(-1 - 0.5) / 0.2, (-1 - 0.4) / 0.2, (-1 - 0.3) / 0.1])


def test_without_the_package_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        BadInput, match=r"needs the package transformers; run `pip install 'untrimmed\[transformers\]'`"
    ):
        load_video_transformer(folder)


def test_an_absent_folder_is_refused_before_anything_is_looked_for(package: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none: no such folder; download a video model"):
        load_video_transformer(tmp_path / "none")
    assert package.asked == []


def test_a_folder_without_a_model_gets_one_sentence(package: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_video_transformer(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: is no model that transformers can load (no file named config.json in {tmp_path}); "
        "download it again"
    )


@pytest.mark.parametrize("name", list(CONFIG))
def test_a_model_that_is_not_for_clips_is_refused(package: Any, folder: Path, name: str) -> None:
    del package.config[name]
    with pytest.raises(BadInput, match=f"its configuration has no {name}; choose a model like VideoMAE"):
        load_video_transformer(folder)


def test_what_a_model_expects_is_known_without_its_weights(package: Any, folder: Path) -> None:
    assert read_transformer_preprocessing(folder) == load_video_transformer(folder).preprocessing
    with pytest.raises(BadInput, match=r"model\.safetensors: no such file of weights"):
        hash_weights(TRANSFORMERS, folder)


def test_a_model_sees_the_clips_of_a_video(package: Any, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    video = folder / "a.mp4"
    write_video(video, np.full((20, 16, 16, 3), 200, np.uint8), 10)
    features = extract_video(video, ExtractConfig(backbones=(TRANSFORMERS,), weights=(str(folder),)))
    # Clips of 4 frames, one every 2.
    assert (features.source.window, features.source.stride, features.source.fps) == (4, 2, 10.0)
    assert features.source.backbone == f"transformers:{folder.name}" and features.values.shape == (10, 3)
    expected = (200 / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.2, 0.1])
    assert np.allclose(features.values, expected, atol=0.1)
    assert restore_config(features.source, [folder]).backbones == (TRANSFORMERS,)
