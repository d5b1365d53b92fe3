"""Recipes: every setting of a run as one frozen value, read from TOML, with overrides, refused when unknown."""

import dataclasses
import difflib
import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w
from pydantic import TypeAdapter, ValidationError

from untrimmed.annotations.corpus import DataConfig
from untrimmed.features.windows import WindowConfig
from untrimmed.io import BadInput, Config, describe_type, read_bytes, write_text
from untrimmed.models.base import ModelConfig
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.models.suppression import SuppressConfig

MODELS: Mapping[str, type[ModelConfig]] = {config.name: config for config in (CTCNConfig, GTANConfig, SSADConfig)}
"""Every model by its name in a recipe. A model of another package is named `module:Config`."""

LONGEST_VALUE = 60
"""Letters of a value that an error quotes."""
UNSET = "none"
"""The value of an override that takes a setting out."""

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
    """Steps from one checkpoint to the next, at most."""
    save_minutes: float = 1.0
    """Minutes from one checkpoint to the next, at most; nothing else depends on the clock."""
    loaders: int = 0
    """Processes that prepare windows; 0 prepares them in the training process."""
    calibrate: bool = True
    """Calibrate the scores of the detector on the test videos, at the end; `tune` does it again on its own."""
    action_share: float | None = None
    """Share of the time that is action where the detector will be used, which it is calibrated for, as 0.01; None is
    as in the videos it is calibrated on."""

    def __post_init__(self) -> None:
        for least, names in enumerate((("warmup", "evaluate_every", "loaders"), ("steps", "batch", "save_every"))):
            for name in names:
                if getattr(self, name) < least:
                    raise ValueError(f"train.{name} = {getattr(self, name)}: must be at least {least}")
        if not self.save_minutes > 0:
            raise ValueError(f"train.save_minutes = {self.save_minutes}: must be above 0")
        if self.action_share is not None and not 0 < self.action_share < 1:
            raise ValueError(f"train.action_share = {self.action_share}: must lie above 0 and below 1")
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

    A model of another package, `module:Config`, is imported. Raises BadInput for a file that is no recipe or an empty
    one, for an unknown key and for a value of another type or out of bounds.
    """
    path = Path(path)
    text = _read_recipe_text(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: {_describe_other_file(path, text, error)}") from None
    if not tree and not overrides:
        raise BadInput(f"{path}: is an empty recipe, which names no data; `untrimmed init` writes a whole one")
    for word in overrides:
        override(tree, word)
    model = tree.get("model")
    if isinstance(model, Mapping) and ":" in str(model.get("name")):
        _import_model(model["name"], path)
    return build_recipe(tree, str(path), text, overrides)


def build_recipe(tree: Mapping[str, Any], source: str, text: str = "", overrides: Sequence[str] = ()) -> Recipe:
    """Build a recipe from nested dicts; `source` says in errors where they come from.

    `text` is that of the file, and `overrides` the words that were put over it: errors name the line or the word.
    Raises BadInput for an unknown key, a value of another type or out of bounds, and a model of another package that
    is not imported.
    """
    origin = _Origin(source, text, tuple(overrides))
    section = tree.get("model", {})
    if isinstance(section, Mapping):
        config = _find_model(str(section.get("name", CTCNConfig.name)), source)
        retired = [name for name, value in config.retired.items() if section.get(name) == value]
        section = {name: value for name, value in section.items() if name not in retired}
        tree = {**tree, "model": _validate(config, section, origin, ("model",))}
    return _validate(Recipe, tree, origin)


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
    return build_recipe(tree, "overrides", overrides=overrides) if overrides else recipe


def hash_recipe(recipe: Recipe) -> str:
    """Hash everything that a run depends on into a name for its folder."""
    text = json.dumps(recipe_tree(recipe), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def override(tree: dict[str, Any], word: str) -> None:
    """Put one `section.key=value` over a recipe as nested dicts.

    A value is TOML; where the setting is text, it is taken as it stands, and where it is a list, one word is a list
    of it. `none` takes out a setting that may be absent or empty, as `data.source=none`. Raises BadInput for a word
    of another form, and for one without a value: nobody means that, but a shell variable may be empty.
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
    section = tree.get("model")
    model = section.get("name") if isinstance(section, Mapping) else None
    setting = _find_setting_type(names, MODELS.get(str(model), CTCNConfig))
    if not text.strip():
        remedy = f" ({word.strip()}{UNSET} takes the setting out)" if setting.can_be_absent else ""
        raise BadInput(f"{word!r}: no value; give one, or leave the word out{remedy}")
    if text.strip() == UNSET and setting.can_be_absent:
        table.pop(names[-1], None)
    else:
        table[names[-1]] = _parse_value(text.strip(), setting.kind)


