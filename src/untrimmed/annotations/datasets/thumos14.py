"""THUMOS'14, detection: 20 sports actions in long videos."""

from dataclasses import replace
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Hints
from untrimmed.annotations.datasets.dataset import Dataset, build_dataset, find_annotation_file
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.annotations.formats.thumos import read_durations, read_thumos
from untrimmed.annotations.span_table import add_span_table
from untrimmed.annotations.subsets import TESTING, TRAINING, VALIDATION, find_role
from untrimmed.io import BadInput

CLASSES = (
    "BaseballPitch",
    "BasketballDunk",
    "Billiards",
    "CleanAndJerk",
    "CliffDiving",
    "CricketBowling",
    "CricketShot",
    "Diving",
    "FrisbeeCatch",
    "GolfSwing",
    "HammerThrow",
    "HighJump",
    "JavelinThrow",
    "LongJump",
    "PoleVault",
    "Shotput",
    "SoccerPenalty",
    "TennisSwing",
    "ThrowDiscus",
    "VolleyballSpiking",
)

# What published JSON forms call the subset that everybody trains on: the training set proper has trimmed clips only.
_SUBSETS = {TRAINING: VALIDATION, VALIDATION: VALIDATION, TESTING: "test"}


def thumos14(annotations: str | Path, hints: Hints = Hints()) -> Dataset:
    """Read THUMOS'14 (Jiang et al., 2014) with splits `validation`, trained on, and `test`.

    Either the official folder of text annotations, with the videos' lengths in tables named `*_metadata*.csv`
    (columns `filename` and `video-duration`) in it or beside it, or one of the JSON forms that are in use. 30
    instances that begin after their video's end, most of them in `video_test_0000270`, are in `dropped`.
    """
    path = Path(annotations)
    if path.is_dir() and not (path / "annotations.json").exists():
        return build_dataset(path, add_span_table(_read_official(path, hints), hints.annotated), "thumos14", CLASSES)
    path = find_annotation_file(path)
    content = read_activitynet(path, classes=CLASSES, hints=hints)
    subsets = {video: _SUBSETS.get(find_role(subset), subset.lower()) for video, subset in content.subsets.items()}
    content = add_span_table(replace(content, subsets=subsets), hints.annotated)
    return build_dataset(path, content, "thumos14", CLASSES)


def _read_official(path: Path, hints: Hints) -> Annotations:
    tables = sorted(path.glob("*_metadata*.csv")) or sorted(path.parent.glob("*_metadata*.csv"))
    if not tables:
        raise BadInput(
            f"{path}: no *_metadata*.csv with the videos' lengths is in it or beside it; "
            "put one there, with the columns filename and video-duration"
        )
    durations = {video: seconds for table in tables for video, seconds in read_durations(table).items()}
    return read_thumos(path, hints._replace(durations=durations), CLASSES)
