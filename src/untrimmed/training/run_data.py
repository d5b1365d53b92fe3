"""What a run learned from, told by digests, so that its folder is not continued with other data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from untrimmed.annotations.corpus import Corpus, DataConfig, join_feature_paths
from untrimmed.detection.card import hash_ground_truth
from untrimmed.features.video_features import DIGITS
from untrimmed.io import BadInput

REMEDY = "choose another folder or remove this one"
OTHERWISE = "or another length, or other stretches that are annotated or trained on"


@dataclass(frozen=True)
class RunData:
    """The data of a run, by digests of what was read: where files lie, and when they were written, is no part of it.

    Features of test videos are none either: a run that is called again tests itself on what is there then.
    """

    processes: int
    annotations: str
    """As on the card: the SHA-256 of what is annotated in all videos."""
    classes: tuple[str, ...]
    train: Mapping[str, str]
    """Of each video, in the order in which they are drawn from, a digest of its actions, length and spans."""
    test: Mapping[str, str]
    features: Mapping[str, str]
    """Of each training video, see `digest_features`."""


def describe_run_data(corpus: Corpus, features: Mapping[str, str], processes: int) -> RunData:
    """Describe the data of a run; `features` are the digests of the training videos' features."""
    dataset = corpus.dataset

    def digest(videos: Iterable[str]) -> dict[str, str]:
        return {video: hash_ground_truth(dataset, (video,))[:DIGITS] for video in videos}

    return RunData(
        processes,
        hash_ground_truth(dataset, (*corpus.train, *corpus.test)),
        dataset.classes,
        digest(corpus.train),
        digest(corpus.test),
        features,
    )


def build_run_data(tree: Mapping[str, Any]) -> RunData:
    """Build what `asdict` made nested dicts of. Raises TypeError or KeyError for anything else."""
    return RunData(**{**tree, "classes": tuple(tree["classes"])})


def refuse_other_data(folder: Path, learned: RunData, data: RunData, config: DataConfig) -> None:
    """Raise BadInput, with the file and one example, where a run's data is no longer what it learned from."""
    if learned.processes != data.processes:
        raise BadInput(
            f"{folder}: holds a run of {learned.processes} processes, not {data.processes}, which would draw other "
            f"windows; start as many, {REMEDY}"
        )
    if difference := _find_difference(learned, data, config):
        raise BadInput(f"{folder}: holds a run that learned from other data: {difference}; {REMEDY}")


def _find_difference(learned: RunData, data: RunData, config: DataConfig) -> str | None:
    """Describe the first of the differences, the widest first."""
    annotations, features = config.annotations, join_feature_paths(config)
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: _compare_names(learned.classes, data.classes, f"{annotations} has", "class", "classes"),
        lambda: _compare_names(learned.train, data.train, f"{annotations} and {features} have", "training video"),
        lambda: _compare_names(learned.test, data.test, f"{annotations} and {features} have", "test video"),
        lambda: _compare_digests(learned.train, data.train, f"{annotations} has other actions, {OTHERWISE},"),
        lambda: _compare_digests(learned.test, data.test, f"{annotations} has other actions, {OTHERWISE},"),
        lambda: _compare_digests(learned.features, data.features, f"{features} has other features"),
    )
    return next(filter(None, (check() for check in checks)), None)


def _compare_names(
    learned: Iterable[str], names: Iterable[str], subject: str, kind: str, kinds: str = ""
) -> str | None:
    learned, names, kinds = tuple(learned), tuple(names), kinds or f"{kind}s"
    old, new = set(learned), set(names)
    added = [name for name in names if name not in old]
    missing = [name for name in learned if name not in new]
    if added:
        return f"{subject} the {kind} {added[0]!r}, which is new{_count_more(added)}"
    if missing:
        return f"{subject} no more the {kind} {missing[0]!r}{_count_more(missing)}"
    if learned != names:
        first = next(name for previous, name in zip(learned, names, strict=True) if previous != name)
        return f"{subject} the {kinds} in another order, the first that differs is {first!r}"
    return None


def _compare_digests(learned: Mapping[str, str], digests: Mapping[str, str], subject: str) -> str | None:
    changed = [video for video, digest in digests.items() if learned.get(video) != digest]
    return f"{subject} of video {changed[0]!r}{_count_more(changed)}" if changed else None


def _count_more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
