"""A trained model with all that it needs to be used again: features in, a timeline out; one file."""

import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from untrimmed import __version__
from untrimmed.detection.card import Card, card_tree, read_card
from untrimmed.features.video_features import FeatureSource, VideoFeatures, check_finite, describe
from untrimmed.features.windows import Window, windows
from untrimmed.io import BadInput, missing, whole
from untrimmed.models.base import Model, stack
from untrimmed.models.suppression import suppress
from untrimmed.recipe import Recipe, build_recipe, recipe_tree
from untrimmed.timeline import Action, Timeline

HEADER = "untrimmed"
Precision = Literal["auto", "float32", "bfloat16"]
BATCH = 8


class Header(NamedTuple):
    """What a detector's file holds besides its weights."""

    version: str
    """Of this package, when the file was written."""
    recipe: Recipe
    channels: int
    classes: tuple[str, ...]
    source: FeatureSource
    card: Card | None
    """None in files of before there were cards."""


@dataclass(frozen=True)
class Detector:
    """A model, the recipe that made it, and the features that it understands.

    With `compiled` it detects with a compiled network: the same detections up to rounding, minutes for the first
    ones, and BadInput at the first where there is no C++ compiler. With a `precision` of bfloat16 it is faster where
    the processor has instructions for that, and `auto` means just there; scores then differ in the third digit.
    `dataclasses.replace` turns either on and off.
    """

    model: Model
    recipe: Recipe
    channels: int
    classes: tuple[str, ...]
    source: FeatureSource
    compiled: bool = False
    card: Card | None = None
    precision: Precision = "float32"

    def detect(self, features: VideoFeatures, name: str = "the video") -> Timeline:
        """The actions of a video, best `suppress.keep` of them. Raises BadInput for features of another kind."""
        self.check(features, name)
        return self.timeline(*self.candidates(features, self.recipe.suppress.floor), features.duration)

    def timeline(
        self,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        duration: float,
    ) -> Timeline:
        """What suppression leaves of candidates, in a video of so many seconds."""
        kept = suppress(segments, scores, self.recipe.suppress)
        # Only here are segments cut to the video: where they reach beyond it, overlaps count all the same.
        bounds = kept.segments.clip(0, duration)
        actions = tuple(
            Action(float(start), float(end), self.classes[label], float(score))
            for (start, end), label, score in zip(bounds, kept.labels, kept.scores, strict=True)
            if end > start
        )
        return Timeline(duration, actions)

    def check(self, features: VideoFeatures, name: str = "the video") -> None:
        """Refuse features that the model was not trained on."""
        if features.source != self.source:
            raise BadInput(
                f"{name}: its features come from {describe(features.source)}, but the detector was trained on "
                f"{describe(self.source)}; extract them as it was"
            )
        if features.channels != self.channels:
            raise BadInput(
                f"{name}: its features have {features.channels} channels, but the detector takes {self.channels}; "
                "extract them as it was trained"
            )
        check_finite(name, features)

    @cached_property
    def _network(self) -> Model:
        """The model as it detects fastest, with the weights that it has at the first detection."""
        device = self.model.standardize.mean.device.type
        plain = self.compiled or uses_bfloat16(device, self.precision)
        return self.model.folded() if plain else self.model.quick()

    @cached_property
    def _forward(self) -> Callable[..., Any]:
        # The batches of short videos have another size: one program is made for all sizes, and one for size 1.
        return compile_forward(self._network, dynamic=True) if self.compiled else self._network

    @torch.inference_mode()
    def candidates(
        self, features: VideoFeatures, floor: float = -math.inf
    ) -> tuple[Float[np.ndarray, "candidates 2"], Float[np.ndarray, "candidates classes"]]:
        """Segments in seconds and scores per class of all windows, before suppression.

        Those of which no class reaches `floor` are left out: of hours of video, the rest would fill the memory.
        """
        network = self._network
        device = network.standardize.mean.device
        segments, scores = [], []
        for several in batched(windows(features, self.recipe.windows, network.length), BATCH):
            batch = stack(several)
            with autocast(device.type, self.precision):
                outputs = self._forward(batch.x.to(device), batch.mask.to(device))
            decoded = network.decode(outputs)
            for window, proposals in zip(several, decoded, strict=True):
                found = proposals.scores.double().cpu().numpy()
                kept = (found >= floor).any(1)
                segments.append(window.grid.seconds(proposals.segments.double().cpu().numpy()[kept]))
                scores.append(found[kept])
        return np.concatenate(segments), np.concatenate(scores)

    def header(self) -> str:
        """Everything but the weights, as JSON; `parse_header` turns it back."""
        tree = {
            "version": __version__,
            "recipe": recipe_tree(self.recipe),
            "channels": self.channels,
            "classes": self.classes,
            "source": asdict(self.source),
        }
        return json.dumps(tree | ({"card": card_tree(self.card)} if self.card else {}))

    def save(self, path: Path) -> None:
        """Write weights and everything else to one file, whole or not at all."""
        weights = {name: value.contiguous().cpu() for name, value in self.model.state_dict().items()}
        with whole(path) as temporary:
            save_file(weights, temporary, metadata={HEADER: self.header()})

    @classmethod
    def load(cls, path: Path, device: str = "cpu", compiled: bool = False) -> "Detector":
        """Read a detector; nothing in the file is run. Raises BadInput for a file that is cut or is none."""
        with _whole_file(path), safe_open(path, framework="pt", device=device) as file:
            header = parse_header(file.metadata(), path)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            model = prepare(header.recipe.model.build(header.channels, len(header.classes)), device)
            model.load_state_dict(weights)
        _, recipe, channels, classes, source, card = header
        return cls(model.eval(), recipe, channels, classes, source, compiled, card)


