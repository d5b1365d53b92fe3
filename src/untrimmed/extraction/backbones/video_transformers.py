"""Video transformers such as VideoMAE, through the optional package `transformers`."""

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from untrimmed.extraction.backbones.preprocessing import Preprocessing
from untrimmed.io import BadInput, import_optional

TRANSFORMERS = "transformers"
"""The name of all such backbones; the folder of the weights says which one."""


class VideoTransformer(nn.Module):
    """A network of `transformers` whose feature vector is the mean of its last hidden states."""

    def __init__(self, network: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing

    def forward(self, x: Float[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch channels"]:
        return self.network(pixel_values=x).last_hidden_state.mean(1)


def load_video_transformer(folder: Path) -> VideoTransformer:
    """Load a model, for inference, from a folder with `config.json`, weights and preprocessor.

    Nothing is downloaded, and of the weights only `model.safetensors` is read. Raises BadInput when the package or
    the folder is absent, or when the model does not take clips of frames.
    """
    network = _read("AutoModel", folder, use_safetensors=True)
    preprocessing = _build_preprocessing(folder, network.config, _read("AutoImageProcessor", folder))
    return VideoTransformer(network, preprocessing).eval().requires_grad_(False)


def read_transformer_preprocessing(folder: Path) -> Preprocessing:
    """Read the preprocessing of a model, without its weights; raises as `load_video_transformer` does."""
    return _build_preprocessing(folder, _read("AutoConfig", folder), _read("AutoImageProcessor", folder))


def _read(kind: str, folder: Path, **options: Any) -> Any:
    """Read a part of the model in a folder, with the class `kind` of `transformers`."""
    package = import_optional("transformers", "transformers", "a video transformer")
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; download a video model such as VideoMAE there, as .safetensors")
    try:
        return getattr(package, kind).from_pretrained(str(folder), local_files_only=True, **options)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BadInput(f"{folder}: is no model that transformers can load ({reason}); download it again") from None


def _build_preprocessing(folder: Path, config: Any, processor: Any) -> Preprocessing:
    for name in ("num_frames", "image_size", "hidden_size"):
        if not isinstance(getattr(config, name, None), int):
            raise BadInput(f"{folder}: its configuration has no {name}; choose a model like VideoMAE or TimeSformer")
    # Some processors shift pictures to -1 to 1 before they normalise.
    offset = 1.0 if getattr(processor, "offset", False) else 0.0
    mean = tuple((value + offset) / processor.rescale_factor for value in processor.image_mean)
    std = tuple(value / processor.rescale_factor for value in processor.image_std)
    return Preprocessing(
        stream="rgb",
        frames=config.num_frames,
        resize=config.image_size,
        crop=config.image_size,
        mean=mean,
        std=std,
        layout="frames",
    )
