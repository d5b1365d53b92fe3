"""Behaviour as BORIS and The Observer log it: who starts or stops what, and how; what of that is in labels."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import format_count
from untrimmed.annotations.formats.columns import Column
from untrimmed.annotations.formats.csv_table import DelimitedTable, TableLine
from untrimmed.annotations.formats.events import POINT, STOP, Event
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.io import BadInput

PARTS = ("behavior", "subject", "modifiers")
"""What a label can be made of; the behaviour alone unless somebody asks for more."""

NOBODY = ("no focal subject", "none", "na")
"""How programs write that an event has no subject or modifier."""

_MODIFIERS = re.compile(r"modif(ier)?s?([ _]?#?\d+)?")

LISTED = 5
"""How many names a note lists."""


class Coded(NamedTuple):
    """An event at a time in seconds, of a kind that `events` has: START, STOP, EITHER or POINT.

    `bout` numbers those whose start and stop a file states together; 0 where it does not.
    """

    time: float
    behavior: str
    kind: str
    subject: str = ""
    modifiers: str = ""
    comment: str = ""
    bout: int = 0

    def to_event(self, parts: Sequence[str]) -> Event:
        """Return the event whose label is made of these parts; starts and stops pair by subject and modifiers too."""
        words = {"behavior": self.behavior, "subject": self.subject, "modifiers": self.modifiers}
        label = tidy_label(" ".join(words[part] for part in parts if words[part]))
        return Event(self.time, label, self.kind, (self.subject, self.modifiers, str(self.bout)))


def parse_parts(path: Path, label: str | None) -> tuple[str, ...]:
    """Parse what labels are to be made of, as in `behavior+subject`. Raises BadInput for anything else."""
    words = [word.strip().lower() for word in (label or PARTS[0]).split("+")]
    spellings = {"behaviour": "behavior", "subjects": "subject", "modifier": "modifiers"}
    parts = tuple(spellings.get(word, word) for word in words)
    if bad := next((word for word in parts if word not in PARTS), None):
        raise BadInput(f"{path}: the label cannot be made of {bad!r}; name some of {', '.join(PARTS)}, joined by '+'")
    return parts


def clean_name(text: str) -> str:
    """Return a subject or modifier; nothing where a program writes that there is none."""
    words = {word.strip().lower() for word in text.split("|")}
    return "" if words <= {"", *NOBODY} else text.strip()


def read_modifiers(table: DelimitedTable, line: TableLine) -> str:
    """Read all columns of modifiers, however they are numbered: `Modifiers`, `Modifier #1`, `Modifier_1`."""
    names = enumerate(table.columns)
    columns = (Column(index, name) for index, name in names if _MODIFIERS.fullmatch(name.lower()))
    return clean_name("|".join(filter(None, (clean_name(line.read_text(column)) for column in columns))))


def describe_unused_codes(coded: Sequence[Coded], parts: Sequence[str]) -> Iterator[str]:
    """Yield a sentence on each thing that was logged and is no part of any action, with counts."""
    once = [event for event in coded if not (event.bout and event.kind == STOP)]
    for part, names in (
        ("subject", Counter(event.subject for event in once if event.subject)),
        ("modifiers", Counter(event.modifiers for event in once if event.modifiers)),
    ):
        if names and part not in parts:
            what = "subjects" if part == "subject" else part
            joined = "+".join((*parts, part))
            yield (
                f"{what} are left out of the labels: {list_counts(names)} events; "
                f"label='{joined}' (convert --label {joined}) puts them in"
            )
    if points := Counter(event.behavior for event in coded if event.kind == POINT):
        yield f"point events, which have no length, are dropped: {list_counts(points)}"
    if comments := [event.comment for event in coded if event.comment]:
        count = format_count(len(comments), "comment is", "comments are")
        yield f"{count} left out (the first is {comments[0][:60]!r})"


def list_counts(counts: Mapping[str, int]) -> str:
    """Say how often each of some names is there: `m1 (4), m2 (2)`; the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"and {len(ordered) - LISTED} more"] if len(ordered) > LISTED else []
    return ", ".join([f"{name} ({count})" for name, count in ordered[:LISTED]] + more)
