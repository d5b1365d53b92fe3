"""Applies an edit to the annotations of one video: a pure step from state to state, with undo and redo."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization.text import replace_unprintable

Status = Literal["open", "accepted", "rejected"]

LONGEST_LABEL = 200
MOST_ITEMS = 5_000
"""Actions of one video, the rejected ones too."""
UNREVIEWED = "unreviewed"
"""The subset of annotations that were to be reviewed and are not done."""
_MOST_SNAPSHOTS = 502  # of one video: 501 edits can be undone


class ReviewItem(NamedTuple):
    """One action of a video, in seconds: an annotation (`accepted`), a suggestion (`open`), or a rejected one."""

    id: int
    start: float
    end: float
    label: str
    score: float
    status: Status


class Snapshot(NamedTuple):
    """Everything that an edit can change: the actions, whether the video is done, and the subset it is then in."""

    items: tuple[ReviewItem, ...]
    done: bool
    subset: str


@dataclass(frozen=True)
class VideoState:
    """One video after `version` edits: snapshots to undo, the one at `position` that holds now, those to redo."""

    duration: float
    snapshots: tuple[Snapshot, ...]
    position: int = 0
    version: int = 0

    @property
    def now(self) -> Snapshot:
        """The snapshot that holds now."""
        return self.snapshots[self.position]

    @property
    def timeline(self) -> Timeline:
        """The accepted actions: the annotations of the video."""
        accepted = (item for item in self.now.items if item.status == "accepted")
        return Timeline(self.duration, tuple(Action(item.start, item.end, item.label) for item in accepted))

    def to_dict(self) -> dict[str, Any]:
        """The state as the page reads it."""
        now = {"items": [list(item) for item in self.now.items], "done": self.now.done, "subset": self.now.subset}
        future = len(self.snapshots) - 1 - self.position
        return {"version": self.version, **now, "past": self.position, "future": future}


def make_item(number: int, action: Action, status: Status) -> ReviewItem:
    """Make an item of an action in a file."""
    score = action.score if math.isfinite(action.score) else 0.0
    return ReviewItem(number, action.start, action.end, action.label, score, status)


def apply_edit(state: VideoState, change: Mapping[str, Any]) -> VideoState:
    """Return the state after a change of one of these forms; times are seconds, ids are of the state's items:

    `{"kind": "accept" | "reject", "ids": [...]}`, `{"kind": "move", "id", "start", "end"}`,
    `{"kind": "relabel", "id", "label"}`, `{"kind": "add", "start", "end", "label"}`,
    `{"kind": "done", "done": bool, "subset"}`, `{"kind": "undo"}`, `{"kind": "redo"}`.

    A suggestion that is moved or relabelled is accepted by that. Raises BadInput for any other change.
    """
    kind = change.get("kind")
    if kind in ("undo", "redo"):
        position = state.position + (1 if kind == "redo" else -1)
        if not 0 <= position < len(state.snapshots):
            raise BadInput(f"there is nothing to {kind} in this video")
        return replace(state, position=position, version=state.version + 1)
    if not isinstance(kind, str) or kind not in _CHANGES:
        raise BadInput(f"no such kind of edit; there are {', '.join(_CHANGES)}, undo and redo")
    snapshots = (*state.snapshots[: state.position + 1], _CHANGES[kind](state, change))[-_MOST_SNAPSHOTS:]
    return replace(state, snapshots=snapshots, position=len(snapshots) - 1, version=state.version + 1)


def _set_status(state: VideoState, change: Mapping[str, Any]) -> Snapshot:
    ids = change.get("ids")
    if not isinstance(ids, list) or not ids:
        raise BadInput("'ids' must be a list of the actions to accept or reject")
    items = [_find_item(state, number) for number in ids]
    return _replace_items(state, items, status="accepted" if change["kind"] == "accept" else "rejected")


def _move(state: VideoState, change: Mapping[str, Any]) -> Snapshot:
    start, end = _parse_segment(state, change)
    return _replace_items(state, [_find_item(state, change.get("id"))], start=start, end=end)


def _relabel(state: VideoState, change: Mapping[str, Any]) -> Snapshot:
    item = _find_item(state, change.get("id"))
    return _replace_items(state, [item], label=_parse_text(change.get("label"), "a label"))


def _add(state: VideoState, change: Mapping[str, Any]) -> Snapshot:
    if len(state.now.items) >= MOST_ITEMS:
        raise BadInput(f"the video has {MOST_ITEMS} actions already; no more can be added")
    start, end = _parse_segment(state, change)
    number = max((item.id for item in state.now.items), default=-1) + 1
    item = ReviewItem(number, start, end, _parse_text(change.get("label"), "a label"), 1.0, "accepted")
    return state.now._replace(items=(*state.now.items, item))


def _set_done(state: VideoState, change: Mapping[str, Any]) -> Snapshot:
    if not isinstance(change.get("done"), bool):
        raise BadInput("'done' must be true or false")
    subset = _parse_text(change.get("subset", state.now.subset), "a subset")
    if subset == UNREVIEWED:
        raise BadInput(f"the subset {UNREVIEWED!r} is for videos that are not done; choose another")
    return state.now._replace(done=change["done"], subset=subset)


_CHANGES: Mapping[str, Callable[[VideoState, Mapping[str, Any]], Snapshot]] = {
    "accept": _set_status,
    "reject": _set_status,
    "move": _move,
    "relabel": _relabel,
    "add": _add,
    "done": _set_done,
}


def _find_item(state: VideoState, number: object) -> ReviewItem:
    for item in state.now.items:
        if type(number) is int and item.id == number:
            return item
    raise BadInput("no such action in this video")


def _replace_items(state: VideoState, items: list[ReviewItem], **values: Any) -> Snapshot:
    """Replace values of some items. An item that is changed is accepted by that."""
    ids = {item.id for item in items}
    values = {"status": "accepted", **values}
    replaced = (item._replace(**values) if item.id in ids else item for item in state.now.items)
    return state.now._replace(items=tuple(replaced))


def _parse_segment(state: VideoState, change: Mapping[str, Any]) -> tuple[float, float]:
    """Return start and end in whole milliseconds, inside the video."""
    start, end = _parse_seconds(change.get("start")), _parse_seconds(change.get("end"))
    if not 0 <= start < end <= state.duration + 0.0005:
        raise BadInput(
            f"an action from {start:g} to {end:g} s does not fit; it must end after it starts, in the video's "
            f"{state.duration:g} s"
        )
    return start, min(end, state.duration)


def _parse_seconds(value: object) -> float:
    # A bool is an int too, and NaN compares as false.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise BadInput("'start' and 'end' must be numbers of seconds")
    return round(float(value), 3)


def _parse_text(value: object, what: str) -> str:
    text = value.strip() if isinstance(value, str) and replace_unprintable(value) == value else ""
    if not text or len(text) > LONGEST_LABEL:
        raise BadInput(f"{what} must be text of 1 to {LONGEST_LABEL} letters in one line")
    return text
