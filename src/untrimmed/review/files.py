"""Opens a review: reads the files that a user names into videos, the most doubtful first."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.convert import read_beside_videos
from untrimmed.annotations.formats.content import format_videos
from untrimmed.annotations.renaming import rename_videos
from untrimmed.detection.view import holds_detections, read_rows
from untrimmed.io import BadInput
from untrimmed.review.edits import UNREVIEWED, make_item
from untrimmed.review.ranking import count_doubts
from untrimmed.review.session import PriorAnnotations, ReviewSession, ReviewVideo
from untrimmed.timeline import Timeline
from untrimmed.video.folders import list_videos
from untrimmed.video.names import describe_loose_matches, match_names, suggest_name
from untrimmed.video.probe import probe_video
from untrimmed.visualization.panels import media_type

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_SUGGESTIONS = 200
"""Suggestions of one video: the best."""
SUBSETS = ("training", "validation", "testing")


class ReviewFiles(NamedTuple):
    """The file to correct, the videos, and what to show and weigh beside them.

    `subset` is where videos go that are done, unless a file puts them in one. `unit` and `fps` are those of times in
    the file to correct, where it does not state them, see `untrimmed.read_annotations`.
    """

    reviewed: Path
    videos: Path
    ground_truth: Path | None = None
    other_results: tuple[Path, ...] = ()
    subset: str = SUBSETS[0]
    unit: str | None = None
    fps: float | None = None


class _Content(NamedTuple):
    """The content of the files of a review; of `suggestions` and `corrected`, one is empty."""

    paths: Mapping[str, Path]
    lengths: Mapping[str, float]
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

    A video that lies outside of the folder, by a link, is listed and not played. Names of videos are matched as
    `video.names.match_names` says, and what is not exact is logged. Raises BadInput where a file cannot be read, the
    folder holds no video, or files name videos of which none is there.
    """
    detected = holds_detections(files.reviewed)
    listing = list_videos(files.videos)
    lengths = {name: seconds for name, path in listing.files.items() if (seconds := _probe_seconds(path))}
    reviewed = read_beside_videos(files.reviewed, lengths, files.unit, files.fps)
    content = _Content(
        listing.files,
        lengths,
        reviewed.timelines if detected else {},
        Annotations({}) if detected else reviewed,
        read_beside_videos(files.ground_truth, lengths) if files.ground_truth else Annotations({}),
        _read_other_results(files),
    )
    if reviewed.dropped:
        count, first = len(reviewed.dropped), reviewed.dropped[0]
        logger.warning("%s: %s segments cannot be used, the first: %s", files.reviewed, f"{count:,}", first)
    content, notes = _rename_all(content, files)
    for note in (*reviewed.notes, *notes, *listing.notes):
        logger.info("%s", note)
    highest = max((action.score for line in content.suggestions.values() for action in line), default=1.0)
    names = {*content.paths, *content.suggestions, *content.corrected.timelines, *content.ground_truth.timelines}
    videos = [video for name in sorted(names) if (video := _build_video(name, content, files, highest))]
    if not videos:
        raise BadInput(f"{files.videos}: holds no video that can be read; check the files")
    return sorted(videos, key=lambda video: -video.doubts.total)


class _Renaming:
    """Gives the videos of all files one name each, that of the first file with them; `notes` say what was odd."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._videos: dict[str, None] = {}

    def match(self, names: Iterable[str], what: str) -> dict[str, str]:
        """Match names to those of earlier files, and remember the others."""
        names = tuple(names)
        matches = match_names(names, self._videos)
        self._videos |= dict.fromkeys(matches.get(name, name) for name in names)
        if loose := describe_loose_matches(matches):
            self.notes.append(f"{what}: {loose}")
        return {name: matches.get(name, name) for name in names}

    def rename(self, values: Mapping[str, T], what: str) -> dict[str, T]:
        """Rename the videos of values by video."""
        names = self.match(values, what)
        return {names[name]: value for name, value in values.items()}

    def rename_annotations(self, annotations: Annotations, what: str) -> Annotations:
        """Rename the videos of annotations."""
        return rename_videos(annotations, self.match(annotations.timelines, what))


def _rename_all(content: _Content, files: ReviewFiles) -> tuple[_Content, list[str]]:
    """Call a video the same in all files, as the annotations do, and say what was matched loosely, or not at all.

    Raises BadInput where files name videos, and none of these is in the folder.
    """
    renaming = _Renaming()
    ground_truth = renaming.rename_annotations(content.ground_truth, str(files.ground_truth))
    corrected = renaming.rename_annotations(content.corrected, str(files.reviewed))
    suggestions = renaming.rename(content.suggestions, str(files.reviewed))
    rows = {detector: renaming.rename(timelines, detector) for detector, timelines in content.rows.items()}
    names = renaming.match(content.paths, str(files.videos))
    paths = {names[name]: path for name, path in content.paths.items()}
    lengths = {names[name]: seconds for name, seconds in content.lengths.items()}
    absent = sorted({*ground_truth.timelines, *corrected.timelines, *suggestions} - paths.keys())
    bare = paths.keys() - {*ground_truth.timelines, *corrected.timelines, *suggestions}
    if absent:
        near = suggest_name(absent[0], bare)
        hint = f" (is it {near!r}?)" if near else f" (the first there is {min(content.paths)!r})"
        sentence = f"{format_videos(absent)}: no such file in {files.videos}{hint}"
        if len(bare) == len(paths):
            raise BadInput(f"{files.reviewed}: {sentence}; no video of it is there, so name another folder of videos")
        renaming.notes.insert(0, sentence)
    return _Content(paths, lengths, suggestions, corrected, ground_truth, rows), renaming.notes


def _read_other_results(files: ReviewFiles) -> dict[str, Mapping[str, Timeline]]:
    """Read the rows of further detectors, under names that are none of the page's own."""
    if not files.other_results:
        return {}
    rows = list(read_rows([files.reviewed, *files.other_results], files.unit, files.fps).items())[1:]
    reserved = {"annotations", "suggestions"}
    return {f"{name} (other)" if name in reserved else name: timelines for name, timelines in rows}


def _build_video(name: str, content: _Content, files: ReviewFiles, highest: float) -> ReviewVideo | None:
    """Build a video before the first edit; None for a file that cannot be read and that no other file names."""
    ground_truth, corrected = content.ground_truth.timelines.get(name), content.corrected.timelines.get(name)
    annotated = [timeline for timeline in (ground_truth, corrected) if timeline is not None]
    suggestions = content.suggestions.get(name)
    durations = [timeline.duration for timeline in (*annotated, suggestions) if timeline is not None]
    durations += [content.lengths[name]] if name in content.lengths else []
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
    sources = (content.corrected, content.ground_truth)
    spans = next((source.annotated[name] for source in sources if name in source.annotated), None)
    parts = next((source.parts[name] for source in sources if name in source.parts), {})
    return ReviewVideo(name, duration, tuple(items), subset, prior, doubts, rows, file, kind, note, spans, parts)


def _probe_seconds(path: Path) -> float | None:
    """Return the length of a video; None where it cannot be read."""
    try:
        return probe_video(path).duration
    except BadInput:
        return None


def _check_place(path: Path | None, folder: Path) -> tuple[Path | None, str]:
    """Return the path if it lies in the folder, and a sentence if it does not."""
    root = folder if folder.is_dir() else folder.parent
    if path is None or path.resolve().is_relative_to(root.resolve()):
        return path, ""
    return None, "A link to a file outside of the folder of videos, so it is not played; give --videos that folder."
