"""Writes detections: the format is named by the file's ending, one file for all videos or one a video."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from untrimmed.annotations.annotations import Annotations, format_count
from untrimmed.annotations.convert import write_annotations
from untrimmed.annotations.formats.activitynet import write_activitynet_results
from untrimmed.annotations.formats.srt import write_srt
from untrimmed.annotations.formats.tables import write_csv
from untrimmed.annotations.sniff import BY_WRITTEN_ENDING
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline, Timelines

PLACE = "{video}"
"""Stands in a path for the name of each video."""
# A subtitle is read by people: a hundred faint guesses over each other would help nobody.
SUBTITLE_SCORE = 0.3
_ONE_VIDEO = (".srt", ".vtt", ".eaf", ".textgrid", ".txt")
# CVAT counts frames, and a timeline knows no rate of them; `convert --fps` does.
ENDINGS = tuple(ending for ending in BY_WRITTEN_ENDING if ending != ".xml")


def check_output(out: str | Path, count: int = 1) -> None:
    """Refuse an ending that no format has, or that has no room for `count` videos, before the work is done."""
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise BadInput(f"{out}: its ending must be one of {', '.join(ENDINGS)}")
    if count != 1 and PLACE not in path.name and path.suffix.lower() in _ONE_VIDEO:
        raise BadInput(f"{out}: such a file holds one video, not {count}; name it '{PLACE}{path.suffix}'")


def write_detections(timelines: Mapping[str, Timeline], out: str | Path, *, score: float | None = None) -> list[Path]:
    """Write the actions that score at least `score`, by default all, in subtitles those from 0.3 on.

    Everything goes to one file, or to one a video where `out` holds `{video}`; the files are returned. ActivityNet's
    JSON holds the notes of `Timelines` too. Raises BadInput for an ending that no format has, and for several videos
    in a format of one.
    """
    out = Path(out)
    check_output(out, len(timelines))
    least = find_least_score(out, score)
    surest = {video: timeline.above(least) for video, timeline in timelines.items()}
    if PLACE in out.name:
        files = {Path(str(out).replace(PLACE, video)): {video: timeline} for video, timeline in surest.items()}
    else:
        files = {out: surest}
    notes = timelines.notes if isinstance(timelines, Timelines) else ()
    for file, part in files.items():
        _write(file, part, notes)
    return list(files)


def find_least_score(out: Path | None, score: float | None) -> float:
    """Find the least score of what is written to `out`, or printed without it; `score` is what was asked for."""
    if score is not None:
        return score
    return SUBTITLE_SCORE if out is None or out.suffix.lower() in (".srt", ".vtt") else 0.0


def describe_hidden(timelines: Mapping[str, Timeline], out: Path | None, score: float | None) -> list[str]:
    """Say that no action of any video is found, or that none scores enough to be shown; nothing where one does."""
    least = find_least_score(out, score)
    scores = [action.score for timeline in timelines.values() for action in timeline]
    if not scores:
        return [f"no action was found in {format_count(len(timelines), 'video')}"]
    if max(scores) >= least:
        return []
    return [
        f"{format_count(len(scores), 'action')} below the least score that is shown, {least:g}, the best "
        f"{max(scores):.2g}; a lower one (score=0, --score 0) shows them"
    ]


def _write(file: Path, timelines: Mapping[str, Timeline], notes: Sequence[str]) -> None:
    ending = file.suffix.lower()
    if ending == ".json":
        write_activitynet_results(file, timelines, notes)
    elif ending == ".csv":
        write_csv(file, timelines)
    elif ending == ".srt":
        write_srt(file, *next(iter(timelines.items())), scores=True)
    else:
        write_annotations(file, Annotations(timelines, {}))