def _parse_value(text: str, kind: Any) -> Any:
    """Read the value of an override as a setting of that type, None where the type is unknown."""
    value = _parse_toml(text)
    kinds = get_args(kind) if get_origin(kind) in (UnionType, Union) else (kind,)
    lists = [get_args(one)[0] for one in kinds if get_origin(one) is tuple]
    if isinstance(value, str | list | dict) or not (lists or str in kinds):
        return text if value is None else value  # a bare word is a string
    if str in kinds:
        return text  # a folder may be called 2024, true, or 1e3
    inner = text.removeprefix("[").removesuffix("]")
    numbers = None if str in lists else _parse_toml(f"[{inner}]")
    return [part.strip() for part in inner.split(",")] if numbers is None else numbers


def _parse_toml(text: str) -> Any:
    """Return the value that a text is in TOML; None where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None


class _SettingType(NamedTuple):
    """The type of a setting, None for an unknown one, and whether a recipe may do without it."""

    kind: Any
    can_be_absent: bool = False


def _find_setting_type(names: Sequence[str], model: type[ModelConfig]) -> _SettingType:
    """Find the type of the setting that a key means."""
    kind, default = Recipe, dataclasses.MISSING
    for name in names:
        sections = [one for one in (kind, *get_args(kind)) if dataclasses.is_dataclass(one)]
        if not sections:
            return _SettingType(None)
        defaults = {field.name: field.default for field in dataclasses.fields(sections[0])}
        default = defaults.get(name, dataclasses.MISSING)
        kind = model if (sections[0], name) == (Recipe, "model") else get_type_hints(sections[0]).get(name)
    return _SettingType(kind, default in (None, "", ()))


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


@dataclass(frozen=True)
class _Origin:
    """Where settings come from: what errors call it, the file's text, and the words put over it."""

    name: str
    text: str = ""
    overrides: tuple[str, ...] = ()

    def locate(self, key: str) -> str:
        """Name the override or the line that sets `section.key`; the file alone where neither is found."""
        word = next(
            (word for word in self.overrides[::-1] if f"{word.partition('=')[0].strip()}.".startswith(f"{key}.")),
            None,
        )
        if word:
            return f"override {word!r}"
        line = _find_line(self.text, key)
        return f"{self.name}, line {line}" if line else self.name


def _validate(kind: type[C], tree: Mapping[str, Any], origin: _Origin, section: tuple[str, ...] = ()) -> C:
    """Check the types and bounds of settings; `section` is what they are in, for the sentence of BadInput."""
    tree = _wrap_lists(tree, kind)
    try:
        return TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        raise BadInput(_describe_problem(error, kind, tree, origin, section)) from None


def _wrap_lists(value: Any, kind: Any) -> Any:
    """Return settings with each single value of a list's type as a list of it: `train = "fold1"`."""
    if isinstance(value, Mapping) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return {name: _wrap_lists(inner, hints.get(name)) for name, inner in value.items()}
    elements = get_args(kind) if get_origin(kind) is tuple else ()
    single = len(elements) == 2 and elements[1] is Ellipsis and type(value) is elements[0]
    return [value] if single else value


def _describe_problem(
    error: ValidationError, kind: type[Config], tree: Mapping[str, Any], origin: _Origin, section: tuple[str, ...]
) -> str:
    """Say in a sentence what is wrong with the first setting that is, and where it stands."""
    first, *more = [_find_setting(problem, kind, tree) for problem in error.errors()]
    keys = {problem.names for problem in more} - {first.names}
    rest = f" (and {len(keys)} more {'setting is' if len(keys) == 1 else 'settings are'} wrong)" if keys else ""
    key = ".".join((*section, *first.names))
    if first.type == "unexpected_keyword_argument":
        owner = f" of {tree['name']}" if section == ("model",) and "name" in tree else ""
        suggestion = _suggest_settings(kind, first.names, section)
        return f"{origin.locate(key)}: {key} is not a setting{owner}; {suggestion}{rest}"
    if first.type == "value_error":
        message = first.message.removeprefix("Value error, ")
        stated = re.search(rf"\b{key}\.\w+" if key else r"\w+\.\w+", message)
        begins = f"{key}.{message.split()[0]}"
        if not stated and begins in _list_keys():
            return f"{origin.locate(begins)}: {key}.{message}{rest}"
        place = f"{origin.locate(stated[0])}: " if stated else f"{origin.locate(key)}: section [{key}]: "
        return f"{place}{message}{rest}"
    expected = describe_type(first.kind)
    if first.type.startswith("missing"):
        return f"{origin.locate(key)}: {key} is missing; set it to {expected}{rest}"
    quoted = (
        f'; write it in quotes, "{first.value}"'
        if first.kind_is_text and isinstance(first.value, int | float)
        else ""
    )
    return f"{origin.locate(key)}: {key} = {_shorten(first.value)}: {expected} was expected{quoted}{rest}"


