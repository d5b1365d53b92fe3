"""How videos are split into training and test."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.project.split import MOST_EXHAUSTIVE, VALIDATION, count_shared_classes, propose_split, split_videos

labelled = st.dictionaries(
    st.text("abcdefgh0123456789", min_size=1, max_size=6),
    st.sets(st.sampled_from("rstuvw"), max_size=3),
    min_size=2,
    max_size=40,
)


@given(labelled, st.randoms())
def test_a_split_depends_on_names_and_labels_alone_and_has_both_sides(labels, random):
    split = propose_split(labels)
    again = list(labels.items())
    random.shuffle(again)
    assert propose_split(dict(again)) == split
    assert split.keys() == labels.keys() and set(split.values()) == {"training", "validation"}


@given(st.lists(st.sampled_from("rstuvwxyz"), min_size=2, max_size=60))
def test_every_class_of_two_videos_or_more_is_count_shared_classes(classes):
    labels = {f"video {number}": {label} for number, label in enumerate(classes)}
    held_out = {video for video, subset in propose_split(labels).items() if subset == VALIDATION}
    assert count_shared_classes(labels, held_out) == sum(classes.count(label) > 1 for label in set(classes))


@given(st.lists(st.sets(st.sampled_from("rstuv"), max_size=4), min_size=2, max_size=7))
def test_of_few_videos_no_other_split_has_more_classes_count_shared_classes(sets):
    labels = {f"video {number}": labels for number, labels in enumerate(sets)}
    held_out = {video for video, subset in propose_split(labels).items() if subset == VALIDATION}
    every = (set(chosen) for size in range(1, len(labels)) for chosen in combinations(labels, size))
    assert count_shared_classes(labels, held_out) == max(count_shared_classes(labels, other) for other in every)


def test_of_many_alike_videos_a_quarter_is_held_out():
    for count in (8, MOST_EXHAUSTIVE, 40):
        split = propose_split({f"video {number}": {"r", "s"} for number in range(count)})
        assert sum(subset == VALIDATION for subset in split.values()) == count // 4


@pytest.mark.parametrize(
    ("stated", "train", "test"),
    [
        ({"a": "train", "b": "Val", "c": "train", "d": "test"}, ("training",), ("validation",)),
        ({"a": "training", "b": "testing"}, ("training",), ("testing",)),
        ({"a": "fold1", "b": "fold2", "c": "fold3", "d": "fold1"}, ("fold2", "fold3"), ("fold1",)),
    ],
)
def test_the_annotations_own_subsets_are_kept(stated, train, test):
    split = split_videos(dict.fromkeys("abcd", ("x",)), stated)
    assert (split.train, split.test, split.proposed) == (train, test, False)
    assert split.subsets["a"] == {"train": "training"}.get(stated["a"], stated["a"])
    assert {split.subsets[video] for video in "abcd" if video not in stated} <= set(train)


def test_subsets_that_part_nothing_are_replaced():
    split = split_videos(dict.fromkeys("abcd", ("x",)), dict.fromkeys("abcd", "training"))
    assert split.proposed and set(split.subsets.values()) == {"training", "validation"}
