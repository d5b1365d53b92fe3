"""Which subset a name means, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.subsets import (
    SYNONYMS,
    describe_loose_subsets,
    describe_missing_subset,
    match_subsets,
)

ROLES = ("training", "validation", "testing")


def vary(draw, name: str) -> str:
    """The same name as people write it."""
    name = draw(st.sampled_from((str, str.upper, str.title, str.swapcase)))(name)
    name = draw(st.sampled_from((str, " {}".format, "{} ".format, "{}_set".format, "{} split".format)))(name)
    return "".join(draw(st.sampled_from((letter, f"{letter}-"))) if letter == "n" else letter for letter in name)


@given(st.data())
def test_every_usual_spelling_means_the_subset_of_its_role_and_no_two_subsets_become_one(data):
    spelled = {role: [name for name, meant in SYNONYMS.items() if meant == role] for role in ROLES}
    existing = {role: vary(data.draw, data.draw(st.sampled_from(spelled[role]))) for role in ROLES}
    wanted = {role: vary(data.draw, data.draw(st.sampled_from(spelled[role]))) for role in ROLES}
    matches = match_subsets(wanted.values(), existing.values())
    assert {role: matches[wanted[role]] for role in ROLES} == existing


@given(st.lists(st.text(max_size=6), unique=True), st.data())
def test_a_name_that_is_there_means_itself(existing, data):
    names = data.draw(st.lists(st.sampled_from(existing))) if existing else []
    assert match_subsets(names, existing) == {name: name for name in names}


def test_folds_are_told_apart_and_read_in_any_spelling():
    existing = ("fold0", "fold1", "fold10", "Split 3")
    assert match_subsets(("Fold-1", "FOLD_10", "split3", "fold2"), existing) == {
        "Fold-1": "fold1",
        "FOLD_10": "fold10",
        "split3": "Split 3",
    }


def test_what_could_mean_two_is_not_guessed():
    assert match_subsets(["training"], ["train", "trn"]) == {}
    assert match_subsets(["TRAIN"], ["train", "Train"]) == {}
    assert match_subsets(["train"], ["train", "Train"]) == {"train": "train"}
    assert "'train' and 'trn' could both be meant" in describe_missing_subset("training", ["train", "trn"])


def test_validation_is_never_taken_for_a_test_set():
    assert match_subsets(["validation"], ["training", "test"]) == {}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("trainnig", "there are 'training', 'fold1'; did you mean 'training'?"),
        ("zzz", "there are 'training', 'fold1'"),
    ],
)
def test_what_is_not_there_gets_the_nearest_name(name, sentence):
    assert describe_missing_subset(name, ["training", "fold1"]) == sentence


def test_loose_matches_are_said():
    assert describe_loose_subsets({"a": "a", "train": "Training"}) == ["subset 'train' is read as 'Training'"]
