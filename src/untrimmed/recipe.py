"""Recipes: every setting of a run as one frozen value, read from TOML, with overrides, refused when unknown."""

import dataclasses
import difflib
import hashlib
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomli_w
from pydantic import TypeAdapter, ValidationError

from untrimmed.annotations.corpus import DataConfig
from untrimmed.features.windows import WindowConfig
from untrimmed.io import BadInput, Config, read_text, write_text
from untrimmed.models.base import ModelConfig
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.models.suppression import SuppressConfig

MODELS: Mapping[str, type[ModelConfig]] = {config.name: config for config in (CTCNConfig, GTANConfig, SSADConfig)}
"""Every model by its name in a recipe. A model of another package is named `module:Config`."""

C = TypeVar("C", bound=Config)


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Config):
    """The augmentation of a training window, in this order."""

    random_move: bool = True
    """Actions are taken out and put back at random places of the background."""
    random_crop: bool = True
    """A random part of the window is stretched to the whole of it."""
    crop_scale: float = 0.3
    """The least share of the window that a crop keeps."""
    crop_rule: Literal["centre", "half"] = "centre"
    """Which actions a crop keeps: those whose centre lies inside (released), or half of whose length does (paper)."""
    random_resampling: bool = True
    """Stretching uses one of four interpolations at random; else the linear one."""

    def __post_init__(self) -> None:
        if not 0 < self.crop_scale <= 1:
            raise ValueError(f"augment.crop_scale = {self.crop_scale}: must lie above 0 and not above 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """A run of training: how long, how fast, and how often it is saved and evaluated."""

    seed: int = 0
    steps: int = 10_000
    """Updates in all."""
    batch: int = 16
    """Windows an update, over all processes together."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    rate: float = 1e-3
    """The learning rate after warming up."""
    momentum: float = 0.9
    """Of SGD; AdamW keeps its usual 0.9 and 0.999."""
    decay: float = 1e-4
    """Weight decay: L2 on every parameter with SGD, decoupled with AdamW."""
    warmup: int = 0
    """Steps over which the rate rises from 0."""
    schedule: Literal["steps", "cosine"] = "steps"
    drops: tuple[int, ...] = ()
    """Steps at which the schedule `steps` multiplies the rate by `drop`."""
    drop: float = 0.1
    clip: float = 0.0
    """The largest norm of the gradient; 0 does not clip."""
    average: float = 0.0
    """The moving average of the weights keeps this share of itself each step; 0 keeps none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the device computes in it, else float32."""
    compile: bool = False
    """Train with a compiled network: the same up to rounding, minutes before the first step; needs a C++ compiler."""
    evaluate_every: int = 0
    """Steps from one evaluation on the test videos to the next; 0 evaluates at the end only."""
    save_every: int = 500
    """Steps from one checkpoint to the next."""
    loaders: int = 0
    """Processes that prepare windows; 0 prepares them in the training process."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} = {getattr(self, name)}: must be at least 1")
        if not 0 <= self.average < 1:
            raise ValueError(f"train.average = {self.average}: must lie in [0, 1)")
        if not self.rate > 0:
            raise ValueError(f"train.rate = {self.rate}: must be above 0")


@dataclass(frozen=True, kw_only=True)
class Recipe(Config):
    """All settings of a run: data, augmentation, model, training, suppression; a section of the file each."""

    data: DataConfig = field(default_factory=DataConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=CTCNConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    suppress: SuppressConfig = field(default_factory=SuppressConfig)


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe in a TOML file, with `section.key=value` words put over it.

    A model of another package, `module:Config`, is imported. Raises BadInput for an unknown key or a value out of
    bounds.
    """
    path = Path(path)
    try:
        tree = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: is not TOML ({error}); fix it") from None
    for word in overrides:
        override(tree, word)
    model = tree.get("model")
    if isinstance(model, Mapping) and ":" in str(model.get("name")):
        _import_model(model["name"], path)
    return build_recipe(tree, str(path))


def build_recipe(tree: Mapping[str, Any], source: str) -> Recipe:
    """Build a recipe from nested dicts; `source` says in errors where they come from.

    Raises BadInput for an unknown key, a value out of bounds, and a model of another package that is not imported.
    """
    section = tree.get("model", {})
    if isinstance(section, Mapping):
        config = _find_model(str(section.get("name", CTCNConfig.name)), source)
        retired = [name for name, value in config.retired.items() if section.get(name) == value]
        section = {name: value for name, value in section.items() if name not in retired}
        tree = {**tree, "model": _validate(config, section, source, "model.")}
    return _validate(Recipe, tree, source)


def recipe_tree(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dicts of plain values, without what is unset; `build_recipe` turns it back."""
    return _drop_none(dataclasses.asdict(recipe))


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write every setting as TOML."""
    write_text(path, tomli_w.dumps(recipe_tree(recipe)))


def override_recipe(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Put `section.key=value` words over a recipe. Raises BadInput as `read_recipe` does."""
    tree = recipe_tree(recipe)
    for word in overrides:
        override(tree, word)
    return build_recipe(tree, "overrides") if overrides else recipe


def hash_recipe(recipe: Recipe) -> str:
    """Hash everything that a run depends on into a name for its folder."""
    text = json.dumps(recipe_tree(recipe), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def override(tree: dict[str, Any], word: str) -> None:
    """Put one `section.key=value` over a recipe as nested dicts; without a value, the setting is taken out.

    Raises BadInput for a word of another form.
    """
    key, equals, text = word.partition("=")
    names = key.strip().split(".")
    if not equals or len(names) < 2:
        raise BadInput(f"{word!r}: an override is section.key=value, such as train.steps=500")
    table = tree
    for name in names[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise BadInput(f"{word!r}: {name} is a value, not a section")
    if text.strip():
        table[names[-1]] = _parse_value(text.strip())
    else:
        table.pop(names[-1], None)


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string


def _find_model(name: str, source: str) -> type[ModelConfig]:
    """Find the settings of a model by its name in a recipe."""
    module, colon, attribute = name.partition(":")
    # Looked up, never imported: this may be a detector's file, and a stranger's file must not make code run.
    config = getattr(sys.modules.get(module), attribute, None) if colon else MODELS.get(name)
    if isinstance(config, type) and issubclass(config, ModelConfig):
        return config
    if colon:
        raise BadInput(f"{source}: model.name = {name!r}: import {module} first, which must define this ModelConfig")
    raise BadInput(f"{source}: model.name = {name!r}: there are {', '.join(MODELS)}")


def _import_model(name: str, path: Path) -> None:
    try:
        import_module(name.partition(":")[0])
    except ImportError as error:
        raise BadInput(f"{path}: model.name = {name!r}: cannot be imported ({error}); install its package") from None


def _validate(kind: type[C], tree: Any, source: str, prefix: str = "") -> C:
    """Check the types and bounds of settings; `prefix` stands before the keys in the sentence of BadInput."""
    try:
        return TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        raise BadInput(f"{source}: {_describe_problem(error, kind, prefix)}") from None


def _describe_problem(error: ValidationError, kind: type[Config], prefix: str) -> str:
    """Say in a sentence what is wrong with the first setting that is."""
    first = error.errors()[0]
    names = [str(part) for part in first["loc"]]
    key = prefix + ".".join(names)
    if first["type"] == "unexpected_keyword_argument":
        return f"{key} is not a setting; {_suggest_settings(kind, names)}"
    value = "" if isinstance(first.get("input"), Mapping) else f" = {first.get('input')!r}"
    more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
    message = first["msg"].removeprefix("Value error, ")
    return f"{message}{more}" if first["type"] == "value_error" else f"{key}{value}: {message}{more}"


def _suggest_settings(kind: type[Config], names: Sequence[str]) -> str:
    """Name the settings nearest to an unknown one, or all that there are."""
    if len(names) > 1:
        kind = type(getattr(kind(), names[0]))
    settings = [part.name for part in dataclasses.fields(kind)]  # pyright: ignore[reportArgumentType]
    close = difflib.get_close_matches(names[-1], settings, 3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(settings)}"


def _drop_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_none(inner) for key, inner in value.items() if inner is not None}
    return list(map(_drop_none, value)) if isinstance(value, tuple | list) else value
