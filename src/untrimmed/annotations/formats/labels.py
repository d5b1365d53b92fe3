"""Labels as formats can hold them, and actions rounded to whole ticks of a clock or laid out in lanes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from untrimmed.annotations.annotations import Row
from untrimmed.annotations.formats.text import unify_newlines
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

UNNAMED = "unnamed"
"""The label of an action of which only blanks are left."""

CUE_MARK = re.compile(r"</?(?:i|b|u|s|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}", re.IGNORECASE)
"""The marks of styles in subtitles, such as `<i>` and `{\\an8}`."""

_BRACKETS = str.maketrans("<>{}", "‹›()")

# What XML 1.0 has no way to write; a form feed, say.
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tidy_label(label: str) -> str:
    """Strip blanks around a label, unify its line ends, and replace what no file of text can hold."""
    return unify_newlines(label).replace("\0", "\ufffd").encode("utf-8", "replace").decode().strip() or UNNAMED


def fit_xml(label: str) -> str:
    """Fit a label to XML: what that cannot hold becomes a replacement character."""
    return tidy_label(_NO_XML.sub("\ufffd", tidy_label(label)))


def fit_cue(label: str) -> str:
    """Fit a label to subtitles, where an empty line ends a cue, an arrow makes a time, and tags style the text."""
    lines = (line for line in tidy_label(label).split("\n") if line.strip())
    text = "\n".join(lines).replace("-->", "→")
    return CUE_MARK.sub(lambda mark: mark[0].translate(_BRACKETS), text)


def fit_line(label: str) -> str:
    """Fit a label to one line and one cell: every run of blanks becomes one space."""
    return " ".join(tidy_label(label).split())


def fit_list(label: str) -> str:
    """Fit a label to a list separated by semicolons."""
    return tidy_label(label).replace(";", ",")


def fit_labels(timelines: Mapping[str, Timeline], fit: Callable[[str], str]) -> tuple[dict[str, Timeline], int]:
    """Fit the labels of timelines to a format, and count those that change. Raises BadInput where two become one."""
    fitted = {action.label: fit(action.label) for timeline in timelines.values() for action in timeline.actions}
    sources: dict[str, str] = {}
    for label, new in fitted.items():
        if sources.setdefault(new, label) != label:
            raise BadInput(
                f"labels {sources[new]!r} and {label!r} would both be {new!r} in that format; rename one of them"
            )
    changed = sum(label != new for label, new in fitted.items())
    if not changed:
        return dict(timelines), 0
    return {
        video: replace(timeline, actions=tuple(replace(a, label=fitted[a.label]) for a in timeline.actions))
        for video, timeline in timelines.items()
    }, changed


def round_action(action: Action, rate: float) -> Row:
    """Round an action to whole ticks, `rate` a second, and to at least one; start and end of the row are in ticks."""
    start = round(action.start * rate)
    return Row(start, max(round(action.end * rate), start + 1), action.label, action.score)


def round_to_ticks(timeline: Timeline, rate: float) -> list[Row]:
    """Round all actions to whole ticks, `rate` a second, and sort them; start and end are in ticks."""
    return sorted(round_action(action, rate) for action in timeline.actions)


def assign_lanes(rows: Iterable[Row]) -> list[list[Row]]:
    """Assign rows to as few lanes as keep those of one lane apart; each goes to the first lane that is free."""
    lanes: list[list[Row]] = []
    for row in sorted(rows):
        free = next((lane for lane in lanes if lane[-1].end <= row.start), None)
        if free is None:
            lanes.append([row])
        else:
            free.append(row)
    return lanes
