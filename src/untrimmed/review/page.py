"""Renders the page of a review."""

from pathlib import Path

from untrimmed.review.edits import UNREVIEWED
from untrimmed.review.files import SUBSETS
from untrimmed.review.session import ReviewSession, ReviewVideo
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization.panels import NOT_PLAYED, Panel, Still, VideoSource, build_page_data
from untrimmed.visualization.report import ServedPage, render_served_page
from untrimmed.visualization.stills import choose_still_times


def render_review_page(title: str, session: ReviewSession) -> ServedPage:
    """Render the page of a review with all edits up to now."""
    number, states = session.states()
    videos = session.videos
    labels = {item.label for state in states for item in state.now.items}
    panels = [Panel(video.name, video.duration, video.rows, _address(i)) for i, video in enumerate(videos)]
    sources = {_address(i): _make_source(i, video) for i, video in enumerate(videos)}
    stills = {video.name: _choose_stills(i, video) for i, video in enumerate(videos) if video.file}
    data = build_page_data(panels, sources, stills, sorted(labels))
    for entry, video in zip(data["panels"], videos, strict=True):
        entry["reason"] = video.doubts.reason
        entry["video"] = entry["video"] if video.file or video.note else None
    data["truth"] = "annotations"
    subsets = list(dict.fromkeys([*SUBSETS, *(state.now.subset for state in states)]))
    data["review"] = {
        "number": number,
        "states": [state.to_dict() for state in states],
        "subsets": subsets,
        "out": str(session.out),
    }
    return render_served_page(title, data, _write_notes(session))


def _write_notes(session: ReviewSession) -> list[str]:
    prior_subsets = [video.prior.subset for video in session.videos if video.prior]
    unreviewed = prior_subsets.count(UNREVIEWED)
    ground_truth = len(prior_subsets) - unreviewed
    notes = [
        f"Only videos that you mark as done are written to {session.out.name} as they are here, in the subset chosen "
        "beside the mark. Your other edits are kept too, and wait."
    ]
    if ground_truth:
        notes.append(
            f"{ground_truth} videos have ground truth already: until you mark them as done, it is written unchanged."
        )
    if unreviewed:
        notes.append(
            f"{unreviewed} videos had annotations to review: until they are done, these are written "
            f"unchanged in the subset '{UNREVIEWED}', which no training takes."
        )
    return notes


def _address(i: int) -> Path:
    """A video's address on the server: by its place in the list, so that no path comes from outside."""
    return Path(f"video/{i}")


def _make_source(i: int, video: ReviewVideo) -> VideoSource:
    name = video.file.name if video.file else video.name
    address = _address(i).as_posix() if video.file else ""
    plays = bool(video.media_type)
    return VideoSource(name, plays, "", address, video.note or ("" if plays else NOT_PLAYED))


def _choose_stills(i: int, video: ReviewVideo) -> list[Still]:
    actions = tuple(Action(item.start, item.end, item.label, item.score) for item in video.items)
    panel = Panel(video.name, video.duration, {"all": Timeline(video.duration, actions)})
    return [Still(time, label, f"still/{i}/{round(time * 1000)}") for time, label in choose_still_times(panel)]
