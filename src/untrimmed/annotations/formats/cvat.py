"""CVAT for video (XML, version 1.1): one task a file, tracks of a label over frames."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from untrimmed.annotations.annotations import Hints, Row, Spans, format_count
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.json_parts import to_number, to_positive
from untrimmed.annotations.formats.labels import round_to_ticks, tidy_label
from untrimmed.annotations.formats.text import escape_text, read_xml
from untrimmed.annotations.formats.video_entries import RATES
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline
from untrimmed.video.names import media_name


def read_cvat(path: Path, hints: Hints) -> FileContent:
    """Read a segment for each run of frames in which a track is seen, from its first frame to the end of its last.

    Of an export for images, frames that follow each other with one tag are a segment. The video is called as the
    task's source, else as the task, else as the file; its length is that of the task. Raises BadInput where nobody
    states frames a second, for a project of several tasks, and for images without tags.
    """
    root = read_xml(path, "annotations", "CVAT for video")
    step = _find_step(root)
    _refuse_other_exports(path, root)
    # CVAT itself writes none.
    rates = (item.text for item in root.iterfind("meta//*") if item.tag.lower() in RATES)
    rate = hints.fps or next(filter(None, map(to_positive, rates)), None)
    if rate is None:
        raise BadInput(f"{path}: counts in frames and states no rate; give frames a second, as in --fps 25")
    runs = [
        (track.get("label", ""), run)
        for number, track in enumerate(root.iterfind("track"))
        for run in _find_runs(f"{path}: track {track.get('id', number)!r}", track, step)
    ]
    runs += _find_tag_runs(path, root, step)
    rows = [Row(start / rate, end / rate, tidy_label(label)) for label, (start, end) in runs]
    video = _find_video(root) or path.stem
    frames = _count_frames(root, step)
    # A job may end long before the video does.
    stated = frames and not (root.find("meta/job") is not None and video in hints.durations)
    durations = {video: frames / rate} if frames and stated else {}
    notes = (f"frames at {rate:g} a second", *_list_notes(root, step))
    return FileContent({video: rows}, durations, notes=notes, annotated=_find_spans(root, video, rate))


def _refuse_other_exports(path: Path, root: Element) -> None:
    """Raise BadInput for exports that have no times of a video."""
    images = root.findall("image")
    if images and root.find("image/tag") is None:
        raise BadInput(f"{path}: is CVAT for images; export the task as 'CVAT for video 1.1'")
    if images and not _find_source(root) and not re.search(r"frame_?\d+", images[0].get("name", "")):
        name = images[0].get("name", "")
        raise BadInput(f"{path}: tags pictures such as {name!r} and no frames of a video, so it has no times")
    if len(root.findall("meta/project/tasks/task")) > 1:
        raise BadInput(f"{path}: is a project of several tasks; export each task by itself")


def _find_tag_runs(path: Path, root: Element, step: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each tag with first frame and the one after the last of every run of frames that have it."""
    frames: dict[str, set[int]] = {}
    for image in root.iterfind("image"):
        word = image.get("id", "")
        if not re.fullmatch(r"[0-9]{1,12}", word):
            raise BadInput(f"{path}: has an image of the id {word[:20]!r}; the whole number of a frame was expected")
        for tag in image.iterfind("tag"):
            frames.setdefault(tag.get("label", ""), set()).add(int(word))
    for label, tagged in frames.items():
        first = last = min(tagged)
        for frame in sorted(tagged):
            if frame > last + step:
                yield label, (first, last + step)
                first = frame
            last = frame
        yield label, (first, last + step)


def _list_notes(root: Element, step: int) -> Iterator[str]:
    """Yield what was left aside, and which part of the video was annotated at all."""
    if shapes := sum(1 for image in root.iterfind("image") for shape in image if shape.tag != "tag"):
        count = format_count(shapes, "shape in a frame is", "shapes in single frames are")
        yield f"{count} left aside: tags alone are read"
    if root.find("image") is not None:
        yield "frames that follow each other with one tag are one action"
    if attributes := sum(1 for _ in root.iterfind("image/tag/attribute")) + sum(
        1 for _ in root.iterfind("track/*/attribute")
    ):
        yield f"{format_count(attributes, 'attribute is', 'attributes are')} left aside"
    if step > 1:
        yield f"the task has every {step}th frame: ends of actions are exact to {step} frames"
    start, stop = _find_frames(root)
    if start:
        until = f" to {stop:g}" if stop else ""
        yield f"annotated in frames {start:g}{until} alone; nothing is known of the rest of the video"
    if root.find("meta/job") is not None:
        yield "a job is a part of a task: the video is taken to end with it, unless its length is given"


