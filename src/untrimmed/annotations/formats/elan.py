"""ELAN's `.eaf`: one video a file, tiers of annotations between slots of time in milliseconds."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from untrimmed.annotations.annotations import Dropped, Hints, Row, format_count
from untrimmed.annotations.formats.coded import list_counts
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.json_parts import to_number, to_positive
from untrimmed.annotations.formats.labels import assign_lanes, round_to_ticks, tidy_label
from untrimmed.annotations.formats.text import escape_text, read_xml
from untrimmed.annotations.formats.tiers import choose_tiers
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline
from untrimmed.video.names import media_name

DURATION = "untrimmed:duration"
"""The property under which we keep a video's length in seconds; ELAN carries properties along unread."""

RATE = 1000

ALIGNED = "ANNOTATION/ALIGNABLE_ANNOTATION"

REFERENCES = ("TIME_SLOT_REF1", "TIME_SLOT_REF2")

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">"""


class Media(NamedTuple):
    """A recording that a file links: where it lies, and the milliseconds of it at which ELAN's time begins."""

    location: str
    is_video: bool
    origin: float


def read_eaf(path: Path, hints: Hints) -> FileContent:
    """Read the annotations of all tiers that have times of their own, or of those that `hints.tiers` names.

    One without a value is called as its tier. The video is the first that the file links, else the first recording,
    else the file's own name; times are moved to where the video begins in them (`TIME_ORIGIN`). Slots without a time
    are spaced evenly between those that have one, as ELAN shows them. Tiers that only refer to others (translations,
    parts of words) are skipped with a note. Raises BadInput where a named tier cannot be read.
    """
    root = read_xml(path, "ANNOTATION_DOCUMENT", "a file of ELAN")
    media = _list_media(root)
    master = next((item for item in media if item.is_video), media[0] if media else Media("", False, 0))
    video = media_name(master.location) or path.stem
    times, guessed = _read_times(root)
    tiers = {tier.get("TIER_ID", ""): tier for tier in root.iterfind("TIER")}
    aligned = {name: tier.findall(ALIGNED) for name, tier in tiers.items()}
    aligned = {name: items for name, items in aligned.items() if items}
    referring = [name for name, tier in tiers.items() if tier.find("ANNOTATION/REF_ANNOTATION") is not None]
    _refuse_tiers(path, tiers, aligned, referring, hints.tiers)
    counts = {name: len(items) for name, items in aligned.items()}
    names, tier_notes = choose_tiers(path, "tier", counts, hints.tiers)
    rows: list[Row] = []
    dropped: list[Dropped] = []
    spaced = 0
    for name in names:
        for item in aligned[name]:
            slots = [item.get(reference) or "" for reference in REFERENCES]
            start, end = (times.get(slot) for slot in slots)
            label = tidy_label(_read_value(item) or name)
            if start is None or end is None:
                dropped.append(Dropped(video, math.nan, math.nan, label, "lies between slots without a time"))
            else:
                rows.append(Row((start + master.origin) / RATE, (end + master.origin) / RATE, label))
                spaced += not guessed.isdisjoint(slots)
    lengths = (item.text for item in root.iterfind("HEADER/PROPERTY") if item.get("NAME") == DURATION)
    length = to_positive(next(lengths, None))
    durations = {video: length} if length else {}
    notes = [*tier_notes, *_list_media_notes(media, master)]
    if spaced:
        count = format_count(spaced, "annotation begins or ends", "annotations begin or end")
        notes.append(f"{count} at no stated time: such are spaced evenly, as ELAN shows them")
    nameless = Counter(name for name in names for item in aligned[name] if not _read_value(item))
    if referring:
        notes.append(f"tiers without times of their own are left aside: {', '.join(dict.fromkeys(referring))}")
    if nameless:
        count = format_count(nameless.total(), "annotation without a value is", "annotations without a value are")
        notes.append(f"{count} labelled by tier: {list_counts(nameless)}")
    return FileContent({video: rows}, durations, dropped=tuple(dropped), notes=tuple(notes))


def _list_media(root: Element) -> list[Media]:
    media = []
    for item in root.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        location = item.get("MEDIA_URL") or item.get("RELATIVE_MEDIA_URL") or ""
        kind = item.get("MIME_TYPE") or ""
        origin = to_number(item.get("TIME_ORIGIN")) or 0.0
        if location:
            media.append(Media(location, not kind.startswith("audio"), origin if math.isfinite(origin) else 0.0))
    return media


