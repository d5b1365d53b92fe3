"""Edits: a step from state to state that is made or refused, and undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.io import BadInput
from untrimmed.review.edits import ReviewItem, Snapshot, VideoState, apply_edit
from untrimmed.timeline import Action

ITEMS = (ReviewItem(0, 1.0, 2.0, "jump", 0.9, "open"), ReviewItem(1, 4.0, 6.0, "run", 0.5, "open"))


def make_state() -> VideoState:
    return VideoState(10.0, (Snapshot(ITEMS, False, "training"),))


changes = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["accept", "reject"]), "ids": st.lists(st.integers(-1, 4), max_size=3)}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["move", "add"]),
            "id": st.integers(0, 3),
            "start": st.one_of(st.floats(-1, 12), st.just(float("nan")), st.text(max_size=2)),
            "end": st.one_of(st.floats(-1, 12), st.integers(0, 10), st.booleans()),
            "label": st.one_of(st.text(max_size=4), st.none()),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("relabel"), "id": st.integers(0, 2), "label": st.text(max_size=4)}),
    st.fixed_dictionaries({"kind": st.just("done"), "done": st.booleans(), "subset": st.sampled_from(["a", "b"])}),
    st.fixed_dictionaries({"kind": st.sampled_from(["undo", "redo", "eat", None, "accept"])}),
)


def test_a_suggestion_is_accepted_and_rejected():
    state = apply_edit(make_state(), {"kind": "accept", "ids": [0]})
    assert state.timeline.actions == (Action(1.0, 2.0, "jump"),)
    state = apply_edit(state, {"kind": "reject", "ids": [0, 1]})
    assert state.timeline.actions == () and [item.status for item in state.now.items] == ["rejected"] * 2


def test_a_suggestion_that_is_corrected_is_accepted_by_that():
    state = apply_edit(make_state(), {"kind": "move", "id": 1, "start": 4.25, "end": 7})
    state = apply_edit(state, {"kind": "relabel", "id": 0, "label": " hop "})
    assert state.timeline.actions == (Action(1.0, 2.0, "hop"), Action(4.25, 7.0, "run"))


def test_an_added_action_has_an_id_of_its_own():
    state = apply_edit(make_state(), {"kind": "add", "start": 8, "end": 9.5, "label": "kick"})
    assert state.now.items[-1] == ReviewItem(2, 8.0, 9.5, "kick", 1.0, "accepted")


@given(st.lists(changes, max_size=12))
def test_any_edits_are_made_or_refused_and_undone_to_the_beginning(edits):
    state = first = make_state()
    for change in edits:
        try:
            changed = apply_edit(state, change)
        except BadInput:
            continue
        assert changed.version == state.version + 1
        state = changed
        assert all(0 <= item.start < item.end <= 10 and item.label for item in state.now.items)
        assert len({item.id for item in state.now.items}) == len(state.now.items)
    last, steps = state.now, state.position
    for _ in range(steps):
        state = apply_edit(state, {"kind": "undo"})
    assert state.now == first.now
    for _ in range(steps):
        state = apply_edit(state, {"kind": "redo"})
    assert state.now == last


def test_what_was_undone_cannot_be_redone_after_another_edit():
    state = apply_edit(apply_edit(make_state(), {"kind": "accept", "ids": [0]}), {"kind": "undo"})
    state = apply_edit(state, {"kind": "reject", "ids": [1]})
    with pytest.raises(BadInput, match="nothing to redo"):
        apply_edit(state, {"kind": "redo"})


def test_the_last_501_edits_can_be_undone():
    state = make_state()
    for second in range(600):
        state = apply_edit(state, {"kind": "add", "start": 1, "end": 2 + second % 5, "label": "a"})
    assert (state.to_dict()["past"], state.to_dict()["future"]) == (501, 0)
    for _ in range(501):
        state = apply_edit(state, {"kind": "undo"})
    assert (state.to_dict()["past"], state.to_dict()["future"]) == (0, 501) and len(state.now.items) == 2 + 99
    with pytest.raises(BadInput, match="nothing to undo"):
        apply_edit(state, {"kind": "undo"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "move", "id": 0, "start": 3, "end": 2}, "does not fit"),
        ({"kind": "move", "id": 0, "start": 3, "end": 11}, "does not fit"),
        ({"kind": "move", "id": 0, "start": -1, "end": 2}, "does not fit"),
        ({"kind": "move", "id": 7, "start": 1, "end": 2}, "no such action"),
        ({"kind": "move", "id": False, "start": 1, "end": 2}, "no such action"),
        ({"kind": "add", "start": "1", "end": 2, "label": "a"}, "numbers of seconds"),
        ({"kind": "add", "start": 1, "end": float("nan"), "label": "a"}, "numbers of seconds"),
        ({"kind": "add", "start": 1, "end": 2, "label": "\ud800"}, "a label must be text"),
        ({"kind": "add", "start": 1, "end": 2, "label": "a" * 201}, "a label must be text"),
        ({"kind": "relabel", "id": 0, "label": "  "}, "a label must be text"),
        ({"kind": "accept", "ids": []}, "list of the actions"),
        ({"kind": "done", "done": "yes"}, "true or false"),
        ({"kind": "done", "done": True, "subset": "unreviewed"}, "not done"),
        ({"kind": ["add"]}, "no such kind of edit"),
        ({"kind": "relabel", "id": 10**5000, "label": "a"}, "no such action"),
        ({"kind": "add", "start": 10**5000, "end": 2, "label": "a"}, "numbers of seconds"),
        ({}, "no such kind of edit"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_with_a_sentence(change, words):
    with pytest.raises(BadInput, match=words):
        apply_edit(make_state(), change)
