"""Which format a file or folder is in, sniffed from its ending and, where that says too little, its content."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.annotations.formats.bento import holds_bento_bouts
from untrimmed.annotations.formats.boris_tables import holds_boris_events
from untrimmed.annotations.formats.content import walk_files
from untrimmed.annotations.formats.csv_table import DELIMITERS
from untrimmed.annotations.formats.elan_tab import holds_elan_export
from untrimmed.annotations.formats.frame_labels import ENDINGS as FRAME_ENDINGS
from untrimmed.annotations.formats.frame_labels import holds_frame_labels, holds_frame_ranges
from untrimmed.annotations.formats.json_rows import ENDINGS as JSON_LINES
from untrimmed.annotations.formats.json_rows import are_json_rows
from untrimmed.annotations.formats.noldus import holds_observer_events
from untrimmed.annotations.formats.published import (
    holds_captions,
    holds_localisations,
    holds_moments,
    holds_sentences,
)
from untrimmed.annotations.formats.solomon import holds_solomon_columns
from untrimmed.annotations.formats.text import parse_number, read_any_text
from untrimmed.annotations.formats.thumos import SUBSETS, holds_class_files
from untrimmed.annotations.formats.unread import refuse_unread_json, refuse_unread_text
from untrimmed.annotations.formats.via_csv import holds_via_segments
from untrimmed.annotations.formats.workbook import ENDINGS as WORKBOOKS
from untrimmed.io import BadInput, describe_content, missing, read_bytes, read_json

BY_ENDING = {
    ".eaf": "elan",
    ".boris": "boris",
    ".xml": "cvat",
    ".textgrid": "textgrid",
    ".srt": "srt",
    ".vtt": "vtt",
    ".annot": "bento",
}
"""Endings that say everything."""

PUBLISHED = {"ego4d": holds_moments, "captions": holds_captions, "perception-test": holds_localisations}
"""Forms of JSON that one data set has."""

BY_CONTENT = (".json", ".csv", ".txt", ".tsv", *WORKBOOKS)

TOOLS = {
    "bento": holds_bento_bouts,
    "via-csv": holds_via_segments,
    "boris-table": holds_boris_events,
    "observer": holds_observer_events,
    "elan-tab": holds_elan_export,
    "solomon": holds_solomon_columns,
}
"""Text that one tool writes, by how it begins."""

XML_ROOTS = {"file": "sportscode", "ANNOTATION_DOCUMENT": "elan", "annotations": "cvat"}
"""What the XML of each tool begins with."""

TABLES = (".csv", ".tsv", ".txt")
"""What files of delimited text end with."""

BEGINNING = 20000
"""Characters of a text by which its tool is told."""

BY_WRITTEN_ENDING = {**BY_ENDING, ".tsv": "table", ".json": "activitynet", ".csv": "table", ".txt": "audacity"}
"""What is written where nobody names another format."""


def sniff_format(path: str | Path) -> str:
    """Return the name of the format that a file or folder is in. Raises BadInput where nothing fits."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if path.is_dir():
        return _sniff_folder(path)
    ending = _find_ending(path)
    if ending in (*FRAME_ENDINGS, *TABLES) and (tool := _sniff_tool(path)):
        return tool
    if ending in FRAME_ENDINGS and holds_frame_labels(path):
        return "frame-labels"
    if ending == ".xml":
        return _sniff_xml(path)
    if ending in BY_ENDING:
        return BY_ENDING[ending]
    if ending in (".tsv", *JSON_LINES, *WORKBOOKS):
        return "table"
    if ending == ".json":
        content = read_json(path)
        refuse_unread_json(path, content)
        return _sniff_json(content)
    if ending == ".csv":
        columns = {cell.strip(' "') for cell in _read_first_line(path).split(",")}
        if {"start_timestamp", "verb", "noun"} <= columns:
            return "epic"
        return "charades" if {"id", "actions", "length"} <= columns else "table"
    if ending == ".txt":
        return _sniff_text(path)
    endings = ", ".join((*BY_ENDING, *BY_CONTENT, *JSON_LINES))
    if what := describe_content(read_bytes(path)):
        raise BadInput(f"{path}: is {what}, and no file of annotations that is read; save it as one of {endings}")
    raise BadInput(f"{path}: ends in none of {endings}; say which format it is in with --from")


