"""A proposed recipe as text, with a comment beside every number that says what it was taken from."""

import shlex
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from untrimmed.annotations.annotations import format_count
from untrimmed.annotations.corpus import build_extract_commands
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.features.video_features import FeatureSource
from untrimmed.project.folder_scan import FolderScan, KnownFeatures
from untrimmed.project.recipe_numbers import DENSE, LONG, OVERLAP, SHORT, SNIPPETS, RecipeNumbers, widest_anchor
from untrimmed.project.split import Split
from untrimmed.recipe import Recipe, build_recipe

BEGINNING = "# Proposed by `untrimmed init`"
"""What tells a proposed recipe from one that somebody wrote."""


def build_default_source(fps: float) -> FeatureSource:
    """Build the source of the features that `untrimmed extract` makes at a rate with the default backbone."""
    return build_source(resolve_config(ExtractConfig(fps=fps), []))


def format_recipe(
    name: str, scan: FolderScan, split: Split, numbers: RecipeNumbers, annotations: Path, features: Path
) -> str:
    """Format the recipe as TOML; `name` is what its comments call its file. The text is read back as a check."""
    body = "\n".join([_format_data(scan, split, annotations, features, numbers), _format_numbers(numbers)])
    recipe = build_recipe(tomllib.loads(body), name)
    commands = "\n".join(f"#     {command}" for command in list_next_commands(recipe, name))
    contents = f"{format_count(len(scan.timelines), 'video')} and {format_count(len(scan.actions), 'action')}"
    return f"""\
{BEGINNING} from {contents} in {scan.annotations}.
# Every number may be changed. Paths are relative to the folder in which the commands run:
{commands}

{body}"""


def list_next_commands(recipe: Recipe, name: str) -> list[str]:
    """List what to do with a proposed recipe: extract, doctor, train."""
    file, run = shlex.quote(name), shlex.quote(str(Path("runs") / Path(name).stem))
    return [
        *build_extract_commands(recipe.data),
        f"untrimmed doctor {file}",
        f"untrimmed train {file} --out {run}",
    ]


def _format_data(scan: FolderScan, split: Split, annotations: Path, features: Path, numbers: RecipeNumbers) -> str:
    folders = [str(folder) for folder in scan.folders]
    videos = f"videos = {_toml(folders[0] if len(folders) == 1 else folders)}\n" if folders else ""
    share = "a stretch of every video" if split.parts else "a quarter of the videos"
    origin = f"proposed here, {share}" if split.proposed else "as the annotations have it"
    average = ""
    if numbers.average > 1:
        average = f"average = {numbers.average}  # snippets into one; movements faster than twice that are lost\n"
    source = _format_known_source(scan.features) if scan.features else _format_default_source(numbers.fps)
    return f"""\
[data]
{videos}annotations = {_toml(str(annotations))}  # seconds from the start of each video
features = {_toml(str(features))}
{average}train = {_toml(list(split.train))}  # {_format_contents(scan, split, split.train)}
test = {_toml(list(split.test))}  # {_format_contents(scan, split, split.test)}; {origin}
{source}"""


def _format_known_source(features: KnownFeatures) -> str:
    """Format where features come from that are there already; nothing where their manifest says it."""
    if features.stated:
        return ""
    source = features.source
    return f"""
# {source.fps / source.stride:.4g} snippets a second, {features.reason}.
[data.source]
backbone = {_toml(source.backbone)}  # a name of your own: a detector asks for the same one again
fps = {_toml(source.fps)}
stride = {_toml(source.stride)}
window = {_toml(source.window)}
"""


def _format_default_source(fps: float) -> str:
    source = build_default_source(fps)
    return f"""
# What `untrimmed extract` makes with the command above. Features of another rate or network would not fit
# the windows below and are refused; change or remove this section with them.
[data.source]
backbone = {_toml(source.backbone)}
fps = {_toml(source.fps)}
streams = {_toml(list(source.streams))}
weights = {_toml(list(source.weights))}
"""


def _format_numbers(numbers: RecipeNumbers) -> str:
    size, fps = numbers.size, numbers.fps
    short = f"{numbers.short:.2g} s = {numbers.short * fps:.1f} snippets"
    longest = f"{numbers.longest:.3g} s = {numbers.longest * fps:.0f} snippets"
    long = f"{LONG} % last up to {numbers.long:.3g} s"
    dense = f"actions fill {100 * numbers.busy:.0f} % of the time"
    reason = dense if numbers.random_move else f"{dense}: too little background to move them about in"
    # The narrowest anchor of the finest level is 0.7 of a cell.
    narrowest, widest = 0.7 * SNIPPETS / fps, widest_anchor(numbers.levels) / fps
    most = f"{numbers.most_per_minute:.2g}"
    looks = numbers.steps * size.batch / max(1, numbers.windows)
    return f"""\
# {fps:g} snippets a second: the shortest {SHORT} % of the actions last up to {short}.
[windows]
mode = "slide"  # windows at the features' own rate; `whole` would resize every video to one
train_overlap = {OVERLAP}

[augment]
random_move = {_toml(numbers.random_move)}  # {reason} (off from {100 * DENSE:.0f} %)

[model]
name = "ctcn"
# A window of {numbers.length / fps:.3g} s. The longest action lasts {longest}; {long}.
length = {numbers.length}
levels = {numbers.levels}  # anchors from {narrowest:.2g} to {widest:.3g} s
# A network for {format_count(numbers.training_actions, "training action")}.
concepts = {size.concepts}
depth = {size.depth}
width = {size.width}

[train]
steps = {numbers.steps}  # about {looks:.0f} looks at each of {numbers.windows:,} training windows
batch = {size.batch}
optimizer = "adamw"
rate = 0.002
decay = {size.decay}  # the fewer the videos, the more it takes
warmup = {min(100, numbers.steps // 10)}
schedule = "cosine"
clip = 1.0
average = {0.98 if numbers.steps < 1000 else 0.995}

[suppress]
sigma = 0.3  # `untrimmed tune` finds what suits a trained detector
keep = {numbers.keep}  # detections of a class in a video; the most actions of one are {numbers.most}
keep_per_minute = {numbers.keep_per_minute}  # the same in longer videos; the most actions are {most} a minute
"""


def _toml(value: Any) -> str:
    """Return a value as TOML, lists on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"value": value}).strip().removeprefix("value = ")


def _format_contents(scan: FolderScan, split: Split, subsets: tuple[str, ...]) -> str:
    timelines = list(split.select(scan.timelines, subsets).values())
    labels = {action.label for timeline in timelines for action in timeline}
    actions = format_count(sum(map(len, timelines)), "action")
    minutes = sum(recording.duration for recording in split.cut(scan.timelines, subsets)) / 60
    videos = format_count(len(timelines), "video") + (f" ({minutes:.3g} minutes)" if split.parts else "")
    return f"{videos}, {actions}, {format_count(len(labels), 'class', 'classes')}"
