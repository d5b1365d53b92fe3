"""Every setting of a run as one frozen value: read from TOML, overridden by words, refused when unknown."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomli_w
from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

from untrimmed.annotations.corpus import DataConfig
from untrimmed.features.windows import WindowConfig
from untrimmed.io import BadInput, Config, read_text, write_text
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.models.suppression import SuppressConfig

ModelConfig = CTCNConfig | GTANConfig | SSADConfig
MODELS = tuple(config.name for config in get_args(ModelConfig))


def _model_name(given: Any) -> str:
    """Which model a section is of; without a name it is C-TCN."""
    return given.get("name", CTCNConfig.name) if isinstance(given, Mapping) else given.name


NamedModel = Annotated[
    Annotated[CTCNConfig, Tag("ctcn")] | Annotated[GTANConfig, Tag("gtan")] | Annotated[SSADConfig, Tag("ssad")],
    Discriminator(_model_name),
]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig(Config):
    """What is done to a training window, in this order."""

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
    """A run of training: how long, how fast, and how often it looks up."""

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
    """A run: what goes in, what is built, how it learns, what comes out. One section of the file a field."""

    data: DataConfig = field(default_factory=DataConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: NamedModel = field(default_factory=CTCNConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    suppress: SuppressConfig = field(default_factory=SuppressConfig)


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with `section.key=value` words put over it.

    Raises BadInput for an unknown key or a value out of bounds.
    """
    try:
        tree = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: is not TOML ({error}); mend it") from None
    for word in overrides:
        override(tree, word)
    return build_recipe(tree, str(path))


def build_recipe(tree: Mapping[str, Any], name: str) -> Recipe:
    """The recipe of nested dicts; `name` says in errors where they come from."""
    try:
        return TypeAdapter(Recipe).validate_python(tree)
    except ValidationError as error:
        raise BadInput(f"{name}: {_first_problem(error)}") from None


def recipe_tree(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested dicts of plain values, without what is unset; `build_recipe` turns it back."""
    return _without_none(dataclasses.asdict(recipe))


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write every setting as TOML."""
    write_text(path, tomli_w.dumps(recipe_tree(recipe)))


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
        table[names[-1]] = _value(text.strip())
    else:
        table.pop(names[-1], None)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    # Between section and key stands which model it is: no part of the key.
    parts = [str(part) for place, part in enumerate(first["loc"]) if place != 1 or part not in MODELS]
    key = ".".join(parts)
    if first["type"] == "union_tag_invalid":
        return f"{key}.name = {first.get('ctx', {}).get('tag')!r}: there are {', '.join(MODELS)}"
    if first["type"] == "unexpected_keyword_argument":
        return f"{key} is not a setting; {_settings_like([str(part) for part in first['loc']])}"
    given = "" if isinstance(first.get("input"), Mapping) else f" = {first.get('input')!r}"
    more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
    message = first["msg"].removeprefix("Value error, ")
    return f"{message}{more}" if first["type"] == "value_error" else f"{key}{given}: {message}{more}"


def _settings_like(place: Sequence[str]) -> str:
    """What may have been meant instead of an unknown setting: the nearest names, or all that there are."""
    models = {config.name: config for config in get_args(ModelConfig)}
    kinds = {name: type(getattr(Recipe(), name)) for name in (part.name for part in dataclasses.fields(Recipe))}
    section = models.get(place[1]) if len(place) > 2 else None
    if len(place) > 1:
        section = section or kinds.get(place[0])
    names = [part.name for part in dataclasses.fields(section)] if section else list(kinds)
    close = difflib.get_close_matches(place[-1], names, 3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return list(map(_without_none, value)) if isinstance(value, tuple | list) else value
