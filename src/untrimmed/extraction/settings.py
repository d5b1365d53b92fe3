"""How videos become features, as settings, and the source that features of these settings have."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from untrimmed.extraction.backbones import efficientnet_lite
from untrimmed.extraction.backbones.preprocessing import Preprocessing
from untrimmed.extraction.backbones.video_transformers import TRANSFORMERS, preprocessing_in, weights_in
from untrimmed.extraction.backbones.weights import weights_hash
from untrimmed.extraction.backbones.zoo import BACKBONES, backbone
from untrimmed.features.video_features import FeatureSource
from untrimmed.features.video_features import describe as name_of
from untrimmed.io import BadInput, Config, missing
from untrimmed.video import sampling as video

LITE = "efficientnet-lite0"
LITE_FPS = 5.0

FlowMethod = Literal["dis", "dis-fast", "tvl1"]


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How videos become features. What is None is what suits the backbone."""

    backbones: tuple[str, ...] = (LITE,)
    """`efficientnet-lite0` alone, or published networks (`backbones.zoo`) or `transformers`, side by side."""
    weights: tuple[str, ...] = ()
    """For each published network, in this order, the file of its weights; for `transformers`, the model's folder."""
    fps: float | None = None
    """Frames a second that the backbone is given [5 for networks of one frame; for clips, as the first video has]."""
    stride: int | None = None
    """Of these frames, from one clip to the next [what the backbone was published with]."""
    flow: bool = True
    """Whether a description of the motion stands after what `efficientnet-lite0` sees."""
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
        self._check_backbones()

    @property
    def is_lite(self) -> bool:
        """Whether the backbone is the one that comes with the package."""
        return self.backbones == (LITE,)

    def _check_backbones(self) -> None:
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


class Entry(NamedTuple):
    """A line of the list of backbones."""

    backbone: str
    frames: int
    stride: int
    fps: float | str
    channels: int
    weights: str


def catalogue() -> list[Entry]:
    """Every backbone there is, with the frames and rates that it is given unless other ones are asked for."""
    rows = [Entry(LITE, 1, 1, LITE_FPS, efficientnet_lite.CHANNELS, "come with the package")]
    for one in BACKBONES.values():
        frames, rate = one.preprocessing.frames, one.fps or "the video's"
        rows.append(Entry(one.name, frames, one.stride, rate, one.width, one.origin))
    return rows


def expects(config: ExtractConfig) -> tuple[Preprocessing, ...]:
    """What each published network of the settings expects of a clip. BadInput where they cannot go together."""
    wanted = tuple(
        preprocessing_in(Path(weights)) if name == TRANSFORMERS else backbone(name).preprocessing
        for name, weights in zip(config.backbones, config.weights, strict=True)
    )
    kinds = {(one.layout == "stack", 1 if one.layout == "stack" else one.frames) for one in wanted}
    if len(kinds) > 1:
        raise BadInput(
            f"{' and '.join(config.backbones)} see clips of other lengths; extract each into a folder of its own, "
            "and give data.features both"
        )
    return wanted


