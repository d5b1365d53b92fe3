"""Checks a recipe's data set from end to end: annotations, videos, features, splits, windows."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from untrimmed.annotations.corpus import DataConfig, describe_missing_split, find_video_folders, open_dataset
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.subsets import describe_loose_subsets, match_subsets
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput
from untrimmed.project.annotation_checks import check_balance, check_duplicates, check_labels, check_times
from untrimmed.project.feature_checks import check_features, check_origins
from untrimmed.project.findings import Finding, FindingGroup, group_findings
from untrimmed.project.video_checks import check_copies, check_decoding, check_files, check_lengths, check_rates
from untrimmed.project.video_files import match_names, probe_videos
from untrimmed.project.window_checks import check_windows
from untrimmed.recipe import Recipe


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
    train, test = (
        dataset.split(*(matches[name] for name in names if name in matches)) for names in (data.train, data.test)
    )
    videos = tuple(dict.fromkeys((*train, *test)))
    checks = (
        _check_splits(dataset, data, train, test),
        check_times(data, dataset),
        _check_videos(data, dataset, train, test, decode),
        check_features(data, dataset.ground_truth, videos),
        check_duplicates(dataset.ground_truth),
        check_labels(dataset),
        check_balance(dataset, train, test),
        check_windows(recipe, dataset.ground_truth, videos),
    )
    return group_findings(chain.from_iterable(checks))


def _check_splits(
    dataset: Dataset, data: DataConfig, train: tuple[str, ...], test: tuple[str, ...]
) -> Iterator[Finding]:
    for key, names in {"train": data.train, "test": data.test}.items():
        matches = match_subsets(names, dataset.splits)
        for name in names:
            if name not in matches:
                sentence = f"{data.annotations}: {describe_missing_split(f'data.{key}', name, dataset)}"
                yield Finding("error", "subset that does not exist", sentence)
        for sentence in describe_loose_subsets(matches):
            yield Finding("note", "subset in another spelling", f"data.{key}: {sentence}", "fine, if it is meant")
    for video in sorted(set(train) & set(test)):
        yield Finding("error", "video in both training and test", video, "fix data.train or data.test")
    if train and not any(dataset.ground_truth[video].actions for video in train):
        sentence, remedy = f"{len(train)} training videos have no action", "nothing can be learned: annotate some"
        yield Finding("error", "no action in any training video", sentence, remedy)
    if test and not any(dataset.ground_truth[video].actions for video in test):
        sentence, remedy = f"{len(test)} test videos have no action", "nothing can be measured: annotate some"
        yield Finding("warning", "no action in any test video", sentence, remedy)


def _check_videos(
    data: DataConfig, dataset: Dataset, train: tuple[str, ...], test: tuple[str, ...], decode: bool
) -> Iterator[Finding]:
    try:
        folders = find_video_folders(data)
        if not folders:
            remedy = "name their folder: data.videos = ..."
            yield Finding("note", "videos not looked at", "data.videos is empty", remedy)
            return
        videos = probe_videos(file for folder in folders for file in find_videos(folder))
        names = match_names(dataset.ground_truth, videos.paths)
    except BadInput as error:
        yield Finding("error", "videos that cannot be found", str(error))
        return
    used = {video: dataset.ground_truth[video] for video in (*train, *test)}
    yield from check_files(videos, names, used)
    yield from check_lengths(videos, names, used)
    yield from check_rates(videos)
    yield from check_copies(videos, names, train, test)
    yield from check_origins(data, videos)
    if decode:
        yield from check_decoding(videos)
