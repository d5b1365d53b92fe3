"""Files of public data sets that have a form of their own: Ego4D's moments, Perception Test, sentences with times."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Hints, Row, format_count
from untrimmed.annotations.formats.content import FileContent, format_videos
from untrimmed.annotations.formats.json_parts import as_list, as_number, as_object, as_text, to_positive
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import read_any_text
from untrimmed.annotations.units import PER_SECOND
from untrimmed.io import BadInput, read_json

STA = re.compile(r"(\S+)\s+(\S+)\s+(\S+?)\s*##\s*(.+)")
"""A line of Charades-STA: `3MSZA 24.3 30.4##a person turns a light on.`"""


def holds_moments(content: Mapping[str, Any]) -> bool:
    """Say whether JSON is of Ego4D's moments: a list of videos, each with clips."""
    videos = content.get("videos")
    return isinstance(videos, list) and any(isinstance(video, dict) and "clips" in video for video in videos)


def holds_captions(content: Mapping[str, Any]) -> bool:
    """Say whether JSON is of ActivityNet Captions: by video, `timestamps` and as many `sentences`."""
    return bool(content) and all(
        isinstance(entry, dict) and {"timestamps", "sentences"} <= set(entry) for entry in content.values()
    )


def holds_localisations(content: Mapping[str, Any]) -> bool:
    """Say whether JSON is of Perception Test: by video, `action_localisation` and `metadata`."""
    return bool(content) and all(
        isinstance(entry, dict) and "action_localisation" in entry for entry in content.values()
    )


def read_moments(path: Path, hints: Hints) -> FileContent:
    """Read the moments of Ego4D, at their times in the whole videos, not in the clips.

    Those that are not `primary` have no part in its benchmark: they are left out and counted.
    """
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    subsets: dict[str, str] = {}
    left_out: list[str] = []
    guessed: list[str] = []
    content = as_object(str(path), read_json(path))
    for number, item in enumerate(as_list(f"{path}: 'videos'", content.get("videos"))):
        entry = as_object(f"{path}: video {number}", item)
        video = as_text(f"{path}: video {number}: its video_uid", entry.get("video_uid"), empty=False)
        place = f"{path}: video {video!r}"
        if video in rows:
            raise BadInput(f"{place} stands twice; join its two entries")
        rows[video] = []
        clips = [as_object(f"{place}: a clip", clip) for clip in as_list(f"{place}: its clips", entry.get("clips"))]
        for clip in clips:
            for label in _list_labels(place, clip):
                if label.get("primary") is False:
                    left_out.append(f"{label.get('label')!r} in video {video!r}")
                else:
                    rows[video].append(_read_moment(place, clip, label))
        length = to_positive(entry.get("duration_sec"))
        guessed += [] if length else [video]
        ends = [to_positive(clip.get("video_end_sec")) or 0.0 for clip in clips]
        if length or max(ends, default=0.0) > 0:
            durations[video] = length or max(ends)
        if entry.get("split") is not None:
            subsets[video] = as_text(f"{place}: its split", entry["split"], empty=False)
    notes = ["times are those in the whole videos, not in the clips"]
    if left_out:
        count = format_count(len(left_out), "moment that is not primary is", "moments that are not primary are")
        notes.append(f"{count} left out, the first is {left_out[0]}")
    if guessed:
        notes.append(f"{format_videos(guessed)}: taken to end with the last clip")
    return FileContent(rows, durations, subsets, notes=tuple(notes), unit="s")


def read_captions(path: Path, hints: Hints) -> FileContent:
    """Read the sentences of ActivityNet Captions as labels. Raises BadInput where some have no times."""
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    for video, item in as_object(str(path), read_json(path)).items():
        place = f"{path}: video {video!r}"
        entry = as_object(place, item)
        times = as_list(f"{place}: its timestamps", entry.get("timestamps"))
        sentences = as_list(f"{place}: its sentences", entry.get("sentences"))
        if len(times) != len(sentences):
            raise BadInput(
                f"{place} has {len(times)} timestamps for {len(sentences)} sentences; one each was expected"
            )
        rows[video] = [_read_pair(place, pair, text) for pair, text in zip(times, sentences, strict=True)]
        if length := to_positive(entry.get("duration")):
            durations[video] = length
    return FileContent(rows, durations, notes=(_describe_sentences(rows),))


