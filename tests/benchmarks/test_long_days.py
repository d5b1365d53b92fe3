"""Composed days: as much action as asked for, and nothing of one side in another."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.long_days import SIDES, Footage, compose_day, cut_footage, cut_recording, list_snippets, open_footage
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.annotations import Annotations
from untrimmed.timeline import Action, Timeline

FPS = 4.0


def record(name: str, seconds: int, actions: list[tuple[float, float]]) -> Timeline:
    return Timeline(seconds, tuple(Action(start, end, "ab"[n % 2]) for n, (start, end) in enumerate(actions)))


def film() -> Footage:
    """Two recordings a side, of which every snippet says which it is."""
    names = [f"{side}{n}" for side in SIDES for n in (1, 2)]
    timelines = {name: record(name, 60, [(5, 8), (20, 22), (40, 45.5)]) for name in names}
    features = {name: np.full((240, 2), float(n)) for n, name in enumerate(names)}
    for values in features.values():
        values[:, 1] = np.arange(240)
    annotations = Annotations(timelines)
    return cut_footage(features, annotations, {side: [f"{side}1", f"{side}2"] for side in SIDES}, FPS)


def compose(footage: Footage, side: str, hours: float, share: float, seed: int = 0):
    return compose_day(footage, side, hours, share, np.random.default_rng(seed))


def test_no_snippet_is_on_two_sides():
    footage = film()
    held = {side: list_snippets([*part.actions, *part.content]) for side, part in footage.sides.items()}
    days = {side: list_snippets(compose(footage, side, 0.2, 0.05).stretches) for side in SIDES}
    for side in SIDES:
        assert days[side] <= held[side]
        assert not any(days[side] & held[other] for other in SIDES if other != side)


@given(st.sampled_from([0.05, 0.3, 1.0]), st.sampled_from([0.005, 0.02, 0.05]), st.integers(0, 5))
def test_a_day_is_as_long_and_has_as_much_action_as_asked_for(hours, share, seed):
    day = compose(film(), "test", hours, share, seed)
    assert day.timeline.duration == hours * 3600 == len(day.values) / FPS
    seconds = sum(action.length for action in day.timeline)
    assert abs(seconds - share * hours * 3600) <= 5.5 / 2  # half of the longest action
    starts = [action.start for action in day.timeline]
    assert starts == sorted(starts)
    assert all(a.end < b.start for a, b in zip(day.timeline, list(day.timeline)[1:], strict=False))


def test_actions_lie_where_the_snippets_of_their_recording_are():
    footage = film()
    day = compose(footage, "training", 0.5, 0.05)
    original = footage.sides["training"].timelines["training1"]
    by_length = {round(action.length * FPS): action for action in original}
    assert {action.length for action in day.timeline} == {3.0, 2.0, 5.5}
    for action in day.timeline:
        first, last = round(action.start * FPS), round(action.end * FPS)
        source = by_length[last - first]
        assert action.label == source.label
        assert day.values[first:last, 1].tolist() == list(range(round(source.start * FPS), round(source.end * FPS)))
        # What surrounds it for half a second is its own too.
        assert day.values[first - 2, 1] == source.start * FPS - 2
        assert day.values[last + 1, 1] == source.end * FPS + 1


def test_content_holds_no_action_and_no_other_stretch():
    timeline = record("v", 60, [(5, 8), (8.5, 12), (30, 36), (35, 40)])
    pieces = cut_recording("v", timeline, 240, FPS)
    assert [piece[1:] for piece in pieces if piece.label is not None] == [(18, 33, "a", 2, 1), (33, 50, "b", 1, 2)]
    content = list_snippets(piece for piece in pieces if piece.label is None)
    expected = {*range(18), *range(50, 120), *range(160, 240)}  # the two that overlap are left out whole
    assert {n for _, n in content} == expected
    assert sum(piece.length for piece in pieces if piece.label is None) == len(expected)
    assert max(piece.length for piece in pieces if piece.label is None) <= 1.5 * 20 * FPS


def test_the_same_seed_gives_the_same_day_and_another_another():
    first, again, other = (compose(film(), "test", 0.1, 0.05, seed) for seed in (1, 1, 2))
    assert first.stretches == again.stretches != other.stretches
    assert np.array_equal(first.values, again.values)


def test_more_actions_than_places_between_content_are_refused():
    with pytest.raises(ValueError, match="ask for a lower share"):
        compose(film(), "test", 0.1, 0.9)


@pytest.mark.data
@pytest.mark.parametrize("name", ["sfinge3d", "vts", "ucf101"])
def test_real_days_share_no_snippet(name: str, data: Path):
    footage = open_footage(name, data)
    recordings = [
        {piece.recording for piece in [*part.actions, *part.content]} | set(part.timelines)
        for part in footage.sides.values()
    ]
    assert all(recordings)
    assert not (recordings[0] & recordings[1] or recordings[0] & recordings[2] or recordings[1] & recordings[2])
    labels = [{piece.label for piece in part.actions} for part in footage.sides.values()]
    assert labels[0] == labels[1] == labels[2]
    day = compose(footage, "test", 1.0, 0.02)
    assert day.timeline.duration == 3600
    assert sum(action.length for action in day.timeline) == pytest.approx(72, abs=7)
