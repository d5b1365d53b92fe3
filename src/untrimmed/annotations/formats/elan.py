"""ELAN's `.eaf`: one video a file, tiers of annotations between slots of time in milliseconds."""

from collections import Counter
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element

from untrimmed.annotations.formats.base import Dropped, Row
from untrimmed.annotations.formats.content import Content, Hints, media_name
from untrimmed.annotations.formats.json_parts import number_or_none, positive_or_none
from untrimmed.annotations.formats.labels import lanes, ticks, tidy
from untrimmed.annotations.formats.xml_text import attribute, read_xml, written
from untrimmed.io import write_text
from untrimmed.timeline import Timeline

DURATION = "untrimmed:duration"
"""The property under which we keep a video's length in seconds; ELAN carries properties along unread."""

RATE = 1000

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">"""


def read_eaf(path: Path, hints: Hints) -> Content:
    """The annotations of all tiers that have times of their own; one without a value is called as its tier.

    The video is the first that the file links, else the file's own name. Tiers that only refer to others
    (translations, parts of words) are left aside with a note, and annotations between slots without a time dropped.
    """
    root = read_xml(path, "ANNOTATION_DOCUMENT", "a file of ELAN")
    links = [
        m.get("MEDIA_URL") or m.get("RELATIVE_MEDIA_URL") or "" for m in root.iterfind("HEADER/MEDIA_DESCRIPTOR")
    ]
    video = media_name(next(filter(None, links), "")) or path.stem
    times = {
        s.get("TIME_SLOT_ID"): number_or_none(s.get("TIME_VALUE")) for s in root.iterfind("TIME_ORDER/TIME_SLOT")
    }
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for tier in root.iterfind("TIER"):
        for item in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
            start, end = (times.get(item.get(name)) for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2"))
            label = tidy((item.findtext("ANNOTATION_VALUE") or "").strip() or tier.get("TIER_ID", ""))
            if start is None or end is None:
                nowhere = float("nan")
                dropped.append(Dropped(video, nowhere, nowhere, label, "lies between slots without a time"))
            else:
                rows.append(Row(start / RATE, end / RATE, label))
    lengths = (p.text for p in root.iterfind("HEADER/PROPERTY") if p.get("NAME") == DURATION)
    length = positive_or_none(next(lengths, None))
    durations = {video: length} if length else {}
    return Content({video: rows}, durations, dropped=tuple(dropped), notes=_notes(root))


def _notes(root: Element) -> tuple[str, ...]:
    referring: Counter[str] = Counter()
    nameless: Counter[str] = Counter()
    for tier in root.iterfind("TIER"):
        name = tier.get("TIER_ID", "")
        referring[name] += len(tier.findall("ANNOTATION/REF_ANNOTATION"))
        values = (item.findtext("ANNOTATION_VALUE") for item in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"))
        nameless[name] += sum(not (value or "").strip() for value in values)
    aside = [name for name, count in referring.items() if count]
    called = [name for name, count in nameless.items() if count]
    notes = [f"tiers without times of their own are left aside: {', '.join(aside)}"] if aside else []
    if called:
        notes.append(f"annotations without a value are labelled by their tier: {', '.join(called)}")
    return tuple(notes)


def write_eaf(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions, rounded to milliseconds; what overlaps goes to further tiers."""
    tiers = lanes(ticks(timeline, RATE))
    link = f"file:///{quote(video, safe='')}"
    header = [
        '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
        f'<MEDIA_DESCRIPTOR MEDIA_URL={attribute(link)} MIME_TYPE="video/*"/>',
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
            place = len(slots) // 2 + 1
            slots += [_slot(2 * place - 1, row.start), _slot(2 * place, row.end)]
            body.append(_annotation(place, row.label))
        body.append("</TIER>")
    foot = ['<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>']
    lines = [_HEAD, *header, "<TIME_ORDER>", *slots, "</TIME_ORDER>", *body, *foot, "</ANNOTATION_DOCUMENT>", ""]
    write_text(path, "\n".join(lines))


def _slot(number: int, milliseconds: float) -> str:
    return f'<TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{milliseconds:.0f}"/>'


def _annotation(number: int, label: str) -> str:
    slots = f'TIME_SLOT_REF1="ts{2 * number - 1}" TIME_SLOT_REF2="ts{2 * number}"'
    value = f"<ANNOTATION_VALUE>{written(label)}</ANNOTATION_VALUE>"
    aligned = f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" {slots}>{value}</ALIGNABLE_ANNOTATION>'
    return f"<ANNOTATION>{aligned}</ANNOTATION>"