def read_localisations(path: Path, hints: Hints) -> FileContent:
    """Read the actions of Perception Test, whose times are microseconds; sounds are left out."""
    rows: dict[str, list[Row]] = {}
    durations: dict[str, float] = {}
    subsets: dict[str, str] = {}
    sounds = 0
    for video, item in as_object(str(path), read_json(path)).items():
        place = f"{path}: video {video!r}"
        entry = as_object(place, item)
        actions = as_list(f"{place}: its actions", entry.get("action_localisation"))
        rows[video] = [_read_localisation(place, as_object(f"{place}: an action", action)) for action in actions]
        sounds += len(as_list(f"{place}: its sounds", entry.get("sound_localisation") or []))
        metadata = as_object(f"{place}: its metadata", entry.get("metadata") or {})
        frames, rate = to_positive(metadata.get("num_frames")), to_positive(metadata.get("frame_rate"))
        if frames and rate:
            durations[video] = frames / rate
        if metadata.get("split") is not None:
            subsets[video] = as_text(f"{place}: its split", metadata["split"], empty=False)
    notes = ["times are read as microseconds"]
    if sounds:
        notes.append(f"{format_count(sounds, 'sound is', 'sounds are')} left out: actions alone are read")
    return FileContent(rows, durations, subsets, notes=tuple(notes), unit="s")


def holds_sentences(path: Path) -> bool:
    """Say whether the first line of a file is one of Charades-STA."""
    return bool(STA.fullmatch(read_any_text(path).lstrip("\n").partition("\n")[0].strip()))


def read_sentences(path: Path, hints: Hints) -> FileContent:
    """Read the sentences of Charades-STA as labels. Raises BadInput for a line of another form."""
    rows: dict[str, list[Row]] = {}
    for number, line in enumerate(read_any_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        match = STA.fullmatch(line.strip())
        if match is None:
            raise BadInput(
                f"{path}: line {number} is {line[:40]!r}; video, start, end, ## and a sentence were expected"
            )
        place = f"{path}: line {number}"
        rows.setdefault(match[1], []).append(_read_pair(place, [match[2], match[3]], match[4]))
    return FileContent(rows, notes=(_describe_sentences(rows),))


def _list_labels(place: str, clip: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the labels of all annotators of a clip."""
    annotations = as_list(f"{place}: the annotations of a clip", clip.get("annotations") or [])
    parts = [as_object(f"{place}: an annotation", part).get("labels") or [] for part in annotations]
    return [
        as_object(f"{place}: a label", label) for part in parts for label in as_list(f"{place}: its labels", part)
    ]


def _read_moment(place: str, clip: Mapping[str, Any], label: Mapping[str, Any]) -> Row:
    name = tidy_label(as_text(f"{place}: a label", label.get("label"), empty=False))
    where = f"{place}: {name!r}"
    if label.get("video_start_time") is not None and label.get("video_end_time") is not None:
        start, end = label["video_start_time"], label["video_end_time"]
        return Row(as_number(f"{where}: its start", start), as_number(f"{where}: its end", end), name)
    shift = as_number(f"{where}: the start of its clip", clip.get("video_start_sec"))
    start, end = (as_number(f"{where}: its {key}", label.get(key)) for key in ("start_time", "end_time"))
    return Row(shift + start, shift + end, name)


def _read_localisation(place: str, action: Mapping[str, Any]) -> Row:
    label = tidy_label(as_text(f"{place}: a label", action.get("label"), empty=False))
    row = _read_pair(place, action.get("timestamps"), label)
    return row._replace(start=row.start / PER_SECOND["us"], end=row.end / PER_SECOND["us"])


def _read_pair(place: str, pair: Any, text: Any) -> Row:
    label = tidy_label(as_text(f"{place}: a label", text))
    if not isinstance(pair, list) or len(pair) != 2:
        raise BadInput(f"{place}: {label[:40]!r} has no start and end; [start, end] was expected")
    start, end = (as_number(f"{place}: a time of {label[:40]!r}", value) for value in pair)
    return Row(start, end, label)


def _describe_sentences(rows: Mapping[str, list[Row]]) -> str:
    labels = {row.label for video_rows in rows.values() for row in video_rows}
    return f"labels are {len(labels)} different sentences: for detection, give actions of a kind one label"