def _find_frames(root: Element) -> tuple[float | None, float | None]:
    """Find the first and the last frame of the task; None where it does not say."""
    return to_number(root.findtext("meta//start_frame")), to_number(root.findtext("meta//stop_frame"))


def _find_spans(root: Element, video: str, rate: float) -> dict[str, Spans]:
    """Find the stretch that was annotated, in seconds, of a task that begins later than its video; of a job any."""
    start, stop = _find_frames(root)
    if stop is None or not (start or root.find("meta/job") is not None):
        return {}
    return {video: (((start or 0) / rate, (stop + 1) / rate),)}


def write_cvat(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions as tracks of boxes, on frames of `fps` a second."""
    if fps is None:
        raise BadInput(f"{video}: CVAT counts in frames; give frames a second, as in --fps 25")
    rows = round_to_ticks(timeline, fps)
    size = max([round(timeline.duration * fps), 1, *(int(row.end) for row in rows)])
    names = "".join(f"<label><name>{escape_text(name)}</name><attributes/></label>\n" for name in timeline.labels)
    source = escape_text(video)
    meta = [
        f"<meta>\n<task>\n<id>1</id>\n<name>{source}</name>\n<size>{size}</size>",
        "<mode>interpolation</mode>\n<overlap>0</overlap>",
        f"<start_frame>0</start_frame>\n<stop_frame>{size - 1}</stop_frame>\n<frame_filter></frame_filter>",
        f"<labels>\n{names}</labels>\n</task>\n<source>{source}</source>\n<fps>{fps!r}</fps>\n</meta>",
    ]
    tracks = []
    for number, row in enumerate(rows):
        tracks.append(f'<track id="{number}" label={quoteattr(row.label)} source="manual">')
        first, last = int(row.start), int(row.end) - 1
        tracks += [_write_box(frame, outside=False) for frame in sorted({first, last})]
        if last + 1 < size:
            tracks.append(_write_box(last + 1, outside=True))
        tracks.append("</track>")
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>'
    write_text(path, "\n".join([head, *meta, *tracks, "</annotations>", ""]))


def _write_box(frame: int, outside: bool) -> str:
    corners = 'xtl="0.00" ytl="0.00" xbr="1.00" ybr="1.00" z_order="0"'
    return f'<box frame="{frame}" outside="{outside:d}" occluded="0" keyframe="1" {corners}></box>'


def _find_runs(place: str, track: Element, step: int) -> Iterator[tuple[int, int]]:
    """Yield first frame and the one after the last of every run of shapes that are not outside."""
    outsides: dict[int, bool] = {}
    for shape in track:
        if (word := shape.get("frame")) is None:
            continue
        if not re.fullmatch(r"[0-9]{1,12}", word):
            raise BadInput(f"{place} has a shape in frame {word[:20]!r}; a whole number was expected")
        outsides[int(word)] = shape.get("outside") == "1"
    first = last = None
    for frame, outside in sorted(outsides.items()):
        if not outside:
            first, last = frame if first is None else first, frame
        elif first is not None:
            yield first, frame
            first = None
    if first is not None and last is not None:
        yield first, last + step


def _find_step(root: Element) -> int:
    """Find every how many frames of the video the task shows one."""
    text = next((item.text or "" for item in root.iterfind("meta//frame_filter")), "")
    match = re.search(r"step=([1-9]\d{0,5})", text)
    return int(match[1]) if match else 1


def _count_frames(root: Element, step: int) -> float | None:
    """Count the frames of the video up to the task's end."""
    stop = to_positive(root.findtext("meta//stop_frame"))
    size = to_positive(root.findtext("meta//size"))
    return stop + 1 if stop is not None else size * step if size is not None else None


def _find_source(root: Element) -> str:
    texts = (root.findtext(place) for place in ("meta/source", "meta//source"))
    return next((text.strip() for text in texts if text and text.strip()), "")


def _find_video(root: Element) -> str:
    return media_name(_find_source(root) or (root.findtext("meta//task/name") or "").strip())