def _sniff_tool(path: Path) -> str | None:
    """Return the tool that a text is surely of; None where it is of no tool or no text."""
    whole = read_any_text(path)
    text = whole[:BEGINNING].rpartition("\n")[0] if len(whole) > BEGINNING else whole
    refuse_unread_text(path, text)
    return next((name for name, holds in TOOLS.items() if holds(text)), None)


def _sniff_xml(path: Path) -> str:
    """Return the format of XML by its first element. Raises BadInput for one that is of no tool."""
    # In UTF-16 there is a zero in each letter.
    match = re.search(rb"<([A-Za-z_]\w*)", read_bytes(path)[:BEGINNING].replace(b"\0", b""))
    root = match[1].decode() if match else "annotations"
    if root not in XML_ROOTS:
        listed = ", ".join(f"<{name}> ({tool})" for name, tool in XML_ROOTS.items())
        raise BadInput(f"{path}: is XML that begins with <{root[:40]}>; {listed} are read")
    return XML_ROOTS[root]


def choose_written_format(path: str | Path) -> str:
    """Return the name of the format to write at a path. Raises BadInput where the ending says none."""
    ending = _find_ending(Path(path))
    if ending not in BY_WRITTEN_ENDING:
        raise BadInput(f"{path}: ends in none of {', '.join(BY_WRITTEN_ENDING)}; say which format to write with --to")
    return BY_WRITTEN_ENDING[ending]


def _find_ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _sniff_folder(path: Path) -> str:
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    if any(file.suffix == ".txt" and file.stem.rpartition("_")[2] in SUBSETS for file in files):
        return "thumos"
    if holds_frame_labels(path):
        return "frame-labels"
    if holds_frame_ranges(path):
        return "frame-ranges"
    if holds_class_files(path):
        return "multithumos"
    direct = [file for file in files if file.suffix.lower() in (*BY_ENDING, *BY_CONTENT)]
    inner = (file for file in walk_files(path) if file.suffix.lower() in (*BY_ENDING, *BY_CONTENT))
    formats = {sniff_format(file) for file in direct or inner}
    if len(formats) == 1:
        return formats.pop()
    content = f"files of {' and '.join(sorted(formats))}" if formats else "no file of annotations"
    raise BadInput(f"{path}: holds {content}; name a file, or the format with --from")


def _sniff_json(content: Any) -> str:
    if isinstance(content, list):
        return "table" if are_json_rows(content) else "labelstudio"
    keys: Mapping[str, Any] = content if isinstance(content, dict) else {}
    for name, holds in PUBLISHED.items():
        if holds(keys):
            return name
    if "results" in keys and "database" not in keys:
        return "activitynet-results"
    if "behaviors_conf" in keys:
        return "boris"
    return "via" if {"metadata", "file", "view"} <= set(keys) else "activitynet"


def _sniff_text(path: Path) -> str:
    line = _read_first_line(path)
    times = line.split("\t")[:2]
    if len(times) == 2 and all(parse_number(word) is not None for word in times):
        return "audacity"
    if holds_sentences(path):
        return "charades-sta"
    if holds_frame_ranges(path):
        return "frame-ranges"
    if holds_class_files(path):
        return "multithumos"
    # There may be lines above the names of the columns.
    lines = [*read_any_text(path)[:BEGINNING].split("\n")[:10], line]
    if any(mark in text for mark in DELIMITERS for text in lines) or max(len(text.split()) for text in lines) > 2:
        return "table"
    # An empty track of labels is an empty file.
    if not line:
        return "audacity"
    raise BadInput(f"{path}: is neither a table nor labels of Audacity; say which format it is in with --from")


def _read_first_line(path: Path) -> str:
    return read_any_text(path).lstrip("\n").partition("\n")[0]
