"""Video transformers (VideoMAE and kin) through the optional package `transformers`: its networks, our clips."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from untrimmed.extraction.backbones.preprocessing import Preprocessing
from untrimmed.io import BadInput, import_optional, missing

TRANSFORMERS = "transformers"
"""What such a backbone is called; which one it is, the folder says."""


class VideoTransformer(nn.Module):
    """A network of `transformers` whose feature vector is the mean of its last hidden states."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch channels"]:
        return self.network(pixel_values=x).last_hidden_state.mean(1)


class Pretrained(NamedTuple):
    """A network for inference, what it expects of a clip, and the channels of its feature vectors."""

    network: VideoTransformer
    preprocessing: Preprocessing
    width: int


def pretrained(folder: Path) -> Pretrained:
    """The model in a folder that `save_pretrained` wrote or a user downloaded: `config.json`, weights, preprocessor.

    Nothing is fetched, and of the weights only `model.safetensors` is read. Raises BadInput when the package is
    absent, or the folder, or when the model does not take clips of frames.
    """
    network = _read("AutoModel", folder, use_safetensors=True)
    preprocessing = _preprocessing(Path(folder), network.config, _read("AutoImageProcessor", folder))
    return Pretrained(
        VideoTransformer(network).eval().requires_grad_(False), preprocessing, network.config.hidden_size
    )


def preprocessing_in(folder: Path) -> Preprocessing:
    """What the model in a folder expects of a clip, without its weights; raises as `pretrained` does."""
    return _preprocessing(Path(folder), _read("AutoConfig", folder), _read("AutoImageProcessor", folder))


def weights_in(folder: Path) -> Path:
    """The file of the weights in a model's folder. Raises BadInput where there is none."""
    file = Path(folder) / "model.safetensors"
    if not file.exists():
        raise missing(file, "file of weights")
    return file


def _read(what: str, folder: Path, **options: Any) -> Any:
    """A part of the model in a folder, by the class of `transformers` that reads it."""
    package = import_optional("transformers", "transformers", "a video transformer")
    if not Path(folder).is_dir():
        raise BadInput(f"{folder}: no such folder; download a video model such as VideoMAE there, as .safetensors")
    try:
        return getattr(package, what).from_pretrained(str(folder), local_files_only=True, **options)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BadInput(f"{folder}: is no model that transformers can load ({reason}); download it again") from None


def _preprocessing(folder: Path, config: Any, pictures: Any) -> Preprocessing:
    for name in ("num_frames", "image_size", "hidden_size"):
        if not isinstance(getattr(config, name, None), int):
            raise BadInput(f"{folder}: its configuration has no {name}; choose a model like VideoMAE or TimeSformer")
    # Some processors move pictures to -1 to 1 before they normalise.
    moved = 1.0 if getattr(pictures, "offset", False) else 0.0
    mean = tuple((value + moved) / pictures.rescale_factor for value in pictures.image_mean)
    std = tuple(value / pictures.rescale_factor for value in pictures.image_std)
    return Preprocessing(
        stream="rgb",
        frames=config.num_frames,
        resize=config.image_size,
        crop=config.image_size,
        mean=mean,
        std=std,
        layout="frames",
    )