def read_header(path: Path) -> Header:
    """What a detector file holds besides its weights, which are not read. Raises BadInput as loading does."""
    with _whole_file(path), safe_open(path, framework="pt") as file:
        return parse_header(file.metadata(), path)


def parse_header(metadata: Mapping[str, str] | None, path: Path) -> Header:
    """The header in a file's metadata. Raises BadInput for a bad recipe; TypeError, KeyError or ValueError else."""
    tree = json.loads((metadata or {})[HEADER])
    return Header(
        str(tree["version"]),
        build_recipe(tree["recipe"], str(path)),
        int(tree["channels"]),
        tuple(map(str, tree["classes"])),
        FeatureSource.from_json(tree["source"]),
        read_card(tree["card"]) if "card" in tree else None,
    )


@contextmanager
def _whole_file(path: Path) -> Iterator[None]:
    """Turns whatever a file that is cut, or is none, makes of its reader into one sentence."""
    if not Path(path).is_file():
        raise missing(Path(path), "detector file")
    try:
        yield
    except BadInput:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: is not a whole detector file ({reason}); copy or train it again") from None


def prepare(model: Model, device: str) -> Model:
    """The model on its device, in the memory layout that its convolutions are fastest in."""
    return model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def autocast(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """bfloat16 where asked for, or where the device has instructions for it."""
    kind = device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16) if uses_bfloat16(kind, precision) else nullcontext()


def uses_bfloat16(kind: str, precision: Precision) -> bool:
    """Whether such a device computes in bfloat16."""
    fast = kind == "cuda" or (kind == "cpu" and _cpu_has_bfloat16())
    return precision == "bfloat16" or (precision == "auto" and fast)


def _cpu_has_bfloat16() -> bool:
    # Present since torch 2.6; an older one is taken to have none.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def compile_forward(network: nn.Module, dynamic: bool | None = None) -> Callable[..., Any]:
    """The network's forward as a program that torch compiles at the first call; its weights stay the network's own.

    `dynamic` is torch.compile's. Raises BadInput where there is no C++ compiler, which a GPU's launchers need too.
    """
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX", usual)
    if not shutil.which(compiler):
        raise BadInput(f"{compiler!r}: no such C++ compiler; install g++, name yours in CXX, or do not compile")
    return torch.compile(network, dynamic=dynamic)


def pick_device(name: str) -> str:
    """The device that a user names; `auto` is a GPU where there is one. Raises BadInput for one that is not here."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        raise BadInput(f"device {name!r}: is not on this machine; give auto or cpu") from None
    return name


def batched(windows: Iterator[Window], size: int) -> Iterator[list[Window]]:
    """Lists of at most `size` windows."""
    while several := list(islice(windows, size)):
        yield several
