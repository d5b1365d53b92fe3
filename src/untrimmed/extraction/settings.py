"""The settings of an extraction, and the feature source that they lead to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from untrimmed.extraction.backbones import efficientnet_lite
from untrimmed.extraction.backbones.preprocessing import Preprocessing
from untrimmed.extraction.backbones.video_transformers import TRANSFORMERS, read_transformer_preprocessing
from untrimmed.extraction.backbones.weights import hash_file
from untrimmed.extraction.backbones.zoo import BACKBONES, find_backbone
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput, Config, missing
from untrimmed.video.probe import probe_video

LITE = "efficientnet-lite0"
LITE_FPS = 5.0

FlowMethod = Literal["dis", "dis-fast", "tvl1"]


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How videos become features; None is the default of the backbone."""

    backbones: tuple[str, ...] = (LITE,)
    """`efficientnet-lite0` alone, or published networks (`backbones.zoo`) or `transformers`, side by side."""
    weights: tuple[str, ...] = ()
    """For each published network, in this order, the file of its weights; for `transformers`, the model's folder."""
    fps: float | None = None
    """Frames a second that the backbone is given [5 for networks of one frame; for clips, the first video's rate]."""
    stride: int | None = None
    """Of these frames, those from one clip to the next [what the backbone was published with]."""
    flow: bool = True
    """Whether a descriptor of the optical flow follows the features of `efficientnet-lite0`."""
    flow_method: FlowMethod | None = None
    """Dense inverse search, its preset that takes a fifth of the time and is three times as far off, or TV-L1
    [`dis`; for published networks of flow `tvl1`, which they were trained with]."""
    batch: int = 16
    """Pictures that a backbone sees at a time, or a quarter as many clips."""
    device: str = "cpu"
    """Where backbones and TV-L1 run."""
    allow_truncated: bool = False
    """Whether to use what can be decoded of a file that ends early, rather than refuse it."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise BadInput(f"extract.fps={self.fps} is no frame rate; give a positive number")
        if self.stride is not None and self.stride < 1:
            raise BadInput(f"extract.stride={self.stride} is no number of frames; give 1 or more")
        if self.batch < 1:
            raise BadInput(f"extract.batch={self.batch} is no number of frames; give 1 or more")
        if self.is_lite and self.stride is not None:
            raise BadInput(f"extract.stride={self.stride}: {LITE} sees one frame a snippet; set fps instead")
        if self.is_lite and self.flow_method == "tvl1":
            raise BadInput(f"extract.flow_method=tvl1: the motion beside {LITE} is described from dis or dis-fast")
        if self.is_lite and self.weights:
            raise BadInput(f"{self.weights[0]}: {LITE} has its own weights; leave them out or name another backbone")
        if not self.is_lite and LITE in self.backbones:
            raise BadInput(f"{LITE} stands alone; extract the others into a folder of their own and train on both")
        if not self.is_lite and len(self.weights) != len(self.backbones):
            raise BadInput(
                f"{len(self.backbones)} backbones ({', '.join(self.backbones)}) and {len(self.weights)} files of "
                "weights: give each backbone its own, in the same order"
            )

    @property
    def is_lite(self) -> bool:
        """Whether the backbone is the one that comes with the package."""
        return self.backbones == (LITE,)

    @property
    def resolved_fps(self) -> float:
        """The frame rate, which `resolve_config` has filled in. Raises ValueError where it is still open."""
        if self.fps is None:
            raise ValueError("the frame rate is open; resolve the settings first")
        return self.fps


class BackboneEntry(NamedTuple):
    """A row of the list of backbones."""

    backbone: str
    frames: int
    stride: int
    fps: float | str
    channels: int
    weights: str


def list_backbones() -> list[BackboneEntry]:
    """List every backbone with its frames a clip, default stride and rate, width, and where its weights come from."""
    rows = [BackboneEntry(LITE, 1, 1, LITE_FPS, efficientnet_lite.WIDTH, "come with the package")]
    for backbone in BACKBONES.values():
        frames, rate = backbone.preprocessing.frames, backbone.fps or "the video's"
        rows.append(BackboneEntry(backbone.name, frames, backbone.stride, rate, backbone.width, backbone.origin))
    return rows


def resolve_config(config: ExtractConfig, videos: Sequence[Path]) -> ExtractConfig:
    """Fill in the frame rate, the stride and the flow method that settings leave open.

    Where a backbone takes the video's own rate, it is that of the first readable one of `videos`. Raises BadInput for
    settings that do not fit the backbones.
    """
    if config.is_lite:
        return replace(config, fps=config.fps or LITE_FPS, flow_method=config.flow_method or "dis")
    first = read_preprocessing(config)[0]
    published = [find_backbone(name) for name in config.backbones if name != TRANSFORMERS]
    if first.layout == "stack" and config.stride not in (None, 1):
        raise BadInput(f"extract.stride={config.stride}: {config.backbones[0]} sees single moments; set fps instead")
    strides = [backbone.stride for backbone in published] or [first.frames // 2]
    if config.stride is None and len(set(strides)) > 1:
        raise BadInput(
            f"{' and '.join(config.backbones)} were published with strides of "
            f"{' and '.join(map(str, strides))} frames: give one stride for both"
        )
    rates = [backbone.fps for backbone in published if backbone.fps]
    return replace(
        config,
        fps=config.fps or (rates[0] if rates else _probe_rate(videos)),
        stride=config.stride or strides[0],
        flow_method=config.flow_method or "tvl1",
    )


def read_preprocessing(config: ExtractConfig) -> tuple[Preprocessing, ...]:
    """Return the preprocessing of each published network. Raises BadInput where their clips differ in length."""
    preprocessings = tuple(
        read_transformer_preprocessing(Path(weights)) if name == TRANSFORMERS else find_backbone(name).preprocessing
        for name, weights in zip(config.backbones, config.weights, strict=True)
    )
    if len({(preprocessing.layout == "stack", _count_frames(preprocessing)) for preprocessing in preprocessings}) > 1:
        raise BadInput(
            f"{' and '.join(config.backbones)} see clips of other lengths; extract each into a folder of its own, "
            "and give data.features both"
        )
    return preprocessings


def build_source(config: ExtractConfig) -> FeatureSource:
    """Build the feature source of resolved settings: what a detector that is trained on the features asks for."""
    fps = config.resolved_fps
    if config.is_lite:
        streams = ("rgb", f"{config.flow_method or 'dis'}-flow") if config.flow else ("rgb",)
        weights = (hash_weights(LITE, efficientnet_lite.weights_file()),)
        return FeatureSource(backbone=LITE, fps=fps, streams=streams, weights=weights)
    preprocessings = read_preprocessing(config)
    names = [
        f"{TRANSFORMERS}:{Path(weights).name}" if name == TRANSFORMERS else name
        for name, weights in zip(config.backbones, config.weights, strict=True)
    ]
    return FeatureSource(
        backbone="+".join(names),
        fps=fps,
        stride=config.stride or 1,
        window=_count_frames(preprocessings[0]),
        streams=tuple(
            "rgb" if preprocessing.stream == "rgb" else f"{config.flow_method}-flow"
            for preprocessing in preprocessings
        ),
        weights=tuple(map(hash_weights, config.backbones, map(Path, config.weights))),
    )


def restore_config(source: FeatureSource, weights: Sequence[str | Path] = ()) -> ExtractConfig:
    """Restore the settings that make features of a source: the inverse of `build_source`.

    `weights` are the files of published networks. Raises BadInput where no settings make such features.
    """
    methods = [method for method in get_args(FlowMethod) if f"{method}-flow" in source.streams]
    if source.backbone == LITE:
        flow_method = methods[0] if methods else "dis"
        config = ExtractConfig(fps=source.fps, flow=len(source.streams) > 1, flow_method=flow_method)
    elif source.weights:
        names = [TRANSFORMERS if name.startswith(TRANSFORMERS) else name for name in source.backbone.split("+")]
        _check_weights(source, names, [Path(file) for file in weights])
        config = ExtractConfig(
            backbones=tuple(names),
            weights=tuple(map(str, weights)),
            fps=source.fps,
            stride=round(source.stride),
            flow_method=methods[0] if methods else "tvl1",
        )
    else:
        config = None
    if config is None or build_source(config) != source:
        raise BadInput(
            f"features from {source.summary} cannot be made of a video here; give feature files instead of videos"
        )
    return config


def hash_weights(name: str, weights: Path) -> str:
    """Hash the weights of a backbone, as `hash_file` does; a file is read through once, unless it changes.

    For `transformers` they are a file in the folder `weights`. Raises BadInput where it is absent.
    """
    if not weights.exists():
        raise missing(weights, f"weights of {name}")
    file = weights / "model.safetensors" if name == TRANSFORMERS else weights
    if not file.exists():
        raise missing(file, "file of weights")
    status = file.stat()
    return _hash_version(file, status.st_size, status.st_mtime_ns)


def _check_weights(source: FeatureSource, names: Sequence[str], files: Sequence[Path]) -> None:
    if len(files) != len(names):
        raise BadInput(
            f"features from {source.summary} need {len(names)} files of weights, not {len(files)}: give "
            f"--weights for {' and '.join(names)}, or feature files instead of videos"
        )
    for file, actual, expected in zip(files, map(hash_weights, names, files), source.weights, strict=True):
        if actual != expected:
            raise BadInput(
                f"{file}: has the hash {actual}, but the features come from {expected}; give the same file"
            )


def _count_frames(preprocessing: Preprocessing) -> int:
    """Count the frames that a snippet covers: a stack of flow describes a single moment."""
    return 1 if preprocessing.layout == "stack" else preprocessing.frames


def _probe_rate(videos: Sequence[Path]) -> float:
    fault: BadInput | None = None
    for path in videos:
        try:
            return probe_video(path).fps
        except BadInput as error:
            fault = fault or error
    raise fault or BadInput("there is no video to take a frame rate from; give fps")


@cache
def _hash_version(file: Path, size: int, modified: int) -> str:
    return hash_file(file)
