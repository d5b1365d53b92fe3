"""EPIC-KITCHENS' CSV: a line a narrated action, with verb and noun."""

from pathlib import Path

from untrimmed.annotations.annotations import Annotations, Hints
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.csv_table import write_table
from untrimmed.annotations.formats.tables import read_tabular
from untrimmed.annotations.formats.text import format_clock
from untrimmed.timeline import classes_of

COLUMNS = (
    *("narration_id", "participant_id", "video_id", "narration_timestamp", "start_timestamp", "stop_timestamp"),
    *("start_frame", "stop_frame", "narration", "verb", "verb_class", "noun", "noun_class"),
    *("all_nouns", "all_noun_classes"),
)
LABEL = "verb+noun"
"""What an action is in EPIC-KITCHENS' own challenge."""


def read_epic(path: Path, hints: Hints) -> FileContent:
    """Read the actions, labelled by verb and noun unless `hints.label` names another column, such as `narration`."""
    return read_tabular(path, hints if hints.label else hints._replace(label=LABEL))


def write_epic(path: Path, annotations: Annotations, fps: float | None) -> None:
    """Write actions whose label stands as narration and as verb, without noun; times to the millisecond.

    Classes are numbered in alphabetical order. Frames are counted only where `fps` is given.
    """
    timelines = annotations.timelines
    lines: list[tuple[object, ...]] = []
    numbers = {label: number for number, label in enumerate(classes_of(timelines.values()))}
    for video, timeline in timelines.items():
        person = video.partition("_")[0]
        for number, action in enumerate(timeline.actions):
            # A time that is rounded away would leave an action without length.
            end = max(action.end, round(action.start, 3) + 0.001)
            times = format_clock(action.start), format_clock(action.start), format_clock(end)
            frames = (round(action.start * fps), round(end * fps)) if fps else ("", "")
            words = action.label, action.label, numbers[action.label], "", "", "[]", "[]"
            lines.append((f"{video}_{number}", person, video, *times, *frames, *words))
    write_table(path, COLUMNS, lines)
