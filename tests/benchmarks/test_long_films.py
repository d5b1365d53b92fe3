"""Composed films: as many actions as asked for, where the annotations say, and nothing of one side in another."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from untrimmed.timeline import Action, Timeline

SIDES = ("training", "validation", "test")
GESTURES = {
    side: [Action(first + 2.0 * n, first + 2.0 * n + 1.6, "ab"[n % 2]) for n in range(7)]
    for side, first in zip(SIDES, (13.0, 70.0, 100.0), strict=True)
}


@pytest.fixture
def films(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, which finds its neighbours as a script does."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return import_module("long_films")


def compose(films: Any, side: str, seed: int = 0) -> list[Any]:
    return films.compose_film(GESTURES[side], side, 6.0, 15, np.random.default_rng(seed))


def test_no_snippet_is_on_two_sides(films: Any):
    snippets = {
        side: {(p.stretch[0], n) for p in compose(films, side) for n in range(*p.stretch[1:3])} for side in SIDES
    }
    for side in SIDES:
        assert not snippets[side] & set().union(*(snippets[other] for other in SIDES if other != side))


@pytest.mark.parametrize("seed", range(3))
def test_a_film_has_the_length_and_the_actions_asked_for(films: Any, seed: int):
    timeline = films.join_actions(compose(films, "test", seed))
    assert timeline.duration == pytest.approx(360)
    assert len(timeline) == 15


def test_actions_lie_where_their_pieces_show_them(films: Any):
    pieces = compose(films, "training")
    position, shown = 0.0, []
    for piece in pieces:
        first = piece.stretch.first / films.FPS
        for action in GESTURES["training"]:
            last = piece.stretch.last / films.FPS
            if (
                piece.stretch.recording == films.GESTURES
                and first - 0.11 <= action.start
                and action.end <= last + 0.11
            ):
                shown.append((position + action.start - first, position + action.end - first))
        position += piece.stretch.length / films.FPS
    timeline: Timeline = films.join_actions(pieces)
    assert [(a.start, a.end) for a in timeline] == [pytest.approx(segment, abs=0.11) for segment in sorted(shown)]