class _Problem(NamedTuple):
    """What is wrong with one setting: its names, type and value, and the kind of error with its message."""

    names: tuple[str, ...]
    kind: Any
    value: Any
    type: str
    message: str

    @property
    def kind_is_text(self) -> bool:
        return self.kind is str or str in get_args(self.kind)


def _find_setting(problem: Any, kind: Any, tree: Any) -> _Problem:
    """Find the setting that an error is about: of a list or of several types it is the whole."""
    names: list[str] = []
    for part in problem["loc"]:
        sections = [one for one in (kind, *get_args(kind)) if dataclasses.is_dataclass(one)]
        if not sections or not isinstance(part, str):
            break
        if not isinstance(tree, Mapping) or (part not in get_type_hints(sections[0]) and part not in tree):
            break
        names.append(part)
        kind, tree = get_type_hints(sections[0]).get(part), tree.get(part)
    return _Problem(tuple(names), kind, tree, problem["type"], problem["msg"])


def _find_line(text: str, key: str) -> int | None:
    """Find the line of a TOML file that sets `section.key`, or that begins the section `key`; None without any."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        setting = re.match(r"\s*([\w.\-\"' ]+?)\s*=", line)
        if header:
            section = header[1]
        name = section if header else ".".join(filter(None, (section, setting[1]))) if setting else None
        if name == key:
            return number
    return None


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _suggest_settings(kind: type[Config], names: Sequence[str], section: Sequence[str]) -> str:
    """Name the settings nearest to an unknown one, of its section or of any, or all of its section."""
    for name in names[:-1]:
        kind = _find_section(kind, name)
    settings = [part.name for part in dataclasses.fields(kind)]  # pyright: ignore[reportArgumentType]
    unknown = names[-1].lower()
    close = difflib.get_close_matches(unknown, settings, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    path = ".".join((*section, *names[:-1]))
    elsewhere = [key for key in _list_keys() if key.rpartition(".")[2] == unknown and key.rpartition(".")[0] != path]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"there are {', '.join(settings)}"


def _list_keys() -> list[str]:
    """List `section.key` of every setting of a recipe with the default model."""
    recipe = Recipe()
    return [
        f"{section.name}.{setting.name}"
        for section in dataclasses.fields(recipe)
        for setting in dataclasses.fields(getattr(recipe, section.name))
    ]


def _find_section(kind: Any, name: str) -> Any:
    hint = get_type_hints(kind)[name]
    return next(one for one in (hint, *get_args(hint)) if dataclasses.is_dataclass(one))


def _read_recipe_text(path: Path) -> str:
    """Read a recipe's file as text. Raises BadInput, with the recipes in it, for a folder."""
    if path.is_dir():
        files = sorted(file.name for file in path.glob("*.toml"))
        there = f"it holds {', '.join(files)}" if files else "it holds none; `untrimmed init` writes one"
        raise BadInput(f"{path}: is a folder, and a recipe is a file; {there}")
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is no text, so no recipe; give the recipe's file, such as dataset.toml") from None


def _describe_other_file(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    """Say what a file is that is not TOML: annotations, or a recipe with a slip."""
    if text.lstrip()[:1] in ("{", "<") or path.suffix.lower() not in ("", ".toml", ".txt"):
        return (
            f"is not TOML, so no recipe ({error}); where it holds annotations, name it in a recipe as "
            "data.annotations, or let `untrimmed init` write a recipe for it"
        )
    return f"is not TOML ({error}); fix it"


def _drop_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_none(inner) for key, inner in value.items() if inner is not None}
    return list(map(_drop_none, value)) if isinstance(value, tuple | list) else value
