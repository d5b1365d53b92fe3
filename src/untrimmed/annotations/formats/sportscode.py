"""Sportscode's XML, which Nacsport and other programs of sports write too: instances of codes, with labels."""

from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element

from untrimmed.annotations.annotations import Hints, Row, format_count
from untrimmed.annotations.formats.coded import list_counts
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_seconds, read_xml
from untrimmed.io import BadInput

CODE = "code"
"""What a label is made of unless `hints.label` says more, as in `code+Side`, where `Side` is a group of labels."""


def read_sportscode(path: Path, hints: Hints) -> FileContent:
    """Read the instances, labelled by their codes; the file gives the video its name.

    `hints.label` joins groups of labels to the code, as in `code+Side`. Raises BadInput where an instance has no
    times, and for a group that the file lacks.
    """
    root = read_xml(path, "file", "Sportscode's XML")
    instances = list(root.iter("instance"))
    parts = tuple(word.strip() for word in (hints.label or CODE).split("+"))
    groups = Counter(group for item in instances for group, _ in _list_labels(item))
    if bad := next((part for part in parts if part != CODE and part not in groups), None):
        raise BadInput(f"{path}: has no group of labels {bad!r}; there are {', '.join((CODE, *groups))}")
    rows = [_read_instance(f"{path}: instance {n}", item, parts) for n, item in enumerate(instances, start=1)]
    unused = {group: count for group, count in groups.items() if group not in parts}
    notes = ["the file names no video: it is called as the file"]
    if unused:
        joined = "+".join((*parts, next(iter(unused))))
        notes.append(
            f"labels are left out: {list_counts(unused)}; label={joined!r} (convert --label) puts a group in"
        )
    if texts := sum(bool((item.findtext("free_text") or "").strip()) for item in instances):
        notes.append(f"{format_count(texts, 'free text is', 'free texts are')} left out")
    return FileContent({path.stem: rows}, notes=tuple(notes))


def _list_labels(instance: Element) -> list[tuple[str, str]]:
    """List groups and texts of an instance's labels; a label without a group is of the group `label`."""
    pairs = [(item.findtext("group") or "label", item.findtext("text") or "") for item in instance.iterfind("label")]
    return [(group.strip(), text.strip()) for group, text in pairs]


def _read_instance(place: str, instance: Element, parts: tuple[str, ...]) -> Row:
    code = (instance.findtext(CODE) or "").strip()
    texts = [instance.findtext(name) or "" for name in ("start", "end")]
    times = [parse_seconds(text) for text in texts]
    if times[0] is None or times[1] is None:
        raise BadInput(f"{place} ({code!r}) is from {texts[0]!r} to {texts[1]!r}; two times in seconds were expected")
    labels = _list_labels(instance)
    words = [[code] if part == CODE else [text for group, text in labels if group == part] for part in parts]
    return Row(times[0], times[1], tidy_label(" ".join(word for listed in words for word in listed if word)))
