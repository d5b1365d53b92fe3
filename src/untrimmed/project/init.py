"""From a folder of videos and annotations to a recipe and an annotation file, written together or not at all."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.annotations.spans import select_actions
from untrimmed.annotations.subsets import TESTING, TRAINING, VALIDATION, describe_loose_subsets
from untrimmed.annotations.units import check_rate, check_unit
from untrimmed.features.archives import part_path
from untrimmed.features.folder import read_source
from untrimmed.features.listing import is_feature_file
from untrimmed.io import BadInput, missing, read_text, whole, write_text
from untrimmed.project.dataset_statistics import ClassRow, count_classes, note_one_sided_classes
from untrimmed.project.feature_scan import find_features, holds_videos, scan_features
from untrimmed.project.folder_scan import FolderScan, refuse_no_action, scan_folder
from untrimmed.project.recipe_numbers import RecipeNumbers, propose_numbers
from untrimmed.project.recipe_text import BEGINNING, build_default_source, format_recipe, list_next_commands
from untrimmed.project.split import Split, name_subset
from untrimmed.project.split_in_time import choose_split, describe_parts
from untrimmed.recipe import read_recipe
from untrimmed.video.names import suggest_name

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
    folder: str | Path | None,
    out: str | Path,
    annotations: str | Path | None = None,
    *,
    features: str | Path | None = None,
    format: str | None = None,
    fps: float | None = None,
    label: str | None = None,
    unit: str | None = None,
    tiers: Sequence[str] = (),
    annotated: str | Path | None = None,
    force: bool = False,
) -> InitResult:
    """Scan `folder`, propose a recipe, and write it to `out` with the annotations beside it.

    Where `features` names a folder or file of features, or `folder` holds features and no video, none is opened:
    how many snippets a second there are is taken from a manifest, from the lengths that the annotations state, or
    from `fps`. `format`, `fps`, `label`, `unit`, `tiers` and `annotated` are those of the annotations, see
    `untrimmed.read_annotations`. One video, or a few whose classes no split would part, are split in time.
    With `force` a recipe that is there is replaced, and the annotations that it names; the user's own never are.
    Raises BadInput where something is there already, or the folder holds too little to learn from.
    """
    out, source = Path(out), Path(annotations) if annotations else None
    _check_inputs(folder, features, source)
    if out.exists() and not force:
        raise BadInput(
            f"{out}: is there already; write another one (out=..., --out ...), or replace it (force=True, --force)"
        )
    written = _find_written_annotations(out)
    table = None if annotated is None else Path(annotated)
    hints = Hints(check_rate(fps), label, unit=check_unit(unit), tiers=tuple(tiers), annotated=table)
    whole_scan = _scan(folder, features, source, format, hints, [*filter(None, [written, table])])
    scan = _leave_out_actions(whole_scan)
    try:
        split = choose_split(scan)
    except ValueError:
        raise BadInput(
            f"{scan.annotations}: annotates {next(iter(scan.timelines))!r} alone, and too few actions to split it in "
            "time; a detector is tested on other stretches or videos than it learns from: annotate more of it, or a "
            f"second one{_list_absent(scan)}"
        ) from None
    target = _choose_target(out, scan.annotations, written)
    features_there = scan.features
    snippet_rate = features_there.source.fps / features_there.source.stride if features_there else None
    numbers = propose_numbers(scan.timelines, scan.rates, split, snippet_rate)
    place = features_there.path if features_there else _choose_features(out, numbers)
    text = format_recipe(str(out), scan, split, numbers, target, place)
    with whole(target) as new_annotations, whole(out) as new_recipe:
        write_activitynet(new_annotations, whole_scan.timelines, split.subsets, scan.annotated, split.parts)
        write_text(new_recipe, text)
    commands = list_next_commands(read_recipe(out), str(out))
    classes = count_classes(scan.timelines, split)
    notes = (*scan.notes, *_note_split(scan, split), *describe_parts(split, scan.timelines))
    notes += tuple(note_one_sided_classes(classes))
    return InitResult(scan, split, classes, numbers, out, target, commands, notes)


def _check_inputs(folder: str | Path | None, features: str | Path | None, annotations: Path | None) -> None:
    """Raise BadInput for a path that does not exist, and where neither videos nor features are named."""
    if folder is None and features is None:
        raise BadInput("nothing to look at: name a folder of videos, or features (features=..., --features ...)")
    if folder is not None and Path(folder).is_file():
        name = Path(folder).name
        if is_feature_file(Path(folder), alone=True):
            raise BadInput(
                f"{folder}: is a file, not a folder; name it as features (features={name!r}, --features {name})"
            )
        raise BadInput(f"{folder}: is a file, not a folder of videos; name the folder, or features (--features ...)")
    if folder is not None and not Path(folder).is_dir():
        raise missing(Path(folder), "folder of videos or features")
    if features is not None and "*" not in str(features) and not part_path(Path(features))[0].exists():
        raise missing(Path(features), "file or folder of features")
    if annotations and not annotations.exists():
        raise missing(annotations, "file or folder of annotations")


def _scan(
    folder: str | Path | None,
    features: str | Path | None,
    annotations: Path | None,
    format: str | None,
    hints: Hints,
    skip: Collection[Path],
) -> FolderScan:
    """Scan videos, or, where they are named or no video is there, features."""
    place = Path(folder) if folder is not None else None
    folders = (place,) if place and holds_videos(place) else ()
    if features is None and place and not folders:
        features = find_features(place)
    if features is not None:
        scan = scan_features(Path(features), annotations, format, hints, skip, place)
        return replace(scan, folders=folders)
    assert place
    return scan_folder(place, annotations, format, hints, skip)


def _leave_out_actions(scan: FolderScan) -> FolderScan:
    """Leave out the actions outside of what is annotated, which are written all the same."""
    timelines = {video: select_actions(line, scan.annotated.get(video)) for video, line in scan.timelines.items()}
    refuse_no_action(scan.annotations, timelines, ())
    return replace(scan, timelines=timelines)


def _choose_features(out: Path, numbers: RecipeNumbers) -> Path:
    """Choose the folder that features of this rate are extracted to."""
    features = out.parent / FEATURES
    if read_source(features) in (None, build_default_source(numbers.fps)):
        return features
    return out.parent / f"{FEATURES}_{numbers.fps:g}fps"  # features of another kind lie there


def _note_split(scan: FolderScan, split: Split) -> list[str]:
    """Say which subsets are written under another name, which was held out of folds, and which may be misspelt."""
    renamed = {scan.subsets[video]: split.subsets.get(video, "") for video in scan.subsets}
    notes = [] if split.proposed else describe_loose_subsets(renamed)
    parts = {name for stretches in scan.parts.values() for name in stretches}
    if split.proposed and (renamed or parts):
        names = ", ".join(map(repr, sorted({*renamed, *parts})))
        notes.append(f"the annotations' subsets ({names}) do not part training from test, so a split is proposed")
    usual = (TRAINING, VALIDATION, TESTING)
    # Of those that are not used `describe_parts` tells.
    odd = [name for name in sorted(parts) if split.proposed or name in (*split.train, *split.test)]
    for name in odd:
        if name_subset(name) not in usual and (near := suggest_name(name, usual)):
            notes.append(f"subset {name!r} is none of the usual names; did you mean {near!r}?")
    return notes


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


def _list_absent(scan: FolderScan) -> str:
    """Say which annotated videos were not found, and what their names could mean."""
    notes = [note for note in scan.notes if note.startswith("annotated, but") or " could mean " in note]
    return f" ({'; '.join(notes)})" if notes else ""


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