def _list_media_notes(media: list[Media], master: Media) -> list[str]:
    notes = []
    if master.origin:
        shift = f"{master.origin / RATE:g} s"
        notes.append(f"times are moved by {shift}: ELAN's time 0 is {shift} into the video (TIME_ORIGIN)")
    names = [item.location.replace("\\", "/").rpartition("/")[2] for item in media if item != master]
    if names:
        notes.append(
            f"{len(media)} recordings are linked: times are of {media_name(master.location)!r}, "
            f"not of {', '.join(names)}"
        )
    return notes


def _refuse_tiers(
    path: Path, tiers: Mapping[str, Element], aligned: Mapping[str, Any], referring: list[str], names: Sequence[str]
) -> None:
    """Raise BadInput for a named tier that only refers to another, with the name of that."""
    for name in names:
        if name in referring and name not in aligned:
            parent = tiers[name].get("PARENT_REF") or ""
            raise BadInput(
                f"{path}: tier {name!r} has no times of its own; name the tier that it refers to, {parent!r}"
            )


def _read_times(root: Element) -> tuple[dict[str, float], set[str]]:
    """Read the milliseconds of slots; those without are spaced evenly along their tier, and listed.

    Annotations that follow each other on a tier share the slot between them.
    """
    slots = (
        (slot.get("TIME_SLOT_ID") or "", to_number(slot.get("TIME_VALUE")))
        for slot in root.iterfind("TIME_ORDER/TIME_SLOT")
    )
    times = {name: time for name, time in slots if time is not None and math.isfinite(time)}
    spaced: set[str] = set()
    tiers = list(root.iterfind("TIER"))
    for _ in tiers:
        new: dict[str, float] = {}
        for tier in tiers:
            links = {item.get(REFERENCES[0]) or "": item.get(REFERENCES[1]) or "" for item in tier.iterfind(ALIGNED)}
            for first in links:
                new |= _space_slots(first, links, times)
        if not new:
            break
        times |= new
        spaced |= set(new)
    return times, spaced


def _space_slots(first: str, links: Mapping[str, str], times: Mapping[str, float]) -> dict[str, float]:
    """Space the slots without a time that follow a slot with one, up to the next that has one; none without such."""
    chain: list[str] = []
    slot = links[first]
    while first in times and slot and slot not in times and slot not in chain:
        chain.append(slot)
        slot = links.get(slot, "")
    if not chain or slot not in times:
        return {}
    # ELAN counts whole milliseconds.
    step = (times[slot] - times[first]) // (len(chain) + 1)
    return {name: times[first] + step * number for number, name in enumerate(chain, start=1)}


def _read_value(item: Element) -> str:
    return (item.findtext("ANNOTATION_VALUE") or "").strip()


def write_eaf(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions, rounded to milliseconds; what overlaps goes to further tiers."""
    tiers = assign_lanes(round_to_ticks(timeline, RATE))
    link = f"file:///{quote(video, safe='')}"
    header = [
        '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
        f'<MEDIA_DESCRIPTOR MEDIA_URL={quoteattr(link)} MIME_TYPE="video/*"/>',
        f'<PROPERTY NAME="{DURATION}">{float(timeline.duration)!r}</PROPERTY>',
        f'<PROPERTY NAME="lastUsedAnnotationId">{len(timeline.actions)}</PROPERTY>',
        "</HEADER>",
    ]
    slots: list[str] = []
    body: list[str] = []
    for number, lane in enumerate(tiers or [[]], start=1):
        name = "actions" if number == 1 else f"actions {number}"
        body.append(f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}">')
        for row in lane:
            first, second = len(slots) + 1, len(slots) + 2
            for slot, milliseconds in ((first, row.start), (second, row.end)):
                slots.append(f'<TIME_SLOT TIME_SLOT_ID="ts{slot}" TIME_VALUE="{milliseconds:.0f}"/>')
            references = f'TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{second}"'
            value = f"<ANNOTATION_VALUE>{escape_text(row.label)}</ANNOTATION_VALUE>"
            aligned = (
                f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a{second // 2}" {references}>{value}</ALIGNABLE_ANNOTATION>'
            )
            body.append(f"<ANNOTATION>{aligned}</ANNOTATION>")
        body.append("</TIER>")
    foot = ['<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>']
    lines = [_HEAD, *header, "<TIME_ORDER>", *slots, "</TIME_ORDER>", *body, *foot, "</ANNOTATION_DOCUMENT>", ""]
    write_text(path, "\n".join(lines))
