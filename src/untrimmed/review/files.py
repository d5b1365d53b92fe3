"""Opens a review: reads the files that a user names into videos, the most doubtful first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.detection.view import holds_detections, read_rows, read_timelines
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput
from untrimmed.review.edits import UNREVIEWED, make_item
from untrimmed.review.ranking import count_doubts
from untrimmed.review.session import PriorAnnotations, ReviewSession, ReviewVideo
from untrimmed.timeline import Timeline
from untrimmed.video.probe import probe_video
from untrimmed.visualization.panels import media_type

MOST_SUGGESTIONS = 200
"""Suggestions of one video: the best."""
SUBSETS = ("training", "validation", "testing")


class ReviewFiles(NamedTuple):
    """The file to correct, the videos, and what to show and weigh beside them.

    `subset` is where videos go that are done, unless a file puts them in one.
    """

    reviewed: Path
    videos: Path
    ground_truth: Path | None = None
    other_results: tuple[Path, ...] = ()
    subset: str = SUBSETS[0]


class _Content(NamedTuple):
    """The content of the files of a review; of `suggestions` and `corrected`, one is empty."""

    paths: Mapping[str, Path]
    suggestions: Mapping[str, Timeline]
    corrected: Annotations
    ground_truth: Annotations
    rows: Mapping[str, Mapping[str, Timeline]]


def open_review(files: ReviewFiles, out: Path) -> ReviewSession:
    """Open a review that writes `out`; one that was begun earlier goes on where it was.

    Raises BadInput, see `read_videos` and `ReviewSession`, and where `out` is one of the files.
    """
    for path in (files.reviewed, files.ground_truth, *files.other_results):
        if path is not None and path.resolve() == out.resolve():
            raise BadInput(f"{out}: is read by this review, and cannot be what it writes; give another --out")
    if files.subset == UNREVIEWED:
        raise BadInput(f"--subset {UNREVIEWED}: means videos that are not done; choose another")
    return ReviewSession(read_videos(files), out)


def read_videos(files: ReviewFiles) -> list[ReviewVideo]:
    """Read every video of the files and of the folder, the most doubtful first.

    A video that lies outside of the folder, by a link, is listed and not played. Raises BadInput where a file cannot
    be read, the folder holds no video, or two of its videos have one name.
    """
    detected = holds_detections(files.reviewed)
    content = _Content(
        _index_paths(find_videos(files.videos)),
        read_timelines(files.reviewed) if detected else {},
        Annotations({}) if detected else read_activitynet(files.reviewed),
        read_activitynet(files.ground_truth) if files.ground_truth else Annotations({}),
        _read_other_results(files),
    )
    highest = max((action.score for line in content.suggestions.values() for action in line), default=1.0)
    names = {*content.paths, *content.suggestions, *content.corrected.timelines, *content.ground_truth.timelines}
    videos = [video for name in sorted(names) if (video := _build_video(name, content, files, highest))]
    if not videos:
        raise BadInput(f"{files.videos}: holds no video that can be read; check the files")
    return sorted(videos, key=lambda video: -video.doubts.total)


def _index_paths(videos: Sequence[Path]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for video in videos:
        if video.stem in paths:
            raise BadInput(f"{video}: {paths[video.stem].name} has the same name but for its ending; rename one")
        paths[video.stem] = video
    return paths


def _read_other_results(files: ReviewFiles) -> dict[str, Mapping[str, Timeline]]:
    """Read the rows of further detectors, under names that are none of the page's own."""
    if not files.other_results:
        return {}
    rows = list(read_rows([files.reviewed, *files.other_results]).items())[1:]
    reserved = {"annotations", "suggestions"}
    return {f"{name} (other)" if name in reserved else name: timelines for name, timelines in rows}


def _build_video(name: str, content: _Content, files: ReviewFiles, highest: float) -> ReviewVideo | None:
    """Build a video before the first edit; None for a file that cannot be read and that no other file names."""
    ground_truth, corrected = content.ground_truth.timelines.get(name), content.corrected.timelines.get(name)
    annotated = [timeline for timeline in (ground_truth, corrected) if timeline is not None]
    suggestions = content.suggestions.get(name)
    durations = [timeline.duration for timeline in (*annotated, suggestions) if timeline is not None]
    durations += _probe_seconds(content.paths.get(name))
    if not durations:
        return None
    # The same action in both files is one annotation.
    actions = dict.fromkeys(action for timeline in annotated for action in timeline)
    items = [make_item(i, action, "accepted") for i, action in enumerate(actions)]
    for action in suggestions.best(MOST_SUGGESTIONS) if suggestions else ():
        items.append(make_item(len(items), action, "open"))
    subset = content.ground_truth.subsets.get(name) or content.corrected.subsets.get(name) or files.subset
    subset = files.subset if subset == UNREVIEWED else subset
    prior = PriorAnnotations(annotated[0], subset if ground_truth else UNREVIEWED) if annotated else None
    rows = {detector: timelines[name] for detector, timelines in content.rows.items() if name in timelines}
    doubts = count_doubts(suggestions, rows, annotated[0] if annotated else None, highest)
    file, note = _check_place(content.paths.get(name), files.videos)
    duration = round(max([*durations, *(item.end for item in items)]) + 0.0005, 3)
    kind = media_type(file) if file else ""
    return ReviewVideo(name, duration, tuple(items), subset, prior, doubts, rows, file, kind, note)


def _probe_seconds(path: Path | None) -> list[float]:
    """Return the length of a video; nothing where it cannot be read."""
    try:
        return [probe_video(path).duration] if path else []
    except BadInput:
        return []


def _check_place(path: Path | None, folder: Path) -> tuple[Path | None, str]:
    """Return the path if it lies in the folder, and a sentence if it does not."""
    root = folder if folder.is_dir() else folder.parent
    if path is None or path.resolve().is_relative_to(root.resolve()):
        return path, ""
    return None, "A link to a file outside of the folder of videos, so it is not played; give --videos that folder."