def settled(config: ExtractConfig, videos: Sequence[Path]) -> ExtractConfig:
    """The settings with every rate filled in; where the videos' own is meant, that of the first that is readable."""
    if config.is_lite:
        return replace(config, fps=config.fps or LITE_FPS, flow_method=config.flow_method or "dis")
    wanted = expects(config)
    published = [backbone(name) for name in config.backbones if name != TRANSFORMERS]
    stacked = wanted[0].layout == "stack"
    if stacked and config.stride not in (None, 1):
        raise BadInput(f"extract.stride={config.stride}: {config.backbones[0]} sees single moments; set fps instead")
    strides = [one.stride for one in published] or [wanted[0].frames // 2]
    if config.stride is None and len(set(strides)) > 1:
        raise BadInput(
            f"{' and '.join(config.backbones)} were published with strides of "
            f"{' and '.join(map(str, strides))} frames: give one stride for both"
        )
    rates = [one.fps for one in published if one.fps]
    return replace(
        config,
        fps=config.fps or (rates[0] if rates else _own_rate(videos)),
        stride=config.stride or strides[0],
        flow_method=config.flow_method or "tvl1",
    )


def source_of(config: ExtractConfig) -> FeatureSource:
    """Where the features of settled settings come from: what a detector that is trained on them asks for."""
    if config.fps is None:
        raise ValueError("the frame rate is open; settle the settings first")
    if config.is_lite:
        streams = ("rgb", f"{config.flow_method or 'dis'}-flow") if config.flow else ("rgb",)
        weights = (stamp_of(LITE, efficientnet_lite.weights_file()),)
        return FeatureSource(backbone=LITE, fps=config.fps, streams=streams, weights=weights)
    wanted = expects(config)
    return FeatureSource(
        backbone="+".join(map(_named, config.backbones, config.weights)),
        fps=config.fps,
        stride=config.stride or 1,
        window=1 if wanted[0].layout == "stack" else wanted[0].frames,
        streams=tuple("rgb" if one.stream == "rgb" else f"{config.flow_method}-flow" for one in wanted),
        weights=tuple(map(stamp_of, config.backbones, map(Path, config.weights))),
    )


def stamp_of(name: str, weights: Path) -> str:
    """The first digits of the hash of a backbone's weights, which are read through once, unless they change.

    Raises BadInput where they are absent.
    """
    if not weights.exists():
        raise missing(weights, f"weights of {name}")
    file = weights_in(weights) if name == TRANSFORMERS else weights
    status = file.stat()
    return _hashed(file, status.st_size, status.st_mtime_ns)


def config_of(source: FeatureSource, weights: Sequence[Path] = ()) -> ExtractConfig:
    """The settings that make features of a source: the inverse of `source_of`.

    `weights` are the files of published networks. BadInput where there are none that make such features.
    """
    method = _method_of(source)
    if source.backbone == LITE:
        config = ExtractConfig(fps=source.fps, flow=len(source.streams) > 1, flow_method=method or "dis")
    elif source.weights:
        names = [TRANSFORMERS if name.startswith(TRANSFORMERS) else name for name in source.backbone.split("+")]
        if len(weights) != len(names):
            raise BadInput(
                f"features from {name_of(source)} need {len(names)} files of weights, not {len(weights)}: give "
                f"--weights for {' and '.join(names)}, or feature files instead of videos"
            )
        found = tuple(map(stamp_of, names, weights))
        for file, hashed, wanted in zip(weights, found, source.weights, strict=True):
            if hashed != wanted:
                raise BadInput(
                    f"{file}: has the hash {hashed}, but the features come from {wanted}; give the same file"
                )
        config = ExtractConfig(
            backbones=tuple(names),
            weights=tuple(map(str, weights)),
            fps=source.fps,
            stride=round(source.stride),
            flow_method=method or "tvl1",
        )
    else:
        raise _not_of_videos(source)
    if source_of(config) != source:
        raise _not_of_videos(source)
    return config


def _not_of_videos(source: FeatureSource) -> BadInput:
    return BadInput(
        f"features from {name_of(source)} cannot be made of a video here; give feature files instead of videos"
    )


def _method_of(source: FeatureSource) -> FlowMethod | None:
    methods: tuple[FlowMethod, ...] = get_args(FlowMethod)
    return next((method for method in methods if f"{method}-flow" in source.streams), None)


def _own_rate(videos: Sequence[Path]) -> float:
    fault: BadInput | None = None
    for path in videos:
        try:
            return video.probe(path).fps
        except BadInput as error:
            fault = fault or error
    raise fault or BadInput("there is no video to take a frame rate from; give fps")


def _named(name: str, weights: str) -> str:
    return f"{TRANSFORMERS}:{Path(weights).name}" if name == TRANSFORMERS else name


@cache
def _hashed(file: Path, size: int, changed: int) -> str:
    return weights_hash(file)
