"""Timelines as a table: a line an action, for spreadsheets and other programs."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from untrimmed.files import write_text
from untrimmed.timeline import Timeline

COLUMNS = ("video", "start", "end", "label", "score")


def write_csv(path: Path, timelines: Mapping[str, Timeline]) -> None:
    """Write every action with its video; start and end in seconds, all digits kept, quoted where a label needs it."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video, timeline in timelines.items():
        for action in timeline.actions:
            writer.writerow((video, float(action.start), float(action.end), action.label, float(action.score)))
    write_text(path, table.getvalue())
