"""Labels of two files are matched where they are one name in two spellings, and nowhere else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.label_names import match_labels, suggest_label

labels = st.lists(st.text(max_size=6) | st.sampled_from(["a b", "aB", "a_b", "A-B", "ab", " ab ", "é", "e\u0301"]))


@pytest.mark.parametrize(
    "label",
    [
        "CleanAndJerk",
        "Clean and jerk",
        "clean_and_jerk",
        "CLEAN-AND-JERK",
        " Clean  And Jerk\t",
        "clean \u2013 and jerk",
    ],
)
def test_spellings_of_one_label_are_matched(label):
    assert match_labels([label, "Diving"], ["CleanAndJerk", "Diving"]) == {label: "CleanAndJerk", "Diving": "Diving"}


def test_unicode_forms_of_one_label_are_matched():
    label = unicodedata.normalize("NFD", "Öffnen のが")
    assert label != "Öffnen のが"
    assert match_labels([label], ["Öffnen のが"]) == {label: "Öffnen のが"}


@pytest.mark.parametrize(
    ("label", "other"), [("C-", "C"), ("-1", "1"), ("1-2", "12"), ("left+right", "left right"), ("", " "), ("_", "-")]
)
def test_labels_that_mean_something_else_are_not_matched(label, other):
    assert match_labels([label], [other]) == {}


def test_equal_labels_match_before_similar_ones():
    assert match_labels(["run", "Run"], ["RUN", "Run"]) == {"Run": "Run", "run": "RUN"}
    assert match_labels(["run"], ["Run", "run"]) == {"run": "run"}


def test_of_several_that_could_be_meant_none_is():
    assert match_labels(["a b", "a_b"], ["ab"]) == {}
    assert match_labels(["ab"], ["a b", "a_b"]) == {}


@given(labels, labels)
def test_no_two_labels_become_one_class_and_equal_ones_stay(ours, theirs):
    matched = match_labels(ours, theirs)
    assert len(set(matched.values())) == len(matched)
    assert matched.keys() <= set(ours)
    assert set(matched.values()) <= set(theirs)
    assert all(matched[label] == label for label in set(ours) & set(theirs))


def test_the_nearest_spelling_is_suggested():
    assert suggest_label("opening", ["close", "Open"]) == "Open"
    assert suggest_label("jump", ["close", "Open"]) is None
