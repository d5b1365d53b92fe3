"""Labels as formats can hold them, and actions as they fit between others or on whole ticks of a clock."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from untrimmed.annotations.formats.base import Row
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

UNNAMED = "unnamed"
"""The label of an action of which only blanks are left."""

# What XML 1.0 has no way to write; a form feed, say.
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tidy(label: str) -> str:
    """A label without blanks around it, with one kind of line end, and as any file of text can hold it."""
    text = label.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    return text.strip() or UNNAMED


def for_xml(label: str) -> str:
    """A label for XML: what that cannot hold becomes a replacement character."""
    return tidy(_NO_XML.sub("\ufffd", tidy(label)))


def for_cue(label: str) -> str:
    """A label for subtitles, where an empty line ends a cue and an arrow makes a time."""
    lines = (line for line in tidy(label).split("\n") if line.strip())
    return "\n".join(lines).replace("-->", "→")


def for_line(label: str) -> str:
    """A label on one line and in one cell: every run of blanks is one space."""
    return " ".join(tidy(label).split())


def for_list(label: str) -> str:
    """A label in a list parted by semicolons."""
    return tidy(label).replace(";", ",")


def relabelled(timelines: Mapping[str, Timeline], fit: Callable[[str], str]) -> tuple[dict[str, Timeline], int]:
    """Timelines with labels that a format can hold, and how many of the labels had to change.

    Raises BadInput where two labels would become one.
    """
    fitted = {action.label: fit(action.label) for timeline in timelines.values() for action in timeline.actions}
    source: dict[str, str] = {}
    for label, fits in fitted.items():
        if source.setdefault(fits, label) != label:
            raise BadInput(
                f"labels {source[fits]!r} and {label!r} would both be {fits!r} in that format; rename one of them"
            )
    changed = sum(label != fits for label, fits in fitted.items())
    if not changed:
        return dict(timelines), 0
    return {video: _refitted(timeline, fitted) for video, timeline in timelines.items()}, changed


def _refitted(timeline: Timeline, fitted: Mapping[str, str]) -> Timeline:
    return replace(
        timeline, actions=tuple(replace(action, label=fitted[action.label]) for action in timeline.actions)
    )


def ticks(timeline: Timeline, rate: float) -> list[Row]:
    """The actions on a clock of `rate` whole ticks a second, each at least one long; start and end are in ticks."""
    rows = []
    for action in timeline.actions:
        start = round(action.start * rate)
        rows.append(Row(start, max(round(action.end * rate), start + 1), action.label, action.score))
    return sorted(rows)


def lanes(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows in as few lanes as keep those of one lane apart; each goes to the first lane that is free by then."""
    found: list[list[Row]] = []
    for row in sorted(rows):
        free = next((lane for lane in found if lane[-1].end <= row.start), None)
        if free is None:
            found.append([row])
        else:
            free.append(row)
    return found
