"""Looks over a recipe's data set from end to end, and says everything that is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

from untrimmed.annotations.corpus import DataConfig, find_video_folders, open_dataset
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput
from untrimmed.project.annotation_checks import check_balance, check_doubles, check_labels, check_times
from untrimmed.project.feature_checks import check_features, check_stale
from untrimmed.project.findings import Finding, Group, grouped
from untrimmed.project.names import matched
from untrimmed.project.video_checks import check_copies, check_decoding, check_files, check_lengths, check_rates
from untrimmed.project.video_files import look_at
from untrimmed.project.window_checks import check_fit
from untrimmed.recipe import Recipe


def examine(recipe: Recipe, place: Path = Path("."), *, decode: bool = False) -> list[Group]:
    """Everything that is found, errors first. `place` is the recipe's own folder, for one sentence about paths.

    Videos are opened, and decoded to their end only with `decode`; features are read through.
    """
    return grouped(_findings(recipe, place, decode))


def _findings(recipe: Recipe, place: Path, decode: bool) -> Iterator[Finding]:
    data = recipe.data
    try:
        dataset = open_dataset(data)
    except BadInput as error:
        yield Finding("error", "annotations that cannot be read", str(error), _elsewhere(data, place))
        return
    train, test = _split(dataset, data.train), _split(dataset, data.test)
    yield from _check_split(dataset, data, train, test)
    used = tuple(dict.fromkeys((*train, *test)))
    yield from check_times(data, dataset)
    yield from _check_videos(data, dataset, train, test, decode)
    yield from check_features(data, dataset.ground_truth, used)
    yield from check_doubles(dataset.ground_truth)
    yield from check_labels(dataset)
    yield from check_balance(dataset, train, test)
    yield from check_fit(recipe, dataset.ground_truth, used)


def _split(dataset: Dataset, names: tuple[str, ...]) -> tuple[str, ...]:
    return dataset.split(*(name for name in names if name in dataset.splits))


def _check_split(
    dataset: Dataset, data: DataConfig, train: tuple[str, ...], test: tuple[str, ...]
) -> Iterator[Finding]:
    there = ", ".join(dataset.splits)
    for key, names in {"train": data.train, "test": data.test}.items():
        for name in names:
            if name not in dataset.splits:
                sentence = f"data.{key} names {name!r}; the annotations have {there}"
                yield Finding("error", "subset that does not exist", sentence, "mend the recipe or the annotations")
    for video in sorted(set(train) & set(test)):
        yield Finding("error", "video in both training and test", video, "mend data.train or data.test")
    for key, videos in {"training": train, "test": test}.items():
        if not any(dataset.ground_truth[video].actions for video in videos):
            severity = "error" if key == "training" else "warning"
            sentence = f"{len(videos)} {key} videos have no action"
            remedy = "nothing can be learned" if key == "training" else "nothing can be measured"
            yield Finding(severity, f"no action in any {key} video", sentence, f"{remedy}: annotate some")


def _check_videos(
    data: DataConfig, dataset: Dataset, train: tuple[str, ...], test: tuple[str, ...], decode: bool
) -> Iterator[Finding]:
    try:
        folders = find_video_folders(data)
        if not folders:
            remedy = "name their folder: data.videos = ..."
            yield Finding("note", "videos not looked at", "data.videos is empty", remedy)
            return
        footage = look_at([file for folder in folders for file in find_videos(folder)])
        names = matched(dataset.ground_truth, footage.files)
    except BadInput as error:
        yield Finding("error", "videos that cannot be found", str(error))
        return
    used = {video: dataset.ground_truth[video] for video in dict.fromkeys((*train, *test))}
    yield from check_files(footage, names, used)
    yield from check_lengths(footage, {name: video for name, video in names.items() if name in used}, used)
    yield from check_rates(footage)
    yield from check_copies(footage, names, train, test)
    yield from check_stale(data, footage)
    if decode:
        yield from check_decoding(footage)


def _elsewhere(data: DataConfig, place: Path) -> str:
    """A hint where the annotations lie beside the recipe, and the command runs in another folder."""
    beside = data.annotations and not Path(data.annotations).exists() and (place / data.annotations).exists()
    return f"paths are relative to the folder in which the command runs: run it in {place}" if beside else ""
