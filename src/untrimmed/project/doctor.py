"""Checks a recipe's data set from end to end: annotations, videos, features, splits, windows."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from untrimmed.annotations.corpus import DataConfig, describe_missing_split, find_video_folders, open_dataset
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.subsets import describe_loose_subsets, match_subsets
from untrimmed.io import BadInput
from untrimmed.project.annotation_checks import (
    check_balance,
    check_duplicates,
    check_labels,
    check_times,
    check_units,
)
from untrimmed.project.feature_checks import check_features, check_origins
from untrimmed.project.findings import Finding, FindingGroup, group_findings, replace_path
from untrimmed.project.init import init_recipe
from untrimmed.project.span_checks import check_spans
from untrimmed.project.suppress_checks import check_keep
from untrimmed.project.video_checks import check_copies, check_decoding, check_files, check_lengths, check_rates
from untrimmed.project.video_files import match_annotations, probe_videos
from untrimmed.project.window_checks import check_windows
from untrimmed.recipe import Recipe, read_recipe
from untrimmed.timeline import Timeline
from untrimmed.video.folders import list_videos


class FolderCheck(NamedTuple):
    """The findings in a folder, by its recipe or (None) by a proposed one, which was read with these notes."""

    recipe: Path | None
    groups: list[FindingGroup]
    notes: tuple[str, ...]


def check_dataset(recipe: Recipe, folder: str | Path = ".", *, decode: bool = False) -> list[FindingGroup]:
    """Check the data set of a recipe, and return all findings, errors first. `folder` is the recipe's own.

    Videos are opened, and decoded to their end only with `decode`; features are read through.
    """
    data = recipe.data
    try:
        dataset = open_dataset(data)
    except BadInput as error:
        beside = data.annotations and not Path(data.annotations).exists() and Path(folder, data.annotations).exists()
        hint = f"paths are relative to the folder in which the command runs: run it in {folder}" if beside else ""
        return group_findings([Finding("error", "annotations that cannot be read", str(error), hint)])
    matches = match_subsets((*data.train, *data.test), dataset.splits)
    subsets = [[matches[name] for name in names if name in matches] for names in (data.train, data.test)]
    train, test = (dataset.split(*names) for names in subsets)
    learned, tested = (dataset.select(*names) for names in subsets)
    recordings = dataset.cut(*subsets[0]) | dataset.cut(*subsets[1])
    videos = tuple(dict.fromkeys((*train, *test)))
    checks = (
        _check_splits(dataset, data, learned, tested),
        check_spans(dataset, *subsets),
        check_times(data, dataset),
        _check_videos(data, dataset, train, test, decode),
        check_features(data, dataset.ground_truth, videos),
        check_duplicates(dataset.ground_truth),
        check_labels(dataset),
        # Nothing is known of the classes of subsets that are not there.
        check_balance(dataset.classes, learned, tested)
        if videos and {*data.train, *data.test} <= matches.keys()
        else (),
        check_windows(recipe, recordings, tuple(recordings)),
        check_keep(recipe.suppress, recordings, tuple(recordings)),
    )
    return group_findings(chain.from_iterable(checks))


def check_folder(folder: str | Path, overrides: Sequence[str] = (), *, decode: bool = False) -> FolderCheck:
    """Check the data set in a folder by the only recipe in it, or by the one that `init_recipe` would propose.

    Nothing is written there. Raises BadInput where the folder holds several recipes, or nothing to propose one from.
    """
    folder = Path(folder)
    recipes = sorted(folder.glob("*.toml"))
    if len(recipes) > 1:
        names = ", ".join(file.name for file in recipes)
        raise BadInput(f"{folder}: holds {len(recipes)} recipes ({names}); name one of them")
    if recipes:
        return FolderCheck(recipes[0], check_dataset(read_recipe(recipes[0], overrides), folder, decode=decode), ())
    with TemporaryDirectory() as place:
        result = init_recipe(folder, Path(place, "dataset.toml"))
        groups = check_dataset(read_recipe(result.recipe, overrides), folder, decode=decode)
    renamed = [replace_path(group, str(result.annotations), str(result.scan.annotations)) for group in groups]
    return FolderCheck(None, renamed, result.notes)


def _check_splits(
    dataset: Dataset, data: DataConfig, train: Mapping[str, Timeline], test: Mapping[str, Timeline]
) -> Iterator[Finding]:
    for key, names in {"train": data.train, "test": data.test}.items():
        matches = match_subsets(names, dataset.splits)
        for name in names:
            if name not in matches:
                sentence = f"{data.annotations}: {describe_missing_split(f'data.{key}', name, dataset)}"
                yield Finding("error", "subset that does not exist", sentence)
        for sentence in describe_loose_subsets(matches):
            yield Finding("note", "subset in another spelling", f"data.{key}: {sentence}", "fine, if it is meant")
    for video in sorted((train.keys() & test.keys()) - dataset.parts.keys()):
        yield Finding("error", "video in both training and test", video, "fix data.train or data.test")
    if train and not any(timeline.actions for timeline in train.values()):
        sentence, remedy = f"{len(train)} training videos have no action", "nothing can be learned: annotate some"
        yield Finding("error", "no action in any training video", sentence, remedy)
    if test and not any(timeline.actions for timeline in test.values()):
        sentence, remedy = f"{len(test)} test videos have no action", "nothing can be measured: annotate some"
        yield Finding("warning", "no action in any test video", sentence, remedy)


def _check_videos(
    data: DataConfig, dataset: Dataset, train: tuple[str, ...], test: tuple[str, ...], decode: bool
) -> Iterator[Finding]:
    try:
        folders = find_video_folders(data)
        if not folders:
            sentence = "data.videos is empty: lengths are checked against the features alone"
            remedy = "fine without videos, as for sensors; else set data.videos to their folder"
            yield Finding("note", "no videos", sentence, remedy)
            return
        videos = probe_videos(list_videos(*folders))
        names = match_annotations(dataset.ground_truth, videos.paths)
    except BadInput as error:
        yield Finding("error", "videos that cannot be found", str(error))
        return
    used = {video: dataset.ground_truth[video] for video in (*train, *test)}
    lengths = videos.lengths
    yield from check_units(data, used, {name: lengths[video] for name, video in names.items() if video in lengths})
    yield from check_files(videos, names, used)
    yield from check_lengths(videos, names, used)
    yield from check_rates(videos)
    yield from check_copies(videos, names, train, test)
    yield from check_origins(data, videos)
    if decode:
        yield from check_decoding(videos)
