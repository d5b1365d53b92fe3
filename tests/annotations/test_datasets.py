"""Data sets have the classes, splits and instances that the literature counts, and say what they cannot use."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from untrimmed.annotations.annotations import Dropped
from untrimmed.annotations.datasets.dataset import Dataset, refuse_dropped_rows
from untrimmed.annotations.datasets.table import DATASETS, activitynet
from untrimmed.annotations.datasets.thumos14 import CLASSES, thumos14
from untrimmed.annotations.formats.thumos import read_thumos
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline


def clip(subset: str | None = None, label: str = "jump") -> dict[str, Any]:
    return {"duration": 9.0, "subset": subset, "annotations": [{"label": label, "segment": [1, 2]}]}


def saved(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def instances(dataset: Dataset, split: str) -> int:
    return sum(len(dataset.ground_truth[video].actions) for video in dataset.split(split))


def toy() -> Dataset:
    bad = (Dropped("b", 3.0, 2.0, "jump", "is reversed"), Dropped("c", 1.0, 1.0, "run", "has no length"))
    ground_truth = {video: Timeline(9.0, (Action(1, 2, "jump"),)) for video in "abc"}
    return Dataset(("jump", "run"), ground_truth, {"one": ("a", "b"), "two": ("c",)}, "segments", bad)


# Any data set


def test_splits_join_and_an_unknown_one_is_refused_with_the_names_of_all() -> None:
    assert toy().split("two", "one", "two") == ("c", "a", "b")
    with pytest.raises(BadInput, match="no split 'three': there are 'one', 'two'"):
        toy().split("one", "three")


def test_a_split_of_videos_without_ground_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="split 'one' has 1 videos without ground truth, such as 'x'"):
        Dataset(("jump",), {}, {"one": ("x",)}, "segments")


def test_only_keeps_ground_truth_splits_and_dropped_rows_of_some_videos() -> None:
    part = toy().only({"a", "b", "stranger"})
    assert list(part.ground_truth) == ["a", "b"]
    assert part.splits == {"one": ("a", "b"), "two": ()}
    assert [row.video for row in part.dropped] == ["b"]
    assert part.classes == ("jump", "run")


def test_dropped_annotations_are_refused_with_their_number_the_first_and_a_remedy() -> None:
    refuse_dropped_rows(Path("truth.json"), ())
    with pytest.raises(BadInput) as caught:
        refuse_dropped_rows(Path("truth.json"), toy().dropped)
    assert str(caught.value) == (
        "truth.json: 2 annotations cannot be used: video 'b', 'jump' at [3, 2] s, is reversed; "
        'fix the file, or set data.unusable = "drop"'
    )


# Your own


def test_your_own_json_has_its_subsets_as_splits_and_its_labels_as_classes(tmp_path: Path) -> None:
    content = {"database": {"b": clip("train", "run"), "a": clip("train"), "c": clip("test")}}
    dataset = activitynet(saved(tmp_path / "mine.json", content))
    assert list(dataset.splits.items()) == [("test", ("c",)), ("train", ("b", "a"))]
    assert dataset.classes == ("jump", "run")
    assert dataset.protocol == "activitynet"


def test_a_class_that_nobody_does_keeps_its_place_in_the_files_own_list(tmp_path: Path) -> None:
    content = {"classes": ["swim", "jump"], "database": {"a": clip("train")}}
    assert activitynet(saved(tmp_path / "mine.json", content)).classes == ("swim", "jump")


def test_annotations_without_subsets_are_one_split(tmp_path: Path) -> None:
    dataset = activitynet(saved(tmp_path / "annotations.json", {"a": clip(), "b": clip()}))
    assert dataset.split("all") == ("a", "b")
    assert activitynet(tmp_path).ground_truth == dataset.ground_truth


def test_a_video_without_a_subset_among_others_with_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.json: video 'b' has no 'subset', but other videos have"):
        activitynet(saved(tmp_path / "mine.json", {"a": clip("train"), "b": clip()}))


def test_annotations_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.json: has no usable annotation in any of its 1 videos"):
        activitynet(saved(tmp_path / "mine.json", {"a": {"duration": 9, "annotations": []}}))


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_refuses_a_missing_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="nowhere: no such annotation file or folder"):
        DATASETS[name](tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"thumos14"}))
def test_a_folder_without_annotations_is_refused(tmp_path: Path, name: str) -> None:
    words = "holds no file of annotations" if name == "activitynet" else r"annotations\.json: no such file"
    with pytest.raises(BadInput, match=words):
        DATASETS[name](tmp_path)


def test_a_recipe_takes_annotations_of_any_format_and_a_folder_of_them(tmp_path: Path) -> None:
    text = "video,start,end,label,subset\na,1,2,jump,training\nb,3,4.5,run,validation\n"
    (tmp_path / "labels.csv").write_text(text)
    for place in (tmp_path, tmp_path / "labels.csv"):
        dataset = activitynet(place)
        assert dataset.splits == {"training": ("a",), "validation": ("b",)}
        assert dataset.classes == ("jump", "run")
        assert any("length guessed from the last action for 2 videos" in note for note in dataset.notes)


# THUMOS'14


def test_thumos_texts_need_the_lengths_of_the_videos(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "Diving_val.txt").write_text("v 1 2\n")
    with pytest.raises(BadInput, match=r"texts: no \*_metadata\*\.csv with the videos' lengths"):
        thumos14(texts)
    (tmp_path / "valid_metadata.tsp.csv").write_text("filename,video-duration\nv.mp4,5\n")
    assert thumos14(texts).ground_truth == {"v": Timeline(5.0, (Action(1, 2, "Diving"),))}


def test_thumos_json_subsets_have_one_name_and_strange_labels_are_dropped(tmp_path: Path) -> None:
    content = {
        "database": {"a": clip("Validation", "Diving"), "b": clip("train", "Diving"), "c": clip("Test", "Yoga")}
    }
    dataset = thumos14(saved(tmp_path / "thumos.json", content))
    assert dataset.splits == {"test": ("c",), "validation": ("a", "b")}
    assert [row.label for row in dataset.dropped] == ["Yoga"]


LATE = {
    "video_test_0000270": 22,
    "video_test_0000814": 3,
    "video_test_0001081": 1,
    "video_validation_0000364": 2,
    "video_validation_0000856": 2,
}


@pytest.mark.data
@pytest.mark.parametrize("name", ["TH14_annotation", "thumos14_actionformer_212.json.gz"])
def test_thumos_has_its_videos_and_its_instances_but_for_thirty_after_the_end(data: Path, name: str) -> None:
    dataset = thumos14(data / "evaluation" / "gt" / name)
    assert dataset.classes == CLASSES and dataset.protocol == "thumos14"
    assert (len(dataset.split("validation")), len(dataset.split("test"))) == (200, 212)
    assert Counter(row.video for row in dataset.dropped) == LATE
    assert all("starts after the video ends" in row.reason for row in dataset.dropped)
    assert instances(dataset, "validation") + 4 == 3007
    assert instances(dataset, "test") + 26 == 3358


@pytest.mark.data
def test_thumos_texts_have_the_ambiguous_marks(data: Path) -> None:
    ambiguous = read_thumos(data / "evaluation" / "gt" / "TH14_annotation").ambiguous
    for subset, count, videos in (("validation", 89, 35), ("test", 99, 37)):
        of_subset = [marks for video, marks in ambiguous.items() if subset in video]
        assert (sum(map(len, of_subset)), len(of_subset)) == (count, videos)


@pytest.mark.data
def test_thumos_texts_and_json_agree_on_every_segment(data: Path) -> None:
    texts = thumos14(data / "evaluation" / "gt" / "TH14_annotation").ground_truth
    packed = thumos14(data / "evaluation" / "gt" / "thumos14_actionformer_212.json.gz").ground_truth
    assert {video: timeline.actions for video, timeline in texts.items()} == {
        video: timeline.actions for video, timeline in packed.items()
    }


@pytest.mark.data
def test_the_variant_of_210_test_videos_without_durations_is_read(data: Path) -> None:
    dataset = thumos14(data / "evaluation" / "gt" / "thumos14_gtad_210.json.gz")
    assert (len(dataset.split("validation")), len(dataset.split("test"))) == (200, 210)
    assert (instances(dataset, "validation"), instances(dataset, "test")) == (3007, 3311)
    assert not dataset.dropped


# The others

ACTIVITYNET = [
    ("activity_net.v1-2.min.json.gz", 100, (4819, 2383, 2480), (7151, 3582), (7, 3)),
    ("activity_net.v1-3.rebuilt.min.json.gz", 200, (10_024, 4926, 5044), (15_410, 7654), (9, 3)),
]


@pytest.mark.data
@pytest.mark.parametrize(("name", "classes", "videos", "counts", "without_length"), ACTIVITYNET)
def test_activitynet_has_its_videos_and_its_instances_but_for_some_without_length(
    data: Path, name: str, classes: int, videos: tuple, counts: tuple, without_length: tuple
) -> None:
    dataset = activitynet(data / "evaluation" / "gt" / name)
    splits = ("training", "validation", "testing")
    assert len(dataset.classes) == classes
    assert tuple(len(dataset.split(split)) for split in splits) == videos
    assert {row.reason for row in dataset.dropped} == {"has no length"}
    dropped = tuple(sum(row.video in dataset.split(split) for row in dataset.dropped) for split in splits[:2])
    assert dropped == without_length
    assert tuple(instances(dataset, split) + lost for split, lost in zip(splits, dropped, strict=False)) == counts
    assert instances(dataset, "testing") == 0


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder", "videos", "classes", "splits", "count", "dropped"),
    [
        ("salads50", "salads50_scores", 50, 17, 5, 939, 0),
        ("vts", "vts_kinematics", 99, 5, 6, 3672, 1),
        ("gtea", "gtea_scores", 21, 10, 3, 391, 0),
        ("precog2016", "precog2016", 72, 8, 12, 363, 0),
    ],
)
def test_the_small_sets_have_their_videos_folds_and_segments(
    data: Path, name: str, folder: str, videos: int, classes: int, splits: int, count: int, dropped: int
) -> None:
    dataset = DATASETS[name](data / "datasets" / folder)
    assert (len(dataset.ground_truth), len(dataset.classes), len(dataset.splits)) == (videos, classes, splits)
    assert sorted(dataset.split(*dataset.splits)) == sorted(dataset.ground_truth)
    assert {action.label for timeline in dataset.ground_truth.values() for action in timeline.actions} == set(
        dataset.classes
    )
    assert len(dataset.dropped) == dropped
    assert sum(len(timeline.actions) for timeline in dataset.ground_truth.values()) + dropped == count
    assert dataset.protocol == "segments"


@pytest.mark.data
def test_the_one_annotation_of_vts_that_cannot_be_used_is_refused_by_name(data: Path) -> None:
    folder = data / "datasets" / "vts_kinematics"
    with pytest.raises(BadInput, match="1 annotation cannot be used: video 'P019_balloon2', 'instrument_tie'"):
        refuse_dropped_rows(folder, DATASETS["vts"](folder).dropped)
