"""A proposed recipe as text, with a comment beside every number that says what it was taken from."""

import shlex
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import tomli_w

from untrimmed.annotations.corpus import build_extract_commands
from untrimmed.extraction.settings import ExtractConfig, settled, source_of
from untrimmed.features.video_features import FeatureSource
from untrimmed.project.folder_scan import Survey
from untrimmed.project.recipe_numbers import DENSE, LONG, OVERLAP, SHORT, Proposal, anchors_in_seconds
from untrimmed.project.split import Split
from untrimmed.recipe import Recipe, build_recipe

BEGINNING = "# Proposed by `untrimmed init`"
"""What tells a proposed recipe from one that somebody wrote."""


def proposed_source(proposal: Proposal) -> FeatureSource:
    """The features that `untrimmed extract` makes at the proposed rate with the default backbone."""
    return source_of(settled(ExtractConfig(fps=proposal.fps), []))


def recipe_text(name: str, found: Survey, split: Split, proposal: Proposal, annotations: Path, features: Path) -> str:
    """The recipe as TOML; `name` is what its comments call its file. It is read back before it is given."""
    body = "\n".join(
        [
            *_data(found, split, annotations, features),
            *_source(proposed_source(proposal)),
            *_windows(proposal),
            *_model(proposal),
            *_train(proposal),
            "[suppress]",
            _line("sigma", 0.3, "`untrimmed tune` finds what suits a trained detector"),
        ]
    )
    recipe = build_recipe(tomllib.loads(body), name)
    return "\n".join([*_head(name, found, recipe), body]) + "\n"


def next_commands(recipe: Recipe, name: str) -> list[str]:
    """What to do with a proposed recipe: extract, doctor, train."""
    file = shlex.quote(name)
    run = shlex.quote(str(Path("runs") / Path(name).stem))
    return [
        *build_extract_commands(recipe.data),
        f"untrimmed doctor {file}",
        f"untrimmed train {file} --out {run}",
    ]


def _head(name: str, found: Survey, recipe: Recipe) -> list[str]:
    counted = f"{_counted(len(found.timelines), 'video')} and {_counted(len(found.actions), 'action')}"
    return [
        f"{BEGINNING} from {counted} in {found.annotations}.",
        "# Every number may be changed. Paths are relative to the folder in which the commands run:",
        *(f"#     {command}" for command in next_commands(recipe, name)),
        "",
    ]


def _data(found: Survey, split: Split, annotations: Path, features: Path) -> list[str]:
    folders = [str(folder) for folder in found.folders]
    origin = "proposed here, a quarter of the videos" if split.proposed else "as the annotations have it"
    return [
        "[data]",
        _line("videos", folders[0] if len(folders) == 1 else folders),
        _line("annotations", str(annotations), "seconds from the start of each video"),
        _line("features", str(features)),
        _line("train", list(split.train), _contents(found, split, split.train)),
        _line("test", list(split.test), f"{_contents(found, split, split.test)}; {origin}"),
        "",
    ]


def _source(source: FeatureSource) -> list[str]:
    return [
        "# What `untrimmed extract` makes with the command above. Features of another rate or network would not fit",
        "# the windows below and are refused; change or remove this section with them.",
        "[data.source]",
        _line("backbone", source.backbone),
        _line("fps", source.fps),
        _line("streams", list(source.streams)),
        _line("weights", list(source.weights)),
        "",
    ]


def _windows(proposal: Proposal) -> list[str]:
    dense = f"actions fill {100 * proposal.busy:.0f} % of the time"
    why = dense if proposal.random_move else f"{dense}: too little background to move them about in"
    short = f"{proposal.short:.2g} s = {proposal.short * proposal.fps:.1f} snippets"
    return [
        f"# {proposal.fps:g} snippets a second: the shortest {SHORT} % of the actions last up to {short}.",
        "[windows]",
        _line("mode", "slide", "windows at the features' own rate; `whole` would resize every video to one"),
        _line("train_overlap", OVERLAP),
        "",
        "[augment]",
        _line("random_move", proposal.random_move, f"{why} (off from {100 * DENSE:.0f} %)"),
        "",
    ]


def _model(proposal: Proposal) -> list[str]:
    shortest, widest = anchors_in_seconds(proposal)
    size, fps = proposal.size, proposal.fps
    return [
        "[model]",
        _line("name", "ctcn"),
        f"# A window of {proposal.length / fps:.3g} s. The longest action lasts {proposal.longest:.3g} s = "
        f"{proposal.longest * fps:.0f} snippets; {LONG} % last up to {proposal.long:.3g} s.",
        _line("length", proposal.length),
        _line("levels", proposal.levels, f"anchors from {shortest:.2g} to {widest:.3g} s"),
        f"# A network for {_counted(proposal.training_actions, 'training action')}.",
        _line("concepts", size.concepts),
        _line("depth", size.depth),
        _line("width", size.width),
        "",
    ]


def _train(proposal: Proposal) -> list[str]:
    size, steps = proposal.size, proposal.steps
    looks = steps * size.batch / max(1, proposal.windows)
    return [
        "[train]",
        _line("steps", steps, f"about {looks:.0f} looks at each of {proposal.windows:,} training windows"),
        _line("batch", size.batch),
        _line("optimizer", "adamw"),
        _line("rate", 2e-3),
        _line("decay", size.decay, "the fewer the videos, the more it takes"),
        _line("warmup", min(100, steps // 10)),
        _line("schedule", "cosine"),
        _line("clip", 1.0),
        _line("average", 0.98 if steps < 1000 else 0.995),
        "",
    ]


def _line(key: str, value: Any, comment: str = "") -> str:
    text = f"{key} = {_value(value)}"
    return f"{text}  # {comment}" if comment else text


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"value": value}).strip().removeprefix("value = ")


def _contents(found: Survey, split: Split, subsets: tuple[str, ...]) -> str:
    videos = [video for video in found.timelines if split.subsets[video] in subsets]
    counts = Counter(a.label for video in videos for a in found.timelines[video].actions)
    actions = _counted(sum(counts.values()), "action")
    return f"{_counted(len(videos), 'video')}, {actions}, {_counted(len(counts), 'class', 'classes')}"


def _counted(count: int, word: str, plural: str = "") -> str:
    return f"{count:,} {word if count == 1 else plural or word + 's'}"
