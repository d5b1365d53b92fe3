"""From a folder of videos and annotations to a recipe and an annotation file, written together or not at all."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.features.folder import stated_source
from untrimmed.io import BadInput, read_text, whole, write_text
from untrimmed.project.annotation_files import Reading
from untrimmed.project.folder_scan import Survey, survey
from untrimmed.project.recipe_numbers import Proposal, propose_numbers
from untrimmed.project.recipe_text import BEGINNING, next_commands, proposed_source, recipe_text
from untrimmed.project.split import Split, split_videos
from untrimmed.recipe import read_recipe
from untrimmed.timeline import Timeline

ANNOTATIONS = "annotations.json"
FEATURES = "features"


class Begun(NamedTuple):
    """What was found, what was proposed and written, and what to do next."""

    found: Survey
    split: Split
    proposal: Proposal
    recipe: Path
    annotations: Path
    commands: list[str]
    notes: tuple[str, ...]


def begin(
    folder: Path,
    out: Path,
    annotations: Path | None = None,
    reading: Reading = Reading(),
    *,
    force: bool = False,
) -> Begun:
    """Look through `folder`, propose a recipe, and write it to `out` with the annotations beside it.

    With `force` a recipe that is there is replaced, and the annotations that it names; the user's own never are.
    Raises BadInput where something is there already, or the folder holds too little to learn from.
    """
    out = Path(out)
    if out.exists() and not force:
        raise BadInput(f"{out}: is there already; write elsewhere with --out, or replace it with --force")
    ours = _written_before(out)
    found = survey(folder, annotations, reading, [ours] if ours else [])
    if len(found.timelines) < 2:
        raise BadInput(
            f"{found.annotations}: annotates {next(iter(found.timelines))!r} alone; a detector is tested on other "
            "videos than it learns from: annotate a second one, or cut this one in two"
        )
    target = _target(out, found.annotations, ours)
    split = split_videos(labels_of(found.timelines), found.subsets)
    proposal = propose_numbers(found.timelines, found.rates, split)
    text = recipe_text(str(out), found, split, proposal, target, _features(out.parent, proposal))
    with whole(target) as first, whole(out) as second:
        write_activitynet(first, found.timelines, split.subsets)
        write_text(second, text)
    commands = next_commands(read_recipe(out), str(out))
    return Begun(found, split, proposal, out, target, commands, (*found.notes, *_lonely(found, split)))


def labels_of(timelines: Mapping[str, Timeline]) -> dict[str, tuple[str, ...]]:
    """The different labels of every video."""
    return {video: timeline.labels for video, timeline in timelines.items()}


def _written_before(out: Path) -> Path | None:
    """The annotations that an earlier `init` wrote beside `out`: those that its recipe there names."""
    if not out.exists() or not read_text(out).startswith(BEGINNING):
        return None
    try:
        named = Path(read_recipe(out).data.annotations)
    except BadInput:
        return None
    mine = {place.resolve() for place in (out.parent / ANNOTATIONS, _second_choice(out))}
    return named if named.exists() and named.resolve() in mine else None


def _target(out: Path, source: Path, ours: Path | None) -> Path:
    """Where the annotations go. BadInput where a file is there that no earlier `init` wrote."""
    target = out.parent / ANNOTATIONS
    if target.exists() and target.resolve() == source.resolve():
        target = _second_choice(out)
    if target.exists() and not (ours and target.resolve() == ours.resolve()):
        raise BadInput(
            f"{target}: is there already, and the annotations would be written there; "
            "give --out in another folder, or move it away"
        )
    return target


def _second_choice(out: Path) -> Path:
    return out.with_name(f"{out.stem}_{ANNOTATIONS}")


def _features(folder: Path, proposal: Proposal) -> Path:
    """The folder for the features; one beside it where features of another kind lie there."""
    usual = folder / FEATURES
    there = stated_source(usual)
    return usual if there in (None, proposed_source(proposal)) else folder / f"{FEATURES}_{proposal.fps:g}fps"


def _lonely(found: Survey, split: Split) -> list[str]:
    """A sentence on classes that are on one side of the split alone."""
    videos: Counter[str] = Counter(label for t in found.timelines.values() for label in t.labels)
    sides = {
        side: {label for v, t in found.timelines.items() if split.subsets[v] in names for label in t.labels}
        for side, names in {"train": split.train, "test": split.test}.items()
    }
    untested, unlearned = sorted(sides["train"] - sides["test"]), sorted(sides["test"] - sides["train"])
    notes = []
    if unlearned:
        single = sum(videos[label] == 1 for label in unlearned)
        notes.append(
            f"{_several(unlearned)} in test videos alone and cannot be learned ({single} of them in one video of "
            "all); annotate more videos with them"
        )
    if untested:
        single = sum(videos[label] == 1 for label in untested)
        notes.append(f"{_several(untested)} in training videos alone and not tested ({single} in one video of all)")
    return notes


def _several(labels: list[str]) -> str:
    if len(labels) == 1:
        return f"class {labels[0]!r} is"
    return f"{len(labels)} classes (the first is {labels[0]!r}) are"
