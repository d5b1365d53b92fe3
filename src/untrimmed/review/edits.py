"""What an edit does to the annotations of one video: a pure step from state to state, with undo and redo."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization.timelines import printable

Status = Literal["open", "accepted", "rejected"]

LONGEST_LABEL = 200
MOST_ITEMS = 5_000
"""Actions of one video, the rejected ones too."""
_STEPS = 500  # that can be undone in one video


class Item(NamedTuple):
    """One action of a video, in seconds: an annotation (`accepted`), a suggestion (`open`), or what was rejected."""

    id: int
    start: float
    end: float
    label: str
    score: float
    status: Status


class Snapshot(NamedTuple):
    """All that an edit can change: the actions, whether the video is done, and the subset that it then is in."""

    items: tuple[Item, ...]
    done: bool
    subset: str


@dataclass(frozen=True)
class State:
    """One video as it stands after `version` edits, with what can be undone and redone."""

    duration: float
    now: Snapshot
    version: int = 0
    past: tuple[Snapshot, ...] = ()
    future: tuple[Snapshot, ...] = ()

    @property
    def timeline(self) -> Timeline:
        """The accepted actions: the annotations of the video."""
        items = (item for item in self.now.items if item.status == "accepted")
        return Timeline(self.duration, tuple(Action(item.start, item.end, item.label) for item in items))

    def shown(self) -> dict[str, Any]:
        """The state as the page reads it."""
        now = {"items": [list(item) for item in self.now.items], "done": self.now.done, "subset": self.now.subset}
        return {"version": self.version, **now, "past": len(self.past), "future": len(self.future)}


def applied(state: State, change: Mapping[str, Any]) -> State:
    """The state after a change, which is of one of these forms; times are seconds, ids are of the state's items:

    `{"kind": "accept" | "reject", "ids": [...]}`, `{"kind": "move", "id", "start", "end"}`,
    `{"kind": "relabel", "id", "label"}`, `{"kind": "add", "start", "end", "label"}`,
    `{"kind": "done", "done": bool, "subset"}`, `{"kind": "undo"}`, `{"kind": "redo"}`.

    A suggestion that is moved or relabelled is accepted by that. Raises BadInput for anything else.
    """
    kind = change.get("kind")
    if kind == "undo":
        return _undone(state)
    if kind == "redo":
        return _redone(state)
    if not isinstance(kind, str) or kind not in _CHANGES:
        raise BadInput(f"no such kind of edit; there are {', '.join(_CHANGES)}, undo and redo")
    now = _CHANGES[kind](state, change)
    return replace(state, now=now, version=state.version + 1, past=(*state.past[-_STEPS:], state.now), future=())


def _undone(state: State) -> State:
    if not state.past:
        raise BadInput("there is nothing to undo in this video")
    *past, last = state.past
    return replace(state, now=last, version=state.version + 1, past=tuple(past), future=(*state.future, state.now))


def _redone(state: State) -> State:
    if not state.future:
        raise BadInput("there is nothing to redo in this video")
    *future, following = state.future
    return replace(
        state, now=following, version=state.version + 1, past=(*state.past, state.now), future=tuple(future)
    )


def _judged(state: State, change: Mapping[str, Any]) -> Snapshot:
    ids = change.get("ids")
    if not isinstance(ids, list) or not ids:
        raise BadInput("'ids' must be a list of the actions to accept or reject")
    wanted = {_item(state, each).id for each in ids}
    status: Status = "accepted" if change["kind"] == "accept" else "rejected"
    items = (item._replace(status=status) if item.id in wanted else item for item in state.now.items)
    return state.now._replace(items=tuple(items))


def _moved(state: State, change: Mapping[str, Any]) -> Snapshot:
    start, end = _segment(state, change)
    return _changed(state, _item(state, change.get("id")), start=start, end=end)


def _relabelled(state: State, change: Mapping[str, Any]) -> Snapshot:
    return _changed(state, _item(state, change.get("id")), label=_label(change))


def _added(state: State, change: Mapping[str, Any]) -> Snapshot:
    if len(state.now.items) >= MOST_ITEMS:
        raise BadInput(f"the video has {MOST_ITEMS} actions already; no more can be added")
    start, end = _segment(state, change)
    number = max((item.id for item in state.now.items), default=-1) + 1
    added = Item(number, start, end, _label(change), 1.0, "accepted")
    return state.now._replace(items=(*state.now.items, added))


def _finished(state: State, change: Mapping[str, Any]) -> Snapshot:
    if not isinstance(change.get("done"), bool):
        raise BadInput("'done' must be true or false")
    subset = _words(change.get("subset", state.now.subset), "a subset")
    if subset == UNREVIEWED:
        raise BadInput(f"the subset {UNREVIEWED!r} is for videos that are not done; choose another")
    return state.now._replace(done=change["done"], subset=subset)


UNREVIEWED = "unreviewed"
"""The subset of annotations that were to be reviewed and are not done."""

_CHANGES: Mapping[str, Callable[[State, Mapping[str, Any]], Snapshot]] = {
    "accept": _judged,
    "reject": _judged,
    "move": _moved,
    "relabel": _relabelled,
    "add": _added,
    "done": _finished,
}


def _changed(state: State, item: Item, **values: Any) -> Snapshot:
    changed = item._replace(status="accepted", **values)
    return state.now._replace(items=tuple(changed if each is item else each for each in state.now.items))


def _item(state: State, number: object) -> Item:
    found = next((item for item in state.now.items if type(number) is int and item.id == number), None)
    if found is None:
        raise BadInput("no such action in this video")
    return found


def _segment(state: State, change: Mapping[str, Any]) -> tuple[float, float]:
    """Start and end in whole milliseconds, inside the video."""
    start, end = _seconds(change.get("start")), _seconds(change.get("end"))
    if not 0 <= start < end <= state.duration + 0.0005:
        raise BadInput(
            f"an action from {start:g} to {end:g} s does not fit; it must end after it starts, in the video's "
            f"{state.duration:g} s"
        )
    return start, min(end, state.duration)


def _seconds(value: object) -> float:
    # A bool is an int too, and NaN is less than nothing.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise BadInput("'start' and 'end' must be numbers of seconds")
    return round(float(value), 3)


def _label(change: Mapping[str, Any]) -> str:
    return _words(change.get("label"), "a label")


def _words(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_LABEL or printable(value) != value:
        raise BadInput(f"{what} must be text of 1 to {LONGEST_LABEL} letters in one line")
    return value.strip()


def item_of(number: int, action: Action, status: Status) -> Item:
    """An item of what a file says."""
    score = action.score if math.isfinite(action.score) else 0.0
    return Item(number, action.start, action.end, action.label, score, status)
