"""What a review is made of: the files that a user names, as videos in the order to look at them, and as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.activitynet import read_annotations
from untrimmed.annotations.formats.base import Annotations
from untrimmed.detection.results import DETECTIONS, holds_detections, read_rows, read_timelines
from untrimmed.extraction.videos import find_videos
from untrimmed.io import BadInput
from untrimmed.review.edits import UNREVIEWED, Item, item_of
from untrimmed.review.ranking import Worth, highest_score, worth
from untrimmed.review.session import Review, Standing, Start
from untrimmed.timeline import Action, Timeline
from untrimmed.video.sampling import probe
from untrimmed.visualization.panels import NO_BROWSER, Panel, Source, Still, contents, kind_of
from untrimmed.visualization.report import Served, served_page
from untrimmed.visualization.stills import moments

MOST_SUGGESTIONS = 200
"""Suggestions of one video: the best."""
SUBSETS = ("training", "validation", "testing")

_NOTHING = Annotations({}, {})


class Files(NamedTuple):
    """What a review is about: the file to correct, and what to show and weigh beside it."""

    reviewed: Path
    videos: Path
    truth: Path | None = None
    others: tuple[Path, ...] = ()
    subset: str = SUBSETS[0]


class Shelf(NamedTuple):
    """A video as the server and the page know it, by its place in the list."""

    start: Start
    worth: Worth
    rows: Mapping[str, Timeline]
    file: Path | None
    kind: str
    note: str


def gather(files: Files) -> list[Shelf]:
    """Every video of the files and of the folder, the one most worth a look first.

    A video that lies outside of the folder, by a link, is listed and not played. Raises BadInput where a file cannot
    be read, the folder holds no video, or two of its videos have one name.
    """
    found = _by_name(find_videos(files.videos))
    detected = holds_detections(files.reviewed)
    suggested = read_timelines(files.reviewed) if detected else {}
    corrected = _NOTHING if detected else read_annotations(files.reviewed)
    truth = read_annotations(files.truth) if files.truth else _NOTHING
    others = _others(files)
    names = {*found, *suggested, *corrected.timelines, *truth.timelines}
    highest = highest_score(suggested)
    shelves = []
    for name in sorted(names):
        start = _start(name, found.get(name), suggested.get(name), corrected, truth, files.subset)
        if start is None:
            continue
        rows = {other: timelines[name] for other, timelines in others.items() if name in timelines}
        annotated = truth.timelines.get(name) or corrected.timelines.get(name)
        own = {DETECTIONS: suggested[name]} if name in suggested else {}
        file, note = _inside(found.get(name), files.videos)
        kind = kind_of(file) if file else ""
        shelves.append(Shelf(start, worth(own, rows, annotated, highest), rows, file, kind, note))
    if not shelves:
        raise BadInput(f"{files.videos}: holds no video that can be read; check the files")
    return sorted(shelves, key=lambda shelf: -shelf.worth.places)


def page(title: str, shelves: Sequence[Shelf], review: Review) -> Served:
    """The page of a review as it stands."""
    number, states = review.states()
    labels = {item.label for state in states for item in state.now.items}
    panels = [Panel(shelf.start.name, shelf.start.duration, shelf.rows, _place(i)) for i, shelf in enumerate(shelves)]
    sources = {_place(i): _source(i, shelf) for i, shelf in enumerate(shelves)}
    stills = {shelf.start.name: _stills(i, shelf) for i, shelf in enumerate(shelves) if shelf.file}
    data = contents(panels, sources, stills, sorted(labels))
    for entry, shelf in zip(data["panels"], shelves, strict=True):
        entry["reason"] = shelf.worth.reason
        entry["video"] = entry["video"] if shelf.file or shelf.note else None
    data["truth"] = "annotations"
    subsets = list(dict.fromkeys([*SUBSETS, *(state.now.subset for state in states)]))
    shown = [state.shown() for state in states]
    data["review"] = {"number": number, "states": shown, "subsets": subsets, "out": str(review.out)}
    return served_page(title, data, _notes(shelves, review))


def _notes(shelves: Sequence[Shelf], review: Review) -> list[str]:
    standing = [shelf.start.standing for shelf in shelves if shelf.start.standing]
    kept = sum(each.subset != UNREVIEWED for each in standing)
    notes = [
        f"Only videos that you mark as done are written to {review.out.name} as they are here, in the subset chosen "
        "beside the mark. Your other edits are kept too, and wait."
    ]
    if kept:
        notes.append(f"{kept} videos have a truth already: until you mark them as done, it is written unchanged.")
    if len(standing) > kept:
        notes.append(
            f"{len(standing) - kept} videos had annotations to review: until they are done, these are written "
            f"unchanged in the subset '{UNREVIEWED}', which no training takes."
        )
    return notes


def _others(files: Files) -> dict[str, Mapping[str, Timeline]]:
    """The rows of further detectors, by names that are none of the page's own."""
    if not files.others:
        return {}
    rows = read_rows([files.reviewed, *files.others])
    named = list(rows.items())[1:]
    taken = {"annotations", "suggestions"}
    return {f"{name} (other)" if name in taken else name: timelines for name, timelines in named}


