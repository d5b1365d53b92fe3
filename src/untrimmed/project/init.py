"""From a folder of videos and annotations to a recipe and an annotation file, written together or not at all."""

from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints
from untrimmed.annotations.convert import check_rate
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.features.folder import read_source
from untrimmed.io import BadInput, read_text, whole, write_text
from untrimmed.project.dataset_statistics import ClassRow, count_classes, note_one_sided_classes
from untrimmed.project.folder_scan import FolderScan, scan_folder
from untrimmed.project.recipe_numbers import RecipeNumbers, propose_numbers
from untrimmed.project.recipe_text import BEGINNING, build_default_source, format_recipe, list_next_commands
from untrimmed.project.split import Split, split_videos
from untrimmed.recipe import read_recipe

ANNOTATIONS = "annotations.json"
FEATURES = "features"


class InitResult(NamedTuple):
    """What the folder holds, what was proposed and written, and what to do next."""

    scan: FolderScan
    split: Split
    classes: list[ClassRow]
    numbers: RecipeNumbers
    recipe: Path
    annotations: Path
    commands: list[str]
    notes: tuple[str, ...]


def init_recipe(
    folder: str | Path,
    out: str | Path,
    annotations: str | Path | None = None,
    *,
    format: str | None = None,
    fps: float | None = None,
    label: str | None = None,
    force: bool = False,
) -> InitResult:
    """Scan `folder`, propose a recipe, and write it to `out` with the annotations beside it.

    `format`, `fps` and `label` are those of the annotations, see `untrimmed.read_annotations`.
    With `force` a recipe that is there is replaced, and the annotations that it names; the user's own never are.
    Raises BadInput where something is there already, or the folder holds too little to learn from.
    """
    out = Path(out)
    if out.exists() and not force:
        raise BadInput(f"{out}: is there already; write elsewhere with --out, or replace it with --force")
    written = _find_written_annotations(out)
    source = Path(annotations) if annotations else None
    hints = Hints(check_rate(fps), label)
    scan = scan_folder(Path(folder), source, format, hints, [written] if written else [])
    if len(scan.timelines) < 2:
        raise BadInput(
            f"{scan.annotations}: annotates {next(iter(scan.timelines))!r} alone; a detector is tested on other "
            "videos than it learns from: annotate a second one, or cut this one in two"
        )
    target = _choose_target(out, scan.annotations, written)
    split = split_videos({video: timeline.labels for video, timeline in scan.timelines.items()}, scan.subsets)
    numbers = propose_numbers(scan.timelines, scan.rates, split)
    features = out.parent / FEATURES
    if read_source(features) not in (None, build_default_source(numbers.fps)):
        # Features of another kind lie there.
        features = out.parent / f"{FEATURES}_{numbers.fps:g}fps"
    text = format_recipe(str(out), scan, split, numbers, target, features)
    with whole(target) as new_annotations, whole(out) as new_recipe:
        write_activitynet(new_annotations, scan.timelines, split.subsets)
        write_text(new_recipe, text)
    commands = list_next_commands(read_recipe(out), str(out))
    classes = count_classes(scan.timelines, split)
    notes = (*scan.notes, *note_one_sided_classes(classes))
    return InitResult(scan, split, classes, numbers, out, target, commands, notes)


def _find_written_annotations(out: Path) -> Path | None:
    """Find the annotations that an earlier `init` wrote beside `out`: those that its recipe there names."""
    if not out.exists() or not read_text(out).startswith(BEGINNING):
        return None
    try:
        annotations = Path(read_recipe(out).data.annotations)
    except BadInput:
        return None
    usual = {path.resolve() for path in (out.parent / ANNOTATIONS, _second_choice(out))}
    return annotations if annotations.exists() and annotations.resolve() in usual else None


def _choose_target(out: Path, source: Path, written: Path | None) -> Path:
    """Choose where the annotations go. Raises BadInput where a file is there that no earlier `init` wrote."""
    target = out.parent / ANNOTATIONS
    if target.exists() and target.resolve() == source.resolve():
        target = _second_choice(out)
    if target.exists() and not (written and target.resolve() == written.resolve()):
        raise BadInput(
            f"{target}: is there already, and the annotations would be written there; "
            "give --out in another folder, or move it away"
        )
    return target


def _second_choice(out: Path) -> Path:
    return out.with_name(f"{out.stem}_{ANNOTATIONS}")
