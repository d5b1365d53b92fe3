"""ELAN's `.eaf`: one video a file, tiers of annotations between slots of time in milliseconds."""

import math
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from untrimmed.annotations.annotations import Dropped, Hints, Row
from untrimmed.annotations.formats.content import Content
from untrimmed.annotations.formats.json_parts import to_number, to_positive
from untrimmed.annotations.formats.labels import assign_lanes, round_to_ticks, tidy_label
from untrimmed.annotations.formats.text import escape_text, read_xml
from untrimmed.io import write_text
from untrimmed.timeline import Timeline
from untrimmed.video.names import media_name

DURATION = "untrimmed:duration"
"""The property under which we keep a video's length in seconds; ELAN carries properties along unread."""

RATE = 1000

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">"""


def read_eaf(path: Path, hints: Hints) -> Content:
    """Read the annotations of all tiers that have times of their own; one without a value is called as its tier.

    The video is the first that the file links, else the file's own name. Tiers that only refer to others
    (translations, parts of words) are skipped with a note, and annotations between slots without a time dropped.
    """
    root = read_xml(path, "ANNOTATION_DOCUMENT", "a file of ELAN")
    media = root.iterfind("HEADER/MEDIA_DESCRIPTOR")
    links = (item.get("MEDIA_URL") or item.get("RELATIVE_MEDIA_URL") for item in media)
    video = media_name(next(filter(None, links), "")) or path.stem
    slots = root.iterfind("TIME_ORDER/TIME_SLOT")
    times = {slot.get("TIME_SLOT_ID"): to_number(slot.get("TIME_VALUE")) for slot in slots}
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for tier in root.iterfind("TIER"):
        for item in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
            start, end = (times.get(item.get(name)) for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2"))
            label = tidy_label(_read_value(item) or tier.get("TIER_ID", ""))
            if start is None or end is None:
                dropped.append(Dropped(video, math.nan, math.nan, label, "lies between slots without a time"))
            else:
                rows.append(Row(start / RATE, end / RATE, label))
    lengths = (item.text for item in root.iterfind("HEADER/PROPERTY") if item.get("NAME") == DURATION)
    length = to_positive(next(lengths, None))
    durations = {video: length} if length else {}
    return Content({video: rows}, durations, dropped=tuple(dropped), notes=_list_notes(root))


def _list_notes(root: Element) -> tuple[str, ...]:
    tiers = [(tier.get("TIER_ID", ""), tier) for tier in root.iterfind("TIER")]
    referring = [name for name, tier in tiers if tier.find("ANNOTATION/REF_ANNOTATION") is not None]
    aligned = "ANNOTATION/ALIGNABLE_ANNOTATION"
    nameless = [name for name, tier in tiers if not all(map(_read_value, tier.iterfind(aligned)))]
    sentences = {
        "tiers without times of their own are left aside": referring,
        "annotations without a value are labelled by their tier": nameless,
    }
    return tuple(f"{text}: {', '.join(dict.fromkeys(names))}" for text, names in sentences.items() if names)


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