def _by_name(videos: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for video in videos:
        if video.stem in found:
            raise BadInput(f"{video}: {found[video.stem].name} has the same name but for its ending; rename one")
        found[video.stem] = video
    return found


def _start(
    name: str,
    file: Path | None,
    suggested: Timeline | None,
    corrected: Annotations,
    truth: Annotations,
    subset: str,
) -> Start | None:
    """A video before the first edit; None for a file that cannot be read and that no annotation knows."""
    known, mine = truth.timelines.get(name), corrected.timelines.get(name)
    stated = [timeline.duration for timeline in (known, mine, suggested) if timeline is not None]
    seconds = _seconds(file)
    if seconds is None and not stated:
        return None
    actions = [*(known.actions if known else ()), *(mine.actions if mine else ())]
    # The same action in both files is one annotation.
    items: list[Item] = [item_of(i, action, "accepted") for i, action in enumerate(dict.fromkeys(actions))]
    for action in sorted(suggested.best(MOST_SUGGESTIONS).actions) if suggested else ():
        items.append(item_of(len(items), action, "open"))
    duration = max([seconds or 0.0, *stated, *(item.end for item in items)])
    own = truth.subsets.get(name) or corrected.subsets.get(name)
    own = None if own == UNREVIEWED else own
    if known is not None:
        standing = Standing(known, own or subset)
    else:
        standing = Standing(mine, UNREVIEWED) if mine is not None else None
    return Start(name, round(duration + 0.0005, 3), tuple(items), own or subset, standing)


def _seconds(file: Path | None) -> float | None:
    try:
        return probe(file).duration if file else None
    except BadInput:
        return None


def _inside(file: Path | None, folder: Path) -> tuple[Path | None, str]:
    """The file if it lies in the folder, and a sentence if it does not."""
    if file is None:
        return None, ""
    root = folder if folder.is_dir() else folder.parent
    if file.resolve().is_relative_to(root.resolve()):
        return file, ""
    return None, "A link to a file outside of the folder of videos, so it is not played; give --videos that folder."


def _place(i: int) -> Path:
    """A video's address on the server: by its place in the list, so that no path comes from outside."""
    return Path(f"video/{i}")


def _source(i: int, shelf: Shelf) -> Source:
    name = shelf.file.name if shelf.file else shelf.start.name
    address = _place(i).as_posix() if shelf.file else ""
    return Source(name, bool(shelf.kind), "", address, shelf.note or ("" if shelf.kind else NO_BROWSER))


def _stills(i: int, shelf: Shelf) -> list[Still]:
    actions = tuple(Action(item.start, item.end, item.label, item.score) for item in shelf.start.items)
    shown = Panel(shelf.start.name, shelf.start.duration, {"all": Timeline(shelf.start.duration, actions)})
    return [Still(time, label, f"still/{i}/{round(time * 1000)}") for time, label in moments(shown)]


def open_review(files: Files, out: Path) -> tuple[list[Shelf], Review]:
    """The shelves of a review, and the review itself, which goes on where it was. Raises BadInput, see both."""
    for path in (files.reviewed, files.truth, *files.others):
        if path is not None and path.resolve() == out.resolve():
            raise BadInput(f"{out}: is read by this review, and cannot be what it writes; give another --out")
    if files.subset == UNREVIEWED:
        raise BadInput(f"--subset {UNREVIEWED}: means videos that are not done; choose another")
    shelves = gather(files)
    return shelves, Review([shelf.start for shelf in shelves], out)
