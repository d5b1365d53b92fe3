"""Events that start and stop, as behaviour is logged, paired into rows."""

from collections.abc import Iterable
from typing import NamedTuple

from untrimmed.annotations.annotations import Dropped, Row

START, STOP, EITHER, POINT = "start", "stop", "either", "point"
"""What an event is: where a file does not tell starts from stops, they alternate."""


class Event(NamedTuple):
    """Something at a moment, in seconds; `key` tells apart what goes on at the same time under one label."""

    time: float
    label: str
    kind: str
    key: tuple[str, ...] = ()


def pair_events(video: str, events: Iterable[Event]) -> tuple[list[Row], list[Dropped]]:
    """Pair the events of one video: a start with the next stop of the same label and key.

    Returns rows in the order of their ends, and the events that have no partner.
    """
    rows: list[Row] = []
    dropped: list[Dropped] = []
    open_since: dict[tuple[str, ...], Event] = {}

    def drop(event: Event, reason: str) -> None:
        dropped.append(Dropped(video, event.time, event.time, event.label, reason))

    for event in sorted(events, key=lambda event: event.time):
        key = (event.label, *event.key)
        if event.kind == POINT:
            drop(event, "is a point event")
        elif event.kind == STOP or (event.kind == EITHER and key in open_since):
            if start := open_since.pop(key, None):
                rows.append(Row(start.time, event.time, event.label))
            else:
                drop(event, "stops without a start")
        else:
            if key in open_since:
                drop(open_since[key], "starts and never stops")
            open_since[key] = event
    for event in open_since.values():
        drop(event, "starts and never stops")
    return rows, dropped
